/** INIT and start-up IPIs. @sdm 3A 8.4 "Multiple-Processor (MP) Initialization" */
import { CR0, CR4 } from '../../spec/masks.js';
import { CR2, GPR, RDX } from '../core/layout.js';
import type { Vcpu } from './vcpu.js';
import { setSegment, setUpGuest } from './vmcs-setup.js';

const CPU_SIGNATURE = 0x000306c3n;
const CR0_CACHE_BITS = CR0.NW | CR0.CD;
const ENTRY_IA32E = 0x200n;

/**
 * INIT: general registers, control registers, segments and debug registers as after reset; the FPU, the caches'
 * control bits and most MSRs keep their values. The boot processor goes on at the reset vector, others wait.
 * @sdm 3A 9.1 "Initialization Overview"
 */
export function initVcpu(vcpu: Vcpu): void {
  const { host, vmcs } = vcpu;
  const cache = vmcs.get('GUEST_CR0') & CR0_CACHE_BITS;
  const pat = vmcs.get('GUEST_IA32_PAT');
  for (let register = 0; register < 16; register++) host.set64(vcpu.at(GPR) + register * 8, 0n);
  host.set64(vcpu.at(RDX), CPU_SIGNATURE);
  host.set64(vcpu.at(CR2), 0n);
  setUpGuest(vcpu);
  const cr0 = (vmcs.get('GUEST_CR0') & ~CR0_CACHE_BITS) | cache;
  vmcs.set('GUEST_CR0', cr0);
  vmcs.set('CR0_READ_SHADOW', (vmcs.get('CR0_READ_SHADOW') & ~CR0_CACHE_BITS) | cache);
  vmcs.set('GUEST_CR4', CR4.VMXE);
  vmcs.set('GUEST_CR3', 0n);
  vmcs.set('GUEST_RSP', 0n);
  for (const table of ['GDTR', 'IDTR']) vmcs.set(`GUEST_${table}_BASE`, 0n);
  vmcs.set('GUEST_IA32_EFER', 0n);
  vmcs.set('GUEST_IA32_PAT', pat);
  vmcs.set('VM_ENTRY_CONTROLS', vmcs.get('VM_ENTRY_CONTROLS') & ~ENTRY_IA32E);
  vmcs.set('GUEST_INTERRUPTIBILITY_INFO', 0);
  vmcs.set('GUEST_PENDING_DBG_EXCEPTIONS', 0n);
  vmcs.setEvent(0, 0, 0);
  vcpu.nmiPending = false;
  vcpu.halted = false;
  if (vcpu.index === 0) vmcs.activity = 0;
  else vcpu.waitForSipi();
}

/** A start-up IPI: real mode at vector << 12. A processor that does not wait for one ignores it. */
export function startVcpu(vcpu: Vcpu, vector: number): void {
  if (!vcpu.waitsForSipi) return;
  setSegment(vcpu.vmcs, 'CS', vector << 8, BigInt(vector << 12), 0xffff, 0x9b);
  vcpu.vmcs.set('GUEST_RIP', 0n);
  vcpu.vmcs.activity = 0;
  vcpu.waitsForSipi = false;
  vcpu.halted = false;
}
