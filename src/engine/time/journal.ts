/**
 * Everything that enters a machine from its host, stamped with the virtual time at which the guest could first
 * see it. The list is the whole difference between two runs of one image: feeding it again repeats the run.
 */
import type { Nanoseconds } from '../devices/device.js';

export interface HostInput {
  /** Virtual time of delivery. */
  readonly at: Nanoseconds;
  /** Retired instructions at delivery, for people and traces; `at` alone decides the order. */
  readonly icount: bigint;
  /** What it is and for whom: `serial0`, `key`, `wall-clock`, `seed`. */
  readonly kind: string;
  readonly data: Uint8Array | string | number;
}

type Sink = (data: HostInput['data']) => void;

export class Journal {
  private readonly sinks = new Map<string, Sink>();
  private readonly list: HostInput[];
  private cursor = 0;

  /** `recorded` is the list of an earlier run, to be repeated. */
  constructor(
    private readonly stamp: () => { at: Nanoseconds; icount: bigint },
    recorded: readonly HostInput[] = [],
  ) {
    this.list = [...recorded];
  }

  /** All inputs so far and, in a repeated run, those still to come. */
  get entries(): readonly HostInput[] {
    return this.list;
  }

  /** Count of inputs already delivered: a snapshot keeps it. */
  get position(): number {
    return this.cursor;
  }

  /** Goes back (or forth) to a snapshot's position; the inputs after it are delivered again when due. */
  seek(position: number): void {
    if (position < 0 || position > this.list.length) throw new RangeError(`journal has no position ${position}`);
    this.cursor = position;
  }

  /** Names who takes inputs of a kind. */
  take(kind: string, sink: Sink): void {
    this.sinks.set(kind, sink);
  }

  /**
   * A live input: recorded and delivered at once. What was recorded for later is dropped, since from here on
   * the run is a different one.
   */
  input(kind: string, data: HostInput['data']): void {
    this.list.length = this.cursor;
    this.list.push({ ...this.stamp(), kind, data: data instanceof Uint8Array ? data.slice() : data });
    this.deliver();
  }

  /** A value needed at power-on: the recorded one when this run repeats another, else `live` is recorded. */
  initial<T extends HostInput['data']>(kind: string, live: T): T {
    const entry = this.list[this.cursor];
    if (entry !== undefined && entry.kind === kind) {
      this.cursor++;
      return entry.data as T;
    }
    this.list.length = this.cursor;
    this.list.push({ ...this.stamp(), kind, data: live });
    this.cursor++;
    return live;
  }

  /** Virtual time of the next recorded input; undefined at the end of the list. */
  next(): Nanoseconds | undefined {
    return this.list[this.cursor]?.at;
  }

  /** Delivers the recorded inputs that are due at `now`. */
  runDue(now: Nanoseconds): number {
    const first = this.cursor;
    while (this.cursor < this.list.length && this.list[this.cursor].at <= now) this.deliver();
    return this.cursor - first;
  }

  private deliver(): void {
    const entry = this.list[this.cursor++];
    this.sinks.get(entry.kind)?.(entry.data);
  }
}
