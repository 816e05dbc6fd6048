// The VMCS regions: fields by offset inside the core, by encoding for the VMM.
import { IN_ROOT, VMCS_BASE, VMCS_DIRTY, VMCS_PTR } from '../layout';
import {
  VMCS_LINK_POINTER, VMCS_LOOKUP, VMCS_REVISION, VM_INSTRUCTION_ERROR, CPU_BASED_VM_EXEC_CONTROL, CR3_TARGET_COUNT,
  PIN_BASED_VM_EXEC_CONTROL, SECONDARY_VM_EXEC_CONTROL, VM_ENTRY_CONTROLS, VM_EXIT_CONTROLS,
} from '../generated/vmcs';
import {
  CPU_ACTIVATE_SECONDARY_CONTROLS, CPU_MUST_BE_ONE, ENTRY_MUST_BE_ONE, EXIT_MUST_BE_ONE, PIN_MUST_BE_ONE,
} from '../generated/controls';

/** Areas that VMWRITE changed: checks of these areas run at the next VM entry. */
export const DIRTY_CONTROLS: u32 = 1;
export const DIRTY_HOST: u32 = 2;
export const DIRTY_GUEST: u32 = 4;
export const DIRTY_ALL: u32 = 7;

/** Byte offset of the launch state in a region: 0 clear, 1 launched. */
export const VMCS_LAUNCH_STATE: usize = 8;
/** Byte offset of the VMX-abort indicator. */
export const VMCS_ABORT: usize = 4;

@inline export function vmcs(): usize { return load<u32>(VMCS_PTR); }
@inline export function field(offset: usize): u64 { return load<u64>(vmcs() + offset); }
@inline export function field32(offset: usize): u32 { return load<u32>(vmcs() + offset); }
@inline export function setField(offset: usize, value: u64): void { store<u64>(vmcs() + offset, value); }

@inline export function pinControls(): u32 { return field32(PIN_BASED_VM_EXEC_CONTROL); }
@inline export function primaryControls(): u32 { return field32(CPU_BASED_VM_EXEC_CONTROL); }
/** Secondary controls, all 0 while they are not activated. */
@inline export function secondaryControls(): u32 {
  return primaryControls() & CPU_ACTIVATE_SECONDARY_CONTROLS ? field32(SECONDARY_VM_EXEC_CONTROL) : 0;
}

/** Offset and dirty class of an encoding, or 0 when there is no such field. */
function lookup(encoding: u32): u32 {
  if (encoding & ~0x6ffe & ~1 || (encoding & 0x3fe) > 0x7e) return 0;
  return load<u16>(VMCS_LOOKUP + (((encoding >> 13 & 3) << 8 | (encoding >> 10 & 3) << 6 | encoding >> 1 & 0x3f) << 1));
}

/**
 * Value of the field with this encoding ("high" access included), 0 for an unknown one (see vmcsHas).
 * @sdm 3C 30.3 "VMREAD"
 */
export function vmRead(encoding: u32): u64 {
  const entry = lookup(encoding);
  if (entry == 0) return 0;
  const value = field(entry & 0xfff);
  return encoding & 1 ? value >> 32 : value;
}

/** 1 when the encoding names a field of this CPU. */
export function vmcsHas(encoding: u32): i32 {
  return lookup(encoding) != 0 && (!(encoding & 1) || (encoding >> 13 & 3) == 1) ? 1 : 0;
}

/**
 * Writes a field as VMWRITE does, cut to its width; answers 0, or the VM-instruction error: 12 unknown
 * field. Read-only fields are written too (IA32_VMX_MISC bit 29).
 * @sdm 3C 30.3 "VMWRITE"
 */
export function vmWriteField(encoding: u32, value: u64): u32 {
  const entry = lookup(encoding);
  if (entry == 0) {
    setField(VM_INSTRUCTION_ERROR, 12);
    return 12;
  }
  const offset: usize = entry & 0xfff;
  const width = encoding >> 13 & 3;
  if (width == 0) value &= 0xffff;
  else if (width == 2) value &= 0xffffffff;
  else if (encoding & 1) value = field(offset) & 0xffffffff | value << 32;
  setField(offset, value);
  store<u32>(VMCS_DIRTY, load<u32>(VMCS_DIRTY) | entry >> 12 & DIRTY_ALL);
  return 0;
}

/** The host wrote VMCS memory itself: the next VM entry checks and loads everything. */
export function vmcsTouched(): void {
  store<u32>(VMCS_DIRTY, DIRTY_ALL);
}

/**
 * Prepares region `index` as VMCLEAR and VMPTRLD leave it and makes it current: fields 0, link
 * pointer all ones, each control word at its smallest valid value.
 */
export function initVmcs(index: u32): void {
  const region: usize = VMCS_BASE + (index << 12);
  memory.fill(region, 0, 4096);
  store<u32>(region, VMCS_REVISION);
  store<u32>(VMCS_PTR, <u32>region);
  store<u32>(IN_ROOT, 1);
  setField(VMCS_LINK_POINTER, ~(<u64>0));
  setField(PIN_BASED_VM_EXEC_CONTROL, PIN_MUST_BE_ONE);
  setField(CPU_BASED_VM_EXEC_CONTROL, CPU_MUST_BE_ONE);
  setField(VM_EXIT_CONTROLS, EXIT_MUST_BE_ONE);
  setField(VM_ENTRY_CONTROLS, ENTRY_MUST_BE_ONE);
  store<u32>(VMCS_DIRTY, DIRTY_ALL);
}
