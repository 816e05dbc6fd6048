/** A saved state is all there is: another process that loads it comes to the same state, bit by bit, as the one that ran on. */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { readState } from '../../src/engine/host/state-file.js';
import { vmscope } from '../cli/vmscope.js';
import { SAMPLES } from '../samples/catalogue.js';
import { named, requireFile, requireScript, requireTool } from '../tools.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const apt = requireTool('apt-get');
const linux = apt.available ? requireScript(`${root}samples/linux/fetch`) : apt;
const memtest = requireFile('/boot/memtest86+x64.bin', 'memtest86+');
const long = process.env.VMSCOPE_LONG_TESTS === '1';
const folder = mkdtempSync(join(tmpdir(), 'vmscope-other-process-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const SLOW = 3_600_000;
let made = 0;

interface Guest {
  /** What stands behind `run`, for disks that lie in a folder. */
  options: (disks: string) => string[];
  /** Disks in that folder, all zeros at first. */
  disks?: readonly string[];
}
const DISK_BYTES = 4 << 20;

function disksIn(from: string | undefined, names: readonly string[]): string {
  const to = mkdtempSync(join(folder, 'disks-'));
  for (const name of names) {
    if (from === undefined) writeFileSync(join(to, name), Buffer.alloc(DISK_BYTES));
    else copyFileSync(join(from, name), join(to, name));
  }
  return to;
}

/** Carries commands out in a process of their own; what the guest has printed there, without their texts. Undefined: it ended before. */
async function guest(
  { options }: Guest,
  disks: string,
  commands: readonly string[],
  more: string[] = [],
): Promise<string | undefined> {
  const ex = commands.flatMap((command) => ['--ex', command]);
  const { status, stdout, stderr } = await vmscope(['run', ...options(disks), '--headless', ...more, ...ex], {
    timeoutMs: SLOW,
  });
  if (status === 2 && stderr.includes(':reset starts it again')) return undefined;
  // the guest itself may have ended so, at the place where both stop
  const died = status === 1 && /^vmscope: [\w-]+: triple fault on vCPU \d/.test(stderr);
  if (!died) expect([status, stderr]).toEqual([0, '']);
  return (stdout + (died ? stderr : '')).replace(/^(?:STOPPED|state at icount|the guest has ended).*\n/gm, '');
}

function contents(file: string): { state: unknown; frames: Map<number, string> } {
  const { state, frames } = readState(file);
  // how many inputs of the host there were: to save is one, of the process that does
  const board = state.parts.board0.state as { inputs: number };
  board.inputs = 0;
  return { state, frames: new Map([...frames].map(({ hpa, bytes }) => [hpa, Buffer.from(bytes).toString('latin1')])) };
}

/** Saves at a place, and once more some way on: by the process that runs on, and by another one that loads. False: the guest ends before. */
async function compare(what: Guest, at: number, further: number): Promise<boolean> {
  const { disks = [] } = what;
  const [middle, end, other] = ['middle', 'end', 'other'].map((name) => join(folder, `${made}-${name}`));
  made++;
  const toMiddle = [`until icount ${at}`, `save ${middle}`];
  const toEnd = (file: string) => [`until icount ${at + further}`, `save ${file}`];
  // runs repeat: the disks of a run that ends there are those of the run that goes on
  let there: string | undefined;
  if (disks.length > 0) {
    there = disksIn(undefined, disks);
    await guest(what, there, toMiddle);
  }
  const whole = await guest(what, disksIn(undefined, disks), [...toMiddle, ...toEnd(end)]);
  if (whole === undefined) return false;
  const rest = await guest(what, disksIn(there, disks), toEnd(other), ['--restore', middle]);
  const [wanted, found] = [contents(end), contents(other)];
  expect(found.state).toEqual(wanted.state);
  expect(found.frames).toEqual(wanted.frames);
  expect(rest === undefined ? undefined : whole.endsWith(rest)).toBe(true);
  return true;
}

const quick = SAMPLES.filter(({ input, name }) => input === '' && (long || name === 'exit-zoo'));

describe('in a process of its own', () => {
  test.each(quick)(
    '$name goes on as it would have',
    async ({ image, flat, name }) => {
      const options = () => [image, ...(flat ? ['--at', '0x7c00'] : []), '-m', name === 'memory' ? '128' : '16'];
      let compared = 0;
      for (const at of long ? [1_001, 9_876, 23_457, 60_000] : [1_001, 23_457, 60_000])
        if (await compare({ options }, at, 4_011)) compared++;
      expect(compared).toBeGreaterThan(0);
    },
    SLOW,
  );

  test.skipIf(!memtest.available)(
    named('memtest86+ goes on as it would have', memtest),
    async () => {
      const options = () => [memtest.path, '-m', '8', '--append', 'console=ttyS0,115200'];
      for (const at of long ? [3_000_001, 64_234_567, 187_654_321, 401_234_567] : [3_000_001]) {
        expect(await compare({ options }, at, long ? 20_000_003 : 1_000_003)).toBe(true);
      }
    },
    SLOW,
  );

  test.skipIf(!linux.available || !long).each([1, 2, 4])(
    named('Linux goes on as it would have, disks and network in use, %d vCPUs', linux),
    async (vcpus) => {
      const guests = `${root}build/guests/linux`;
      const commands =
        'ip link set eth0 up; udhcpc -n -q -i eth0; while :; do dd if=/bin/busybox of=/dev/vda bs=64k count=16; dd if=/bin/busybox of=/dev/sda bs=64k count=16; sync; ping -c 1 10.0.2.2; done';
      await compareLinux(vcpus, guests, commands);
    },
    SLOW,
  );
});

async function compareLinux(vcpus: number, guests: string, commands: string): Promise<void> {
  const what: Guest = {
    disks: ['virtio.img', 'ide.img'],
    options: (disks) => [
      ...[`${guests}/vmlinuz`, '--initrd', `${guests}/initrd.gz`, '--append', `console=ttyS0 RUN="${commands}"`],
      ...['-m', '256', '--vcpus', `${vcpus}`, '--net', 'user'],
      ...['--disk', `${join(disks, 'virtio.img')},if=virtio,format=raw`],
      ...['--disk', `${join(disks, 'ide.img')},if=ide,format=raw`],
    ],
  };
  // early in the kernel, late in it, and twice where its programs work, which they do for ever
  for (const at of [81_234_567, 905_000_001, 1_700_000_001, 1_800_000_003])
    expect(await compare(what, at, 60_000_011)).toBe(true);
}
