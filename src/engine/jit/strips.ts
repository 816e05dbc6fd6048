// Copies of innermost loops for turns that stay in their pages. An access whose address moves by the same distance in each turn
// needs no look into the TLB for as many turns as are left to the end of its page, and these need not look for the end of the
// slice either. So the loop is written twice: the ordinary one finds out at the end of a turn how many such turns follow, and
// goes on in its copy; the copy returns to it at the last one's end, and the ordinary loop crosses the page. Ways out of the
// copy lead to where those of the loop do.
import { OP_NEXT } from '../../spec/uops/index.js';
import { MODE_CODE64, TLB_READ, TLB_WRITE } from '../core/layout.js';
import type { DecodedBlock, DecodedUop } from './decoded.js';
import type { Node } from './discovery.js';
import { vectorCode } from './in-place.js';
import { type LoopAccess, type LoopNode, loopFacts, type Stride } from './induction.js';
import { innermostLoops, type Loop, uopsOf } from './innermost-loops.js';
import type { Place } from './known-pages.js';
import { added, type Cut, cutKey, low, type Sum, sumKey } from './linear-form.js';
import { type Repeated, repeatedOf } from './repeated-turns.js';
import { type Graph, structureOf } from './structure.js';
import { isVex, SSE_OFF, VEX_OFF } from './vector-code.js';

/** Micro-ops of a loop that is copied, and of all copies of a region. */
const MAX_LOOP_UOPS = 96;
const MAX_COPIED_UOPS = 192;
/** Each takes a local in the copy, and V8 has few registers. */
const MAX_WINDOWS = 5;
/** Bytes that accesses of one window lie apart at most. */
const MAX_SPAN = 256;
/**
 * Micro-ops of a loop whose copy has four turns, or two. WebAssembly asks at the start of each turn of a loop whether the stack is to end: with
 * the count of instructions that is a third of what a short one does.
 */
const MAX_UOPS_FOUR = 6;
const MAX_UOPS_TWO = 14;
/** Turns that are worth a copy's set-up. */
export const LEAST_TURNS = 4;
const PAGE = 4096;

/** Accesses that move together, inside one page as long as a strip lasts. */
export interface Window {
  /** Address of its first byte in a turn, by the registers at the turn's start. */
  readonly start: Sum;
  readonly span: number;
  readonly reads: boolean;
  readonly writes: boolean;
  readonly stride: Sum;
  /** Displacement of its first access: it goes into the local that makes host addresses. */
  readonly displacement: number;
}

/** What must not leave 32 bits while a strip lasts. */
export interface Guard {
  readonly cut: Cut;
  readonly stride: Sum;
}

/** What must hold of vector instructions: bits of VECTORS_OFF are clear, and plain arithmetic may answer. */
export interface Vectors {
  readonly off: number;
  readonly plain: boolean;
}

export interface Strip {
  readonly head: number;
  readonly latches: ReadonlySet<number>;
  /** Nodes of the loop, and those of its copy by them: of several turns one after the other, of which the last leads to the first. */
  readonly copies: readonly ReadonlyMap<number, number>[];
  /** Where the copy begins. */
  readonly copyHead: number;
  /** Instructions of a turn, at least. */
  readonly instructions: number;
  readonly windows: readonly Window[];
  readonly guards: readonly Guard[];
  readonly vectors: Vectors;
  /** Accesses that need no look into the TLB. */
  readonly accesses: number;
  /** The window of an access in the copy. */
  readonly windowOf: (uop: DecodedUop, table: number, at: Place) => number | undefined;
}

/** What a way between two nodes means for a strip. */
export interface StripWay {
  readonly way: 'into the loop' | 'next turn' | 'next turn of the copy';
  readonly strip: Strip;
}

export class Strips {
  readonly #strips: readonly Strip[];
  /** All nodes: the copies behind the region's own. */
  readonly nodes: readonly Node[];
  readonly graph: Graph;
  /** The same without the ways into copies: it is looked there whether enough instructions are left. */
  readonly budgetGraph: Graph;

  constructor(
    readonly own: readonly Node[],
    graph: Graph,
  ) {
    const structure = structureOf(graph);
    const strips: Strip[] = [];
    const repeated: Repeated[] = [];
    const nodes = [...own];
    let room = MAX_COPIED_UOPS;
    for (const loops of innermostLoops(graph, structure)) {
      let best: Strip | undefined;
      for (const loop of loops) {
        const strip = graph.labelled.has(loop.head) ? undefined : stripOf(loop, own, nodes.length);
        if (strip && strip.accesses > (best?.accesses ?? 0)) best = strip;
      }
      const plain = best ? undefined : repeatedOf(loops, own, nodes.length);
      const copies = best?.copies ?? plain?.copies;
      if (!copies) continue;
      const uops = uopsOf(copies[0].keys(), own);
      if (uops > Math.min(MAX_LOOP_UOPS, room)) continue;
      room -= uops * copies.length;
      if (best) strips.push(best);
      if (plain) repeated.push(plain);
      for (const copy of copies) for (const [n, number] of copy) nodes[number] = own[n];
    }
    this.#strips = strips;
    const successors: number[][] = graph.successors.map((all) => [...all]);
    const write = ({ head, copies }: Repeated, strip?: Strip): void => {
      copies.forEach((turn, place) => {
        const following = copies[(place + 1) % copies.length];
        const renamed = (to: number): number => (to === head ? following : turn).get(to) ?? to;
        const way = (to: number | undefined): number | undefined => (to === undefined ? undefined : renamed(to));
        for (const [n, copy] of turn) {
          nodes[copy] = { ...own[n], strip, taken: way(own[n].taken), next: way(own[n].next) };
          successors[copy] = graph.successors[n].map(renamed);
        }
      });
    };
    for (const strip of strips) write(strip, strip);
    for (const loop of repeated) write(loop);
    this.nodes = nodes;
    this.budgetGraph = { successors: successors.map((all) => [...all]), labelled: graph.labelled };
    for (const strip of strips) {
      const { head, latches, copies, copyHead } = strip;
      for (const latch of latches) {
        successors[latch].push(copyHead);
        successors[copies.at(-1)!.get(latch)!].push(head);
      }
    }
    this.graph = { successors, labelled: graph.labelled };
  }

  get any(): boolean {
    return this.#strips.length > 0;
  }

  /** A strip that begins where the region does. */
  get first(): Strip | undefined {
    return this.#strips.find(({ head }) => head === 0);
  }

  way(from: number, to: number): StripWay | undefined {
    for (const strip of this.#strips) {
      const { head, latches, copyHead } = strip;
      if (to === head) return { way: latches.has(from) ? 'next turn' : 'into the loop', strip };
      if (to === copyHead) return { way: 'next turn of the copy', strip };
    }
    return undefined;
  }
}

/** Rows, and vector instructions in place: their handlers walk no tables where an access has found its page. */
const stays = (uop: DecodedUop): boolean => {
  const { op, row, device, handler } = uop;
  if (op === OP_NEXT) return true;
  if (row) return !device;
  // what rounds otherwise from there on is not asked for again
  if (!handler?.lean || !handler.vector || handler.name === 'execLdmxcsr') return false;
  return vectorCode(uop)?.asksMode === true;
};

function vectorsOf(blocks: readonly DecodedBlock[]): Vectors {
  const vectors = { off: 0, plain: false };
  for (const uop of blocks.flatMap(({ uops }) => uops)) {
    const guard = uop.row?.row.guard;
    const code = uop.row ? undefined : vectorCode(uop);
    if (guard || code) vectors.off |= guard === 'vex' || (code && isVex(uop)) ? VEX_OFF : SSE_OFF;
    if (code?.quick) vectors.plain = true;
  }
  return vectors;
}

function stripOf({ head, latches, nodes }: Loop, own: readonly Node[], first: number): Strip | undefined {
  for (const n of nodes.keys()) {
    const { block, ending, broken } = own[n];
    if (broken || !block.uops.every(stays) || !['runs on', 'branch', 'jump'].includes(ending)) return undefined;
  }
  const loopNodes = new Map([...nodes].map(([n, from]): [number, LoopNode] => [n, { site: own[n], from }]));
  const { accesses, strides } = loopFacts(loopNodes, latches);
  const found = windowsOf(accesses, strides, (own[head].block.mode & MODE_CODE64) !== 0);
  if (found.windows.length === 0) return undefined;
  const shortest = new Map<number, number>();
  for (const [n, from] of nodes) {
    const before = from.length === 0 ? 0 : Math.min(...from.map((one) => shortest.get(one)!));
    shortest.set(n, before + own[n].block.instructions);
  }
  const uops = uopsOf(nodes.keys(), own);
  const turns = uops <= MAX_UOPS_FOUR ? 4 : uops <= MAX_UOPS_TWO ? 2 : 1;
  const copies = Array.from(
    { length: turns },
    (_, turn) => new Map([...nodes.keys()].map((n, place) => [n, first + turn * nodes.size + place])),
  );
  return {
    head,
    latches,
    copies,
    copyHead: first,
    instructions: Math.min(...[...latches].map((one) => shortest.get(one)!)),
    vectors: vectorsOf([...nodes.keys()].map((n) => own[n].block)),
    ...found,
  };
}

/** An access whose address moves by the same distance in each turn. */
interface Moving {
  readonly access: LoopAccess;
  readonly address: Sum;
  readonly stride: Sum;
  readonly guards: readonly Guard[];
}

function movingOf(access: LoopAccess, strides: ReadonlyMap<number, Stride>, long: boolean): Moving | undefined {
  let address: Sum | undefined = access.address;
  // what is cut in each turn is cut when a turn begins
  for (const [register, times] of access.address.terms) {
    if (!strides.get(register)?.isCut) continue;
    const terms = new Map([[register, 1]]);
    const cut = { times, terms, constant: 0, isSigned: false };
    address = added(address, { terms: new Map([[register, -times]]), cuts: [cut], constant: 0 });
  }
  const strideOf = (terms: ReadonlyMap<number, number>): Sum | undefined => {
    let sum: Sum | undefined = { terms: new Map(), cuts: [], constant: 0 };
    for (const [register, times] of terms) sum = added(sum, strides.get(register)?.by, times);
    return sum;
  };
  let stride = address && strideOf(address.terms);
  const guards: Guard[] = [];
  for (const cut of address?.cuts ?? []) {
    const by = strideOf(cut.terms);
    // what moves by a register is a cut of its own
    const moves: Sum | undefined =
      by && by.terms.size > 0
        ? {
            terms: new Map(),
            constant: 0,
            cuts: [{ times: 1, terms: by.terms, constant: by.constant, isSigned: true }],
          }
        : by && { ...by, constant: by.constant | 0 };
    stride = added(stride, moves, cut.times);
    if (moves && (moves.constant !== 0 || moves.cuts.length > 0)) guards.push({ cut, stride: moves });
  }
  if (!long) stride = low(stride);
  return address && stride && { access, address, stride, guards };
}

/** A place that a micro-op's base, index and displacement tell. */
export const hasDisplacement = (at: Place): boolean => at === 'operand' || at === 'plain';

const isConstant = ({ terms, cuts }: Sum): boolean => terms.size === 0 && cuts.length === 0;

function windowsOf(
  accesses: readonly LoopAccess[],
  strides: ReadonlyMap<number, Stride>,
  long: boolean,
): Pick<Strip, 'windows' | 'guards' | 'accesses' | 'windowOf'> {
  const groups = new Map<string, Moving[]>();
  for (const access of accesses) {
    const moving = movingOf(access, strides, long);
    if (!moving) continue;
    const { stride, address } = moving;
    if (isConstant(stride) && Math.abs(stride.constant) * LEAST_TURNS > PAGE) continue;
    const key = sumKey(address);
    groups.set(key, [...(groups.get(key) ?? []), moving]);
  }
  const made: { window: Window; all: Moving[] }[] = [];
  for (const group of groups.values()) {
    const sorted = group.sort((a, b) => a.address.constant - b.address.constant);
    for (let from = 0; from < sorted.length; ) {
      const start = sorted[from].address;
      let to = from;
      let span = 0;
      for (; to < sorted.length; to++) {
        const end = sorted[to].address.constant + sorted[to].access.bytes - start.constant;
        if (end > MAX_SPAN) break;
        span = Math.max(span, end);
      }
      const all = sorted.slice(from, to);
      const uses = (table: number): boolean => all.some(({ access }) => access.table === table);
      const { stride, access } = all[0];
      const displacement = hasDisplacement(access.at) ? access.uop.displacement : 0;
      const window = { start, span, stride, displacement, reads: uses(TLB_READ), writes: uses(TLB_WRITE) };
      made.push({ window, all });
      from = to;
    }
  }
  const chosen = made.sort((a, b) => b.all.length - a.all.length).slice(0, MAX_WINDOWS);
  const guards = new Map<string, Guard>();
  const places = new Map<DecodedUop, { table: number; at: Place; window: number }[]>();
  chosen.forEach(({ all }, window) => {
    for (const { access, guards: own } of all) {
      const { uop, table, at } = access;
      places.set(uop, [...(places.get(uop) ?? []), { table, at, window }]);
      for (const guard of own) guards.set(cutKey(guard.cut), guard);
    }
  });
  return {
    windows: chosen.map(({ window }) => window),
    guards: [...guards.values()],
    accesses: chosen.reduce((sum, { all }) => sum + all.length, 0),
    windowOf: (uop, table, at) => places.get(uop)?.find((one) => one.table === table && one.at === at)?.window,
  };
}
