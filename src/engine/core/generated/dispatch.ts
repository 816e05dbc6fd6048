// Written by tools/gen-core-tables.ts from src/spec/opcodes. Do not edit.
import { execBlendVariable, execVector, execVectorMmx } from '../simd/vector';
import { execBroadcast, execExtract128, execInsert128, execPermute } from '../simd/permute';
import { execConvertFromInteger, execConvertFromMmx, execConvertPacked, execConvertScalar, execConvertToInteger, execConvertToMmx, execStoreHalf } from '../simd/convert';
import { execDotProduct, execFloat, execFloatHorizontal, execFloatUnary } from '../simd/float';
import { execEmms, execMaskmovq, execMmxExtract, execMmxInsert, execMmxLoad, execMmxMask, execMmxMove, execMmxMoveStore, execMmxStore, execMovdq2q, execMovq2dq } from '../simd/mmx';
import { execExtend, execVectorUnary, execVectorUnaryMmx } from '../simd/unary';
import { execExtract, execExtractWord, execInsert, execInsertps, execMaskmovdqu, execMovdLoad, execMovdStore, execMoveMask } from '../simd/element';
import { execFloatCompare } from '../simd/float-compare';
import { execFloatEstimate, execRound } from '../simd/float-round';
import { execFma } from '../simd/fma';
import { execGather, execMaskedLoad, execMaskedStore } from '../simd/masked';
import { execHalfLoad, execHalfStore, execMovqLoad, execMovqStore, execScalarLoad, execScalarStore, execVectorLoad, execVectorStore, execVzeroall, execVzeroupper } from '../simd/move';
import { execLdmxcsr, execStmxcsr } from '../simd/mxcsr';
import { execVectorShift, execVectorShiftImmediate, execVectorShiftImmediateMmx, execVectorShiftMmx } from '../simd/shift';
import {
  ATTENTION, BLOCK_UOPS, BREAKPOINT_COUNT, CODE_BASE, CODE_CAREFUL, CODE_MODE, CTX_GEN, GPR, ICOUNT, JUMP_CACHE, MODE,
  MODE_CODE64, MODE_FLAT, NEXT_RIP, RAX, RBP, RCX, RDX, RFLAGS, RIP, RIP_BASE, RSP, SEG_CS, SEG_SS, SLICE_END, XS_LIMIT, XS_OK,
  XS_RETRY, XS_SINGLE, YMM,
} from '../layout';
import { segBase, segLimit } from '../state';
import { uImm2, uLen, uNext, uNth, uOpcode, uReg, uRm, uSeg } from '../uop';
import { BLOCK_HEADER, blockBytes, blockStatus, findBlock } from '../decode/cache';
import { carryOf, fusedTaken, keepCarry, storeStatus, testCondition } from '../exec/lazy-flags';
import { signedOverflow } from '../exec/muldiv';
import { accessStatus, asStackFault, modifiable, readable, readable32, writable, writable32, wrote, wrote32 } from '../mmu/access';
import { address, addressPlain, byteR, byteRm, stored, uFusedCondition } from '../exec/inline-operand';
import { sseOff, vexOff } from '../simd/operand';
import { breakpointsNear } from '../exec/breakpoint-pages';
import { callHandler } from './handlers';

/** Stands before the first block: a block of no instructions, then the transition. */
const ENTER: usize = memory.data<u64>([0, 0, 0, 0, 0, 0, 0, 0]);

/** Leaves between two blocks. */
function leave(rip: u64, k: u32, fr: i64, fs: u64, status: i32): i32 {
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
function stop(u: usize, k: u32, fr: i64, fs: u64): i32 {
  if (k) storeStatus(k, fr, fs);
  if (uSeg(u) == SEG_SS) asStackFault();
  store<u64>(RIP, instructionRip(u));
  store<u64>(ICOUNT, load<u64>(ICOUNT) + uNth(u));
  return accessStatus();
}

/** Not canonical with 48 bits: the handler knows whether there are more. */
/** As stop(), with the status of a handler that the dispatcher called directly. */
function stopWith(u: usize, k: u32, fr: i64, fs: u64, status: i32): i32 {
  if (k) storeStatus(k, fr, fs);
  store<u64>(RIP, instructionRip(u));
  store<u64>(ICOUNT, load<u64>(ICOUNT) + uNth(u));
  return status;
}

function stopNonCanonical(u: usize, k: u32, fr: i64, fs: u64): i32 {
  stop(u, k, fr, fs);
  return XS_RETRY;
}

/** Begins at a RIP after something that may have changed mode and code segment; no block is running. */
function enterAt(rip: u64): void {
  const mode = load<u32>(MODE);
  const flat = (mode & (MODE_CODE64 | MODE_FLAT)) != 0;
  store<u32>(CODE_MODE, mode);
  store<u64>(CODE_BASE, mode & MODE_CODE64 ? 0 : segBase(SEG_CS));
  store<u32>(CODE_CAREFUL, flat && load<u32>(BREAKPOINT_COUNT) == 0 ? 0 : 1);
  store<u32>(BLOCK_UOPS, u32(ENTER + BLOCK_HEADER));
  store<u64>(RIP_BASE, ~rip);
}

/** Does the block pass the code segment's limit, or lie in a page with a breakpoint? */
function mustStop(block: usize, rip: u64, linear: u64): bool {
  if (!(load<u32>(CODE_MODE) & (MODE_CODE64 | MODE_FLAT)) && rip + blockBytes(block) - 1 > u64(segLimit(SEG_CS))) return true;
  return breakpointsNear(linear);
}

/** Instructions of the block whose micro-ops begin here. */
@inline function uopsCount(own: usize): u32 { return load<u16>(own - BLOCK_HEADER, 12); }

/** Runs a handler with everything in memory. */
function runHandler(u: usize): i32 {
  const rip = load<u64>(RIP_BASE) + uNext(u);
  const mask: u64 = load<u32>(CODE_MODE) & MODE_CODE64 ? ~u64(0) : 0xffffffff;
  store<u64>(RIP, (rip - uLen(u)) & mask);
  store<u64>(NEXT_RIP, rip & mask);
  store<u64>(ICOUNT, load<u64>(ICOUNT) + uNth(u));
  return callHandler(load<u16>(u), u);
}

/** Finds the block of the jump cache's slot anew; 0: see blockStatus(). */
function fillSlot(slot: u32, linear: u64, rip: u64): usize {
  const block = findBlock(linear, rip, load<u32>(CODE_MODE));
  if (!block) return 0;
  store<u64>(slot, linear, JUMP_CACHE);
  store<u32>(slot, load<u32>(CTX_GEN), JUMP_CACHE + 8);
  store<u32>(slot, u32(block), JUMP_CACHE + 12);
  return block;
}

/**
 * Runs blocks from RIP on. Answers XS_LIMIT when the next block would pass SLICE_END, XS_OK for attention,
 * XS_SINGLE when the next instruction must run alone, or the status of the instruction at RIP.
 */
// budget: dispatch 1 load and a br_table; to another block 11 loads, 3 stores, 5 compares; to itself 4 loads, 1 store
export function execBlocks(): i32 {
  let k: u32 = 0;
  let fr: i64 = 0;
  let fs: u64 = 0;
  let u: usize = ENTER + BLOCK_HEADER;
  enterAt(load<u64>(RIP));
  let mask: u64 = load<u32>(CODE_MODE) & MODE_CODE64 ? ~u64(0) : 0xffffffff;
  while (true) {
    let rip: u64;
    switch (load<u16>(u)) {
      case 0: rip = load<u64>(RIP); break;
      case 1: rip = (load<u64>(RIP_BASE) + uNext(u)) & mask; break;
      case 2: { // ADD RR 8
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(byteR(u), GPR); const r = <u8>(a + b); store<u8>(byteRm(u), r, GPR); k = 4; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 3: { // ADD RR 16
        const a = load<u16>((uRm(u) << 3), GPR), b = load<u16>((uReg(u) << 3), GPR); const r = <u16>(a + b); store<u16>((uRm(u) << 3), r, GPR); k = 5; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 4: { // ADD RR 32
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); const r = <u32>(a + b); store<u64>((uRm(u) << 3), u64(r), GPR); k = 6; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 5: { // ADD RR 64
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); const r = <u64>(a + b); store<u64>((uRm(u) << 3), r, GPR); k = 7; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 6: { // ADD RM 8
        const p = readable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(byteR(u), GPR), b = load<u8>(p); const r = <u8>(a + b); store<u8>(byteR(u), r, GPR); k = 4; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 7: { // ADD RM 16
        const p = readable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u16>((uReg(u) << 3), GPR), b = load<u16>(p); const r = <u16>(a + b); store<u16>((uReg(u) << 3), r, GPR); k = 5; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 8: { // ADD RM 32
        const p = readable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>((uReg(u) << 3), GPR), b = load<u32>(p); const r = <u32>(a + b); store<u64>((uReg(u) << 3), u64(r), GPR); k = 6; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 9: { // ADD RM 64
        const p = readable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>((uReg(u) << 3), GPR), b = load<u64>(p); const r = <u64>(a + b); store<u64>((uReg(u) << 3), r, GPR); k = 7; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 10: { // ADD MR 8
        const p = modifiable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(p), b = load<u8>(byteR(u), GPR); const r = <u8>(a + b); store<u8>(p, r); if (!wrote<u8>(p)) return stop(u, k, fr, fs); k = 4; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 11: { // ADD MR 16
        const p = modifiable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u16>(p), b = load<u16>((uReg(u) << 3), GPR); const r = <u16>(a + b); store<u16>(p, r); if (!wrote<u16>(p)) return stop(u, k, fr, fs); k = 5; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 12: { // ADD MR 32
        const p = modifiable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>(p), b = load<u32>((uReg(u) << 3), GPR); const r = <u32>(a + b); store<u32>(p, r); if (!wrote<u32>(p)) return stop(u, k, fr, fs); k = 6; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 13: { // ADD MR 64
        const p = modifiable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>(p), b = load<u64>((uReg(u) << 3), GPR); const r = <u64>(a + b); store<u64>(p, r); if (!wrote<u64>(p)) return stop(u, k, fr, fs); k = 7; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 14: { // ADD RI 8
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); const r = <u8>(a + b); store<u8>(byteRm(u), r, GPR); k = 4; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 15: { // ADD RI 16
        const a = load<u16>((uRm(u) << 3), GPR), b = load<u16>(u, 16); const r = <u16>(a + b); store<u16>((uRm(u) << 3), r, GPR); k = 5; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 16: { // ADD RI 32
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); const r = <u32>(a + b); store<u64>((uRm(u) << 3), u64(r), GPR); k = 6; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 17: { // ADD RI 64
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); const r = <u64>(a + b); store<u64>((uRm(u) << 3), r, GPR); k = 7; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 18: { // ADD MI 8
        const p = modifiable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(p), b = load<u8>(u, 16); const r = <u8>(a + b); store<u8>(p, r); if (!wrote<u8>(p)) return stop(u, k, fr, fs); k = 4; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 19: { // ADD MI 16
        const p = modifiable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u16>(p), b = load<u16>(u, 16); const r = <u16>(a + b); store<u16>(p, r); if (!wrote<u16>(p)) return stop(u, k, fr, fs); k = 5; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 20: { // ADD MI 32
        const p = modifiable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>(p), b = load<u32>(u, 16); const r = <u32>(a + b); store<u32>(p, r); if (!wrote<u32>(p)) return stop(u, k, fr, fs); k = 6; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 21: { // ADD MI 64
        const p = modifiable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>(p), b = load<u64>(u, 16); const r = <u64>(a + b); store<u64>(p, r); if (!wrote<u64>(p)) return stop(u, k, fr, fs); k = 7; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 22: { // OR RR 8
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(byteR(u), GPR); const r = <u8>(a | b); store<u8>(byteRm(u), r, GPR); k = 1; fs = 0; fr = i64(<i8>r); u += 32; continue;
      }
      case 23: { // OR RR 16
        const a = load<u16>((uRm(u) << 3), GPR), b = load<u16>((uReg(u) << 3), GPR); const r = <u16>(a | b); store<u16>((uRm(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i16>r); u += 32; continue;
      }
      case 24: { // OR RR 32
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); const r = <u32>(a | b); store<u64>((uRm(u) << 3), u64(r), GPR); k = 1; fs = 0; fr = i64(<i32>r); u += 32; continue;
      }
      case 25: { // OR RR 64
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); const r = <u64>(a | b); store<u64>((uRm(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i64>r); u += 32; continue;
      }
      case 26: { // OR RM 8
        const p = readable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(byteR(u), GPR), b = load<u8>(p); const r = <u8>(a | b); store<u8>(byteR(u), r, GPR); k = 1; fs = 0; fr = i64(<i8>r); u += 32; continue;
      }
      case 27: { // OR RM 16
        const p = readable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u16>((uReg(u) << 3), GPR), b = load<u16>(p); const r = <u16>(a | b); store<u16>((uReg(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i16>r); u += 32; continue;
      }
      case 28: { // OR RM 32
        const p = readable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>((uReg(u) << 3), GPR), b = load<u32>(p); const r = <u32>(a | b); store<u64>((uReg(u) << 3), u64(r), GPR); k = 1; fs = 0; fr = i64(<i32>r); u += 32; continue;
      }
      case 29: { // OR RM 64
        const p = readable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>((uReg(u) << 3), GPR), b = load<u64>(p); const r = <u64>(a | b); store<u64>((uReg(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i64>r); u += 32; continue;
      }
      case 30: { // OR MR 8
        const p = modifiable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(p), b = load<u8>(byteR(u), GPR); const r = <u8>(a | b); store<u8>(p, r); if (!wrote<u8>(p)) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i8>r); u += 32; continue;
      }
      case 31: { // OR MR 16
        const p = modifiable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u16>(p), b = load<u16>((uReg(u) << 3), GPR); const r = <u16>(a | b); store<u16>(p, r); if (!wrote<u16>(p)) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i16>r); u += 32; continue;
      }
      case 32: { // OR MR 32
        const p = modifiable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>(p), b = load<u32>((uReg(u) << 3), GPR); const r = <u32>(a | b); store<u32>(p, r); if (!wrote<u32>(p)) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i32>r); u += 32; continue;
      }
      case 33: { // OR MR 64
        const p = modifiable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>(p), b = load<u64>((uReg(u) << 3), GPR); const r = <u64>(a | b); store<u64>(p, r); if (!wrote<u64>(p)) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i64>r); u += 32; continue;
      }
      case 34: { // OR RI 8
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); const r = <u8>(a | b); store<u8>(byteRm(u), r, GPR); k = 1; fs = 0; fr = i64(<i8>r); u += 32; continue;
      }
      case 35: { // OR RI 16
        const a = load<u16>((uRm(u) << 3), GPR), b = load<u16>(u, 16); const r = <u16>(a | b); store<u16>((uRm(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i16>r); u += 32; continue;
      }
      case 36: { // OR RI 32
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); const r = <u32>(a | b); store<u64>((uRm(u) << 3), u64(r), GPR); k = 1; fs = 0; fr = i64(<i32>r); u += 32; continue;
      }
      case 37: { // OR RI 64
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); const r = <u64>(a | b); store<u64>((uRm(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i64>r); u += 32; continue;
      }
      case 38: { // OR MI 8
        const p = modifiable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(p), b = load<u8>(u, 16); const r = <u8>(a | b); store<u8>(p, r); if (!wrote<u8>(p)) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i8>r); u += 32; continue;
      }
      case 39: { // OR MI 16
        const p = modifiable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u16>(p), b = load<u16>(u, 16); const r = <u16>(a | b); store<u16>(p, r); if (!wrote<u16>(p)) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i16>r); u += 32; continue;
      }
      case 40: { // OR MI 32
        const p = modifiable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>(p), b = load<u32>(u, 16); const r = <u32>(a | b); store<u32>(p, r); if (!wrote<u32>(p)) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i32>r); u += 32; continue;
      }
      case 41: { // OR MI 64
        const p = modifiable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>(p), b = load<u64>(u, 16); const r = <u64>(a | b); store<u64>(p, r); if (!wrote<u64>(p)) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i64>r); u += 32; continue;
      }
      case 42: { // ADC RR 8
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(byteR(u), GPR); const c = <u8>carryOf(k, fr, fs); const r = <u8>(a + b + c); store<u8>(byteRm(u), r, GPR); k = c ? 12 : 4; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 43: { // ADC RR 16
        const a = load<u16>((uRm(u) << 3), GPR), b = load<u16>((uReg(u) << 3), GPR); const c = <u16>carryOf(k, fr, fs); const r = <u16>(a + b + c); store<u16>((uRm(u) << 3), r, GPR); k = c ? 13 : 5; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 44: { // ADC RR 32
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); const c = <u32>carryOf(k, fr, fs); const r = <u32>(a + b + c); store<u64>((uRm(u) << 3), u64(r), GPR); k = c ? 14 : 6; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 45: { // ADC RR 64
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); const c = <u64>carryOf(k, fr, fs); const r = <u64>(a + b + c); store<u64>((uRm(u) << 3), r, GPR); k = c ? 15 : 7; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 46: { // ADC RM 8
        const p = readable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(byteR(u), GPR), b = load<u8>(p); const c = <u8>carryOf(k, fr, fs); const r = <u8>(a + b + c); store<u8>(byteR(u), r, GPR); k = c ? 12 : 4; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 47: { // ADC RM 16
        const p = readable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u16>((uReg(u) << 3), GPR), b = load<u16>(p); const c = <u16>carryOf(k, fr, fs); const r = <u16>(a + b + c); store<u16>((uReg(u) << 3), r, GPR); k = c ? 13 : 5; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 48: { // ADC RM 32
        const p = readable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>((uReg(u) << 3), GPR), b = load<u32>(p); const c = <u32>carryOf(k, fr, fs); const r = <u32>(a + b + c); store<u64>((uReg(u) << 3), u64(r), GPR); k = c ? 14 : 6; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 49: { // ADC RM 64
        const p = readable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>((uReg(u) << 3), GPR), b = load<u64>(p); const c = <u64>carryOf(k, fr, fs); const r = <u64>(a + b + c); store<u64>((uReg(u) << 3), r, GPR); k = c ? 15 : 7; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 50: { // ADC MR 8
        const p = modifiable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(p), b = load<u8>(byteR(u), GPR); const c = <u8>carryOf(k, fr, fs); const r = <u8>(a + b + c); store<u8>(p, r); if (!wrote<u8>(p)) return stop(u, k, fr, fs); k = c ? 12 : 4; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 51: { // ADC MR 16
        const p = modifiable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u16>(p), b = load<u16>((uReg(u) << 3), GPR); const c = <u16>carryOf(k, fr, fs); const r = <u16>(a + b + c); store<u16>(p, r); if (!wrote<u16>(p)) return stop(u, k, fr, fs); k = c ? 13 : 5; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 52: { // ADC MR 32
        const p = modifiable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>(p), b = load<u32>((uReg(u) << 3), GPR); const c = <u32>carryOf(k, fr, fs); const r = <u32>(a + b + c); store<u32>(p, r); if (!wrote<u32>(p)) return stop(u, k, fr, fs); k = c ? 14 : 6; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 53: { // ADC MR 64
        const p = modifiable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>(p), b = load<u64>((uReg(u) << 3), GPR); const c = <u64>carryOf(k, fr, fs); const r = <u64>(a + b + c); store<u64>(p, r); if (!wrote<u64>(p)) return stop(u, k, fr, fs); k = c ? 15 : 7; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 54: { // ADC RI 8
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); const c = <u8>carryOf(k, fr, fs); const r = <u8>(a + b + c); store<u8>(byteRm(u), r, GPR); k = c ? 12 : 4; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 55: { // ADC RI 16
        const a = load<u16>((uRm(u) << 3), GPR), b = load<u16>(u, 16); const c = <u16>carryOf(k, fr, fs); const r = <u16>(a + b + c); store<u16>((uRm(u) << 3), r, GPR); k = c ? 13 : 5; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 56: { // ADC RI 32
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); const c = <u32>carryOf(k, fr, fs); const r = <u32>(a + b + c); store<u64>((uRm(u) << 3), u64(r), GPR); k = c ? 14 : 6; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 57: { // ADC RI 64
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); const c = <u64>carryOf(k, fr, fs); const r = <u64>(a + b + c); store<u64>((uRm(u) << 3), r, GPR); k = c ? 15 : 7; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 58: { // ADC MI 8
        const p = modifiable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(p), b = load<u8>(u, 16); const c = <u8>carryOf(k, fr, fs); const r = <u8>(a + b + c); store<u8>(p, r); if (!wrote<u8>(p)) return stop(u, k, fr, fs); k = c ? 12 : 4; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 59: { // ADC MI 16
        const p = modifiable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u16>(p), b = load<u16>(u, 16); const c = <u16>carryOf(k, fr, fs); const r = <u16>(a + b + c); store<u16>(p, r); if (!wrote<u16>(p)) return stop(u, k, fr, fs); k = c ? 13 : 5; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 60: { // ADC MI 32
        const p = modifiable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>(p), b = load<u32>(u, 16); const c = <u32>carryOf(k, fr, fs); const r = <u32>(a + b + c); store<u32>(p, r); if (!wrote<u32>(p)) return stop(u, k, fr, fs); k = c ? 14 : 6; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 61: { // ADC MI 64
        const p = modifiable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>(p), b = load<u64>(u, 16); const c = <u64>carryOf(k, fr, fs); const r = <u64>(a + b + c); store<u64>(p, r); if (!wrote<u64>(p)) return stop(u, k, fr, fs); k = c ? 15 : 7; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 62: { // SBB RR 8
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(byteR(u), GPR); const c = <u8>carryOf(k, fr, fs); const r = <u8>(a - b - c); store<u8>(byteRm(u), r, GPR); k = c ? 16 : 8; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 63: { // SBB RR 16
        const a = load<u16>((uRm(u) << 3), GPR), b = load<u16>((uReg(u) << 3), GPR); const c = <u16>carryOf(k, fr, fs); const r = <u16>(a - b - c); store<u16>((uRm(u) << 3), r, GPR); k = c ? 17 : 9; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 64: { // SBB RR 32
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); const c = <u32>carryOf(k, fr, fs); const r = <u32>(a - b - c); store<u64>((uRm(u) << 3), u64(r), GPR); k = c ? 18 : 10; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 65: { // SBB RR 64
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); const c = <u64>carryOf(k, fr, fs); const r = <u64>(a - b - c); store<u64>((uRm(u) << 3), r, GPR); k = c ? 19 : 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 66: { // SBB RM 8
        const p = readable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(byteR(u), GPR), b = load<u8>(p); const c = <u8>carryOf(k, fr, fs); const r = <u8>(a - b - c); store<u8>(byteR(u), r, GPR); k = c ? 16 : 8; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 67: { // SBB RM 16
        const p = readable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u16>((uReg(u) << 3), GPR), b = load<u16>(p); const c = <u16>carryOf(k, fr, fs); const r = <u16>(a - b - c); store<u16>((uReg(u) << 3), r, GPR); k = c ? 17 : 9; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 68: { // SBB RM 32
        const p = readable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>((uReg(u) << 3), GPR), b = load<u32>(p); const c = <u32>carryOf(k, fr, fs); const r = <u32>(a - b - c); store<u64>((uReg(u) << 3), u64(r), GPR); k = c ? 18 : 10; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 69: { // SBB RM 64
        const p = readable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>((uReg(u) << 3), GPR), b = load<u64>(p); const c = <u64>carryOf(k, fr, fs); const r = <u64>(a - b - c); store<u64>((uReg(u) << 3), r, GPR); k = c ? 19 : 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 70: { // SBB MR 8
        const p = modifiable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(p), b = load<u8>(byteR(u), GPR); const c = <u8>carryOf(k, fr, fs); const r = <u8>(a - b - c); store<u8>(p, r); if (!wrote<u8>(p)) return stop(u, k, fr, fs); k = c ? 16 : 8; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 71: { // SBB MR 16
        const p = modifiable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u16>(p), b = load<u16>((uReg(u) << 3), GPR); const c = <u16>carryOf(k, fr, fs); const r = <u16>(a - b - c); store<u16>(p, r); if (!wrote<u16>(p)) return stop(u, k, fr, fs); k = c ? 17 : 9; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 72: { // SBB MR 32
        const p = modifiable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>(p), b = load<u32>((uReg(u) << 3), GPR); const c = <u32>carryOf(k, fr, fs); const r = <u32>(a - b - c); store<u32>(p, r); if (!wrote<u32>(p)) return stop(u, k, fr, fs); k = c ? 18 : 10; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 73: { // SBB MR 64
        const p = modifiable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>(p), b = load<u64>((uReg(u) << 3), GPR); const c = <u64>carryOf(k, fr, fs); const r = <u64>(a - b - c); store<u64>(p, r); if (!wrote<u64>(p)) return stop(u, k, fr, fs); k = c ? 19 : 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 74: { // SBB RI 8
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); const c = <u8>carryOf(k, fr, fs); const r = <u8>(a - b - c); store<u8>(byteRm(u), r, GPR); k = c ? 16 : 8; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 75: { // SBB RI 16
        const a = load<u16>((uRm(u) << 3), GPR), b = load<u16>(u, 16); const c = <u16>carryOf(k, fr, fs); const r = <u16>(a - b - c); store<u16>((uRm(u) << 3), r, GPR); k = c ? 17 : 9; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 76: { // SBB RI 32
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); const c = <u32>carryOf(k, fr, fs); const r = <u32>(a - b - c); store<u64>((uRm(u) << 3), u64(r), GPR); k = c ? 18 : 10; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 77: { // SBB RI 64
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); const c = <u64>carryOf(k, fr, fs); const r = <u64>(a - b - c); store<u64>((uRm(u) << 3), r, GPR); k = c ? 19 : 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 78: { // SBB MI 8
        const p = modifiable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(p), b = load<u8>(u, 16); const c = <u8>carryOf(k, fr, fs); const r = <u8>(a - b - c); store<u8>(p, r); if (!wrote<u8>(p)) return stop(u, k, fr, fs); k = c ? 16 : 8; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 79: { // SBB MI 16
        const p = modifiable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u16>(p), b = load<u16>(u, 16); const c = <u16>carryOf(k, fr, fs); const r = <u16>(a - b - c); store<u16>(p, r); if (!wrote<u16>(p)) return stop(u, k, fr, fs); k = c ? 17 : 9; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 80: { // SBB MI 32
        const p = modifiable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>(p), b = load<u32>(u, 16); const c = <u32>carryOf(k, fr, fs); const r = <u32>(a - b - c); store<u32>(p, r); if (!wrote<u32>(p)) return stop(u, k, fr, fs); k = c ? 18 : 10; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 81: { // SBB MI 64
        const p = modifiable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>(p), b = load<u64>(u, 16); const c = <u64>carryOf(k, fr, fs); const r = <u64>(a - b - c); store<u64>(p, r); if (!wrote<u64>(p)) return stop(u, k, fr, fs); k = c ? 19 : 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 82: { // AND RR 8
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(byteR(u), GPR); const r = <u8>(a & b); store<u8>(byteRm(u), r, GPR); k = 1; fs = 0; fr = i64(<i8>r); u += 32; continue;
      }
      case 83: { // AND RR 16
        const a = load<u16>((uRm(u) << 3), GPR), b = load<u16>((uReg(u) << 3), GPR); const r = <u16>(a & b); store<u16>((uRm(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i16>r); u += 32; continue;
      }
      case 84: { // AND RR 32
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); const r = <u32>(a & b); store<u64>((uRm(u) << 3), u64(r), GPR); k = 1; fs = 0; fr = i64(<i32>r); u += 32; continue;
      }
      case 85: { // AND RR 64
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); const r = <u64>(a & b); store<u64>((uRm(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i64>r); u += 32; continue;
      }
      case 86: { // AND RM 8
        const p = readable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(byteR(u), GPR), b = load<u8>(p); const r = <u8>(a & b); store<u8>(byteR(u), r, GPR); k = 1; fs = 0; fr = i64(<i8>r); u += 32; continue;
      }
      case 87: { // AND RM 16
        const p = readable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u16>((uReg(u) << 3), GPR), b = load<u16>(p); const r = <u16>(a & b); store<u16>((uReg(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i16>r); u += 32; continue;
      }
      case 88: { // AND RM 32
        const p = readable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>((uReg(u) << 3), GPR), b = load<u32>(p); const r = <u32>(a & b); store<u64>((uReg(u) << 3), u64(r), GPR); k = 1; fs = 0; fr = i64(<i32>r); u += 32; continue;
      }
      case 89: { // AND RM 64
        const p = readable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>((uReg(u) << 3), GPR), b = load<u64>(p); const r = <u64>(a & b); store<u64>((uReg(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i64>r); u += 32; continue;
      }
      case 90: { // AND MR 8
        const p = modifiable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(p), b = load<u8>(byteR(u), GPR); const r = <u8>(a & b); store<u8>(p, r); if (!wrote<u8>(p)) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i8>r); u += 32; continue;
      }
      case 91: { // AND MR 16
        const p = modifiable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u16>(p), b = load<u16>((uReg(u) << 3), GPR); const r = <u16>(a & b); store<u16>(p, r); if (!wrote<u16>(p)) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i16>r); u += 32; continue;
      }
      case 92: { // AND MR 32
        const p = modifiable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>(p), b = load<u32>((uReg(u) << 3), GPR); const r = <u32>(a & b); store<u32>(p, r); if (!wrote<u32>(p)) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i32>r); u += 32; continue;
      }
      case 93: { // AND MR 64
        const p = modifiable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>(p), b = load<u64>((uReg(u) << 3), GPR); const r = <u64>(a & b); store<u64>(p, r); if (!wrote<u64>(p)) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i64>r); u += 32; continue;
      }
      case 94: { // AND RI 8
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); const r = <u8>(a & b); store<u8>(byteRm(u), r, GPR); k = 1; fs = 0; fr = i64(<i8>r); u += 32; continue;
      }
      case 95: { // AND RI 16
        const a = load<u16>((uRm(u) << 3), GPR), b = load<u16>(u, 16); const r = <u16>(a & b); store<u16>((uRm(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i16>r); u += 32; continue;
      }
      case 96: { // AND RI 32
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); const r = <u32>(a & b); store<u64>((uRm(u) << 3), u64(r), GPR); k = 1; fs = 0; fr = i64(<i32>r); u += 32; continue;
      }
      case 97: { // AND RI 64
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); const r = <u64>(a & b); store<u64>((uRm(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i64>r); u += 32; continue;
      }
      case 98: { // AND MI 8
        const p = modifiable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(p), b = load<u8>(u, 16); const r = <u8>(a & b); store<u8>(p, r); if (!wrote<u8>(p)) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i8>r); u += 32; continue;
      }
      case 99: { // AND MI 16
        const p = modifiable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u16>(p), b = load<u16>(u, 16); const r = <u16>(a & b); store<u16>(p, r); if (!wrote<u16>(p)) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i16>r); u += 32; continue;
      }
      case 100: { // AND MI 32
        const p = modifiable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>(p), b = load<u32>(u, 16); const r = <u32>(a & b); store<u32>(p, r); if (!wrote<u32>(p)) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i32>r); u += 32; continue;
      }
      case 101: { // AND MI 64
        const p = modifiable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>(p), b = load<u64>(u, 16); const r = <u64>(a & b); store<u64>(p, r); if (!wrote<u64>(p)) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i64>r); u += 32; continue;
      }
      case 102: { // SUB RR 8
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(byteR(u), GPR); const r = <u8>(a - b); store<u8>(byteRm(u), r, GPR); k = 8; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 103: { // SUB RR 16
        const a = load<u16>((uRm(u) << 3), GPR), b = load<u16>((uReg(u) << 3), GPR); const r = <u16>(a - b); store<u16>((uRm(u) << 3), r, GPR); k = 9; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 104: { // SUB RR 32
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); const r = <u32>(a - b); store<u64>((uRm(u) << 3), u64(r), GPR); k = 10; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 105: { // SUB RR 64
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); const r = <u64>(a - b); store<u64>((uRm(u) << 3), r, GPR); k = 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 106: { // SUB RM 8
        const p = readable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(byteR(u), GPR), b = load<u8>(p); const r = <u8>(a - b); store<u8>(byteR(u), r, GPR); k = 8; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 107: { // SUB RM 16
        const p = readable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u16>((uReg(u) << 3), GPR), b = load<u16>(p); const r = <u16>(a - b); store<u16>((uReg(u) << 3), r, GPR); k = 9; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 108: { // SUB RM 32
        const p = readable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>((uReg(u) << 3), GPR), b = load<u32>(p); const r = <u32>(a - b); store<u64>((uReg(u) << 3), u64(r), GPR); k = 10; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 109: { // SUB RM 64
        const p = readable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>((uReg(u) << 3), GPR), b = load<u64>(p); const r = <u64>(a - b); store<u64>((uReg(u) << 3), r, GPR); k = 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 110: { // SUB MR 8
        const p = modifiable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(p), b = load<u8>(byteR(u), GPR); const r = <u8>(a - b); store<u8>(p, r); if (!wrote<u8>(p)) return stop(u, k, fr, fs); k = 8; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 111: { // SUB MR 16
        const p = modifiable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u16>(p), b = load<u16>((uReg(u) << 3), GPR); const r = <u16>(a - b); store<u16>(p, r); if (!wrote<u16>(p)) return stop(u, k, fr, fs); k = 9; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 112: { // SUB MR 32
        const p = modifiable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>(p), b = load<u32>((uReg(u) << 3), GPR); const r = <u32>(a - b); store<u32>(p, r); if (!wrote<u32>(p)) return stop(u, k, fr, fs); k = 10; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 113: { // SUB MR 64
        const p = modifiable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>(p), b = load<u64>((uReg(u) << 3), GPR); const r = <u64>(a - b); store<u64>(p, r); if (!wrote<u64>(p)) return stop(u, k, fr, fs); k = 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 114: { // SUB RI 8
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); const r = <u8>(a - b); store<u8>(byteRm(u), r, GPR); k = 8; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 115: { // SUB RI 16
        const a = load<u16>((uRm(u) << 3), GPR), b = load<u16>(u, 16); const r = <u16>(a - b); store<u16>((uRm(u) << 3), r, GPR); k = 9; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 116: { // SUB RI 32
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); const r = <u32>(a - b); store<u64>((uRm(u) << 3), u64(r), GPR); k = 10; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 117: { // SUB RI 64
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); const r = <u64>(a - b); store<u64>((uRm(u) << 3), r, GPR); k = 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 118: { // SUB MI 8
        const p = modifiable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(p), b = load<u8>(u, 16); const r = <u8>(a - b); store<u8>(p, r); if (!wrote<u8>(p)) return stop(u, k, fr, fs); k = 8; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 119: { // SUB MI 16
        const p = modifiable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u16>(p), b = load<u16>(u, 16); const r = <u16>(a - b); store<u16>(p, r); if (!wrote<u16>(p)) return stop(u, k, fr, fs); k = 9; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 120: { // SUB MI 32
        const p = modifiable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>(p), b = load<u32>(u, 16); const r = <u32>(a - b); store<u32>(p, r); if (!wrote<u32>(p)) return stop(u, k, fr, fs); k = 10; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 121: { // SUB MI 64
        const p = modifiable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>(p), b = load<u64>(u, 16); const r = <u64>(a - b); store<u64>(p, r); if (!wrote<u64>(p)) return stop(u, k, fr, fs); k = 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 122: { // XOR RR 8
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(byteR(u), GPR); const r = <u8>(a ^ b); store<u8>(byteRm(u), r, GPR); k = 1; fs = 0; fr = i64(<i8>r); u += 32; continue;
      }
      case 123: { // XOR RR 16
        const a = load<u16>((uRm(u) << 3), GPR), b = load<u16>((uReg(u) << 3), GPR); const r = <u16>(a ^ b); store<u16>((uRm(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i16>r); u += 32; continue;
      }
      case 124: { // XOR RR 32
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); const r = <u32>(a ^ b); store<u64>((uRm(u) << 3), u64(r), GPR); k = 1; fs = 0; fr = i64(<i32>r); u += 32; continue;
      }
      case 125: { // XOR RR 64
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); const r = <u64>(a ^ b); store<u64>((uRm(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i64>r); u += 32; continue;
      }
      case 126: { // XOR RM 8
        const p = readable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(byteR(u), GPR), b = load<u8>(p); const r = <u8>(a ^ b); store<u8>(byteR(u), r, GPR); k = 1; fs = 0; fr = i64(<i8>r); u += 32; continue;
      }
      case 127: { // XOR RM 16
        const p = readable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u16>((uReg(u) << 3), GPR), b = load<u16>(p); const r = <u16>(a ^ b); store<u16>((uReg(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i16>r); u += 32; continue;
      }
      case 128: { // XOR RM 32
        const p = readable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>((uReg(u) << 3), GPR), b = load<u32>(p); const r = <u32>(a ^ b); store<u64>((uReg(u) << 3), u64(r), GPR); k = 1; fs = 0; fr = i64(<i32>r); u += 32; continue;
      }
      case 129: { // XOR RM 64
        const p = readable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>((uReg(u) << 3), GPR), b = load<u64>(p); const r = <u64>(a ^ b); store<u64>((uReg(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i64>r); u += 32; continue;
      }
      case 130: { // XOR MR 8
        const p = modifiable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(p), b = load<u8>(byteR(u), GPR); const r = <u8>(a ^ b); store<u8>(p, r); if (!wrote<u8>(p)) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i8>r); u += 32; continue;
      }
      case 131: { // XOR MR 16
        const p = modifiable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u16>(p), b = load<u16>((uReg(u) << 3), GPR); const r = <u16>(a ^ b); store<u16>(p, r); if (!wrote<u16>(p)) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i16>r); u += 32; continue;
      }
      case 132: { // XOR MR 32
        const p = modifiable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>(p), b = load<u32>((uReg(u) << 3), GPR); const r = <u32>(a ^ b); store<u32>(p, r); if (!wrote<u32>(p)) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i32>r); u += 32; continue;
      }
      case 133: { // XOR MR 64
        const p = modifiable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>(p), b = load<u64>((uReg(u) << 3), GPR); const r = <u64>(a ^ b); store<u64>(p, r); if (!wrote<u64>(p)) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i64>r); u += 32; continue;
      }
      case 134: { // XOR RI 8
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); const r = <u8>(a ^ b); store<u8>(byteRm(u), r, GPR); k = 1; fs = 0; fr = i64(<i8>r); u += 32; continue;
      }
      case 135: { // XOR RI 16
        const a = load<u16>((uRm(u) << 3), GPR), b = load<u16>(u, 16); const r = <u16>(a ^ b); store<u16>((uRm(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i16>r); u += 32; continue;
      }
      case 136: { // XOR RI 32
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); const r = <u32>(a ^ b); store<u64>((uRm(u) << 3), u64(r), GPR); k = 1; fs = 0; fr = i64(<i32>r); u += 32; continue;
      }
      case 137: { // XOR RI 64
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); const r = <u64>(a ^ b); store<u64>((uRm(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i64>r); u += 32; continue;
      }
      case 138: { // XOR MI 8
        const p = modifiable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(p), b = load<u8>(u, 16); const r = <u8>(a ^ b); store<u8>(p, r); if (!wrote<u8>(p)) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i8>r); u += 32; continue;
      }
      case 139: { // XOR MI 16
        const p = modifiable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u16>(p), b = load<u16>(u, 16); const r = <u16>(a ^ b); store<u16>(p, r); if (!wrote<u16>(p)) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i16>r); u += 32; continue;
      }
      case 140: { // XOR MI 32
        const p = modifiable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>(p), b = load<u32>(u, 16); const r = <u32>(a ^ b); store<u32>(p, r); if (!wrote<u32>(p)) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i32>r); u += 32; continue;
      }
      case 141: { // XOR MI 64
        const p = modifiable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>(p), b = load<u64>(u, 16); const r = <u64>(a ^ b); store<u64>(p, r); if (!wrote<u64>(p)) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i64>r); u += 32; continue;
      }
      case 142: { // CMP RR 8
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(byteR(u), GPR); const r = <u8>(a - b); k = 8; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 143: { // CMP RR 16
        const a = load<u16>((uRm(u) << 3), GPR), b = load<u16>((uReg(u) << 3), GPR); const r = <u16>(a - b); k = 9; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 144: { // CMP RR 32
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); const r = <u32>(a - b); k = 10; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 145: { // CMP RR 64
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); const r = <u64>(a - b); k = 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 146: { // CMP RM 8
        const p = readable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(byteR(u), GPR), b = load<u8>(p); const r = <u8>(a - b); k = 8; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 147: { // CMP RM 16
        const p = readable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u16>((uReg(u) << 3), GPR), b = load<u16>(p); const r = <u16>(a - b); k = 9; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 148: { // CMP RM 32
        const p = readable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>((uReg(u) << 3), GPR), b = load<u32>(p); const r = <u32>(a - b); k = 10; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 149: { // CMP RM 64
        const p = readable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>((uReg(u) << 3), GPR), b = load<u64>(p); const r = <u64>(a - b); k = 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 150: { // CMP MR 8
        const p = readable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(p), b = load<u8>(byteR(u), GPR); const r = <u8>(a - b); k = 8; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 151: { // CMP MR 16
        const p = readable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u16>(p), b = load<u16>((uReg(u) << 3), GPR); const r = <u16>(a - b); k = 9; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 152: { // CMP MR 32
        const p = readable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>(p), b = load<u32>((uReg(u) << 3), GPR); const r = <u32>(a - b); k = 10; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 153: { // CMP MR 64
        const p = readable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>(p), b = load<u64>((uReg(u) << 3), GPR); const r = <u64>(a - b); k = 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 154: { // CMP RI 8
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); const r = <u8>(a - b); k = 8; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 155: { // CMP RI 16
        const a = load<u16>((uRm(u) << 3), GPR), b = load<u16>(u, 16); const r = <u16>(a - b); k = 9; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 156: { // CMP RI 32
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); const r = <u32>(a - b); k = 10; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 157: { // CMP RI 64
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); const r = <u64>(a - b); k = 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 158: { // CMP MI 8
        const p = readable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(p), b = load<u8>(u, 16); const r = <u8>(a - b); k = 8; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 159: { // CMP MI 16
        const p = readable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u16>(p), b = load<u16>(u, 16); const r = <u16>(a - b); k = 9; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 160: { // CMP MI 32
        const p = readable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>(p), b = load<u32>(u, 16); const r = <u32>(a - b); k = 10; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 161: { // CMP MI 64
        const p = readable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>(p), b = load<u64>(u, 16); const r = <u64>(a - b); k = 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 162: { // TEST RR 8
         k = 1; fs = 0; fr = i64(<i8>(load<u8>(byteRm(u), GPR) & load<u8>(byteR(u), GPR))); u += 32; continue;
      }
      case 163: { // TEST RR 16
         k = 1; fs = 0; fr = i64(<i16>(load<u16>((uRm(u) << 3), GPR) & load<u16>((uReg(u) << 3), GPR))); u += 32; continue;
      }
      case 164: { // TEST RR 32
         k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); u += 32; continue;
      }
      case 165: { // TEST RR 64
         k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); u += 32; continue;
      }
      case 166: { // TEST RI 8
         k = 1; fs = 0; fr = i64(<i8>(load<u8>(byteRm(u), GPR) & load<u8>(u, 16))); u += 32; continue;
      }
      case 167: { // TEST RI 16
         k = 1; fs = 0; fr = i64(<i16>(load<u16>((uRm(u) << 3), GPR) & load<u16>(u, 16))); u += 32; continue;
      }
      case 168: { // TEST RI 32
         k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); u += 32; continue;
      }
      case 169: { // TEST RI 64
         k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); u += 32; continue;
      }
      case 170: { // TEST MR 8
        const p = readable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i8>(load<u8>(p) & load<u8>(byteR(u), GPR))); u += 32; continue;
      }
      case 171: { // TEST MR 16
        const p = readable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i16>(load<u16>(p) & load<u16>((uReg(u) << 3), GPR))); u += 32; continue;
      }
      case 172: { // TEST MR 32
        const p = readable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i32>(load<u32>(p) & load<u32>((uReg(u) << 3), GPR))); u += 32; continue;
      }
      case 173: { // TEST MR 64
        const p = readable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i64>(load<u64>(p) & load<u64>((uReg(u) << 3), GPR))); u += 32; continue;
      }
      case 174: { // TEST MI 8
        const p = readable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i8>(load<u8>(p) & load<u8>(u, 16))); u += 32; continue;
      }
      case 175: { // TEST MI 16
        const p = readable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i16>(load<u16>(p) & load<u16>(u, 16))); u += 32; continue;
      }
      case 176: { // TEST MI 32
        const p = readable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i32>(load<u32>(p) & load<u32>(u, 16))); u += 32; continue;
      }
      case 177: { // TEST MI 64
        const p = readable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i64>(load<u64>(p) & load<u64>(u, 16))); u += 32; continue;
      }
      case 178: { // INC R 8
        const r = <u8>(load<u8>(byteRm(u), GPR) + 1); store<u8>(byteRm(u), r, GPR); if (k < 20) keepCarry(k, fr, fs); k = 20; fr = i64(<i8>r); u += 32; continue;
      }
      case 179: { // INC R 16
        const r = <u16>(load<u16>((uRm(u) << 3), GPR) + 1); store<u16>((uRm(u) << 3), r, GPR); if (k < 20) keepCarry(k, fr, fs); k = 21; fr = i64(<i16>r); u += 32; continue;
      }
      case 180: { // INC R 32
        const r = <u32>(load<u32>((uRm(u) << 3), GPR) + 1); store<u64>((uRm(u) << 3), u64(r), GPR); if (k < 20) keepCarry(k, fr, fs); k = 22; fr = i64(<i32>r); u += 32; continue;
      }
      case 181: { // INC R 64
        const r = <u64>(load<u64>((uRm(u) << 3), GPR) + 1); store<u64>((uRm(u) << 3), r, GPR); if (k < 20) keepCarry(k, fr, fs); k = 23; fr = i64(<i64>r); u += 32; continue;
      }
      case 182: { // INC M 8
        const p = modifiable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const r = <u8>(load<u8>(p) + 1); store<u8>(p, r); if (!wrote<u8>(p)) return stop(u, k, fr, fs); if (k < 20) keepCarry(k, fr, fs); k = 20; fr = i64(<i8>r); u += 32; continue;
      }
      case 183: { // INC M 16
        const p = modifiable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const r = <u16>(load<u16>(p) + 1); store<u16>(p, r); if (!wrote<u16>(p)) return stop(u, k, fr, fs); if (k < 20) keepCarry(k, fr, fs); k = 21; fr = i64(<i16>r); u += 32; continue;
      }
      case 184: { // INC M 32
        const p = modifiable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const r = <u32>(load<u32>(p) + 1); store<u32>(p, r); if (!wrote<u32>(p)) return stop(u, k, fr, fs); if (k < 20) keepCarry(k, fr, fs); k = 22; fr = i64(<i32>r); u += 32; continue;
      }
      case 185: { // INC M 64
        const p = modifiable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const r = <u64>(load<u64>(p) + 1); store<u64>(p, r); if (!wrote<u64>(p)) return stop(u, k, fr, fs); if (k < 20) keepCarry(k, fr, fs); k = 23; fr = i64(<i64>r); u += 32; continue;
      }
      case 186: { // DEC R 8
        const r = <u8>(load<u8>(byteRm(u), GPR) - 1); store<u8>(byteRm(u), r, GPR); if (k < 20) keepCarry(k, fr, fs); k = 24; fr = i64(<i8>r); u += 32; continue;
      }
      case 187: { // DEC R 16
        const r = <u16>(load<u16>((uRm(u) << 3), GPR) - 1); store<u16>((uRm(u) << 3), r, GPR); if (k < 20) keepCarry(k, fr, fs); k = 25; fr = i64(<i16>r); u += 32; continue;
      }
      case 188: { // DEC R 32
        const r = <u32>(load<u32>((uRm(u) << 3), GPR) - 1); store<u64>((uRm(u) << 3), u64(r), GPR); if (k < 20) keepCarry(k, fr, fs); k = 26; fr = i64(<i32>r); u += 32; continue;
      }
      case 189: { // DEC R 64
        const r = <u64>(load<u64>((uRm(u) << 3), GPR) - 1); store<u64>((uRm(u) << 3), r, GPR); if (k < 20) keepCarry(k, fr, fs); k = 27; fr = i64(<i64>r); u += 32; continue;
      }
      case 190: { // DEC M 8
        const p = modifiable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const r = <u8>(load<u8>(p) - 1); store<u8>(p, r); if (!wrote<u8>(p)) return stop(u, k, fr, fs); if (k < 20) keepCarry(k, fr, fs); k = 24; fr = i64(<i8>r); u += 32; continue;
      }
      case 191: { // DEC M 16
        const p = modifiable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const r = <u16>(load<u16>(p) - 1); store<u16>(p, r); if (!wrote<u16>(p)) return stop(u, k, fr, fs); if (k < 20) keepCarry(k, fr, fs); k = 25; fr = i64(<i16>r); u += 32; continue;
      }
      case 192: { // DEC M 32
        const p = modifiable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const r = <u32>(load<u32>(p) - 1); store<u32>(p, r); if (!wrote<u32>(p)) return stop(u, k, fr, fs); if (k < 20) keepCarry(k, fr, fs); k = 26; fr = i64(<i32>r); u += 32; continue;
      }
      case 193: { // DEC M 64
        const p = modifiable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const r = <u64>(load<u64>(p) - 1); store<u64>(p, r); if (!wrote<u64>(p)) return stop(u, k, fr, fs); if (k < 20) keepCarry(k, fr, fs); k = 27; fr = i64(<i64>r); u += 32; continue;
      }
      case 194: { // NOT R 32
        store<u64>((uRm(u) << 3), u64(<u32>(~load<u32>((uRm(u) << 3), GPR))), GPR); u += 32; continue;
      }
      case 195: { // NOT R 64
        store<u64>((uRm(u) << 3), <u64>(~load<u64>((uRm(u) << 3), GPR)), GPR); u += 32; continue;
      }
      case 196: { // NEG R 32
        const r = <u32>(0 - load<u32>((uRm(u) << 3), GPR)); store<u64>((uRm(u) << 3), u64(r), GPR); k = 10; fs = 0; fr = i64(<i32>r); u += 32; continue;
      }
      case 197: { // NEG R 64
        const r = <u64>(0 - load<u64>((uRm(u) << 3), GPR)); store<u64>((uRm(u) << 3), r, GPR); k = 11; fs = 0; fr = i64(<i64>r); u += 32; continue;
      }
      case 198: { // MOV RR 8
        store<u8>(byteRm(u), load<u8>(byteR(u), GPR), GPR); u += 32; continue;
      }
      case 199: { // MOV RR 16
        store<u16>((uRm(u) << 3), load<u16>((uReg(u) << 3), GPR), GPR); u += 32; continue;
      }
      case 200: { // MOV RR 32
        store<u64>((uRm(u) << 3), u64(load<u32>((uReg(u) << 3), GPR)), GPR); u += 32; continue;
      }
      case 201: { // MOV RR 64
        store<u64>((uRm(u) << 3), load<u64>((uReg(u) << 3), GPR), GPR); u += 32; continue;
      }
      case 202: { // MOV RM 8
        const p = readable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); store<u8>(byteR(u), load<u8>(p), GPR); u += 32; continue;
      }
      case 203: { // MOV RM 16
        const p = readable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); store<u16>((uReg(u) << 3), load<u16>(p), GPR); u += 32; continue;
      }
      case 204: { // MOV RM 32
        const p = readable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); store<u64>((uReg(u) << 3), u64(load<u32>(p)), GPR); u += 32; continue;
      }
      case 205: { // MOV RM 64
        const p = readable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); store<u64>((uReg(u) << 3), load<u64>(p), GPR); u += 32; continue;
      }
      case 206: { // MOV MR 8
        if (!stored<u8>(address(u) & mask, load<u8>(byteR(u), GPR))) return stop(u, k, fr, fs); u += 32; continue;
      }
      case 207: { // MOV MR 16
        if (!stored<u16>(address(u) & mask, load<u16>((uReg(u) << 3), GPR))) return stop(u, k, fr, fs); u += 32; continue;
      }
      case 208: { // MOV MR 32
        if (!stored<u32>(address(u) & mask, load<u32>((uReg(u) << 3), GPR))) return stop(u, k, fr, fs); u += 32; continue;
      }
      case 209: { // MOV MR 64
        if (!stored<u64>(address(u) & mask, load<u64>((uReg(u) << 3), GPR))) return stop(u, k, fr, fs); u += 32; continue;
      }
      case 210: { // MOV RI 8
        store<u8>(byteRm(u), load<u8>(u, 16), GPR); u += 32; continue;
      }
      case 211: { // MOV RI 16
        store<u16>((uRm(u) << 3), load<u16>(u, 16), GPR); u += 32; continue;
      }
      case 212: { // MOV RI 32
        store<u64>((uRm(u) << 3), u64(load<u32>(u, 16)), GPR); u += 32; continue;
      }
      case 213: { // MOV RI 64
        store<u64>((uRm(u) << 3), load<u64>(u, 16), GPR); u += 32; continue;
      }
      case 214: { // MOV MI 8
        if (!stored<u8>(address(u) & mask, load<u8>(u, 16))) return stop(u, k, fr, fs); u += 32; continue;
      }
      case 215: { // MOV MI 16
        if (!stored<u16>(address(u) & mask, load<u16>(u, 16))) return stop(u, k, fr, fs); u += 32; continue;
      }
      case 216: { // MOV MI 32
        if (!stored<u32>(address(u) & mask, load<u32>(u, 16))) return stop(u, k, fr, fs); u += 32; continue;
      }
      case 217: { // MOV MI 64
        if (!stored<u64>(address(u) & mask, load<u64>(u, 16))) return stop(u, k, fr, fs); u += 32; continue;
      }
      case 218: { // MOV RM 8, no index
        const p = readable<u8>(addressPlain(u) & mask); if (!p) return stop(u, k, fr, fs); store<u8>(byteR(u), load<u8>(p), GPR); u += 32; continue;
      }
      case 219: { // MOV MR 8, no index
        if (!stored<u8>(addressPlain(u) & mask, load<u8>(byteR(u), GPR))) return stop(u, k, fr, fs); u += 32; continue;
      }
      case 220: { // MOV RM 32, no index
        const p = readable<u32>(addressPlain(u) & mask); if (!p) return stop(u, k, fr, fs); store<u64>((uReg(u) << 3), u64(load<u32>(p)), GPR); u += 32; continue;
      }
      case 221: { // MOV MR 32, no index
        if (!stored<u32>(addressPlain(u) & mask, load<u32>((uReg(u) << 3), GPR))) return stop(u, k, fr, fs); u += 32; continue;
      }
      case 222: { // MOV RM 64, no index
        const p = readable<u64>(addressPlain(u) & mask); if (!p) return stop(u, k, fr, fs); store<u64>((uReg(u) << 3), load<u64>(p), GPR); u += 32; continue;
      }
      case 223: { // MOV MR 64, no index
        if (!stored<u64>(addressPlain(u) & mask, load<u64>((uReg(u) << 3), GPR))) return stop(u, k, fr, fs); u += 32; continue;
      }
      case 224: { // MOVZX RR 8
        store<u64>(uReg(u) << 3, u64(load<u8>(byteRm(u), GPR)), GPR); u += 32; continue;
      }
      case 225: { // MOVZX RM 8
        const p = readable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); store<u64>(uReg(u) << 3, u64(load<u8>(p)), GPR); u += 32; continue;
      }
      case 226: { // MOVZX RR 16
        store<u64>(uReg(u) << 3, u64(load<u16>((uRm(u) << 3), GPR)), GPR); u += 32; continue;
      }
      case 227: { // MOVZX RM 16
        const p = readable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); store<u64>(uReg(u) << 3, u64(load<u16>(p)), GPR); u += 32; continue;
      }
      case 228: { // MOVSX RR 8 to 32
        store<u64>(uReg(u) << 3, u64(u32(i32(<i8>load<u8>(byteRm(u), GPR)))), GPR); u += 32; continue;
      }
      case 229: { // MOVSX RM 8 to 32
        const p = readable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); store<u64>(uReg(u) << 3, u64(u32(i32(<i8>load<u8>(p)))), GPR); u += 32; continue;
      }
      case 230: { // MOVSX RR 16 to 32
        store<u64>(uReg(u) << 3, u64(u32(i32(<i16>load<u16>((uRm(u) << 3), GPR)))), GPR); u += 32; continue;
      }
      case 231: { // MOVSX RM 16 to 32
        const p = readable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); store<u64>(uReg(u) << 3, u64(u32(i32(<i16>load<u16>(p)))), GPR); u += 32; continue;
      }
      case 232: { // MOVSX RR 32 to 32
        store<u64>(uReg(u) << 3, u64(u32(i32(<i32>load<u32>((uRm(u) << 3), GPR)))), GPR); u += 32; continue;
      }
      case 233: { // MOVSX RM 32 to 32
        const p = readable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); store<u64>(uReg(u) << 3, u64(u32(i32(<i32>load<u32>(p)))), GPR); u += 32; continue;
      }
      case 234: { // MOVSX RR 8 to 64
        store<u64>(uReg(u) << 3, u64(i64(<i8>load<u8>(byteRm(u), GPR))), GPR); u += 32; continue;
      }
      case 235: { // MOVSX RM 8 to 64
        const p = readable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); store<u64>(uReg(u) << 3, u64(i64(<i8>load<u8>(p))), GPR); u += 32; continue;
      }
      case 236: { // MOVSX RR 16 to 64
        store<u64>(uReg(u) << 3, u64(i64(<i16>load<u16>((uRm(u) << 3), GPR))), GPR); u += 32; continue;
      }
      case 237: { // MOVSX RM 16 to 64
        const p = readable<u16>(address(u) & mask); if (!p) return stop(u, k, fr, fs); store<u64>(uReg(u) << 3, u64(i64(<i16>load<u16>(p))), GPR); u += 32; continue;
      }
      case 238: { // MOVSX RR 32 to 64
        store<u64>(uReg(u) << 3, u64(i64(<i32>load<u32>((uRm(u) << 3), GPR))), GPR); u += 32; continue;
      }
      case 239: { // MOVSX RM 32 to 64
        const p = readable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); store<u64>(uReg(u) << 3, u64(i64(<i32>load<u32>(p))), GPR); u += 32; continue;
      }
      case 240: { // LEA 32
        store<u64>(uReg(u) << 3, address(u) & 0xffffffff, GPR); u += 32; continue;
      }
      case 241: { // LEA 64
        store<u64>(uReg(u) << 3, address(u), GPR); u += 32; continue;
      }
      case 242: { // XCHG RR 32
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); store<u64>((uRm(u) << 3), u64(b), GPR); store<u64>((uReg(u) << 3), u64(a), GPR); u += 32; continue;
      }
      case 243: { // XCHG RR 64
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); store<u64>((uRm(u) << 3), b, GPR); store<u64>((uReg(u) << 3), a, GPR); u += 32; continue;
      }
      case 244: { // CWDE
        store<u64>(RAX, u64(u32(i32(load<i16>(RAX))))); u += 32; continue;
      }
      case 245: { // CDQE
        store<u64>(RAX, u64(i64(load<i32>(RAX)))); u += 32; continue;
      }
      case 246: { // CDQ
        store<u64>(RDX, u64(u32(load<i32>(RAX) >> 31))); u += 32; continue;
      }
      case 247: { // CQO
        store<u64>(RDX, u64(load<i64>(RAX) >> 63)); u += 32; continue;
      }
      case 248: { // BSWAP 32
        store<u64>(uRm(u) << 3, u64(bswap<u32>(load<u32>(uRm(u) << 3, GPR))), GPR); u += 32; continue;
      }
      case 249: { // BSWAP 64
        store<u64>(uRm(u) << 3, bswap<u64>(load<u64>(uRm(u) << 3, GPR)), GPR); u += 32; continue;
      }
      case 250: { // NOP
        u += 32; continue;
      }
      case 251: { // CMOV RR 32
        store<u64>((uReg(u) << 3), u64(testCondition(uOpcode(u) & 15, k, fr, fs) ? load<u32>((uRm(u) << 3), GPR) : load<u32>((uReg(u) << 3), GPR)), GPR); u += 32; continue;
      }
      case 252: { // CMOV RM 32
        const p = readable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); store<u64>((uReg(u) << 3), u64(testCondition(uOpcode(u) & 15, k, fr, fs) ? load<u32>(p) : load<u32>((uReg(u) << 3), GPR)), GPR); u += 32; continue;
      }
      case 253: { // CMOV RR 64
        store<u64>((uReg(u) << 3), testCondition(uOpcode(u) & 15, k, fr, fs) ? load<u64>((uRm(u) << 3), GPR) : load<u64>((uReg(u) << 3), GPR), GPR); u += 32; continue;
      }
      case 254: { // CMOV RM 64
        const p = readable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); store<u64>((uReg(u) << 3), testCondition(uOpcode(u) & 15, k, fr, fs) ? load<u64>(p) : load<u64>((uReg(u) << 3), GPR), GPR); u += 32; continue;
      }
      case 255: { // SETCC R
        store<u8>(byteRm(u), u8(testCondition(uOpcode(u) & 15, k, fr, fs)), GPR); u += 32; continue;
      }
      case 256: { // SHL I 32
        const a = load<u32>((uRm(u) << 3), GPR), n = load<u32>(u, 16); const r = a << n; const c = u32(a >> (32 - n)) & 1; fs = u64(c | (c ^ u32(r >> 31)) << 11); store<u64>((uRm(u) << 3), u64(r), GPR); k = 1; fr = i64(<i32>r); u += 32; continue;
      }
      case 257: { // SHL I 64
        const a = load<u64>((uRm(u) << 3), GPR), n = load<u64>(u, 16); const r = a << n; const c = u32(a >> (64 - n)) & 1; fs = u64(c | (c ^ u32(r >> 63)) << 11); store<u64>((uRm(u) << 3), r, GPR); k = 1; fr = i64(<i64>r); u += 32; continue;
      }
      case 258: { // SHR I 32
        const a = load<u32>((uRm(u) << 3), GPR), n = load<u32>(u, 16); const r = a >> n; fs = u64((u32(a >> (n - 1)) & 1) | (u32(r >> 30) & 1) << 11); store<u64>((uRm(u) << 3), u64(r), GPR); k = 1; fr = i64(<i32>r); u += 32; continue;
      }
      case 259: { // SHR I 64
        const a = load<u64>((uRm(u) << 3), GPR), n = load<u64>(u, 16); const r = a >> n; fs = u64((u32(a >> (n - 1)) & 1) | (u32(r >> 62) & 1) << 11); store<u64>((uRm(u) << 3), r, GPR); k = 1; fr = i64(<i64>r); u += 32; continue;
      }
      case 260: { // SAR I 32
        const a = load<u32>((uRm(u) << 3), GPR), n = load<u32>(u, 16); const r = <u32>(<i32>a >> <i32>n); fs = u64(u32(<i32>a >> <i32>(n - 1)) & 1); store<u64>((uRm(u) << 3), u64(r), GPR); k = 1; fr = i64(<i32>r); u += 32; continue;
      }
      case 261: { // SAR I 64
        const a = load<u64>((uRm(u) << 3), GPR), n = load<u64>(u, 16); const r = <u64>(<i64>a >> <i64>n); fs = u64(u32(<i64>a >> <i64>(n - 1)) & 1); store<u64>((uRm(u) << 3), r, GPR); k = 1; fr = i64(<i64>r); u += 32; continue;
      }
      case 262: { // SHL CL 32
        const a = load<u32>((uRm(u) << 3), GPR), n = <u32>load<u8>(RCX) & 31; if (!n) { store<u64>((uRm(u) << 3), u64(a), GPR); u += 32; continue; } const r = a << n; const c = u32(a >> (32 - n)) & 1; fs = u64(c | (c ^ u32(r >> 31)) << 11); store<u64>((uRm(u) << 3), u64(r), GPR); k = 1; fr = i64(<i32>r); u += 32; continue;
      }
      case 263: { // SHL CL 64
        const a = load<u64>((uRm(u) << 3), GPR), n = <u64>load<u8>(RCX) & 63; if (!n) { u += 32; continue; } const r = a << n; const c = u32(a >> (64 - n)) & 1; fs = u64(c | (c ^ u32(r >> 63)) << 11); store<u64>((uRm(u) << 3), r, GPR); k = 1; fr = i64(<i64>r); u += 32; continue;
      }
      case 264: { // SHR CL 32
        const a = load<u32>((uRm(u) << 3), GPR), n = <u32>load<u8>(RCX) & 31; if (!n) { store<u64>((uRm(u) << 3), u64(a), GPR); u += 32; continue; } const r = a >> n; fs = u64((u32(a >> (n - 1)) & 1) | (u32(r >> 30) & 1) << 11); store<u64>((uRm(u) << 3), u64(r), GPR); k = 1; fr = i64(<i32>r); u += 32; continue;
      }
      case 265: { // SHR CL 64
        const a = load<u64>((uRm(u) << 3), GPR), n = <u64>load<u8>(RCX) & 63; if (!n) { u += 32; continue; } const r = a >> n; fs = u64((u32(a >> (n - 1)) & 1) | (u32(r >> 62) & 1) << 11); store<u64>((uRm(u) << 3), r, GPR); k = 1; fr = i64(<i64>r); u += 32; continue;
      }
      case 266: { // SAR CL 32
        const a = load<u32>((uRm(u) << 3), GPR), n = <u32>load<u8>(RCX) & 31; if (!n) { store<u64>((uRm(u) << 3), u64(a), GPR); u += 32; continue; } const r = <u32>(<i32>a >> <i32>n); fs = u64(u32(<i32>a >> <i32>(n - 1)) & 1); store<u64>((uRm(u) << 3), u64(r), GPR); k = 1; fr = i64(<i32>r); u += 32; continue;
      }
      case 267: { // SAR CL 64
        const a = load<u64>((uRm(u) << 3), GPR), n = <u64>load<u8>(RCX) & 63; if (!n) { u += 32; continue; } const r = <u64>(<i64>a >> <i64>n); fs = u64(u32(<i64>a >> <i64>(n - 1)) & 1); store<u64>((uRm(u) << 3), r, GPR); k = 1; fr = i64(<i64>r); u += 32; continue;
      }
      case 268: { // ROL I 32
        const r = rotl<u32>(load<u32>((uRm(u) << 3), GPR), load<u32>(u, 16)); store<u64>((uRm(u) << 3), u64(r), GPR); if (k) { storeStatus(k, fr, fs); k = 0; } const c = u32(r) & 1; const o = c ^ u32(r >> 31); store<u32>(RFLAGS, (load<u32>(RFLAGS) & ~0x801) | c | o << 11); u += 32; continue;
      }
      case 269: { // ROL I 64
        const r = rotl<u64>(load<u64>((uRm(u) << 3), GPR), load<u64>(u, 16)); store<u64>((uRm(u) << 3), r, GPR); if (k) { storeStatus(k, fr, fs); k = 0; } const c = u32(r) & 1; const o = c ^ u32(r >> 63); store<u32>(RFLAGS, (load<u32>(RFLAGS) & ~0x801) | c | o << 11); u += 32; continue;
      }
      case 270: { // ROR I 32
        const r = rotr<u32>(load<u32>((uRm(u) << 3), GPR), load<u32>(u, 16)); store<u64>((uRm(u) << 3), u64(r), GPR); if (k) { storeStatus(k, fr, fs); k = 0; } const c = u32(r >> 31); const o = c ^ (u32(r >> 30) & 1); store<u32>(RFLAGS, (load<u32>(RFLAGS) & ~0x801) | c | o << 11); u += 32; continue;
      }
      case 271: { // ROR I 64
        const r = rotr<u64>(load<u64>((uRm(u) << 3), GPR), load<u64>(u, 16)); store<u64>((uRm(u) << 3), r, GPR); if (k) { storeStatus(k, fr, fs); k = 0; } const c = u32(r >> 63); const o = c ^ (u32(r >> 62) & 1); store<u32>(RFLAGS, (load<u32>(RFLAGS) & ~0x801) | c | o << 11); u += 32; continue;
      }
      case 272: { // IMUL RR 32
         const a = load<i32>(uReg(u) << 3, GPR), b = load<i32>(uRm(u) << 3, GPR); const w = i64(a) * i64(b); const r = i32(w); const o = w != i64(r); store<u64>(uReg(u) << 3, u64(u32(r)), GPR); k = 1; fs = o ? 0x801 : 0; fr = i64(r); u += 32; continue;
      }
      case 273: { // IMUL RR 64
         const a = load<i64>(uReg(u) << 3, GPR), b = load<i64>(uRm(u) << 3, GPR); const r = a * b; const o = !(i64(i32(a)) == a && i64(i32(b)) == b) && signedOverflow(a, b, 8); store<u64>(uReg(u) << 3, u64(r), GPR); k = 1; fs = o ? 0x801 : 0; fr = i64(r); u += 32; continue;
      }
      case 274: { // IMUL RM 32
        const p = readable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<i32>(uReg(u) << 3, GPR), b = load<i32>(p); const w = i64(a) * i64(b); const r = i32(w); const o = w != i64(r); store<u64>(uReg(u) << 3, u64(u32(r)), GPR); k = 1; fs = o ? 0x801 : 0; fr = i64(r); u += 32; continue;
      }
      case 275: { // IMUL RM 64
        const p = readable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<i64>(uReg(u) << 3, GPR), b = load<i64>(p); const r = a * b; const o = !(i64(i32(a)) == a && i64(i32(b)) == b) && signedOverflow(a, b, 8); store<u64>(uReg(u) << 3, u64(r), GPR); k = 1; fs = o ? 0x801 : 0; fr = i64(r); u += 32; continue;
      }
      case 276: { // IMUL RRI 32
         const a = load<i32>(u, 16), b = load<i32>(uRm(u) << 3, GPR); const w = i64(a) * i64(b); const r = i32(w); const o = w != i64(r); store<u64>(uReg(u) << 3, u64(u32(r)), GPR); k = 1; fs = o ? 0x801 : 0; fr = i64(r); u += 32; continue;
      }
      case 277: { // IMUL RRI 64
         const a = load<i64>(u, 16), b = load<i64>(uRm(u) << 3, GPR); const r = a * b; const o = !(i64(i32(a)) == a && i64(i32(b)) == b) && signedOverflow(a, b, 8); store<u64>(uReg(u) << 3, u64(r), GPR); k = 1; fs = o ? 0x801 : 0; fr = i64(r); u += 32; continue;
      }
      case 278: { // IMUL RMI 32
        const p = readable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<i32>(u, 16), b = load<i32>(p); const w = i64(a) * i64(b); const r = i32(w); const o = w != i64(r); store<u64>(uReg(u) << 3, u64(u32(r)), GPR); k = 1; fs = o ? 0x801 : 0; fr = i64(r); u += 32; continue;
      }
      case 279: { // IMUL RMI 64
        const p = readable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<i64>(u, 16), b = load<i64>(p); const r = a * b; const o = !(i64(i32(a)) == a && i64(i32(b)) == b) && signedOverflow(a, b, 8); store<u64>(uReg(u) << 3, u64(r), GPR); k = 1; fs = o ? 0x801 : 0; fr = i64(r); u += 32; continue;
      }
      case 280: { // PUSH R 32
        const v = load<u32>((uRm(u) << 3), GPR); const sp = (load<u64>(RSP) - 4) & mask; if (!stored<u32>(sp, v)) { asStackFault(); return stop(u, k, fr, fs); } store<u64>(RSP, sp); u += 32; continue;
      }
      case 281: { // PUSH I 32
        const v = load<u32>(u, 16); const sp = (load<u64>(RSP) - 4) & mask; if (!stored<u32>(sp, v)) { asStackFault(); return stop(u, k, fr, fs); } store<u64>(RSP, sp); u += 32; continue;
      }
      case 282: { // PUSH M 32
        const p = readable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const v = load<u32>(p); const sp = (load<u64>(RSP) - 4) & mask; if (!stored<u32>(sp, v)) { asStackFault(); return stop(u, k, fr, fs); } store<u64>(RSP, sp); u += 32; continue;
      }
      case 283: { // POP R 32
        const p = readable<u32>(load<u64>(RSP) & mask); if (!p) { asStackFault(); return stop(u, k, fr, fs); } const v = load<u32>(p); store<u64>(RSP, (load<u64>(RSP) + 4) & mask); store<u64>((uRm(u) << 3), u64(v), GPR); u += 32; continue;
      }
      case 284: { // LEAVE 32
        const p = readable<u32>(load<u64>(RBP) & mask); if (!p) { asStackFault(); return stop(u, k, fr, fs); } store<u64>(RSP, (load<u64>(RBP) + 4) & mask); store<u64>(RBP, u64(load<u32>(p))); u += 32; continue;
      }
      case 285: { // CALL J 32
        const v = <u32>((load<u64>(RIP_BASE) + uNext(u)) & mask); const sp = (load<u64>(RSP) - 4) & mask; if (!stored<u32>(sp, v)) { asStackFault(); return stop(u, k, fr, fs); } store<u64>(RSP, sp); rip = (load<u64>(RIP_BASE) + u64(i64(load<i32>(u, 28)))) & mask; break;
      }
      case 286: { // CALL R 32
        const t = u64(load<u32>((uRm(u) << 3), GPR)); const v = <u32>((load<u64>(RIP_BASE) + uNext(u)) & mask); const sp = (load<u64>(RSP) - 4) & mask; if (!stored<u32>(sp, v)) { asStackFault(); return stop(u, k, fr, fs); } store<u64>(RSP, sp); rip = t; break;
      }
      case 287: { // CALL M 32
        const p = readable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const t = u64(load<u32>(p)); const v = <u32>((load<u64>(RIP_BASE) + uNext(u)) & mask); const sp = (load<u64>(RSP) - 4) & mask; if (!stored<u32>(sp, v)) { asStackFault(); return stop(u, k, fr, fs); } store<u64>(RSP, sp); rip = t; break;
      }
      case 288: { // JMP R 32
        const t = u64(load<u32>((uRm(u) << 3), GPR)); rip = t; break;
      }
      case 289: { // JMP M 32
        const p = readable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const t = u64(load<u32>(p)); rip = t; break;
      }
      case 290: { // RET 32
        const p = readable<u32>(load<u64>(RSP) & mask); if (!p) { asStackFault(); return stop(u, k, fr, fs); } const t = u64(load<u32>(p)); store<u64>(RSP, (load<u64>(RSP) + 4 + (load<u64>(u, 16) & 0xffff)) & mask); rip = t; break;
      }
      case 291: { // PUSH R 64
        const v = load<u64>((uRm(u) << 3), GPR); const sp = (load<u64>(RSP) - 8) & mask; if (!stored<u64>(sp, v)) { asStackFault(); return stop(u, k, fr, fs); } store<u64>(RSP, sp); u += 32; continue;
      }
      case 292: { // PUSH I 64
        const v = load<u64>(u, 16); const sp = (load<u64>(RSP) - 8) & mask; if (!stored<u64>(sp, v)) { asStackFault(); return stop(u, k, fr, fs); } store<u64>(RSP, sp); u += 32; continue;
      }
      case 293: { // PUSH M 64
        const p = readable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const v = load<u64>(p); const sp = (load<u64>(RSP) - 8) & mask; if (!stored<u64>(sp, v)) { asStackFault(); return stop(u, k, fr, fs); } store<u64>(RSP, sp); u += 32; continue;
      }
      case 294: { // POP R 64
        const p = readable<u64>(load<u64>(RSP) & mask); if (!p) { asStackFault(); return stop(u, k, fr, fs); } const v = load<u64>(p); store<u64>(RSP, (load<u64>(RSP) + 8) & mask); store<u64>((uRm(u) << 3), v, GPR); u += 32; continue;
      }
      case 295: { // LEAVE 64
        const p = readable<u64>(load<u64>(RBP) & mask); if (!p) { asStackFault(); return stop(u, k, fr, fs); } store<u64>(RSP, (load<u64>(RBP) + 8) & mask); store<u64>(RBP, u64(load<u64>(p))); u += 32; continue;
      }
      case 296: { // CALL J 64
        const v = <u64>((load<u64>(RIP_BASE) + uNext(u)) & mask); const sp = (load<u64>(RSP) - 8) & mask; if (!stored<u64>(sp, v)) { asStackFault(); return stop(u, k, fr, fs); } store<u64>(RSP, sp); rip = (load<u64>(RIP_BASE) + u64(i64(load<i32>(u, 28)))) & mask; break;
      }
      case 297: { // CALL R 64
        const t = u64(load<u64>((uRm(u) << 3), GPR)); if (u64(i64(t << 16) >> 16) != t) return stopNonCanonical(u, k, fr, fs); const v = <u64>((load<u64>(RIP_BASE) + uNext(u)) & mask); const sp = (load<u64>(RSP) - 8) & mask; if (!stored<u64>(sp, v)) { asStackFault(); return stop(u, k, fr, fs); } store<u64>(RSP, sp); rip = t; break;
      }
      case 298: { // CALL M 64
        const p = readable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const t = u64(load<u64>(p)); if (u64(i64(t << 16) >> 16) != t) return stopNonCanonical(u, k, fr, fs); const v = <u64>((load<u64>(RIP_BASE) + uNext(u)) & mask); const sp = (load<u64>(RSP) - 8) & mask; if (!stored<u64>(sp, v)) { asStackFault(); return stop(u, k, fr, fs); } store<u64>(RSP, sp); rip = t; break;
      }
      case 299: { // JMP R 64
        const t = u64(load<u64>((uRm(u) << 3), GPR)); if (u64(i64(t << 16) >> 16) != t) return stopNonCanonical(u, k, fr, fs); rip = t; break;
      }
      case 300: { // JMP M 64
        const p = readable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const t = u64(load<u64>(p)); if (u64(i64(t << 16) >> 16) != t) return stopNonCanonical(u, k, fr, fs); rip = t; break;
      }
      case 301: { // RET 64
        const p = readable<u64>(load<u64>(RSP) & mask); if (!p) { asStackFault(); return stop(u, k, fr, fs); } const t = u64(load<u64>(p)); if (u64(i64(t << 16) >> 16) != t) return stopNonCanonical(u, k, fr, fs); store<u64>(RSP, (load<u64>(RSP) + 8 + (load<u64>(u, 16) & 0xffff)) & mask); rip = t; break;
      }
      case 302: { // JMP J
        rip = (load<u64>(RIP_BASE) + u64(i64(load<i32>(u, 28)))) & mask; break;
      }
      case 303: { // JO
        rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(0, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 304: { // JNO
        rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(1, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 305: { // JB
        rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(2, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 306: { // JAE
        rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(3, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 307: { // JZ
        rip = (load<u64>(RIP_BASE) + u64(i64((k ? fr == 0 : (load<u32>(RFLAGS) & 0x40) != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 308: { // JNZ
        rip = (load<u64>(RIP_BASE) + u64(i64((k ? fr != 0 : (load<u32>(RFLAGS) & 0x40) == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 309: { // JBE
        rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(6, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 310: { // JA
        rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(7, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 311: { // JS
        rip = (load<u64>(RIP_BASE) + u64(i64((k ? fr < 0 : (load<u32>(RFLAGS) & 0x80) != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 312: { // JNS
        rip = (load<u64>(RIP_BASE) + u64(i64((k ? fr >= 0 : (load<u32>(RFLAGS) & 0x80) == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 313: { // JP
        rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(10, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 314: { // JNP
        rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(11, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 315: { // JL
        rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(12, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 316: { // JGE
        rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(13, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 317: { // JLE
        rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(14, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 318: { // JG
        rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(15, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 319: { // CMP RR 32, JO
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(0, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 320: { // CMP RR 32, JNO
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(1, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 321: { // CMP RR 32, JB
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a < b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 322: { // CMP RR 32, JAE
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a >= b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 323: { // CMP RR 32, JZ
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a == b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 324: { // CMP RR 32, JNZ
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a != b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 325: { // CMP RR 32, JBE
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a <= b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 326: { // CMP RR 32, JA
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a > b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 327: { // CMP RR 32, JS
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i32>(a - b) < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 328: { // CMP RR 32, JNS
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i32>(a - b) >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 329: { // CMP RR 32, JP
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(10, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 330: { // CMP RR 32, JNP
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(11, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 331: { // CMP RR 32, JL
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i32>a < <i32>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 332: { // CMP RR 32, JGE
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i32>a >= <i32>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 333: { // CMP RR 32, JLE
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i32>a <= <i32>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 334: { // CMP RR 32, JG
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i32>a > <i32>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 335: { // CMP RR 64, JO
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(0, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 336: { // CMP RR 64, JNO
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(1, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 337: { // CMP RR 64, JB
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a < b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 338: { // CMP RR 64, JAE
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a >= b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 339: { // CMP RR 64, JZ
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a == b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 340: { // CMP RR 64, JNZ
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a != b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 341: { // CMP RR 64, JBE
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a <= b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 342: { // CMP RR 64, JA
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a > b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 343: { // CMP RR 64, JS
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i64>(a - b) < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 344: { // CMP RR 64, JNS
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i64>(a - b) >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 345: { // CMP RR 64, JP
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(10, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 346: { // CMP RR 64, JNP
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(11, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 347: { // CMP RR 64, JL
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i64>a < <i64>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 348: { // CMP RR 64, JGE
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i64>a >= <i64>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 349: { // CMP RR 64, JLE
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i64>a <= <i64>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 350: { // CMP RR 64, JG
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i64>a > <i64>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 351: { // CMP RI 32, JO
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(0, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 352: { // CMP RI 32, JNO
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(1, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 353: { // CMP RI 32, JB
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a < b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 354: { // CMP RI 32, JAE
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a >= b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 355: { // CMP RI 32, JZ
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a == b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 356: { // CMP RI 32, JNZ
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a != b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 357: { // CMP RI 32, JBE
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a <= b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 358: { // CMP RI 32, JA
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a > b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 359: { // CMP RI 32, JS
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i32>(a - b) < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 360: { // CMP RI 32, JNS
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i32>(a - b) >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 361: { // CMP RI 32, JP
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(10, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 362: { // CMP RI 32, JNP
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(11, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 363: { // CMP RI 32, JL
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i32>a < <i32>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 364: { // CMP RI 32, JGE
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i32>a >= <i32>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 365: { // CMP RI 32, JLE
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i32>a <= <i32>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 366: { // CMP RI 32, JG
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i32>a > <i32>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 367: { // CMP RI 64, JO
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(0, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 368: { // CMP RI 64, JNO
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(1, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 369: { // CMP RI 64, JB
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a < b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 370: { // CMP RI 64, JAE
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a >= b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 371: { // CMP RI 64, JZ
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a == b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 372: { // CMP RI 64, JNZ
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a != b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 373: { // CMP RI 64, JBE
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a <= b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 374: { // CMP RI 64, JA
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a > b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 375: { // CMP RI 64, JS
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i64>(a - b) < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 376: { // CMP RI 64, JNS
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i64>(a - b) >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 377: { // CMP RI 64, JP
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(10, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 378: { // CMP RI 64, JNP
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(11, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 379: { // CMP RI 64, JL
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i64>a < <i64>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 380: { // CMP RI 64, JGE
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i64>a >= <i64>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 381: { // CMP RI 64, JLE
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i64>a <= <i64>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 382: { // CMP RI 64, JG
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i64>a > <i64>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 383: { // TEST RR 32, JO
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((false) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 384: { // TEST RR 32, JNO
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((true) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 385: { // TEST RR 32, JB
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((false) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 386: { // TEST RR 32, JAE
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((true) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 387: { // TEST RR 32, JZ
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 388: { // TEST RR 32, JNZ
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 389: { // TEST RR 32, JBE
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 390: { // TEST RR 32, JA
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 391: { // TEST RR 32, JS
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((fr < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 392: { // TEST RR 32, JNS
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((fr >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 393: { // TEST RR 32, JP
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((!(popcnt<u32>(u32(fr) & 0xff) & 1)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 394: { // TEST RR 32, JNP
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64(((popcnt<u32>(u32(fr) & 0xff) & 1) != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 395: { // TEST RR 32, JL
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((fr < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 396: { // TEST RR 32, JGE
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((fr >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 397: { // TEST RR 32, JLE
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((fr <= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 398: { // TEST RR 32, JG
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((fr > 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 399: { // TEST RR 64, JO
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((false) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 400: { // TEST RR 64, JNO
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((true) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 401: { // TEST RR 64, JB
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((false) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 402: { // TEST RR 64, JAE
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((true) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 403: { // TEST RR 64, JZ
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 404: { // TEST RR 64, JNZ
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 405: { // TEST RR 64, JBE
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 406: { // TEST RR 64, JA
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 407: { // TEST RR 64, JS
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((fr < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 408: { // TEST RR 64, JNS
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((fr >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 409: { // TEST RR 64, JP
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((!(popcnt<u32>(u32(fr) & 0xff) & 1)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 410: { // TEST RR 64, JNP
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64(((popcnt<u32>(u32(fr) & 0xff) & 1) != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 411: { // TEST RR 64, JL
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((fr < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 412: { // TEST RR 64, JGE
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((fr >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 413: { // TEST RR 64, JLE
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((fr <= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 414: { // TEST RR 64, JG
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64((fr > 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 415: { // TEST RI 32, JO
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((false) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 416: { // TEST RI 32, JNO
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((true) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 417: { // TEST RI 32, JB
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((false) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 418: { // TEST RI 32, JAE
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((true) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 419: { // TEST RI 32, JZ
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 420: { // TEST RI 32, JNZ
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 421: { // TEST RI 32, JBE
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 422: { // TEST RI 32, JA
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 423: { // TEST RI 32, JS
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((fr < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 424: { // TEST RI 32, JNS
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((fr >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 425: { // TEST RI 32, JP
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((!(popcnt<u32>(u32(fr) & 0xff) & 1)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 426: { // TEST RI 32, JNP
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64(((popcnt<u32>(u32(fr) & 0xff) & 1) != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 427: { // TEST RI 32, JL
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((fr < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 428: { // TEST RI 32, JGE
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((fr >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 429: { // TEST RI 32, JLE
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((fr <= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 430: { // TEST RI 32, JG
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((fr > 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 431: { // TEST RI 64, JO
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((false) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 432: { // TEST RI 64, JNO
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((true) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 433: { // TEST RI 64, JB
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((false) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 434: { // TEST RI 64, JAE
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((true) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 435: { // TEST RI 64, JZ
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 436: { // TEST RI 64, JNZ
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 437: { // TEST RI 64, JBE
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 438: { // TEST RI 64, JA
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 439: { // TEST RI 64, JS
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((fr < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 440: { // TEST RI 64, JNS
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((fr >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 441: { // TEST RI 64, JP
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((!(popcnt<u32>(u32(fr) & 0xff) & 1)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 442: { // TEST RI 64, JNP
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64(((popcnt<u32>(u32(fr) & 0xff) & 1) != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 443: { // TEST RI 64, JL
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((fr < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 444: { // TEST RI 64, JGE
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((fr >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 445: { // TEST RI 64, JLE
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((fr <= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 446: { // TEST RI 64, JG
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64((fr > 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 447: { // CMP RI 8, JO
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 8; fs = u64(a); fr = i64(<i8>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(0, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 448: { // CMP RI 8, JNO
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 8; fs = u64(a); fr = i64(<i8>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(1, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 449: { // CMP RI 8, JB
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 8; fs = u64(a); fr = i64(<i8>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a < b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 450: { // CMP RI 8, JAE
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 8; fs = u64(a); fr = i64(<i8>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a >= b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 451: { // CMP RI 8, JZ
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 8; fs = u64(a); fr = i64(<i8>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a == b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 452: { // CMP RI 8, JNZ
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 8; fs = u64(a); fr = i64(<i8>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a != b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 453: { // CMP RI 8, JBE
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 8; fs = u64(a); fr = i64(<i8>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a <= b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 454: { // CMP RI 8, JA
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 8; fs = u64(a); fr = i64(<i8>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((a > b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 455: { // CMP RI 8, JS
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 8; fs = u64(a); fr = i64(<i8>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i8>(a - b) < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 456: { // CMP RI 8, JNS
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 8; fs = u64(a); fr = i64(<i8>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i8>(a - b) >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 457: { // CMP RI 8, JP
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 8; fs = u64(a); fr = i64(<i8>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(10, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 458: { // CMP RI 8, JNP
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 8; fs = u64(a); fr = i64(<i8>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((testCondition(11, k, fr, fs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 459: { // CMP RI 8, JL
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 8; fs = u64(a); fr = i64(<i8>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i8>a < <i8>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 460: { // CMP RI 8, JGE
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 8; fs = u64(a); fr = i64(<i8>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i8>a >= <i8>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 461: { // CMP RI 8, JLE
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 8; fs = u64(a); fr = i64(<i8>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i8>a <= <i8>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 462: { // CMP RI 8, JG
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 8; fs = u64(a); fr = i64(<i8>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64((<i8>a > <i8>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 463: { // TEST RI 8, JO
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 1; fs = 0; fr = i64(<i8>(a & b)); rip = (load<u64>(RIP_BASE) + u64(i64((false) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 464: { // TEST RI 8, JNO
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 1; fs = 0; fr = i64(<i8>(a & b)); rip = (load<u64>(RIP_BASE) + u64(i64((true) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 465: { // TEST RI 8, JB
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 1; fs = 0; fr = i64(<i8>(a & b)); rip = (load<u64>(RIP_BASE) + u64(i64((false) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 466: { // TEST RI 8, JAE
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 1; fs = 0; fr = i64(<i8>(a & b)); rip = (load<u64>(RIP_BASE) + u64(i64((true) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 467: { // TEST RI 8, JZ
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 1; fs = 0; fr = i64(<i8>(a & b)); rip = (load<u64>(RIP_BASE) + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 468: { // TEST RI 8, JNZ
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 1; fs = 0; fr = i64(<i8>(a & b)); rip = (load<u64>(RIP_BASE) + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 469: { // TEST RI 8, JBE
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 1; fs = 0; fr = i64(<i8>(a & b)); rip = (load<u64>(RIP_BASE) + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 470: { // TEST RI 8, JA
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 1; fs = 0; fr = i64(<i8>(a & b)); rip = (load<u64>(RIP_BASE) + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 471: { // TEST RI 8, JS
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 1; fs = 0; fr = i64(<i8>(a & b)); rip = (load<u64>(RIP_BASE) + u64(i64((fr < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 472: { // TEST RI 8, JNS
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 1; fs = 0; fr = i64(<i8>(a & b)); rip = (load<u64>(RIP_BASE) + u64(i64((fr >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 473: { // TEST RI 8, JP
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 1; fs = 0; fr = i64(<i8>(a & b)); rip = (load<u64>(RIP_BASE) + u64(i64((!(popcnt<u32>(u32(fr) & 0xff) & 1)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 474: { // TEST RI 8, JNP
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 1; fs = 0; fr = i64(<i8>(a & b)); rip = (load<u64>(RIP_BASE) + u64(i64(((popcnt<u32>(u32(fr) & 0xff) & 1) != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 475: { // TEST RI 8, JL
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 1; fs = 0; fr = i64(<i8>(a & b)); rip = (load<u64>(RIP_BASE) + u64(i64((fr < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 476: { // TEST RI 8, JGE
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 1; fs = 0; fr = i64(<i8>(a & b)); rip = (load<u64>(RIP_BASE) + u64(i64((fr >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 477: { // TEST RI 8, JLE
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 1; fs = 0; fr = i64(<i8>(a & b)); rip = (load<u64>(RIP_BASE) + u64(i64((fr <= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 478: { // TEST RI 8, JG
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 1; fs = 0; fr = i64(<i8>(a & b)); rip = (load<u64>(RIP_BASE) + u64(i64((fr > 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 479: { // CMP RR 8, Jcc
         const a = load<u8>(byteRm(u), GPR), b = load<u8>(byteR(u), GPR); k = 8; fs = u64(a); fr = i64(<i8>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64(fusedTaken(uFusedCondition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 480: { // CMP RI 8, Jcc
         const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 8; fs = u64(a); fr = i64(<i8>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64(fusedTaken(uFusedCondition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 481: { // CMP MR 8, Jcc
        const p = readable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(p), b = load<u8>(byteR(u), GPR); k = 8; fs = u64(a); fr = i64(<i8>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64(fusedTaken(uFusedCondition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 482: { // CMP MR 32, Jcc
        const p = readable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>(p), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64(fusedTaken(uFusedCondition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 483: { // CMP MR 64, Jcc
        const p = readable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>(p), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64(fusedTaken(uFusedCondition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 484: { // CMP MI 8, Jcc
        const p = readable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(p), b = load<u8>(u, 16); k = 8; fs = u64(a); fr = i64(<i8>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64(fusedTaken(uFusedCondition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 485: { // CMP MI 32, Jcc
        const p = readable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>(p), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64(fusedTaken(uFusedCondition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 486: { // CMP MI 64, Jcc
        const p = readable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>(p), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64(fusedTaken(uFusedCondition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 487: { // CMP RM 8, Jcc
        const p = readable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u8>(byteR(u), GPR), b = load<u8>(p); k = 8; fs = u64(a); fr = i64(<i8>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64(fusedTaken(uFusedCondition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 488: { // CMP RM 32, Jcc
        const p = readable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u32>((uReg(u) << 3), GPR), b = load<u32>(p); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64(fusedTaken(uFusedCondition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 489: { // CMP RM 64, Jcc
        const p = readable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>((uReg(u) << 3), GPR), b = load<u64>(p); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (load<u64>(RIP_BASE) + u64(i64(fusedTaken(uFusedCondition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 490: { // TEST RR 8, Jcc
         k = 1; fs = 0; fr = i64(<i8>(load<u8>(byteRm(u), GPR) & load<u8>(byteR(u), GPR))); rip = (load<u64>(RIP_BASE) + u64(i64(fusedTaken(uFusedCondition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 491: { // TEST RI 8, Jcc
         k = 1; fs = 0; fr = i64(<i8>(load<u8>(byteRm(u), GPR) & load<u8>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64(fusedTaken(uFusedCondition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 492: { // TEST MI 8, Jcc
        const p = readable<u8>(address(u) & mask); if (!p) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i8>(load<u8>(p) & load<u8>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64(fusedTaken(uFusedCondition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 493: { // TEST MI 32, Jcc
        const p = readable<u32>(address(u) & mask); if (!p) return stop(u, k, fr, fs); k = 1; fs = 0; fr = i64(<i32>(load<u32>(p) & load<u32>(u, 16))); rip = (load<u64>(RIP_BASE) + u64(i64(fusedTaken(uFusedCondition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 494: { // ADD 32, JNZ
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); const r = <u32>(a + b); store<u64>((uRm(u) << 3), u64(r), GPR); k = 6; fs = u64(a); fr = i64(<i32>r); rip = (load<u64>(RIP_BASE) + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 495: { // ADD 32, JZ
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); const r = <u32>(a + b); store<u64>((uRm(u) << 3), u64(r), GPR); k = 6; fs = u64(a); fr = i64(<i32>r); rip = (load<u64>(RIP_BASE) + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 496: { // ADD 64, JNZ
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); const r = <u64>(a + b); store<u64>((uRm(u) << 3), r, GPR); k = 7; fs = u64(a); fr = i64(<i64>r); rip = (load<u64>(RIP_BASE) + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 497: { // ADD 64, JZ
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); const r = <u64>(a + b); store<u64>((uRm(u) << 3), r, GPR); k = 7; fs = u64(a); fr = i64(<i64>r); rip = (load<u64>(RIP_BASE) + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 498: { // SUB 32, JNZ
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); const r = <u32>(a - b); store<u64>((uRm(u) << 3), u64(r), GPR); k = 10; fs = u64(a); fr = i64(<i32>r); rip = (load<u64>(RIP_BASE) + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 499: { // SUB 32, JZ
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); const r = <u32>(a - b); store<u64>((uRm(u) << 3), u64(r), GPR); k = 10; fs = u64(a); fr = i64(<i32>r); rip = (load<u64>(RIP_BASE) + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 500: { // SUB 64, JNZ
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); const r = <u64>(a - b); store<u64>((uRm(u) << 3), r, GPR); k = 11; fs = u64(a); fr = i64(<i64>r); rip = (load<u64>(RIP_BASE) + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 501: { // SUB 64, JZ
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); const r = <u64>(a - b); store<u64>((uRm(u) << 3), r, GPR); k = 11; fs = u64(a); fr = i64(<i64>r); rip = (load<u64>(RIP_BASE) + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 502: { // AND 32, JNZ
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); const r = <u32>(a & b); store<u64>((uRm(u) << 3), u64(r), GPR); k = 1; fs = 0; fr = i64(<i32>r); rip = (load<u64>(RIP_BASE) + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 503: { // AND 32, JZ
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); const r = <u32>(a & b); store<u64>((uRm(u) << 3), u64(r), GPR); k = 1; fs = 0; fr = i64(<i32>r); rip = (load<u64>(RIP_BASE) + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 504: { // AND 64, JNZ
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); const r = <u64>(a & b); store<u64>((uRm(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i64>r); rip = (load<u64>(RIP_BASE) + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 505: { // AND 64, JZ
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); const r = <u64>(a & b); store<u64>((uRm(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i64>r); rip = (load<u64>(RIP_BASE) + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 506: { // INC 32, JNZ
        const r = <u32>(load<u32>((uRm(u) << 3), GPR) + 1); store<u64>((uRm(u) << 3), u64(r), GPR); if (k < 20) keepCarry(k, fr, fs); k = 22; fr = i64(<i32>r); rip = (load<u64>(RIP_BASE) + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 507: { // INC 32, JZ
        const r = <u32>(load<u32>((uRm(u) << 3), GPR) + 1); store<u64>((uRm(u) << 3), u64(r), GPR); if (k < 20) keepCarry(k, fr, fs); k = 22; fr = i64(<i32>r); rip = (load<u64>(RIP_BASE) + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 508: { // INC 64, JNZ
        const r = <u64>(load<u64>((uRm(u) << 3), GPR) + 1); store<u64>((uRm(u) << 3), r, GPR); if (k < 20) keepCarry(k, fr, fs); k = 23; fr = i64(<i64>r); rip = (load<u64>(RIP_BASE) + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 509: { // INC 64, JZ
        const r = <u64>(load<u64>((uRm(u) << 3), GPR) + 1); store<u64>((uRm(u) << 3), r, GPR); if (k < 20) keepCarry(k, fr, fs); k = 23; fr = i64(<i64>r); rip = (load<u64>(RIP_BASE) + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 510: { // DEC 32, JNZ
        const r = <u32>(load<u32>((uRm(u) << 3), GPR) - 1); store<u64>((uRm(u) << 3), u64(r), GPR); if (k < 20) keepCarry(k, fr, fs); k = 26; fr = i64(<i32>r); rip = (load<u64>(RIP_BASE) + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 511: { // DEC 32, JZ
        const r = <u32>(load<u32>((uRm(u) << 3), GPR) - 1); store<u64>((uRm(u) << 3), u64(r), GPR); if (k < 20) keepCarry(k, fr, fs); k = 26; fr = i64(<i32>r); rip = (load<u64>(RIP_BASE) + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 512: { // DEC 64, JNZ
        const r = <u64>(load<u64>((uRm(u) << 3), GPR) - 1); store<u64>((uRm(u) << 3), r, GPR); if (k < 20) keepCarry(k, fr, fs); k = 27; fr = i64(<i64>r); rip = (load<u64>(RIP_BASE) + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 513: { // DEC 64, JZ
        const r = <u64>(load<u64>((uRm(u) << 3), GPR) - 1); store<u64>((uRm(u) << 3), r, GPR); if (k < 20) keepCarry(k, fr, fs); k = 27; fr = i64(<i64>r); rip = (load<u64>(RIP_BASE) + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 514: { // MOVUPS RM
        const la = address(u) & mask; if (sseOff()) { const status = execVectorLoad(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue; } const p = readable<v128>(la); if (!p) return stop(u, k, fr, fs); v128.store(uReg(u) << 5, v128.load(p), YMM); u += 32; continue;
      }
      case 515: { // MOVUPS MR
        const la = address(u) & mask; if (sseOff()) { const status = execVectorStore(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue; } const p = writable<v128>(la); if (!p) return stop(u, k, fr, fs); v128.store(p, v128.load(uReg(u) << 5, YMM)); if (!wrote<v128>(p)) return stop(u, k, fr, fs); u += 32; continue;
      }
      case 516: { // MOVAPS RM
        const la = address(u) & mask; if (sseOff() | u32(la) & 15) { const status = execVectorLoad(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue; } const p = readable<v128>(la); if (!p) return stop(u, k, fr, fs); v128.store(uReg(u) << 5, v128.load(p), YMM); u += 32; continue;
      }
      case 517: { // MOVAPS MR
        const la = address(u) & mask; if (sseOff() | u32(la) & 15) { const status = execVectorStore(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue; } const p = writable<v128>(la); if (!p) return stop(u, k, fr, fs); v128.store(p, v128.load(uReg(u) << 5, YMM)); if (!wrote<v128>(p)) return stop(u, k, fr, fs); u += 32; continue;
      }
      case 518: { // VMOVUPS RM 128
        const la = address(u) & mask; if (vexOff()) { const status = execVectorLoad(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue; } const p = readable<v128>(la); if (!p) return stop(u, k, fr, fs); v128.store(uReg(u) << 5, v128.load(p), YMM); v128.store(uReg(u) << 5, i64x2.splat(0), YMM + 16); u += 32; continue;
      }
      case 519: { // VMOVUPS MR 128
        const la = address(u) & mask; if (vexOff()) { const status = execVectorStore(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue; } const p = writable<v128>(la); if (!p) return stop(u, k, fr, fs); v128.store(p, v128.load(uReg(u) << 5, YMM)); if (!wrote<v128>(p)) return stop(u, k, fr, fs); u += 32; continue;
      }
      case 520: { // VMOVUPS RM 256
        const la = address(u) & mask; if (vexOff()) { const status = execVectorLoad(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue; } const p = readable32(la); if (!p) return stop(u, k, fr, fs); v128.store(uReg(u) << 5, v128.load(p), YMM); v128.store(uReg(u) << 5, v128.load(p, 16), YMM + 16); u += 32; continue;
      }
      case 521: { // VMOVUPS MR 256
        const la = address(u) & mask; if (vexOff()) { const status = execVectorStore(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue; } const p = writable32(la); if (!p) return stop(u, k, fr, fs); v128.store(p, v128.load(uReg(u) << 5, YMM)); v128.store(p, v128.load(uReg(u) << 5, YMM + 16), 16); if (!wrote32(p)) return stop(u, k, fr, fs); u += 32; continue;
      }
      case 522: { // MOVAPS RR
        if (sseOff()) { const status = execVectorLoad(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue; } v128.store(uReg(u) << 5, v128.load(uRm(u) << 5, YMM), YMM); u += 32; continue;
      }
      case 523: { // execBlendVariable
        const status = execBlendVariable(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 524: { // execBroadcast
        const status = execBroadcast(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 525: { // execConvertFromInteger
        const status = execConvertFromInteger(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 526: { // execConvertFromMmx
        const status = execConvertFromMmx(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 527: { // execConvertPacked
        const status = execConvertPacked(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 528: { // execConvertScalar
        const status = execConvertScalar(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 529: { // execConvertToInteger
        const status = execConvertToInteger(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 530: { // execConvertToMmx
        const status = execConvertToMmx(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 531: { // execDotProduct
        const status = execDotProduct(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 532: { // execEmms
        const status = execEmms(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 533: { // execExtend
        const status = execExtend(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 534: { // execExtract
        const status = execExtract(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 535: { // execExtract128
        const status = execExtract128(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 536: { // execExtractWord
        const status = execExtractWord(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 537: { // execFloat
        const status = execFloat(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 538: { // execFloatCompare
        const status = execFloatCompare(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 539: { // execFloatEstimate
        const status = execFloatEstimate(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 540: { // execFloatHorizontal
        const status = execFloatHorizontal(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 541: { // execFloatUnary
        const status = execFloatUnary(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 542: { // execFma
        const status = execFma(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 543: { // execGather
        const status = execGather(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 544: { // execHalfLoad
        const status = execHalfLoad(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 545: { // execHalfStore
        const status = execHalfStore(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 546: { // execInsert
        const status = execInsert(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 547: { // execInsert128
        const status = execInsert128(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 548: { // execInsertps
        const status = execInsertps(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 549: { // execLdmxcsr
        const status = execLdmxcsr(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 550: { // execMaskedLoad
        const status = execMaskedLoad(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 551: { // execMaskedStore
        const status = execMaskedStore(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 552: { // execMaskmovdqu
        const status = execMaskmovdqu(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 553: { // execMaskmovq
        const status = execMaskmovq(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 554: { // execMmxExtract
        const status = execMmxExtract(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 555: { // execMmxInsert
        const status = execMmxInsert(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 556: { // execMmxLoad
        const status = execMmxLoad(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 557: { // execMmxMask
        const status = execMmxMask(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 558: { // execMmxMove
        const status = execMmxMove(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 559: { // execMmxMoveStore
        const status = execMmxMoveStore(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 560: { // execMmxStore
        const status = execMmxStore(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 561: { // execMovdLoad
        const status = execMovdLoad(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 562: { // execMovdStore
        const status = execMovdStore(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 563: { // execMovdq2q
        const status = execMovdq2q(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 564: { // execMoveMask
        const status = execMoveMask(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 565: { // execMovq2dq
        const status = execMovq2dq(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 566: { // execMovqLoad
        const status = execMovqLoad(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 567: { // execMovqStore
        const status = execMovqStore(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 568: { // execPermute
        const status = execPermute(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 569: { // execRound
        const status = execRound(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 570: { // execScalarLoad
        const status = execScalarLoad(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 571: { // execScalarStore
        const status = execScalarStore(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 572: { // execStmxcsr
        const status = execStmxcsr(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 573: { // execStoreHalf
        const status = execStoreHalf(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 574: { // execVector
        const status = execVector(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 575: { // execVectorLoad
        const status = execVectorLoad(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 576: { // execVectorMmx
        const status = execVectorMmx(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 577: { // execVectorShift
        const status = execVectorShift(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 578: { // execVectorShiftImmediate
        const status = execVectorShiftImmediate(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 579: { // execVectorShiftImmediateMmx
        const status = execVectorShiftImmediateMmx(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 580: { // execVectorShiftMmx
        const status = execVectorShiftMmx(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 581: { // execVectorStore
        const status = execVectorStore(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 582: { // execVectorUnary
        const status = execVectorUnary(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 583: { // execVectorUnaryMmx
        const status = execVectorUnaryMmx(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 584: { // execVzeroall
        const status = execVzeroall(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      case 585: { // execVzeroupper
        const status = execVzeroupper(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); u += 32; continue;
      }
      default: {
        if (k) {
          storeStatus(k, fr, fs);
          k = 0;
        }
        const status = runHandler(u);
        if (status != XS_OK) return status;
        if (!(load<u16>(u) & 1)) {
          store<u64>(ICOUNT, load<u64>(ICOUNT) - uNth(u));
          u += 32;
          continue;
        }
        store<u64>(ICOUNT, load<u64>(ICOUNT) + 1);
        rip = load<u64>(NEXT_RIP);
        if (load<u32>(ATTENTION)) return leave(rip, 0, 0, 0, XS_OK);
        enterAt(rip);
        mask = load<u32>(CODE_MODE) & MODE_CODE64 ? ~u64(0) : 0xffffffff;
      }
    }
    let own: usize = load<u32>(BLOCK_UOPS);
    const ic = load<u64>(ICOUNT) + uopsCount(own);
    store<u64>(ICOUNT, ic);
    if (rip != load<u64>(RIP_BASE)) {
      const linear = (rip + load<u64>(CODE_BASE)) & mask;
      const slot = (u32(linear ^ (linear >> 12)) & 4095) << 4;
      let block: usize = load<u32>(slot, JUMP_CACHE + 12);
      if (load<u64>(slot, JUMP_CACHE) != linear || load<u32>(slot, JUMP_CACHE + 8) != load<u32>(CTX_GEN)) {
        if (ic >= load<u64>(SLICE_END)) return leave(rip, k, fr, fs, XS_LIMIT);
        // a breakpoint stops before the fetch, which may find no page
        if (load<u32>(CODE_CAREFUL) && breakpointsNear(linear)) return leave(rip, k, fr, fs, XS_SINGLE);
        // A fetch may exit, which saves the guest's state at once.
        leave(rip, k, fr, fs, XS_OK);
        k = 0;
        block = fillSlot(slot, linear, rip);
        if (!block) return blockStatus();
      }
      if (load<u32>(CODE_CAREFUL) && mustStop(block, rip, linear)) {
        return leave(rip, k, fr, fs, ic < load<u64>(SLICE_END) ? XS_SINGLE : XS_LIMIT);
      }
      own = block + BLOCK_HEADER;
      store<u64>(RIP_BASE, rip);
      store<u32>(BLOCK_UOPS, u32(own));
    }
    if (ic + uopsCount(own) > load<u64>(SLICE_END)) return leave(rip, k, fr, fs, XS_LIMIT);
    u = own;
  }
}
