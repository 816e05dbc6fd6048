// Floating-point arithmetic of SSE in compiled code: plain arithmetic where it answers the same, exceptions included.
// Operands and results out of the ordinary (NaNs, infinities, denormals, overflow, underflow) are the handler's.
import type { DecodedUop } from './decoded.js';
import {
  clearHigh,
  firstOf,
  formOf,
  highOf,
  highSource,
  inMemory,
  isVex,
  isWhole,
  isWide,
  setHigh,
  source,
  type VectorCode,
  type VectorScope,
  vectorOperation,
} from './vector-code.js';
import { F32, F64, type FunctionWriter, I64, type MemoryOp, type Op, type SimdOp, V128 } from './wasm-writer.js';

/** A format: its scalar and vector instructions, least and greatest normal number. */
interface Format {
  readonly scalar: 'f32' | 'f64';
  readonly vector: 'f32x4' | 'f64x2';
  readonly type: number;
  readonly bytes: 4 | 8;
  readonly least: number;
  readonly greatest: number;
  /** Bits of a significand. */
  readonly precision: number;
}

const SINGLE: Format = {
  scalar: 'f32',
  vector: 'f32x4',
  type: F32,
  bytes: 4,
  least: 2 ** -126,
  greatest: (2 - 2 ** -23) * 2 ** 127,
  precision: 24,
};
const DOUBLE: Format = {
  scalar: 'f64',
  vector: 'f64x2',
  type: F64,
  bytes: 8,
  least: 2 ** -1022,
  greatest: Number.MAX_VALUE,
  precision: 53,
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
  const first = firstOf(uop);
  return {
    bytes: scalar ? format.bytes : isWhole(uop) ? 32 : 16,
    aligned: !scalar && !isVex(uop),
    writesMemory: false,
    asksMode: true,
    quick: true,
    reads: inMemory(uop) ? [first] : [first, uop.rm],
    writes: [uop.r],
    readsGeneral: [],
    writesGeneral: [],
    write: () => {},
    ...more,
  };
}

type Arithmetic = 'add' | 'sub' | 'mul' | 'div';
const ARITHMETIC: Record<string, Arithmetic> = { ADD: 'add', SUB: 'sub', MUL: 'mul', DIV: 'div' };

/** The result of a scalar, in a local: the elements above come from the first source. */
function setLowest(scope: VectorScope, format: Format, result: number): void {
  const { code, uop, xmm } = scope;
  code
    .get(xmm(firstOf(uop)))
    .get(result)
    .simd(simd(format, 'replace_lane'), 0)
    .set(xmm(uop.r));
  clearHigh(scope);
}

/** Pushes the error of a sum or difference in locals, by Knuth's two-sum: itself exact. */
function sumError(
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

/**
 * Pushes 1 when x times y is `product` without rounding, doubles that are neither zeros nor denormals: significands of n and m
 * bits that count have a product of n + m bits, or one less, which the exponents tell.
 */
function isExactProduct(code: FunctionWriter, x: number, y: number, product: number): void {
  const exponent = (local: number): FunctionWriter =>
    code.get(local).op('i64.reinterpret_f64').i64(52n).op('i64.shr_u').i64(0x7ffn).op('i64.and');
  const zeros = (local: number): FunctionWriter =>
    code
      .get(local)
      .op('i64.reinterpret_f64')
      .i64(1n << 52n)
      .op('i64.or', 'i64.ctz');
  zeros(x);
  zeros(y).op('i64.add');
  exponent(x).op('i64.add');
  exponent(y).op('i64.add');
  exponent(product)
    .op('i64.sub')
    .i64(52n + 1023n)
    .op('i64.ge_s');
}

/** Pushes 1 when `quotient` times y is `dividend` without rounding; all are ordinary. */
function isExactQuotient(code: FunctionWriter, format: Format, quotient: number, y: number, dividend: number): void {
  if (format === SINGLE) {
    // doubles hold every product of singles
    code.get(quotient).op('f64.promote_f32').get(y).op('f64.promote_f32', 'f64.mul');
    code.get(dividend).op('f64.promote_f32', 'f64.eq');
    return;
  }
  code.get(quotient).get(y).op('f64.mul').get(dividend).op('f64.eq');
  isExactProduct(code, quotient, y, dividend);
  code.op('i32.and');
}

/** Pushes 1 when a result that is otherwise in order was not rounded. */
function isExact(
  { code, temporary }: VectorScope,
  format: Format,
  name: Arithmetic,
  a: number,
  b: number,
  result: number,
): void {
  if (name === 'add' || name === 'sub') {
    sumError(
      code,
      (one) => code.op(op(format, one)),
      name,
      a,
      b,
      result,
      temporary(`${format.scalar} part`, format.type),
    );
    constant(code, format, 0).op(op(format, 'eq'));
    return;
  }
  constant(code.get(result), format, 0).op(op(format, 'eq'));
  if (name === 'div') isExactQuotient(code, format, result, b, a);
  else if (format === SINGLE) isExactQuotient(code, format, a, b, result);
  else isExactProduct(code, a, b, result);
  code.op('i32.or');
}

/** Pushes 1 when a result is a zero that rounding did not make: any sum, a product or quotient of a zero. */
function isExactZero(
  code: FunctionWriter,
  format: Format,
  name: Arithmetic,
  a: number,
  b: number,
  result: number,
): void {
  constant(code.get(result), format, 0).op(op(format, 'eq'));
  if (name === 'add' || name === 'sub') return;
  constant(code.get(a), format, 0).op(op(format, 'eq'));
  if (name === 'mul') constant(code.get(b), format, 0).op(op(format, 'eq'), 'i32.or');
  code.op('i32.and');
}

function scalarArithmetic(uop: DecodedUop, format: Format, name: Arithmetic): VectorCode {
  return made(uop, format, true, {
    write(scope) {
      const { code, temporary, giveUpIf } = scope;
      const [a, b, result] = ['a', 'b', 'r'].map((one) => temporary(`${format.scalar} ${one}`, format.type));
      lowest(scope, format, firstOf(uop)).set(a);
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
      scope.whilePrecise(() => {
        isExact(scope, format, name, a, b, result);
        code.op('i32.eqz');
        giveUpIf();
      });
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
function areExactZeros(
  code: FunctionWriter,
  format: Format,
  name: Arithmetic,
  a: number,
  b: number,
  result: number,
): void {
  splat(code.get(result), format, 0).simd(simd(format, 'eq'));
  if (name === 'add' || name === 'sub') return;
  splat(code.get(a), format, 0).simd(simd(format, 'eq'));
  if (name === 'mul') splat(code.get(b), format, 0).simd(simd(format, 'eq')).simd('v128.or');
  code.simd('v128.and');
}

const allTrue = (format: Format): SimdOp => (format === DOUBLE ? 'i64x2.all_true' : 'i32x4.all_true');

/** Carries out a packed operation on the halves of its operands, in locals; nothing is written before the last giveUpIf(). */
function eachHalf(scope: VectorScope, operate: (a: number, b: number, result: number) => void): void {
  const { code, uop, temporary, xmm } = scope;
  const [a, b, low, high] = ['first', 'second', 'low r', 'high r'].map((one) => temporary(one, V128));
  code.get(xmm(firstOf(uop))).set(a);
  source(scope);
  code.set(b);
  operate(a, b, low);
  if (isWhole(uop)) {
    highOf(code, firstOf(uop)).set(a);
    highSource(scope);
    code.set(b);
    operate(a, b, high);
    setHigh(code, uop.r, () => code.get(high));
  } else clearHigh(scope);
  code.get(low).set(xmm(uop.r));
}

function packedArithmetic(uop: DecodedUop, format: Format, name: Arithmetic): VectorCode {
  return made(uop, format, false, {
    write(scope) {
      const { code, temporary, giveUpIf } = scope;
      eachHalf(scope, (a, b, result) => {
        code.get(a).get(b).simd(simd(format, name)).set(result);
        code.get(a).simd(simd(format, 'abs')).get(b).simd(simd(format, 'abs')).simd(simd(format, 'min'));
        splat(code, format, format.least).simd(simd(format, 'ge'));
        areRoomy(code, format, result);
        code.simd('v128.and').simd(allTrue(format)).op('i32.eqz').open('if');
        areOrdinary(code, format, a);
        areOrdinary(code, format, b);
        areRoomy(code, format, result);
        areExactZeros(code, format, name, a, b, result);
        code.simd('v128.or').simd('v128.and').simd('v128.and').simd(allTrue(format)).op('i32.eqz');
        giveUpIf();
        code.close();
        scope.whilePrecise(() => {
          if (name === 'add' || name === 'sub') {
            sumError(code, (one) => code.simd(simd(format, one)), name, a, b, result, temporary('part', V128));
            splat(code, format, 0).simd(simd(format, 'eq')).simd(allTrue(format)).op('i32.eqz');
          } else code.i32(1);
          giveUpIf();
        });
      });
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
      lowest(scope, format, firstOf(uop)).set(a);
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

/** Leaves it to the handler unless all elements are ordinary. */
function wantOrdinary({ code, giveUpIf }: VectorScope, format: Format, a: number, b: number): void {
  areOrdinary(code, format, a);
  areOrdinary(code, format, b);
  code.simd('v128.and').simd(allTrue(format)).op('i32.eqz');
  giveUpIf();
}

function packedExtreme(uop: DecodedUop, format: Format, least: boolean): VectorCode {
  return made(uop, format, false, {
    quick: false,
    write(scope) {
      const { code } = scope;
      eachHalf(scope, (a, b, result) => {
        wantOrdinary(scope, format, a, b);
        code.get(a).get(b);
        if (least) code.get(a).get(b);
        else code.get(b).get(a);
        code.simd(simd(format, 'lt')).simd('v128.bitselect').set(result);
      });
    },
  });
}

/** Predicates 0 to 15 for numbers that are ordered, alike for 16 to 31: less 1, equal 2, greater 4. @sdm 2A "CMPPD", table 3-1 */
const HOLDS = [2, 1, 3, 0, 5, 6, 4, 7, 2, 1, 3, 0, 5, 6, 4, 7];
const RELATIONS = ['', 'lt', 'eq', 'le', 'gt', 'ne', 'ge', ''];

/** CMPPS and its like: all ones where the predicate holds. */
function compare(uop: DecodedUop, format: Format, scalar: boolean): VectorCode {
  const predicate = Number(uop.immediate) & (isVex(uop) ? 15 : 7);
  const holds = HOLDS[predicate];
  return made(uop, format, scalar, {
    quick: false,
    write(scope) {
      const { code, uop, temporary, giveUpIf, xmm } = scope;
      if (!scalar) {
        eachHalf(scope, (a, b, result) => {
          wantOrdinary(scope, format, a, b);
          if (holds === 0) code.v128Zero();
          else if (holds === 7) code.v128Const(new Array<number>(16).fill(0xff));
          else code.get(a).get(b).simd(simd(format, RELATIONS[holds]));
          code.set(result);
        });
        return;
      }
      const [a, b] = ['a', 'b'].map((one) => temporary(`${format.scalar} ${one}`, format.type));
      lowest(scope, format, firstOf(uop)).set(a);
      scalarSource(scope, format).set(b);
      isOrdinary(code, format, a);
      isOrdinary(code, format, b);
      code.op('i32.and', 'i32.eqz');
      giveUpIf();
      code.get(xmm(firstOf(uop)));
      code.i32(0);
      if (holds === 0 || holds === 7) code.i32(holds & 1);
      else code.get(a).get(b).op(op(format, RELATIONS[holds]));
      code.op('i32.sub');
      if (format === DOUBLE) code.op('i64.extend_s').simd('i64x2.replace_lane', 0);
      else code.simd('i32x4.replace_lane', 0);
      code.set(xmm(uop.r));
      clearHigh(scope);
    },
  });
}

function squareRoot(uop: DecodedUop, format: Format): VectorCode {
  return made(uop, format, true, {
    write(scope) {
      const { code, temporary, giveUpIf } = scope;
      const [a, result] = ['a', 'r'].map((one) => temporary(`${format.scalar} ${one}`, format.type));
      scalarSource(scope, format).set(a);
      // a zero, or positive, normal and finite
      constant(code.get(a), format, format.least).op(op(format, 'ge'));
      constant(code.get(a), format, format.greatest).op(op(format, 'le'), 'i32.and');
      constant(code.get(a), format, 0).op(op(format, 'eq'), 'i32.or', 'i32.eqz');
      giveUpIf();
      code.get(a).op(op(format, 'sqrt')).set(result);
      scope.whilePrecise(() => {
        constant(code.get(a), format, 0).op(op(format, 'eq'));
        isExactQuotient(code, format, result, result, a);
        code.op('i32.or', 'i32.eqz');
        giveUpIf();
      });
      setLowest(scope, format, result);
    },
  });
}

/** UCOMIS and COMIS of numbers: ZF when equal, CF when less. */
function compared(uop: DecodedUop): VectorCode {
  const format = formOf(uop) === 1 ? DOUBLE : SINGLE;
  return made(uop, format, true, {
    quick: false,
    reads: inMemory(uop) ? [uop.r] : [uop.r, uop.rm],
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
  const rounds = wide || format === SINGLE;
  return made(uop, format, true, {
    bytes: wide ? 8 : 4,
    quick: rounds,
    reads: [firstOf(uop)],
    readsGeneral: memory ? [] : [uop.rm],
    write(scope) {
      const { code, gpr, pointer, temporary, giveUpIf } = scope;
      const value = temporary('whole', I64);
      const result = temporary(`${format.scalar} r`, format.type);
      if (memory) code.get(pointer).memory(wide ? 'i64.load' : 'i32.load', 0);
      else {
        code.get(gpr(uop.rm));
        if (!wide) code.op('i32.wrap');
      }
      if (!wide) code.op('i64.extend_s');
      code.set(value);
      if (rounds) {
        scope.whilePrecise(() => {
          // the bits from the highest that counts to the lowest
          code.i64(64n).get(value).get(value).i64(63n).op('i64.shr_s', 'i64.xor', 'i64.clz', 'i64.sub');
          code.get(value).op('i64.ctz', 'i64.sub').i64(BigInt(format.precision)).op('i64.gt_s');
          giveUpIf();
        });
      }
      code.get(value).op(op(format, 'convert_i64_s')).set(result);
      setLowest(scope, format, result);
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
      const [a, whole] = ['a', 'r'].map((one) => temporary(`${format.scalar} ${one}`, format.type));
      scalarSource(scope, format).set(a);
      isOrdinary(code, format, a);
      // with room for rounding to the nearest
      constant(code.get(a).op(op(format, 'abs')), format, wide ? 2 ** 62 : 2 ** 30).op(op(format, 'le'));
      code.op('i32.and', 'i32.eqz');
      giveUpIf();
      code
        .get(a)
        .op(op(format, cut ? 'trunc' : 'nearest'))
        .set(whole);
      scope.whilePrecise(() => {
        code.get(whole).get(a).op(op(format, 'ne'));
        giveUpIf();
      });
      code.get(whole).op(`${wide ? 'i64' : 'i32'}.trunc_${format.scalar}_s` as Op);
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
      code
        .get(a)
        .op(from === DOUBLE ? 'f32.demote_f64' : 'f64.promote_f32')
        .set(result);
      // a zero, or normal and finite with room below
      isLarge(code.get(a), from);
      constant(code.get(a).op(op(from, 'abs')), from, from.greatest).op(op(from, 'le'), 'i32.and');
      isRoomy(code, to, result);
      code.op('i32.and');
      constant(code.get(a), from, 0).op(op(from, 'eq'), 'i32.or', 'i32.eqz');
      giveUpIf();
      if (from === DOUBLE) {
        scope.whilePrecise(() => {
          code.get(result).op('f64.promote_f32').get(a).op('f64.ne');
          giveUpIf();
        });
      }
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
      if (operation !== 'MIN' && operation !== 'MAX') return undefined;
      return (scalar ? extreme : packedExtreme)(uop, format, operation === 'MIN');
    }
    case 'execFloatCompare':
      return compare(uop, format, scalar);
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
