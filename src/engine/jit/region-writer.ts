import type { Step } from '../../spec/uops/row.js';
import {
  JIT_BLOCK,
  JIT_LEFT,
  JIT_RIP,
  JIT_UOP,
  JIT_WENT_ANYWHERE,
  JIT_WENT_LATE,
  JIT_WENT_OUT,
  MODE_CODE64,
  VECTORS_OFF,
} from '../core/layout.js';
import { BodyCode } from './body-code.js';
import { calls } from './budget.js';
import { type DecodedBlock, type DecodedUop, UOP_BYTES } from './decoded.js';
import type { MemoryHints, Site } from './discovery.js';
import { type FlagState, needsState, STORED } from './flag-state.js';
import { FlagWriter } from './flag-writer.js';
import { HandlerCode, type HandlerScope } from './handler-code.js';
import { leanHandlerOf } from './handlers.js';
import { vectorCode } from './in-place.js';
import { InPlaceCode, type InPlaceScope } from './in-place-code.js';
import type { LowWords } from './low-words.js';
import { MemoryCode } from './memory-code.js';
import { registersOf } from './region-registers.js';
import { RegisterLocals } from './register-locals.js';
import type { Shadow } from './sti-shadow.js';
import { StripCode, type StripScope } from './strip-code.js';
import type { Strips } from './strips.js';
import { SSE_OFF, VEX_OFF } from './vector-code.js';
import { VectorMode } from './vector-mode.js';
import { FunctionWriter, I32, I64 } from './wasm-writer.js';

/** Type of every region's function. */
export const REGION_PARAMETERS = [I64, I32] as const;
const RIP_LOCAL = 0;
const LEFT_LOCAL = 1;
export class RegionWriter {
  readonly code = new FunctionWriter(REGION_PARAMETERS);
  readonly #registers: RegisterLocals;
  readonly #low: LowWords;
  readonly #handlers: HandlerCode;
  readonly #bodies: BodyCode;
  readonly #inPlace: InPlaceCode;
  readonly #vectorMode: VectorMode;
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

  /**
   * @param strips all of the region: its registers are known from its nodes
   * @param memory what is known of guest memory
   */
  constructor(strips: Strips, root: DecodedBlock, storedFlags: boolean, memory: MemoryHints) {
    const { code } = this;
    this.#long = (root.mode & MODE_CODE64) !== 0;
    const local = (type: number): number => code.local(type);
    this.flags = new FlagWriter(code);
    this.#memory = new MemoryCode(code, this.#long, memory);
    this.#outUop = local(I32);
    this.#taken = local(I64);
    const found = registersOf(strips.own.map(({ block }) => block));
    this.#registers = new RegisterLocals(code, found);
    this.#low = this.#registers.low;
    this.#registers.enterVectors(found.vectors);
    this.#vectorMode = new VectorMode(code, found.asksMode);
    this.#registers.enter(found.used);
    this.#memory.enter();
    if (!storedFlags) this.flags.enter();
    this.#memory.knowPages(strips.own, root.hpa & 0xfff);
    const scope: StripScope = {
      code,
      long: this.#long,
      left: LEFT_LOCAL,
      rip: RIP_LOCAL,
      context: this.#memory.context,
      register: (register) => this.#registers.general(register),
    };
    this.strips = new StripCode(scope, strips);
    const common = this.#common();
    this.#handlers = new HandlerCode(common);
    this.#bodies = new BodyCode(common);
    this.#inPlace = new InPlaceCode(common);
    this.#exit = code.open('block');
  }

  /** What all that write parts of the region use. */
  #common(): HandlerScope & InPlaceScope {
    // the running block is another one each time, and the parts need this first
    const own = this;
    return {
      code: this.code,
      long: this.#long,
      registers: this.#registers,
      flags: this.flags,
      memory: this.#memory,
      left: LEFT_LOCAL,
      get block() {
        return own.#block;
      },
      get delta() {
        return own.#delta;
      },
      get isStrip() {
        return own.#isStrip;
      },
      get shadow() {
        return own.shadow;
      },
      get bodies() {
        return own.#bodies;
      },
      get handlers() {
        return own.#handlers;
      },
      vectorMode: this.#vectorMode,
      from: (uop) => this.#from(uop),
      temporary: (name, type) => this.#temporary(name, type),
      rip: (offset) => {
        this.#rip(offset);
      },
      leaveBefore: (uop) => {
        this.leaveBefore(uop);
      },
      leaveWith: (how) => {
        this.flags.tellKind();
        this.code.i32(how).set(this.#outUop).branch(this.#exit);
      },
      lookAtVectorMode: () => {
        this.#vectorMode.look();
      },
      addBack: () => {
        if (this.#isStrip) this.strips.addBack();
      },
      takeOff: () => {
        if (this.#isStrip) this.strips.takeOff();
      },
    };
  }

  /** Ends the function: what every way out does. */
  finish(): FunctionWriter {
    const { code } = this;
    code.close();
    this.#registers.spill(this.#registers.written);
    this.#registers.spillVectors();
    code.i32(0).get(LEFT_LOCAL).memory('i32.store', JIT_LEFT);
    code.i32(0).get(this.#outUop).memory('i32.store', JIT_UOP);
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
    this.#bodies.forgetNarrow();
    this.#inPlace.forget();
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
    this.#bodies.begin();
    if ((!row && !uop.handler) || (needsState(this.#block, at) && this.flags.state.rule === 'unknown')) {
      this.leaveBefore(uop);
      return false;
    }
    if (!row || uop.device || row.row.guard) this.#low.mergeAll();
    if (!row) {
      this.#bodies.forgetNarrow();
      const inPlace = vectorCode(uop);
      if (inPlace) this.#inPlace.write(inPlace, uop, at);
      else {
        this.#inPlace.forget();
        const { lean, atOnce, keepsFlags } = uop.handler!;
        const before = this.flags.state;
        if (lean) this.#handlers.lean(uop.handler!, uop);
        else if (atOnce) this.#handlers.atOnce(atOnce, uop, this.#from(uop));
        else this.#handlers.whole(uop, this.#from(uop));
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
        this.#memory.address('operand', this.#bodies.of(uop));
        this.code.op('i32.wrap').i32(15).op('i32.and').open('if');
        this.leaveBefore(uop);
        this.code.close();
      }
    } else if (guard) {
      const { code } = this;
      code
        .i32(0)
        .memory('i32.load', VECTORS_OFF)
        .i32(guard === 'vex' ? VEX_OFF : SSE_OFF)
        .op('i32.and');
      if (guard === 'sse aligned') {
        this.#memory.address('operand', this.#bodies.of(uop));
        code.op('i32.wrap').i32(15).op('i32.and', 'i32.or');
      }
      code.open('if');
      this.#handlers.lean(leanHandlerOf(row.row.handler), uop);
      code.op('else');
      this.#bodies.write(row.body, uop, at);
      this.#low.mergeAll();
      this.#bodies.forgetNarrow();
      code.close();
      return true;
    }
    this.#bodies.write(row.body, uop, at);
    return true;
  }

  /** A micro-op that has met devices: its instruction runs alone where the TLB has no page. The flags are in RFLAGS then. */
  #besideDevices(body: readonly Step[], uop: DecodedUop, at: number): void {
    const { code, flags } = this;
    const before = flags.state;
    const done = code.open('block');
    const missed = code.open('block');
    this.#bodies.write(body, uop, at, () => {
      code.branch(missed, true);
    });
    flags.store();
    this.#low.mergeAll();
    code.branch(done);
    code.close();
    flags.state = before;
    this.#handlers.alone(uop, this.#from(uop));
    this.#bodies.forgetNarrow();
    code.close();
    flags.state = STORED;
  }

  /** Instructions of the running block from a micro-op's on. */
  #from({ nth }: DecodedUop): number {
    return this.#block.instructions - nth;
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
}
