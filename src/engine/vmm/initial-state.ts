// Puts the state that a boot protocol hands over into a VMCS.
import { ALWAYS_ONE, CR0, CR4, EFER } from '../../spec/masks.js';
import type { InitialState } from '../boot/image.js';
import { GPR } from '../core/layout.js';
import { watchNumericErrors } from './numeric-errors.js';
import type { Vcpu } from './vcpu.js';
import { setSegment } from './vmcs-setup.js';

const REGISTER_INDEX = { rax: 0, rcx: 1, rdx: 2, rbx: 3, rbp: 5, rsi: 6, rdi: 7 } as const;
const CR0_ET_NE = CR0.ET | CR0.NE;
const ENTRY_IA32E = 0x200n;

export function setInitialState(vcpu: Vcpu, state: InitialState): void {
  const { vmcs, host } = vcpu;
  vmcs.set('GUEST_RIP', state.rip);
  if (state.rsp !== undefined) vmcs.set('GUEST_RSP', state.rsp);
  vmcs.set('GUEST_RFLAGS', (state.rflags ?? 0n) | ALWAYS_ONE.RFLAGS);
  if (state.cr0 !== undefined) {
    vmcs.set('GUEST_CR0', state.cr0 | CR0_ET_NE);
    vmcs.set('CR0_READ_SHADOW', state.cr0 | CR0.ET);
    watchNumericErrors(vcpu);
  }
  if (state.cr3 !== undefined) vmcs.set('GUEST_CR3', state.cr3);
  if (state.cr4 !== undefined) vmcs.set('GUEST_CR4', state.cr4 | CR4.VMXE);
  if (state.efer !== undefined) {
    vmcs.set('GUEST_IA32_EFER', state.efer);
    if ((state.efer & EFER.LMA) !== 0n) vmcs.set('VM_ENTRY_CONTROLS', vmcs.get('VM_ENTRY_CONTROLS') | ENTRY_IA32E);
  }
  for (const [name, segment] of Object.entries(state.segments ?? {})) {
    setSegment(vmcs, name.toUpperCase(), segment.selector, segment.base, segment.limit, segment.accessRights);
  }
  for (const table of ['gdtr', 'idtr'] as const) {
    const value = state[table];
    if (!value) continue;
    vmcs.set(`GUEST_${table.toUpperCase()}_BASE`, value.base);
    vmcs.set(`GUEST_${table.toUpperCase()}_LIMIT`, value.limit);
  }
  for (const [name, value] of Object.entries(state.registers ?? {})) {
    host.set64(vcpu.at(GPR) + REGISTER_INDEX[name as keyof typeof REGISTER_INDEX] * 8, value);
  }
}
