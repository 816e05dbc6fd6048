// Where a region looks whether enough instructions are left, and for how many: on the ways that go back in a loop, behind
// handlers, and before what is left grows too much. Its entry is looked at by who enters it. Blocks between only count: without
// a way out they cost less, and flags that nothing reads die across them. Looks stand on ways, not in blocks: there the flags
// are known, and a block that begins by overwriting them needs none of those that its ways lead there with.
import { OP_NEXT } from '../../spec/uops/index.js';
import type { DecodedBlock } from './decoded.js';
import type { Reducible } from './irreducible.js';
import type { Graph } from './structure.js';

/** What is left to the interpreter at the end of a slice: much less than a slice. */
export const MOST_AHEAD = 64;

export interface Budget {
  /** Instructions that must be left when a node begins: up to the next looks. */
  readonly ahead: readonly number[];
  /** Is it looked on the way whether they are? Else they were when its start was looked at. */
  readonly looks: (from: number, to: number) => boolean;
}

/** After a handler fewer may be left than before. */
export const calls = ({ uops }: DecodedBlock): boolean =>
  uops.some(({ op, row, device }) => op !== OP_NEXT && (!row || device || row.row.guard !== undefined));

/** @param graph without the nodes that decide where a loop is entered: it is looked on the ways to them */
export function budgetOf(blocks: readonly DecodedBlock[], graph: Graph, structure: Reducible): Budget {
  const { order, place, breaks, decided } = structure;
  const ahead = blocks.map(({ instructions }) => instructions);
  const looked = blocks.map(() => new Set<number>());
  for (const node of order.filter((one) => one < blocks.length).reverse()) {
    const { instructions } = blocks[node];
    const called = calls(blocks[node]);
    for (const to of graph.successors[node]) {
      if (breaks(node, to)) continue;
      const back = place[to] <= place[node] || decided(node, to) !== undefined;
      if (back || called || instructions + ahead[to] > MOST_AHEAD) looked[node].add(to);
      else ahead[node] = Math.max(ahead[node], instructions + ahead[to]);
    }
  }
  return { ahead, looks: (from, to) => looked[from].has(to) };
}
