// Control and debug registers, XCR0, and the instructions that drop translations.
import {
  BOUNCE, CR0, CR2, CR3, CR4, CR8, DR0, DR6, DR7, EFER, MAX_PHYS_BITS, MEMORY_END, NEXT_RIP, OP_LINEAR, OP_VALUE,
  RIP, SEG_CS, SEG_TR, XS_OK,
} from '../layout';
import {
  canonicalAddress, canonicalBase, code64, cpl, cr0, cr4, efer, fault, faultCode, longMode, reg64, segAr, segBase,
  setReg64,
} from '../state';
import { TRANSLATION_CHANGE_NS } from '../prices';
import { uIsMem, uOpSize, uReg, uRm, uSeg } from '../uop';
import {
  AR_L, CR0_CD, CR0_EM, CR0_ET, CR0_MP, CR0_NW, CR0_PE, CR0_PG, CR0_TS, CR0_WP, CR4_DE, CR4_LA57, CR4_OSXSAVE, CR4_PAE,
  CR4_PCIDE, CR4_PGE, CR4_PKE, CR4_PKS, CR4_PSE, CR4_SMEP, CR4_UMIP, DR6_ALWAYS_ONE, DR6_BLD, DR6_FIELDS, DR6_RTM,
  DR7_ALWAYS_ONE, DR7_FIELDS, DR7_RTM, EFER_LMA, EFER_LME,
} from '../generated/register-bits';
import { VEC_GP, VEC_UD } from '../generated/events';
import {
  CR0_GUEST_HOST_MASK, CR0_READ_SHADOW, CR3_TARGET_COUNT, CR3_TARGET_VALUE0, CR4_GUEST_HOST_MASK, CR4_READ_SHADOW,
  VIRTUAL_APIC_PAGE_ADDR,
} from '../generated/vmcs';
import {
  CPU2_ENABLE_INVPCID, CPU_CR3_LOAD_EXITING, CPU_CR3_STORE_EXITING, CPU_CR8_LOAD_EXITING, CPU_CR8_STORE_EXITING,
  CPU_INVLPG_EXITING, CPU_MOV_DR_EXITING, CPU_USE_TPR_SHADOW, IA32_VMX_CR4_FIXED0, IA32_VMX_CR4_FIXED1,
} from '../generated/controls';
import {
  EXIT_REASON_CR_ACCESS, EXIT_REASON_DR_ACCESS, EXIT_REASON_INVLPG, EXIT_REASON_INVPCID,
  EXIT_REASON_TPR_BELOW_THRESHOLD, EXIT_REASON_XSETBV,
} from '../generated/exits';
import { generalDetect } from '../events/debug';
import { accessStatus, readable } from '../mmu/access';
import { updateMode } from '../mmu/mode';
import { flushDataPage, flushPage, flushPcid, flushTlb, flushTlbNonGlobal, forgetPages, newContext } from '../mmu/tlb';
import { loadPdptes } from '../mmu/walk';
import { askCr8, NOT_ASKED } from '../vmx/ask';
import { tprBelowThreshold } from '../vmx/boundary';
import { guestCr0Fixed0 } from '../vmx/entry-checks-guest';
import { exitGla, vmExit } from '../vmx/exit';
import { exitWithOperands } from '../vmx/intercept';
import { field, field32, primaryControls, secondaryControls } from '../vmx/vmcs';
import { updateVectors } from '../simd/operand';
import { takeTime } from './cpu';
import { effectiveAddress, operandLinear, operandRead, operandWrite, storeRegister, registerPointer } from './operand';

/** Bits whose change makes translations stale. */
const CR4_TRANSLATION: u64 = CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP | CR4_PCIDE | CR4_LA57 | CR4_PKE | CR4_PKS;
/** What LMSW loads. */
const CR0_LMSW: u64 = CR0_PE | CR0_MP | CR0_EM | CR0_TS;
const DR6_WRITABLE: u64 = DR6_FIELDS & ~(DR6_BLD | DR6_RTM);
const DR7_WRITABLE: u64 = DR7_FIELDS & ~DR7_RTM;

// access types of the exit qualification
const MOV_TO: u64 = 0;
const MOV_FROM: u64 = 0x10;
const TYPE_CLTS: u64 = 0x20;
const TYPE_LMSW: u64 = 0x30;

/** What the guest reads of CR0: bits of the guest/host mask come from the read shadow. */
@inline function visibleCr0(): u64 {
  const mask = field(CR0_GUEST_HOST_MASK);
  return cr0() & ~mask | field(CR0_READ_SHADOW) & mask;
}

@inline function visibleCr4(): u64 {
  const mask = field(CR4_GUEST_HOST_MASK);
  return cr4() & ~mask | field(CR4_READ_SHADOW) & mask;
}

/** @sdm 3C 27.2.1 "Basic VM-Exit Information", table 27-3 */
@inline function crExit(cr: u32, type: u64, register: u32): i32 {
  return vmExit(EXIT_REASON_CR_ACCESS, <u64>cr | type | <u64>register << 8);
}

/** @sdm 2B "MOV - Move to/from Control Registers" */
export function execMovFromCr(u: usize): i32 {
  const cr = uReg(u);
  if (cr == 1 || (cr > 4 && cr != 8)) return fault(VEC_UD);
  if (cpl()) return faultCode(VEC_GP, 0);
  let value: u64;
  if (cr == 0) value = visibleCr0();
  else if (cr == 2) value = load<u64>(CR2);
  else if (cr == 3) {
    if (primaryControls() & CPU_CR3_STORE_EXITING) return crExit(3, MOV_FROM, uRm(u));
    value = load<u64>(CR3);
  } else if (cr == 4) value = visibleCr4();
  else {
    const primary = primaryControls();
    if (primary & CPU_CR8_STORE_EXITING) {
      const asked = askCr8(false, uRm(u), 0, 8 | MOV_FROM | u64(uRm(u)) << 8);
      return asked == NOT_ASKED ? crExit(8, MOV_FROM, uRm(u)) : asked;
    }
    value = primary & CPU_USE_TPR_SHADOW ? <u64>(load<u8>(virtualTpr()) >> 4) : load<u64>(CR8);
  }
  setReg64(uRm(u), code64() ? value : value & 0xffffffff);
  return XS_OK;
}

/** Host address of VTPR; for a page outside memory, of a word that nothing else uses. */
function virtualTpr(): usize {
  const page = field(VIRTUAL_APIC_PAGE_ADDR);
  return page < load<u64>(MEMORY_END) ? <usize>page + 0x80 : BOUNCE + 0xf00;
}

/** @sdm 2B "MOV - Move to/from Control Registers" */
export function execMovToCr(u: usize): i32 {
  const cr = uReg(u);
  if (cr == 1 || (cr > 4 && cr != 8)) return fault(VEC_UD);
  if (cpl()) return faultCode(VEC_GP, 0);
  const value = code64() ? reg64(uRm(u)) : reg64(uRm(u)) & 0xffffffff;
  if (cr == 0) return movToCr0(value, uRm(u));
  if (cr == 3) return movToCr3(value, uRm(u));
  if (cr == 4) return movToCr4(value, uRm(u));
  if (cr == 8) return movToCr8(value, uRm(u));
  store<u64>(CR2, value);
  return XS_OK;
}

function movToCr0(value: u64, register: u32): i32 {
  const mask = field(CR0_GUEST_HOST_MASK);
  if ((value ^ field(CR0_READ_SHADOW)) & mask) return crExit(0, MOV_TO, register);
  return setCr0(value & ~mask | cr0() & mask);
}

/**
 * Makes `value` the guest's CR0: faults, switch of the mode, PDPTEs, translations.
 * @sdm 3A 2.5 "Control Registers" 9.8.5 "Initializing IA-32e Mode"
 */
function setCr0(value: u64): i32 {
  value |= CR0_ET;
  const old = cr0();
  const changed = value ^ old;
  if (value >> 32 || (value & CR0_PG && !(value & CR0_PE)) || (value & CR0_NW && !(value & CR0_CD))) return faultCode(VEC_GP, 0);
  const fixed = guestCr0Fixed0();
  if ((value & fixed) != fixed) return faultCode(VEC_GP, 0);
  if ((changed & ~CR0_TS) == 0) {
    store<u64>(CR0, value);
    updateVectors();
    return XS_OK;
  }
  let mode = efer();
  const control = cr4();
  if (changed & CR0_PG) {
    if (value & CR0_PG) {
      if (mode & EFER_LME) {
        // CS.L would become 64-bit code at once; IA-32e mode needs PAE and a TSS that is not 16-bit
        if (!(control & CR4_PAE) || segAr(SEG_CS) & AR_L || taskState16()) {
          return faultCode(VEC_GP, 0);
        }
        mode |= EFER_LMA;
      }
    } else {
      if (code64() || control & CR4_PCIDE) return faultCode(VEC_GP, 0);
      mode &= ~EFER_LMA;
    }
  }
  if (changed & (CR0_PG | CR0_CD | CR0_NW) && value & CR0_PG && control & CR4_PAE && !(mode & EFER_LMA)) {
    if (!loadPdptes()) return accessStatus();
  }
  store<u64>(CR0, value);
  store<u64>(EFER, mode);
  updateMode();
  if (changed & (CR0_PG | CR0_PE)) flushTlb();
  if (changed & (CR0_PG | CR0_WP)) takeTime(TRANSLATION_CHANGE_NS);
  return XS_OK;
}

/** TR holds a 16-bit TSS. */
function taskState16(): bool {
  const type = segAr(SEG_TR) & 15;
  return type == 1 || type == 3;
}

function isCr3Target(value: u64): bool {
  const count = min<u32>(field32(CR3_TARGET_COUNT), 4);
  for (let n: u32 = 0; n < count; n++) if (field(CR3_TARGET_VALUE0 + (n << 3)) == value) return true;
  return false;
}

function movToCr3(value: u64, register: u32): i32 {
  if (primaryControls() & CPU_CR3_LOAD_EXITING && !isCr3Target(value)) return crExit(3, MOV_TO, register);
  let keep = false;
  if (cr4() & CR4_PCIDE) {
    keep = value >> 63 != 0;
    value &= 0x7fffffffffffffff;
  }
  if (value >> MAX_PHYS_BITS) return faultCode(VEC_GP, 0);
  const old = load<u64>(CR3);
  store<u64>(CR3, value);
  if (cr0() & CR0_PG && cr4() & CR4_PAE && !longMode() && !loadPdptes()) {
    store<u64>(CR3, old);
    return accessStatus();
  }
  newContext(keep);
  return XS_OK;
}

function movToCr4(value: u64, register: u32): i32 {
  const mask = field(CR4_GUEST_HOST_MASK);
  if ((value ^ field(CR4_READ_SHADOW)) & mask) return crExit(4, MOV_TO, register);
  value = value & ~mask | cr4() & mask;
  const old = cr4();
  const changed = value ^ old;
  if (value & ~IA32_VMX_CR4_FIXED1 || (value & IA32_VMX_CR4_FIXED0) != IA32_VMX_CR4_FIXED0) return faultCode(VEC_GP, 0);
  if (longMode() && (!(value & CR4_PAE) || changed & CR4_LA57)) return faultCode(VEC_GP, 0);
  if (changed & value & CR4_PCIDE && (!longMode() || load<u64>(CR3) & 0xfff)) return faultCode(VEC_GP, 0);
  if (cr0() & CR0_PG && value & CR4_PAE && !longMode() && changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)) {
    if (!loadPdptes()) return accessStatus();
  }
  store<u64>(CR4, value);
  updateMode();
  if (changed & CR4_TRANSLATION) {
    flushTlb();
    takeTime(TRANSLATION_CHANGE_NS);
  }
  return XS_OK;
}

/** With the TPR shadow a VM exit may follow the instruction. @sdm 3C 29.3 "Virtualizing CR8-Based TPR Accesses" */
function movToCr8(value: u64, register: u32): i32 {
  const primary = primaryControls();
  if (primary & CPU_CR8_LOAD_EXITING) {
    const asked = value > 15 ? NOT_ASKED : askCr8(true, register, u32(value), 8 | MOV_TO | u64(register) << 8);
    return asked == NOT_ASKED ? crExit(8, MOV_TO, register) : asked;
  }
  if (value & ~(<u64>15)) return faultCode(VEC_GP, 0);
  if (!(primary & CPU_USE_TPR_SHADOW)) {
    store<u64>(CR8, value);
    return XS_OK;
  }
  store<u32>(virtualTpr(), <u32>value << 4);
  if (!tprBelowThreshold()) return XS_OK;
  store<u64>(RIP, load<u64>(NEXT_RIP));
  return vmExit(EXIT_REASON_TPR_BELOW_THRESHOLD, 0);
}

/** @sdm 2A "CLTS" */
export function execClts(u: usize): i32 {
  if (cpl()) return faultCode(VEC_GP, 0);
  if (field(CR0_GUEST_HOST_MASK) & CR0_TS) {
    return field(CR0_READ_SHADOW) & CR0_TS ? crExit(0, TYPE_CLTS, 0) : XS_OK;
  }
  store<u64>(CR0, cr0() & ~CR0_TS);
  updateVectors();
  return XS_OK;
}

/** Loads PE, MP, EM and TS; PE cannot be cleared. @sdm 2A "LMSW" */
export function execLmsw(u: usize): i32 {
  if (cpl()) return faultCode(VEC_GP, 0);
  if (!operandRead(u, 2)) return accessStatus();
  const source = load<u64>(OP_VALUE) & 0xffff;
  const mask = field(CR0_GUEST_HOST_MASK);
  const shadow = field(CR0_READ_SHADOW);
  if ((source ^ shadow) & mask & (CR0_LMSW & ~CR0_PE) || mask & source & ~shadow & CR0_PE) {
    if (uIsMem(u)) exitGla(load<u64>(OP_LINEAR));
    return vmExit(EXIT_REASON_CR_ACCESS, TYPE_LMSW | (uIsMem(u) ? 0x40 : 0) | source << 16);
  }
  const free = ~mask;
  const value = cr0() & ~(free & (CR0_LMSW & ~CR0_PE)) | source & free & CR0_LMSW;
  return setCr0(value);
}

/** @sdm 2B "SMSW" */
export function execSmsw(u: usize): i32 {
  if (cr4() & CR4_UMIP && cpl()) return faultCode(VEC_GP, 0);
  const value = visibleCr0();
  if (uIsMem(u)) return operandWrite(u, 2, value & 0xffff) ? XS_OK : accessStatus();
  const bytes = uOpSize(u);
  storeRegister(registerPointer(uRm(u), false), bytes, value);
  return XS_OK;
}

/** Number of the debug register that DR4 and DR5 alias, or 8: #UD. */
@inline function debugRegister(u: usize): u32 {
  const n = uReg(u);
  if (n == 4 || n == 5) return cr4() & CR4_DE ? 8 : n + 2;
  return min<u32>(n, 8);
}

/** @sdm 3C 27.2.1 "Basic VM-Exit Information", table 27-4 */
@inline function interceptsDr(): bool { return (primaryControls() & CPU_MOV_DR_EXITING) != 0; }

/** @sdm 2B "MOV - Move to/from Debug Registers" */
export function execMovFromDr(u: usize): i32 {
  const n = debugRegister(u);
  if (n == 8) return fault(VEC_UD);
  if (cpl()) return faultCode(VEC_GP, 0);
  if (interceptsDr()) return vmExit(EXIT_REASON_DR_ACCESS, <u64>uReg(u) | 0x10 | <u64>uRm(u) << 8);
  const detected = generalDetect();
  if (detected != XS_OK) return detected;
  const value = n == 6 ? load<u64>(DR6) : n == 7 ? load<u64>(DR7) : load<u64>(DR0 + (n << 3));
  setReg64(uRm(u), code64() ? value : value & 0xffffffff);
  return XS_OK;
}

/** @sdm 2B "MOV - Move to/from Debug Registers" */
export function execMovToDr(u: usize): i32 {
  const n = debugRegister(u);
  if (n == 8) return fault(VEC_UD);
  if (cpl()) return faultCode(VEC_GP, 0);
  if (interceptsDr()) return vmExit(EXIT_REASON_DR_ACCESS, <u64>uReg(u) | <u64>uRm(u) << 8);
  const detected = generalDetect();
  if (detected != XS_OK) return detected;
  const value = code64() ? reg64(uRm(u)) : reg64(uRm(u)) & 0xffffffff;
  if (n >= 6 && value >> 32) return faultCode(VEC_GP, 0);
  if (n == 6) store<u64>(DR6, value & DR6_WRITABLE | DR6_ALWAYS_ONE);
  else if (n == 7) store<u64>(DR7, value & DR7_WRITABLE | DR7_ALWAYS_ONE);
  else store<u64>(DR0 + (n << 3), value);
  if (n != 6) {
    forgetPages(); // data breakpoints keep their pages out of the TLB
    updateMode();
  }
  return XS_OK;
}

/** Exits unconditionally: XCR0 is written by the VMM. @sdm 2D "XSETBV" */
export function execXsetbv(u: usize): i32 {
  if (!(cr4() & CR4_OSXSAVE)) return fault(VEC_UD);
  if (cpl()) return faultCode(VEC_GP, 0);
  return vmExit(EXIT_REASON_XSETBV, 0);
}

/** INVLPG of 64-bit code where no way of code depends on the page: the context stays. */
export function invlpgAtOnce(la: u64): bool {
  if (cpl() || !code64() || primaryControls() & CPU_INVLPG_EXITING) return false;
  return !canonicalAddress(la) || flushDataPage(la);
}

/** @sdm 2A "INVLPG" */
export function execInvlpg(u: usize): i32 {
  if (!uIsMem(u)) return fault(VEC_UD);
  if (cpl()) return faultCode(VEC_GP, 0);
  // a segment's base counts, its limit does not
  let la = effectiveAddress(u);
  if (!code64()) la = la + segBase(uSeg(u)) & 0xffffffff;
  else if (uSeg(u) >= 4) la += segBase(uSeg(u));
  if (primaryControls() & CPU_INVLPG_EXITING) return vmExit(EXIT_REASON_INVLPG, la);
  if (!code64() || canonicalAddress(la)) flushPage(la);
  return XS_OK;
}

/** @sdm 2A "INVPCID" */
export function execInvpcid(u: usize): i32 {
  if (!(secondaryControls() & CPU2_ENABLE_INVPCID) || !uIsMem(u)) return fault(VEC_UD);
  if (cpl()) return faultCode(VEC_GP, 0);
  if (primaryControls() & CPU_INVLPG_EXITING) return exitWithOperands(u, EXIT_REASON_INVPCID, true);
  const type = code64() ? reg64(uReg(u)) : reg64(uReg(u)) & 0xffffffff;
  if (!operandLinear(u, 16, false)) return accessStatus();
  const at = load<u64>(OP_LINEAR);
  const first = readable<u64>(at);
  if (!first) return accessStatus();
  const pcid = load<u64>(first);
  const second = readable<u64>(at + 8);
  if (!second) return accessStatus();
  const la = load<u64>(second);
  if (type > 3 || pcid > 0xfff) return faultCode(VEC_GP, 0);
  if (type < 2 && pcid != 0 && !(cr4() & CR4_PCIDE)) return faultCode(VEC_GP, 0);
  if (type == 0 && !canonicalBase(la)) return faultCode(VEC_GP, 0);
  if (type == 0) flushPage(la);
  else if (type == 1) flushPcid(<u32>pcid);
  else if (type == 2) flushTlb();
  else flushTlbNonGlobal();
  return XS_OK;
}
