import type { Condition, ExitRecord } from '../debugger.js';
import type { MachineView } from '../machine-view.js';
import { type AgentContext, AgentExpressionError, programOf } from './agent-expression.js';
import { exitValue } from './exit-facts.js';

/** Fields of a VM exit that gdb's expressions name; the reason is the basic one. */
const EXIT_FIELDS: Readonly<Record<string, (exit: ExitRecord) => number | bigint>> = {
  exit_number: (exit) => exit.sequence,
  exit_reason: (exit) => exit.reason & 0xffff,
  exit_qualification: (exit) => exit.qualification,
  exit_gpa: (exit) => exit.gpa,
  exit_gla: (exit) => exit.gla,
};

function exitField(exit: ExitRecord, name: string): bigint | undefined {
  if (name.startsWith('exit:')) return exitValue(exit, name.slice(5)) ?? 0n;
  if (name.startsWith('exit?')) return exitValue(exit, name.slice(5)) === undefined ? 0n : 1n;
  return Object.hasOwn(EXIT_FIELDS, name) ? BigInt(EXIT_FIELDS[name](exit)) : undefined;
}

/** What the expressions of one condition or action find where a vCPU stands. */
export class ExpressionContext implements AgentContext {
  vcpu = 0;
  collect: AgentContext['collect'];
  print: AgentContext['print'];
  /** Where it is evaluated at a VM exit. */
  exit: ExitRecord | undefined;
  /** Trace state variables that a client has defined. */
  variables: Map<number, bigint> | undefined;

  constructor(
    private readonly view: MachineView,
    private readonly condition: Condition,
  ) {}

  register(number: number): bigint | undefined {
    const name = this.condition.registers[number];
    return name === undefined ? undefined : this.named(name);
  }

  memory(address: bigint, length: number): Uint8Array {
    return this.view.readMemory(this.vcpu, this.condition.space, address, length);
  }

  load(address: bigint, bytes: number): bigint | undefined {
    return this.condition.space === 'gva' ? this.view.liveLoad?.(this.vcpu, address, bytes) : undefined;
  }

  variable(number: number): bigint | undefined {
    const name = this.condition.variables?.[number];
    return name === undefined ? this.variables?.get(number) : this.named(name);
  }

  setVariable(number: number, value: bigint): void {
    if (this.variables?.has(number)) this.variables.set(number, value);
  }

  private named(name: string): bigint | undefined {
    const { view, vcpu } = this;
    if (name === 'linear_rip') return view.linearRip(vcpu);
    if (/^exit[_:?]/.test(name)) return this.exit && exitField(this.exit, name);
    const live = view.liveRegister?.(vcpu, name);
    if (live !== undefined) return live;
    if (name.startsWith('vmcs:')) return view.vmcsField?.(vcpu, Number.parseInt(name.slice(5), 16));
    // a peer's name may be one that every object has
    const file = view.readRegisters(vcpu, [name]);
    return Object.hasOwn(file, name) ? file[name] : undefined;
  }
}

const contexts = new WeakMap<Condition, ExpressionContext>();

/** The context of a condition, for a vCPU that may stand at an exit; one for its whole life. */
export function contextOf(view: MachineView, vcpu: number, condition: Condition, exit?: ExitRecord): ExpressionContext {
  let context = contexts.get(condition);
  if (context === undefined) {
    context = new ExpressionContext(view, condition);
    contexts.set(condition, context);
  }
  context.vcpu = vcpu;
  context.exit = exit;
  return context;
}

/**
 * Whether a breakpoint's condition lets it stop a vCPU where that stands now. One that cannot be evaluated does.
 * @param failed told why it cannot be evaluated
 * @param exit where it stands at one
 */
export function conditionHolds(
  view: MachineView,
  vcpu: number,
  condition: Condition,
  failed: (why: string) => void,
  exit?: ExitRecord,
): boolean {
  const context = contextOf(view, vcpu, condition, exit);
  for (const code of condition.expressions) {
    try {
      if (programOf(code).run(context) !== 0n) return true;
    } catch (error) {
      if (!(error instanceof AgentExpressionError)) throw error;
      failed(error.message);
      return true;
    }
  }
  return false;
}

/** Whether an exit of a trace meets an expression on its fields alone. */
export function recordHolds(record: ExitRecord, { expressions, registers }: Condition): boolean {
  const context: AgentContext = {
    register: (number) => exitField(record, registers[number] ?? ''),
    memory: () => new Uint8Array(0),
  };
  try {
    return expressions.some((code) => programOf(code).run(context) !== 0n);
  } catch (error) {
    if (error instanceof AgentExpressionError) return false;
    throw error;
  }
}
