/**
 * `--clock wall`: how far virtual time is behind the host's clock, and by how much it is to be moved at the end of a slice.
 * Each move is an input of the journal, so that a run repeats; what is here decides about live runs alone.
 */
import type { Nanoseconds } from './virtual-time.js';

/** A move is worth an input. */
const LEAST_MOVE_NS = 100_000;
/** Of a vCPU that runs: more would let what it times itself look like a standstill. */
const MOST_MOVE_NS = 20_000_000;
/** What a guest is behind for more than that is lost to it: it would never catch up, or hurry for minutes. */
const MOST_LAG_NS = 2_000_000_000;

export class HostPace {
  #base: { host: Nanoseconds; clock: Nanoseconds } | undefined;

  /** @param host the host's clock in ns, which never goes back */
  constructor(private readonly host: () => Nanoseconds) {}

  /** A debugger has stopped the guest, or lets it go on: what passed meanwhile did not. */
  restart(): void {
    this.#base = undefined;
  }

  /** What virtual time would be if it had kept up with the host; it is `now`. */
  target(now: Nanoseconds): Nanoseconds {
    const host = this.host();
    this.#base ??= { host, clock: now };
    const target = this.#base.clock + (host - this.#base.host);
    if (target - now <= MOST_LAG_NS) return target;
    this.#base = { host, clock: now + MOST_LAG_NS };
    return now + MOST_LAG_NS;
  }

  /**
   * To what time a guest that runs is to be moved now; undefined where it is not behind. Never past a deadline: what is due
   * there happens, and is seen by the guest, before more time passes, so that no tick of a timer is lost.
   */
  move(now: Nanoseconds, deadline: Nanoseconds | undefined): Nanoseconds | undefined {
    const target = Math.min(this.target(now), now + MOST_MOVE_NS);
    const to = Math.floor(Math.min(target, deadline ?? Number.POSITIVE_INFINITY));
    const due = deadline !== undefined && deadline <= target;
    return to > now && (due || to - now >= LEAST_MOVE_NS) ? to : undefined;
  }
}
