import { exitReasonName } from '../../spec/vmx/exit-reasons.js';
import { ACTIVITY_CELLS, Activity, type ActivityNow } from '../vmm/activity.js';

const WATCH_MS = 500;
const IO_INSTRUCTION = 30;
const EPT_VIOLATION = 48;

/** Cells for an engine's thread and the one that watches it. */
export function activityCells(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(ACTIVITY_CELLS * 4));
}

/**
 * Watches an engine's thread from another one: `stuck` is told once, in one line, when a turn of the guest has not ended
 * for so many seconds. Time in which this thread stood as well does not count.
 */
export function watchEngine(cells: Int32Array, seconds: number, stuck: (message: string) => void): NodeJS.Timeout {
  const activity = new Activity(cells);
  let last = -1;
  let looks = 0;
  const timer = setInterval(() => {
    const now = activity.now();
    if (now.beat !== last || (now.beat & 1) === 0) {
      last = now.beat;
      looks = 0;
    } else if (++looks >= (seconds * 1000) / WATCH_MS) {
      clearInterval(timer);
      stuck(`the engine has not come back for ${seconds} s from ${whatItDoes(now)}`);
    }
  }, WATCH_MS);
  timer.unref();
  return timer;
}

function whatItDoes({ vcpu, reason, rip, qualification, gpa }: ActivityNow): string {
  const at = `vCPU ${vcpu} at RIP 0x${rip.toString(16)}`;
  if (reason === undefined) return `guest code that ${at} went on with`;
  const where =
    reason === IO_INSTRUCTION
      ? `, port 0x${((qualification >> 16n) & 0xffffn).toString(16)}`
      : reason === EPT_VIOLATION
        ? `, GPA 0x${gpa.toString(16)}`
        : '';
  return `the ${exitReasonName(reason)} exit of ${at}${where}`;
}
