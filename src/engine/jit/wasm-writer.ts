// Writes WebAssembly: instructions of one function, and the module around functions. @wasm 5 "Binary Format"
import { CodeBytes } from './code-bytes.js';

export const I32 = 0x7f;
export const I64 = 0x7e;
export const F32 = 0x7d;
export const F64 = 0x7c;
export const V128 = 0x7b;
const VOID = 0x40;
const ZEROS: readonly number[] = new Array<number>(16).fill(0);
const FUNCTION_TYPE = 0x60;

/** Opcodes without immediates that the compiler uses. */
export const OP = {
  unreachable: 0x00,
  else: 0x05,
  end: 0x0b,
  return: 0x0f,
  drop: 0x1a,
  select: 0x1b,
  'i32.eqz': 0x45,
  'i32.eq': 0x46,
  'i32.ne': 0x47,
  'i32.lt_s': 0x48,
  'i32.lt_u': 0x49,
  'i32.gt_s': 0x4a,
  'i32.gt_u': 0x4b,
  'i32.le_s': 0x4c,
  'i32.le_u': 0x4d,
  'i32.ge_s': 0x4e,
  'i32.ge_u': 0x4f,
  'i64.eqz': 0x50,
  'i64.eq': 0x51,
  'i64.ne': 0x52,
  'i64.lt_s': 0x53,
  'i64.lt_u': 0x54,
  'i64.gt_s': 0x55,
  'i64.gt_u': 0x56,
  'i64.le_s': 0x57,
  'i64.le_u': 0x58,
  'i64.ge_s': 0x59,
  'i64.ge_u': 0x5a,
  'i32.clz': 0x67,
  'i32.ctz': 0x68,
  'i32.popcnt': 0x69,
  'i32.add': 0x6a,
  'i32.sub': 0x6b,
  'i32.mul': 0x6c,
  'i32.div_u': 0x6e,
  'i32.and': 0x71,
  'i32.or': 0x72,
  'i32.xor': 0x73,
  'i32.shl': 0x74,
  'i32.shr_s': 0x75,
  'i32.shr_u': 0x76,
  'i32.rotl': 0x77,
  'i32.rotr': 0x78,
  'i64.clz': 0x79,
  'i64.ctz': 0x7a,
  'i64.popcnt': 0x7b,
  'i64.add': 0x7c,
  'i64.sub': 0x7d,
  'i64.mul': 0x7e,
  'i64.div_s': 0x7f,
  'i64.div_u': 0x80,
  'i64.rem_u': 0x82,
  'i64.and': 0x83,
  'i64.or': 0x84,
  'i64.xor': 0x85,
  'i64.shl': 0x86,
  'i64.shr_s': 0x87,
  'i64.shr_u': 0x88,
  'i64.rotl': 0x89,
  'i64.rotr': 0x8a,
  'f32.eq': 0x5b,
  'f32.ne': 0x5c,
  'f32.lt': 0x5d,
  'f32.gt': 0x5e,
  'f32.le': 0x5f,
  'f32.ge': 0x60,
  'f64.eq': 0x61,
  'f64.ne': 0x62,
  'f64.lt': 0x63,
  'f64.gt': 0x64,
  'f64.le': 0x65,
  'f64.ge': 0x66,
  'f32.abs': 0x8b,
  'f32.trunc': 0x8f,
  'f32.nearest': 0x90,
  'f32.sqrt': 0x91,
  'f32.add': 0x92,
  'f32.sub': 0x93,
  'f32.mul': 0x94,
  'f32.div': 0x95,
  'f32.min': 0x96,
  'f64.abs': 0x99,
  'f64.trunc': 0x9d,
  'f64.nearest': 0x9e,
  'f64.sqrt': 0x9f,
  'f64.add': 0xa0,
  'f64.sub': 0xa1,
  'f64.mul': 0xa2,
  'f64.div': 0xa3,
  'f64.min': 0xa4,
  'i32.wrap': 0xa7,
  'i32.trunc_f32_s': 0xa8,
  'i32.trunc_f64_s': 0xaa,
  'i64.trunc_f32_s': 0xae,
  'i64.trunc_f64_s': 0xb0,
  'f32.convert_i32_s': 0xb2,
  'f32.convert_i64_s': 0xb4,
  'f32.demote_f64': 0xb6,
  'f64.convert_i32_s': 0xb7,
  'f64.convert_i64_s': 0xb9,
  'f64.promote_f32': 0xbb,
  'i64.reinterpret_f64': 0xbd,
  'i64.extend_s': 0xac,
  'i64.extend_u': 0xad,
  'i32.extend8_s': 0xc0,
  'i32.extend16_s': 0xc1,
  'i64.extend8_s': 0xc2,
  'i64.extend16_s': 0xc3,
  'i64.extend32_s': 0xc4,
} as const;
export type Op = keyof typeof OP;

/** Loads and stores: opcode and log2 of the natural alignment. */
const MEMORY = {
  'i32.load': [0x28, 2],
  'i64.load': [0x29, 3],
  'f32.load': [0x2a, 2],
  'f64.load': [0x2b, 3],
  'i32.load8_s': [0x2c, 0],
  'i32.load8_u': [0x2d, 0],
  'i32.load16_s': [0x2e, 1],
  'i32.load16_u': [0x2f, 1],
  'i32.store': [0x36, 2],
  'i64.store': [0x37, 3],
  'f32.store': [0x38, 2],
  'f64.store': [0x39, 3],
  'i32.store8': [0x3a, 0],
  'i32.store16': [0x3b, 1],
} as const;
export type MemoryOp = keyof typeof MEMORY;

/** Vector opcodes, behind the prefix FDh. @wasm 5.4.8 "Vector Instructions" */
export const SIMD = {
  'i8x16.shuffle': 13,
  'i8x16.swizzle': 14,
  'i8x16.splat': 15,
  'i16x8.splat': 16,
  'i32x4.splat': 17,
  'i64x2.splat': 18,
  'i8x16.extract_lane_u': 22,
  'i8x16.replace_lane': 23,
  'i16x8.extract_lane_u': 25,
  'i16x8.replace_lane': 26,
  'i32x4.extract_lane': 27,
  'i32x4.replace_lane': 28,
  'i64x2.extract_lane': 29,
  'i64x2.replace_lane': 30,
  'f32x4.extract_lane': 31,
  'f32x4.replace_lane': 32,
  'f64x2.extract_lane': 33,
  'f64x2.replace_lane': 34,
  'i8x16.eq': 35,
  'i8x16.gt_s': 39,
  'i16x8.eq': 45,
  'i16x8.gt_s': 49,
  'i32x4.eq': 55,
  'i32x4.gt_s': 59,
  'f32x4.eq': 65,
  'f32x4.ne': 66,
  'f32x4.lt': 67,
  'f32x4.gt': 68,
  'f32x4.le': 69,
  'f32x4.ge': 70,
  'f64x2.eq': 71,
  'f64x2.ne': 72,
  'f64x2.lt': 73,
  'f64x2.gt': 74,
  'f64x2.le': 75,
  'f64x2.ge': 76,
  'v128.and': 78,
  'v128.andnot': 79,
  'v128.or': 80,
  'v128.xor': 81,
  'v128.bitselect': 82,
  'v128.any_true': 83,
  'i8x16.abs': 96,
  'i8x16.bitmask': 100,
  'i8x16.narrow_i16x8_s': 101,
  'i8x16.narrow_i16x8_u': 102,
  'i8x16.add': 110,
  'i8x16.add_sat_s': 111,
  'i8x16.add_sat_u': 112,
  'i8x16.sub': 113,
  'i8x16.sub_sat_s': 114,
  'i8x16.sub_sat_u': 115,
  'i8x16.min_s': 118,
  'i8x16.min_u': 119,
  'i8x16.max_s': 120,
  'i8x16.max_u': 121,
  'i8x16.avgr_u': 123,
  'i16x8.abs': 128,
  'i16x8.narrow_i32x4_s': 133,
  'i16x8.narrow_i32x4_u': 134,
  'i16x8.extend_low_i8x16_s': 135,
  'i16x8.extend_high_i8x16_s': 136,
  'i16x8.extend_low_i8x16_u': 137,
  'i16x8.extend_high_i8x16_u': 138,
  'i16x8.shl': 139,
  'i16x8.shr_s': 140,
  'i16x8.shr_u': 141,
  'i16x8.add': 142,
  'i16x8.add_sat_s': 143,
  'i16x8.add_sat_u': 144,
  'i16x8.sub': 145,
  'i16x8.sub_sat_s': 146,
  'i16x8.sub_sat_u': 147,
  'i16x8.mul': 149,
  'i16x8.min_s': 150,
  'i16x8.min_u': 151,
  'i16x8.max_s': 152,
  'i16x8.max_u': 153,
  'i16x8.avgr_u': 155,
  'i32x4.abs': 160,
  'i32x4.all_true': 163,
  'i32x4.bitmask': 164,
  'i32x4.extend_low_i16x8_s': 167,
  'i32x4.extend_high_i16x8_s': 168,
  'i32x4.extend_low_i16x8_u': 169,
  'i32x4.extend_high_i16x8_u': 170,
  'i32x4.shl': 171,
  'i32x4.shr_s': 172,
  'i32x4.shr_u': 173,
  'i32x4.add': 174,
  'i32x4.sub': 177,
  'i32x4.mul': 181,
  'i32x4.min_s': 182,
  'i32x4.min_u': 183,
  'i32x4.max_s': 184,
  'i32x4.max_u': 185,
  'i32x4.dot_i16x8_s': 186,
  'i64x2.all_true': 195,
  'i64x2.bitmask': 196,
  'i64x2.extend_low_i32x4_s': 199,
  'i64x2.extend_high_i32x4_s': 200,
  'i64x2.extend_low_i32x4_u': 201,
  'i64x2.extend_high_i32x4_u': 202,
  'i64x2.shl': 203,
  'i64x2.shr_u': 205,
  'i64x2.add': 206,
  'i64x2.sub': 209,
  'i64x2.eq': 214,
  'i64x2.gt_s': 217,
  'i64x2.extmul_low_i32x4_u': 222,
  'f32x4.convert_i32x4_s': 250,
  'f64x2.convert_low_i32x4_s': 254,
  'f32x4.demote_f64x2_zero': 94,
  'f64x2.promote_low_f32x4': 95,
  'f32x4.abs': 224,
  'f32x4.sqrt': 227,
  'f32x4.add': 228,
  'f32x4.sub': 229,
  'f32x4.mul': 230,
  'f32x4.div': 231,
  'f32x4.min': 232,
  'f32x4.pmin': 234,
  'f64x2.abs': 236,
  'f64x2.sqrt': 239,
  'f64x2.add': 240,
  'f64x2.sub': 241,
  'f64x2.mul': 242,
  'f64x2.div': 243,
  'f64x2.min': 244,
  'f64x2.pmin': 246,
} as const;
export type SimdOp = keyof typeof SIMD;

/** Unsigned LEB128. */
function pushUnsigned(out: number[], value: number): void {
  let rest = value;
  while (rest > 127) {
    out.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  out.push(rest);
}

/** The body of one function: parameters first, then locals as they are asked for. */
export class FunctionWriter {
  readonly #code = new CodeBytes();
  readonly #locals: number[] = [];
  /** Calls of imported functions: where their numbers lie, of one byte. */
  readonly #calls: { at: number; place: number }[] = [];
  /** Open blocks, for the distance of branches. */
  #depth = 0;

  constructor(readonly parameters: readonly number[]) {}

  /** Bytes written so far. */
  get size(): number {
    return this.#code.size;
  }

  /** Number of a new local. */
  local(type: number): number {
    this.#locals.push(type);
    return this.parameters.length + this.#locals.length - 1;
  }

  /** An opcode and an unsigned number. */
  #with(opcode: number, value: number): this {
    const code = this.#code;
    code.put(opcode);
    code.unsigned(value);
    return this;
  }

  op(...names: Op[]): this {
    for (let n = 0; n < names.length; n++) this.#code.put(OP[names[n]]);
    return this;
  }

  get(local: number): this {
    return this.#with(0x20, local);
  }

  set(local: number): this {
    return this.#with(0x21, local);
  }

  tee(local: number): this {
    return this.#with(0x22, local);
  }

  i32(value: number): this {
    this.#code.put(0x41);
    this.#code.signed32(value | 0);
    return this;
  }

  i64(value: bigint): this {
    this.#code.put(0x42);
    // most are small, and numbers are ten times faster
    if (value >= -0x8000_0000n && value < 0x8000_0000n) this.#code.signed32(Number(value));
    else this.#code.signed64(BigInt.asIntN(64, value));
    return this;
  }

  memory(op: MemoryOp, offset: number): this {
    const [code, align] = MEMORY[op];
    this.#code.put(code);
    return this.#with(align, offset);
  }

  v128Load(offset: number): this {
    this.#code.put(0xfd);
    this.#code.put(0);
    return this.#with(4, offset);
  }

  v128Store(offset: number): this {
    this.#code.put(0xfd);
    this.#code.put(11);
    return this.#with(4, offset);
  }

  /** Loads 4 or 8 bytes into the lowest element, zeros above. */
  v128LoadZero(bytes: 4 | 8): this {
    this.#code.putAll([0xfd, bytes === 4 ? 92 : 93, bytes === 4 ? 2 : 3, 0]);
    return this;
  }

  /** Vector instructions; bytes: the lane, or those of a shuffle. */
  simd(name: SimdOp, ...bytes: number[]): this {
    this.#with(0xfd, SIMD[name]);
    this.#code.putAll(bytes);
    return this;
  }

  v128Const(bytes: readonly number[]): this {
    this.#with(0xfd, 12);
    this.#code.putAll(bytes);
    return this;
  }

  f32(value: number): this {
    this.#code.put(0x43);
    this.#code.putAll(new Uint8Array(Float32Array.of(value).buffer));
    return this;
  }

  f64(value: number): this {
    this.#code.put(0x44);
    this.#code.putAll(new Uint8Array(Float64Array.of(value).buffer));
    return this;
  }

  v128Zero(): this {
    return this.v128Const(ZEROS);
  }

  /** Calls an imported function: its place in IMPORTS stands for it until the module puts its number. */
  callImport(name: Import): this {
    const place = IMPORTS.findIndex((one) => one.name === name);
    this.#with(0x10, place);
    this.#calls.push({ at: this.#code.size - 1, place });
    return this;
  }

  /** Places in IMPORTS of what it calls. */
  get called(): readonly number[] {
    return this.#calls.map(({ place }) => place);
  }

  /** Opens a block, loop or if; answers its place for branch(). */
  open(kind: 'block' | 'loop' | 'if'): number {
    this.#with(kind === 'block' ? 0x02 : kind === 'loop' ? 0x03 : 0x04, VOID);
    return ++this.#depth;
  }

  close(): this {
    this.#depth--;
    return this.op('end');
  }

  branch(place: number, conditional = false): this {
    return this.#with(conditional ? 0x0d : 0x0c, this.#depth - place);
  }

  /** br_table by the i32 on the stack. */
  table(places: readonly number[], otherwise: number): this {
    this.#with(0x0e, places.length);
    for (const place of places) this.#code.unsigned(this.#depth - place);
    this.#code.unsigned(this.#depth - otherwise);
    return this;
  }

  /** @param numbers of the functions at the places of IMPORTS */
  finish(numbers: (place: number) => number): { size: number; pieces: readonly (readonly number[] | Uint8Array)[] } {
    const { written } = this.#code;
    for (const { at, place } of this.#calls) written[at] = numbers(place);
    const locals: number[] = [];
    pushUnsigned(locals, this.#locals.length);
    for (const type of this.#locals) locals.push(1, type);
    this.op('end');
    return { size: locals.length + this.#code.size, pieces: [locals, this.#code.written] };
  }
}

/** Bytes in pieces, so that none is copied twice. */
class Pieces {
  readonly #pieces: (readonly number[] | Uint8Array)[] = [];
  size = 0;

  add(piece: readonly number[] | Uint8Array): void {
    this.#pieces.push(piece);
    this.size += piece.length;
  }

  write(to: Uint8Array, from: number): void {
    let at = from;
    for (const piece of this.#pieces) {
      to.set(piece, at);
      at += piece.length;
    }
  }
}

const text = (value: string): number[] => [value.length, ...[...value].map((c) => c.charCodeAt(0))];
const unsigned = (value: number): number[] => {
  const out: number[] = [];
  pushUnsigned(out, value);
  return out;
};

/** Functions of the core that a module imports, with the types of their parameters; each answers an i32 unless it says otherwise. */
export const IMPORTS = [
  { name: 'callLean', parameters: [I32, I32, I32] },
  { name: 'callWhole', parameters: [I32, I64, I32, I32] },
  { name: 'callAlone', parameters: [I32, I64, I32, I32] },
  { name: 'crc32', parameters: [I32, I64, I32] },
  { name: 'divide128', parameters: [I64, I64, I64], result: I64 },
  { name: 'squareRoot128', parameters: [I64, I64], result: I64 },
  { name: 'crypto', parameters: [V128, V128, I32, I32], result: V128 },
  { name: 'callCpuid', parameters: [I64, I32, I32, I64, I64] },
  { name: 'callRdmsr', parameters: [I64, I32, I32] },
  { name: 'callWrmsr', parameters: [I64, I32, I32] },
  { name: 'callInvlpg', parameters: [I64] },
  { name: 'callPause', parameters: [I32] },
  { name: 'callPort', parameters: [I64, I32, I32] },
  { name: 'callSegment', parameters: [I32, I32] },
  { name: 'storeFlags', parameters: [I32, I64, I64, I32] },
] as const;
export type Import = (typeof IMPORTS)[number]['name'];

/** A memory of 0 to 65536 pages. */
const MEMORY_IMPORT = [...text('env'), ...text('memory'), 2, 1, 0, 0x80, 0x80, 4];
/** Their types and entries, by place. */
const TYPES = IMPORTS.map((one) => {
  const result = 'result' in one ? one.result : I32;
  return [FUNCTION_TYPE, one.parameters.length, ...one.parameters, 1, result];
});
const NAMES = IMPORTS.map(({ name }) => [...text('env'), ...text(name), 0]);

/**
 * A module that imports `env.memory` and what it calls of IMPORTS, and exports functions of one type, without result, as 0, 1, ...
 * Only that: for each type of an imported function V8 compiles a way to JavaScript, which takes it longer than a small region.
 */
export function moduleOf(functions: readonly FunctionWriter[]): Uint8Array<ArrayBuffer> {
  const parameters = functions[0]?.parameters ?? [];
  const head: number[] = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  const section = (id: number, content: readonly number[]): void => {
    head.push(id, ...unsigned(content.length), ...content);
  };
  const called = [...new Set(functions.flatMap((one) => one.called))];
  section(1, [
    1 + called.length,
    ...called.flatMap((place) => TYPES[place]),
    ...[FUNCTION_TYPE, parameters.length, ...parameters, 0],
  ]);
  section(2, [1 + called.length, ...called.flatMap((place, type) => [...NAMES[place], type]), ...MEMORY_IMPORT]);
  const count = unsigned(functions.length);
  section(3, [...count, ...functions.map(() => called.length)]);
  section(7, [...count, ...functions.flatMap((_, n) => [...text(String(n)), 0, ...unsigned(called.length + n)])]);
  const code = new Pieces();
  code.add(count);
  for (const one of functions) {
    const body = one.finish((place) => called.indexOf(place));
    code.add(unsigned(body.size));
    for (const piece of body.pieces) code.add(piece);
  }
  head.push(10, ...unsigned(code.size));
  const out = new Uint8Array(head.length + code.size);
  out.set(head);
  code.write(out, head.length);
  return out;
}
