// Written by tools/gen-core-tables.ts from src/spec/opcodes. Do not edit.
import {
  ATTENTION, ATT_WINDOW, BLOCK_PAGE, CTX_GEN, GPR, ICOUNT, JUMP_CACHE, MODE, MODE_CODE64, MODE_FLAT, NEXT_RIP, RAX, RBP, RCX,
  RDX, RFLAGS, RIP, RIP_BASE, RSP, SEG_CS, SEG_SS, XS_LIMIT, XS_OK, XS_SINGLE,
} from '../layout';
import { VEC_GP, faultCode, segBase, segLimit } from '../state';
import { uImm2, uLen, uNext, uNth, uOpcode, uReg, uRm, uSeg } from '../uop';
import { BLOCK_HEADER, blockBytes, blockCount, blockPage, blockStatus, findBlock } from '../decode/cache';
import { branchTaken, carryOf, storeStatus, testCondition } from '../exec/lazy-flags';
import { signedOverflow } from '../exec/muldiv';
import { accessStatus, asStackFault, modifiable, readable, writable, wrote } from '../mmu/access';
import { address, byteR, byteRm, uImm2Condition } from '../exec/inline-operand';
import { breakpointsNear } from '../exec/breakpoint-pages';
import { callHandler } from './handlers';

/** Stands before the first block: nothing, then the transition. */
const ENTER: usize = memory.data<u64>([0, 0, 0, 0]);

function leave(ic: u64, rip: u64, k: u32, fr: i64, fs: u64, ck: u32, cr: i64, cs: u64, status: i32): i32 {
  if (k) storeStatus(k, fr, fs, ck, cr, cs);
  store<u64>(ICOUNT, ic);
  store<u64>(RIP, rip);
  return status;
}

/**
 * Runs blocks from RIP on. Answers XS_LIMIT when the next block would pass ICOUNT `end`, XS_OK for attention,
 * XS_SINGLE when the next instruction must run alone, or the status of the instruction at RIP.
 */
// budget: dispatch 1 load and a br_table; block to block 8 loads, 4 compares
export function execBlocks(end: u64): i32 {
  let k: u32 = 0;
  let fr: i64 = 0;
  let fs: u64 = 0;
  let ck: u32 = 0;
  let cr: i64 = 0;
  let cs: u64 = 0;
  let st: i32 = XS_OK;
  let u: usize = ENTER;
  let n: u64 = 0;
  let ic = load<u64>(ICOUNT);
  let rip = load<u64>(RIP);
  let base: u64 = 0;
  let own: usize = 0;
  let mode = load<u32>(MODE);
  let mask: u64 = mode & MODE_CODE64 ? ~u64(0) : 0xffffffff;
  let csBase: u64 = mode & MODE_CODE64 ? 0 : segBase(SEG_CS);
  let last: u64 = mode & (MODE_CODE64 | MODE_FLAT) ? ~u64(0) : u64(segLimit(SEG_CS));
  while (true) {
    switch (load<u16>(u)) {
      case 0: break;
      case 1: rip = (base + uNext(u)) & mask; break;
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
        const p = readable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(byteR(u), GPR), b = load<u8>(p); const r = <u8>(a + b); store<u8>(byteR(u), r, GPR); k = 4; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 7: { // ADD RM 16
        const p = readable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u16>((uReg(u) << 3), GPR), b = load<u16>(p); const r = <u16>(a + b); store<u16>((uReg(u) << 3), r, GPR); k = 5; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 8: { // ADD RM 32
        const p = readable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>((uReg(u) << 3), GPR), b = load<u32>(p); const r = <u32>(a + b); store<u64>((uReg(u) << 3), u64(r), GPR); k = 6; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 9: { // ADD RM 64
        const p = readable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>((uReg(u) << 3), GPR), b = load<u64>(p); const r = <u64>(a + b); store<u64>((uReg(u) << 3), r, GPR); k = 7; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 10: { // ADD MR 8
        const p = modifiable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(p), b = load<u8>(byteR(u), GPR); const r = <u8>(a + b); store<u8>(p, r); if (!wrote<u8>(p)) { st = accessStatus(); break; } k = 4; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 11: { // ADD MR 16
        const p = modifiable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u16>(p), b = load<u16>((uReg(u) << 3), GPR); const r = <u16>(a + b); store<u16>(p, r); if (!wrote<u16>(p)) { st = accessStatus(); break; } k = 5; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 12: { // ADD MR 32
        const p = modifiable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>(p), b = load<u32>((uReg(u) << 3), GPR); const r = <u32>(a + b); store<u32>(p, r); if (!wrote<u32>(p)) { st = accessStatus(); break; } k = 6; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 13: { // ADD MR 64
        const p = modifiable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>(p), b = load<u64>((uReg(u) << 3), GPR); const r = <u64>(a + b); store<u64>(p, r); if (!wrote<u64>(p)) { st = accessStatus(); break; } k = 7; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
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
        const p = modifiable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(p), b = load<u8>(u, 16); const r = <u8>(a + b); store<u8>(p, r); if (!wrote<u8>(p)) { st = accessStatus(); break; } k = 4; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 19: { // ADD MI 16
        const p = modifiable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u16>(p), b = load<u16>(u, 16); const r = <u16>(a + b); store<u16>(p, r); if (!wrote<u16>(p)) { st = accessStatus(); break; } k = 5; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 20: { // ADD MI 32
        const p = modifiable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>(p), b = load<u32>(u, 16); const r = <u32>(a + b); store<u32>(p, r); if (!wrote<u32>(p)) { st = accessStatus(); break; } k = 6; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 21: { // ADD MI 64
        const p = modifiable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>(p), b = load<u64>(u, 16); const r = <u64>(a + b); store<u64>(p, r); if (!wrote<u64>(p)) { st = accessStatus(); break; } k = 7; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
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
        const p = readable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(byteR(u), GPR), b = load<u8>(p); const r = <u8>(a | b); store<u8>(byteR(u), r, GPR); k = 1; fs = 0; fr = i64(<i8>r); u += 32; continue;
      }
      case 27: { // OR RM 16
        const p = readable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u16>((uReg(u) << 3), GPR), b = load<u16>(p); const r = <u16>(a | b); store<u16>((uReg(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i16>r); u += 32; continue;
      }
      case 28: { // OR RM 32
        const p = readable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>((uReg(u) << 3), GPR), b = load<u32>(p); const r = <u32>(a | b); store<u64>((uReg(u) << 3), u64(r), GPR); k = 1; fs = 0; fr = i64(<i32>r); u += 32; continue;
      }
      case 29: { // OR RM 64
        const p = readable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>((uReg(u) << 3), GPR), b = load<u64>(p); const r = <u64>(a | b); store<u64>((uReg(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i64>r); u += 32; continue;
      }
      case 30: { // OR MR 8
        const p = modifiable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(p), b = load<u8>(byteR(u), GPR); const r = <u8>(a | b); store<u8>(p, r); if (!wrote<u8>(p)) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i8>r); u += 32; continue;
      }
      case 31: { // OR MR 16
        const p = modifiable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u16>(p), b = load<u16>((uReg(u) << 3), GPR); const r = <u16>(a | b); store<u16>(p, r); if (!wrote<u16>(p)) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i16>r); u += 32; continue;
      }
      case 32: { // OR MR 32
        const p = modifiable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>(p), b = load<u32>((uReg(u) << 3), GPR); const r = <u32>(a | b); store<u32>(p, r); if (!wrote<u32>(p)) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i32>r); u += 32; continue;
      }
      case 33: { // OR MR 64
        const p = modifiable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>(p), b = load<u64>((uReg(u) << 3), GPR); const r = <u64>(a | b); store<u64>(p, r); if (!wrote<u64>(p)) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i64>r); u += 32; continue;
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
        const p = modifiable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(p), b = load<u8>(u, 16); const r = <u8>(a | b); store<u8>(p, r); if (!wrote<u8>(p)) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i8>r); u += 32; continue;
      }
      case 39: { // OR MI 16
        const p = modifiable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u16>(p), b = load<u16>(u, 16); const r = <u16>(a | b); store<u16>(p, r); if (!wrote<u16>(p)) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i16>r); u += 32; continue;
      }
      case 40: { // OR MI 32
        const p = modifiable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>(p), b = load<u32>(u, 16); const r = <u32>(a | b); store<u32>(p, r); if (!wrote<u32>(p)) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i32>r); u += 32; continue;
      }
      case 41: { // OR MI 64
        const p = modifiable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>(p), b = load<u64>(u, 16); const r = <u64>(a | b); store<u64>(p, r); if (!wrote<u64>(p)) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i64>r); u += 32; continue;
      }
      case 42: { // ADC RR 8
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(byteR(u), GPR); const c = <u8>carryOf(k, fr, fs, ck, cr, cs); const r = <u8>(a + b + c); store<u8>(byteRm(u), r, GPR); k = c ? 12 : 4; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 43: { // ADC RR 16
        const a = load<u16>((uRm(u) << 3), GPR), b = load<u16>((uReg(u) << 3), GPR); const c = <u16>carryOf(k, fr, fs, ck, cr, cs); const r = <u16>(a + b + c); store<u16>((uRm(u) << 3), r, GPR); k = c ? 13 : 5; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 44: { // ADC RR 32
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); const c = <u32>carryOf(k, fr, fs, ck, cr, cs); const r = <u32>(a + b + c); store<u64>((uRm(u) << 3), u64(r), GPR); k = c ? 14 : 6; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 45: { // ADC RR 64
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); const c = <u64>carryOf(k, fr, fs, ck, cr, cs); const r = <u64>(a + b + c); store<u64>((uRm(u) << 3), r, GPR); k = c ? 15 : 7; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 46: { // ADC RM 8
        const p = readable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(byteR(u), GPR), b = load<u8>(p); const c = <u8>carryOf(k, fr, fs, ck, cr, cs); const r = <u8>(a + b + c); store<u8>(byteR(u), r, GPR); k = c ? 12 : 4; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 47: { // ADC RM 16
        const p = readable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u16>((uReg(u) << 3), GPR), b = load<u16>(p); const c = <u16>carryOf(k, fr, fs, ck, cr, cs); const r = <u16>(a + b + c); store<u16>((uReg(u) << 3), r, GPR); k = c ? 13 : 5; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 48: { // ADC RM 32
        const p = readable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>((uReg(u) << 3), GPR), b = load<u32>(p); const c = <u32>carryOf(k, fr, fs, ck, cr, cs); const r = <u32>(a + b + c); store<u64>((uReg(u) << 3), u64(r), GPR); k = c ? 14 : 6; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 49: { // ADC RM 64
        const p = readable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>((uReg(u) << 3), GPR), b = load<u64>(p); const c = <u64>carryOf(k, fr, fs, ck, cr, cs); const r = <u64>(a + b + c); store<u64>((uReg(u) << 3), r, GPR); k = c ? 15 : 7; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 50: { // ADC MR 8
        const p = modifiable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(p), b = load<u8>(byteR(u), GPR); const c = <u8>carryOf(k, fr, fs, ck, cr, cs); const r = <u8>(a + b + c); store<u8>(p, r); if (!wrote<u8>(p)) { st = accessStatus(); break; } k = c ? 12 : 4; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 51: { // ADC MR 16
        const p = modifiable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u16>(p), b = load<u16>((uReg(u) << 3), GPR); const c = <u16>carryOf(k, fr, fs, ck, cr, cs); const r = <u16>(a + b + c); store<u16>(p, r); if (!wrote<u16>(p)) { st = accessStatus(); break; } k = c ? 13 : 5; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 52: { // ADC MR 32
        const p = modifiable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>(p), b = load<u32>((uReg(u) << 3), GPR); const c = <u32>carryOf(k, fr, fs, ck, cr, cs); const r = <u32>(a + b + c); store<u32>(p, r); if (!wrote<u32>(p)) { st = accessStatus(); break; } k = c ? 14 : 6; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 53: { // ADC MR 64
        const p = modifiable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>(p), b = load<u64>((uReg(u) << 3), GPR); const c = <u64>carryOf(k, fr, fs, ck, cr, cs); const r = <u64>(a + b + c); store<u64>(p, r); if (!wrote<u64>(p)) { st = accessStatus(); break; } k = c ? 15 : 7; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 54: { // ADC RI 8
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); const c = <u8>carryOf(k, fr, fs, ck, cr, cs); const r = <u8>(a + b + c); store<u8>(byteRm(u), r, GPR); k = c ? 12 : 4; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 55: { // ADC RI 16
        const a = load<u16>((uRm(u) << 3), GPR), b = load<u16>(u, 16); const c = <u16>carryOf(k, fr, fs, ck, cr, cs); const r = <u16>(a + b + c); store<u16>((uRm(u) << 3), r, GPR); k = c ? 13 : 5; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 56: { // ADC RI 32
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); const c = <u32>carryOf(k, fr, fs, ck, cr, cs); const r = <u32>(a + b + c); store<u64>((uRm(u) << 3), u64(r), GPR); k = c ? 14 : 6; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 57: { // ADC RI 64
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); const c = <u64>carryOf(k, fr, fs, ck, cr, cs); const r = <u64>(a + b + c); store<u64>((uRm(u) << 3), r, GPR); k = c ? 15 : 7; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 58: { // ADC MI 8
        const p = modifiable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(p), b = load<u8>(u, 16); const c = <u8>carryOf(k, fr, fs, ck, cr, cs); const r = <u8>(a + b + c); store<u8>(p, r); if (!wrote<u8>(p)) { st = accessStatus(); break; } k = c ? 12 : 4; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 59: { // ADC MI 16
        const p = modifiable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u16>(p), b = load<u16>(u, 16); const c = <u16>carryOf(k, fr, fs, ck, cr, cs); const r = <u16>(a + b + c); store<u16>(p, r); if (!wrote<u16>(p)) { st = accessStatus(); break; } k = c ? 13 : 5; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 60: { // ADC MI 32
        const p = modifiable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>(p), b = load<u32>(u, 16); const c = <u32>carryOf(k, fr, fs, ck, cr, cs); const r = <u32>(a + b + c); store<u32>(p, r); if (!wrote<u32>(p)) { st = accessStatus(); break; } k = c ? 14 : 6; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 61: { // ADC MI 64
        const p = modifiable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>(p), b = load<u64>(u, 16); const c = <u64>carryOf(k, fr, fs, ck, cr, cs); const r = <u64>(a + b + c); store<u64>(p, r); if (!wrote<u64>(p)) { st = accessStatus(); break; } k = c ? 15 : 7; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 62: { // SBB RR 8
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(byteR(u), GPR); const c = <u8>carryOf(k, fr, fs, ck, cr, cs); const r = <u8>(a - b - c); store<u8>(byteRm(u), r, GPR); k = c ? 16 : 8; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 63: { // SBB RR 16
        const a = load<u16>((uRm(u) << 3), GPR), b = load<u16>((uReg(u) << 3), GPR); const c = <u16>carryOf(k, fr, fs, ck, cr, cs); const r = <u16>(a - b - c); store<u16>((uRm(u) << 3), r, GPR); k = c ? 17 : 9; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 64: { // SBB RR 32
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); const c = <u32>carryOf(k, fr, fs, ck, cr, cs); const r = <u32>(a - b - c); store<u64>((uRm(u) << 3), u64(r), GPR); k = c ? 18 : 10; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 65: { // SBB RR 64
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); const c = <u64>carryOf(k, fr, fs, ck, cr, cs); const r = <u64>(a - b - c); store<u64>((uRm(u) << 3), r, GPR); k = c ? 19 : 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 66: { // SBB RM 8
        const p = readable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(byteR(u), GPR), b = load<u8>(p); const c = <u8>carryOf(k, fr, fs, ck, cr, cs); const r = <u8>(a - b - c); store<u8>(byteR(u), r, GPR); k = c ? 16 : 8; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 67: { // SBB RM 16
        const p = readable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u16>((uReg(u) << 3), GPR), b = load<u16>(p); const c = <u16>carryOf(k, fr, fs, ck, cr, cs); const r = <u16>(a - b - c); store<u16>((uReg(u) << 3), r, GPR); k = c ? 17 : 9; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 68: { // SBB RM 32
        const p = readable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>((uReg(u) << 3), GPR), b = load<u32>(p); const c = <u32>carryOf(k, fr, fs, ck, cr, cs); const r = <u32>(a - b - c); store<u64>((uReg(u) << 3), u64(r), GPR); k = c ? 18 : 10; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 69: { // SBB RM 64
        const p = readable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>((uReg(u) << 3), GPR), b = load<u64>(p); const c = <u64>carryOf(k, fr, fs, ck, cr, cs); const r = <u64>(a - b - c); store<u64>((uReg(u) << 3), r, GPR); k = c ? 19 : 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 70: { // SBB MR 8
        const p = modifiable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(p), b = load<u8>(byteR(u), GPR); const c = <u8>carryOf(k, fr, fs, ck, cr, cs); const r = <u8>(a - b - c); store<u8>(p, r); if (!wrote<u8>(p)) { st = accessStatus(); break; } k = c ? 16 : 8; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 71: { // SBB MR 16
        const p = modifiable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u16>(p), b = load<u16>((uReg(u) << 3), GPR); const c = <u16>carryOf(k, fr, fs, ck, cr, cs); const r = <u16>(a - b - c); store<u16>(p, r); if (!wrote<u16>(p)) { st = accessStatus(); break; } k = c ? 17 : 9; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 72: { // SBB MR 32
        const p = modifiable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>(p), b = load<u32>((uReg(u) << 3), GPR); const c = <u32>carryOf(k, fr, fs, ck, cr, cs); const r = <u32>(a - b - c); store<u32>(p, r); if (!wrote<u32>(p)) { st = accessStatus(); break; } k = c ? 18 : 10; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 73: { // SBB MR 64
        const p = modifiable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>(p), b = load<u64>((uReg(u) << 3), GPR); const c = <u64>carryOf(k, fr, fs, ck, cr, cs); const r = <u64>(a - b - c); store<u64>(p, r); if (!wrote<u64>(p)) { st = accessStatus(); break; } k = c ? 19 : 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 74: { // SBB RI 8
        const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); const c = <u8>carryOf(k, fr, fs, ck, cr, cs); const r = <u8>(a - b - c); store<u8>(byteRm(u), r, GPR); k = c ? 16 : 8; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 75: { // SBB RI 16
        const a = load<u16>((uRm(u) << 3), GPR), b = load<u16>(u, 16); const c = <u16>carryOf(k, fr, fs, ck, cr, cs); const r = <u16>(a - b - c); store<u16>((uRm(u) << 3), r, GPR); k = c ? 17 : 9; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 76: { // SBB RI 32
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); const c = <u32>carryOf(k, fr, fs, ck, cr, cs); const r = <u32>(a - b - c); store<u64>((uRm(u) << 3), u64(r), GPR); k = c ? 18 : 10; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 77: { // SBB RI 64
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); const c = <u64>carryOf(k, fr, fs, ck, cr, cs); const r = <u64>(a - b - c); store<u64>((uRm(u) << 3), r, GPR); k = c ? 19 : 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 78: { // SBB MI 8
        const p = modifiable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(p), b = load<u8>(u, 16); const c = <u8>carryOf(k, fr, fs, ck, cr, cs); const r = <u8>(a - b - c); store<u8>(p, r); if (!wrote<u8>(p)) { st = accessStatus(); break; } k = c ? 16 : 8; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 79: { // SBB MI 16
        const p = modifiable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u16>(p), b = load<u16>(u, 16); const c = <u16>carryOf(k, fr, fs, ck, cr, cs); const r = <u16>(a - b - c); store<u16>(p, r); if (!wrote<u16>(p)) { st = accessStatus(); break; } k = c ? 17 : 9; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 80: { // SBB MI 32
        const p = modifiable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>(p), b = load<u32>(u, 16); const c = <u32>carryOf(k, fr, fs, ck, cr, cs); const r = <u32>(a - b - c); store<u32>(p, r); if (!wrote<u32>(p)) { st = accessStatus(); break; } k = c ? 18 : 10; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 81: { // SBB MI 64
        const p = modifiable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>(p), b = load<u64>(u, 16); const c = <u64>carryOf(k, fr, fs, ck, cr, cs); const r = <u64>(a - b - c); store<u64>(p, r); if (!wrote<u64>(p)) { st = accessStatus(); break; } k = c ? 19 : 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
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
        const p = readable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(byteR(u), GPR), b = load<u8>(p); const r = <u8>(a & b); store<u8>(byteR(u), r, GPR); k = 1; fs = 0; fr = i64(<i8>r); u += 32; continue;
      }
      case 87: { // AND RM 16
        const p = readable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u16>((uReg(u) << 3), GPR), b = load<u16>(p); const r = <u16>(a & b); store<u16>((uReg(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i16>r); u += 32; continue;
      }
      case 88: { // AND RM 32
        const p = readable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>((uReg(u) << 3), GPR), b = load<u32>(p); const r = <u32>(a & b); store<u64>((uReg(u) << 3), u64(r), GPR); k = 1; fs = 0; fr = i64(<i32>r); u += 32; continue;
      }
      case 89: { // AND RM 64
        const p = readable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>((uReg(u) << 3), GPR), b = load<u64>(p); const r = <u64>(a & b); store<u64>((uReg(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i64>r); u += 32; continue;
      }
      case 90: { // AND MR 8
        const p = modifiable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(p), b = load<u8>(byteR(u), GPR); const r = <u8>(a & b); store<u8>(p, r); if (!wrote<u8>(p)) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i8>r); u += 32; continue;
      }
      case 91: { // AND MR 16
        const p = modifiable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u16>(p), b = load<u16>((uReg(u) << 3), GPR); const r = <u16>(a & b); store<u16>(p, r); if (!wrote<u16>(p)) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i16>r); u += 32; continue;
      }
      case 92: { // AND MR 32
        const p = modifiable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>(p), b = load<u32>((uReg(u) << 3), GPR); const r = <u32>(a & b); store<u32>(p, r); if (!wrote<u32>(p)) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i32>r); u += 32; continue;
      }
      case 93: { // AND MR 64
        const p = modifiable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>(p), b = load<u64>((uReg(u) << 3), GPR); const r = <u64>(a & b); store<u64>(p, r); if (!wrote<u64>(p)) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i64>r); u += 32; continue;
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
        const p = modifiable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(p), b = load<u8>(u, 16); const r = <u8>(a & b); store<u8>(p, r); if (!wrote<u8>(p)) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i8>r); u += 32; continue;
      }
      case 99: { // AND MI 16
        const p = modifiable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u16>(p), b = load<u16>(u, 16); const r = <u16>(a & b); store<u16>(p, r); if (!wrote<u16>(p)) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i16>r); u += 32; continue;
      }
      case 100: { // AND MI 32
        const p = modifiable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>(p), b = load<u32>(u, 16); const r = <u32>(a & b); store<u32>(p, r); if (!wrote<u32>(p)) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i32>r); u += 32; continue;
      }
      case 101: { // AND MI 64
        const p = modifiable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>(p), b = load<u64>(u, 16); const r = <u64>(a & b); store<u64>(p, r); if (!wrote<u64>(p)) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i64>r); u += 32; continue;
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
        const p = readable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(byteR(u), GPR), b = load<u8>(p); const r = <u8>(a - b); store<u8>(byteR(u), r, GPR); k = 8; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 107: { // SUB RM 16
        const p = readable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u16>((uReg(u) << 3), GPR), b = load<u16>(p); const r = <u16>(a - b); store<u16>((uReg(u) << 3), r, GPR); k = 9; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 108: { // SUB RM 32
        const p = readable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>((uReg(u) << 3), GPR), b = load<u32>(p); const r = <u32>(a - b); store<u64>((uReg(u) << 3), u64(r), GPR); k = 10; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 109: { // SUB RM 64
        const p = readable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>((uReg(u) << 3), GPR), b = load<u64>(p); const r = <u64>(a - b); store<u64>((uReg(u) << 3), r, GPR); k = 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 110: { // SUB MR 8
        const p = modifiable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(p), b = load<u8>(byteR(u), GPR); const r = <u8>(a - b); store<u8>(p, r); if (!wrote<u8>(p)) { st = accessStatus(); break; } k = 8; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 111: { // SUB MR 16
        const p = modifiable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u16>(p), b = load<u16>((uReg(u) << 3), GPR); const r = <u16>(a - b); store<u16>(p, r); if (!wrote<u16>(p)) { st = accessStatus(); break; } k = 9; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 112: { // SUB MR 32
        const p = modifiable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>(p), b = load<u32>((uReg(u) << 3), GPR); const r = <u32>(a - b); store<u32>(p, r); if (!wrote<u32>(p)) { st = accessStatus(); break; } k = 10; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 113: { // SUB MR 64
        const p = modifiable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>(p), b = load<u64>((uReg(u) << 3), GPR); const r = <u64>(a - b); store<u64>(p, r); if (!wrote<u64>(p)) { st = accessStatus(); break; } k = 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
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
        const p = modifiable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(p), b = load<u8>(u, 16); const r = <u8>(a - b); store<u8>(p, r); if (!wrote<u8>(p)) { st = accessStatus(); break; } k = 8; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 119: { // SUB MI 16
        const p = modifiable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u16>(p), b = load<u16>(u, 16); const r = <u16>(a - b); store<u16>(p, r); if (!wrote<u16>(p)) { st = accessStatus(); break; } k = 9; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 120: { // SUB MI 32
        const p = modifiable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>(p), b = load<u32>(u, 16); const r = <u32>(a - b); store<u32>(p, r); if (!wrote<u32>(p)) { st = accessStatus(); break; } k = 10; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 121: { // SUB MI 64
        const p = modifiable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>(p), b = load<u64>(u, 16); const r = <u64>(a - b); store<u64>(p, r); if (!wrote<u64>(p)) { st = accessStatus(); break; } k = 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
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
        const p = readable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(byteR(u), GPR), b = load<u8>(p); const r = <u8>(a ^ b); store<u8>(byteR(u), r, GPR); k = 1; fs = 0; fr = i64(<i8>r); u += 32; continue;
      }
      case 127: { // XOR RM 16
        const p = readable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u16>((uReg(u) << 3), GPR), b = load<u16>(p); const r = <u16>(a ^ b); store<u16>((uReg(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i16>r); u += 32; continue;
      }
      case 128: { // XOR RM 32
        const p = readable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>((uReg(u) << 3), GPR), b = load<u32>(p); const r = <u32>(a ^ b); store<u64>((uReg(u) << 3), u64(r), GPR); k = 1; fs = 0; fr = i64(<i32>r); u += 32; continue;
      }
      case 129: { // XOR RM 64
        const p = readable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>((uReg(u) << 3), GPR), b = load<u64>(p); const r = <u64>(a ^ b); store<u64>((uReg(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i64>r); u += 32; continue;
      }
      case 130: { // XOR MR 8
        const p = modifiable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(p), b = load<u8>(byteR(u), GPR); const r = <u8>(a ^ b); store<u8>(p, r); if (!wrote<u8>(p)) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i8>r); u += 32; continue;
      }
      case 131: { // XOR MR 16
        const p = modifiable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u16>(p), b = load<u16>((uReg(u) << 3), GPR); const r = <u16>(a ^ b); store<u16>(p, r); if (!wrote<u16>(p)) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i16>r); u += 32; continue;
      }
      case 132: { // XOR MR 32
        const p = modifiable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>(p), b = load<u32>((uReg(u) << 3), GPR); const r = <u32>(a ^ b); store<u32>(p, r); if (!wrote<u32>(p)) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i32>r); u += 32; continue;
      }
      case 133: { // XOR MR 64
        const p = modifiable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>(p), b = load<u64>((uReg(u) << 3), GPR); const r = <u64>(a ^ b); store<u64>(p, r); if (!wrote<u64>(p)) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i64>r); u += 32; continue;
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
        const p = modifiable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(p), b = load<u8>(u, 16); const r = <u8>(a ^ b); store<u8>(p, r); if (!wrote<u8>(p)) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i8>r); u += 32; continue;
      }
      case 139: { // XOR MI 16
        const p = modifiable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u16>(p), b = load<u16>(u, 16); const r = <u16>(a ^ b); store<u16>(p, r); if (!wrote<u16>(p)) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i16>r); u += 32; continue;
      }
      case 140: { // XOR MI 32
        const p = modifiable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>(p), b = load<u32>(u, 16); const r = <u32>(a ^ b); store<u32>(p, r); if (!wrote<u32>(p)) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i32>r); u += 32; continue;
      }
      case 141: { // XOR MI 64
        const p = modifiable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>(p), b = load<u64>(u, 16); const r = <u64>(a ^ b); store<u64>(p, r); if (!wrote<u64>(p)) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i64>r); u += 32; continue;
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
        const p = readable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(byteR(u), GPR), b = load<u8>(p); const r = <u8>(a - b); k = 8; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 147: { // CMP RM 16
        const p = readable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u16>((uReg(u) << 3), GPR), b = load<u16>(p); const r = <u16>(a - b); k = 9; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 148: { // CMP RM 32
        const p = readable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>((uReg(u) << 3), GPR), b = load<u32>(p); const r = <u32>(a - b); k = 10; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 149: { // CMP RM 64
        const p = readable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>((uReg(u) << 3), GPR), b = load<u64>(p); const r = <u64>(a - b); k = 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
      }
      case 150: { // CMP MR 8
        const p = readable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(p), b = load<u8>(byteR(u), GPR); const r = <u8>(a - b); k = 8; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 151: { // CMP MR 16
        const p = readable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u16>(p), b = load<u16>((uReg(u) << 3), GPR); const r = <u16>(a - b); k = 9; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 152: { // CMP MR 32
        const p = readable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>(p), b = load<u32>((uReg(u) << 3), GPR); const r = <u32>(a - b); k = 10; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 153: { // CMP MR 64
        const p = readable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>(p), b = load<u64>((uReg(u) << 3), GPR); const r = <u64>(a - b); k = 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
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
        const p = readable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(p), b = load<u8>(u, 16); const r = <u8>(a - b); k = 8; fs = u64(a); fr = i64(<i8>r); u += 32; continue;
      }
      case 159: { // CMP MI 16
        const p = readable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u16>(p), b = load<u16>(u, 16); const r = <u16>(a - b); k = 9; fs = u64(a); fr = i64(<i16>r); u += 32; continue;
      }
      case 160: { // CMP MI 32
        const p = readable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>(p), b = load<u32>(u, 16); const r = <u32>(a - b); k = 10; fs = u64(a); fr = i64(<i32>r); u += 32; continue;
      }
      case 161: { // CMP MI 64
        const p = readable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>(p), b = load<u64>(u, 16); const r = <u64>(a - b); k = 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;
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
        const p = readable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i8>(load<u8>(p) & load<u8>(byteR(u), GPR))); u += 32; continue;
      }
      case 171: { // TEST MR 16
        const p = readable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i16>(load<u16>(p) & load<u16>((uReg(u) << 3), GPR))); u += 32; continue;
      }
      case 172: { // TEST MR 32
        const p = readable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i32>(load<u32>(p) & load<u32>((uReg(u) << 3), GPR))); u += 32; continue;
      }
      case 173: { // TEST MR 64
        const p = readable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i64>(load<u64>(p) & load<u64>((uReg(u) << 3), GPR))); u += 32; continue;
      }
      case 174: { // TEST MI 8
        const p = readable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i8>(load<u8>(p) & load<u8>(u, 16))); u += 32; continue;
      }
      case 175: { // TEST MI 16
        const p = readable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i16>(load<u16>(p) & load<u16>(u, 16))); u += 32; continue;
      }
      case 176: { // TEST MI 32
        const p = readable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i32>(load<u32>(p) & load<u32>(u, 16))); u += 32; continue;
      }
      case 177: { // TEST MI 64
        const p = readable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i64>(load<u64>(p) & load<u64>(u, 16))); u += 32; continue;
      }
      case 178: { // INC R 8
        const r = <u8>(load<u8>(byteRm(u), GPR) + 1); store<u8>(byteRm(u), r, GPR); if (k < 20) { ck = k; cr = fr; cs = fs; } k = 20; fr = i64(<i8>r); u += 32; continue;
      }
      case 179: { // INC R 16
        const r = <u16>(load<u16>((uRm(u) << 3), GPR) + 1); store<u16>((uRm(u) << 3), r, GPR); if (k < 20) { ck = k; cr = fr; cs = fs; } k = 21; fr = i64(<i16>r); u += 32; continue;
      }
      case 180: { // INC R 32
        const r = <u32>(load<u32>((uRm(u) << 3), GPR) + 1); store<u64>((uRm(u) << 3), u64(r), GPR); if (k < 20) { ck = k; cr = fr; cs = fs; } k = 22; fr = i64(<i32>r); u += 32; continue;
      }
      case 181: { // INC R 64
        const r = <u64>(load<u64>((uRm(u) << 3), GPR) + 1); store<u64>((uRm(u) << 3), r, GPR); if (k < 20) { ck = k; cr = fr; cs = fs; } k = 23; fr = i64(<i64>r); u += 32; continue;
      }
      case 182: { // INC M 8
        const p = modifiable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const r = <u8>(load<u8>(p) + 1); store<u8>(p, r); if (!wrote<u8>(p)) { st = accessStatus(); break; } if (k < 20) { ck = k; cr = fr; cs = fs; } k = 20; fr = i64(<i8>r); u += 32; continue;
      }
      case 183: { // INC M 16
        const p = modifiable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } const r = <u16>(load<u16>(p) + 1); store<u16>(p, r); if (!wrote<u16>(p)) { st = accessStatus(); break; } if (k < 20) { ck = k; cr = fr; cs = fs; } k = 21; fr = i64(<i16>r); u += 32; continue;
      }
      case 184: { // INC M 32
        const p = modifiable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const r = <u32>(load<u32>(p) + 1); store<u32>(p, r); if (!wrote<u32>(p)) { st = accessStatus(); break; } if (k < 20) { ck = k; cr = fr; cs = fs; } k = 22; fr = i64(<i32>r); u += 32; continue;
      }
      case 185: { // INC M 64
        const p = modifiable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const r = <u64>(load<u64>(p) + 1); store<u64>(p, r); if (!wrote<u64>(p)) { st = accessStatus(); break; } if (k < 20) { ck = k; cr = fr; cs = fs; } k = 23; fr = i64(<i64>r); u += 32; continue;
      }
      case 186: { // DEC R 8
        const r = <u8>(load<u8>(byteRm(u), GPR) - 1); store<u8>(byteRm(u), r, GPR); if (k < 20) { ck = k; cr = fr; cs = fs; } k = 24; fr = i64(<i8>r); u += 32; continue;
      }
      case 187: { // DEC R 16
        const r = <u16>(load<u16>((uRm(u) << 3), GPR) - 1); store<u16>((uRm(u) << 3), r, GPR); if (k < 20) { ck = k; cr = fr; cs = fs; } k = 25; fr = i64(<i16>r); u += 32; continue;
      }
      case 188: { // DEC R 32
        const r = <u32>(load<u32>((uRm(u) << 3), GPR) - 1); store<u64>((uRm(u) << 3), u64(r), GPR); if (k < 20) { ck = k; cr = fr; cs = fs; } k = 26; fr = i64(<i32>r); u += 32; continue;
      }
      case 189: { // DEC R 64
        const r = <u64>(load<u64>((uRm(u) << 3), GPR) - 1); store<u64>((uRm(u) << 3), r, GPR); if (k < 20) { ck = k; cr = fr; cs = fs; } k = 27; fr = i64(<i64>r); u += 32; continue;
      }
      case 190: { // DEC M 8
        const p = modifiable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const r = <u8>(load<u8>(p) - 1); store<u8>(p, r); if (!wrote<u8>(p)) { st = accessStatus(); break; } if (k < 20) { ck = k; cr = fr; cs = fs; } k = 24; fr = i64(<i8>r); u += 32; continue;
      }
      case 191: { // DEC M 16
        const p = modifiable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } const r = <u16>(load<u16>(p) - 1); store<u16>(p, r); if (!wrote<u16>(p)) { st = accessStatus(); break; } if (k < 20) { ck = k; cr = fr; cs = fs; } k = 25; fr = i64(<i16>r); u += 32; continue;
      }
      case 192: { // DEC M 32
        const p = modifiable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const r = <u32>(load<u32>(p) - 1); store<u32>(p, r); if (!wrote<u32>(p)) { st = accessStatus(); break; } if (k < 20) { ck = k; cr = fr; cs = fs; } k = 26; fr = i64(<i32>r); u += 32; continue;
      }
      case 193: { // DEC M 64
        const p = modifiable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const r = <u64>(load<u64>(p) - 1); store<u64>(p, r); if (!wrote<u64>(p)) { st = accessStatus(); break; } if (k < 20) { ck = k; cr = fr; cs = fs; } k = 27; fr = i64(<i64>r); u += 32; continue;
      }
      case 194: { // NOT R 32
        store<u64>((uRm(u) << 3), u64(~load<u32>((uRm(u) << 3), GPR)), GPR); u += 32; continue;
      }
      case 195: { // NOT R 64
        store<u64>((uRm(u) << 3), ~load<u64>((uRm(u) << 3), GPR), GPR); u += 32; continue;
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
        const p = readable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } store<u8>(byteR(u), load<u8>(p), GPR); u += 32; continue;
      }
      case 203: { // MOV RM 16
        const p = readable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } store<u16>((uReg(u) << 3), load<u16>(p), GPR); u += 32; continue;
      }
      case 204: { // MOV RM 32
        const p = readable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } store<u64>((uReg(u) << 3), u64(load<u32>(p)), GPR); u += 32; continue;
      }
      case 205: { // MOV RM 64
        const p = readable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } store<u64>((uReg(u) << 3), load<u64>(p), GPR); u += 32; continue;
      }
      case 206: { // MOV MR 8
        const p = writable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } store<u8>(p, load<u8>(byteR(u), GPR)); if (!wrote<u8>(p)) { st = accessStatus(); break; } u += 32; continue;
      }
      case 207: { // MOV MR 16
        const p = writable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } store<u16>(p, load<u16>((uReg(u) << 3), GPR)); if (!wrote<u16>(p)) { st = accessStatus(); break; } u += 32; continue;
      }
      case 208: { // MOV MR 32
        const p = writable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } store<u32>(p, load<u32>((uReg(u) << 3), GPR)); if (!wrote<u32>(p)) { st = accessStatus(); break; } u += 32; continue;
      }
      case 209: { // MOV MR 64
        const p = writable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } store<u64>(p, load<u64>((uReg(u) << 3), GPR)); if (!wrote<u64>(p)) { st = accessStatus(); break; } u += 32; continue;
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
        const p = writable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } store<u8>(p, load<u8>(u, 16)); if (!wrote<u8>(p)) { st = accessStatus(); break; } u += 32; continue;
      }
      case 215: { // MOV MI 16
        const p = writable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } store<u16>(p, load<u16>(u, 16)); if (!wrote<u16>(p)) { st = accessStatus(); break; } u += 32; continue;
      }
      case 216: { // MOV MI 32
        const p = writable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } store<u32>(p, load<u32>(u, 16)); if (!wrote<u32>(p)) { st = accessStatus(); break; } u += 32; continue;
      }
      case 217: { // MOV MI 64
        const p = writable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } store<u64>(p, load<u64>(u, 16)); if (!wrote<u64>(p)) { st = accessStatus(); break; } u += 32; continue;
      }
      case 218: { // MOVZX RR 8
        store<u64>(uReg(u) << 3, u64(load<u8>(byteRm(u), GPR)), GPR); u += 32; continue;
      }
      case 219: { // MOVZX RM 8
        const p = readable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } store<u64>(uReg(u) << 3, u64(load<u8>(p)), GPR); u += 32; continue;
      }
      case 220: { // MOVZX RR 16
        store<u64>(uReg(u) << 3, u64(load<u16>((uRm(u) << 3), GPR)), GPR); u += 32; continue;
      }
      case 221: { // MOVZX RM 16
        const p = readable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } store<u64>(uReg(u) << 3, u64(load<u16>(p)), GPR); u += 32; continue;
      }
      case 222: { // MOVSX RR 8 to 32
        store<u64>(uReg(u) << 3, u64(u32(i32(<i8>load<u8>(byteRm(u), GPR)))), GPR); u += 32; continue;
      }
      case 223: { // MOVSX RM 8 to 32
        const p = readable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } store<u64>(uReg(u) << 3, u64(u32(i32(<i8>load<u8>(p)))), GPR); u += 32; continue;
      }
      case 224: { // MOVSX RR 16 to 32
        store<u64>(uReg(u) << 3, u64(u32(i32(<i16>load<u16>((uRm(u) << 3), GPR)))), GPR); u += 32; continue;
      }
      case 225: { // MOVSX RM 16 to 32
        const p = readable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } store<u64>(uReg(u) << 3, u64(u32(i32(<i16>load<u16>(p)))), GPR); u += 32; continue;
      }
      case 226: { // MOVSX RR 32 to 32
        store<u64>(uReg(u) << 3, u64(u32(i32(<i32>load<u32>((uRm(u) << 3), GPR)))), GPR); u += 32; continue;
      }
      case 227: { // MOVSX RM 32 to 32
        const p = readable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } store<u64>(uReg(u) << 3, u64(u32(i32(<i32>load<u32>(p)))), GPR); u += 32; continue;
      }
      case 228: { // MOVSX RR 8 to 64
        store<u64>(uReg(u) << 3, u64(i64(<i8>load<u8>(byteRm(u), GPR))), GPR); u += 32; continue;
      }
      case 229: { // MOVSX RM 8 to 64
        const p = readable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } store<u64>(uReg(u) << 3, u64(i64(<i8>load<u8>(p))), GPR); u += 32; continue;
      }
      case 230: { // MOVSX RR 16 to 64
        store<u64>(uReg(u) << 3, u64(i64(<i16>load<u16>((uRm(u) << 3), GPR))), GPR); u += 32; continue;
      }
      case 231: { // MOVSX RM 16 to 64
        const p = readable<u16>(address(u) & mask); if (!p) { st = accessStatus(); break; } store<u64>(uReg(u) << 3, u64(i64(<i16>load<u16>(p))), GPR); u += 32; continue;
      }
      case 232: { // MOVSX RR 32 to 64
        store<u64>(uReg(u) << 3, u64(i64(<i32>load<u32>((uRm(u) << 3), GPR))), GPR); u += 32; continue;
      }
      case 233: { // MOVSX RM 32 to 64
        const p = readable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } store<u64>(uReg(u) << 3, u64(i64(<i32>load<u32>(p))), GPR); u += 32; continue;
      }
      case 234: { // LEA 32
        store<u64>(uReg(u) << 3, address(u) & 0xffffffff, GPR); u += 32; continue;
      }
      case 235: { // LEA 64
        store<u64>(uReg(u) << 3, address(u), GPR); u += 32; continue;
      }
      case 236: { // XCHG RR 32
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); store<u64>((uRm(u) << 3), u64(b), GPR); store<u64>((uReg(u) << 3), u64(a), GPR); u += 32; continue;
      }
      case 237: { // XCHG RR 64
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); store<u64>((uRm(u) << 3), b, GPR); store<u64>((uReg(u) << 3), a, GPR); u += 32; continue;
      }
      case 238: { // CWDE
        store<u64>(RAX, u64(u32(i32(load<i16>(RAX))))); u += 32; continue;
      }
      case 239: { // CDQE
        store<u64>(RAX, u64(i64(load<i32>(RAX)))); u += 32; continue;
      }
      case 240: { // CDQ
        store<u64>(RDX, u64(u32(load<i32>(RAX) >> 31))); u += 32; continue;
      }
      case 241: { // CQO
        store<u64>(RDX, u64(load<i64>(RAX) >> 63)); u += 32; continue;
      }
      case 242: { // BSWAP 32
        store<u64>(uRm(u) << 3, u64(bswap<u32>(load<u32>(uRm(u) << 3, GPR))), GPR); u += 32; continue;
      }
      case 243: { // BSWAP 64
        store<u64>(uRm(u) << 3, bswap<u64>(load<u64>(uRm(u) << 3, GPR)), GPR); u += 32; continue;
      }
      case 244: { // NOP
        u += 32; continue;
      }
      case 245: { // CMOV RR 32
        store<u64>((uReg(u) << 3), u64(testCondition(uOpcode(u) & 15, k, fr, fs, ck, cr, cs) ? load<u32>((uRm(u) << 3), GPR) : load<u32>((uReg(u) << 3), GPR)), GPR); u += 32; continue;
      }
      case 246: { // CMOV RM 32
        const p = readable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } store<u64>((uReg(u) << 3), u64(testCondition(uOpcode(u) & 15, k, fr, fs, ck, cr, cs) ? load<u32>(p) : load<u32>((uReg(u) << 3), GPR)), GPR); u += 32; continue;
      }
      case 247: { // CMOV RR 64
        store<u64>((uReg(u) << 3), testCondition(uOpcode(u) & 15, k, fr, fs, ck, cr, cs) ? load<u64>((uRm(u) << 3), GPR) : load<u64>((uReg(u) << 3), GPR), GPR); u += 32; continue;
      }
      case 248: { // CMOV RM 64
        const p = readable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } store<u64>((uReg(u) << 3), testCondition(uOpcode(u) & 15, k, fr, fs, ck, cr, cs) ? load<u64>(p) : load<u64>((uReg(u) << 3), GPR), GPR); u += 32; continue;
      }
      case 249: { // SETCC R
        store<u8>(byteRm(u), u8(testCondition(uOpcode(u) & 15, k, fr, fs, ck, cr, cs)), GPR); u += 32; continue;
      }
      case 250: { // SHL I 32
        const a = load<u32>((uRm(u) << 3), GPR), n = load<u32>(u, 16); const r = a << n; const c = u32(a >> (32 - n)) & 1; fs = u64(c | (c ^ u32(r >> 31)) << 11); store<u64>((uRm(u) << 3), u64(r), GPR); k = 1; fr = i64(<i32>r); u += 32; continue;
      }
      case 251: { // SHL I 64
        const a = load<u64>((uRm(u) << 3), GPR), n = load<u64>(u, 16); const r = a << n; const c = u32(a >> (64 - n)) & 1; fs = u64(c | (c ^ u32(r >> 63)) << 11); store<u64>((uRm(u) << 3), r, GPR); k = 1; fr = i64(<i64>r); u += 32; continue;
      }
      case 252: { // SHR I 32
        const a = load<u32>((uRm(u) << 3), GPR), n = load<u32>(u, 16); const r = a >> n; fs = u64((u32(a >> (n - 1)) & 1) | (u32(r >> 30) & 1) << 11); store<u64>((uRm(u) << 3), u64(r), GPR); k = 1; fr = i64(<i32>r); u += 32; continue;
      }
      case 253: { // SHR I 64
        const a = load<u64>((uRm(u) << 3), GPR), n = load<u64>(u, 16); const r = a >> n; fs = u64((u32(a >> (n - 1)) & 1) | (u32(r >> 62) & 1) << 11); store<u64>((uRm(u) << 3), r, GPR); k = 1; fr = i64(<i64>r); u += 32; continue;
      }
      case 254: { // SAR I 32
        const a = load<u32>((uRm(u) << 3), GPR), n = load<u32>(u, 16); const r = <u32>(<i32>a >> <i32>n); fs = u64(u32(<i32>a >> <i32>(n - 1)) & 1); store<u64>((uRm(u) << 3), u64(r), GPR); k = 1; fr = i64(<i32>r); u += 32; continue;
      }
      case 255: { // SAR I 64
        const a = load<u64>((uRm(u) << 3), GPR), n = load<u64>(u, 16); const r = <u64>(<i64>a >> <i64>n); fs = u64(u32(<i64>a >> <i64>(n - 1)) & 1); store<u64>((uRm(u) << 3), r, GPR); k = 1; fr = i64(<i64>r); u += 32; continue;
      }
      case 256: { // SHL CL 32
        const a = load<u32>((uRm(u) << 3), GPR), n = <u32>load<u8>(RCX) & 31; if (!n) { store<u64>((uRm(u) << 3), u64(a), GPR); u += 32; continue; } const r = a << n; const c = u32(a >> (32 - n)) & 1; fs = u64(c | (c ^ u32(r >> 31)) << 11); store<u64>((uRm(u) << 3), u64(r), GPR); k = 1; fr = i64(<i32>r); u += 32; continue;
      }
      case 257: { // SHL CL 64
        const a = load<u64>((uRm(u) << 3), GPR), n = <u64>load<u8>(RCX) & 63; if (!n) { u += 32; continue; } const r = a << n; const c = u32(a >> (64 - n)) & 1; fs = u64(c | (c ^ u32(r >> 63)) << 11); store<u64>((uRm(u) << 3), r, GPR); k = 1; fr = i64(<i64>r); u += 32; continue;
      }
      case 258: { // SHR CL 32
        const a = load<u32>((uRm(u) << 3), GPR), n = <u32>load<u8>(RCX) & 31; if (!n) { store<u64>((uRm(u) << 3), u64(a), GPR); u += 32; continue; } const r = a >> n; fs = u64((u32(a >> (n - 1)) & 1) | (u32(r >> 30) & 1) << 11); store<u64>((uRm(u) << 3), u64(r), GPR); k = 1; fr = i64(<i32>r); u += 32; continue;
      }
      case 259: { // SHR CL 64
        const a = load<u64>((uRm(u) << 3), GPR), n = <u64>load<u8>(RCX) & 63; if (!n) { u += 32; continue; } const r = a >> n; fs = u64((u32(a >> (n - 1)) & 1) | (u32(r >> 62) & 1) << 11); store<u64>((uRm(u) << 3), r, GPR); k = 1; fr = i64(<i64>r); u += 32; continue;
      }
      case 260: { // SAR CL 32
        const a = load<u32>((uRm(u) << 3), GPR), n = <u32>load<u8>(RCX) & 31; if (!n) { store<u64>((uRm(u) << 3), u64(a), GPR); u += 32; continue; } const r = <u32>(<i32>a >> <i32>n); fs = u64(u32(<i32>a >> <i32>(n - 1)) & 1); store<u64>((uRm(u) << 3), u64(r), GPR); k = 1; fr = i64(<i32>r); u += 32; continue;
      }
      case 261: { // SAR CL 64
        const a = load<u64>((uRm(u) << 3), GPR), n = <u64>load<u8>(RCX) & 63; if (!n) { u += 32; continue; } const r = <u64>(<i64>a >> <i64>n); fs = u64(u32(<i64>a >> <i64>(n - 1)) & 1); store<u64>((uRm(u) << 3), r, GPR); k = 1; fr = i64(<i64>r); u += 32; continue;
      }
      case 262: { // ROL I 32
        const r = rotl<u32>(load<u32>((uRm(u) << 3), GPR), load<u32>(u, 16)); store<u64>((uRm(u) << 3), u64(r), GPR); if (k) { storeStatus(k, fr, fs, ck, cr, cs); k = 0; } const c = u32(r) & 1; const o = c ^ u32(r >> 31); store<u32>(RFLAGS, (load<u32>(RFLAGS) & ~0x801) | c | o << 11); u += 32; continue;
      }
      case 263: { // ROL I 64
        const r = rotl<u64>(load<u64>((uRm(u) << 3), GPR), load<u64>(u, 16)); store<u64>((uRm(u) << 3), r, GPR); if (k) { storeStatus(k, fr, fs, ck, cr, cs); k = 0; } const c = u32(r) & 1; const o = c ^ u32(r >> 63); store<u32>(RFLAGS, (load<u32>(RFLAGS) & ~0x801) | c | o << 11); u += 32; continue;
      }
      case 264: { // ROR I 32
        const r = rotr<u32>(load<u32>((uRm(u) << 3), GPR), load<u32>(u, 16)); store<u64>((uRm(u) << 3), u64(r), GPR); if (k) { storeStatus(k, fr, fs, ck, cr, cs); k = 0; } const c = u32(r >> 31); const o = c ^ (u32(r >> 30) & 1); store<u32>(RFLAGS, (load<u32>(RFLAGS) & ~0x801) | c | o << 11); u += 32; continue;
      }
      case 265: { // ROR I 64
        const r = rotr<u64>(load<u64>((uRm(u) << 3), GPR), load<u64>(u, 16)); store<u64>((uRm(u) << 3), r, GPR); if (k) { storeStatus(k, fr, fs, ck, cr, cs); k = 0; } const c = u32(r >> 63); const o = c ^ (u32(r >> 62) & 1); store<u32>(RFLAGS, (load<u32>(RFLAGS) & ~0x801) | c | o << 11); u += 32; continue;
      }
      case 266: { // IMUL RR 32
         const a = load<i32>(uReg(u) << 3, GPR), b = load<i32>(uRm(u) << 3, GPR); const w = i64(a) * i64(b); const r = i32(w); const o = w != i64(r); store<u64>(uReg(u) << 3, u64(u32(r)), GPR); k = 1; fs = o ? 0x801 : 0; fr = i64(r); u += 32; continue;
      }
      case 267: { // IMUL RR 64
         const a = load<i64>(uReg(u) << 3, GPR), b = load<i64>(uRm(u) << 3, GPR); const r = a * b; const o = !(i64(i32(a)) == a && i64(i32(b)) == b) && signedOverflow(a, b, 8); store<u64>(uReg(u) << 3, u64(r), GPR); k = 1; fs = o ? 0x801 : 0; fr = i64(r); u += 32; continue;
      }
      case 268: { // IMUL RM 32
        const p = readable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<i32>(uReg(u) << 3, GPR), b = load<i32>(p); const w = i64(a) * i64(b); const r = i32(w); const o = w != i64(r); store<u64>(uReg(u) << 3, u64(u32(r)), GPR); k = 1; fs = o ? 0x801 : 0; fr = i64(r); u += 32; continue;
      }
      case 269: { // IMUL RM 64
        const p = readable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<i64>(uReg(u) << 3, GPR), b = load<i64>(p); const r = a * b; const o = !(i64(i32(a)) == a && i64(i32(b)) == b) && signedOverflow(a, b, 8); store<u64>(uReg(u) << 3, u64(r), GPR); k = 1; fs = o ? 0x801 : 0; fr = i64(r); u += 32; continue;
      }
      case 270: { // IMUL RRI 32
         const a = load<i32>(u, 16), b = load<i32>(uRm(u) << 3, GPR); const w = i64(a) * i64(b); const r = i32(w); const o = w != i64(r); store<u64>(uReg(u) << 3, u64(u32(r)), GPR); k = 1; fs = o ? 0x801 : 0; fr = i64(r); u += 32; continue;
      }
      case 271: { // IMUL RRI 64
         const a = load<i64>(u, 16), b = load<i64>(uRm(u) << 3, GPR); const r = a * b; const o = !(i64(i32(a)) == a && i64(i32(b)) == b) && signedOverflow(a, b, 8); store<u64>(uReg(u) << 3, u64(r), GPR); k = 1; fs = o ? 0x801 : 0; fr = i64(r); u += 32; continue;
      }
      case 272: { // IMUL RMI 32
        const p = readable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<i32>(u, 16), b = load<i32>(p); const w = i64(a) * i64(b); const r = i32(w); const o = w != i64(r); store<u64>(uReg(u) << 3, u64(u32(r)), GPR); k = 1; fs = o ? 0x801 : 0; fr = i64(r); u += 32; continue;
      }
      case 273: { // IMUL RMI 64
        const p = readable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<i64>(u, 16), b = load<i64>(p); const r = a * b; const o = !(i64(i32(a)) == a && i64(i32(b)) == b) && signedOverflow(a, b, 8); store<u64>(uReg(u) << 3, u64(r), GPR); k = 1; fs = o ? 0x801 : 0; fr = i64(r); u += 32; continue;
      }
      case 274: { // PUSH R 32
        const v = load<u32>((uRm(u) << 3), GPR); const sp = (load<u64>(RSP) - 4) & mask; const q = writable<u32>(sp); if (!q) { asStackFault(); st = accessStatus(); break; } store<u32>(q, v); if (!wrote<u32>(q)) { st = accessStatus(); break; } store<u64>(RSP, sp); u += 32; continue;
      }
      case 275: { // PUSH I 32
        const v = load<u32>(u, 16); const sp = (load<u64>(RSP) - 4) & mask; const q = writable<u32>(sp); if (!q) { asStackFault(); st = accessStatus(); break; } store<u32>(q, v); if (!wrote<u32>(q)) { st = accessStatus(); break; } store<u64>(RSP, sp); u += 32; continue;
      }
      case 276: { // PUSH M 32
        const p = readable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const v = load<u32>(p); const sp = (load<u64>(RSP) - 4) & mask; const q = writable<u32>(sp); if (!q) { asStackFault(); st = accessStatus(); break; } store<u32>(q, v); if (!wrote<u32>(q)) { st = accessStatus(); break; } store<u64>(RSP, sp); u += 32; continue;
      }
      case 277: { // POP R 32
        const p = readable<u32>(load<u64>(RSP) & mask); if (!p) { asStackFault(); st = accessStatus(); break; } const v = load<u32>(p); store<u64>(RSP, (load<u64>(RSP) + 4) & mask); store<u64>((uRm(u) << 3), u64(v), GPR); u += 32; continue;
      }
      case 278: { // LEAVE 32
        const p = readable<u32>(load<u64>(RBP) & mask); if (!p) { asStackFault(); st = accessStatus(); break; } store<u64>(RSP, (load<u64>(RBP) + 4) & mask); store<u64>(RBP, u64(load<u32>(p))); u += 32; continue;
      }
      case 279: { // CALL J 32
        const v = <u32>((base + uNext(u)) & mask); const sp = (load<u64>(RSP) - 4) & mask; const q = writable<u32>(sp); if (!q) { asStackFault(); st = accessStatus(); break; } store<u32>(q, v); if (!wrote<u32>(q)) { st = accessStatus(); break; } store<u64>(RSP, sp); rip = (base + u64(i64(load<i32>(u, 28)))) & mask; break;
      }
      case 280: { // CALL R 32
        const t = u64(load<u32>((uRm(u) << 3), GPR)); const v = <u32>((base + uNext(u)) & mask); const sp = (load<u64>(RSP) - 4) & mask; const q = writable<u32>(sp); if (!q) { asStackFault(); st = accessStatus(); break; } store<u32>(q, v); if (!wrote<u32>(q)) { st = accessStatus(); break; } store<u64>(RSP, sp); rip = t; break;
      }
      case 281: { // CALL M 32
        const p = readable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const t = u64(load<u32>(p)); const v = <u32>((base + uNext(u)) & mask); const sp = (load<u64>(RSP) - 4) & mask; const q = writable<u32>(sp); if (!q) { asStackFault(); st = accessStatus(); break; } store<u32>(q, v); if (!wrote<u32>(q)) { st = accessStatus(); break; } store<u64>(RSP, sp); rip = t; break;
      }
      case 282: { // JMP R 32
        const t = u64(load<u32>((uRm(u) << 3), GPR)); rip = t; break;
      }
      case 283: { // JMP M 32
        const p = readable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const t = u64(load<u32>(p)); rip = t; break;
      }
      case 284: { // RET 32
        const p = readable<u32>(load<u64>(RSP) & mask); if (!p) { asStackFault(); st = accessStatus(); break; } const t = u64(load<u32>(p)); store<u64>(RSP, (load<u64>(RSP) + 4 + (load<u64>(u, 16) & 0xffff)) & mask); rip = t; break;
      }
      case 285: { // PUSH R 64
        const v = load<u64>((uRm(u) << 3), GPR); const sp = (load<u64>(RSP) - 8) & mask; const q = writable<u64>(sp); if (!q) { asStackFault(); st = accessStatus(); break; } store<u64>(q, v); if (!wrote<u64>(q)) { st = accessStatus(); break; } store<u64>(RSP, sp); u += 32; continue;
      }
      case 286: { // PUSH I 64
        const v = load<u64>(u, 16); const sp = (load<u64>(RSP) - 8) & mask; const q = writable<u64>(sp); if (!q) { asStackFault(); st = accessStatus(); break; } store<u64>(q, v); if (!wrote<u64>(q)) { st = accessStatus(); break; } store<u64>(RSP, sp); u += 32; continue;
      }
      case 287: { // PUSH M 64
        const p = readable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const v = load<u64>(p); const sp = (load<u64>(RSP) - 8) & mask; const q = writable<u64>(sp); if (!q) { asStackFault(); st = accessStatus(); break; } store<u64>(q, v); if (!wrote<u64>(q)) { st = accessStatus(); break; } store<u64>(RSP, sp); u += 32; continue;
      }
      case 288: { // POP R 64
        const p = readable<u64>(load<u64>(RSP) & mask); if (!p) { asStackFault(); st = accessStatus(); break; } const v = load<u64>(p); store<u64>(RSP, (load<u64>(RSP) + 8) & mask); store<u64>((uRm(u) << 3), v, GPR); u += 32; continue;
      }
      case 289: { // LEAVE 64
        const p = readable<u64>(load<u64>(RBP) & mask); if (!p) { asStackFault(); st = accessStatus(); break; } store<u64>(RSP, (load<u64>(RBP) + 8) & mask); store<u64>(RBP, u64(load<u64>(p))); u += 32; continue;
      }
      case 290: { // CALL J 64
        const v = <u64>((base + uNext(u)) & mask); const sp = (load<u64>(RSP) - 8) & mask; const q = writable<u64>(sp); if (!q) { asStackFault(); st = accessStatus(); break; } store<u64>(q, v); if (!wrote<u64>(q)) { st = accessStatus(); break; } store<u64>(RSP, sp); rip = (base + u64(i64(load<i32>(u, 28)))) & mask; break;
      }
      case 291: { // CALL R 64
        const t = u64(load<u64>((uRm(u) << 3), GPR)); if (u64(i64(t << 16) >> 16) != t) { st = faultCode(VEC_GP, 0); break; } const v = <u64>((base + uNext(u)) & mask); const sp = (load<u64>(RSP) - 8) & mask; const q = writable<u64>(sp); if (!q) { asStackFault(); st = accessStatus(); break; } store<u64>(q, v); if (!wrote<u64>(q)) { st = accessStatus(); break; } store<u64>(RSP, sp); rip = t; break;
      }
      case 292: { // CALL M 64
        const p = readable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const t = u64(load<u64>(p)); if (u64(i64(t << 16) >> 16) != t) { st = faultCode(VEC_GP, 0); break; } const v = <u64>((base + uNext(u)) & mask); const sp = (load<u64>(RSP) - 8) & mask; const q = writable<u64>(sp); if (!q) { asStackFault(); st = accessStatus(); break; } store<u64>(q, v); if (!wrote<u64>(q)) { st = accessStatus(); break; } store<u64>(RSP, sp); rip = t; break;
      }
      case 293: { // JMP R 64
        const t = u64(load<u64>((uRm(u) << 3), GPR)); if (u64(i64(t << 16) >> 16) != t) { st = faultCode(VEC_GP, 0); break; } rip = t; break;
      }
      case 294: { // JMP M 64
        const p = readable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const t = u64(load<u64>(p)); if (u64(i64(t << 16) >> 16) != t) { st = faultCode(VEC_GP, 0); break; } rip = t; break;
      }
      case 295: { // RET 64
        const p = readable<u64>(load<u64>(RSP) & mask); if (!p) { asStackFault(); st = accessStatus(); break; } const t = u64(load<u64>(p)); if (u64(i64(t << 16) >> 16) != t) { st = faultCode(VEC_GP, 0); break; } store<u64>(RSP, (load<u64>(RSP) + 8 + (load<u64>(u, 16) & 0xffff)) & mask); rip = t; break;
      }
      case 296: { // JMP J
        rip = (base + u64(i64(load<i32>(u, 28)))) & mask; break;
      }
      case 297: { // JO
        rip = (base + u64(i64((testCondition(0, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 298: { // JNO
        rip = (base + u64(i64((testCondition(1, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 299: { // JB
        rip = (base + u64(i64((testCondition(2, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 300: { // JAE
        rip = (base + u64(i64((testCondition(3, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 301: { // JZ
        rip = (base + u64(i64((k ? fr == 0 : (load<u32>(RFLAGS) & 0x40) != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 302: { // JNZ
        rip = (base + u64(i64((k ? fr != 0 : (load<u32>(RFLAGS) & 0x40) == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 303: { // JBE
        rip = (base + u64(i64((testCondition(6, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 304: { // JA
        rip = (base + u64(i64((testCondition(7, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 305: { // JS
        rip = (base + u64(i64((k ? fr < 0 : (load<u32>(RFLAGS) & 0x80) != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 306: { // JNS
        rip = (base + u64(i64((k ? fr >= 0 : (load<u32>(RFLAGS) & 0x80) == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 307: { // JP
        rip = (base + u64(i64((testCondition(10, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 308: { // JNP
        rip = (base + u64(i64((testCondition(11, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 309: { // JL
        rip = (base + u64(i64((testCondition(12, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 310: { // JGE
        rip = (base + u64(i64((testCondition(13, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 311: { // JLE
        rip = (base + u64(i64((testCondition(14, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 312: { // JG
        rip = (base + u64(i64((testCondition(15, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 313: { // CMP RR 32, JO
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((testCondition(0, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 314: { // CMP RR 32, JNO
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((testCondition(1, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 315: { // CMP RR 32, JB
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((a < b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 316: { // CMP RR 32, JAE
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((a >= b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 317: { // CMP RR 32, JZ
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((a == b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 318: { // CMP RR 32, JNZ
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((a != b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 319: { // CMP RR 32, JBE
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((a <= b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 320: { // CMP RR 32, JA
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((a > b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 321: { // CMP RR 32, JS
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((<i32>(a - b) < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 322: { // CMP RR 32, JNS
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((<i32>(a - b) >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 323: { // CMP RR 32, JP
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((testCondition(10, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 324: { // CMP RR 32, JNP
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((testCondition(11, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 325: { // CMP RR 32, JL
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((<i32>a < <i32>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 326: { // CMP RR 32, JGE
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((<i32>a >= <i32>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 327: { // CMP RR 32, JLE
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((<i32>a <= <i32>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 328: { // CMP RR 32, JG
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((<i32>a > <i32>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 329: { // CMP RR 64, JO
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((testCondition(0, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 330: { // CMP RR 64, JNO
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((testCondition(1, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 331: { // CMP RR 64, JB
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((a < b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 332: { // CMP RR 64, JAE
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((a >= b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 333: { // CMP RR 64, JZ
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((a == b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 334: { // CMP RR 64, JNZ
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((a != b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 335: { // CMP RR 64, JBE
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((a <= b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 336: { // CMP RR 64, JA
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((a > b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 337: { // CMP RR 64, JS
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((<i64>(a - b) < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 338: { // CMP RR 64, JNS
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((<i64>(a - b) >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 339: { // CMP RR 64, JP
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((testCondition(10, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 340: { // CMP RR 64, JNP
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((testCondition(11, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 341: { // CMP RR 64, JL
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((<i64>a < <i64>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 342: { // CMP RR 64, JGE
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((<i64>a >= <i64>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 343: { // CMP RR 64, JLE
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((<i64>a <= <i64>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 344: { // CMP RR 64, JG
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((<i64>a > <i64>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 345: { // CMP RI 32, JO
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((testCondition(0, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 346: { // CMP RI 32, JNO
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((testCondition(1, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 347: { // CMP RI 32, JB
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((a < b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 348: { // CMP RI 32, JAE
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((a >= b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 349: { // CMP RI 32, JZ
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((a == b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 350: { // CMP RI 32, JNZ
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((a != b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 351: { // CMP RI 32, JBE
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((a <= b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 352: { // CMP RI 32, JA
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((a > b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 353: { // CMP RI 32, JS
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((<i32>(a - b) < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 354: { // CMP RI 32, JNS
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((<i32>(a - b) >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 355: { // CMP RI 32, JP
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((testCondition(10, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 356: { // CMP RI 32, JNP
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((testCondition(11, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 357: { // CMP RI 32, JL
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((<i32>a < <i32>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 358: { // CMP RI 32, JGE
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((<i32>a >= <i32>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 359: { // CMP RI 32, JLE
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((<i32>a <= <i32>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 360: { // CMP RI 32, JG
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64((<i32>a > <i32>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 361: { // CMP RI 64, JO
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((testCondition(0, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 362: { // CMP RI 64, JNO
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((testCondition(1, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 363: { // CMP RI 64, JB
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((a < b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 364: { // CMP RI 64, JAE
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((a >= b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 365: { // CMP RI 64, JZ
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((a == b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 366: { // CMP RI 64, JNZ
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((a != b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 367: { // CMP RI 64, JBE
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((a <= b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 368: { // CMP RI 64, JA
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((a > b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 369: { // CMP RI 64, JS
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((<i64>(a - b) < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 370: { // CMP RI 64, JNS
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((<i64>(a - b) >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 371: { // CMP RI 64, JP
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((testCondition(10, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 372: { // CMP RI 64, JNP
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((testCondition(11, k, fr, fs, ck, cr, cs)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 373: { // CMP RI 64, JL
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((<i64>a < <i64>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 374: { // CMP RI 64, JGE
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((<i64>a >= <i64>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 375: { // CMP RI 64, JLE
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((<i64>a <= <i64>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 376: { // CMP RI 64, JG
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64((<i64>a > <i64>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 377: { // TEST RR 32, JO
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (base + u64(i64((false) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 378: { // TEST RR 32, JNO
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (base + u64(i64((true) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 379: { // TEST RR 32, JB
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (base + u64(i64((false) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 380: { // TEST RR 32, JAE
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (base + u64(i64((true) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 381: { // TEST RR 32, JZ
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (base + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 382: { // TEST RR 32, JNZ
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (base + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 383: { // TEST RR 32, JBE
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (base + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 384: { // TEST RR 32, JA
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (base + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 385: { // TEST RR 32, JS
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (base + u64(i64((fr < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 386: { // TEST RR 32, JNS
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (base + u64(i64((fr >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 387: { // TEST RR 32, JP
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (base + u64(i64((!(popcnt<u32>(u32(fr) & 0xff) & 1)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 388: { // TEST RR 32, JNP
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (base + u64(i64(((popcnt<u32>(u32(fr) & 0xff) & 1) != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 389: { // TEST RR 32, JL
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (base + u64(i64((fr < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 390: { // TEST RR 32, JGE
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (base + u64(i64((fr >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 391: { // TEST RR 32, JLE
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (base + u64(i64((fr <= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 392: { // TEST RR 32, JG
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>((uReg(u) << 3), GPR))); rip = (base + u64(i64((fr > 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 393: { // TEST RR 64, JO
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (base + u64(i64((false) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 394: { // TEST RR 64, JNO
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (base + u64(i64((true) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 395: { // TEST RR 64, JB
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (base + u64(i64((false) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 396: { // TEST RR 64, JAE
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (base + u64(i64((true) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 397: { // TEST RR 64, JZ
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (base + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 398: { // TEST RR 64, JNZ
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (base + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 399: { // TEST RR 64, JBE
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (base + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 400: { // TEST RR 64, JA
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (base + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 401: { // TEST RR 64, JS
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (base + u64(i64((fr < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 402: { // TEST RR 64, JNS
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (base + u64(i64((fr >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 403: { // TEST RR 64, JP
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (base + u64(i64((!(popcnt<u32>(u32(fr) & 0xff) & 1)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 404: { // TEST RR 64, JNP
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (base + u64(i64(((popcnt<u32>(u32(fr) & 0xff) & 1) != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 405: { // TEST RR 64, JL
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (base + u64(i64((fr < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 406: { // TEST RR 64, JGE
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (base + u64(i64((fr >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 407: { // TEST RR 64, JLE
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (base + u64(i64((fr <= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 408: { // TEST RR 64, JG
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>((uReg(u) << 3), GPR))); rip = (base + u64(i64((fr > 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 409: { // TEST RI 32, JO
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (base + u64(i64((false) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 410: { // TEST RI 32, JNO
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (base + u64(i64((true) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 411: { // TEST RI 32, JB
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (base + u64(i64((false) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 412: { // TEST RI 32, JAE
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (base + u64(i64((true) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 413: { // TEST RI 32, JZ
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (base + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 414: { // TEST RI 32, JNZ
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (base + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 415: { // TEST RI 32, JBE
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (base + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 416: { // TEST RI 32, JA
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (base + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 417: { // TEST RI 32, JS
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (base + u64(i64((fr < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 418: { // TEST RI 32, JNS
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (base + u64(i64((fr >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 419: { // TEST RI 32, JP
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (base + u64(i64((!(popcnt<u32>(u32(fr) & 0xff) & 1)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 420: { // TEST RI 32, JNP
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (base + u64(i64(((popcnt<u32>(u32(fr) & 0xff) & 1) != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 421: { // TEST RI 32, JL
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (base + u64(i64((fr < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 422: { // TEST RI 32, JGE
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (base + u64(i64((fr >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 423: { // TEST RI 32, JLE
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (base + u64(i64((fr <= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 424: { // TEST RI 32, JG
        k = 1; fs = 0; fr = i64(<i32>(load<u32>((uRm(u) << 3), GPR) & load<u32>(u, 16))); rip = (base + u64(i64((fr > 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 425: { // TEST RI 64, JO
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (base + u64(i64((false) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 426: { // TEST RI 64, JNO
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (base + u64(i64((true) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 427: { // TEST RI 64, JB
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (base + u64(i64((false) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 428: { // TEST RI 64, JAE
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (base + u64(i64((true) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 429: { // TEST RI 64, JZ
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (base + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 430: { // TEST RI 64, JNZ
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (base + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 431: { // TEST RI 64, JBE
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (base + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 432: { // TEST RI 64, JA
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (base + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 433: { // TEST RI 64, JS
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (base + u64(i64((fr < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 434: { // TEST RI 64, JNS
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (base + u64(i64((fr >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 435: { // TEST RI 64, JP
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (base + u64(i64((!(popcnt<u32>(u32(fr) & 0xff) & 1)) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 436: { // TEST RI 64, JNP
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (base + u64(i64(((popcnt<u32>(u32(fr) & 0xff) & 1) != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 437: { // TEST RI 64, JL
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (base + u64(i64((fr < 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 438: { // TEST RI 64, JGE
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (base + u64(i64((fr >= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 439: { // TEST RI 64, JLE
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (base + u64(i64((fr <= 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 440: { // TEST RI 64, JG
        k = 1; fs = 0; fr = i64(<i64>(load<u64>((uRm(u) << 3), GPR) & load<u64>(u, 16))); rip = (base + u64(i64((fr > 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 441: { // CMP RR 8, Jcc
         const a = load<u8>(byteRm(u), GPR), b = load<u8>(byteR(u), GPR); k = 8; fs = u64(a); fr = i64(<i8>(a - b)); rip = (base + u64(i64(branchTaken(uImm2Condition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 442: { // CMP RI 8, Jcc
         const a = load<u8>(byteRm(u), GPR), b = load<u8>(u, 16); k = 8; fs = u64(a); fr = i64(<i8>(a - b)); rip = (base + u64(i64(branchTaken(uImm2Condition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 443: { // CMP MR 8, Jcc
        const p = readable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(p), b = load<u8>(byteR(u), GPR); k = 8; fs = u64(a); fr = i64(<i8>(a - b)); rip = (base + u64(i64(branchTaken(uImm2Condition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 444: { // CMP MR 32, Jcc
        const p = readable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>(p), b = load<u32>((uReg(u) << 3), GPR); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64(branchTaken(uImm2Condition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 445: { // CMP MR 64, Jcc
        const p = readable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>(p), b = load<u64>((uReg(u) << 3), GPR); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64(branchTaken(uImm2Condition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 446: { // CMP MI 8, Jcc
        const p = readable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(p), b = load<u8>(u, 16); k = 8; fs = u64(a); fr = i64(<i8>(a - b)); rip = (base + u64(i64(branchTaken(uImm2Condition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 447: { // CMP MI 32, Jcc
        const p = readable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>(p), b = load<u32>(u, 16); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64(branchTaken(uImm2Condition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 448: { // CMP MI 64, Jcc
        const p = readable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>(p), b = load<u64>(u, 16); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64(branchTaken(uImm2Condition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 449: { // CMP RM 8, Jcc
        const p = readable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u8>(byteR(u), GPR), b = load<u8>(p); k = 8; fs = u64(a); fr = i64(<i8>(a - b)); rip = (base + u64(i64(branchTaken(uImm2Condition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 450: { // CMP RM 32, Jcc
        const p = readable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u32>((uReg(u) << 3), GPR), b = load<u32>(p); k = 10; fs = u64(a); fr = i64(<i32>(a - b)); rip = (base + u64(i64(branchTaken(uImm2Condition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 451: { // CMP RM 64, Jcc
        const p = readable<u64>(address(u) & mask); if (!p) { st = accessStatus(); break; } const a = load<u64>((uReg(u) << 3), GPR), b = load<u64>(p); k = 11; fs = u64(a); fr = i64(<i64>(a - b)); rip = (base + u64(i64(branchTaken(uImm2Condition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 452: { // TEST RR 8, Jcc
         k = 1; fs = 0; fr = i64(<i8>(load<u8>(byteRm(u), GPR) & load<u8>(byteR(u), GPR))); rip = (base + u64(i64(branchTaken(uImm2Condition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 453: { // TEST RI 8, Jcc
         k = 1; fs = 0; fr = i64(<i8>(load<u8>(byteRm(u), GPR) & load<u8>(u, 16))); rip = (base + u64(i64(branchTaken(uImm2Condition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 454: { // TEST MI 8, Jcc
        const p = readable<u8>(address(u) & mask); if (!p) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i8>(load<u8>(p) & load<u8>(u, 16))); rip = (base + u64(i64(branchTaken(uImm2Condition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 455: { // TEST MI 32, Jcc
        const p = readable<u32>(address(u) & mask); if (!p) { st = accessStatus(); break; } k = 1; fs = 0; fr = i64(<i32>(load<u32>(p) & load<u32>(u, 16))); rip = (base + u64(i64(branchTaken(uImm2Condition(u), k, fr, fs) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 456: { // ADD 32, JNZ
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); const r = <u32>(a + b); store<u64>((uRm(u) << 3), u64(r), GPR); k = 6; fs = u64(a); fr = i64(<i32>r); rip = (base + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 457: { // ADD 32, JZ
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); const r = <u32>(a + b); store<u64>((uRm(u) << 3), u64(r), GPR); k = 6; fs = u64(a); fr = i64(<i32>r); rip = (base + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 458: { // ADD 64, JNZ
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); const r = <u64>(a + b); store<u64>((uRm(u) << 3), r, GPR); k = 7; fs = u64(a); fr = i64(<i64>r); rip = (base + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 459: { // ADD 64, JZ
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); const r = <u64>(a + b); store<u64>((uRm(u) << 3), r, GPR); k = 7; fs = u64(a); fr = i64(<i64>r); rip = (base + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 460: { // SUB 32, JNZ
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); const r = <u32>(a - b); store<u64>((uRm(u) << 3), u64(r), GPR); k = 10; fs = u64(a); fr = i64(<i32>r); rip = (base + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 461: { // SUB 32, JZ
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); const r = <u32>(a - b); store<u64>((uRm(u) << 3), u64(r), GPR); k = 10; fs = u64(a); fr = i64(<i32>r); rip = (base + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 462: { // SUB 64, JNZ
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); const r = <u64>(a - b); store<u64>((uRm(u) << 3), r, GPR); k = 11; fs = u64(a); fr = i64(<i64>r); rip = (base + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 463: { // SUB 64, JZ
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); const r = <u64>(a - b); store<u64>((uRm(u) << 3), r, GPR); k = 11; fs = u64(a); fr = i64(<i64>r); rip = (base + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 464: { // AND 32, JNZ
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); const r = <u32>(a & b); store<u64>((uRm(u) << 3), u64(r), GPR); k = 1; fs = 0; fr = i64(<i32>r); rip = (base + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 465: { // AND 32, JZ
        const a = load<u32>((uRm(u) << 3), GPR), b = load<u32>(u, 16); const r = <u32>(a & b); store<u64>((uRm(u) << 3), u64(r), GPR); k = 1; fs = 0; fr = i64(<i32>r); rip = (base + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 466: { // AND 64, JNZ
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); const r = <u64>(a & b); store<u64>((uRm(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i64>r); rip = (base + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 467: { // AND 64, JZ
        const a = load<u64>((uRm(u) << 3), GPR), b = load<u64>(u, 16); const r = <u64>(a & b); store<u64>((uRm(u) << 3), r, GPR); k = 1; fs = 0; fr = i64(<i64>r); rip = (base + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 468: { // INC 32, JNZ
        const r = <u32>(load<u32>((uRm(u) << 3), GPR) + 1); store<u64>((uRm(u) << 3), u64(r), GPR); if (k < 20) { ck = k; cr = fr; cs = fs; } k = 22; fr = i64(<i32>r); rip = (base + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 469: { // INC 32, JZ
        const r = <u32>(load<u32>((uRm(u) << 3), GPR) + 1); store<u64>((uRm(u) << 3), u64(r), GPR); if (k < 20) { ck = k; cr = fr; cs = fs; } k = 22; fr = i64(<i32>r); rip = (base + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 470: { // INC 64, JNZ
        const r = <u64>(load<u64>((uRm(u) << 3), GPR) + 1); store<u64>((uRm(u) << 3), r, GPR); if (k < 20) { ck = k; cr = fr; cs = fs; } k = 23; fr = i64(<i64>r); rip = (base + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 471: { // INC 64, JZ
        const r = <u64>(load<u64>((uRm(u) << 3), GPR) + 1); store<u64>((uRm(u) << 3), r, GPR); if (k < 20) { ck = k; cr = fr; cs = fs; } k = 23; fr = i64(<i64>r); rip = (base + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 472: { // DEC 32, JNZ
        const r = <u32>(load<u32>((uRm(u) << 3), GPR) - 1); store<u64>((uRm(u) << 3), u64(r), GPR); if (k < 20) { ck = k; cr = fr; cs = fs; } k = 26; fr = i64(<i32>r); rip = (base + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 473: { // DEC 32, JZ
        const r = <u32>(load<u32>((uRm(u) << 3), GPR) - 1); store<u64>((uRm(u) << 3), u64(r), GPR); if (k < 20) { ck = k; cr = fr; cs = fs; } k = 26; fr = i64(<i32>r); rip = (base + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 474: { // DEC 64, JNZ
        const r = <u64>(load<u64>((uRm(u) << 3), GPR) - 1); store<u64>((uRm(u) << 3), r, GPR); if (k < 20) { ck = k; cr = fr; cs = fs; } k = 27; fr = i64(<i64>r); rip = (base + u64(i64((fr != 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      case 475: { // DEC 64, JZ
        const r = <u64>(load<u64>((uRm(u) << 3), GPR) - 1); store<u64>((uRm(u) << 3), r, GPR); if (k < 20) { ck = k; cr = fr; cs = fs; } k = 27; fr = i64(<i64>r); rip = (base + u64(i64((fr == 0) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;
      }
      default: {
        if (k) {
          storeStatus(k, fr, fs, ck, cr, cs);
          k = 0;
        }
        const next = base + uNext(u);
        store<u64>(RIP, (next - uLen(u)) & mask);
        store<u64>(NEXT_RIP, next & mask);
        store<u64>(ICOUNT, ic + uNth(u));
        const op: u32 = load<u16>(u);
        const status = callHandler(op, u);
        if (status != XS_OK) return status;
        if (!(op & 1)) {
          u += 32;
          continue;
        }
        ic = load<u64>(ICOUNT) + 1;
        n = 0;
        rip = load<u64>(NEXT_RIP);
        own = 0;
        if (load<u32>(ATTENTION)) return leave(ic, rip, 0, 0, 0, 0, 0, 0, XS_OK);
        mode = load<u32>(MODE);
        mask = mode & MODE_CODE64 ? ~u64(0) : 0xffffffff;
        csBase = mode & MODE_CODE64 ? 0 : segBase(SEG_CS);
        last = mode & (MODE_CODE64 | MODE_FLAT) ? ~u64(0) : u64(segLimit(SEG_CS));
      }
    }
    if (st != XS_OK) {
      // The instruction at u faulted, exits or must run again: nothing of it was done.
      if (uSeg(u) == SEG_SS) asStackFault();
      return leave(ic + uNth(u), (base + uNext(u) - uLen(u)) & mask, k, fr, fs, ck, cr, cs, st);
    }
    ic += n;
    if (rip == base && own) {
      if (ic + n > end) return leave(ic, rip, k, fr, fs, ck, cr, cs, XS_LIMIT);
      u = own;
      continue;
    }
    if (ic >= end) return leave(ic, rip, k, fr, fs, ck, cr, cs, XS_LIMIT);
    if (load<u32>(ATTENTION) & ~ATT_WINDOW) return leave(ic, rip, k, fr, fs, ck, cr, cs, XS_OK);
    const linear = (rip + csBase) & mask;
    const slot = (u32(linear ^ (linear >> 12)) & 4095) << 4;
    let block: usize = load<u32>(slot, JUMP_CACHE + 12);
    if (load<u64>(slot, JUMP_CACHE) != linear || load<u32>(slot, JUMP_CACHE + 8) != load<u32>(CTX_GEN)) {
      block = findBlock(linear, rip, mode);
      if (!block) return leave(ic, rip, k, fr, fs, ck, cr, cs, blockStatus());
      store<u64>(slot, linear, JUMP_CACHE);
      store<u32>(slot, load<u32>(CTX_GEN), JUMP_CACHE + 8);
      store<u32>(slot, u32(block), JUMP_CACHE + 12);
    }
    if (rip + blockBytes(block) - 1 > last || breakpointsNear(linear)) return leave(ic, rip, k, fr, fs, ck, cr, cs, XS_SINGLE);
    n = blockCount(block);
    if (ic + n > end) return leave(ic, rip, k, fr, fs, ck, cr, cs, XS_LIMIT);
    base = rip;
    store<u64>(RIP_BASE, rip);
    store<u32>(BLOCK_PAGE, blockPage(block));
    u = block + BLOCK_HEADER;
    own = u;
  }
}
