// The x87 register stack as compiled code has it while one instruction is written: see x87-code.ts.
import { bitsOf, CR0 as CR0_BITS, FCW, FCW_MASKS, FSW, FSW_CONDITIONS } from '../../spec/flags.js';
import { CR0, X87, X87_FCW, X87_FIP, X87_FSW, X87_FTW } from '../core/layout.js';
import type { DecodedUop } from './decoded.js';
import { inPlace, opcodeOf, type VectorCode, type VectorScope } from './vector-code.js';
import { type FunctionWriter, I32, I64 } from './wasm-writer.js';

export const CR0_EM_TS = bitsOf(CR0_BITS, 'EM', 'TS');
export const FSW_ES = bitsOf(FSW, 'ES');
export const FSW_PE = bitsOf(FSW, 'PE');
const FSW_TOP = bitsOf(FSW, 'TOP');
export const C0 = bitsOf(FSW, 'C0');
export const C1 = bitsOf(FSW, 'C1');
export const CONDITIONS = bitsOf(FSW_CONDITIONS);
/** Exceptions of FSW, and their masks in FCW. */
export const EXCEPTIONS = bitsOf(FCW_MASKS);
/** Rounding control; all of it: towards zero. */
export const ROUNDING = bitsOf(FCW, 'RC');
export const SIGN = 0x8000;
export const EXPONENT = 0x7fff;
export const BIAS = 0x3fff;
export const INTEGER_BIT = 1n << 63n;

export const formOf = ({ flags }: DecodedUop): number => (flags >>> 24) & 7;

/** Bytes of the memory operand of D8 to DF, but for extended numbers and control. */
export function bytesOf(uop: DecodedUop): 2 | 4 | 8 {
  const opcode = opcodeOf(uop);
  if ((opcode & 1) === 0) return opcode < 0xdc ? 4 : opcode === 0xdc ? 8 : 2;
  if (opcode < 0xdd) return 4;
  return opcode === 0xdd || formOf(uop) === 5 || formOf(uop) === 7 ? 8 : 2;
}

export const made = (write: VectorCode['write'], more: Partial<VectorCode> = {}): VectorCode =>
  inPlace(8, write, { x87: true, ...more });

/** A number in locals: its significand, and its sign and exponent. */
export interface Extended {
  readonly significand: number;
  readonly upper: number;
}

/**
 * What is known of the x87 state at a place of a block, from instructions before it: FSW is in the local `x87 status`, with no
 * exception pending, x87 instructions run, and `x87 first` is the number of the register that was ST(0) where all this began.
 */
export class X87Known {
  /** False: nothing is known. */
  known = false;
  /** ST(0) lies so far behind the first one. */
  shift = 0;
  /** Registers that are known to be in use, or to be free: bits by their distance from the first one. */
  inUse = 0;
  free = 0;
  /** Bits of FCW that were looked at: its exceptions are masked, rounding is to the nearest. */
  control = 0;

  forget(): void {
    this.known = false;
    this.shift = 0;
    this.inUse = 0;
    this.free = 0;
    this.control = 0;
  }

  copy(): X87Known {
    return Object.assign(new X87Known(), this);
  }
}

/** Pushes whether FCW is other than wanted: all exceptions masked, and of `bits` no others set. FCW is in its local then. */
function controlDiffers({ code, temporary }: Places, bits: number): void {
  code.i32(0).memory('i32.load16_u', X87_FCW).tee(temporary('x87 control', I32));
  code.i32(bits).op('i32.and').i32(EXCEPTIONS).op('i32.xor');
}

type Places = Pick<VectorScope, 'code' | 'temporary'>;

/** Behind an instruction's handler: brings the locals up to date, and pushes 1 where what is known does not hold. */
export function lookAgain(places: Places, before: X87Known, after: X87Known): void {
  const { code, temporary } = places;
  const status = temporary('x87 status', I32);
  const first = temporary('x87 first', I32);
  code.i32(0).memory('i32.load16_u', X87_FSW).tee(status).i32(FSW_ES).op('i32.and');
  // the top moves as it does in compiled code, unless an exception is pending
  if (!before.known) {
    code.get(status).i32(11).op('i32.shr_u').i32(after.shift).op('i32.sub').i32(7).op('i32.and').set(first);
  }
  if ((after.inUse | after.free) !== 0) {
    // tags from the first register on
    code.i32(0).memory('i32.load8_u', X87_FTW).i32(0x101).op('i32.mul').get(first).op('i32.shr_u');
    code
      .i32(after.inUse | after.free)
      .op('i32.and')
      .i32(after.inUse)
      .op('i32.xor', 'i32.or');
  }
  if (after.control !== before.control) {
    controlDiffers(places, after.control);
    code.op('i32.or');
  }
}

/** A register of the stack: its number in a local, and its distance from the first one. */
export interface Register {
  readonly number: number;
  readonly bit: number;
}

export class Stack {
  /** FSW in a local: before the instruction, and behind end() after it. */
  readonly status: number;
  readonly #first: number;
  readonly #known: X87Known;
  readonly #shift: number;
  readonly code: FunctionWriter;
  /** There is an i32 on the stack, not 0 where the instruction is the handler's. */
  #asks = false;

  /** Until settled() there may be a value on the stack. */
  constructor(readonly scope: VectorScope) {
    const { code, temporary, x87 } = scope;
    this.code = code;
    this.status = temporary('x87 status', I32);
    this.#first = temporary('x87 first', I32);
    this.#known = x87;
    if (!x87.known) {
      code.i32(0).memory('i32.load16_u', X87_FSW).tee(this.status).i32(FSW_ES).op('i32.and');
      code.i32(0).memory('i32.load', CR0).i32(CR0_EM_TS).op('i32.and', 'i32.or');
      code.get(this.status).i32(11).op('i32.shr_u').i32(7).op('i32.and').set(this.#first);
      x87.known = true;
      this.#asks = true;
    }
    this.#shift = x87.shift;
  }

  /** ST(i); -1 is the register that a push takes. */
  register(i: number): Register {
    const distance = (this.#shift + i) & 7;
    const number = this.scope.temporary(`x87 number ${distance}`, I32);
    this.code.get(this.#first).i32(distance).op('i32.add').i32(7).op('i32.and').set(number);
    return { number, bit: 1 << distance };
  }

  #ask(): void {
    if (this.#asks) this.code.op('i32.or');
    this.#asks = true;
  }

  /** A register has to be in use, or to be free. */
  want({ number, bit }: Register, inUse: boolean): this {
    const { code } = this;
    const known = this.#known;
    if ((known.inUse | known.free) & bit) {
      if (((known.inUse & bit) !== 0) === inUse) return this;
      code.i32(1);
      this.#ask();
      return this;
    }
    code.i32(0).memory('i32.load8_u', X87_FTW).get(number).op('i32.shr_u').i32(1).op('i32.and');
    if (inUse) code.op('i32.eqz');
    this.#ask();
    this.#mark(bit, inUse);
    return this;
  }

  #mark(bit: number, inUse: boolean): void {
    const known = this.#known;
    known.inUse = inUse ? known.inUse | bit : known.inUse & ~bit;
    known.free = inUse ? known.free & ~bit : known.free | bit;
  }

  /** All exceptions have to be masked, and results to be rounded to the nearest. Answers the local of FCW. */
  wantUsual(): number {
    return this.#wantControl(EXCEPTIONS | ROUNDING);
  }

  /** All exceptions have to be masked. Answers the local of FCW. */
  wantMasked(): number {
    return this.#wantControl(EXCEPTIONS);
  }

  #wantControl(bits: number): number {
    const known = this.#known;
    if ((known.control & bits) !== bits) {
      controlDiffers(this.scope, bits);
      this.#ask();
      known.control = bits;
    }
    return this.scope.temporary('x87 control', I32);
  }

  /** Takes an i32, not 0 where the instruction is the handler's. */
  wantNot(): this {
    this.#ask();
    return this;
  }

  /** Leaves it to the handler where anything is not as wanted. */
  settled(): void {
    if (this.#asks) this.scope.giveUpIf();
  }

  /** Pushes the offset of a register from X87. */
  place({ number }: Register): FunctionWriter {
    return this.code.get(number).i32(4).op('i32.shl');
  }

  /** A register's number, in locals. */
  load(register: Register, name: string): Extended {
    const { code, scope } = this;
    const significand = scope.temporary(`x87 ${name} significand`, I64);
    const upper = scope.temporary(`x87 ${name} upper`, I32);
    this.place(register).memory('i64.load', X87);
    code.set(significand);
    this.place(register).memory('i32.load16_u', X87 + 8);
    code.set(upper);
    return { significand, upper };
  }

  store(register: Register, { significand, upper }: Extended): void {
    this.place(register).get(significand).memory('i64.store', X87);
    this.place(register)
      .get(upper)
      .memory('i32.store16', X87 + 8);
  }

  /** Marks a register as in use, or as free. */
  tag({ number, bit }: Register, inUse: boolean): void {
    const { code } = this;
    if (inUse && this.#known.inUse & bit) return;
    code.i32(0).i32(0).memory('i32.load8_u', X87_FTW).i32(1).get(number).op('i32.shl');
    if (inUse) code.op('i32.or');
    else code.i32(-1).op('i32.xor', 'i32.and');
    code.memory('i32.store8', X87_FTW);
    this.#mark(bit, inUse);
  }

  /** The register that register(-1) is becomes ST(0). */
  push(): void {
    this.tag(this.register(-1), true);
    this.#known.shift = this.#shift - 1;
  }

  /** Pops so many: their tags go. */
  pop(times = 1): void {
    for (let i = 0; i < times; i++) this.tag(this.register(i), false);
    this.#known.shift = this.#shift + times;
  }

  /** Ends the instruction: `cleared` conditions are 0, but for the bits that `more` pushes. */
  end(more?: () => void, cleared = C1): void {
    const { code, scope } = this;
    const by = this.#known.shift - this.#shift;
    code
      .i32(0)
      .get(this.status)
      .i32(~(by === 0 ? cleared : cleared | FSW_TOP))
      .op('i32.and');
    if (by !== 0) code.get(this.register(by).number).i32(11).op('i32.shl', 'i32.or');
    if (more) {
      more();
      code.op('i32.or');
    }
    code.tee(this.status).memory('i32.store16', X87_FSW);
    code.i32(0);
    scope.rip(scope.uop.start);
    code.memory('i64.store', X87_FIP);
  }
}

/** Leaves it to the handler unless a number in locals is normal or a zero. */
export function wantOrdinary({ code, giveUpIf }: VectorScope, { significand, upper }: Extended): void {
  // normal: exponents 1 to 7ffe, and the integer bit
  code.get(upper).i32(1).op('i32.add').i32(EXPONENT).op('i32.and').i32(2).op('i32.lt_u');
  code.get(significand).i64(0n).op('i64.ge_s', 'i32.or').open('if');
  code.get(upper).i32(EXPONENT).op('i32.and').op('i64.extend_u').get(significand).op('i64.or', 'i64.eqz', 'i32.eqz');
  giveUpIf();
  code.close();
}

/** Takes the 32- or 64-bit number in memory, normal or a zero, into locals. */
function loadReal(scope: VectorScope, bytes: 4 | 8): Extended {
  const { code, pointer, temporary, giveUpIf } = scope;
  const significand = temporary('x87 b significand', I64);
  const upper = temporary('x87 b upper', I32);
  const bits = temporary('x87 bits', I64);
  const exponent = temporary('x87 exponent', I32);
  const double = bytes === 8;
  const [fraction, all, bias] = double ? [52, 0x7ff, 1023] : [55, 0xff, 127];
  if (double) code.get(pointer).memory('i64.load', 0);
  else code.get(pointer).memory('i32.load', 0).op('i64.extend_u').i64(32n).op('i64.shl');
  code.tee(bits).i64(48n).op('i64.shr_u', 'i32.wrap').i32(SIGN).op('i32.and').set(upper);
  code.get(bits).i64(BigInt(fraction)).op('i64.shr_u', 'i32.wrap').i32(all).op('i32.and').set(exponent);
  code
    .get(bits)
    .i64(double ? 11n : 8n)
    .op('i64.shl')
    .i64(INTEGER_BIT)
    .op('i64.or')
    .set(significand);
  code
    .get(exponent)
    .i32(1)
    .op('i32.sub')
    .i32(all - 1)
    .op('i32.ge_u')
    .open('if');
  code.get(bits).i64(1n).op('i64.shl').i64(0n).op('i64.ne');
  giveUpIf();
  code.i64(0n).set(significand).op('else');
  code
    .get(upper)
    .get(exponent)
    .op('i32.or')
    .i32(BIAS - bias)
    .op('i32.add')
    .set(upper);
  code.close();
  return { significand, upper };
}

/** Takes the integer in memory into locals. */
function loadInteger({ code, pointer, temporary }: VectorScope, bytes: 2 | 4 | 8): Extended {
  const significand = temporary('x87 b significand', I64);
  const upper = temporary('x87 b upper', I32);
  const value = temporary('x87 bits', I64);
  const zeros = temporary('x87 zeros', I64);
  code.get(pointer).memory(bytes === 8 ? 'i64.load' : bytes === 4 ? 'i32.load' : 'i32.load16_u', 0);
  if (bytes === 4) code.op('i64.extend_s');
  else if (bytes === 2) code.op('i64.extend_u', 'i64.extend16_s');
  code.set(value);
  // its magnitude
  code.i64(0n).get(value).op('i64.sub').get(value).get(value).i64(0n).op('i64.lt_s', 'select').tee(significand);
  code.op('i64.clz').set(zeros);
  code.get(significand).get(zeros).op('i64.shl').set(significand);
  code
    .i32(BIAS + 63)
    .get(zeros)
    .op('i32.wrap', 'i32.sub');
  code.get(value).i64(48n).op('i64.shr_u', 'i32.wrap').i32(SIGN).op('i32.and', 'i32.or');
  code.i32(0).get(value).i64(0n).op('i64.ne', 'select').set(upper);
  return { significand, upper };
}

/** The memory operand is a real number, not an integer. */
export const isReal = (uop: DecodedUop): boolean => [0xd8, 0xd9, 0xdc, 0xdd].includes(opcodeOf(uop));

/** Takes the operand in memory into locals, an integer or as loadReal(). */
export function loadMemory(scope: VectorScope): Extended {
  const bytes = bytesOf(scope.uop);
  return isReal(scope.uop) ? loadReal(scope, bytes as 4 | 8) : loadInteger(scope, bytes);
}
