import { describe, expect, it } from 'vitest';
import { describeLockstep } from '../../src/cli/lockstep.js';
import type { Debugger } from '../../src/engine/debugger.js';
import { lockstep } from '../../src/engine/difftest/lockstep.js';
import { Guest } from '../../src/engine/host/guest.js';
import { flatGuest } from '../engine/flat-guest.js';
import { run, SAMPLES, VMSCOPE } from '../samples/catalogue.js';
import { flatKvm } from './flat-kvm.js';
import { kvmSkipReason } from './tools.js';

const why = kvmSkipReason();
const MEMORY = 4 << 20;
/** mov cx,5 ; l: add ax,cx ; adc bx,ax ; mov [2000h],bx ; loop l ; out 0f4h,al */
const PROGRAM = 'b9 05 00 01 c8 11 c3 89 1e 00 20 e2 f6 e6 f4 f4';
const ADC = 0x7c05n;

const vtx = (code = PROGRAM): Guest => new Guest(flatGuest(code).machine, { paced: false, waitForInput: false });

/** A core with a fault of its own: ADC at this address forgets the carry. */
function faulty(target: Guest): Debugger {
  return new Proxy<Debugger>(target, {
    get(inner, member) {
      const value = Reflect.get(inner, member, inner);
      if (member !== 'step') return typeof value === 'function' ? value.bind(inner) : value;
      return async (vcpu: number, count: number) => {
        const { rip, rbx } = await inner.readRegisters(0);
        const state = await inner.step(vcpu, count);
        if (rip === ADC && rbx !== 0n)
          await inner.writeRegister(0, 'rbx', ((await inner.readRegisters(0)).rbx ?? 0n) ^ 1n);
        return state;
      };
    },
  });
}

describe('lock-step of two guests', () => {
  it('agrees with itself to the end, registers and memory', async () => {
    const [left, right] = [vtx(), vtx()].map((target, i) => ({ name: `vtx ${i}`, target }));
    const report = await lockstep(left, right, { pace: { instructions: 1 }, memoryBytes: MEMORY, memoryEvery: 3 });
    expect(report).toMatchObject({ ended: 'guests ended', differences: [] });
    expect(report.compared).toBeGreaterThan(20);
  });

  it('reports a fault in the core at its first wrong instruction', async () => {
    const report = await lockstep(
      { name: 'faulty', target: faulty(vtx()) },
      { name: 'vtx', target: vtx() },
      { pace: { instructions: 1 }, memoryBytes: MEMORY },
    );
    expect(report.ended).toBe('difference');
    expect(report.instruction?.address).toBe(ADC);
    expect(report.differences.map(({ what }) => what)).toEqual(['rbx']);
    const text = (await describeLockstep(report)).join('\n');
    expect(text).toContain('adc bx, ax');
    expect(text).toMatch(/^rbx +0x[0-9a-f]+ +0x[0-9a-f]+$/m);
    expect(text).toContain('not compared: tsc: time stamp counter');
  });

  it('finds memory that differs', async () => {
    const left = vtx();
    await left.writeMemory('gpa', 0x3000n, Uint8Array.of(1));
    const report = await lockstep(
      { name: 'left', target: left },
      { name: 'right', target: vtx() },
      { pace: { instructions: 1 }, memoryBytes: MEMORY, memoryEvery: 2 },
    );
    expect(report.differences).toEqual([
      { what: 'memory 0x3000', left: '0100000000000000', right: '0000000000000000' },
    ]);
  });
});

describe.skipIf(why !== '')(`vtx and kvm${why === '' ? '' : ` (${why})`}`, () => {
  it.each([{ instructions: 1 }, { instructions: 3 }, { exits: true } as const])('agree at pace %j', async (pace) => {
    const kvm = flatKvm(PROGRAM);
    try {
      const report = await lockstep(
        { name: 'vtx', target: vtx() },
        { name: 'kvm', target: kvm.guest },
        {
          pace,
          memoryBytes: MEMORY,
          memoryEvery: 1,
          limit: 'exits' in pace ? 1 : 100,
        },
      );
      expect(report.differences).toEqual([]);
      expect(report.compared).toBeGreaterThan(0);
    } finally {
      await kvm.guest.quit();
    }
  });

  it('long-mode agrees from the first to the last instruction', async () => {
    const { folder } = SAMPLES.find(({ name }) => name === 'long-mode')!;
    const { stdout, status } = await run(VMSCOPE, ['lockstep', folder], '', 100_000);
    expect(stdout).toMatch(/^lockstep: both ended: powered-off \(\d{5} comparisons\)/);
    expect(status).toBe(0);
  }, 110_000);
});
