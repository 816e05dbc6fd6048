// What a processor's own interrupts need of its local APIC, done here instead of by the VMM: the end of an interrupt, an interrupt for
// itself, its delivery, the task priority, and the start of the timer. The exits are recorded as any other, and the guest is where the VM entry
// behind them leaves it. The vectors in service and requested stand in this memory for the VMM's device as well; of the rest it
// hears when the VMM runs next (src/engine/vmm/core-apic.ts). @sdm 3A 10.8 "Handling Interrupts"
import {
  ACTIVITY, APIC_ACCEPTED, APIC_ASKS, APIC_CHANGES, APIC_CHANGE_COUNT, APIC_COUNT_NS, APIC_DELIVERS, APIC_DUTY, APIC_GPA, APIC_HEARD,
  APIC_HEARD_COUNT, APIC_HEARD_DEADLINE, APIC_HEARD_ICR, APIC_HEARD_REQUEST, APIC_HEARD_TPR, APIC_ICOUNT, APIC_ICR, APIC_IRR, APIC_ISR, APIC_KICKS, APIC_MAX_CHANGES, APIC_OTHER_EVENT,
  APIC_TAKES_DEADLINE, APIC_TIMER_AT, APIC_TIMER_VALUE, APIC_TMR, APIC_TPR, APIC_VECTORS, APIC_VECTORS_BYTES, ATTENTION, ATT_APIC, ATT_SHADOW, ATT_WINDOW, ICOUNT,
  INTERRUPTIBILITY, LIMIT, NEXT_EVENT, NEXT_RIP, QUICK_WAITS, RFLAGS, RIP, STEPPED, TRACE_SEQUENCE, TSC_ADJUST, VCPU_INDEX, XS_OK,
} from '../layout';
import { attend } from '../state';
import {
  CPU_BASED_VM_EXEC_CONTROL, TSC_OFFSET, VM_ENTRY_EXCEPTION_ERROR_CODE, VM_ENTRY_INSTRUCTION_LEN, VM_ENTRY_INTR_INFO,
} from '../generated/vmcs';
import { CPU_INTERRUPT_WINDOW_EXITING, CPU_NMI_WINDOW_EXITING } from '../generated/controls';
import { EXIT_REASON_HLT, EXIT_REASON_INTERRUPT_WINDOW } from '../generated/exits';
import { clock, clockBehind } from '../clock';
import { deliverEvent } from '../events/deliver';
import { isRepeating } from '../exec/repeat';
import { EMULATION_NS } from '../prices';
import { RFLAGS_IF } from '../generated/register-bits';
import { MSR_IA32_TSC_DEADLINE, MSR_X2APIC_FIRST } from '../generated/msrs';
import { INFO_VALID } from '../generated/events';
import { SHADOW } from './boundary';
import { complete, enterAgain, mayComplete, recordAnswer, recordQuick } from './quick';
import { countSteady, readsSteadily, unsettle } from './steady';
import { primaryControls, vmcs } from './vmcs';

/** A write that the VMM's device is to be asked for; one that is done; one behind which a VM entry looks for interrupts. */
export const APIC_LEFT: u32 = 0;
export const APIC_DONE: u32 = 1;
export const APIC_ENTERS: u32 = 2;

/** Registers, as offsets in the window. */
const TPR: u64 = 0x80;
const EOI: u64 = 0xb0;
const ICR_LOW: u64 = 0x300;
const INITIAL_COUNT: u64 = 0x380;
const SELF_IPI: u64 = 0x3f0;

/** ICR bits that a write sets; shorthand, delivery mode and vector say whether it is a plain interrupt for this processor alone. */
const ICR_BITS: u32 = 0x000ccfff;
const ICR_TO_SELF: u32 = 0x00040000;
const ICR_SHORTHAND_AND_MODE: u32 = 0x000c0700;
const X2APIC_ICR_RESERVED: u64 = 0xfff32000;
const FIRST_VECTOR: u32 = 16;
/** As of time/deadlines.ts: a timer for later never fires. */
const END_OF_TIME: u64 = (<u64>1 << 53) - (<u64>1 << 40);

@inline function vectors(): usize { return <usize>APIC_VECTORS + <usize>load<u32>(VCPU_INDEX) * <usize>APIC_VECTORS_BYTES; }

/** Highest vector of a set, or -1. */
function highest(set: usize): i32 {
  for (let at: i32 = 24; at >= 0; at -= 8) {
    const bits = load<u64>(set + at);
    if (bits) return (at << 3) + 63 - i32(clz(bits));
  }
  return -1;
}

@inline function wordOf(set: usize, vector: u32): usize { return set + (vector >> 5 << 2); }
@inline function has(set: usize, vector: u32): bool { return (load<u32>(wordOf(set, vector)) >> (vector & 31) & 1) != 0; }
@inline function put(set: usize, vector: u32): void { store<u32>(wordOf(set, vector), load<u32>(wordOf(set, vector)) | <u32>1 << (vector & 31)); }
@inline function take(set: usize, vector: u32): void { store<u32>(wordOf(set, vector), load<u32>(wordOf(set, vector)) & ~(<u32>1 << (vector & 31))); }

/** Vector that the processor would get now, or -1. @sdm 3A 10.8.3.1 "Task and Processor Priorities" */
function pendingVector(): i32 {
  const set = vectors();
  const requested = highest(set + APIC_IRR);
  if (requested < 0) return -1;
  const priority = max<i32>(highest(set + APIC_ISR) >> 4, i32(load<u32>(APIC_TPR) >> 4));
  return requested >> 4 > priority ? requested : -1;
}

/** Something waits for the vCPU, an interrupt for its window: behind an instruction that runs again there is another VM entry. */
export function interruptWaits(): bool {
  return load<u32>(QUICK_WAITS) != 0 || (load<u32>(APIC_DUTY) != APIC_ASKS && pendingVector() >= 0);
}

@inline function takesInterrupts(): bool { return (load<u32>(RFLAGS) & u32(RFLAGS_IF)) != 0 && !(load<u32>(INTERRUPTIBILITY) & SHADOW); }

/** May this vector be delivered, or its window asked for, without the VMM? */
function mayDeliver(vector: i32): bool {
  return vector < 0 || (load<u32>(APIC_DUTY) == APIC_DELIVERS && load<u32>(APIC_CHANGE_COUNT) < <u32>APIC_MAX_CHANGES);
}

@inline function hear(news: u32): void { store<u32>(APIC_HEARD, load<u32>(APIC_HEARD) | news); }

/** An interrupt waits behind the running instruction. @param kicks what retires the instruction is not its exit */
function lookBehind(kicks: bool): void {
  store<u64>(APIC_ICOUNT, load<u64>(ICOUNT));
  store<u32>(APIC_KICKS, kicks ? 1 : 0);
  attend(ATT_APIC);
  hear(APIC_HEARD_REQUEST);
}

/** The VM entry behind the running instruction finds this vector, or none. */
function entersWith(vector: i32, kicks: bool): void {
  if (vector < 0) return;
  // one that waits for its window waits on
  if (primaryControls() & CPU_INTERRUPT_WINDOW_EXITING && !takesInterrupts()) return;
  lookBehind(kicks);
}

function endInterrupt(kicks: bool): u32 {
  const set = vectors();
  const served = highest(set + APIC_ISR);
  if (served < 0) {
    const vector = pendingVector();
    if (!mayDeliver(vector)) return APIC_LEFT;
    entersWith(vector, kicks);
    return vector < 0 ? APIC_DONE : APIC_ENTERS;
  }
  // I/O APICs hear of the end of a level-triggered one
  if (has(set + APIC_TMR, served)) return APIC_LEFT;
  take(set + APIC_ISR, served);
  const vector = pendingVector();
  if (!mayDeliver(vector)) {
    put(set + APIC_ISR, served);
    return APIC_LEFT;
  }
  entersWith(vector, kicks);
  return APIC_ENTERS;
}

function setPriority(value: u32, kicks: bool): u32 {
  const before = load<u32>(APIC_TPR);
  store<u32>(APIC_TPR, value);
  const vector = pendingVector();
  if (!mayDeliver(vector)) {
    store<u32>(APIC_TPR, before);
    return APIC_LEFT;
  }
  hear(APIC_HEARD_TPR);
  entersWith(vector, kicks);
  return APIC_ENTERS;
}

/** Asks this processor for an interrupt. */
function request(vector: u32, kicks: bool): u32 {
  if (vector < FIRST_VECTOR || load<u32>(APIC_DUTY) != APIC_DELIVERS) return APIC_LEFT;
  const set = vectors();
  const waits = has(set + APIC_IRR, vector);
  put(set + APIC_IRR, vector);
  const next = pendingVector();
  if (!mayDeliver(next)) {
    if (!waits) take(set + APIC_IRR, vector);
    return APIC_LEFT;
  }
  take(set + APIC_TMR, vector);
  const accepted = <usize>APIC_ACCEPTED + (<usize>(load<u32>(VCPU_INDEX) << 8 | vector) << 3);
  store<f64>(accepted, load<f64>(accepted) + 1);
  entersWith(next, kicks);
  return APIC_ENTERS;
}

function sendToSelf(icr: u64, kicks: bool): u32 {
  const low = u32(icr) & ICR_BITS;
  if ((low & ICR_SHORTHAND_AND_MODE) != ICR_TO_SELF) return APIC_LEFT;
  const status = request(low & 0xff, kicks);
  if (status == APIC_LEFT) return APIC_LEFT;
  store<u64>(APIC_ICR, (icr & ~(<u64>0xffffffff)) | low);
  hear(APIC_HEARD_ICR);
  return status;
}

/** The timer is due at `due`, 0: never; of its register the VMM hears `value` and a time. The guest goes on `behind`. */
function startTimer(value: u64, at: u64, due: u64, behind: u64, news: u32): u32 {
  if (due > END_OF_TIME) return APIC_LEFT;
  const event = due ? min<u64>(due, load<u64>(APIC_OTHER_EVENT)) : load<u64>(APIC_OTHER_EVENT);
  if (event <= behind) return APIC_LEFT;
  store<u64>(NEXT_EVENT, event);
  store<u64>(APIC_TIMER_VALUE, value);
  store<u64>(APIC_TIMER_AT, at);
  hear(news);
  return pendingVector() < 0 ? APIC_DONE : APIC_ENTERS;
}

/** @param behind when the guest goes on, at the earliest */
function writeCount(value: u32, at: u64, behind: u64): u32 {
  const ns = load<u32>(APIC_COUNT_NS);
  return ns ? startTimer(value, at, value ? at + <u64>value * ns : 0, behind, APIC_HEARD_COUNT) : APIC_LEFT;
}

function writeDeadline(value: u64): u32 {
  if (!load<u32>(APIC_TAKES_DEADLINE)) return APIC_LEFT;
  const now = clock();
  const tsc = now + load<u64>(TSC_ADJUST) + load<u64>(vmcs() + TSC_OFFSET);
  if (value && value <= tsc) return APIC_LEFT;
  // as the device counts: in doubles
  const wait = ceil(f64(value - tsc) * 1e9 / 1e9);
  if (value && wait > f64(END_OF_TIME)) return APIC_LEFT;
  const due = value ? now + u64(wait) : 0;
  return startTimer(value, due, due, clockBehind() + EMULATION_NS, APIC_HEARD_DEADLINE);
}

/** A write to the window, `ns` from now: APIC_*. */
export function writeApic(address: u64, bytes: u32, data: u64, ns: u64): u32 {
  if (load<u32>(APIC_DUTY) == APIC_ASKS || bytes != 4 || !readsSteadily()) return APIC_LEFT;
  const register = address - load<u64>(APIC_GPA);
  let status: u32 = APIC_LEFT;
  if (register == EOI) status = endInterrupt(true);
  else if (register == TPR) status = setPriority(u32(data) & 0xff, true);
  else if (register == ICR_LOW) status = sendToSelf(data & 0xffffffff, true);
  else if (register == INITIAL_COUNT) status = writeCount(u32(data), clock() + ns, clockBehind() + ns);
  if (status != APIC_LEFT) unsettle();
  return status;
}

/** A write to one of its MSRs: APIC_*. */
export function writeApicMsr(index: u32, value: u64): u32 {
  // one that reaches the limit ends the slice before what the next VM entry delivers
  if (load<u32>(APIC_DUTY) == APIC_ASKS || load<u64>(ICOUNT) + 1 >= load<u64>(LIMIT)) return APIC_LEFT;
  let status: u32 = APIC_LEFT;
  if (index == MSR_IA32_TSC_DEADLINE) status = writeDeadline(value);
  else if (load<u64>(APIC_GPA) == ~(<u64>0)) {
    const register = <u64>(index - MSR_X2APIC_FIRST) << 4;
    if (register == EOI && value == 0) status = endInterrupt(false);
    else if (register == TPR && value < 0x100) status = setPriority(u32(value), false);
    else if (register == ICR_LOW && !(value & X2APIC_ICR_RESERVED)) status = sendToSelf(value, false);
    else if (register == SELF_IPI && value < 0x100) status = request(u32(value), false);
    else if (register == INITIAL_COUNT && value >> 32 == 0) status = writeCount(u32(value), clock(), clockBehind() + EMULATION_NS);
  }
  if (status != APIC_LEFT) unsettle();
  return status;
}

/** A write to the task priority while nothing is requested that it might let through or hold back: true where it is done. */
export function writeTpr(value: u32): bool {
  // one that reaches the limit ends the slice before the VM entry that looks for interrupts
  if (load<u32>(APIC_DUTY) == APIC_ASKS || load<u64>(ICOUNT) + 1 >= load<u64>(LIMIT)) return false;
  if (highest(vectors() + APIC_IRR) >= 0) return false;
  store<u32>(APIC_TPR, value);
  hear(APIC_HEARD_TPR);
  unsettle();
  return true;
}

/** May the task priority be read from APIC_TPR, without the VMM? A guest that ends interrupts by a word in memory is looked at first. */
@inline export function knowsTpr(): bool { return load<u32>(APIC_DUTY) == APIC_DELIVERS; }

/** The VMM notes what the controls were at the exits of the trace. */
function setPrimary(value: u32): void {
  const count = load<u32>(APIC_CHANGE_COUNT);
  const change = <usize>APIC_CHANGES + (<usize>count << 4);
  store<u64>(change, load<u64>(TRACE_SEQUENCE));
  store<u64>(change, primaryControls(), 8);
  store<u32>(APIC_CHANGE_COUNT, count + 1);
  store<u32>(vmcs() + CPU_BASED_VM_EXEC_CONTROL, value);
}

/** Whether the instruction behind which an interrupt waits has retired. */
@inline export function apicIsDue(): bool { return load<u64>(ICOUNT) > load<u64>(APIC_ICOUNT); }

/** What a VM entry does with the interrupt that waits: XS_OK, or XS_EXIT where its delivery exits. @sdm 3C 26.6 "Event Injection" */
export function lookAtApic(): i32 {
  const v = vmcs();
  store<u32>(ATTENTION, load<u32>(ATTENTION) & ~ATT_APIC);
  store<u32>(APIC_HEARD, load<u32>(APIC_HEARD) & ~APIC_HEARD_REQUEST);
  store<u32>(v + VM_ENTRY_INTR_INFO, load<u32>(v + VM_ENTRY_INTR_INFO) & ~INFO_VALID);
  if (load<u32>(APIC_KICKS)) {
    store<u32>(v + VM_ENTRY_EXCEPTION_ERROR_CODE, 0);
    store<u32>(v + VM_ENTRY_INSTRUCTION_LEN, 0);
  }
  const vector = pendingVector();
  const takes = vector >= 0 && takesInterrupts();
  const primary = primaryControls();
  if (vector >= 0 && !takes && !(primary & CPU_INTERRUPT_WINDOW_EXITING)) setPrimary(primary | CPU_INTERRUPT_WINDOW_EXITING);
  if (primaryControls() & (CPU_INTERRUPT_WINDOW_EXITING | CPU_NMI_WINDOW_EXITING)) attend(ATT_WINDOW);
  if (!takes) return XS_OK;
  const set = vectors();
  take(set + APIC_IRR, vector);
  put(set + APIC_ISR, vector);
  store<u32>(v + VM_ENTRY_INTR_INFO, INFO_VALID | vector);
  store<u32>(v + VM_ENTRY_EXCEPTION_ERROR_CODE, 0);
  store<u32>(v + VM_ENTRY_INSTRUCTION_LEN, 0);
  store<u32>(STEPPED, 1);
  store<u64>(NEXT_RIP, load<u64>(RIP));
  return deliverEvent(INFO_VALID | vector, 0, 0);
}

/** HLT with an interrupt that ends it at once: its exit is completed. */
export function haltsNot(): bool {
  if (load<u32>(APIC_DUTY) != APIC_DELIVERS || !(load<u32>(RFLAGS) & u32(RFLAGS_IF)) || load<u64>(ICOUNT) + 1 >= load<u64>(LIMIT)) return false;
  const vector = pendingVector();
  if (vector < 0 || !mayDeliver(vector) || !mayComplete(0, ATT_SHADOW | ATT_WINDOW)) return false;
  complete(EXIT_REASON_HLT, 0, 0, 0, 0, 0, 0);
  lookBehind(false);
  return true;
}

/** The interrupt window is open: its exit is completed, up to what `lookAtApic` does for the VM entry behind it. */
export function passesWindow(): bool {
  if (load<u32>(APIC_DUTY) != APIC_DELIVERS || load<u32>(ACTIVITY) || load<u64>(ICOUNT) >= load<u64>(LIMIT) || isRepeating()) return false;
  if (primaryControls() & CPU_NMI_WINDOW_EXITING || !readsSteadily() || !mayDeliver(0) || !mayComplete(0, ATT_WINDOW)) return false;
  recordQuick(EXIT_REASON_INTERRUPT_WINDOW, 0, 0, 0, 0, 0, 0);
  recordAnswer(0);
  countSteady();
  setPrimary(primaryControls() & ~CPU_INTERRUPT_WINDOW_EXITING);
  store<u32>(ATTENTION, 0);
  enterAgain(clock());
  store<u32>(APIC_KICKS, 0);
  return true;
}
