// Work between two instructions, in the order of priority, and the events that the VMM signals there.
import {
  ACTIVITY, ATTENTION, ATT_APIC, ATT_HALT, ATT_MTF, ATT_SHADOW, ATT_TPR, ATT_TRAP, ATT_WINDOW, ICOUNT, INTERRUPTIBILITY, IN_ROOT,
  MEMORY_END, RFLAGS, SHADOW_ICOUNT, STEPPED, XS_EXIT, XS_OK,
} from '../layout';
import { attend } from '../state';
import { RFLAGS_IF } from '../generated/register-bits';
import {
  ACTIVITY_HLT, ACTIVITY_SHUTDOWN, ACTIVITY_WAIT_FOR_SIPI, BLOCKING_BY_MOV_SS, BLOCKING_BY_NMI, BLOCKING_BY_STI,
  INFO_TYPE_SHIFT, INFO_VALID, TYPE_NMI, VEC_NMI,
} from '../generated/events';
import { TPR_THRESHOLD, VIRTUAL_APIC_PAGE_ADDR, VM_EXIT_CONTROLS } from '../generated/vmcs';
import {
  CPU_INTERRUPT_WINDOW_EXITING, CPU_NMI_WINDOW_EXITING, CPU_USE_TPR_SHADOW, EXIT_ACKNOWLEDGE_INTERRUPT_ON_EXIT,
  PIN_EXTERNAL_INTERRUPT_EXITING, PIN_NMI_EXITING, PIN_VIRTUAL_NMIS,
} from '../generated/controls';
import {
  EXIT_REASON_EXCEPTION_NMI, EXIT_REASON_EXTERNAL_INTERRUPT, EXIT_REASON_INIT_SIGNAL, EXIT_REASON_INTERRUPT_WINDOW,
  EXIT_REASON_MONITOR_TRAP_FLAG, EXIT_REASON_NMI_WINDOW, EXIT_REASON_PREEMPTION_TIMER, EXIT_REASON_SIPI_SIGNAL,
  EXIT_REASON_TPR_BELOW_THRESHOLD,
} from '../generated/exits';
import { deliverEvent } from '../events/deliver';
import { deliverDebugTrap } from '../events/debug';
import { apicIsDue, lookAtApic, passesWindow } from './apic';
import { exitInterruption, vmExit } from './exit';
import { timerFired } from './preemption';
import { field, field32, pinControls, primaryControls } from './vmcs';

const NMI_INFO: u32 = INFO_VALID | TYPE_NMI << INFO_TYPE_SHIFT | VEC_NMI;
/** What STI and MOV SS block for an instruction. */
export const SHADOW: u32 = BLOCKING_BY_STI | BLOCKING_BY_MOV_SS;
/** Held back: the state of the guest blocks the event. */
const HELD: i32 = -1;

@inline function drop(bits: u32): void { store<u32>(ATTENTION, load<u32>(ATTENTION) & ~bits); }
@inline function blocked(): u32 { return load<u32>(INTERRUPTIBILITY); }
@inline function interruptsOn(): bool { return (load<u64>(RFLAGS) & RFLAGS_IF) != 0; }

/** STI and MOV SS call this: events are blocked until the instruction after the current one has completed. */
export function beginShadow(bits: u32): void {
  store<u32>(INTERRUPTIBILITY, blocked() & ~SHADOW | bits);
  store<u64>(SHADOW_ICOUNT, load<u64>(ICOUNT) + 1);
  attend(ATT_SHADOW);
}

/** Bits 7:4 of the virtual TPR are below the TPR threshold. */
export function tprBelowThreshold(): bool {
  const page = field(VIRTUAL_APIC_PAGE_ADDR);
  if (!(primaryControls() & CPU_USE_TPR_SHADOW) || page >= load<u64>(MEMORY_END)) return false;
  return <u32>load<u8>(<usize>page + 0x80) >> 4 < (field32(TPR_THRESHOLD) & 15);
}

/**
 * Work between two instructions while ATTENTION != 0: XS_OK to go on (RIP may be in the handler of
 * #DB), or XS_EXIT. TPR below threshold, MTF, debug traps, preemption timer, NMI window, interrupt window.
 * @sdm 3A 6.9 "Priority Among Simultaneous Exceptions and Interrupts" 3C 25.2 "Other Causes of VM Exits"
 */
export function boundary(): i32 {
  if (load<u32>(ATTENTION) & ATT_APIC && apicIsDue()) {
    if (load<u32>(ATTENTION) & ATT_SHADOW) endShadow();
    if (lookAtApic() != XS_OK) return XS_EXIT;
  }
  let stepped = load<u32>(STEPPED);
  store<u32>(STEPPED, 0);
  for (;;) {
    const attention = load<u32>(ATTENTION);
    if (attention & ATT_SHADOW) endShadow();
    if (attention & ATT_TPR) {
      drop(ATT_TPR);
      if (tprBelowThreshold()) return vmExit(EXIT_REASON_TPR_BELOW_THRESHOLD, 0);
    }
    if (attention & ATT_MTF && stepped) return vmExit(EXIT_REASON_MONITOR_TRAP_FLAG, 0);
    if (!debugTrapDue()) break;
    store<u32>(ACTIVITY, 0);
    if (deliverDebugTrap() != XS_OK) return XS_EXIT;
    if (debugTrapDue()) {
      // its own delivery has hit a breakpoint: the next one follows at once, and may do so without end
      store<u32>(STEPPED, 1);
      return XS_OK;
    }
    stepped = 1;
  }
  if (timerFired() && load<u32>(ACTIVITY) != ACTIVITY_WAIT_FOR_SIPI) return vmExit(EXIT_REASON_PREEMPTION_TIMER, 0);
  if (load<u32>(ATTENTION) & ATT_WINDOW) return window();
  if (load<u32>(ACTIVITY) == 0) drop(ATT_HALT);
  return XS_OK;
}

/** A trap-class #DB is to be delivered before another instruction runs. */
export function debugTrapDue(): bool { return (load<u32>(ATTENTION) & ATT_TRAP) != 0 && !(blocked() & BLOCKING_BY_MOV_SS); }

function endShadow(): void {
  if (blocked() & SHADOW && load<u64>(SHADOW_ICOUNT) == load<u64>(ICOUNT)) return;
  store<u32>(INTERRUPTIBILITY, blocked() & ~SHADOW);
  drop(ATT_SHADOW);
}

/** NMI window, then interrupt window; this CPU blocks NMIs by STI also, as the manual allows. ATT_WINDOW stays only while the shadow of STI or MOV SS is what keeps one shut. */
function window(): i32 {
  const primary = primaryControls();
  const activity = load<u32>(ACTIVITY);
  const open = !(blocked() & (BLOCKING_BY_NMI | SHADOW));
  if (activity != ACTIVITY_WAIT_FOR_SIPI && primary & CPU_NMI_WINDOW_EXITING && open) {
    return vmExit(EXIT_REASON_NMI_WINDOW, 0);
  }
  if (activity <= ACTIVITY_HLT && primary & CPU_INTERRUPT_WINDOW_EXITING && interruptsOn() && !(blocked() & SHADOW)) {
    return passesWindow() ? lookAtApic() : vmExit(EXIT_REASON_INTERRUPT_WINDOW, 0);
  }
  if (!(blocked() & SHADOW)) drop(ATT_WINDOW);
  return XS_OK;
}

/** Called by whoever may have set RFLAGS.IF (STI, POPF, IRET, SYSRET, task switch) or ended NMI blocking, with the new flags in memory. */
export function windowMayOpen(): void {
  const primary = primaryControls();
  // an interrupt window stays shut while RFLAGS.IF is 0, and system calls of who waits for nothing are frequent
  if (primary & CPU_NMI_WINDOW_EXITING || (primary & CPU_INTERRUPT_WINDOW_EXITING && interruptsOn())) attend(ATT_WINDOW);
}

/** An event wakes the guest and is delivered through its IDT. */
function wake(info: u32): i32 {
  store<u32>(ACTIVITY, 0);
  store<u32>(STEPPED, 1);
  drop(ATT_HALT);
  return deliverEvent(info, 0, 0);
}

/**
 * The VMM signals an external interrupt at a boundary: XS_EXIT (exit 1), XS_OK (the guest's IDT took
 * it), -1 held back: RFLAGS.IF = 0, a blocking state, or the vCPU is in root operation.
 */
export function externalInterrupt(vector: u32): i32 {
  if (load<u32>(IN_ROOT) || load<u32>(ACTIVITY) >= ACTIVITY_SHUTDOWN) return HELD;
  if (pinControls() & PIN_EXTERNAL_INTERRUPT_EXITING) {
    if (field32(VM_EXIT_CONTROLS) & EXIT_ACKNOWLEDGE_INTERRUPT_ON_EXIT) exitInterruption(INFO_VALID | vector & 0xff, 0);
    return vmExit(EXIT_REASON_EXTERNAL_INTERRUPT, 0);
  }
  if (!interruptsOn() || blocked() & SHADOW) return HELD;
  return wake(INFO_VALID | vector & 0xff);
}

/** The VMM signals an NMI at a boundary: as externalInterrupt, exit 0. */
export function nmi(): i32 {
  if (load<u32>(IN_ROOT) || load<u32>(ACTIVITY) == ACTIVITY_WAIT_FOR_SIPI) return HELD;
  const pin = pinControls();
  if (!(pin & PIN_VIRTUAL_NMIS) && blocked() & BLOCKING_BY_NMI) return HELD;
  if (pin & PIN_NMI_EXITING) {
    exitInterruption(NMI_INFO, 0);
    return vmExit(EXIT_REASON_EXCEPTION_NMI, 0);
  }
  if (blocked() & SHADOW) return HELD;
  return wake(NMI_INFO);
}

/** INIT: exit 3; a vCPU that waits for SIPI holds it back. */
export function initSignal(): i32 {
  if (load<u32>(IN_ROOT) || load<u32>(ACTIVITY) == ACTIVITY_WAIT_FOR_SIPI) return HELD;
  return vmExit(EXIT_REASON_INIT_SIGNAL, 0);
}

/** Start-up IPI: exit 4 with the vector as qualification while the vCPU waits for it, else -1. */
export function sipi(vector: u32): i32 {
  if (load<u32>(IN_ROOT) || load<u32>(ACTIVITY) != ACTIVITY_WAIT_FOR_SIPI) return HELD;
  return vmExit(EXIT_REASON_SIPI_SIGNAL, vector & 0xff);
}
