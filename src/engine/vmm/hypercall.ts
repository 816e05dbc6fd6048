import { CR0, CR4 } from '../../spec/masks.js';
import { vmcsEncoding, vmcsFieldByEncoding } from '../../spec/vmx/vmcs-fields.js';
import { VIRTUAL_APIC_BASE } from '../core/layout.js';
import { PIN, PRIMARY, SECONDARY } from './controls.js';
import { linearBits } from './cpu-models.js';
import { readDescriptorPrivilege } from './privilege.js';
import { guestSetBits, setGuestBits } from './provocations.js';
import type { Vcpu } from './vcpu.js';
import type { Vm } from './vm.js';

/** RAX of a vmscope hypercall: `VMSC`. */
const SIGNATURE = 0x564d5343;
const VERSION = 1n;
const OK = 0n;
const REFUSED = 0xffffffffffffffffn;

const PIN_CONTROLS = vmcsEncoding('PIN_BASED_VM_EXEC_CONTROL');
const PRIMARY_CONTROLS = vmcsEncoding('CPU_BASED_VM_EXEC_CONTROL');
const SECONDARY_CONTROLS = vmcsEncoding('SECONDARY_VM_EXEC_CONTROL');
const TPR_THRESHOLD = vmcsEncoding('TPR_THRESHOLD');
const CR0_MASK = vmcsEncoding('CR0_GUEST_HOST_MASK');
const GUEST_CR4 = vmcsEncoding('GUEST_CR4');
const VIRTUALIZE_APIC = BigInt(SECONDARY.virtualizeApicAccesses);
const TPR_SHADOW = BigInt(PRIMARY.useTprShadow);
const CR8_EXITING = BigInt((PRIMARY.cr8LoadExiting | PRIMARY.cr8StoreExiting) >>> 0);
const TPR_OFFSET = 0x80;

function bits(...numbers: number[]): bigint {
  return numbers.reduce((mask, bit) => mask | (1n << BigInt(bit)), 0n);
}

/**
 * Control bits that a guest may switch: only such as cause exits, so that it can slow down nobody
 * but itself. Field encoding -> bits.
 */
const ALLOWED = new Map<number, bigint>([
  [PIN_CONTROLS, bits(0, 3, 5, 6)],
  [PRIMARY_CONTROLS, bits(2, 7, 9, 10, 11, 12, 15, 16, 19, 20, 21, 22, 23, 27, 29, 30)],
  [SECONDARY_CONTROLS, bits(0, 2, 3, 6, 10, 11, 12, 13, 16)],
  [vmcsEncoding('EXCEPTION_BITMAP'), 0xffffffffn],
  [TPR_THRESHOLD, bits(0, 1, 2, 3)],
  [CR0_MASK, CR0.TS],
  [GUEST_CR4, CR4.SMXE | CR4.OSXSAVE],
]);

/**
 * Does the hypercall in the vCPU's registers; undefined when RAX does not carry vmscope's signature.
 * The ABI stands in samples/exit-zoo/README.md.
 */
export function hypercall(vcpu: Vcpu, vm: Vm): bigint | undefined {
  if (vcpu.gprLow(0) !== SIGNATURE) return undefined;
  if (readDescriptorPrivilege(vcpu) !== 0) return REFUSED;
  const rcx = vcpu.gpr(1);
  const rdx = vcpu.gpr(2);
  switch (vcpu.gprLow(3)) {
    case 0:
      vcpu.setGpr(2, VERSION);
      return OK;
    case 1:
      return setBits(vcpu, vm, Number(rcx), rdx);
    case 2:
      return clearBits(vcpu, vm, Number(rcx), rdx);
    case 3:
      return vm.provocations.spoil(Number(rcx), (entry) => (entry & ~7n) | 2n) ? OK : REFUSED;
    case 4:
      return failNextEntry(vcpu, rcx);
    case 5:
      return restrict(vm, Number(rcx), rdx);
    case 6:
      if (BigInt.asUintN(64, BigInt.asIntN(linearBits(vm.cpu), rcx)) !== rcx) return REFUSED;
      vcpu.provoked.surviveAt = rcx;
      return OK;
    case 7:
      return signal(vcpu, rcx, rdx);
    case 8:
      if (rcx > 127n) return REFUSED;
      vcpu.setGpr(2, BigInt(vm.exitCount(Number(rcx))));
      return OK;
    default:
      return REFUSED;
  }
}

function setBits(vcpu: Vcpu, vm: Vm, encoding: number, mask: bigint): bigint {
  const field = vmcsFieldByEncoding(encoding);
  const allowed = ALLOWED.get(encoding);
  if (!field || allowed === undefined || (mask & ~allowed) !== 0n) return REFUSED;
  const value = vcpu.vmcs.get(field.name);
  const fresh = mask & ~value;
  if (!thresholdHolds(vcpu, vm, encoding, value | mask)) return REFUSED;
  setGuestBits(vcpu.provoked, encoding, guestSetBits(vcpu.provoked, encoding) | fresh);
  vcpu.vmcs.set(field.name, value | mask);
  if (encoding === PIN_CONTROLS && (mask & BigInt(PIN.preemptionTimer)) !== 0n) {
    vcpu.provoked.timerRequest = vcpu.clockBehind + Number(BigInt.asUintN(32, vcpu.gpr(6)));
  }
  if (encoding === PRIMARY_CONTROLS && (fresh & TPR_SHADOW) !== 0n) enableTprShadow(vcpu, vm);
  if (encoding === SECONDARY_CONTROLS && (fresh & VIRTUALIZE_APIC) !== 0n) vm.provocations.mapApicPage(vcpu, true);
  if (encoding === CR0_MASK && (fresh & CR0.TS) !== 0n) {
    const shadow = vcpu.vmcs.get('CR0_READ_SHADOW');
    vcpu.vmcs.set('CR0_READ_SHADOW', (shadow & ~CR0.TS) | (vcpu.vmcs.get('GUEST_CR0') & CR0.TS));
  }
  if (encoding === GUEST_CR4) {
    // the guest goes on reading its own value of these bits
    vcpu.vmcs.set('CR4_GUEST_HOST_MASK', vcpu.vmcs.get('CR4_GUEST_HOST_MASK') | fresh);
    vcpu.vmcs.set('CR4_READ_SHADOW', vcpu.vmcs.get('CR4_READ_SHADOW') & ~fresh);
  }
  return OK;
}

function clearBits(vcpu: Vcpu, vm: Vm, encoding: number, mask: bigint): bigint {
  const field = vmcsFieldByEncoding(encoding);
  const allowed = ALLOWED.get(encoding);
  if (!field || allowed === undefined || (mask & ~allowed) !== 0n) return REFUSED;
  const set = guestSetBits(vcpu.provoked, encoding);
  const mine = mask & set;
  setGuestBits(vcpu.provoked, encoding, set & ~mine);
  vcpu.vmcs.set(field.name, vcpu.vmcs.get(field.name) & ~mine);
  if (encoding === PRIMARY_CONTROLS && (mine & TPR_SHADOW) !== 0n) disableTprShadow(vcpu, vm);
  if (encoding === SECONDARY_CONTROLS && (mine & VIRTUALIZE_APIC) !== 0n) vm.provocations.mapApicPage(vcpu, false);
  if (encoding === GUEST_CR4) vcpu.vmcs.set('CR4_GUEST_HOST_MASK', vcpu.vmcs.get('CR4_GUEST_HOST_MASK') & ~mine);
  return OK;
}

/** VM entry refuses a TPR threshold above the task priority, and so does the call that would lead to it. */
function thresholdHolds(vcpu: Vcpu, vm: Vm, encoding: number, next: bigint): boolean {
  const shadowed = (vcpu.vmcs.get('CPU_BASED_VM_EXEC_CONTROL') & TPR_SHADOW) !== 0n;
  if (encoding === TPR_THRESHOLD && shadowed) {
    return next <= BigInt(vcpu.host.get32(VIRTUAL_APIC_BASE + vcpu.index * 0x1000 + TPR_OFFSET) >>> 4) % 16n;
  }
  if (encoding !== PRIMARY_CONTROLS || shadowed || (next & TPR_SHADOW) === 0n) return true;
  return vcpu.vmcs.get('TPR_THRESHOLD') <= BigInt(vm.tpr(vcpu) >> 4);
}

function enableTprShadow(vcpu: Vcpu, vm: Vm): void {
  vcpu.host.set32(VIRTUAL_APIC_BASE + vcpu.index * 0x1000 + TPR_OFFSET, vm.tpr(vcpu));
  vcpu.vmcs.set('CPU_BASED_VM_EXEC_CONTROL', vcpu.vmcs.get('CPU_BASED_VM_EXEC_CONTROL') & ~CR8_EXITING);
}

function disableTprShadow(vcpu: Vcpu, vm: Vm): void {
  vm.setTpr(vcpu, vcpu.host.get32(VIRTUAL_APIC_BASE + vcpu.index * 0x1000 + TPR_OFFSET) & 0xff);
  vcpu.vmcs.set('CPU_BASED_VM_EXEC_CONTROL', vcpu.vmcs.get('CPU_BASED_VM_EXEC_CONTROL') | CR8_EXITING);
}

function restrict(vm: Vm, gpa: number, permissions: bigint): bigint {
  if (permissions === 0n || permissions > 7n) return REFUSED;
  const taken = (permissions & 1n) !== 0n ? permissions | 2n : permissions;
  return vm.provocations.spoil(gpa, (entry) => entry & ~taken) ? OK : REFUSED;
}

/** One VM entry that the processor refuses: RFLAGS bit 1 clear, or an MSR that may not be loaded. */
function failNextEntry(vcpu: Vcpu, kind: bigint): bigint {
  if (kind > 1n) return REFUSED;
  vcpu.provoked.failEntry = kind === 0n ? 'rflags' : 'msr-load';
  return OK;
}

function signal(vcpu: Vcpu, kind: bigint, vector: bigint): bigint {
  const pin = Number(vcpu.vmcs.get('PIN_BASED_VM_EXEC_CONTROL'));
  if (vector > 255n && (kind === 0n || kind === 3n)) return REFUSED;
  if (kind === 0n && (pin & PIN.externalInterruptExiting) === 0) return REFUSED;
  if (kind === 1n && (pin & PIN.nmiExiting) === 0) return REFUSED;
  if (kind > 3n) return REFUSED;
  vcpu.provoked.hostEvent = {
    kind: (['interrupt', 'nmi', 'init', 'sipi'] as const)[Number(kind)],
    vector: Number(vector),
  };
  return OK;
}
