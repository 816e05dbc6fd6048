// Exceptions and interrupts 0 to 31.
import { type BitField, decodeBits, PAGE_FAULT_ERROR, SELECTOR_ERROR } from './flags.js';

export type ExceptionClass = 'fault' | 'trap' | 'fault/trap' | 'abort' | 'interrupt';

export interface ExceptionRow {
  readonly vector: number;
  readonly mnemonic: string;
  readonly title: string;
  readonly class: ExceptionClass;
  /** Decoding of the error code that is pushed; undefined: none is. `zero`: always 0. */
  readonly error?: readonly BitField[] | 'zero';
}

/** @sdm 3A 6.3.1 "External Interrupts", table 6-1 "Protected-Mode Exceptions and Interrupts" */
const ROWS = [
  { vector: 0, mnemonic: '#DE', title: 'Divide Error', class: 'fault' },
  { vector: 1, mnemonic: '#DB', title: 'Debug Exception', class: 'fault/trap' },
  { vector: 2, mnemonic: 'NMI', title: 'NMI Interrupt', class: 'interrupt' },
  { vector: 3, mnemonic: '#BP', title: 'Breakpoint', class: 'trap' },
  { vector: 4, mnemonic: '#OF', title: 'Overflow', class: 'trap' },
  { vector: 5, mnemonic: '#BR', title: 'BOUND Range Exceeded', class: 'fault' },
  { vector: 6, mnemonic: '#UD', title: 'Invalid Opcode', class: 'fault' },
  { vector: 7, mnemonic: '#NM', title: 'Device Not Available', class: 'fault' },
  { vector: 8, mnemonic: '#DF', title: 'Double Fault', class: 'abort', error: 'zero' },
  { vector: 9, mnemonic: '#MF9', title: 'Coprocessor Segment Overrun', class: 'fault' },
  { vector: 10, mnemonic: '#TS', title: 'Invalid TSS', class: 'fault', error: SELECTOR_ERROR },
  { vector: 11, mnemonic: '#NP', title: 'Segment Not Present', class: 'fault', error: SELECTOR_ERROR },
  { vector: 12, mnemonic: '#SS', title: 'Stack-Segment Fault', class: 'fault', error: SELECTOR_ERROR },
  { vector: 13, mnemonic: '#GP', title: 'General Protection', class: 'fault', error: SELECTOR_ERROR },
  { vector: 14, mnemonic: '#PF', title: 'Page Fault', class: 'fault', error: PAGE_FAULT_ERROR },
  { vector: 16, mnemonic: '#MF', title: 'x87 FPU Floating-Point Error', class: 'fault' },
  { vector: 17, mnemonic: '#AC', title: 'Alignment Check', class: 'fault', error: 'zero' },
  { vector: 18, mnemonic: '#MC', title: 'Machine Check', class: 'abort' },
  { vector: 19, mnemonic: '#XM', title: 'SIMD Floating-Point Exception', class: 'fault' },
  { vector: 20, mnemonic: '#VE', title: 'Virtualization Exception', class: 'fault' },
  { vector: 21, mnemonic: '#CP', title: 'Control Protection Exception', class: 'fault', error: 'zero' },
] as const satisfies readonly ExceptionRow[];

export const EXCEPTIONS: readonly ExceptionRow[] = ROWS;

type Plain<Mnemonic> = Mnemonic extends `#${infer Name}` ? Name : Mnemonic;

/** Vectors by their mnemonics, as `VECTOR.GP`. */
export const VECTOR = Object.fromEntries(ROWS.map((row) => [row.mnemonic.replace('#', ''), row.vector])) as Readonly<
  Record<Plain<(typeof ROWS)[number]['mnemonic']>, number>
>;

const BY_VECTOR = new Map(EXCEPTIONS.map((row) => [row.vector, row]));

/** The row of a vector; undefined above 21 and for the reserved 15. */
export const exceptionRow = (vector: number): ExceptionRow | undefined => BY_VECTOR.get(vector);

/** Short name of a vector: `#PF`, `NMI`, or `0x20` for an interrupt. */
export const vectorName = (vector: number): string => BY_VECTOR.get(vector)?.mnemonic ?? `0x${vector.toString(16)}`;

/** What an exception's error code says, e.g. `P W/R U/S`; empty when it says nothing. */
export function describeErrorCode(vector: number, code: number): string {
  const rows = BY_VECTOR.get(vector)?.error;
  return rows === undefined || rows === 'zero' ? '' : decodeBits(BigInt(code), rows).join(' ');
}
