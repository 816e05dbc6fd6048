// Instructions that the core's handlers carry out for a region: what goes into memory before, and comes back behind.
import { JIT_HANDLED, REG_RIP, RIP_BASE } from '../core/layout.js';
import type { DecodedUop } from './decoded.js';
import { STORED } from './flag-state.js';
import type { FlagWriter } from './flag-writer.js';
import type { AtOnce, Called } from './handlers.js';
import type { MemoryCode } from './memory-code.js';
import { vexRegister } from './operand-code.js';
import type { RegisterLocals } from './register-locals.js';
import { inMemory, type VectorCode } from './vector-code.js';
import { type FunctionWriter, I32, type Import } from './wasm-writer.js';

/** REGION_STOPPED and NOT_AT_ONCE of core/exec/regions.ts. */
const STOPPED = -0x8000_0000;
const NOT_AT_ONCE = -0x7fff_ffff;
/** May stand for bits 127:0 of any register. */
const ALL_VECTORS = /^execVzero/;

/** What the writer of the region gives. */
export interface HandlerScope {
  readonly code: FunctionWriter;
  readonly registers: RegisterLocals;
  readonly flags: FlagWriter;
  readonly memory: MemoryCode;
  /** Local of the instructions left. */
  readonly left: number;
  temporary(name: string, type: number): number;
  /** RIP of the running block plus an offset. */
  rip(offset: number): void;
  leaveBefore(uop: DecodedUop): void;
  /** Leaves the region with that in JIT_UOP. */
  leaveWith(how: number): void;
  lookAtVectorMode(): void;
  /** Adds to the instructions left, or takes off again, what a strip's copy has counted ahead. */
  addBack(): void;
  takeOff(): void;
}

export class HandlerCode {
  constructor(readonly scope: HandlerScope) {}

  /** Calls a handler that needs nothing but its operands in memory; leaves before it where it does not complete. */
  lean({ name, number, registers: general, placed, vector }: Called, uop: DecodedUop, of?: VectorCode): void {
    const { code, registers, left } = this.scope;
    const operands = of ? of.readsGeneral : general ? [uop.r, uop.rm, vexRegister(uop)] : [];
    const addressed = of && !inMemory(uop) ? [] : [uop.base, uop.index];
    registers.spill(registers.written.filter((register) => [...addressed, ...operands].includes(register)));
    // BLENDVPS and its like take XMM0
    const near = vector ? [uop.r, uop.rm, vexRegister(uop), 0] : [];
    const named = (all: Iterable<number>, of: readonly number[] = near): number[] =>
      [...all].filter((register) => ALL_VECTORS.test(name) || of.includes(register));
    registers.spillVectors(named(registers.vectorsWritten, of && [...of.reads, ...of.writes]));
    if (placed || uop.base === REG_RIP) {
      code.i32(0);
      this.scope.rip(0);
      code.memory('i64.store', RIP_BASE);
    }
    const answer = this.scope.temporary('answer', I32);
    code.i32(number).i32(uop.at).get(left);
    this.scope.addBack();
    code.callImport('callLean').tee(answer).i32(STOPPED).op('i32.eq');
    code.open('if');
    this.scope.leaveBefore(uop);
    code.close();
    code.get(answer);
    this.scope.takeOff();
    code.set(left);
    // without an access of its own the TLB stays as it is
    if (inMemory(uop)) this.scope.memory.pages.forget();
    registers.reload(new Set(of?.writesGeneral ?? operands));
    registers.reloadVectors(named(registers.vectors, of?.writes));
    // sticky exceptions that others raise are seen when the region is entered again
    if (name === 'execLdmxcsr') this.scope.lookAtVectorMode();
  }

  /**
   * Calls what does the instruction at once, or, where that has done nothing, its handler. The flags stay in their locals.
   * @param behind instructions of the block from this one on
   */
  atOnce({ callee, reads, takes, byUop, writes }: AtOnce, uop: DecodedUop, behind: number): void {
    const { code, registers, left } = this.scope;
    const done = code.open('block');
    if (!takes) registers.spill(registers.written.filter((register) => reads.includes(register)));
    const answer = this.scope.temporary('answer', I32);
    this.scope.rip(uop.next - uop.length);
    code.i32(byUop ? uop.at : uop.length).get(left);
    if (takes) for (const register of reads) registers.put(register);
    code.callImport(callee).tee(answer).i32(NOT_AT_ONCE).op('i32.ne').open('if');
    registers.reload(writes);
    code.get(answer).set(left).branch(done).close();
    this.whole(uop, behind, true);
    code.close();
  }

  /**
   * Calls a handler with everything in memory; where it ends otherwise than at the next instruction the region is left.
   * @param seldom code beside it does what is usual
   */
  whole(uop: DecodedUop, behind: number, seldom = false): void {
    this.#whole(uop, behind, 'callWhole', seldom);
  }

  /** As whole(), by the interpreter's way for one instruction: it meets devices. */
  alone(uop: DecodedUop, behind: number): void {
    this.#whole(uop, behind, 'callAlone', false);
  }

  #whole(uop: DecodedUop, behind: number, callee: Import, seldom: boolean): void {
    const { code, registers, flags, left } = this.scope;
    registers.spill(registers.written);
    registers.spillVectors();
    if (seldom || flags.state.rule === 'unknown') flags.storeByCore();
    else flags.store();
    flags.state = STORED;
    const answer = this.scope.temporary('answer', I32);
    code.i32(uop.at);
    this.scope.rip(0);
    code.get(left).i32(behind).callImport(callee).set(answer);
    registers.reload();
    registers.reloadVectors();
    this.scope.lookAtVectorMode();
    this.scope.memory.pages.forget();
    code.get(answer).i32(STOPPED).op('i32.eq').open('if');
    this.scope.leaveWith(JIT_HANDLED);
    code.close();
    code.get(answer).set(left);
  }
}
