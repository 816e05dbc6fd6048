// The MSR areas of VM entry and VM exit: 16-byte entries {index u32, reserved u32, data u64} in host memory.
import { MEMORY_END } from '../layout';
import { MSR_IA32_FS_BASE, MSR_IA32_GS_BASE, MSR_IA32_TIME_STAMP_COUNTER } from '../generated/msrs';
import {
  VM_ENTRY_MSR_LOAD_ADDR, VM_ENTRY_MSR_LOAD_COUNT, VM_EXIT_MSR_LOAD_ADDR, VM_EXIT_MSR_LOAD_COUNT,
  VM_EXIT_MSR_STORE_ADDR, VM_EXIT_MSR_STORE_COUNT,
} from '../generated/vmcs';
import { hardwareTsc, msrValue, readMsr, writeMsr } from '../exec/msr';
import { field, field32, VMCS_ABORT, vmcs } from './vmcs';

const ABORT_SAVING_MSRS: u32 = 1;
const ABORT_LOADING_MSRS: u32 = 4;

/** Number (from 1) of the entry that cannot be loaded, or 0. @sdm 3C 26.4 "Loading MSRs" */
function loadList(address: u64, count: u32): u32 {
  for (let n: u32 = 0; n < count; n++) {
    const entry = address + (<u64>n << 4);
    if (entry + 16 > load<u64>(MEMORY_END)) return n + 1;
    const index = load<u32>(<usize>entry);
    const reserved = load<u32>(<usize>entry, 4) != 0;
    if (reserved || index == MSR_IA32_FS_BASE || index == MSR_IA32_GS_BASE || !writeMsr(index, load<u64>(<usize>entry, 8))) return n + 1;
  }
  return 0;
}

/** VM entry's list: number of the failing entry for the exit qualification, or 0. */
export function entryMsrList(): u32 {
  return loadList(field(VM_ENTRY_MSR_LOAD_ADDR), field32(VM_ENTRY_MSR_LOAD_COUNT));
}

/** VM exit's lists. A failure is a VMX abort: its indicator is stored in the region. @sdm 3C 27.4 "Saving MSRs" */
export function exitMsrLists(): void {
  const address = field(VM_EXIT_MSR_STORE_ADDR);
  const count = field32(VM_EXIT_MSR_STORE_COUNT);
  for (let n: u32 = 0; n < count; n++) {
    const entry = address + (<u64>n << 4);
    if (entry + 16 > load<u64>(MEMORY_END) || load<u32>(<usize>entry, 4) || !readMsr(load<u32>(<usize>entry))) {
      store<u32>(vmcs(), ABORT_SAVING_MSRS, VMCS_ABORT);
      return;
    }
    store<u64>(<usize>entry, load<u32>(<usize>entry) == MSR_IA32_TIME_STAMP_COUNTER ? hardwareTsc() : msrValue, 8);
  }
  if (loadList(field(VM_EXIT_MSR_LOAD_ADDR), field32(VM_EXIT_MSR_LOAD_COUNT))) {
    store<u32>(vmcs(), ABORT_LOADING_MSRS, VMCS_ABORT);
  }
}
