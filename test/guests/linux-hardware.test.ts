/** Debian's kernel for real machines, with its drivers of e1000, AHCI and NVMe, in one boot. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { vmscope } from '../cli/vmscope.js';
import { named, requireScript, requireTool } from '../tools.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const apt = requireTool('apt-get');
const guest = apt.available ? requireScript(`${root}samples/linux/fetch-hardware`) : apt;
const [mke2fs, e2fsck, debugfs] = ['mke2fs', 'e2fsck', 'debugfs'].map(requireTool);
const tools = [guest, mke2fs, e2fsck, debugfs];
const folder = `${root}build/guests/linux-hardware`;
const SLOW = 300_000;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test.skipIf(tools.some(({ available }) => !available))(
  named('Linux writes disks on NVMe and SATA, reads a SATA disc and fetches a file by e1000', ...tools),
  async () => {
    const work = mkdtempSync(join(tmpdir(), 'vmscope-hardware-'));
    const body = randomBytes(300_000);
    const server = createServer((_request, response) => response.end(body));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const disc = randomBytes(1 << 20);
      writeFileSync(`${work}/disc.iso`, disc);
      for (const name of ['nvme', 'sata']) {
        writeFileSync(`${work}/${name}.img`, '');
        truncateSync(`${work}/${name}.img`, 16 << 20);
        execFileSync(mke2fs.path, ['-q', '-t', 'ext4', `${work}/${name}.img`]);
      }
      const run = [
        'mkdir /a /b; mount -t ext4 /dev/nvme0n1 /a; mount -t ext4 /dev/sda /b',
        'ip link set eth0 up; udhcpc -i eth0 -n -q -s /bin/true; ip addr add 10.0.2.15/24 dev eth0',
        `wget -q -O /a/f http://10.0.2.2:${port}/f; cp /a/f /b/g`,
        'sync; echo 3 >/proc/sys/vm/drop_caches; sha256sum /a/f /b/g /dev/sr0; umount /a /b',
      ].join('; ');
      const { stdout, status } = await vmscope(
        [
          ...['run', '--kernel', `${folder}/vmlinuz`, '--initrd', `${folder}/initrd.gz`, '-m', '256M', '--headless'],
          ...['--net', 'user,model=e1000', '--append', `console=ttyS0 quiet RUN="${run}"`],
          ...['--disk', `${work}/nvme.img,format=raw,if=nvme`, '--disk', `${work}/sata.img,format=raw,if=sata`],
          ...['--disk', `${work}/disc.iso,if=sata,media=cdrom`],
        ],
        { timeoutMs: SLOW },
      );
      expect(stdout).toContain(`${sha256(body)}  /a/f`);
      expect(stdout).toContain(`${sha256(body)}  /b/g`);
      expect(stdout).toContain(`${sha256(disc)}  /dev/sr0`);
      expect(stdout).toContain('lease of 10.0.2.15 obtained from 10.0.2.2');
      expect(stdout).not.toMatch(/error|timeout|exception|reset/i);
      expect(status).toBe(0);
      for (const [name, file] of [
        ['nvme', 'f'],
        ['sata', 'g'],
      ]) {
        const image = `${work}/${name}.img`;
        execFileSync(e2fsck.path, ['-fn', image], { stdio: 'ignore' });
        execFileSync(debugfs.path, ['-R', `dump ${file} ${work}/${file}`, image], { stdio: 'ignore' });
        expect(sha256(execFileSync('cat', [`${work}/${file}`]))).toBe(sha256(body));
      }
    } finally {
      server.close();
      rmSync(work, { recursive: true });
    }
  },
  SLOW,
);
