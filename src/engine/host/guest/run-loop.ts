import type * as D from '../../debugger.js';
import type { GuestEnd } from '../../devices/device.js';
import { Divergence } from '../../history/history.js';
import { StateError } from '../../state/schema.js';
import type { SliceEnd, VirtualCpu } from '../../vmm/hypervisor.js';
import { isReaderGone, READER_GONE } from '../file-cause.js';
import type { HistoryHooks } from '../guest-history.js';
import { EachVcpu } from './each-vcpu.js';
import { Idle, type Step } from './idle.js';
import { Pacing } from './pacing.js';
import type { GuestParts } from './parts.js';
import { runState } from './run-state.js';
import { Schedule } from './schedule.js';

/** While a kernel is waited for: it is to be caught before it has done much. */
const KERNEL_TURN = 1000;
const TURN_MS = 8;
/** A turn while system calls are caught: where the guest's handlers are may change in it. */
const SYSCALL_SLICE = 20_000;

/** What stops one vCPU where they stop each by itself; all else is the whole guest's. */
const STOPS_ONE: ReadonlySet<D.StopReason['kind']> = new Set(['breakpoint', 'watchpoint', 'step', 'exit', 'syscall']);

/** Lets the guest run, in turns of the event loop, until something stops it. */
export class RunLoop {
  readonly each: EachVcpu;
  readonly #pacing: Pacing;
  readonly #idle: Idle;
  readonly #schedule: Schedule;
  /** A step under way. */
  #step: Step | undefined;
  /** The search for a kernel that the run waits for. */
  #awaited: Promise<boolean> | undefined;

  constructor(private readonly parts: GuestParts) {
    const { machine, options, turns, status } = parts;
    this.#pacing = new Pacing(machine, options);
    this.#idle = new Idle(machine, turns, this.#pacing, options);
    this.#schedule = new Schedule(
      () => status.running && this.#awaited === undefined,
      () => this.#turn(),
    );
    this.each = new EachVcpu(machine, status, {
      start: () => this.start(),
      wake: () => this.wake(),
      haltAll: (vcpu, stop) => this.haltAll(vcpu, stop),
      flushSerial: () => parts.output.flushSerial(),
    });
    parts.kept.begin(this.#historyHooks());
  }

  /** The guest runs, from the next turn of the event loop on. */
  start(): void {
    const { status, stops } = this.parts;
    status.runs();
    this.#pacing.restart();
    stops.armExits();
    status.emit({ type: 'running' });
    this.#schedule.soon();
  }

  /** Input arrived: a sleeping guest looks at it now. */
  wake(): void {
    this.#schedule.wake();
  }

  /** The guest runs with all its vCPUs. */
  startAll(): void {
    this.parts.turns.release();
    this.each.release();
    this.start();
  }

  /** The first turn of a step is taken at once: most end in it. @param awaits whether something can come that ends it */
  startStep(step: Step, awaits: boolean): void {
    const { status, stops } = this.parts;
    this.#step = step;
    status.runs();
    this.#pacing.restart();
    stops.armExits();
    if (!awaits) this.halt(step.vcpu.index, { kind: 'step' });
    this.#turn();
    if (status.running) status.emit({ type: 'running' });
  }

  // ---- turns ----

  /** One turn of the event loop: slices for some milliseconds, then output and whatever else waits. */
  #turn(): void {
    const { machine, options, status, output, stops, kept } = this.parts;
    if (!status.running || (output.held && !this.#step) || kept.past?.travelling) return;
    const { dma } = machine.pc;
    dma.live = true;
    options.activity?.turns(true);
    try {
      if (kept.past?.inPast) {
        stops.breakpoints.flush();
        kept.past.turn();
      } else this.#slices();
      if (status.running) kept.afterTurn();
    } catch (error) {
      machine.vm.finish(this.#errorEnd(error as Error));
      machine.lastError = error as Error;
      this.halt(status.vcpu, stops.ended());
    } finally {
      dma.live = false;
    }
    options.activity?.turns(false);
    output.flush();
    if (status.running && !this.#schedule.sleeping) this.#schedule.soon();
  }

  #slices(): void {
    const { machine, status, stops, turns, kept, pace } = this.parts;
    const { vm, work } = machine;
    const start = performance.now();
    pace.look(start, work.clockNs);
    do {
      if (stops.deviceHit) {
        // where a vCPU stops at the same moment that is told, and this is dropped
        const stop = stops.deviceStop();
        if (stop) this.halt(status.vcpu, stop);
        return;
      }
      if (vm.end?.kind === 'resumed') machine.resume();
      stops.place();
      kept.notes?.control();
      const began = performance.now();
      const turn = turns.take(this.#sliceLength());
      this.#pacing.took(performance.now() - began);
      if (turn === undefined) {
        this.#checkWork(vm.vcpus[0]);
        if (!status.running || this.#whenIdle(vm.board.nextDeadline()) === 'wait') return;
        continue;
      }
      const { vcpu, end } = turn;
      if (end.kind === 'idle') continue;
      if (this.#step?.vcpu === vcpu) this.#step.idle = undefined;
      if (end.kind !== 'limit') this.#afterSlice(vcpu, end);
      else this.#checkLimits(vcpu);
      if (!status.running || this.#step) continue;
      const ms = this.#pacing.follow(this.#awaited === undefined);
      if (ms !== undefined) {
        this.#sleep(ms);
        return;
      }
    } while (status.running && !this.#awaited && performance.now() - start < TURN_MS);
  }

  #sliceLength(): number {
    const { stops } = this.parts;
    const own = this.#pacing.slice;
    const one = stops.catchesSyscalls ? Math.min(SYSCALL_SLICE, own) : own;
    const turn = stops.until?.kernel ? KERNEL_TURN : one;
    return Math.max(0, Math.min(turn, stops.instructionsLeft));
  }

  #whenIdle(deadline: number | undefined): 'go on' | 'wait' {
    const { machine, status, stops } = this.parts;
    const end = this.#idle.pass(this.#step, stops.until, deadline);
    switch (end.kind) {
      case 'go on':
        return 'go on';
      case 'sleep':
        this.#sleep(end.ms, end.after);
        return 'wait';
      case 'dead':
        machine.vm.finish(machine.haltedForever());
        this.halt(status.vcpu, stops.ended());
        return 'wait';
      case 'stranded':
        this.halt(status.vcpu, { kind: 'paused', note: machine.haltedForever().message });
        return 'wait';
      case 'stop':
        this.halt(end.vcpu, end.stop);
        return 'wait';
    }
  }

  #sleep(ms: number, then?: () => void): void {
    const { status } = this.parts;
    this.#schedule.sleep(ms, () => status.running, then);
  }

  /** An error is the program's own, but where a recording is not of a run of this machine. */
  #errorEnd(error: Error): GuestEnd {
    const { message, cause } = error;
    if (isReaderGone(cause)) return { kind: 'error', status: READER_GONE, message };
    if (this.parts.kept.isRecorded && (error instanceof Divergence || error instanceof StateError))
      return { kind: 'error', status: 1, message: `the recording does not fit: ${message}` };
    return { kind: 'error', status: 3, message: `engine: ${message}` };
  }

  // ---- after a slice ----

  #checkLimits(vcpu: VirtualCpu): void {
    const { machine, stops, kernel } = this.parts;
    const { until } = stops;
    if (until?.icount !== undefined && machine.vm.icount >= until.icount) this.halt(vcpu.index, { kind: 'until' });
    else if (until?.kernel && kernel.mayStandIn(vcpu)) this.#haltIfKernel(vcpu);
    else this.#checkWork(vcpu);
  }

  #checkWork(vcpu: VirtualCpu): void {
    const limit = this.parts.stops.limit();
    if (limit) this.halt(vcpu.index, limit);
  }

  /** Looks for a kernel while the guest stands still; ends the run there, or lets it go on. */
  #haltIfKernel(vcpu: VirtualCpu): void {
    const search = this.parts.kernel.find();
    this.#awaited = search;
    void search.then((found) => {
      // a pause has given the search up
      if (this.#awaited !== search) return;
      this.#awaited = undefined;
      if (found) this.halt(vcpu.index, { kind: 'until' });
      else this.#schedule.soon();
    });
  }

  #afterSlice(vcpu: VirtualCpu, end: SliceEnd): void {
    const { machine, stops } = this.parts;
    const met = stops.metBy(vcpu, end);
    if (met) this.halt(vcpu.index, met);
    else if (end.kind === 'exit') this.#checkWork(vcpu);
    if (end.kind === 'step') {
      const within = this.each.on ? this.each.within(vcpu) : this.#step?.within;
      if (within !== undefined && this.isWithin(vcpu, within)) machine.vm.armStep(vcpu, 1);
      else this.halt(vcpu.index, { kind: 'step' });
    }
    if (end.kind !== 'ended') return;
    if (machine.outlives()) this.#checkWork(vcpu);
    else this.halt(vcpu.index, stops.ended());
    // a step ends where the guest's reset has led
    if (this.#step) this.halt(this.#step.vcpu.index, { kind: 'step' });
  }

  isWithin(vcpu: VirtualCpu, { start, end }: { start: bigint; end: bigint }): boolean {
    const linear = this.parts.machine.view.linearRip(vcpu.index);
    return linear >= start && linear < end;
  }

  // ---- stopping ----

  /** A vCPU has met what stops it: that is all, or the vCPU alone. */
  halt(vcpu: number, stop: D.StopReason): void {
    if (this.each.on && STOPS_ONE.has(stop.kind)) this.each.stand(vcpu, this.parts.stops.withBreakpoint(stop));
    else this.haltAll(vcpu, stop);
  }

  haltAll(vcpu: number, reason: D.StopReason): void {
    const { machine, status, turns, stops, output, kept, kernel } = this.parts;
    const stop = stops.withBreakpoint(reason);
    const { vm } = machine;
    kept.past?.stopped();
    vm.synchronize();
    vm.tell(vcpu);
    if (this.#step) vm.disarmStep(this.#step.vcpu);
    this.#step = undefined;
    this.parts.pace.look(performance.now(), machine.work.clockNs);
    this.parts.pace.stop();
    this.each.allStand();
    turns.stop();
    this.#awaited = undefined;
    stops.clear();
    this.#schedule.cancel();
    status.stood(vcpu, stop);
    kept.past?.stood(stop.kind);
    output.flush();
    const state = runState(this.parts);
    machine.tellUnserved();
    const { icount, position } = state;
    status.emit({ type: 'stopped', vcpu, stop, icount, ...(position ? { position } : {}) });
    kernel.lookAfterStop();
    status.tellWaiters(state);
  }

  #historyHooks(): HistoryHooks {
    const { machine, status, stops } = this.parts;
    return {
      start: () => {
        status.runs();
        stops.breakpoints.flush();
        status.emit({ type: 'running' });
      },
      halt: (vcpu, stop) => this.haltAll(vcpu, stop),
      stopVcpu: () => status.vcpu,
      judge: (vcpu, end) => stops.metBy(vcpu, end),
      ended: () => machine.vm.end && stops.ended(),
      deviceStop: () => stops.deviceStop(),
      onlyWrites: () => stops.onlyWrites(),
      arm: (on) => {
        machine.pc.dma.live = on;
        stops.arm(on);
      },
      emit: (event) => status.emit(event),
    };
  }
}
