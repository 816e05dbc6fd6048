// A micro-op's row: what the decoder chooses it by, and its body.
import type { Expression, Size } from './expression.js';

/**
 * Operands: R the rm register, M memory, the second one R (r), M or I (immediate); the first is the destination.
 * J a branch's distance, none for no operands.
 */
export type Form = 'none' | 'R' | 'M' | 'I' | 'J' | 'RR' | 'RM' | 'MR' | 'RI' | 'MI';

/** Where memory is accessed: the operand, without index register (plain), the stack's top, what RBP points to, what
 * RSI and RDI do. */
export type Place = 'operand' | 'plain' | 'top' | 'frame' | 'source' | 'destination';

/**
 * How the status flags follow from `result` and `first` (the first operand). logic: CF, AF and OF are 0. given: CF, AF
 * and OF are the bits of `bits`. some: only those of `mask` change, to the bits of `bits`. increment and decrement leave CF.
 * added and subtracted with `carry`: one more when it is 1.
 */
export type FlagRule = 'added' | 'subtracted' | 'logic' | 'given' | 'some' | 'increment' | 'decrement';

export interface FlagStep {
  readonly step: 'flags';
  readonly rule: FlagRule;
  readonly size: Size;
  readonly result?: Expression;
  readonly first?: Expression;
  readonly carry?: Expression;
  readonly bits?: Expression;
  readonly mask?: number;
}

/**
 * A body in order; nothing is written before the last step that can fault. let: a local. access: translates the
 * memory that `mem` and `commit` then stand for. store: writes memory at once, at the operand or at an address on the
 * stack. leaveIf: the micro-op is its handler's. system: bits of RFLAGS that are no status flags. skipIf: nothing more happens but what it has `instead`.
 */
export type Step =
  | { readonly step: 'let'; readonly name: string; readonly value: Expression }
  | {
      readonly step: 'access';
      readonly kind: 'read' | 'write' | 'modify';
      readonly size: Size | 5;
      readonly at: Place | Expression;
    }
  | {
      readonly step: 'store';
      readonly size: Size;
      readonly at: 'operand' | 'plain' | 'destination' | Expression;
      readonly value: Expression;
    }
  | { readonly step: 'commit'; readonly values: readonly Expression[] }
  | { readonly step: 'set'; readonly to: 'r' | 'rm' | 'vex' | number; readonly size: Size; readonly value: Expression }
  | { readonly step: 'setVector'; readonly high: boolean; readonly value: Expression }
  | FlagStep
  | { readonly step: 'noncanonical'; readonly value: Expression }
  | { readonly step: 'leaveIf'; readonly test: Expression }
  | { readonly step: 'system'; readonly mask: number; readonly value: number }
  | { readonly step: 'skipIf'; readonly test: Expression; readonly instead: readonly Step[] }
  | { readonly step: 'branch'; readonly test: Expression }
  | { readonly step: 'jump'; readonly to: Expression };

/** When a vector move may go the short way: SSE or VEX on, its address aligned to 16 bytes. */
export type VectorGuard = 'sse' | 'sse aligned' | 'vex';

export interface UopRow {
  readonly name: string;
  /** Opcode-table handler that the micro-op stands for, and which of its operations. */
  readonly handler: string;
  readonly operation: number;
  readonly form: Form;
  readonly size: Size;
  readonly body: readonly Step[];
  /** Chosen among rows of the same key when the memory operand has no index register. */
  readonly plain?: boolean;
  /** Joined with the conditional branch behind it: one of these. */
  readonly fused?: readonly FusedRow[];
  /** Vector moves: else their handler is called. */
  readonly guard?: VectorGuard;
}

/** cc: the condition that it is for; undefined: for all of them, kept in the opcode's bits. */
export interface FusedRow {
  readonly cc: number | undefined;
  readonly name: string;
  readonly body: readonly Step[];
}

/** What a body does to memory, flags and the block's course. */
export interface UopFacts {
  readonly memory: 'none' | 'read' | 'write' | 'modify';
  /** May leave to its handler: an access that misses, a target that is not canonical. */
  readonly stops: boolean;
  readonly ends: boolean;
  readonly readsFlags: boolean;
  /** Which status flags it leaves: none, all, some. */
  readonly writesFlags: 'none' | 'all' | 'some';
}

/** Visits every expression of a body, inner ones too. */
export function eachExpression(body: readonly Step[], visit: (e: Expression) => void): void {
  const walk = (e: Expression | undefined): void => {
    if (e === undefined) return;
    visit(e);
    if ('a' in e) walk(e.a);
    if ('b' in e) walk(e.b);
    if (e.op === 'select') walk(e.test);
  };
  for (const step of body) {
    switch (step.step) {
      case 'let':
      case 'set':
      case 'setVector':
      case 'noncanonical':
        walk(step.value);
        break;
      case 'access':
        if (typeof step.at !== 'string') walk(step.at);
        break;
      case 'store':
        if (typeof step.at !== 'string') walk(step.at);
        walk(step.value);
        break;
      case 'commit':
        step.values.forEach(walk);
        break;
      case 'flags':
        walk(step.result);
        walk(step.first);
        walk(step.carry);
        walk(step.bits);
        break;
      case 'skipIf':
        walk(step.test);
        eachExpression(step.instead, visit);
        break;
      case 'branch':
      case 'leaveIf':
        walk(step.test);
        break;
      case 'jump':
        walk(step.to);
        break;
    }
  }
}

/** OF SF ZF AF PF CF. */
export const STATUS_FLAGS = 0x8d5;

const overwrites = ({ rule, mask }: FlagStep): boolean =>
  rule === 'some' ? mask === STATUS_FLAGS : rule !== 'increment' && rule !== 'decrement';

const KNOWN_FACTS = new WeakMap<readonly Step[], UopFacts>();

/** What follows from a body. */
export function factsOf(body: readonly Step[]): UopFacts {
  const known = KNOWN_FACTS.get(body);
  if (known) return known;
  const found = findFacts(body);
  KNOWN_FACTS.set(body, found);
  return found;
}

function findFacts(body: readonly Step[]): UopFacts {
  let memory: UopFacts['memory'] = 'none';
  let stops = false;
  let ends = false;
  let readsFlags = false;
  let writesFlags: UopFacts['writesFlags'] = 'none';
  let skips = false;
  for (const step of body) {
    switch (step.step) {
      case 'access':
        memory = step.kind;
        stops = true;
        break;
      case 'store':
        memory = memory === 'read' ? 'modify' : 'write';
        stops = true;
        break;
      case 'noncanonical':
      case 'leaveIf':
        stops = true;
        break;
      case 'skipIf':
        skips = true;
        break;
      case 'flags':
        writesFlags = skips || !overwrites(step) ? 'some' : 'all';
        break;
      case 'branch':
      case 'jump':
        ends = true;
        break;
    }
  }
  eachExpression(body, (e) => {
    if (e.op === 'carry' || e.op === 'condition' || e.op === 'status') readsFlags = true;
  });
  return { memory, stops, ends, readsFlags, writesFlags };
}

/**
 * Does a micro-op of that guard and body complete whatever it meets, all of it? Then nobody sees whether it ran in the shadow of STI:
 * interpreter and compiled code go on behind STI by this.
 */
export const alwaysCompletes = (guard: VectorGuard | undefined, body: readonly Step[]): boolean =>
  guard === undefined && !factsOf(body).stops && !body.some(({ step }) => step === 'skipIf');

/** Bytes of the memory operand that a body accesses, and whether it writes them; undefined: it has none. */
export function operandAccess(body: readonly Step[]): { bytes: number; writes: boolean } | undefined {
  for (const step of body) {
    if (step.step !== 'access' && step.step !== 'store') continue;
    if (step.at !== 'operand' && step.at !== 'plain') continue;
    return { bytes: 1 << step.size, writes: step.step === 'store' || step.kind !== 'read' };
  }
  return undefined;
}
