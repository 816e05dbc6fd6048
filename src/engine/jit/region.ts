// A region: its blocks as one function.
import { OP_NEXT } from '../../spec/uops/index.js';
import { MAX_JIT_RANGES } from '../core/layout.js';
import { budgetOf } from './budget.js';
import { noteCompiled } from './decoded.js';
import {
  blockAt,
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
import { reducible } from './irreducible.js';
import { RegionWriter } from './region-writer.js';
import { innerLatches } from './shared-heads.js';
import { shadowOver } from './sti-shadow.js';
import { writeTurn } from './strip-turns.js';
import { Strips } from './strips.js';
import { writeStructured } from './structure.js';
import { type FunctionWriter, I32, I64 } from './wasm-writer.js';

/** What a region's code may grow to: V8 refuses functions of 7 MiB, and takes long for much less. */
const MAX_CODE_BYTES = 1 << 19;
class RegionTooLarge extends Error {}
/** Where a labelled node is branched to. */
type Label = (to: number) => number;
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
  /** More of its surroundings may be known later. */
  readonly hasHoles: boolean;
  /** It was to be small, and more of its surroundings is known. */
  readonly isCutShort: boolean;
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
  const root = found?.root ?? blockAt(memory, rootAddress, around);
  if ((!root.uops[0].row && !root.uops[0].handler) || around.breaksAt(0)) return undefined;
  const discovery = found ?? Discovery.of(memory, root, around);
  const { nodes: own } = discovery;
  // handlers alone are no faster than in the interpreter
  if (!own.some(({ block }) => block.uops.some(({ row }) => row))) return undefined;
  const ranges = discovery.ranges();
  if (ranges.length > MAX_JIT_RANGES) return undefined;
  const strips = new Strips(own, {
    successors: own.map((node) => discovery.successors(node)),
    labelled: new Set(
      own.map((node) => discovery.computed(node)).flatMap((targets) => (targets.length > 1 ? targets : [])),
    ),
  });
  const { nodes, graph } = strips;
  const structure = reducible(graph);
  const { labelled } = structure.graph;
  const predecessors: number[][] = nodes.map(() => []);
  for (const from of structure.order.filter((one) => one < nodes.length)) {
    for (const to of graph.successors[from]) if (!structure.breaks(from, to)) predecessors[to].push(from);
  }
  const flags: BlockFlags[] = nodes.map(({ block }) => blockFlags(block));
  const { start, forced, storedFlags } = statesAtStart(flags, predecessors);
  const { ahead, looks } = budgetOf(
    nodes.map(({ block }) => block),
    strips.budgetGraph,
    structure,
  );
  const writer = new RegionWriter(strips, root, storedFlags, around);
  const { code } = writer;
  /** What the nodes decide by that stand before loops with several entries. */
  const decisions = structure.decisions.map(() => code.local(I32));
  const decide = (from: number, to: number): number => {
    const decided = structure.decided(from, to);
    if (!decided) return to;
    code.i32(decided.number).set(decisions[decided.by - nodes.length]);
    return decide(from, decided.by);
  };
  /**
   * Writes branches to places, of which those that something decides before, and those of `first`, are reached by a step in
   * between.
   */
  const branches = (
    from: number,
    to: readonly number[],
    label: Label,
    write: (places: number[]) => void,
    first?: { needs: (to: number) => boolean; write: () => void },
  ): void => {
    const between = to.filter((one) => structure.decided(from, one) || first?.needs(one));
    const steps = new Map(between.map((one) => [one, code.open('block')]));
    write(to.map((one) => steps.get(one) ?? label(one)));
    for (const one of between.reverse()) {
      code.close();
      if (first?.needs(one)) first.write();
      code.branch(label(decide(from, one)));
    }
  };
  // what is owed where the one way to a node begins it; elsewhere all has been paid
  const owed = nodes.map(() => 0);
  if (strips.first) writer.strips.enter(strips.first, ahead[0]);
  const isCopy = (node: number): boolean => nodes[node]?.strip !== undefined;
  const written = writeRegion(() =>
    writeStructured(structure.graph, structure, innerLatches(structure.graph, structure, isCopy), {
      open: (kind) => code.open(kind),
      close: () => {
        code.close();
      },
      branch: (place) => {
        code.branch(place);
      },
      node: (n, onward, label) => {
        if (n >= nodes.length) {
          const number = n - nodes.length;
          branches(n, structure.decisions[number], label, (places) => {
            code.get(decisions[number]).table(places, places[0]);
          });
          return;
        }
        const inside = (to: number | undefined): to is number => to !== undefined && !structure.breaks(n, to);
        const go = (to: number | undefined, delta: number): void => {
          if (!inside(to)) {
            writer.leaveAt(delta - nodes[n].delta);
            return;
          }
          const turn = strips.way(n, to);
          if (turn) {
            const offset = delta - nodes[n].delta;
            writeTurn(writer, turn, { from: nodes[n], offset, looks: looks(n, to), ahead, goOn });
            return;
          }
          if (nodes[n].strip && !nodes[to].strip) writer.leaveStrip();
          if (looks(n, to)) writer.look(ahead[to], delta - nodes[n].delta);
          goOn(to);
        };
        /** Without a look whether enough instructions are left. */
        const goOn = (to: number): void => {
          if (forced[to]) writer.flags.store();
          else if (start[to].rule === 'unknown') writer.flags.tellKind();
          if (to !== 0 && predecessors[to].length === 1 && !labelled.has(to)) owed[to] = writer.owed;
          else writer.pay();
          onward(decide(n, to));
        };
        const choose = (): void => {
          const targets = discovery.computed(nodes[n]).filter(inside);
          writer.takeRip();
          if (targets.length === 1) {
            const { owed: then } = writer;
            const { state } = writer.flags;
            writer.openWhenAt(nodes[targets[0]].delta);
            go(targets[0], nodes[targets[0]].delta);
            code.close();
            writer.resume(nodes[n], state, then);
            writer.leaveThere();
            return;
          }
          const looked = targets.filter((to) => looks(n, to)).map((to) => ahead[to]);
          if (looked.length > 0) writer.look(Math.max(...looked), 'taken');
          const [unknown, known] = [true, false].map((is) =>
            targets.some((to) => (start[to].rule === 'unknown') === is),
          );
          if (unknown) writer.flags.tellKind(known);
          writer.pay();
          const choosing = (places: number[]): void => {
            chooseByRip(
              writer,
              targets.map((to, index) => ({ delta: nodes[to].delta, place: places[index] })),
            );
          };
          branches(n, targets, label, choosing, {
            needs: (to) => forced[to],
            write: () => {
              writer.flags.store();
            },
          });
        };
        const { next } = nodes[n];
        writer.shadow =
          inside(next) && !strips.way(n, next) ? shadowOver(nodes[next].block, start[next], ahead[next]) : undefined;
        writeNode(writer, nodes[n], start[n], owed[n], { go, choose });
      },
    }),
  );
  if (!written) return undefined;
  for (const { block } of own) noteCompiled(memory, block);
  const pages = [...discovery.pages].filter(([delta]) => delta !== 0).map(([delta, hpa]) => ({ delta, hpa }));
  return {
    code: writer.finish(),
    places: own.map(({ block }) => ({ hpa: block.hpa, bytes: block.bytes })),
    blocks: own.length,
    instructions: discovery.instructions,
    pages,
    ranges,
    reach: discovery.reach,
    storedFlags,
    ahead: ahead[0],
    hasHoles: discovery.hasHoles,
    isCutShort: discovery.isCutShort,
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
function chooseByRip(writer: RegionWriter, targets: readonly { delta: number; place: number }[]): void {
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
