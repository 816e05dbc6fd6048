// Guest-physical to host-physical: a walk of the EPT paging structures in the hardware's format.
//
//   entry:  63        51     12 11..  8     7    6    5..3      2   1   0
//           | ignored | HPA    |    | D | A  | leaf | IPAT | type | X | W | R |
import {
  CODE_PAGES, CTX_EPTP, DIRTY_FOR_ALL, DIRTY_FOR_HISTORY, DIRTY_FRAMES, EPT_CACHE, EPT_CACHE_ENTRIES, EPT_CACHE_EPTP, MAX_PHYS_BITS, MEMORY_END, RAM_BASE, VMCS_PTR,
} from '../layout';
import { EPT_A, EPT_D, EPT_PS } from '../generated/page-entries';
import {
  CPU2_ENABLE_EPT, CPU2_ENABLE_VPID, CPU2_VIRTUALIZE_APIC_ACCESSES, CPU_USE_TPR_SHADOW,
} from '../generated/controls';
import { EXIT_REASON_APIC_ACCESS, EXIT_REASON_EPT_MISCONFIG, EXIT_REASON_EPT_VIOLATION } from '../generated/exits';
import {
  APIC_ACCESS_ADDR, CPU_BASED_VM_EXEC_CONTROL, EPT_POINTER, SECONDARY_VM_EXEC_CONTROL, VIRTUAL_APIC_PAGE_ADDR,
  VIRTUAL_PROCESSOR_ID,
} from '../generated/vmcs';

export const ACCESS_READ: u32 = 1;
export const ACCESS_WRITE: u32 = 2;
export const ACCESS_FETCH: u32 = 4;

/** The EPT entry at which the failed walk ended, 0 where it met none, and what stood there. */
export let eptEntry: usize = 0;
export let eptValue: u64 = 0;

const EPTP_AD: u64 = 0x40;
const HPA_MASK: u64 = ((<u64>1 << MAX_PHYS_BITS) - 1) & ~(<u64>0xfff);
const RESERVED_HIGH: u64 = ((<u64>1 << 52) - 1) & ~((<u64>1 << MAX_PHYS_BITS) - 1);

/** Why the last eptTranslate answered 0: the exit reason of an APIC access, an EPT violation or misconfiguration. */
export let eptFailure: u32 = 0;
/** Bits 3-5 of the exit qualification: what the entries of the failed walk permit. */
export let eptPermissions: u32 = 0;

/** EPTP when the controls of the current VMCS enable EPT, otherwise 0. */
export function eptPointer(): u64 {
  const vmcs: usize = load<u32>(VMCS_PTR);
  if (vmcs == 0 || !(load<u32>(vmcs + CPU_BASED_VM_EXEC_CONTROL) >> 31)) return 0;
  if (!(load<u32>(vmcs + SECONDARY_VM_EXEC_CONTROL) & CPU2_ENABLE_EPT)) return 0;
  return load<u64>(vmcs + EPT_POINTER);
}

/** VPID when the controls of the current VMCS enable VPIDs, otherwise 0. */
export function vpid(): u32 {
  const vmcs: usize = load<u32>(VMCS_PTR);
  if (vmcs == 0 || !(load<u32>(vmcs + CPU_BASED_VM_EXEC_CONTROL) >> 31)) return 0;
  if (!(load<u32>(vmcs + SECONDARY_VM_EXEC_CONTROL) & CPU2_ENABLE_VPID)) return 0;
  return load<u16>(vmcs + VIRTUAL_PROCESSOR_ID);
}

/** Host page of the APIC-access page when the controls virtualize APIC accesses, otherwise all ones. */
function apicAccessPage(): u64 {
  const vmcs: usize = load<u32>(VMCS_PTR);
  if (vmcs == 0 || !(load<u32>(vmcs + CPU_BASED_VM_EXEC_CONTROL) >> 31)) return ~(<u64>0);
  return load<u32>(vmcs + SECONDARY_VM_EXEC_CONTROL) & CPU2_VIRTUALIZE_APIC_ACCESSES ? load<u64>(vmcs + APIC_ACCESS_ADDR) : ~(<u64>0);
}

/** Virtual-APIC page when the TPR shadow is in use, otherwise 0. */
export function tprShadowPage(): usize {
  const vmcs: usize = load<u32>(VMCS_PTR);
  return vmcs && load<u32>(vmcs + CPU_BASED_VM_EXEC_CONTROL) & CPU_USE_TPR_SHADOW ? <usize>load<u32>(vmcs + VIRTUAL_APIC_PAGE_ADDR) : <usize>0;
}

/** With accessed and dirty flags for EPT, accesses to guest paging structures count as writes. */
@inline export function eptAccessDirty(): bool { return (load<u64>(CTX_EPTP) & EPTP_AD) != 0; }

export function forgetEptCache(): void { memory.fill(EPT_CACHE, 0, EPT_CACHE_ENTRIES * 8); }

function misconfigured(): usize {
  eptFailure = EXIT_REASON_EPT_MISCONFIG;
  eptEntry = 0;
  eptPermissions = 0;
  return 0;
}

/** Tells the host of a frame, by its number, that is about to be written for the first time since it cleared DIRTY_FOR_HISTORY. */
// @ts-ignore: decorator
@external("env", "firstWrite")
declare function firstWrite(frame: u32): void;

/** A host address that is about to be accessed: its frame is noted when it may be written, once until the TLBs are empty again. */
function frame(hpa: u64, access: u32): usize {
  if (access & ACCESS_WRITE) {
    const number = <usize>(hpa >> 12);
    const marks: u32 = load<u8>(number, DIRTY_FRAMES);
    if (marks != DIRTY_FOR_ALL) {
      if (!(marks & DIRTY_FOR_HISTORY)) firstWrite(<u32>number);
      store<u8>(number, DIRTY_FOR_ALL, DIRTY_FRAMES);
    }
  }
  return <usize>hpa;
}

/**
 * Host address for a guest-physical address, or 0 (eptFailure, eptPermissions tell why).
 * @sdm 3C 29.3.2 "EPT Translation Mechanism"
 */
export function eptTranslate(gpa: u64, access: u32): usize {
  const eptp = load<u64>(CTX_EPTP);
  if (eptp == 0) {
    if (gpa < load<u64>(MEMORY_END) - RAM_BASE) return frame(gpa + RAM_BASE, access);
    eptFailure = EXIT_REASON_EPT_VIOLATION;
    eptPermissions = 0;
    eptEntry = 0;
    return 0;
  }
  const flags = (eptp & EPTP_AD) != 0;
  let table = eptp & HPA_MASK;
  let permissions: u64 = 7;
  let level: u64 = (eptp >> 3 & 7) + 1;
  if (gpa >> (12 + 9 * level)) {
    eptFailure = EXIT_REASON_EPT_VIOLATION;
    eptPermissions = 0;
    eptEntry = 0;
    return 0;
  }
  let entry: usize = 0;
  let value: u64 = 0;
  for (;;) {
    level--;
    entry = <usize>table + (<usize>(gpa >> (12 + 9 * level) & 511) << 3);
    if (table >= load<u64>(MEMORY_END)) return misconfigured();
    value = load<u64>(entry);
    const rights = value & 7;
    permissions &= rights;
    if (rights == 0) break;
    // W without R, reserved address bits
    if ((rights & 3) == 2 || value & RESERVED_HIGH) return misconfigured();
    const leaf = level == 0 || (value & EPT_PS) != 0;
    if (leaf) {
      const type = value >> 3 & 7;
      if (level > 2 || type == 2 || type == 3 || type == 7) return misconfigured();
      if (level > 0 && value & ((<u64>1 << (12 + 9 * level)) - 0x1000)) return misconfigured();
      break;
    }
    if (value & 0x78) return misconfigured();
    if ((permissions & access) == access && flags && !(value & EPT_A)) store<u64>(entry, value | EPT_A);
    table = value & HPA_MASK;
  }
  if ((permissions & access) != access) {
    eptFailure = EXIT_REASON_EPT_VIOLATION;
    eptPermissions = <u32>permissions << 3;
    eptEntry = entry;
    eptValue = value;
    return 0;
  }
  if (flags) {
    const marks = EPT_A | (access & ACCESS_WRITE ? EPT_D : 0);
    if ((value & marks) != marks) store<u64>(entry, value | marks);
  }
  const within = (<u64>1 << (12 + 9 * level)) - 1;
  const hpa = (value & HPA_MASK & ~within) | (gpa & within);
  if ((hpa & ~(<u64>0xfff)) == apicAccessPage()) {
    eptFailure = EXIT_REASON_APIC_ACCESS;
    eptEntry = 0;
    return 0;
  }
  // a frame outside the guests' memory has nothing behind it
  if (hpa < <u64>RAM_BASE || hpa >= load<u64>(MEMORY_END)) return misconfigured();
  return frame(hpa, access);
}

/** As eptTranslate for the walker's accesses to paging structures, with a small cache. */
export function structureHost(gpa: u64, access: u32): usize {
  const eptp = load<u64>(CTX_EPTP);
  if (eptp != load<u64>(EPT_CACHE_EPTP)) {
    forgetEptCache();
    store<u64>(EPT_CACHE_EPTP, eptp);
  }
  const page = <u32>(gpa >> 12) + 1;
  const slot = <usize>EPT_CACHE + (<usize>(page & (EPT_CACHE_ENTRIES - 1)) << 3);
  const cached = load<u32>(slot, 4);
  if (load<u32>(slot) == page && (cached & access) == access) return <usize>(cached & 0xfffff000) | (<usize>gpa & 0xfff);
  const host = eptTranslate(gpa, access);
  if (host) {
    store<u32>(slot, page);
    store<u32>(slot, (<u32>host & 0xfffff000) | access, 4);
  }
  return host;
}

@inline export function holdsCode(host: usize): bool { return load<u8>(host >> 12, CODE_PAGES) != 0; }
