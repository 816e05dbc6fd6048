/**
 * The system calls that the client catches. GDB takes its catchpoints out at each stop and puts them back before it
 * continues; as with breakpoints the target hears of it when the guest is to run, so that calls under way are not lost.
 */
import type { Target } from './target.js';

type Wanted = { numbers?: number[] } | undefined;

export class SyscallCatches {
  private wanted: Wanted;
  /** What the target has, as text. */
  private set: string | undefined;

  constructor(private readonly target: Target) {}

  want(wanted: Wanted): void {
    this.wanted = wanted;
  }

  /** A stop at a call is one that the client has asked for. */
  get any(): boolean {
    return this.set !== undefined;
  }

  private get wantedText(): string | undefined {
    return this.wanted && JSON.stringify(this.wanted);
  }

  /** The target does not have what the client wants. */
  get stale(): boolean {
    return this.wantedText !== this.set;
  }

  async reconcile(): Promise<void> {
    if (!this.stale) return;
    this.set = this.wantedText;
    await this.target.catchSyscalls?.(this.wanted);
  }

  async clear(): Promise<void> {
    this.wanted = undefined;
    await this.reconcile();
  }
}
