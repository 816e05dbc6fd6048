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

  async reconcile(): Promise<void> {
    const { wanted } = this;
    const text = wanted && JSON.stringify(wanted);
    if (text === this.set) return;
    this.set = text;
    await this.target.catchSyscalls?.(wanted);
  }

  async clear(): Promise<void> {
    this.wanted = undefined;
    await this.reconcile();
  }
}
