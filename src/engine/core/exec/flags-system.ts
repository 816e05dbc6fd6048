// Instructions on RFLAGS that depend on privilege: IF, IOPL, AC, and the virtual interrupt flag.
import { ICOUNT, OP_VALUE, RFLAGS, SHADOW_ICOUNT, XS_OK } from '../layout';
import { cpl, cr4, fault, faultCode, protectedMode, rflags, v8086 } from '../state';
import { uOpSize } from '../uop';
import {
  CR4_PVI, CR4_VME, RFLAGS_AC, RFLAGS_ALWAYS_ONE, RFLAGS_DF, RFLAGS_ID, RFLAGS_IF, RFLAGS_IOPL, RFLAGS_IOPL_SHIFT,
  RFLAGS_NT, RFLAGS_RF, RFLAGS_STATUS, RFLAGS_TF, RFLAGS_VIF, RFLAGS_VIP, RFLAGS_VM,
} from '../generated/register-bits';
import { BLOCKING_BY_STI, VEC_GP, VEC_UD } from '../generated/events';
import { accessStatus } from '../mmu/access';
import { updateMode } from '../mmu/mode';
import { beginShadow, windowMayOpen } from '../vmx/boundary';
import { decodeBehind, passesUnseen } from './block-ends';
import { pop, popCommit, push } from './operand';

/** What POPF always changes. */
const POPF_16: u64 = RFLAGS_STATUS | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT;

@inline function iopl(): u32 { return <u32>(rflags() >> RFLAGS_IOPL_SHIFT) & 3; }

/** VME in virtual-8086 mode or PVI at CPL 3: CLI and STI act on VIF. */
@inline function virtualInterrupts(): bool {
  return v8086() ? (cr4() & CR4_VME) != 0 : cpl() == 3 && (cr4() & CR4_PVI) != 0;
}

/** @sdm 2A "CLI" */
export function execCli(u: usize): i32 {
  if (!protectedMode() || cpl() <= iopl()) store<u64>(RFLAGS, rflags() & ~RFLAGS_IF);
  else if (virtualInterrupts()) store<u64>(RFLAGS, rflags() & ~RFLAGS_VIF);
  else return faultCode(VEC_GP, 0);
  return XS_OK;
}

/** Interrupts stay blocked until the next instruction has completed. @sdm 2B "STI" */
export function execSti(u: usize): i32 {
  const flags = rflags();
  if (!protectedMode() || cpl() <= iopl()) {
    if (flags & RFLAGS_IF) return XS_OK;
    store<u64>(RFLAGS, flags | RFLAGS_IF);
    decodeBehind();
    if (passesUnseen()) store<u64>(SHADOW_ICOUNT, load<u64>(ICOUNT) + 1);
    else {
      beginShadow(BLOCKING_BY_STI);
      windowMayOpen();
    }
  } else if (virtualInterrupts() && !(flags & RFLAGS_VIP)) store<u64>(RFLAGS, flags | RFLAGS_VIF);
  else return faultCode(VEC_GP, 0);
  return XS_OK;
}

/** @sdm 2B "PUSHF/PUSHFD/PUSHFQ" */
export function execPushf(u: usize): i32 {
  const bytes = uOpSize(u);
  let image = rflags() & ~(RFLAGS_RF | RFLAGS_VM);
  if (v8086() && iopl() < 3) {
    if (bytes != 2 || !(cr4() & CR4_VME)) return faultCode(VEC_GP, 0);
    image = image & ~RFLAGS_IF | RFLAGS_IOPL | (image & RFLAGS_VIF ? RFLAGS_IF : 0);
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
    if ((image & RFLAGS_IF && old & RFLAGS_VIP) || image & RFLAGS_TF) return faultCode(VEC_GP, 0);
    result = result & ~RFLAGS_VIF | (image & RFLAGS_IF ? RFLAGS_VIF : 0);
  } else {
    if (!protectedMode() || (!virtual && cpl() == 0)) change |= RFLAGS_IOPL | RFLAGS_IF;
    else if (cpl() <= iopl()) change |= RFLAGS_IF;
    if (bytes != 2) {
      change |= RFLAGS_AC | RFLAGS_ID;
      result &= ~RFLAGS_RF;
    }
  }
  store<u64>(RFLAGS, result & ~change | image & change | RFLAGS_ALWAYS_ONE);
  popCommit(bytes);
  if ((old ^ rflags()) & (RFLAGS_TF | RFLAGS_AC | RFLAGS_RF)) updateMode();
  if (rflags() & ~old & RFLAGS_IF) windowMayOpen();
  return XS_OK;
}

function setAc(on: bool): i32 {
  if (cpl() || v8086()) return fault(VEC_UD);
  store<u64>(RFLAGS, on ? rflags() | RFLAGS_AC : rflags() & ~RFLAGS_AC);
  updateMode();
  return XS_OK;
}

/** @sdm 2B "STAC" */
export function execStac(u: usize): i32 { return setAc(true); }

/** @sdm 2A "CLAC" */
export function execClac(u: usize): i32 { return setAc(false); }
