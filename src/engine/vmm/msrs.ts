import { DEBUGCTL, MAX_PHYS_BITS, PAT, PKRS, TSC_ADJUST, TSC_AUX } from '../core/layout.js';
import { hasFeature } from './cpu-models.js';
import { isParavirtualMsr, readParavirtualMsr, updateClock, writeParavirtualMsr } from './paravirt.js';
import type { Vcpu } from './vcpu.js';
import type { Vm } from './vm.js';

const EFER = { SCE: 1n, LME: 0x100n, LMA: 0x400n, NXE: 0x800n };
const CR0_PG = 1n << 31n;
const MASK64 = (1n << 64n) - 1n;

const MTRR_CAP = 0x508n; // 8 variable ranges, fixed ranges, write combining
const MTRR_FIXED = [0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f];
const MTRR_DEF_TYPE = 0x2ff;

/** MSRs that only hold what the guest writes, with their reset values. */
const STORED = new Map<number, bigint>([
  ...Array.from({ length: 16 }, (_, i): [number, bigint] => [0x200 + i, 0n]),
  ...MTRR_FIXED.map((msr): [number, bigint] => [msr, 0x0606060606060606n]),
  [MTRR_DEF_TYPE, 0xc06n],
  [0x1a0, 1n], // IA32_MISC_ENABLE: fast strings
  [0x17a, 0n], // IA32_MCG_STATUS
]);

const ARCH_CAPABILITIES = 0x10a;
/**
 * Nothing is executed speculatively here, so none of these side channels exist: RDCL_NO, SSB_NO, MDS_NO,
 * IF_PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO, FBSDP_NO, PSDP_NO, BHI_NO, PBRSB_NO, GDS_NO, RFDS_NO and ITS_NO. Linux would
 * otherwise isolate its page tables, which costs two CR3 loads a system call.
 */
const IMMUNE = [0, 4, 5, 6, 8, 13, 14, 15, 20, 24, 26, 27, 62].reduce((mask, bit) => mask | (1n << BigInt(bit)), 0n);

/**
 * MSR_PLATFORM_INFO: the time-stamp counter's rate of 1 GHz, and the least that there is, in units of 100 MHz.
 * @sdm 4 2 "Model-Specific Registers", table 2-20
 */
const PLATFORM_RATIOS = (10n << 8n) | (10n << 40n);
const MCG_CAP = 0x179;

/** MSRs with one value; writes are ignored where real processors ignore them. */
const CONSTANT = new Map<number, bigint>([
  [0x17, 0n], // IA32_PLATFORM_ID
  [0x3a, 1n], // IA32_FEATURE_CONTROL: locked, VMX off
  [0x8b, 1n << 32n], // IA32_BIOS_SIGN_ID
  [0xce, PLATFORM_RATIOS], // MSR_PLATFORM_INFO
  [0xfe, MTRR_CAP],
  [MCG_CAP, 1n << 10n], // CMCI_P: the local APIC has that LVT entry; no banks
  [ARCH_CAPABILITIES, IMMUNE],
]);
const IGNORED_WRITES = new Set([0x79, 0x8b]);

/**
 * What software expects of AMD's CPUs: event selections and counters that keep what they are given and count nothing,
 * and configuration that reads as 0. AMD64 Architecture Programmer's Manual 2 A "MSR Cross-Reference"
 */
const AMD_COUNTERS = { first: 0xc0010000, last: 0xc0010007 };
const AMD_CONFIGURATION = new Set([
  0xc0010010, 0xc0010015, 0xc001001f, 0xc0010055, 0xc0010058, 0xc0010112, 0xc0010113, 0xc0010117, 0xc0011020, 0xc0011022,
  0xc0011023, 0xc001102a,
]); // biome-ignore format: grouped

/** MSRs that come with a feature of CPUID. */
const FEATURE_OF = new Map([
  [0x3b, 'tsc_adjust'],
  [ARCH_CAPABILITIES, 'arch_capabilities'],
  [0x6e0, 'tsc_deadline'],
  [0x6e1, 'pks'],
  [0xc0000103, 'rdtscp'],
]);
const APIC_BASE = 0x1b;
const X2APIC_MODE = 0x400n;

function absent({ cpu }: Vm, msr: number): boolean {
  if (msr === ARCH_CAPABILITIES && cpu.vendor === 'AuthenticAMD') return true;
  const feature = FEATURE_OF.get(msr);
  return feature !== undefined && !hasFeature(cpu, feature);
}

const isAmdCounter = (msr: number): boolean => msr >= AMD_COUNTERS.first && msr <= AMD_COUNTERS.last;

/** The value of an intercepted MSR, or undefined when the CPU does not have it (#GP). @sdm 4 2 "Model-Specific Registers" */
export function readMsr(vcpu: Vcpu, vm: Vm, msr: number): bigint | undefined {
  const { host } = vcpu;
  if (absent(vm, msr)) return undefined;
  switch (msr) {
    case 0x10:
      return vm.tsc(vcpu.index);
    case APIC_BASE:
      return vm.board.apicBase(vcpu.index);
    case 0x3b:
      return host.get64(vcpu.at(TSC_ADJUST));
    case 0x6e1:
      return BigInt(host.get32(vcpu.at(PKRS)));
    case 0x1d9:
      return vcpu.vmcs.get('GUEST_IA32_DEBUGCTL');
    case 0x277:
      return vcpu.vmcs.get('GUEST_IA32_PAT');
    case 0xc0000080:
      return vcpu.vmcs.get('GUEST_IA32_EFER');
    case 0xc0000103:
      return host.get64(vcpu.at(TSC_AUX)) & 0xffffffffn;
  }
  if (msr === 0x6e0 || (msr >= 0x800 && msr < 0x900)) return vm.board.readApicMsr(vcpu.index, msr);
  if (isParavirtualMsr(msr)) return vm.paravirtual ? readParavirtualMsr(vcpu, msr) : undefined;
  if (vm.cpu.vendor === 'AuthenticAMD') {
    // CMCI is Intel's
    if (msr === MCG_CAP) return 0n;
    if (isAmdCounter(msr)) return vcpu.storedMsrs.get(msr) ?? 0n;
    if (AMD_CONFIGURATION.has(msr)) return 0n;
  }
  return vcpu.storedMsrs.get(msr) ?? STORED.get(msr) ?? CONSTANT.get(msr);
}

/** Its value changes by WRMSR alone. */
export const isSteady = (msr: number): boolean => msr === APIC_BASE || STORED.has(msr) || CONSTANT.has(msr);

/** Writes an intercepted MSR; false when the CPU does not have it or refuses the value (#GP). */
export function writeMsr(vcpu: Vcpu, vm: Vm, msr: number, value: bigint): boolean {
  const { host, vmcs } = vcpu;
  if (absent(vm, msr)) return false;
  switch (msr) {
    case 0x10: {
      const delta = value - vm.tsc(vcpu.index);
      host.set64(vcpu.at(TSC_ADJUST), (host.get64(vcpu.at(TSC_ADJUST)) + delta) & MASK64);
      updateClock(vcpu, vm);
      return true;
    }
    case APIC_BASE:
      if ((value & X2APIC_MODE) !== 0n && !hasFeature(vm.cpu, 'x2apic')) return false;
      return vm.board.setApicBase(vcpu.index, value);
    case 0x3b:
      host.set64(vcpu.at(TSC_ADJUST), value);
      updateClock(vcpu, vm);
      return true;
    case 0x6e1:
      if (value >> 32n !== 0n) return false;
      host.set32(vcpu.at(PKRS), Number(value));
      vm.flushTlb(vcpu);
      return true;
    case 0x1d9:
      if ((value & ~0x3n) !== 0n) return false;
      host.set64(vcpu.at(DEBUGCTL), value);
      vmcs.set('GUEST_IA32_DEBUGCTL', value);
      return true;
    case 0x277:
      if (!validPat(value)) return false;
      host.set64(vcpu.at(PAT), value);
      vmcs.set('GUEST_IA32_PAT', value);
      return true;
    case 0xc0000080:
      return writeEfer(vcpu, vm, value);
    case 0xc0000103:
      if (value >> 32n !== 0n) return false;
      host.set64(vcpu.at(TSC_AUX), value);
      return true;
  }
  if (msr === 0x6e0 || (msr >= 0x800 && msr < 0x900)) return vm.board.writeApicMsr(vcpu.index, msr, value);
  if (isParavirtualMsr(msr)) return vm.paravirtual && writeParavirtualMsr(vcpu, vm, msr, value);
  if (STORED.has(msr)) {
    if (!validMtrr(msr, value)) return false;
    vcpu.storedMsrs.set(msr, value);
    return true;
  }
  if (vm.cpu.vendor === 'AuthenticAMD') {
    if (isAmdCounter(msr)) vcpu.storedMsrs.set(msr, value);
    if (isAmdCounter(msr) || AMD_CONFIGURATION.has(msr)) return true;
  }
  return IGNORED_WRITES.has(msr);
}

const MTRR_VARIABLE = { first: 0x200, last: 0x20f };
/** UC, WC, WT, WP, WB. */
const MEMORY_TYPES = new Set([0n, 1n, 4n, 5n, 6n]);
const PHYSICAL_RESERVED = MASK64 & ~((1n << BigInt(MAX_PHYS_BITS)) - 1n);

/** True for other MSRs. @sdm 3A 11.11.2 "Setting Memory Ranges with MTRRs" */
function validMtrr(msr: number, value: bigint): boolean {
  const typed = (at: bigint) => MEMORY_TYPES.has((value >> at) & 0xffn);
  if (msr === MTRR_DEF_TYPE) return (value & ~0xcffn) === 0n && typed(0n);
  if (MTRR_FIXED.includes(msr)) return [0n, 8n, 16n, 24n, 32n, 40n, 48n, 56n].every(typed);
  if (msr < MTRR_VARIABLE.first || msr > MTRR_VARIABLE.last) return true;
  if ((msr & 1) === 0) return (value & (PHYSICAL_RESERVED | 0xf00n)) === 0n && typed(0n);
  return (value & (PHYSICAL_RESERVED | 0x7ffn)) === 0n;
}

function validPat(value: bigint): boolean {
  for (let i = 0n; i < 8n; i++) {
    const type = (value >> (i * 8n)) & 0xffn;
    if (type > 7n || type === 2n || type === 3n) return false;
  }
  return true;
}

/** LMA follows CR0.PG and is not writable; LME must not change while paging is on. */
function writeEfer(vcpu: Vcpu, vm: Vm, value: bigint): boolean {
  const old = vcpu.vmcs.get('GUEST_IA32_EFER');
  const nx = hasFeature(vm.cpu, 'nx') ? EFER.NXE : 0n;
  if ((value & ~(EFER.SCE | EFER.LME | EFER.LMA | nx)) !== 0n) return false;
  if (((value ^ old) & EFER.LME) !== 0n && (vcpu.vmcs.get('GUEST_CR0') & CR0_PG) !== 0n) return false;
  vcpu.vmcs.set('GUEST_IA32_EFER', (value & ~EFER.LMA) | (old & EFER.LMA));
  vm.flushTlb(vcpu);
  return true;
}
