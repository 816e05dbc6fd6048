// Runs the same records in the core.
import * as L from '../../../src/engine/core/layout.js';
import { Machine } from '../harness.js';
import {
  codeOf,
  FAULT,
  FLAGS,
  FX,
  GPR,
  MEMORY,
  MEMORY_BYTES,
  MEMORY_CENTRE,
  MXCSR,
  RECORD_BYTES,
  rdiPoints,
  YMM,
} from './cases.js';

const DATA = 0x20000;
const POINTER = BigInt(DATA + MEMORY_CENTRE);
const CODE = 0x1000;
const IDT = 0x40000;
const GDT = 0x41000;
/** Handler of exception n: HANDLERS + 16 n, a jump to itself. */
const HANDLERS = 0x5000;
const VECTORS = 32;

/** Signals that Linux makes of the exceptions. */
const SIGNALS: Record<number, bigint> = { 6: 4n, 13: 11n, 16: 8n, 19: 8n };

/** A machine with SSE and AVX turned on; its addresses are physical in both modes. */
export function vectorMachine(mode: 'long' | 'protected32' = 'long'): Machine {
  const machine = new Machine();
  machine.mode(mode);
  machine.set(L.CR4, machine.get(L.CR4) | 0x40600n);
  machine.set(L.XCR0, 7);
  machine.core.updateMode();
  machine.load(CODE, [...Array(32).fill(0x90), 0xeb, 0xfe]);
  machine.load(
    HANDLERS,
    Array.from({ length: VECTORS * 16 }, (_, n) => (n & 1 ? 0xfe : 0xeb)),
  );
  machine.load(GDT, '0000000000000000 ffff0000009baf00');
  if (mode === 'protected32') machine.load(GDT, '0000000000000000 ffff0000009bcf00');
  const gate = mode === 'long' ? 16 : 8;
  for (let n = 0; n < VECTORS; n++) {
    machine.set(L.RAM_BASE + IDT + n * gate, (BigInt(0x8e00) << 32n) | (8n << 16n) | BigInt(HANDLERS + n * 16));
    if (mode === 'long') machine.set(L.RAM_BASE + IDT + n * gate + 8, 0);
  }
  machine.set(L.GDTR_BASE, GDT);
  machine.set32(L.GDTR_LIMIT, 15);
  machine.set(L.IDTR_BASE, IDT);
  machine.set32(L.IDTR_LIMIT, VECTORS * 16 - 1);
  return machine;
}

/** Physical number of ST(n). */
const physical = (fsw: number, n: number): number => (((fsw >> 11) & 7) + n) & 7;

/** The record after the case has run in the core. `alone`: as a single step, otherwise in a block with what follows. */
export function runInCore(machine: Machine, record: Buffer, alone: boolean): Buffer {
  const result = Buffer.alloc(RECORD_BYTES);
  record.copy(result);
  const pointsRdi = rdiPoints(record);
  for (let n = 0; n < 16; n++) machine.set(L.GPR + n * 8, record.readBigUInt64LE(GPR + n * 8));
  if (pointsRdi) machine.setReg('rdi', record.readBigUInt64LE(GPR + 56) + POINTER);
  machine.setReg('rsp', 0x30000);
  machine.setReg('rbp', POINTER);
  machine.set(L.RFLAGS, record.readBigUInt64LE(FLAGS));
  machine.set32(L.MXCSR, record.readUInt32LE(MXCSR));
  machine.bytes.set(record.subarray(YMM, YMM + 512), L.YMM);
  const fsw = record.readUInt16LE(FX + 2);
  machine.view.setUint16(L.X87_FCW, record.readUInt16LE(FX), true);
  machine.view.setUint16(L.X87_FSW, fsw, true);
  machine.view.setUint16(L.X87_FTW, record[FX + 4] ?? 0, true);
  for (let n = 0; n < 8; n++) {
    machine.bytes.set(record.subarray(FX + 32 + n * 16, FX + 42 + n * 16), L.X87 + physical(fsw, n) * 16);
  }
  machine.load(DATA, record.subarray(MEMORY, MEMORY + MEMORY_BYTES));
  machine.load(CODE, [...codeOf(record), ...Array(16).fill(0x90)]);
  machine.set(L.RIP, CODE);
  machine.run(alone ? 1 : 100);
  result.writeUInt32LE(machine.get32(L.MXCSR), MXCSR);
  const handler = Number(machine.rip) - HANDLERS;
  if (handler >= 0) {
    result.writeBigUInt64LE(SIGNALS[handler >> 4] ?? 99n, FAULT);
    return result;
  }
  for (let n = 0; n < 16; n++) {
    if (n !== 4 && n !== 5) result.writeBigUInt64LE(machine.get(L.GPR + n * 8), GPR + n * 8);
  }
  if (pointsRdi) result.writeBigUInt64LE(BigInt.asUintN(64, machine.reg('rdi') - POINTER), GPR + 56);
  result.writeBigUInt64LE(machine.get(L.RFLAGS), FLAGS);
  result.set(machine.bytes.subarray(L.YMM, L.YMM + 512), YMM);
  const status = machine.view.getUint16(L.X87_FSW, true);
  result.writeUInt16LE(status, FX + 2);
  result[FX + 4] = machine.view.getUint16(L.X87_FTW, true) & 0xff;
  for (let n = 0; n < 8; n++) {
    const at = L.X87 + physical(status, n) * 16;
    result.set(machine.bytes.subarray(at, at + 10), FX + 32 + n * 16);
  }
  result.set(machine.ram(DATA, MEMORY_BYTES), MEMORY);
  return result;
}

/** What is nearly always so: no part that may differ does. */
function sameEverywhere(a: Buffer, b: Buffer): boolean {
  const same = (from: number, to: number): boolean => a.compare(b, from, to, from, to) === 0;
  return (
    same(GPR, MXCSR + 4) &&
    same(YMM, YMM + 512) &&
    same(FX + 2, FX + 5) &&
    same(FX + 32, FX + 160) &&
    same(MEMORY, MEMORY + MEMORY_BYTES)
  );
}

/** Names of what differs between two records; empty: nothing that is defined. `x87`: compare that state too. */
export function differences(a: Buffer, b: Buffer, x87: boolean): string[] {
  if (sameEverywhere(a, b)) return [];
  const out: string[] = [];
  const part = (name: string, from: number, bytes: number): void => {
    const [x, y] = [a.subarray(from, from + bytes), b.subarray(from, from + bytes)];
    if (!x.equals(y))
      out.push(`${name} ${Buffer.from(x).reverse().toString('hex')} != ${Buffer.from(y).reverse().toString('hex')}`);
  };
  part('signal', FAULT, 8);
  part('mxcsr', MXCSR, 4);
  if (a.readBigUInt64LE(FAULT) !== 0n || b.readBigUInt64LE(FAULT) !== 0n) return out;
  for (let n = 0; n < 16; n++) part(`r${n}`, GPR + n * 8, 8);
  part('flags', FLAGS, 8);
  for (let n = 0; n < 16; n++) part(`ymm${n}`, YMM + n * 32, 32);
  if (x87) {
    part('fsw', FX + 2, 2);
    part('ftw', FX + 4, 1);
    for (let n = 0; n < 8; n++) part(`st${n}`, FX + 32 + n * 16, 10);
  }
  part('memory', MEMORY, MEMORY_BYTES);
  return out;
}
