// Vector and x87 instructions that compiled code carries out itself: which ones, and how. All others call their handler
// (core/simd), and so do these where their conditions do not hold.

import { operationOf } from '../../spec/opcodes/vector-operations.js';
import { YMM } from '../core/layout.js';
import type { DecodedUop } from './decoded.js';
import { vexRegister } from './expression-code.js';
import { floatCode } from './vector-float.js';
import { integerCode } from './vector-integer.js';
import type { FunctionWriter } from './wasm-writer.js';
import { x87Code } from './x87-code.js';

/** What the code of one instruction has at hand. */
export interface VectorScope {
  readonly code: FunctionWriter;
  readonly uop: DecodedUop;
  /** 64-bit mode. */
  readonly long: boolean;
  /** Local of a vector register. */
  xmm(register: number): number;
  /** Local of a general register, undefined: it lies in memory only. */
  gpr(register: number): number;
  temporary(name: string, type: number): number;
  /** Host address of the memory operand. */
  readonly pointer: number;
  /** Takes an i32 and leaves the instruction to its handler when it is not 0. */
  giveUpIf(): void;
  /** Takes an i32 with the status flags in their places. */
  setStatus(): void;
  /** Pushes RIP of the running block plus an offset. */
  rip(offset: number): void;
  /** Writes what is to be done only while PE is clear: an instruction whose result is not exact is the handler's then. */
  whilePrecise(write: () => void): void;
}

export interface VectorCode {
  /** Bytes of the memory operand; registers have all of theirs. */
  readonly bytes: 1 | 2 | 4 | 8 | 16 | 32;
  /** A memory operand must be aligned, or is left to the handler. */
  readonly aligned: boolean;
  readonly writesMemory: boolean;
  /** Plain arithmetic answers the same, exceptions included, in nearest rounding with all of them masked. */
  readonly quick: boolean;
  /** Runs while SSE, or VEX, instructions do; x87 ones ask for themselves. */
  readonly asksMode: boolean;
  /** Vector and general registers by number. */
  readonly reads: readonly number[];
  readonly writes: readonly number[];
  readonly readsGeneral: readonly number[];
  readonly writesGeneral: readonly number[];
  /** Nothing is written before the last giveUpIf(). */
  write(scope: VectorScope): void;
}

const UF_MEM = 0x10;
const UF_SIMPLE = 0x8000;
const UV_L = 0x10;
const UV_VEX = 0x20;
/** Where bits 255:128 of the registers lie. */
const HIGH = YMM + 16;

export const inMemory = ({ flags }: DecodedUop): boolean => (flags & UF_MEM) !== 0;
export const isWide = ({ target }: DecodedUop): boolean => (target & 0x40) !== 0;
/** Mandatory prefix: NP 66 F3 F2, for arithmetic packed single, packed double, scalar single, scalar double. */
export const formOf = ({ target }: DecodedUop): number => (target >> 8) & 3;
export const vectorOperation = ({ target }: DecodedUop): string => operationOf(target >>> 16);

export const isVex = ({ target }: DecodedUop): boolean => (target & UV_VEX) !== 0;
/** Of 256 bits. */
export const isWhole = ({ target }: DecodedUop): boolean => (target & UV_L) !== 0;
/** Register of the first source: that of VEX.vvvv, or the destination. */
export const firstOf = (uop: DecodedUop): number => (isVex(uop) ? vexRegister(uop) : uop.r);

const KNOWN = new WeakMap<DecodedUop, VectorCode | null>();

/** The code of a vector instruction; undefined: its handler is called. */
export function vectorCode(uop: DecodedUop): VectorCode | undefined {
  const { handler } = uop;
  if (!handler) return undefined;
  if (inMemory(uop) && (uop.flags & UF_SIMPLE) === 0) return undefined;
  let known = KNOWN.get(uop);
  if (known === undefined) {
    known =
      (handler.vector
        ? (floatCode(handler.name, uop) ?? integerCode(handler.name, uop))
        : x87Code(handler.name, uop)) ?? null;
    KNOWN.set(uop, known);
  }
  return known ?? undefined;
}

/** Puts the source on the stack, a register or 128 bits of memory. */
export function source({ code, uop, xmm, pointer }: VectorScope): void {
  if (inMemory(uop)) code.get(pointer).v128Load(0);
  else code.get(xmm(uop.rm));
}

/** Puts bits 255:128 of a register on the stack. */
export const highOf = (code: FunctionWriter, register: number): FunctionWriter =>
  code.i32(register * 32).v128Load(HIGH);

/** Puts bits 255:128 of the source on the stack. */
export function highSource({ code, uop, pointer }: VectorScope): void {
  if (inMemory(uop)) code.get(pointer).v128Load(16);
  else highOf(code, uop.rm);
}

/** Writes bits 255:128 of a register: what `push` puts on the stack. */
export function setHigh(code: FunctionWriter, register: number, push: () => void): void {
  code.i32(register * 32);
  push();
  code.v128Store(HIGH);
}

/** Ends a VEX instruction of 128 bits or less: bits 255:128 of its destination become zeros. */
export function clearHigh({ code, uop }: VectorScope, register: number = uop.r): void {
  if (isVex(uop)) setHigh(code, register, () => code.v128Zero());
}
