// Instructions on RFLAGS that depend on privilege: IF, IOPL, AC, and the virtual interrupt flag.
import { OP_VALUE, RFLAGS, XS_OK } from '../layout';
import { cpl, cr4, fault, faultCode, protectedMode, rflags, v8086, VEC_GP, VEC_UD } from '../state';
import { uOpSize } from '../uop';
import { accessStatus } from '../mmu/access';
import { updateMode } from '../mmu/mode';
import { beginShadow, windowMayOpen } from '../vmx/boundary';
import { decodeBehind } from './block-ends';
import { pop, popCommit, push } from './operand';

const TF: u64 = 0x100;
const IF: u64 = 0x200;
const IOPL: u64 = 0x3000;
const RF: u64 = 0x10000;
const VM: u64 = 0x20000;
const AC: u64 = 0x40000;
const VIF: u64 = 0x80000;
const VIP: u64 = 0x100000;
const ID: u64 = 0x200000;
const CR4_VME: u64 = 1;
const CR4_PVI: u64 = 2;
const SHADOW_STI: u32 = 1;
/** What POPF always changes: CF PF AF ZF SF TF DF OF NT. */
const POPF_16: u64 = 0x4dd5;

@inline function iopl(): u32 { return <u32>(rflags() >> 12) & 3; }

/** VME in virtual-8086 mode or PVI at CPL 3: CLI and STI act on VIF. */
@inline function virtualInterrupts(): bool {
  return v8086() ? (cr4() & CR4_VME) != 0 : cpl() == 3 && (cr4() & CR4_PVI) != 0;
}

/** @sdm 2A "CLI" */
export function execCli(u: usize): i32 {
  if (!protectedMode() || cpl() <= iopl()) store<u64>(RFLAGS, rflags() & ~IF);
  else if (virtualInterrupts()) store<u64>(RFLAGS, rflags() & ~VIF);
  else return faultCode(VEC_GP, 0);
  return XS_OK;
}

/** Interrupts stay blocked until the next instruction has completed. @sdm 2B "STI" */
export function execSti(u: usize): i32 {
  const flags = rflags();
  if (!protectedMode() || cpl() <= iopl()) {
    if (flags & IF) return XS_OK;
    store<u64>(RFLAGS, flags | IF);
    beginShadow(SHADOW_STI);
    windowMayOpen();
    decodeBehind();
  } else if (virtualInterrupts() && !(flags & VIP)) store<u64>(RFLAGS, flags | VIF);
  else return faultCode(VEC_GP, 0);
  return XS_OK;
}

/** @sdm 2B "PUSHF/PUSHFD/PUSHFQ" */
export function execPushf(u: usize): i32 {
  const bytes = uOpSize(u);
  let image = rflags() & ~(RF | VM);
  if (v8086() && iopl() < 3) {
    if (bytes != 2 || !(cr4() & CR4_VME)) return faultCode(VEC_GP, 0);
    image = image & ~IF | IOPL | (image & VIF ? IF : 0);
  }
  return push(image, bytes) ? XS_OK : accessStatus();
}

/** @sdm 2B "POPF/POPFD/POPFQ" */
export function execPopf(u: usize): i32 {
  const bytes = uOpSize(u);
  const old = rflags();
  const virtual = v8086();
  const limited = virtual && iopl() < 3;
  if (limited && (bytes != 2 || !(cr4() & CR4_VME))) return faultCode(VEC_GP, 0);
  if (!pop(bytes)) return accessStatus();
  const image = load<u64>(OP_VALUE);
  let change = POPF_16;
  let result = old;
  if (limited) {
    // VME: IF of the image goes to VIF
    if ((image & IF && old & VIP) || image & TF) return faultCode(VEC_GP, 0);
    result = result & ~VIF | (image & IF ? VIF : 0);
  } else {
    if (!protectedMode() || (!virtual && cpl() == 0)) change |= IOPL | IF;
    else if (cpl() <= iopl()) change |= IF;
    if (bytes != 2) {
      change |= AC | ID;
      result &= ~RF;
    }
  }
  store<u64>(RFLAGS, result & ~change | image & change | 2);
  popCommit(bytes);
  if ((old ^ rflags()) & (TF | AC | RF)) updateMode();
  if (rflags() & ~old & IF) windowMayOpen();
  return XS_OK;
}

function setAc(on: bool): i32 {
  if (cpl() || v8086()) return fault(VEC_UD);
  store<u64>(RFLAGS, on ? rflags() | AC : rflags() & ~AC);
  updateMode();
  return XS_OK;
}

/** @sdm 2B "STAC" */
export function execStac(u: usize): i32 { return setAc(true); }

/** @sdm 2A "CLAC" */
export function execClac(u: usize): i32 { return setAc(false); }
