/**
 * What `$_siginfo` shows: Linux's siginfo_t with the reason of the stop, and behind its fields the VM exit that the
 * thread stands at, or else its newest. 128 bytes, little-endian. Byte offsets, in a 64-bit layout:
 *
 *     0  si_signo  signal of the stop; 0 for a thread that did not cause it
 *     4  si_errno  0
 *     8  si_code   1 breakpoint, 2 step, 4 watchpoint, 80h failure, 0 pause; 100h + basic reason: a VM exit
 *    16  si_addr   of the breakpoint or access, guest-physical where the exit defines one, else of the instruction
 *    48  exit reason field              52  vCPU, from 0
 *    56  exit qualification (8)         64  guest-physical address (8)
 *    72  guest-linear address (8)       80  number of the exit from 1, 0: none so far (8)
 *    88  interruption information       92  interruption error code
 *    96  instruction information       100  instruction length
 *   104  RIP at the exit (8)           112  instructions retired (8)
 *
 * In a 32-bit layout si_addr has 4 bytes at 12; all that is from 48 on stands where it is. `_pad[N]` of GDB's type is
 * at byte 16 + 4 N, or 12 + 4 N in 32 bits.
 * @gdb "General Query Packets", `qXfer:siginfo:read`
 */
import { SIGNAL_INT, SIGNAL_NONE, SIGNAL_TRAP } from './stop-reply.js';
import type { StopCause, TargetExit } from './target.js';

const BYTES = 128;
const TRAP_BRKPT = 1;
const TRAP_TRACE = 2;
const TRAP_HWBKPT = 4;
const SI_KERNEL = 0x80;
const VM_EXIT = 0x100;

function signalAndCode(cause: StopCause, exit: TargetExit | undefined): [signal: number, code: number, at: bigint] {
  switch (cause.kind) {
    case 'paused':
      return [SIGNAL_INT, 0, 0n];
    case 'step':
      return [SIGNAL_TRAP, TRAP_TRACE, 0n];
    case 'breakpoint':
      return [SIGNAL_TRAP, TRAP_BRKPT, cause.address];
    case 'watchpoint':
      return [SIGNAL_TRAP, TRAP_HWBKPT, cause.address];
    case 'fault':
      return [cause.signal, SI_KERNEL, 0n];
    case 'history':
      return [SIGNAL_TRAP, 0, 0n];
    case 'event':
      if (!exit?.stoppedHere) return [SIGNAL_TRAP, 0, 0n];
      return [SIGNAL_TRAP, VM_EXIT | (exit.reason & 0xffff), exit.gpa || exit.linearRip];
    case 'syscall':
      return [SIGNAL_TRAP, 0, 0n];
    case 'exited':
      return [SIGNAL_NONE, 0, 0n];
  }
}

/** @param cause absent: another thread caused the stop. */
export function siginfo(cause: StopCause | undefined, exit: TargetExit | undefined, wordBytes: 4 | 8): Uint8Array {
  const bytes = new Uint8Array(BYTES);
  const view = new DataView(bytes.buffer);
  const [signal, code, address] = cause ? signalAndCode(cause, exit) : [SIGNAL_NONE, 0, 0n];
  view.setInt32(0, signal, true);
  view.setInt32(8, code, true);
  if (wordBytes === 8) view.setBigUint64(16, address, true);
  else view.setUint32(12, Number(address & 0xffff_ffffn), true);
  if (exit === undefined) return bytes;
  view.setUint32(48, exit.reason, true);
  view.setUint32(52, exit.vcpu, true);
  view.setBigUint64(56, exit.qualification, true);
  view.setBigUint64(64, exit.gpa, true);
  view.setBigUint64(72, exit.gla, true);
  view.setBigUint64(80, BigInt(exit.sequence), true);
  view.setUint32(88, exit.interruptionInfo, true);
  view.setUint32(92, exit.interruptionError, true);
  view.setUint32(96, exit.instructionInfo, true);
  view.setUint32(100, exit.instructionLength, true);
  view.setBigUint64(104, exit.rip, true);
  view.setBigUint64(112, exit.icount, true);
  return bytes;
}
