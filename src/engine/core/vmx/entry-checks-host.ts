// VM-entry checks on the host state. @sdm 3C 26.2.2 "Checks on Host Control Registers, MSRs, and SSP"
import { MAX_PHYS_BITS } from '../layout';
import { CR4_PAE, EFER_FIELDS, EFER_LMA, EFER_LME } from '../generated/register-bits';
import {
  HOST_CR0, HOST_CR3, HOST_CR4, HOST_CS_SELECTOR, HOST_DS_SELECTOR, HOST_ES_SELECTOR, HOST_FS_BASE, HOST_FS_SELECTOR,
  HOST_GDTR_BASE, HOST_GS_BASE, HOST_GS_SELECTOR, HOST_IA32_EFER, HOST_IA32_PAT, HOST_IA32_SYSENTER_EIP,
  HOST_IA32_SYSENTER_ESP, HOST_IDTR_BASE, HOST_RIP, HOST_SS_SELECTOR, HOST_TR_BASE, HOST_TR_SELECTOR, VM_EXIT_CONTROLS,
} from '../generated/vmcs';
import {
  EXIT_HOST_ADDRESS_SPACE_SIZE, EXIT_LOAD_IA32_EFER, EXIT_LOAD_IA32_PAT, IA32_VMX_CR0_FIXED0, IA32_VMX_CR0_FIXED1,
  IA32_VMX_CR4_FIXED0, IA32_VMX_CR4_FIXED1,
} from '../generated/controls';
import {
  CHECK_HOST_CR0, CHECK_HOST_CR3, CHECK_HOST_CR4, CHECK_HOST_CS_NULL, CHECK_HOST_CS_RPL, CHECK_HOST_DS_RPL,
  CHECK_HOST_EFER, CHECK_HOST_ES_RPL, CHECK_HOST_FS_BASE, CHECK_HOST_FS_RPL, CHECK_HOST_GDTR_BASE, CHECK_HOST_GS_BASE,
  CHECK_HOST_GS_RPL, CHECK_HOST_IDTR_BASE, CHECK_HOST_PAE, CHECK_HOST_PAT, CHECK_HOST_RIP, CHECK_HOST_SPACE,
  CHECK_HOST_SS_RPL, CHECK_HOST_SYSENTER_EIP, CHECK_HOST_SYSENTER_ESP, CHECK_HOST_TR_BASE, CHECK_HOST_TR_NULL,
  CHECK_HOST_TR_RPL,
} from '../generated/entry-checks';
import { canonical, must } from './entry-checks-controls';
import { field, field32 } from './vmcs';

/** True when `value` has all bits of fixed0 and none outside fixed1. */
@inline export function fits(value: u64, fixed0: u64, fixed1: u64): bool {
  return (value & fixed0) == fixed0 && (value & ~fixed1) == 0;
}

/** Each byte is 0 UC, 1 WC, 4 WT, 5 WP, 6 WB or 7 UC-. */
export function validPat(pat: u64): bool {
  for (let n: u64 = 0; n < 64; n += 8) {
    const type = pat >> n & 0xff;
    if (type > 7 || type == 2 || type == 3) return false;
  }
  return true;
}

/** All checks of the host state; true when they hold. */
export function checkHost(): bool {
  const controls = field32(VM_EXIT_CONTROLS);
  const wide = (controls & EXIT_HOST_ADDRESS_SPACE_SIZE) != 0;
  let good = must(fits(field(HOST_CR0), IA32_VMX_CR0_FIXED0, IA32_VMX_CR0_FIXED1), CHECK_HOST_CR0);
  good = must(fits(field(HOST_CR4), IA32_VMX_CR4_FIXED0, IA32_VMX_CR4_FIXED1), CHECK_HOST_CR4) && good;
  good = must(field(HOST_CR3) >> MAX_PHYS_BITS == 0, CHECK_HOST_CR3) && good;
  good = must(canonical(field(HOST_IA32_SYSENTER_ESP)), CHECK_HOST_SYSENTER_ESP) && good;
  good = must(canonical(field(HOST_IA32_SYSENTER_EIP)), CHECK_HOST_SYSENTER_EIP) && good;
  if (controls & EXIT_LOAD_IA32_PAT) good = must(validPat(field(HOST_IA32_PAT)), CHECK_HOST_PAT) && good;
  if (controls & EXIT_LOAD_IA32_EFER) {
    const efer = field(HOST_IA32_EFER);
    const long: u64 = wide ? EFER_LME | EFER_LMA : 0;
    good = must((efer & ~EFER_FIELDS) == 0 && (efer & (EFER_LME | EFER_LMA)) == long, CHECK_HOST_EFER) && good;
  }
  good = checkHostSegments() && good;
  good = must(wide, CHECK_HOST_SPACE) && good;
  if (wide) {
    good = must((field(HOST_CR4) & CR4_PAE) != 0, CHECK_HOST_PAE) && good;
    good = must(canonical(field(HOST_RIP)), CHECK_HOST_RIP) && good;
  }
  return good;
}

@inline function rpl0(selector: usize, number: u32): bool { return must((field32(selector) & 7) == 0, number); }

/** @sdm 3C 26.2.3 "Checks on Host Segment and Descriptor-Table Registers" */
function checkHostSegments(): bool {
  let good = rpl0(HOST_CS_SELECTOR, CHECK_HOST_CS_RPL);
  good = rpl0(HOST_SS_SELECTOR, CHECK_HOST_SS_RPL) && good;
  good = rpl0(HOST_DS_SELECTOR, CHECK_HOST_DS_RPL) && good;
  good = rpl0(HOST_ES_SELECTOR, CHECK_HOST_ES_RPL) && good;
  good = rpl0(HOST_FS_SELECTOR, CHECK_HOST_FS_RPL) && good;
  good = rpl0(HOST_GS_SELECTOR, CHECK_HOST_GS_RPL) && good;
  good = rpl0(HOST_TR_SELECTOR, CHECK_HOST_TR_RPL) && good;
  good = must(field32(HOST_CS_SELECTOR) != 0, CHECK_HOST_CS_NULL) && good;
  good = must(field32(HOST_TR_SELECTOR) != 0, CHECK_HOST_TR_NULL) && good;
  good = must(canonical(field(HOST_FS_BASE)), CHECK_HOST_FS_BASE) && good;
  good = must(canonical(field(HOST_GS_BASE)), CHECK_HOST_GS_BASE) && good;
  good = must(canonical(field(HOST_GDTR_BASE)), CHECK_HOST_GDTR_BASE) && good;
  good = must(canonical(field(HOST_IDTR_BASE)), CHECK_HOST_IDTR_BASE) && good;
  return must(canonical(field(HOST_TR_BASE)), CHECK_HOST_TR_BASE) && good;
}
