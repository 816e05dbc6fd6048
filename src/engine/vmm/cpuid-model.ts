import { KVM_SIGNATURE } from '../../spec/kvm-paravirt.js';
import { type CpuModel, linearBits } from './cpu-models.js';
import { PARAVIRTUAL_FEATURES } from './paravirt.js';
import { xstateLeaf } from './xstate.js';

/**
 * What CPUID tells the guest: exactly what the core implements.
 * @sdm 2A 3.3 "CPUID - CPU Identification"
 */
export interface CpuidRegisters {
  eax: number;
  ebx: number;
  ecx: number;
  edx: number;
}

export interface CpuidContext {
  model: CpuModel;
  vcpu: number;
  vcpus: number;
  /** CR4.OSXSAVE as the guest sees it. */
  osxsave: boolean;
  /** KVM's leaves are shown. */
  paravirtual: boolean;
  /** XCR0. */
  xcr0: bigint;
  /** IA32_APIC_BASE.EN. */
  apicEnabled: boolean;
}

const VENDOR = 'GenuineIntel';
const BRAND = 'vmscope software x86-64 CPU with VT-x';
/** Family 6, model 60, stepping 3: software that keys on the model takes its generic 64-bit paths. */
const SIGNATURE = 0x000306c3;
const TSC_HZ = 1_000_000_000;
const PHYSICAL_BITS = 39;

const word = (text: string, at: number): number =>
  [0, 1, 2, 3].reduce((value, i) => value | ((text.charCodeAt(at + i) || 0) << (8 * i)), 0) >>> 0;

const ZERO: CpuidRegisters = { eax: 0, ebx: 0, ecx: 0, edx: 0 };
const MAX_BASIC = 0x16;
const MAX_EXTENDED = 0x80000008;
/** Signature of the hypervisor leaves where KVM's are not shown. */
const OWN_SIGNATURE = 'vmscopevmscp';

/** Answers the four registers of a leaf; leaves above the maximum answer the highest basic one, as Intel's do. */
export function cpuid(leaf: number, subleaf: number, context: CpuidContext): CpuidRegisters {
  if (leaf >= 0x40000000 && leaf < 0x40000100) return hypervisorLeaf(leaf, context.paravirtual);
  if (leaf >= 0x80000000) return leaf > MAX_EXTENDED ? cpuid(MAX_BASIC, 0, context) : extendedLeaf(leaf, context.model);
  if (leaf > MAX_BASIC) return cpuid(MAX_BASIC, 0, context);
  switch (leaf) {
    case 0:
      return { eax: MAX_BASIC, ebx: word(VENDOR, 0), edx: word(VENDOR, 4), ecx: word(VENDOR, 8) };
    case 1: {
      const ecx = (context.model.leaf1Ecx | (context.osxsave ? 1 << 27 : 0)) >>> 0;
      const edx = context.apicEnabled ? context.model.leaf1Edx : (context.model.leaf1Edx & ~(1 << 9)) >>> 0;
      const ebx = ((context.vcpu << 24) | (context.vcpus << 16) | (8 << 8)) >>> 0;
      return { eax: SIGNATURE, ebx, ecx, edx: context.vcpus > 1 ? (edx | (1 << 28)) >>> 0 : edx };
    }
    case 4:
      return cacheLeaf(subleaf);
    case 6:
      // ARAT: the local APIC's timer never stops
      return { ...ZERO, eax: 1 << 2 };
    case 7:
      return subleaf === 0 ? { ...ZERO, ebx: context.model.leaf7Ebx, ecx: context.model.leaf7Ecx } : ZERO;
    case 0xb:
      return topologyLeaf(subleaf, context);
    case 0xd:
      return xstateLeaf(subleaf, context.xcr0, context.model.xcr0);
    case 0x15:
      return { ...ZERO, eax: 1, ebx: TSC_HZ / 25_000_000, ecx: 25_000_000 };
    case 0x16:
      return { ...ZERO, eax: TSC_HZ / 1_000_000, ebx: TSC_HZ / 1_000_000, ecx: 100 };
    default:
      return ZERO;
  }
}

function extendedLeaf(leaf: number, model: CpuModel): CpuidRegisters {
  switch (leaf) {
    case 0x80000000:
      return { ...ZERO, eax: MAX_EXTENDED };
    case 0x80000001:
      return { ...ZERO, ecx: model.extendedEcx, edx: model.extendedEdx };
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: {
      const at = (leaf - 0x80000002) * 16;
      return { eax: word(BRAND, at), ebx: word(BRAND, at + 4), ecx: word(BRAND, at + 8), edx: word(BRAND, at + 12) };
    }
    case 0x80000006:
      return { ...ZERO, ecx: (256 << 16) | (6 << 12) | 64 };
    case 0x80000007:
      return { ...ZERO, edx: 1 << 8 };
    case 0x80000008:
      return { ...ZERO, eax: (linearBits(model) << 8) | PHYSICAL_BITS };
    default:
      return ZERO;
  }
}

function hypervisorLeaf(leaf: number, paravirtual: boolean): CpuidRegisters {
  const name = paravirtual ? KVM_SIGNATURE : OWN_SIGNATURE;
  if (leaf === 0x40000000) return { eax: 0x40000001, ebx: word(name, 0), ecx: word(name, 4), edx: word(name, 8) };
  if (leaf === 0x40000001 && paravirtual) return { ...ZERO, eax: PARAVIRTUAL_FEATURES };
  return ZERO;
}

function cacheLeaf(subleaf: number): CpuidRegisters {
  const cache = (type: number, level: number, ways: number, sets: number): CpuidRegisters => ({
    eax: type | (level << 5) | (1 << 8),
    ebx: (((ways - 1) << 22) | (0 << 12) | 63) >>> 0,
    ecx: sets - 1,
    edx: 0,
  });
  return [cache(1, 1, 8, 64), cache(2, 1, 8, 64), cache(3, 2, 8, 512)][subleaf] ?? ZERO;
}

function topologyLeaf(subleaf: number, { vcpu, vcpus }: CpuidContext): CpuidRegisters {
  if (subleaf === 0) return { eax: 0, ebx: 1, ecx: (1 << 8) | 0, edx: vcpu };
  if (subleaf === 1) return { eax: Math.ceil(Math.log2(Math.max(vcpus, 2))), ebx: vcpus, ecx: (2 << 8) | 1, edx: vcpu };
  return { eax: 0, ebx: 0, ecx: subleaf & 0xff, edx: vcpu };
}
