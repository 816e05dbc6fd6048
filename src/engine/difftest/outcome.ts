// From the state at the handler's HLT back to the state that the instruction left.
import { HANDLERS, isIa32e, isReal, type Ranges } from './bed.js';
import type { Case, Change, Ending, Outcome } from './case.js';

/** What a runner hands over when the machine has stopped. */
export interface FinalState {
  ending: Ending;
  detail: string;
  gpr: BigUint64Array;
  rip: bigint;
  rflags: number;
  /** es cs ss ds fs gs. */
  selectors: Uint16Array;
  ssBase: number;
  /** SS.B: the stack pointer is ESP, not SP. */
  ssBig: boolean;
  cr2: bigint;
  /** The machine's memory, address 0 first. */
  memory: Uint8Array;
}

const RSP = 4;
const CS = 1;
const SS = 2;
/** Exceptions that push an error code. @sdm 3A 6.3.1 "External Interrupts" table 6-1 */
const WITH_ERROR_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);
const MASK16 = 0xffffn;
const MASK32 = 0xffff_ffffn;

/** The outcome of a case that a runner cannot run, with its reason. */
export const notRun = (c: Case, detail: string): Outcome => ({
  ending: 'unsupported',
  vector: -1,
  errorCode: 0,
  cr2: 0n,
  gpr: c.gpr,
  rip: 0n,
  rflags: c.rflags,
  selectors: new Uint16Array(6),
  changes: [],
  detail,
});

/** Answers whether two pieces of memory are the same; runners give a native one. */
export type SameBytes = (start: number, bytes: number) => boolean;

const PAGE = 4096;
/** Bytes that differ and lie closer than this are one change. */
const JOIN = 4;

/** Byte ranges of `ranges` where memory differs from `before`. */
export function findChanges(ranges: Ranges, memory: Uint8Array, before: Uint8Array, same: SameBytes): Change[] {
  const changes: Change[] = [];
  for (const [start, bytes] of ranges) {
    if (same(start, bytes)) continue;
    let from = -1;
    let last = -1;
    const flush = (): void => {
      if (from >= 0) changes.push({ address: from, bytes: Uint8Array.from(memory.subarray(from, last + 1)) });
      from = -1;
    };
    for (let page = start; page < start + bytes; page += PAGE) {
      if (same(page, PAGE)) continue;
      for (let at = page; at < page + PAGE; at++) {
        if (memory[at] === before[at]) continue;
        if (from >= 0 && at - last > JOIN) flush();
        if (from < 0) from = at;
        last = at;
      }
    }
    flush();
  }
  return changes;
}

/**
 * Erases the handler's frame in `state.memory`.
 * @param ranges where changes are looked for
 * @param before the image with the case's code and pokes in it
 */
export function normalise(c: Case, state: FinalState, ranges: Ranges, before: Uint8Array, same: SameBytes): Outcome {
  const outcome: Outcome = {
    ending: state.ending,
    vector: -1,
    errorCode: 0,
    cr2: 0n,
    gpr: state.gpr,
    rip: state.rip,
    rflags: state.rflags,
    selectors: state.selectors,
    changes: [],
    detail: state.detail,
  };
  const handler = isReal(c.mode) ? state.rip + BigInt(state.selectors[CS] << 4) : state.rip;
  const vector = Number(handler) - HANDLERS - 1;
  if (state.ending === 'halt' && vector >= 0 && vector < 256 && (state.selectors[CS] & 3) === 0) {
    outcome.ending = 'exception';
    outcome.vector = vector;
    if (vector === 14) outcome.cr2 = state.cr2;
    const rsp = state.gpr[RSP];
    const at = isIa32e(c.mode) ? Number(rsp & MASK32) : Number(rsp & (state.ssBig ? MASK32 : MASK16)) + state.ssBase;
    if (at + 48 > state.memory.length) {
      outcome.detail = `frame outside memory at 0x${at.toString(16)}`;
    } else {
      const end = at + readFrame(c, outcome, state, at);
      state.memory.set(before.subarray(at, end), at);
    }
  }
  outcome.changes = findChanges(ranges, state.memory, before, same);
  return outcome;
}

/** Takes the frame at `at` apart into the outcome; answers its bytes. */
function readFrame(c: Case, outcome: Outcome, state: FinalState, at: number): number {
  const view = new DataView(state.memory.buffer, state.memory.byteOffset + at, 48);
  const rsp = state.gpr[RSP];
  if (isReal(c.mode)) {
    outcome.rip = BigInt(view.getUint16(0, true));
    outcome.selectors[CS] = view.getUint16(2, true);
    outcome.rflags = (state.rflags & ~0xffff) | view.getUint16(4, true);
    outcome.gpr[RSP] = (rsp & ~MASK16) | ((rsp + 6n) & MASK16);
    return 6;
  }
  const hasCode = WITH_ERROR_CODE.has(outcome.vector);
  const word = isIa32e(c.mode) ? 8 : 4;
  let next = 0;
  const pop = (): bigint => {
    const value = word === 8 ? view.getBigUint64(next, true) : BigInt(view.getUint32(next, true));
    next += word;
    return value;
  };
  if (hasCode) outcome.errorCode = Number(pop() & MASK32);
  outcome.rip = pop();
  outcome.selectors[CS] = Number(pop() & MASK16);
  outcome.rflags = Number(pop() & MASK32);
  const outer = (outcome.selectors[CS] & 3) !== 0;
  if (word === 8 || outer) {
    outcome.gpr[RSP] = pop();
    outcome.selectors[SS] = Number(pop() & MASK16);
  } else {
    const mask = state.ssBig ? MASK32 : MASK16;
    outcome.gpr[RSP] = (rsp & ~mask) | ((rsp + BigInt(next)) & mask);
  }
  return next;
}
