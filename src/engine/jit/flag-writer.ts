// The six status flags of a region: what is known of them at each place, and the code that sets them.

import type { Expression } from '../../spec/uops/expression.js';
import { type FlagStep, STATUS_FLAGS, type Step } from '../../spec/uops/row.js';
import { JIT_CARRY, JIT_FIRST, JIT_KIND, JIT_RESULT, RFLAGS } from '../core/layout.js';
import { carryBit } from './carry-bit.js';
import type { DecodedBlock } from './decoded.js';
import { evaluate, evaluateSigned } from './expression-code.js';
import { type FlagLocals, FlagReader } from './flag-code.js';
import { after, type FlagState, GIVEN, kindOf, oldFlagsDie, partly, STORED, skips, toStored } from './flag-state.js';
import type { Scope } from './operand-code.js';
import { type FunctionWriter, I32, I64 } from './wasm-writer.js';

export class FlagWriter {
  /** What is known of the flags where code is written. */
  state: FlagState = STORED;
  readonly #flags: FlagLocals;

  constructor(readonly code: FunctionWriter) {
    this.#flags = { kind: code.local(I32), result: code.local(I64), first: code.local(I64), carry: code.local(I32) };
  }

  /** At the region's entry, where the interpreter hands over flags that are not in RFLAGS. */
  enter(): void {
    this.#each((local, at, type) => this.code.i32(0).memory(`${type}.load`, at).set(local));
  }

  /** At the region's end: to the interpreter. */
  leave(): void {
    this.#each((local, at, type) => this.code.i32(0).get(local).memory(`${type}.store`, at));
  }

  #each(visit: (local: number, at: number, type: 'i32' | 'i64') => void): void {
    const { kind, result, first, carry } = this.#flags;
    visit(kind, JIT_KIND, 'i32');
    visit(result, JIT_RESULT, 'i64');
    visit(first, JIT_FIRST, 'i64');
    visit(carry, JIT_CARRY, 'i32');
  }

  reader(): FlagReader {
    return new FlagReader(this.code, this.#flags, this.state);
  }

  /**
   * Puts the number of what is known of the flags into its local: where the region is left, and where one of several states
   * goes on. Between, nothing reads it. What that state does not consist of ends here, unless it is `kept`: V8 would keep it
   * in a register.
   */
  tellKind(kept = false): void {
    const { code } = this;
    const { rule } = this.state;
    if (rule === 'unknown') return;
    const { kind, result, first, carry } = this.#flags;
    code.i32(kindOf(this.state)).set(kind);
    if (kept) return;
    const counts = rule === 'increment' || rule === 'decrement';
    if (rule === 'stored') code.i64(0n).set(result);
    if (rule === 'stored' || counts) code.i64(0n).set(first);
    if (!counts) code.i32(0).set(carry);
  }

  /** Puts the flags into RFLAGS, where the next block wants them; `state` goes on from the block's end. */
  store(): void {
    if (this.state.rule === 'unknown') throw new Error('flags of an unknown kind are stored');
    this.reader().store();
  }

  /** As store() where that happens seldom, or the kind is unknown: the core does it, in less code. Locals and state stay. */
  storeByCore(): void {
    const { code } = this;
    const { rule } = this.state;
    if (rule === 'stored') return;
    const { kind, result, first, carry } = this.#flags;
    const counts = rule === 'increment' || rule === 'decrement';
    if (rule === 'unknown') code.get(kind);
    else code.i32(kindOf(this.state));
    code.get(result);
    if (counts) code.i64(0n);
    else code.get(first);
    if (counts || rule === 'unknown') code.get(carry);
    else code.i32(0);
    code.callImport('storeFlags').op('drop');
  }

  /** Before a micro-op that may skip the setting of its flags: both ways end with the flags kept alike. */
  keepAlike(flags: FlagStep | undefined, block: DecodedBlock, at: number): void {
    const { state } = this;
    if (!flags || state.rule === 'unknown' || state.rule === 'stored' || oldFlagsDie(block, at)) return;
    if (toStored(flags)) this.reader().store();
    else this.reader().give();
    this.state = toStored(flags) ? STORED : GIVEN;
  }

  /** Behind such a micro-op, before which the flags were in that state. */
  keptAlike(flags: FlagStep | undefined, body: readonly Step[], before: FlagState): void {
    if (flags) this.state = partly(flags, body, before);
  }

  /** Puts all flags, an i32 on the stack, into RFLAGS. */
  setStatus(bits: number): void {
    const { code } = this;
    code.set(bits);
    code.i32(0).i32(0).memory('i32.load', RFLAGS).i32(~STATUS_FLAGS).op('i32.and').get(bits);
    code.op('i32.or').memory('i32.store', RFLAGS);
    this.state = STORED;
  }

  /** Puts CF, an i32 on the stack, into RFLAGS beside the other flags. */
  setCarry(bit: number): void {
    const { code } = this;
    code.set(bit);
    this.store();
    code.i32(0).i32(0).memory('i32.load', RFLAGS).i32(~1).op('i32.and').get(bit);
    code.op('i32.or').memory('i32.store', RFLAGS);
    this.state = STORED;
  }

  /** A value zero-extended to 64 bits. */
  #widened(e: Expression, scope: Scope): void {
    evaluate(scope, e);
    if (e.size !== 3) this.code.op('i64.extend_u');
  }

  /** Sets flags by the micro-op `at` of a block. */
  set(step: FlagStep, scope: Scope, body: readonly Step[], block: DecodedBlock, at: number): void {
    const { code } = this;
    const { result, first, carry } = this.#flags;
    const before = this.state;
    switch (step.rule) {
      case 'added':
      case 'subtracted':
        if (step.carry) this.#carried(step, scope);
        else {
          this.#widened(step.first!, scope);
          code.set(first);
        }
        break;
      case 'logic':
        code.i64(0n).set(first).i32(0).set(carry);
        break;
      case 'given':
        evaluate(scope, step.bits!);
        code.op('i64.extend_u').set(first);
        evaluate(scope, carryBit(step.bits!));
        code.set(carry);
        break;
      case 'some':
        this.#some(step, scope, block, at);
        return;
      default:
        // INC and DEC keep CF
        if (before.rule !== 'unknown' && before.rule !== 'increment' && before.rule !== 'decrement') {
          if (!oldFlagsDie(block, at)) this.reader().keepCarry();
        }
    }
    evaluateSigned(scope, step.result!);
    code.set(result);
    this.state = after(step, before);
    // a count of 0 leaves the unknown ones as they are
    if (before.rule === 'unknown' && skips(body)) this.tellKind();
  }

  /** ADC and SBB: CF, AF and OF from the carries out of each bit. */
  #carried({ rule, size, result, first, carry }: FlagStep, scope: Scope): void {
    const { code } = this;
    const [a, b, res, carries] = ['flag a', 'flag b', 'flag r', 'carries'].map((name) => scope.temporary(name, I64));
    this.#widened(first!, scope);
    code.set(a);
    this.#widened(result!, scope);
    code.set(res);
    if (rule === 'added') code.get(res).get(a);
    else code.get(a).get(res);
    code.op('i64.sub');
    this.#widened(carry!, scope);
    code.op('i64.sub').set(b);
    if (rule === 'added') {
      // (a & b) | ((a | b) & ~r)
      code.get(a).get(b).op('i64.and');
      code.get(a).get(b).op('i64.or').get(res).i64(-1n).op('i64.xor', 'i64.and', 'i64.or');
    } else {
      // (~a & b) | (~(a ^ b) & r)
      code.get(a).i64(-1n).op('i64.xor').get(b).op('i64.and');
      code.get(a).get(b).op('i64.xor').i64(-1n).op('i64.xor').get(res).op('i64.and', 'i64.or');
    }
    code.set(carries);
    const last = BigInt((8 << size) - 1);
    const bit = (n: bigint): FunctionWriter =>
      code.get(carries).i64(n).op('i64.shr_u', 'i32.wrap').i32(1).op('i32.and');
    bit(last).tee(this.#flags.carry);
    code.get(carries).op('i32.wrap').i32(8).op('i32.and').i32(1).op('i32.shl', 'i32.or');
    bit(last);
    bit(last - 1n)
      .op('i32.xor')
      .i32(11)
      .op('i32.shl', 'i32.or');
    code.op('i64.extend_u').set(this.#flags.first);
  }

  /** Some flags change, in RFLAGS; ROL and ROR change CF and OF, which needs it only when they are there. */
  #some(step: FlagStep, scope: Scope, block: DecodedBlock, at: number): void {
    const { code } = this;
    const { first, carry } = this.#flags;
    const state = this.state;
    if (oldFlagsDie(block, at)) return;
    if (state.rule === 'stored' || toStored(step)) {
      if (step.mask !== STATUS_FLAGS) this.reader().store();
      code.i32(0).i32(0).memory('i32.load', RFLAGS).i32(~step.mask!).op('i32.and');
      evaluate(scope, step.bits!);
      code.op('i32.or').memory('i32.store', RFLAGS);
      this.state = STORED;
      return;
    }
    this.reader().adjust();
    evaluate(scope, step.bits!);
    code.op('i32.or', 'i64.extend_u').set(first);
    evaluate(scope, carryBit(step.bits!));
    code.set(carry);
    this.state = GIVEN;
  }
}
