/**
 * The history of a run: what is needed to put the machine to any of its instants since the oldest snapshot. At the live
 * end the run goes on and is recorded; in the past it is repeated from the nearest snapshot before, with the inputs that
 * the journal has.
 */

import type { GuestEnd } from '../devices/device.js';
import type { RewindableStore } from '../disk/rewindable-store.js';
import type { Stateful } from '../state/saved.js';
import { compareInstants, type Instant, isBehind, PHASE } from '../time/instant.js';
import type { HostInput } from '../time/journal.js';
import type { SliceEnd, VirtualCpu } from '../vmm/hypervisor.js';
import type { Machine } from '../vmm/machine.js';
import { partsInPlace } from '../vmm/machine-state.js';
import type { Vm } from '../vmm/vm.js';
import { type Line, Lines } from './lines.js';
import { runInstant } from './run-instant.js';
import { endOf } from './snapshot.js';
import { Timeline } from './timeline.js';

/** Who decides whose turn it is. */
export interface TurnTaker extends Stateful {
  readonly begun: number;
  /** A debugger holds or steps some. */
  readonly partial: boolean;
  /** A debugger steps one. */
  readonly stepping: boolean;
  stop(): void;
  /** @param most instructions that a vCPU may run. Undefined: all who may run are halted. */
  take(most: (vcpu: VirtualCpu) => number): { vcpu: VirtualCpu; end: SliceEnd } | undefined;
}

/** Where a repetition is to end. */
export type Goal =
  /** The very instant. */
  | { kind: 'instant'; instant: Instant }
  /** The first instant with so many instructions. */
  | { kind: 'icount'; icount: bigint }
  /** The first instant at which one vCPU has retired so many since its last reset. */
  | { kind: 'vcpu'; vcpu: VirtualCpu; icount: number }
  /** The exit of that number, from 1, before it is handled. */
  | { kind: 'exit'; exits: number }
  /** The live end. */
  | { kind: 'end' };

export type Place = Exclude<Goal, { kind: 'vcpu' }>;

/** Whether an instant is one from which a repetition comes to a goal. */
function isBefore(goal: Exclude<Place, { kind: 'end' }>): (instant: Instant) => boolean {
  switch (goal.kind) {
    case 'instant':
      return (instant) => compareInstants(instant, goal.instant) <= 0;
    case 'icount':
      return ({ icount }) => icount < goal.icount;
    case 'exit':
      return ({ exits }) => exits < goal.exits;
  }
}

type Bound = Instant & { exact: boolean };

export type Progress =
  | { kind: 'reached' }
  | { kind: 'going' }
  /** Something that a debugger waits for; the machine stands there. */
  | { kind: 'met'; vcpu: VirtualCpu; end: SliceEnd }
  /** The live end is reached; the machine is there again, as it was left. */
  | { kind: 'end' };

/** The run did not repeat itself: a fault of the program. */
export class Divergence extends Error {
  override readonly name = 'Divergence';
}

/** Before everything else at its instruction count. */
const START: Omit<Instant, 'icount'> = { exits: 0, at: 0, turn: 0, phase: PHASE.exited };

/** A vCPU that is put back to where it had been entered stands before that again. */
const asHandled = (instant: Instant): Instant =>
  instant.phase === PHASE.entered ? { ...instant, phase: PHASE.handled } : instant;

const stripped = ({ icount, exits, at, turn, phase }: Instant): Instant => ({ icount, exits, at, turn, phase });

/** A run that was made elsewhere: all its inputs are known, and where it ends. */
export interface RecordedRun {
  readonly last: Instant;
  /** How the guest ended there, if it did. */
  readonly end?: GuestEnd | undefined;
}

/** Frames that a repetition may have written before it changes over to the next snapshot. */
const MANY_FRAMES = 16384;
const LONGEST_STEP = 1_000_000;
/** Of the history's memory, what the inputs of one branch may take. */
const BRANCH_INPUTS_SHARE = 1 / 16;

export class History {
  readonly timeline: Timeline;
  readonly lines: Lines;
  /** Instructions at the last snapshot of the live run. */
  #snapshotAt = 0;
  #live: boolean;
  /** How far a recorded run has been repeated. */
  #furthest: Instant;
  /** All of a recorded run has been: the last snapshot is its end. */
  #whole = false;
  /** Takes a snapshot of a recorded run where one is possible, or finds that it is not worth its time. */
  pace: (snapshot: () => void) => void = (snapshot) => snapshot();
  /** Told which branches are gone, and why. */
  onLost: (names: readonly string[], why: string) => void = () => {};

  /** @param recorded repeats a run that was made elsewhere, from its first instant, where the machine stands */
  constructor(
    readonly machine: Machine,
    private readonly vm: Vm,
    private readonly turns: TurnTaker,
    private readonly inputs: { forget(position: number): void },
    private readonly budgetBytes: number,
    disks: readonly RewindableStore[] = [],
    /** The trunk. */
    private readonly recordedTrunk?: RecordedRun,
  ) {
    const { journal } = machine.pc;
    const recorded = recordedTrunk;
    journal.stamp = () => this.now();
    journal.take('flush', () => vm.forgetTranslations());
    this.#live = recorded === undefined;
    if (!recorded) journal.note('flush', 0);
    vm.forgetTranslations();
    this.#furthest = this.now();
    machine.pc.repeats = !this.#live;
    machine.pc.isNews = () => this.unseen;
    this.timeline = new Timeline(vm, () => partsInPlace(machine, [turns]), disks, this.now(), this.#live);
    this.lines = new Lines(this.timeline, journal, budgetBytes * BRANCH_INPUTS_SHARE);
    this.#snapshotAt = machine.work.icount;
  }

  close(): void {
    this.timeline.close();
  }

  /** The machine stands where the run has come to, not in its past. */
  get live(): boolean {
    return this.#live;
  }

  /** The guest has ended where the machine stands. */
  get atGuestEnd(): boolean {
    return this.vm.end !== undefined;
  }

  now(): Instant {
    return runInstant(this.machine, this.vm, this.turns.begun);
  }

  /** Of `now`, what people are told. */
  get counts(): Pick<Instant, 'icount' | 'exits'> {
    const { work } = this.machine;
    return { icount: BigInt(work.icount), exits: work.exits };
  }

  /** The run that is repeated was made elsewhere, and the machine is in it. */
  get recorded(): RecordedRun | undefined {
    return this.lines === undefined || this.lines.onTrunk ? this.recordedTrunk : undefined;
  }

  /** At the end of a run that is no longer what was there first. */
  get onBranch(): boolean {
    return !this.lines.onTrunk;
  }

  /** What the machine does here it does for the first time, though not for the world: its output is news. */
  get unseen(): boolean {
    if (this.onBranch) return this.#live;
    return this.recorded !== undefined && compareInstants(this.now(), this.#furthest) > 0;
  }

  /** The machine stands at the end of a recorded run, which is known whole. */
  get atRecordedEnd(): boolean {
    return this.recorded !== undefined && this.#whole && !isBehind(asHandled(this.last), this.now());
  }

  /** Between the last snapshot of a recorded run and the next one, which will be. */
  get #atFrontier(): boolean {
    return this.recorded !== undefined && !this.#whole && this.timeline.base === this.timeline.length - 1;
  }

  /** The oldest instant that can be had, and the live end. */
  get first(): Instant {
    return this.timeline.instant(0);
  }

  get last(): Instant {
    if (this.recorded && !this.#whole) return this.recorded.last;
    return this.#live ? this.now() : this.timeline.instant(this.timeline.length - 1);
  }

  /** Instructions since the last snapshot. */
  get sinceSnapshot(): number {
    return this.machine.work.icount - this.#snapshotAt;
  }

  /** Keeps this instant of the live run. No debugger's step is under way. */
  snapshot(): void {
    if (!this.#live) return;
    const { timeline, vm } = this;
    if (compareInstants(this.now(), timeline.instant(timeline.length - 1)) === 0 && timeline.openFrames === 0) return;
    this.machine.pc.journal.note('flush', 0);
    vm.forgetTranslations();
    if (!timeline.append(this.now())) this.#loseBranches('more was written to a disk than the history keeps');
    this.#snapshotAt = this.machine.work.icount;
    this.#thin();
    this.#forget();
  }

  #thin(): void {
    const { timeline, lines } = this;
    const lost: string[] = [];
    while (!timeline.thin(this.budgetBytes - lines.bytes)) {
      const name = lines.giveUp();
      if (name === undefined) break;
      lost.push(name);
    }
    if (lost.length > 0) this.onLost(lost, 'the memory of --history is full');
  }

  #loseBranches(why: string): void {
    const lost = this.lines.restart();
    if (lost.length > 0) this.onLost(lost, why);
  }

  /** Inputs of before the oldest snapshot help nobody; the other way round, a history reaches as far as its inputs. */
  #forget(): void {
    this.inputs.forget(this.timeline.inputs(0));
  }

  // ---- lines of the run ----

  /** A branch from here: the machine goes on in it live, and what has been stays as it was. @throws Error in one line */
  fork(wanted?: string): Line {
    const name = this.lines.name(wanted);
    this.turns.stop();
    // at the live end that becomes an instant to come back to
    if (this.#live) this.leave();
    const line = this.lines.fork(name, this.now());
    this.#snapshotAt = Number(this.timeline.instant(this.timeline.base).icount);
    this.#setLive(true);
    return line;
  }

  /** Puts the machine into a line, at or before where that leaves this one; in the past. */
  enter(line: Line): void {
    if (line === this.lines.active) return;
    this.leave();
    this.lines.enter(line);
  }

  /** The last instant of a line, and how the guest ended there if it did. */
  tip(line: Line): { instant: Instant; end: GuestEnd | undefined } {
    if (line === this.lines.active) {
      const end = this.#live ? this.vm.end : this.recorded && !this.#whole ? this.recorded.end : this.timeline.end;
      return { instant: this.last, end };
    }
    if (line === this.lines.trunk && this.recordedTrunk && !this.#whole)
      return { instant: this.recordedTrunk.last, end: this.recordedTrunk.end };
    const last = line.tail!.snapshots.at(-1) ?? line.tail!.anchor;
    return { instant: last.instant, end: endOf(last) };
  }

  /** The machine as at a snapshot. The live end becomes one first. */
  moveTo(index: number): void {
    this.leave();
    this.timeline.moveTo(index);
  }

  /** Leaves the live end, which stays the last snapshot. */
  leave(): void {
    if (!this.#live) return;
    this.turns.stop();
    this.snapshot();
    this.#setLive(false);
  }

  /** What a branch sends the world never hears: its network is silent, its disks are in memory. */
  #setLive(live: boolean): void {
    this.#live = live;
    if (live) this.timeline.goLive();
    this.machine.pc.repeats = !live || this.onBranch;
  }

  /** Back to the live end, as it was left; of a recorded run to what was repeated last. */
  rejoin(): void {
    if (this.#live) return;
    this.timeline.moveTo(this.timeline.length - 1);
    if (!this.recorded) this.#setLive(true);
  }

  /** The live run was put elsewhere: all that was before cannot be had any more. A recorded run begins there. */
  restart(): void {
    this.#loseBranches('another state is loaded');
    if (!this.recorded) this.#setLive(true);
    this.timeline.restart(() => {
      if (!this.recorded) this.machine.pc.journal.note('flush', 0);
      this.vm.forgetTranslations();
      return this.now();
    });
    this.#furthest = this.now();
    this.#snapshotAt = this.machine.work.icount;
    this.#forget();
  }

  /** The last snapshot before a goal. */
  startFor(goal: Place): number {
    if (goal.kind === 'end') return this.timeline.length - 1;
    return this.timeline.lastWhere(isBefore(goal));
  }

  /** Puts the machine to the nearest instant before a goal from which it can be repeated; leaves the live end. */
  approach(goal: Place): void {
    this.leave();
    const { timeline } = this;
    const start = this.startFor(goal);
    const here = this.now();
    let best = timeline.instant(start);
    const halt = goal.kind === 'end' ? undefined : timeline.haltWhere(isBefore(goal));
    if (halt && compareInstants(halt, best) >= 0) best = halt;
    const ahead = goal.kind === 'end' || (isBefore(goal)(here) && !this.isReached(goal, here));
    if (ahead && compareInstants(here, best) >= 0) return;
    if (best === halt) timeline.moveToHalt(halt);
    else timeline.moveTo(start);
  }

  /** Keeps this instant of a repetition, for who comes back to about here. */
  halt(): void {
    if (!this.#live && !this.turns.partial) this.timeline.halt(this.now());
  }

  /**
   * Repeats the run for a piece, towards a goal. Only in the past; what stops the guest is told, and whoever goes on from
   * there calls again.
   * @throws Divergence
   */
  repeat(goal: Goal): Progress {
    const progress = this.#repeat(goal);
    if (this.recorded) {
      const now = this.now();
      if (compareInstants(now, this.#furthest) > 0) this.#furthest = now;
    }
    return progress;
  }

  #repeat(goal: Goal): Progress {
    const { vm, machine } = this;
    const here = this.now();
    const input = machine.pc.journal.upcoming();
    const ends = compareInstants(here, this.last) >= 0;
    // what came at a recorded run's last instant is a part of it
    if (ends && !(input && this.#atFrontier)) return this.#end();
    if (!ends && this.isReached(goal, here)) return { kind: 'reached' };
    if (input && compareInstants(here, input) >= 0) {
      this.#deliver(input, here);
      return { kind: 'going' };
    }
    if (vm.end?.kind === 'resumed') machine.resume();
    const bound = this.#bound(goal, input);
    this.#aim(goal, bound, here);
    const vcpuGoal = goal.kind === 'vcpu' ? goal : undefined;
    const most = (room: number) => (vcpu: VirtualCpu) =>
      vcpuGoal?.vcpu === vcpu ? Math.max(0, Math.min(room, vcpuGoal.icount - vcpu.icount)) : room;
    const room = Math.min(LONGEST_STEP, Number(bound.icount - here.icount));
    let turn = this.turns.take(most(room));
    if (room === 0 && turn?.end.kind === 'limit' && compareInstants(this.now(), here) === 0) {
      turn = this.turns.take(most(1));
    }
    vm.exitGoal = undefined;
    if (turn === undefined) return this.#idle(bound);
    if (bound.exact && isBehind(this.now(), bound)) this.#diverged(bound);
    switch (turn.end.kind) {
      case 'limit':
      case 'idle':
        return { kind: 'going' };
      case 'ended':
        return machine.outlives() || this.#isAtInput() ? { kind: 'going' } : this.#ended(here, bound);
      default:
        return { kind: 'met', ...turn };
    }
  }

  #end(): Progress {
    if (this.#atFrontier) this.#completeRecorded();
    else this.rejoin();
    // the last instant was seen, and not yet what came there
    return this.#atFrontier ? { kind: 'going' } : { kind: 'end' };
  }

  /** A debugger may have reset a guest that had ended. */
  #isAtInput(): boolean {
    const input = this.machine.pc.journal.upcoming();
    return input !== undefined && compareInstants(this.now(), input) >= 0;
  }

  #ended(before: Instant, bound: Bound): Progress {
    if (!this.#atFrontier) return this.#end();
    if (compareInstants(before, this.now()) === 0) this.#diverged(bound);
    return { kind: 'going' };
  }

  /** The end of a recorded run is an instant to come back to, as others are. */
  #completeRecorded(): void {
    const { vm, recorded } = this;
    this.turns.stop();
    vm.forgetTranslations();
    if (recorded?.end) vm.finish(recorded.end);
    this.timeline.append(this.now());
    this.#whole = true;
  }

  /** A snapshot where the recorded run dropped its translations. */
  #snapshotRecorded(): void {
    if (this.turns.partial || compareInstants(this.now(), this.timeline.instant(this.timeline.base)) === 0) return;
    this.pace(() => {
      this.timeline.append(this.now());
      this.#thin();
    });
  }

  /** Whether the machine stands at a goal or behind it. */
  isReached(goal: Goal, here = this.now()): boolean {
    switch (goal.kind) {
      case 'icount':
        return here.icount >= goal.icount;
      case 'vcpu':
        return goal.vcpu.icount >= goal.icount;
      case 'exit':
        return here.exits >= goal.exits;
      case 'instant':
        return compareInstants(here, goal.instant) >= 0;
      case 'end':
        return false;
    }
  }

  #deliver(input: HostInput, here: Instant): void {
    if (isBehind(here, input)) this.#diverged(input);
    this.machine.pc.journal.deliver();
    if (input.kind !== 'flush') return;
    if (this.#atFrontier) {
      this.#snapshotRecorded();
      return;
    }
    const { timeline } = this;
    const next = timeline.withInputs(this.machine.pc.journal.position);
    if (next === undefined) return;
    // behind the last snapshot of a recorded run new ones are made
    const newIsNext = this.recorded !== undefined && !this.#whole && next === timeline.length - 1;
    if (newIsNext || timeline.openFrames >= MANY_FRAMES) timeline.moveTo(next);
  }

  /** The nearest instant that is known to come: the goal, the next input, or the live end. */
  #bound(goal: Goal, input: HostInput | undefined): Bound {
    let bound: Bound = { ...this.last, exact: true };
    if (input && compareInstants(input, bound) < 0) bound = { ...stripped(input), exact: true };
    if (goal.kind === 'instant' && compareInstants(goal.instant, bound) <= 0) return { ...goal.instant, exact: true };
    if (goal.kind === 'icount' && goal.icount <= bound.icount) return { ...START, icount: goal.icount, exact: false };
    return bound;
  }

  /** An instant among the exits of one instruction is told by their number; the nearest one ends the piece. */
  #aim(goal: Goal, bound: Bound, here: Instant): void {
    const before = here.exits - this.vm.exits;
    const wanted = goal.kind === 'exit' ? goal.exits : Number.POSITIVE_INFINITY;
    if (goal.kind === 'exit') this.vm.exitGoal = { exits: goal.exits - before, pending: true };
    if (!bound.exact || bound.exits > wanted) return;
    const exits = bound.exits - before;
    if (bound.phase === PHASE.exited) this.vm.exitGoal = { exits, pending: true };
    else if (bound.exits < wanted && bound.icount === here.icount && here.exits < bound.exits)
      this.vm.exitGoal = { exits, pending: false };
  }

  #idle(bound: Bound): Progress {
    const { vm, machine } = this;
    if (!this.turns.stepping && machine.showLastCharacter()) return { kind: 'going' };
    const deadline = vm.board.nextDeadline();
    const at = deadline === undefined ? Infinity : machine.work.clockNs + Math.max(0, deadline - vm.now());
    if (bound.exact && bound.icount === BigInt(machine.work.icount) && at > bound.at) this.#diverged(bound);
    if (deadline === undefined) this.#diverged(bound);
    vm.warpTo(deadline);
    return { kind: 'going' };
  }

  #diverged(expected: Instant): never {
    const text = ({ icount, exits, at, turn, phase }: Instant): string =>
      `instruction ${icount}, exit ${exits}, ${at} ns, turn ${turn}, phase ${phase}`;
    throw new Divergence(`the run did not repeat itself: expected ${text(expected)}; it is at ${text(this.now())}`);
  }
}
