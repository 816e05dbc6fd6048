// Status flags in compiled code: the lazy triple k, fr, fs in locals, read by what is known of how it was made.

import { bitsOf, STATUS_FLAGS } from '../../spec/flags.js';
import type { Size } from '../../spec/uops/expression.js';
import { RFLAGS } from '../core/layout.js';
import type { FlagState } from './flag-state.js';
import type { FunctionWriter } from './wasm-writer.js';

/** Locals of the flags. carry: CF, 0 or 1, where INC and DEC left it, and of those that were given beside `first`. */
export interface FlagLocals {
  readonly kind: number;
  readonly result: number;
  readonly first: number;
  readonly carry: number;
}

const STATUS = bitsOf(STATUS_FLAGS);
const top = (size: Size): bigint => BigInt((8 << size) - 1);

/** Code that reads the flags in a known state; what it answers is an i32. */
export class FlagReader {
  constructor(
    readonly code: FunctionWriter,
    readonly locals: FlagLocals,
    readonly state: FlagState,
  ) {
    if (state.rule === 'unknown') throw new Error('flags of an unknown kind are read');
  }

  /** A local cut to the size; below 64 bits in 32, where V8 need not extend what it was made from. */
  #cut(local: number): FunctionWriter {
    const { code, state } = this;
    code.get(local);
    if (state.size === 3) return code;
    code.op('i32.wrap');
    return state.size === 2 ? code : code.i32((1 << (8 << state.size)) - 1).op('i32.and');
  }

  /** The result cut to its size, of 64 bits. */
  #result(): FunctionWriter {
    const { size } = this.state;
    this.code.get(this.locals.result);
    return size === 3 ? this.code : this.code.i64((1n << (top(size) + 1n)) - 1n).op('i64.and');
  }

  /** The second operand of an addition or subtraction, right in the bits of its size. */
  #second(): void {
    const { code, locals } = this;
    if (this.state.rule === 'added') code.get(locals.result).get(locals.first);
    else code.get(locals.first).get(locals.result);
    code.op('i64.sub');
  }

  #stored(bit: number): void {
    this.code.i32(0).memory('i32.load', RFLAGS);
    if (bit) this.code.i32(bit).op('i32.shr_u');
    this.code.i32(1).op('i32.and');
  }

  carry(): void {
    const { code, locals, state } = this;
    switch (state.rule) {
      case 'stored':
        this.#stored(0);
        return;
      case 'added':
        this.#cut(locals.result);
        this.#cut(locals.first).op(state.size === 3 ? 'i64.lt_u' : 'i32.lt_u');
        return;
      case 'subtracted':
        this.#cut(locals.result);
        this.#cut(locals.first).op(state.size === 3 ? 'i64.gt_u' : 'i32.gt_u');
        return;
      default:
        code.get(locals.carry);
    }
  }

  /** Puts CF into its local, if it is not there. */
  keepCarry(): void {
    if (/^(?:given|increment|decrement)$/.test(this.state.rule)) return;
    this.carry();
    this.code.set(this.locals.carry);
  }

  zero(): void {
    if (this.state.rule === 'stored') this.#stored(6);
    else this.code.get(this.locals.result).op('i64.eqz');
  }

  sign(): void {
    if (this.state.rule === 'stored') this.#stored(7);
    else this.code.get(this.locals.result).i64(0n).op('i64.lt_s');
  }

  parity(): void {
    if (this.state.rule === 'stored') {
      this.#stored(2);
      return;
    }
    const { code, locals } = this;
    code.get(locals.result).op('i32.wrap').i32(0xff).op('i32.and', 'i32.popcnt').i32(1).op('i32.and', 'i32.eqz');
  }

  overflow(): void {
    const { code, locals, state } = this;
    switch (state.rule) {
      case 'stored':
        this.#stored(11);
        return;
      case 'given':
        code.get(locals.first).op('i32.wrap').i32(11).op('i32.shr_u').i32(1).op('i32.and');
        return;
      case 'increment':
        this.#result()
          .i64(1n << top(state.size))
          .op('i64.eq');
        return;
      case 'decrement':
        this.#result()
          .i64((1n << top(state.size)) - 1n)
          .op('i64.eq');
        return;
      case 'added':
        // both operands differ in sign from the result
        code.get(locals.first).get(locals.result).op('i64.xor');
        this.#second();
        code.get(locals.result).op('i64.xor', 'i64.and');
        break;
      default:
        code.get(locals.first).get(locals.result).op('i64.xor');
        code.get(locals.first);
        this.#second();
        code.op('i64.xor', 'i64.and');
    }
    code.i64(top(state.size)).op('i64.shr_u', 'i32.wrap').i32(1).op('i32.and');
  }

  /** AF in its place in RFLAGS. */
  adjust(): void {
    const { code, locals, state } = this;
    switch (state.rule) {
      case 'stored':
        code.i32(0).memory('i32.load', RFLAGS).i32(0x10).op('i32.and');
        return;
      case 'given':
        code.get(locals.first).op('i32.wrap').i32(0x10).op('i32.and');
        return;
      case 'increment':
      case 'decrement':
        code.get(locals.result).op('i32.wrap').i32(15).op('i32.and');
        code
          .i32(state.rule === 'increment' ? 0 : 15)
          .op('i32.eq')
          .i32(4)
          .op('i32.shl');
        return;
      default:
        code.get(locals.first).get(locals.result).op('i64.xor');
        this.#second();
        code.op('i64.xor', 'i32.wrap').i32(0x10).op('i32.and');
    }
  }

  /** Condition cc, 0 or 1. @sdm 1 B.1 "Condition Codes" */
  condition(cc: number): void {
    const { code } = this;
    switch (cc >> 1) {
      case 0:
        this.overflow();
        break;
      case 1:
        this.carry();
        break;
      case 2:
        this.zero();
        break;
      case 3:
        this.carry();
        this.zero();
        code.op('i32.or');
        break;
      case 4:
        this.sign();
        break;
      case 5:
        this.parity();
        break;
      default:
        this.sign();
        this.overflow();
        code.op('i32.ne');
        if (cc >= 14) {
          this.zero();
          code.op('i32.or');
        }
    }
    if (cc & 1) code.op('i32.eqz');
  }

  /** CF, AF and OF in their places: what the kind `given` keeps beside the result. */
  carryAdjustOverflow(): void {
    const { code } = this;
    this.carry();
    this.adjust();
    code.op('i32.or');
    this.overflow();
    code.i32(11).op('i32.shl', 'i32.or');
  }

  /** All six flags in their places. */
  status(): void {
    const { code } = this;
    if (this.state.rule === 'stored') {
      code.i32(0).memory('i32.load', RFLAGS).i32(STATUS).op('i32.and');
      return;
    }
    this.carryAdjustOverflow();
    for (const [read, at] of [
      [() => this.parity(), 2],
      [() => this.zero(), 6],
      [() => this.sign(), 7],
    ] as const) {
      read();
      code.i32(at).op('i32.shl', 'i32.or');
    }
  }

  /** Puts all six flags into RFLAGS. */
  store(): void {
    const { code, state } = this;
    if (state.rule === 'stored') return;
    code.i32(0).i32(0).memory('i32.load', RFLAGS).i32(~STATUS).op('i32.and');
    this.status();
    code.op('i32.or');
    code.memory('i32.store', RFLAGS);
  }

  /** Makes a known state that is not `stored` into `given`. */
  give(): void {
    const { code, locals, state } = this;
    if (state.rule === 'given') return;
    this.keepCarry();
    this.carryAdjustOverflow();
    code.op('i64.extend_u').set(locals.first);
  }
}
