// Stores to memory and to registers.
import { OP_LINEAR, OP_VALUE, TLB_WRITE, XS_OK } from '../layout';
import { uIsMem, uModReg, uOpcode, uRm } from '../uop';
import { accessStatus, writeSlow, wroteAs } from '../mmu/access';
import { operandLinear, operandWrite } from '../exec/operand';
import { toBcd, toF32, toF64, toInteger } from './convert';
import { INDEFINITE, INDEFINITE_SE, ROUND_CHOP, rounding } from './float80';
import { quickStore, quickStoreInteger, quickStoreRegister, storedBytes } from './quick-move';
import { known } from './quick-operand';
import { accepted, begin, finish, isEmpty, pop, setRegister, significandOf, storable, underflow, upperOf } from './stack';

/** ST(0) to be stored: the indefinite when it is empty and that is masked. */
let se: u32 = 0;
let sig: u64 = 0;
function take(): bool {
  if (!isEmpty(0)) {
    se = upperOf(0);
    sig = significandOf(0);
    return true;
  }
  underflow();
  se = INDEFINITE_SE;
  sig = INDEFINITE;
  return accepted();
}

/** FST and FSTP m32fp, m64fp. @sdm 2A "FST/FSTP" */
export function execX87Store(u: usize): i32 {
  if (quickStore(u, known(u, storedBytes(u), TLB_WRITE))) return XS_OK;
  const status = begin();
  if (status != XS_OK) return status;
  if (!take()) return finish(u);
  const double = uOpcode(u) == 0xdd;
  const value = double ? toF64(se, sig) : u64(toF32(se, sig));
  if (!storable()) return finish(u);
  if (!operandWrite(u, double ? 8 : 4, value)) return accessStatus();
  if (uModReg(u) == 3) pop();
  return finish(u);
}

/** FSTP m80fp. */
export function execX87StoreExtended(u: usize): i32 {
  const status = begin();
  if (status != XS_OK) return status;
  if (!take()) return finish(u);
  if (!operandLinear(u, 10, true)) return accessStatus();
  const p = writeSlow(load<u64>(OP_LINEAR), 10, false);
  if (!p) return accessStatus();
  store<u64>(p, sig);
  store<u16>(p, u16(se), 8);
  if (!wroteAs(p, 10)) return accessStatus();
  pop();
  return finish(u);
}

/** FST and FSTP ST(i), and the aliases of the latter. */
export function execX87StoreRegister(u: usize): i32 {
  if (quickStoreRegister(u)) return XS_OK;
  const status = begin();
  if (status != XS_OK) return status;
  if (uOpcode(u) == 0xd9 && isEmpty(0)) {
    // D9 D8+i, undocumented, does not look whether ST(0) is empty
    pop();
    return finish(u);
  }
  if (!take()) return finish(u);
  setRegister(uRm(u) & 7, se, sig);
  if (uModReg(u) == 3 || uOpcode(u) == 0xdf) pop();
  return finish(u);
}

/** FIST, FISTP, FISTTP of 16, 32 and 64 bits. @sdm 2A "FIST/FISTP", "FISTTP" */
export function execX87StoreInteger(u: usize): i32 {
  if (quickStoreInteger(u, known(u, storedBytes(u), TLB_WRITE))) return XS_OK;
  const status = begin();
  if (status != XS_OK) return status;
  if (!take()) return finish(u);
  const form = uModReg(u);
  const opcode = uOpcode(u);
  const bytes: u32 = opcode == 0xdb ? 4 : opcode == 0xdd || form == 7 ? 8 : 2;
  const value = toInteger(se, sig, bytes, form == 1 ? ROUND_CHOP : rounding);
  if (!storable()) return finish(u);
  if (!operandWrite(u, bytes, value)) return accessStatus();
  if (form != 2) pop();
  return finish(u);
}

/** @sdm 2A "FBSTP" */
export function execFbstp(u: usize): i32 {
  const status = begin();
  if (status != XS_OK) return status;
  if (!take()) return finish(u);
  toBcd(se, sig, digits);
  if (!storable()) return finish(u);
  if (!operandLinear(u, 10, true)) return accessStatus();
  const p = writeSlow(load<u64>(OP_LINEAR), 10, false);
  if (!p) return accessStatus();
  memory.copy(p, digits, 10);
  if (!wroteAs(p, 10)) return accessStatus();
  pop();
  return finish(u);
}

const digits: usize = memory.data(16, 8);
