/** `savevm`, `loadvm`, `delvm` and `info snapshots` as a user of the monitor meets them. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { connectGuest, type GuestConnection } from '../../src/cli/guest-socket.js';
import { named, requireTool } from '../tools.js';
import { PROGRAM } from './vmscope.js';

const qemuImg = requireTool('qemu-img');
const folder = mkdtempSync(join(tmpdir(), 'vmscope-savevm-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
/** Prints 0 to 9 over and over: mov dx, 3f8h; mov al, '0'; out; inc; a delay; cmp al, ':'; jne out; jmp mov al. */
const image = join(folder, 'digits.bin');
writeFileSync(image, Buffer.from('baf803 b030 ee fec0 b90010 e2fe 3c3a 75f4 ebf0'.replaceAll(' ', ''), 'hex'));
const SLOW = 120_000;

/** A guest with its monitor, until `use` is done. */
async function guest(
  options: string[],
  use: (monitor: (line: string) => Promise<string | undefined>, connection: GuestConnection) => Promise<void>,
): Promise<void> {
  const name = `savevm-${process.pid}-${Math.floor(performance.now())}`;
  const run = ['run', image, '--at', '0x7c00', '--headless', '-m', '2', '--engine', 'vtx', '--name', name];
  const child = spawn(process.execPath, [PROGRAM, ...run, ...options], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, XDG_STATE_HOME: folder },
  });
  try {
    await once(child.stdout!, 'data');
    child.stdout!.resume();
    const connection = await connectGuest(name);
    await use((line) => connection.target.monitor(line), connection);
    connection.close();
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

const HEAD = 'ID        TAG               VM SIZE                DATE     VM CLOCK     ICOUNT';

/** Saves and goes back; the guest that was stopped there is found again as it was. */
async function savesAndLoads(
  monitor: (line: string) => Promise<string | undefined>,
  { target }: GuestConnection,
): Promise<void> {
  await target.pause();
  const { icount, clock } = await target.state();
  const registers = await target.readRegisters(0);
  expect(await monitor('savevm one')).toBe('');
  await target.runUntil({ icount: icount + 50_000n });
  expect(await monitor('savevm two')).toBe('');
  const listed = await monitor('info snapshots');
  expect(listed).toMatch(
    new RegExp(`\n${HEAD}\n-- +one +[0-9.]+ [KM]iB .* ${icount}\n-- +two .* ${icount + 50_000n}$`),
  );
  expect(await monitor('loadvm one')).toBe('');
  expect(await target.state()).toMatchObject({ running: false, icount, clock });
  expect(await target.readRegisters(0)).toEqual(registers);
  await target.resume();
  expect(await monitor('loadvm two')).toBe('');
  expect((await target.state()).running).toBe(true);
  expect(await monitor('savevm two')).toBe('');
  expect((await monitor('info snapshots'))!.match(/^-- +two /gm)).toHaveLength(1);
  expect(await monitor('delvm one')).toBe('');
  expect(await monitor('loadvm one')).toMatch(
    /^loadvm one: .*no snapshot one; info snapshots lists those that there are$/,
  );
  expect(await monitor('delvm one')).toBe('delvm one: there is no snapshot one');
  expect(await monitor('loadvm')).toBe('loadvm: usage: loadvm NAME');
  expect(await monitor('savevm a/b')).toMatch(/^savevm a\/b: a name has at most 64 letters/);
  expect(await monitor('savevm')).toBe('');
  expect(await monitor('info snapshots')).toMatch(/\n-- +vm-20\d{12} /);
}

test.skipIf(!qemuImg.available)(
  named('a machine with qcow2 disks is saved in them, as qemu-img sees it', qemuImg),
  async () => {
    const disks = ['a', 'b'].map((name) => join(folder, `${name}.qcow2`));
    for (const disk of disks) execFileSync(qemuImg.path, ['create', '-q', '-f', 'qcow2', disk, '8M']);
    await guest(
      disks.flatMap((disk) => ['--disk', disk]),
      async (monitor, connection) => {
        expect(await monitor('info snapshots')).toBe('There is no snapshot available.');
        await savesAndLoads(monitor, connection);
        await connection.target.quit();
      },
    );
    for (const disk of disks) {
      execFileSync(qemuImg.path, ['check', '-q', disk]);
      const list = execFileSync(qemuImg.path, ['snapshot', '-l', disk], { encoding: 'utf8' });
      expect(list).toMatch(/^\d+ +two +[0-9.]+ \S+ .*\n\d+ +vm-20/m);
    }
  },
  SLOW,
);

test('a machine that writes to no disk is saved in a file', () => guest([], savesAndLoads), SLOW);

test(
  'disks that cannot keep their state are named with the way out',
  async () => {
    const raw = join(folder, 'raw.img');
    writeFileSync(raw, Buffer.alloc(1 << 20));
    await guest(['--disk', `${raw},format=raw`], async (monitor) => {
      expect(await monitor('savevm x')).toBe(
        'savevm x: disk0 is writable but its format, raw, does not support snapshots: qemu-img convert -O qcow2',
      );
    });
    await guest(['--disk', `${raw},format=raw,snapshot=on`], async (monitor) => {
      expect(await monitor('savevm x')).toMatch(/^savevm x: disk0 has snapshot=on: /);
      expect(await monitor(`migrate unix:${folder}/x`)).toMatch(/: disk0 has snapshot=on: /);
    });
  },
  SLOW,
);
