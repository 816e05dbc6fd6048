// What is known about the lazy flags at a place of a region: how k, fr and fs were made.

import { bitsOf, RFLAGS } from '../../spec/flags.js';
import type { Size } from '../../spec/uops/expression.js';
import { FLAG_KINDS } from '../../spec/uops/flags.js';
import { type FlagStep, factsOf, type Step } from '../../spec/uops/row.js';
import type { DecodedBlock, DecodedUop } from './decoded.js';

/** stored: in RFLAGS. unknown: any of them, only k tells. */
export type FlagRuleState = 'stored' | 'given' | 'added' | 'subtracted' | 'increment' | 'decrement' | 'unknown';

export interface FlagState {
  readonly rule: FlagRuleState;
  readonly size: Size;
}

export const STORED: FlagState = { rule: 'stored', size: 0 };
export const GIVEN: FlagState = { rule: 'given', size: 0 };
export const UNKNOWN: FlagState = { rule: 'unknown', size: 0 };

/** Number that k has in a state. */
export const kindOf = ({ rule, size }: FlagState): number =>
  rule === 'stored' ? FLAG_KINDS.stored : rule === 'given' ? FLAG_KINDS.given : FLAG_KINDS[rule as 'added'] + size;

/** ROL and ROR change these alone: it needs no RFLAGS. */
export const CARRY_AND_OVERFLOW = bitsOf(RFLAGS, 'CF', 'OF');

export const sameState = (a: FlagState, b: FlagState): boolean => a.rule === b.rule && a.size === b.size;

/** The state behind a step, as lower.ts makes it. */
export function after({ rule, size, carry, mask }: FlagStep, before: FlagState): FlagState {
  switch (rule) {
    case 'added':
    case 'subtracted':
      return carry ? GIVEN : { rule, size };
    case 'logic':
    case 'given':
      return GIVEN;
    case 'some':
      if (mask !== CARRY_AND_OVERFLOW) return STORED;
      return before.rule === 'stored' ? STORED : before.rule === 'unknown' ? UNKNOWN : GIVEN;
    default:
      return { rule, size };
  }
}

interface FlagFacts {
  readonly step: FlagStep | undefined;
  readonly skips: boolean;
}

/** By the row's body: a region asks for each of its micro-ops several times. */
const FLAG_FACTS = new WeakMap<readonly Step[], FlagFacts>();

function flagFacts(body: readonly Step[]): FlagFacts {
  let known = FLAG_FACTS.get(body);
  if (!known) {
    known = {
      step: body.find((step): step is FlagStep => step.step === 'flags'),
      skips: body.some(({ step }) => step === 'skipIf'),
    };
    FLAG_FACTS.set(body, known);
  }
  return known;
}

const flagStep = (body: readonly Step[]): FlagStep | undefined => flagFacts(body).step;

/**
 * Does what this micro-op leaves of the old flags die before anything can see it? True when a later one of the block
 * writes all of them, with no way out of the block, and no reader, between.
 */
export function oldFlagsDie(block: DecodedBlock, at: number): boolean {
  for (let n = at + 1; n < block.uops.length; n++) {
    const { row, device } = block.uops[n];
    if (!row || device) return false;
    const facts = factsOf(row.body);
    // a fused branch writes its flags before it ends the block
    if (facts.stops || row.row.guard || (facts.readsFlags && !readsAfterWriting(row.body))) return false;
    if (facts.writesFlags === 'all') return true;
    if (facts.ends) return false;
  }
  return false;
}

/** Conditions of a body stand behind its own flags. */
export function readsAfterWriting(body: readonly Step[]): boolean {
  let known = READS_AFTER.get(body);
  if (known === undefined) {
    const write = body.findIndex(({ step }) => step === 'flags');
    known = write >= 0 && !factsOf(body.slice(0, write + 1)).readsFlags;
    READS_AFTER.set(body, known);
  }
  return known;
}

const READS_AFTER = new WeakMap<readonly Step[], boolean>();

/**
 * Does the micro-op need to know how the flags before it were made? A handler that keeps them needs not: the core puts those of any
 * kind into RFLAGS for it.
 */
export function needsState(block: DecodedBlock, at: number): boolean {
  const { row, handler, device } = block.uops[at];
  if (device) return true;
  if (!row) return handler !== undefined && !handler.lean && !(handler.keepsFlags && handler.name !== 'execPushf');
  const facts = factsOf(row.body);
  if (facts.readsFlags && !readsAfterWriting(row.body)) return true;
  if (facts.writesFlags !== 'some' || oldFlagsDie(block, at)) return false;
  return !skips(row.body) || flagStep(row.body)?.rule === 'some';
}

/** A count of 0 leaves out the rest of the body, flags and all. */
export const skips = (body: readonly Step[]): boolean => flagFacts(body).skips;

export interface BlockFlags {
  /** A micro-op needs the state that comes into the block. */
  readonly needs: boolean;
  /** State at the end for one at the start. */
  end(start: FlagState): FlagState;
}

export function blockFlags(block: DecodedBlock): BlockFlags {
  let needs = false;
  let fixed: FlagState | undefined;
  block.uops.forEach((uop, n) => {
    if (fixed === undefined && needsState(block, n)) needs = true;
    if (isWhole(uop)) fixed = STORED;
    if (!uop.row || isWhole(uop)) return;
    const step = flagStep(uop.row.body);
    if (!step) return;
    if (factsOf(uop.row.body).writesFlags === 'all') fixed = after(step, UNKNOWN);
    else if (fixed !== undefined) fixed = partly(step, uop.row.body, fixed);
  });
  return {
    needs,
    end: (start) => {
      let state = start;
      for (const uop of block.uops) {
        const { row } = uop;
        if (isWhole(uop)) {
          state = STORED;
          continue;
        }
        const step = row && flagStep(row.body);
        if (!step) continue;
        state = factsOf(row.body).writesFlags === 'all' ? after(step, state) : partly(step, row.body, state);
      }
      return state;
    },
  };
}

/** Its handler, or who runs it alone, finds the flags in RFLAGS and leaves others there. */
const isWhole = ({ handler, device }: DecodedUop): boolean => device || (handler !== undefined && !handler.keepsFlags);

/** Flags that are changed in RFLAGS itself. */
export const toStored = ({ rule, mask }: FlagStep): boolean => rule === 'some' && mask !== CARRY_AND_OVERFLOW;

/** Behind a step that leaves some flags, or is left out by a count of 0. */
export function partly(step: FlagStep, body: readonly Step[], before: FlagState): FlagState {
  if (!skips(body)) return after(step, before);
  if (before.rule === 'unknown') return UNKNOWN;
  return before.rule === 'stored' || toStored(step) ? STORED : GIVEN;
}

/** The state in which each block starts: what its predecessors agree on. */
export function statesAtStart(
  flags: readonly BlockFlags[],
  predecessors: readonly (readonly number[])[],
): {
  start: FlagState[];
  /** Ways into these blocks must put the flags into RFLAGS. */
  forced: boolean[];
  /** So must the way into the first one. */
  storedFlags: boolean;
} {
  const forced = flags.map(() => false);
  for (;;) {
    const start: (FlagState | undefined)[] = flags.map((_, n) => (forced[n] ? STORED : undefined));
    const entry = flags[0].needs || forced[0] ? STORED : UNKNOWN;
    start[0] = entry;
    for (let changed = true; changed; ) {
      changed = false;
      flags.forEach((_, n) => {
        if (forced[n]) return;
        const incoming = predecessors[n].flatMap((from) => {
          const state = start[from];
          return state ? [flags[from].end(state)] : [];
        });
        if (n === 0) incoming.push(entry);
        const [first, ...rest] = incoming;
        if (!first) return;
        const met = rest.every((state) => sameState(state, first)) ? first : UNKNOWN;
        if (!start[n] || !sameState(met, start[n])) {
          // states only fall, so that this ends
          if (start[n]?.rule === 'unknown') return;
          start[n] = start[n] && !sameState(met, start[n]) ? UNKNOWN : met;
          changed = true;
        }
      });
    }
    const missing = flags.findIndex((block, n) => block.needs && !forced[n] && start[n]?.rule === 'unknown');
    if (missing < 0) {
      return { start: start.map((state) => state ?? STORED), forced, storedFlags: entry === STORED };
    }
    // whoever hands over an unknown state must know it itself
    const force = (n: number): void => {
      if (forced[n]) return;
      forced[n] = true;
      for (const from of predecessors[n]) {
        const state = start[from];
        if (state && flags[from].end(state).rule === 'unknown') force(from);
      }
    };
    force(missing);
  }
}
