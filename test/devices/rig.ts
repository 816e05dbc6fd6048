/** A clock that a test moves by hand, a wire that remembers, and a whole PC on them. */
import type { GuestEnd, IrqLine } from '../../src/engine/devices/device.js';
import { buildPc, type Pc, type PcOptions } from '../../src/engine/devices/pc.js';
import { VirtualClock } from '../../src/engine/time/clock.js';

export class TestClock extends VirtualClock {
  private time: { ns: number };

  constructor() {
    const time = { ns: 0 };
    super(() => time.ns);
    this.time = time;
  }

  /** Runs every timer on the way at its own time, as a VMM does. */
  advance(ns: number): void {
    const end = this.time.ns + ns;
    for (let next = this.deadlines.next(); next !== undefined && next <= end; next = this.deadlines.next()) {
      this.time.ns = Math.max(this.time.ns, next);
      this.deadlines.runDue(this.time.ns);
    }
    this.time.ns = end;
  }
}

export class TestLine implements IrqLine {
  high = false;
  /** Low-to-high changes so far. */
  edges = 0;

  set(high: boolean): void {
    if (high && !this.high) this.edges++;
    this.high = high;
  }
}

export interface PcRig {
  pc: Pc;
  clock: TestClock;
  memory: Uint8Array;
  serial: number[];
  ends: GuestEnd[];
  startups: [vcpu: number, vector: number][];
  inits: number[];
  out(port: number, value: number, bytes?: number): void;
  in(port: number, bytes?: number): number;
  /** 32-bit access to a local APIC register of the active vCPU. */
  apicWrite(offset: number, value: number): void;
  apicRead(offset: number): number;
  ioapicWrite(register: number, value: number): void;
  ioapicRead(register: number): number;
}

/** `masked` closes the 8259 lines that firmware leaves open: its timer would disturb what most tests look at. */
export function pcRig(options: Partial<PcOptions> = {}, { masked = true } = {}): PcRig {
  const clock = new TestClock();
  const memory = new Uint8Array(2 << 20);
  const serial: number[] = [];
  const ends: GuestEnd[] = [];
  const startups: [number, number][] = [];
  const inits: number[] = [];
  const pc = buildPc({
    clock,
    memory: {
      bytes: 64 << 20,
      read: (gpa, length) => memory.subarray(gpa, gpa + length),
      write: (gpa, bytes) => memory.set(bytes, gpa),
    },
    vcpus: 2,
    startSeconds: 1_709_210_096,
    serialOutput: (byte) => serial.push(byte),
    end: (end) => ends.push(end),
    startup: (vcpu, vector) => startups.push([vcpu, vector]),
    init: (vcpu) => inits.push(vcpu),
    ...options,
  });
  const { bus } = pc;
  if (masked) for (const port of [0x21, 0xa1]) bus.portWrite(port, 1, 0xff);
  return {
    ...{ pc, clock, memory, serial, ends, startups, inits },
    out: (port, value, bytes = 1) => bus.portWrite(port, bytes, value),
    in: (port, bytes = 1) => bus.portRead(port, bytes),
    apicWrite: (offset, value) => bus.mmioWrite(0xfee00000 + offset, 4, BigInt(value >>> 0)),
    apicRead: (offset) => Number(bus.mmioRead(0xfee00000 + offset, 4)),
    ioapicWrite: (register, value) => {
      bus.mmioWrite(0xfec00000, 4, BigInt(register));
      bus.mmioWrite(0xfec00010, 4, BigInt(value >>> 0));
    },
    ioapicRead: (register) => {
      bus.mmioWrite(0xfec00000, 4, BigInt(register));
      return Number(bus.mmioRead(0xfec00010, 4));
    },
  };
}
