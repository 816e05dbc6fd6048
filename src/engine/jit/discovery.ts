// The blocks of a region: along the ways from a hot one, as far as they are decoded.
import { OP_NEXT } from '../../spec/uops/index.js';
import { REG_RIP, REG_ZERO } from '../core/layout.js';
import { type CallContext, CallContexts } from './call-contexts.js';
import {
  cutBlock,
  type DecodedBlock,
  type DecodedUop,
  decodedBlock,
  findDecoded,
  instructionStarts,
} from './decoded.js';
import type { Strip } from './strips.js';

/** More would keep V8's optimizing compiler busy for long: its time grows with more than the size. */
const MAX_BLOCKS = 96;
const MAX_UOPS = 600;
/** Of a region that has not shown yet that it runs for long. */
const MAX_FIRST_UOPS = 150;
/** The same of one that is only so large by its copies of functions. */
const MAX_FIRST_COPIED_UOPS = 300;
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
  /** The strip whose copy it stands in. */
  readonly strip?: Strip;
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
  readonly context: CallContext;
  /** Nodes that the ways lead to; undefined: out of the region. */
  taken?: number;
  next?: number;
  /** Nodes that its computed jump may lead to. */
  targets?: ReadonlySet<number>;
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

/** There are none anywhere: what would ask for each byte need not. */
export const NO_BREAKPOINTS: FindBreakpoint = () => false;

/**
 * Where a table of addresses of 4 or 8 bytes leads to, as distances from the root's RIP. It lies at an offset from a base
 * register as it stands now, from the root's RIP (REG_RIP) or from 0 (REG_ZERO). What it answers is a guess.
 */
export type FindTable = (base: number, offset: number, bytes: number) => number[];

/** Where the computed jump or call that ends at a distance from the root's RIP was seen to go, by distances from it. */
export type FindSeen = (behind: number) => number[];

/** What the TLBs tell of the guest's memory. */
export interface MemoryHints {
  /** The guest writes to pages that hold code too. */
  readonly writesBesideCode: boolean;
  /** What is added to most linear addresses to make the host's; undefined: it differs. */
  readonly usualAddend: number | undefined;
}

/** What surrounds a region's first block, by the distance from it. */
export interface Surroundings extends MemoryHints {
  readonly findPage: FindPage;
  readonly breaksAt: FindBreakpoint;
  readonly findTable: FindTable;
  readonly seenFrom: FindSeen;
  /** The region is to be small: it is compiled anew if its ways out are taken often. */
  readonly isFirst?: boolean;
  /** Blocks that were read, by address: one is looked at for each region that it may belong to. */
  readonly read?: Map<number, DecodedBlock>;
}

/** The block whose header lies at an address. */
export function blockAt(memory: DataView, address: number, { read }: Surroundings): DecodedBlock {
  const known = read?.get(address);
  if (known) return known;
  const block = decodedBlock(memory, address);
  read?.set(address, block);
  return block;
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
  readonly #contexts: CallContexts;
  #uops = 0;
  readonly #mostUops: number;
  #straight = false;
  #full = false;
  /** Entry of a function that calls itself and has returned to several copies. */
  #ambiguous: number | undefined;
  #hasHoles = false;

  private constructor(
    readonly memory: DataView,
    readonly root: DecodedBlock,
    readonly around: Surroundings,
    copies: boolean,
    rootEntry?: number,
    firstUops = MAX_FIRST_UOPS,
  ) {
    this.#contexts = new CallContexts(copies, rootEntry);
    this.#mostUops = around.isFirst ? firstUops : MAX_UOPS;
    this.pages.set(0, root.hpa & -PAGE);
    if (this.#add(root, 0, this.#contexts.root) === undefined) return;
    for (let n = 0; n < this.nodes.length; n++) this.#follow(this.nodes[n]);
    this.#cutAtStarts();
    this.#keep(this.#worthwhile());
  }

  /** What lies around a block: with a copy of a function for each call where that is not too much. */
  static of(memory: DataView, root: DecodedBlock, around: Surroundings): Discovery {
    const copied = Discovery.#copied(memory, root, around, MAX_FIRST_UOPS);
    if (!copied.#failed) return copied;
    const merged = new Discovery(memory, root, around, false);
    if (!around.isFirst || merged.#full) return merged;
    const larger = Discovery.#copied(memory, root, around, MAX_FIRST_COPIED_UOPS);
    return larger.#failed ? merged : larger;
  }

  static #copied(memory: DataView, root: DecodedBlock, around: Surroundings, firstUops: number): Discovery {
    const found = new Discovery(memory, root, around, true, undefined, firstUops);
    // the root stands inside of it: its calls lead back to the root's own copy
    return found.#ambiguous === undefined
      ? found
      : new Discovery(memory, root, around, true, found.#ambiguous, firstUops);
  }

  /** Its copies are too many, or returns cannot be told from each other. */
  get #failed(): boolean {
    return this.#contexts.all.length > 1 && (this.#full || this.#ambiguous !== undefined);
  }

  /** No way leads back to the first block: an entry runs no more than each instruction once, or an inner loop. */
  get straight(): boolean {
    return this.#straight;
  }

  /** Ways lead to what has not run yet, or was not seen to: later there may be more to find. */
  get hasHoles(): boolean {
    return this.#hasHoles;
  }

  /** Only its small size leaves out what else there is. */
  get isCutShort(): boolean {
    return this.#full && this.around.isFirst === true;
  }

  get instructions(): number {
    return this.nodes.reduce((sum, { block }) => sum + block.instructions, 0);
  }

  successors(node: Node): number[] {
    const to: number[] = [];
    if (node.taken !== undefined) to.push(node.taken);
    if (node.next !== undefined && node.next !== node.taken) to.push(node.next);
    for (const one of this.computed(node)) if (!to.includes(one)) to.push(one);
    return to;
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
    this.nodes = order.map((number) => {
      const node = this.nodes[number];
      node.taken = rename(node.taken);
      node.next = rename(node.next);
      if (node.targets) node.targets = all(node.targets);
      return node;
    });
    for (const context of this.#contexts.all) context.returns = all(context.returns);
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
    if (this.around.breaksAt === NO_BREAKPOINTS) return block;
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
    let start = 0;
    let end = 0;
    const put = (): void => {
      for (const at of this.#beside.size === 0 ? [] : [...this.#beside].sort((a, b) => a - b)) {
        if (at < start || at >= end) continue;
        if (at > start) out.push({ delta: start, bytes: at - start });
        start = at + 1;
      }
      if (end > start) out.push({ delta: start, bytes: end - start });
    };
    for (const { wholeBytes, delta } of [...this.nodes].sort((a, b) => a.delta - b.delta)) {
      if (delta > end || start === end) {
        put();
        start = delta;
        end = delta;
      }
      end = Math.max(end, delta + wholeBytes);
    }
    put();
    return out;
  }

  #add(found: DecodedBlock, delta: number, context: CallContext): number | undefined {
    const block = this.#upToBreakpoint(found, delta);
    if (!block) return undefined;
    if (block.secondPage) {
      const page = this.#page(delta + (PAGE - (block.hpa % PAGE)));
      if (page !== block.secondPage) return undefined;
    }
    const node = this.nodes.length;
    context.known.set(delta, node);
    this.#uops += block.uops.length;
    for (const to of [delta, delta + found.bytes - 1, delta + found.branch]) {
      this.reach.low = Math.min(this.reach.low, to);
      this.reach.high = Math.max(this.reach.high, to);
    }
    const broken = block !== found;
    const ending = broken ? 'runs on' : endingOf(block);
    this.nodes.push({ block, delta, broken, wholeBytes: block.bytes, ending, context });
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

  #reach(delta: number, context: CallContext): number | undefined {
    const known = context.known.get(delta);
    if (known !== undefined) return known;
    if (this.nodes.length >= MAX_BLOCKS || this.#uops >= this.#mostUops) {
      this.#full = true;
      return undefined;
    }
    if (this.around.breaksAt(delta)) {
      this.cuts.add(delta);
      return undefined;
    }
    const page = this.#page(delta);
    const offset = (((this.root.hpa + delta) % PAGE) + PAGE) % PAGE;
    const address = page && findDecoded(this.memory, page + offset, this.root.mode);
    if (address) return this.#add(blockAt(this.memory, address, this.around), delta, context);
    this.#hasHoles = true;
    return undefined;
  }

  #follow(node: Node): void {
    const { block, delta, ending, context } = node;
    const target = delta + (block.uops.at(-1) as DecodedUop).target;
    const behind = delta + block.bytes;
    if (ending === 'branch' || ending === 'jump') node.taken = this.#reach(target, context);
    if (ending === 'runs on' || ending === 'handler' || ending === 'branch') node.next = this.#reach(behind, context);
    if (ending === 'call') {
      const called = this.#contexts.called(context, target);
      node.taken = this.#reach(target, called);
      this.#returnsTo(called, behind, context);
    }
    if (GOES_ANYWHERE.has(ending)) this.#addTargets(node);
  }

  /** Behind a call, whose function was looked at first. */
  #returnsTo(called: CallContext, behind: number, context: CallContext): void {
    const back = this.#reach(behind, context);
    if (back === undefined) return;
    // whose copy a return leads to cannot be told
    for (const other of called.returns)
      if (other !== back && this.nodes[other].delta === behind) this.#ambiguous ??= called.entry;
    called.returns.add(back);
  }

  /** Where computed jumps and calls may lead to: what their table holds, and where they were seen to go. */
  #addTargets(jump: Node): void {
    const { block, delta, ending, context } = jump;
    const behind = delta + block.bytes;
    const targets = new Set<number>();
    for (const to of new Set([...this.#table(jump), ...this.around.seenFrom(behind)])) {
      if (targets.size >= MAX_TARGETS) break;
      const called = ending === 'computed call' ? this.#contexts.called(context, to) : context;
      const node = this.#reach(to, called);
      if (node === undefined) continue;
      targets.add(node);
      if (ending === 'computed call') this.#returnsTo(called, behind, context);
    }
    if (targets.size === 0) this.#hasHoles = true;
    jump.targets = targets;
  }

  #table({ block, delta }: Node): number[] {
    const { row, base, index, displacement } = block.uops.at(-1) as DecodedUop;
    if (row?.row.form !== 'M' || index === REG_ZERO) return [];
    return this.around.findTable(base, base === REG_RIP ? delta + displacement : displacement, 1 << row.row.size);
  }

  /** Blocks are decoded from where they were entered and may overlap: each ends where another one starts. */
  #cutAtStarts(): void {
    for (const { known } of this.#contexts.all) {
      const starts = [...known.keys()].sort((a, b) => a - b);
      for (const number of known.values()) {
        const node = this.nodes[number];
        const end = node.delta + node.block.bytes;
        for (let n = starts.indexOf(node.delta) + 1; starts[n] < end; n++) {
          const start = starts[n];
          const cut = cutBlock(node.block, start - node.delta);
          if (!cut) continue;
          node.block = cut;
          node.ending = 'runs on';
          node.taken = undefined;
          node.targets = undefined;
          node.next = known.get(start);
          break;
        }
      }
    }
  }

  /** Nodes that a block's end may lead to by an address from memory or a register. */
  computed({ ending, context, targets }: Node): readonly number[] {
    return ending === 'return' ? [...context.returns] : [...(targets ?? [])];
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
  const discovery = Discovery.of(memory, blockAt(memory, rootAddress, around), around);
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
