/** Virtual timers in firing order: by time, then by the order in which they were made. */
import type { Nanoseconds, Timer } from './virtual-time.js';

/**
 * Where virtual time ends, in ns: beyond 2^53, 104 days, it has no exact number. Short of it by what a turn may take.
 * A timer for later never fires.
 */
export const END_OF_TIME = 2 ** 53 - 2 ** 40;
/** Timers that one call fires; what is still due then waits for the next. */
const MOST_FIRED = 10_000;

class QueuedTimer implements Timer {
  deadline: Nanoseconds | undefined = undefined;

  constructor(
    readonly name: string,
    readonly order: number,
    readonly fire: () => void,
    private readonly queue: QueuedTimer[],
  ) {}

  arm(at: Nanoseconds): void {
    if (!(at >= 0)) throw new RangeError(`timer ${this.name}: armed for ${at} ns`);
    this.cancel();
    if (at > END_OF_TIME) return;
    this.deadline = at;
    const { queue } = this;
    // guests arm timers all the time: no arrays are made
    let index = queue.length;
    queue.push(this);
    for (; index > 0 && runsBefore(this, queue[index - 1]); index--) queue[index] = queue[index - 1];
    queue[index] = this;
  }

  cancel(): void {
    if (this.deadline === undefined) return;
    const { queue } = this;
    for (let index = queue.indexOf(this) + 1; index < queue.length; index++) queue[index - 1] = queue[index];
    queue.pop();
    this.deadline = undefined;
  }
}

function runsBefore(a: QueuedTimer, b: QueuedTimer): boolean {
  return a.deadline! < b.deadline! || (a.deadline === b.deadline && a.order < b.order);
}

/** All timers of a machine. A machine has about ten, so a sorted array is the fastest queue. */
export class Deadlines {
  private readonly queue: QueuedTimer[] = [];
  private made = 0;

  timer(name: string, fire: () => void): Timer {
    return new QueuedTimer(name, this.made++, fire, this.queue);
  }

  /** Time of the earliest armed timer; undefined when none is armed. */
  next(): Nanoseconds | undefined {
    return this.queue.length > 0 ? this.queue[0].deadline : undefined;
  }

  /** The same of the other timers. */
  nextBeside(timer: Timer): Nanoseconds | undefined {
    const { queue } = this;
    if (queue.length === 0) return undefined;
    if (queue[0] !== timer) return queue[0].deadline;
    return queue.length > 1 ? queue[1].deadline : undefined;
  }

  /**
   * Fires every timer that is due at `now`, earliest first. A timer that re-arms itself for a time not after
   * `now` fires again in the same call, unless too many have: a guest may set a period that is shorter than what it does.
   * @returns how many fired.
   */
  runDue(now: Nanoseconds): number {
    let fired = 0;
    for (; fired < MOST_FIRED && this.queue.length > 0 && this.queue[0].deadline! <= now; fired++) {
      const timer = this.queue.shift()!;
      timer.deadline = undefined;
      timer.fire();
    }
    return fired;
  }

  /** Armed timers with their times, for the devices view. */
  list(): { name: string; at: Nanoseconds }[] {
    return this.queue.map((timer) => ({ name: timer.name, at: timer.deadline! }));
  }
}
