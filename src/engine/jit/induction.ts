// How the registers of an innermost loop change from turn to turn, and what its accesses' addresses are made of.
import type { Step } from '../../spec/uops/row.js';
import { MODE_CODE64, TLB_READ, TLB_WRITE } from '../core/layout.js';
import type { DecodedUop } from './decoded.js';
import type { Site } from './discovery.js';
import { vectorCode } from './in-place.js';
import type { Place } from './known-pages.js';
import { added, type Known, low, ROOT_RIP, registerSum, type Sum, sameSum, sumOf, widened } from './linear-form.js';
import { GENERAL_REGISTERS } from './operand-code.js';
import { registerOf } from './region-registers.js';
import { inMemory } from './vector-code.js';

const RSP = 4;
const RBP = 5;
const RSI = 6;
const RDI = 7;
const FIXED: Readonly<Partial<Record<Exclude<Place, object>, number>>> = {
  top: RSP,
  frame: RBP,
  source: RSI,
  destination: RDI,
};

/** Registers by number; those that are missing are not known. */
type State = ReadonlyMap<number, Sum>;

/** One access of a loop, as often as its micro-op has alike ones. */
export interface LoopAccess {
  readonly uop: DecodedUop;
  readonly table: number;
  readonly at: Place;
  readonly bytes: number;
  /** From the registers at the head of the same turn. */
  readonly address: Sum;
}

export interface LoopFacts {
  readonly accesses: readonly LoopAccess[];
  /** What is added to registers in each turn, by registers that stay; those that change otherwise are missing. */
  readonly strides: ReadonlyMap<number, Stride>;
}

export interface Stride {
  readonly by: Sum;
  /** The register is cut to 32 bits in each turn. */
  readonly isCut: boolean;
}

export interface LoopNode {
  readonly site: Site;
  /** Nodes of the loop that lead here, but for the ways back to its head. */
  readonly from: readonly number[];
}

/**
 * @param nodes of the loop in an order in which each comes behind those that lead to it, the head first
 * @param latches those that lead back to the head
 */
export function loopFacts(nodes: ReadonlyMap<number, LoopNode>, latches: ReadonlySet<number>): LoopFacts {
  const accesses: LoopAccess[] = [];
  const ends = new Map<number, State>();
  const heads = new Map<number, Sum>([[ROOT_RIP, registerSum(ROOT_RIP)]]);
  for (let n = 0; n < GENERAL_REGISTERS; n++) heads.set(n, registerSum(n));
  for (const [number, { site, from }] of nodes) {
    const state = from.length === 0 ? heads : met(from.map((one) => ends.get(one)!));
    ends.set(number, throughBlock(site, state, accesses));
  }
  return { accesses, strides: stridesOf(met([...latches].map((one) => ends.get(one)!))) };
}

function met([first, ...rest]: readonly State[]): State {
  const out = new Map<number, Sum>();
  for (const [register, sum] of first) {
    const alike = rest.every((state) => {
      const other = state.get(register);
      return other !== undefined && sameSum(other, sum);
    });
    if (alike) out.set(register, sum);
  }
  return out;
}

function stridesOf(end: State): Map<number, Stride> {
  const out = new Map<number, Stride>();
  const stays = new Set(
    [...end].filter(([register, sum]) => sameSum(sum, registerSum(register))).map(([register]) => register),
  );
  for (const [register, sum] of end) {
    const [cut] = sum.cuts;
    const whole = sum.cuts.length === 0;
    if (!whole && (sum.cuts.length > 1 || sum.terms.size > 0 || sum.constant !== 0 || cut.times !== 1 || cut.isSigned))
      continue;
    const by = added(whole ? sum : { terms: cut.terms, cuts: [], constant: cut.constant }, registerSum(register), -1);
    if (by && [...by.terms.keys()].every((one) => stays.has(one))) out.set(register, { by, isCut: !whole });
  }
  return out;
}

function throughBlock({ block, delta }: Site, start: State, accesses: LoopAccess[]): State {
  const long = (block.mode & MODE_CODE64) !== 0;
  const state = new Map(start);
  for (const uop of block.uops) {
    const variables = new Map<string, Sum | undefined>();
    const known: Known = { uop, long, delta, variables, register: (register) => state.get(register) };
    const address = (at: Place): Sum | undefined => {
      if (typeof at !== 'string') return sumOf(known, at);
      const fixed = FIXED[at];
      return fixed === undefined ? sumOf(known, { op: 'address', size: 3 }) : state.get(fixed);
    };
    const access = (table: number, at: Place, bytes: number): void => {
      const sum = long ? address(at) : low(address(at));
      if (sum) accesses.push({ uop, table, at, bytes, address: sum });
    };
    const steps = (body: readonly Step[], sure: boolean): void => {
      for (const [n, step] of body.entries()) {
        if (step.step === 'let') variables.set(`${step.name} ${step.value.size}`, sumOf(known, step.value));
        if (step.step === 'access') access(step.kind === 'read' ? TLB_READ : TLB_WRITE, step.at, 1 << step.size);
        if (step.step === 'store') access(TLB_WRITE, step.at, 1 << step.size);
        if (step.step === 'skipIf') {
          steps(step.instead, false);
          steps(body.slice(n + 1), false);
          return;
        }
        if (step.step !== 'set') continue;
        const { register } = registerOf(uop, step.to, step.size);
        const value = sumOf(known, step.value);
        const sum = step.size === 2 ? widened(value, false, long) : step.size === 3 ? value : undefined;
        if (sum && sure) state.set(register, sum);
        else state.delete(register);
      }
    };
    if (uop.row) {
      steps(uop.row.body, true);
      continue;
    }
    const of = vectorCode(uop);
    if (!of) continue;
    if (inMemory(uop) && !of.findsOwn) access(of.writesMemory ? TLB_WRITE : TLB_READ, 'operand', of.bytes);
    for (const register of of.writesGeneral) state.delete(register);
  }
  return state;
}
