// Descriptor-table registers, LDTR and TR, and the instructions that look at descriptors.
import {
  CR4, GDTR_BASE, GDTR_LIMIT, IDTR_BASE, IDTR_LIMIT, OP_LINEAR, OP_VALUE, RFLAGS, SEG_LDTR, SEG_TR, SEGMENTS,
  SEGMENT_BYTES, SEG_AR, SEG_BASE, SEG_LIMIT, XS_EXIT, XS_OK, CTX_SYSTEM,
} from '../layout';
import { canonicalBase, code64, cpl, fault, faultCode, longMode, protectedMode, segSelector, v8086 } from '../state';
import { accessStatus, readAs, readSlow, sysReadable, sysWritable, writeSlow, wrote, wroteAs } from '../mmu/access';
import { interceptDescriptorTable } from '../vmx/intercept';
import { uIsMem, uOpSize } from '../uop';
import { AR_P, AR_S, CR4_UMIP, RFLAGS_ZF } from '../generated/register-bits';
import { VEC_GP, VEC_NP, VEC_UD } from '../generated/events';
import { EXIT_REASON_GDTR_IDTR, EXIT_REASON_LDTR_TR } from '../generated/exits';
import { loadSized, operandLinear, operandRead, operandWrite, registerRead, registerWrite } from './operand';
import {
  AR_CODE, AR_CONFORMING, AR_READABLE, descriptor, descriptorAddress, descriptorAr, descriptorBase, descriptorLimit,
  locateDescriptor, readDescriptor, rejectSelector, setNullSegment, setSegment,
} from './segment';

/** UMIP: the storing instructions need CPL 0. */
@inline function userStoreForbidden(): bool { return cpl() != 0 && (load<u64>(CR4) & CR4_UMIP) != 0; }

/** #UD outside protected mode. */
@inline function noSelectors(): bool { return !protectedMode() || v8086(); }

function storeTable(u: usize, base: u64, limit: u32): i32 {
  if (userStoreForbidden()) return faultCode(VEC_GP, 0);
  if (interceptDescriptorTable(u, EXIT_REASON_GDTR_IDTR) != XS_OK) return XS_EXIT;
  const bytes: u32 = code64() ? 10 : 6;
  if (!operandLinear(u, bytes, true)) return accessStatus();
  const p = writeSlow(load<u64>(OP_LINEAR), bytes, false);
  if (!p) return accessStatus();
  store<u16>(p, limit);
  if (bytes == 10) store<u64>(p, base, 2);
  else store<u32>(p, <u32>base, 2);
  return wroteAs(p, bytes) ? XS_OK : accessStatus();
}

function loadTable(u: usize, baseAt: usize, limitAt: usize): i32 {
  if (cpl() != 0) return faultCode(VEC_GP, 0);
  if (interceptDescriptorTable(u, EXIT_REASON_GDTR_IDTR) != XS_OK) return XS_EXIT;
  const bytes: u32 = code64() ? 10 : 6;
  if (!operandLinear(u, bytes, false)) return accessStatus();
  const p = readSlow(load<u64>(OP_LINEAR), bytes);
  if (!p) return accessStatus();
  let base: u64 = bytes == 10 ? load<u64>(p, 2) : load<u32>(p, 2);
  if (bytes == 6 && uOpSize(u) == 2) base &= 0xffffff;
  if (bytes == 10 && !canonicalBase(base)) return faultCode(VEC_GP, 0);
  store<u64>(baseAt, base);
  store<u32>(limitAt, load<u16>(p));
  return XS_OK;
}

export function execSgdt(u: usize): i32 { return storeTable(u, load<u64>(GDTR_BASE), load<u32>(GDTR_LIMIT)); }
export function execSidt(u: usize): i32 { return storeTable(u, load<u64>(IDTR_BASE), load<u32>(IDTR_LIMIT)); }
export function execLgdt(u: usize): i32 { return loadTable(u, GDTR_BASE, GDTR_LIMIT); }
export function execLidt(u: usize): i32 { return loadTable(u, IDTR_BASE, IDTR_LIMIT); }

function storeSelector(u: usize, seg: u32): i32 {
  if (noSelectors()) return fault(VEC_UD);
  if (userStoreForbidden()) return faultCode(VEC_GP, 0);
  if (interceptDescriptorTable(u, EXIT_REASON_LDTR_TR) != XS_OK) return XS_EXIT;
  return operandWrite(u, uIsMem(u) ? 2 : uOpSize(u), segSelector(seg)) ? XS_OK : accessStatus();
}

export function execSldt(u: usize): i32 { return storeSelector(u, SEG_LDTR); }
export function execStr(u: usize): i32 { return storeSelector(u, SEG_TR); }

/** Bits 32-63 of the base from the second half of a 16-byte descriptor; false: reserved type bits, a base that is not canonical, or an access failed. */
let upperBase: u64 = 0;
function readUpper(selector: u32, d: u64): bool {
  const address = descriptorAddress;
  const p = sysReadable<u64>(address + 8);
  if (!p) return false;
  const upper = load<u64>(p);
  if (upper >> 40 & 0x1f) return rejectSelector(VEC_GP, selector);
  upperBase = upper << 32;
  return canonicalBase(upperBase | descriptorBase(d)) ? true : rejectSelector(VEC_GP, selector);
}

/** @sdm 2A 3.3 "LLDT - Load Local Descriptor Table Register" */
export function execLldt(u: usize): i32 {
  if (noSelectors()) return fault(VEC_UD);
  if (cpl() != 0) return faultCode(VEC_GP, 0);
  if (interceptDescriptorTable(u, EXIT_REASON_LDTR_TR) != XS_OK) return XS_EXIT;
  if (!operandRead(u, 2)) return accessStatus();
  const selector = <u32>load<u64>(OP_VALUE) & 0xffff;
  if ((selector & 0xfffc) == 0) {
    setNullSegment(SEG_LDTR, selector, 0);
    return XS_OK;
  }
  if (selector & 4) return failed(rejectSelector(VEC_GP, selector));
  if (!readDescriptor(selector, VEC_GP)) return accessStatus();
  const d = descriptor;
  if ((descriptorAr(d) & 0x1f) != 2) return failed(rejectSelector(VEC_GP, selector));
  if (!(descriptorAr(d) & AR_P)) return failed(rejectSelector(VEC_NP, selector));
  upperBase = 0;
  if (longMode() && !readUpper(selector, d)) return accessStatus();
  setSystem(SEG_LDTR, selector, d, descriptorAr(d));
  return XS_OK;
}

@inline function failed(done: bool): i32 { return done ? XS_OK : accessStatus(); }

function setSystem(seg: u32, selector: u32, d: u64, ar: u32): void {
  setSegment(seg, selector, d);
  const p = SEGMENTS + seg * SEGMENT_BYTES;
  store<u32>(p, ar, SEG_AR);
  store<u64>(p, descriptorBase(d) | upperBase, SEG_BASE);
}

/** @sdm 2A 3.3 "LTR - Load Task Register" */
export function execLtr(u: usize): i32 {
  if (noSelectors()) return fault(VEC_UD);
  if (cpl() != 0) return faultCode(VEC_GP, 0);
  if (interceptDescriptorTable(u, EXIT_REASON_LDTR_TR) != XS_OK) return XS_EXIT;
  if (!operandRead(u, 2)) return accessStatus();
  const selector = <u32>load<u64>(OP_VALUE) & 0xffff;
  if ((selector & 0xfffc) == 0) return faultCode(VEC_GP, 0);
  if (selector & 4) return failed(rejectSelector(VEC_GP, selector));
  if (!readDescriptor(selector, VEC_GP)) return accessStatus();
  const d = descriptor;
  const address = descriptorAddress;
  const type = descriptorAr(d) & 0x1f;
  if (type != 9 && (type != 1 || longMode())) return failed(rejectSelector(VEC_GP, selector));
  if (!(descriptorAr(d) & AR_P)) return failed(rejectSelector(VEC_NP, selector));
  upperBase = 0;
  if (longMode() && !readUpper(selector, d)) return accessStatus();
  const busy = sysWritable<u8>(address + 5);
  if (!busy) return accessStatus();
  store<u8>(busy, load<u8>(busy) | 2);
  if (!wrote<u8>(busy)) return accessStatus();
  setSystem(SEG_TR, selector, d, descriptorAr(d) | 2);
  return XS_OK;
}

@inline function setZero(on: bool): void {
  store<u64>(RFLAGS, on ? load<u64>(RFLAGS) | RFLAGS_ZF : load<u64>(RFLAGS) & ~RFLAGS_ZF);
}

/** Reads the descriptor for VERR and its like, which do not fault on a bad selector. 1 found, 0 not, -1 access failed. */
function look(selector: u32): i32 {
  if ((selector & 0xfffc) == 0 || !locateDescriptor(selector)) return 0;
  return readDescriptor(selector, VEC_GP) ? 1 : -1;
}

/** The selector's segment is visible from CPL and RPL. */
function visible(selector: u32): bool {
  const ar = descriptorAr(descriptor);
  const conforming = (ar & (AR_S | AR_CODE | AR_CONFORMING)) == (AR_S | AR_CODE | AR_CONFORMING);
  const dpl = ar >> 5 & 3;
  return conforming || (cpl() <= dpl && (selector & 3) <= dpl);
}

function verify(u: usize, write: bool): i32 {
  if (noSelectors()) return fault(VEC_UD);
  if (!operandRead(u, 2)) return accessStatus();
  const selector = <u32>load<u64>(OP_VALUE) & 0xffff;
  const found = look(selector);
  if (found < 0) return accessStatus();
  let good = false;
  if (found) {
    const ar = descriptorAr(descriptor);
    const kind = ar & (AR_CODE | AR_READABLE);
    good = (ar & AR_S) != 0 && visible(selector) && (write ? kind == AR_READABLE : kind != AR_CODE);
  }
  setZero(good);
  return XS_OK;
}

export function execVerr(u: usize): i32 { return verify(u, false); }
export function execVerw(u: usize): i32 { return verify(u, true); }

/** LAR: types that it reports: 16/32-bit TSSs, LDT, call and task gates; in IA-32e mode the 64-bit ones only. */
function larType(type: u32): bool {
  const known: u32 = longMode() ? 1 << 2 | 1 << 9 | 1 << 11 | 1 << 12 : 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 9 | 1 << 11 | 1 << 12;
  return (known >> type & 1) != 0;
}

/** LSL: types with a limit. */
function lslType(type: u32): bool {
  const known: u32 = longMode() ? 1 << 2 | 1 << 9 | 1 << 11 : 1 << 1 | 1 << 2 | 1 << 3 | 1 << 9 | 1 << 11;
  return (known >> type & 1) != 0;
}

export function execLar(u: usize): i32 {
  if (noSelectors()) return fault(VEC_UD);
  if (!operandRead(u, 2)) return accessStatus();
  const selector = <u32>load<u64>(OP_VALUE) & 0xffff;
  const found = look(selector);
  if (found < 0) return accessStatus();
  const ar = found ? descriptorAr(descriptor) : 0;
  const good = found == 1 && visible(selector) && ((ar & AR_S) != 0 || larType(ar & 15));
  if (good) registerWrite(u, uOpSize(u), descriptor >> 32 & (uOpSize(u) == 2 ? 0xff00 : 0xf0ff00));
  setZero(good);
  return XS_OK;
}

export function execLsl(u: usize): i32 {
  if (noSelectors()) return fault(VEC_UD);
  if (!operandRead(u, 2)) return accessStatus();
  const selector = <u32>load<u64>(OP_VALUE) & 0xffff;
  const found = look(selector);
  if (found < 0) return accessStatus();
  const ar = found ? descriptorAr(descriptor) : 0;
  const good = found == 1 && visible(selector) && ((ar & AR_S) != 0 || lslType(ar & 15));
  if (good) registerWrite(u, uOpSize(u), descriptorLimit(descriptor));
  setZero(good);
  return XS_OK;
}

/** ARPL r/m16, r16. */
export function execArpl(u: usize): i32 {
  if (noSelectors()) return fault(VEC_UD);
  if (!operandRead(u, 2)) return accessStatus();
  const selector = <u32>load<u64>(OP_VALUE) & 0xffff;
  const rpl = <u32>registerRead(u, 2) & 3;
  const raise = (selector & 3) < rpl;
  if (raise && !operandWrite(u, 2, (selector & 0xfffc) | rpl)) return accessStatus();
  setZero(raise);
  return XS_OK;
}
