// Pages that a region's accesses have found in the TLB. Where an access is likely to hit the page of one before, its address
// is compared with that page, and the TLB is looked up only where it differs. Nothing leaves the TLB, or takes another's place
// there, while a region runs, but by a handler that it calls.
import type { Step } from '../../spec/uops/row.js';
import { REG_RIP, REG_ZERO, TLB_READ, TLB_WRITE } from '../core/layout.js';
import type { DecodedUop } from './decoded.js';
import type { Site } from './discovery.js';
import { vectorCode } from './in-place.js';
import { inMemory } from './vector-code.js';
import { type FunctionWriter, I32, I64 } from './wasm-writer.js';

const RSP = 4;
const RBP = 5;
const RSI = 6;
const RDI = 7;
const GENERAL_REGISTERS = 16;
/** Each page takes two locals, and V8 has few registers. */
const MAX_LASTING = 4;
const MAX_SHORT = 4;
/** No address has it that is cut to its page. */
export const NO_PAGE = 1n;

/** Where a step of a micro-op accesses memory. */
export type Place = Extract<Step, { step: 'access' | 'store' }>['at'];

/** Locals of a page: its linear address or NO_PAGE, and what makes host addresses out of linear ones. */
export interface KnownPage {
  readonly linear: number;
  readonly addend: number;
}

/** Register that alone makes up an address, but for a displacement. */
function registerOf(at: Place, { base, index }: DecodedUop): number | undefined {
  // expressions stand for places on the stack
  if (typeof at !== 'string' || at === 'top') return RSP;
  if (at === 'frame') return RBP;
  if (at === 'source') return RSI;
  if (at === 'destination') return RDI;
  return index === REG_ZERO && base < GENERAL_REGISTERS ? base : undefined;
}

/** What is the same page nearly always, from one block to another: that of the stack's top, and those of fixed addresses. */
function lastingName(at: Place, uop: DecodedUop, offset: number): string | undefined {
  if (registerOf(at, uop) === RSP) return 'stack';
  if (at !== 'operand' && at !== 'plain') return undefined;
  if (uop.base === REG_ZERO) {
    // a table's entries lie in several pages; what is no general register is a segment's base
    return uop.index < GENERAL_REGISTERS ? undefined : `page ${uop.displacement >> 12}`;
  }
  return uop.base === REG_RIP ? `page ${(offset + uop.displacement) >> 12} from the code's` : undefined;
}

function eachAccess(uop: DecodedUop, visit: (table: number, at: Place) => void): void {
  const steps = (body: readonly Step[]): void => {
    for (const step of body) {
      if (step.step === 'access') visit(step.kind === 'read' ? TLB_READ : TLB_WRITE, step.at);
      if (step.step === 'store') visit(TLB_WRITE, step.at);
      if (step.step === 'skipIf') steps(step.instead);
    }
  };
  if (uop.row) steps(uop.row.body);
  else if (inMemory(uop)) {
    const code = vectorCode(uop);
    if (code) visit(code.writesMemory ? TLB_WRITE : TLB_READ, 'operand');
  }
}

/** The names that occur most often. */
const most = (uses: ReadonlyMap<string, number>, least: number, count: number): string[] =>
  [...uses]
    .filter(([, times]) => times >= least)
    .sort((a, b) => b[1] - a[1])
    .slice(0, count)
    .map(([name]) => name);

export class KnownPages {
  readonly #lasting: ReadonlyMap<string, KnownPage>;
  /** By a register, as long as it does not change inside a block. */
  readonly #short: ReadonlyMap<string, KnownPage>;
  /** Those of them that the running block has accessed. */
  readonly #seen = new Set<string>();

  /** @param rootOffset place of the region's first block in its page */
  constructor(
    readonly code: FunctionWriter,
    sites: readonly Site[],
    readonly rootOffset: number,
  ) {
    const lasting = new Map<string, number>();
    const short = new Map<string, number>();
    const count = (uses: Map<string, number>, name: string): void => {
      uses.set(name, (uses.get(name) ?? 0) + 1);
    };
    for (const { block, delta } of sites) {
      const here = new Map<string, number>();
      for (const uop of block.uops) {
        eachAccess(uop, (table, at) => {
          const name = lastingName(at, uop, rootOffset + delta);
          const register = registerOf(at, uop);
          if (name !== undefined) count(lasting, `${table} ${name}`);
          else if (register !== undefined) count(here, `${table} ${register}`);
        });
      }
      for (const [name, times] of here) short.set(name, Math.max(short.get(name) ?? 0, times));
    }
    const made = (name: string): [string, KnownPage] => [name, { linear: code.local(I64), addend: code.local(I32) }];
    this.#lasting = new Map(most(lasting, 1, MAX_LASTING).map(made));
    this.#short = new Map(most(short, 2, MAX_SHORT).map(made));
    this.forget();
  }

  /** A block begins: what its registers hold is not known. */
  begin(): void {
    this.#seen.clear();
  }

  /** A register changes. */
  changed(register: number): void {
    for (const table of [TLB_READ, TLB_WRITE]) this.#seen.delete(`${table} ${register}`);
  }

  /** At the entry, and behind a handler: the TLB may be another. */
  forget(): void {
    for (const { linear } of [...this.#lasting.values(), ...this.#short.values()]) this.code.i64(NO_PAGE).set(linear);
    this.#seen.clear();
  }

  /**
   * The page of an access, if it has one.
   * @param delta where its block lies
   * @returns likely: its address is to be compared; else nothing is known of it yet
   */
  of(table: number, at: Place, uop: DecodedUop, delta: number): { page: KnownPage; likely: boolean } | undefined {
    const lasting = lastingName(at, uop, this.rootOffset + delta);
    if (lasting !== undefined) {
      const page = this.#lasting.get(`${table} ${lasting}`);
      return page && { page, likely: true };
    }
    const name = `${table} ${registerOf(at, uop)}`;
    const page = this.#short.get(name);
    if (!page) return undefined;
    const likely = this.#seen.has(name);
    this.#seen.add(name);
    return { page, likely };
  }
}
