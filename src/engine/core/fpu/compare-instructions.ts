// Comparisons and classification. @sdm 1 8.3.6 "Comparison and Classification Instructions"
import { RFLAGS, XS_OK } from '../layout';
import { uIsMem, uModReg, uOpcode, uRm } from '../uop';
import { RFLAGS_STATUS } from '../generated/register-bits';
import { CF, PF, ZF } from '../exec/flags';
import { accessStatus } from '../mmu/access';
import { loaded, readNumber } from './arithmetic-instructions';
import { UNORDERED, compare } from './compare';
import { DENORMAL, INFINITE, NORMAL, QNAN, SNAN, UNSUPPORTED, ZERO, classOf, resultSe, setRoundedUp, signOf } from './float80';
import { quickCompare, quickCompareFlags, quickCompareMemory } from './quick-compare';
import { knownOperand } from './quick-operand';
import {
  C0, C2, C3, accepted, begin, finish, isEmpty, pop, setConditions, significandOf, underflow, upperOf,
} from './stack';

/** Compares ST(0) with ST(i); false: an exception that is not masked. */
let conditions: u32 = 0;
function compareWith(i: u32, quiet: bool): bool {
  if (isEmpty(0) || isEmpty(i)) {
    underflow();
    conditions = UNORDERED;
  } else conditions = compare(upperOf(0), significandOf(0), upperOf(i), significandOf(i), quiet);
  return accepted();
}

/** FCOM and FCOMP with memory. @sdm 2A "FCOM/FCOMP/FCOMPP", "FICOM/FICOMP" */
export function execX87CompareMemory(u: usize): i32 {
  if (quickCompareMemory(u, knownOperand(u))) return XS_OK;
  const status = begin();
  if (status != XS_OK) return status;
  if (!readNumber(u)) return accessStatus();
  const se = resultSe;
  if (isEmpty(0)) {
    underflow();
    conditions = UNORDERED;
  } else conditions = compare(upperOf(0), significandOf(0), se, loaded, false);
  if (accepted()) {
    setConditions(conditions);
    if (uModReg(u) == 3) pop();
  }
  return finish(u);
}

/** FCOM, FCOMP, FUCOM, FUCOMP with ST(i); FCOMPP, FUCOMPP. */
export function execX87Compare(u: usize): i32 {
  if (quickCompare(u)) return XS_OK;
  const status = begin();
  if (status != XS_OK) return status;
  const opcode = uOpcode(u);
  const form = uModReg(u);
  const quiet = opcode == 0xdd || opcode == 0xda;
  if (compareWith(uRm(u) & 7, quiet)) {
    setConditions(conditions);
    // DA E9 and DE D9 pop twice, the odd rows and DE D0 once
    if (form & 1 || opcode == 0xde) pop();
    if (opcode == 0xda || (opcode == 0xde && form == 3)) pop();
  }
  return finish(u);
}

/** FCOMI, FUCOMI and their popping forms set ZF, PF, CF. @sdm 2A "FCOMI/FCOMIP/FUCOMI/FUCOMIP" */
export function execX87CompareFlags(u: usize): i32 {
  const quick = quickCompareFlags(u);
  if (quick >= 0) {
    store<u64>(RFLAGS, load<u64>(RFLAGS) & ~RFLAGS_STATUS | quick);
    return XS_OK;
  }
  const status = begin();
  if (status != XS_OK) return status;
  if (compareWith(uRm(u) & 7, uModReg(u) == 5)) {
    const flags = (conditions & C0 ? CF : 0) | (conditions & C2 ? PF : 0) | (conditions & C3 ? ZF : 0);
    store<u64>(RFLAGS, load<u64>(RFLAGS) & ~RFLAGS_STATUS | flags);
    if (uOpcode(u) == 0xdf) pop();
  }
  return finish(u);
}

/** @sdm 2A "FTST" */
export function execFtst(u: usize): i32 {
  const status = begin();
  if (status != XS_OK) return status;
  if (isEmpty(0)) {
    underflow();
    conditions = UNORDERED;
  } else conditions = compare(upperOf(0), significandOf(0), 0, 0, false);
  if (accepted()) setConditions(conditions);
  return finish(u);
}

/** @sdm 2A "FXAM" */
export function execFxam(u: usize): i32 {
  const status = begin();
  if (status != XS_OK) return status;
  let bits: u32;
  if (isEmpty(0)) bits = C3 | C0;
  else {
    switch (classOf(upperOf(0), significandOf(0))) {
      case UNSUPPORTED: bits = 0; break;
      case QNAN: case SNAN: bits = C0; break;
      case NORMAL: bits = C2; break;
      case INFINITE: bits = C2 | C0; break;
      case ZERO: bits = C3; break;
      default: bits = C3 | C2;
    }
  }
  setConditions(bits);
  setRoundedUp(signOf(upperOf(0)) != 0);
  return finish(u);
}
