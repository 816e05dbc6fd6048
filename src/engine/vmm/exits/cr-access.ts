import { VECTOR } from '../../../spec/exceptions.js';
import { CR0 as CR0_ROWS, maskOf } from '../../../spec/flags.js';
import { AR, CR0, CR4, EFER } from '../../../spec/masks.js';
import { ENTRY, PRIMARY } from '../controls.js';
import type { ExitHandler, Outcome } from '../exit.js';
import { watchNumericErrors } from '../numeric-errors.js';
import { loadPdptes } from '../pdptes.js';
import { stepOver } from '../stepping.js';
import type { Vcpu } from '../vcpu.js';
import type { Vm } from '../vm.js';
import { cr4HostOwned } from '../vmcs-setup.js';

const { GP } = VECTOR;
const CR0_DEFINED = maskOf(CR0_ROWS);
/** What LMSW loads. */
const LMSW = CR0.PE | CR0.MP | CR0.EM | CR0.TS;

/**
 * MOV to and from CR0, CR3, CR4 and CR8, CLTS and LMSW as far as masks and controls intercept them.
 * @sdm 3C 27.2.1 "Basic VM-Exit Information", table 27-3
 */
export const crAccessExit: ExitHandler = (vcpu, vm) => {
  const qualification = vcpu.vmcs.qualificationLow;
  const cr = qualification & 15;
  const kind = (qualification >> 4) & 3;
  const register = (qualification >> 8) & 15;
  switch (kind) {
    case 0:
      return moveTo(vcpu, vm, cr, operand(vcpu, register));
    case 1:
      return moveFrom(vcpu, vm, cr, register);
    case 2: {
      vcpu.vmcs.set('CR0_READ_SHADOW', vcpu.vmcs.get('CR0_READ_SHADOW') & ~CR0.TS);
      vcpu.vmcs.set('GUEST_CR0', vcpu.vmcs.get('GUEST_CR0') & ~CR0.TS);
      vcpu.complete();
      return 'resume';
    }
    default: {
      const source = BigInt(qualification >>> 16) & LMSW;
      // LMSW cannot clear PE
      const value = (visibleCr0(vcpu) & ~(LMSW & ~CR0.PE)) | source;
      return writeCr0(vcpu, vm, value);
    }
  }
};

function operand(vcpu: Vcpu, register: number): bigint {
  const value = register === 4 ? vcpu.vmcs.get('GUEST_RSP') : vcpu.gpr(register);
  return in64BitMode(vcpu) ? value : value & 0xffffffffn;
}

function in64BitMode(vcpu: Vcpu): boolean {
  return (vcpu.vmcs.get('GUEST_IA32_EFER') & EFER.LMA) !== 0n && (vcpu.vmcs.get('GUEST_CS_AR_BYTES') & AR.L) !== 0n;
}

/** CR0 as the guest reads it. */
function visibleCr0(vcpu: Vcpu): bigint {
  const mask = vcpu.vmcs.get('CR0_GUEST_HOST_MASK');
  return (vcpu.vmcs.get('GUEST_CR0') & ~mask) | (vcpu.vmcs.get('CR0_READ_SHADOW') & mask);
}

function moveTo(vcpu: Vcpu, vm: Vm, cr: number, value: bigint): Outcome {
  if (cr === 0) return writeCr0(vcpu, vm, value);
  if (cr === 4) return writeCr4(vcpu, vm, value);
  if (cr === 3) {
    stepOver(vcpu, 'CPU_BASED_VM_EXEC_CONTROL', PRIMARY.cr3LoadExiting);
    return 'resume';
  }
  if (value > 15n) return fail(vcpu);
  vm.setTpr(vcpu, Number(value) << 4);
  vm.complete(vcpu);
  return 'resume';
}

function moveFrom(vcpu: Vcpu, vm: Vm, cr: number, register: number): Outcome {
  if (cr === 3) {
    stepOver(vcpu, 'CPU_BASED_VM_EXEC_CONTROL', PRIMARY.cr3StoreExiting);
    return 'resume';
  }
  const value = BigInt(vm.tpr(vcpu) >> 4);
  if (register === 4) vcpu.vmcs.set('GUEST_RSP', value);
  else vcpu.setGpr(register, value);
  vm.complete(vcpu);
  return 'resume';
}

function fail(vcpu: Vcpu): Outcome {
  vcpu.exception(GP, 0);
  return 'inject';
}

/** The checks of MOV to CR0 and the mode switch that PE and PG bring. @sdm 3A 2.5 "Control Registers" */
function writeCr0(vcpu: Vcpu, vm: Vm, value: bigint): Outcome {
  const { vmcs } = vcpu;
  const old = visibleCr0(vcpu);
  const efer = vmcs.get('GUEST_IA32_EFER');
  const cr4 = vmcs.get('GUEST_CR4');
  const longModeSegment = (vmcs.get('GUEST_CS_AR_BYTES') & AR.L) !== 0n;
  if (value >> 32n !== 0n) return fail(vcpu);
  const next = (value & CR0_DEFINED) | CR0.ET;
  const paging = (next & CR0.PG) !== 0n;
  const wasPaging = (old & CR0.PG) !== 0n;
  if (paging && (next & CR0.PE) === 0n) return fail(vcpu);
  if ((next & CR0.NW) !== 0n && (next & CR0.CD) === 0n) return fail(vcpu);
  if (paging && !wasPaging && (efer & EFER.LME) !== 0n) {
    if ((cr4 & CR4.PAE) === 0n || longModeSegment) return fail(vcpu);
  }
  if (!paging && wasPaging) {
    if ((cr4 & CR4.PCIDE) !== 0n || in64BitMode(vcpu)) return fail(vcpu);
  }
  const pae = paging && (cr4 & CR4.PAE) !== 0n && (efer & EFER.LME) === 0n;
  if (pae && (!wasPaging || ((old ^ next) & (CR0.CD | CR0.NW)) !== 0n) && !loadPdptes(vcpu, vm)) return fail(vcpu);
  vmcs.set('CR0_READ_SHADOW', next);
  vmcs.set('GUEST_CR0', next | CR0.NE);
  if (((old ^ next) & CR0.NE) !== 0n) watchNumericErrors(vcpu);
  if (paging !== wasPaging) {
    const long = paging && (efer & EFER.LME) !== 0n;
    vmcs.set('GUEST_IA32_EFER', long ? efer | EFER.LMA : efer & ~EFER.LMA);
    const entry = Number(vmcs.get('VM_ENTRY_CONTROLS'));
    vmcs.set('VM_ENTRY_CONTROLS', (long ? entry | ENTRY.ia32eModeGuest : entry & ~ENTRY.ia32eModeGuest) >>> 0);
  }
  vm.flushTlb(vcpu);
  vm.complete(vcpu);
  return 'resume';
}

/** MOV to CR4 reaches the VMM only when it sets a bit that this CPU model does not offer: no VMX, perhaps no LA57. */
function writeCr4(vcpu: Vcpu, vm: Vm, value: bigint): Outcome {
  const owned = cr4HostOwned(vm.cpu);
  if ((value & owned) !== 0n) return fail(vcpu);
  vcpu.vmcs.set('CR4_READ_SHADOW', value & owned);
  vcpu.vmcs.set('GUEST_CR4', value | CR4.VMXE);
  vm.flushTlb(vcpu);
  vm.complete(vcpu);
  return 'resume';
}
