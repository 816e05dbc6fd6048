import {
  DOUBLE,
  EXTENDED,
  leanFraction,
  SINGLE,
  sparseBits,
  sparseExponent,
  sparseFloat,
} from '../../../src/engine/difftest/patterns.js';
import type { Random } from '../exec/random-code.js';

/** Offsets in a record of native-x87.c. */
export const RECORD = 192;
export const STATE = 24;
export const MEMORY = 136;
export const LENGTH = 168;
export const CODE = 176;

/** An x87 instruction: its bytes, and what its memory operand and its results need. */
export interface X87Instruction {
  readonly name: string;
  readonly bytes: readonly number[];
  /** Format of the memory operand that it reads. */
  readonly memory?: 'f32' | 'f64' | 'f80' | 'i16' | 'i32' | 'i64' | 'bcd';
  /** The first operand is an argument of moderate size: transcendental functions. */
  readonly argument?: 'power' | 'angle' | 'log' | 'log1' | 'any';
}

const RBP = 0x45; // ModRM of [rbp + disp8], reg 0

function register(name: string, opcode: number, reg: number): X87Instruction[] {
  return [0, 1, 3, 7].map((i) => ({ name: `${name} st${i}`, bytes: [opcode, 0xc0 | (reg << 3) | i] }));
}

function memory(name: string, opcode: number, reg: number, format?: X87Instruction['memory']): X87Instruction {
  return { name, bytes: [opcode, RBP | (reg << 3), 0], ...(format ? { memory: format } : {}) };
}

function plain(name: string, opcode: number, modrm: number, argument?: X87Instruction['argument']): X87Instruction {
  return { name, bytes: [opcode, modrm], ...(argument ? { argument } : {}) };
}

const OPERATIONS = ['add', 'mul', 'com', 'comp', 'sub', 'subr', 'div', 'divr'];

export const ARITHMETIC: readonly X87Instruction[] = OPERATIONS.flatMap((operation, reg) => [
  ...register(`f${operation} d8`, 0xd8, reg),
  ...register(`f${operation} dc`, 0xdc, reg),
  ...(reg === 3 ? [plain('fcompp', 0xde, 0xd9)] : register(`f${operation}p`, 0xde, reg)),
  memory(`f${operation} m32`, 0xd8, reg, 'f32'),
  memory(`f${operation} m64`, 0xdc, reg, 'f64'),
  memory(`fi${operation} m32`, 0xda, reg, 'i32'),
  memory(`fi${operation} m16`, 0xde, reg, 'i16'),
]);

export const MOVES: readonly X87Instruction[] = [
  memory('fld m32', 0xd9, 0, 'f32'),
  memory('fld m64', 0xdd, 0, 'f64'),
  memory('fld m80', 0xdb, 5, 'f80'),
  memory('fild m16', 0xdf, 0, 'i16'),
  memory('fild m32', 0xdb, 0, 'i32'),
  memory('fild m64', 0xdf, 5, 'i64'),
  memory('fbld', 0xdf, 4, 'bcd'),
  memory('fst m32', 0xd9, 2),
  memory('fstp m32', 0xd9, 3),
  memory('fst m64', 0xdd, 2),
  memory('fstp m64', 0xdd, 3),
  memory('fstp m80', 0xdb, 7),
  memory('fist m16', 0xdf, 2),
  memory('fistp m16', 0xdf, 3),
  memory('fist m32', 0xdb, 2),
  memory('fistp m32', 0xdb, 3),
  memory('fistp m64', 0xdf, 7),
  memory('fisttp m16', 0xdf, 1),
  memory('fisttp m32', 0xdb, 1),
  memory('fisttp m64', 0xdd, 1),
  memory('fbstp', 0xdf, 6),
  memory('fldcw', 0xd9, 5, 'i16'),
  memory('fnstcw', 0xd9, 7),
  memory('fnstsw m16', 0xdd, 7),
  plain('fnstsw ax', 0xdf, 0xe0),
  ...register('fld', 0xd9, 0),
  ...register('fxch', 0xd9, 1),
  ...register('fst', 0xdd, 2),
  ...register('fstp', 0xdd, 3),
  ...register('fstp d9', 0xd9, 3),
  ...register('fstp df', 0xdf, 2),
  ...register('ffree', 0xdd, 0),
  ...register('ffreep', 0xdf, 0),
  ...register('fxch dd', 0xdd, 1),
  ...register('fxch df', 0xdf, 1),
  ...[0, 1, 2, 3].flatMap((reg) => [...register(`fcmov${reg}`, 0xda, reg), ...register(`fcmovn${reg}`, 0xdb, reg)]),
  ...[0xe8, 0xe9, 0xea, 0xeb, 0xec, 0xed, 0xee].map((modrm) => plain(`constant ${modrm}`, 0xd9, modrm)),
  plain('fdecstp', 0xd9, 0xf6),
  plain('fincstp', 0xd9, 0xf7),
  plain('fnop', 0xd9, 0xd0),
  plain('fnclex', 0xdb, 0xe2),
  plain('fninit', 0xdb, 0xe3),
];

export const COMPARES: readonly X87Instruction[] = [
  ...register('fucom', 0xdd, 4),
  ...register('fucomp', 0xdd, 5),
  ...register('fucomi', 0xdb, 5),
  ...register('fcomi', 0xdb, 6),
  ...register('fucomip', 0xdf, 5),
  ...register('fcomip', 0xdf, 6),
  plain('fucompp', 0xda, 0xe9),
  plain('ftst', 0xd9, 0xe4),
  plain('fxam', 0xd9, 0xe5),
];

export const UNARY: readonly X87Instruction[] = [
  plain('fchs', 0xd9, 0xe0),
  plain('fabs', 0xd9, 0xe1),
  plain('fsqrt', 0xd9, 0xfa),
  plain('frndint', 0xd9, 0xfc),
  plain('fscale', 0xd9, 0xfd),
  plain('fxtract', 0xd9, 0xf4),
  plain('fprem', 0xd9, 0xf8),
  plain('fprem1', 0xd9, 0xf5),
];

export const TRANSCENDENTAL: readonly X87Instruction[] = [
  plain('f2xm1', 0xd9, 0xf0, 'power'),
  plain('fyl2x', 0xd9, 0xf1, 'log'),
  plain('fyl2xp1', 0xd9, 0xf9, 'log1'),
  plain('fptan', 0xd9, 0xf2, 'angle'),
  plain('fpatan', 0xd9, 0xf3, 'any'),
  plain('fsin', 0xd9, 0xfe, 'angle'),
  plain('fcos', 0xd9, 0xff, 'angle'),
  plain('fsincos', 0xd9, 0xfb, 'angle'),
];

const EXPONENTS = [
  0,
  0,
  1,
  2,
  0x3fff - 64,
  0x3ffe,
  0x3fff,
  0x4000,
  0x3fff + 15,
  0x3fff + 31,
  0x3fff + 63,
  0x7ffe,
  0x7fff,
];
const F32_LIMITS = [0x3fff - 149, 0x3fff - 127, 0x3fff - 126, 0x3fff + 127, 0x3fff + 128];
const F64_LIMITS = [0x3fff - 1074, 0x3fff - 1023, 0x3fff - 1022, 0x3fff + 1023, 0x3fff + 1024];
const SIGNIFICANDS = [
  0n,
  1n,
  0x8000000000000000n,
  0x8000000000000001n,
  0xc000000000000000n,
  0xc000000000000001n,
  0xa000000000000000n,
  0xffffffffffffffffn,
  0xffffff0000000000n,
  0xffffff8000000000n,
  0xfffffffffffff800n,
  0xfffffffffffffc00n,
  0x7fffffffffffffffn,
  0x4000000000000000n,
];

function word64(random: Random): bigint {
  return (BigInt(random.next() >>> 0) << 32n) | BigInt(random.next() >>> 0);
}

/** A number of 80 bits: upper 16 bits and significand. */
function number80(random: Random): [number, bigint] {
  const kind = random.below(18);
  const sign = random.below(2) << 15;
  if (kind >= 12) {
    // as many significant bits as the precision control may ask for, and a few more
    const below = (n: number): number => random.below(n);
    if (kind === 12) {
      const bits = (1n << 63n) | (1n << BigInt(below(63))) | (below(2) ? 0n : 1n << BigInt(below(63)));
      return [sign | (0x3fff - 4 + below(9)), bits];
    }
    if (kind === 12) return [sign | (0x3fff - 4 + below(9)), (1n << 63n) | leanFraction(below, 63)];
    const width = random.pick([24, 25, 32, 53, 54, 63, 63, 63]);
    const fraction = sparseBits(below, width) << BigInt(63 - width);
    const exponent = kind < 15 ? sparseExponent(below, EXTENDED) : 0x3fff - 8 + random.below(17);
    return [sign | exponent, fraction | (exponent === 0 ? 0n : 1n << 63n)];
  }
  if (kind === 0) return [random.below(0x10000), word64(random)];
  if (kind <= 3) return [sign | random.pick(EXPONENTS), random.pick(SIGNIFICANDS)];
  if (kind === 4) return [sign, random.pick(SIGNIFICANDS) >> BigInt(random.below(64))];
  if (kind === 5) {
    const exponent = random.pick([...F32_LIMITS, ...F64_LIMITS]) + random.below(3) - 1;
    return [sign | exponent, random.below(2) ? random.pick(SIGNIFICANDS) | (1n << 63n) : word64(random) | (1n << 63n)];
  }
  if (kind === 6) {
    // an integer
    const shift = random.below(64);
    const value = (word64(random) >> BigInt(63 - shift)) | (1n << BigInt(shift));
    return [sign | (0x3fff + shift), BigInt.asUintN(64, value << BigInt(63 - shift))];
  }
  if (kind === 7) return [sign | 0x3fff, (1n << 63n) | (word64(random) & 0xfff0000000000000n)];
  const exponent = kind < 10 ? 0x3fff - 40 + random.below(80) : 1 + random.below(0x7ffe);
  return [sign | exponent, word64(random) | (1n << 63n)];
}

/** An argument of a transcendental function in its documented range, or some number. */
function argumentOf(random: Random, instruction: X87Instruction): [number, bigint] {
  const sign = random.below(2) << 15;
  const significand = word64(random) | (1n << 63n);
  if (random.below(8) === 0) return number80(random);
  switch (instruction.argument) {
    case 'power':
      return [sign | (0x3fff - 1 - random.below(70)), significand];
    case 'angle':
      return [sign | (0x3fff - 30 + random.below(32)), significand];
    case 'log':
      return random.below(2) ? [0x3fff - 30 + random.below(60), significand] : [0x3ffe + random.below(2), significand];
    case 'log1':
      return [sign | (0x3fff - 3 - random.below(60)), significand];
    default:
      return [sign | (0x3fff - 20 + random.below(40)), significand];
  }
}

function put80(record: Buffer, at: number, [upper, significand]: [number, bigint]): void {
  record.writeBigUInt64LE(significand, at);
  record.writeUInt16LE(upper, at + 8);
}

function putMemory(record: Buffer, random: Random, format: X87Instruction['memory']): void {
  for (let n = 0; n < 4; n++) record.writeBigUInt64LE(word64(random), MEMORY + n * 8);
  const edge = random.below(3) === 0;
  if (format === 'f80') put80(record, MEMORY, number80(random));
  if (format === 'bcd') {
    for (let n = 0; n < 9; n++) {
      record[MEMORY + n] = random.below(4) ? (random.below(10) << 4) | random.below(10) : edge ? 0x99 : 0;
    }
  }
  const below = (n: number): number => random.below(n);
  if (format !== undefined && random.below(3) === 0) {
    if (format === 'f32') record.writeUInt32LE(Number(sparseFloat(below, SINGLE)), MEMORY);
    if (format === 'f64') record.writeBigUInt64LE(sparseFloat(below, DOUBLE), MEMORY);
    if (format[0] === 'i') record.writeBigUInt64LE(sparseBits(below, Number(format.slice(1))), MEMORY);
    if (format !== 'bcd') return;
  }
  if (!edge) {
    if (format === 'f32' && random.below(2)) record.writeFloatLE((random.next() | 0) / 65536, MEMORY);
    if (format === 'f64' && random.below(2)) record.writeDoubleLE((random.next() | 0) / 65536, MEMORY);
    return;
  }
  if (format === 'f32') {
    const fraction = random.pick([0, 1, 0x400000, 0x400001, 0x7fffff, 0x200000]);
    const bits = (random.below(2) << 31) | (random.pick([0, 0, 1, 127, 254, 255]) << 23) | fraction;
    record.writeInt32LE(bits | 0, MEMORY);
  } else if (format === 'f64') {
    const fraction = random.pick([0n, 1n, 0x8000000000000n, 0x8000000000001n, 0xfffffffffffffn]);
    const exponent = BigInt(random.pick([0, 0, 1, 1023, 2046, 2047]));
    record.writeBigUInt64LE((BigInt(random.below(2)) << 63n) | (exponent << 52n) | fraction, MEMORY);
  } else if (format === 'i16' || format === 'i32' || format === 'i64') {
    record.writeBigUInt64LE(
      random.pick([0n, 1n, 0xffffffffffffffffn, 0x8000n, 0x80000000n, 0x8000000000000000n, 0x7fffffffffffffffn]),
      MEMORY,
    );
  }
}

/** A case for one instruction: control word, status, tags, registers and memory at random. */
export function makeX87Case(random: Random, instruction: X87Instruction): Buffer {
  const record = Buffer.alloc(RECORD);
  record.writeBigUInt64LE(word64(random), 0);
  record.writeBigUInt64LE(BigInt(0x202 | (random.next() & 0x8d5)), 8);
  const masks = random.below(3) === 0 ? random.below(64) : 63;
  const control = masks | 0x40 | (random.pick([0, 2, 3, 3, 3]) << 8) | (random.below(4) << 10);
  const sticky = random.below(4) === 0 ? random.below(64) & masks : 0;
  const status = sticky | (random.below(8) << 11) | (random.next() & 0x4700);
  const tags = random.below(3) === 0 ? random.next() & random.next() & 0xffff : 0;
  let words = 0;
  for (let n = 0; n < 8; n++) if (((tags >> (n * 2)) & 3) === 3) words |= 3 << (n * 2);
  // a push finds room in half of the cases
  if (random.below(2)) words |= 3 << ((((status >> 11) - 1) & 7) * 2);
  record.writeUInt32LE((0xffff0000 | control) >>> 0, STATE);
  record.writeUInt32LE((0xffff0000 | status) >>> 0, STATE + 4);
  record.writeUInt32LE((0xffff0000 | words) >>> 0, STATE + 8);
  for (let n = 0; n < 8; n++) {
    const special = n < 2 && instruction.argument;
    put80(record, STATE + 28 + n * 10, special && n === 0 ? argumentOf(random, instruction) : number80(random));
  }
  if (instruction.argument === 'any') put80(record, STATE + 38, argumentOf(random, instruction));
  // operands near each other: sums that cancel, quotients next to one
  if (!instruction.argument && random.below(4) === 0) {
    const [upper, significand] = number80(random);
    for (let n = 0; n < 8; n++) {
      if (random.below(3) === 0) continue;
      const beside = BigInt.asUintN(64, significand + BigInt(random.below(5) - 2) * (random.below(2) ? 1n : 1n << 11n));
      put80(record, STATE + 28 + n * 10, [upper ^ (random.below(2) << 15), beside | (significand & (1n << 63n))]);
    }
  }
  putMemory(record, random, instruction.memory);
  record.writeBigUInt64LE(BigInt(instruction.bytes.length), LENGTH);
  record.set(instruction.bytes, CODE);
  return record;
}
