// Loads and stores of real numbers and integers by x87 instructions in compiled code.
import type { DecodedUop } from './decoded.js';
import type { VectorCode, VectorScope } from './vector-code.js';
import { I32, I64, type MemoryOp } from './wasm-writer.js';
import {
  BIAS,
  bytesOf,
  C1,
  EXPONENT,
  FSW_PE,
  formOf,
  INTEGER_BIT,
  isReal,
  loadMemory,
  made,
  ROUNDING,
  SIGN,
  Stack,
  wantOrdinary,
} from './x87-stack.js';

/** FLD and FILD. */
function load(uop: DecodedUop): VectorCode {
  const bytes = bytesOf(uop);
  return made(
    (scope) => {
      const stack = new Stack(scope);
      const next = stack.register(-1);
      stack.want(next, false).settled();
      stack.store(next, loadMemory(scope));
      stack.push();
      stack.end();
    },
    { bytes },
  );
}

/** FST and FSTP of real numbers: rounded to the nearest, where that is a normal number or a zero. */
function storeReal(scope: VectorScope, bytes: 4 | 8): void {
  const { code, uop, pointer, temporary, giveUpIf } = scope;
  const double = bytes === 8;
  const [dropped, fraction, all, bias] = double ? [11n, 52n, 0x7ff, 1023] : [40n, 23n, 0xff, 127];
  const stack = new Stack(scope);
  const top = stack.register(0);
  stack.want(top, true).wantUsual();
  stack.settled();
  const number = stack.load(top, 'a');
  const [value, rest] = ['hi', 'lo'].map((one) => temporary(`x87 ${one}`, I64));
  const exponent = temporary('x87 exponent', I32);
  const up = temporary('x87 swapped', I32);
  code.i64(0n).set(value).i64(0n).set(rest).i32(0).set(up);
  code
    .get(number.upper)
    .i32(EXPONENT)
    .op('i32.and')
    .i32(BIAS - bias)
    .op('i32.sub')
    .set(exponent);
  // a zero has all bits but the sign's clear
  code.get(number.significand).op('i64.eqz').get(number.upper).i32(EXPONENT).op('i32.and', 'i32.eqz', 'i32.and');
  code.op('i32.eqz').open('if');
  code
    .get(exponent)
    .i32(1)
    .op('i32.sub')
    .i32(all - 1)
    .op('i32.ge_u');
  code.get(number.significand).i64(0n).op('i64.ge_s', 'i32.or');
  giveUpIf();
  // what is dropped, at the upper end
  code
    .get(number.significand)
    .i64(64n - dropped)
    .op('i64.shl')
    .set(rest);
  code.get(number.significand).i64(dropped).op('i64.shr_u').set(value);
  // more than a half, or a half and the last bit is 1
  code.get(rest).i64(INTEGER_BIT).get(value).i64(1n).op('i64.and', 'i64.sub', 'i64.gt_u').set(up);
  // the integer bit adds one to the exponent, and so does a carry
  code.get(exponent).i32(1).op('i32.sub', 'i64.extend_u').i64(fraction).op('i64.shl');
  code.get(value).op('i64.add').get(up).op('i64.extend_u', 'i64.add').tee(value);
  code.i64(BigInt(all) << fraction).op('i64.ge_u');
  giveUpIf();
  code.close();
  code.get(pointer).get(value).get(number.upper).op('i64.extend_u').i64(15n).op('i64.shr_u');
  code.i64(double ? 63n : 31n).op('i64.shl', 'i64.or');
  if (double) code.memory('i64.store', 0);
  else code.op('i32.wrap').memory('i32.store', 0);
  if (formOf(uop) === 3) stack.pop();
  stack.end(() => {
    code.get(rest).i64(0n).op('i64.ne').i32(Math.log2(FSW_PE)).op('i32.shl');
    code.get(up).i32(Math.log2(C1)).op('i32.shl', 'i32.or');
  });
}

const STORES: Record<number, MemoryOp> = { 2: 'i32.store16', 4: 'i32.store', 8: 'i64.store' };

/** FIST, FISTP and FISTTP, by cutting off or to the nearest; the largest negative integer is the handler's. */
function storeInteger(scope: VectorScope, bytes: 2 | 4 | 8): void {
  const { code, uop, pointer, temporary, giveUpIf } = scope;
  const stack = new Stack(scope);
  const top = stack.register(0);
  const cuts = formOf(uop) === 1;
  const control = stack.want(top, true).wantMasked();
  // both bits of the rounding control are alike
  if (!cuts) {
    code.get(control).i32(0x400).op('i32.add').i32(0x800).op('i32.and');
    stack.wantNot();
  }
  stack.settled();
  const number = stack.load(top, 'a');
  wantOrdinary(scope, number);
  const [whole, fraction] = ['hi', 'lo'].map((one) => temporary(`x87 ${one}`, I64));
  const below = temporary('x87 distance', I64);
  const up = temporary('x87 swapped', I32);
  code
    .i64(BigInt(BIAS + 63))
    .get(number.upper)
    .i32(EXPONENT)
    .op('i32.and', 'i64.extend_u', 'i64.sub')
    .tee(below);
  code.i64(0n).op('i64.le_s');
  giveUpIf();
  code.get(below).i64(64n).op('i64.lt_s').open('if');
  code.get(number.significand).get(below).op('i64.shr_u').set(whole);
  code.get(number.significand).i64(0n).get(below).op('i64.sub', 'i64.shl').set(fraction);
  code.op('else').i64(0n).set(whole);
  // of what is less than a half only that there is something matters
  code.get(number.significand).get(number.significand).i64(0n).op('i64.ne', 'i64.extend_u');
  code.get(below).i64(64n).op('i64.eq', 'select').set(fraction).close();
  if (cuts) code.i32(0).set(up);
  else {
    code.get(fraction).i64(INTEGER_BIT).get(whole).i64(1n).op('i64.and', 'i64.sub', 'i64.gt_u');
    code.get(control).i32(ROUNDING).op('i32.and', 'i32.eqz', 'i32.and').set(up);
    code.get(whole).get(up).op('i64.extend_u', 'i64.add').set(whole);
  }
  code
    .get(whole)
    .i64(BigInt(bytes * 8 - 1))
    .op('i64.shr_u', 'i64.eqz', 'i32.eqz');
  giveUpIf();
  code.get(pointer);
  code.i64(0n).get(whole).op('i64.sub').get(whole).get(number.upper).i32(SIGN).op('i32.and', 'select');
  if (bytes < 8) code.op('i32.wrap');
  code.memory(STORES[bytes], 0);
  if (formOf(uop) !== 2) stack.pop();
  stack.end(() => {
    code.get(fraction).i64(0n).op('i64.ne').i32(Math.log2(FSW_PE)).op('i32.shl');
    code.get(up).i32(Math.log2(C1)).op('i32.shl', 'i32.or');
  });
}

function store(uop: DecodedUop): VectorCode {
  const bytes = bytesOf(uop);
  const real = isReal(uop) && formOf(uop) !== 1;
  return made((scope) => (real ? storeReal(scope, bytes as 4 | 8) : storeInteger(scope, bytes)), {
    bytes,
    writesMemory: true,
  });
}

/** FLD and FSTP of extended numbers, which are copied as they are. */
function extended(loads: boolean): VectorCode {
  return made(
    (scope) => {
      const { code, pointer, temporary } = scope;
      const stack = new Stack(scope);
      if (loads) {
        const next = stack.register(-1);
        stack.want(next, false).settled();
        const significand = temporary('x87 b significand', I64);
        const upper = temporary('x87 b upper', I32);
        code.get(pointer).memory('i64.load', 0).set(significand);
        code.get(pointer).memory('i32.load16_u', 8).set(upper);
        stack.store(next, { significand, upper });
        stack.push();
        stack.end();
        return;
      }
      const top = stack.register(0);
      stack.want(top, true).settled();
      const { significand, upper } = stack.load(top, 'a');
      code.get(pointer).get(significand).memory('i64.store', 0);
      code.get(pointer).get(upper).memory('i32.store16', 8);
      stack.pop();
      stack.end();
    },
    // of a page's last 16 bytes the handler takes care
    { bytes: 16, writesMemory: !loads },
  );
}

export function x87Memory(name: string, uop: DecodedUop): VectorCode | undefined {
  switch (name) {
    case 'execX87Load':
    case 'execX87LoadInteger':
      return load(uop);
    case 'execX87Store':
    case 'execX87StoreInteger':
      return store(uop);
    case 'execX87LoadExtended':
      return extended(true);
    case 'execX87StoreExtended':
      return extended(false);
    default:
      return undefined;
  }
}
