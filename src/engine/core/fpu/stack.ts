// The register stack, and how an instruction begins and ends. @sdm 1 8.1 "x87 FPU Execution Environment"
import {
  MODE, MODE_CODE64, RIP_BASE, X87, X87_FCW, X87_FDP, X87_FIP, X87_FOP, X87_FSW, X87_FTW, XS_OK,
} from '../layout';
import { cr0, fault } from '../state';
import { uImm2, uIsMem, uLen, uNext, uOpcode } from '../uop';
import { CR0_EM, CR0_TS, FSW_B, FSW_C0, FSW_C1, FSW_C2, FSW_C3, FSW_CONDITIONS, FSW_ES, FSW_EXCEPTIONS, FSW_TOP, FSW_TOP_SHIFT } from '../generated/register-bits';
import { VEC_MF, VEC_NM } from '../generated/events';
import { effectiveAddress } from '../exec/operand';
import { DE, IE, INDEFINITE, INDEFINITE_SE, OE, SF, UE, ZE, raise, raised, roundedUp, setRoundedUp, startArithmetic } from './float80';

const CR0_EM_TS: u64 = CR0_EM | CR0_TS;
export const C0: u32 = FSW_C0;
export const C1: u32 = FSW_C1;
export const C2: u32 = FSW_C2;
export const C3: u32 = FSW_C3;
export const CONDITIONS: u32 = FSW_CONDITIONS;

/** #NM while CR0.EM or CR0.TS is 1: control instructions test nothing else. */
@inline export function x87Absent(): bool { return (cr0() & CR0_EM_TS) != 0; }

/** Offset of the instruction in its code segment: RIP is not in memory for the handlers that are called without state. */
@inline export function instructionPointer(u: usize): u64 {
  const rip = load<u64>(RIP_BASE) + uNext(u) - uLen(u);
  return load<u32>(MODE) & MODE_CODE64 ? rip : rip & 0xffffffff;
}

/** Begins a waiting instruction: #NM, then #MF of an exception that is pending. CR0.NE is 1 in VMX operation. */
export function begin(): i32 {
  if (x87Absent()) return fault(VEC_NM);
  if (load<u16>(X87_FSW) & FSW_ES) return fault(VEC_MF);
  startArithmetic();
  return XS_OK;
}

@inline export function top(): u32 { return (load<u16>(X87_FSW) & FSW_TOP) >> FSW_TOP_SHIFT; }
@inline function physical(i: u32): u32 { return (top() + i) & 7; }
@inline function register(i: u32): usize { return X87 + (physical(i) << 4); }

@inline export function isEmpty(i: u32): bool { return !(load<u8>(X87_FTW) >> physical(i) & 1); }
@inline export function significandOf(i: u32): u64 { return load<u64>(register(i)); }
@inline export function upperOf(i: u32): u32 { return load<u16>(register(i), 8); }

export function setRegister(i: u32, se: u32, sig: u64): void {
  const p = register(i);
  store<u64>(p, sig);
  store<u16>(p, u16(se), 8);
  store<u8>(X87_FTW, u8(u32(load<u8>(X87_FTW)) | 1 << physical(i)));
}

export function setTop(value: u32): void {
  store<u16>(X87_FSW, u16(load<u16>(X87_FSW) & ~FSW_TOP | value << FSW_TOP_SHIFT & FSW_TOP));
}

export function free(i: u32): void {
  store<u8>(X87_FTW, u8(u32(load<u8>(X87_FTW)) & ~(1 << physical(i))));
}

export function pop(): void {
  free(0);
  setTop(top() + 1);
}

/** Pushes a number; the caller has looked for overflow. */
export function push(se: u32, sig: u64): void {
  setTop(top() - 1);
  setRegister(0, se, sig);
}

/** An operand is an empty register: IE and SF, C1 clear. */
export function underflow(): void {
  raise(IE | SF);
  setRoundedUp(false);
}

/** Pushing onto a register in use: IE and SF, C1 set. True when masked: the indefinite has been pushed. */
export function overflow(): bool {
  raise(IE | SF);
  setRoundedUp(true);
  if (!accepted()) return false;
  push(INDEFINITE_SE, INDEFINITE);
  return true;
}

export function setIndefinite(i: u32): void { setRegister(i, INDEFINITE_SE, INDEFINITE); }

/** The end of an instruction whose operand is an empty register: ST(0) becomes the indefinite where that is masked. */
export function emptyOperand(u: usize): i32 {
  underflow();
  if (accepted()) setIndefinite(0);
  return finish(u);
}

/** False when an exception that is found before the operation is not masked: operands and stack stay as they are. */
export function accepted(): bool {
  return (raised & ~u32(load<u16>(X87_FCW)) & (IE | DE | ZE)) == 0;
}

/** False when any exception that may keep a result from memory is not masked: IE, DE, OE and UE. */
export function storable(): bool {
  return (raised & ~u32(load<u16>(X87_FCW)) & (IE | DE | OE | UE)) == 0;
}

/** Sets condition codes C0 to C3 (C1 is set anew by finish). */
export function setConditions(bits: u32): void {
  store<u16>(X87_FSW, u16(load<u16>(X87_FSW) & ~CONDITIONS | bits));
}

export function clearConditions(bits: u32): void {
  store<u16>(X87_FSW, u16(load<u16>(X87_FSW) & ~bits));
}

export function addCondition(bit: u32): void {
  store<u16>(X87_FSW, u16(load<u16>(X87_FSW) | bit));
}

/** For instructions that leave C1: finish() writes back what it was. */
export function keepC1(): void { setRoundedUp((load<u16>(X87_FSW) & C1) != 0); }

/**
 * Ends an instruction: exception flags and C1 into FSW, ES and B when one is not masked, and the pointers. As on
 * processors with FDP_EXCPTN_ONLY, FDP changes with unmasked exceptions only; so does FOP.
 */
export function finish(u: usize): i32 {
  let flags = raised;
  const unmasked = flags & ~u32(load<u16>(X87_FCW)) & FSW_EXCEPTIONS;
  let status: u32 = load<u16>(X87_FSW) & ~C1;
  if (unmasked & (IE | DE | ZE)) {
    // nothing was computed: only what was found beforehand counts
    flags &= IE | DE | ZE | SF;
    if (roundedUp && flags & SF) status |= C1;
  } else if (roundedUp) status |= C1;
  status |= flags;
  if (unmasked) status |= FSW_ES | FSW_B;
  store<u16>(X87_FSW, u16(status));
  store<u64>(X87_FIP, instructionPointer(u));
  if (unmasked) {
    store<u16>(X87_FOP, u16((uOpcode(u) & 7) << 8 | uImm2(u) & 0xff));
    if (uIsMem(u)) store<u64>(X87_FDP, effectiveAddress(u));
  }
  return XS_OK;
}

/** ES and B anew, after the masks or the flags changed. */
export function refreshSummary(): void {
  const status: u32 = load<u16>(X87_FSW);
  const pending = status & ~u32(load<u16>(X87_FCW)) & FSW_EXCEPTIONS;
  store<u16>(X87_FSW, u16(pending ? status | FSW_ES | FSW_B : status & ~(FSW_ES | FSW_B)));
}
