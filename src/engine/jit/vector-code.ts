// What the code of vector and x87 instructions in regions is made of: see in-place.ts.
import { operationOf } from '../../spec/opcodes/vector-operations.js';
import type { Expression, Size } from '../../spec/uops/expression.js';
import { YMM } from '../core/layout.js';
import type { DecodedUop } from './decoded.js';
import { vexRegister } from './operand-code.js';
import type { Shadow } from './sti-shadow.js';
import type { FunctionWriter } from './wasm-writer.js';
import type { X87Known } from './x87-stack.js';

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
  /** RFLAGS holds all flags. */
  flagsAreStored(): void;
  /** Pushes the value of an expression. */
  put(e: Expression): void;
  /** Finds 1 << `size` bytes at a linear address in a table of the TLB: `pointer`. A miss is the handler's. */
  access(table: number, size: Size, at: Expression): void;
  /** Pushes RIP of the running block plus an offset. */
  rip(offset: number): void;
  /** Takes an i32, which becomes CF; the other flags stay. */
  setCarry(): void;
  /** Pushes the status flags in their places, an i32. */
  status(): void;
  /** MODE_* of the block. */
  readonly mode: number;
  /** Pushes ICOUNT of the instruction. */
  icount(): void;
  /** Pushes, and takes, how many instructions of the slice are left behind the block. */
  left(): void;
  setLeft(): void;
  /** Of STI; undefined: its shadow may be seen. */
  readonly shadow: Shadow | undefined;
  /** What is known of the TLB holds no longer. */
  forgetPages(): void;
  /** What is known of the x87 state: written by who changes it. */
  readonly x87: X87Known;
  /** After MXCSR has changed. */
  lookAtMode(): void;
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
  /** Looks for its memory operand itself. */
  readonly findsOwn?: boolean;
  /** Vector and general registers by number. */
  readonly reads: readonly number[];
  readonly writes: readonly number[];
  readonly readsGeneral: readonly number[];
  readonly writesGeneral: readonly number[];
  /** An x87 instruction: what is known of the state goes on behind it. */
  readonly x87?: boolean;
  /** Nothing is written before the last giveUpIf(). */
  write(scope: VectorScope): void;
}

/** Code that does what `write` does, and of all else what `more` says. */
export const inPlace = (
  bytes: VectorCode['bytes'],
  write: VectorCode['write'],
  more: Partial<VectorCode> = {},
): VectorCode => ({
  bytes,
  aligned: false,
  writesMemory: false,
  quick: false,
  asksMode: false,
  reads: [],
  writes: [],
  readsGeneral: [],
  writesGeneral: [],
  write,
  ...more,
});

/** Bits of VECTORS_OFF: SSE instructions, and those with VEX, do not run. */
export const SSE_OFF = 1;
export const VEX_OFF = 2;
const UF_MEM = 0x10;
const UF_SIMPLE = 0x8000;
const UV_L = 0x10;
const UV_VEX = 0x20;
/** Where bits 255:128 of the registers lie. */
const HIGH = YMM + 16;

/** Its address needs no segment base, no cut, no limit check. */
export const isSimple = ({ flags }: DecodedUop): boolean => (flags & UF_SIMPLE) !== 0;
export const inMemory = ({ flags }: DecodedUop): boolean => (flags & UF_MEM) !== 0;
export const isWide = ({ target }: DecodedUop): boolean => (target & 0x40) !== 0;
/** Mandatory prefix: NP 66 F3 F2, for arithmetic packed single, packed double, scalar single, scalar double. */
export const formOf = ({ target }: DecodedUop): number => (target >> 8) & 3;
export const vectorOperation = ({ target }: DecodedUop): string => operationOf(target >>> 16);

/** The last byte of the opcode. */
export const opcodeOf = ({ flags }: DecodedUop): number => (flags >>> 16) & 0xff;
export const isVex = ({ target }: DecodedUop): boolean => (target & UV_VEX) !== 0;
/** Of 256 bits. */
export const isWhole = ({ target }: DecodedUop): boolean => (target & UV_L) !== 0;
/** Register of the first source: that of VEX.vvvv, or the destination. */
export const firstOf = (uop: DecodedUop): number => (isVex(uop) ? vexRegister(uop) : uop.r);

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

/** A vector instruction, most of which have two sources and a destination of one size. */
export function madeVector(uop: DecodedUop, write: VectorCode['write'], more: Partial<VectorCode> = {}): VectorCode {
  return inPlace(isWhole(uop) ? 32 : 16, write, {
    aligned: !isVex(uop),
    asksMode: true,
    reads: inMemory(uop) ? [firstOf(uop)] : [firstOf(uop), uop.rm],
    writes: [uop.r],
    ...more,
  });
}

/** Elements of `bytes` bytes by number, those of the second operand from 16 / bytes on, as a shuffle of bytes. */
export const lanes = (bytes: number, order: readonly number[]): number[] =>
  order.flatMap((lane) => Array.from({ length: bytes }, (_, n) => lane * bytes + n));

/** Two operands: `operate` takes them, of one half and then of the other, and answers the result. */
export const binary = (
  uop: DecodedUop,
  operate: (scope: VectorScope, high: boolean) => void,
  whole = isWhole(uop),
): VectorCode =>
  madeVector(uop, (scope) => {
    const { code, xmm } = scope;
    code.get(xmm(firstOf(uop)));
    source(scope);
    operate(scope, false);
    code.set(xmm(uop.r));
    if (!whole) clearHigh(scope);
    else {
      setHigh(code, uop.r, () => {
        highOf(code, firstOf(uop));
        highSource(scope);
        operate(scope, true);
      });
    }
  });
