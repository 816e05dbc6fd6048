// Random cases of vector instructions, made from the opcode table, and the record that the native runner reads.
import { DOUBLE, HALF, SINGLE, sparseBits, sparseFloat } from '../../../src/engine/difftest/patterns.js';
import type { OpcodeRow } from '../../../src/spec/opcodes/row.js';
import { leanNumbers, relatedNumbers } from './related.js';

export const RECORD_BYTES = 1408;
export const GPR = 0;
export const FLAGS = 128;
export const FAULT = 136;
export const MXCSR = 144;
const OPTIONS = 148;
export const YMM = 160;
export const FX = 672;
export const MEMORY = 1184;
export const MEMORY_BYTES = 192;
/** RBP points here in the memory. */
export const MEMORY_CENTRE = 64;
const LENGTH = 1376;
const CODE = 1384;
const RDI_POINTS = 1;
const COMPATIBILITY = 2;
const STATUS = 0x8d5;

/** xorshift32: the same cases on every host. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1;
  }

  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state;
  }

  below(n: number): number {
    return this.next() % n;
  }

  chance(oneIn: number): boolean {
    return this.below(oneIn) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  bits64(): bigint {
    return (BigInt(this.next()) << 32n) | BigInt(this.next());
  }
}

export interface Case {
  readonly name: string;
  readonly record: Buffer;
}

const SINGLES = [
  0, 0x80000000, 1, 0x80000001, 0x007fffff, 0x807fffff, 0x00800000, 0x80800000, 0x00800001, 0x7f7fffff, 0xff7fffff,
  0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7f800001, 0xffa00000, 0x7fe12345, 0x3f800000, 0xbf800000,
  0x3f800001, 0x3f7fffff, 0x40000000, 0x3f000000, 0x4b000000, 0x4b000001, 0x4b7fffff, 0x4f000000, 0xcf000000,
  0x4effffff, 0x5f000000, 0xdf000000, 0x3fc00000, 0x40200000, 0x33800000, 0x34000000, 0x477fe000, 0x477ff000,
  0x38800000, 0x387fc000, 0x33000000, 0x33000001,
];
const DOUBLES = [
  0n,
  0x8000000000000000n,
  1n,
  0x8000000000000001n,
  0x000fffffffffffffn,
  0x800fffffffffffffn,
  0x0010000000000000n,
  0x8010000000000000n,
  0x0010000000000001n,
  0x7fefffffffffffffn,
  0xffefffffffffffffn,
  0x7ff0000000000000n,
  0xfff0000000000000n,
  0x7ff8000000000000n,
  0xfff8000000000000n,
  0x7ff0000000000001n,
  0xfff4000000000000n,
  0x7ffc123456789abcn,
  0x3ff0000000000000n,
  0xbff0000000000000n,
  0x3ff0000000000001n,
  0x3fefffffffffffffn,
  0x4000000000000000n,
  0x3fe0000000000000n,
  0x4330000000000000n,
  0x4330000000000001n,
  0x41dfffffffc00000n,
  0x41e0000000000000n,
  0xc1e0000000000000n,
  0xc1e0000000200000n,
  0x43e0000000000000n,
  0xc3e0000000000000n,
  0x3ff8000000000000n,
  0x4004000000000000n,
  0x36a0000000000000n,
  0x369fffffffffffffn,
  0x380fffffffffffffn,
  0x3810000000000000n,
  0x47efffffe0000000n,
  0x47effffff0000000n,
  0x47f0000000000000n,
  0x3690000000000000n,
];
const INTEGERS = [
  0n,
  1n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0x8000n,
  0xffffn,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x7fffffffffffffffn,
  0x8000000000000000n,
  0xffffffffffffffffn,
  0x8000800080008000n,
  0x7fff7fff7fff7fffn,
  0x8080808080808080n,
  0x0102030405060708n,
  0x8000000080000000n,
  0x1fn,
  0x20n,
  0x3fn,
  0x40n,
  0x0fn,
  0x10n,
  0x4000000000000001n,
];

function single(random: Random): number {
  const kind = random.below(14);
  if (kind >= 10) return Number(sparseFloat((n) => random.below(n), SINGLE));
  if (kind < 4) return random.pick(SINGLES);
  if (kind < 5) return random.next();
  // near 1, near each other, so that sums and products round in every way
  const exponent = kind < 8 ? 120 + random.below(16) : random.below(256);
  const fraction = random.chance(3) ? (random.next() & 0x7ff000) >>> 0 : random.next() & 0x7fffff;
  return ((random.below(2) << 31) | (exponent << 23) | fraction) >>> 0;
}

function double(random: Random): bigint {
  const kind = random.below(14);
  if (kind >= 10) return sparseFloat((n) => random.below(n), DOUBLE);
  if (kind < 4) return random.pick(DOUBLES);
  if (kind < 5) return random.bits64();
  const exponent = BigInt(kind < 8 ? 1010 + random.below(32) : random.below(2048));
  let fraction = random.bits64() & 0xfffffffffffffn;
  if (random.chance(3)) fraction &= 0xfffffff000000n;
  return (BigInt(random.below(2)) << 63n) | (exponent << 52n) | fraction;
}

function quadword(random: Random, kind: Values): bigint {
  if (kind === 'single') return (BigInt(single(random)) << 32n) | BigInt(single(random));
  if (kind === 'double') return double(random);
  const sparse = (): bigint => sparseFloat((n) => random.below(n), HALF);
  if (kind === 'half' && random.chance(3)) return (sparse() << 48n) | (sparse() << 32n) | (sparse() << 16n) | sparse();
  if (kind === 'half') return random.bits64() & (random.chance(2) ? 0x83ff83ff83ff83ffn : 0xffffffffffffffffn);
  if (random.chance(3)) return integers(random);
  return random.chance(3) ? random.pick(INTEGERS) : random.bits64();
}

/** Sparse integers of one width side by side. */
function integers(random: Random): bigint {
  const width = 8 << random.below(4);
  let value = 0n;
  for (let n = 0; n < 64; n += width)
    value = (value << BigInt(width)) | sparseBits((limit) => random.below(limit), width);
  return value;
}

type Values = 'integer' | 'single' | 'double' | 'half';

/** What the operands are taken for. */
function valuesOf(row: OpcodeRow, random: Random): Values {
  if (random.chance(24)) return random.pick(['integer', 'single', 'double']);
  if (row.group !== 'float' && row.group !== 'fma' && row.group !== 'convert') return 'integer';
  if (/PH2PS/.test(row.mnemonic)) return 'half';
  if (/DQ2|SI2|PI2P/.test(row.mnemonic)) return 'integer';
  // a conversion's source stands before the 2; the 2 of VFMADD132PD is part of an order of operands
  const from = row.group === 'convert' ? row.mnemonic.replace(/2.*$/, '') : row.mnemonic;
  return from.endsWith('D') ? 'double' : 'single';
}

interface Encoding {
  readonly vex: boolean;
  readonly prefix: string;
  readonly map: number;
  readonly opcode: number;
  readonly reg: number | undefined;
  readonly modrm: boolean;
}

function parse(row: OpcodeRow): Encoding {
  const tokens = row.bytes.split(' ');
  const first = tokens.shift() ?? '';
  const vex = first.startsWith('VEX.');
  let map = 0;
  if (tokens[0] === '0F') {
    tokens.shift();
    map = 1;
    const second: string | undefined = tokens[0];
    if (second === '38' || second === '3A') map = tokens.shift() === '38' ? 2 : 3;
  }
  const opcode = Number.parseInt(tokens.shift() ?? '', 16);
  const field = tokens[0];
  const reg = field !== undefined && /^\/\d$/.test(field) ? Number(field[1]) : undefined;
  return { vex, prefix: vex ? first.slice(4) : first, map, opcode, reg, modrm: field !== undefined };
}

/** General registers that a case may write: not RSP and RBP. */
const GENERAL = [0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/** Bytes of one random encoding of a row, and the vector index register of a gather. */
function encode(row: OpcodeRow, random: Random): { bytes: number[]; index: number } {
  const { vex, prefix, map, opcode, reg: extension, modrm } = parse(row);
  const operands = row.operands === '' ? [] : row.operands.split(',');
  const has = (letters: string): boolean => operands.some((operand) => letters.includes(operand[0] ?? ''));
  const vsib = row.attributes.includes('vsib');
  const mmxReg = operands.some((operand) => operand[0] === 'P');
  const register = (general: boolean): number => (general ? random.pick(GENERAL) : random.below(16));
  const reg = extension ?? register(has('G'));
  const memoryOnly = has('M');
  const registerOnly = has('UNR');
  const memory = memoryOnly || (!registerOnly && has('WQE') && random.chance(2));
  let rm = register(has('E'));
  let x = 0;
  let rest: number[] = [];
  let mod = 3;
  let index = 0;
  if (memory) {
    mod = 1;
    if (vsib) {
      index = random.below(16);
      x = index >> 3;
      rm = 4;
      // base RBP, scale 1
      rest = [((index & 7) << 3) | 5, random.below(32)];
    } else {
      rm = 5;
      const aligned = random.chance(8) ? random.below(48) : random.below(3) * 32;
      rest = [(aligned - 32) & 0xff];
    }
  }
  const r = extension === undefined && !(mmxReg && random.chance(4)) ? reg >> 3 : 0;
  const modrmByte = (mod << 6) | ((reg & 7) << 3) | (rm & 7);
  const b = memory ? 0 : rm >> 3;
  const immediate = operands.some((operand) => operand === 'Ib' || operand[0] === 'L') ? [random.next() & 0xff] : [];
  const tail = [opcode, ...(modrm ? [modrmByte, ...rest] : []), ...immediate];
  const escapes = map === 2 ? [0x0f, 0x38] : map === 3 ? [0x0f, 0x3a] : [0x0f];
  if (!vex) {
    const rex = 0x40 | (random.below(2) << 3) | (r << 2) | (x << 1) | b;
    const prefixes = prefix === '66' ? [0x66] : prefix === 'F3' ? [0xf3] : prefix === 'F2' ? [0xf2] : [];
    return { bytes: [...prefixes, rex, ...escapes, ...tail], index };
  }
  const wrong = random.chance(40);
  const has1 = (name: 'w0' | 'w1' | 'l1' | 'lv' | 'lig'): boolean => row.attributes.includes(name);
  let w = has1('w1') ? 1 : has1('w0') ? 0 : random.below(2);
  let l = has1('l1') ? 1 : has1('lv') ? random.below(2) : 0;
  let v = has('HB') ? random.below(16) : 0;
  if (wrong) {
    // AMD ignores W in VPERMQ and VPERMPD; VAES gives L a meaning
    const kind = random.below(3);
    if (kind === 0) v = random.below(16);
    else if (kind === 1 && !/PERM[QP]/.test(row.mnemonic)) w = random.below(2);
    else if (kind === 2 && !has1('lig') && row.group !== 'crypto') l = random.below(2);
  }
  const pp = prefix === '66' ? 1 : prefix === 'F3' ? 2 : prefix === 'F2' ? 3 : 0;
  const last = (w << 7) | ((~v & 15) << 3) | (l << 2) | pp;
  if (map === 1 && !w && !x && !b && random.chance(2))
    return { bytes: [0xc5, (r ? 0 : 0x80) | (last & 0x7f), ...tail], index };
  return { bytes: [0xc4, (r ? 0 : 0x80) | (x ? 0 : 0x40) | (b ? 0 : 0x20) | map, last, ...tail], index };
}

/** Is the result left to the processor (approximations)? */
export function approximate(row: OpcodeRow): boolean {
  return /^V?(RCP|RSQRT)/.test(row.mnemonic);
}

/** Other registers, another encoding, other modes, with the state of a case of the same row: it takes long to draw. */
export function varyCase(row: OpcodeRow, random: Random, { record: from }: Case): Case {
  const record = Buffer.alloc(RECORD_BYTES);
  from.copy(record, 0, 0, LENGTH);
  drawModes(record, random);
  setCode(record, encode(row, random).bytes);
  return { name: row.mnemonic, record };
}

/** Floating-point rows: no operand of theirs has to fit the encoding. */
export const canVary = (row: OpcodeRow): boolean =>
  row.group === 'float' || row.group === 'fma' || row.group === 'convert';

function drawModes(record: Buffer, random: Random): void {
  const modes = random.chance(2) ? 0 : random.next() & 0xe040;
  const masks = random.chance(5) ? random.next() & 0x1f80 : 0x1f80;
  record.writeUInt32LE(modes | masks | random.pick([0, 0x20, 0x20, random.next() & 0x3f]), MXCSR);
}

function setCode(record: Buffer, bytes: readonly number[]): void {
  record.writeBigUInt64LE(BigInt(bytes.length), LENGTH);
  record.set(bytes, CODE);
}

/** One random case of a row. */
export function makeCase(row: OpcodeRow, random: Random): Case {
  const record = Buffer.alloc(RECORD_BYTES);
  const values = valuesOf(row, random);
  for (let n = 0; n < 16; n++) {
    const small = /PCMPESTR/.test(row.mnemonic) && random.chance(2);
    record.writeBigUInt64LE(
      small ? BigInt.asUintN(64, BigInt(random.below(40) - 20)) : quadword(random, 'integer'),
      GPR + n * 8,
    );
  }
  record.writeBigUInt64LE(BigInt(0x202 | (random.next() & STATUS)), FLAGS);
  drawModes(record, random);
  // operands that have to do with each other: sums that cancel, quotients and roots that are exact, and what is beside
  let pool: bigint[] = [];
  if (values === 'single' || values === 'double') {
    const style = random.below(4);
    if (style === 0) pool = relatedNumbers((n) => random.below(n), values);
    if (style === 1) pool = leanNumbers((n) => random.below(n), values);
  }
  const vector = (): bigint => {
    if (pool.length === 0) return quadword(random, values);
    return values === 'double' ? random.pick(pool) : (random.pick(pool) << 32n) | random.pick(pool);
  };
  for (let n = 0; n < 64; n++) record.writeBigUInt64LE(vector(), YMM + n * 8);
  if (/PCMP[EI]STR/.test(row.mnemonic)) {
    for (let n = 0; n < 512; n++) if (!random.chance(12)) record[YMM + n] = 0x40 + random.below(4);
    for (let n = 0; n < 512; n++) if (random.chance(24)) record[YMM + n] = 0;
  }
  // x87: default control word, some TOP, some tags
  record.writeUInt16LE(0x37f, FX);
  record.writeUInt16LE(random.below(8) << 11, FX + 2);
  record[FX + 4] = random.next() & 0xff;
  record.writeUInt32LE(0x1f80, FX + 24);
  record.writeUInt32LE(0xffff, FX + 28);
  for (let n = 0; n < 8; n++) {
    record.writeBigUInt64LE(quadword(random, values), FX + 32 + n * 16);
    record.writeUInt16LE(random.next() & 0xffff, FX + 40 + n * 16);
  }
  for (let n = 0; n < MEMORY_BYTES / 8; n++) record.writeBigUInt64LE(vector(), MEMORY + n * 8);
  const { bytes, index } = encode(row, random);
  if (row.attributes.includes('vsib')) {
    // indices that stay inside the memory
    const wide = (bytes[3] ?? 0) & 1;
    for (let n = 0; n < (wide ? 4 : 8); n++) {
      const value = random.below(96) - 48;
      if (wide) record.writeBigInt64LE(BigInt(value), YMM + index * 32 + n * 8);
      else record.writeInt32LE(value, YMM + index * 32 + n * 4);
    }
  }
  if (/LDMXCSR/.test(row.mnemonic)) {
    // AMD's CPUs have MXCSR.MM, which is reserved on Intel's
    const at = MEMORY + MEMORY_CENTRE + (((bytes[bytes.length - 1] ?? 0) << 24) >> 24) + 2;
    record[at] = (record[at] ?? 0) & ~2;
  }
  if (/MASKMOV[QD]/.test(row.mnemonic) && row.bytes.includes('0F F7')) {
    record.writeUInt32LE(RDI_POINTS, OPTIONS);
    record.writeBigUInt64LE(BigInt(random.below(64)), GPR + 7 * 8);
  }
  setCode(record, bytes);
  return { name: row.mnemonic, record };
}

/**
 * The case for 32-bit code: without REX, VEX with the eight registers that there are, registers of 32 bits. undefined
 * where it would then write ESP or EBP, or index with another register than the one that holds indices.
 */
export function inCompatibility({ name, record: from }: Case): Case | undefined {
  const record = Buffer.from(from);
  const code = [...codeOf(record)];
  let at = 0;
  while (code[at] === 0x66 || code[at] === 0xf2 || code[at] === 0xf3) at++;
  const first = code[at] ?? 0;
  let extended = 0;
  let opcode = at;
  if ((first & 0xf0) === 0x40) {
    extended = first & 7;
    code.splice(at, 1);
    opcode = at + (code[at + 1] === 0x38 || code[at + 1] === 0x3a ? 2 : 1);
  } else if (first === 0xc4) {
    extended = ~((code[at + 1] ?? 0) >> 5) & 7;
    code[at + 1] = (code[at + 1] ?? 0) | 0xe0;
    code[at + 2] = (code[at + 2] ?? 0) | 0x40;
    opcode = at + 3;
  } else if (first === 0xc5) {
    extended = (code[at + 1] ?? 0) & 0x80 ? 0 : 4;
    code[at + 1] = (code[at + 1] ?? 0) | 0xc0;
    opcode = at + 2;
  }
  const modrm = code[opcode + 1] ?? 0;
  const stack = (register: number): boolean => (register & 6) === 4;
  if (extended & 2) return undefined;
  if (extended & 4 && stack((modrm >> 3) & 7)) return undefined;
  if (extended & 1 && modrm >= 0xc0 && stack(modrm & 7)) return undefined;
  for (let n = 0; n < 16; n++) {
    const value = n < 8 ? record.readBigUInt64LE(GPR + n * 8) & 0xffff_ffffn : 0n;
    record.writeBigUInt64LE(value, GPR + n * 8);
  }
  record.writeUInt32LE(record.readUInt32LE(OPTIONS) | COMPATIBILITY, OPTIONS);
  record.fill(0, CODE, CODE + 16);
  record.set(code, CODE);
  record.writeBigUInt64LE(BigInt(code.length), LENGTH);
  return { name, record };
}

/** What 64-bit code sees of registers that 32-bit code cannot name, or has half of, is the CPU's own affair. */
export function cutTo32(record: Buffer): Buffer {
  for (let n = 0; n < 16; n++) {
    const value = n < 8 && n !== 4 && n !== 5 ? record.readBigUInt64LE(GPR + n * 8) & 0xffff_ffffn : 0n;
    record.writeBigUInt64LE(value, GPR + n * 8);
  }
  return record;
}

export const codeOf = (record: Buffer): Buffer => record.subarray(CODE, CODE + Number(record.readBigUInt64LE(LENGTH)));
export const rdiPoints = (record: Buffer): boolean => (record.readUInt32LE(OPTIONS) & RDI_POINTS) !== 0;

/** The parts of a result that are defined: of a fault the signal and MXCSR only. */
export function definedBytes(record: Buffer, x87: boolean): Buffer[] {
  const parts = [record.subarray(FAULT, FAULT + 8), record.subarray(MXCSR, MXCSR + 4)];
  if (record.readBigUInt64LE(FAULT) !== 0n) return parts;
  for (let n = 0; n < 16; n++) if (n !== 4 && n !== 5) parts.push(record.subarray(GPR + n * 8, GPR + n * 8 + 8));
  parts.push(record.subarray(FLAGS, FLAGS + 8), record.subarray(YMM, YMM + 512));
  if (x87) {
    parts.push(record.subarray(FX + 2, FX + 5));
    for (let n = 0; n < 8; n++) parts.push(record.subarray(FX + 32 + n * 16, FX + 42 + n * 16));
  }
  parts.push(record.subarray(MEMORY, MEMORY + MEMORY_BYTES));
  return parts;
}
