// x87 instructions in compiled code, in their usual case: no exception is met, none is pending. Moves between registers are
// written out; arithmetic, comparisons, and what goes to and from memory are functions of the core (core/fpu/compiled.ts).
import { CR0, RIP_BASE, X87, X87_FCW, X87_FIP, X87_FSW, X87_FTW } from '../core/layout.js';
import type { DecodedUop } from './decoded.js';
import { inMemory, inPlace, opcodeOf, type VectorCode, type VectorScope } from './vector-code.js';
import { type FunctionWriter, I32, I64, type Import } from './wasm-writer.js';

const CR0_EM_TS = 0xc;
const FSW_ES = 0x80;
const FSW_TOP = 0x3800;
const C1 = 0x200;
/** Exceptions of FSW, and their masks in FCW. */
const EXCEPTIONS = 0x3f;
const RAX = 0;
const SIGN = 0x8000;
const ONE = 0x3fff;
const INTEGER_BIT = 1n << 63n;

const formOf = ({ flags }: DecodedUop): number => (flags >>> 24) & 7;

const made = (write: VectorCode['write'], more: Partial<VectorCode> = {}): VectorCode => inPlace(8, write, more);

/** One of the core's functions does it; `finish` takes its answer, which is 0 when nothing was done. */
function called(
  uop: DecodedUop,
  name: Import,
  more: Partial<VectorCode>,
  finish: (scope: VectorScope) => void = ({ code, giveUpIf }) => {
    code.op('i32.eqz');
    giveUpIf();
  },
): VectorCode {
  return made((scope) => {
    const { code, pointer } = scope;
    code.i32(0);
    scope.rip(0);
    code.memory('i64.store', RIP_BASE).i32(uop.at);
    if (inMemory(uop)) code.get(pointer);
    else code.i32(0);
    code.callImport(name);
    finish(scope);
  }, more);
}

/** The stack's registers while an instruction is written. */
class Stack {
  readonly #status: number;
  readonly #top: number;
  readonly code: FunctionWriter;

  /** Leaves it to the handler when CR0 or an exception that is pending keeps it from running. */
  constructor(readonly scope: VectorScope) {
    const { code, temporary, giveUpIf } = scope;
    this.code = code;
    this.#status = temporary('x87 status', I32);
    this.#top = temporary('x87 top', I32);
    code.i32(0).memory('i32.load16_u', X87_FSW).tee(this.#status).i32(FSW_ES).op('i32.and');
    code.i32(0).memory('i32.load', CR0).i32(CR0_EM_TS).op('i32.and', 'i32.or');
    giveUpIf();
    code.get(this.#status).i32(11).op('i32.shr_u').i32(7).op('i32.and').set(this.#top);
  }

  /** Number of ST(i), in a local; -1 is the register that a push takes. */
  number(i: number): number {
    if (i === 0) return this.#top;
    const local = this.scope.temporary(`x87 ${i < 0 ? 'next' : 'other'}`, I32);
    this.code.get(this.#top).i32(i).op('i32.add').i32(7).op('i32.and').set(local);
    return local;
  }

  /** Leaves it to the handler unless a register is in use, or unless it is free. */
  want(number: number, inUse: boolean): void {
    const { code, scope } = this;
    code.i32(0).memory('i32.load8_u', X87_FTW).get(number).op('i32.shr_u').i32(1).op('i32.and');
    if (inUse) code.op('i32.eqz');
    scope.giveUpIf();
  }

  /** Pushes the offset of a register from X87. */
  place(number: number): FunctionWriter {
    return this.code.get(number).i32(4).op('i32.shl');
  }

  copy(to: number, from: number): void {
    this.place(to);
    this.place(from).memory('i64.load', X87).memory('i64.store', X87);
    this.place(to);
    this.place(from)
      .memory('i32.load16_u', X87 + 8)
      .memory('i32.store16', X87 + 8);
  }

  /** Marks a register as in use, or as free. */
  tag(number: number, inUse: boolean): void {
    const { code } = this;
    code.i32(0).i32(0).memory('i32.load8_u', X87_FTW).i32(1).get(number).op('i32.shl');
    if (inUse) code.op('i32.or');
    else code.i32(-1).op('i32.xor', 'i32.and');
    code.memory('i32.store8', X87_FTW);
  }

  /** Ends the instruction: C1 is 0, and `top` the number of ST(0) in a local. */
  end(top?: number): void {
    const { code, scope } = this;
    code.i32(0).get(this.#status);
    if (top === undefined) code.i32(~C1).op('i32.and');
    else
      code
        .i32(~(C1 | FSW_TOP))
        .op('i32.and')
        .get(top)
        .i32(11)
        .op('i32.shl', 'i32.or');
    code.memory('i32.store16', X87_FSW);
    code.i32(0);
    scope.rip(scope.uop.start);
    code.memory('i64.store', X87_FIP);
  }
}

function exchange(scope: VectorScope): void {
  const { uop, temporary } = scope;
  const stack = new Stack(scope);
  const [a, b] = [stack.number(0), stack.number(uop.rm)];
  stack.want(a, true);
  stack.want(b, true);
  const significand = temporary('x87 significand', I64);
  const upper = temporary('x87 upper', I32);
  stack.place(a).memory('i64.load', X87).set(significand);
  stack
    .place(a)
    .memory('i32.load16_u', X87 + 8)
    .set(upper);
  stack.copy(a, b);
  stack.place(b).get(significand).memory('i64.store', X87);
  stack
    .place(b)
    .get(upper)
    .memory('i32.store16', X87 + 8);
  stack.end();
}

/** FCHS, and FABS where the last bit is 1. */
function sign(scope: VectorScope): void {
  const { code, uop } = scope;
  const stack = new Stack(scope);
  const top = stack.number(0);
  stack.want(top, true);
  stack.place(top);
  stack
    .place(top)
    .memory('i32.load16_u', X87 + 8)
    .i32(uop.rm & 1 ? ~SIGN : SIGN);
  code.op(uop.rm & 1 ? 'i32.and' : 'i32.xor').memory('i32.store16', X87 + 8);
  stack.end();
}

function loadRegister(scope: VectorScope): void {
  const stack = new Stack(scope);
  const next = stack.number(-1);
  const from = stack.number(scope.uop.rm);
  stack.want(from, true);
  stack.want(next, false);
  stack.copy(next, from);
  stack.tag(next, true);
  stack.end(next);
}

function storeRegister(scope: VectorScope): void {
  const { uop } = scope;
  const stack = new Stack(scope);
  const [top, to] = [stack.number(0), stack.number(uop.rm)];
  stack.want(top, true);
  stack.copy(to, top);
  stack.tag(to, true);
  if (formOf(uop) !== 3 && opcodeOf(uop) !== 0xdf) {
    stack.end();
    return;
  }
  stack.tag(top, false);
  stack.end(stack.number(1));
}

/** FLD1 and FLDZ, which no rounding mode changes. */
function constant(scope: VectorScope): void {
  const { uop } = scope;
  const one = (uop.rm & 7) === 0;
  const stack = new Stack(scope);
  const next = stack.number(-1);
  stack.want(next, false);
  stack
    .place(next)
    .i64(one ? INTEGER_BIT : 0n)
    .memory('i64.store', X87);
  stack
    .place(next)
    .i32(one ? ONE : 0)
    .memory('i32.store16', X87 + 8);
  stack.tag(next, true);
  stack.end(next);
}

/** Leaves it to the handler while CR0 keeps x87 instructions from running: control instructions ask for nothing else. */
function wantPresent({ code, giveUpIf }: VectorScope): void {
  code.i32(0).memory('i32.load', CR0).i32(CR0_EM_TS).op('i32.and');
  giveUpIf();
}

function statusToAx(scope: VectorScope): void {
  const { code, gpr } = scope;
  wantPresent(scope);
  code.get(gpr(RAX)).i64(~0xffffn).op('i64.and');
  code.i32(0).memory('i32.load16_u', X87_FSW).op('i64.extend_u', 'i64.or').set(gpr(RAX));
}

/** FLDCW where no exception is pending then. */
function loadControl(scope: VectorScope): void {
  const { code, pointer, temporary, giveUpIf } = scope;
  const control = temporary('x87 control', I32);
  const status = temporary('x87 status', I32);
  wantPresent(scope);
  // bits that are reserved read as 0, bit 6 as 1
  code.get(pointer).memory('i32.load16_u', 0).i32(0x1f7f).op('i32.and').i32(0x40).op('i32.or').set(control);
  code.i32(0).memory('i32.load16_u', X87_FSW).tee(status).i32(FSW_ES).op('i32.and');
  code.get(status).get(control).i32(-1).op('i32.xor', 'i32.and').i32(EXCEPTIONS).op('i32.and', 'i32.or');
  giveUpIf();
  code.i32(0).get(control).memory('i32.store16', X87_FCW);
}

function storeControl(scope: VectorScope): void {
  const { code, pointer } = scope;
  wantPresent(scope);
  code.get(pointer).i32(0).memory('i32.load16_u', X87_FCW).memory('i32.store16', 0);
}

/** Bytes of the memory operand of D8 to DF, but for extended numbers and control. */
function bytesOf(uop: DecodedUop): 2 | 4 | 8 {
  const opcode = opcodeOf(uop);
  if ((opcode & 1) === 0) return opcode < 0xdc ? 4 : opcode === 0xdc ? 8 : 2;
  if (opcode < 0xdd) return 4;
  return opcode === 0xdd || formOf(uop) === 5 || formOf(uop) === 7 ? 8 : 2;
}

export function x87Code(name: string, uop: DecodedUop): VectorCode | undefined {
  const memory = inMemory(uop);
  const operand = memory ? { bytes: bytesOf(uop) } : {};
  switch (name) {
    case 'execX87Arithmetic':
      return called(uop, 'x87Arithmetic', operand);
    case 'execX87Compare':
    case 'execX87CompareMemory':
      return called(uop, 'x87Compare', operand, ({ code, giveUpIf }) => {
        code.i32(0).op('i32.lt_s');
        giveUpIf();
      });
    case 'execX87CompareFlags':
      return called(uop, 'x87Compare', operand, ({ code, temporary, giveUpIf, setStatus }) => {
        const found = temporary('x87 found', I32);
        code.tee(found).i32(0).op('i32.lt_s');
        giveUpIf();
        code.get(found);
        setStatus();
      });
    case 'execX87Load':
    case 'execX87LoadInteger':
      return called(uop, 'x87Load', operand);
    case 'execX87Store':
    case 'execX87StoreInteger':
      return called(uop, 'x87Store', { ...operand, writesMemory: true });
    case 'execX87LoadRegister':
      return made(loadRegister);
    case 'execX87StoreRegister':
      return made(storeRegister);
    case 'execX87Constant':
      return (uop.rm & 7) === 0 || (uop.rm & 7) === 6 ? made(constant) : undefined;
    case 'execX87Sign':
      return made(sign);
    case 'execFxch':
      return made(exchange);
    case 'execFnstsw':
      return memory ? undefined : made(statusToAx, { readsGeneral: [RAX], writesGeneral: [RAX] });
    case 'execFldcw':
      return made(loadControl, { bytes: 2 });
    case 'execFnstcw':
      return made(storeControl, { bytes: 2, writesMemory: true });
    default:
      return undefined;
  }
}
