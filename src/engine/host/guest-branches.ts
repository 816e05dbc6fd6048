/** What a debugger is told of a guest's branches, and the way from one to another. */
import type * as D from '../debugger.js';
import { compareLines, type Parted } from '../history/compare.js';
import type { History } from '../history/history.js';
import type { Line } from '../history/lines.js';
import { travel } from '../history/travel.js';
import type { Instant } from '../time/instant.js';
import type { Vm } from '../vmm/vm.js';

const positionOf = ({ icount, exits }: Instant): D.Position => ({ icount, exit: exits });

export function branchOf(history: History, line: Line): D.Branch {
  const { instant, end } = history.tip(line);
  return {
    name: line.name,
    here: line === history.lines.active,
    ...(line.parent && line.fork ? { parent: line.parent.name, fork: positionOf(line.fork) } : {}),
    last: positionOf(instant),
    ...(end ? { end } : {}),
  };
}

export function branchesOf(history: History): D.Branch[] {
  const { trunk, branches } = history.lines;
  return [trunk, ...branches].map((line) => branchOf(history, line));
}

/** Where the machine is, to be there again. */
export interface Standing {
  readonly line: Line;
  readonly live: boolean;
  readonly instant: Instant;
}

export function standingOf(history: History): Standing {
  return { line: history.lines.active, live: history.live, instant: history.now() };
}

/** The end of a line; of a recorded one that is not repeated whole, as far as it was. */
export function toEnd(history: History, line: Line): void {
  history.enter(line);
  history.rejoin();
}

export function* backTo(history: History, { line, live, instant }: Standing): Generator<number, void> {
  if (live) return toEnd(history, line);
  history.enter(line);
  yield* travel(history, { kind: 'instant', instant });
}

/** @throws Error when the lines are one */
export function comparison(
  history: History,
  vm: Vm,
  a: Line,
  b: Line,
): { work: Generator<number, Parted>; result(parted: Parted): D.BranchComparison } {
  const parting = history.lines.parting(a, b);
  if (!parting) throw new Error(`${a.name} cannot be compared with itself: compare A B takes two lines of the run`);
  return {
    work: compareLines(history, vm, a, b, parting),
    result: ({ same, unseen, difference }) => ({
      a: branchOf(history, a),
      b: branchOf(history, b),
      fork: positionOf(parting),
      same,
      unseen,
      ...(difference ? { difference } : {}),
    }),
  };
}
