// Loops with several entries. WebAssembly has none of them, so each gets a node before it that decides where it is entered: the
// ways into it set a number first, and so do those ways back that no structured loop is made of. All other ways stay as they are.
import { type Graph, type Structure, structureOf } from './structure.js';

/** What is not mended then is left by its ways back. */
const MAX_ROUNDS = 48;

export interface Reducible extends Structure {
  /** The graph with the nodes that decide behind its own; what leads there is redirected. */
  readonly graph: Graph;
  /** Nodes that the deciding nodes lead to, by the node's number less that of the graph's nodes. */
  readonly decisions: readonly (readonly number[])[];
  /** The deciding node that stands in a way, and the number that the way sets; undefined: it goes straight on. */
  readonly decided: (from: number, to: number) => { by: number; number: number } | undefined;
}

class Mending {
  readonly successors: number[][];
  readonly decisions: number[][] = [];
  /** Deciding node by way. */
  readonly via = new Map<number, Map<number, number>>();
  readonly #count: number;

  constructor(readonly original: Graph) {
    this.successors = original.successors.map((all) => [...all]);
    this.#count = original.successors.length;
  }

  get graph(): Graph {
    const labelled = new Set(this.original.labelled);
    this.decisions.forEach((all, n) => {
      for (const to of [this.#count + n, ...all]) labelled.add(to);
    });
    return { successors: this.successors, labelled };
  }

  /** Mends the first way that breaks; false: there is none, or it cannot be. */
  step(structure: Structure): boolean {
    for (const from of structure.order) {
      for (const to of this.successors[from]) {
        if (structure.breaks(from, to)) return this.#mend(structure, from, to);
      }
    }
    return false;
  }

  #mend(structure: Structure, from: number, to: number): boolean {
    const { dominator, place } = structure;
    const dominates = (a: number, b: number): boolean => {
      for (let node = b; ; node = dominator[node]) {
        if (node === a) return true;
        if (node === 0) return false;
      }
    };
    let [above, other] = [from, to];
    while (above !== other) {
      if (place[above] > place[other]) above = dominator[above];
      else other = dominator[other];
    }
    const around = new Set(structure.order.filter((node) => node !== above && dominates(above, node)));
    const loop = this.#loopOf(to, around);
    const entered = new Map<number, number[]>();
    for (const node of structure.order) {
      if (loop.has(node)) continue;
      for (const into of this.successors[node]) {
        if (loop.has(into)) entered.set(into, [...(entered.get(into) ?? []), node]);
      }
    }
    const sources = new Set([...entered.values()].flat());
    const [only] = sources;
    if (sources.size === 1 && only >= this.#count) {
      // one decides already: no way inside goes to where it leads to, but in a loop of that node's own
      return this.#redirect(only, loop, (node, into) => !dominates(into, node));
    }
    const by = this.#count + this.decisions.length;
    this.decisions.push([...entered.keys()]);
    this.successors.push([...entered.keys()]);
    for (const [into, nodes] of entered) for (const node of nodes) this.#put(by, node, into);
    for (;;) {
      const now = structureOf(this.graph);
      if (!this.#redirect(by, loop, now.breaks)) return true;
    }
  }

  /** What both leads to a node and comes from it, inside a set. */
  #loopOf(node: number, within: ReadonlySet<number>): Set<number> {
    const ahead = this.#reached(node, (from) => this.successors[from].filter((to) => within.has(to)));
    const before = new Map<number, number[]>();
    for (const from of ahead) {
      for (const to of this.successors[from]) if (ahead.has(to)) before.set(to, [...(before.get(to) ?? []), from]);
    }
    return this.#reached(node, (to) => before.get(to) ?? []);
  }

  #reached(start: number, on: (node: number) => readonly number[]): Set<number> {
    const seen = new Set([start]);
    // a set is walked over what joins it on the way
    for (const node of seen) for (const next of on(node)) seen.add(next);
    return seen;
  }

  /** Ways inside a loop that go to what a node decides between go there by it, where they are to. */
  #redirect(by: number, loop: ReadonlySet<number>, which: (node: number, into: number) => boolean): boolean {
    let any = false;
    for (const node of loop) {
      for (const into of this.decisions[by - this.#count]) {
        if (this.successors[node].includes(into) && which(node, into)) {
          this.#put(by, node, into);
          any = true;
        }
      }
    }
    return any;
  }

  #put(by: number, from: number, into: number): void {
    this.successors[from] = [...new Set(this.successors[from].map((to) => (to === into ? by : to)))];
    const known = this.via.get(from) ?? new Map<number, number>();
    known.set(into, by);
    this.via.set(from, known);
  }
}

/** A graph whose loops have one entry each. */
export function reducible(original: Graph): Reducible {
  const mending = new Mending(original);
  const count = original.successors.length;
  let structure = structureOf(original);
  for (let round = 0; round < MAX_ROUNDS && mending.step(structure); round++) structure = structureOf(mending.graph);
  // who decides cannot leave
  const fails = mending.decisions.some((_, n) =>
    mending.successors[count + n].some((to) => structure.breaks(count + n, to)),
  );
  if (fails) {
    return { ...structureOf(original), graph: original, decisions: [], decided: () => undefined };
  }
  const decided = (from: number, to: number): { by: number; number: number } | undefined => {
    const by = mending.via.get(from)?.get(to);
    return by === undefined ? undefined : { by, number: mending.decisions[by - count].indexOf(to) };
  };
  return {
    ...structure,
    breaks: (from, to) => decided(from, to) === undefined && structure.breaks(from, to),
    graph: mending.graph,
    decisions: mending.decisions,
    decided,
  };
}
