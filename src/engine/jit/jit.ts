// Compiles what the core found to be hot, and hands the functions to it.

import type { CoreExports } from '../core/core-exports.js';
import {
  BREAK_GEN,
  BREAKPOINT_COUNT,
  COUNTER_REGION_ANYWHERE,
  COUNTER_REGION_BREAKPOINT,
  COUNTER_REGION_ENTRIES,
  COUNTER_REGION_HANDLED,
  COUNTER_REGION_INSTRUCTIONS,
  COUNTER_REGION_LATE,
  COUNTER_REGION_LIMIT,
  COUNTER_REGION_MISSES,
  COUNTER_REGION_NO_PAGE,
  COUNTER_REGION_OUT,
  COUNTER_SAMPLES,
  COUNTERS,
  JIT_EPOCH,
  JIT_HEAT,
  JIT_PAGES,
  JIT_QUEUE,
  JIT_QUEUE_BYTES,
  JIT_QUEUE_COUNT,
  JIT_RANGES,
  JIT_SLICE,
  TLB_CODE,
} from '../core/layout.js';
import type { CompilerCounters } from '../debugger.js';
import { findBreakpoint } from './breakpoints.js';
import { CoveredCode } from './covered.js';
import type { DecodedBlock } from './decoded.js';
import { type Discovery, type FurtherPage, loopHead, type Surroundings } from './discovery.js';
import { findSeen, findTable, pageOf, usualAddend, writesBesideCode } from './guest-memory.js';
import { compileRegion, type Region } from './region.js';
import { IMPORTS, type Import, moduleOf } from './wasm-writer.js';

export type JitMode = 'off' | 'on' | 'always';

/**
 * Instructions between two looks at where the guest is, and how many of them make a block hot. A slice must be shorter than a
 * vCPU's turn among several (host/turns.ts): one that ends with the turn is not looked at.
 */
const SAMPLING = {
  off: { slice: 100_000, heat: 0 },
  on: { slice: 9_000, heat: 16 },
  always: { slice: 100, heat: 1 },
} as const;

/**
 * A region that no way leads around in is worth its entries from so many instructions on: to enter and leave it costs as much
 * as a dozen of them in the interpreter.
 */
const LEAST_STRAIGHT = 16;

/** Offset in a block's header: how hot it is, and whether it was handed to the compiler. */
const HEAT = 24;
const COMPILED = 26;
/**
 * After so many ways out a region is compiled anew that had ways to what was not decoded yet: what is entered first is seldom
 * all that a loop comes to run. Each time it takes so many times as many.
 */
const WAYS_OUT = 20_000;
const WAYS_OUT_GROWTH = 8;
const MAX_RENEWALS = 3;
/** The same of a region that was cut short: a larger one takes V8 as long as so many ways out through the interpreter. */
const WAYS_OUT_CUT_SHORT = 100_000;
/** Functions that the table holds at most; then all are forgotten. */
const MAX_FUNCTIONS = 4096;

/** The compiler of one core. */
export class Jit {
  readonly #made = { regions: 0, instructions: 0, codeBytes: 0, declined: 0, compileMs: 0 };
  readonly #view: DataView;
  readonly #u32: Uint32Array;
  readonly #covered = new CoveredCode();
  /** Blocks that were read since the guest ran. */
  readonly #read = new Map<number, DecodedBlock>();
  #writesBesideCode = false;
  /** How often a block's region was compiled. */
  readonly #times = new Map<number, number>();
  /** Place of the next function. */
  #next: number;
  readonly #first: number;
  /** What a module of regions gets: the core alone owns the table. */
  readonly #imports: { memory: WebAssembly.Memory } & Pick<CoreExports, Import>;
  #epoch = 0;

  /**
   * @param clock milliseconds of the host, for the counters
   */
  constructor(
    readonly core: CoreExports,
    readonly memory: WebAssembly.Memory,
    readonly mode: JitMode,
    readonly clock: () => number = () => 0,
  ) {
    const imported = Object.fromEntries(IMPORTS.map(({ name }) => [name, core[name]])) as Pick<CoreExports, Import>;
    this.#imports = { memory, ...imported };
    this.#view = new DataView(memory.buffer);
    this.#u32 = new Uint32Array(memory.buffer);
    this.#first = core.table.length;
    this.#next = this.#first;
    const { slice, heat } = SAMPLING[mode];
    this.#u32[JIT_SLICE / 4] = slice;
    this.#u32[JIT_HEAT / 4] = heat;
  }

  /** @param icount instructions that the guest has run */
  counters(icount: number): CompilerCounters {
    const counter = (n: number): number => Number(this.#view.getBigUint64(COUNTERS + n * 8, true));
    return {
      mode: this.mode,
      ...this.#made,
      compileMs: Math.round(this.#made.compileMs * 10) / 10,
      entered: counter(COUNTER_REGION_ENTRIES),
      left: {
        out: counter(COUNTER_REGION_OUT),
        anywhere: counter(COUNTER_REGION_ANYWHERE),
        late: counter(COUNTER_REGION_LATE),
        missed: counter(COUNTER_REGION_MISSES),
        handled: counter(COUNTER_REGION_HANDLED),
      },
      refused: {
        noPage: counter(COUNTER_REGION_NO_PAGE),
        breakpoint: counter(COUNTER_REGION_BREAKPOINT),
        limit: counter(COUNTER_REGION_LIMIT),
      },
      samples: counter(COUNTER_SAMPLES),
      share: icount === 0 ? 0 : Math.round((counter(COUNTER_REGION_INSTRUCTIONS) / icount) * 1000) / 1000,
    };
  }

  /** Compiles what waits: between two runs of the core. */
  compileWaiting(): void {
    const count = this.#u32[JIT_QUEUE_COUNT / 4];
    if (count === 0) return;
    const start = this.clock();
    this.#forgetDropped();
    this.#read.clear();
    this.#writesBesideCode = writesBesideCode(this.#view);
    const made: { block: number; linear: bigint; region: Region }[] = [];
    for (let n = 0; n < count; n++) {
      const entry = JIT_QUEUE + n * JIT_QUEUE_BYTES;
      const waiting = this.#u32[entry / 4];
      // before anything is looked at: it costs as much as to write the code; what is compiled anew was entered often
      if (this.mode !== 'always' && !this.#times.has(waiting) && this.#isCovered(waiting)) {
        this.#view.setUint32(waiting + HEAT, 0, true);
        continue;
      }
      const { block, linear, discovery } = this.#entered(
        waiting,
        this.#view.getBigUint64(entry + 8, true),
        this.#u32[entry / 4 + 1],
      );
      if (block !== waiting) {
        this.#view.setUint32(waiting + HEAT, 0, true);
        this.#view.setUint16(block + COMPILED, 1, true);
      }
      const around = this.#around(block, linear, this.#u32[entry / 4 + 1]);
      const region = this.#isShort(discovery) ? undefined : compileRegion(this.#view, block, around, discovery);
      if (region) {
        made.push({ block, linear, region });
        for (const place of region.places) this.#covered.add(place.hpa, this.#modeOf(block), place.bytes);
      } else {
        this.#made.declined++;
        // without breakpoints there may be something to win
        if (this.#u32[BREAKPOINT_COUNT / 4] > 0) this.#view.setUint32(block + HEAT, 0, true);
      }
    }
    this.#u32[JIT_QUEUE_COUNT / 4] = 0;
    if (made.length > 0) this.#install(made);
    this.#made.compileMs += this.clock() - start;
  }

  /**
   * The block by which the region around a waiting one is entered: the head of its loop that has none yet, or itself, with
   * what lies around it where that was looked at.
   */
  #entered(waiting: number, linear: bigint, fetches: number): { block: number; linear: bigint; discovery?: Discovery } {
    if (this.mode === 'always') return { block: waiting, linear };
    const { at, delta, discovery } = loopHead(this.#view, waiting, this.#around(waiting, linear, fetches));
    if (at === waiting || this.#view.getUint16(at + COMPILED, true) !== 0) {
      return { block: waiting, linear, discovery };
    }
    return { block: at, linear: BigInt.asUintN(64, linear + BigInt(delta)) };
  }

  #modeOf(block: number): number {
    return this.#u32[block / 4 + 1];
  }

  #isCovered(block: number): boolean {
    return this.#covered.sendsBack(block, this.#u32[block / 4], this.#modeOf(block));
  }

  /** What was found is run through so fast that the interpreter is faster. */
  #isShort(found: Discovery | undefined): boolean {
    return this.mode !== 'always' && found?.straight === true && found.instructions < LEAST_STRAIGHT;
  }

  /** What lies around a waiting block, as the TLBs had it: nothing is walked for the compiler's sake. */
  #around(block: number, linear: bigint, fetches: number): Surroundings {
    const first = linear - (linear % 4096n);
    return {
      findPage: (delta) => pageOf(this.#view, TLB_CODE, first + BigInt(delta), fetches),
      breaksAt: findBreakpoint(this.#view, linear),
      findTable: findTable(this.#view, linear, fetches),
      seenFrom: findSeen(this.#view, linear),
      writesBesideCode: this.#writesBesideCode,
      usualAddend: usualAddend(this.#view, fetches),
      isFirst: this.mode !== 'always' && !this.#times.has(block),
      read: this.#read,
    };
  }

  #tellPages(pages: readonly FurtherPage[]): void {
    this.#u32[JIT_PAGES / 4] = pages.length;
    pages.forEach(({ delta, hpa }, n) => {
      this.#u32[JIT_PAGES / 4 + 2 + n * 2] = delta >>> 0;
      this.#u32[JIT_PAGES / 4 + 3 + n * 2] = hpa;
    });
  }

  /** The pool of decoded code was dropped, and with it whatever named a function. */
  #forgetDropped(): void {
    const epoch = this.#u32[JIT_EPOCH / 4];
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    for (let n = this.#first; n < this.#next; n++) this.core.table.set(n, null);
    this.#next = this.#first;
    this.#covered.clear();
    this.#times.clear();
  }

  #tellRanges(linear: bigint, { ranges, reach }: Region): void {
    this.#view.setBigUint64(JIT_RANGES, linear, true);
    this.#u32[JIT_RANGES / 4 + 2] = ranges.length;
    this.#u32[JIT_RANGES / 4 + 3] = this.#u32[BREAK_GEN / 4];
    this.#u32[JIT_RANGES / 4 + 4] = reach.low >>> 0;
    this.#u32[JIT_RANGES / 4 + 5] = reach.high >>> 0;
    ranges.forEach(({ delta, bytes }, n) => {
      this.#u32[JIT_RANGES / 4 + 6 + n * 2] = delta >>> 0;
      this.#u32[JIT_RANGES / 4 + 7 + n * 2] = bytes;
    });
  }

  /** Ways out until the region is compiled anew; 0: never. */
  #waysOut(block: number, { hasHoles, isCutShort }: Region): number {
    const times = this.#times.get(block) ?? 0;
    this.#times.set(block, times + 1);
    if (isCutShort) return WAYS_OUT_CUT_SHORT;
    return hasHoles && times < MAX_RENEWALS ? WAYS_OUT * WAYS_OUT_GROWTH ** times : 0;
  }

  #install(found: readonly { block: number; linear: bigint; region: Region }[]): void {
    const bytes = moduleOf(found.map(({ region }) => region.code));
    const module = new WebAssembly.Module(bytes);
    const { exports } = new WebAssembly.Instance(module, { env: this.#imports });
    if (this.#next + found.length > this.core.table.length) this.core.table.grow(Math.max(64, found.length));
    found.forEach(({ block, linear, region }, n) => {
      const index = this.#next++;
      this.core.table.set(index, exports[String(n)] as (...args: never[]) => unknown);
      this.#tellPages(region.pages);
      this.#u32[JIT_PAGES / 4 + 1] = this.#waysOut(block, region);
      this.#tellRanges(linear, region);
      this.core.installRegion(block, index, region.storedFlags, region.ahead);
      this.#made.regions++;
      this.#made.instructions += region.instructions;
    });
    this.#made.codeBytes += bytes.length;
    // beginning anew is simpler than finding out which ones are dead
    if (this.#next - this.#first > MAX_FUNCTIONS) this.core.dropBlocks();
  }
}
