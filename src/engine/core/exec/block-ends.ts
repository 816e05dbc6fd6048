// How the dispatcher (generated/dispatch.ts, from execute-blocks.ts) enters blocks, finds the next one and leaves.
import {
  ATTENTION, BLOCK_UOPS, BREAKPOINT_COUNT, CODE_BASE, CODE_CAREFUL, CODE_MODE, CTX_GEN, CTX_PLAIN, ICOUNT, JIT_HEAT, JIT_INSIDE, JUMP_CACHE, JUMP_CACHE_ENTRIES, JUMPS_SEEN, JUMPS_SEEN_ENTRIES, MODE, MODE_CODE32, MODE_CODE64, MODE_FLAT,
  NEXT_RIP, RIP, RIP_BASE, SEG_CS, SEG_SS, SELF_RIP, SINGLE, SLICE_END, TLB_CODE, TLB_ENTRIES, XS_RETRY,
} from '../layout';
import { segBase, segLimit } from '../state';
import { markDevice, uLen, uNext, uNth, uOp, uSeg } from '../uop';
import { BLOCK_HEADER, blockBytes, findBlock, hasRoom } from '../decode/cache';
import { callHandler, H_CLI } from '../generated/handlers';
import { OP_VECTOR, ROW_UNSEEN } from '../generated/ops';
import { accessStatus, asStackFault, leadsToDevice } from '../mmu/access';
import { CTX_AC } from '../mmu/tlb';
import { storeStatus } from './lazy-flags';
import { CPU_INTERRUPT_WINDOW_EXITING, CPU_NMI_WINDOW_EXITING } from '../generated/controls';
import { primaryControls } from '../vmx/vmcs';

/** Stands before the first block: a block of no instructions, then the transition. */
export const ENTER: usize = memory.data<u64>([0, 0, 0, 0, 0, 0, 0, 0]);

/** Leaves between two blocks. */
export function leave(rip: u64, k: u32, fr: i64, fs: u64, status: i32): i32 {
  if (k) storeStatus(k, fr, fs);
  store<u64>(RIP, rip);
  return status;
}

/** RIP of the instruction at u. */
@inline function instructionRip(u: usize): u64 {
  const rip = load<u64>(RIP_BASE) + uNext(u) - uLen(u);
  return load<u32>(CODE_MODE) & MODE_CODE64 ? rip : rip & 0xffffffff;
}

/** The instruction at u faulted, exits or must run again: nothing of it was done. */
export function stop(u: usize, k: u32, fr: i64, fs: u64): i32 {
  if (k) storeStatus(k, fr, fs);
  if (uSeg(u) == SEG_SS) asStackFault();
  store<u64>(RIP, instructionRip(u));
  store<u64>(ICOUNT, load<u64>(ICOUNT) + uNth(u));
  const status = accessStatus();
  if (status == XS_RETRY && leadsToDevice()) markDevice(u);
  return status;
}

/** As stop(), with the status of a handler that the dispatcher called directly. */
export function stopWith(u: usize, k: u32, fr: i64, fs: u64, status: i32): i32 {
  if (k) storeStatus(k, fr, fs);
  store<u64>(RIP, instructionRip(u));
  store<u64>(ICOUNT, load<u64>(ICOUNT) + uNth(u));
  return status;
}

/** What the handler has to look at: a target that is not canonical with 48 bits, a division that overflows. */
export function stopForHandler(u: usize, k: u32, fr: i64, fs: u64): i32 {
  stop(u, k, fr, fs);
  return XS_RETRY;
}

/** Begins at a RIP after something that may have changed mode and code segment; no block is running. */
export function enterAt(rip: u64): void {
  const mode = load<u32>(MODE);
  const flat = (mode & (MODE_CODE64 | MODE_FLAT)) != 0;
  store<u32>(CODE_MODE, mode);
  store<u64>(CODE_BASE, mode & MODE_CODE64 ? 0 : segBase(SEG_CS));
  store<u32>(CODE_CAREFUL, flat ? 0 : 1);
  store<u32>(BLOCK_UOPS, u32(ENTER + BLOCK_HEADER));
  store<u64>(SELF_RIP, ~rip);
}

/** Highest offset that code of the mode may have and branch to: those of 16 bits wrap, which is left to the handlers. */
@inline export function codeLimit(): u64 {
  const limit = u64(segLimit(SEG_CS));
  return load<u32>(CODE_MODE) & MODE_CODE32 ? limit : min<u64>(limit, 0xffff);
}

/** Does the block, or the branch at its end, pass the code segment's limit? */
export function passesLimit(block: usize, rip: u64): bool {
  const limit = codeLimit();
  return rip + blockBytes(block) - 1 > limit || rip + u64(i64(load<i32>(block, 28))) > limit;
}

/** Instructions of the block whose micro-ops begin here. */
@inline export function uopsCount(own: usize): u32 { return load<u16>(own - BLOCK_HEADER, 12); }

/** Runs a handler with everything in memory. */
export function runHandler(u: usize): i32 {
  const rip = load<u64>(RIP_BASE) + uNext(u);
  const mask: u64 = load<u32>(CODE_MODE) & MODE_CODE64 ? ~u64(0) : 0xffffffff;
  store<u64>(RIP, (rip - uLen(u)) & mask);
  store<u64>(NEXT_RIP, rip & mask);
  store<u64>(ICOUNT, load<u64>(ICOUNT) + uNth(u));
  return callHandler(load<u16>(u), u);
}

/** Offset of the jump cache's slot for a linear address. */
@inline export function jumpSlot(linear: u64): u32 {
  return (u32(linear ^ (linear >> 12)) & (JUMP_CACHE_ENTRIES - 1)) << 4;
}

/** Notes for the compiler that the computed jump at u goes to a RIP. */
// budget: 3 loads, 2 stores
@inline export function sawJump(u: usize, rip: u64): void {
  const next = load<u64>(RIP_BASE) + uNext(u);
  const distance = u32(rip - next);
  const source = u32(next + load<u64>(CODE_BASE));
  const entry = (((source * 0x9e3779b1) ^ (distance * 0x85ebca6b)) >> 21 & (JUMPS_SEEN_ENTRIES - 1)) << 3;
  store<u32>(entry, source, JUMPS_SEEN);
  store<u32>(entry, distance, JUMPS_SEEN + 4);
}

/** Finds the block of the jump cache's slot anew; 0: see blockStatus(). */
export function fillSlot(slot: u32, linear: u64, rip: u64): usize {
  let known: usize = 0;
  if (load<u64>(slot, JUMP_CACHE) == linear) known = load<u32>(slot, JUMP_CACHE + 12);
  const block = findBlock(linear, rip, load<u32>(CODE_MODE), known);
  if (!block) return 0;
  store<u64>(slot, linear, JUMP_CACHE);
  store<u32>(slot, load<u32>(CTX_GEN), JUMP_CACHE + 8);
  store<u32>(slot, u32(block), JUMP_CACHE + 12);
  return block;
}

/** Linear address of an offset in the running code. */
@inline function linearOf(rip: u64): u64 { return (rip + load<u64>(CODE_BASE)) & (load<u32>(CODE_MODE) & MODE_CODE64 ? ~u64(0) : 0xffffffff); }

/**
 * Will the instruction behind the one that runs, whose block is known, complete before anything looks at what it runs in? Then the shadow
 * of STI needs not be there. CLI is one where STI was allowed. Where one sample makes code compile (--jit always), each end of a slice
 * brings one, as the shadow does.
 */
export function passesUnseen(): bool {
  if (load<u32>(JIT_HEAT) == 1) return false;
  if (load<u32>(SINGLE) | load<u32>(JIT_INSIDE) | load<u32>(ATTENTION) | load<u32>(BREAKPOINT_COUNT) | load<u32>(CODE_CAREFUL)) return false;
  const linear = linearOf(load<u64>(NEXT_RIP));
  const slot = jumpSlot(linear);
  if (load<u64>(slot, JUMP_CACHE) != linear || load<u32>(slot, JUMP_CACHE + 8) != load<u32>(CTX_GEN)) return false;
  const own: usize = load<u32>(slot, JUMP_CACHE + 12) + BLOCK_HEADER;
  if (load<u64>(ICOUNT) + 1 + uopsCount(own) > load<u64>(SLICE_END)) return false;
  const op = uOp(own);
  // CLI in the shadow keeps the window for interrupts shut
  const windows = primaryControls() & (op == H_CLI ? CPU_NMI_WINDOW_EXITING : CPU_NMI_WINDOW_EXITING | CPU_INTERRUPT_WINDOW_EXITING);
  return windows == 0 && (op == H_CLI || (op < OP_VECTOR && load<u8>(ROW_UNSEEN + op) != 0));
}

/**
 * The block behind STI is decoded, where that can neither fault nor drop what runs: where an instruction runs alone there, nobody else
 * would find it.
 */
export function decodeBehind(): void {
  if (load<u32>(SINGLE) || load<u32>(BREAKPOINT_COUNT)) return;
  const rip = load<u64>(NEXT_RIP);
  if (load<u32>(CODE_CAREFUL) && rip + 16 > codeLimit()) return;
  const linear = linearOf(rip);
  const slot = jumpSlot(linear);
  if (load<u64>(slot, JUMP_CACHE) == linear && load<u32>(slot, JUMP_CACHE + 8) == load<u32>(CTX_GEN)) return;
  const entry = (usize(linear >> 12) & (TLB_ENTRIES - 1)) << 4;
  if ((linear & 0xfff) > 0xff0 || load<u64>(entry, TLB_CODE) != ((linear & ~u64(0xfff)) | u64(load<u32>(CTX_PLAIN) & ~CTX_AC))) return;
  if (hasRoom()) fillSlot(slot, linear, rip);
}
