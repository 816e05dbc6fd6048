/**
 * Everything that enters a machine from its host, stamped with the virtual time at which the guest could first
 * see it. These inputs are the whole difference between two runs of one image: feeding them again repeats the run.
 *
 * The journal itself keeps none of them: whoever may go back (a history, a recording) gives it an `InputKeeper`.
 */

import { FORGETTING, type InputKeeper } from './input-keeper.js';
import type { Instant } from './instant.js';
import type { Nanoseconds } from './virtual-time.js';

/** With the instant of its delivery. */
export interface HostInput extends Instant {
  /** What it is and for whom: `serial0`, `key`, `wall-clock`, `seed`. */
  readonly kind: string;
  readonly data: Uint8Array | string | number;
}

type Sink = (data: HostInput['data']) => void;

export class Journal {
  private readonly sinks = new Map<string, Sink>();
  private cursor = 0;

  /** `keeper` may hold the inputs of an earlier run already: then they are repeated. */
  constructor(
    /** The instant that it is. Who knows it better replaces it. */
    public stamp: () => Instant,
    /** Another line of the run has its own. */
    public keeper: InputKeeper = FORGETTING,
  ) {}

  /** Count of inputs already delivered: a snapshot keeps it. */
  get position(): number {
    return this.cursor;
  }

  /**
   * Goes back (or forth) to a snapshot's position; the inputs after it are delivered again when due.
   * @throws RangeError when the inputs between there and the newest one are not kept.
   */
  seek(position: number): void {
    const { first, end } = this.keeper;
    if (position !== this.cursor && (position < first || position > end)) {
      const kept = end > first ? `inputs ${first} to ${end - 1} are kept` : 'no inputs are kept';
      throw new RangeError(`journal has no position ${position}: ${kept}`);
    }
    this.cursor = position;
  }

  /** The machine took over a state that so many inputs have shaped; those that are kept from there on come again. */
  goOnFrom(position: number): void {
    this.cursor = position;
  }

  /** Names who takes inputs of a kind. */
  take(kind: string, sink: Sink): void {
    this.sinks.set(kind, sink);
  }

  /**
   * A live input: kept and delivered at once. What was recorded for later is dropped, since from here on the run is
   * a different one.
   */
  input(kind: string, data: HostInput['data']): void {
    this.keeper.keep(this.cursor, { ...this.stamp(), kind, data });
    this.cursor++;
    this.sinks.get(kind)?.(data);
  }

  /** What a debugger does to the machine at this instant: kept, for a sink of that kind to do it again in a repetition. */
  note(kind: string, data: HostInput['data']): void {
    const { icount, exits, at, turn, phase } = this.stamp();
    this.keeper.keep(this.cursor, { icount, exits, at, turn, phase, kind, data });
    this.cursor++;
  }

  /** The next recorded input; undefined when none is to come. */
  upcoming(): HostInput | undefined {
    return this.keeper.at(this.cursor);
  }

  /** Delivers the next recorded input, whatever time it is. What the machine refused when it came it refuses again. */
  deliver(): void {
    const entry = this.keeper.at(this.cursor);
    if (!entry) return;
    this.cursor++;
    try {
      this.sinks.get(entry.kind)?.(entry.data);
    } catch {}
  }

  /** A value needed at power-on: the recorded one when this run repeats another, else `live`, which is kept. */
  initial<T extends HostInput['data']>(kind: string, live: T): T {
    const entry = this.keeper.at(this.cursor);
    if (entry?.kind === kind) {
      this.cursor++;
      return entry.data as T;
    }
    this.keeper.keep(this.cursor, { ...this.stamp(), kind, data: live });
    this.cursor++;
    return live;
  }

  /** Virtual time of the next recorded input; undefined when none is to come. */
  next(): Nanoseconds | undefined {
    return this.keeper.at(this.cursor)?.at;
  }

  /** Delivers the recorded inputs that are due at `now`. */
  runDue(now: Nanoseconds): number {
    const first = this.cursor;
    for (let entry = this.keeper.at(first); entry && entry.at <= now; entry = this.keeper.at(this.cursor)) {
      this.cursor++;
      this.sinks.get(entry.kind)?.(entry.data);
    }
    return this.cursor - first;
  }
}
