// What a region is made of: blocks along direct ways from a hot one, and its function.
import { OP_NEXT } from '../../spec/uops/index.js';
import { cutBlock, type DecodedBlock, type DecodedUop, decodedBlock } from './decoded.js';
import { type BlockFlags, blockFlags, type FlagState, statesAtStart } from './flag-state.js';
import { RegionWriter } from './region-writer.js';
import { type Graph, structureOf, writeStructured } from './structure.js';
import type { FunctionWriter } from './wasm-writer.js';

/** More would keep V8's optimizing compiler busy for long. */
const MAX_BLOCKS = 64;
const MAX_UOPS = 512;
const PAGE_MASK = ~0xfff;

/** Finds a decoded block by host address and mode; 0: there is none. */
export type FindBlock = (hpa: number, mode: number) => number;

/** How a block goes on: offsets from its start. */
interface Ways {
  readonly taken?: number;
  readonly next?: number;
}

function waysOf(block: DecodedBlock): Ways {
  const last = block.uops.at(-1) as DecodedUop;
  const step = last.row?.body.at(-1);
  if (last.op === OP_NEXT) return { next: block.bytes };
  if (step?.step === 'branch') return { taken: last.target, next: last.next };
  if (step?.step === 'jump' && step.to.op === 'target') return { taken: last.target };
  return {};
}

interface Node {
  block: DecodedBlock;
  ways: Ways;
  /** Nodes that the ways lead to; undefined: out of the region. */
  taken?: number;
  next?: number;
}

function discover(memory: DataView, root: DecodedBlock, find: FindBlock): Node[] {
  const nodes: Node[] = [{ block: root, ways: waysOf(root) }];
  const known = new Map<number, number>([[root.hpa, 0]]);
  let uops = root.uops.length;
  const reach = (from: DecodedBlock, offset: number): number | undefined => {
    const hpa = from.hpa + offset;
    const at = known.get(hpa);
    if (at !== undefined) return at;
    if ((hpa & PAGE_MASK) !== (root.hpa & PAGE_MASK) || nodes.length >= MAX_BLOCKS || uops >= MAX_UOPS)
      return undefined;
    const address = find(hpa, root.mode);
    if (!address) return undefined;
    const block = decodedBlock(memory, address);
    if (block.secondPage) return undefined;
    known.set(hpa, nodes.length);
    uops += block.uops.length;
    nodes.push({ block, ways: waysOf(block) });
    return nodes.length - 1;
  };
  for (let n = 0; n < nodes.length; n++) {
    const node = nodes[n];
    if (node.ways.taken !== undefined) node.taken = reach(node.block, node.ways.taken);
    if (node.ways.next !== undefined) node.next = reach(node.block, node.ways.next);
  }
  cutAtStarts(nodes, known);
  return nodes;
}

/** Blocks are decoded from where they were entered and may overlap: each ends where another one starts. */
function cutAtStarts(nodes: readonly Node[], known: ReadonlyMap<number, number>): void {
  const starts = [...known.keys()].sort((a, b) => a - b);
  for (const node of nodes) {
    const { hpa, bytes } = node.block;
    const inside = starts.filter((start) => start > hpa && start < hpa + bytes);
    for (const start of inside) {
      const cut = cutBlock(node.block, start - hpa);
      if (!cut) continue;
      node.block = cut;
      node.ways = { next: start - hpa };
      node.taken = undefined;
      node.next = known.get(start);
      break;
    }
  }
}

export interface Region {
  readonly code: FunctionWriter;
  readonly blocks: number;
  readonly instructions: number;
}

/** Compiles the region of a block; undefined: nothing to win there. */
export function compileRegion(memory: DataView, rootAddress: number, find: FindBlock): Region | undefined {
  const root = decodedBlock(memory, rootAddress);
  if (root.secondPage || !root.uops[0].row) return undefined;
  const nodes = discover(memory, root, find);
  const graph: Graph = {
    successors: nodes.map(({ taken, next }) => [taken, next].filter((to): to is number => to !== undefined)),
  };
  const structure = structureOf(graph);
  const predecessors: number[][] = nodes.map(() => []);
  graph.successors.forEach((successors, from) => {
    for (const to of successors) if (!structure.breaks(from, to)) predecessors[to].push(from);
  });
  const flags: BlockFlags[] = nodes.map(({ block }) => blockFlags(block));
  const { start, forced } = statesAtStart(flags, predecessors);
  const blocks = nodes.map(({ block }) => block);
  const writer = new RegionWriter(blocks, root);
  writeStructured(graph, structure, {
    open: (kind) => writer.code.open(kind),
    close: () => {
      writer.code.close();
    },
    branch: (place) => {
      writer.code.branch(place);
    },
    node: (n, go) =>
      writeNode(writer, nodes[n], start[n], (to, offset) => {
        const inside = to !== undefined && !structure.breaks(n, to);
        if (!inside) {
          writer.leaveAt(offset);
          return;
        }
        if (forced[to]) writer.storeFlags();
        go(to);
      }),
  });
  return {
    code: writer.finish(),
    blocks: blocks.length,
    instructions: blocks.reduce((sum, block) => sum + block.instructions, 0),
  };
}

function writeNode(
  writer: RegionWriter,
  { block, ways, taken, next }: Node,
  start: FlagState,
  go: (to: number | undefined, offset: number) => void,
): void {
  writer.begin(block, start);
  const last = block.uops.length - 1;
  for (let n = 0; n <= last; n++) {
    if (n === last && block.uops[n].op === OP_NEXT) break;
    if (!writer.uop(n)) return;
  }
  if (ways.taken === undefined && ways.next === undefined) {
    if (block.uops[last].row?.body.at(-1)?.step === 'jump') writer.leaveTo();
    else writer.leaveAt(block.bytes);
    return;
  }
  if (ways.next === undefined) {
    // the target was computed for its own sake
    writer.code.op('drop');
    go(taken, ways.taken as number);
    return;
  }
  if (ways.taken === undefined) {
    go(next, ways.next);
    return;
  }
  const state = writer.state;
  writer.code.open('if');
  go(taken, ways.taken);
  writer.code.close();
  writer.resume(block, state);
  go(next, ways.next);
}
