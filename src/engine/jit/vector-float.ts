// Floating-point arithmetic of SSE in compiled code: plain arithmetic where it answers the same, exceptions included.
// Operands and results out of the ordinary (NaNs, infinities, denormals, overflow, underflow) are the handler's.
import type { DecodedUop } from './decoded.js';
import { formOf, inMemory, isWide, source, type VectorCode, type VectorScope, vectorOperation } from './vector-code.js';
import { F32, F64, type FunctionWriter, type MemoryOp, type Op, type SimdOp, V128 } from './wasm-writer.js';

/** A format: its scalar and vector instructions, least and greatest normal number. */
interface Format {
  readonly scalar: 'f32' | 'f64';
  readonly vector: 'f32x4' | 'f64x2';
  readonly type: number;
  readonly bytes: 4 | 8;
  readonly least: number;
  readonly greatest: number;
}

const SINGLE: Format = {
  scalar: 'f32',
  vector: 'f32x4',
  type: F32,
  bytes: 4,
  least: 2 ** -126,
  greatest: (2 - 2 ** -23) * 2 ** 127,
};
const DOUBLE: Format = {
  scalar: 'f64',
  vector: 'f64x2',
  type: F64,
  bytes: 8,
  least: 2 ** -1022,
  greatest: Number.MAX_VALUE,
};

const formatOf = (uop: DecodedUop): Format => (formOf(uop) & 1 ? DOUBLE : SINGLE);

const op = ({ scalar }: Format, name: string): Op => `${scalar}.${name}` as Op;
const simd = ({ vector }: Format, name: string): SimdOp => `${vector}.${name}` as SimdOp;

function constant(code: FunctionWriter, format: Format, value: number): FunctionWriter {
  return format === DOUBLE ? code.f64(value) : code.f32(value);
}

/** The constant in all elements. */
function splat(code: FunctionWriter, format: Format, value: number): FunctionWriter {
  const element =
    format === DOUBLE
      ? [...new Uint8Array(Float64Array.of(value).buffer)]
      : [...new Uint8Array(Float32Array.of(value).buffer)];
  return code.v128Const(Array.from({ length: 16 }, (_, n) => element[n % element.length]));
}

/** The lowest element of a vector register. */
function lowest({ code, xmm }: VectorScope, format: Format, register: number): FunctionWriter {
  return code.get(xmm(register)).simd(simd(format, 'extract_lane'), 0);
}

/** The scalar source, from a register or memory. */
function scalarSource(scope: VectorScope, format: Format): FunctionWriter {
  const { code, uop, pointer } = scope;
  if (inMemory(uop)) return code.get(pointer).memory(`${format.scalar}.load` as MemoryOp, 0);
  return lowest(scope, format, uop.rm);
}

/** Takes a value and answers 1 when it is neither a zero, a denormal nor a NaN. */
const isLarge = (code: FunctionWriter, format: Format, least = format.least): FunctionWriter =>
  constant(code.op(op(format, 'abs')), format, least).op(op(format, 'ge'));

/** Pushes 1 when the value in a local is a normal number or a zero. */
function isOrdinary(code: FunctionWriter, format: Format, local: number): void {
  isLarge(code.get(local), format);
  constant(code.get(local), format, 0).op(op(format, 'eq'), 'i32.or');
}

/** Pushes 1 when a result is finite and not so small that rounding may have been an underflow. */
function isRoomy(code: FunctionWriter, format: Format, result: number): void {
  isLarge(code.get(result), format, format.least * 2);
  constant(code.get(result).op(op(format, 'abs')), format, format.greatest).op(op(format, 'le'), 'i32.and');
}

function made(uop: DecodedUop, format: Format, scalar: boolean, more: Partial<VectorCode>): VectorCode {
  return {
    bytes: scalar ? format.bytes : 16,
    aligned: !scalar,
    writesMemory: false,
    quick: true,
    reads: inMemory(uop) ? [uop.r] : [uop.r, uop.rm],
    writes: [uop.r],
    readsGeneral: [],
    writesGeneral: [],
    write: () => {},
    ...more,
  };
}

const ARITHMETIC: Record<string, string> = { ADD: 'add', SUB: 'sub', MUL: 'mul', DIV: 'div' };

function setLowest({ code, uop, xmm }: VectorScope, format: Format, result: number): void {
  code.get(xmm(uop.r)).get(result).simd(simd(format, 'replace_lane'), 0).set(xmm(uop.r));
}

/** Pushes 1 when a result is a zero that rounding did not make: any sum, a product or quotient of a zero. */
function isExactZero(code: FunctionWriter, format: Format, name: string, a: number, b: number, result: number): void {
  constant(code.get(result), format, 0).op(op(format, 'eq'));
  if (name === 'add' || name === 'sub') return;
  constant(code.get(a), format, 0).op(op(format, 'eq'));
  if (name === 'mul') constant(code.get(b), format, 0).op(op(format, 'eq'), 'i32.or');
  code.op('i32.and');
}

function scalarArithmetic(uop: DecodedUop, format: Format, name: string): VectorCode {
  return made(uop, format, true, {
    write(scope) {
      const { code, temporary, giveUpIf } = scope;
      const [a, b, result] = ['a', 'b', 'r'].map((one) => temporary(`${format.scalar} ${one}`, format.type));
      lowest(scope, format, uop.r).set(a);
      scalarSource(scope, format).set(b);
      code.get(a).get(b).op(op(format, name)).set(result);
      code.get(a).op(op(format, 'abs')).get(b).op(op(format, 'abs'), op(format, 'min'));
      constant(code, format, format.least).op(op(format, 'ge'));
      isRoomy(code, format, result);
      code.op('i32.and', 'i32.eqz').open('if');
      isOrdinary(code, format, a);
      isOrdinary(code, format, b);
      isRoomy(code, format, result);
      isExactZero(code, format, name, a, b, result);
      code.op('i32.or', 'i32.and', 'i32.and', 'i32.eqz');
      giveUpIf();
      code.close();
      setLowest(scope, format, result);
    },
  });
}

/** All ones in the elements of which isOrdinary() is true. */
function areOrdinary(code: FunctionWriter, format: Format, local: number): void {
  splat(code.get(local).simd(simd(format, 'abs')), format, format.least).simd(simd(format, 'ge'));
  splat(code.get(local), format, 0).simd(simd(format, 'eq')).simd('v128.or');
}

/** All ones in the elements of which isRoomy() is true. */
function areRoomy(code: FunctionWriter, format: Format, result: number): void {
  splat(code.get(result).simd(simd(format, 'abs')), format, format.least * 2).simd(simd(format, 'ge'));
  splat(code.get(result).simd(simd(format, 'abs')), format, format.greatest)
    .simd(simd(format, 'le'))
    .simd('v128.and');
}

/** All ones in the elements of which isExactZero() is true. */
function areExactZeros(code: FunctionWriter, format: Format, name: string, a: number, b: number, result: number): void {
  splat(code.get(result), format, 0).simd(simd(format, 'eq'));
  if (name === 'add' || name === 'sub') return;
  splat(code.get(a), format, 0).simd(simd(format, 'eq'));
  if (name === 'mul') splat(code.get(b), format, 0).simd(simd(format, 'eq')).simd('v128.or');
  code.simd('v128.and');
}

function packedArithmetic(uop: DecodedUop, format: Format, name: string): VectorCode {
  return made(uop, format, false, {
    write(scope) {
      const { code, temporary, giveUpIf, xmm } = scope;
      const [b, result] = ['second', 'vector r'].map((one) => temporary(one, V128));
      const a = xmm(uop.r);
      const allTrue = format === DOUBLE ? 'i64x2.all_true' : 'i32x4.all_true';
      source(scope);
      code.set(b);
      code.get(a).get(b).simd(simd(format, name)).set(result);
      code.get(a).simd(simd(format, 'abs')).get(b).simd(simd(format, 'abs')).simd(simd(format, 'min'));
      splat(code, format, format.least).simd(simd(format, 'ge'));
      areRoomy(code, format, result);
      code.simd('v128.and').simd(allTrue).op('i32.eqz').open('if');
      areOrdinary(code, format, a);
      areOrdinary(code, format, b);
      areRoomy(code, format, result);
      areExactZeros(code, format, name, a, b, result);
      code.simd('v128.or').simd('v128.and').simd('v128.and').simd(allTrue).op('i32.eqz');
      giveUpIf();
      code.close();
      code.get(result).set(a);
    },
  });
}

/** MIN and MAX: the second operand where they are equal. */
function extreme(uop: DecodedUop, format: Format, least: boolean): VectorCode {
  return made(uop, format, true, {
    quick: false,
    write(scope) {
      const { code, temporary, giveUpIf } = scope;
      const [a, b, result] = ['a', 'b', 'r'].map((one) => temporary(`${format.scalar} ${one}`, format.type));
      lowest(scope, format, uop.r).set(a);
      scalarSource(scope, format).set(b);
      isOrdinary(code, format, a);
      isOrdinary(code, format, b);
      code.op('i32.and', 'i32.eqz');
      giveUpIf();
      code.get(a).get(b);
      if (least) code.get(a).get(b);
      else code.get(b).get(a);
      code.op(op(format, 'lt'), 'select').set(result);
      setLowest(scope, format, result);
    },
  });
}

function squareRoot(uop: DecodedUop, format: Format): VectorCode {
  return made(uop, format, true, {
    write(scope) {
      const { code, temporary, giveUpIf } = scope;
      const a = temporary(`${format.scalar} a`, format.type);
      scalarSource(scope, format).set(a);
      // positive, normal and finite
      constant(code.get(a), format, format.least).op(op(format, 'ge'));
      constant(code.get(a), format, format.greatest).op(op(format, 'le'), 'i32.and', 'i32.eqz');
      giveUpIf();
      code.get(a).op(op(format, 'sqrt')).set(a);
      setLowest(scope, format, a);
    },
  });
}

/** UCOMIS and COMIS of numbers: ZF when equal, CF when less. */
function compared(uop: DecodedUop): VectorCode {
  const format = formOf(uop) === 1 ? DOUBLE : SINGLE;
  return made(uop, format, true, {
    quick: false,
    writes: [],
    write(scope) {
      const { code, temporary, giveUpIf, setStatus } = scope;
      const [a, b] = ['a', 'b'].map((one) => temporary(`${format.scalar} ${one}`, format.type));
      lowest(scope, format, uop.r).set(a);
      scalarSource(scope, format).set(b);
      isOrdinary(code, format, a);
      isOrdinary(code, format, b);
      code.op('i32.and', 'i32.eqz');
      giveUpIf();
      code.get(a).get(b).op(op(format, 'lt'));
      code.get(a).get(b).op(op(format, 'eq')).i32(6).op('i32.shl', 'i32.or');
      setStatus();
    },
  });
}

/** From an integer: exact from 32 bits to double. */
function fromInteger(uop: DecodedUop, format: Format): VectorCode {
  const wide = isWide(uop);
  const memory = inMemory(uop);
  return made(uop, format, true, {
    bytes: wide ? 8 : 4,
    quick: wide || format === SINGLE,
    reads: [uop.r],
    readsGeneral: memory ? [] : [uop.rm],
    write(scope) {
      const { code, xmm, gpr, pointer } = scope;
      code.get(xmm(uop.r));
      if (memory) code.get(pointer).memory(wide ? 'i64.load' : 'i32.load', 0);
      else {
        code.get(gpr(uop.rm));
        if (!wide) code.op('i32.wrap');
      }
      code.op(op(format, wide ? 'convert_i64_s' : 'convert_i32_s'));
      code.simd(simd(format, 'replace_lane'), 0).set(xmm(uop.r));
    },
  });
}

/** To an integer, by cutting off or to the nearest. */
function toInteger(uop: DecodedUop, format: Format, cut: boolean): VectorCode {
  const wide = isWide(uop);
  return made(uop, format, true, {
    reads: inMemory(uop) ? [] : [uop.rm],
    writes: [],
    writesGeneral: [uop.r],
    write(scope) {
      const { code, temporary, giveUpIf, gpr } = scope;
      const a = temporary(`${format.scalar} a`, format.type);
      scalarSource(scope, format).set(a);
      isLarge(code.get(a), format);
      // with room for rounding to the nearest
      constant(code.get(a).op(op(format, 'abs')), format, wide ? 2 ** 62 : 2 ** 30).op(op(format, 'le'));
      code.op('i32.and', 'i32.eqz');
      giveUpIf();
      code.get(a);
      if (!cut) code.op(op(format, 'nearest'));
      code.op(`${wide ? 'i64' : 'i32'}.trunc_${format.scalar}_s` as Op);
      if (!wide) code.op('i64.extend_u');
      code.set(gpr(uop.r));
    },
  });
}

function otherFormat(uop: DecodedUop): VectorCode {
  const from = formatOf(uop);
  const to = from === DOUBLE ? SINGLE : DOUBLE;
  return made(uop, from, true, {
    quick: from === DOUBLE,
    write(scope) {
      const { code, temporary, giveUpIf } = scope;
      const a = temporary(`${from.scalar} a`, from.type);
      const result = temporary(`${to.scalar} r`, to.type);
      scalarSource(scope, from).set(a);
      isLarge(code.get(a), from);
      constant(code.get(a).op(op(from, 'abs')), from, from.greatest).op(op(from, 'le'), 'i32.and', 'i32.eqz');
      giveUpIf();
      code
        .get(a)
        .op(from === DOUBLE ? 'f32.demote_f64' : 'f64.promote_f32')
        .set(result);
      isRoomy(code, to, result);
      code.op('i32.eqz');
      giveUpIf();
      setLowest(scope, to, result);
    },
  });
}

export function floatCode(name: string, uop: DecodedUop): VectorCode | undefined {
  const format = formatOf(uop);
  const scalar = formOf(uop) >= 2;
  const operation = vectorOperation(uop);
  switch (name) {
    case 'execFloat': {
      const arithmetic = ARITHMETIC[operation];
      if (arithmetic) {
        return scalar ? scalarArithmetic(uop, format, arithmetic) : packedArithmetic(uop, format, arithmetic);
      }
      return scalar && (operation === 'MIN' || operation === 'MAX')
        ? extreme(uop, format, operation === 'MIN')
        : undefined;
    }
    case 'execFloatUnary':
      return scalar ? squareRoot(uop, format) : undefined;
    case 'execFloatCompareFlags':
      return compared(uop);
    case 'execConvertFromInteger':
      return fromInteger(uop, format);
    case 'execConvertToInteger':
      return toInteger(uop, format, operation.startsWith('CVTT'));
    case 'execConvertScalar':
      return otherFormat(uop);
    default:
      return undefined;
  }
}
