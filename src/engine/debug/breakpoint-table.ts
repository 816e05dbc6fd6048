import type { Breakpoint, BreakpointSpec, ExitRecord } from '../debugger.js';
import type { BreakpointSink, Watch } from './machine-view.js';
import { exitMatches } from './trace-reader.js';

/** The debugger's breakpoints; the engine has those that are enabled. */
export class BreakpointTable {
  readonly #all = new Map<number, Breakpoint>();
  /** Addresses of run-until targets, which are no breakpoints to anybody else. */
  readonly #temporary = new Set<bigint>();
  #next = 1;

  constructor(private readonly sink: BreakpointSink) {}

  list(): Breakpoint[] {
    return [...this.#all.values()];
  }

  get(id: number): Breakpoint | undefined {
    return this.#all.get(id);
  }

  /** @throws Error when the engine has no room for it or the range makes no sense. */
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
    if (spec.kind === 'watch' && spec.length < 1) throw new Error('a watchpoint needs at least 1 byte');
    this.sink.check(spec, this.list());
  }

  #write(): void {
    const execute = new Set(this.#temporary);
    const watches: Watch[] = [];
    for (const item of this.#all.values()) {
      if (!item.enabled) continue;
      if (item.kind === 'execute') execute.add(item.gva);
      if (item.kind === 'watch') watches.push(item);
    }
    this.sink.write(execute, watches);
  }
}
