// Ends KVM_RUN at a time: a POSIX timer that sends the kick signal to the thread that runs the vCPU. No other
// thread takes part, and a guest that never exits comes back all the same.
import { acceptKicks, consumeKick } from '../kvm/kick.js';
import type { KvmVcpu } from '../kvm/vcpu.js';
import { KickTimer } from './kick-timer.js';

/** A timer of 0 would be off. */
const SHORTEST_NS = 1000;

/** What calls a vCPU back from KVM_RUN. */
export interface Recall {
  /** Makes KVM_RUN come back at `atMs` (of performance.now()) or before. */
  arm(atMs: number, nowMs: number): void;
  /** After KVM_RUN answered INTERRUPTED. */
  fired(): void;
  close(): void;
}

export class RunTimer implements Recall {
  private readonly timer: KickTimer;
  /** performance.now() at which it fires; infinite while it is off. */
  private firesAt = Number.POSITIVE_INFINITY;

  /** For the calling thread, which runs this vCPU. @throws Error when the kernel has no timer to give */
  constructor(vcpu: KvmVcpu) {
    this.timer = new KickTimer(acceptKicks(vcpu).tid);
  }

  arm(atMs: number, nowMs: number): void {
    if (this.firesAt <= atMs && this.firesAt > nowMs) return;
    this.timer.set(Math.max(SHORTEST_NS, Math.round((atMs - nowMs) * 1e6)));
    this.firesAt = atMs;
  }

  fired(): void {
    while (consumeKick());
    this.firesAt = Number.POSITIVE_INFINITY;
  }

  close(): void {
    this.timer.close();
    while (consumeKick());
  }
}
