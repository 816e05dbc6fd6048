// Packed floating-point arithmetic of SSE and AVX in compiled code; see vector-float.ts.
import type { DecodedUop } from './decoded.js';
import {
  clearHigh,
  firstOf,
  highOf,
  highSource,
  inMemory,
  isWhole,
  setHigh,
  source,
  type VectorCode,
  type VectorScope,
} from './vector-code.js';
import { type Arithmetic, DOUBLE, type Format, made, simd, splat, sumError } from './vector-number.js';
import { type FunctionWriter, type SimdOp, V128 } from './wasm-writer.js';

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
export function eachHalf(scope: VectorScope, operate: (a: number, b: number, result: number) => void): void {
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

/** Operands and result of an operation on 128 bits, in locals. */
interface Half {
  readonly a: number;
  readonly b: number;
  readonly result: number;
}

/**
 * Pushes 1 when all elements are normal, and the results roomy too. A minimum here leaves a NaN out that is its second operand: results,
 * which are NaNs then, are compared each.
 */
function areUsual({ code, temporary }: VectorScope, format: Format, halves: readonly Half[]): void {
  const [magnitudes, greatest] = ['magnitudes', 'greatest'].map((one) => temporary(one, V128));
  code.v128Const(Array.from({ length: 16 }, (_, n) => (n % format.bytes === format.bytes - 1 ? 0x7f : 0xff)));
  code.set(magnitudes);
  splat(code, format, format.greatest).set(greatest);
  halves
    .flatMap(({ a, b, result }) => [a, b, result])
    .forEach((local, n) => {
      code.get(local).get(magnitudes).simd('v128.and');
      if (n > 0) code.simd(simd(format, 'pmin'));
    });
  splat(code, format, format.least * 2).simd(simd(format, 'ge'));
  for (const { result } of halves) {
    code.get(result).get(magnitudes).simd('v128.and').get(greatest).simd(simd(format, 'le')).simd('v128.and');
  }
  code.simd(allTrue(format));
}

export function packedArithmetic(uop: DecodedUop, format: Format, name: Arithmetic): VectorCode {
  return made(uop, format, false, {
    write(scope) {
      const { code, temporary, giveUpIf, xmm } = scope;
      const half = (which: string): Half => {
        const [a, b, result] = ['first', 'second', 'r'].map((one) => temporary(`${which} ${one}`, V128));
        return { a, b, result };
      };
      const low = half('low');
      const high = isWhole(uop) ? half('high') : undefined;
      const halves = high ? [low, high] : [low];
      code.get(xmm(firstOf(uop))).set(low.a);
      source(scope);
      code.set(low.b);
      if (high) {
        highOf(code, firstOf(uop)).set(high.a);
        highSource(scope);
        code.set(high.b);
      }
      for (const { a, b, result } of halves) code.get(a).get(b).simd(simd(format, name)).set(result);
      areUsual(scope, format, halves);
      code.op('i32.eqz').open('if');
      for (const { a, b, result } of halves) {
        areOrdinary(code, format, a);
        areOrdinary(code, format, b);
        areRoomy(code, format, result);
        areExactZeros(code, format, name, a, b, result);
        code.simd('v128.or').simd('v128.and').simd('v128.and').simd(allTrue(format)).op('i32.eqz');
        giveUpIf();
      }
      code.close();
      scope.whilePrecise(() => {
        for (const { a, b, result } of halves) {
          if (name === 'add' || name === 'sub') {
            sumError(code, (one) => code.simd(simd(format, one)), name, a, b, result, temporary('part', V128));
            splat(code, format, 0).simd(simd(format, 'eq')).simd(allTrue(format)).op('i32.eqz');
          } else code.i32(1);
          giveUpIf();
        }
      });
      if (high) setHigh(code, uop.r, () => code.get(high.result));
      else clearHigh(scope);
      code.get(low.result).set(xmm(uop.r));
    },
  });
}

/** Leaves it to the handler unless all elements are ordinary. */
export function wantOrdinary({ code, giveUpIf }: VectorScope, format: Format, a: number, b: number): void {
  areOrdinary(code, format, a);
  areOrdinary(code, format, b);
  code.simd('v128.and').simd(allTrue(format)).op('i32.eqz');
  giveUpIf();
}

export function packedExtreme(uop: DecodedUop, format: Format, least: boolean): VectorCode {
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

/** Square roots of zeros and of positive, normal and finite numbers; while PE is clear they are the handler's. */
export function packedSquareRoot(uop: DecodedUop, format: Format): VectorCode {
  return made(uop, format, false, {
    reads: inMemory(uop) ? [] : [uop.rm],
    write(scope) {
      const { code, temporary, giveUpIf, xmm } = scope;
      const [a, low, high] = ['first', 'low r', 'high r'].map((one) => temporary(one, V128));
      scope.whilePrecise(() => {
        code.i32(1);
        giveUpIf();
      });
      const root = (result: number): void => {
        code.set(a);
        splat(code.get(a), format, format.least).simd(simd(format, 'ge'));
        splat(code.get(a), format, format.greatest).simd(simd(format, 'le')).simd('v128.and');
        splat(code.get(a), format, 0).simd(simd(format, 'eq')).simd('v128.or').simd(allTrue(format)).op('i32.eqz');
        giveUpIf();
        code.get(a).simd(simd(format, 'sqrt')).set(result);
      };
      source(scope);
      root(low);
      if (isWhole(uop)) {
        highSource(scope);
        root(high);
        setHigh(code, uop.r, () => code.get(high));
      } else clearHigh(scope);
      code.get(low).set(xmm(uop.r));
    },
  });
}
