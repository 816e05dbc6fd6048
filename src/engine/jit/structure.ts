// Control flow of a region as structured WebAssembly: loops and forward joins from the tree of dominators.
// After Ramsey, "Beyond Relooper: recursive translation of unstructured control flow to structured control flow".

/** A node's way on: to nodes of the region by number. */
export interface Graph {
  /** Successors of each node; node 0 is the entry. */
  readonly successors: readonly (readonly number[])[];
  /** Nodes that need a label, since computed jumps lead there. */
  readonly labelled: ReadonlySet<number>;
}

export interface Structure {
  /** Nodes in reverse postorder; those that the entry does not reach are left out. */
  readonly order: readonly number[];
  /** Place in the order; -1: not reached. */
  readonly place: readonly number[];
  /** Immediate dominator of each node. */
  readonly dominator: readonly number[];
  readonly isLoop: readonly boolean[];
  /** Several ways lead forward to it, or a computed one. */
  readonly isJoin: readonly boolean[];
  /** An edge that goes back to a node that does not dominate its start: the region is left there. */
  readonly breaks: (from: number, to: number) => boolean;
}

function reversePostorder(graph: Graph): number[] {
  const seen = new Set<number>([0]);
  const out: number[] = [];
  const stack: { node: number; next: number }[] = [{ node: 0, next: 0 }];
  for (let top = stack.at(-1); top; top = stack.at(-1)) {
    const to = graph.successors[top.node][top.next++];
    if (to === undefined) {
      out.push(top.node);
      stack.pop();
    } else if (!seen.has(to)) {
      seen.add(to);
      stack.push({ node: to, next: 0 });
    }
  }
  return out.reverse();
}

/** Dominators by the iteration of Cooper, Harvey and Kennedy. */
export function structureOf(graph: Graph): Structure {
  const order = reversePostorder(graph);
  const place = graph.successors.map(() => -1);
  order.forEach((node, n) => {
    place[node] = n;
  });
  const predecessors: number[][] = graph.successors.map(() => []);
  for (const node of order) for (const to of graph.successors[node]) predecessors[to].push(node);
  const dominator = graph.successors.map(() => -1);
  dominator[0] = 0;
  const common = (one: number, other: number): number => {
    let [a, b] = [one, other];
    while (a !== b) {
      while (place[a] > place[b]) a = dominator[a];
      while (place[b] > place[a]) b = dominator[b];
    }
    return a;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (const node of order.slice(1)) {
      const known = predecessors[node].filter((from) => dominator[from] >= 0);
      const best = known.reduce(common);
      if (dominator[node] !== best) {
        dominator[node] = best;
        changed = true;
      }
    }
  }
  const dominates = (a: number, b: number): boolean => {
    for (let node = b; ; node = dominator[node]) {
      if (node === a) return true;
      if (node === 0) return false;
    }
  };
  const backward = (from: number, to: number): boolean => place[to] <= place[from];
  const breaks = (from: number, to: number): boolean => backward(from, to) && !dominates(to, from);
  const isLoop = graph.successors.map((_, node) =>
    predecessors[node].some((from) => backward(from, node) && dominates(node, from)),
  );
  const isJoin = graph.successors.map(
    (_, node) => graph.labelled.has(node) || predecessors[node].filter((from) => !backward(from, node)).length > 1,
  );
  return { order, place, dominator, isLoop, isJoin, breaks };
}

/** What the walk over the structure asks of who writes the code. */
export interface StructureWriter {
  open(kind: 'block' | 'loop'): number;
  close(): void;
  branch(place: number): void;
  /**
   * Writes a node's code and, at its end, calls `go` once for each successor, where the way to it is taken; nothing may
   * follow. `label` answers where a labelled successor is branched to.
   */
  node(node: number, go: (to: number) => void, label: (to: number) => number): void;
}

/**
 * Writes the whole region.
 * @param inner by heads that begin two loops, one in the other: nodes that lead back around the inner one
 */
export function writeStructured(
  graph: Graph,
  structure: Structure,
  inner: ReadonlyMap<number, ReadonlySet<number>>,
  writer: StructureWriter,
): void {
  const { order, place, dominator, isLoop, isJoin } = structure;
  const joins = graph.successors.map((): number[] => []);
  for (const node of [...order].reverse()) {
    if (node !== 0 && isJoin[node]) joins[dominator[node]].push(node);
  }
  const loops = new Map<number, number>();
  const innerLoops = new Map<number, number>();
  const blocks = new Map<number, number>();
  const tree = (node: number): void => {
    if (isLoop[node]) loops.set(node, writer.open('loop'));
    if (inner.has(node)) innerLoops.set(node, writer.open('loop'));
    within(node, joins[node]);
    if (innerLoops.delete(node)) writer.close();
    if (loops.delete(node)) writer.close();
  };
  const within = (node: number, following: readonly number[]): void => {
    const [first, ...rest] = following;
    if (first === undefined) {
      const label = (to: number): number => {
        const back = inner.get(to)?.has(node) ? innerLoops : loops;
        return (place[to] <= place[node] ? back : blocks).get(to) as number;
      };
      writer.node(
        node,
        (to) => {
          if (place[to] <= place[node] || isJoin[to]) writer.branch(label(to));
          else tree(to);
        },
        label,
      );
      return;
    }
    blocks.set(first, writer.open('block'));
    within(node, rest);
    blocks.delete(first);
    writer.close();
    tree(first);
  };
  tree(0);
}
