/** Ways through the history, in pieces: each yields the share that is done, so that its host can show it and end it. */
import { compareInstants, type Instant } from '../time/instant.js';
import type { SliceEnd, VirtualCpu } from '../vmm/hypervisor.js';
import type { History, Place } from './history.js';

/** Instructions before a goal at which a halt is made, for who steps back from there. */
const HALTS = [100_000n, 1000n];

/** Puts the machine to a goal, whatever lies on the way there. True: that is the live end. */
export function* travel(history: History, goal: Place): Generator<number, boolean> {
  if (history.live && isLiveEnd(history, goal)) return true;
  history.approach(goal);
  const icount = goal.kind === 'icount' ? goal.icount : goal.kind === 'instant' ? goal.instant.icount : undefined;
  for (const distance of icount === undefined ? [] : HALTS) {
    if (history.now().icount + distance >= icount!) continue;
    if (yield* repeatTo(history, { kind: 'icount', icount: icount! - distance })) return true;
    history.halt();
  }
  return yield* repeatTo(history, goal);
}

function* repeatTo(history: History, goal: Place): Generator<number, boolean> {
  const from = Number(history.now().icount);
  const to =
    goal.kind === 'icount' ? Number(goal.icount) : goal.kind === 'instant' ? Number(goal.instant.icount) : from;
  for (;;) {
    const { kind } = history.repeat(goal);
    if (kind === 'reached') return false;
    if (kind === 'end') return true;
    yield to > from ? Math.min(1, (Number(history.now().icount) - from) / (to - from)) : 0;
  }
}

function isLiveEnd(history: History, goal: Place): boolean {
  // a guest that has ended did so behind its last instruction, in the exit that followed
  if (goal.kind === 'icount' && history.atGuestEnd) return goal.icount > history.now().icount;
  return goal.kind === 'end' || !isBefore(goal, history.now());
}

/** Whether an instant or a goal comes before another. */
function isBefore(a: Instant | Place, b: Instant | Place): boolean {
  const [first, second] = [boundary(a), boundary(b)];
  if (first.instant && second.instant) return compareInstants(first.instant, second.instant) < 0;
  if (first.exits !== undefined && second.exits !== undefined) return first.exits < second.exits;
  return (first.icount ?? 0n) < (second.icount ?? 0n);
}

interface Boundary {
  instant?: Instant;
  icount?: bigint;
  exits?: number;
}

function boundary(it: Instant | Place): Boundary {
  if (!('kind' in it)) return { instant: it, icount: it.icount, exits: it.exits };
  if (it.kind === 'instant') return { instant: it.instant, icount: it.instant.icount, exits: it.instant.exits };
  if (it.kind === 'icount') return { icount: it.icount };
  return it.kind === 'exit' ? { exits: it.exits } : { icount: 1n << 64n };
}

/** Something that a search found on its way: where it happened, and where to stand to have it before oneself. */
export interface Found<T> {
  place: Place;
  what: T;
}

/**
 * Searches backwards for the last thing before an instant, an interval of the run at a time. The machine is left
 * somewhere: go to the place that is found.
 * @param judge asked at each thing that stops the guest, and after each piece with no `end`
 * @param passes whether nothing in an interval can stop the guest; `stands`: the one that the machine is in, or at whose end
 */
export function* searchBack<T>(
  history: History,
  from: Instant,
  judge: (vcpu: VirtualCpu | undefined, end: SliceEnd | undefined) => Found<T> | undefined,
  passes: (index: number, stands: number) => boolean,
): Generator<number, Found<T> | undefined> {
  history.leave();
  const { timeline } = history;
  const whole = Number(from.icount - timeline.instant(0).icount) || 1;
  let until = from;
  let index = timeline.lastWhere((instant) => compareInstants(instant, from) < 0);
  let stands = index;
  for (; index >= 0; index--) {
    const start = timeline.instant(index);
    if (compareInstants(start, until) >= 0) continue;
    if (passes(index, stands)) {
      until = start;
      continue;
    }
    history.moveTo(index);
    stands = index;
    let last: Found<T> | undefined;
    for (;;) {
      const progress = history.repeat({ kind: 'instant', instant: until });
      const found = progress.kind === 'met' ? judge(progress.vcpu, progress.end) : judge(undefined, undefined);
      if (found && isBefore(found.place, from)) last = found;
      if (progress.kind === 'reached' || progress.kind === 'end') break;
      yield (Number(from.icount - start.icount) - Number(until.icount - history.now().icount)) / whole;
    }
    if (last) return last;
    until = start;
  }
  return undefined;
}
