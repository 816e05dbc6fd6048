/**
 * The snapshots of a run in order, with the frames that the run wrote between each two of them. The machine's memory is
 * that of one of them, the base, or has gone on from there. Intervals before the base are kept for going back, those
 * behind it for going forth.
 */

import type { GuestEnd } from '../devices/device.js';
import {
  type DiskDifference,
  KEPT_SECTOR_BYTES,
  MAX_SECTORS,
  mergeSectors,
  type RewindableStore,
  type SectorLog,
} from '../disk/rewindable-store.js';
import type { Stateful } from '../state/saved.js';
import { compareInstants, type Instant } from '../time/instant.js';
import type { Vm } from '../vmm/vm.js';
import { type FrameLog, Frames, type OpenFrames } from './frames.js';
import { INTERVAL_WRITES_BYTES, type IntervalWrites } from './interval-writes.js';
import { endOf, putBack, type Snapshot, takeSnapshot } from './snapshot.js';

/** An instant between the base and the next snapshot, for who comes back to about there. */
interface Halt extends Snapshot {
  readonly frames: OpenFrames;
  readonly sectors: readonly DiskDifference[];
}

/**
 * What lies behind a snapshot in a line of the run that the machine is not in. All of it is kept for going forth from
 * there; `logs[i]` and `sectors[i]` are of the interval before `snapshots[i]`.
 */
export interface Tail {
  /** The snapshot that it goes on from, which stays as long as this does. */
  readonly anchor: Snapshot;
  readonly snapshots: Snapshot[];
  readonly logs: FrameLog[];
  readonly sectors: SectorLog[][];
}

/** So many are kept, and none of more frames. */
const MAX_HALTS = 3;
const MAX_HALT_FRAMES = 8192;

export class Timeline {
  readonly #frames: Frames;
  readonly #snapshots: Snapshot[] = [];
  /** `#logs[i]`: frames written between snapshot i and the next. */
  readonly #logs: FrameLog[] = [];
  /** The same of each disk's sectors: what they held before; on a branch what they hold afterwards. */
  readonly #sectors: SectorLog[][] = [];
  #base = 0;
  /** On a branch: of which snapshot on the run is not the trunk's, and what that has behind it. */
  #aside: { from: Snapshot; trunk: Tail } | undefined;
  readonly #tails = new Set<Tail>();
  /** In the past: by instant. */
  #halts: Halt[] = [];

  constructor(
    private readonly vm: Vm,
    private readonly parts: () => Stateful[],
    private readonly disks: readonly RewindableStore[],
    instant: Instant,
    /** Not of a run that was recorded elsewhere: what that writes to disks is committed at each snapshot. */
    private readonly live = true,
  ) {
    this.#frames = new Frames(vm);
    if (!live) for (const disk of disks) disk.showBefore([]);
    this.#snapshots.push(takeSnapshot(this.parts(), instant, undefined));
  }

  close(): void {
    this.#frames.close();
  }

  get instants(): Instant[] {
    return this.#snapshots.map(({ instant }) => instant);
  }

  get length(): number {
    return this.#snapshots.length;
  }

  get base(): number {
    return this.#base;
  }

  instant(index: number): Instant {
    return this.#snapshots[index].instant;
  }

  /** Memory that it takes with all lines of the run, in bytes. */
  get bytes(): number {
    let sum = this.#frames.store.bytes;
    for (const { snapshots, sectors } of [{ snapshots: this.#snapshots, sectors: this.#sectors }, ...this.#tails]) {
      for (const logs of sectors) for (const { size } of logs) sum += size * KEPT_SECTOR_BYTES;
      for (const { bytes } of snapshots) sum += bytes + INTERVAL_WRITES_BYTES;
    }
    return sum;
  }

  /** How the guest ended at the last snapshot, if it did. */
  get end(): GuestEnd | undefined {
    return endOf(this.#snapshots.at(-1)!);
  }

  /** Frames written since the base. */
  get openFrames(): number {
    return this.#frames.openFrames;
  }

  /**
   * A snapshot behind the last one, which is the base. All translations are dropped already. False: so much was written to
   * a disk that it is not kept; the history begins here.
   */
  append(instant: Instant): boolean {
    this.#dropHalts();
    if (!this.live && !this.#aside) for (const disk of this.disks) disk.commit();
    const sectors = this.disks.map((disk) => (this.#aside ? disk.cutAside() : disk.cut()));
    if (sectors.includes(undefined)) {
      this.restart(() => instant);
      return false;
    }
    this.#sectors.push(sectors as SectorLog[]);
    this.#logs.push(this.#frames.cut());
    this.#snapshots.push(takeSnapshot(this.parts(), instant, this.#snapshots.at(-1)));
    this.#base = this.#snapshots.length - 1;
    return true;
  }

  /** The last snapshot at whose instant something holds; the first where there is none. */
  lastWhere(holds: (instant: Instant) => boolean): number {
    let index = this.#snapshots.length - 1;
    while (index > 0 && !holds(this.#snapshots[index].instant)) index--;
    return index;
  }

  /** Whether the run wrote one of these frames between a snapshot and the next; behind the last one nobody has looked. */
  wrote(index: number, frames: ReadonlySet<number>): boolean {
    return index >= this.#logs.length || this.#logs[index].frames.some((frame) => frames.has(frame));
  }

  /** Where else it may have written; undefined: nobody has looked. */
  writes(index: number): IntervalWrites | undefined {
    return this.#logs[index]?.writes;
  }

  /** Keeps this instant of a repetition. */
  halt(instant: Instant): void {
    if (this.#frames.openFrames > MAX_HALT_FRAMES) return;
    this.vm.synchronize();
    const before = this.#halts.at(-1) ?? this.#snapshots[this.#base];
    const sectors = this.disks.map((disk) => disk.difference);
    this.#halts.push({ ...takeSnapshot(this.parts(), instant, before), frames: this.#frames.hold(), sectors });
    this.#halts.sort((a, b) => compareInstants(a.instant, b.instant));
    if (this.#halts.length > MAX_HALTS) this.#frames.release(this.#halts.shift()!.frames);
  }

  /** The last of the instants between snapshots that are kept at which something holds. */
  haltWhere(holds: (instant: Instant) => boolean): Instant | undefined {
    return this.#halts.findLast(({ instant }) => holds(instant))?.instant;
  }

  /** The machine as it was there. */
  moveToHalt(instant: Instant): void {
    this.vm.synchronize();
    const halt = this.#halts.find((it) => it.instant === instant);
    if (!halt) throw new Error('no such halt');
    this.#frames.backTo(halt.frames);
    for (const [i, disk] of this.disks.entries()) disk.difference = halt.sectors[i];
    putBack(this.parts(), halt);
  }

  #dropHalts(): void {
    for (const { frames } of this.#halts.splice(0)) this.#frames.release(frames);
  }

  /** The machine as it was at a snapshot. @throws Error where a disk cannot be had as it was */
  moveTo(index: number): void {
    if (this.disks.some(({ overflowed }) => overflowed))
      throw new Error(
        'more was written to a disk at once than the history keeps: it starts again after some instructions',
      );
    this.vm.synchronize();
    this.#dropHalts();
    this.#frames.undo();
    while (this.#base > index) this.#frames.exchange(this.#logs[--this.#base]);
    while (this.#base < index) this.#frames.exchange(this.#logs[this.#base++]);
    this.#frames.settle();
    this.#showDisks(index);
    putBack(this.parts(), this.#snapshots[index]);
  }

  /** The disks as they were at a snapshot: the images are those of the trunk's live end. */
  #showDisks(index: number): void {
    const aside = this.#aside;
    const leaves = aside ? this.#snapshots.indexOf(aside.from) : this.#sectors.length;
    const back = [...this.#sectors.slice(Math.min(index, leaves), leaves), ...(aside?.trunk.sectors ?? [])];
    const forth = this.#sectors.slice(leaves, Math.max(index, leaves));
    for (const [i, disk] of this.disks.entries())
      disk.showBefore(
        back.map((logs) => logs[i]),
        forth.map((logs) => logs[i]),
      );
  }

  /** The base is the live end. On a branch the images stay the trunk's. */
  goLive(): void {
    if (!this.#aside) for (const disk of this.disks) disk.showLive();
  }

  // ---- lines of the run ----

  /** The index of a snapshot that lies on this line; -1: on another one. */
  indexOf(snapshot: Snapshot): number {
    return this.#snapshots.indexOf(snapshot);
  }

  snapshot(index: number): Snapshot {
    return this.#snapshots[index];
  }

  /** Takes away what lies behind a snapshot that is not before the base. The machine stays where it is. */
  detach(index: number): Tail {
    if (index < this.#base) throw new Error('the machine is behind that');
    this.#dropHalts();
    const tail: Tail = {
      anchor: this.#snapshots[index],
      snapshots: this.#snapshots.splice(index + 1),
      logs: this.#logs.splice(index),
      sectors: this.#sectors.splice(index),
    };
    this.#tails.add(tail);
    return tail;
  }

  /** The line goes on with this behind its last snapshot. */
  attach(tail: Tail): void {
    if (this.#snapshots.at(-1) !== tail.anchor) throw new Error('it goes on from elsewhere');
    this.#tails.delete(tail);
    this.#snapshots.push(...tail.snapshots);
    this.#logs.push(...tail.logs);
    this.#sectors.push(...tail.sectors);
    if (tail === this.#aside?.trunk) this.#aside = undefined;
  }

  /** From the last snapshot on the run is not the trunk's, which has this behind it. */
  leaveTrunk(trunk: Tail): void {
    this.#aside = { from: trunk.anchor, trunk };
  }

  /** A branch has written so much to its disks that no more is kept. */
  get full(): boolean {
    const { from } = this.#aside ?? {};
    if (from === undefined) return false;
    const kept = this.#sectors.slice(this.#snapshots.indexOf(from));
    return this.disks.some(
      (disk, i) => kept.reduce((sum, logs) => sum + logs[i].size, disk.writtenAside) > MAX_SECTORS,
    );
  }

  drop(tail: Tail): void {
    this.#tails.delete(tail);
    for (const log of tail.logs) this.#frames.drop(log);
  }

  /** Whether another line goes on from a snapshot. */
  #pinned(snapshot: Snapshot): boolean {
    for (const { anchor } of this.#tails) if (anchor === snapshot) return true;
    return false;
  }

  /** Inputs that had been delivered at a snapshot. */
  inputs(index: number): number {
    return (this.#snapshots[index].parts.board0.state as { inputs: number }).inputs;
  }

  /** The snapshot with so many inputs delivered. */
  withInputs(count: number): number | undefined {
    const index = this.#snapshots.findIndex((_, i) => this.inputs(i) === count);
    return index < 0 ? undefined : index;
  }

  /** Forgets all and begins here; the base is the last snapshot. @param flush drops translations and tells the instant */
  restart(flush: () => Instant): void {
    const instant = flush();
    this.#dropHalts();
    this.#frames.drop(this.#frames.cut());
    for (const log of this.#logs.splice(0)) this.#frames.drop(log);
    for (const tail of this.#tails) this.drop(tail);
    this.#aside = undefined;
    this.#sectors.length = 0;
    for (const disk of this.disks) {
      disk.showLive();
      disk.cut();
      if (!this.live) disk.showBefore([]);
    }
    this.#snapshots.length = 0;
    this.#snapshots.push(takeSnapshot(this.parts(), instant, undefined));
    this.#base = 0;
  }

  /**
   * Keeps within `budget` bytes: those go first that are nearest to their neighbours for their age; with none left to go
   * between, the oldest, then such of the other lines. The base is the last one. False: that is not enough, and a line has
   * to go.
   */
  thin(budget: number): boolean {
    while (this.bytes > budget) {
      const victim = this.#snapshots.length > 2 ? this.#leastMissed() : undefined;
      if (victim !== undefined) this.#remove(victim);
      else if (!this.#thinTails()) return this.#tails.size === 0;
    }
    return true;
  }

  #leastMissed(): number | undefined {
    const last = this.#snapshots.length - 1;
    const now = Number(this.#snapshots[last].instant.icount);
    let least: number | undefined;
    let leastCost = Number.POSITIVE_INFINITY;
    for (let i = 1; i < last; i++) {
      if (this.#pinned(this.#snapshots[i])) continue;
      const gap = Number(this.#snapshots[i + 1].instant.icount - this.#snapshots[i - 1].instant.icount);
      const age = now - Number(this.#snapshots[i].instant.icount) + 1;
      const cost = (gap + 1) / age;
      if (cost < leastCost) {
        leastCost = cost;
        least = i;
      }
    }
    // gaps as long as half the run help nobody: then the start of the history moves
    const oldest = this.#pinned(this.#snapshots[0]) ? undefined : 0;
    return least === undefined || this.#snapshots.length <= MIN_SNAPSHOTS ? (oldest ?? least) : least;
  }

  #remove(index: number): void {
    this.#snapshots.splice(index, 1);
    this.#base--;
    if (index === 0) {
      this.#frames.drop(this.#logs.shift()!);
      this.#sectors.shift();
      return;
    }
    const merged = this.#frames.merge(this.#logs[index - 1], this.#logs[index]);
    this.#logs.splice(index - 1, 2, merged);
    const aside = this.#aside && index > this.#snapshots.indexOf(this.#aside.from);
    this.#sectors.splice(index - 1, 2, joined(this.#sectors[index - 1], this.#sectors[index], aside === true));
  }

  /** Takes a snapshot out of the line that has most of them. False: none has one to give. */
  #thinTails(): boolean {
    const [most] = [...this.#tails]
      .map((tail) => ({ tail, free: tail.snapshots.slice(0, -1).filter((snapshot) => !this.#pinned(snapshot)) }))
      .sort((a, b) => b.free.length - a.free.length);
    if (!most || most.free.length === 0) return false;
    const { tail, free } = most;
    const { snapshots, logs, sectors } = tail;
    const index = snapshots.indexOf(free[free.length >> 1]);
    snapshots.splice(index, 1);
    // kept for going forth: the later one counts
    logs.splice(index, 2, this.#frames.merge(logs[index + 1], logs[index]));
    sectors.splice(index, 2, joined(sectors[index], sectors[index + 1], tail !== this.#aside?.trunk));
    return true;
  }
}

/** Two intervals' sectors as one. @param after they are kept as they are after them, not before */
function joined(first: readonly SectorLog[], second: readonly SectorLog[], after: boolean): SectorLog[] {
  return first.map((log, i) => (after ? mergeSectors(second[i], log) : mergeSectors(log, second[i])));
}

/** With no more than these left, the oldest goes. */
const MIN_SNAPSHOTS = 24;
