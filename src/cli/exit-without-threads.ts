import { libc } from '../engine/host/kvm/libc.js';

/** The process is to end without waiting for its threads: one hangs in the kernel, and Node would join it. */
export function exitWithoutThreads(): void {
  // a process that has nothing left to do waits for the thread too
  process.once('beforeExit', (status) => process.exit(status));
  process.once('exit', (status) => libc().exitNow(status));
}
