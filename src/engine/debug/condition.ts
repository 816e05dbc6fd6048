import type { Condition } from '../debugger.js';
import { type AgentContext, AgentExpressionError, evaluateAgentExpression } from './agent-expression.js';
import type { MachineView } from './machine-view.js';

/**
 * Whether a breakpoint's condition lets it stop a vCPU where that stands now. One that cannot be evaluated does.
 * @param failed told why it cannot be evaluated
 */
export function conditionHolds(
  view: MachineView,
  vcpu: number,
  { expressions, registers, space }: Condition,
  failed: (why: string) => void,
): boolean {
  const context: AgentContext = {
    register: (number) => registerOf(view, vcpu, registers[number]),
    memory: (address, length) => view.readMemory(vcpu, space, address, length),
  };
  return expressions.some((code) => {
    try {
      return evaluateAgentExpression(code, context) !== 0n;
    } catch (error) {
      if (!(error instanceof AgentExpressionError)) throw error;
      failed(error.message);
      return true;
    }
  });
}

function registerOf(view: MachineView, vcpu: number, name: string | undefined): bigint | undefined {
  if (name === undefined) return undefined;
  if (name === 'linear_rip') return view.linearRip(vcpu);
  if (name.startsWith('vmcs:')) return view.vmcsField?.(vcpu, Number.parseInt(name.slice(5), 16));
  return view.readRegisters(vcpu, [name])[name];
}
