// FADD, FSUB, FMUL, FDIV and FSQRT in compiled code: on significands of 64 bits, exact, then rounded as FCW says.
import { OP_VALUE } from '../core/layout.js';
import type { DecodedUop } from './decoded.js';
import { inMemory, opcodeOf, type VectorCode, type VectorScope } from './vector-code.js';
import { I32, I64 } from './wasm-writer.js';
import {
  BIAS,
  bytesOf,
  C1,
  EXPONENT,
  type Extended,
  FSW_PE,
  formOf,
  INTEGER_BIT,
  loadMemory,
  made,
  type Register,
  SIGN,
  Stack,
} from './x87-stack.js';

/** Exponents from which no sum, product or quotient of two is out of range; those of doubles are among them. */
const LEAST = BIAS - 0xfff;
const EXPONENTS = 0x2000;
const LOW = 0xffff_ffffn;

/** Leaves it to the handler unless both are normal, with exponents in the middle. */
function wantMiddling({ code, giveUpIf }: VectorScope, a: Extended, b: Extended): void {
  for (const { upper } of [a, b]) code.get(upper).i32(EXPONENT).op('i32.and').i32(LEAST).op('i32.sub');
  code.op('i32.or').i32(-EXPONENTS).op('i32.and');
  code.get(a.significand).get(b.significand).op('i64.and').i64(0n).op('i64.ge_s', 'i32.or');
  giveUpIf();
}

/** A result before it is rounded, in locals: hi, whose bit 63 is set, and lo behind it. */
interface Exact {
  readonly hi: number;
  readonly lo: number;
  readonly exponent: number;
  /** Sign in bit 15; other bits may be set. */
  readonly sign: number;
}

function exactLocals({ temporary }: VectorScope): Exact {
  return {
    hi: temporary('x87 hi', I64),
    lo: temporary('x87 lo', I64),
    exponent: temporary('x87 exponent', I32),
    sign: temporary('x87 sign', I32),
  };
}

/** Moves the highest bit of hi:lo to bit 63 of hi, which is not 0. */
function normalize({ code, temporary }: VectorScope, { hi, lo, exponent }: Exact): void {
  const zeros = temporary('x87 zeros', I64);
  code.get(hi).op('i64.clz').set(zeros);
  code.get(hi).get(zeros).op('i64.shl');
  code.get(lo).i64(1n).op('i64.shr_u').get(zeros).i64(63n).op('i64.xor', 'i64.shr_u', 'i64.or').set(hi);
  code.get(lo).get(zeros).op('i64.shl').set(lo);
  code.get(exponent).get(zeros).op('i32.wrap', 'i32.sub').set(exponent);
}

/** a + b, or a - b. */
function sum(scope: VectorScope, a: Extended, b: Extended, minus: boolean): Exact {
  const { code, temporary, giveUpIf } = scope;
  const exact = exactLocals(scope);
  const { hi, lo, exponent, sign } = exact;
  const [more, less, distance] = ['more', 'less', 'distance'].map((one) => temporary(`x87 ${one}`, I64));
  const [swapped, differ] = ['swapped', 'differ'].map((one) => temporary(`x87 ${one}`, I32));
  const [ea, eb] = ['ea', 'eb'].map((one) => temporary(`x87 ${one}`, I32));
  code.get(a.upper).get(b.upper).op('i32.xor').i32(SIGN).op('i32.and');
  if (minus) code.i32(SIGN).op('i32.xor');
  code.set(differ);
  code.get(a.upper).i32(EXPONENT).op('i32.and').set(ea);
  code.get(b.upper).i32(EXPONENT).op('i32.and').set(eb);
  // which is the larger one
  code.get(ea).get(eb).op('i32.lt_u');
  code
    .get(ea)
    .get(eb)
    .op('i32.eq')
    .get(a.significand)
    .get(b.significand)
    .op('i64.lt_u', 'i32.and', 'i32.or')
    .set(swapped);
  code.get(b.significand).get(a.significand).get(swapped).op('select').set(more);
  code.get(a.significand).get(b.significand).get(swapped).op('select').set(less);
  code.get(eb).get(ea).get(swapped).op('select').set(exponent);
  code.get(b.upper);
  if (minus) code.i32(SIGN).op('i32.xor');
  code.get(a.upper).get(swapped).op('select').set(sign);
  code.get(exponent).i32(1).op('i32.shl').get(ea).op('i32.sub').get(eb).op('i32.sub', 'i64.extend_u').tee(distance);
  code.i64(63n).op('i64.gt_u');
  giveUpIf();
  // less, moved down by the distance
  code.get(less).i64(1n).op('i64.shl').get(distance).i64(63n).op('i64.xor', 'i64.shl').set(lo);
  code.get(less).get(distance).op('i64.shr_u').set(less);
  code.get(differ).open('if');
  code.get(more).get(less).op('i64.sub').get(lo).i64(0n).op('i64.ne', 'i64.extend_u', 'i64.sub').tee(hi);
  code.op('i64.eqz');
  giveUpIf();
  code.i64(0n).get(lo).op('i64.sub').set(lo);
  normalize(scope, exact);
  code.op('else');
  const carry = temporary('x87 zeros', I64);
  code.get(more).get(less).op('i64.add').tee(hi).get(more).op('i64.lt_u', 'i64.extend_u').set(carry);
  code.get(lo).get(carry).op('i64.shr_u').get(lo).get(carry).op('i64.and', 'i64.or');
  code.get(hi).i64(1n).op('i64.shl').get(carry).i64(63n).op('i64.xor', 'i64.shl', 'i64.or').set(lo);
  code.get(hi).get(carry).op('i64.shr_u').get(carry).i64(63n).op('i64.shl', 'i64.or').set(hi);
  code.get(exponent).get(carry).op('i32.wrap', 'i32.add').set(exponent);
  code.close();
  return exact;
}

function product(scope: VectorScope, a: Extended, b: Extended): Exact {
  const { code, temporary } = scope;
  const exact = exactLocals(scope);
  const { hi, lo, exponent, sign } = exact;
  const [x, y] = [a.significand, b.significand];
  const [middle, other] = ['more', 'less'].map((one) => temporary(`x87 ${one}`, I64));
  const low = (of: number): void => {
    code.get(of).i64(LOW).op('i64.and');
  };
  const high = (of: number): void => {
    code.get(of).i64(32n).op('i64.shr_u');
  };
  code.get(a.upper).get(b.upper).op('i32.xor').set(sign);
  for (const { upper } of [a, b]) code.get(upper).i32(EXPONENT).op('i32.and');
  code
    .op('i32.add')
    .i32(BIAS - 1)
    .op('i32.sub')
    .set(exponent);
  code.get(x).get(y).op('i64.mul').set(lo);
  // middle = xh * yl + (xl * yl >> 32); other = xl * yh + low(middle)
  high(x);
  low(y);
  code.op('i64.mul');
  low(x);
  low(y);
  code.op('i64.mul').i64(32n).op('i64.shr_u', 'i64.add').set(middle);
  low(x);
  high(y);
  code.op('i64.mul');
  low(middle);
  code.op('i64.add').set(other);
  high(x);
  high(y);
  code.op('i64.mul');
  high(middle);
  code.op('i64.add');
  high(other);
  code.op('i64.add').set(hi);
  normalize(scope, exact);
  return exact;
}

/** a divided by b: of what lies behind hi it matters only whether it is nothing, less than a half, a half, or more. */
function quotient(scope: VectorScope, a: Extended, b: Extended): Exact {
  const { code, temporary } = scope;
  const exact = exactLocals(scope);
  const { hi, lo, exponent, sign } = exact;
  const [above, rest] = ['more', 'less'].map((one) => temporary(`x87 ${one}`, I64));
  code.get(a.upper).get(b.upper).op('i32.xor').set(sign);
  code.get(a.significand).get(b.significand).op('i64.ge_u', 'i64.extend_u').set(above);
  code.get(a.upper).i32(EXPONENT).op('i32.and').get(b.upper).i32(EXPONENT).op('i32.and', 'i32.sub');
  code
    .get(above)
    .op('i32.wrap', 'i32.add')
    .i32(BIAS - 1)
    .op('i32.add')
    .set(exponent);
  // a, or a half of it, over 64 bits
  code.get(a.significand).get(above).op('i64.shr_u');
  code.get(a.significand).get(above).op('i64.and').i64(63n).op('i64.shl').tee(rest);
  code.get(b.significand).callImport('divide128').set(hi);
  code.get(rest).get(hi).get(b.significand).op('i64.mul', 'i64.sub').set(rest);
  const below = temporary('x87 distance', I64);
  code.get(b.significand).get(rest).op('i64.sub').set(below);
  code.get(rest).get(below).op('i64.ge_u', 'i64.extend_u').i64(63n).op('i64.shl');
  code.get(rest).get(below).op('i64.ne', 'i64.extend_u', 'i64.or');
  code.i64(0n).get(rest).i64(0n).op('i64.ne', 'select').set(lo);
  return exact;
}

/** Rounds to the nearest, and puts it into a register. Pushes PE and C1 as they are to be. */
function deliver(stack: Stack, { hi, lo, exponent, sign }: Exact, control: number, to: Register): () => void {
  const { code, scope } = stack;
  const dropped = scope.temporary('x87 zeros', I64);
  const up = scope.temporary('x87 swapped', I32);
  code.i64(0n).set(dropped);
  // bit 8: 64 bits; else bit 9: 53, or 24
  code.get(control).i32(0x100).op('i32.and', 'i32.eqz').open('if');
  code.i64(11n).i64(40n).get(control).i32(0x200).op('i32.and', 'select').set(dropped);
  code
    .get(hi)
    .i64(0n)
    .get(dropped)
    .op('i64.sub', 'i64.shl')
    .get(lo)
    .i64(0n)
    .op('i64.ne', 'i64.extend_u', 'i64.or')
    .set(lo);
  code.get(hi).get(dropped).op('i64.shr_u').set(hi).close();
  // more than a half, or a half and the last bit is 1
  code.get(lo).i64(INTEGER_BIT).get(hi).i64(1n).op('i64.and', 'i64.sub', 'i64.gt_u').set(up);
  code.get(hi).get(up).op('i64.extend_u', 'i64.add').get(dropped).op('i64.shl').tee(hi);
  code.op('i64.eqz').open('if');
  code.i64(INTEGER_BIT).set(hi);
  code.get(exponent).i32(1).op('i32.add').set(exponent).close();
  code.get(sign).i32(SIGN).op('i32.and').get(exponent).op('i32.or').set(exponent);
  stack.store(to, { significand: hi, upper: exponent });
  return () => {
    code.get(lo).i64(0n).op('i64.ne').i32(Math.log2(FSW_PE)).op('i32.shl');
    code.get(up).i32(Math.log2(C1)).op('i32.shl', 'i32.or');
  };
}

/** FSQRT of a normal number above 0, with an exponent in the middle. */
export function squareRoot(scope: VectorScope): void {
  const { code, giveUpIf } = scope;
  const stack = new Stack(scope);
  const top = stack.register(0);
  stack.want(top, true);
  const control = stack.wantUsual();
  stack.settled();
  const { significand, upper } = stack.load(top, 'a');
  code.get(upper).i32(LEAST).op('i32.sub').i32(EXPONENTS).op('i32.ge_u');
  code.get(significand).i64(0n).op('i64.ge_s', 'i32.or');
  giveUpIf();
  const exact = exactLocals(scope);
  const { hi, lo, exponent, sign } = exact;
  // an even power of two is left outside
  const even = scope.temporary('x87 zeros', I64);
  code.get(upper).i32(1).op('i32.and', 'i64.extend_u').set(even);
  code.get(significand).get(even).op('i64.shr_u');
  code.get(significand).i64(63n).op('i64.shl').i64(0n).get(even).op('i32.wrap', 'select');
  code.callImport('squareRoot128').set(hi);
  code.i32(0).memory('i64.load', OP_VALUE).set(lo);
  code.get(upper).i32(BIAS).op('i32.add').i32(1).op('i32.shr_u').set(exponent);
  code.i32(0).set(sign);
  stack.end(deliver(stack, exact, control, top));
}

/** By ModRM.reg: 0 FADD, 1 FMUL, 4 FSUB, 5 FSUBR, 6 FDIV, 7 FDIVR. */
export function arithmetic(uop: DecodedUop): VectorCode {
  const memory = inMemory(uop);
  const operation = formOf(uop);
  const opcode = opcodeOf(uop);
  return made(
    (scope) => {
      const stack = new Stack(scope);
      const top = stack.register(0);
      stack.want(top, true);
      const other = memory ? top : stack.register(uop.rm);
      if (other.bit !== top.bit) stack.want(other, true);
      const control = stack.wantUsual();
      stack.settled();
      const a = stack.load(top, 'a');
      const b = memory ? loadMemory(scope) : other.bit === top.bit ? a : stack.load(other, 'b');
      wantMiddling(scope, a, b);
      const [first, second] = operation === 5 || operation === 7 ? [b, a] : [a, b];
      const exact =
        operation === 1
          ? product(scope, a, b)
          : operation >= 6
            ? quotient(scope, first, second)
            : sum(scope, first, second, operation !== 0);
      const marks = deliver(stack, exact, control, memory || opcode === 0xd8 ? top : other);
      if (!memory && opcode === 0xde) stack.pop();
      stack.end(marks);
    },
    memory ? { bytes: bytesOf(uop) } : {},
  );
}
