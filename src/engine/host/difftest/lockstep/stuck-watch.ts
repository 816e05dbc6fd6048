// A thread beside a lock-step run: the run's own thread is in KVM_RUN, and can say nothing when that does not come back.
import { writeSync } from 'node:fs';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { libc } from '../../kvm/libc.js';
import { heartbeatCells, watchHeartbeat } from '../../kvm-engine/heartbeat.js';

const CANNOT_GO_ON = 3;

/** Starts it. @returns the cells that the run's thread beats in */
export function watchLockstep(): Int32Array {
  const cells = heartbeatCells();
  new Worker(new URL(import.meta.url), { workerData: { lockstepCells: cells } }).unref();
  return cells;
}

const cells = (workerData as { lockstepCells?: Int32Array } | null)?.lockstepCells;
if (!isMainThread && cells) {
  watchHeartbeat(cells, (message) => {
    writeSync(2, `vmscope: lockstep: ${message}\n`);
    // the other thread is in the kernel: an orderly end would wait for it
    libc().exitNow(CANNOT_GO_ON);
  });
}
