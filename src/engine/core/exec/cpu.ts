// Instructions on the processor itself: identification, waiting, caches, random numbers.
import { clock, instructionNs, passTime } from '../clock';
import { PAUSE_NS } from '../prices';
import {
  ACTIVITY, ATT_HALT, MONITOR_ARMED, OP_LINEAR, PLE_FIRST, PLE_LAST, RANDOM_QUEUE, RANDOM_QUEUE_ENTRIES, RAX, RCX, RFLAGS,
  XS_OK,
} from '../layout';
import { attend, cpl, fault, faultCode } from '../state';
import { uAddrSize, uOpSize, uRm, uSeg } from '../uop';
import { RFLAGS_CF, RFLAGS_STATUS } from '../generated/register-bits';
import { ACTIVITY_HLT, VEC_GP, VEC_UD } from '../generated/events';
import { PLE_GAP, PLE_WINDOW } from '../generated/vmcs';
import {
  CPU2_PAUSE_LOOP_EXITING, CPU2_RDRAND_EXITING, CPU2_RDSEED_EXITING, CPU2_WBINVD_EXITING, CPU_HLT_EXITING,
  CPU_MONITOR_EXITING, CPU_MWAIT_EXITING, CPU_PAUSE_EXITING,
} from '../generated/controls';
import {
  EXIT_REASON_CPUID, EXIT_REASON_HLT, EXIT_REASON_INVD, EXIT_REASON_MONITOR_INSTRUCTION, EXIT_REASON_MWAIT_INSTRUCTION,
  EXIT_REASON_PAUSE_INSTRUCTION, EXIT_REASON_RDRAND, EXIT_REASON_RDSEED, EXIT_REASON_WBINVD,
} from '../generated/exits';
import { accessStatus } from '../mmu/access';
import { haltsNot } from '../vmx/apic';
import { vmExit } from '../vmx/exit';
import { exitRandom } from '../vmx/intercept';
import { limitSlice } from '../vmx/preemption';
import { quickCpuid } from '../vmx/quick';
import { field32, primaryControls, secondaryControls } from '../vmx/vmcs';
import { cutAddress, readLinear, registerPointer, storeRegister } from './operand';
import { segmentLinear } from './segment';

/** Exits unconditionally; an answer that the VMM has given is repeated here. @sdm 2A "CPUID" */
export function execCpuid(u: usize): i32 { return quickCpuid() ? XS_OK : vmExit(EXIT_REASON_CPUID, 0); }

/** Without the exit the vCPU becomes inactive and run() answers RUN_HALTED. @sdm 2A "HLT" */
export function execHlt(u: usize): i32 {
  if (cpl()) return faultCode(VEC_GP, 0);
  if (primaryControls() & CPU_HLT_EXITING) return haltsNot() ? XS_OK : vmExit(EXIT_REASON_HLT, 0);
  store<u32>(ACTIVITY, ACTIVITY_HLT);
  attend(ATT_HALT);
  return XS_OK;
}

/**
 * Takes virtual time, so that loops that wait for a time end as soon as on hardware. It ends its block: the next one
 * begins with the new limit.
 * A PAUSE more than PLE_Gap after the last one begins a new loop; one more than PLE_Window after the
 * loop's first exits.
 * @sdm 3C 25.1.3 "Instructions That Cause VM Exits Conditionally"
 */
export function execPause(u: usize): i32 {
  if (primaryControls() & CPU_PAUSE_EXITING) return vmExit(EXIT_REASON_PAUSE_INSTRUCTION, 0);
  const status = pauseLoop();
  if (status != XS_OK) return status;
  takeTime(PAUSE_NS);
  return XS_OK;
}

/** PAUSE where nothing makes it exit. */
export function pauseAtOnce(): bool {
  if (primaryControls() & CPU_PAUSE_EXITING || secondaryControls() & CPU2_PAUSE_LOOP_EXITING) return false;
  takeTime(PAUSE_NS);
  return true;
}

/** The running instruction takes so many ns, unless each takes more. It ends its block: a deadline may have come. */
export function takeTime(ns: u64): void {
  if (ns > instructionNs()) passTime(ns - instructionNs());
  limitSlice();
}

function pauseLoop(): i32 {
  if (!(secondaryControls() & CPU2_PAUSE_LOOP_EXITING) || cpl()) return XS_OK;
  const now = clock();
  if (load<u64>(PLE_LAST) == ~(<u64>0) || now - load<u64>(PLE_LAST) > field32(PLE_GAP)) store<u64>(PLE_FIRST, now);
  else if (now - load<u64>(PLE_FIRST) > field32(PLE_WINDOW)) return vmExit(EXIT_REASON_PAUSE_INSTRUCTION, 0);
  store<u64>(PLE_LAST, now);
  return XS_OK;
}

/** @sdm 2B "MONITOR" */
export function execMonitor(u: usize): i32 {
  if (cpl()) return fault(VEC_UD);
  if (primaryControls() & CPU_MONITOR_EXITING) return vmExit(EXIT_REASON_MONITOR_INSTRUCTION, 0);
  if (load<u32>(RCX)) return faultCode(VEC_GP, 0);
  if (!segmentLinear(uSeg(u), cutAddress(load<u64>(RAX), uAddrSize(u)), 1, false)) return accessStatus();
  if (!readLinear(load<u64>(OP_LINEAR), 1)) return accessStatus();
  store<u32>(MONITOR_ARMED, 1);
  return XS_OK;
}

/** Qualification of the exit: whether MONITOR armed the address. Without the exit the wait ends at once. @sdm 2B "MWAIT" */
export function execMwait(u: usize): i32 {
  if (cpl()) return fault(VEC_UD);
  if (primaryControls() & CPU_MWAIT_EXITING) return vmExit(EXIT_REASON_MWAIT_INSTRUCTION, load<u32>(MONITOR_ARMED));
  if (load<u32>(RCX) & ~1) return faultCode(VEC_GP, 0);
  store<u32>(MONITOR_ARMED, 0);
  return XS_OK;
}

/** Exits unconditionally. @sdm 2A "INVD" */
export function execInvd(u: usize): i32 {
  if (cpl()) return faultCode(VEC_GP, 0);
  return vmExit(EXIT_REASON_INVD, 0);
}

/** No caches to write back. @sdm 2D "WBINVD" */
export function execWbinvd(u: usize): i32 {
  if (cpl()) return faultCode(VEC_GP, 0);
  return secondaryControls() & CPU2_WBINVD_EXITING ? vmExit(EXIT_REASON_WBINVD, 0) : XS_OK;
}

/** Next value of the host's queue, or of xorshift64 over its seed. */
export function nextRandom(): u64 {
  const head = load<u32>(RANDOM_QUEUE);
  if (head != load<u32>(RANDOM_QUEUE + 4)) {
    store<u32>(RANDOM_QUEUE, head + 1);
    return load<u64>(RANDOM_QUEUE + 16 + ((head & (RANDOM_QUEUE_ENTRIES - 1)) << 3));
  }
  let x = load<u64>(RANDOM_QUEUE + 8);
  if (x == 0) x = 0x9e3779b97f4a7c15;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  store<u64>(RANDOM_QUEUE + 8, x);
  return x;
}

function giveRandom(u: usize): i32 {
  storeRegister(registerPointer(uRm(u), false), uOpSize(u), nextRandom());
  store<u64>(RFLAGS, load<u64>(RFLAGS) & ~RFLAGS_STATUS | RFLAGS_CF);
  return XS_OK;
}

/** @sdm 2B "RDRAND" */
export function execRdrand(u: usize): i32 {
  return secondaryControls() & CPU2_RDRAND_EXITING ? exitRandom(u, EXIT_REASON_RDRAND) : giveRandom(u);
}

/** @sdm 2B "RDSEED" */
export function execRdseed(u: usize): i32 {
  return secondaryControls() & CPU2_RDSEED_EXITING ? exitRandom(u, EXIT_REASON_RDSEED) : giveRandom(u);
}

/** There is no system-management mode to leave. @sdm 2B "RSM" */
export function execRsm(u: usize): i32 { return fault(VEC_UD); }
