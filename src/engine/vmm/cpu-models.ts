// The CPU models of --cpu: which features CPUID shows. @sdm 2A 3.3 "CPUID - CPU Identification", tables 3-10, 3-11 and 3-8

import { CPUID_FEATURES } from '../../spec/cpuid.js';
import { XCR0 } from '../../spec/masks.js';

/** The x86-64 psABI's microarchitecture levels, and everything that the core has. */
export const CPU_MODELS = ['x86-64-v2', 'x86-64-v3', 'max'] as const;
export type CpuModelName = (typeof CPU_MODELS)[number];
export const DEFAULT_CPU_MODEL: CpuModelName = 'x86-64-v3';

/** Makers whose CPUs differ in what a guest sees: CPUID's vendor string. */
export const VENDORS = ['GenuineIntel', 'AuthenticAMD'] as const;
export type Vendor = (typeof VENDORS)[number];

/** Feature words as CPUID answers them. */
export interface CpuModel {
  readonly name: CpuModelName;
  /**
   * The maker, where the user chose one. The levels of the psABI have none: CPUID then names Intel, and SYSCALL works
   * in compatibility mode for guests that have set IA32_CSTAR.
   */
  readonly vendor?: Vendor;
  readonly leaf1Ecx: number;
  readonly leaf1Edx: number;
  readonly leaf7Ebx: number;
  readonly leaf7Ecx: number;
  readonly leaf7Edx: number;
  readonly extendedEcx: number;
  readonly extendedEdx: number;
  /** State components that XCR0 may enable. */
  readonly xcr0: bigint;
}

const bits = (...numbers: number[]): number => numbers.reduce((mask, bit) => mask | (1 << bit), 0) >>> 0;

const X87_AND_SSE = XCR0.X87 | XCR0.SSE;

const v2: CpuModel = {
  name: 'x86-64-v2',
  // sse3 ssse3 cx16 pcid sse4_1 sse4_2 x2apic popcnt tsc-deadline xsave rdrand hypervisor
  leaf1Ecx: bits(0, 9, 13, 17, 19, 20, 21, 23, 24, 26, 30, 31),
  // fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2
  leaf1Edx: bits(0, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 19, 23, 24, 25, 26),
  // fsgsbase tsc_adjust fdp-excptn-only smep erms invpcid fcs-fds-deprecated rdseed adx smap clflushopt clwb
  leaf7Ebx: bits(0, 1, 6, 7, 9, 10, 13, 18, 19, 20, 23, 24),
  // umip rdpid
  leaf7Ecx: bits(2, 22),
  // arch_capabilities
  leaf7Edx: bits(29),
  // lahf
  extendedEcx: bits(0),
  // syscall nx pdpe1gb rdtscp lm
  extendedEdx: bits(11, 20, 26, 27, 29),
  xcr0: X87_AND_SSE,
};

const v3: CpuModel = {
  ...v2,
  name: 'x86-64-v3',
  // pclmulqdq fma movbe aes avx f16c
  leaf1Ecx: (v2.leaf1Ecx | bits(1, 12, 22, 25, 28, 29)) >>> 0,
  // bmi1 avx2 bmi2
  leaf7Ebx: (v2.leaf7Ebx | bits(3, 5, 8)) >>> 0,
  // abm (LZCNT)
  extendedEcx: (v2.extendedEcx | bits(5)) >>> 0,
  xcr0: X87_AND_SSE | XCR0.AVX,
};

const LA57 = 16;

/** Guests that know 5-level paging and protection keys turn them on, which makes each walk longer: so not by default. */
const max: CpuModel = {
  ...v3,
  name: 'max',
  // pku la57 pks
  leaf7Ecx: (v3.leaf7Ecx | bits(3, LA57, 31)) >>> 0,
  xcr0: v3.xcr0 | XCR0.PKRU,
};

const MODELS: Record<CpuModelName, CpuModel> = { 'x86-64-v2': v2, 'x86-64-v3': v3, max };

export function cpuModel(name: CpuModelName): CpuModel {
  return MODELS[name];
}

/** Width of linear addresses. */
export function linearBits(model: CpuModel): 48 | 57 {
  return (model.leaf7Ecx >>> LA57) & 1 ? 57 : 48;
}

/** The feature words of a model, by leaf and register. */
const WORDS = {
  '1.ecx': 'leaf1Ecx',
  '1.edx': 'leaf1Edx',
  '7.ebx': 'leaf7Ebx',
  '7.ecx': 'leaf7Ecx',
  '7.edx': 'leaf7Edx',
  '2147483649.ecx': 'extendedEcx',
  '2147483649.edx': 'extendedEdx',
} as const;

export interface FeaturePlace {
  readonly word: (typeof WORDS)[keyof typeof WORDS];
  /** The feature's bit in the word, as a mask. */
  readonly mask: number;
}

const PLACES: ReadonlyMap<string, FeaturePlace> = new Map(
  CPUID_FEATURES.flatMap(({ leaf, register, bit, name }): [string, FeaturePlace][] => {
    const key = `${leaf}.${register}`;
    return key in WORDS ? [[name, { word: WORDS[key as keyof typeof WORDS], mask: (1 << bit) >>> 0 }]] : [];
  }),
);

/** Where a model keeps a feature; the names are those of src/spec/cpuid.ts. */
export function featurePlace(name: string): FeaturePlace | undefined {
  return PLACES.get(name);
}

/** @throws Error for a name that is no feature */
export function hasFeature(model: CpuModel, name: string): boolean {
  const place = PLACES.get(name);
  if (place === undefined) throw new Error(`CPUID has no feature ${name}`);
  return (model[place.word] & place.mask) !== 0;
}
