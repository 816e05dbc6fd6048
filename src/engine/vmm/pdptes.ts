import { physicalRead } from './physical-access.js';
import type { Vcpu } from './vcpu.js';
import type { Vm } from './vm.js';

const PRESENT = 1n;
const RESERVED = 0xffffff80000001e6n;

/** PDPTEs of PAE paging from guest memory into the VMCS; false when one has reserved bits set (#GP). */
export function loadPdptes(vcpu: Vcpu, vm: Vm): boolean {
  const cr3 = Number(vcpu.vmcs.get('GUEST_CR3') & 0xffffffe0n);
  const entries = [0, 1, 2, 3].map((i) => physicalRead(vcpu, vm, cr3 + i * 8, 8));
  if (entries.some((entry) => (entry & PRESENT) !== 0n && (entry & RESERVED) !== 0n)) return false;
  entries.forEach((entry, i) => {
    vcpu.vmcs.set(`GUEST_PDPTR${i}`, entry);
  });
  return true;
}
