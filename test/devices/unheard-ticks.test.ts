/** Clock chips whose ticks nobody takes wake nobody, and whoever listens again hears them at the times they always came. */
import { describe, expect, it } from 'vitest';
import type { StopReason } from '../../src/engine/debugger.js';
import type { IrqLine } from '../../src/engine/devices/device.js';
import { Guest } from '../../src/engine/host/guest.js';
import { flatGuest } from '../engine/flat-guest.js';
import { type PcRig, pcRig } from './rig.js';

const PERIOD_NS = (65_536 * 1e9) / 1_193_182;
const OCW2_EOI = 0x20;
const armed = (rig: PcRig) => rig.clock.deadlines.list().map(({ name }) => name);

/** Random numbers that repeat. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return Math.floor((state / 0x80000000) * below);
  };
}

describe('the interval timer as firmware leaves it', () => {
  it('rests when its interrupt is masked, once the request waits', () => {
    const rig = pcRig();
    expect(armed(rig)).toContain('pit counter 0');
    rig.clock.advance(2 * PERIOD_NS);
    expect(armed(rig)).not.toContain('pit counter 0');
    rig.out(0x20, 0x0a);
    expect(rig.in(0x20) & 1).toBe(1);
  });

  it('ticks for who takes the request, and for the I/O APIC, at the old times', () => {
    const rig = pcRig();
    rig.clock.advance(10.5 * PERIOD_NS);
    rig.out(0x21, 0xfe);
    expect(rig.pc.interruptPending(0)).toBe(true);
    expect(rig.pc.acknowledgeInterrupt(0)).toBe(8);
    rig.out(0x20, OCW2_EOI);
    expect(rig.clock.deadlines.next()).toBeCloseTo(11 * PERIOD_NS, -4);
    rig.out(0x21, 0xff);
    rig.clock.advance(3 * PERIOD_NS);
    expect(armed(rig)).not.toContain('pit counter 0');
    rig.apicWrite(0xf0, 0x1ff);
    rig.ioapicWrite(0x10 + 2 * 2, 0x30);
    expect(rig.clock.deadlines.next()).toBeCloseTo(14 * PERIOD_NS, -4);
  });

  it.each([1, 2, 3, 4, 5, 6])('is the same for a guest as one that never rests: %i', (seed) => {
    const pick = random(seed);
    const rigs = [pcRig(), pcRig()];
    // this one's wire never says that nobody listens
    const line = (rigs[1].pc.pit as unknown as { irq: IrqLine }).irq;
    Object.defineProperty(line, 'ignoresPulse', { value: undefined });
    const both = (act: (rig: PcRig) => unknown) => {
      const [a, b] = rigs.map(act);
      expect(a).toEqual(b);
    };
    const hpet = (rig: PcRig, config: bigint) => rig.pc.bus.mmioWrite(0xfed00010, 8, config);
    const acts: ((rig: PcRig, value: number) => unknown)[] = [
      (rig, value) => rig.out(0x21, value & 1 ? 0xff : 0xfe),
      (rig, value) => rig.out(0x21, value & 3 ? 0xff : 0xfe),
      (rig) => (rig.pc.interruptPending(0) ? rig.pc.acknowledgeInterrupt(0) : undefined),
      (rig) => rig.out(0x20, OCW2_EOI),
      (rig) => rig.apicWrite(0xb0, 0),
      (rig, value) => rig.ioapicWrite(0x10 + 2 * 2, value & 1 ? 0x10030 : 0x30),
      (rig, value) => hpet(rig, BigInt(value & 3)),
      (rig) => {
        rig.out(0x20, 0x11);
        for (const word of [8, 4, 1]) rig.out(0x21, word);
      },
      (rig, value) => {
        rig.out(0x43, [0x34, 0x36, 0x30, 0x38][value & 3]);
        rig.out(0x40, value >> 4);
        rig.out(0x40, 0x20);
      },
      (rig) => rig.in(0x40),
      (rig) => {
        rig.out(0x20, 0x0a);
        return rig.in(0x20);
      },
    ];
    for (const rig of rigs) rig.apicWrite(0xf0, 0x1ff);
    let rested = 0;
    for (let n = 0; n < 2000; n++) {
      // at no time at which an edge is due: which comes first is the VMM's to say
      const ns = 1 + pick(3) * pick(60_000_000) + 0.25;
      for (const rig of rigs) rig.clock.advance(ns);
      const value = pick(256);
      const act = acts[pick(acts.length)]!;
      both((rig) => act(rig, value));
      both(({ pc }) => [pc.pic.save(), pc.ioapic.save(), pc.interruptPending(0)]);
      if (armed(rigs[0]).length < armed(rigs[1]).length) rested++;
    }
    expect(rested).toBeGreaterThan(100);
  });
});

describe('the clock chip', () => {
  it('rests while the flag of its periodic interrupt waits to be read', () => {
    const rig = pcRig();
    const write = (index: number, value: number) => {
      rig.out(0x70, index);
      rig.out(0x71, value);
    };
    const flags = () => {
      rig.out(0x70, 0x0c);
      return rig.in(0x71);
    };
    rig.clock.advance(2 * PERIOD_NS);
    flags();
    write(0x0b, 0x42);
    const before = rig.clock.deadlines.list().length;
    rig.clock.advance(1e9);
    expect(rig.clock.deadlines.list()).toHaveLength(before - 1);
    expect(flags() & 0xc0).toBe(0xc0);
    expect(rig.clock.deadlines.list()).toHaveLength(before);
    rig.clock.advance(1e7);
    expect(flags() & 0xc0).toBe(0xc0);
    write(0x0b, 0x12);
    flags();
    rig.clock.advance(3.1e9);
    expect(rig.clock.deadlines.list()).toHaveLength(before - 1);
    expect(flags() & 0x90).toBe(0x90);
    rig.clock.advance(1e9);
    expect(flags() & 0x90).toBe(0x90);
  });
});

describe('a guest whose clock nobody hears', () => {
  /** mov al, ffh; out 21h, al; sti or cli; hlt; jmp to the hlt */
  const guest = (flag: 'sti' | 'cli'): Guest => {
    const { machine } = flatGuest(`b0ff e621 ${flag === 'sti' ? 'fb' : 'fa'} f4 ebfd`);
    return new Guest(machine, { paced: false, waitForInput: false });
  };
  const stop = (of: Guest): Promise<StopReason> =>
    new Promise((resolve) => of.onEvent((event) => event.type === 'stopped' && resolve(event.stop)));

  it('goes on while it takes interrupts: a key may come', async () => {
    const waits = guest('sti');
    const ended = stop(waits);
    await waits.resume();
    const { pc } = waits.machine.pc;
    await expect.poll(() => pc.ticksUnheard, { timeout: 20_000 }).toBe(true);
    const later = new Promise<string>((resolve) => setTimeout(() => resolve('still there'), 200));
    expect(await Promise.race([ended, later])).toBe('still there');
    expect((await waits.state()).running).toBe(true);
    await waits.pause();
  });

  it('ends where it takes none', async () => {
    const dead = guest('cli');
    const ended = stop(dead);
    await dead.resume();
    expect(await ended).toMatchObject({ kind: 'ended' });
  });
});
