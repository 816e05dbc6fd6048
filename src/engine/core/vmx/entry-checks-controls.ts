// VM-entry checks on the control fields. @sdm 3C 26.2.1 "Checks on VMX Controls"
import { ENTRY_FAILURES, MAX_PHYS_BITS, MEMORY_END } from '../layout';
import { CR0_PE } from '../generated/register-bits';
import {
  INFO_ERROR_CODE, INFO_VALID, TYPE_HARDWARE_EXCEPTION, TYPE_NMI, TYPE_OTHER_EVENT, TYPE_RESERVED,
  TYPE_SOFTWARE_EXCEPTION, TYPE_SOFTWARE_INTERRUPT, VEC_AC, VEC_DF, VEC_GP, VEC_NMI, VEC_NP, VEC_PF, VEC_SS, VEC_TS,
} from '../generated/events';
import {
  APIC_ACCESS_ADDR, CPU_BASED_VM_EXEC_CONTROL, CR3_TARGET_COUNT, EPTP_LIST_ADDRESS, EPT_POINTER, GUEST_CR0,
  IO_BITMAP_A, IO_BITMAP_B, MSR_BITMAP, PIN_BASED_VM_EXEC_CONTROL, TPR_THRESHOLD, VIRTUAL_APIC_PAGE_ADDR,
  VIRTUAL_PROCESSOR_ID, VM_ENTRY_CONTROLS, VM_ENTRY_EXCEPTION_ERROR_CODE, VM_ENTRY_INSTRUCTION_LEN, VM_ENTRY_INTR_INFO,
  VM_ENTRY_MSR_LOAD_ADDR, VM_ENTRY_MSR_LOAD_COUNT, VM_EXIT_CONTROLS, VM_EXIT_MSR_LOAD_ADDR, VM_EXIT_MSR_LOAD_COUNT,
  VM_EXIT_MSR_STORE_ADDR, VM_EXIT_MSR_STORE_COUNT, VM_FUNCTION_CONTROL,
} from '../generated/vmcs';
import {
  CPU2_ENABLE_EPT, CPU2_ENABLE_VM_FUNCTIONS, CPU2_ENABLE_VPID, CPU2_MAY_BE_ONE, CPU2_UNRESTRICTED_GUEST,
  CPU2_VIRTUALIZE_APIC_ACCESSES, CPU_MAY_BE_ONE, CPU_MUST_BE_ONE, CPU_NMI_WINDOW_EXITING, CPU_USE_I_O_BITMAPS,
  CPU_USE_MSR_BITMAPS, CPU_USE_TPR_SHADOW, ENTRY_MAY_BE_ONE, ENTRY_MUST_BE_ONE, EXIT_MAY_BE_ONE, EXIT_MUST_BE_ONE,
  EXIT_SAVE_VMX_PREEMPTION_TIMER_VALUE, IA32_VMX_VMFUNC, PIN_ACTIVATE_VMX_PREEMPTION_TIMER, PIN_MAY_BE_ONE, PIN_MUST_BE_ONE,
  PIN_NMI_EXITING, PIN_VIRTUAL_NMIS,
} from '../generated/controls';
import {
  CHECK_APIC_ACCESS, CHECK_CPU2_RESERVED, CHECK_CPU_RESERVED, CHECK_CR3_TARGET_COUNT, CHECK_ENTRY_MSR_LOAD,
  CHECK_ENTRY_RESERVED, CHECK_EPTP_LIST, CHECK_EPTP_RESERVED, CHECK_EPTP_SWITCHING, CHECK_EPTP_TYPE, CHECK_EPTP_WALK,
  CHECK_EXIT_MSR_LOAD, CHECK_EXIT_MSR_STORE, CHECK_EXIT_RESERVED, CHECK_INJECT_ERROR_BIT, CHECK_INJECT_ERROR_CODE,
  CHECK_INJECT_LENGTH, CHECK_INJECT_RESERVED, CHECK_INJECT_TYPE, CHECK_INJECT_VECTOR, CHECK_IO_BITMAP_A,
  CHECK_IO_BITMAP_B, CHECK_MSR_BITMAP, CHECK_NMI_WINDOW, CHECK_PIN_RESERVED, CHECK_SAVE_TIMER,
  CHECK_TPR_THRESHOLD_BITS, CHECK_TPR_THRESHOLD_VTPR, CHECK_UNRESTRICTED, CHECK_VIRTUAL_APIC, CHECK_VIRTUAL_NMIS,
  CHECK_VM_FUNCTION_RESERVED, CHECK_VPID,
} from '../generated/entry-checks';
import { field, field32, pinControls, primaryControls, secondaryControls } from './vmcs';

const WIDTH: u64 = (<u64>1 << MAX_PHYS_BITS) - 1;
/** Exceptions that push an error code where VM entry injects them. */
const WITH_ERROR_CODE: u32 = 1 << VEC_DF | 1 << VEC_TS | 1 << VEC_NP | 1 << VEC_SS | 1 << VEC_GP | 1 << VEC_PF | 1 << VEC_AC;

/** Records the failure of check `number` unless `condition` holds; answers `condition`. */
export function must(condition: bool, number: u32): bool {
  if (!condition) {
    const at = ENTRY_FAILURES + (number >> 3);
    store<u8>(at, load<u8>(at) | <u8>(<u32>1 << (number & 7)));
  }
  return condition;
}

/** Bits 56-63 of an address are equal: this CPU has 57-bit linear addresses. */
@inline export function canonical(address: u64): bool { return <u64>(<i64>(address << 7) >> 7) == address; }

@inline function allowed(value: u32, mustBeOne: u32, mayBeOne: u32): bool {
  return (value & mustBeOne) == mustBeOne && (value & ~mayBeOne) == 0;
}

/** An address of a 4-KByte structure. */
@inline function pageAddress(address: u64): bool { return (address & (~WIDTH | 0xfff)) == 0; }

/** An MSR area of `count` entries, 16 bytes each. */
function msrArea(address: u64, count: u32): bool {
  if (count == 0) return true;
  return (address & (~WIDTH | 15)) == 0 && address + (<u64>count << 4) - 1 <= WIDTH;
}

/** Control fields other than those of the injected event; true when all checks hold. */
export function checkControls(): bool {
  const pin = pinControls();
  const primary = primaryControls();
  const secondary = secondaryControls();
  let good = must(allowed(pin, PIN_MUST_BE_ONE, PIN_MAY_BE_ONE), CHECK_PIN_RESERVED);
  good = must(allowed(primary, CPU_MUST_BE_ONE, CPU_MAY_BE_ONE), CHECK_CPU_RESERVED) && good;
  good = must((secondary & ~CPU2_MAY_BE_ONE) == 0, CHECK_CPU2_RESERVED) && good;
  good = must(field32(CR3_TARGET_COUNT) <= 4, CHECK_CR3_TARGET_COUNT) && good;
  if (primary & CPU_USE_I_O_BITMAPS) {
    good = must(pageAddress(field(IO_BITMAP_A)), CHECK_IO_BITMAP_A) && good;
    good = must(pageAddress(field(IO_BITMAP_B)), CHECK_IO_BITMAP_B) && good;
  }
  if (primary & CPU_USE_MSR_BITMAPS) good = must(pageAddress(field(MSR_BITMAP)), CHECK_MSR_BITMAP) && good;
  if (primary & CPU_USE_TPR_SHADOW) good = checkTpr(secondary) && good;
  good = must((pin & PIN_NMI_EXITING) != 0 || !(pin & PIN_VIRTUAL_NMIS), CHECK_VIRTUAL_NMIS) && good;
  good = must((pin & PIN_VIRTUAL_NMIS) != 0 || !(primary & CPU_NMI_WINDOW_EXITING), CHECK_NMI_WINDOW) && good;
  if (secondary & CPU2_VIRTUALIZE_APIC_ACCESSES) good = must(pageAddress(field(APIC_ACCESS_ADDR)), CHECK_APIC_ACCESS) && good;
  if (secondary & CPU2_ENABLE_VPID) good = must(<u16>field32(VIRTUAL_PROCESSOR_ID) != 0, CHECK_VPID) && good;
  if (secondary & CPU2_ENABLE_EPT) good = checkEptp(field(EPT_POINTER)) && good;
  else good = must(!(secondary & CPU2_UNRESTRICTED_GUEST), CHECK_UNRESTRICTED) && good;
  if (secondary & CPU2_ENABLE_VM_FUNCTIONS) good = checkVmFunctions(secondary) && good;
  return checkExitControls(pin) && checkEntryControls() && good;
}

/** The virtual-APIC page; also run when nothing changed, as the guest moves VTPR. */
export function checkTpr(secondary: u32): bool {
  const page = field(VIRTUAL_APIC_PAGE_ADDR);
  const threshold = field32(TPR_THRESHOLD);
  const aligned = must(pageAddress(page), CHECK_VIRTUAL_APIC);
  const bits = must((threshold & ~15) == 0, CHECK_TPR_THRESHOLD_BITS);
  if (!aligned || !bits || secondary & CPU2_VIRTUALIZE_APIC_ACCESSES || page >= load<u64>(MEMORY_END)) return aligned && bits;
  return must(threshold <= <u32>load<u8>(<usize>page + 0x80) >> 4, CHECK_TPR_THRESHOLD_VTPR);
}

/** @sdm 3C 24.6.11 "Extended-Page-Table Pointer (EPTP)" */
function checkEptp(eptp: u64): bool {
  const type = eptp & 7;
  let good = must(type == 0 || type == 6, CHECK_EPTP_TYPE);
  good = must((eptp >> 3 & 7) == 3, CHECK_EPTP_WALK) && good;
  return must((eptp & (~WIDTH | 0xf80)) == 0, CHECK_EPTP_RESERVED) && good;
}

/** True when `eptp` passes the checks of VM entry; records nothing. */
export function validEptp(eptp: u64): bool {
  const type = eptp & 7;
  return (type == 0 || type == 6) && (eptp >> 3 & 7) == 3 && (eptp & (~WIDTH | 0xf80)) == 0;
}

function checkVmFunctions(secondary: u32): bool {
  const functions = field(VM_FUNCTION_CONTROL);
  let good = must((functions & ~IA32_VMX_VMFUNC) == 0, CHECK_VM_FUNCTION_RESERVED);
  if (functions & 1) {
    good = must((secondary & CPU2_ENABLE_EPT) != 0, CHECK_EPTP_SWITCHING) && good;
    good = must(pageAddress(field(EPTP_LIST_ADDRESS)), CHECK_EPTP_LIST) && good;
  }
  return good;
}

function checkExitControls(pin: u32): bool {
  const controls = field32(VM_EXIT_CONTROLS);
  let good = must(allowed(controls, EXIT_MUST_BE_ONE, EXIT_MAY_BE_ONE), CHECK_EXIT_RESERVED);
  if (!(pin & PIN_ACTIVATE_VMX_PREEMPTION_TIMER)) {
    good = must(!(controls & EXIT_SAVE_VMX_PREEMPTION_TIMER_VALUE), CHECK_SAVE_TIMER) && good;
  }
  good = must(msrArea(field(VM_EXIT_MSR_STORE_ADDR), field32(VM_EXIT_MSR_STORE_COUNT)), CHECK_EXIT_MSR_STORE) && good;
  return must(msrArea(field(VM_EXIT_MSR_LOAD_ADDR), field32(VM_EXIT_MSR_LOAD_COUNT)), CHECK_EXIT_MSR_LOAD) && good;
}

function checkEntryControls(): bool {
  const good = must(allowed(field32(VM_ENTRY_CONTROLS), ENTRY_MUST_BE_ONE, ENTRY_MAY_BE_ONE), CHECK_ENTRY_RESERVED);
  return must(msrArea(field(VM_ENTRY_MSR_LOAD_ADDR), field32(VM_ENTRY_MSR_LOAD_COUNT)), CHECK_ENTRY_MSR_LOAD) && good;
}

/** The event to inject; true when all checks hold. @sdm 3C 26.2.1.3 "VM-Entry Control Fields" */
export function checkInjection(): bool {
  const info = field32(VM_ENTRY_INTR_INFO);
  if (!(info & INFO_VALID)) return true;
  const type = info >> 8 & 7;
  const vector = info & 0xff;
  let good = must(type != TYPE_RESERVED, CHECK_INJECT_TYPE);
  if (type == TYPE_NMI) good = must(vector == VEC_NMI, CHECK_INJECT_VECTOR) && good;
  else if (type == TYPE_HARDWARE_EXCEPTION) good = must(vector <= 31, CHECK_INJECT_VECTOR) && good;
  else if (type == TYPE_OTHER_EVENT) good = must(vector == 0, CHECK_INJECT_VECTOR) && good;
  const protectedMode = !(secondaryControls() & CPU2_UNRESTRICTED_GUEST) || (field32(GUEST_CR0) & <u32>CR0_PE) != 0;
  const hasCode = type == TYPE_HARDWARE_EXCEPTION && vector < 32 && (WITH_ERROR_CODE >> vector & 1) != 0 && protectedMode;
  good = must(((info & INFO_ERROR_CODE) != 0) == hasCode, CHECK_INJECT_ERROR_BIT) && good;
  good = must((info & 0x7ffff000) == 0, CHECK_INJECT_RESERVED) && good;
  if (info & INFO_ERROR_CODE) good = must((field32(VM_ENTRY_EXCEPTION_ERROR_CODE) & 0xffff0000) == 0, CHECK_INJECT_ERROR_CODE) && good;
  if (type >= TYPE_SOFTWARE_INTERRUPT && type <= TYPE_SOFTWARE_EXCEPTION) good = must(field32(VM_ENTRY_INSTRUCTION_LEN) <= 15, CHECK_INJECT_LENGTH) && good;
  return good;
}
