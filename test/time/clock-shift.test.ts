/** `--clock icount,shift=N`: an instruction takes 2^N ns of virtual time, wherever that is asked. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseClock } from '../../src/cli/clock-option.js';
import { withTimes } from '../../src/engine/debug/exit-report.js';
import { readTrace } from '../../src/engine/debug/trace-reader.js';
import { Pace } from '../../src/engine/host/guest/pace.js';
import { Guest } from '../../src/engine/host/guest.js';
import { Jit } from '../../src/engine/jit/jit.js';
import { InputLog } from '../../src/engine/time/input-keeper.js';
import { vmscope } from '../cli/vmscope.js';
import { flatGuest } from '../engine/flat-guest.js';

const SHIFTS = [0, 3, 10];

describe('the option', () => {
  it.each<[string | undefined, object]>([
    [undefined, {}],
    ['icount', {}],
    ['icount,shift=0', {}],
    ['icount,shift=3', { clockShift: 3 }],
    ['icount,shift=10', { clockShift: 10 }],
    ['wall', { followsHost: true }],
  ])('%s', (text, options) => {
    expect(parseClock(text, 'vtx')).toEqual(options);
  });

  it.each([
    ['', 'use icount[,shift=N] or wall'],
    ['icount,', 'icount takes shift=N, and nothing else'],
    ['icount,3', 'icount takes shift=N, and nothing else'],
    ['icount,sleep=off', 'icount takes shift=N, and nothing else'],
    ['icount,shift=2,shift=3', 'icount takes shift=N, and nothing else'],
    ['icount,shift=', 'shift is 0 to 10: an instruction takes 2^shift ns'],
    ['icount,shift=-1', 'shift is 0 to 10: an instruction takes 2^shift ns'],
    ['icount,shift=1e1', 'shift is 0 to 10: an instruction takes 2^shift ns'],
    ['icount,shift=999999999999999999999', 'shift is 0 to 10: an instruction takes 2^shift ns'],
    ['icount,shift=auto', "shift=auto keeps up with the host's clock, which wall does here"],
  ])('"%s" is refused', (text, why) => {
    expect(() => parseClock(text, 'vtx')).toThrow(`--clock ${text}: ${why}`);
  });
});

describe.each(SHIFTS)('at shift %i', (shift) => {
  const ns = 2 ** shift;

  it.each(['interpreted', 'compiled'])(
    'the TSC counts the ns of instructions, and devices their own prices (%s)',
    (mode) => {
      // mov cx, 5000; 1: rdtsc; mov esi, eax; nop; rdtsc; sub eax, esi; mov [600h], eax; dec cx; jnz 1b;
      // rdtsc; mov esi, eax; in al, 61h; rdtsc; sub eax, esi; mov [604h], eax; out 0f4h, al
      const code = 'b98813 0f31 6689c6 90 0f31 6629f0 66a30006 49 75ee 0f31 6689c6 e461 0f31 6629f0 66a30406 e6f4';
      const guest = flatGuest(code, { clockShift: shift });
      const { vm } = guest;
      if (mode === 'compiled') vm.jit = new Jit(vm.core, vm.host.memory, 'always', () => 0);
      for (let n = 0; n < 100 && !vm.end; n++) vm.runSlice(vm.vcpus[0], 1000);
      expect(vm.end?.kind).toBe('debug-exit');
      const words = Buffer.from(vm.memory.read(0x600, 8));
      expect(words.readUInt32LE(0)).toBe(3 * ns);
      // rdtsc, mov, in: three instructions, and the port's microsecond
      expect(words.readUInt32LE(4)).toBe(3 * ns + 1000);
      expect(vm.now()).toBe(vm.icount * ns + 2000);
    },
  );

  it.each(['interpreted', 'compiled'])('a deadline is met at the first instruction that reaches it (%s)', (mode) => {
    // PIT channel 0, mode 0, 65521: mov al, 30h; out 43h, al; mov al, 0f1h; out 40h, al; mov al, 0ffh; out 40h, al; 1: inc eax; jmp 1b
    const { vm, machine } = flatGuest('b030 e643 b0f1 e640 b0ff e640 6640 ebfc', { clockShift: shift });
    if (mode === 'compiled') vm.jit = new Jit(vm.core, vm.host.memory, 'always', () => 0);
    const [vcpu] = vm.vcpus;
    vm.runSlice(vcpu, 8);
    const pit = machine.pc.pc.deadlines.list().find(({ name }) => name.startsWith('pit'))!;
    expect(pit.at).toBeGreaterThan(50e6);
    let met: bigint | undefined;
    for (let n = 0; n < 2000 && met === undefined; n++) {
      vm.runSlice(vcpu, 100_000);
      met = readTrace(vm.host, -1, 64).find(({ reason, clock }) => reason === 52 && clock >= BigInt(pit.at))?.clock;
    }
    expect(Number(met) - pit.at).toBeLessThan(ns);
  });

  it('what an exit took is what its instructions did not', () => {
    // 1: in al, 61h; nop; nop; jmp 1b
    const { vm } = flatGuest('e461 9090 ebfa', { clockShift: shift });
    vm.runSlice(vm.vcpus[0], 4000);
    const times = [...withTimes(readTrace(vm.host, -1, 100), vm.instructionNs)].map((exit) => exit.ns).slice(0, -1);
    expect(new Set(times)).toEqual(new Set([1000]));
  });

  it('the history goes back and forth over it, with several vCPUs', async () => {
    const inputs = new InputLog();
    // 1: rdtsc; mov [600h], eax; in al, 61h; pause; inc ebx; jmp 1b
    const { machine, vm } = flatGuest('0f31 66a30006 e461 f390 6643 ebf1', { vcpus: 2, inputs, clockShift: shift });
    const guest = new Guest(machine, {
      ...{ paced: false, waitForInput: true },
      history: { inputs, budgetBytes: 1 << 26, disks: [] },
    });
    const seen = async () => [await guest.readRegisters(0), vm.now(), vm.memory.read(0x600, 4)];
    await guest.runUntil({ icount: 300_000n });
    const late = await seen();
    await guest.history!.goTo({ icount: 123_457n });
    const early = await seen();
    await guest.history!.goTo({ icount: 300_000n });
    expect(await seen()).toEqual(late);
    await guest.history!.goTo({ icount: 123_457n });
    expect(await seen()).toEqual(early);
    await guest.quit();
  });
});

describe('what is kept of it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vmscope-shift-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const image = join(folder, 'loop.bin');
  // mov ecx, 200000; 1: rdtsc; add ebx, eax; dec ecx; jnz 1b; mov al, bl; out 0f4h, al
  writeFileSync(image, Buffer.from('66b9400d0300 0f31 6601c3 6649 75f7 88d8 e6f4'.replaceAll(' ', ''), 'hex'));
  const RUN = ['run', image, '--at', '0x7c00', '-m', '8', '--headless', '--isa-debug-exit', '--clock'];
  const SLOW = { timeoutMs: 120_000 };

  it('a state goes on with the same shift, and another machine refuses it in a line', async () => {
    const state = join(folder, 'state');
    const half = ['--ex', 'until icount 300000', '--ex', `save ${state}`];
    const whole = await vmscope([...RUN, 'icount,shift=5'], SLOW);
    const saved = await vmscope([...RUN, 'icount,shift=5', ...half], SLOW);
    expect(saved.stdout).toContain('state at icount 300000 saved');
    const rest = await vmscope([...RUN, 'icount,shift=5', '--restore', state], SLOW);
    expect([rest.status, rest.stderr]).toEqual([whole.status, whole.stderr]);
    for (const clock of ['icount', 'wall']) {
      const { status, stderr } = await vmscope([...RUN, clock, '--restore', state], SLOW);
      const why = 'the state is of a machine with clock icount,shift=5; this one has icount,shift=0';
      expect([status, stderr]).toEqual([2, `vmscope: ${state}: ${why}\n`]);
    }
  }, 240_000);

  it('a recording repeats with it', async () => {
    const recording = join(folder, 'run');
    await vmscope([...RUN, 'icount,shift=4', '--record', recording], SLOW);
    const { status, stdout } = await vmscope(['replay', recording, '--verify'], SLOW);
    expect([status, stdout]).toEqual([0, expect.stringMatching(/^equal at instruction \d+, /)]);
  }, 240_000);

  it('the counts at the end name it', async () => {
    const { stderr } = await vmscope([...RUN, 'icount,shift=6', '--stats', 'json'], SLOW);
    const { icount, clockNs, clock, pace } = JSON.parse(stderr.split('\n').find((line) => line.startsWith('{'))!);
    expect([clock, Math.floor(clockNs / 64)]).toEqual(['icount,shift=6', icount + Math.floor(1000 / 64)]);
    expect(pace).toBeGreaterThan(0);
  }, 120_000);
});

describe('how fast it runs', () => {
  it('is of the last second, and not of what a debugger took', () => {
    const pace = new Pace();
    pace.look(0, 0);
    expect([pace.now, pace.mean]).toEqual([undefined, undefined]);
    for (let ms = 10; ms <= 1000; ms += 10) pace.look(ms, ms * 0.5e6);
    expect(pace.now).toBeCloseTo(0.5);
    for (let ms = 1010; ms <= 3000; ms += 10) pace.look(ms, 500e6 + (ms - 1000) * 0.1e6);
    expect(pace.now).toBeCloseTo(0.1);
    expect(pace.mean).toBeCloseTo(0.7 / 3);
    pace.stop();
    expect(pace.now).toBeUndefined();
    pace.look(100_000, 700e6);
    pace.look(101_000, 1700e6);
    expect(pace.now).toBeCloseTo(1);
    expect(pace.mean).toBeCloseTo(1.7 / 4);
    // put elsewhere in its run
    pace.look(101_010, 5e6);
    expect(pace.now).toBeUndefined();
  });
});
