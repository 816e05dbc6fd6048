/** Breakpoints as text. */
import type { BreakpointSpec, ExitCondition } from '../engine/debugger.js';
import { exitReasonName } from '../spec/vmx/exit-reasons.js';
import { hex } from './numbers.js';

/** `at 40101d`, `on EPT_VIOLATION if gpa >= 0xfee00000`, `on write of gva 1000+4` */
export function specText(spec: BreakpointSpec): string {
  switch (spec.kind) {
    case 'execute':
      return `at ${hex(spec.gva)}`;
    case 'exit':
      return `on ${conditionText(spec.condition)}`;
    case 'watch':
      return `on ${spec.access} of ${spec.space} ${hex(spec.address)}+${spec.length}`;
  }
}

export function conditionText(condition: ExitCondition): string {
  const reasons = condition.reasons?.length ? condition.reasons.map(exitReasonName).join('|') : 'any';
  const terms = condition.where?.map(({ field, op, value }) => `${field} ${op} 0x${hex(value)}`).join(' and ');
  const where = condition.test?.text ?? terms;
  return where ? `${reasons} if ${where}` : reasons;
}
