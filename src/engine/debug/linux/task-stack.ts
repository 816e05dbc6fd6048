/**
 * The kernel stack of a task that no CPU runs: from where it was switched away, by the kernel's ORC tables, else by
 * frame pointers, else by the words that point behind a CALL.
 */
import type { OsFrameRow, OsStackFrame } from '../../debugger.js';
import { callerByRow, type StackFrame } from '../frame-step.js';
import type { LinuxKernel } from './kernel.js';
import { dataView } from './physical.js';
import { taskLayout } from './task-layout.js';

/** `struct inactive_task_frame` ends with RBX, RBP and the return address. @linux arch/x86/include/asm/switch_to.h */
const SWITCHED = { 64: { bp: 0x28, pc: 0x30, bytes: 0x38 }, 32: { bp: 0x10, pc: 0x14, bytes: 0x18 } };
/** THREAD_SIZE is 16 KiB, 32 KiB with KASAN. */
const STACK_BYTES = 0x8000n;
const SCAN_WORDS = 1024;
const MAX_FRAMES = 64;
/** DWARF numbers of the registers that a frame knows. */
const RBP = 6;
const RSP = 7;
const LONGEST_CALL = 7;

export interface StackContext {
  kernel: LinuxKernel;
  frameRow(address: bigint): OsFrameRow | undefined;
  /** Whether an address is code of the kernel or a module. */
  isCode(address: bigint): boolean;
  nameOf(address: bigint): string;
}

/** @param task address of its task_struct */
export function taskStack(context: StackContext, task: bigint): OsStackFrame[] {
  const { kernel } = context;
  const { sp } = taskLayout(kernel);
  if (sp === undefined) throw new Error(`${kernel.release} has no type information (CONFIG_DEBUG_INFO_BTF)`);
  const top = kernel.pointer(task + BigInt(sp));
  const { bp, pc, bytes } = SWITCHED[kernel.bits];
  let frame: StackFrame | undefined = {
    pc: kernel.pointer(top + BigInt(pc)),
    bp: kernel.pointer(top + BigInt(bp)),
    sp: top + BigInt(bytes),
  };
  const frames: OsStackFrame[] = [];
  // a return address belongs to the call before it
  let interrupted = false;
  for (let found: OsStackFrame['found'] = 'switch'; frame !== undefined && frames.length < MAX_FRAMES; ) {
    const at: bigint = interrupted ? frame.pc : frame.pc - 1n;
    if (!context.isCode(at)) break;
    frames.push({ address: frame.pc, name: context.nameOf(frame.pc), found });
    const next = callerOf(context, frame, at);
    // the table knows the outermost frame as well
    if (next === undefined || next.sp <= frame.sp || next.sp - top > STACK_BYTES) break;
    ({ found, interrupted } = next);
    frame = next;
  }
  return frames;
}

type Next = StackFrame & { found: OsStackFrame['found']; interrupted: boolean };

function callerOf(context: StackContext, frame: StackFrame, at: bigint): Next | undefined {
  const row = context.frameRow(at);
  if (row === undefined) return byFramePointer(context, frame) ?? byScan(context, frame);
  const base = row.register === RSP ? frame.sp : row.register === RBP ? frame.bp : undefined;
  if (base === undefined) return undefined;
  const steps = callerByRow(row, base, frame.bp);
  let step = steps.next();
  while (!step.done) step = steps.next(word(context.kernel, step.value));
  return step.value && { ...step.value, found: 'table' };
}

function word(kernel: LinuxKernel, address: bigint): bigint | undefined {
  try {
    return kernel.pointer(address);
  } catch {
    return undefined;
  }
}

function byFramePointer(context: StackContext, { sp, bp }: StackFrame): Next | undefined {
  const { kernel } = context;
  if (bp === undefined || bp < sp || bp - sp > STACK_BYTES) return undefined;
  const bytes = BigInt(kernel.pointerBytes);
  const pc = word(kernel, bp + bytes);
  if (pc === undefined || !isReturnAddress(context, pc)) return undefined;
  return { pc, sp: bp + 2n * bytes, bp: word(kernel, bp), found: 'frame pointer', interrupted: false };
}

function byScan(context: StackContext, { sp, bp }: StackFrame): Next | undefined {
  const { kernel } = context;
  const bytes = BigInt(kernel.pointerBytes);
  for (let at = sp, left = SCAN_WORDS; left > 0; at += bytes, left--) {
    const pc = word(kernel, at);
    if (pc === undefined) return undefined;
    if (isReturnAddress(context, pc)) return { pc, sp: at + bytes, bp, found: 'scan', interrupted: false };
  }
  return undefined;
}

/** Whether a CALL ends right before an address: E8 with 32 bits, or FF /2 with up to seven bytes. */
function isReturnAddress({ kernel, isCode }: StackContext, pc: bigint): boolean {
  if (!isCode(pc - 1n)) return false;
  let bytes: Uint8Array;
  try {
    bytes = kernel.read(pc - BigInt(LONGEST_CALL), LONGEST_CALL);
  } catch {
    return false;
  }
  if (bytes[LONGEST_CALL - 5] === 0xe8) return isCode(pc + BigInt(dataView(bytes).getInt32(LONGEST_CALL - 4, true)));
  for (let length = 2; length <= LONGEST_CALL; length++) {
    const at = LONGEST_CALL - length;
    if (bytes[at] === 0xff && ((bytes[at + 1] >> 3) & 7) === 2) return true;
  }
  return false;
}
