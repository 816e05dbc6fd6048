// Whether vector instructions run, and whether plain arithmetic answers as they do: known in a local from look to look.
import { bitsOf, MXCSR as MXCSR_BITS, MXCSR_MASKS } from '../../spec/flags.js';
import { MXCSR, VECTORS_OFF } from '../core/layout.js';
import { SSE_OFF, VEX_OFF } from './vector-code.js';
import { type FunctionWriter, I32 } from './wasm-writer.js';

/** MXCSR with nearest rounding and all exceptions masked. @sdm 1 10.2.3 "MXCSR Control and Status Register" */
export const MXCSR_PLAIN = bitsOf(MXCSR_MASKS);
export const MXCSR_PLAIN_MASK = MXCSR_PLAIN | bitsOf(MXCSR_BITS, 'RC');

/** The local: SSE and VEX instructions run; MXCSR is MXCSR_PLAIN; PE, where MXCSR has it, is set. */
const SSE_RUNS = SSE_OFF;
const VEX_RUNS = VEX_OFF;
const PLAIN = 4;
const PRECISION = bitsOf(MXCSR_BITS, 'PE');

export class VectorMode {
  readonly #mode: number | undefined;

  /** @param asked some instruction of the region asks */
  constructor(
    readonly code: FunctionWriter,
    asked: boolean,
  ) {
    this.#mode = asked ? code.local(I32) : undefined;
    this.look();
  }

  /** After what may have changed MXCSR, or whether vector instructions run. */
  look(): void {
    const { code } = this;
    const mode = this.#mode;
    if (mode === undefined) return;
    const runs = SSE_RUNS | VEX_RUNS;
    code.i32(0).memory('i32.load', VECTORS_OFF).i32(runs).op('i32.and').i32(runs).op('i32.xor');
    code.i32(0).memory('i32.load', MXCSR).tee(mode).i32(MXCSR_PLAIN_MASK).op('i32.and').i32(MXCSR_PLAIN).op('i32.eq');
    code.i32(Math.log2(PLAIN)).op('i32.shl', 'i32.or').get(mode).i32(PRECISION).op('i32.and', 'i32.or').set(mode);
  }

  /** Pushes an i32: not 0 when an instruction does not run, or, where it is to be plain, plain arithmetic does not answer. */
  differs(vex: boolean, plain: boolean): void {
    const asked = (vex ? VEX_RUNS : SSE_RUNS) | (plain ? PLAIN : 0);
    this.code.get(this.#mode!).i32(asked).op('i32.and').i32(asked).op('i32.ne');
  }

  /** What is written runs while PE is clear. */
  whilePrecise(write: () => void): void {
    this.code.get(this.#mode!).i32(PRECISION).op('i32.and', 'i32.eqz').open('if');
    write();
    this.code.close();
  }
}
