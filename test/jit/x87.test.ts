/** x87 instructions on ordinary numbers and the edges, with every state of the stack: by handlers one by one, in blocks, and compiled. */
import { describe, expect, it } from 'vitest';
import * as L from '../../src/engine/core/layout.js';
import { randomOf } from '../random.js';
import { Pair } from './pair.js';

const FROM = 0x20000;
const TO = 0x60000;
/** The image of FRSTOR, a memory operand, and what it leaves out. */
const RECORD = 128;
const OPERAND = 112;
const RECORDS = 160;

/** ModRM of `[rsi + OPERAND]` or `[rdi + OPERAND]`. */
const source = (reg: number): number[] => [0x46 | (reg << 3), OPERAND];
const target = (reg: number): number[] => [0x47 | (reg << 3), OPERAND];
const OPERATIONS = [0, 1, 4, 5, 6, 7];
const hex = (code: readonly number[]): string => Buffer.from(code).toString('hex');

const INSTRUCTIONS: Record<string, number[][]> = {
  'arithmetic of registers': [0xd8, 0xdc, 0xde].flatMap((opcode) =>
    OPERATIONS.flatMap((reg) => [1, 3].map((i) => [opcode, 0xc0 | (reg << 3) | i])),
  ),
  'arithmetic with memory': [0xd8, 0xda, 0xdc, 0xde].flatMap((opcode) =>
    OPERATIONS.map((reg) => [opcode, ...source(reg)]),
  ),
  comparisons: [
    ...[0xd8d1, 0xd8da, 0xdde1, 0xdde9, 0xdae9, 0xded9, 0xdbe9, 0xdbf1, 0xdfe9, 0xdff2].map((n) => [n >> 8, n & 255]),
    ...[0xd8, 0xda, 0xdc, 0xde].flatMap((opcode) => [2, 3].map((reg) => [opcode, ...source(reg)])),
    [0xdf, 0xe0],
  ],
  loads: [
    ...[0xd900, 0xdd00, 0xdb00, 0xdf00, 0xdf05].map((n) => [n >> 8, ...source(n & 7)]),
    ...[0xd9c0, 0xd9c1, 0xd9c7, 0xd9e8, 0xd9ee].map((n) => [n >> 8, n & 255]),
    [0xd9, ...source(5)],
    [0xdb, ...source(5)],
  ],
  stores: [
    ...[0xd902, 0xd903, 0xdd02, 0xdd03, 0xdd01, 0xdb01, 0xdb02, 0xdb03, 0xdf01, 0xdf02, 0xdf03, 0xdf07, 0xd907].map(
      (n) => [n >> 8, ...target(n & 7)],
    ),
    ...[0xddd0, 0xddd1, 0xddd8, 0xddd9, 0xdddf].map((n) => [n >> 8, n & 255]),
    [0xdb, ...target(7)],
  ],
  'exchanges, signs and roots': [0xd9c8, 0xd9c9, 0xd9cd, 0xd9e0, 0xd9e1, 0xd9fa].map((n) => [n >> 8, n & 255]),
};

const CONTROLS = [0x37f, 0x37f, 0x27f, 0x07f, 0x77f, 0xb7f, 0xf7f, 0x37e, 0x35f, 0x36f, 0x377];
/** Records before these are for the interpreter. */
const COMPILED = 80;
const MASKED = CONTROLS.filter((control) => (control & 0x3f) === 0x3f);
/** Upper 16 bits and significand. */
const NUMBERS: readonly (readonly [number, bigint])[] = [
  [0, 0n],
  [0x8000, 0n],
  [0x3fff, 1n << 63n],
  [0xbfff, 1n << 63n],
  [0x3fff, 3n << 62n],
  [0x4000, 0xc90f_daa2_2168_c235n],
  [0xbffe, 0xaaaa_aaaa_aaaa_aaabn],
  [0x3ffe, 1n << 63n],
  [0x4000, 5n << 61n],
  [0x401d, 0xffff_ffffn << 32n],
  [0x401e, 1n << 63n],
  [0xc01e, 1n << 63n],
  [0x403e, 0xffff_ffff_ffff_ffffn],
  [0x403d, 0xffff_ffff_ffff_fffen],
  [0x3fff, (1n << 63n) | (1n << 10n)],
  [0x3fff, (1n << 63n) | 0x7ffn],
  [0x3fff, (1n << 63n) | (1n << 39n)],
  [0x3fff, 0xffff_ffff_ffff_ffffn],
  [0x7ffe, 0xffff_ffff_ffff_ffffn],
  [0x0001, 1n << 63n],
  [0x43fe, 0xffff_ffff_ffff_fc00n],
  [0x3c01, 1n << 63n],
  [0x3c00, 3n << 62n],
  [0x407e, 0xffff_ffffn << 32n],
];
const ODD: readonly (readonly [number, bigint])[] = [
  [0, 1n],
  [0, 1n << 63n],
  [0x7fff, 1n << 63n],
  [0xffff, 1n << 63n],
  [0x7fff, 3n << 62n],
  [0x7fff, (1n << 63n) | 1n],
  [0x4000, 1n << 62n],
];
/** A normal number whose exponent is near to that of others, often with few bits. */
function near(next: () => number): readonly [number, bigint] {
  const significand = ((BigInt(next() >>> 0) << 32n) | BigInt(next() >>> 0)) >> BigInt(next() % 2 ? 0 : next() % 63);
  const bits = significand === 0n ? 1n : significand;
  return [((next() & 1) << 15) | (0x3fff - 33 + (next() % 66)), bits << BigInt(64 - bits.toString(2).length)];
}
const DOUBLES = [0, -0, 1, -1, 0.1, 2.5, -1 / 3, 1e300, 5e-324, Infinity, Number.NaN, 2 ** -1022];

function records(seed: number, early = CONTROLS, late = CONTROLS): Buffer {
  const next = randomOf(seed);
  const pick = <T>(list: readonly T[]): T => list[next() % list.length];
  const data = Buffer.alloc((RECORDS + 1) * RECORD);
  for (let n = 0; n <= RECORDS; n++) {
    const at = n * RECORD;
    data.writeUInt16LE(n % 2 ? 0x37f : pick(n < COMPILED ? early : late), at);
    const top = next() % 8;
    const sticky = pick([0, 0, 0x20, 0x3f]) & data.readUInt16LE(at);
    data.writeUInt16LE((top << 11) | (pick([0, 0x200, 0x4700]) & 0xffff) | sticky, at + 4);
    // mostly some in use at the top
    let tags = 0;
    const used = n % 5 === 0 ? next() : 0x0f;
    for (let i = 0; i < 8; i++) if (!((used >> i) & 1)) tags |= 3 << (((top + i) & 7) * 2);
    data.writeUInt16LE(tags, at + 8);
    for (let i = 0; i < 8; i++) {
      const [upper, significand] = next() % 16 === 0 ? pick(ODD) : next() % 3 === 0 ? near(next) : pick(NUMBERS);
      data.writeBigUInt64LE(significand, at + 28 + i * 10);
      data.writeUInt16LE(upper, at + 36 + i * 10);
    }
    if (next() % 4 === 0) data.writeInt32LE(next() | 0, at + OPERAND);
    else if (next() % 2) data.writeDoubleLE(pick(DOUBLES), at + OPERAND);
    else data.writeFloatLE(pick(DOUBLES), at + OPERAND);
  }
  return data;
}

const int32 = (value: number): number[] => [...Buffer.from(Int32Array.of(value).buffer)];

/** RSI goes over the records, RDI over the answers: the image of FNSAVE, the operand, flags and AX. */
function loop(instruction: number[]): number[] {
  const body = [
    ...[0xdd, 0x26], // frstor [rsi]
    ...[0x31, 0xc0], // xor eax, eax
    ...instruction,
    0x9f, // lahf
    ...[0x89, 0x47, OPERAND + 8], // mov [rdi+120], eax
    ...[0xdd, 0x37], // fnsave [rdi]
    ...[0x48, 0x83, 0xee, 0x80], // sub rsi, -RECORD
    ...[0x48, 0x83, 0xef, 0x80], // sub rdi, -RECORD
    ...[0x41, 0xff, 0xcf], // dec r15d
  ];
  const whole = [
    ...[0x41, 0xbf, ...int32(RECORDS)], // mov r15d, RECORDS
    ...[0x48, 0x89, 0xde], // mov rsi, rbx
    ...[0x48, 0x89, 0xef], // mov rdi, rbp
    ...body,
    ...[0x0f, 0x85, ...int32(-(body.length + 6))], // jnz
  ];
  return [...whole, 0xe9, ...int32(-(whole.length + 5))];
}

/** Between x87 instructions: FLDCW of the record behind, FWAIT, FNINIT, FRNDINT, FFREE, FINCSTP, FDECSTP, FTST, MOVQ MM1, EMMS, an addition, a store. */
const BETWEEN = [
  [0xd9, 0xae, RECORD, 0, 0, 0],
  [0x9b],
  [0xdb, 0xe3],
  [0xd9, 0xfc],
  [0xdd, 0xc2],
  [0xd9, 0xf7],
  [0xd9, 0xf6],
  [0xd9, 0xe4],
  [0x0f, 0x6f, 0x4e, OPERAND],
  [0x0f, 0x77],
  [0x01, 0xc0],
  [0x88, 0x47, OPERAND + 12],
];
const LENGTH = 9;

/** Instructions that follow each other in one block: what the first ones find is known to those behind. */
function sequences(count: number): number[][] {
  const next = randomOf(0xf00d);
  const kinds = Object.values(INSTRUCTIONS);
  return Array.from({ length: count }, () =>
    Array.from({ length: LENGTH }, () => {
      const kind = next() % 6 === 0 ? BETWEEN : kinds[next() % kinds.length];
      const instruction = kind[next() % kind.length];
      // of any operand FLDCW would let the next instruction fault
      return instruction[0] === 0xd9 && instruction[1] === source(5)[0] ? BETWEEN[0] : instruction;
    }).flat(),
  );
}

interface Case {
  readonly kind: string;
  readonly list: readonly number[][];
  /** Instructions of each that run in regions, and on average. */
  readonly least: number;
  readonly average?: number;
  /** The records and answers lie so far from where they are aligned. */
  readonly shift?: number;
  readonly early?: number[];
  readonly late?: number[];
}

describe('x87 instructions, compiled and by handlers', () => {
  const kinds = Object.entries(INSTRUCTIONS).map(([kind, list]) => ({ kind, list, least: 1500 }));
  // operands across pages too, and no exception that the next instruction would fault by; what is not usual leaves the region
  const mixed = { list: sequences(120), least: 0, shift: 12, early: MASKED, average: 1500 };
  const cases: Case[] = [
    ...kinds,
    { ...mixed, kind: 'one behind the other', late: MASKED },
    // one that is pending ends the run
    { ...mixed, kind: 'one behind the other, exceptions pending', average: 200 },
  ];
  it.each(cases)('$kind', { timeout: 300_000 }, ({ list, least, shift = 0, early, late, average }) => {
    const wrong: string[] = [];
    const pair = new Pair('long', () => {});
    const machines = [pair.stepped, pair.plain, pair.compiled];
    let at = 0x1400;
    list.forEach((instruction, n) => {
      if (wrong.length > 0) return;
      const data = records(0x5eed + n * 7, early, late);
      const code = loop(instruction);
      for (const m of machines) {
        m.load(FROM + shift, [...data]);
        m.load(at, code);
        m.bytes.fill(0, L.RAM_BASE + TO, L.RAM_BASE + TO + shift + RECORDS * RECORD);
        m.setReg('rbx', FROM + shift);
        m.setReg('rbp', TO + shift);
        m.set(L.RIP, at);
        m.bytes.fill(0, L.X87_FSW, L.X87_FSW + 2);
      }
      at += (code.length + 63) & ~63;
      const before = pair.inRegions;
      try {
        for (let k = 0; k < 4; k++) pair.run(900 + k);
      } catch (error) {
        wrong.push(`${hex(instruction)}: ${(error as Error).message.slice(0, 300)}`);
      }
      if (pair.inRegions - before < least) wrong.push(`${hex(instruction)}: not compiled`);
    });
    expect(wrong).toEqual([]);
    expect(pair.inRegions / list.length).toBeGreaterThan(average ?? least);
  });
});
