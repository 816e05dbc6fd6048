// x87 and SSE control registers, and what the vector units' absence and CR0/CR4 make of their instructions.
import { MXCSR, OP_VALUE, RAX, X87_FCW, X87_FOP, X87_FSW, X87_FTW, X87_FCS, X87_FDP, X87_FDS, X87_FIP, XS_OK } from '../layout';
import { VEC_GP, VEC_NM, VEC_UD, cr0, cr4, fault, faultCode } from '../state';
import { accessStatus } from '../mmu/access';
import { uIsMem } from '../uop';
import { operandRead, operandWrite } from './operand';

const CR0_MP: u64 = 2;
const CR0_EM: u64 = 4;
const CR0_TS: u64 = 8;
const CR4_OSFXSR: u64 = 0x200;
const MXCSR_MASK: u32 = 0xffff;

/** #NM for every x87 instruction while CR0.EM or CR0.TS is 1. @sdm 3A 2.5 "Control Registers" */
@inline function x87Absent(): bool { return (cr0() & (CR0_EM | CR0_TS)) != 0; }

/** x87 arithmetic is not carried out: #NM by its rules, otherwise #UD. */
export function execX87Reserved(u: usize): i32 { return fault(x87Absent() ? VEC_NM : VEC_UD); }

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

/** WAIT obeys CR0.TS only with CR0.MP. */
export function execFwait(u: usize): i32 {
  return (cr0() & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS) ? fault(VEC_NM) : XS_OK;
}

export function execFninit(u: usize): i32 {
  if (x87Absent()) return fault(VEC_NM);
  store<u16>(X87_FCW, 0x37f);
  store<u16>(X87_FSW, 0);
  store<u16>(X87_FTW, 0);
  store<u16>(X87_FOP, 0);
  store<u64>(X87_FIP, 0);
  store<u64>(X87_FDP, 0);
  store<u16>(X87_FCS, 0);
  store<u16>(X87_FDS, 0);
  return XS_OK;
}

/** Clears the exception flags, ES, SF and B. */
export function execFnclex(u: usize): i32 {
  if (x87Absent()) return fault(VEC_NM);
  store<u16>(X87_FSW, load<u16>(X87_FSW) & 0x7f00);
  return XS_OK;
}

export function execFldcw(u: usize): i32 {
  if (x87Absent()) return fault(VEC_NM);
  if (!operandRead(u, 2)) return accessStatus();
  store<u16>(X87_FCW, u16((load<u64>(OP_VALUE) & 0x1f7f) | 0x40));
  return XS_OK;
}

export function execFnstcw(u: usize): i32 {
  if (x87Absent()) return fault(VEC_NM);
  return operandWrite(u, 2, load<u16>(X87_FCW)) ? XS_OK : accessStatus();
}

export function execFnstsw(u: usize): i32 {
  if (x87Absent()) return fault(VEC_NM);
  if (!uIsMem(u)) {
    store<u16>(RAX, load<u16>(X87_FSW));
    return XS_OK;
  }
  return operandWrite(u, 2, load<u16>(X87_FSW)) ? XS_OK : accessStatus();
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
