// Loops that have their head in common. A region begins where its innermost loop does: the way around that loop and the way around
// the loop outside of it lead back to the same node. As one WebAssembly loop, V8 would give the inner one neither registers of
// its own nor turns written twice. So such a head begins two loops, one in the other.
import type { Graph, Structure } from './structure.js';

/**
 * Nodes that lead back to a head around its inner loop, by heads of which others lead back around that loop and more.
 * @param isCopy nodes that stand for a loop's own: their ways back are of the inner loop
 */
export function innerLatches(
  { successors }: Graph,
  { order, place, isLoop, breaks }: Structure,
  isCopy: (node: number) => boolean,
): ReadonlyMap<number, ReadonlySet<number>> {
  const out = new Map<number, ReadonlySet<number>>();
  const predecessors: number[][] = successors.map(() => []);
  for (const from of order) for (const to of successors[from]) predecessors[to].push(from);
  for (const head of order.filter((node) => isLoop[node])) {
    const latches = predecessors[head].filter((from) => place[from] >= place[head] && !breaks(from, head));
    const around = latches
      .filter((latch) => !isCopy(latch))
      .map((latch) => ({ latch, nodes: loopOf(head, latch, predecessors) }));
    if (around.length < 2) continue;
    const least = around.reduce((a, b) => (b.nodes.size < a.nodes.size ? b : a));
    const isOuter = ({ latch, nodes }: { latch: number; nodes: ReadonlySet<number> }): boolean =>
      !least.nodes.has(latch) && nodes.has(least.latch);
    if (around.some(isOuter))
      out.set(head, new Set(latches.filter((latch) => isCopy(latch) || least.nodes.has(latch))));
  }
  return out;
}

/** What leads to a latch without the head in between. */
function loopOf(head: number, latch: number, predecessors: readonly (readonly number[])[]): ReadonlySet<number> {
  const nodes = new Set([head, latch]);
  // a set is walked over what joins it on the way
  for (const node of nodes) if (node !== head) for (const from of predecessors[node]) nodes.add(from);
  return nodes;
}
