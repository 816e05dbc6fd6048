// Vector instructions that compiled code carries out itself: which ones, and how. All others call their handler
// (core/simd), and so do these where their conditions do not hold.

import { operationOf } from '../../spec/opcodes/vector-operations.js';
import type { DecodedUop } from './decoded.js';
import { floatCode } from './vector-float.js';
import { integerCode } from './vector-integer.js';
import type { FunctionWriter } from './wasm-writer.js';

/** What the code of one instruction has at hand. */
export interface VectorScope {
  readonly code: FunctionWriter;
  readonly uop: DecodedUop;
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
}

export interface VectorCode {
  /** Bytes of the memory operand; registers have all of theirs. */
  readonly bytes: 4 | 8 | 16;
  /** A memory operand must be aligned, or is left to the handler. */
  readonly aligned: boolean;
  readonly writesMemory: boolean;
  /** Plain arithmetic answers the same, exceptions included: nearest rounding, all masked, PE set. */
  readonly quick: boolean;
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
const UV_VEX = 0x20;

export const inMemory = ({ flags }: DecodedUop): boolean => (flags & UF_MEM) !== 0;
export const isWide = ({ target }: DecodedUop): boolean => (target & 0x40) !== 0;
/** Mandatory prefix: NP 66 F3 F2, for arithmetic packed single, packed double, scalar single, scalar double. */
export const formOf = ({ target }: DecodedUop): number => (target >> 8) & 3;
export const vectorOperation = ({ target }: DecodedUop): string => operationOf(target >>> 16);

const KNOWN = new WeakMap<DecodedUop, VectorCode | null>();

/** The code of a vector instruction; undefined: its handler is called. */
export function vectorCode(uop: DecodedUop): VectorCode | undefined {
  const { handler } = uop;
  if (!handler?.vector || (uop.target & UV_VEX) !== 0) return undefined;
  if (inMemory(uop) && (uop.flags & UF_SIMPLE) === 0) return undefined;
  let known = KNOWN.get(uop);
  if (known === undefined) {
    known = floatCode(handler.name, uop) ?? integerCode(handler.name, uop) ?? null;
    KNOWN.set(uop, known);
  }
  return known ?? undefined;
}

/** Puts the source on the stack, a register or 128 bits of memory. */
export function source({ code, uop, xmm, pointer }: VectorScope): void {
  if (inMemory(uop)) code.get(pointer).v128Load(0);
  else code.get(xmm(uop.rm));
}
