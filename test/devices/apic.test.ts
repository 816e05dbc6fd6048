import { beforeEach, describe, expect, it } from 'vitest';
import { type PcRig, pcRig } from './rig.js';

const ID = 0x20;
const TPR = 0x80;
const PPR = 0xa0;
const EOI = 0xb0;
const LDR = 0xd0;
const SVR = 0xf0;
const ISR = 0x100;
const IRR = 0x200;
const ESR = 0x280;
const ICR_LOW = 0x300;
const ICR_HIGH = 0x310;
const LVT_TIMER = 0x320;
const LVT_LINT0 = 0x350;
const LVT_ERROR = 0x370;
const INITIAL = 0x380;
const CURRENT = 0x390;
const DIVIDE = 0x3e0;

let rig: PcRig;

/** Enables the local APICs of both vCPUs with LINT0 masked, as an operating system in symmetric I/O mode. */
beforeEach(() => {
  rig = pcRig();
  for (const vcpu of [1, 0]) {
    rig.pc.activeVcpu = vcpu;
    rig.apicWrite(SVR, 0x1ff);
    rig.apicWrite(LVT_LINT0, 0x10700);
    rig.apicWrite(LDR, 0x01000000 << vcpu);
  }
});

describe('local APIC', () => {
  it('shows each vCPU its own registers', () => {
    expect(rig.apicRead(ID)).toBe(0);
    rig.pc.activeVcpu = 1;
    expect(rig.apicRead(ID)).toBe(0x01000000);
    expect(rig.apicRead(0x30)).toBe(0x00060014);
  });

  it('lets software change its ID in xAPIC mode: two may share one', () => {
    for (const vcpu of [1, 0]) {
      rig.pc.activeVcpu = vcpu;
      rig.apicWrite(ID, 0x07000000);
      expect(rig.apicRead(ID)).toBe(0x07000000);
    }
    const send = (destination: number): boolean[] => {
      rig.apicWrite(ICR_HIGH, destination << 24);
      rig.apicWrite(ICR_LOW, 0x51);
      const got = [0, 1].map((vcpu) => rig.pc.interruptPending(vcpu));
      for (const vcpu of [0, 1]) if (got[vcpu]) rig.pc.acknowledgeInterrupt(vcpu);
      for (const lapic of rig.pc.lapic) lapic.writeRegister(EOI >> 4, 0);
      return got;
    };
    expect(send(1)).toEqual([false, false]);
    expect(send(7)).toEqual([true, true]);
    rig.pc.lapic[1].initReset();
    expect(rig.pc.lapic[1].readRegister(ID >> 4)).toBe(0x07000000);
    // x2APIC mode has the processor's own, and so has the APIC after it was disabled
    rig.pc.lapic[1].writeApicBase(0xfee00c00n);
    expect(rig.pc.lapic[1].readRegister(ID >> 4)).toBe(1);
    rig.pc.lapic[1].writeApicBase(0xfee00000n);
    rig.pc.lapic[1].writeApicBase(0xfee00800n);
    expect(rig.pc.lapic[1].readRegister(ID >> 4)).toBe(0x01000000);
  });

  it('orders interrupts by class, keeps lower ones back and lets TPR mask', () => {
    const self = (vector: number) => rig.apicWrite(ICR_LOW, 0x40000 | vector);
    self(0x41);
    self(0x52);
    expect(rig.pc.acknowledgeInterrupt(0)).toBe(0x52);
    expect(rig.apicRead(PPR)).toBe(0x50);
    self(0x5f);
    expect(rig.pc.interruptPending(0)).toBe(false);
    self(0x60);
    expect(rig.pc.acknowledgeInterrupt(0)).toBe(0x60);
    expect(rig.apicRead(ISR + 0x20)).toBe(1 << 18);
    expect(rig.apicRead(ISR + 0x30)).toBe(1);
    rig.apicWrite(EOI, 0);
    rig.apicWrite(EOI, 0);
    rig.apicWrite(TPR, 0x50);
    expect(rig.pc.interruptPending(0)).toBe(false);
    expect(rig.pc.lapic[0].cr8).toBe(5);
    rig.pc.lapic[0].cr8 = 4;
    expect(rig.pc.acknowledgeInterrupt(0)).toBe(0x5f);
    expect(rig.apicRead(IRR + 0x20)).toBe(1 << 1);
  });

  it('calibrates against the clock: divide by 16, one-shot', () => {
    rig.apicWrite(DIVIDE, 3);
    rig.apicWrite(LVT_TIMER, 0x10020);
    rig.apicWrite(INITIAL, 0xffffffff);
    rig.clock.advance(1_600_000);
    expect(0xffffffff - rig.apicRead(CURRENT)).toBe(100_000);
  });

  it('fires once, periodically, and not while masked', () => {
    rig.apicWrite(DIVIDE, 0x0b);
    rig.apicWrite(LVT_TIMER, 0x30);
    rig.apicWrite(INITIAL, 1000);
    rig.clock.advance(999);
    expect(rig.pc.interruptPending(0)).toBe(false);
    rig.clock.advance(1);
    expect(rig.pc.acknowledgeInterrupt(0)).toBe(0x30);
    rig.apicWrite(EOI, 0);
    rig.clock.advance(10_000);
    expect(rig.pc.interruptPending(0)).toBe(false);
    expect(rig.apicRead(CURRENT)).toBe(0);

    rig.apicWrite(LVT_TIMER, 0x20031);
    rig.apicWrite(INITIAL, 1000);
    let fired = 0;
    for (let step = 0; step < 10; step++) {
      rig.clock.advance(1000);
      if (rig.pc.interruptPending(0)) {
        expect(rig.pc.acknowledgeInterrupt(0)).toBe(0x31);
        rig.apicWrite(EOI, 0);
        fired++;
      }
    }
    expect(fired).toBe(10);
    rig.apicWrite(LVT_TIMER, 0x30031);
    rig.clock.advance(5000);
    expect(rig.pc.interruptPending(0)).toBe(false);
    rig.apicWrite(INITIAL, 0);
    expect(rig.clock.deadlines.list().map((timer) => timer.name)).not.toContain('lapic0 timer');
  });

  it('fires at a TSC deadline and reads 0 afterwards', () => {
    const [lapic] = rig.pc.lapic;
    lapic.tscDeadline = 500n;
    expect(lapic.tscDeadline).toBe(0n);
    rig.apicWrite(LVT_TIMER, 0x40032);
    rig.clock.advance(100);
    lapic.tscDeadline = 500n;
    rig.clock.advance(399);
    expect(rig.pc.interruptPending(0)).toBe(false);
    expect(lapic.tscDeadline).toBe(500n);
    rig.clock.advance(1);
    expect(rig.pc.acknowledgeInterrupt(0)).toBe(0x32);
    expect(lapic.tscDeadline).toBe(0n);
    // A deadline in the past fires at once.
    rig.apicWrite(EOI, 0);
    lapic.tscDeadline = 1n;
    rig.clock.advance(0);
    expect(rig.pc.interruptPending(0)).toBe(true);
    lapic.tscDeadline = 0xffff_ffff_ffff_ffffn;
    expect(rig.clock.deadlines.list().map((timer) => timer.name)).not.toContain('lapic0 timer');
  });

  it('starts another processor by INIT and two SIPIs', () => {
    rig.apicWrite(ICR_HIGH, 0x01000000);
    rig.apicWrite(ICR_LOW, 0xc500);
    rig.apicWrite(ICR_LOW, 0x8500);
    rig.apicWrite(ICR_LOW, 0x0609);
    rig.apicWrite(ICR_LOW, 0x0609);
    expect(rig.inits).toEqual([1]);
    expect(rig.startups).toEqual([
      [1, 9],
      [1, 9],
    ]);
    rig.pc.activeVcpu = 1;
    expect(rig.apicRead(SVR)).toBe(0xff);
  });

  it('routes by logical destination, shorthand, broadcast and lowest priority', () => {
    const pendingOn = () => [0, 1].filter((vcpu) => rig.pc.interruptPending(vcpu));
    const take = () => {
      const targets = pendingOn();
      for (const vcpu of targets) {
        rig.pc.acknowledgeInterrupt(vcpu);
        rig.pc.activeVcpu = vcpu;
        rig.apicWrite(EOI, 0);
      }
      rig.pc.activeVcpu = 0;
      return targets;
    };
    rig.apicWrite(ICR_HIGH, 0x02000000);
    rig.apicWrite(ICR_LOW, 0x0840);
    expect(take()).toEqual([1]);
    rig.apicWrite(ICR_HIGH, 0x03000000);
    rig.apicWrite(ICR_LOW, 0x0840);
    expect(take()).toEqual([0, 1]);
    rig.apicWrite(ICR_LOW, 0xc0040);
    expect(take()).toEqual([1]);
    rig.apicWrite(ICR_LOW, 0x80040);
    expect(take()).toEqual([0, 1]);
    rig.apicWrite(ICR_HIGH, 0xff000000);
    rig.apicWrite(ICR_LOW, 0x0040);
    expect(take()).toEqual([0, 1]);
    rig.apicWrite(TPR, 0x20);
    rig.apicWrite(ICR_HIGH, 0x03000000);
    rig.apicWrite(ICR_LOW, 0x0940);
    expect(take()).toEqual([1]);
  });

  it('sends NMI and latches it until it is taken', () => {
    rig.apicWrite(ICR_HIGH, 0x01000000);
    rig.apicWrite(ICR_LOW, 0x4400);
    expect([rig.pc.nmiPending(0), rig.pc.nmiPending(1)]).toEqual([false, true]);
    rig.pc.acknowledgeNmi(1);
    expect(rig.pc.nmiPending(1)).toBe(false);
  });

  it('sends nothing but plain interrupts to itself by a shorthand', () => {
    const taken = (): number[] =>
      [0, 1].filter((vcpu) => {
        const pending = rig.pc.nmiPending(vcpu);
        if (pending) rig.pc.acknowledgeNmi(vcpu);
        return pending;
      });
    const [NMI, INIT, SMI, STARTUP, LOWEST] = [0x4400, 0x4500, 0x4200, 0x4600, 0x4140];
    for (const shorthand of [0x40000, 0x80000]) {
      for (const mode of [NMI, INIT, SMI, STARTUP, LOWEST]) rig.apicWrite(ICR_LOW, shorthand | mode);
      expect(taken()).toEqual([]);
      expect([rig.inits, rig.startups, rig.pc.interruptPending(0), rig.pc.interruptPending(1)]).toEqual([
        [],
        [],
        false,
        false,
      ]);
    }
    rig.apicWrite(ICR_LOW, 0xc0000 | NMI);
    expect(taken()).toEqual([1]);
    rig.apicWrite(ICR_LOW, 0xc0000 | INIT);
    expect(rig.inits).toEqual([1]);
  });

  it('has an LVT entry for corrected machine checks, masked while software-disabled', () => {
    const LVT_CMCI = 0x2f0;
    expect(rig.apicRead(LVT_CMCI)).toBe(0x10000);
    rig.apicWrite(LVT_CMCI, 0xffffffff);
    expect(rig.apicRead(LVT_CMCI)).toBe(0x107ff);
    rig.apicWrite(LVT_CMCI, 0xf2);
    rig.apicWrite(SVR, 0xff);
    expect(rig.apicRead(LVT_CMCI)).toBe(0x100f2);
    rig.apicWrite(ESR, 0);
    expect(rig.apicRead(ESR)).toBe(0);
  });

  it('reports illegal vectors and registers through ESR and the error interrupt', () => {
    rig.apicWrite(LVT_ERROR, 0xfe);
    rig.apicWrite(ICR_LOW, 0x40005);
    expect(rig.pc.acknowledgeInterrupt(0)).toBe(0xfe);
    expect(rig.apicRead(ESR)).toBe(0);
    rig.apicWrite(0x3f0 - 0x40, 0);
    rig.apicWrite(ESR, 0);
    expect(rig.apicRead(ESR)).toBe(0xa0);
    rig.apicWrite(ESR, 0);
    expect(rig.apicRead(ESR)).toBe(0);
  });

  it('gives nothing while software-disabled and masks its LVT', () => {
    rig.apicWrite(LVT_TIMER, 0x30);
    rig.apicWrite(SVR, 0xff);
    expect(rig.apicRead(LVT_TIMER)).toBe(0x10030);
    rig.apicWrite(ICR_LOW, 0x40040);
    expect(rig.pc.interruptPending(0)).toBe(false);
    expect(rig.pc.lapic[0].acknowledge()).toBe(0xff);
  });

  it('follows the x2APIC transitions and faults where the SDM says', () => {
    const [lapic] = rig.pc.lapic;
    expect(lapic.apicBase).toBe(0xfee00900n);
    expect(lapic.readX2apic(0x802)).toBeUndefined();
    expect(lapic.writeApicBase(0xfee00400n)).toBe(false);
    expect(lapic.writeApicBase(0xfee00d00n)).toBe(true);
    expect(lapic.apicBase).toBe(0xfee00d00n);
    expect(rig.apicRead(ID)).toBe(0xffffffff);
    expect(lapic.readX2apic(0x802)).toBe(0n);
    expect(lapic.readX2apic(0x80d)).toBe(1n);
    expect(lapic.readX2apic(0x80e)).toBeUndefined();
    expect(lapic.writeX2apic(0x802, 1n)).toBe(false);
    expect(lapic.writeX2apic(0x80b, 1n)).toBe(false);
    expect(lapic.writeX2apic(0x808, 1n << 32n)).toBe(false);
    // Self IPI, and an IPI to processor 1 in one write.
    expect(lapic.writeX2apic(0x83f, 0x45n)).toBe(true);
    expect(rig.pc.acknowledgeInterrupt(0)).toBe(0x45);
    expect(lapic.writeX2apic(0x80b, 0n)).toBe(true);
    expect(lapic.writeX2apic(0x830, (1n << 32n) | 0x46n)).toBe(true);
    expect(rig.pc.acknowledgeInterrupt(1)).toBe(0x46);
    expect(lapic.readX2apic(0x830)).toBe((1n << 32n) | 0x46n);
    // Back to xAPIC only through disabled.
    expect(lapic.writeApicBase(0xfee00900n)).toBe(false);
    expect(lapic.writeApicBase(0xfee00100n)).toBe(true);
    expect(lapic.writeApicBase(0xfee00d00n)).toBe(false);
    expect(lapic.writeApicBase(0xfee00900n)).toBe(true);
  });
});

describe('I/O APIC', () => {
  const LEVEL = 0x8000;
  const MASKED = 0x10000;
  const entry = (pin: number, low: number, destination = 0) => {
    rig.ioapicWrite(0x11 + 2 * pin, destination << 24);
    rig.ioapicWrite(0x10 + 2 * pin, low);
  };

  it('has 24 masked inputs at reset', () => {
    expect((rig.ioapicRead(1) >> 16) & 0xff).toBe(23);
    expect(rig.ioapicRead(0x10)).toBe(MASKED);
    expect(rig.ioapicRead(0x10 + 46)).toBe(MASKED);
    rig.ioapicWrite(0, 0x05000000);
    expect(rig.ioapicRead(0)).toBe(0x05000000);
  });

  it('brings IRQ0 in on pin 2 and sends it to the processor that the entry names', () => {
    entry(2, 0x30, 1);
    rig.out(0x43, 0x34);
    rig.out(0x40, 0x00);
    rig.out(0x40, 0x10);
    rig.clock.advance(4_000_000);
    expect(rig.pc.interruptPending(0)).toBe(false);
    expect(rig.pc.acknowledgeInterrupt(1)).toBe(0x30);
  });

  it('loses edges while masked', () => {
    entry(4, MASKED | 0x34);
    const line = rig.pc.irqLine(4);
    line.set(true);
    entry(4, 0x34);
    expect(rig.pc.interruptPending(0)).toBe(false);
    line.set(false);
    line.set(true);
    expect(rig.pc.acknowledgeInterrupt(0)).toBe(0x34);
  });

  it('repeats a level until the wire falls: remote IRR and the EOI broadcast', () => {
    entry(20, LEVEL | 0x44);
    const line = rig.pc.irqLine(20);
    line.set(true);
    expect(rig.ioapicRead(0x10 + 40) & 0x4000).toBe(0x4000);
    expect(rig.pc.acknowledgeInterrupt(0)).toBe(0x44);
    expect(rig.apicRead(0x180 + 0x20)).toBe(1 << 4);
    rig.apicWrite(EOI, 0);
    expect(rig.pc.acknowledgeInterrupt(0)).toBe(0x44);
    line.set(false);
    rig.apicWrite(EOI, 0);
    expect(rig.pc.interruptPending(0)).toBe(false);
    expect(rig.ioapicRead(0x10 + 40) & 0x4000).toBe(0);
    // Masked while high, then unmasked: the level is seen.
    entry(20, LEVEL | MASKED | 0x44);
    line.set(true);
    expect(rig.pc.interruptPending(0)).toBe(false);
    entry(20, LEVEL | 0x44);
    expect(rig.pc.interruptPending(0)).toBe(true);
  });

  it('passes the 8259 pair through pin 0 as ExtINT', () => {
    entry(0, 0x700);
    rig.out(0x21, 0xfe);
    rig.out(0x43, 0x34);
    rig.out(0x40, 0x00);
    rig.out(0x40, 0x10);
    rig.clock.advance(4_000_000);
    expect(rig.pc.interruptPending(1)).toBe(false);
    expect(rig.pc.acknowledgeInterrupt(0)).toBe(0x08);
  });

  it('moves its window with IA32_APIC_BASE, within the physical addresses', () => {
    const rig = pcRig();
    const version = rig.apicRead(0x30);
    expect(rig.pc.lapic[0].writeApicBase(0xfed80900n)).toBe(true);
    expect(Number(rig.pc.bus.mmioRead(0xfed80030, 4))).toBe(version);
    expect(rig.apicRead(0x30)).toBe(0xffffffff);
    expect(rig.pc.lapic[0].writeApicBase(0xfee00900n | (1n << 39n))).toBe(false);
  });

  it('leaves a timer that has counted down at 0 when it becomes periodic, and a running one where it is', () => {
    const rig = pcRig();
    rig.apicWrite(0x3e0, 0x0b);
    rig.apicWrite(0x320, 0x40);
    rig.apicWrite(0x380, 1000);
    rig.clock.advance(2000);
    rig.apicWrite(0x320, 0x20040);
    expect(rig.apicRead(0x390)).toBe(0);
    rig.clock.advance(5000);
    expect(rig.apicRead(0x390)).toBe(0);
    rig.apicWrite(0x380, 1000);
    rig.clock.advance(2300);
    expect(rig.apicRead(0x390)).toBe(700);
    rig.apicWrite(0x320, 0x40);
    rig.clock.advance(100);
    expect(rig.apicRead(0x390)).toBe(600);
    rig.clock.advance(700);
    expect(rig.apicRead(0x390)).toBe(0);
  });

  it('faults on reserved bits of x2APIC registers, which then are as they were', () => {
    const rig = pcRig();
    const [lapic] = rig.pc.lapic;
    lapic.writeApicBase(lapic.apicBase | 0x400n);
    const LINT = 0x107ffn | 0xf000n;
    /** Register, the bits that it takes, and a value that it is given first. */
    const registers: [msr: number, taken: bigint, value: bigint][] = [
      [0x808, 0xffn, 0x10n],
      [0x80f, 0x3ffn, 0x1ffn],
      [0x82f, 0x117ffn, 0x10030n],
      [0x832, 0x710ffn, 0x10031n],
      [0x833, 0x117ffn, 0x10032n],
      [0x834, 0x117ffn, 0x10033n],
      [0x835, LINT, 0x10034n],
      [0x836, LINT, 0x10035n],
      [0x837, 0x110ffn, 0x10036n],
      [0x838, 0xffffffffn, 0n],
      [0x83e, 0xbn, 1n],
    ];
    for (const [msr, , value] of registers) expect(lapic.writeX2apic(msr, value), msr.toString(16)).toBe(true);
    for (const [msr, taken, value] of registers) {
      for (let bit = 0n; bit < 64n; bit++) {
        const reserved = (taken & (1n << bit)) === 0n;
        const name = `${msr.toString(16)} bit ${bit}`;
        if (!reserved) continue;
        expect(lapic.writeX2apic(msr, value | (1n << bit)), name).toBe(false);
        expect(lapic.readX2apic(msr), name).toBe(value);
      }
    }
    // a mode of the timer that does not exist
    expect(lapic.writeX2apic(0x832, 0x60031n)).toBe(false);
    // ICR: delivery status is ignored, all else beside the defined bits and the destination is reserved
    for (let bit = 0n; bit < 32n; bit++) {
      const defined = (0xcdfffn & (1n << bit)) !== 0n;
      expect(lapic.writeX2apic(0x830, (5n << 32n) | 0x40n | (1n << bit)), `830 bit ${bit}`).toBe(defined);
    }
  });

  it('has no x2APIC register for the arbitration priority, and a self IPI of one byte', () => {
    const rig = pcRig();
    const [lapic] = rig.pc.lapic;
    lapic.writeApicBase(lapic.apicBase | 0x400n);
    expect(lapic.readX2apic(0x809)).toBeUndefined();
    expect(lapic.readX2apic(0x80a)).toBe(0n);
    expect(lapic.writeX2apic(0x83f, 0x141n)).toBe(false);
    expect(lapic.writeX2apic(0x83f, 0x41n)).toBe(true);
  });
});
