// Operands of a micro-op as WebAssembly: registers, by parts too, and the address of the one in memory.

import type { Size } from '../../spec/uops/expression.js';
import { SLOTS } from '../../spec/uops/index.js';
import { GPR, REG_RIP, REG_ZERO } from '../core/layout.js';
import type { DecodedUop } from './decoded.js';
import { type FunctionWriter, type I32, I64 } from './wasm-writer.js';

/** What an expression is evaluated in: one micro-op at one place of a region. */
export interface Scope {
  readonly code: FunctionWriter;
  readonly uop: DecodedUop;
  /** 64-bit mode: addresses are not cut. */
  readonly long: boolean;
  /** Local of a general register, which is whole then. */
  register(index: number): number;
  /** Local of a register's low 16 bits, an i32, where they stand apart. */
  lowWord(index: number): number | undefined;
  /** Local of a vector register's low 128 bits. */
  vector(index: number): number;
  /** Local of a body's variable, or of what the lowering needs itself. */
  temporary(name: string, type: number): number;
  /** A body's variables of 8 and 16 bits whose locals may hold anything above. */
  readonly loose: Set<string>;
  /** Puts RIP plus an offset from the block's start on the stack, cut to the mode. */
  rip(offset: number): void;
  /** Host address of the last access. */
  readonly pointer: number;
  carry(): void;
  /** All six flags in their places. */
  status(): void;
  condition(cc: number): void;
}

/** Clears what lies above a size below 32 bits. */
export function clip(code: FunctionWriter, size: Size): void {
  if (size < 2) code.i32(size === 0 ? 0xff : 0xffff).op('i32.and');
}

/** Register of VEX.vvvv, where branches have their target. */
export const vexRegister = (uop: DecodedUop): number => uop.target & 15;

/** Register and byte of a register operand. */
export function operandOf(uop: DecodedUop, which: 'r' | 'rm', size: Size): { register: number; high: boolean } {
  const high = size === 0 && (which === 'r' ? uop.highR : uop.highRm);
  const number = which === 'r' ? uop.r : uop.rm;
  return { register: high ? number - 4 : number, high };
}

/** Registers have numbers below it; others are places of the vCPU's state behind them. */
export const GENERAL_REGISTERS = 16;

/** @param loose bits above the size may be anything */
export function readRegister(
  { code, register, lowWord }: Scope,
  index: number,
  size: Size,
  high: boolean,
  loose: boolean,
): void {
  const low = size < 2 ? lowWord(index) : undefined;
  if (low !== undefined) {
    code.get(low);
    if (high) code.i32(8).op('i32.shr_u');
    else if (size === 0 && !loose) clip(code, size);
    return;
  }
  if (index < GENERAL_REGISTERS) code.get(register(index));
  else code.i32(0).memory('i64.load', GPR + index * 8);
  if (size === 3) return;
  code.op('i32.wrap');
  if (high) code.i32(8).op('i32.shr_u');
  if (!loose) clip(code, size);
}

/** Effective address of the memory operand: not cut, or its lower 32 bits as an i32. */
export function address(scope: Scope, type: typeof I64 | typeof I32 = I64): void {
  const { code, uop } = scope;
  const { base, index, scale, displacement } = uop;
  const wide = type === I64;
  const constant = (value: number): void => {
    if (wide) code.i64(BigInt(value));
    else code.i32(value);
  };
  const add = wide ? 'i64.add' : 'i32.add';
  const cut = (): void => {
    if (!wide) code.op('i32.wrap');
  };
  if (base === REG_RIP) scope.rip(0);
  else if (base !== REG_ZERO) slot(scope, base);
  if (base !== REG_ZERO) cut();
  if (index !== REG_ZERO) {
    slot(scope, index);
    cut();
    if (scale) {
      constant(scale);
      code.op(wide ? 'i64.shl' : 'i32.shl');
    }
    if (base !== REG_ZERO) code.op(add);
  }
  const isConstant = base === REG_ZERO && index === REG_ZERO;
  if (displacement === 0 && !isConstant) return;
  constant(displacement);
  if (!isConstant) code.op(add);
}

/**
 * A register of address generation: a general one, a segment's base by its place behind them, or what the micro-op before found,
 * which is in a local too.
 */
function slot({ code, register, temporary }: Scope, index: number): void {
  if (index < GENERAL_REGISTERS) code.get(register(index));
  else if (index === SLOTS.linear) code.get(temporary('segment linear', I64));
  else code.i32(0).memory('i64.load', GPR + index * 8);
}
