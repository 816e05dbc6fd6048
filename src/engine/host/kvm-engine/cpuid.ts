// CPUID of a guest on KVM: the same CPU model as the embedded engine's, less what the host cannot run.
import { XCR0 } from '../../../spec/masks.js';
import { type CpuModel, cpuModel, DEFAULT_CPU_MODEL } from '../../vmm/cpu-models.js';
import { cpuid } from '../../vmm/cpuid-model.js';
import type { CpuidEntry } from '../kvm/kvm.js';

/** KVM_CPUID_FLAG_SIGNIFCANT_INDEX: the entry is for one value of ECX. */
const SIGNIFICANT_INDEX = 1;
/** x2APIC and TSC-deadline, in CPUID leaf 1 ECX: KVM has them in its own APIC only. */
export const X2APIC = 1 << 21;
export const TSC_DEADLINE = 1 << 24;
const NEEDS_KERNEL_APIC = X2APIC | TSC_DEADLINE;
/** Leaves that name a frequency: the TSC is the host's. */
const FREQUENCIES = new Set([0x15, 0x16]);
const SUBLEAVES: Record<number, number> = { 4: 4, 7: 1, 11: 2, 13: 10 };
const HYPERVISOR = 0x40000000;

const LEAVES = [
  ...Array.from({ length: 0x17 }, (_, leaf) => leaf),
  HYPERVISOR,
  HYPERVISOR + 1,
  ...Array.from({ length: 9 }, (_, n) => 0x80000000 + n),
];

function find(host: readonly CpuidEntry[], leaf: number, index = 0): CpuidEntry | undefined {
  return host.find((entry) => entry.function >>> 0 === leaf && entry.index === index);
}

/** A CPU model without what the host lacks. `kernelApic`: which of those two a kernel's APIC gives. */
export function modelOnHost(
  host: readonly CpuidEntry[],
  model: CpuModel = cpuModel(DEFAULT_CPU_MODEL),
  kernelApic = 0,
): CpuModel {
  const [one, seven, thirteen, extended] = [1, 7, 13, 0x80000001].map((leaf) => find(host, leaf));
  const hypervisorBit = 1 << 31;
  return {
    ...model,
    leaf1Ecx:
      (model.leaf1Ecx & ((one?.ecx ?? 0) | hypervisorBit | kernelApic) & ~(NEEDS_KERNEL_APIC & ~kernelApic)) >>> 0,
    leaf1Edx: (model.leaf1Edx & (one?.edx ?? 0)) >>> 0,
    leaf7Ebx: (model.leaf7Ebx & (seven?.ebx ?? 0)) >>> 0,
    leaf7Ecx: (model.leaf7Ecx & (seven?.ecx ?? 0)) >>> 0,
    leaf7Edx: (model.leaf7Edx & (seven?.edx ?? 0)) >>> 0,
    extendedEcx: (model.extendedEcx & (extended?.ecx ?? 0)) >>> 0,
    extendedEdx: (model.extendedEdx & (extended?.edx ?? 0)) >>> 0,
    xcr0: model.xcr0 & BigInt(thirteen?.eax ?? 3),
  };
}

/** The table for KVM_SET_CPUID2 of a vCPU. */
export function guestCpuid(model: CpuModel, vcpu: number): CpuidEntry[] {
  const context = { model, vcpu, osxsave: false, paravirtual: false, xcr0: XCR0.X87, apicEnabled: true };
  return LEAVES.flatMap((leaf) => {
    const subleaves = SUBLEAVES[leaf] ?? 1;
    return Array.from({ length: subleaves }, (_, index) => ({
      function: leaf,
      index,
      flags: subleaves > 1 || leaf in SUBLEAVES ? SIGNIFICANT_INDEX : 0,
      ...(FREQUENCIES.has(leaf) ? { eax: 0, ebx: 0, ecx: 0, edx: 0 } : cpuid(leaf, index, context)),
    }));
  });
}
