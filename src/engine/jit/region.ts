// A region: its blocks as one function.
import { OP_NEXT } from '../../spec/uops/index.js';
import { MAX_JIT_RANGES } from '../core/layout.js';
import { budgetOf } from './budget.js';
import { decodedBlock, noteCompiled } from './decoded.js';
import {
  Discovery,
  type FurtherPage,
  HAS_TARGET,
  MAX_TABLE,
  type Node,
  type Range,
  type Reach,
  type Surroundings,
} from './discovery.js';
import { type BlockFlags, blockFlags, type FlagState, statesAtStart } from './flag-state.js';
import { RegionWriter } from './region-writer.js';
import { type Graph, structureOf, writeStructured } from './structure.js';
import { type FunctionWriter, I32, I64 } from './wasm-writer.js';

/** What a region's code may grow to: V8 refuses functions of 7 MiB, and takes long for much less. */
const MAX_CODE_BYTES = 1 << 19;
class RegionTooLarge extends Error {}
/** Targets of a computed jump that are asked one by one. */
const MAX_CHAIN = 6;

export interface Region {
  /** Where its blocks lie. */
  readonly places: readonly { readonly hpa: number; readonly bytes: number }[];
  readonly code: FunctionWriter;
  readonly blocks: number;
  readonly instructions: number;
  readonly pages: readonly FurtherPage[];
  readonly ranges: readonly Range[];
  readonly reach: Reach;
  /** Flags must be in RFLAGS at the entry. */
  readonly storedFlags: boolean;
  /** Instructions that must be left at the entry. */
  readonly ahead: number;
}

/**
 * Compiles the region of a block; undefined: nothing to win there.
 * @param found what `loopHead` has found around it
 */
export function compileRegion(
  memory: DataView,
  rootAddress: number,
  around: Surroundings,
  found?: Discovery,
): Region | undefined {
  const root = decodedBlock(memory, rootAddress);
  if ((!root.uops[0].row && !root.uops[0].handler) || around.breaksAt(0)) return undefined;
  const discovery = found ?? new Discovery(memory, root, around);
  const { nodes } = discovery;
  // handlers alone are no faster than in the interpreter
  if (!nodes.some(({ block }) => block.uops.some(({ row }) => row))) return undefined;
  const ranges = discovery.ranges();
  if (ranges.length > MAX_JIT_RANGES) return undefined;
  const graph: Graph = {
    successors: nodes.map((node) => discovery.successors(node)),
    labelled: new Set([...discovery.returns, ...discovery.targets]),
  };
  const structure = structureOf(graph);
  const predecessors: number[][] = nodes.map(() => []);
  for (const from of structure.order) {
    for (const to of graph.successors[from]) if (!structure.breaks(from, to)) predecessors[to].push(from);
  }
  const flags: BlockFlags[] = nodes.map(({ block }) => blockFlags(block));
  const { start, forced, storedFlags } = statesAtStart(flags, predecessors);
  const { ahead, looks } = budgetOf(
    nodes.map(({ block }) => block),
    graph,
    structure,
  );
  const writer = new RegionWriter(nodes, root, storedFlags);
  // what is owed where the one way to a node begins it; elsewhere all has been paid
  const owed = nodes.map(() => 0);
  const written = writeRegion(() =>
    writeStructured(graph, structure, {
      open: (kind) => writer.code.open(kind),
      close: () => {
        writer.code.close();
      },
      branch: (place) => {
        writer.code.branch(place);
      },
      node: (n, go, label) => {
        const inside = (to: number | undefined): to is number => to !== undefined && !structure.breaks(n, to);
        writeNode(writer, nodes[n], start[n], owed[n], {
          go: (to, delta) => {
            if (!inside(to)) {
              writer.leaveAt(delta - nodes[n].delta);
              return;
            }
            if (looks(n, to)) writer.look(ahead[to], delta - nodes[n].delta);
            if (forced[to]) writer.flags.store();
            else if (start[to].rule === 'unknown') writer.flags.tellKind();
            if (to !== 0 && predecessors[to].length === 1 && !graph.labelled.has(to)) owed[to] = writer.owed;
            else writer.pay();
            go(to);
          },
          choose: () => {
            const targets = discovery.computed(nodes[n]).filter(inside);
            writer.takeRip();
            const looked = targets.filter((to) => looks(n, to)).map((to) => ahead[to]);
            if (looked.length > 0) writer.look(Math.max(...looked), 'taken');
            if (targets.some((to) => forced[to])) writer.flags.store();
            const [unknown, known] = [true, false].map((is) =>
              targets.some((to) => (start[to].rule === 'unknown') === is),
            );
            if (unknown) writer.flags.tellKind(known);
            writer.pay();
            choose(
              writer,
              targets.map((to) => ({ delta: nodes[to].delta, place: label(to) })),
            );
          },
        });
      },
    }),
  );
  if (!written) return undefined;
  for (const { block } of nodes) noteCompiled(memory, block);
  const pages = [...discovery.pages].filter(([delta]) => delta !== 0).map(([delta, hpa]) => ({ delta, hpa }));
  return {
    code: writer.finish(),
    places: nodes.map(({ block }) => ({ hpa: block.hpa, bytes: block.bytes })),
    blocks: nodes.length,
    instructions: discovery.instructions,
    pages,
    ranges,
    reach: discovery.reach,
    storedFlags,
    ahead: ahead[0],
  };
}

/** False: the code grew beyond what a region may have. */
function writeRegion(write: () => void): boolean {
  try {
    write();
    return true;
  } catch (error) {
    if (error instanceof RegionTooLarge) return false;
    throw error;
  }
}

interface WaysOn {
  /** To a node, or out of the region at a distance from the root. */
  go(to: number | undefined, delta: number): void;
  /** To the RIP on the stack. */
  choose(): void;
}

function writeNode(writer: RegionWriter, node: Node, start: FlagState, owed: number, on: WaysOn): void {
  const { block, delta, ending, taken, next } = node;
  if (writer.code.size > MAX_CODE_BYTES) throw new RegionTooLarge();
  writer.begin(node, start, owed);
  const last = block.uops.length - 1;
  for (let n = 0; n <= last; n++) {
    if (n === last && block.uops[n].op === OP_NEXT) break;
    if (!writer.uop(n)) {
      writer.closeMicroOps(undefined);
      return;
    }
  }
  writer.closeMicroOps(ending === 'branch' ? I32 : HAS_TARGET.has(ending) ? I64 : undefined);
  const target = delta + block.uops[last].target;
  const behind = delta + block.bytes;
  switch (ending) {
    case 'leaves':
      return;
    case 'runs on':
    case 'handler':
      on.go(next, behind);
      return;
    case 'branch': {
      // both ways to the one place: a branch over nothing
      if (taken !== undefined && taken === next) {
        writer.code.op('drop');
        on.go(next, behind);
        return;
      }
      const { owed: then } = writer;
      const { state } = writer.flags;
      writer.code.open('if');
      on.go(taken, target);
      writer.code.close();
      writer.resume(node, state, then);
      on.go(next, behind);
      return;
    }
    case 'jump':
    case 'call':
      // the target was computed for its own sake
      writer.code.op('drop');
      on.go(taken, target);
      return;
    default:
      on.choose();
  }
}

/** Goes to one of the targets by the RIP that was taken, or leaves there. */
function choose(writer: RegionWriter, targets: readonly { delta: number; place: number }[]): void {
  const sorted = [...targets].sort((a, b) => a.delta - b.delta);
  const [first, last] = [sorted[0]?.delta ?? 0, sorted.at(-1)?.delta ?? 0];
  const range = last - first + 1;
  if (sorted.length > MAX_CHAIN && range <= MAX_TABLE) {
    const places = new Array<number | undefined>(range).fill(undefined);
    for (const { delta, place } of sorted) places[delta - first] = place;
    writer.branchByTable(first, places);
  } else for (const { delta, place } of sorted.slice(0, MAX_CHAIN * 2)) writer.branchWhenAt(delta, place);
  writer.leaveThere();
}
