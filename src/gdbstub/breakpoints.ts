/**
 * The client's breakpoints and the target's ids for them.
 *
 * GDB takes all its breakpoints out at each stop and puts them back before it continues. Removal is therefore
 * put off to the next run: a breakpoint that comes back keeps its id and hit count, and a stop costs no
 * round trips to the engine. Until then `wanted` is false and a hit is not reported as the client's.
 */
import type { Access, MemorySpace, StopCause, Target, TargetAction, TargetCondition } from './target.js';

/** Z packet types: software, hardware, write, read, access. */
export type BreakpointType = 0 | 1 | 2 | 3 | 4;

export interface ClientBreakpoint {
  /** The client's process whose it is: each has its own, though all stop the one guest. */
  process: number;
  type: BreakpointType;
  address: bigint;
  /** Bytes for watchpoints; the client's `kind` for execute breakpoints. */
  length: number;
  space: MemorySpace;
  condition: TargetCondition | undefined;
  action: TargetAction | undefined;
  wanted: boolean;
  id: number;
}

const WATCH_ACCESS: Record<2 | 3 | 4, Access> = { 2: 'write', 3: 'read', 4: 'access' };

/** As many as the engine takes, and as many again that are on their way out; keeps a client in a loop from more. */
const MAX_BREAKPOINTS = 131_072;

function keyOf(process: number, type: BreakpointType, space: MemorySpace, address: bigint, length: number): string {
  return `${process} ${type} ${type < 2 ? 'virtual' : space} ${address.toString(16)} ${type < 2 ? 0 : length}`;
}

function sameCondition(a: TargetCondition | undefined, b: TargetCondition | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  const sameCode = (code: Uint8Array, at: number) => Buffer.compare(code, b.expressions[at]) === 0;
  return (
    a.space === b.space &&
    a.expressions.length === b.expressions.length &&
    a.expressions.every(sameCode) &&
    a.registers.length === b.registers.length &&
    a.registers.every((name, number) => name === b.registers[number])
  );
}

export class ClientBreakpoints {
  private readonly entries = new Map<string, ClientBreakpoint>();

  constructor(private readonly target: Target) {}

  /** Idempotent. @throws Error when the target cannot have it. */
  async insert(
    process: number,
    type: BreakpointType,
    space: MemorySpace,
    address: bigint,
    length: number,
    condition?: TargetCondition,
    action?: TargetAction,
  ): Promise<void> {
    const key = keyOf(process, type, space, address, length);
    const present = this.entries.get(key);
    if (present !== undefined) {
      present.wanted = true;
      if (sameCondition(present.condition, condition) && sameCondition(present.action, action)) return;
    }
    if (this.entries.size >= MAX_BREAKPOINTS) await this.reconcile();
    if (this.entries.size >= MAX_BREAKPOINTS)
      throw new Error(`no room: ${MAX_BREAKPOINTS} breakpoints of this connection are set; delete some`);
    const id = await this.target.addBreakpoint(
      type === 0 || type === 1
        ? {
            ...{ kind: 'execute', address },
            ...(condition === undefined ? {} : { condition }),
            ...(action === undefined ? {} : { action }),
          }
        : { kind: 'watch', space, address, length, access: WATCH_ACCESS[type] },
    );
    this.entries.set(key, { process, type, address, length, space, condition, action, wanted: true, id });
    if (present !== undefined) await this.target.removeBreakpoint(present.id);
  }

  /** Idempotent: removing what is not there is no error. */
  remove(process: number, type: BreakpointType, address: bigint, length: number): void {
    for (const space of ['virtual', 'physical'] as const) {
      const entry = this.entries.get(keyOf(process, type, space, address, length));
      if (entry !== undefined) entry.wanted = false;
    }
  }

  /** Takes out of the target what the client has removed. */
  async reconcile(): Promise<void> {
    for (const [key, entry] of this.entries) {
      if (entry.wanted) continue;
      this.entries.delete(key);
      await this.target.removeBreakpoint(entry.id);
    }
  }

  /** How many watchpoints the client has. */
  get watches(): number {
    let count = 0;
    for (const { type, wanted } of this.entries.values()) if (type >= 2 && wanted) count++;
    return count;
  }

  /** All, or those of one process, are as if removed, until the client puts them back. */
  release(process?: number): void {
    for (const entry of this.entries.values())
      if (process === undefined || entry.process === process) entry.wanted = false;
  }

  async clear(process?: number): Promise<void> {
    this.release(process);
    await this.reconcile();
  }

  /** The execute breakpoints of these processes at a linear address. */
  at(address: bigint, processes: readonly number[]): ClientBreakpoint[] {
    const found: ClientBreakpoint[] = [];
    for (const process of processes) {
      for (const type of [0, 1] as const) {
        const entry = this.entries.get(keyOf(process, type, 'virtual', address, 0));
        if (entry?.wanted && entry.action === undefined) found.push(entry);
      }
    }
    return found;
  }

  /** The watchpoint of these processes that an access hit, and the first byte of it that lies inside. */
  watching(
    cause: StopCause & { kind: 'watchpoint' },
    processes: readonly number[],
  ): { entry: ClientBreakpoint; address: bigint } | undefined {
    const end = cause.address + BigInt(Math.max(cause.length, 1));
    let best: ClientBreakpoint | undefined;
    for (const entry of this.entries.values()) {
      if (!entry.wanted || entry.type < 2 || !processes.includes(entry.process)) continue;
      if (end <= entry.address || cause.address >= entry.address + BigInt(entry.length)) continue;
      const access = WATCH_ACCESS[entry.type as 2 | 3 | 4];
      if (cause.access !== 'access' && access !== 'access' && access !== cause.access) continue;
      if (best === undefined || access === cause.access) best = entry;
    }
    if (best === undefined) return undefined;
    const startsBefore = cause.address < best.address;
    return { entry: best, address: startsBefore ? best.address : cause.address };
  }
}
