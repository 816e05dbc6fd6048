// Floating-point arithmetic of SSE in compiled code: plain arithmetic where it answers the same, exceptions included.
// Operands and results out of the ordinary (NaNs, infinities, denormals, overflow, underflow) are the handler's.
import type { DecodedUop } from './decoded.js';
import {
  clearHigh,
  firstOf,
  formOf,
  inMemory,
  isVex,
  type VectorCode,
  type VectorScope,
  vectorOperation,
} from './vector-code.js';
import {
  type Arithmetic,
  constant,
  DOUBLE,
  type Format,
  formatOf,
  isOrdinary,
  isRoomy,
  lowest,
  made,
  op,
  SINGLE,
  scalarSource,
  setLowest,
  simd,
  sumError,
} from './vector-number.js';
import { eachHalf, packedArithmetic, packedExtreme, packedSquareRoot, wantOrdinary } from './vector-packed.js';
import type { FunctionWriter } from './wasm-writer.js';

const ARITHMETIC: Record<string, Arithmetic> = { ADD: 'add', SUB: 'sub', MUL: 'mul', DIV: 'div' };

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
      return scalar ? squareRoot(uop, format) : packedSquareRoot(uop, format);
    case 'execFloatCompareFlags':
      return compared(uop);
    default:
      return undefined;
  }
}
