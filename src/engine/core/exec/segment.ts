// Segments: addresses through them, descriptors, and loads of the data-segment registers.
import {
  CTX_SYSTEM, GDTR_BASE, GDTR_LIMIT, MODE, MODE_FLAT, OP_LINEAR, OP_VALUE, RSP, SEGMENTS,
  SEGMENT_BYTES, SEG_AR, SEG_BASE, SEG_CS, SEG_DS, SEG_ES, SEG_FS, SEG_GS, SEG_LDTR, SEG_LIMIT, SEG_SELECTOR, SEG_SS, CR4, TLB_READ, XS_OK,
} from '../layout';
import {
  canonicalAddress, code64, cpl, fault, protectedMode, refuse, segAr, segBase, segLimit, segSelector, v8086,
} from '../state';
import { accessStatus, cachedAs, readSlow, sysReadable, sysWritable, wrote } from '../mmu/access';
import { updateRooms, updateSegment } from '../mmu/mode';
import { beginShadow } from '../vmx/boundary';
import { uIsMem, uModReg, uOpcode, uOpSize, uReg } from '../uop';
import { AR_DB, AR_P, AR_S, AR_UNUSABLE } from '../generated/register-bits';
import { BLOCKING_BY_MOV_SS, VEC_GP, VEC_NP, VEC_SS, VEC_UD } from '../generated/events';
import {
  cutAddress, loadSized, operandLinear, operandRead, operandWrite, pop, push, registerWrite, stackPointer, stackSize,
} from './operand';

// bits of a segment's type in its access rights
export const AR_ACCESSED: u32 = 1;
export const AR_WRITABLE: u32 = 2; // data
export const AR_READABLE: u32 = 2; // code
export const AR_DOWN: u32 = 4; // data: expand-down
export const AR_CONFORMING: u32 = 4; // code
export const AR_CODE: u32 = 8;

/** EXT bit of error codes: 1 while an event that no instruction asked for is delivered. */
let external: u32 = 0;
export function setExternal(bit: u32): void { external = bit; }

/** Records a fault with error code and the EXT bit; false, and accessStatus answers XS_FAULT. */
export function reject(vector: u32, code: u32): bool { return refuse(vector, code | external); }

/** As reject, with a selector as the error code. */
export function rejectSelector(vector: u32, selector: u32): bool { return reject(vector, selector & 0xfffc); }

/** True when the offsets [offset, offset + bytes) are inside the segment's limit. */
export function withinLimit(ar: u32, limit: u32, offset: u64, bytes: u32): bool {
  const last = offset + bytes - 1;
  if ((ar & (AR_CODE | AR_DOWN)) == AR_DOWN && ar & AR_S) {
    return offset > limit && last <= <u64>(ar & AR_DB ? 0xffffffff : 0xffff);
  }
  return last <= limit;
}

/**
 * Linear address of bytes at an offset in a segment -> OP_LINEAR; false: #SS or #GP is recorded.
 * @sdm 3A 5.3 "Limit Checking" 5.4 "Type Checking"
 */
export function segmentLinear(seg: u32, offset: u64, bytes: u32, write: bool): bool {
  const vector: u32 = seg == SEG_SS ? VEC_SS : VEC_GP;
  if (code64()) {
    const la = seg < <u32>SEG_FS ? offset : offset + segBase(seg);
    if (!canonicalAddress(la) || !canonicalAddress(la + bytes - 1)) return reject(vector, 0);
    store<u64>(OP_LINEAR, la);
    return true;
  }
  const ar = segAr(seg);
  if (protectedMode() && !v8086()) {
    if (ar & AR_UNUSABLE) return reject(vector, 0);
    const kind = ar & (AR_CODE | AR_WRITABLE);
    if (write ? kind != AR_WRITABLE : kind == AR_CODE) return reject(vector, 0);
  }
  if (!withinLimit(ar, segLimit(seg), offset, bytes)) return reject(vector, 0);
  store<u64>(OP_LINEAR, (segBase(seg) + offset) & 0xffffffff);
  return true;
}

// ---- descriptors ----

/** The descriptor that readDescriptor found, and its linear address. */
export let descriptor: u64 = 0;
export let descriptorAddress: u64 = 0;

@inline export function descriptorAr(d: u64): u32 { return <u32>(d >> 40) & 0xf0ff; }
@inline export function descriptorDpl(d: u64): u32 { return <u32>(d >> 45) & 3; }
@inline export function descriptorBase(d: u64): u64 { return (d >> 16 & 0xffffff) | (d >> 56 << 24); }
export function descriptorLimit(d: u64): u32 {
  const limit = <u32>(d & 0xffff) | (<u32>(d >> 32) & 0xf0000);
  return d >> 55 & 1 ? limit << 12 | 0xfff : limit;
}

/** True when the selector points inside its table; descriptorAddress is set. */
export function locateDescriptor(selector: u32): bool {
  let base: u64;
  let limit: u32;
  if (selector & 4) {
    if (segAr(SEG_LDTR) & AR_UNUSABLE) return false;
    base = segBase(SEG_LDTR);
    limit = segLimit(SEG_LDTR);
  } else {
    base = load<u64>(GDTR_BASE);
    limit = load<u32>(GDTR_LIMIT);
  }
  descriptorAddress = base + (selector & 0xfff8);
  return (selector | 7) <= limit;
}

/** Reads the descriptor of a selector; outside the table: `vector` with the selector as error code. */
export function readDescriptor(selector: u32, vector: u32): bool {
  if (!locateDescriptor(selector)) return rejectSelector(vector, selector);
  const p = sysReadable<u64>(descriptorAddress);
  if (!p) return false;
  descriptor = load<u64>(p);
  return true;
}

/** Sets the accessed bit of a code or data descriptor in memory. */
export function markAccessed(address: u64, d: u64): bool {
  if (d >> 40 & 1) return true;
  const p = sysWritable<u8>(address + 5);
  if (!p) return false;
  store<u8>(p, load<u8>(p) | 1);
  return wrote<u8>(p);
}

/** Puts selector and descriptor into a segment register. */
export function setSegment(seg: u32, selector: u32, d: u64): void {
  const p = SEGMENTS + seg * SEGMENT_BYTES;
  store<u16>(p, selector, SEG_SELECTOR);
  store<u32>(p, descriptorAr(d) | (d >> 44 & 1 ? AR_ACCESSED : 0), SEG_AR);
  store<u32>(p, descriptorLimit(d), SEG_LIMIT);
  store<u64>(p, descriptorBase(d), SEG_BASE);
}

/** Puts fixed contents into a segment register. */
export function setSegmentRaw(seg: u32, selector: u32, ar: u32, limit: u32, base: u64): void {
  const p = SEGMENTS + seg * SEGMENT_BYTES;
  // and SEG_AR and SEG_LIMIT, with what pads them
  v128.store(p, i64x2.replace_lane(i64x2.splat(<u64>ar << 32 | selector & 0xffff), 1, <u64>limit), SEG_SELECTOR);
  store<u64>(p, base, SEG_BASE);
}

/** A null selector: the register becomes unusable. */
export function setNullSegment(seg: u32, selector: u32, dpl: u32): void {
  setSegmentRaw(seg, selector, AR_UNUSABLE | dpl << 5, 0, 0);
}

/** What a return to an outer level does to a register that this level may not use: base and limit stay. */
export function dropSegment(seg: u32): void { setSegmentRaw(seg, 0, AR_UNUSABLE, segLimit(seg), segBase(seg)); }

/** Real mode changes selector and base only (limit and D stay); virtual-8086 mode sets all. */
export function setRealSegment(seg: u32, selector: u32): void {
  if (v8086()) {
    setSegmentRaw(seg, selector, 0xf3, 0xffff, <u64>(selector << 4));
    return;
  }
  const p = SEGMENTS + seg * SEGMENT_BYTES;
  store<u16>(p, selector, SEG_SELECTOR);
  store<u32>(p, (load<u32>(p, SEG_AR) & 0xf000) | 0x93, SEG_AR);
  store<u64>(p, <u64>(selector << 4), SEG_BASE);
}

/**
 * Loads ES, SS, DS, FS or GS with all checks. false: accessStatus tells.
 * @sdm 2B 4.3 "MOV - Move"
 */
export function loadSegment(seg: u32, selector: u32): bool {
  if (!protectedMode() || v8086()) {
    setRealSegment(seg, selector);
    return true;
  }
  if ((selector & 0xfffc) == 0) {
    if (seg == SEG_SS) {
      if (!code64() || cpl() == 3 || (selector & 3) != cpl()) return reject(VEC_GP, 0);
    }
    setNullSegment(seg, selector, seg == SEG_SS ? cpl() : 0);
  } else {
    if (!readDescriptor(selector, VEC_GP)) return false;
    const d = descriptor;
    const ar = descriptorAr(d);
    const dpl = ar >> 5 & 3;
    const rpl = selector & 3;
    if (seg == SEG_SS) {
      if (rpl != cpl() || (ar & (AR_S | AR_CODE | AR_WRITABLE)) != (AR_S | AR_WRITABLE) || dpl != cpl()) {
        return rejectSelector(VEC_GP, selector);
      }
      if (!(ar & AR_P)) return rejectSelector(VEC_SS, selector);
    } else {
      if (!(ar & AR_S) || (ar & (AR_CODE | AR_READABLE)) == AR_CODE) return rejectSelector(VEC_GP, selector);
      const conforming = (ar & (AR_CODE | AR_CONFORMING)) == (AR_CODE | AR_CONFORMING);
      if (!conforming && (rpl > dpl || cpl() > dpl)) return rejectSelector(VEC_GP, selector);
      if (!(ar & AR_P)) return rejectSelector(VEC_NP, selector);
    }
    if (!markAccessed(descriptorAddress, d)) return false;
    setSegment(seg, selector, d);
  }
  updateSegment(seg);
  return true;
}

/**
 * Loads ES, DS, FS or GS in protected mode where the descriptor is at hand and as it should be, and MODE stays as it is. false: nothing
 * is done.
 */
export function loadSegmentAtOnce(seg: u32, selector: u32): bool {
  if (!protectedMode() || v8086()) return false;
  const wide = code64();
  if ((selector & 0xfffc) == 0) {
    if (!wide) return false;
    setNullSegment(seg, selector, 0);
    return true;
  }
  if (!locateDescriptor(selector)) return false;
  const p = cachedAs(TLB_READ, descriptorAddress, 8, load<u32>(CTX_SYSTEM));
  if (!p) return false;
  const d = load<u64>(p);
  const ar = descriptorAr(d);
  if ((ar & (AR_S | AR_P | AR_ACCESSED)) != (AR_S | AR_P | AR_ACCESSED)) return false;
  if ((ar & (AR_CODE | AR_READABLE)) == AR_CODE) return false;
  const dpl = ar >> 5 & 3;
  // conforming code is the handler's, whose level does not matter
  if ((selector & 3) > dpl || cpl() > dpl) return false;
  if (!wide && seg < <u32>SEG_FS) {
    const flat = descriptorBase(d) == 0 && descriptorLimit(d) == 0xffffffff && (ar & (AR_CODE | AR_DOWN | AR_WRITABLE)) == AR_WRITABLE;
    if (flat != ((load<u32>(MODE) & MODE_FLAT) != 0)) return false;
  }
  setSegment(seg, selector, d);
  if (!wide) updateRooms(seg);
  return true;
}

/** MOV SS and POP SS hold off interrupts and debug traps until after the next instruction. */
@inline function shadow(seg: u32): void {
  if (seg == SEG_SS) beginShadow(BLOCKING_BY_MOV_SS);
}

/** MOV Sreg, r/m16. CS cannot be loaded, numbers 6 and 7 are no segments; REX.R has no meaning here. */
export function execMovSegReg(u: usize): i32 {
  const seg = uModReg(u);
  if (seg == SEG_CS || seg > <u32>SEG_GS) return fault(VEC_UD);
  if (!operandRead(u, 2)) return accessStatus();
  const selector = <u32>load<u64>(OP_VALUE) & 0xffff;
  if (seg != SEG_SS && loadSegmentAtOnce(seg, selector)) return XS_OK;
  if (!loadSegment(seg, selector)) return accessStatus();
  shadow(seg);
  return XS_OK;
}

/** MOV r/m, Sreg: memory takes 16 bits whatever the operand size. */
export function execMovRegSeg(u: usize): i32 {
  const seg = uModReg(u);
  if (seg > <u32>SEG_GS) return fault(VEC_UD);
  return operandWrite(u, uIsMem(u) ? 2 : uOpSize(u), segSelector(seg)) ? XS_OK : accessStatus();
}

export function execPushSeg(u: usize): i32 {
  return push(segSelector(uReg(u)), uOpSize(u)) ? XS_OK : accessStatus();
}

export function execPopSeg(u: usize): i32 {
  const bytes = uOpSize(u);
  if (!pop(bytes)) return accessStatus();
  const selector = <u32>load<u64>(OP_VALUE) & 0xffff;
  const seg = uReg(u);
  // the old stack's pointer moves, whatever the new SS.B says
  const size = stackSize();
  const sp = stackPointer() + bytes;
  if (!loadSegment(seg, selector)) return accessStatus();
  if (size == 2) store<u16>(RSP, <u16>sp);
  else store<u64>(RSP, cutAddress(sp, size));
  shadow(seg);
  return XS_OK;
}

/** LES LDS LSS LFS LGS: the opcode byte tells the segment (C4 C5; 0F B2 B4 B5). */
export function execLoadFar(u: usize): i32 {
  const opcode = uOpcode(u);
  const seg: u32 = opcode == 0xc4 ? SEG_ES : opcode == 0xc5 ? SEG_DS : opcode == 0xb2 ? SEG_SS : opcode == 0xb4 ? SEG_FS : SEG_GS;
  const bytes = uOpSize(u);
  if (!operandLinear(u, bytes + 2, false)) return accessStatus();
  const p = readSlow(load<u64>(OP_LINEAR), bytes + 2);
  if (!p) return accessStatus();
  const offset = loadSized(p, bytes);
  if (!loadSegment(seg, load<u16>(p + bytes))) return accessStatus();
  registerWrite(u, bytes, offset);
  return XS_OK;
}
