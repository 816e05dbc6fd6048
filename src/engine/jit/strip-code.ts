// What the end of a turn in a loop with a strip does: see strips.ts. It costs an ordinary turn nothing: the look whether
// enough instructions are left compares with a limit that also stands where a strip is to be tried.
import { MXCSR, TLB_ENTRIES, TLB_READ, TLB_WRITE, VECTORS_OFF } from '../core/layout.js';
import type { DecodedUop } from './decoded.js';
import type { Place } from './known-pages.js';
import { type Cut, ROOT_RIP, type Sum, type Terms } from './linear-form.js';
import { TLB_ENTRY_SHIFT } from './memory-code.js';
import { type Guard, hasDisplacement, LEAST_TURNS, type Strip, type Strips, type Window } from './strips.js';
import { MXCSR_PLAIN, MXCSR_PLAIN_MASK } from './vector-mode.js';
import { type FunctionWriter, I32, I64 } from './wasm-writer.js';

/** Turns before a strip is tried: what most short loops take no longer than. */
const TURNS_BEFORE = 4;
/** Turns after a strip could not be. */
const TURNS_BETWEEN = 16;
/** More than any page has. */
const MOST_TURNS = 4096;
const PAGE = 4096;

/** Locals of the region. */
export interface StripScope {
  readonly code: FunctionWriter;
  readonly long: boolean;
  readonly left: number;
  readonly rip: number;
  readonly context: number;
  register(number: number): number;
}

export class StripCode {
  readonly #limit: number;
  /** Instructions left that the copy does not count. */
  readonly #end: number;
  readonly #turns: number;
  readonly #room: number;
  readonly #entry: number;
  readonly #linear: number;
  readonly #value: number;
  readonly #step: number;
  /** What makes host addresses out of linear ones, by window. */
  readonly #addends: number[] = [];

  constructor(
    readonly scope: StripScope,
    strips: Strips,
  ) {
    const { code } = scope;
    const local = (type: number): number => (strips.any ? code.local(type) : 0);
    [this.#limit, this.#end, this.#turns, this.#room, this.#entry] = [I32, I32, I32, I32, I32].map(local);
    [this.#linear, this.#value, this.#step] = [I64, I64, I64].map(local);
  }

  /** What makes the host's address of an access in a copy. */
  find(strip: Strip, uop: DecodedUop, table: number, at: Place): { local: number; more: number } | undefined {
    const window = strip.windowOf(uop, table, at);
    if (window === undefined) return undefined;
    const displacement = hasDisplacement(at) ? uop.displacement : 0;
    return { local: this.#addend(window), more: displacement - strip.windows[window].displacement };
  }

  #addend(window: number): number {
    while (this.#addends.length <= window) this.#addends.push(this.scope.code.local(I32));
    return this.#addends[window];
  }

  /** On the way into a loop. */
  enter({ instructions }: Strip, ahead: number): void {
    this.#tryAfter(TURNS_BEFORE * instructions, ahead);
  }

  /** At the end of an ordinary turn: what follows is for when a strip is to be tried, or too few instructions are left. */
  openLimit(): void {
    this.scope.code.get(this.scope.left).get(this.#limit).op('i32.lt_s').open('if');
  }

  /** Finds the turns that stay in their pages; branches where they are too few. */
  begin(strip: Strip, ahead: number, fails: number): void {
    const { code, left } = this.scope;
    const { off, plain } = strip.vectors;
    if (off !== 0) code.i32(0).memory('i32.load', VECTORS_OFF).i32(off).op('i32.and').branch(fails, true);
    if (plain) {
      code.i32(0).memory('i32.load', MXCSR).i32(MXCSR_PLAIN_MASK).op('i32.and').i32(MXCSR_PLAIN);
      code.op('i32.ne').branch(fails, true);
    }
    code.i32(MOST_TURNS).set(this.#turns);
    for (const guard of strip.guards) this.#guard(guard, fails);
    strip.windows.forEach((window, n) => {
      this.#window(window, this.#addend(n), fails);
    });
    code.get(this.#turns).i32(LEAST_TURNS).op('i32.lt_u').branch(fails, true);
    // as many turns are left when the copy begins anew as it has
    code.get(left).get(this.#turns).i32(strip.copies.length).op('i32.sub');
    if (strip.instructions !== 1) code.i32(strip.instructions).op('i32.mul');
    code.op('i32.sub').set(this.#end);
    this.#atLeast(this.#end, ahead);
    // in the copy the instructions are counted down to 0: that takes no comparison
    code.get(left).get(this.#end).op('i32.sub').set(left);
  }

  /** Where a strip cannot begin. */
  failed({ instructions }: Strip, ahead: number): void {
    this.#tryAfter(TURNS_BETWEEN * instructions, ahead);
  }

  /** At the end of a turn in a copy: what follows is for when another one may come. */
  openNext(): void {
    this.scope.code.get(this.scope.left).i32(0).op('i32.ge_s').open('if');
  }

  /** Adds what a copy does not count to what it does, on the stack. */
  addBack(): void {
    this.scope.code.get(this.#end).op('i32.add');
  }

  takeOff(): void {
    this.scope.code.get(this.#end).op('i32.sub');
  }

  /** The strip has ended: the next turn is an ordinary one. */
  end(): void {
    this.scope.code.i32(0x7fff_ffff).set(this.#limit);
  }

  #tryAfter(instructions: number, ahead: number): void {
    const { code, left } = this.scope;
    code.get(left).i32(instructions).op('i32.sub').set(this.#limit);
    this.#atLeast(this.#limit, ahead);
  }

  #atLeast(local: number, least: number): void {
    this.scope.code.get(local).i32(least).get(local).i32(least).op('i32.gt_s', 'select').set(local);
  }

  /** What is cut to 32 bits stays inside them. */
  #guard({ cut, stride }: Guard, fails: number): void {
    const { code } = this.scope;
    this.#terms(cut.terms, cut.constant);
    code.op('i32.wrap');
    // signed values are counted from the least one
    if (cut.isSigned) code.i32(-0x8000_0000).op('i32.xor');
    code.set(this.#room);
    this.#turnsInside(stride, fails, () => {
      code.get(this.#room).i32(-1).op('i32.xor');
    });
  }

  #window({ start, span, reads, writes, stride, displacement }: Window, addend: number, fails: number): void {
    const { code, context, long } = this.scope;
    this.#sum(start);
    if (!long) code.i64(0xffff_ffffn).op('i64.and');
    code
      .tee(this.#linear)
      .op('i32.wrap')
      .i32(PAGE - 1)
      .op('i32.and')
      .tee(this.#room);
    code
      .i32(PAGE - span)
      .op('i32.gt_u')
      .branch(fails, true);
    code.get(this.#linear).i64(-4096n).op('i64.and').get(context).op('i64.or').set(this.#value);
    code
      .get(this.#linear)
      .op('i32.wrap')
      .i32(12 - TLB_ENTRY_SHIFT)
      .op('i32.shr_u')
      .i32((TLB_ENTRIES - 1) << TLB_ENTRY_SHIFT)
      .op('i32.and')
      .set(this.#entry);
    const tables = [...(reads ? [TLB_READ] : []), ...(writes ? [TLB_WRITE] : [])];
    // a page that holds decoded code has a mark in the tag of the table of writes
    for (const table of tables) {
      code.get(this.#entry).memory('i64.load', table).get(this.#value).op('i64.ne').branch(fails, true);
    }
    code
      .get(this.#entry)
      .memory('i32.load', tables[0] + 8)
      .tee(addend);
    if (tables.length > 1)
      code
        .get(this.#entry)
        .memory('i32.load', tables[1] + 8)
        .op('i32.ne')
        .branch(fails, true);
    else code.op('drop');
    if (displacement !== 0) code.get(addend).i32(displacement).op('i32.add').set(addend);
    this.#turnsInside(stride, fails, () => {
      code
        .i32(PAGE - span)
        .get(this.#room)
        .op('i32.sub');
    });
  }

  /** Cuts the turns to those that stay inside; `room` holds what is left below, `above` puts what is left above. */
  #turnsInside({ terms, cuts, constant }: Sum, fails: number, above: () => void): void {
    const { code } = this.scope;
    const [room, turns, step] = [this.#room, this.#turns, this.#step];
    if (terms.size === 0 && cuts.length === 0) {
      if (constant === 0) return;
      if (constant > 0) above();
      else code.get(room);
      const by = Math.abs(constant);
      if (by > 1) {
        if ((by & (by - 1)) === 0) code.i32(31 - Math.clz32(by)).op('i32.shr_u');
        else code.i32(by).op('i32.div_u');
      }
    } else {
      this.#sum({ terms, cuts, constant });
      if (!this.scope.long) code.op('i64.extend32_s');
      code.tee(step).op('i64.eqz', 'i32.eqz').open('if');
      code.get(step).i64(0n).op('i64.gt_s').open('if');
      above();
      code.set(room).op('else').i64(0n).get(step).op('i64.sub').set(step).close();
      // what moves farther than its page leaves it at once
      code.get(step).i64(BigInt(PAGE)).op('i64.ge_u').branch(fails, true);
      code.get(room).get(step).op('i32.wrap', 'i32.div_u').set(room);
      code.op('else').i32(MOST_TURNS).set(room).close();
      code.get(room);
    }
    // before one is added, so that none is lost
    code.set(room);
    code.get(room).get(turns).i32(1).op('i32.sub').tee(turns).get(room).get(turns).op('i32.lt_u', 'select');
    code.i32(1).op('i32.add').set(turns);
  }

  #sum({ terms, cuts, constant }: Sum): void {
    this.#terms(terms, constant);
    for (const cut of cuts) {
      this.#cut(cut);
      if (cut.times !== 1) this.scope.code.i64(BigInt(cut.times)).op('i64.mul');
      this.scope.code.op('i64.add');
    }
  }

  #cut({ terms, constant, isSigned }: Cut): void {
    this.#terms(terms, constant);
    if (isSigned) this.scope.code.op('i64.extend32_s');
    else this.scope.code.i64(0xffff_ffffn).op('i64.and');
  }

  #terms(terms: Terms, constant: number): void {
    const { code, rip } = this.scope;
    code.i64(BigInt(constant));
    for (const [register, times] of terms) {
      code.get(register === ROOT_RIP ? rip : this.scope.register(register));
      if (times !== 1) code.i64(BigInt(times)).op('i64.mul');
      code.op('i64.add');
    }
  }
}
