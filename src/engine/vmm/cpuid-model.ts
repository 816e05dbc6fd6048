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
  /** CR4.OSXSAVE as the guest sees it. */
  osxsave: boolean;
  /** CR4.PKE. */
  ospke?: boolean;
  /** KVM's leaves are shown. */
  paravirtual: boolean;
  /** XCR0. */
  xcr0: bigint;
  /** IA32_APIC_BASE.EN. */
  apicEnabled: boolean;
}

const BRAND = 'vmscope software x86-64 CPU with VT-x';
/** Family 6, model 60, stepping 3: software that keys on the model takes its generic 64-bit paths. */
const SIGNATURE = 0x000306c3;
/** AMD's numbers: family 15, model 107, stepping 1. */
const AMD_SIGNATURE = 0x00060fb1;
const TSC_HZ = 1_000_000_000;
const PHYSICAL_BITS = 39;

const word = (text: string, at: number): number =>
  [0, 1, 2, 3].reduce((value, i) => value | ((text.charCodeAt(at + i) || 0) << (8 * i)), 0) >>> 0;

/** Feature bit of leaf 80000001H: leaves 8000001DH and 8000001EH exist. */
const AMD_TOPOLOGY = 1 << 22;

const OSPKE = 1 << 4;

const ZERO: CpuidRegisters = { eax: 0, ebx: 0, ecx: 0, edx: 0 };
const MAX_BASIC = 0x16;
const MAX_EXTENDED = 0x80000008;
const AMD_MAX_EXTENDED = 0x8000001e;
/** Signature of the hypervisor leaves where KVM's are not shown. */
const OWN_SIGNATURE = 'vmscopevmscp';

/** Answers the four registers of a leaf; leaves above the maximum answer the highest basic one, as Intel's do. */
export function cpuid(leaf: number, subleaf: number, context: CpuidContext): CpuidRegisters {
  if (leaf >= 0x40000000 && leaf < 0x40000100) return hypervisorLeaf(leaf, context.paravirtual);
  const amd = context.model.vendor === 'AuthenticAMD';
  if (leaf >= 0x80000000 && leaf <= (amd ? AMD_MAX_EXTENDED : MAX_EXTENDED)) {
    return (amd && amdLeaf(leaf, subleaf, context)) || extendedLeaf(leaf, context.model);
  }
  // beyond the last leaf Intel's CPUs answer the last basic one, AMD's zeros
  if (leaf > MAX_BASIC) return amd ? ZERO : cpuid(MAX_BASIC, 0, context);
  switch (leaf) {
    case 0:
      return { eax: MAX_BASIC, ...vendorName(context.model) };
    case 1: {
      const ecx = (context.model.leaf1Ecx | (context.osxsave ? 1 << 27 : 0)) >>> 0;
      const edx = context.apicEnabled ? context.model.leaf1Edx : (context.model.leaf1Edx & ~(1 << 9)) >>> 0;
      const ebx = ((context.vcpu << 24) | (1 << 16) | (8 << 8)) >>> 0;
      return { eax: amd ? AMD_SIGNATURE : SIGNATURE, ebx, ecx, edx };
    }
    case 4:
      return amd ? ZERO : cacheLeaf(subleaf);
    case 6:
      // ARAT: the local APIC's timer never stops
      return { ...ZERO, eax: 1 << 2 };
    case 7:
      return subleaf === 0 ? structuredFeatures(context) : ZERO;
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

/** Structured extended features. IA32_ARCH_CAPABILITIES is Intel's. */
function structuredFeatures({ model, ospke }: CpuidContext): CpuidRegisters {
  const { leaf7Ebx, leaf7Ecx, leaf7Edx, vendor } = model;
  const ecx = (leaf7Ecx | (ospke ? OSPKE : 0)) >>> 0;
  return { ...ZERO, ebx: leaf7Ebx, ecx, edx: vendor === 'AuthenticAMD' ? 0 : leaf7Edx };
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

function vendorName({ vendor = 'GenuineIntel' }: CpuModel): Omit<CpuidRegisters, 'eax'> {
  return { ebx: word(vendor, 0), edx: word(vendor, 4), ecx: word(vendor, 8) };
}

/**
 * The extended leaves that AMD's CPUs fill otherwise than Intel's; undefined: the same.
 * AMD64 Architecture Programmer's Manual 3 E.4 "Extended Feature Function Numbers"
 */
function amdLeaf(leaf: number, subleaf: number, context: CpuidContext): CpuidRegisters | undefined {
  const { model, vcpu } = context;
  switch (leaf) {
    case 0x80000000:
      return { eax: AMD_MAX_EXTENDED, ...vendorName(model) };
    case 0x80000001: {
      // what leaf 1 says of the features that came with AMD's first ones is repeated: bits 0-9, 12-17, 23 and 24
      const repeated = model.leaf1Edx & 0x0183f3ff;
      return {
        eax: AMD_SIGNATURE,
        ebx: 0,
        ecx: (model.extendedEcx | AMD_TOPOLOGY) >>> 0,
        edx: (model.extendedEdx | repeated) >>> 0,
      };
    }
    case 0x80000005:
      // 32 KiB of 8 ways and 64-byte lines each for data and instructions
      return {
        eax: 0,
        ebx: 0,
        ecx: (32 << 24) | (8 << 16) | (1 << 8) | 64,
        edx: (32 << 24) | (8 << 16) | (1 << 8) | 64,
      };
    case 0x8000001d:
      return cacheLeaf(subleaf);
    case 0x8000001e:
      return { eax: vcpu, ebx: vcpu, ecx: 0, edx: 0 };
    default:
      return undefined;
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

/**
 * Every vCPU is a package of its own: firmware lists one processor of each package in the MP table, and systems that
 * find their processors there shall find all.
 */
function topologyLeaf(subleaf: number, { vcpu }: CpuidContext): CpuidRegisters {
  if (subleaf === 0) return { eax: 0, ebx: 1, ecx: (1 << 8) | 0, edx: vcpu };
  if (subleaf === 1) return { eax: 0, ebx: 1, ecx: (2 << 8) | 1, edx: vcpu };
  return { eax: 0, ebx: 0, ecx: subleaf & 0xff, edx: vcpu };
}
