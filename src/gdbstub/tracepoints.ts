/**
 * Tracepoints: the target collects frames at them and goes on; the client looks at the frames when it likes. What a
 * client defines is kept here until it starts the trace, and ends with its connection.
 * @gdb "Tracepoint Packets"
 */
import type { Session } from './session.js';
import type { ExtraRegister, TargetAction, TargetCondition, TargetFrame } from './target.js';

export interface Tracepoint {
  number: number;
  address: bigint;
  enabled: boolean;
  /** Hits after which the trace ends; 0: never. */
  passes: number;
  condition: Uint8Array | undefined;
  allRegisters: boolean;
  memory: { base?: number; offset: bigint; length: number }[];
  expressions: Uint8Array[];
}

/** A trace state variable. */
export interface Variable {
  number: number;
  name: string;
  /** What it begins with. */
  value: bigint;
  /** A register of the target's that the description leaves out. */
  register?: ExtraRegister;
}

const DEFAULT_BUFFER = 5 * 2 ** 20;
/** "As large as can be", which a client may ask for. */
const UNLIMITED_BUFFER = 64 * 2 ** 20;
const MAX_TRACEPOINTS = 4096;
/** Memory ranges and expressions of one tracepoint. */
const MAX_ACTIONS = 1024;

export class Tracepoints {
  /** The frame that the client looks at; undefined: the guest itself. */
  frame: { index: number; frame: TargetFrame } | undefined;
  bufferBytes = DEFAULT_BUFFER;
  circular = false;
  private readonly points = new Map<string, Tracepoint>();
  private readonly defined = new Map<number, Variable>();
  /** The target's breakpoints that collect. */
  private ids: number[] = [];

  constructor(private readonly session: Session) {}

  /** Those that the client has defined, and the registers that are variables. */
  get variables(): Variable[] {
    const hidden = this.session.registers.hidden.map(
      (register, at): Variable => ({ number: at + 1, name: register.name, value: 0n, register }),
    );
    return [...hidden, ...this.defined.values()];
  }

  /** Registers that are variables, by the variables' numbers. */
  get registerVariables(): (string | undefined)[] {
    return [undefined, ...this.session.registers.hidden.map(({ name }) => name)];
  }

  /** @throws Error naming what is too much */
  define(variable: Variable): void {
    if (variable.number <= this.session.registers.hidden.length) return;
    if (this.defined.size >= MAX_TRACEPOINTS)
      throw new Error(`no room for more than ${MAX_TRACEPOINTS} trace state variables; delete tvariable some`);
    this.defined.set(variable.number, variable);
  }

  /** Value of a variable, in the frame that is looked at; undefined when it is not known. */
  async valueOf(number: number): Promise<bigint | undefined> {
    const { target, generalThread } = this.session;
    if (this.frame) return this.frame.frame.variables.find((variable) => variable.number === number)?.value;
    const register = this.session.registers.hidden[number - 1];
    if (register) return target.extraRegisters?.read(generalThread, register.name);
    return (await target.tracing?.variable(number)) ?? this.defined.get(number)?.value;
  }

  /** `QTinit`: no tracepoint is defined any more. */
  async clear(): Promise<void> {
    await this.end();
    this.points.clear();
    this.frame = undefined;
  }

  /** @throws Error naming what is too much */
  add(point: Tracepoint): void {
    if (this.points.size >= MAX_TRACEPOINTS)
      throw new Error(`no room for more than ${MAX_TRACEPOINTS} tracepoints; delete some`);
    this.points.set(keyOf(point.number, point.address), point);
  }

  /** @throws Error when there is none, or it collects too much */
  extend(number: number, address: bigint, actions: Pick<Tracepoint, 'allRegisters' | 'memory' | 'expressions'>): void {
    const point = this.points.get(keyOf(number, address));
    if (point === undefined) throw new Error(`no tracepoint ${number} at 0x${address.toString(16)}`);
    point.allRegisters ||= actions.allRegisters;
    point.memory.push(...actions.memory);
    point.expressions.push(...actions.expressions);
    if (point.memory.length + point.expressions.length > MAX_ACTIONS)
      throw new Error(`tracepoint ${number} collects more than ${MAX_ACTIONS} things; collect ranges instead`);
  }

  /** @throws Error as the target's */
  async start(): Promise<void> {
    const { target } = this.session;
    await this.end();
    this.frame = undefined;
    const variables = [...this.defined.values()].map(({ number, value }) => ({ number, value }));
    const bytes = this.bufferBytes < 0 ? UNLIMITED_BUFFER : this.bufferBytes;
    await target.tracing?.start({ bytes, circular: this.circular, variables });
    const names = await this.session.expressionNames();
    const space = this.session.physicalMemory ? 'physical' : 'virtual';
    try {
      for (const point of this.points.values()) {
        if (!point.enabled) continue;
        const of = (expressions: Uint8Array[]): TargetCondition => ({ expressions, space, ...names });
        const { number: tracepoint, passes, allRegisters, memory, address } = point;
        const action: TargetAction = {
          ...{ kind: 'collect', tracepoint, passes, allRegisters, memory },
          ...of(point.expressions),
        };
        const condition = point.condition === undefined ? {} : { condition: of([point.condition]) };
        this.ids.push(await target.addBreakpoint({ kind: 'execute', address, action, ...condition }));
      }
    } catch (error) {
      await this.end();
      throw error;
    }
  }

  /** The trace ends; its frames stay. */
  async end(): Promise<void> {
    const { ids } = this;
    if (ids.length === 0) return;
    this.ids = [];
    await this.session.target.tracing?.stop();
    for (const id of ids) await this.session.target.removeBreakpoint(id);
  }

  /** Looks at the first frame that fits, from the one after that which is looked at. */
  async find(fits: (frame: { tracepoint: number; address: bigint }) => boolean): Promise<number | undefined> {
    const frames = (await this.session.target.tracing?.list()) ?? [];
    const from = this.frame === undefined ? 0 : this.frame.index + 1;
    const index = frames.findIndex((frame, at) => at >= from && fits(frame));
    return index < 0 ? undefined : this.select(index);
  }

  /** @returns its number; undefined when there is no such frame */
  async select(index: number): Promise<number | undefined> {
    const frame = await this.session.target.tracing?.frame(index);
    if (frame === undefined) return undefined;
    this.frame = { index, frame };
    return index;
  }

  /** What a frame has of memory from an address on. */
  memoryAt(address: bigint, length: number): Uint8Array {
    for (const block of this.frame?.frame.memory ?? []) {
      const from = address - block.address;
      if (from >= 0n && from < BigInt(block.bytes.length))
        return block.bytes.subarray(Number(from), Number(from) + length);
    }
    return new Uint8Array(0);
  }
}

const keyOf = (number: number, address: bigint): string => `${number} ${address}`;
