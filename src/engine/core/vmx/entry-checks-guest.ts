// VM-entry checks on guest control registers, debug registers and MSRs.
// @sdm 3C 26.3.1.1 "Checks on Guest Control Registers, Debug Registers, and MSRs"
import { MAX_PHYS_BITS } from '../layout';
import { CR0_PE, CR0_PG, CR4_PAE, CR4_PCIDE, EFER_FIELDS, EFER_LMA, EFER_LME } from '../generated/register-bits';
import { IA32_DEBUGCTL_BTF, IA32_DEBUGCTL_LBR } from '../generated/msrs';
import {
  GUEST_CR0, GUEST_CR3, GUEST_CR4, GUEST_DR7, GUEST_GDTR_BASE, GUEST_GDTR_LIMIT, GUEST_IA32_DEBUGCTL, GUEST_IA32_EFER,
  GUEST_IA32_PAT, GUEST_IDTR_BASE, GUEST_IDTR_LIMIT, GUEST_SYSENTER_EIP, GUEST_SYSENTER_ESP, VM_ENTRY_CONTROLS,
} from '../generated/vmcs';
import {
  CPU2_UNRESTRICTED_GUEST, ENTRY_IA_32E_MODE_GUEST, ENTRY_LOAD_DEBUG_CONTROLS, ENTRY_LOAD_IA32_EFER,
  ENTRY_LOAD_IA32_PAT, IA32_VMX_CR0_FIXED0, IA32_VMX_CR0_FIXED1, IA32_VMX_CR4_FIXED0, IA32_VMX_CR4_FIXED1,
} from '../generated/controls';
import {
  CHECK_GDTR_BASE, CHECK_GDTR_LIMIT, CHECK_GUEST_CR0, CHECK_GUEST_CR3, CHECK_GUEST_CR4, CHECK_GUEST_DEBUGCTL,
  CHECK_GUEST_DR7, CHECK_GUEST_EFER_LMA, CHECK_GUEST_EFER_LME, CHECK_GUEST_EFER_RESERVED, CHECK_GUEST_IA32E_PAE,
  CHECK_GUEST_IA32E_PG, CHECK_GUEST_PAT, CHECK_GUEST_PCIDE, CHECK_GUEST_PG_PE, CHECK_GUEST_SYSENTER_EIP,
  CHECK_GUEST_SYSENTER_ESP, CHECK_IDTR_BASE, CHECK_IDTR_LIMIT,
} from '../generated/entry-checks';
import { canonical, must } from './entry-checks-controls';
import { fits, validPat } from './entry-checks-host';
import { field, field32, secondaryControls } from './vmcs';

export const DEBUGCTL_BITS: u64 = IA32_DEBUGCTL_LBR | IA32_DEBUGCTL_BTF;

/** CR0 bits that the guest must have set: PE and PG are free for an unrestricted guest. */
@inline export function guestCr0Fixed0(): u64 {
  return secondaryControls() & CPU2_UNRESTRICTED_GUEST ? IA32_VMX_CR0_FIXED0 & ~(CR0_PE | CR0_PG) : IA32_VMX_CR0_FIXED0;
}

/** Control registers, debug registers, MSRs and descriptor-table registers; true when all checks hold. */
export function checkGuestRegisters(): bool {
  const controls = field32(VM_ENTRY_CONTROLS);
  const long = (controls & ENTRY_IA_32E_MODE_GUEST) != 0;
  const cr0 = field(GUEST_CR0);
  const cr4 = field(GUEST_CR4);
  let good = must(fits(cr0, guestCr0Fixed0(), IA32_VMX_CR0_FIXED1), CHECK_GUEST_CR0);
  good = must(!(cr0 & CR0_PG) || (cr0 & CR0_PE) != 0, CHECK_GUEST_PG_PE) && good;
  good = must(fits(cr4, IA32_VMX_CR4_FIXED0, IA32_VMX_CR4_FIXED1), CHECK_GUEST_CR4) && good;
  if (controls & ENTRY_LOAD_DEBUG_CONTROLS) {
    good = must((field(GUEST_IA32_DEBUGCTL) & ~DEBUGCTL_BITS) == 0, CHECK_GUEST_DEBUGCTL) && good;
    good = must(field(GUEST_DR7) >> 32 == 0, CHECK_GUEST_DR7) && good;
  }
  if (long) {
    good = must((cr0 & CR0_PG) != 0, CHECK_GUEST_IA32E_PG) && good;
    good = must((cr4 & CR4_PAE) != 0, CHECK_GUEST_IA32E_PAE) && good;
  } else good = must(!(cr4 & CR4_PCIDE), CHECK_GUEST_PCIDE) && good;
  good = must(field(GUEST_CR3) >> MAX_PHYS_BITS == 0, CHECK_GUEST_CR3) && good;
  good = must(canonical(field(GUEST_SYSENTER_ESP)), CHECK_GUEST_SYSENTER_ESP) && good;
  good = must(canonical(field(GUEST_SYSENTER_EIP)), CHECK_GUEST_SYSENTER_EIP) && good;
  if (controls & ENTRY_LOAD_IA32_PAT) good = must(validPat(field(GUEST_IA32_PAT)), CHECK_GUEST_PAT) && good;
  if (controls & ENTRY_LOAD_IA32_EFER) good = checkEfer(field(GUEST_IA32_EFER), long, cr0) && good;
  return checkTables() && good;
}

function checkEfer(efer: u64, long: bool, cr0: u64): bool {
  const lma = (efer & EFER_LMA) != 0;
  let good = must((efer & ~EFER_FIELDS) == 0, CHECK_GUEST_EFER_RESERVED);
  good = must(lma == long, CHECK_GUEST_EFER_LMA) && good;
  return must(!(cr0 & CR0_PG) || ((efer & EFER_LME) != 0) == lma, CHECK_GUEST_EFER_LME) && good;
}

/** @sdm 3C 26.3.1.3 "Checks on Guest Descriptor-Table Registers" */
function checkTables(): bool {
  let good = must(canonical(field(GUEST_GDTR_BASE)), CHECK_GDTR_BASE);
  good = must(canonical(field(GUEST_IDTR_BASE)), CHECK_IDTR_BASE) && good;
  good = must(field32(GUEST_GDTR_LIMIT) >> 16 == 0, CHECK_GDTR_LIMIT) && good;
  return must(field32(GUEST_IDTR_LIMIT) >> 16 == 0, CHECK_IDTR_LIMIT) && good;
}
