/**
 * Going back in a guest that runs: its history beside the run control. In the past the guest's turns repeat what was
 * recorded; searches backwards run between turns of the event loop and end when the guest is paused.
 */
import type * as D from '../debugger.js';
import type { RewindableStore } from '../disk/rewindable-store.js';
import { type Goal, History, type Place, type RecordedRun } from '../history/history.js';
import { lastWrite, type Ordinal } from '../history/last-write.js';
import type { Line } from '../history/lines.js';
import { type Passes, passesOf, type WatchedRange } from '../history/passes.js';
import { Printed } from '../history/printed.js';
import { type Found, searchBack, travel } from '../history/travel.js';
import type { Watched } from '../history/watched.js';
import { compareInstants, type Instant } from '../time/instant.js';
import type { SliceEnd, VirtualCpu } from '../vmm/hypervisor.js';
import type { Machine } from '../vmm/machine.js';
import type { Vm } from '../vmm/vm.js';
import { backTo, branchesOf, branchOf, comparison, standingOf, toEnd } from './guest-branches.js';
import type { RunNotes } from './run-notes.js';
import { inSlices, inSlicesUnless, SLICE_MS } from './slices.js';
import type { Turns } from './turns.js';

/** A snapshot of the live run after so many instructions, and not before so much time has passed for what the last one cost. */
const SPACING_INSTRUCTIONS = 30_000_000;
const SPACING_COST = 20;

/** The same after so many bytes that devices have moved: more than that no interval keeps of a disk. */
const SPACING_MOVED_BYTES = 32 << 20;

export interface HistoryOptions {
  /** Told of inputs that nobody will want again. */
  inputs: { forget(position: number): void };
  budgetBytes: number;
  disks: readonly RewindableStore[];
  /** The guest repeats a run that was made elsewhere. */
  recorded?: RecordedRun;
}

/** What run control does for the history. */
export interface HistoryHooks {
  /** The guest counts as running until `halt`. */
  start(): void;
  halt(vcpu: number, stop: D.StopReason): void;
  stopVcpu(): number;
  /** What a slice's end stops the guest with; undefined: nothing. */
  judge(vcpu: VirtualCpu, end: SliceEnd): D.StopReason | undefined;
  /** How the guest ended, once it has. */
  ended(): D.StopReason | undefined;
  /** A device's access to what is watched, since it was asked last. */
  deviceStop(): D.StopReason | undefined;
  /** The ranges whose writes are all that a debugger waits for; undefined: it waits for other things too. */
  onlyWrites(): readonly WatchedRange[] | undefined;
  /** Breakpoints stop the guest, or not. */
  arm(on: boolean): void;
  emit(event: D.DebuggerEvent): void;
}

/** Whether it is time for translations to be dropped, and for a snapshot. @param moved bytes that devices have moved */
export function isSpaced(instructions: number, moved: number): boolean {
  return instructions >= SPACING_INSTRUCTIONS || moved >= SPACING_MOVED_BYTES;
}

interface Stop {
  vcpu: number;
  stop: D.StopReason;
}

export class GuestHistory {
  readonly history: History;
  #snapshotMs = 0;
  #movedAtSnapshot = 0;
  #lastSnapshot = 0;
  /** A way through the history is under way; `cancelled` by a pause. */
  #journey: { cancelled: boolean } | undefined;
  readonly #bookmarks = new Map<string, { instant: Instant; line: Line }>();
  /** Where the events arose that have ended the guest, on a line. */
  #faults: { line: Line; icounts: readonly bigint[] } | undefined;
  /** Where the last search for a write has led. */
  #lastWrite: { what: string; at: Instant; line: Line; ordinal: Ordinal } | undefined;
  readonly #printed = new Printed();
  /** Where the guest has stopped, the newest last. */
  readonly #stops: D.PastStop[] = [];
  #again: (() => boolean) | undefined;
  /** A VM entry has failed at some time, which stopped the guest. */
  #entryFailed = false;
  /** Where a run forward in the past ends. */
  #goal: { goal: Goal; stop: D.StopReason } | undefined;

  constructor(
    private readonly machine: Machine,
    private readonly vm: Vm,
    private readonly turns: Turns,
    private readonly notes: RunNotes,
    private readonly hooks: HistoryHooks,
    { inputs, budgetBytes, disks, recorded }: HistoryOptions,
  ) {
    this.history = new History(machine, vm, turns, inputs, budgetBytes, disks, recorded);
    this.history.pace = (snapshot) => this.#pace(snapshot);
    this.history.onLost = (names, why) =>
      hooks.emit({ type: 'message', text: `${names.join(', ')}: gone, since ${why}` });
  }

  get inPast(): boolean {
    return !this.history.live;
  }

  /** What it repeats was made elsewhere. */
  get isRecorded(): boolean {
    return this.history.recorded !== undefined;
  }

  /** The guest is on a branch, of which nobody outside is to know. */
  get onBranch(): boolean {
    return this.history.onBranch;
  }

  /** A search or a journey is under way: turns are its own. */
  get travelling(): boolean {
    return this.#journey !== undefined;
  }

  // ---- at the live end ----

  /** After a turn of the event loop that began at `start` (ms). */
  afterTurn(): void {
    const { history } = this;
    if (history.onBranch && history.timeline.full) {
      this.hooks.emit({ type: 'message', text: FULL });
      this.hooks.halt(this.hooks.stopVcpu(), { kind: 'limit', message: FULL });
      return;
    }
    if (this.turns.partial || !isSpaced(history.sinceSnapshot, this.vm.memory.moved - this.#movedAtSnapshot)) return;
    this.#pace(() => history.snapshot());
  }

  /** Snapshots take no more than their share of the time. */
  #pace(snapshot: () => void): void {
    const start = performance.now();
    if (start - this.#lastSnapshot < this.#snapshotMs * SPACING_COST) return;
    snapshot();
    this.#movedAtSnapshot = this.vm.memory.moved;
    this.#lastSnapshot = performance.now();
    this.#snapshotMs = this.#lastSnapshot - start;
  }

  /** The live run was put elsewhere from outside. */
  restart(): void {
    this.#printed.forget();
    this.#stops.length = 0;
    this.history.restart();
    this.notes.restart();
  }

  // ---- in the past ----

  /** Run forward from here stops at a goal, with that reason. */
  aim(goal: Goal, stop: D.StopReason): void {
    this.#goal = { goal, stop };
  }

  /** Run forward from here ends when a vCPU has run so many more instructions, and on while `again` holds. */
  aimStep(vcpu: VirtualCpu, count: number, again: (() => boolean) | undefined): void {
    const own = this.vm.vcpus[vcpu.index];
    this.aim({ kind: 'vcpu', vcpu: own, icount: own.icount + count }, { kind: 'step' });
    this.#again = again;
  }

  /** A turn of the event loop while the guest runs in the past. */
  turn(): void {
    const begin = performance.now();
    do {
      const stop = this.#piece();
      if (!stop) continue;
      this.#goal = undefined;
      this.#again = undefined;
      this.hooks.halt(stop.vcpu, stop.stop);
      return;
    } while (performance.now() - begin < SLICE_MS);
  }

  /** Repeats a piece of the run; what stops the guest in it. */
  #piece(): Stop | undefined {
    const { hooks } = this;
    const { goal, stop } = this.#goal ?? { goal: { kind: 'end' } as const, stop: undefined };
    const progress = this.history.repeat(goal);
    const device = hooks.deviceStop();
    if (device) return { vcpu: hooks.stopVcpu(), stop: device };
    switch (progress.kind) {
      case 'going':
        return undefined;
      case 'reached':
        if (goal.kind === 'vcpu' && this.#again?.()) {
          this.aimStep(goal.vcpu, 1, this.#again);
          return undefined;
        }
        return { vcpu: this.#vcpuOf(goal), stop: stop ?? { kind: 'until' } };
      case 'end':
        return stop && this.history.isReached(goal) ? { vcpu: this.#vcpuOf(goal), stop } : this.#atEnd();
      case 'met': {
        const met = hooks.judge(progress.vcpu, progress.end);
        return met && { vcpu: progress.vcpu.index, stop: met };
      }
    }
  }

  /** The live end is where the guest ended, or where it goes on. */
  #atEnd(): Stop {
    return { vcpu: this.hooks.stopVcpu(), stop: this.hooks.ended() ?? { kind: 'history', at: 'end' } };
  }

  #vcpuOf(goal: Goal): number {
    return goal.kind === 'vcpu' ? goal.vcpu.index : this.#current();
  }

  #current(): number {
    return this.vm.vcpus.find(({ active }) => active)?.index ?? 0;
  }

  /** The guest is paused. */
  stopped(): void {
    this.#goal = undefined;
    if (this.#journey) this.#journey.cancelled = true;
  }

  /** It stands. */
  stood(kind: D.StopReason['kind']): void {
    if (kind === 'entry-failed') this.#entryFailed = true;
    const line = this.history.lines.active.name;
    const { icount, exit } = positionOf(this.history.counts);
    this.#stops.push({ line, icount, exit, kind });
    // a debugger may step as fast as it can: places are told apart when somebody asks
    if (this.#stops.length >= 2 * KEPT_STOPS) this.#stops.splice(0, KEPT_STOPS);
  }

  // ---- what was ----

  /** The guest prints. */
  prints(bytes: Uint8Array): void {
    const { lines } = this.history;
    this.#printed.add(lines.active, this.machine.work.icount, bytes);
  }

  /** @throws Error when there is no such line */
  printed(line: string, icount: bigint, most: number): Uint8Array {
    return this.#printed.before(this.history.lines.get(line), icount, most);
  }

  stops(): D.PastStop[] {
    const { first, lines } = this.history;
    const names = new Set([lines.trunk, ...lines.branches].map(({ name }) => name));
    const newest = new Map<string, D.PastStop>();
    for (const stop of [...this.#stops].reverse()) {
      const place = `${stop.line} ${stop.icount} ${stop.exit}`;
      if (newest.size < MAX_STOPS && !newest.has(place)) newest.set(place, stop);
    }
    const told = [...newest.values()].reverse();
    return told.filter(({ line, icount }) => names.has(line) && icount >= first.icount);
  }

  // ---- verbs ----

  get position(): D.Position & { past: boolean; line: string } {
    const { icount, exits } = this.history.counts;
    return { icount, exit: exits, past: this.inPast, line: this.history.lines.active.name };
  }

  rejoin(): void {
    this.history.rejoin();
  }

  where(): D.HistoryPlace {
    const { history } = this;
    return {
      line: history.lines.active.name,
      ...positionOf(history.now()),
      past: !history.live,
      first: positionOf(history.first),
      last: positionOf(history.last),
      snapshots: history.timeline.instants.map(positionOf),
      bytes: history.timeline.bytes,
    };
  }

  /** @throws Error when the history has no such place */
  check(target: D.HistoryTarget): void {
    if (target.line === undefined || this.history.lines.get(target.line) === this.history.lines.active)
      this.#place(target);
  }

  /** Puts the guest to a place. */
  async goTo(target: D.HistoryTarget): Promise<void> {
    await this.#travels('going there', async (journey) => {
      const standing = standingOf(this.history);
      let place: Place;
      try {
        this.#enterLineOf(target);
        place = this.#place(target);
      } catch (error) {
        await inSlices(backTo(this.history, standing), (share) => this.#show(journey, share));
        this.hooks.emit({ type: 'message', text: (error as Error).message });
        return this.#caught();
      }
      const end = await this.#go(journey, place);
      if (end === 'cancelled') return this.#caught();
      if (end) return this.#atEnd();
      return { vcpu: this.#current(), stop: this.#begins() ? { kind: 'history', at: 'begin' } : { kind: 'until' } };
    });
  }

  #place(target: D.HistoryTarget): Place {
    const { first, last } = this.history;
    if (target.end) return { kind: 'end' };
    if (target.bookmark !== undefined) {
      const found = this.#bookmarks.get(target.bookmark);
      if (!found) throw new Error(`there is no bookmark ${target.bookmark}`);
      const { instant, line } = found;
      if (!this.history.lines.has(line))
        throw new Error(`bookmark ${target.bookmark} was on ${line.name}, which is gone`);
      if (compareInstants(instant, first) < 0)
        throw new Error(
          `bookmark ${target.bookmark} lies before the history, which begins at instruction ${first.icount}`,
        );
      return { kind: 'instant', instant };
    }
    if (target.begin) return { kind: 'instant', instant: first };
    const fault = target.fault === undefined ? undefined : this.#fault(target.fault);
    if (target.exit !== undefined) {
      if (target.exit > last.exits || target.exit <= first.exits)
        throw new Error(`exit ${target.exit} is not in the history: it has exits ${first.exits + 1} to ${last.exits}`);
      return { kind: 'exit', exits: target.exit };
    }
    const icount =
      target.share === undefined
        ? (fault ?? target.icount ?? last.icount)
        : first.icount + BigInt(Math.round(Number(last.icount - first.icount) * target.share));
    if (icount > last.icount || icount < first.icount)
      throw new Error(`instruction ${icount} is not in the history: it has ${first.icount} to ${last.icount}`);
    return { kind: 'icount', icount };
  }

  /** Instructions before an event arose that led to the guest's end, from 1. */
  #fault(number: number): bigint {
    this.#learnFaults();
    const known = this.#faults?.line === this.history.lines.active ? this.#faults.icounts : [];
    const icount = known[number - 1];
    if (icount !== undefined) return icount;
    if (known.length === 0) throw new Error('no chain of faults has ended the guest here: goto end, where it may have');
    throw new Error(`fault ${number}: ${known.length === 1 ? 'one has' : `${known.length} have`} led to the end`);
  }

  /** Where the guest stands at its end, what led there is known for the way back. */
  #learnFaults(): void {
    const end = this.hooks.ended();
    if (end?.kind !== 'ended' || !end.faults) return;
    const icounts = end.faults.flatMap(({ icount }) => icount ?? []);
    this.#faults = { line: this.history.lines.active, icounts };
  }

  /** A bookmark may be on another line. */
  #enterLineOf({ line: named, bookmark }: D.HistoryTarget): void {
    if (named !== undefined) this.history.enter(this.history.lines.get(named));
    const { instant, line } = (bookmark !== undefined && this.#bookmarks.get(bookmark)) || {};
    if (!instant || !line) return;
    const { lines } = this.history;
    const parting = lines.parting(line, lines.active);
    if (parting && compareInstants(instant, parting) > 0) this.history.enter(line);
  }

  bookmark(name: string): D.Position {
    if (!/^[^\s@]{1,40}$/.test(name)) throw new Error(`${name}: a bookmark's name has 1 to 40 characters, no blanks`);
    if (this.#bookmarks.size >= MAX_BOOKMARKS && !this.#bookmarks.has(name))
      throw new Error(`there are ${MAX_BOOKMARKS} bookmarks already`);
    const now = this.history.now();
    this.#bookmarks.set(name, { instant: now, line: this.history.lines.active });
    return positionOf(now);
  }

  bookmarks(): D.Bookmark[] {
    return [...this.#bookmarks]
      .filter(([, { line }]) => this.history.lines.has(line))
      .map(([name, { instant, line }]) => ({ name, line: line.name, ...positionOf(instant) }));
  }

  // ---- lines of the run ----

  /** @throws Error when the name is taken, or is none */
  branch(name?: string): D.Branch {
    const { history } = this;
    if (this.vm.end && this.vm.end.kind !== 'resumed')
      throw new Error(`the guest has ended here: ${this.vm.end.message || this.vm.end.kind}; go back first`);
    const line = history.fork(name);
    this.notes.forked();
    this.#goal = undefined;
    this.#again = undefined;
    this.#movedAtSnapshot = this.vm.memory.moved;
    const { icount, exits } = history.now();
    const text = `${line.name} leaves ${line.parent!.name} at instruction ${icount}, exit ${exits}, which stays as it was`;
    this.hooks.emit({ type: 'message', text: `${text}: switch ${line.parent!.name} returns` });
    return branchOf(history, line);
  }

  branches(): D.Branch[] {
    return branchesOf(this.history);
  }

  deleteBranch(name: string): void {
    const { lines } = this.history;
    lines.delete(lines.get(name));
  }

  renameBranch(name: string, to: string): D.Branch {
    const { lines } = this.history;
    const line = lines.get(name);
    lines.rename(line, to);
    return branchOf(this.history, line);
  }

  /** @throws Error when there is no such line */
  checkLine(name: string): void {
    this.history.lines.get(name);
  }

  /** To the end of a line. */
  async switchTo(name: string): Promise<void> {
    await this.#travels('going there', async () => {
      toEnd(this.history, this.history.lines.get(name));
      return this.#atEnd();
    });
  }

  /** The live end of the trunk, at once. */
  toTrunk(): void {
    toEnd(this.history, this.history.lines.trunk);
  }

  /**
   * Compares two lines; the machine comes back to where it was.
   * @param here the stop that the guest stands at
   * @throws Error where there is nothing to compare, or when it was given up
   */
  async compare(a: string | undefined, b: string | undefined, here: Stop): Promise<D.BranchComparison> {
    const { history } = this;
    const { lines } = history;
    const one = a === undefined ? lines.active : lines.get(a);
    if (a === undefined && one === lines.trunk)
      throw new Error('the guest is on the trunk: compare A compares a branch with it');
    const { work, result } = comparison(history, this.vm, one, b === undefined ? lines.trunk : lines.get(b));
    let found: D.BranchComparison | undefined;
    await this.#travels('comparing', async (journey) => {
      const standing = standingOf(history);
      const parted = await this.#work(journey, work, false);
      if (parted !== 'cancelled') found = result(parted);
      await inSlices(backTo(history, standing), (share) => this.#show(journey, share));
      return here;
    });
    if (!found) throw new Error('cancelled');
    return found;
  }

  /**
   * Goes to exits and lets `read` look there, before each is handled; the machine comes back to where it was.
   * @param exits numbers of exits in the run
   * @throws Error where the history has no such exit, or when it was given up
   */
  async visit<T>(exits: readonly number[], here: Stop, read: () => Promise<T>): Promise<T[]> {
    const { history } = this;
    for (const exit of exits) this.#place({ exit });
    const found: T[] = [];
    let given = false;
    await this.#travels('looking at the exits', async (journey) => {
      const standing = standingOf(history);
      const line = history.lines.active;
      for (const exit of exits) {
        const goal: Goal = { kind: 'exit', exits: exit };
        const before: Place =
          exit - 1 > history.first.exits
            ? { kind: 'exit', exits: exit - 1 }
            : { kind: 'instant', instant: history.first };
        history.enter(line);
        // the newest exit may lie behind the guest: one that stands at the live end goes nowhere to it
        if ((await this.#go(journey, before)) === 'cancelled' || (await this.#runTo(journey, goal)) === 'cancelled') {
          given = true;
          break;
        }
        found.push(await read());
      }
      await inSlices(backTo(history, standing), (share) => this.#show(journey, share));
      return here;
    });
    if (given) throw new Error('cancelled');
    return found;
  }

  #begins(): boolean {
    return this.history.now().icount <= this.history.first.icount;
  }

  /** Back by instructions of one vCPU. */
  async stepBack(vcpu: VirtualCpu, count: number): Promise<void> {
    await this.#travels('going back', async (journey) => {
      const target = this.vm.vcpus[vcpu.index];
      const place = await this.#instructionsBefore(journey, target, count);
      if (place === 'cancelled') return this.#caught();
      if (place === undefined) {
        await this.#go(journey, { kind: 'instant', instant: this.history.first });
        return { vcpu: vcpu.index, stop: { kind: 'history', at: 'begin' } };
      }
      if ((await this.#go(journey, place)) === 'cancelled') return this.#caught();
      return { vcpu: vcpu.index, stop: { kind: 'step' } };
    });
  }

  /** The place just before a vCPU ran its last `count` instructions; undefined: the history does not reach so far. */
  async #instructionsBefore(
    journey: Journey,
    vcpu: VirtualCpu,
    count: number,
  ): Promise<Place | undefined | 'cancelled'> {
    const here = this.history.now();
    const { first } = this.history;
    if (this.vm.vcpus.length === 1) {
      // an interrupt that was delivered here is undone first
      const icount = here.icount - BigInt(count);
      return icount < first.icount ? undefined : { kind: 'icount', icount };
    }
    const wanted = vcpu.icount - count;
    if (wanted < 0) return undefined;
    // where no other one ran meanwhile
    const near = here.icount - BigInt(count);
    if (near >= first.icount) {
      if ((await this.#go(journey, { kind: 'icount', icount: near })) === 'cancelled') return 'cancelled';
      if (vcpu.icount === wanted) return { kind: 'icount', icount: near };
    }
    // where it retired the instruction before that one, in the interval that has it
    let until = here;
    this.history.leave();
    const { timeline } = this.history;
    for (
      let index = timeline.lastWhere((instant) => instant.icount < until.icount);
      index >= 0;
      until = timeline.instant(index--)
    ) {
      this.history.moveTo(index);
      if (vcpu.icount > wanted) continue;
      const end = await this.#runTo(journey, { kind: 'vcpu', vcpu, icount: wanted + 1 });
      if (end === 'cancelled') return end;
      return { kind: 'icount', icount: this.history.now().icount - 1n };
    }
    return undefined;
  }

  /** Back to the last thing that would have stopped the guest. */
  async continueBack(): Promise<void> {
    await this.#back('going back', (stop) => stop, this.#passes());
  }

  /**
   * Back to the last write; where this was asked last for the same, to the one before.
   * @param what the same text for the same question
   * @param watchIds watchpoints of the core on it
   * @param tell told of the write before the guest stands
   */
  async backToWrite(
    what: string,
    watched: Watched,
    watchIds: ReadonlySet<number>,
    became: ((value: bigint | undefined) => boolean) | undefined,
    tell: (done: D.Done) => void,
  ): Promise<void> {
    await this.#travels('looking for who wrote it', async (journey) => {
      const { history } = this;
      const here = history.now();
      const last = this.#lastWrite;
      const again = last?.what === what && last.line === history.lines.active && compareInstants(last.at, here) === 0;
      const before = again ? last.ordinal : undefined;
      const wants = (write: { before?: bigint | undefined; after?: bigint | undefined }): boolean =>
        became === undefined || (became(write.after) && !became(write.before));
      const found = await this.#work(journey, lastWrite(history, this.vm, { watched, watchIds, before, wants }), false);
      if (found === 'cancelled') return this.#caught();
      if (found === undefined) {
        await this.#go(journey, { kind: 'instant', instant: history.first });
        return { vcpu: this.#current(), stop: { kind: 'history', at: 'begin' } };
      }
      if ((await this.#go(journey, found.place)) === 'cancelled') return this.#caught();
      this.#lastWrite = { what, at: history.now(), line: history.lines.active, ordinal: found.ordinal };
      const { doer, at, before: old, after } = found;
      const done: D.Done = {
        ...{ doer, at },
        ...(old === undefined ? {} : { before: old }),
        ...(after === undefined ? {} : { after }),
      };
      tell(done);
      return { vcpu: 'vcpu' in doer ? doer.vcpu : this.#current(), stop: this.#atWrite(watched, done) };
    });
  }

  /** A write to memory stops as at a watchpoint, but before it. */
  #atWrite(watched: Watched, { doer, before, after }: D.Done): D.StopReason {
    if (watched.kind !== 'memory') return { kind: 'until' };
    const [{ gpa }] = watched.pieces;
    const length = watched.pieces.reduce((sum, { bytes }) => sum + bytes, 0);
    const bytes = (value: bigint | undefined) => Uint8Array.from(littleEndianBytes(value ?? 0n, length));
    return {
      ...{ kind: 'watchpoint', id: 0, access: 'write', address: BigInt(gpa), length },
      ...{ before: bytes(before), after: bytes(after) },
      ...(doer.by === 'device' ? { by: 'device' } : {}),
    };
  }

  /** Back to the last exit that matches. */
  async previousExit(): Promise<void> {
    await this.#back('looking for the exit', (stop) => (stop.kind === 'exit' ? stop : undefined));
  }

  /** Tells intervals in which nothing can stop the guest on the way back. */
  #passes(): Passes {
    const ranges = this.hooks.onlyWrites();
    // a failed VM entry stops it too; which ones a recording has is not known
    if (ranges === undefined || this.#entryFailed || this.isRecorded) return () => false;
    return passesOf(this.vm, this.history.timeline, ranges);
  }

  async #back(
    task: string,
    wanted: (stop: D.StopReason) => D.StopReason | undefined,
    passes: Passes = () => false,
  ): Promise<void> {
    await this.#travels(task, async (journey) => {
      const { history, hooks } = this;
      const judge = (vcpu: VirtualCpu | undefined, end: SliceEnd | undefined): Found<Stop> | undefined => {
        const stop = vcpu && end ? hooks.judge(vcpu, end) : hooks.deviceStop();
        const found = stop && wanted(stop);
        if (!found) return undefined;
        return { place: placeOf(found, history.now()), what: { vcpu: vcpu?.index ?? hooks.stopVcpu(), stop: found } };
      };
      const found = await this.#work(journey, searchBack(history, history.now(), judge, passes), true);
      if (found === 'cancelled') return this.#caught();
      if (found === undefined) {
        if ((await this.#go(journey, { kind: 'instant', instant: history.first })) === 'cancelled')
          return this.#caught();
        return { vcpu: this.#current(), stop: { kind: 'history', at: 'begin' } };
      }
      if ((await this.#go(journey, found.place)) === 'cancelled') return this.#caught();
      return found.what;
    });
  }

  #caught(): Stop {
    return { vcpu: this.#current(), stop: { kind: 'paused' } };
  }

  // ---- work in pieces ----

  async #travels(task: string, way: (journey: Journey) => Promise<Stop>): Promise<void> {
    this.#learnFaults();
    const journey: Journey = { cancelled: false, task, told: performance.now() };
    this.#journey = journey;
    this.hooks.start();
    let stop: Stop;
    try {
      stop = await way(journey);
    } catch (error) {
      if (this.inPast) this.history.rejoin();
      this.hooks.emit({ type: 'message', text: (error as Error).message });
      stop = { vcpu: this.#current(), stop: { kind: 'history', at: 'end' } };
      this.#journey = undefined;
      this.#finish(journey, stop);
      throw error;
    }
    this.#journey = undefined;
    this.#finish(journey, stop);
  }

  #finish(journey: Journey, { vcpu, stop }: Stop): void {
    this.hooks.arm(true);
    if (journey.shown) this.hooks.emit({ type: 'progress', task: journey.task, done: true });
    this.hooks.halt(vcpu, stop);
  }

  async #go(journey: Journey, place: Place): Promise<boolean | 'cancelled'> {
    return this.#work(journey, travel(this.history, place), false);
  }

  async #runTo(journey: Journey, goal: Goal): Promise<true | 'cancelled'> {
    const { history } = this;
    function* run(): Generator<number, true> {
      for (;;) {
        const { kind } = history.repeat(goal);
        if (kind === 'reached' || kind === 'end') return true;
        yield 0;
      }
    }
    return this.#work(journey, run(), false);
  }

  async #work<T>(journey: Journey, work: Generator<number, T>, armed: boolean): Promise<T | 'cancelled'> {
    this.hooks.arm(armed);
    return inSlicesUnless(
      work,
      (share) => this.#show(journey, share),
      () => journey.cancelled,
    );
  }

  #show(journey: Journey, share: number): void {
    const now = performance.now();
    if (now - journey.told <= SHOW_MS) return;
    journey.told = now;
    journey.shown = true;
    this.hooks.emit({ type: 'progress', task: journey.task, share: Math.max(0, Math.min(1, share)) });
  }
}

const FULL = 'the branch has written 64 MiB to its disks, which it keeps in memory: it goes no further';
function littleEndianBytes(value: bigint, length: number): number[] {
  const hex = value.toString(16).padStart(2 * length, '0');
  return Array.from({ length }, (_, n) => Number.parseInt(hex.slice(2 * (length - 1 - n), 2 * (length - n)), 16));
}

const MAX_BOOKMARKS = 1000;
const MAX_STOPS = 300;
/** Stops that these are picked from, at least: a place may come again. */
const KEPT_STOPS = 3000;
/** Between two reports of progress, in ms. */
const SHOW_MS = 250;

interface Journey {
  cancelled: boolean;
  readonly task: string;
  told: number;
  shown?: boolean;
}

/** Where to stand to have what happened before oneself: a write is about to be made again. */
function placeOf(stop: D.StopReason, instant: Instant): Place {
  if (stop.kind !== 'watchpoint') return { kind: 'instant', instant };
  return { kind: 'icount', icount: instant.icount > 0n ? instant.icount - 1n : 0n };
}

function positionOf({ icount, exits }: Pick<Instant, 'icount' | 'exits'>): D.Position {
  return { icount, exit: exits };
}
