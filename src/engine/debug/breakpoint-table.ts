import type {
  Breakpoint,
  BreakpointAction,
  BreakpointChange,
  BreakpointSpec,
  Condition,
  ExitRecord,
  StoppedBy,
} from '../debugger.js';
import type { BreakpointSink, Watch } from '../machine-view.js';
import { checkAgentExpression, programOf } from './agent-expression.js';
import { exitMatches } from './trace-reader.js';

type ExecuteBreakpoint = Extract<Breakpoint, { kind: 'execute' }>;

/** The debugger's breakpoints; the engine has those that are enabled. */
export class BreakpointTable {
  readonly #all = new Map<number, Breakpoint>();
  readonly #at = new Map<bigint, ExecuteBreakpoint[]>();
  /** Addresses of run-until targets, which are no breakpoints to anybody else. */
  readonly #temporary = new Set<bigint>();
  /** Places that are looked at for somebody's sake, and are no breakpoints to anybody either. */
  #places: ReadonlySet<bigint> = new Set();
  /** Exit breakpoints, and how many there are of each kind. */
  readonly #exits = new Set<Breakpoint>();
  readonly #counts: Record<BreakpointSpec['kind'], number> = { execute: 0, watch: 0, exit: 0 };
  #next = 1;
  /** The engine has others than these. */
  #stale = false;

  /** @param again whether the guest does again what it did: then nothing is counted off */
  constructor(
    private readonly sink: BreakpointSink,
    private readonly again: () => boolean = () => false,
  ) {}

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
    this.#counts[spec.kind]++;
    if (breakpoint.kind === 'exit') this.#exits.add(breakpoint);
    if (breakpoint.kind === 'execute') {
      const there = this.#at.get(breakpoint.gva);
      if (there) there.push(breakpoint);
      else this.#at.set(breakpoint.gva, [breakpoint]);
    }
    this.#stale = true;
    return breakpoint;
  }

  remove(id: number): boolean {
    const breakpoint = this.#all.get(id);
    if (!breakpoint) return false;
    this.#all.delete(id);
    this.#counts[breakpoint.kind]--;
    this.#exits.delete(breakpoint);
    if (breakpoint.kind === 'execute') {
      const rest = this.#at.get(breakpoint.gva)?.filter((other) => other !== breakpoint) ?? [];
      if (rest.length > 0) this.#at.set(breakpoint.gva, rest);
      else this.#at.delete(breakpoint.gva);
    }
    this.#stale = true;
    return true;
  }

  enable(id: number, enabled: boolean): boolean {
    const breakpoint = this.#all.get(id);
    if (!breakpoint) return false;
    breakpoint.enabled = enabled;
    this.#stale = true;
    return true;
  }

  /** @throws Error where a breakpoint of its kind cannot have that */
  change(id: number, { ignore, commands, condition, exits }: BreakpointChange): boolean {
    const breakpoint = this.#all.get(id);
    if (!breakpoint) return false;
    if (breakpoint.kind === 'exit') {
      if (condition !== undefined) throw new Error('an exit breakpoint has conditions on exits');
      exits?.test?.expressions.forEach(checkAgentExpression);
      if (exits !== undefined) breakpoint.condition = exits;
    } else {
      if (exits !== undefined) throw new Error('only an exit breakpoint has conditions on exits');
      condition?.expressions.forEach(checkAgentExpression);
      if (condition === null) delete breakpoint.condition;
      else if (condition !== undefined) breakpoint.condition = condition;
    }
    if (ignore !== undefined) breakpoint.ignore = ignore;
    if (commands === null) delete breakpoint.commands;
    else if (commands !== undefined) breakpoint.commands = commands;
    return true;
  }

  /** Counts a hit of one whose condition holds, and answers whether it acts or stops now. */
  hit(breakpoint: Breakpoint): boolean {
    breakpoint.hits++;
    if (!breakpoint.ignore || this.again()) return true;
    breakpoint.ignore--;
    return false;
  }

  /** What the stop at a breakpoint tells of it; one that is temporary goes. */
  stopped(id: number): StoppedBy {
    const breakpoint = this.#all.get(id);
    if (breakpoint === undefined) return {};
    const { commands, temporary } = breakpoint;
    if (temporary) this.remove(id);
    return { ...(commands ? { commands } : {}), ...(temporary ? { temporary } : {}) };
  }

  addTemporary(gva: bigint): void {
    this.#temporary.add(gva);
    this.#stale = true;
  }

  clearTemporary(): void {
    if (this.#temporary.size === 0) return;
    this.#temporary.clear();
    this.#stale = true;
  }

  /**
   * The first enabled breakpoint at this address that `holds` and is to stop; all that hold are counted as hit.
   * @param holds whether its condition lets it stop
   * @param act carries out the action of one that does not stop
   */
  hitAt(
    gva: bigint,
    holds: (condition: Condition) => boolean,
    act: (action: BreakpointAction) => void,
  ): ExecuteBreakpoint | undefined {
    let first: ExecuteBreakpoint | undefined;
    for (const item of this.#at.get(gva) ?? []) {
      if (!item.enabled || (item.condition !== undefined && !holds(item.condition))) continue;
      if (!this.hit(item)) continue;
      if (item.action) act(item.action);
      else first ??= item;
    }
    return first;
  }

  /** Those that there were before go. */
  setPlaces(places: ReadonlySet<bigint>): void {
    this.#places = places;
    this.#stale = true;
  }

  isTemporary(gva: bigint): boolean {
    return this.#temporary.has(gva);
  }

  hasExitBreakpoints(): boolean {
    for (const { enabled } of this.#exits) if (enabled) return true;
    return false;
  }

  /**
   * The first enabled exit breakpoint that this exit meets and that is to stop; all that it meets are counted as hit.
   * @param holds and `act` as for hitAt
   */
  hitExit(
    record: ExitRecord,
    holds: (condition: Condition) => boolean,
    act: (action: BreakpointAction) => void,
  ): Breakpoint | undefined {
    let first: Breakpoint | undefined;
    for (const item of this.#exits) {
      if (!item.enabled || item.kind !== 'exit' || !exitMatches(record, item.condition, holds)) continue;
      if (item.when !== undefined && !holds(item.when)) continue;
      if (!this.hit(item)) continue;
      if (item.action) act(item.action);
      else first ??= item;
    }
    return first;
  }

  #check(spec: BreakpointSpec): void {
    if (spec.kind === 'execute') {
      spec.condition?.expressions.forEach(checkAgentExpression);
      spec.action?.expressions.forEach(programOf);
    }
    if (spec.kind === 'exit') {
      spec.condition.test?.expressions.forEach(checkAgentExpression);
      spec.when?.expressions.forEach(checkAgentExpression);
      spec.action?.expressions.forEach(programOf);
    }
    if (spec.kind === 'watch') spec.condition?.expressions.forEach(checkAgentExpression);
    if (spec.kind === 'watch' && spec.length < 1) throw new Error('a watchpoint needs at least 1 byte');
    this.sink.check(spec, this.#counts[spec.kind], () => this.list());
  }

  /** Makes these the ones in effect, before the guest runs: thousands come one by one. */
  flush(): void {
    if (!this.#stale) return;
    this.#stale = false;
    const execute = new Set([...this.#temporary, ...this.#places]);
    const watches: Watch[] = [];
    for (const item of this.#all.values()) {
      if (!item.enabled) continue;
      if (item.kind === 'execute') execute.add(item.gva);
      if (item.kind === 'watch') watches.push(item);
    }
    this.sink.write(execute, watches);
  }
}
