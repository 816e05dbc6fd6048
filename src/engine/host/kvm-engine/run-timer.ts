// Ends KVM_RUN at a time: a POSIX timer that sends the kick signal to the thread that runs the vCPU. No other
// thread takes part, and a guest that never exits comes back all the same.
import { acceptKicks, consumeKick, KICK_SIGNAL } from '../kvm/kick.js';
import { libc } from '../kvm/libc.js';
import type { KvmVcpu } from '../kvm/vcpu.js';

// System calls of x86-64 Linux: older C libraries keep these in a library of their own.
const SYS_TIMER_CREATE = 222;
const SYS_TIMER_SETTIME = 223;
const SYS_TIMER_DELETE = 226;
const CLOCK_MONOTONIC = 1;
/** sigevent.sigev_notify: to the thread named. */
const SIGEV_THREAD_ID = 4;
const SIGEVENT_BYTES = 64;
const ITIMERSPEC_BYTES = 32;
/** A timer of 0 would be off. */
const SHORTEST_NS = 1000;

export class RunTimer {
  private readonly id: number;
  private readonly spec = new DataView(new ArrayBuffer(ITIMERSPEC_BYTES));
  private readonly specBytes = new Uint8Array(this.spec.buffer);
  /** performance.now() at which it fires; infinite while it is off. */
  private firesAt = Number.POSITIVE_INFINITY;

  /** For the calling thread, which runs this vCPU. @throws Error when the kernel has no timer to give */
  constructor(vcpu: KvmVcpu) {
    const { tid } = acceptKicks(vcpu);
    const event = new DataView(new ArrayBuffer(SIGEVENT_BYTES));
    event.setInt32(8, KICK_SIGNAL, true);
    event.setInt32(12, SIGEV_THREAD_ID, true);
    event.setInt32(16, tid, true);
    const id = new Int32Array(1);
    const result = libc().systemCall(
      SYS_TIMER_CREATE,
      CLOCK_MONOTONIC,
      new Uint8Array(event.buffer),
      new Uint8Array(id.buffer),
      null,
    );
    if (result < 0) throw new Error(`timer_create: errno ${libc().errno()}`);
    this.id = id[0];
  }

  /** Makes KVM_RUN come back at `atMs` (of performance.now()) or before. */
  arm(atMs: number, nowMs: number): void {
    if (this.firesAt <= atMs && this.firesAt > nowMs) return;
    const ns = Math.max(SHORTEST_NS, Math.round((atMs - nowMs) * 1e6));
    this.spec.setBigInt64(16, BigInt(Math.floor(ns / 1e9)), true);
    this.spec.setBigInt64(24, BigInt(ns % 1e9), true);
    libc().systemCall(SYS_TIMER_SETTIME, this.id, null, this.specBytes, null);
    this.firesAt = atMs;
  }

  /** After KVM_RUN answered INTERRUPTED. */
  fired(): void {
    while (consumeKick());
    this.firesAt = Number.POSITIVE_INFINITY;
  }

  close(): void {
    libc().systemCall(SYS_TIMER_DELETE, this.id, null, null, null);
    while (consumeKick());
  }
}
