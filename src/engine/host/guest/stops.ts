import { TRACE_SEQUENCE } from '../../core/layout.js';
import { counted } from '../../counted.js';
import { BreakpointActions } from '../../debug/breakpoint-actions.js';
import { BreakpointTable } from '../../debug/breakpoint-table.js';
import { conditionHolds } from '../../debug/condition.js';
import { deviceWatch } from '../../debug/device-watch.js';
import { SyscallCatch } from '../../debug/syscall-catch.js';
import { TraceFrames } from '../../debug/trace-frames.js';
import { exitMatches, readRecord } from '../../debug/trace-reader.js';
import type * as D from '../../debugger.js';
import type { GuestEnd } from '../../devices/device.js';
import type { WatchedRange } from '../../history/passes.js';
import type { BreakpointSink } from '../../machine-view.js';
import type { DeviceHit } from '../../memory/device-view.js';
import { END_OF_TIME } from '../../time/deadlines.js';
import type { SliceEnd, VirtualCpu } from '../../vmm/hypervisor.js';
import type { Machine } from '../../vmm/machine.js';
import type { GuestOptions } from './options.js';

const DAY_NS = 86_400e9;

/** Where a run that a debugger let go ends by itself. */
export interface Until {
  icount?: number;
  exit?: D.ExitCondition;
  kernel?: boolean;
}

/** What the stops need to know of the history. */
export interface InHistory {
  readonly inPast: boolean;
  /** Memory that is watched begins or ceases to be. */
  watchesChanged(): void;
}

/** What stops the guest: breakpoints of every kind, caught system calls, the end of `runUntil`, a script's limits. */
export class Stops {
  readonly breakpoints: BreakpointTable;
  readonly frames = new TraceFrames();
  readonly #actions: BreakpointActions;
  #syscalls: SyscallCatch | undefined;
  #until: Until | undefined;
  /** Memory is watched. */
  #watched = false;
  /** Nothing stops the guest: it is on its way to a place in the history. */
  #passing = false;
  /** Why the vCPU that the engine asked about stops at its breakpoint. */
  #atBreakpoint: D.StopReason | undefined;
  /** The breakpoint on an exit that the engine asked about. */
  #atExit: number | undefined;

  constructor(
    private readonly machine: Machine,
    private readonly options: GuestOptions,
    private readonly history: InHistory,
    print: (text: string) => void,
  ) {
    const { view, vm } = machine;
    const { breakpoints } = view;
    const sink: BreakpointSink = {
      check: (spec, count, others) => breakpoints.check(spec, count, others),
      write: (execute, watches) => {
        breakpoints.write(execute, watches);
        if (watches.length > 0 || this.#watched) history.watchesChanged();
        this.#watched = watches.length > 0;
        machine.pc.dma.watches = watches.map((watch) => deviceWatch(view, watch));
      },
    };
    this.breakpoints = new BreakpointTable(sink, () => history.inPast);
    this.#actions = new BreakpointActions(view, this.frames, print, () => vm.icount);
    vm.breakpointFilter = (vcpu) => {
      if (this.#passing) return false;
      this.#atBreakpoint = this.#stopAtBreakpoint(vcpu);
      return this.#atBreakpoint !== undefined;
    };
  }

  // ---- what is asked for ----

  get until(): Until | undefined {
    return this.#until;
  }

  set until(until: Until | undefined) {
    this.#until = until;
  }

  /** Stops come, or nothing stops the guest for a while. */
  arm(on: boolean): void {
    this.#passing = !on;
    this.armExits();
  }

  /** The engine asks at each exit where somebody wants to know. */
  armExits(): void {
    const asked = this.breakpoints.hasExitBreakpoints() || this.#until?.exit !== undefined;
    const limited = this.options.untilExits !== undefined && !this.history.inPast;
    const wanted = !this.#passing && (asked || limited);
    this.machine.vm.exitFilter = wanted ? (vcpu) => this.#wantsExit(vcpu) : undefined;
  }

  /** Changes of the table of breakpoints. */
  change<T>(change: (table: BreakpointTable) => T): T {
    this.machine.vm.synchronize();
    const result = change(this.breakpoints);
    this.armExits();
    return result;
  }

  catchSyscalls(wanted: { numbers?: number[] } | undefined): void {
    const numbers = wanted?.numbers && new Set(wanted.numbers);
    this.#syscalls = wanted && new SyscallCatch(this.machine.view, numbers);
    this.breakpoints.setPlaces(new Set());
  }

  get catchesSyscalls(): boolean {
    return this.#syscalls !== undefined;
  }

  /** Before a slice: breakpoints are where the table has them, and where the guest's handlers of system calls are now. */
  place(): void {
    const places = this.#syscalls?.places();
    if (places) this.breakpoints.setPlaces(places);
    this.breakpoints.flush();
  }

  /** The guest stands. */
  clear(): void {
    this.#until = undefined;
    this.breakpoints.clearTemporary();
  }

  // ---- what is met ----

  /** What a slice's end has come to that stops the guest, of what a debugger asked for. */
  metBy(vcpu: VirtualCpu, end: SliceEnd): D.StopReason | undefined {
    switch (end.kind) {
      case 'breakpoint': {
        const stop = this.#atBreakpoint ?? this.#stopAtBreakpoint(vcpu);
        this.#atBreakpoint = undefined;
        // without one the vCPU goes on from there
        return stop;
      }
      case 'watchpoint':
        return this.#watchStop(vcpu);
      case 'exit': {
        const exit = this.#newestExit();
        const id = this.#atExit;
        const asked = id !== undefined || this.#isUntil(vcpu, exit);
        return asked ? { kind: 'exit', exit, ...(id === undefined ? {} : { id }) } : undefined;
      }
      case 'entry-failed':
        return this.machine.view.entryFailures?.(vcpu.index) ?? { kind: 'paused' };
      default:
        return undefined;
    }
  }

  /** A sector that somebody waits for: set where its disk is asked for it. */
  sector: { read: boolean } | undefined;

  /** A device has done what `deviceStop` tells. */
  get deviceHit(): boolean {
    return this.machine.pc.dma.hit !== undefined || this.sector?.read === true;
  }

  /** A device's access to what is watched, since it was asked last. */
  deviceStop(): D.StopReason | undefined {
    if (this.sector?.read) {
      this.sector.read = false;
      return { kind: 'until' };
    }
    const { dma } = this.machine.pc;
    const { hit } = dma;
    dma.hit = undefined;
    // whose registers a condition names is not known: those of the first
    return hit && this.#watchHolds(0, hit.id) ? { kind: 'watchpoint', ...(hit as DeviceHit), by: 'device' } : undefined;
  }

  /** The ranges whose writes are all that stops the guest; undefined: something else does too. */
  onlyWrites(): readonly WatchedRange[] | undefined {
    if (this.#syscalls || this.#until) return undefined;
    const ranges: WatchedRange[] = [];
    for (const breakpoint of this.breakpoints.list()) {
      if (!breakpoint.enabled) continue;
      if (breakpoint.kind !== 'watch' || breakpoint.access !== 'write') return undefined;
      const { space, address, length } = breakpoint;
      ranges.push({ space, address, bytes: length });
    }
    return ranges;
  }

  /** A stop with what its breakpoint adds; that goes where it is temporary. */
  withBreakpoint(stop: D.StopReason): D.StopReason {
    const id = 'id' in stop ? stop.id : undefined;
    return id === undefined ? stop : { ...stop, ...this.breakpoints.stopped(id) };
  }

  /** How the guest ended. */
  ended(): D.StopReason {
    const { vm, view, work } = this.machine;
    const end = vm.end as GuestEnd;
    if (end.kind !== 'triple-fault') return { kind: 'ended', end };
    // the engine counts from the guest's last reset
    const before = BigInt(work.icount - vm.icount);
    const faults = view
      .faultChain()
      .map(({ icount, ...fault }) => ({ ...fault, ...(icount === undefined ? {} : { icount: before + icount }) }));
    return { kind: 'ended', end, faults };
  }

  /** A limit over all that the guest has done, its resets included, that is reached. */
  limit(): D.StopReason | undefined {
    const { maxInstructions } = this.options;
    const { work, vm } = this.machine;
    if (this.#exitLimitReached) return { kind: 'limit', message: counted(work.exits, 'VM exit') };
    if (maxInstructions !== undefined && work.icount >= maxInstructions)
      return { kind: 'limit', message: counted(work.icount, 'instruction') };
    if (vm.now() < END_OF_TIME) return undefined;
    return { kind: 'limit', message: `${Math.floor(END_OF_TIME / DAY_NS)} days of virtual time` };
  }

  /** Instructions that the guest may run before it has to be looked at. */
  get instructionsLeft(): number {
    const { work, vm } = this.machine;
    const until = this.#until?.icount ?? Number.POSITIVE_INFINITY;
    const max = this.options.maxInstructions ?? Number.POSITIVE_INFINITY;
    return Math.min(until - vm.icount, max - work.icount);
  }

  #wantsExit(vcpu: VirtualCpu): boolean {
    const record = this.#newestExit();
    this.#atExit = this.breakpoints.hitExit(
      record,
      // one that cannot be evaluated acts, as at other breakpoints
      (condition) => conditionHolds(this.machine.view, vcpu.index, condition, () => {}, record),
      (action) => this.#actions.run(vcpu.index, record.csBase + record.rip, action, record),
    )?.id;
    if (this.#atExit !== undefined) return true;
    return this.#exitLimitReached || this.#isUntil(vcpu, record);
  }

  /** The run is to end at this exit. */
  #isUntil(vcpu: VirtualCpu, record: D.ExitRecord): boolean {
    const wanted = this.#until?.exit;
    const holds = (test: D.Condition) => conditionHolds(this.machine.view, vcpu.index, test, () => {}, record);
    return wanted !== undefined && exitMatches(record, wanted, holds);
  }

  get #exitLimitReached(): boolean {
    const { untilExits } = this.options;
    return untilExits !== undefined && !this.history.inPast && this.machine.work.exits >= untilExits;
  }

  #newestExit(): D.ExitRecord {
    const { host } = this.machine.vm;
    return readRecord(host, host.getNumber(TRACE_SEQUENCE));
  }

  /** Why a vCPU at a breakpoint is to stop there; undefined when no condition holds. */
  #stopAtBreakpoint(vcpu: VirtualCpu): D.StopReason | undefined {
    const { view } = this.machine;
    const gva = view.linearRip(vcpu.index);
    let failure: string | undefined;
    const hit = this.breakpoints.hitAt(
      gva,
      (condition) =>
        conditionHolds(view, vcpu.index, condition, (why) => {
          failure ??= why;
        }),
      (action) => this.#actions.run(vcpu.index, gva, action),
    );
    const call = this.#syscalls?.at(gva, vcpu.index);
    if (hit === undefined && call !== undefined) return call;
    if (hit) return { kind: 'breakpoint', id: hit.id, gva, ...(failure === undefined ? {} : { failure }) };
    return this.breakpoints.isTemporary(gva) ? { kind: 'until' } : undefined;
  }

  #watchStop(vcpu: VirtualCpu): D.StopReason | undefined {
    const hit = this.machine.view.takeWatchHit(vcpu.index);
    return this.#watchHolds(vcpu.index, hit.id) ? { kind: 'watchpoint', ...hit } : undefined;
  }

  /** Whether an access to what is watched is to stop the guest; it is counted. */
  #watchHolds(vcpu: number, id: number): boolean {
    const watch = this.breakpoints.get(id);
    if (watch?.kind !== 'watch') return false;
    const { condition } = watch;
    if (condition !== undefined && !conditionHolds(this.machine.view, vcpu, condition, () => {})) return false;
    return this.breakpoints.hit(watch);
  }
}
