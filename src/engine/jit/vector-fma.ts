// Fused multiply-add in compiled code: of doubles, and of scalar singles, that are not far from 1. As quickFma() of
// core/simd/fma.ts: sums without errors, and one that is rounded to odd. Each step is done on two doubles, of which a scalar
// form looks at the lower one.
import type { DecodedUop } from './decoded.js';
import { vexRegister } from './operand-code.js';
import {
  clearHigh,
  highOf,
  highSource,
  inMemory,
  inPlace,
  isWhole,
  opcodeOf,
  setHigh,
  source,
  type VectorCode,
  type VectorScope,
  vectorOperation,
} from './vector-code.js';
import { DOUBLE, type Format, SINGLE, splat } from './vector-number.js';
import { type FunctionWriter, type SimdOp, V128 } from './wasm-writer.js';

/** UV_VEX_W of core/uop.ts. */
const VEX_W = 0x80;
/** Veltkamp's, for significands of 53 bits. */
const SPLIT = 134217729;
/** Powers of two that factors, and addends, lie between: nothing overflows, and no bit of a sum is lost below. */
const NEAR: Record<'f32' | 'f64', readonly [number, number]> = { f32: [30, 60], f64: [200, 400] };

/** An expression on vectors: pushes its value. */
type Push = () => void;

class Pairs {
  readonly code: FunctionWriter;

  constructor(
    readonly scope: VectorScope,
    readonly scalar: boolean,
  ) {
    this.code = scope.code;
  }

  local(name: string): number {
    return this.scope.temporary(`fma ${name}`, V128);
  }

  get(local: number): Push {
    return () => this.code.get(local);
  }

  op(name: SimdOp, ...operands: Push[]): Push {
    return () => {
      for (const operand of operands) operand();
      this.code.simd(name);
    };
  }

  keep(name: string, value: Push): Push {
    const local = this.local(name);
    value();
    this.code.set(local);
    return this.get(local);
  }

  add = (a: Push, b: Push): Push => this.op('f64x2.add', a, b);
  sub = (a: Push, b: Push): Push => this.op('f64x2.sub', a, b);
  mul = (a: Push, b: Push): Push => this.op('f64x2.mul', a, b);

  constant(value: number): Push {
    return () => splat(this.code, DOUBLE, value);
  }

  integer(value: bigint): Push {
    const bytes = [...new Uint8Array(BigInt64Array.of(value, value).buffer)];
    return () => this.code.v128Const(bytes);
  }

  /** The error of a sum, by Knuth's two-sum. */
  sumError(name: string, a: Push, b: Push, sum: Push): Push {
    const part = this.keep('part', this.sub(sum, a));
    return this.keep(name, this.add(this.sub(a, this.sub(sum, part)), this.sub(b, part)));
  }

  upperHalf(name: string, x: Push): Push {
    const scaled = this.keep('part', this.mul(x, this.constant(SPLIT)));
    return this.keep(name, this.sub(scaled, this.sub(scaled, x)));
  }

  /** A sum that lost something, rounded to odd: toward what was lost, unless its last bit is 1 already. */
  toOdd(name: string, sum: Push, lost: Push): Push {
    const zero = this.constant(0);
    const alike = this.op('i64x2.eq', this.op('f64x2.gt', lost, zero), this.op('f64x2.gt', sum, zero));
    // 1 or -1
    const step = this.op('i64x2.sub', this.op('v128.and', alike, this.integer(2n)), this.integer(1n));
    const even = this.op('i64x2.eq', this.op('v128.and', sum, this.integer(1n)), zero);
    const wanted = this.op('v128.and', even, this.op('f64x2.ne', lost, zero));
    return this.keep(name, this.op('i64x2.add', sum, this.op('v128.and', step, wanted)));
  }

  near(name: string, x: Push, power: number): Push {
    const size = this.keep('part', this.op('f64x2.abs', x));
    const above = this.op('f64x2.ge', size, this.constant(2 ** -power));
    return this.keep(name, this.op('v128.and', above, this.op('f64x2.lt', size, this.constant(2 ** power))));
  }

  /** Leaves it to the handler unless a mask is all ones. */
  want(mask: Push): void {
    const { code } = this;
    mask();
    if (this.scalar) code.simd('i64x2.extract_lane', 0).op('i64.eqz');
    else code.simd('i64x2.all_true').op('i32.eqz');
    this.scope.giveUpIf();
  }
}

/** a times b plus c in double precision, or in single where all are singles. */
function fused(pairs: Pairs, format: Format, a: Push, b: Push, c: Push, result: number): void {
  const { code, scope } = pairs;
  const [factor, addend] = NEAR[format.scalar];
  const zero = pairs.constant(0);
  const [nearA, nearB] = [pairs.near('near a', a, factor), pairs.near('near b', b, factor)];
  const nearC = pairs.near('near c', c, addend);
  const wantedC = pairs.op('v128.or', nearC, pairs.op('f64x2.eq', c, zero));
  pairs.want(pairs.op('v128.and', pairs.op('v128.and', nearA, nearB), wantedC));
  const product = pairs.keep('product', pairs.mul(a, b));
  let whole: Push;
  let odd: Push;
  let lost: Push;
  if (format === SINGLE) {
    // the product is exact, and what is rounded to odd has bits enough to be rounded again
    const sum = pairs.keep('whole', pairs.add(product, c));
    lost = pairs.sumError('lost', product, c, sum);
    whole = pairs.toOdd('whole', sum, lost);
    odd = zero;
  } else {
    const [a1, b1] = [pairs.upperHalf('a1', a), pairs.upperHalf('b1', b)];
    const [a0, b0] = [pairs.keep('a0', pairs.sub(a, a1)), pairs.keep('b0', pairs.sub(b, b1))];
    const most = pairs.sub(pairs.sub(product, pairs.mul(a1, b1)), pairs.mul(a0, b1));
    const below = pairs.keep('below', pairs.sub(pairs.mul(a0, b0), pairs.sub(most, pairs.mul(a1, b0))));
    const upper = pairs.keep('upper', pairs.add(c, below));
    const lower = pairs.sumError('lower', c, below, upper);
    whole = pairs.keep('whole', pairs.add(product, upper));
    const rest = pairs.sumError('rest', product, upper, whole);
    const sum = pairs.keep('odd', pairs.add(lower, rest));
    lost = pairs.sumError('lost', lower, rest, sum);
    odd = pairs.toOdd('odd', sum, lost);
  }
  if (format === SINGLE) {
    whole();
    code.simd('f32x4.demote_f64x2_zero').set(result);
  } else {
    pairs.add(whole, odd)();
    code.set(result);
  }
  // of a difference of equals the sign is asked for
  const answer: Push = format === SINGLE ? pairs.op('f64x2.promote_low_f32x4', pairs.get(result)) : pairs.get(result);
  pairs.want(pairs.op('f64x2.ne', answer, zero));
  scope.whilePrecise(() => {
    const exact = format === SINGLE ? pairs.op('f64x2.eq', answer, whole) : undefined;
    const none = pairs.op('f64x2.eq', lost, zero);
    pairs.want(
      pairs.op('v128.and', none, exact ?? pairs.op('f64x2.eq', pairs.sumError('error', whole, odd, answer), zero)),
    );
  });
}

/** Signs to flip in the two lanes. */
function flipped(pairs: Pairs, value: Push, low: boolean, high: boolean): Push {
  if (!low && !high) return value;
  const bytes = [...new Uint8Array(BigUint64Array.of(low ? 1n << 63n : 0n, high ? 1n << 63n : 0n).buffer)];
  return pairs.op('v128.xor', value, () => pairs.code.v128Const(bytes));
}

/** Opcodes 9x: 1 * 3 + 2, Ax: 2 * 1 + 3, Bx: 2 * 3 + 1. Scalar forms have odd low digits from 9 on. */
export function fmaCode(name: string, uop: DecodedUop): VectorCode | undefined {
  if (name !== 'execFma') return undefined;
  const opcode = opcodeOf(uop);
  const scalar = (opcode & 15) > 8 && (opcode & 1) !== 0;
  const format = uop.target & VEX_W ? DOUBLE : SINGLE;
  if (format === SINGLE && !scalar) return undefined;
  const operation = vectorOperation(uop);
  const order = (opcode >> 4) & 15;
  const whole = isWhole(uop) && !scalar;
  const memory = inMemory(uop);
  const negatesProduct = operation.includes('FNM');
  const [low, high] = operation.includes('FMADDSUB')
    ? [true, false]
    : operation.includes('FMSUBADD')
      ? [false, true]
      : operation.includes('MSUB')
        ? [true, true]
        : [false, false];
  const middle = vexRegister(uop);
  const write = (scope: VectorScope): void => {
    const { code, xmm, pointer } = scope;
    const pairs = new Pairs(scope, scalar);
    const operate = (first: Push, second: Push, third: Push, result: number): void => {
      const given: Record<number, readonly Push[]> = {
        9: [first, third, second],
        10: [second, first, third],
        11: [second, third, first],
      };
      const [x, y, z] = given[order].map((value) =>
        format === SINGLE ? pairs.op('f64x2.promote_low_f32x4', value) : value,
      );
      const a = pairs.keep('a', flipped(pairs, x, negatesProduct, negatesProduct));
      const b = pairs.keep('b', y);
      const c = pairs.keep('c', flipped(pairs, z, low, high));
      fused(pairs, format, a, b, c, result);
    };
    const third: Push = () => {
      if (scalar && memory) code.get(pointer).v128LoadZero(format.bytes);
      else source(scope);
    };
    const [lowResult, highResult] = [pairs.local('low'), pairs.local('high')];
    operate(pairs.get(xmm(uop.r)), pairs.get(xmm(middle)), third, lowResult);
    if (whole) {
      operate(
        () => highOf(code, uop.r),
        () => highOf(code, middle),
        () => highSource(scope),
        highResult,
      );
      setHigh(code, uop.r, () => code.get(highResult));
    } else clearHigh(scope);
    if (!scalar) {
      code.get(lowResult).set(xmm(uop.r));
      return;
    }
    code.get(xmm(uop.r)).get(lowResult);
    code.simd(format === SINGLE ? 'f32x4.extract_lane' : 'f64x2.extract_lane', 0);
    code.simd(format === SINGLE ? 'f32x4.replace_lane' : 'f64x2.replace_lane', 0).set(xmm(uop.r));
  };
  return inPlace(scalar ? format.bytes : whole ? 32 : 16, write, {
    asksMode: true,
    quick: true,
    reads: memory ? [uop.r, middle] : [uop.r, middle, uop.rm],
    writes: [uop.r],
  });
}
