import { IA32_DEBUGCTL, maskOf } from '../../spec/flags.js';
import { CR0, EFER } from '../../spec/masks.js';
import { MSR, MSRS, X2APIC_COUNT, X2APIC_FIRST } from '../../spec/msrs.js';
import { DEBUGCTL, MAX_PHYS_BITS, PAT, PKRS, TSC_ADJUST, TSC_AUX } from '../core/layout.js';
import { BASE_X2APIC } from '../devices/lapic-registers.js';
import { hasFeature } from './cpu-models.js';
import { isParavirtualMsr, readParavirtualMsr, updateClock, writeParavirtualMsr } from './paravirt.js';
import type { Vcpu } from './vcpu.js';
import type { Vm } from './vm.js';

const DEBUGCTL_BITS = maskOf(IA32_DEBUGCTL);
const MASK64 = (1n << 64n) - 1n;

const MTRR_CAP = 0x508n; // 8 variable ranges, fixed ranges, write combining
const numbersOf = (name: RegExp): number[] => MSRS.filter((row) => name.test(row.name)).map((row) => row.number);
const MTRR_FIXED = numbersOf(/^IA32_MTRR_FIX/);
const MTRR_VARIABLE = numbersOf(/^IA32_MTRR_PHYS/);

/** MSRs that only hold what the guest writes, with their reset values. */
const STORED = new Map<number, bigint>([
  ...MTRR_VARIABLE.map((msr): [number, bigint] => [msr, 0n]),
  ...MTRR_FIXED.map((msr): [number, bigint] => [msr, 0x0606060606060606n]),
  [MSR.IA32_MTRR_DEF_TYPE, 0xc06n],
  [MSR.IA32_MISC_ENABLE, 1n], // fast strings
  [MSR.IA32_MCG_STATUS, 0n],
]);

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

/** MSRs with one value; writes are ignored where real processors ignore them. */
const CONSTANT = new Map<number, bigint>([
  [MSR.IA32_PLATFORM_ID, 0n],
  [MSR.IA32_FEATURE_CONTROL, 1n], // locked, VMX off
  [MSR.IA32_BIOS_SIGN_ID, 1n << 32n],
  [MSR.MSR_PLATFORM_INFO, PLATFORM_RATIOS],
  [MSR.IA32_MTRRCAP, MTRR_CAP],
  [MSR.IA32_MCG_CAP, 1n << 10n], // CMCI_P: the local APIC has that LVT entry; no banks
  [MSR.IA32_ARCH_CAPABILITIES, IMMUNE],
]);
const IGNORED_WRITES = new Set([MSR.IA32_BIOS_UPDT_TRIG, MSR.IA32_BIOS_SIGN_ID]);

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
  [MSR.IA32_TSC_ADJUST, 'tsc_adjust'],
  [MSR.IA32_ARCH_CAPABILITIES, 'arch_capabilities'],
  [MSR.IA32_TSC_DEADLINE, 'tsc_deadline'],
  [MSR.IA32_PKRS, 'pks'],
  [MSR.IA32_TSC_AUX, 'rdtscp'],
]);

function absent({ cpu }: Vm, msr: number): boolean {
  if (msr === MSR.IA32_ARCH_CAPABILITIES && cpu.vendor === 'AuthenticAMD') return true;
  const feature = FEATURE_OF.get(msr);
  return feature !== undefined && !hasFeature(cpu, feature);
}

const ofLocalApic = (msr: number): boolean =>
  msr === MSR.IA32_TSC_DEADLINE || (msr >= X2APIC_FIRST && msr < X2APIC_FIRST + X2APIC_COUNT);

const isAmdCounter = (msr: number): boolean => msr >= AMD_COUNTERS.first && msr <= AMD_COUNTERS.last;

/** The value of an intercepted MSR, or undefined when the CPU does not have it (#GP). @sdm 4 2 "Model-Specific Registers" */
export function readMsr(vcpu: Vcpu, vm: Vm, msr: number): bigint | undefined {
  const { host } = vcpu;
  if (absent(vm, msr)) return undefined;
  switch (msr) {
    case MSR.IA32_TIME_STAMP_COUNTER:
      return vm.tsc(vcpu.index);
    case MSR.IA32_APIC_BASE:
      return vm.board.apicBase(vcpu.index);
    case MSR.IA32_TSC_ADJUST:
      return host.get64(vcpu.at(TSC_ADJUST));
    case MSR.IA32_PKRS:
      return BigInt(host.get32(vcpu.at(PKRS)));
    case MSR.IA32_DEBUGCTL:
      return vcpu.vmcs.get('GUEST_IA32_DEBUGCTL');
    case MSR.IA32_PAT:
      return vcpu.vmcs.get('GUEST_IA32_PAT');
    case MSR.IA32_EFER:
      return vcpu.vmcs.get('GUEST_IA32_EFER');
    case MSR.IA32_TSC_AUX:
      return host.get64(vcpu.at(TSC_AUX)) & 0xffffffffn;
  }
  if (ofLocalApic(msr)) return vm.board.readApicMsr(vcpu.index, msr);
  if (isParavirtualMsr(msr)) return vm.paravirtual ? readParavirtualMsr(vcpu, msr) : undefined;
  if (vm.cpu.vendor === 'AuthenticAMD') {
    // CMCI is Intel's
    if (msr === MSR.IA32_MCG_CAP) return 0n;
    if (isAmdCounter(msr)) return vcpu.storedMsrs.get(msr) ?? 0n;
    if (AMD_CONFIGURATION.has(msr)) return 0n;
  }
  return vcpu.storedMsrs.get(msr) ?? STORED.get(msr) ?? CONSTANT.get(msr);
}

/** Its value changes by WRMSR alone. */
export const isSteady = (msr: number): boolean => msr === MSR.IA32_APIC_BASE || STORED.has(msr) || CONSTANT.has(msr);

/** Writes an intercepted MSR; false when the CPU does not have it or refuses the value (#GP). */
export function writeMsr(vcpu: Vcpu, vm: Vm, msr: number, value: bigint): boolean {
  const { host, vmcs } = vcpu;
  if (absent(vm, msr)) return false;
  switch (msr) {
    case MSR.IA32_TIME_STAMP_COUNTER: {
      const delta = value - vm.tsc(vcpu.index);
      host.set64(vcpu.at(TSC_ADJUST), (host.get64(vcpu.at(TSC_ADJUST)) + delta) & MASK64);
      updateClock(vcpu, vm);
      return true;
    }
    case MSR.IA32_APIC_BASE:
      if ((value & BASE_X2APIC) !== 0n && !hasFeature(vm.cpu, 'x2apic')) return false;
      return vm.board.setApicBase(vcpu.index, value);
    case MSR.IA32_TSC_ADJUST:
      host.set64(vcpu.at(TSC_ADJUST), value);
      updateClock(vcpu, vm);
      return true;
    case MSR.IA32_PKRS:
      if (value >> 32n !== 0n) return false;
      host.set32(vcpu.at(PKRS), Number(value));
      vm.flushTlb(vcpu);
      return true;
    case MSR.IA32_DEBUGCTL:
      if ((value & ~DEBUGCTL_BITS) !== 0n) return false;
      host.set64(vcpu.at(DEBUGCTL), value);
      vmcs.set('GUEST_IA32_DEBUGCTL', value);
      return true;
    case MSR.IA32_PAT:
      if (!validPat(value)) return false;
      host.set64(vcpu.at(PAT), value);
      vmcs.set('GUEST_IA32_PAT', value);
      return true;
    case MSR.IA32_EFER:
      return writeEfer(vcpu, vm, value);
    case MSR.IA32_TSC_AUX:
      if (value >> 32n !== 0n) return false;
      host.set64(vcpu.at(TSC_AUX), value);
      return true;
  }
  if (ofLocalApic(msr)) return vm.board.writeApicMsr(vcpu.index, msr, value);
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

/** UC, WC, WT, WP, WB. */
const MEMORY_TYPES = new Set([0n, 1n, 4n, 5n, 6n]);
const PHYSICAL_RESERVED = MASK64 & ~((1n << BigInt(MAX_PHYS_BITS)) - 1n);

/** True for other MSRs. @sdm 3A 11.11.2 "Setting Memory Ranges with MTRRs" */
function validMtrr(msr: number, value: bigint): boolean {
  const typed = (at: bigint) => MEMORY_TYPES.has((value >> at) & 0xffn);
  if (msr === MSR.IA32_MTRR_DEF_TYPE) return (value & ~0xcffn) === 0n && typed(0n);
  if (MTRR_FIXED.includes(msr)) return [0n, 8n, 16n, 24n, 32n, 40n, 48n, 56n].every(typed);
  if (!MTRR_VARIABLE.includes(msr)) return true;
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
  if (((value ^ old) & EFER.LME) !== 0n && (vcpu.vmcs.get('GUEST_CR0') & CR0.PG) !== 0n) return false;
  vcpu.vmcs.set('GUEST_IA32_EFER', (value & ~EFER.LMA) | (old & EFER.LMA));
  vm.flushTlb(vcpu);
  return true;
}
