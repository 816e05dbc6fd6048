// CPUID feature bits by leaf and register, with the names that Linux prints.

export type CpuidRegister = 'eax' | 'ebx' | 'ecx' | 'edx';

export interface CpuidFeature {
  readonly leaf: number;
  readonly subleaf: number;
  readonly register: CpuidRegister;
  readonly bit: number;
  readonly name: string;
}

/** Names by bit, from bit 0; `-` for a bit without one. */
function features(leaf: number, subleaf: number, register: CpuidRegister, names: string): CpuidFeature[] {
  return names
    .trim()
    .split(/\s+/)
    .flatMap((name, bit) => (name === '-' ? [] : [{ leaf, subleaf, register, bit, name }]));
}

/** @sdm 2A 3.3 "CPUID - CPU Identification", tables 3-8, 3-10 and 3-11 */
export const CPUID_FEATURES: readonly CpuidFeature[] = [
  ...features(
    1,
    0,
    'edx',
    `fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov
    pat pse36 pn clflush - ds acpi mmx fxsr sse sse2 ss ht tm - pbe`,
  ),
  ...features(
    1,
    0,
    'ecx',
    `sse3 pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm
    - pcid dca sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline aes xsave osxsave avx f16c rdrand hypervisor`,
  ),
  ...features(
    7,
    0,
    'ebx',
    `fsgsbase tsc_adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm cqm - mpx rdt_a
    avx512f avx512dq rdseed adx smap avx512ifma - clflushopt clwb intel_pt avx512pf avx512er avx512cd sha_ni avx512bw avx512vl`,
  ),
  ...features(
    7,
    0,
    'ecx',
    `prefetchwt1 avx512vbmi umip pku ospke waitpkg avx512_vbmi2 shstk gfni vaes vpclmulqdq avx512_vnni
    avx512_bitalg tme avx512_vpopcntdq - la57 - - - - - rdpid - bus_lock_detect cldemote - movdiri movdir64b enqcmd - pks`,
  ),
  ...features(7, 0, 'edx', '- - - - - - - - - - - - - - - - - - - - - - - - - - - - - arch_capabilities'),
  ...features(0x80000001, 0, 'edx', `- - - - - - - - - - - syscall - - - - - - - - nx - - - - - pdpe1gb rdtscp - lm`),
  ...features(0x80000001, 0, 'ecx', `lahf_lm - - - - abm - - 3dnowprefetch`),
  ...features(0x80000007, 0, 'edx', `- - - - - - - - constant_tsc`),
];

/** Features whose bit is set in one register of a leaf. */
export function cpuidFeatures(leaf: number, subleaf: number, register: CpuidRegister, value: number): string[] {
  return CPUID_FEATURES.filter(
    (row) => row.leaf === leaf && row.subleaf === subleaf && row.register === register && (value >>> row.bit) & 1,
  ).map((row) => row.name);
}

/** The row of a feature name. */
export function cpuidFeature(name: string): CpuidFeature | undefined {
  return CPUID_FEATURES.find((row) => row.name === name.toLowerCase());
}

/** By a leaf's low 5 bits: it may look at the subleaf in ECX. Leaves 4, 7, BH, DH and 8000001DH do. */
export const SUBLEAVES = [4, 7, 0xb, 0xd, 0x8000001d].reduce((bits, leaf) => (bits | (1 << (leaf & 31))) >>> 0, 0);

/** The subleaf, or 0 where the leaf knows none: then the answer is the same for all. */
export const subleafOf = (leaf: number, ecx: number): number => ((SUBLEAVES >>> (leaf & 31)) & 1 ? ecx : 0);

/** What a leaf is about. */
export const CPUID_LEAVES: ReadonlyMap<number, string> = new Map([
  [0, 'vendor and highest basic leaf'],
  [1, 'signature and features'],
  [2, 'cache descriptors'],
  [4, 'caches'],
  [5, 'MONITOR/MWAIT'],
  [6, 'thermal and power'],
  [7, 'extended features'],
  [0xa, 'performance monitoring'],
  [0xb, 'topology'],
  [0xd, 'XSAVE state'],
  [0x15, 'TSC frequency'],
  [0x16, 'processor frequency'],
  [0x40000000, 'hypervisor'],
  [0x80000000, 'highest extended leaf'],
  [0x80000001, 'extended features'],
  [0x80000002, 'brand string'],
  [0x80000003, 'brand string'],
  [0x80000004, 'brand string'],
  [0x80000006, 'L2 cache'],
  [0x80000007, 'advanced power management'],
  [0x80000008, 'address sizes'],
]);
