/**
 * The snapshots of a run in order, with the frames that the run wrote between each two of them. The machine's memory is
 * that of one of them, the base, or has gone on from there. Intervals before the base are kept for going back, those
 * behind it for going forth.
 */

import { KEPT_SECTOR_BYTES, mergeSectors, type RewindableStore, type SectorLog } from '../disk/rewindable-store.js';
import type { Stateful } from '../state/saved.js';
import { compareInstants, type Instant } from '../time/instant.js';
import type { Vm } from '../vmm/vm.js';
import { type FrameLog, Frames, type OpenFrames } from './frames.js';
import { putBack, type Snapshot, takeSnapshot } from './snapshot.js';

/** An instant between the base and the next snapshot, for who comes back to about there. */
interface Halt extends Snapshot {
  readonly frames: OpenFrames;
  readonly sectors: readonly SectorLog[];
}

/** So many are kept, and none of more frames. */
const MAX_HALTS = 3;
const MAX_HALT_FRAMES = 8192;

export class Timeline {
  readonly #frames: Frames;
  readonly #snapshots: Snapshot[] = [];
  /** `#logs[i]`: frames written between snapshot i and the next. */
  readonly #logs: FrameLog[] = [];
  /** The same of each disk's sectors. */
  readonly #sectors: SectorLog[][] = [];
  #base = 0;
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

  /** Memory that it takes, in bytes. */
  get bytes(): number {
    const sectors = this.#sectors.reduce((sum, logs) => sum + logs.reduce((all, { size }) => all + size, 0), 0);
    return (
      sectors * KEPT_SECTOR_BYTES +
      this.#frames.store.bytes +
      this.#snapshots.reduce((sum, { bytes }) => sum + bytes, 0)
    );
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
    if (!this.live) for (const disk of this.disks) disk.commit();
    const sectors = this.disks.map((disk) => disk.cut());
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
      throw new Error('more was written to a disk at once than the history keeps: it begins anew in some instructions');
    this.vm.synchronize();
    this.#dropHalts();
    this.#frames.undo();
    while (this.#base > index) this.#frames.exchange(this.#logs[--this.#base]);
    while (this.#base < index) this.#frames.exchange(this.#logs[this.#base++]);
    this.#frames.settle();
    for (const [i, disk] of this.disks.entries()) disk.showBefore(this.#sectors.slice(index).map((logs) => logs[i]));
    putBack(this.parts(), this.#snapshots[index]);
  }

  /** The base is the live end. */
  goLive(): void {
    for (const disk of this.disks) disk.showLive();
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

  /** Forgets all snapshots behind the base. */
  cutAfterBase(): void {
    for (const log of this.#logs.splice(this.#base)) this.#frames.drop(log);
    this.#snapshots.length = this.#base + 1;
  }

  /**
   * Keeps within `budget` bytes: those go first that are nearest to their neighbours for their age; with none left to go
   * between, the oldest. The base is the last one. Answers how many of the oldest are gone.
   */
  thin(budget: number): void {
    while (this.bytes > budget && this.#snapshots.length > 2) {
      const victim = this.#leastMissed();
      if (victim === undefined) return;
      this.#remove(victim);
    }
  }

  #leastMissed(): number | undefined {
    const last = this.#snapshots.length - 1;
    const now = Number(this.#snapshots[last].instant.icount);
    let least: number | undefined;
    let leastCost = Number.POSITIVE_INFINITY;
    for (let i = 1; i < last; i++) {
      const gap = Number(this.#snapshots[i + 1].instant.icount - this.#snapshots[i - 1].instant.icount);
      const age = now - Number(this.#snapshots[i].instant.icount) + 1;
      const cost = (gap + 1) / age;
      if (cost < leastCost) {
        leastCost = cost;
        least = i;
      }
    }
    // gaps as long as half the run help nobody: then the start of the history moves
    return least !== undefined && this.#snapshots.length <= MIN_SNAPSHOTS ? 0 : least;
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
    const [first, second] = [this.#sectors[index - 1], this.#sectors[index]];
    this.#sectors.splice(
      index - 1,
      2,
      first.map((log, i) => mergeSectors(log, second[i])),
    );
  }
}

/** With no more than these left, the oldest goes. */
const MIN_SNAPSHOTS = 24;
