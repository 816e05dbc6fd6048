import { HostPace } from '../../time/host-pace.js';
import type { Machine } from '../../vmm/machine.js';
import type { GuestOptions } from './options.js';

/** A slice returns often enough for V8 to move the core's loop to optimised code. */
const SLICE = 100_000;
/** The first one, and that of a guest whose instructions all exit: the host is heard between two slices. */
const SHORT_SLICE = 1000;
/** A slice that takes longer is followed by a shorter one, and one of half that by a longer one. */
const SLICE_MS = 30;
/** A turn while virtual time is far behind the host's clock: ticks that are due come one after the other. */
const LATE_SLICE = 10_000;
const LATE_NS = 1e6;
/** So far ahead of the host's clock a guest waits for it. */
const EARLY_MS = 4;

/** How long slices are, and how virtual time keeps pace with the host's. */
export class Pacing {
  /** Instructions of the next slice of a guest with one vCPU. */
  #slice = SHORT_SLICE;
  #base: { wallMs: number; clock: number } | undefined;
  /** The host's clock, where virtual time follows it. */
  readonly #host: HostPace | undefined;
  /** What virtual time was behind it, ns. */
  #lag = 0;

  constructor(
    private readonly machine: Machine,
    private readonly options: GuestOptions,
  ) {
    const { vm } = machine;
    if (options.followsHost && !vm.realTime)
      this.#host = new HostPace(options.hostClock ?? (() => performance.now() * 1e6));
    machine.pc.journal.take('clock', (to) => vm.warpTo(to as number));
  }

  /** Time is the host's, also while the guest runs. */
  get followsHost(): boolean {
    return this.#host !== undefined;
  }

  /** Idle time passes at the pace of the wall clock. */
  get paced(): boolean {
    return this.options.paced || this.machine.vm.realTime || this.followsHost;
  }

  /** What passes of the host's time while the guest stands passes for nobody in it. */
  restart(): void {
    this.#base = undefined;
    this.#host?.restart();
    this.#lag = 0;
  }

  /** Sets the next slice's length by how long the last one took. A turn of one of several vCPUs is part of the run and stays. */
  took(ms: number): void {
    if (ms > SLICE_MS) this.#slice = Math.max(SHORT_SLICE, this.#slice >> 1);
    else if (ms < SLICE_MS / 2 && this.#slice < SLICE) this.#slice = Math.min(SLICE, this.#slice << 1);
  }

  get slice(): number {
    return this.#lag > LATE_NS ? Math.min(LATE_SLICE, this.#slice) : this.#slice;
  }

  /** Moves virtual time towards the host's clock; milliseconds to wait where it is ahead of that. */
  follow(mayWait: boolean): number | undefined {
    const { vm, pc } = this.machine;
    const pace = this.#host;
    if (!pace) return undefined;
    const now = vm.now();
    this.#lag = pace.target(now) - now;
    if (-this.#lag > EARLY_MS * 1e6 && mayWait) return -this.#lag / 1e6;
    const to = pace.move(now, vm.board.nextDeadline());
    if (to !== undefined) pc.journal.input('clock', to);
    return undefined;
  }

  /** Milliseconds that an idle guest waits for its next deadline. @param waits whether it does so at the host's pace */
  untilDeadline(deadline: number, waits: boolean): number {
    if (!waits) {
      this.#base = undefined;
      return 0;
    }
    const clock = this.machine.vm.now();
    if (this.#host) return (deadline - this.#host.target(clock)) / 1e6;
    return this.#waitOf(clock, deadline, performance.now());
  }

  /** At the pace of the wall clock: a guest that fell behind it does not hurry to catch up. */
  #waitOf(clock: number, deadline: number, wallMs: number): number {
    const base = (this.#base ??= { wallMs, clock });
    const waitMs = base.wallMs + (deadline - base.clock) / 1e6 - wallMs;
    if (waitMs < 0) this.#base = { wallMs, clock: deadline };
    return waitMs;
  }
}
