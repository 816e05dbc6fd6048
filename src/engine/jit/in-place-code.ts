// Instructions that are written out by in-place.ts: what they are given, and their handler where something is out of the ordinary.
import type { Size } from '../../spec/uops/expression.js';
import { SLICE_END, TLB_READ, TLB_WRITE } from '../core/layout.js';
import type { BodyCode, BodyScope } from './body-code.js';
import type { DecodedUop } from './decoded.js';
import { evaluate } from './expression-code.js';
import { STORED } from './flag-state.js';
import type { HandlerCode } from './handler-code.js';
import { vectorCode } from './in-place.js';
import type { Shadow } from './sti-shadow.js';
import { inMemory, isVex, type VectorCode, type VectorScope } from './vector-code.js';
import type { VectorMode } from './vector-mode.js';
import { I32 } from './wasm-writer.js';
import { lookAgain, X87Known } from './x87-stack.js';

/** What the writer of the region gives. */
export interface InPlaceScope extends BodyScope {
  readonly vectorMode: VectorMode;
  readonly bodies: BodyCode;
  readonly handlers: HandlerCode;
  /** Local of the instructions left. */
  readonly left: number;
  /** Of what stands behind the running block. */
  readonly shadow: Shadow | undefined;
  /** In a strip's copy. */
  readonly isStrip: boolean;
  /** Instructions of the running block from a micro-op's on. */
  from(uop: DecodedUop): number;
}

export class InPlaceCode {
  readonly #x87 = new X87Known();

  constructor(readonly scope: InPlaceScope) {}

  /** What is known of the x87 state is no longer so. */
  forget(): void {
    this.#x87.forget();
  }

  /** Carries out a vector, x87 or system instruction, the running block's micro-op `at`. */
  write(of: VectorCode, uop: DecodedUop, at: number): void {
    const { code, flags, memory, bodies, handlers, vectorMode, isStrip } = this.scope;
    const before = flags.state;
    const x87Before = this.#x87.copy();
    const done = code.open('block');
    const handled = code.open('block');
    let givesUp = !isStrip;
    const giveUpIf = (): void => {
      givesUp = true;
      code.branch(handled, true);
    };
    // a handler that looks for its page may put another one in the place of a strip's
    const missesIf = isStrip ? bodies.leaveIf(uop) : giveUpIf;
    if (of.asksMode && !isStrip) {
      vectorMode.differs(isVex(uop), of.quick);
      giveUpIf();
    }
    if (inMemory(uop) && !of.findsOwn) {
      const size = Math.log2(of.bytes) as Size | 5;
      const accessed = bodies.accessed(of.writesMemory ? TLB_WRITE : TLB_READ, size, 'operand');
      if (of.aligned) memory.accessAligned(accessed, 16, bodies.of(uop), missesIf);
      else memory.access(accessed, bodies.of(uop), missesIf);
    }
    of.write(this.#given(uop, giveUpIf, missesIf));
    // its handler finds and leaves them there
    if (!uop.handler!.keepsFlags) {
      flags.store();
      flags.state = STORED;
    }
    const after = flags.state;
    code.branch(done);
    code.close();
    flags.state = before;
    if (!givesUp) code.op('unreachable');
    else if (uop.handler!.lean) handlers.lean(uop.handler!, uop, of);
    else handlers.whole(uop, this.scope.from(uop), true);
    // what it raised is sticky: the next ones need not look
    if (givesUp && of.quick && uop.handler!.lean) vectorMode.look();
    flags.state = after;
    if (of.x87) this.#settleX87(x87Before, at);
    code.close();
  }

  /** What the code of an instruction has at hand. */
  #given(uop: DecodedUop, giveUpIf: () => void, missesIf: () => void): VectorScope {
    const { code, block, long, left, shadow, registers, flags, memory, bodies, vectorMode } = this.scope;
    const temporary = (name: string, type: number): number => this.scope.temporary(name, type);
    return {
      code,
      uop,
      long,
      xmm: (register) => registers.vector(register),
      gpr: (register) => registers.general(register),
      temporary,
      pointer: memory.pointer,
      giveUpIf,
      mode: block.mode,
      icount: () => {
        const ahead = this.scope.from(uop);
        code.i32(0).memory('i64.load', SLICE_END).get(left).i32(ahead).op('i32.add', 'i64.extend_s', 'i64.sub');
      },
      left: () => {
        code.get(left);
      },
      setLeft: () => {
        code.set(left);
      },
      shadow,
      forgetPages: () => {
        memory.pages.forget();
      },
      status: () => {
        flags.reader().status();
      },
      setStatus: () => {
        flags.setStatus(temporary('status', I32));
      },
      flagsAreStored: () => {
        flags.state = STORED;
      },
      put: (e) => {
        evaluate(bodies.of(uop), e);
      },
      access: (table, size, place) => {
        memory.access(bodies.accessed(table, size, place), bodies.of(uop), missesIf);
      },
      rip: (offset) => {
        this.scope.rip(offset);
      },
      setCarry: () => {
        flags.setCarry(temporary('status', I32));
      },
      x87: this.#x87,
      lookAtMode: () => {
        vectorMode.look();
      },
      whilePrecise: (write) => {
        vectorMode.whilePrecise(write);
      },
    };
  }

  /** What the instruction and its handler know of the x87 state alike: where the handler found otherwise, the region is left. */
  #settleX87(before: X87Known, at: number): void {
    const { code, block } = this.scope;
    if (!this.#asksForX87(at + 1)) this.#x87.forget();
    else if (this.#x87.known) {
      lookAgain({ code, temporary: (name, type) => this.scope.temporary(name, type) }, before, this.#x87);
      code.open('if');
      this.scope.leaveBefore(block.uops[at + 1]);
      code.close();
    }
  }

  /** Does an instruction of the block, from a micro-op on, ask for what is known of the x87 state before it? */
  #asksForX87(from: number): boolean {
    for (const uop of this.scope.block.uops.slice(from)) {
      if (uop.row || !uop.handler) continue;
      const of = vectorCode(uop);
      if (!of || of.x87) return of?.x87 === true;
    }
    return false;
  }
}
