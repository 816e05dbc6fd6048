// Events into the guest: the exception bitmap, the IDT in every mode, double and triple fault.
import {
  ATTENTION, ATT_TRAP, ATT_WATCH, CR2, CTX_SYSTEM, EFER, FAULT_ADDRESS, FAULT_ERROR, FAULT_HAS_ERROR, FAULT_VECTOR,
  IDTR_BASE, IDTR_LIMIT, INTERRUPTIBILITY, LATCH_COUNT, LATCH_CURSOR, LATCH_EVENT, NEXT_RIP, PENDING_DBG, RFLAGS, RIP, RSP, SEG_CS, SEG_DS, SEG_ES, SEG_FS, SEG_GS,
  SEG_SS, VECTORING_ERROR, VECTORING_INFO, XS_EXIT, XS_FAULT, XS_OK,
} from '../layout';
import { cpl, longMode, protectedMode, segLimit, segSelector, v8086 } from '../state';
import {
  AR_DB, AR_L, AR_P, RFLAGS_AC, RFLAGS_IF, RFLAGS_NT, RFLAGS_RF, RFLAGS_TF, RFLAGS_VM,
} from '../generated/register-bits';
import {
  BLOCKING_BY_NMI, INFO_ERROR_CODE, INFO_NMI_UNBLOCKED, INFO_TYPE, INFO_VALID, INFO_VECTOR, TYPE_HARDWARE_EXCEPTION,
  TYPE_NMI, TYPE_SOFTWARE_EXCEPTION, TYPE_SOFTWARE_INTERRUPT, VEC_DB, VEC_DF, VEC_GP, VEC_NP, VEC_PF,
} from '../generated/events';
import { EXIT_REASON_EXCEPTION_NMI, EXIT_REASON_TRIPLE_FAULT } from '../generated/exits';
import { abandonInstruction, abandonLatches, accessStatus, nmiWasUnblocked, readAs, setNmiUnblocked } from '../mmu/access';
import { MODE_FLAGS, updateMode, updateSegment } from '../mmu/mode';
import { SHADOW } from '../vmx/boundary';
import { exitInterruption, vmExit } from '../vmx/exit';
import { interceptException } from '../vmx/intercept';
import {
  descriptor, descriptorAddress, descriptorAr, markAccessed, readDescriptor, reject, rejectSelector, setExternal,
  setNullSegment, setRealSegment, setSegment,
} from '../exec/segment';
import { isRepeating, leaveRepeat } from '../exec/repeat';
import { TASK_BY_GATE, taskSwitch } from '../exec/task';
import {
  checkInnerStack, checkTarget, commitCode, commitNewStack, commitStack, currentStack, isCode, isConforming, jumpTo,
  otherStack, setLevel, stackDescriptor, stackPush, stackRoom, tssPointer, tssSelector, tssStack, tssStack64, wideStack,
} from '../exec/transfer';
import { combine, SECOND_DOUBLE, SECOND_TRIPLE, setsRf } from './exceptions';
import { cancelStep, debugDelivered, dropDebugTraps } from './debug';
import { logEvent } from './fault-log';

/** Faults in each other's delivery that make neither a double nor a triple fault end here. */
const MAX_SERIAL_FAULTS = 32;
/** What VECTORING_INFO keeps of an event. */
const EVENT: u32 = INFO_VALID | INFO_ERROR_CODE | INFO_TYPE | INFO_VECTOR;

/**
 * Delivers the exception in FAULT_*: VM exit, or the handler in the IDT, or what follows from
 * faults on the way. XS_OK (RIP is in the handler) or XS_EXIT.
 * @sdm 3C 26.2 "Other Causes of VM Exits"; 3A 6.15 "Exception and Interrupt Reference"
 */
export function deliverFault(): i32 {
  abandonInstruction();
  store<u32>(ATTENTION, load<u32>(ATTENTION) & ~ATT_WATCH);
  for (let round = 0; round < MAX_SERIAL_FAULTS; round++) {
    let vector = load<u32>(FAULT_VECTOR);
    let hasError = load<u32>(FAULT_HAS_ERROR) != 0;
    let error = load<u32>(FAULT_ERROR);
    if (interceptException(vector, error)) return exceptionExit(vector, hasError, error);
    const nested = load<u32>(VECTORING_INFO) >> 31 != 0;
    logEvent(vector, TYPE_HARDWARE_EXCEPTION, hasError, error, vector == VEC_PF ? load<u64>(FAULT_ADDRESS) : 0, nested);
    const second = combine(load<u32>(VECTORING_INFO), vector);
    if (second != 0) {
      // neither the exit for #DF nor a triple fault counts as one during delivery
      store<u32>(VECTORING_INFO, 0);
      if (second == SECOND_TRIPLE) {
        setNmiUnblocked(false);
        return vmExit(EXIT_REASON_TRIPLE_FAULT, 0);
      }
      vector = VEC_DF;
      hasError = true;
      error = 0;
      store<u64>(FAULT_ADDRESS, 0);
      if (interceptException(vector, error)) return exceptionExit(vector, true, 0);
      logEvent(VEC_DF, TYPE_HARDWARE_EXCEPTION, true, 0, 0, true);
    }
    if (vector == VEC_PF) store<u64>(CR2, load<u64>(FAULT_ADDRESS));
    if (vector == VEC_DB) debugDelivered(load<u64>(FAULT_ADDRESS));
    setNmiUnblocked(false);
    store<u32>(VECTORING_INFO, INFO_VALID | TYPE_HARDWARE_EXCEPTION << 8 | (hasError && protectedMode() ? INFO_ERROR_CODE : 0) | vector);
    store<u32>(VECTORING_ERROR, error);
    const status = deliver(vector, TYPE_HARDWARE_EXCEPTION, hasError, error, load<u64>(RIP));
    if (status == XS_FAULT) {
      abandonLatches();
      continue;
    }
    store<u32>(VECTORING_INFO, 0);
    return status;
  }
  // an #AC that its own delivery raises, and the like: the processor would go on for ever; here the instruction runs again
  store<u32>(VECTORING_INFO, 0);
  setNmiUnblocked(false);
  return XS_OK;
}

/** VM exit 0 for an exception. @sdm 3C 28.2.2 "Information for VM Exits Due to Vectored Events" */
function exceptionExit(vector: u32, hasError: bool, error: u32): i32 {
  // real mode knows no error codes, and VM entry refuses them there
  const coded = hasError && protectedMode();
  let info = INFO_VALID | TYPE_HARDWARE_EXCEPTION << 8 | (coded ? INFO_ERROR_CODE : 0) | vector;
  const nested = load<u32>(VECTORING_INFO) >> 31 != 0;
  if (nmiWasUnblocked() && !nested && vector != VEC_DF) info |= INFO_NMI_UNBLOCKED;
  setNmiUnblocked(false);
  exitInterruption(info, coded ? error : 0);
  const detail = vector == VEC_PF || vector == VEC_DB ? load<u64>(FAULT_ADDRESS) : 0;
  const status = vmExit(EXIT_REASON_EXCEPTION_NMI, detail);
  store<u32>(VECTORING_INFO, 0);
  return status;
}

/**
 * Delivers an event in the interruption-information format (VM-entry injection and interrupts at a
 * boundary); `length` is that of the instruction for software events. XS_OK or XS_EXIT.
 */
export function deliverEvent(info: u32, error: u32, length: u32): i32 {
  const status = attempt(info, error, length);
  if (status == XS_FAULT) return deliverFault();
  return status;
}

function attempt(info: u32, error: u32, length: u32): i32 {
  const vector = info & 0xff;
  const type = info >> 8 & 7;
  const soft = type >= TYPE_SOFTWARE_INTERRUPT;
  if (load<u32>(LATCH_COUNT) && load<u32>(LATCH_EVENT) == (info & EVENT)) store<u32>(LATCH_CURSOR, 0);
  else abandonInstruction();
  // a #DF that the VMM injects follows from the fault that it intercepted
  const double = type == TYPE_HARDWARE_EXCEPTION && vector == VEC_DF;
  const address = type == TYPE_HARDWARE_EXCEPTION && vector == VEC_PF ? load<u64>(CR2) : 0;
  logEvent(vector, type, (info & INFO_ERROR_CODE) != 0, error, address, double);
  store<u32>(VECTORING_INFO, info & EVENT);
  store<u32>(VECTORING_ERROR, error);
  let rip = load<u64>(RIP);
  if (soft) rip = longMode() ? rip + length : (rip + length) & 0xffffffff;
  const status = deliver(vector, type, (info & INFO_ERROR_CODE) != 0, error, rip);
  if (status == XS_OK && type == TYPE_NMI) store<u32>(INTERRUPTIBILITY, load<u32>(INTERRUPTIBILITY) | BLOCKING_BY_NMI);
  if (status != XS_FAULT) store<u32>(VECTORING_INFO, 0);
  return status;
}

/** INT n, INT3, INTO and ICEBP from their helpers: a helper's status; after XS_FAULT deliverFault goes on from VECTORING_INFO. */
export function softEvent(vector: u32, type: u32, length: u32): i32 {
  if (type != TYPE_SOFTWARE_INTERRUPT && interceptException(vector, 0)) {
    exitInterruption(INFO_VALID | type << 8 | vector, 0);
    return vmExit(EXIT_REASON_EXCEPTION_NMI, 0);
  }
  return attempt(INFO_VALID | type << 8 | vector, 0, length);
}

/**
 * Through IVT or IDT. XS_OK, XS_FAULT (FAULT_* is the new exception) or XS_EXIT: then what the delivery has done to
 * device memory so far stays latched for the time that it is injected again.
 */
function deliver(vector: u32, type: u32, hasError: bool, error: u32, rip: u64): i32 {
  const soft = type == TYPE_SOFTWARE_INTERRUPT || type == TYPE_SOFTWARE_EXCEPTION;
  const pending = load<u64>(PENDING_DBG);
  setExternal(soft ? 0 : 1);
  let flags = load<u64>(RFLAGS);
  if (isRepeating() || (type == TYPE_HARDWARE_EXCEPTION && setsRf(vector))) flags |= RFLAGS_RF;
  let status: i32;
  if (!protectedMode()) status = realVector(vector, flags, rip) ? XS_OK : accessStatus();
  else status = gateVector(vector, soft, hasError, error, flags, rip);
  setExternal(0);
  if (status == XS_OK) {
    abandonLatches();
    // the handler is another place: blocking by STI and MOV SS is over
    store<u32>(INTERRUPTIBILITY, load<u32>(INTERRUPTIBILITY) & ~SHADOW);
    cancelStep();
    leaveRepeat();
    // a debug trap that MOV SS held back is lost, unless it is INT n that runs in its shadow
    if (!soft && pending) dropDebugTraps(pending);
    if (protectedMode() || (flags | load<u64>(RFLAGS)) & MODE_FLAGS) updateMode();
    else updateSegment(SEG_CS);
  }
  return status;
}

/** @sdm 3B 21.1.4 "Interrupt and Exception Handling" */
function realVector(vector: u32, flags: u64, rip: u64): bool {
  if (vector * 4 + 3 > load<u32>(IDTR_LIMIT)) return reject(VEC_GP, vector * 8 + 2);
  const p = readAs(load<u64>(IDTR_BASE) + vector * 4, 4, load<u32>(CTX_SYSTEM));
  if (!p) return false;
  const target = load<u32>(p);
  currentStack();
  if (!stackRoom(3, 2)) return false;
  if ((target & 0xffff) > segLimit(SEG_CS)) return reject(VEC_GP, 0);
  if (!stackPush(flags & 0xffff, 2) || !stackPush(segSelector(SEG_CS), 2) || !stackPush(rip & 0xffff, 2)) return false;
  commitStack();
  setRealSegment(SEG_CS, target >> 16);
  jumpTo(target & 0xffff);
  store<u64>(RFLAGS, load<u64>(RFLAGS) & ~(RFLAGS_IF | RFLAGS_TF | RFLAGS_RF | RFLAGS_AC));
  return true;
}

/** @sdm 3A 6.12 "Exception and Interrupt Handling" 6.14 "Exception and Interrupt Handling in 64-bit Mode" */
function gateVector(vector: u32, soft: bool, hasError: bool, error: u32, flags: u64, rip: u64): i32 {
  const long = longMode();
  const bytes: u32 = long ? 16 : 8;
  const code = vector * 8 + 2;
  if (vector * bytes + bytes - 1 > load<u32>(IDTR_LIMIT)) return failed(reject(VEC_GP, code));
  const p = readAs(load<u64>(IDTR_BASE) + vector * bytes, bytes, load<u32>(CTX_SYSTEM));
  if (!p) return accessStatus();
  const gate = load<u64>(p);
  const upper: u64 = long ? load<u64>(p, 8) : 0;
  const ar = descriptorAr(gate);
  const type = ar & 0x1f;
  const known = type == 14 || type == 15 || (!long && (type == 5 || type == 6 || type == 7));
  if (!known || (soft && (ar >> 5 & 3) < cpl())) return failed(reject(VEC_GP, code));
  if (!(ar & AR_P)) return failed(reject(VEC_NP, code));
  if (type == 5) return taskSwitch(<u32>(gate >> 16) & 0xffff, TASK_BY_GATE, false);
  let target = (gate & 0xffff) | (gate >> 48 << 16) | upper << 32;
  if (!(type & 8)) target &= 0xffff;
  const width: u32 = long ? 8 : type & 8 ? 4 : 2;
  const keepIf = (type & 1) != 0;
  const ist = long ? <u32>(gate >> 32) & 7 : 0;
  return failed(enterHandler(<u32>(gate >> 16) & 0xffff, target, width, ist, keepIf, hasError, error, flags, rip));
}

@inline function failed(done: bool): i32 { return done ? XS_OK : accessStatus(); }

function enterHandler(
  selector: u32, target: u64, width: u32, ist: u32, keepIf: bool, hasError: bool, error: u32, flags: u64, rip: u64,
): bool {
  const long = width == 8;
  if ((selector & 0xfffc) == 0) return reject(VEC_GP, 0);
  if (!readDescriptor(selector, VEC_GP)) return false;
  const d = descriptor;
  const address = descriptorAddress;
  const ar = descriptorAr(d);
  const dpl = ar >> 5 & 3;
  if (!isCode(d) || dpl > cpl() || (long && (ar & (AR_L | AR_DB)) != AR_L)) return rejectSelector(VEC_GP, selector);
  if (!(ar & AR_P)) return rejectSelector(VEC_NP, selector);
  const inner = !isConforming(d) && dpl < cpl();
  const virtual = v8086();
  // virtual-8086 mode only ever leaves to ring 0
  if (virtual && (!inner || dpl != 0)) return rejectSelector(VEC_GP, selector);
  const level = inner ? dpl : cpl();
  const oldSp = load<u64>(RSP);
  let ss: u32 = 0;
  let stack: u64 = 0;
  if (long) {
    let sp = oldSp;
    if (inner || ist) {
      if (!tssStack64(level, ist)) return false;
      sp = tssPointer;
    }
    wideStack(sp & ~(<u64>15), level);
  } else if (inner) {
    if (!tssStack(level)) return false;
    ss = tssSelector;
    if (!checkInnerStack(ss, level)) return false;
    stack = stackDescriptor;
    otherStack(ss, stack, tssPointer, level);
  } else currentStack();
  const words: u32 = 3 + (virtual ? 4 : 0) + (long || inner ? 2 : 0) + (hasError ? 1 : 0);
  if (!stackRoom(words, width) || !checkTarget(d, target)) return false;
  if (virtual) {
    if (!stackPush(segSelector(SEG_GS), width) || !stackPush(segSelector(SEG_FS), width)) return false;
    if (!stackPush(segSelector(SEG_DS), width) || !stackPush(segSelector(SEG_ES), width)) return false;
  }
  if (long || inner) {
    if (!stackPush(segSelector(SEG_SS), width) || !stackPush(oldSp, width)) return false;
  }
  if (!stackPush(flags, width) || !stackPush(segSelector(SEG_CS), width) || !stackPush(rip, width)) return false;
  if (hasError && !stackPush(error, width)) return false;
  if (!markAccessed(address, d)) return false;

  let after = load<u64>(RFLAGS) & ~(RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM);
  if (!keepIf) after &= ~RFLAGS_IF;
  store<u64>(RFLAGS, after);
  if (virtual) {
    setNullSegment(SEG_ES, 0, 0);
    setNullSegment(SEG_DS, 0, 0);
    setNullSegment(SEG_FS, 0, 0);
    setNullSegment(SEG_GS, 0, 0);
  }
  if (inner) {
    if (long) setNullSegment(SEG_SS, level, level);
    else setSegment(SEG_SS, ss, stack);
    setLevel(level);
  }
  if (long || inner) commitNewStack();
  else commitStack();
  commitCode(selector, d, level, target);
  return true;
}
