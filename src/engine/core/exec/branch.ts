// Near control transfers.
import { NEXT_RIP, OP_LINEAR, OP_VALUE, RCX, RFLAGS, SEG_CS, XS_OK } from '../layout';
import { canonicalAddress, code64, fault, faultCode, segLimit } from '../state';
import { accessStatus } from '../mmu/access';
import { uAddrSize, uImm, uOpSize, uOpcode } from '../uop';
import { VEC_BR, VEC_GP } from '../generated/events';
import { ZF, condition, signExtend, sizeMask } from './flags';
import {
  cutAddress, operandLinear, operandRead, pop, push, readLinear, registerRead, setStackPointer, stackPointer, storeRegister,
} from './operand';

/** Is the offset a place where CS may execute: canonical in 64-bit mode, inside the limit elsewhere? */
export function targetAllowed(target: u64): bool {
  if (code64()) return canonicalAddress(target);
  return target <= u64(segLimit(SEG_CS));
}

/** Goes to an offset, or #GP(0). */
function jumpTo(target: u64): i32 {
  if (!targetAllowed(target)) return faultCode(VEC_GP, 0);
  store<u64>(NEXT_RIP, target);
  return XS_OK;
}

@inline function relativeTarget(u: usize): u64 { return (load<u64>(NEXT_RIP) + uImm(u)) & sizeMask(uOpSize(u)); }

export function execJcc(u: usize): i32 { return condition(uOpcode(u)) ? jumpTo(relativeTarget(u)) : XS_OK; }
export function execJmp(u: usize): i32 { return jumpTo(relativeTarget(u)); }

export function execJmpNear(u: usize): i32 {
  if (!operandRead(u, uOpSize(u))) return accessStatus();
  return jumpTo(load<u64>(OP_VALUE));
}

function callTo(u: usize, target: u64): i32 {
  const back = load<u64>(NEXT_RIP);
  if (!targetAllowed(target)) return faultCode(VEC_GP, 0);
  if (!push(back & sizeMask(uOpSize(u)), uOpSize(u))) return accessStatus();
  store<u64>(NEXT_RIP, target);
  return XS_OK;
}

export function execCall(u: usize): i32 { return callTo(u, relativeTarget(u)); }

export function execCallNear(u: usize): i32 {
  if (!operandRead(u, uOpSize(u))) return accessStatus();
  return callTo(u, load<u64>(OP_VALUE));
}

export function execRet(u: usize): i32 {
  const bytes = uOpSize(u);
  if (!pop(bytes)) return accessStatus();
  const status = jumpTo(load<u64>(OP_VALUE));
  if (status != XS_OK) return status;
  setStackPointer(stackPointer() + bytes + (uImm(u) & 0xffff));
  return XS_OK;
}

/** LOOPNE, LOOPE, LOOP: the counter has the address size. */
export function execLoop(u: usize): i32 {
  const size = uAddrSize(u);
  const count = cutAddress(load<u64>(RCX) - 1, size);
  const kind = uOpcode(u) & 3;
  const zero = (load<u32>(RFLAGS) & ZF) != 0;
  const taken = count != 0 && (kind == 2 || zero == (kind == 1));
  if (taken) {
    const status = jumpTo(relativeTarget(u));
    if (status != XS_OK) return status;
  }
  storeRegister(RCX, size, count);
  return XS_OK;
}

export function execJcxz(u: usize): i32 {
  return cutAddress(load<u64>(RCX), uAddrSize(u)) == 0 ? jumpTo(relativeTarget(u)) : XS_OK;
}

export function execBound(u: usize): i32 {
  const bytes = uOpSize(u);
  if (!operandLinear(u, bytes * 2, false)) return accessStatus();
  const la = load<u64>(OP_LINEAR);
  if (!readLinear(la, bytes)) return accessStatus();
  const low = signExtend(load<u64>(OP_VALUE), bytes);
  if (!readLinear(la + bytes, bytes)) return accessStatus();
  const high = signExtend(load<u64>(OP_VALUE), bytes);
  const value = signExtend(registerRead(u, bytes), bytes);
  return value < low || value > high ? fault(VEC_BR) : XS_OK;
}
