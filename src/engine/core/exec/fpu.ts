// MXCSR, and what the vector units' absence and CR0/CR4 make of their instructions.
import { MXCSR, OP_VALUE, XS_OK } from '../layout';
import { VEC_GP, VEC_NM, VEC_UD, cr0, cr4, fault, faultCode } from '../state';
import { accessStatus } from '../mmu/access';
import { operandRead, operandWrite } from './operand';

const CR0_EM: u64 = 4;
const CR0_TS: u64 = 8;
const CR4_OSFXSR: u64 = 0x200;
const MXCSR_MASK: u32 = 0xffff;

/** MMX: #UD with CR0.EM, #NM with CR0.TS. */
export function execMmxReserved(u: usize): i32 { return fault(!(cr0() & CR0_EM) && cr0() & CR0_TS ? VEC_NM : VEC_UD); }

/** Vector of the fault that keeps SSE instructions from running, or 0. */
function sseFault(): u32 {
  if (cr0() & CR0_EM || !(cr4() & CR4_OSFXSR)) return VEC_UD;
  return cr0() & CR0_TS ? VEC_NM : 0;
}

export function execSseReserved(u: usize): i32 {
  const vector = sseFault();
  return fault(vector ? vector : VEC_UD);
}

export function execLdmxcsr(u: usize): i32 {
  const vector = sseFault();
  if (vector) return fault(vector);
  if (!operandRead(u, 4)) return accessStatus();
  const value = u32(load<u64>(OP_VALUE));
  if (value & ~MXCSR_MASK) return faultCode(VEC_GP, 0);
  store<u32>(MXCSR, value);
  return XS_OK;
}

export function execStmxcsr(u: usize): i32 {
  const vector = sseFault();
  if (vector) return fault(vector);
  return operandWrite(u, 4, load<u32>(MXCSR)) ? XS_OK : accessStatus();
}
