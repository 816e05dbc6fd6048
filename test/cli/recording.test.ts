/** `run --record` and `replay` as a user calls them. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { named, requireScript, requireTool } from '../tools.js';
import { PROGRAM, SAMPLES, vmscope } from './vmscope.js';

const folder = mkdtempSync(join(tmpdir(), 'vmscope-record-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string): string => join(folder, name);
const ZOO = `${SAMPLES}/exit-zoo/exit-zoo.elf`;
const SLOW = 240_000;

/** What `replay` says on standard error, and its status. */
async function refused(...args: string[]): Promise<string> {
  const { status, stderr } = await vmscope(['replay', ...args]);
  expect(status, stderr).toBe(2);
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  return stderr.trimEnd();
}

test('a recorded run is repeated with its output, and ends in the same state', async () => {
  const recording = path('zoo.rec');
  const live = await vmscope(['run', ZOO, '--headless', '--record', recording]);
  expect(live.status).toBe(0);
  const again = await vmscope(['replay', recording, '--headless']);
  expect(again).toEqual(live);
  const verified = await vmscope(['replay', recording, '--verify']);
  expect(verified.stdout).toMatch(/^equal at instruction \d+, exit \d+: state [0-9a-f]{64}\n$/);
  expect(verified.status).toBe(0);
});

test('what has changed since, or is gone, is named', async () => {
  const [image, recording] = [path('guest.elf'), path('half.rec')];
  copyFileSync(ZOO, image);
  const begun = ['run', image, '--headless', '--serial', 'none'];
  await vmscope([...begun, '--max-instructions', '30000', '--record', recording]);
  expect((await vmscope(['replay', recording, '--verify'])).stdout).toMatch(/^equal at instruction 30000,/);
  writeFileSync(image, Buffer.concat([readFileSync(image), Buffer.of(1)]));
  expect(await refused(recording, '--verify')).toBe(
    `vmscope: ${recording}: ${image} is not what it was when the run was recorded; --pack would have kept it`,
  );
  rmSync(image);
  expect(await refused(recording)).toContain(`needs ${image}, which is neither there nor beside it`);
});

test('what is packed needs no image, and a disk that the guest writes is what it was', async () => {
  const [image, disk, recording] = [path('packed.elf'), path('disk.img'), path('packed.rec')];
  copyFileSync(ZOO, image);
  writeFileSync(disk, randomBytes(100_000));
  truncateSync(disk, 1 << 20);
  const run = await vmscope(['run', image, '--headless', '--disk', disk, '--record', recording, '--pack']);
  expect(run.stderr).toBe('');
  rmSync(image);
  rmSync(disk);
  const { stdout, status } = await vmscope(['replay', recording, '--headless']);
  expect([stdout, status]).toEqual([run.stdout, 0]);
  expect((await vmscope(['replay', recording, '--verify'])).stdout).toMatch(/^equal at/);
});

test('a writable disk that is not packed is warned of', async () => {
  const disk = path('written.img');
  writeFileSync(disk, new Uint8Array(1 << 20));
  const { stderr } = await vmscope([
    'run',
    ZOO,
    '--headless',
    '--disk',
    `${disk},format=raw`,
    '--record',
    path('w.rec'),
  ]);
  expect(stderr).toContain(`${disk}: the guest may write it`);
});

test('what is no recording, or cannot be one, is refused in one line', async () => {
  expect(await refused(ZOO)).toBe(`vmscope: ${ZOO}: is not a recording of vmscope`);
  expect(await refused(path('none'))).toBe(`vmscope: ${path('none')}: no such file`);
  const mine = path('mine.elf');
  copyFileSync(ZOO, mine);
  const { status, stderr } = await vmscope(['run', mine, '--headless', '--record', mine]);
  expect([status, stderr]).toEqual([2, `vmscope: --record ${mine}: the guest starts from this file; name another\n`]);
  expect(statSync(mine).size).toBe(statSync(ZOO).size);
  const pack = await vmscope(['run', ZOO, '--headless', '--pack']);
  expect([pack.status, pack.stderr]).toEqual([2, 'vmscope: --pack: says what --record FILE keeps; give both\n']);
});

test('a recording whose writer was killed is repeated as far as it goes', async () => {
  const recording = path('cut.rec');
  await vmscope(['run', ZOO, '--headless', '--serial', 'none', '--record', recording]);
  writeFileSync(recording, readFileSync(recording).subarray(0, -20));
  const { status, stderr } = await vmscope(['replay', recording, '--headless']);
  expect(stderr).toBe(`vmscope: ${recording}: was cut off while it was written: it is repeated up to there\n`);
  expect(status).toBe(0);
  expect(await refused(recording, '--verify')).toContain('so that it has no state to compare with');
});

describe('Linux', () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const apt = requireTool('apt-get');
  const linux = apt.available ? requireScript(`${root}samples/linux/fetch`) : apt;

  /** Runs it and types a line once the guest asks for it. */
  function typing(args: string[], asked: string, line: string): Promise<{ status: number | null; stdout: string }> {
    const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['pipe', 'pipe', 'ignore'] });
    let stdout = '';
    let typed = false;
    child.stdout.setEncoding('latin1').on('data', (text: string) => {
      stdout += text;
      if (!typed && stdout.includes(asked)) {
        typed = true;
        child.stdin.write(line);
      }
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), SLOW);
    return new Promise((resolve) => {
      child.on('close', (status) => {
        clearTimeout(timer);
        resolve({ status, stdout });
      });
    });
  }

  test.skipIf(!linux.available)(
    named('on two vCPUs with a disk, typed keys and a fetch from the network ends in the same state', linux),
    async () => {
      const [disk, recording] = [path('linux.img'), path('linux.rec')];
      writeFileSync(disk, new Uint8Array(4 << 20));
      const body = randomBytes(200_000);
      const server = createServer((_request, response) => response.end(body));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      const run =
        'ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ' +
        `wget -q -O /tmp/f http://10.0.2.2:${port}/f; sha256sum /tmp/f; dd if=/tmp/f of=/dev/vda bs=4k; sync; ` +
        'sha256sum /dev/vda; echo now type; read typed; echo got=$typed';
      try {
        const files = [
          '--kernel',
          `${root}build/guests/linux/vmlinuz`,
          '--initrd',
          `${root}build/guests/linux/initrd.gz`,
        ];
        const live = await typing(
          [
            ...['run', ...files, '-m', '192M', '--vcpus', '2', '--headless', '--serial', 'stdio'],
            ...['--append', `console=ttyS0 quiet RUN="${run}"`, '--net', 'user', '--disk', `${disk},snapshot=on`],
            ...['--record', recording],
          ],
          'now type',
          'typed keys\n',
        );
        expect(live.stdout).toContain('got=typed keys');
        expect(live.status).toBe(0);
        const { stdout } = await vmscope(['replay', recording, '--verify'], { timeoutMs: SLOW });
        expect(stdout).toMatch(/^equal at instruction \d+/);
        // the network's bytes and some kilobytes
        expect(statSync(recording).size).toBeLessThan(body.length + 100_000);
      } finally {
        server.close();
      }
    },
    SLOW,
  );
});
