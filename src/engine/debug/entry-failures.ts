import { failedChecks } from '../../spec/vmx/entry-checks.js';
import { ENTRY_FAILURES, ENTRY_FAILURES_BYTES } from '../core/layout.js';
import type { StopReason } from '../debugger.js';
import type { Vcpu } from '../vmm/vcpu.js';
import type { Vm } from '../vmm/vm.js';

export type EntryFailure = Extract<StopReason, { kind: 'entry-failed' }>;

/** Why the last VM entry failed: every check that did not hold, with the fields and their values. */
export function entryFailures(vm: Vm, vcpu: Vcpu): EntryFailure {
  const bitmap = vm.host.u8.slice(ENTRY_FAILURES, ENTRY_FAILURES + ENTRY_FAILURES_BYTES);
  const failures = failedChecks(bitmap).map(({ id, sdm, fields }) => ({
    id,
    sdm,
    fields: fields.map((name) => ({ name, value: vcpu.vmcs.get(name) })),
  }));
  const count = failures.length === 1 ? '1 check' : `${failures.length} checks`;
  return { kind: 'entry-failed', failures, message: `VM entry failed: ${count} did not hold` };
}
