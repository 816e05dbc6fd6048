// Expressions of micro-ops as WebAssembly. Values of 8, 16 and 32 bits are i32 with the upper bits clear, 64 bits i64.

import type { BinaryOp, CompareOp, Expression, Size } from '../../spec/uops/expression.js';
import { RFLAGS, YMM } from '../core/layout.js';
import { address, clip, operandOf, readRegister, type Scope, vexRegister } from './operand-code.js';
import { type FunctionWriter, I32, I64, type MemoryOp, type Op } from './wasm-writer.js';

const typeOf = (size: Size): number => (size === 3 ? I64 : I32);
const LOADS: Record<number, MemoryOp> = { 0: 'i32.load8_u', 1: 'i32.load16_u', 2: 'i32.load', 3: 'i64.load' };

const BINARY: Partial<Record<BinaryOp, string>> = {
  add: 'add',
  sub: 'sub',
  mul: 'mul',
  and: 'and',
  or: 'or',
  xor: 'xor',
  shl: 'shl',
  shr: 'shr_u',
  sar: 'shr_s',
  rotl: 'rotl',
  rotr: 'rotr',
  divu: 'div_u',
  divs: 'div_s',
};
const COMPARE: Partial<Record<CompareOp, string>> = {
  eq: 'eq',
  ne: 'ne',
  ltu: 'lt_u',
  leu: 'le_u',
  gtu: 'gt_u',
  geu: 'ge_u',
  lts: 'lt_s',
  les: 'le_s',
  gts: 'gt_s',
  ges: 'ge_s',
};
/** Results that may have bits above a size below 32. */
const OVERFLOWING = new Set<string>(['add', 'sub', 'mul', 'shl', 'not']);

export const width = (size: Size): 'i32' | 'i64' => (size === 3 ? 'i64' : 'i32');

/** Sign-extends the value on the stack inside its WebAssembly type. */
export function signed(code: FunctionWriter, size: Size): void {
  if (size === 0) code.op('i32.extend8_s');
  else if (size === 1) code.op('i32.extend16_s');
}

/** Results whose bits of a size depend on no others of their operands. */
const FROM_LOW = new Set<string>(['add', 'sub', 'mul', 'and', 'or', 'xor', 'not']);

/** May bits be left above the size where they may be anything? */
function leavesBits(scope: Scope, e: Expression): boolean {
  switch (e.op) {
    case 'r':
    case 'rm':
    case 'gpr':
    case 'vex':
    case 'wrap':
      return true;
    case 'var':
      return scope.loose.has(e.name);
    case 'and':
    case 'or':
    case 'xor':
      return leavesBits(scope, e.a) || leavesBits(scope, e.b);
    default:
      return OVERFLOWING.has(e.op);
  }
}

/** Gives a body's variable its value; its bits above the size are cut off where they are wanted so. */
export function define(scope: Scope, name: string, value: Expression): void {
  const loose = value.size < 2 && leavesBits(scope, value);
  evaluate(scope, value, loose);
  scope.code.set(scope.temporary(name, typeOf(value.size)));
  if (loose) scope.loose.add(name);
}

/** Where bits above the size are cut off or signs: they may be anything. */
function evaluateLow(scope: Scope, e: Expression): void {
  evaluate(scope, e, e.size < 2);
}

/** A value sign-extended to 64 bits. */
export function evaluateSigned(scope: Scope, e: Expression): void {
  evaluateLow(scope, e);
  signed(scope.code, e.size);
  if (e.size !== 3) scope.code.op('i64.extend_s');
}

/** @param loose bits above the size, below 32 bits, may be anything */
export function evaluate(scope: Scope, e: Expression, loose = false): void {
  const { code, uop } = scope;
  switch (e.op) {
    case 'const':
      if (e.size === 4) code.v128Zero();
      else if (e.size === 3) code.i64(BigInt(e.value));
      else code.i32(e.value);
      return;
    case 'var':
      code.get(scope.temporary(e.name, typeOf(e.size)));
      if (!loose && scope.loose.has(e.name)) clip(code, e.size);
      return;
    case 'r':
    case 'rm': {
      const { register, high } = operandOf(uop, e.op, e.size);
      readRegister(scope, register, e.size, high, loose);
      return;
    }
    case 'gpr':
      readRegister(scope, e.register, e.size, false, loose);
      return;
    case 'imm':
      if (e.size === 3) code.i64(uop.immediate);
      else code.i32(Number(BigInt.asUintN(8 << e.size, uop.immediate)));
      return;
    case 'mem':
      code.get(scope.pointer);
      if (e.size === 4) code.v128Load(e.offset);
      else code.memory(LOADS[e.size], e.offset);
      return;
    case 'address':
      address(scope);
      return;
    case 'next':
      scope.rip(uop.next);
      return;
    case 'target':
      scope.rip(uop.target);
      return;
    case 'popped':
      code.i64(uop.immediate & 0xffffn);
      return;
    case 'carry':
      scope.carry();
      return;
    case 'status':
      scope.status();
      return;
    case 'direction':
      // 1 - (DF >> 9)
      code
        .i32(1)
        .i32(0)
        .memory('i32.load', RFLAGS)
        .i32(9)
        .op('i32.shr_u')
        .i32(2)
        .op('i32.and', 'i32.sub', 'i64.extend_s');
      return;
    case 'vex':
      readRegister(scope, vexRegister(uop), e.size, false, loose);
      return;
    case 'linear':
      evaluate(scope, e.a);
      if (!scope.long) code.i64(0xffffffffn).op('i64.and');
      return;
    case 'condition':
      scope.condition(e.cc ?? uop.cc);
      return;
    case 'xmm':
      if (e.high) code.i32((e.operand === 'r' ? uop.r : uop.rm) * 32).v128Load(YMM + 16);
      else code.get(scope.vector(e.operand === 'r' ? uop.r : uop.rm));
      return;
    case 'not':
      evaluateLow(scope, e.a);
      if (e.size === 3) code.i64(-1n).op('i64.xor');
      else code.i32(-1).op('i32.xor');
      if (!loose) clip(code, e.size);
      return;
    case 'popcnt':
    case 'clz':
    case 'ctz':
      evaluate(scope, e.a);
      code.op(`${width(e.size)}.${e.op}`);
      return;
    case 'bswap':
      swapBytes(scope, e.a);
      return;
    case 'zext':
      evaluate(scope, e.a);
      if (e.size === 3) code.op('i64.extend_u');
      return;
    case 'wrap':
      // V8 does not narrow a sum of 64 bits
      if (e.a.op === 'address') address(scope, I32);
      else evaluate(scope, e.a);
      if (e.a.size === 3 && e.a.op !== 'address') code.op('i32.wrap');
      if (!loose) clip(code, e.size);
      return;
    case 'sext':
      evaluateLow(scope, e.a);
      signed(code, e.a.size);
      if (e.size === 3) code.op('i64.extend_s');
      else clip(code, e.size);
      return;
    case 'select':
      evaluate(scope, e.a);
      evaluate(scope, e.b);
      evaluate(scope, e.test);
      code.op('select');
      return;
    case 'mulhu':
    case 'mulhs':
      multiplyHigh(scope, e.a, e.b, e.op === 'mulhs');
      return;
    case 'overflows': {
      // the high half is not the sign of the low one
      multiplyHigh(scope, e.a, e.b, true);
      evaluate(scope, e.a);
      evaluate(scope, e.b);
      code.op('i64.mul').i64(63n).op('i64.shr_s', 'i64.ne');
      return;
    }
    default:
      break;
  }
  const binary = BINARY[e.op as BinaryOp];
  if (binary !== undefined && e.size < 2 && FROM_LOW.has(e.op)) {
    const clips = OVERFLOWING.has(e.op);
    evaluate(scope, e.a, loose || clips);
    evaluate(scope, e.b, loose || clips);
    code.op(`i32.${binary}` as Op);
    if (clips && !loose) clip(code, e.size);
    return;
  }
  const side = (value: Expression, isSigned: boolean): void => {
    evaluate(scope, value, isSigned && value.size < 2);
    if (isSigned) signed(code, value.size);
  };
  if (binary !== undefined) {
    side(e.a, e.op === 'sar');
    side(e.b, false);
    code.op(`${width(e.size)}.${binary}` as Op);
    if (OVERFLOWING.has(e.op) || e.op === 'sar') clip(code, e.size);
    return;
  }
  const isSigned = ['lts', 'les', 'gts', 'ges'].includes(e.op);
  side(e.a, isSigned);
  side(e.b, isSigned);
  code.op(`${width(e.a.size)}.${COMPARE[e.op as CompareOp]}` as Op);
}

function swapBytes(scope: Scope, a: Expression): void {
  const { code } = scope;
  const type = typeOf(a.size);
  const value = scope.temporary('swap', type);
  evaluate(scope, a);
  code.set(value);
  if (a.size === 2) {
    // bytes 0 and 2, then 1 and 3
    code.get(value).i32(8).op('i32.rotl').i32(0x00ff00ff).op('i32.and');
    code.get(value).i32(8).op('i32.rotr').i32(0xff00ff00).op('i32.and', 'i32.or');
    return;
  }
  const step = (by: number, mask: bigint): void => {
    code.get(value).i64(BigInt(by)).op('i64.shr_u').i64(mask).op('i64.and');
    code.get(value).i64(mask).op('i64.and').i64(BigInt(by)).op('i64.shl', 'i64.or');
  };
  step(8, 0x00ff00ff00ff00ffn);
  code.set(value);
  step(16, 0x0000ffff0000ffffn);
  code.set(value);
  code.get(value).i64(32n).op('i64.rotl');
}

/** High half of a product of 64 bits, from four products of 32 bits. */
function multiplyHigh(scope: Scope, a: Expression, b: Expression, isSigned: boolean): void {
  const { code } = scope;
  const local = (name: string): number => scope.temporary(name, I64);
  const [x, y, middle, other] = [local('x'), local('y'), local('middle'), local('other')];
  const low = (of: number): FunctionWriter => code.get(of).i64(0xffffffffn).op('i64.and');
  const high = (of: number): FunctionWriter => code.get(of).i64(32n).op('i64.shr_u');
  evaluate(scope, a);
  code.set(x);
  evaluate(scope, b);
  code.set(y);
  // middle = xh * yl + (xl * yl >> 32); other = xl * yh + low(middle)
  high(x);
  low(y).op('i64.mul');
  low(x);
  low(y).op('i64.mul').i64(32n).op('i64.shr_u', 'i64.add').set(middle);
  low(x);
  high(y).op('i64.mul');
  low(middle).op('i64.add').set(other);
  high(x);
  high(y).op('i64.mul');
  high(middle).op('i64.add');
  high(other).op('i64.add');
  if (!isSigned) return;
  code.get(x).i64(63n).op('i64.shr_s').get(y).op('i64.and', 'i64.sub');
  code.get(y).i64(63n).op('i64.shr_s').get(x).op('i64.and', 'i64.sub');
}
