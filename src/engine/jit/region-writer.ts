// One region as a WebAssembly function.
//
// Parameters: RIP of the region's first block, instructions that may still run. Guest registers live in locals from
// entry to exit. The function answers in memory (JIT_* of core/layout.ts): instructions left, flags, and where to go
// on: at a RIP, or at a micro-op that is to be carried out by the interpreter, which has not begun.

import { type Expression, type Size, variable } from '../../spec/uops/expression.js';
import { SLOTS } from '../../spec/uops/index.js';
import type { FlagStep, Step } from '../../spec/uops/row.js';
import {
  GPR,
  JIT_BLOCK,
  JIT_HANDLED,
  JIT_LEFT,
  JIT_RIP,
  JIT_UOP,
  JIT_WENT_ANYWHERE,
  JIT_WENT_LATE,
  JIT_WENT_OUT,
  MODE_CODE64,
  MXCSR,
  REG_RIP,
  RFLAGS,
  RIP_BASE,
  SLICE_END,
  TLB_READ,
  TLB_WRITE,
  VECTORS_OFF,
  YMM,
} from '../core/layout.js';
import { calls } from './budget.js';
import { type DecodedBlock, type DecodedUop, UOP_BYTES } from './decoded.js';
import type { MemoryHints, Site } from './discovery.js';
import { define, evaluate, GENERAL_REGISTERS, type Scope, vexRegister } from './expression-code.js';
import { type FlagState, needsState, STORED } from './flag-state.js';
import { FlagWriter } from './flag-writer.js';
import { type AtOnce, type Called, leanHandlerOf } from './handlers.js';
import { vectorCode } from './in-place.js';
import type { Place } from './known-pages.js';
import { LowWords } from './low-words.js';
import { type Accessed, MemoryCode } from './memory-code.js';
import { registerOf, registersOf } from './region-registers.js';
import type { Shadow } from './sti-shadow.js';
import { StripCode, type StripScope } from './strip-code.js';
import type { Strips } from './strips.js';
import { inMemory, isVex, MXCSR_PLAIN, MXCSR_PLAIN_MASK, type VectorCode, type VectorScope } from './vector-code.js';
import { FunctionWriter, I32, I64, IMPORTS, type MemoryOp, V128 } from './wasm-writer.js';
import { lookAgain, X87Known } from './x87-stack.js';

const STORES: Record<number, MemoryOp> = { 0: 'i32.store8', 1: 'i32.store16', 2: 'i32.store', 3: 'i64.store' };

/** Type of every region's function. */
export const REGION_PARAMETERS = [I64, I32] as const;
const RIP_LOCAL = 0;
const LEFT_LOCAL = 1;
const CALL_LEAN = IMPORTS.findIndex(({ name }) => name === 'callLean');
const CALL_WHOLE = IMPORTS.findIndex(({ name }) => name === 'callWhole');
const CALL_ALONE = IMPORTS.findIndex(({ name }) => name === 'callAlone');
/** REGION_STOPPED and NOT_AT_ONCE of core/exec/regions.ts. */
const STOPPED = -0x8000_0000;
const NOT_AT_ONCE = -0x7fff_ffff;
/**
 * What is asked of VECTORS_OFF and MXCSR, in a local: SSE and VEX instructions run; nearest rounding with all exceptions
 * masked, where plain arithmetic may answer; PE is set. @sdm 1 10.2.3 "MXCSR Control and Status Register"
 */
const SSE_RUNS = 1;
const VEX_RUNS = 2;
const PLAIN = 4;
const IMPRECISE = 0x20;
const MXCSR_PE = 0x20;
/** May stand for bits 127:0 of any register. */
const ALL_VECTORS = /^execVzero/;

/** Steps with a way out, or two ways on. */
const MAY_LEAVE: ReadonlySet<Step['step']> = new Set(['access', 'store', 'leaveIf', 'noncanonical', 'skipIf']);

/** What OR, AND and XOR do with all of a register at once, also where they are to change a part of it. */
function logicOf({ row }: DecodedUop): 'i64.or' | 'i64.and' | 'i64.xor' | undefined {
  if (row?.row.handler !== 'execAlu') return undefined;
  return ({ 1: 'i64.or', 4: 'i64.and', 6: 'i64.xor' } as const)[row.row.operation];
}

export class RegionWriter {
  readonly code = new FunctionWriter(REGION_PARAMETERS);
  readonly #registers = new Map<number, number>();
  readonly #low = new LowWords(this.code, (register) => this.#registers.get(register)!);
  /** Registers that rows write: their places in memory are stale inside the region. */
  readonly #written: readonly number[];
  readonly #vectors = new Map<number, number>();
  readonly #vectorsWritten: readonly number[];
  /** SSE_RUNS and what follows; undefined: no vector instruction asks. */
  readonly #vectorMode: number | undefined;
  /** Variables of the micro-op's body: see Scope. */
  readonly #loose = new Set<string>();
  readonly #temporaries = new Map<string, number>();
  readonly flags: FlagWriter;
  readonly strips: StripCode;
  readonly #memory: MemoryCode;
  readonly #outUop: number;
  /** RIP that a computed jump takes. */
  readonly #taken: number;
  readonly #exit: number;
  /** Of what stands behind the running block. */
  shadow: Shadow | undefined;
  #block!: DecodedBlock;
  /** Offset of the block from the region's first one. */
  #delta = 0;
  #owed = 0;
  #broken = false;
  #isStrip = false;
  /** Labels behind the running block's micro-ops, and of the way out in their middle. */
  #behind = 0;
  #leave = 0;
  readonly #long: boolean;
  readonly #x87 = new X87Known();
  readonly #mode: number;

  /**
   * @param strips all of the region: its registers are known from its nodes
   * @param memory what is known of guest memory
   */
  constructor(strips: Strips, root: DecodedBlock, storedFlags: boolean, memory: MemoryHints) {
    const { code } = this;
    this.#mode = root.mode;
    this.#long = (root.mode & MODE_CODE64) !== 0;
    const local = (type: number): number => code.local(type);
    this.flags = new FlagWriter(code);
    this.#memory = new MemoryCode(code, this.#long, memory);
    this.#outUop = local(I32);
    this.#taken = local(I64);
    const { used, written, vectors, vectorsWritten, asksMode } = registersOf(strips.own.map(({ block }) => block));
    this.#written = written;
    this.#vectorsWritten = vectorsWritten;
    for (const register of vectors) this.#vectors.set(register, local(V128));
    this.#reloadVectors(vectors);
    this.#vectorMode = asksMode ? local(I32) : undefined;
    this.#lookAtVectorMode();
    for (const register of used) {
      const own = local(I64);
      this.#registers.set(register, own);
      code
        .i32(0)
        .memory('i64.load', GPR + register * 8)
        .set(own);
    }
    this.#memory.enter();
    if (!storedFlags) this.flags.enter();
    this.#memory.knowPages(strips.own, root.hpa & 0xfff);
    const scope: StripScope = {
      code,
      long: this.#long,
      left: LEFT_LOCAL,
      rip: RIP_LOCAL,
      context: this.#memory.context,
      register: (register) => this.#registers.get(register)!,
    };
    this.strips = new StripCode(scope, strips);
    this.#exit = code.open('block');
  }

  /** Ends the function: what every way out does. */
  finish(): FunctionWriter {
    const { code } = this;
    code.close();
    const out = (at: number, local: number, type: 'i32' | 'i64'): void => {
      code.i32(0).get(local).memory(`${type}.store`, at);
    };
    for (const register of this.#written) out(GPR + register * 8, this.#registers.get(register)!, 'i64');
    this.#spillVectors(this.#vectorsWritten);
    out(JIT_LEFT, LEFT_LOCAL, 'i32');
    out(JIT_UOP, this.#outUop, 'i32');
    this.flags.leave();
    return code;
  }

  /**
   * Begins a block, which owes its instructions beside those that were owed before. Its micro-ops follow: the ways out in
   * their middle share one end, since each way out costs V8 as much as several micro-ops.
   */
  begin(site: Site, state: FlagState, owed: number): void {
    const { code } = this;
    this.resume(site, state, owed + site.block.instructions);
    // handlers are told what is left
    if (calls(site.block)) this.pay();
    this.#memory.pages.begin();
    this.#x87.forget();
    const { strip } = site;
    this.#memory.strip = strip && ((uop, table, at) => this.strips.find(strip, uop, table, at));
    this.#behind = code.open('block');
    this.#leave = code.open('block');
  }

  /** Takes what is owed from the instructions left. */
  pay(): void {
    if (this.#owed !== 0) this.code.get(LEFT_LOCAL).i32(this.#owed).op('i32.sub').set(LEFT_LOCAL);
    this.#owed = 0;
  }

  /** What follows stands outside of a strip's copy. */
  leaveStrip(): void {
    this.#payOutside();
    this.#isStrip = false;
  }

  #payOutside(): void {
    this.pay();
    if (!this.#isStrip) return;
    this.code.get(LEFT_LOCAL);
    this.strips.addBack();
    this.code.set(LEFT_LOCAL);
  }

  /** Leaves behind a block when fewer than `ahead` instructions are left: at an offset from its start, or where it was taken to. */
  look(ahead: number, to: number | 'taken'): void {
    const { code } = this;
    const owed = this.#owed;
    code.get(LEFT_LOCAL);
    if (this.#isStrip) this.strips.addBack();
    code
      .i32(ahead + owed)
      .op('i32.lt_s')
      .open('if');
    if (to === 'taken') this.leaveThere(JIT_WENT_LATE);
    else this.leaveAt(to, JIT_WENT_LATE);
    code.close();
    this.#owed = owed;
  }

  /** Instructions that ran since what is left was counted. */
  get owed(): number {
    return this.#owed;
  }

  /** Goes on with another way out of a block, after the blocks behind the first one. */
  resume({ block, delta, broken, strip }: Site, state: FlagState, owed: number): void {
    this.#isStrip = strip !== undefined;
    this.#owed = owed;
    this.#block = block;
    this.#broken = broken;
    this.#delta = delta;
    this.flags.state = state;
  }

  /** Leaves the region at an offset from the running block's start. */
  leaveAt(offset: number, how: number = JIT_WENT_OUT): void {
    const { code } = this;
    this.#payOutside();
    this.flags.tellKind();
    code.i32(0);
    this.#rip(offset);
    code.memory('i64.store', JIT_RIP);
    code.i32(how).set(this.#outUop);
    code.branch(this.#exit);
  }

  /** Takes the RIP on the stack as where to go on. */
  takeRip(): void {
    this.code.set(this.#taken);
  }

  /** Branches when it is so far from the region's first block. */
  branchWhenAt(delta: number, place: number): void {
    this.#ripAt(delta);
    this.code.get(this.#taken).op('i64.eq').branch(place, true);
  }

  /** What follows is for when it is so far from the region's first block. */
  openWhenAt(delta: number): void {
    this.#ripAt(delta);
    this.code.get(this.#taken).op('i64.eq').open('if');
  }

  /** Branches by the distance from `first`; places that are undefined, and all others, go on behind. */
  branchByTable(first: number, places: readonly (number | undefined)[]): void {
    const { code } = this;
    const none = code.open('block');
    const distance = this.#temporary('distance', I64);
    code.get(this.#taken);
    this.#ripAt(first);
    code.op('i64.sub').tee(distance).i64(BigInt(places.length)).op('i64.ge_u').branch(none, true);
    code
      .get(distance)
      .op('i32.wrap')
      .table(
        places.map((place) => place ?? none),
        none,
      );
    code.close();
  }

  /** Leaves at the RIP that was taken. */
  leaveThere(how: number = JIT_WENT_ANYWHERE): void {
    this.#payOutside();
    this.flags.tellKind();
    this.code.i32(0).get(this.#taken).memory('i64.store', JIT_RIP);
    this.code.i32(how).set(this.#outUop).branch(this.#exit);
  }

  /** A block's micro-ops end; a value of that type is left on the stack. */
  closeMicroOps(type: number | undefined): void {
    const { code } = this;
    this.#low.mergeAll();
    const kept = type === undefined ? undefined : this.#temporary('kept', type);
    if (kept !== undefined) code.set(kept);
    code.branch(this.#behind);
    code.close();
    this.#leaveBlock();
    code.close();
    if (kept !== undefined) code.get(kept);
  }

  /** Leaves before a micro-op; the interpreter counts the block's instructions. */
  leaveBefore(uop: DecodedUop): void {
    this.#low.mergeAll();
    this.flags.tellKind();
    this.code
      .i32(this.#broken ? uop.at | 1 : uop.at)
      .set(this.#outUop)
      .branch(this.#leave);
  }

  #leaveBlock(): void {
    const { code } = this;
    const owed = this.#owed;
    // its own instructions are counted at its end
    this.#owed -= this.#block.instructions;
    this.#payOutside();
    this.#owed = owed;
    code
      .i32(0)
      .i32(this.#block.at + UOP_BYTES)
      .memory('i32.store', JIT_BLOCK);
    code.i32(0);
    this.#rip(0);
    code.memory('i64.store', JIT_RIP).branch(this.#exit);
  }

  /**
   * Writes a micro-op. Answers false when the region cannot go on behind it. A branch's test and a jump's target are
   * left on the stack.
   */
  uop(at: number): boolean {
    const uop = this.#block.uops[at];
    const { row } = uop;
    this.#loose.clear();
    if ((!row && !uop.handler) || (needsState(this.#block, at) && this.flags.state.rule === 'unknown')) {
      this.leaveBefore(uop);
      return false;
    }
    if (!row || uop.device || row.row.guard) this.#low.mergeAll();
    if (!row) {
      const inPlace = vectorCode(uop);
      if (inPlace) this.#vector(inPlace, uop, at);
      else {
        this.#x87.forget();
        const { lean, atOnce, keepsFlags } = uop.handler!;
        const before = this.flags.state;
        if (lean) this.#callLean(uop.handler!, uop);
        else if (atOnce) this.#callAtOnce(atOnce, uop);
        else this.#callWhole(uop);
        // they are in their locals too
        if (keepsFlags) this.flags.state = before;
        this.#memory.pages.begin();
      }
      return true;
    }
    if (uop.device) {
      this.#besideDevices(row.body, uop, at);
      return true;
    }
    const { guard } = row.row;
    if (guard && this.#isStrip) {
      // vector instructions run: else there is no strip
      if (guard === 'sse aligned') {
        this.#memory.address('operand', this.#scope(uop));
        this.code.op('i32.wrap').i32(15).op('i32.and').open('if');
        this.leaveBefore(uop);
        this.code.close();
      }
    } else if (guard) {
      const { code } = this;
      code
        .i32(0)
        .memory('i32.load', VECTORS_OFF)
        .i32(guard === 'vex' ? 2 : 1)
        .op('i32.and');
      if (guard === 'sse aligned') {
        this.#memory.address('operand', this.#scope(uop));
        code.op('i32.wrap').i32(15).op('i32.and', 'i32.or');
      }
      code.open('if');
      this.#callLean(leanHandlerOf(row.row.handler), uop);
      code.op('else');
      this.#body(row.body, uop, at);
      this.#low.mergeAll();
      code.close();
      return true;
    }
    this.#body(row.body, uop, at);
    return true;
  }

  #spill(registers: Iterable<number>): void {
    for (const register of registers) {
      this.code
        .i32(0)
        .get(this.#registers.get(register)!)
        .memory('i64.store', GPR + register * 8);
    }
  }

  #reload(registers: Iterable<number>): void {
    for (const register of registers) {
      this.code
        .i32(0)
        .memory('i64.load', GPR + register * 8)
        .set(this.#registers.get(register)!);
    }
  }

  #spillVectors(registers: Iterable<number>): void {
    for (const register of registers) {
      this.code
        .i32(register * 32)
        .get(this.#vectors.get(register)!)
        .v128Store(YMM);
    }
  }

  #reloadVectors(registers: Iterable<number>): void {
    for (const register of registers) {
      this.code
        .i32(register * 32)
        .v128Load(YMM)
        .set(this.#vectors.get(register)!);
    }
  }

  /** After a handler that may have changed MXCSR, or whether vector instructions run. */
  #lookAtVectorMode(): void {
    if (this.#vectorMode === undefined) return;
    const { code } = this;
    const mode = this.#vectorMode;
    code
      .i32(0)
      .memory('i32.load', VECTORS_OFF)
      .i32(SSE_RUNS | VEX_RUNS)
      .op('i32.and')
      .i32(SSE_RUNS | VEX_RUNS)
      .op('i32.xor');
    code.i32(0).memory('i32.load', MXCSR).tee(mode).i32(MXCSR_PLAIN_MASK).op('i32.and').i32(MXCSR_PLAIN).op('i32.eq');
    code.i32(2).op('i32.shl', 'i32.or').get(mode).i32(MXCSR_PE).op('i32.and', 'i32.or').set(mode);
  }

  /** Carries out a vector or x87 instruction; its handler does where something is out of the ordinary. */
  #vector(of: VectorCode, uop: DecodedUop, at: number): void {
    const { code } = this;
    const before = this.flags.state;
    const x87Before = this.#x87.copy();
    const done = code.open('block');
    const handled = code.open('block');
    let givesUp = !this.#isStrip;
    const giveUpIf = (): void => {
      givesUp = true;
      code.branch(handled, true);
    };
    // a handler that looks for its page may put another one in the place of a strip's
    const missesIf = this.#isStrip ? this.#leaveIf(uop) : giveUpIf;
    if (of.asksMode && !this.#isStrip) {
      const asked = (isVex(uop) ? VEX_RUNS : SSE_RUNS) | (of.quick ? PLAIN : 0);
      code.get(this.#vectorMode!).i32(asked).op('i32.and').i32(asked).op('i32.ne');
      giveUpIf();
    }
    if (inMemory(uop) && !of.findsOwn) {
      const size = Math.log2(of.bytes) as Size | 5;
      const accessed = this.#accessed(of.writesMemory ? TLB_WRITE : TLB_READ, size, 'operand');
      if (of.aligned) this.#memory.accessAligned(accessed, 16, this.#scope(uop), missesIf);
      else this.#memory.access(accessed, this.#scope(uop), missesIf);
    }
    const scope: VectorScope = {
      code,
      uop,
      long: this.#long,
      xmm: (register) => this.#vectors.get(register)!,
      gpr: (register) => this.#registers.get(register)!,
      temporary: (name, type) => this.#temporary(name, type),
      pointer: this.#memory.pointer,
      giveUpIf,
      mode: this.#mode,
      icount: () => {
        const ahead = this.#block.instructions - uop.nth;
        code.i32(0).memory('i64.load', SLICE_END).get(LEFT_LOCAL).i32(ahead).op('i32.add', 'i64.extend_s', 'i64.sub');
      },
      left: () => {
        code.get(LEFT_LOCAL);
      },
      setLeft: () => {
        code.set(LEFT_LOCAL);
      },
      shadow: this.shadow,
      forgetPages: () => {
        this.#memory.pages.forget();
      },
      status: () => {
        this.flags.reader().status();
      },
      setStatus: () => {
        this.flags.setStatus(this.#temporary('status', I32));
      },
      flagsAreStored: () => {
        this.flags.state = STORED;
      },
      put: (e) => {
        evaluate(this.#scope(uop), e);
      },
      access: (table, size, at) => {
        this.#memory.access(this.#accessed(table, size, at), this.#scope(uop), missesIf);
      },
      rip: (offset) => {
        this.#rip(offset);
      },
      setCarry: () => {
        this.flags.setCarry(this.#temporary('status', I32));
      },
      x87: this.#x87,
      lookAtMode: () => {
        this.#lookAtVectorMode();
      },
      whilePrecise: (write) => {
        code.get(this.#vectorMode!).i32(IMPRECISE).op('i32.and', 'i32.eqz').open('if');
        write();
        code.close();
      },
    };
    of.write(scope);
    // its handler finds and leaves them there
    if (!uop.handler!.keepsFlags) {
      this.flags.store();
      this.flags.state = STORED;
    }
    const after = this.flags.state;
    code.branch(done);
    code.close();
    this.flags.state = before;
    if (!givesUp) code.op('unreachable');
    else if (uop.handler!.lean) this.#callLean(uop.handler!, uop, of);
    else this.#callWhole(uop);
    // what it raised is sticky: the next ones need not look
    if (givesUp && of.quick && uop.handler!.lean) this.#lookAtVectorMode();
    this.flags.state = after;
    if (of.x87 && !this.#asksForX87(at + 1)) this.#x87.forget();
    else if (of.x87 && this.#x87.known) {
      lookAgain({ code, temporary: (name, type) => this.#temporary(name, type) }, x87Before, this.#x87);
      code.open('if');
      this.leaveBefore(this.#block.uops[at + 1]);
      code.close();
    }
    code.close();
  }

  /** Does an instruction of the block, from a micro-op on, ask for what is known of the x87 state before it? */
  #asksForX87(from: number): boolean {
    for (const uop of this.#block.uops.slice(from)) {
      if (uop.row || !uop.handler) continue;
      const of = vectorCode(uop);
      if (!of || of.x87) return of?.x87 === true;
    }
    return false;
  }

  /** Calls a handler that needs nothing but its operands in memory; leaves before it where it does not complete. */
  #callLean({ name, number, registers, placed, vector }: Called, uop: DecodedUop, of?: VectorCode): void {
    const { code } = this;
    const operands = of ? of.readsGeneral : registers ? [uop.r, uop.rm, vexRegister(uop)] : [];
    const addressed = of && !inMemory(uop) ? [] : [uop.base, uop.index];
    this.#spill(this.#written.filter((register) => [...addressed, ...operands].includes(register)));
    // BLENDVPS and its like take XMM0
    const near = vector ? [uop.r, uop.rm, vexRegister(uop), 0] : [];
    const named = (registers: readonly number[], of: readonly number[] = near): number[] =>
      registers.filter((register) => ALL_VECTORS.test(name) || of.includes(register));
    this.#spillVectors(named(this.#vectorsWritten, of && [...of.reads, ...of.writes]));
    if (placed || uop.base === REG_RIP) {
      code.i32(0);
      this.#rip(0);
      code.memory('i64.store', RIP_BASE);
    }
    const answer = this.#temporary('answer', I32);
    code.i32(number).i32(uop.at).get(LEFT_LOCAL);
    if (this.#isStrip) this.strips.addBack();
    code.call(CALL_LEAN).tee(answer).i32(STOPPED).op('i32.eq');
    code.open('if');
    this.leaveBefore(uop);
    code.close();
    code.get(answer);
    if (this.#isStrip) this.strips.takeOff();
    code.set(LEFT_LOCAL);
    // without an access of its own the TLB stays as it is
    if (inMemory(uop)) this.#memory.pages.forget();
    this.#reload(new Set((of?.writesGeneral ?? operands).filter((register) => this.#registers.has(register))));
    this.#reloadVectors(named([...this.#vectors.keys()], of?.writes));
    // sticky exceptions that others raise are seen when the region is entered again
    if (name === 'execLdmxcsr') this.#lookAtVectorMode();
  }

  /** Calls what does the instruction at once, or, where that has done nothing, its handler. The flags stay in their locals. */
  #callAtOnce({ callee, reads, writes }: AtOnce, uop: DecodedUop): void {
    const { code } = this;
    const done = code.open('block');
    this.#spill(this.#written.filter((register) => reads.includes(register)));
    const answer = this.#temporary('answer', I32);
    this.#rip(uop.next - uop.length);
    code.i32(uop.length).get(LEFT_LOCAL).callImport(callee).tee(answer).i32(NOT_AT_ONCE).op('i32.ne').open('if');
    this.#reload(writes.filter((register) => this.#registers.has(register)));
    code.get(answer).set(LEFT_LOCAL).branch(done).close();
    this.#callWhole(uop);
    code.close();
  }

  /** Calls a handler with everything in memory; where it ends otherwise than at the next instruction the region is left. */
  #callWhole(uop: DecodedUop, callee = CALL_WHOLE): void {
    const { code } = this;
    this.#spill(this.#written);
    this.#spillVectors(this.#vectorsWritten);
    this.flags.store();
    this.flags.state = STORED;
    const answer = this.#temporary('answer', I32);
    code.i32(uop.at);
    this.#rip(0);
    code
      .get(LEFT_LOCAL)
      .i32(this.#block.instructions - uop.nth)
      .call(callee)
      .set(answer);
    this.#reload(this.#registers.keys());
    this.#reloadVectors(this.#vectors.keys());
    this.#lookAtVectorMode();
    this.#memory.pages.forget();
    code.get(answer).i32(STOPPED).op('i32.eq').open('if');
    this.flags.tellKind();
    code.i32(JIT_HANDLED).set(this.#outUop).branch(this.#exit);
    code.close();
    code.get(answer).set(LEFT_LOCAL);
  }

  /** A micro-op that has met devices: its instruction runs alone where the TLB has no page. The flags are in RFLAGS then. */
  #besideDevices(body: readonly Step[], uop: DecodedUop, at: number): void {
    const { code, flags } = this;
    const before = flags.state;
    const done = code.open('block');
    const missed = code.open('block');
    this.#body(body, uop, at, () => {
      code.branch(missed, true);
    });
    flags.store();
    this.#low.mergeAll();
    code.branch(done);
    code.close();
    flags.state = before;
    this.#callWhole(uop, CALL_ALONE);
    code.close();
    flags.state = STORED;
  }

  /** Takes an i32, and leaves before a micro-op when it is not 0. */
  #leaveIf(uop: DecodedUop): () => void {
    return () => {
      this.code.open('if');
      this.leaveBefore(uop);
      this.code.close();
    };
  }

  /** @param missesIf takes an i32, 1 when the TLB has no page; without it the micro-op is left to the interpreter */
  #body(body: readonly Step[], uop: DecodedUop, at: number, missesIf?: () => void): void {
    const { code } = this;
    const scope = this.#scope(uop);
    const leave = missesIf ?? this.#leaveIf(uop);
    for (const step of body) {
      if (MAY_LEAVE.has(step.step)) this.#low.mergeAll();
      switch (step.step) {
        case 'let':
          define(scope, step.name, step.value);
          break;
        case 'access':
          this.#memory.access(
            this.#accessed(step.kind === 'read' ? TLB_READ : TLB_WRITE, step.size, step.at),
            scope,
            leave,
          );
          break;
        case 'store':
          this.#memory.access(this.#accessed(TLB_WRITE, step.size, step.at), scope, leave);
          code.get(this.#memory.pointer);
          evaluate(scope, step.value);
          code.memory(STORES[step.size], 0);
          break;
        case 'commit':
          step.values.forEach((value, n) => {
            code.get(this.#memory.pointer);
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
          else code.set(this.#vectors.get(uop.r)!);
          break;
        case 'flags':
          this.flags.set(step, scope, body, this.#block, at);
          break;
        case 'leaveIf':
          evaluate(scope, step.test);
          code.open('if');
          this.leaveBefore(uop);
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
          this.leaveBefore(uop);
          code.close();
          break;
        case 'skipIf': {
          // the rest of the body is what happens otherwise
          const { state } = this.flags;
          const flags = body.find((one): one is FlagStep => one.step === 'flags');
          this.flags.keepAlike(flags, this.#block, at);
          evaluate(scope, step.test);
          code.open('if');
          this.#body(step.instead, uop, at);
          this.#low.mergeAll();
          code.op('else');
          this.#body(body.slice(body.indexOf(step) + 1), uop, at);
          this.#low.mergeAll();
          if (state.rule === 'stored') this.flags.reader().store();
          code.close();
          this.flags.keptAlike(flags, body, state);
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

  #accessed(table: number, size: Size | 5, at: Place): Accessed {
    return { table, size, at, delta: this.#delta };
  }

  #scope(uop: DecodedUop): Scope {
    return {
      code: this.code,
      uop,
      long: this.#long,
      register: (index) => {
        this.#low.merge(index);
        return this.#registers.get(index)!;
      },
      lowWord: (index) => this.#low.of(index),
      vector: (index) => this.#vectors.get(index)!,
      temporary: (name, type) => this.#temporary(name, type),
      loose: this.#loose,
      rip: (offset) => this.#rip(offset),
      pointer: this.#memory.pointer,
      carry: () => this.flags.reader().carry(),
      status: () => this.flags.reader().status(),
      condition: (cc) => this.flags.reader().condition(cc),
    };
  }

  #temporary(name: string, type: number): number {
    const key = `${name} ${type}`;
    const known = this.#temporaries.get(key);
    if (known !== undefined) return known;
    const made = this.code.local(type);
    this.#temporaries.set(key, made);
    return made;
  }

  /** RIP of the running block plus an offset. */
  #rip(offset: number): void {
    this.#ripAt(this.#delta + offset);
  }

  /** RIP at a distance from the region's first block. */
  #ripAt(delta: number): void {
    const { code } = this;
    code.get(RIP_LOCAL).i64(BigInt(delta)).op('i64.add');
    if (!this.#long) code.i64(0xffffffffn).op('i64.and');
  }

  /** Of a part of the low 16 bits, which stand apart before or behind it. */
  #setLow(register: number, low: number | undefined, size: Size, high: boolean, value: Expression, scope: Scope): void {
    const { code } = this;
    if (low !== undefined && size === 0)
      code
        .get(low)
        .i32(high ? 0xff : 0xff00)
        .op('i32.and');
    evaluate(scope, value);
    if (high) code.i32(8).op('i32.shl');
    if (low !== undefined && size === 0) code.op('i32.or');
    this.#low.set(register);
  }

  #set({ to, size, value }: Extract<Step, { step: 'set' }>, scope: Scope): void {
    const { code } = this;
    const { register, high } = registerOf(scope.uop, to, size);
    if (register >= GENERAL_REGISTERS) {
      code.i32(0);
      evaluate(scope, value);
      // the interpreter finds it in memory
      if (register === SLOTS.linear) code.tee(scope.temporary('segment linear', I64));
      code.memory('i64.store', GPR + register * 8);
      return;
    }
    const own = this.#registers.get(register)!;
    this.#memory.pages.changed(register);
    if (size >= 2) {
      evaluate(scope, value);
      if (size === 2) code.op('i64.extend_u');
      code.set(own);
      this.#low.drop(register);
      return;
    }
    const low = this.#low.of(register);
    if (low !== undefined || (size === 1 && !logicOf(scope.uop))) {
      this.#setLow(register, low, size, high, value, scope);
      return;
    }
    const shift = high ? 8n : 0n;
    const mask = (size === 0 ? 0xffn : 0xffffn) << shift;
    const logic = logicOf(scope.uop);
    if (logic) {
      // the second operand alone, where its other bits change nothing
      code.get(own);
      evaluate(scope, variable(size, 'b'));
      code.op('i64.extend_u');
      if (high) code.i64(shift).op('i64.shl');
      if (logic === 'i64.and') code.i64(~mask).op('i64.or');
      code.op(logic).set(own);
      return;
    }
    code.get(own).i64(~mask).op('i64.and');
    evaluate(scope, value);
    code.op('i64.extend_u');
    if (high) code.i64(shift).op('i64.shl');
    code.op('i64.or').set(own);
  }
}
