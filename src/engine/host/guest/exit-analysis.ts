/** What is made of the exits that the trace has, in the guest's thread: an observer gets the sums, not the records. */
import { TRACE_RECORDS } from '../../core/layout.js';
import { DurationHistogram } from '../../debug/duration-histogram.js';
import { courseOf } from '../../debug/exit-course.js';
import { type TaskOf, tableOf } from '../../debug/exit-groups.js';
import { ExitHints } from '../../debug/exit-hints.js';
import { ExitReport, summaryOf, type TimedExit, withTimes } from '../../debug/exit-report.js';
import { exitMatches, readTrace } from '../../debug/trace-reader.js';
import type * as D from '../../debugger.js';
import type { HandlerWatch } from '../../vmm/hypervisor.js';
import type { Machine } from '../../vmm/machine.js';

type Analysis = Required<Pick<NonNullable<D.Debugger['exits']>, 'report' | 'course' | 'hints' | 'handlerTimes'>>;

export function exitAnalysis(machine: Machine, os: D.Debugger['os']): Analysis {
  const all = (): Iterable<TimedExit> =>
    withTimes(readTrace(machine.vm.host, -1, TRACE_RECORDS), machine.vm.instructionNs);
  let stopwatch: Stopwatch | undefined;
  return {
    report: async (by, condition = {}) => {
      const report = new ExitReport(by, by === 'task' ? await taskNames(os) : undefined);
      for (const exit of all()) if (exitMatches(exit.record, condition)) report.add(exit);
      return report.data;
    },
    course: async (columns) => courseOf([...all()], columns),
    hints: async () => {
      const hints = new ExitHints();
      for (const exit of all()) hints.add(exit);
      return hints.found;
    },
    handlerTimes: async (on) => {
      if (on !== undefined && on !== (stopwatch !== undefined)) stopwatch = on ? new Stopwatch() : undefined;
      machine.vm.handlerWatch = stopwatch;
      return stopwatch?.times;
    },
  };
}

/** Where the kernel has a table of its own for user space, that is the next page. */
const USER_TABLE = 0x1000n;

async function taskNames(os: D.Debugger['os']): Promise<TaskOf> {
  const tasks = await os?.processes().catch(() => undefined);
  const names = new Map<bigint, string>();
  // a process stands before its threads, which share its tables
  for (const { cr3, name, pid } of tasks ?? [])
    if (cr3 !== undefined && !names.has(tableOf(cr3))) names.set(tableOf(cr3), `${name} (${pid})`);
  return (cr3) => names.get(tableOf(cr3)) ?? names.get(tableOf(cr3) & ~USER_TABLE);
}

/** How long handlers take, by exit reason. */
class Stopwatch implements HandlerWatch {
  readonly #reasons = new Map<number, DurationHistogram>();
  #began = 0;

  begins(): void {
    this.#began = performance.now();
  }

  ends(reason: number): void {
    const ns = Math.round((performance.now() - this.#began) * 1e6);
    let times = this.#reasons.get(reason);
    if (!times) {
      times = new DurationHistogram();
      this.#reasons.set(reason, times);
    }
    times.add(Math.max(0, ns));
  }

  get times(): D.HandlerTime[] {
    return [...this.#reasons].map(([reason, times]) => ({ reason, ...summaryOf(times) })).sort((a, b) => b.ns - a.ns);
  }
}
