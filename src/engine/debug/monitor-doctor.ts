/** The monitor's `doctor`: whether the next VM entry would pass, and each check of the SDM that would not hold. */
import { ENTRY_CHECKS } from '../../spec/vmx/entry-checks.js';
import type { MachineView } from '../machine-view.js';

export const DOCTOR_COMMANDS = {
  doctor: ({ view, vcpu, args }: { view: MachineView; vcpu: number; args: readonly string[] }): string => {
    if (args.length > 0) throw new Error('doctor takes no words behind it');
    if (view.checkEntry === undefined) throw new Error(view.unavailable.vmcs ?? 'this guest has no VMCS');
    const failure = view.checkEntry(vcpu);
    if (failure === undefined) return `CPU#${vcpu}: all ${ENTRY_CHECKS.length} checks of a VM entry hold`;
    const lines = failure.failures.map(({ id, sdm, fields }) => {
      const values = fields.map(({ name, value }) => `${name} = 0x${value.toString(16)}`);
      return `- ${id} (SDM ${sdm})${values.length > 0 ? `: ${values.join(', ')}` : ''}`;
    });
    return [`CPU#${vcpu}: a VM entry would fail; these do not hold:`, ...lines].join('\n');
  },
};
