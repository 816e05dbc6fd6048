/** From a frame to its caller's by a row of the guest system's unwind table. */
import type { OsFrameRow } from '../debugger.js';

/** Byte offsets in `struct pt_regs`, and in what an interrupt pushes. @linux arch/x86/include/asm/ptrace.h */
const PT_REGS = { rbp: 0x20, rip: 0x80, rsp: 0x98 };
const INTERRUPT_FRAME = { rip: 0, rsp: 24 };

export interface StackFrame {
  pc: bigint;
  sp: bigint;
  /** RBP; undefined where it is not known. */
  bp: bigint | undefined;
}

export interface Caller extends StackFrame {
  /** Address of the stack slot that holds the return address. */
  slot: bigint;
  /** The address is no return address: an interrupt or exception broke the code off there. */
  interrupted: boolean;
}

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);

/**
 * Yields the addresses of the words that it needs, and is given these; undefined where one is not mapped.
 * @param base value of the row's register
 */
export function* callerByRow(
  row: OsFrameRow,
  base: bigint,
  bp: bigint | undefined,
): Generator<bigint, Caller | undefined, bigint | undefined> {
  if (row.frame === 'none' || row.frame === 'outside') return undefined;
  let place: bigint | undefined = u64(base + (row.load === 'first' ? 0n : BigInt(row.offset)));
  if (row.load !== undefined) place = yield place;
  if (place === undefined) return undefined;
  if (row.load === 'first') place = u64(place + BigInt(row.offset));
  const at = (offset: number): bigint => u64((place as bigint) + BigInt(offset));
  if (row.frame === 'call') {
    const pc = yield at(-8);
    const from = row.rbpFrom === undefined ? place : bp;
    let caller = bp;
    if (row.rbp !== undefined) caller = from === undefined ? undefined : yield u64(from + BigInt(row.rbp));
    return pc === undefined ? undefined : { pc, slot: at(-8), sp: place, bp: caller, interrupted: false };
  }
  const slots = row.frame === 'registers' ? PT_REGS : INTERRUPT_FRAME;
  const pc = yield at(slots.rip);
  const sp = yield at(slots.rsp);
  if (pc === undefined || sp === undefined) return undefined;
  const caller = row.frame === 'registers' ? yield at(PT_REGS.rbp) : bp;
  return { pc, slot: at(slots.rip), sp, bp: caller, interrupted: true };
}
