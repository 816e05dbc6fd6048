/** `--clock wall`: virtual time that follows the host's clock, whose moves are inputs of the run. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Guest } from '../../src/engine/host/guest.js';
import { HostPace } from '../../src/engine/time/host-pace.js';
import { InputLog } from '../../src/engine/time/input-keeper.js';
import { vmscope } from '../cli/vmscope.js';
import { flatGuest } from '../engine/flat-guest.js';

const MS = 1_000_000;

describe('the pace of the host', () => {
  it('moves time in bounded steps, never past a deadline, and not for what a debugger took', () => {
    let host = 5 * MS;
    const pace = new HostPace(() => host);
    expect(pace.move(0, undefined)).toBeUndefined();
    host += 3 * MS;
    expect(pace.target(0)).toBe(3 * MS);
    expect(pace.move(0, undefined)).toBe(3 * MS);
    expect(pace.move(0, 1 * MS)).toBe(1 * MS);
    // as long as the guest has not come to it, that deadline is all there is
    expect(pace.move(1 * MS, 1 * MS)).toBeUndefined();
    expect(pace.move(2.95 * MS, undefined)).toBeUndefined();
    expect(pace.move(2.95 * MS, 2.97 * MS)).toBe(2.97 * MS);
    host += 500 * MS;
    expect(pace.move(3 * MS, undefined)).toBe(23 * MS);
    expect(pace.target(600 * MS)).toBe(503 * MS);
    host += 3_600_000 * MS;
    expect(pace.target(3 * MS)).toBe(2003 * MS);
    pace.restart();
    host += 10_000 * MS;
    expect(pace.target(7 * MS)).toBe(7 * MS);
  });
});

const CODE = 0x100000n;
/**
 * Stores the low half of the TSC until 200 ms of it have passed: mov ebx, 200000h; rdtsc; lea esi, [eax + 200 000 000];
 * 1: inc edi; rdtsc; mov [ebx], eax; cmp eax, esi; jb 1b; 2: mov [ebx + 4], edi; jmp 2b
 */
const WAIT = 'bb00002000 0f31 8db000c2eb0b 47 0f31 8903 39f0 72f7 897b04 ebfb';

function follower() {
  let host = 0;
  const inputs = new InputLog();
  const { machine, vm } = flatGuest(WAIT, { at: Number(CODE), inputs });
  const guest = new Guest(machine, {
    ...{ paced: false, waitForInput: true, followsHost: true },
    hostClock: () => {
      host += 10 * MS;
      return host;
    },
    history: { inputs, budgetBytes: 1 << 28, disks: [] },
  });
  const words = async (): Promise<number[]> => {
    const bytes = Buffer.from(await guest.readMemory('gpa', 0x200000n, 8));
    return [bytes.readUInt32LE(0), bytes.readUInt32LE(4)];
  };
  return { guest, vm, inputs, words, pass: (ns: number) => (host += ns) };
}

describe('--clock', () => {
  it.each([
    ['fast', 'use icount[,shift=N] or wall'],
    ['wall,shift=2', "wall follows the host's clock, and takes no settings"],
    ['icount,shift=11', 'shift is 0 to 10: an instruction takes 2^shift ns'],
  ])('%s is refused in a line', async (clock, why) => {
    const { status, stderr } = await vmscope(['run', 'samples/crc32', '--headless', '--clock', clock]);
    expect([status, stderr]).toEqual([2, `vmscope: --clock ${clock}: ${why}\n`]);
  });
});

it('a recording of a run with --clock wall repeats to the same state', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vmscope-pace-'));
  try {
    const [image, recording] = [join(folder, 'wait.bin'), join(folder, 'run')];
    // behind the wait it ends: mov al, 0; out 0f4h, al
    writeFileSync(image, Buffer.from(WAIT.replace(/ebfb$/, 'b000 e6f4 ebfe').replaceAll(' ', ''), 'hex'));
    const run = await vmscope([
      ...[
        'run',
        image,
        '--at',
        '0x100000',
        '-m',
        '8',
        '--headless',
        '--isa-debug-exit',
        '--clock',
        'wall',
        '--record',
        recording,
      ],
    ]);
    expect([run.status, run.stderr]).toEqual([1, 'vmscope: wait: guest wrote 0x0 to the debug exit port\n']);
    const again = await vmscope(['replay', recording, '--verify']);
    expect([again.status, again.stdout]).toEqual([
      0,
      expect.stringMatching(/^equal at instruction \d+, exit \d+: state /),
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 120_000);

describe('a guest that follows the host', () => {
  it('comes to the end of a wait without 200 million instructions, and a repetition is the same to the instruction', async () => {
    const { guest, inputs, words } = follower();
    await guest.runUntil({ icount: 2_000_000n });
    const seen = [await guest.readRegisters(0), await words()];
    // it is over: the rounds have been counted
    expect((await words())[1]).toBeGreaterThan(0);
    expect(inputs.entries.filter(({ kind }) => kind === 'clock').length).toBeGreaterThan(10);
    const { history } = guest;
    await history!.goTo({ icount: 300_000n });
    const early = [await guest.readRegisters(0), await words()];
    await history!.goTo({ icount: 2_000_000n });
    expect([await guest.readRegisters(0), await words()]).toEqual(seen);
    await history!.goTo({ icount: 300_000n });
    expect([await guest.readRegisters(0), await words()]).toEqual(early);
    await guest.quit();
  }, 60_000);

  it('does not see the time that a debugger takes', async () => {
    const { guest, vm, pass } = follower();
    await guest.runUntil({ icount: 100_000n });
    const before = vm.now();
    pass(3600e9);
    await guest.step(0);
    await guest.runUntil({ icount: 100_010n });
    expect(vm.now() - before).toBeLessThan(200 * MS);
    await guest.quit();
  }, 60_000);
});
