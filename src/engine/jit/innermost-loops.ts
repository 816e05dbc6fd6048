// The loops of a region that have no others inside.
import type { Node } from './discovery.js';
import type { Graph, Structure } from './structure.js';

/** Micro-ops of nodes. */
export function uopsOf(nodes: Iterable<number>, own: readonly Node[]): number {
  let sum = 0;
  for (const n of nodes) sum += own[n].block.uops.length;
  return sum;
}

export interface Loop {
  readonly head: number;
  readonly latches: ReadonlySet<number>;
  /** In an order in which each comes behind those that lead to it, with these. */
  readonly nodes: ReadonlyMap<number, readonly number[]>;
}

/**
 * Loops without others inside, by their heads. A region often begins in the inner one of two loops, and then both have one head: so
 * with all ways back to a head, and with those alone that make the smallest loop.
 */
export function innermostLoops(graph: Graph, structure: Structure): Loop[][] {
  const { order, place, isLoop, breaks } = structure;
  const predecessors: number[][] = graph.successors.map(() => []);
  for (const from of order) for (const to of graph.successors[from]) predecessors[to].push(from);
  const around = (head: number, latches: readonly number[]): Loop | undefined => {
    const inside = new Set([head, ...latches]);
    // a set is walked over what joins it on the way
    for (const node of inside) if (node !== head) for (const from of predecessors[node]) inside.add(from);
    const nodes = new Map<number, readonly number[]>();
    for (const node of order) {
      if (!inside.has(node)) continue;
      const from = node === head ? [] : predecessors[node].filter((one) => inside.has(one));
      if (node !== head && (isLoop[node] || from.some((one) => place[one] >= place[node]))) return undefined;
      nodes.set(node, from);
    }
    return { head, latches: new Set(latches), nodes };
  };
  return order
    .filter((head) => isLoop[head])
    .map((head) => {
      const latches = predecessors[head].filter((from) => place[from] >= place[head] && !breaks(from, head));
      const each = latches.map((latch) => around(head, [latch])).filter((loop) => loop !== undefined);
      const [least] = each.sort((a, b) => a.nodes.size - b.nodes.size);
      const all = around(head, latches);
      const inner =
        least &&
        around(
          head,
          latches.filter((latch) => least.nodes.has(latch)),
        );
      return [all, inner].filter((loop) => loop !== undefined);
    });
}
