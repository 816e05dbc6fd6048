// Values of the VMX capability MSRs of this CPU, computed from the rows of controls.ts.
import { type ControlWord, DEFAULT1, mayBeOne, mustBeOne, supportedBits } from './controls.js';
import { VMCS_FIELDS, VMCS_REVISION_ID } from './vmcs-fields.js';

/** Physical-address bits: the MAXPHYADDR of the guest-physical and the host-physical space. */
export const PHYSICAL_ADDRESS_BITS = 39;

const bit = (n: number): bigint => 1n << BigInt(n);
const bits = (...list: number[]): bigint => list.reduce((sum, n) => sum | bit(n), 0n);

/** CR0 bits that must be 1 and that may be 1 in VMX operation: NE, PE and PG are fixed (PE, PG not for an unrestricted guest). */
export const CR0_FIXED0 = 0x80000021n;
export const CR0_FIXED1 = 0xffffffffn;
/** CR4: VMXE is fixed to 1. */
export const CR4_FIXED0 = bit(13);
/** CR4 bits of this CPU: VME PVI TSD DE PSE PAE MCE PGE PCE OSFXSR OSXMMEXCPT UMIP LA57 VMXE SMXE FSGSBASE PCIDE OSXSAVE SMEP SMAP PKE PKS. */
export const CR4_FIXED1 = bits(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 18, 20, 21, 22, 24);

/** VM functions that this CPU has: EPTP switching. */
export const VM_FUNCTIONS = 1n;

function plain(word: ControlWord): bigint {
  return (BigInt(mayBeOne(word)) << 32n) | BigInt((DEFAULT1[word] >>> 0) as number);
}

function exact(word: ControlWord): bigint {
  return (BigInt(mayBeOne(word)) << 32n) | BigInt(mustBeOne(word));
}

const highestIndex = VMCS_FIELDS.reduce((max, field) => Math.max(max, (field.encoding >> 1) & 0x1ff), 0);

/**
 * The capability MSRs by name.
 * @sdm 3D A "VMX Capability Reporting Facility"
 */
export const CAPABILITIES: Readonly<Record<string, bigint>> = {
  /** Revision, region size 4096, write-back, INS/OUTS information, TRUE capability MSRs. */
  IA32_VMX_BASIC: BigInt(VMCS_REVISION_ID) | (4096n << 32n) | (6n << 50n) | bits(54, 55),
  IA32_VMX_PINBASED_CTLS: plain('pin'),
  IA32_VMX_PROCBASED_CTLS: plain('primary'),
  IA32_VMX_EXIT_CTLS: plain('exit'),
  IA32_VMX_ENTRY_CTLS: plain('entry'),
  /** Timer counts each TSC tick; EFER.LMA saved; HLT, shutdown, wait-for-SIPI; 4 CR3 targets; injection with length 0. */
  IA32_VMX_MISC: bits(5, 6, 7, 8, 30) | (4n << 16n),
  IA32_VMX_CR0_FIXED0: CR0_FIXED0,
  IA32_VMX_CR0_FIXED1: CR0_FIXED1,
  IA32_VMX_CR4_FIXED0: CR4_FIXED0,
  IA32_VMX_CR4_FIXED1: CR4_FIXED1,
  IA32_VMX_VMCS_ENUM: BigInt(highestIndex << 1),
  IA32_VMX_PROCBASED_CTLS2: BigInt(supportedBits('secondary')) << 32n,
  /** Execute-only, 4-level walk, UC and WB, 2M and 1G pages, INVEPT and INVVPID of all types, accessed and dirty flags. */
  IA32_VMX_EPT_VPID_CAP: bits(0, 6, 8, 14, 16, 17, 20, 21, 25, 26, 32, 40, 41, 42, 43),
  IA32_VMX_TRUE_PINBASED_CTLS: exact('pin'),
  IA32_VMX_TRUE_PROCBASED_CTLS: exact('primary'),
  IA32_VMX_TRUE_EXIT_CTLS: exact('exit'),
  IA32_VMX_TRUE_ENTRY_CTLS: exact('entry'),
  IA32_VMX_VMFUNC: VM_FUNCTIONS,
};
