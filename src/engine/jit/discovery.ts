// The blocks of a region: along the ways from a hot one, as far as they are decoded.
import { OP_NEXT } from '../../spec/uops/index.js';
import { REG_RIP, REG_ZERO } from '../core/layout.js';
import {
  blocksInPage,
  cutBlock,
  type DecodedBlock,
  type DecodedUop,
  decodedBlock,
  findDecoded,
  instructionStarts,
} from './decoded.js';
import { blockFlags } from './flag-state.js';

/** More would keep V8's optimizing compiler busy for long. */
const MAX_BLOCKS = 96;
const MAX_UOPS = 600;
/** Without a loop through the first block, there is less to win. */
const MAX_STRAIGHT_BLOCKS = 10;
/** Pages beside the first one. */
const MAX_PAGES = 7;
/** Places that a computed jump leads to inside the region. */
const MAX_TARGETS = 48;
/** How far they may lie apart for a table of each byte between. */
export const MAX_TABLE = 1024;
const PAGE = 4096;

/** Where a block of the region lies: linear addresses go by the distance from the first block's RIP. */
export interface Site {
  block: DecodedBlock;
  readonly delta: number;
  /** The interpreter's own block goes on over a breakpoint: a way out in the middle runs its instruction alone. */
  readonly broken: boolean;
}

/** How a block ends. */
type Ending =
  | 'runs on'
  | 'handler'
  | 'branch'
  | 'jump'
  | 'call'
  | 'computed jump'
  | 'computed call'
  | 'return'
  | 'leaves';

/** Where they lead to is not known. */
const GOES_ANYWHERE: ReadonlySet<Ending> = new Set(['computed jump', 'computed call']);
/** The address is on the stack. */
export const HAS_TARGET: ReadonlySet<Ending> = new Set(['jump', 'call', 'computed jump', 'computed call', 'return']);

export interface Node extends Site {
  /** Bytes of the interpreter's block, which a way out in the middle goes on in. */
  readonly wholeBytes: number;
  ending: Ending;
  /** Nodes that the ways lead to; undefined: out of the region. */
  taken?: number;
  next?: number;
}

function endingOf(block: DecodedBlock): Ending {
  const last = block.uops.at(-1) as DecodedUop;
  if (last.op === OP_NEXT) return 'runs on';
  if (last.handler) return last.handler.ends ? 'handler' : 'runs on';
  const step = last.row?.body.at(-1);
  const handler = last.row?.row.handler;
  if (step?.step === 'branch') return 'branch';
  // what is left to a handler never comes to its end
  if (step?.step !== 'jump') return last.row ? 'runs on' : 'leaves';
  if (step.to.op === 'target') return handler === 'execCall' ? 'call' : 'jump';
  return handler === 'execRet' ? 'return' : handler === 'execCallNear' ? 'computed call' : 'computed jump';
}

/** A page that the region depends on beside its first: distance of its start from the first one's, and its frame. */
export interface FurtherPage {
  readonly delta: number;
  readonly hpa: number;
}

/** Host page of the linear page so far from the root's page; 0: not known without a walk. */
export type FindPage = (delta: number) => number;

/** Is there a debugger's breakpoint so far from the root's RIP? */
export type FindBreakpoint = (delta: number) => boolean;

/**
 * Where a table of addresses of 4 or 8 bytes leads to, as distances from the root's RIP. It lies at an offset from a base
 * register as it stands now, from the root's RIP (REG_RIP) or from 0 (REG_ZERO). What it answers is a guess.
 */
export type FindTable = (base: number, offset: number, bytes: number) => number[];

/** What surrounds a region's first block, by the distance from it. */
export interface Surroundings {
  readonly findPage: FindPage;
  readonly breaksAt: FindBreakpoint;
  readonly findTable: FindTable;
}

/** Code of a region, by the distance from its first block; without bytes: a breakpoint that it ends before. */
export interface Range {
  readonly delta: number;
  readonly bytes: number;
}

/** How far a region's code and branches reach from its first block. */
export interface Reach {
  low: number;
  high: number;
}

export class Discovery {
  readonly reach: Reach = { low: 0, high: 0 };
  /** Breakpoints that ways out of the region lead to. */
  readonly cuts = new Set<number>();
  /** Breakpoints inside instructions, which no way leads to. */
  readonly #beside = new Set<number>();
  nodes: Node[] = [];
  readonly pages = new Map<number, number>();
  /** Nodes behind calls. */
  returns = new Set<number>();
  /** Nodes that computed jumps may lead to. */
  targets = new Set<number>();
  readonly #known = new Map<number, number>();
  #uops = 0;
  #straight = false;

  constructor(
    readonly memory: DataView,
    readonly root: DecodedBlock,
    readonly around: Surroundings,
  ) {
    this.pages.set(0, root.hpa & -PAGE);
    if (this.#add(root, 0) === undefined) return;
    for (let n = 0; n < this.nodes.length; n++) this.#follow(this.nodes[n]);
    if (this.nodes.some(({ ending }) => GOES_ANYWHERE.has(ending))) {
      const before = this.nodes.length;
      this.#addTargets();
      for (let n = before; n < this.nodes.length; n++) this.#follow(this.nodes[n]);
    }
    this.#cutAtStarts();
    this.#keep(this.#worthwhile());
  }

  /** No way leads back to the first block: an entry runs no more than each instruction once, or an inner loop. */
  get straight(): boolean {
    return this.#straight;
  }

  get instructions(): number {
    return this.nodes.reduce((sum, { block }) => sum + block.instructions, 0);
  }

  successors(node: Node): number[] {
    const to = [node.taken, node.next, ...this.computed(node)].filter((one): one is number => one !== undefined);
    return [...new Set(to)];
  }

  /** Nodes that lead back to the first one; without any, the nearest ones. */
  #worthwhile(): ReadonlySet<number> {
    const predecessors: number[][] = this.nodes.map(() => []);
    this.nodes.forEach((node, from) => {
      for (const to of this.successors(node)) predecessors[to].push(from);
    });
    const kept = new Set<number>();
    const waiting = [...predecessors[0]];
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      if (kept.has(node)) continue;
      kept.add(node);
      waiting.push(...predecessors[node]);
    }
    this.#straight = kept.size === 0;
    if (this.#straight) for (let n = 0; n < Math.min(this.nodes.length, MAX_STRAIGHT_BLOCKS); n++) kept.add(n);
    return kept.add(0);
  }

  #keep(kept: ReadonlySet<number>): void {
    const order = [...this.nodes.keys()].filter((node) => kept.has(node));
    const renamed = new Map(order.map((node, n) => [node, n]));
    const rename = (node: number | undefined): number | undefined =>
      node === undefined ? undefined : renamed.get(node);
    const all = (set: ReadonlySet<number>): Set<number> =>
      new Set([...set].map(rename).filter((node): node is number => node !== undefined));
    this.nodes = order.map((node) => {
      const { taken, next, ...rest } = this.nodes[node];
      return { ...rest, taken: rename(taken), next: rename(next) };
    });
    this.returns = all(this.returns);
    this.targets = all(this.targets);
    const used = new Set(
      this.nodes.flatMap(({ block, delta }) => [delta, delta + block.bytes - 1].map((at) => this.#pageStart(at))),
    );
    for (const page of this.pages.keys()) if (page !== 0 && !used.has(page)) this.pages.delete(page);
  }

  #pageStart(delta: number): number {
    return Math.floor(((this.root.hpa % PAGE) + delta) / PAGE) * PAGE;
  }

  /** A block up to the first breakpoint inside it; undefined: its first micro-op cannot be had without one. */
  #upToBreakpoint(block: DecodedBlock, delta: number): DecodedBlock | undefined {
    const starts = instructionStarts(block);
    const first = starts.find(({ offset }) => this.around.breaksAt(delta + offset));
    const bytes = first ? (block.uops[first.uop - 1]?.next ?? 0) : block.bytes;
    for (let n = 1; n < bytes; n++) {
      if (this.around.breaksAt(delta + n) && !starts.some(({ offset }) => offset === n)) this.#beside.add(delta + n);
    }
    if (!first) return block;
    this.cuts.add(delta + first.offset);
    return cutBlock(block, bytes);
  }

  /** Where the region's code is, breakpoints between instructions left out. */
  ranges(): Range[] {
    const out: Range[] = [...this.cuts].map((delta) => ({ delta, bytes: 0 }));
    const places = new Set<number>();
    for (const { wholeBytes, delta } of this.nodes) for (let n = 0; n < wholeBytes; n++) places.add(delta + n);
    for (const delta of this.#beside) places.delete(delta);
    let start: number | undefined;
    for (const delta of [...places].sort((a, b) => a - b)) {
      start ??= delta;
      if (places.has(delta + 1)) continue;
      out.push({ delta: start, bytes: delta + 1 - start });
      start = undefined;
    }
    return out;
  }

  #add(found: DecodedBlock, delta: number): number | undefined {
    const block = this.#upToBreakpoint(found, delta);
    if (!block) return undefined;
    if (block.secondPage) {
      const page = this.#page(delta + (PAGE - (block.hpa % PAGE)));
      if (page !== block.secondPage) return undefined;
    }
    const node = this.nodes.length;
    this.#known.set(delta, node);
    this.#uops += block.uops.length;
    for (const to of [delta, delta + found.bytes - 1, delta + found.branch]) {
      this.reach.low = Math.min(this.reach.low, to);
      this.reach.high = Math.max(this.reach.high, to);
    }
    const broken = block !== found;
    const ending = broken ? 'runs on' : endingOf(block);
    this.nodes.push({ block, delta, broken, wholeBytes: block.bytes, ending });
    return node;
  }

  /** Frame of the page that a place lies in. */
  #page(delta: number): number {
    const page = this.#pageStart(delta);
    const known = this.pages.get(page);
    if (known !== undefined) return known;
    if (this.pages.size > MAX_PAGES) return 0;
    const found = this.around.findPage(page);
    if (found) this.pages.set(page, found);
    return found;
  }

  #reach(delta: number): number | undefined {
    const known = this.#known.get(delta);
    if (known !== undefined) return known;
    if (this.nodes.length >= MAX_BLOCKS || this.#uops >= MAX_UOPS) return undefined;
    if (this.around.breaksAt(delta)) {
      this.cuts.add(delta);
      return undefined;
    }
    const page = this.#page(delta);
    if (!page) return undefined;
    const offset = (((this.root.hpa + delta) % PAGE) + PAGE) % PAGE;
    const address = findDecoded(this.memory, page + offset, this.root.mode);
    return address ? this.#add(decodedBlock(this.memory, address), delta) : undefined;
  }

  #follow(node: Node): void {
    const { block, delta, ending } = node;
    const last = block.uops.at(-1) as DecodedUop;
    if (ending === 'branch' || ending === 'jump' || ending === 'call') node.taken = this.#reach(delta + last.target);
    if (ending === 'runs on' || ending === 'handler' || ending === 'branch')
      node.next = this.#reach(delta + block.bytes);
    if (ending === 'call' || ending === 'computed call') {
      const back = this.#reach(delta + block.bytes);
      if (back !== undefined) this.returns.add(back);
    }
  }

  /**
   * Where computed jumps and calls may lead to: what their table holds; where there is none, whatever else is decoded in the
   * first page, nearest first.
   */
  #addTargets(): void {
    const jumps = this.nodes.filter(({ ending }) => GOES_ANYWHERE.has(ending));
    const tables = jumps.map((jump) => this.#table(jump));
    const unknown = jumps.filter((_, n) => tables[n].length === 0);
    for (const delta of [...tables.flat(), ...this.#near(unknown)]) {
      if (this.targets.size >= MAX_TARGETS) break;
      const node = this.#known.get(delta) ?? this.#reach(delta);
      // no compiler leaves flags to whoever a computed jump leads to
      if (node !== undefined && !blockFlags(this.nodes[node].block).needs) this.targets.add(node);
    }
  }

  #table({ block, delta }: Node): number[] {
    const { row, base, index, displacement } = block.uops.at(-1) as DecodedUop;
    if (row?.row.form !== 'M' || index === REG_ZERO) return [];
    return this.around.findTable(base, base === REG_RIP ? delta + displacement : displacement, 1 << row.row.size);
  }

  #near(jumps: readonly Node[]): number[] {
    if (jumps.length === 0) return [];
    const first = this.root.hpa;
    return (
      blocksInPage(this.memory, first & -PAGE, this.root.mode)
        .map((hpa) => hpa - first)
        .map((delta) => ({
          delta,
          far: Math.min(...jumps.map((jump) => Math.abs(delta - jump.delta - jump.block.bytes))),
        }))
        // so near that a table of each byte between holds them
        .filter(({ far }) => far < MAX_TABLE / 2)
        .sort((a, b) => a.far - b.far)
        .map(({ delta }) => delta)
    );
  }

  /** Blocks are decoded from where they were entered and may overlap: each ends where another one starts. */
  #cutAtStarts(): void {
    const starts = [...this.#known.keys()].sort((a, b) => a - b);
    for (const node of this.nodes) {
      const inside = starts.filter((start) => start > node.delta && start < node.delta + node.block.bytes);
      for (const start of inside) {
        const cut = cutBlock(node.block, start - node.delta);
        if (!cut) continue;
        node.block = cut;
        node.ending = 'runs on';
        node.taken = undefined;
        node.next = this.#known.get(start);
        break;
      }
    }
  }

  /** Nodes that a block's end may lead to by an address from memory or a register. */
  computed(node: Node): readonly number[] {
    if (node.ending === 'return') return [...this.returns];
    return GOES_ANYWHERE.has(node.ending) ? [...this.targets] : [];
  }
}

/**
 * Where the loop around a block begins. A slice ends anywhere, and blocks end after so many instructions: one that no branch
 * leads to is seldom entered again, the head of its loop in each turn. Answers the block's address and its distance, and
 * what was found around the given one.
 */
export function loopHead(
  memory: DataView,
  rootAddress: number,
  around: Surroundings,
): { at: number; delta: number; discovery: Discovery } {
  const discovery = new Discovery(memory, decodedBlock(memory, rootAddress), around);
  const own = { at: rootAddress, delta: 0 };
  const { nodes } = discovery;
  if (nodes.some(({ taken }) => taken === 0)) return { ...own, discovery };
  const heads = nodes.flatMap(({ taken, delta }) => {
    const head = taken === undefined ? undefined : nodes[taken];
    return head && head.delta <= delta ? [{ at: head.block.at, delta: head.delta }] : [];
  });
  // the innermost one: what begins last before the block
  const before = heads.filter(({ delta }) => delta < 0).sort((a, b) => b.delta - a.delta);
  return { ...(before[0] ?? own), discovery };
}
