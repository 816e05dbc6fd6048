// Memory accesses of a region: the linear address, and the host's by the TLB or by the page of an access before.

import type { Size } from '../../spec/uops/expression.js';
import { CODE_LINES, CTX, REG_RIP, REG_ZERO, TLB_ENTRIES, TLB_WRITE } from '../core/layout.js';
import type { DecodedUop } from './decoded.js';
import type { MemoryHints, Site } from './discovery.js';
import { evaluate } from './expression-code.js';
import { KnownPages, NO_PAGE, type Place } from './known-pages.js';
import { address, type Scope } from './operand-code.js';
import { hasDisplacement } from './strips.js';
import { type FunctionWriter, I32, I64 } from './wasm-writer.js';

const RSP = 4;
const RBP = 5;
const RSI = 6;
const RDI = 7;
/** Log2 of the bytes of an entry of a TLB. */
export const TLB_ENTRY_SHIFT = 4;
/** CTX_MARK of core/mmu/tlb.ts: in a tag of the table of writes, the frame holds decoded code. */
const MARK = 2n;

/** What is accessed. */
export interface Accessed {
  /** TLB_READ or TLB_WRITE. */
  readonly table: number;
  readonly size: Size | 5;
  readonly at: Place;
  /** Where the block of the micro-op lies. */
  readonly delta: number;
}

/** Local and constant to be added to base and index of an access, where it needs no look into the TLB. */
export type FindAddend = (uop: DecodedUop, table: number, at: Place) => { local: number; more: number } | undefined;

export class MemoryCode {
  /** Host address of the last access. */
  readonly pointer: number;
  readonly context: number;
  readonly #linear: number;
  readonly #entry: number;
  readonly #usual: number | undefined;
  #pages!: KnownPages;
  /** Of the strip's copy that code is written for: what makes the host's address of an access, but for its registers. */
  strip: FindAddend | undefined;

  /** What differs between the TLB's tag and the wanted one. */
  readonly #difference: number | undefined;

  /**
   * @param long 64-bit mode: addresses are not cut
   */
  constructor(
    readonly code: FunctionWriter,
    readonly long: boolean,
    { writesBesideCode, usualAddend }: MemoryHints,
  ) {
    this.#difference = writesBesideCode ? code.local(I64) : undefined;
    this.#usual = usualAddend;
    this.context = code.local(I64);
    this.#linear = code.local(I64);
    this.#entry = code.local(I32);
    this.pointer = code.local(I32);
  }

  /** At the region's entry. */
  enter(): void {
    this.code.i32(0).memory('i32.load', CTX).op('i64.extend_u').set(this.context);
  }

  /** Pages are known of all accesses of the region; `rootOffset`: place of its first block in its page. */
  knowPages(sites: readonly Site[], rootOffset: number): void {
    this.#pages = new KnownPages(this.code, sites, rootOffset);
  }

  get pages(): KnownPages {
    return this.#pages;
  }

  /** Puts a linear address on the stack. */
  address(at: Place, scope: Scope): void {
    const { code } = this;
    if (at === 'top') code.get(scope.register(RSP));
    else if (at === 'frame') code.get(scope.register(RBP));
    else if (at === 'source') code.get(scope.register(RSI));
    else if (at === 'destination') code.get(scope.register(RDI));
    else if (typeof at !== 'string') {
      evaluate(scope, at);
      return;
    } else if (this.long) address(scope);
    else {
      address(scope, I32);
      code.op('i64.extend_u');
      return;
    }
    if (!this.long) code.i64(0xffffffffn).op('i64.and');
  }

  /** Puts the host's address into `pointer`. `missesIf` takes an i32, 1 when the TLB has none. */
  access(what: Accessed, scope: Scope, missesIf: () => void): void {
    if (this.#inStrip(what, scope)) return;
    this.address(what.at, scope);
    this.code.set(this.#linear);
    this.#translate(what, scope, missesIf);
  }

  /** Base, index and what the strip's beginning has found, 1 to 3 operations; false: it has found nothing for this access. */
  #inStrip({ table, at }: Accessed, scope: Scope): boolean {
    const { code } = this;
    const addend = this.strip?.(scope.uop, table, at);
    if (!addend) return false;
    const { local, more } = addend;
    if (hasDisplacement(at)) {
      const { base, index, scale } = scope.uop;
      if (base === REG_RIP) scope.rip(0);
      else if (base !== REG_ZERO) code.get(scope.register(base));
      if (base !== REG_ZERO) code.op('i32.wrap');
      if (index !== REG_ZERO) {
        code.get(scope.register(index)).op('i32.wrap');
        if (scale) code.i32(scale).op('i32.shl');
        if (base !== REG_ZERO) code.op('i32.add');
      }
      code.get(local);
      if (base !== REG_ZERO || index !== REG_ZERO) code.op('i32.add');
    } else {
      this.address(at, scope);
      code.op('i32.wrap').get(local).op('i32.add');
    }
    if (more !== 0) code.i32(more).op('i32.add');
    code.set(this.pointer);
    return true;
  }

  /** The same, where what is not aligned to that power of two misses. */
  accessAligned(what: Accessed, bytes: number, scope: Scope, missesIf: () => void): void {
    this.address(what.at, scope);
    this.code.set(this.#linear);
    this.code
      .get(this.#linear)
      .op('i32.wrap')
      .i32(bytes - 1)
      .op('i32.and');
    missesIf();
    if (!this.#inStrip(what, scope)) this.#translate(what, scope, missesIf);
  }

  /** Host address of the linear one. */
  // a page that is likely: 5 operations; else 9 and 2 loads, and 3 more where an addend is usual
  #translate({ table, size, at, delta }: Accessed, { uop }: Scope, missesIf: () => void): void {
    const { code } = this;
    const bytes = 1 << size;
    const known = this.#pages.of(table, at, uop, delta);
    if (!known) {
      this.#lookUp(table, bytes, missesIf);
      if (this.#usual !== undefined) {
        this.#takeUsual(this.#usual, table);
        return;
      }
      code.get(this.#linear).op('i32.wrap');
      this.#addend(table);
    } else {
      const { page, likely } = known;
      if (likely) {
        // what is not aligned may go on in another page
        code.get(this.#linear).i64(BigInt(-4096 | (bytes - 1)));
        code.op('i64.and').get(page.linear).op('i64.ne').open('if');
      }
      this.#lookUp(table, bytes, missesIf, page.linear);
      if (likely || this.#usual === undefined) this.#addend(table).set(page.addend);
      else {
        code.i32(this.#usual).set(page.addend);
        this.#openUnusual(this.#usual, table);
        this.#addend(table).set(page.addend).close();
      }
      if (likely) code.close();
      code.get(this.#linear).op('i32.wrap').get(page.addend);
    }
    code.op('i32.add').set(this.pointer);
  }

  /** What the entry adds to a linear address. */
  #addend(table: number): FunctionWriter {
    return this.code.get(this.#entry).memory('i32.load', table + 8);
  }

  /** What follows is for an entry that adds something else. */
  #openUnusual(usual: number, table: number): void {
    this.#addend(table).i32(usual).op('i32.ne').open('if');
  }

  /** Host address as with most pages: that the entry says so too is asked beside the access, which does not wait for it. */
  #takeUsual(usual: number, table: number): void {
    const { code, pointer } = this;
    code.get(this.#linear).op('i32.wrap').i32(usual).op('i32.add').set(pointer);
    this.#openUnusual(usual, table);
    code.get(this.#linear).op('i32.wrap');
    this.#addend(table).op('i32.add').set(pointer).close();
  }

  /** Looks for the TLB's entry; its page goes into a local. */
  #lookUp(table: number, bytes: number, missesIf: () => void, page?: number): void {
    const { code } = this;
    code
      .get(this.#linear)
      .op('i32.wrap')
      .i32(12 - TLB_ENTRY_SHIFT)
      .op('i32.shr_u');
    code
      .i32((TLB_ENTRIES - 1) << TLB_ENTRY_SHIFT)
      .op('i32.and')
      .tee(this.#entry);
    code.memory('i64.load', table);
    // in this order V8 does not copy the context first
    code.get(this.context).get(this.#linear);
    if (bytes > 1) code.i64(BigInt(bytes - 1)).op('i64.add');
    code.i64(-4096n).op('i64.and');
    if (page !== undefined) code.tee(page);
    code.op('i64.or');
    if (table === TLB_WRITE && this.#difference !== undefined)
      this.#lookBesideCode(this.#difference, bytes, missesIf, page);
    else {
      code.op('i64.ne');
      missesIf();
    }
  }

  /** Behind the two tags: a page that holds decoded code takes a write where its 128-byte lines hold none, as writeSlow() of core/mmu/access.ts. */
  #lookBesideCode(difference: number, bytes: number, missesIf: () => void, page: number | undefined): void {
    const { code, pointer } = this;
    code.op('i64.xor').tee(difference).op('i64.eqz', 'i32.eqz').open('if');
    code.get(difference).i64(MARK).op('i64.ne');
    missesIf();
    code.get(this.#linear).op('i32.wrap');
    this.#addend(TLB_WRITE).op('i32.add').set(pointer);
    const lines = (): void => {
      code.get(pointer).i32(12).op('i32.shr_u').i32(2).op('i32.shl').memory('i32.load', CODE_LINES);
    };
    // shifts take the low 5 bits of their counts
    lines();
    code.get(pointer).i32(7).op('i32.shr_u', 'i32.shr_u');
    lines();
    code
      .get(pointer)
      .i32(bytes - 1)
      .op('i32.add')
      .i32(7)
      .op('i32.shr_u', 'i32.shr_u', 'i32.or')
      .i32(1)
      .op('i32.and');
    lines();
    code.op('i32.eqz', 'i32.or');
    missesIf();
    // the next access has to look again
    if (page !== undefined) code.i64(NO_PAGE).set(page);
    code.close();
  }
}
