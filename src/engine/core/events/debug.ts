// Debug exceptions: single-step, DR0-DR3, general detect.
import {
  ATTENTION, ATT_STEP, ATT_TRAP, CR4, DR6, DR7, FAULT_ADDRESS, INTERRUPTIBILITY, PENDING_DBG, RFLAGS, RIP, SEG_CS, XS_FAULT, XS_OK,
} from '../layout';
import { attend, code64, fault, segBase } from '../state';
import {
  DR6_B0, DR6_B1, DR6_B2, DR6_B3, DR6_BD, DR6_BS, DR6_BT, DR7_ENABLES, DR7_GD, RFLAGS_RF, RFLAGS_TF,
} from '../generated/register-bits';
import { BLOCKING_BY_MOV_SS, VEC_DB } from '../generated/events';
import { isRepeating } from '../exec/repeat';
import { updateMode } from '../mmu/mode';
import { executionBreakpoints, portBreakpoint } from '../mmu/watch';
import { deliverFault } from './deliver';

const DR6_BREAKPOINTS: u64 = DR6_B0 | DR6_B1 | DR6_B2 | DR6_B3;

/** TF at the start of the instruction that runs: a POPF that sets it does not trap itself. */
let stepping: bool = false;
/** The instruction itself loaded RF (IRET): it stays for the next one. */
let loadedRf: bool = false;

export function keepRf(): void { loadedRf = true; }
/** An event was delivered: the instruction (INT n) that led to it does not trap. */
export function cancelStep(): void { stepping = false; }

/** SYSCALL and SYSRET single-step by the TF that they have loaded, not by the one before. @sdm 2B 4.3 "SYSRET" */
export function stepByFlags(): void {
  stepping = false;
  if (load<u64>(RFLAGS) & RFLAGS_TF) pendStep();
}

function pendStep(): void {
  store<u64>(PENDING_DBG, load<u64>(PENDING_DBG) | DR6_BS);
  attend(ATT_TRAP);
}

/** Before an instruction, while ATT_STEP is set: XS_OK, or XS_FAULT for an execution breakpoint of DR0-3. */
export function debugBefore(): i32 {
  const flags = load<u64>(RFLAGS);
  stepping = (flags & RFLAGS_TF) != 0;
  loadedRf = false;
  // MOV SS and POP SS keep off an instruction breakpoint on the instruction that follows
  if (flags & RFLAGS_RF || isRepeating() || !(load<u64>(DR7) & DR7_ENABLES) || load<u32>(INTERRUPTIBILITY) & BLOCKING_BY_MOV_SS) return XS_OK;
  const rip = load<u64>(RIP);
  const bits = executionBreakpoints(code64() ? rip : (rip + segBase(SEG_CS)) & 0xffffffff);
  return bits ? debugFault(bits) : XS_OK;
}

/** After an instruction that completed, while ATT_STEP was set before it. */
export function debugAfter(): void {
  // RF lasts for one instruction
  if (!loadedRf && load<u64>(RFLAGS) & RFLAGS_RF) {
    store<u64>(RFLAGS, load<u64>(RFLAGS) & ~RFLAGS_RF);
    updateMode();
  }
  if (!stepping) return;
  stepping = false;
  pendStep();
}

/** Records a fault-class #DB with bits for DR6. */
export function debugFault(bits: u64): i32 {
  fault(VEC_DB);
  store<u64>(FAULT_ADDRESS, bits);
  return XS_FAULT;
}

/** MOV DR with DR7.GD set: XS_FAULT with BD; otherwise XS_OK. */
export function generalDetect(): i32 { return load<u64>(DR7) & DR7_GD ? debugFault(DR6_BD) : XS_OK; }

/** A port access: #DB trap when DR0-3 with CR4.DE watch it. */
export function debugPort(port: u32, bytes: u32): void { portBreakpoint(port, bytes); }

/**
 * At a boundary: delivers the trap-class #DB that PENDING_DBG holds (XS_OK: RIP is in the handler), or XS_EXIT.
 * Bits 0-3 count with an enabled breakpoint (bit 12) only.
 */
export function deliverDebugTrap(): i32 {
  const pending = load<u64>(PENDING_DBG);
  store<u64>(PENDING_DBG, 0);
  store<u32>(ATTENTION, load<u32>(ATTENTION) & ~ATT_TRAP);
  fault(VEC_DB);
  store<u64>(FAULT_ADDRESS, pending & (DR6_BREAKPOINTS | DR6_BD | DR6_BS));
  return deliverFault();
}

/** Forgets trap-class #DBs that were pending, not those that have come since. @sdm 3C 26.7.3 "Delivery of Pending Debug Exceptions after VM Entry" */
export function dropDebugTraps(bits: u64): void {
  const rest = load<u64>(PENDING_DBG) & ~bits;
  store<u64>(PENDING_DBG, rest);
  if (!rest) store<u32>(ATTENTION, load<u32>(ATTENTION) & ~ATT_TRAP);
}

/** #DB is delivered: DR6 takes its bits, DR7.GD is cleared. @sdm 3B 18.2.3 "Debug Status Register (DR6)" */
export function debugDelivered(bits: u64): void {
  store<u64>(DR6, (load<u64>(DR6) & ~DR6_BREAKPOINTS) | (bits & (DR6_BREAKPOINTS | DR6_BD | DR6_BS | DR6_BT)));
  store<u64>(DR7, load<u64>(DR7) & ~DR7_GD);
}
