/** Debian's Linux on virtio: a disk that the host's e2fsck looks at afterwards, and the user-mode network. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { PROGRAM, vmscope } from '../cli/vmscope.js';
import { named, requireScript, requireTool } from '../tools.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const apt = requireTool('apt-get');
const guest = apt.available ? requireScript(`${root}samples/linux/fetch`) : apt;
const [mke2fs, e2fsck, debugfs, qemuImg] = ['mke2fs', 'e2fsck', 'debugfs', 'qemu-img'].map(requireTool);
const folder = `${root}build/guests/linux`;
const SLOW = 240_000;

function boot(commands: string, ...options: string[]) {
  return vmscope(guestOptions(commands, ...options), { timeoutMs: SLOW });
}

function guestOptions(commands: string, ...options: string[]): string[] {
  const files = ['--kernel', `${folder}/vmlinuz`, '--initrd', `${folder}/initrd.gz`, '-m', '256M', '--headless'];
  const append = `console=ttyS0 quiet RUN="${commands}"`;
  return ['run', ...files, '--append', append, ...options];
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

describe("Debian's Linux on virtio", () => {
  const tools = [guest, mke2fs, e2fsck, debugfs];
  test.skipIf(tools.some(({ available }) => !available))(
    named('writes an ext4 disk that the host finds in order, on two vCPUs', ...tools),
    async () => {
      const work = mkdtempSync(join(tmpdir(), 'vmscope-ext4-'));
      try {
        const disk = join(work, 'disk.img');
        writeFileSync(disk, '');
        truncateSync(disk, 64 << 20);
        execFileSync(mke2fs.path, ['-q', '-t', 'ext4', disk]);
        const { stdout, status } = await boot(
          'mkdir -p /mnt; mount -t ext4 /dev/vda /mnt && dd if=/dev/urandom of=/mnt/a bs=64k count=20 && sha256sum /mnt/a; umount /mnt',
          ...['--disk', `${disk},format=raw`, '--vcpus', '2'],
        );
        expect(status).toBe(0);
        const told = /([0-9a-f]{64}) {2}\/mnt\/a/.exec(stdout)?.[1];
        expect(told, stdout).toBeDefined();
        execFileSync(e2fsck.path, ['-fn', disk], { stdio: 'ignore' });
        execFileSync(debugfs.path, ['-R', `dump a ${work}/a`, disk], { stdio: 'ignore' });
        const dumped = execFileSync('cat', [`${work}/a`], { maxBuffer: 4 << 20 });
        expect([dumped.length, sha256(dumped)]).toEqual([20 * 65536, told]);
      } finally {
        rmSync(work, { recursive: true });
      }
    },
    SLOW,
  );

  test.skipIf([...tools, qemuImg].some(({ available }) => !available))(
    named('keeps what it synced in a qcow2 image when vmscope is killed during a write', ...tools, qemuImg),
    async () => {
      const work = mkdtempSync(join(tmpdir(), 'vmscope-kill-'));
      try {
        const [disk, raw] = [join(work, 'disk.qcow2'), join(work, 'disk.img')];
        writeFileSync(raw, '');
        truncateSync(raw, 64 << 20);
        execFileSync(mke2fs.path, ['-q', '-t', 'ext4', raw]);
        execFileSync(qemuImg.path, ['convert', '-O', 'qcow2', '-o', 'cluster_size=4096', raw, disk]);
        const loop =
          'mkdir -p /mnt; mount -t ext4 /dev/vda /mnt; cd /mnt; i=0; while true; do ' +
          'dd if=/dev/urandom of=f$i bs=4k count=40 2>/dev/null; sync; sha256sum f$i; i=$((i+1)); done';
        const child = spawn(process.execPath, [PROGRAM, ...guestOptions(loop, '--disk', disk)]);
        let text = '';
        const ended = new Promise((resolve) => child.on('close', resolve));
        child.stdout.on('data', (bytes: Buffer) => {
          text += bytes.toString('latin1');
          if (/ f9\r?\n/.test(text)) child.kill('SIGKILL');
        });
        const timer = setTimeout(() => child.kill('SIGKILL'), SLOW);
        await ended;
        clearTimeout(timer);
        const synced = [...text.matchAll(/([0-9a-f]{64}) {2}(f\d+)\r?\n/g)];
        expect(synced.length, text).toBeGreaterThan(9);
        // 3: clusters that nobody uses, which a kill may leave
        expect([0, 3]).toContain(spawnSync(qemuImg.path, ['check', '-q', disk]).status);
        execFileSync(qemuImg.path, ['convert', '-O', 'raw', disk, raw]);
        // 1: the journal was played back
        expect([0, 1]).toContain(spawnSync(e2fsck.path, ['-p', raw]).status);
        execFileSync(e2fsck.path, ['-fn', raw], { stdio: 'ignore' });
        for (const [, sum, name] of synced) {
          execFileSync(debugfs.path, ['-R', `dump ${name} ${work}/dumped`, raw], { stdio: 'ignore' });
          expect(sha256(readFileSync(`${work}/dumped`)), name).toBe(sum);
        }
      } finally {
        rmSync(work, { recursive: true });
      }
    },
    SLOW,
  );

  /** What a server at a port of the loopback says; empty while it refuses or hangs up. */
  function hear(port: number): Promise<string> {
    return new Promise((resolve) => {
      let text = '';
      const socket = connect(port, '127.0.0.1');
      socket.on('data', (bytes) => {
        text += bytes.toString();
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve(text));
    });
  }

  test.skipIf(!guest.available)(
    named("gets an address, fetches a file from the host's loopback and serves one to it", guest),
    async () => {
      const body = randomBytes(1_000_000);
      const server = createServer((_request, response) => response.end(body));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      const free = createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => free.once('listening', resolve));
      const { port: forwarded } = free.address() as AddressInfo;
      await new Promise((resolve) => free.close(resolve));
      try {
        const guestEnds = boot(
          'ip link set eth0 up; udhcpc -i eth0 -n -q -s /bin/true; ip addr add 10.0.2.15/24 dev eth0; ' +
            `ping -c 1 10.0.2.2; wget -q -O /tmp/f http://10.0.2.2:${port}/f; sha256sum /tmp/f; ` +
            'echo served by the guest | nc -l -p 80',
          ...['--net', `user,hostfwd=tcp:127.0.0.1:${forwarded}-:80`, '--device', 'virtio-rng'],
        );
        let running = true;
        guestEnds.then(() => {
          running = false;
        });
        let heard = '';
        while (heard === '' && running) {
          heard = await hear(forwarded);
          await new Promise((resolve) => setTimeout(resolve, 300));
        }
        const { stdout, status } = await guestEnds;
        expect(heard).toBe('served by the guest\n');
        expect(stdout).toContain('lease of 10.0.2.15 obtained from 10.0.2.2');
        expect(stdout).toContain('1 packets received, 0% packet loss');
        expect(stdout).toContain(sha256(body));
        expect(status).toBe(0);
      } finally {
        server.close();
      }
    },
    SLOW,
  );
});
