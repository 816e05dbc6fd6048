// A POSIX timer that sends the kick signal to one thread of this process.
import { KICK_SIGNAL } from '../kvm/kick.js';
import { libc } from '../kvm/libc.js';

// System calls of x86-64 Linux: older C libraries keep these in a library of their own.
const SYS_TIMER_CREATE = 222;
const SYS_TIMER_SETTIME = 223;
const SYS_TIMER_DELETE = 226;
const CLOCK_MONOTONIC = 1;
/** sigevent.sigev_notify: to the thread named. */
const SIGEV_THREAD_ID = 4;
const SIGEVENT_BYTES = 64;
const ITIMERSPEC_BYTES = 32;

export class KickTimer {
  private readonly id: number;
  private readonly spec = new DataView(new ArrayBuffer(ITIMERSPEC_BYTES));
  private readonly specBytes = new Uint8Array(this.spec.buffer);

  /** @throws Error when the kernel has no timer to give */
  constructor(tid: number) {
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

  /** Fires after `ns`, not 0, and then every `intervalNs`, or once. */
  set(ns: number, intervalNs = 0): void {
    this.put(0, intervalNs);
    this.put(16, ns);
    libc().systemCall(SYS_TIMER_SETTIME, this.id, null, this.specBytes, null);
  }

  close(): void {
    libc().systemCall(SYS_TIMER_DELETE, this.id, null, null, null);
  }

  private put(at: number, ns: number): void {
    this.spec.setBigInt64(at, BigInt(Math.floor(ns / 1e9)), true);
    this.spec.setBigInt64(at + 8, BigInt(ns % 1e9), true);
  }
}
