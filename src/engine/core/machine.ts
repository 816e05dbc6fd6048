// The machine as a whole: power-up state, and which vCPU is the running one.
import {
  ACTIVE, BREAK_SET, BREAK_SET_ENTRIES, CLEARED_END, DR6, DR7, JIT_LEFT_AT, JIT_SLICE, LINEAR_SHIFT, MAX_VCPUS, MEMORY_END, MXCSR, PARKED_BASE, PAT, PREEMPTION_DEADLINE, RFLAGS, VCPU_INDEX,
  VCPU_STATE_BYTES, X87_FCW, XCR0,
} from './layout';
import { DR6_ALWAYS_ONE, DR7_ALWAYS_ONE, FCW_INITIAL, MXCSR_INITIAL, RFLAGS_ALWAYS_ONE, XCR0_X87 } from './generated/register-bits';
import { dropBlocks } from './decode/cache';
import { enterContext, flushAllVcpus, forgetTranslations } from './mmu/tlb';

/** Clears the machine: all vCPUs, TLBs, decoded code, VMCSs, counts and trace positions. Guest RAM is left. */
export function init(): void {
  memory.fill(ACTIVE, 0, CLEARED_END - ACTIVE);
  memory.fill(BREAK_SET, 0, BREAK_SET_ENTRIES * 8);
  dropBlocks();
  store<u32>(JIT_SLICE, 100000);
  store<u64>(JIT_LEFT_AT, ~u64(0));
  store<u32>(LINEAR_SHIFT, 7);
  store<u64>(MEMORY_END, u64(memory.size()) << 16);
  store<u64>(RFLAGS, RFLAGS_ALWAYS_ONE);
  store<u64>(DR6, DR6_ALWAYS_ONE);
  store<u64>(DR7, DR7_ALWAYS_ONE);
  store<u64>(PAT, 0x0007040600070406);
  store<u64>(XCR0, XCR0_X87);
  store<u64>(PREEMPTION_DEADLINE, ~u64(0));
  store<u16>(X87_FCW, FCW_INITIAL);
  store<u32>(MXCSR, MXCSR_INITIAL);
  for (let index: u32 = 0; index < <u32>MAX_VCPUS; index++) {
    store<u32>(VCPU_INDEX, index);
    memory.copy(PARKED_BASE + index * VCPU_STATE_BYTES, ACTIVE, VCPU_STATE_BYTES);
  }
  store<u32>(VCPU_INDEX, 0);
  flushAllVcpus();
}

/** Parks the running vCPU and makes another one the running one. */
export function selectVcpu(index: u32): void {
  const current = load<u32>(VCPU_INDEX);
  if (index == current || index >= <u32>MAX_VCPUS) return;
  memory.copy(PARKED_BASE + current * VCPU_STATE_BYTES, ACTIVE, VCPU_STATE_BYTES);
  memory.copy(ACTIVE, PARKED_BASE + index * VCPU_STATE_BYTES, VCPU_STATE_BYTES);
  store<u32>(VCPU_INDEX, index);
  enterContext();
}

/**
 * Drops all that the core keeps only to be fast: translations, contexts, decoded code. No vCPU may be between VM entry
 * and VM exit. Two machines with the same state run alike from here on, whatever ran on them before: when a walk
 * happens, and so when accessed and dirty flags are set, depends on what is cached.
 */
export function dropDerived(): void {
  dropBlocks();
  forgetTranslations();
}
