/** What is done at a breakpoint that does not stop: it prints, or collects a frame of a trace. */
import type { BreakpointAction, ExitRecord, TraceFrame } from '../debugger.js';
import type { MachineView } from '../machine-view.js';
import { AgentExpressionError, programOf } from './agent-expression.js';
import { contextOf } from './condition.js';
import type { TraceFrames } from './trace-frames.js';

/** Of one frame. */
const MAX_COLLECTED = 0x40000;

export class BreakpointActions {
  constructor(
    private readonly view: MachineView,
    private readonly frames: TraceFrames,
    /** Takes what is printed. */
    private readonly say: (text: string) => void,
    private readonly icount: () => number,
  ) {}

  /** @param gva of the breakpoint, or of the instruction that made the exit, where the vCPU stands */
  run(vcpu: number, gva: bigint, action: BreakpointAction, exit?: ExitRecord): void {
    if (action.kind === 'print') this.print(vcpu, gva, action, exit);
    else if (this.frames.running) this.frames.add(this.collect(vcpu, gva, action, exit), action.passes);
  }

  private print(vcpu: number, gva: bigint, action: BreakpointAction & { kind: 'print' }, exit?: ExitRecord): void {
    const context = contextOf(this.view, vcpu, action, exit);
    context.print = this.say;
    context.variables = this.frames.variables;
    try {
      for (const code of action.expressions) programOf(code).run(context);
    } catch (error) {
      if (!(error instanceof AgentExpressionError)) throw error;
      this.say(`<breakpoint at 0x${gva.toString(16)}: ${error.message}>\n`);
    }
  }

  private collect(
    vcpu: number,
    gva: bigint,
    action: BreakpointAction & { kind: 'collect' },
    exit?: ExitRecord,
  ): TraceFrame {
    const { view } = this;
    const frame: TraceFrame = {
      ...{ tracepoint: action.tracepoint, address: gva, vcpu, icount: BigInt(this.icount()) },
      ...{ memory: [], variables: [] },
      ...(exit ? { exit } : {}),
    };
    const context = contextOf(view, vcpu, action, exit);
    let collected = 0;
    const take = (address: bigint, length: number): void => {
      collected += length;
      if (collected > MAX_COLLECTED)
        throw new AgentExpressionError(`more than ${MAX_COLLECTED} bytes are collected at once`);
      const bytes = context.memory(address, length);
      if (bytes.length > 0) frame.memory.push({ address, bytes });
      if (bytes.length < length) {
        const end = address + BigInt(bytes.length);
        throw new AgentExpressionError(`no memory at 0x${end.toString(16)}`);
      }
    };
    context.collect = { memory: take, variable: (number, value) => void frame.variables.push({ number, value }) };
    context.variables = this.frames.variables;
    if (action.allRegisters) frame.registers = view.readRegisters(vcpu);
    try {
      for (const { base, offset, length } of action.memory) {
        const from = base === undefined ? 0n : context.register(base);
        if (from === undefined) throw new AgentExpressionError(`register ${base} is unknown`);
        take(BigInt.asUintN(64, from + offset), length);
      }
      for (const code of action.expressions) programOf(code).run(context);
    } catch (error) {
      if (!(error instanceof AgentExpressionError)) throw error;
      frame.failure = error.message;
    }
    return frame;
  }
}
