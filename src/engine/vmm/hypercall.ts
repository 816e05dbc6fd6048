import { vmcsFieldByEncoding } from '../../spec/vmx/vmcs-fields.js';
import type { Vcpu } from './vcpu.js';
import type { Vm } from './vm.js';

/** RAX of a vmscope hypercall: `VMSC`. */
const SIGNATURE = 0x564d5343;
const OK = 0n;
const REFUSED = 0xffffffffffffffffn;

/**
 * Control bits that a guest may switch through the hypercall: only such as cause exits, so that it
 * can slow down nobody but itself. Field encoding -> bits.
 */
const ALLOWED = new Map<number, number>([
  // NMI exiting stays on; the preemption timer is always on
  [0x4002, bits(9, 10, 11, 12, 15, 16, 23, 29, 30)], // INVLPG MWAIT RDPMC RDTSC CR3 load/store MOV-DR MONITOR PAUSE
  [0x401e, bits(2, 6, 11, 16)], // descriptor tables, WBINVD, RDRAND, RDSEED
  [0x4004, 0xffffffff], // exception bitmap
]);

function bits(...numbers: number[]): number {
  return numbers.reduce((mask, bit) => mask | (1 << bit), 0) >>> 0;
}

/**
 * Does the hypercall in the vCPU's registers; undefined when RAX does not carry vmscope's signature.
 * The ABI stands in samples/exit-zoo/README.md.
 */
export function hypercall(vcpu: Vcpu, vm: Vm): bigint | undefined {
  if (vcpu.gprLow(0) !== SIGNATURE) return undefined;
  const field = vcpu.gprLow(1);
  const mask = vcpu.gprLow(2);
  switch (vcpu.gprLow(3)) {
    case 0:
      return OK;
    case 1:
      return control(vcpu, field, mask, true);
    case 2:
      return control(vcpu, field, mask, false);
    case 3:
      return vm.spoilEpt(field) ? OK : REFUSED;
    case 4:
      return failNextEntry(vcpu);
    default:
      return REFUSED;
  }
}

function control(vcpu: Vcpu, encoding: number, mask: number, set: boolean): bigint {
  const field = vmcsFieldByEncoding(encoding);
  const allowed = ALLOWED.get(encoding);
  if (!field || allowed === undefined || (mask & ~allowed) !== 0) return REFUSED;
  const value = vcpu.vmcs.get(field.name);
  vcpu.vmcs.set(field.name, set ? value | BigInt(mask) : value & ~BigInt(mask));
  return OK;
}

/** One VM entry with a guest state that the processor refuses: RFLAGS bit 1 clear. */
function failNextEntry(vcpu: Vcpu): bigint {
  const { vmcs } = vcpu;
  vmcs.set('GUEST_RFLAGS', vmcs.get('GUEST_RFLAGS') & ~2n);
  vcpu.repairAfterEntryFailure = () => vmcs.set('GUEST_RFLAGS', vmcs.get('GUEST_RFLAGS') | 2n);
  return OK;
}
