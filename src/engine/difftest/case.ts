// One instruction with everything that it can see, and what came of it.
import type { Mode } from './bed.js';

/** Bytes put into memory before a case. */
export interface Poke {
  address: number;
  bytes: Uint8Array;
}

export interface Case {
  /** What the generator meant, for filters and reports. */
  name: string;
  mode: Mode;
  cpl: number;
  /** Seed of the memory image (bedImage). */
  seed: number;
  code: Uint8Array;
  /** Linear address of the first byte, in the bed's code pages. */
  address: number;
  /** rax rcx rdx rbx rsp rbp rsi rdi r8-r15. */
  gpr: BigUint64Array;
  rflags: number;
  pokes: readonly Poke[];
}

/** How a case ended. `unsupported`: this runner cannot run it (an emulation failure of the host, for one). */
export type Ending = 'exception' | 'halt' | 'mmio' | 'io' | 'shutdown' | 'unsupported' | 'stuck' | 'other';

/** A run of changed bytes. */
export interface Change {
  address: number;
  bytes: Uint8Array;
}

/**
 * State after the instruction, the exception's delivery undone: `rip`, `rflags`, `cs`, `ss` and RSP are those
 * that the handler's frame holds, and the frame itself is not among the changes.
 */
export interface Outcome {
  ending: Ending;
  /** Vector of the exception: 1 after an instruction that completed. -1 where there is none. */
  vector: number;
  errorCode: number;
  /** Only of #PF. */
  cr2: bigint;
  gpr: BigUint64Array;
  rip: bigint;
  rflags: number;
  /** es cs ss ds fs gs. */
  selectors: Uint16Array;
  changes: Change[];
  /** The runner's own words on an ending that is not an exception. */
  detail: string;
}

/** Runs cases one by one, each from the test bed's initial state. */
export interface CaseRunner {
  readonly name: string;
  run(cases: readonly Case[]): Outcome[];
  close(): void;
}

export const GPR_NAMES: readonly string[] = 'rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15'.split(' ');
export const SELECTOR_NAMES: readonly string[] = 'es cs ss ds fs gs'.split(' ');

export const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');

/** One line: mode, ring, bytes and name. */
export const describeCase = (c: Case): string => `${c.mode} cpl${c.cpl} ${hexOf(c.code)} ${c.name}`;
