// Control words, the stack pointer, tags, and waiting for exceptions.
import {
  OP_VALUE, RAX, X87_FCS, X87_FCW, X87_FDP, X87_FDS, X87_FIP, X87_FOP, X87_FSW, X87_FTW, XS_OK,
} from '../layout';
import { cr0, fault } from '../state';
import { uIsMem, uRm } from '../uop';
import { CR0_MP, CR0_TS, FCW_ALWAYS_ONE, FCW_FIELDS, FCW_INITIAL, FSW_B, FSW_ES, FSW_EXCEPTIONS, FSW_SF } from '../generated/register-bits';
import { VEC_MF, VEC_NM } from '../generated/events';
import { accessStatus } from '../mmu/access';
import { operandRead, operandWrite } from '../exec/operand';
import { begin, finish, free, pop, refreshSummary, setTop, top, x87Absent } from './stack';

/** WAIT obeys CR0.TS only with CR0.MP. @sdm 2D "WAIT/FWAIT" */
export function execFwait(u: usize): i32 {
  if ((cr0() & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS)) return fault(VEC_NM);
  return load<u16>(X87_FSW) & FSW_ES ? fault(VEC_MF) : XS_OK;
}

/** The state after FNINIT; the registers' contents stay. */
export function initialize(): void {
  store<u16>(X87_FCW, FCW_INITIAL);
  store<u16>(X87_FSW, 0);
  store<u16>(X87_FTW, 0);
  store<u16>(X87_FOP, 0);
  store<u64>(X87_FIP, 0);
  store<u64>(X87_FDP, 0);
  store<u16>(X87_FCS, 0);
  store<u16>(X87_FDS, 0);
}

/** @sdm 2A "FINIT/FNINIT" */
export function execFninit(u: usize): i32 {
  if (x87Absent()) return fault(VEC_NM);
  initialize();
  return XS_OK;
}

/** Clears the exception flags, ES, SF and B. @sdm 2A "FCLEX/FNCLEX" */
export function execFnclex(u: usize): i32 {
  if (x87Absent()) return fault(VEC_NM);
  store<u16>(X87_FSW, load<u16>(X87_FSW) & ~(FSW_EXCEPTIONS | FSW_SF | FSW_ES | FSW_B));
  return XS_OK;
}

/** @sdm 2A "FLDCW" */
export function execFldcw(u: usize): i32 {
  const status = begin();
  if (status != XS_OK) return status;
  if (!operandRead(u, 2)) return accessStatus();
  loadControl(u32(load<u64>(OP_VALUE)));
  refreshSummary();
  return XS_OK;
}

/** Reserved bits of FCW read as 0, bit 6 as 1. */
export function loadControl(value: u32): void { store<u16>(X87_FCW, u16(value & FCW_FIELDS | FCW_ALWAYS_ONE)); }

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

/** @sdm 2A "FNOP" */
export function execFnop(u: usize): i32 { return begin(); }

/** FENI, FDISI and FSETPM of older processors do nothing and do not wait. @sdm 3B 24.18 "x87 FPU" */
export function execX87Obsolete(u: usize): i32 { return x87Absent() ? fault(VEC_NM) : XS_OK; }

/** @sdm 2A "FFREE" */
export function execFfree(u: usize): i32 {
  const status = begin();
  if (status != XS_OK) return status;
  free(uRm(u) & 7);
  return finish(u);
}

/** FFREE and a pop. */
export function execFfreep(u: usize): i32 {
  const status = begin();
  if (status != XS_OK) return status;
  free(uRm(u) & 7);
  pop();
  return finish(u);
}

/** @sdm 2A "FDECSTP", "FINCSTP" */
export function execX87Rotate(u: usize): i32 {
  const status = begin();
  if (status != XS_OK) return status;
  setTop(uRm(u) & 1 ? top() + 1 : top() - 1);
  return finish(u);
}
