// Where a vCPU's code is, in its linear address space.

import { MODE, MODE_CODE64, RIP, SEG_BASE, SEG_CS, SEGMENT_BYTES, SEGMENTS } from '../core/layout.js';
import type { Vcpu } from './vcpu.js';

const CS_BASE = SEGMENTS + SEG_CS * SEGMENT_BYTES + SEG_BASE;

/** As linearRip, of a vCPU that is in the guest. */
export function liveLinearRip(vcpu: Vcpu): bigint {
  const { host } = vcpu;
  const rip = host.get64(RIP);
  if ((host.get32(MODE) & MODE_CODE64) !== 0) return rip;
  return BigInt.asUintN(32, rip + host.get64(CS_BASE));
}

/** Linear address of an offset in the running code, whether the vCPU is in the guest or not. */
export function linearAt(vcpu: Vcpu, rip: bigint): bigint {
  if (vcpu.inGuest) {
    if ((vcpu.host.get32(vcpu.at(MODE)) & MODE_CODE64) !== 0) return rip;
    return BigInt.asUintN(32, rip + vcpu.host.get64(vcpu.at(CS_BASE)));
  }
  return isIn64BitMode(vcpu) ? rip : BigInt.asUintN(32, rip + vcpu.vmcs.get('GUEST_CS_BASE'));
}

/** Linear address of the next instruction. */
export function linearRip(vcpu: Vcpu): bigint {
  const { vmcs } = vcpu;
  return isIn64BitMode(vcpu) ? vmcs.rip : BigInt.asUintN(32, vmcs.rip + vmcs.get('GUEST_CS_BASE'));
}

function isIn64BitMode({ vmcs }: Vcpu): boolean {
  return (vmcs.get('GUEST_IA32_EFER') & 0x400n) !== 0n && (vmcs.get('GUEST_CS_AR_BYTES') & 0x2000n) !== 0n;
}
