/** Breakpoints of a guest under a stub: what the user has set, and what stands in the stub while the guest stands. */
import { checkAgentExpression } from '../engine/debug/agent-expression.js';
import type { Breakpoint, BreakpointChange, BreakpointSpec, StopReason } from '../engine/debugger.js';
import { POINT, type StubControl, type StubStop } from './stub-control.js';

type Watch = Extract<BreakpointSpec, { kind: 'watch' }>;

export class StubPoints {
  #list: Breakpoint[] = [];
  #nextId = 1;
  /** Where a run of its own ends. */
  temporary: bigint | undefined;

  get list(): Breakpoint[] {
    return this.#list.map((point) => ({ ...point }));
  }

  get any(): boolean {
    return this.#list.length > 0;
  }

  /** @throws Error when a stub cannot have it */
  static check(spec: BreakpointSpec, label?: string): void {
    if (spec.kind !== 'exit' && spec.condition && label !== 'gdb')
      spec.condition.expressions.forEach(checkAgentExpression);
    if (spec.kind === 'exit') throw new Error('a GDB stub does not report VM exits: break at an address');
    if (spec.kind !== 'watch') return;
    if (spec.space !== 'gva') throw new Error('a stub watches linear addresses only');
    if (!(spec.length >= 1 && spec.length <= 4096)) throw new Error(`a watch of ${spec.length} bytes: 1 to 4096`);
  }

  /** As of Debugger. @throws Error where the stub cannot have that */
  change(id: number, { ignore, commands, condition, exits }: BreakpointChange): boolean {
    const point = this.find(id);
    if (!point) return false;
    if (exits !== undefined || point.kind === 'exit') throw new Error('a GDB stub does not report VM exits');
    condition?.expressions.forEach(checkAgentExpression);
    if (condition === null) delete point.condition;
    else if (condition !== undefined) point.condition = condition;
    if (ignore !== undefined) point.ignore = ignore;
    if (commands === null) delete point.commands;
    else if (commands !== undefined) point.commands = commands;
    return true;
  }

  add(spec: BreakpointSpec, label?: string): Breakpoint {
    const point = { ...spec, id: this.#nextId++, enabled: true, hits: 0, ...(label ? { label } : {}) } as Breakpoint;
    this.#list.push(point);
    return { ...point };
  }

  find(id: number): Breakpoint | undefined {
    return this.#list.find((point) => point.id === id);
  }

  remove(id: number): boolean {
    const before = this.#list.length;
    this.#list = this.#list.filter((point) => point.id !== id);
    return this.#list.length < before;
  }

  /** Puts the stub's breakpoints in agreement with the list. @throws Error when it has no more of them */
  async settle(stub: StubControl): Promise<void> {
    const wanted = new Map<string, [number, bigint, number]>();
    const want = (type: number, address: bigint, kind: number): void =>
      void wanted.set(`${type},${address.toString(16)},${kind.toString(16)}`, [type, address, kind]);
    for (const point of this.#list) {
      if (!point.enabled) continue;
      if (point.kind === 'execute') want(POINT.hardware, point.gva, 1);
      else if (point.kind === 'watch') want(POINT[point.access], point.address, point.length);
    }
    if (this.temporary !== undefined) want(POINT.hardware, this.temporary, 1);
    for (const key of [...stub.points]) {
      const [type, address, kind] = key.split(',') as [string, string, string];
      if (!wanted.has(key)) await stub.clearPoint(Number(type), BigInt(`0x${address}`), Number.parseInt(kind, 16));
    }
    for (const [key, [type, address, kind]] of wanted)
      if (!stub.points.has(key)) await stub.setPoint(type, address, kind);
  }

  /** Whether an instruction breakpoint stands at this linear address. */
  breaksAt(address: bigint): boolean {
    return (
      this.temporary === address ||
      this.#list.some((point) => point.enabled && point.kind === 'execute' && point.gva === address)
    );
  }

  /** Why the guest stands, whatever the breakpoint's condition says. @param address linear address of the next instruction of the vCPU that the stop concerns */
  reason(stop: StubStop, address: bigint): StopReason {
    if (stop.watch) {
      const { address: at } = stop.watch;
      const covers = (point: Breakpoint): point is Breakpoint & Watch =>
        point.kind === 'watch' && at >= point.address && at < point.address + BigInt(point.length);
      const point = this.#list.find(covers);
      if (point) {
        return { kind: 'watchpoint', id: point.id, access: point.access, address: at, length: point.length };
      }
    }
    const point = this.#list.find((one) => one.enabled && one.kind === 'execute' && one.gva === address);
    if (point && stop.signal === SIGTRAP) return { kind: 'breakpoint', id: point.id, gva: address };
    if (this.temporary === address && stop.signal === SIGTRAP) return { kind: 'until' };
    if (stop.signal === SIGABRT) return { kind: 'limit', message: 'KVM gave the guest up (internal error)' };
    return { kind: 'paused' };
  }
}

const SIGTRAP = 5;
const SIGABRT = 6;
