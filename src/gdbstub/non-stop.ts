/**
 * Non-stop mode: each thread stops and goes by itself. A stop is a notification; the client asks by `vStopped` for
 * those that have gathered since, until it is told that there is no other.
 * @gdb "Notification Packets", "Remote Non-Stop"
 */
import type { Session } from './session.js';
import type { StopCause, Target } from './target.js';

/** What a thread is to do. */
export type Act = { kind: 'continue' } | { kind: 'step'; within?: { start: bigint; end: bigint } } | { kind: 'stop' };

interface Stop {
  thread: number;
  cause: StopCause;
}

/** A client has connected by then. */
const CONNECTED_MS = 300;

export class NonStop {
  /** Threads that the client has let run and whose stop it does not know. */
  private readonly running = new Set<number>();
  /** Stops that the client is still to be told of. The first one is on its way while `announced`. */
  private readonly waiting: Stop[] = [];
  private announced = false;
  /** Stops that are told some time after the connection. */
  private later: NodeJS.Timeout | undefined;

  /** @param each the target's ability */
  constructor(
    private readonly session: Session,
    private readonly each: NonNullable<Target['each']>,
  ) {}

  async begin(): Promise<void> {
    const { target } = this.session;
    await this.each.independent(true);
    if (target.running()) for (let thread = 0; thread < target.threads; thread++) this.running.add(thread);
  }

  /** Back to all or none. @returns whether the guest ran, of which some threads may have stood */
  async end(): Promise<boolean> {
    clearTimeout(this.later);
    const ran = this.session.target.running();
    this.running.clear();
    this.waiting.length = 0;
    this.announced = false;
    await this.each.independent(false);
    return ran;
  }

  runs(thread: number): boolean {
    return this.running.has(thread);
  }

  /** @throws Error while it runs: its registers mean nothing. */
  mustStand(thread: number): void {
    if (this.running.has(thread)) throw new Error(`thread ${thread + 1} is running; interrupt it first`);
  }

  /**
   * `?`: one of the threads that stand, or `OK` where all run. The others are notifications some time later: GDB 13 ends
   * in an assertion of its own when it is told of several while it connects.
   */
  async currentStops(): Promise<string> {
    const { target } = this.session;
    const last = target.lastStop();
    const standing: number[] = [];
    for (let thread = 0; thread < target.threads; thread++) if (!this.running.has(thread)) standing.push(thread);
    this.waiting.length = 0;
    this.announced = standing.length > 0;
    if (!this.announced) return 'OK';
    const over = last?.cause.kind === 'exited';
    const thread = last && standing.includes(last.thread) ? last.thread : standing[0];
    this.waiting.push({ thread, cause: over ? last.cause : { kind: 'paused' } });
    const others = over ? [] : standing.filter((other) => other !== thread);
    clearTimeout(this.later);
    this.later = setTimeout(() => {
      for (const other of others) {
        this.running.add(other);
        void this.threadStopped(other, { kind: 'paused' });
      }
    }, CONNECTED_MS);
    return this.textOf(this.waiting[0]);
  }

  /** `vStopped`: the client has the last stop; the next one, or `OK`. */
  async nextStop(): Promise<string> {
    if (this.announced) this.waiting.shift();
    this.announced = this.waiting.length > 0;
    return this.announced ? this.textOf(this.waiting[0]) : 'OK';
  }

  /** A thread has stopped: the client is notified, or finds out when it has taken the stops before. */
  async threadStopped(thread: number, cause: StopCause): Promise<void> {
    if (!this.running.delete(thread)) return;
    this.waiting.push({ thread, cause });
    if (this.announced) return;
    this.announced = true;
    this.session.notify(`Stop:${await this.textOf(this.waiting[0])}`);
  }

  /** All stand: another observer's doing, or the guest is over. */
  async guestStopped(thread: number, cause: StopCause): Promise<void> {
    const others = [...this.running].filter((other) => other !== thread);
    await this.threadStopped(thread, cause);
    if (cause.kind === 'exited') this.running.clear();
    else for (const other of others) await this.threadStopped(other, { kind: 'paused' });
  }

  /** Ctrl-C. */
  async stopAll(): Promise<void> {
    await this.each.stop([...this.running]);
  }

  /** vCont: what each thread does; undefined: it goes on as it is. */
  async act(acts: readonly (Act | undefined)[]): Promise<void> {
    const going: number[] = [];
    const stopping: number[] = [];
    await this.session.breakpoints.reconcile();
    for (const [thread, act] of acts.entries()) {
      const runs = this.running.has(thread);
      if (act?.kind === 'stop' && runs) stopping.push(thread);
      if (act === undefined || act.kind === 'stop' || runs) continue;
      this.running.add(thread);
      // a stop that the client has not asked for yet is of the past
      if (act.kind === 'continue') going.push(thread);
      else await this.each.step(thread, act.within && (await this.session.linearRange(thread, act.within)));
    }
    if (going.length > 0) await this.each.resume(going);
    if (stopping.length > 0) await this.each.stop(stopping);
  }

  private textOf({ thread, cause }: Stop): Promise<string> {
    return this.session.stopOf(thread, cause);
  }
}
