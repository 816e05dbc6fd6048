/** What the host's scheduler tells of the thread that asks. @see Documentation/scheduler/sched-stats.rst */
import { readFileSync } from 'node:fs';
import type { ThreadTimes } from '../debugger.js';

/** Undefined where the kernel keeps no such statistics. */
export function ownThreadTimes(): ThreadTimes | undefined {
  try {
    const [, timeNs, waitNs] = /^(\d+) (\d+) /.exec(readFileSync('/proc/thread-self/schedstat', 'latin1')) ?? [];
    return timeNs === undefined ? undefined : { timeNs: BigInt(timeNs), waitNs: BigInt(waitNs!) };
  } catch {
    return undefined;
  }
}
