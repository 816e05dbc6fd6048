// Loads, constants, exchange and conditional moves.
import { OP_LINEAR, OP_VALUE, RFLAGS, TLB_READ, XS_OK } from '../layout';
import { uIsMem, uModReg, uOpcode, uRm } from '../uop';
import { accessStatus, readSlow } from '../mmu/access';
import { operandLinear, operandRead } from '../exec/operand';
import { fromBcd, fromF32, fromF64, fromInteger } from './convert';
import {
  DENORMAL, INDEFINITE, INDEFINITE_SE, NORMAL, QNAN, ROUND_CHOP, ROUND_DOWN, ROUND_UP, SNAN, classOf, noteDenormal, oneNan, resultSe,
  rounding, setResult,
} from './float80';
import { loadedBytes, quickConstant, quickExchange, quickLoad, quickLoadInteger, quickLoadRegister } from './quick-move';
import { known } from './quick-operand';
import {
  accepted, begin, emptyOperand, finish, isEmpty, keepC1, overflow, push, setIndefinite, setRegister, significandOf,
  underflow, upperOf,
} from './stack';

const FLD: u32 = 0;

function pushLoaded(u: usize, se: u32, sig: u64): i32 {
  if (!isEmpty(7)) overflow();
  else push(se, sig);
  return finish(u);
}

/** FLD m32fp, m64fp. @sdm 2A "FLD" */
export function execX87Load(u: usize): i32 {
  if (quickLoad(u, known(u, loadedBytes(u), TLB_READ))) return XS_OK;
  const status = begin();
  if (status != XS_OK) return status;
  const double = uOpcode(u) == 0xdd;
  if (!operandRead(u, double ? 8 : 4)) return accessStatus();
  if (!isEmpty(7)) {
    overflow();
    return finish(u);
  }
  const value = load<u64>(OP_VALUE);
  let sig = double ? fromF64(value) : fromF32(u32(value));
  noteDenormal(NORMAL, NORMAL);
  if (classOf(resultSe, sig) == SNAN) sig = oneNan(resultSe, sig, SNAN);
  if (accepted()) push(resultSe, sig);
  return finish(u);
}

/** FLD m80fp. */
export function execX87LoadExtended(u: usize): i32 {
  const status = begin();
  if (status != XS_OK) return status;
  if (!operandLinear(u, 10, false)) return accessStatus();
  const p = readSlow(load<u64>(OP_LINEAR), 10);
  if (!p) return accessStatus();
  return pushLoaded(u, load<u16>(p, 8), load<u64>(p));
}

/** FLD ST(i). */
export function execX87LoadRegister(u: usize): i32 {
  if (quickLoadRegister(u)) return XS_OK;
  const status = begin();
  if (status != XS_OK) return status;
  const i = uRm(u) & 7;
  if (isEmpty(i)) {
    underflow();
    if (accepted()) push(INDEFINITE_SE, INDEFINITE);
  } else if (!isEmpty(7)) overflow();
  else push(upperOf(i), significandOf(i));
  return finish(u);
}

/** FILD m16int, m32int, m64int. @sdm 2A "FILD" */
export function execX87LoadInteger(u: usize): i32 {
  if (quickLoadInteger(u, known(u, loadedBytes(u), TLB_READ))) return XS_OK;
  const status = begin();
  if (status != XS_OK) return status;
  const bytes: u32 = uOpcode(u) == 0xdb ? 4 : uModReg(u) == 5 ? 8 : 2;
  if (!operandRead(u, bytes)) return accessStatus();
  const value = load<u64>(OP_VALUE);
  const sig = fromInteger(bytes == 8 ? i64(value) : bytes == 4 ? i64(i32(value)) : i64(i16(value)));
  return pushLoaded(u, resultSe, sig);
}

/** @sdm 2A "FBLD" */
export function execFbld(u: usize): i32 {
  const status = begin();
  if (status != XS_OK) return status;
  if (!operandLinear(u, 10, false)) return accessStatus();
  const p = readSlow(load<u64>(OP_LINEAR), 10);
  if (!p) return accessStatus();
  const sig = fromBcd(p);
  return pushLoaded(u, resultSe, sig);
}

/**
 * Constants as their nearest number, with what the other rounding modes make of it: the 64-bit significands of
 * the exact values lie above (log2 10) or below (the rest) the nearest ones. @sdm 1 8.3.4 "Load Constant Instructions"
 */
export function execX87Constant(u: usize): i32 {
  if (quickConstant(u)) return XS_OK;
  const status = begin();
  if (status != XS_OK) return status;
  const lower = u64(rounding == ROUND_DOWN || rounding == ROUND_CHOP);
  let sig: u64 = 0;
  switch (uRm(u) & 7) {
    case 0: sig = setResult(0x3fff, 0x8000000000000000); break;
    case 1: sig = setResult(0x4000, 0xd49a784bcd1b8afe + u64(rounding == ROUND_UP)); break;
    case 2: sig = setResult(0x3fff, 0xb8aa3b295c17f0bc - lower); break;
    case 3: sig = setResult(0x4000, 0xc90fdaa22168c235 - lower); break;
    case 4: sig = setResult(0x3ffd, 0x9a209a84fbcff799 - lower); break;
    case 5: sig = setResult(0x3ffe, 0xb17217f7d1cf79ac - lower); break;
    default: setResult(0, 0);
  }
  return pushLoaded(u, resultSe, sig);
}

/** @sdm 2A "FXCH" */
export function execFxch(u: usize): i32 {
  if (quickExchange(u)) return XS_OK;
  const status = begin();
  if (status != XS_OK) return status;
  const i = uRm(u) & 7;
  if (isEmpty(0) || isEmpty(i)) {
    underflow();
    if (!accepted()) return finish(u);
    if (isEmpty(0)) setIndefinite(0);
    if (isEmpty(i)) setIndefinite(i);
  }
  const se = upperOf(0);
  const sig = significandOf(0);
  setRegister(0, upperOf(i), significandOf(i));
  setRegister(i, se, sig);
  return finish(u);
}

/** FCMOVcc: DA below, equal, below or equal, unordered; DB their opposites. @sdm 2A "FCMOVcc" */
export function execFcmov(u: usize): i32 {
  const status = begin();
  if (status != XS_OK) return status;
  const i = uRm(u) & 7;
  if (isEmpty(0) || isEmpty(i)) return emptyOperand(u);
  keepC1();
  const flags = load<u32>(RFLAGS);
  const condition = uModReg(u);
  // CF, ZF, CF or ZF, PF
  const mask: u32 = condition == 0 ? 1 : condition == 1 ? 0x40 : condition == 2 ? 0x41 : 4;
  if (((flags & mask) != 0) == (uOpcode(u) == 0xda)) setRegister(0, upperOf(i), significandOf(i));
  return finish(u);
}
