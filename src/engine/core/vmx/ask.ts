// VM exits for which a device alone is needed: recorded as any other, then the device is asked (Vm's deviceAccess) while the
// guest's state stays where it is. Nothing tells the guest, the trace or the clock the difference: where the VM entry after
// the exit would find something to do, the guest is left and the VMM goes on as after an exit that it has handled.
import {
  APIC_TPR, ASKED_ENTERS, ASKED_LEAVES, ASKED_REFUSED, ASK_CR8, ASK_MMIO, ASK_MSR, ASK_PORT, ASK_STRING, DEVICE_DATA, ICOUNT, NEXT_RIP, NMI_UNBLOCKED,
  PREEMPTION_DEADLINE, QUICK_ROOM, RAX, RCX, RDX, RIP, SINGLE, XS_OK, XS_RETRY,
} from '../layout';
import { decide, setReg64 } from '../state';
import { VMX_PREEMPTION_TIMER_VALUE, GUEST_RIP, VM_EXIT_CONTROLS } from '../generated/vmcs';
import { EXIT_SAVE_VMX_PREEMPTION_TIMER_VALUE } from '../generated/controls';
import {
  EXIT_REASON_CR_ACCESS, EXIT_REASON_EPT_VIOLATION, EXIT_REASON_IO_INSTRUCTION, EXIT_REASON_MSR_READ, EXIT_REASON_MSR_WRITE,
} from '../generated/exits';
import { clock, clockBehind, instructionNs, passTime } from '../clock';
import { EMULATION_NS, MMIO_ACCESS_NS, PORT_ACCESS_NS } from '../prices';
import { APIC_ENTERS, APIC_LEFT, knowsTpr, writeApic, writeApicMsr, writeTpr } from './apic';
import { exitGla, exitGpa, exitInstructionInfo, leaveGuest } from './exit';
import { MAX_BLOCK_INSTRUCTIONS } from '../decode/cache';
import { complete, enterAgain, mayComplete, recordAnswer, recordElements, recordQuick } from './quick';
import { latchSteady, readsSteadily, steadyDatum, steadyEntry } from './steady';
import { vmcs } from './vmcs';

/** Status of an access that nobody was asked for: it exits as any other. */
export const NOT_ASKED: i32 = -1;

/** Answers ASKED_*; DEVICE_DATA is what was read. */
// @ts-ignore: decorator
@external("env", "deviceAccess")
declare function deviceAccess(kind: u32, address: f64, bytes: u32, write: bool, low: u32, high: u32): i32;

/** Leaves the guest as of `at`, the time of the exit. */
function leaveAt(at: u64, reason: u32, qualification: u64, gla: u64, gpa: u64, info: u32): i32 {
  exitGla(gla);
  exitGpa(gpa);
  exitInstructionInfo(info);
  const status = leaveGuest(reason, qualification);
  const v = vmcs();
  if (load<u32>(v + VM_EXIT_CONTROLS) & EXIT_SAVE_VMX_PREEMPTION_TIMER_VALUE && load<u64>(PREEMPTION_DEADLINE) != ~(<u64>0)) {
    store<u64>(v + VMX_PREEMPTION_TIMER_VALUE, max<i64>(i64(load<u64>(PREEMPTION_DEADLINE) - at), 0));
  }
  return status;
}

/** Has the exit's record, and what whoever watches the VMM is told. */
function record(reason: u32, qualification: u64, gla: u64, gpa: u64, info: u32): void {
  recordQuick(reason, qualification, gla, gpa, info, 0, 0);
  store<u64>(vmcs() + GUEST_RIP, load<u64>(RIP));
}

/** A read of a port whose register is known as it goes on: DEVICE_DATA is what is read. Else nothing is done. */
export function steadyIn(port: u32, bytes: u32, qualification: u64): bool {
  const steady = steadyEntry(ASK_PORT, port, bytes);
  if (!steady || !mayComplete(PORT_ACCESS_NS)) return false;
  const datum = steadyDatum(steady, PORT_ACCESS_NS);
  complete(EXIT_REASON_IO_INSTRUCTION, qualification, 0, 0, 0, u32(datum), PORT_ACCESS_NS);
  return true;
}

/**
 * Port I/O of `bytes`: XS_OK with the datum in DEVICE_DATA, XS_EXIT where the guest is left, NOT_ASKED. An OUT has retired when
 * its device hears of it.
 */
export function askPort(port: u32, bytes: u32, write: bool, data: u32, qualification: u64): i32 {
  if (!write && steadyIn(port, bytes, qualification)) return XS_OK;
  if (!mayComplete(PORT_ACCESS_NS)) return NOT_ASKED;
  const at = clock();
  record(EXIT_REASON_IO_INSTRUCTION, qualification, 0, 0, 0);
  passTime(PORT_ACCESS_NS);
  const rip = load<u64>(RIP);
  const count = load<u64>(ICOUNT);
  if (write) {
    store<u64>(RIP, load<u64>(NEXT_RIP));
    store<u64>(ICOUNT, count + 1);
  }
  const answer = deviceAccess(ASK_PORT, port, bytes, write, data, 0);
  store<u64>(RIP, rip);
  store<u64>(ICOUNT, count);
  recordAnswer(write ? data : load<u32>(DEVICE_DATA));
  if (answer >= ASKED_LEAVES) return leaveAt(at, EXIT_REASON_IO_INSTRUCTION, qualification, 0, 0, 0);
  enterAgain(clockBehind());
  return XS_OK;
}

/** At most so many elements of a string instruction, which takes them from the latches. Its linear address and the instruction information are the exit's. */
export function askString(port: u32, bytes: u32, write: bool, most: u32, qualification: u64, gla: u64, info: u32): i32 {
  if (!mayComplete(PORT_ACCESS_NS)) return NOT_ASKED;
  const at = clock();
  record(EXIT_REASON_IO_INSTRUCTION, qualification, gla, 0, info);
  passTime(PORT_ACCESS_NS);
  const answer = deviceAccess(ASK_STRING, port, bytes, write, most, 0);
  recordAnswer(load<u32>(DEVICE_DATA));
  recordElements(load<u32>(DEVICE_DATA, 4));
  if (answer >= ASKED_LEAVES) return leaveAt(at, EXIT_REASON_IO_INSTRUCTION, qualification, gla, 0, info);
  enterAgain(answer == ASKED_ENTERS ? clockBehind() : clock());
  return XS_OK;
}

/** An access to device memory by an instruction that runs alone, which takes it from the latches. */
export function askMmio(gla: u64, gpa: u64, bytes: u32, write: bool, data: u64, qualification: u64): i32 {
  if (!load<u32>(SINGLE) || load<u32>(NMI_UNBLOCKED) || !mayComplete(MMIO_ACCESS_NS)) return NOT_ASKED;
  const steady: usize = write ? 0 : steadyEntry(ASK_MMIO, gpa, bytes);
  if (steady && readsSteadily()) {
    const datum = steadyDatum(steady, MMIO_ACCESS_NS);
    latchSteady(gpa, bytes, datum, false);
    complete(EXIT_REASON_EPT_VIOLATION, qualification, gla, gpa, 0, u32(datum), MMIO_ACCESS_NS, 0);
    return XS_OK;
  }
  const apic = write ? writeApic(gpa, bytes, data, MMIO_ACCESS_NS) : APIC_LEFT;
  if (apic != APIC_LEFT) {
    latchSteady(gpa, bytes, data, true);
    complete(EXIT_REASON_EPT_VIOLATION, qualification, gla, gpa, 0, u32(data), MMIO_ACCESS_NS, apic == APIC_ENTERS ? 1 : 0);
    return XS_OK;
  }
  const at = clock();
  record(EXIT_REASON_EPT_VIOLATION, qualification, gla, gpa, 0);
  passTime(MMIO_ACCESS_NS);
  const answer = deviceAccess(ASK_MMIO, f64(gpa), bytes, write, u32(data), u32(data >> 32));
  // no device's: memory whose EPT entry somebody has changed
  if (answer == ASKED_REFUSED) {
    // the VMM's handler counts its own time
    passTime(0 - MMIO_ACCESS_NS);
    return leaveAt(at, EXIT_REASON_EPT_VIOLATION, qualification, gla, gpa, 0);
  }
  recordAnswer(write ? u32(data) : load<u32>(DEVICE_DATA));
  if (answer >= ASKED_LEAVES) return leaveAt(at, EXIT_REASON_EPT_VIOLATION, qualification, gla, gpa, 0);
  enterAgain(answer == ASKED_ENTERS ? clockBehind() : clock());
  return XS_OK;
}

/** An MSR that stands in the VMM's devices, or outside. */
export function askMsr(write: bool): i32 {
  if (!mayComplete(EMULATION_NS)) return NOT_ASKED;
  if (write && writeApicMsr(load<u32>(RCX), load<u64>(RDX) << 32 | load<u32>(RAX)) != APIC_LEFT) {
    complete(EXIT_REASON_MSR_WRITE, 0, 0, 0, 0, load<u32>(RAX), EMULATION_NS);
    return XS_OK;
  }
  const reason = write ? EXIT_REASON_MSR_WRITE : EXIT_REASON_MSR_READ;
  const at = clock();
  record(reason, 0, 0, 0, 0);
  const answer = deviceAccess(ASK_MSR, load<u32>(RCX), 8, write, load<u32>(RAX), load<u32>(RDX));
  if (answer == ASKED_REFUSED) return leaveAt(at, reason, 0, 0, 0, 0);
  recordAnswer(load<u32>(write ? RAX : DEVICE_DATA));
  passTime(EMULATION_NS);
  if (!write) {
    store<u64>(RAX, load<u32>(DEVICE_DATA));
    store<u64>(RDX, load<u32>(DEVICE_DATA, 4));
  }
  if (answer >= ASKED_LEAVES) return leaveAt(at, reason, 0, 0, 0, 0);
  enterAgain(clockBehind());
  return XS_OK;
}

/** MOV from CR8 does not end its block: where the rest of it may meet a device's work, or has to be left, it runs alone. */
function readsCr8InBlock(register: u32, qualification: u64): bool {
  const steady = steadyEntry(ASK_CR8, 0, 8);
  if (!(steady || knowsTpr()) || !mayComplete(<u64>EMULATION_NS + <u64>MAX_BLOCK_INSTRUCTIONS * instructionNs())) return false;
  const value = steady ? steadyDatum(steady, 0) : u64(load<u32>(APIC_TPR) >> 4);
  complete(EXIT_REASON_CR_ACCESS, qualification, 0, 0, 0, 0, EMULATION_NS);
  setReg64(register, value);
  return true;
}

/** The task priority, read into a register or written. */
export function askCr8(write: bool, register: u32, value: u32, qualification: u64): i32 {
  if (!write) {
    if (readsCr8InBlock(register, qualification)) return XS_OK;
    if (!load<u32>(SINGLE)) return load<u32>(QUICK_ROOM) ? decide(XS_RETRY) : NOT_ASKED;
  }
  if (!mayComplete(EMULATION_NS)) return NOT_ASKED;
  if (write && writeTpr(value << 4)) {
    complete(EXIT_REASON_CR_ACCESS, qualification, 0, 0, 0, 0, EMULATION_NS);
    return XS_OK;
  }
  const at = clock();
  record(EXIT_REASON_CR_ACCESS, qualification, 0, 0, 0);
  const answer = deviceAccess(ASK_CR8, 0, 8, write, value, 0);
  recordAnswer(0);
  passTime(EMULATION_NS);
  if (!write) setReg64(register, load<u64>(DEVICE_DATA));
  if (answer >= ASKED_LEAVES) return leaveAt(at, EXIT_REASON_CR_ACCESS, qualification, 0, 0, 0);
  enterAgain(clockBehind());
  return XS_OK;
}
