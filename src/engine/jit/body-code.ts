// A micro-op by its row's body: each step of it, with registers and flags in locals.
import { type Expression, type Size, variable } from '../../spec/uops/expression.js';
import { SLOTS } from '../../spec/uops/index.js';
import type { FlagStep, Step } from '../../spec/uops/row.js';
import { GPR, RFLAGS, TLB_READ, TLB_WRITE, YMM } from '../core/layout.js';
import type { DecodedBlock, DecodedUop } from './decoded.js';
import { define, evaluate } from './expression-code.js';
import type { FlagWriter } from './flag-writer.js';
import type { Place } from './known-pages.js';
import type { Accessed, MemoryCode } from './memory-code.js';
import { GENERAL_REGISTERS, type Scope } from './operand-code.js';
import { registerOf } from './region-registers.js';
import type { RegisterLocals } from './register-locals.js';
import { type FunctionWriter, I64, type MemoryOp } from './wasm-writer.js';

const STORES: Record<number, MemoryOp> = { 0: 'i32.store8', 1: 'i32.store16', 2: 'i32.store', 3: 'i64.store' };

/** Steps with a way out, or two ways on. */
const MAY_LEAVE: ReadonlySet<Step['step']> = new Set(['access', 'store', 'leaveIf', 'noncanonical', 'skipIf']);

/** What OR, AND and XOR do with all of a register at once, also where they are to change a part of it. */
function logicOf({ row }: DecodedUop): 'i64.or' | 'i64.and' | 'i64.xor' | undefined {
  if (row?.row.handler !== 'execAlu') return undefined;
  return ({ 1: 'i64.or', 4: 'i64.and', 6: 'i64.xor' } as const)[row.row.operation];
}

const NARROW = { 'i64.or': 'i32.or', 'i64.and': 'i32.and', 'i64.xor': 'i32.xor' } as const;

/** What the writer of the region gives. */
export interface BodyScope {
  readonly code: FunctionWriter;
  readonly long: boolean;
  readonly registers: RegisterLocals;
  readonly flags: FlagWriter;
  readonly memory: MemoryCode;
  /** The running one, and how far it lies from the region's first. */
  readonly block: DecodedBlock;
  readonly delta: number;
  temporary(name: string, type: number): number;
  /** RIP of the running block plus an offset. */
  rip(offset: number): void;
  leaveBefore(uop: DecodedUop): void;
}

export class BodyCode {
  /** Variables of the micro-op's body: see Scope. */
  readonly #loose = new Set<string>();

  /** Registers whose upper halves the running block has cleared: V8 narrows nothing itself but what was widened just before. */
  readonly #narrow = new Set<number>();

  constructor(readonly scope: BodyScope) {}

  /** A block begins, or a register may have changed by other code. */
  forgetNarrow(): void {
    this.#narrow.clear();
  }

  /** Begins another micro-op. */
  begin(): void {
    this.#loose.clear();
  }

  /** Takes an i32, and leaves before a micro-op when it is not 0. */
  leaveIf(uop: DecodedUop): () => void {
    return () => {
      this.scope.code.open('if');
      this.scope.leaveBefore(uop);
      this.scope.code.close();
    };
  }

  /** @param missesIf takes an i32, 1 when the TLB has no page; without it the micro-op is left to the interpreter */
  write(body: readonly Step[], uop: DecodedUop, at: number, missesIf?: () => void): void {
    const { code } = this.scope;
    const scope = this.of(uop);
    const leave = missesIf ?? this.leaveIf(uop);
    for (const step of body) {
      if (MAY_LEAVE.has(step.step)) this.scope.registers.low.mergeAll();
      switch (step.step) {
        case 'let':
          define(scope, step.name, step.value);
          break;
        case 'access':
          this.scope.memory.access(
            this.accessed(step.kind === 'read' ? TLB_READ : TLB_WRITE, step.size, step.at),
            scope,
            leave,
          );
          break;
        case 'store':
          this.scope.memory.access(this.accessed(TLB_WRITE, step.size, step.at), scope, leave);
          code.get(this.scope.memory.pointer);
          evaluate(scope, step.value);
          code.memory(STORES[step.size], 0);
          break;
        case 'commit':
          step.values.forEach((value, n) => {
            code.get(this.scope.memory.pointer);
            evaluate(scope, value);
            if (value.size === 4) code.v128Store(n * 16);
            else code.memory(STORES[value.size], 0);
          });
          break;
        case 'set':
          this.#set(step, scope);
          break;
        case 'setVector':
          if (step.high) code.i32(uop.r * 32);
          evaluate(scope, step.value);
          if (step.high) code.v128Store(YMM + 16);
          else code.set(this.scope.registers.vector(uop.r));
          break;
        case 'flags':
          this.scope.flags.set(step, scope, body, this.scope.block, at);
          break;
        case 'leaveIf':
          evaluate(scope, step.test);
          code.open('if');
          this.scope.leaveBefore(uop);
          code.close();
          break;
        case 'system':
          code.i32(0).i32(0).memory('i32.load', RFLAGS).i32(~step.mask).op('i32.and').i32(step.value).op('i32.or');
          code.memory('i32.store', RFLAGS);
          break;
        case 'noncanonical':
          evaluate(scope, step.value);
          code.i64(16n).op('i64.shl').i64(16n).op('i64.shr_s');
          evaluate(scope, step.value);
          code.op('i64.ne').open('if');
          this.scope.leaveBefore(uop);
          code.close();
          break;
        case 'skipIf': {
          // the rest of the body is what happens otherwise
          const { state } = this.scope.flags;
          const flags = body.find((one): one is FlagStep => one.step === 'flags');
          this.scope.flags.keepAlike(flags, this.scope.block, at);
          evaluate(scope, step.test);
          code.open('if');
          this.write(step.instead, uop, at);
          this.scope.registers.low.mergeAll();
          code.op('else');
          this.write(body.slice(body.indexOf(step) + 1), uop, at);
          this.scope.registers.low.mergeAll();
          this.#narrow.clear();
          if (state.rule === 'stored') this.scope.flags.reader().store();
          code.close();
          this.scope.flags.keptAlike(flags, body, state);
          return;
        }
        case 'branch':
          evaluate(scope, step.test);
          break;
        case 'jump':
          evaluate(scope, step.to);
          break;
      }
    }
  }

  accessed(table: number, size: Size | 5, at: Place): Accessed {
    return { table, size, at, delta: this.scope.delta };
  }

  of(uop: DecodedUop): Scope {
    return {
      code: this.scope.code,
      uop,
      long: this.scope.long,
      register: (index) => {
        this.scope.registers.low.merge(index);
        return this.scope.registers.general(index);
      },
      lowWord: (index) => this.scope.registers.low.of(index),
      vector: (index) => this.scope.registers.vector(index),
      temporary: (name, type) => this.scope.temporary(name, type),
      loose: this.#loose,
      rip: (offset) => this.scope.rip(offset),
      pointer: this.scope.memory.pointer,
      carry: () => this.scope.flags.reader().carry(),
      status: () => this.scope.flags.reader().status(),
      condition: (cc) => this.scope.flags.reader().condition(cc),
    };
  }

  /** Of a part of the low 16 bits, which stand apart before or behind it. */
  #setLow(register: number, low: number | undefined, size: Size, high: boolean, value: Expression, scope: Scope): void {
    const { code } = this.scope;
    if (low !== undefined && size === 0)
      code
        .get(low)
        .i32(high ? 0xff : 0xff00)
        .op('i32.and');
    evaluate(scope, value);
    if (high) code.i32(8).op('i32.shl');
    if (low !== undefined && size === 0) code.op('i32.or');
    this.scope.registers.low.set(register);
  }

  #set({ to, size, value }: Extract<Step, { step: 'set' }>, scope: Scope): void {
    const { code } = this.scope;
    const { register, high } = registerOf(scope.uop, to, size);
    if (register >= GENERAL_REGISTERS) {
      code.i32(0);
      evaluate(scope, value);
      // the interpreter finds it in memory
      if (register === SLOTS.linear) code.tee(scope.temporary('segment linear', I64));
      code.memory('i64.store', GPR + register * 8);
      return;
    }
    const own = this.scope.registers.general(register);
    this.scope.memory.pages.changed(register);
    if (size >= 2) {
      evaluate(scope, value);
      if (size === 2) code.op('i64.extend_u');
      code.set(own);
      if (size === 2) this.#narrow.add(register);
      else this.#narrow.delete(register);
      this.scope.registers.low.drop(register);
      return;
    }
    const low = this.scope.registers.low.of(register);
    if (low !== undefined || (size === 1 && !logicOf(scope.uop))) {
      this.#setLow(register, low, size, high, value, scope);
      return;
    }
    const logic = logicOf(scope.uop);
    const narrow = this.#narrow.has(register);
    const shift = high ? 8 : 0;
    const mask = (size === 0 ? 0xff : 0xffff) << shift;
    const type = narrow ? 'i32' : 'i64';
    const constant = (value: number): void => {
      if (narrow) code.i32(value);
      else code.i64(BigInt(value));
    };
    code.get(own);
    if (narrow) code.op('i32.wrap');
    if (!logic) {
      constant(~mask);
      code.op(`${type}.and`);
    }
    // of logic the second operand alone, where its other bits change nothing
    evaluate(scope, logic ? variable(size, 'b') : value);
    if (!narrow) code.op('i64.extend_u');
    if (high) {
      constant(shift);
      code.op(`${type}.shl`);
    }
    if (logic === 'i64.and') {
      constant(~mask);
      code.op(`${type}.or`);
    }
    if (!logic) code.op(`${type}.or`);
    else code.op(narrow ? NARROW[logic] : logic);
    if (narrow) code.op('i64.extend_u');
    code.set(own);
  }
}
