// What floating-point instructions of SSE and AVX share in compiled code: formats, operands, and which numbers are ordinary.
import type { DecodedUop } from './decoded.js';
import {
  clearHigh,
  firstOf,
  formOf,
  inMemory,
  inPlace,
  isVex,
  isWhole,
  type VectorCode,
  type VectorScope,
} from './vector-code.js';
import { F32, F64, type FunctionWriter, type MemoryOp, type Op, type SimdOp } from './wasm-writer.js';

/** A format: its scalar and vector instructions, least and greatest normal number. */
export interface Format {
  readonly scalar: 'f32' | 'f64';
  readonly vector: 'f32x4' | 'f64x2';
  readonly type: number;
  readonly bytes: 4 | 8;
  readonly least: number;
  readonly greatest: number;
  /** Bits of a significand. */
  readonly precision: number;
}

export const SINGLE: Format = {
  scalar: 'f32',
  vector: 'f32x4',
  type: F32,
  bytes: 4,
  least: 2 ** -126,
  greatest: (2 - 2 ** -23) * 2 ** 127,
  precision: 24,
};
export const DOUBLE: Format = {
  scalar: 'f64',
  vector: 'f64x2',
  type: F64,
  bytes: 8,
  least: 2 ** -1022,
  greatest: Number.MAX_VALUE,
  precision: 53,
};

export const formatOf = (uop: DecodedUop): Format => (formOf(uop) & 1 ? DOUBLE : SINGLE);

export const op = ({ scalar }: Format, name: string): Op => `${scalar}.${name}` as Op;
export const simd = ({ vector }: Format, name: string): SimdOp => `${vector}.${name}` as SimdOp;

export function constant(code: FunctionWriter, format: Format, value: number): FunctionWriter {
  return format === DOUBLE ? code.f64(value) : code.f32(value);
}

/** The constant in all elements. */
export function splat(code: FunctionWriter, format: Format, value: number): FunctionWriter {
  const element =
    format === DOUBLE
      ? [...new Uint8Array(Float64Array.of(value).buffer)]
      : [...new Uint8Array(Float32Array.of(value).buffer)];
  return code.v128Const(Array.from({ length: 16 }, (_, n) => element[n % element.length]));
}

/** The lowest element of a vector register. */
export function lowest({ code, xmm }: VectorScope, format: Format, register: number): FunctionWriter {
  return code.get(xmm(register)).simd(simd(format, 'extract_lane'), 0);
}

/** The scalar source, from a register or memory. */
export function scalarSource(scope: VectorScope, format: Format): FunctionWriter {
  const { code, uop, pointer } = scope;
  if (inMemory(uop)) return code.get(pointer).memory(`${format.scalar}.load` as MemoryOp, 0);
  return lowest(scope, format, uop.rm);
}

/** Takes a value and answers 1 when it is neither a zero, a denormal nor a NaN. */
export const isLarge = (code: FunctionWriter, format: Format, least = format.least): FunctionWriter =>
  constant(code.op(op(format, 'abs')), format, least).op(op(format, 'ge'));

/** Pushes 1 when the value in a local is a normal number or a zero. */
export function isOrdinary(code: FunctionWriter, format: Format, local: number): void {
  isLarge(code.get(local), format);
  constant(code.get(local), format, 0).op(op(format, 'eq'), 'i32.or');
}

/** Pushes 1 when a result is finite and not so small that rounding may have been an underflow. */
export function isRoomy(code: FunctionWriter, format: Format, result: number): void {
  isLarge(code.get(result), format, format.least * 2);
  constant(code.get(result).op(op(format, 'abs')), format, format.greatest).op(op(format, 'le'), 'i32.and');
}

export function made(uop: DecodedUop, format: Format, scalar: boolean, more: Partial<VectorCode>): VectorCode {
  return inPlace(scalar ? format.bytes : isWhole(uop) ? 32 : 16, () => {}, {
    aligned: !scalar && !isVex(uop),
    asksMode: true,
    quick: true,
    reads: inMemory(uop) ? [firstOf(uop)] : [firstOf(uop), uop.rm],
    writes: [uop.r],
    ...more,
  });
}

/** The result of a scalar, in a local: the elements above come from the first source. */
export function setLowest(scope: VectorScope, format: Format, result: number): void {
  const { code, uop, xmm } = scope;
  code
    .get(xmm(firstOf(uop)))
    .get(result)
    .simd(simd(format, 'replace_lane'), 0)
    .set(xmm(uop.r));
  clearHigh(scope);
}

export type Arithmetic = 'add' | 'sub' | 'mul' | 'div';

/** Pushes the error of a sum or difference in locals, by Knuth's two-sum: itself exact. */
export function sumError(
  code: FunctionWriter,
  operate: (name: Arithmetic) => void,
  name: 'add' | 'sub',
  a: number,
  b: number,
  result: number,
  part: number,
): void {
  code.get(result).get(a);
  operate('sub');
  code.set(part);
  code.get(a).get(result).get(part);
  operate('sub');
  operate('sub');
  code.get(b).get(part);
  // of a difference part is near -b
  operate(name === 'add' ? 'sub' : 'add');
  operate(name);
}
