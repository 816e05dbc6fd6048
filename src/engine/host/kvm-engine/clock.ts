// The guest's time on KVM: the host's, less the time in which a debugger held the guest.

export class RealClock {
  private offsetMs = 0;
  private stoppedAt: number | undefined = 0;

  /** Nanoseconds since power-on, whole. */
  now(): number {
    return Math.floor(((this.stoppedAt ?? performance.now()) - this.offsetMs) * 1e6);
  }

  /** performance.now() at a time of the guest's. */
  hostMs(ns: number): number {
    return ns / 1e6 + this.offsetMs;
  }

  go(): void {
    if (this.stoppedAt === undefined) return;
    this.offsetMs += performance.now() - this.stoppedAt;
    this.stoppedAt = undefined;
  }

  stop(): void {
    this.stoppedAt ??= performance.now();
  }

  /** Time that passed while the guest slept counts, though nothing ran. */
  advanceTo(ns: number): void {
    const behind = ns - this.now();
    if (behind > 0) this.offsetMs -= behind / 1e6;
  }

  /** It stands, at this time of the guest's. */
  reset(ns = 0): void {
    this.stoppedAt = performance.now();
    // in the middle of that nanosecond: `now` rounds down
    this.offsetMs = this.stoppedAt - (ns === 0 ? 0 : ns + 0.5) / 1e6;
  }
}
