// FADD to FDIVR in all their forms, and the operations on ST(0) alone or with ST(1).
import { OP_VALUE, XS_OK } from '../layout';
import { uModReg, uOpcode, uRm } from '../uop';
import { accessStatus } from '../mmu/access';
import { operandRead } from '../exec/operand';
import { add, divide, multiply, squareRoot, subtract } from './arith';
import { INDEFINITE, INDEFINITE_SE, SIGN, resultSe, setResult, setRoundedUp } from './float80';
import { fromF32, fromF64, fromInteger } from './convert';
import { quickArithmetic, quickArithmeticMemory, quickRoot } from './quick-arithmetic';
import { quickSign } from './quick-move';
import { knownOperand } from './quick-operand';
import { divided, extract, partial, quotient, remainderOf, roundToIntegral, scale, significand, significandSe } from './remainder';
import {
  C0, C2, C3, accepted, begin, clearConditions, emptyOperand, finish, isEmpty, overflow, pop, push, setConditions,
  setIndefinite, setRegister, significandOf, underflow, upperOf,
} from './stack';

/** Reads the memory operand of D8, DA, DC or DE as a number: m32, m32 integer, m64, m16 integer. Its significand is `loaded`. */
export let loaded: u64 = 0;
export function readNumber(u: usize): bool {
  const form = uOpcode(u) & 6;
  if (!operandRead(u, form == 4 ? 8 : form == 6 ? 2 : 4)) return false;
  const value = load<u64>(OP_VALUE);
  if (form == 0) loaded = fromF32(u32(value));
  else if (form == 2) loaded = fromInteger(i64(i32(value)));
  else if (form == 4) loaded = fromF64(value);
  else loaded = fromInteger(i64(i16(value)));
  return true;
}

/** a op b, by ModRM.reg: 0 FADD, 1 FMUL, 4 FSUB, 5 FSUBR, 6 FDIV, 7 FDIVR. */
function operate(operation: u32, aSe: u32, aSig: u64, bSe: u32, bSig: u64): u64 {
  switch (operation) {
    case 0: return add(aSe, aSig, bSe, bSig);
    case 1: return multiply(aSe, aSig, bSe, bSig);
    case 4: return subtract(aSe, aSig, bSe, bSig);
    case 5: return subtract(bSe, bSig, aSe, aSig);
    case 6: return divide(aSe, aSig, bSe, bSig);
    default: return divide(bSe, bSig, aSe, aSig);
  }
}

/** @sdm 2A "FADD/FADDP/FIADD", "FSUB/FSUBP/FISUB", "FMUL/FMULP/FIMUL", "FDIV/FDIVP/FIDIV" */
export function execX87Arithmetic(u: usize): i32 { return quickArithmetic(u) ? XS_OK : arithmetic(u); }

function arithmetic(u: usize): i32 {
  const status = begin();
  if (status != XS_OK) return status;
  const operation = uModReg(u);
  const other = uRm(u) & 7;
  const opcode = uOpcode(u);
  const destination = opcode == 0xd8 ? 0 : other;
  let sig: u64 = INDEFINITE;
  if (isEmpty(0) || isEmpty(other)) {
    underflow();
    setResult(INDEFINITE_SE, INDEFINITE);
  } else sig = operate(operation, upperOf(0), significandOf(0), upperOf(other), significandOf(other));
  if (accepted()) {
    setRegister(destination, resultSe, sig);
    if (opcode == 0xde) pop();
  }
  return finish(u);
}

/** The same of ST(0) and a number in memory. */
export function execX87ArithmeticMemory(u: usize): i32 { return quickArithmeticMemory(u, knownOperand(u)) ? XS_OK : arithmeticMemory(u); }

function arithmeticMemory(u: usize): i32 {
  const status = begin();
  if (status != XS_OK) return status;
  if (!readNumber(u)) return accessStatus();
  const bSe = resultSe;
  if (isEmpty(0)) return emptyOperand(u);
  const sig = operate(uModReg(u), upperOf(0), significandOf(0), bSe, loaded);
  if (accepted()) setRegister(0, resultSe, sig);
  return finish(u);
}

/** @sdm 2A "FCHS", "FABS" */
export function execX87Sign(u: usize): i32 {
  if (quickSign(u)) return XS_OK;
  const status = begin();
  if (status != XS_OK) return status;
  if (isEmpty(0)) return emptyOperand(u);
  setRegister(0, uRm(u) & 1 ? upperOf(0) & ~SIGN : upperOf(0) ^ SIGN, significandOf(0));
  return finish(u);
}

/** FSQRT and FRNDINT. @sdm 2A "FSQRT", "FRNDINT" */
export function execX87Unary(u: usize): i32 {
  const root = (uRm(u) & 7) == 2;
  if (root && quickRoot(u)) return XS_OK;
  const status = begin();
  if (status != XS_OK) return status;
  if (isEmpty(0)) return emptyOperand(u);
  const se = upperOf(0);
  const sig = root ? squareRoot(se, significandOf(0)) : roundToIntegral(se, significandOf(0));
  if (accepted()) setRegister(0, resultSe, sig);
  return finish(u);
}

/** @sdm 2A "FSCALE" */
export function execFscale(u: usize): i32 {
  const status = begin();
  if (status != XS_OK) return status;
  if (isEmpty(0) || isEmpty(1)) return emptyOperand(u);
  const sig = scale(upperOf(0), significandOf(0), upperOf(1), significandOf(1));
  if (accepted()) setRegister(0, resultSe, sig);
  return finish(u);
}

/** Quotient bits go to C0, C3, C1; C2 tells of a partial remainder. @sdm 2A "FPREM", "FPREM1" */
export function execFprem(u: usize): i32 {
  const status = begin();
  if (status != XS_OK) return status;
  if (isEmpty(0) || isEmpty(1)) {
    underflow();
    if (accepted()) setIndefinite(0);
    clearConditions(C2);
    return finish(u);
  }
  const sig = remainderOf(upperOf(0), significandOf(0), upperOf(1), significandOf(1), (uRm(u) & 7) == 5);
  if (accepted()) setRegister(0, resultSe, sig);
  if (!accepted() || !divided) {
    clearConditions(C2);
    return finish(u);
  }
  if (partial) setConditions(C2);
  else setConditions((quotient & 4 ? C0 : 0) | (quotient & 2 ? C3 : 0));
  setRoundedUp(!partial && (quotient & 1) != 0);
  return finish(u);
}

/** @sdm 2A "FXTRACT" */
export function execFxtract(u: usize): i32 {
  const status = begin();
  if (status != XS_OK) return status;
  if (isEmpty(0)) {
    underflow();
    if (accepted()) {
      setIndefinite(0);
      push(INDEFINITE_SE, INDEFINITE);
    }
    return finish(u);
  }
  if (!isEmpty(7)) {
    if (overflow()) setIndefinite(1);
    return finish(u);
  }
  const exponent = extract(upperOf(0), significandOf(0));
  if (accepted()) {
    setRegister(0, resultSe, exponent);
    push(significandSe, significand);
  }
  return finish(u);
}
