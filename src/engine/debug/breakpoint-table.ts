import * as L from '../core/layout.js';
import type { Breakpoint, BreakpointSpec, ExitRecord } from '../debugger.js';
import type { CoreExports } from '../host/core-instance.js';
import type { HostMemory } from '../host/host-memory.js';
import { exitMatches } from './trace-reader.js';

const WATCH_FLAGS = { read: 1, write: 2, access: 3 } as const;
const WATCH_PHYSICAL = 4;
const MAX_EXECUTE = Math.floor(L.BREAK_SET_ENTRIES / 2);

/** The debugger's breakpoints and the tables from which the core reads them. Guest memory is never touched. */
export class BreakpointTable {
  readonly #all = new Map<number, Breakpoint>();
  /** Addresses of run-until targets, which are no breakpoints to anybody else. */
  readonly #temporary = new Set<bigint>();
  #next = 1;

  constructor(
    readonly core: CoreExports,
    readonly host: HostMemory,
    /** Told when the core's tables changed, so that cached translations go. */
    readonly changed: () => void,
  ) {}

  list(): Breakpoint[] {
    return [...this.#all.values()];
  }

  get(id: number): Breakpoint | undefined {
    return this.#all.get(id);
  }

  /** @throws Error when a table of the core is full or the range makes no sense. */
  add(spec: BreakpointSpec, label?: string): Breakpoint {
    this.#check(spec);
    const breakpoint: Breakpoint = { ...spec, id: this.#next++, enabled: true, hits: 0, ...(label ? { label } : {}) };
    this.#all.set(breakpoint.id, breakpoint);
    this.#write();
    return breakpoint;
  }

  remove(id: number): boolean {
    const had = this.#all.delete(id);
    if (had) this.#write();
    return had;
  }

  enable(id: number, enabled: boolean): boolean {
    const breakpoint = this.#all.get(id);
    if (!breakpoint) return false;
    breakpoint.enabled = enabled;
    this.#write();
    return true;
  }

  addTemporary(gva: bigint): void {
    this.#temporary.add(gva);
    this.#write();
  }

  clearTemporary(): void {
    if (this.#temporary.size === 0) return;
    this.#temporary.clear();
    this.#write();
  }

  /** The enabled breakpoint at this address, counted as hit. */
  hitAt(gva: bigint): Breakpoint | undefined {
    const found = this.list().find((item) => item.enabled && item.kind === 'execute' && item.gva === gva);
    if (found) found.hits++;
    return found;
  }

  isTemporary(gva: bigint): boolean {
    return this.#temporary.has(gva);
  }

  hasExitBreakpoints(): boolean {
    return this.list().some((item) => item.enabled && item.kind === 'exit');
  }

  /** The enabled exit breakpoint that this exit meets, counted as hit. */
  hitExit(record: ExitRecord): Breakpoint | undefined {
    const found = this.list().find(
      (item) => item.enabled && item.kind === 'exit' && exitMatches(record, item.condition),
    );
    if (found) found.hits++;
    return found;
  }

  #check(spec: BreakpointSpec): void {
    if (spec.kind === 'execute' && this.list().filter((item) => item.kind === 'execute').length >= MAX_EXECUTE) {
      throw new Error(`no room for more than ${MAX_EXECUTE} breakpoints`);
    }
    if (spec.kind !== 'watch') return;
    if (spec.length < 1) throw new Error('a watchpoint needs at least 1 byte');
    if (this.list().filter((item) => item.kind === 'watch').length >= L.MAX_WATCHPOINTS) {
      throw new Error(`no room for more than ${L.MAX_WATCHPOINTS} watchpoints`);
    }
  }

  #write(): void {
    this.#writeExecute();
    this.#writeWatch();
    this.changed();
  }

  #writeExecute(): void {
    const addresses = new Set(this.#temporary);
    for (const item of this.#all.values()) if (item.kind === 'execute' && item.enabled) addresses.add(item.gva);
    this.core.clearBreakpoints();
    for (const address of addresses) this.core.addBreakpoint(address);
  }

  #writeWatch(): void {
    const { host } = this;
    let count = 0;
    for (const item of this.#all.values()) {
      if (item.kind !== 'watch' || !item.enabled) continue;
      const at = L.WATCH_TABLE + count++ * L.WATCH_BYTES;
      host.set64(at, item.address);
      host.set64(at + 8, item.address + BigInt(item.length - 1));
      host.set32(at + 16, WATCH_FLAGS[item.access] | (item.space === 'gpa' ? WATCH_PHYSICAL : 0));
      host.set32(at + 20, item.id);
    }
    host.set32(L.WATCHPOINT_COUNT, count);
  }
}
