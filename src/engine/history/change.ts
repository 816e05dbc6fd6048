/** When a value that no watchpoint can watch became what it is: registers, VMCS fields, MSRs, EPT entries. */
import { compareInstants } from '../time/instant.js';
import type { History } from './history.js';
import { travel } from './travel.js';

/** So many of the last instructions are looked at one by one: what changes often has changed there. */
const CLOSE = 2000n;

/**
 * Searches backwards for the instruction that made a value what it is now; a change away from it and back again that lies
 * further back than some thousand instructions is passed over. Leaves the machine before that instruction. False: the
 * value was the same all through the history.
 */
export function* whenItBecame(history: History, read: () => bigint | undefined): Generator<number, boolean> {
  const value = read();
  const here = history.now().icount;
  history.leave();
  const { first } = history;
  // every instruction of the last ones
  const start = here > first.icount + CLOSE ? here - CLOSE : first.icount;
  let last: bigint | undefined;
  yield* travel(history, { kind: 'icount', icount: start });
  let before = read();
  for (let icount = start + 1n; icount <= here; icount++) {
    yield* travel(history, { kind: 'icount', icount });
    const now = read();
    if (now !== before && history.now().icount <= here) last = icount - 1n;
    before = now;
  }
  if (last !== undefined) {
    yield* travel(history, { kind: 'icount', icount: last });
    return true;
  }
  // the last snapshot where it was another one, then halves of the interval behind it
  const { timeline } = history;
  let same = start;
  let index = timeline.lastWhere(
    (instant) => compareInstants(instant, { ...instant, icount: start }) < 0 && instant.icount < start,
  );
  for (; index >= 0; index--) {
    history.moveTo(index);
    if (read() !== value) break;
    same = timeline.instant(index).icount;
    yield 0.1;
  }
  if (index < 0) return false;
  let other = timeline.instant(index).icount;
  while (same - other > 1n) {
    const middle = (same + other) / 2n;
    yield* travel(history, { kind: 'icount', icount: middle });
    if (read() === value) same = middle;
    else other = middle;
    yield 0.5;
  }
  yield* travel(history, { kind: 'icount', icount: other });
  return true;
}
