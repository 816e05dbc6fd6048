/**
 * Tracepoints: the target collects frames at them and goes on; the client looks at the frames when it likes. What a
 * client defines is kept here until it starts the trace, and ends with its connection.
 * @gdb "Tracepoint Packets"
 */

import { type ExitMarker, exitMarkers } from './exit-markers.js';
import type { Session } from './session.js';
import {
  EXIT_VARIABLES,
  type ExtraRegister,
  type TargetAction,
  type TargetCondition,
  type TargetFrame,
} from './target.js';

export interface Tracepoint {
  number: number;
  address: bigint;
  /** It is one at VM exits: the address is a marker's. */
  exits: boolean;
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
  /** A register of the target's that the description leaves out, or a word of EXIT_VARIABLES. */
  builtin?: ExtraRegister | string;
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
  /** As the client was told of them last. */
  markers: ExitMarker[] = [];
  /** How many of them. */
  markersTold = 0;
  /** The target's breakpoints that collect. */
  private ids: number[] = [];

  constructor(private readonly session: Session) {}

  /** Those that the client has defined, the registers that are variables, and those about VM exits. */
  get variables(): Variable[] {
    const builtin = this.builtins.map(
      (variable, at): Variable => ({ number: at + 1, name: nameOf(variable), value: 0n, builtin: variable }),
    );
    return [...builtin, ...this.defined.values()];
  }

  /** By their number less 1. */
  private get builtins(): (ExtraRegister | string)[] {
    const { target, registers } = this.session;
    return [...registers.hidden, ...(target.recentExits === undefined ? [] : Object.keys(EXIT_VARIABLES))];
  }

  /** What is a variable without the client's doing, by the variables' numbers. */
  get builtinVariables(): (string | undefined)[] {
    return [undefined, ...this.builtins.map(nameOf)];
  }

  /** Markers anew. */
  async findMarkers(): Promise<ExitMarker[]> {
    const { recentExits } = this.session.target;
    this.markers = recentExits === undefined ? [] : exitMarkers(await recentExits());
    return this.markers;
  }

  /** @throws Error naming what is too much */
  define(variable: Variable): void {
    if (variable.number <= this.builtins.length) return;
    if (this.defined.size >= MAX_TRACEPOINTS)
      throw new Error(`no room for more than ${MAX_TRACEPOINTS} trace state variables; delete tvariable some`);
    this.defined.set(variable.number, variable);
  }

  /** Value of a variable, in the frame that is looked at; undefined when it is not known. */
  async valueOf(number: number): Promise<bigint | undefined> {
    const { target, generalThread } = this.session;
    const builtin = this.builtins[number - 1];
    if (typeof builtin === 'string') {
      const exit = this.frame ? this.frame.frame.exit : await target.lastExit?.(generalThread);
      return exit && EXIT_VARIABLES[builtin](exit);
    }
    if (this.frame) return this.frame.frame.variables.find((variable) => variable.number === number)?.value;
    if (builtin) return target.extraRegisters?.read(generalThread, builtin.name);
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
          // an exit's frame is nothing without
          ...{ kind: 'collect', tracepoint, passes, memory, allRegisters: allRegisters || point.exits },
          ...of(point.expressions),
        };
        const condition = point.condition === undefined ? {} : { condition: of([point.condition]) };
        if (!point.exits) {
          this.ids.push(await target.addBreakpoint({ kind: 'execute', address, action, ...condition }));
          continue;
        }
        const { reason, place } = await this.markerAt(address);
        const spec = { ...(reason === undefined ? {} : { reason }), ...(place === undefined ? {} : { place }) };
        this.ids.push(await target.addBreakpoint({ kind: 'exit', ...spec, action, ...condition }));
      }
    } catch (error) {
      await this.end();
      throw error;
    }
  }

  private async markerAt(address: bigint): Promise<ExitMarker> {
    if (this.markers.length === 0) await this.findMarkers();
    const marker = this.markers.find((one) => one.address === address);
    if (marker === undefined)
      throw new Error(`no marker at 0x${address.toString(16)}: see info static-tracepoint-markers`);
    return marker;
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

const nameOf = (variable: ExtraRegister | string): string => (typeof variable === 'string' ? variable : variable.name);
const keyOf = (number: number, address: bigint): string => `${number} ${address}`;
