// Guest registers of a region in locals, and their ways into memory and back around what finds them there.
import { GPR, YMM } from '../core/layout.js';
import { LowWords } from './low-words.js';
import type { RegionRegisters } from './region-registers.js';
import { type FunctionWriter, I64, V128 } from './wasm-writer.js';

export class RegisterLocals {
  /** Registers that rows write: their places in memory are stale inside the region. */
  readonly written: readonly number[];
  readonly vectorsWritten: readonly number[];
  readonly low: LowWords;
  readonly #general = new Map<number, number>();
  readonly #vectors = new Map<number, number>();

  constructor(
    readonly code: FunctionWriter,
    { written, vectorsWritten }: RegionRegisters,
  ) {
    this.written = written;
    this.vectorsWritten = vectorsWritten;
    this.low = new LowWords(code, (register) => this.general(register));
  }

  /** Loads vector registers as the region is entered. */
  enterVectors(registers: Iterable<number>): void {
    for (const register of registers) this.#vectors.set(register, this.code.local(V128));
    this.reloadVectors(registers);
  }

  /** Loads general registers as the region is entered. */
  enter(registers: Iterable<number>): void {
    for (const register of registers) {
      this.#general.set(register, this.code.local(I64));
      this.reload([register]);
    }
  }

  /** Local of a general register, which may want its low 16 bits from another one: see `low`. */
  general(register: number): number {
    return this.#general.get(register)!;
  }

  /** Pushes a general register, from memory where nothing of the region names it. */
  put(register: number): void {
    const own = this.#general.get(register);
    if (own === undefined) this.code.i32(0).memory('i64.load', GPR + register * 8);
    else this.code.get(own);
  }

  vector(register: number): number {
    return this.#vectors.get(register)!;
  }

  get vectors(): Iterable<number> {
    return this.#vectors.keys();
  }

  spill(registers: Iterable<number>): void {
    for (const register of registers) {
      this.code
        .i32(0)
        .get(this.general(register))
        .memory('i64.store', GPR + register * 8);
    }
  }

  /** Those of them that have locals. */
  reload(registers: Iterable<number> = this.#general.keys()): void {
    for (const register of registers) {
      const own = this.#general.get(register);
      if (own === undefined) continue;
      this.code
        .i32(0)
        .memory('i64.load', GPR + register * 8)
        .set(own);
    }
  }

  spillVectors(registers: Iterable<number> = this.vectorsWritten): void {
    for (const register of registers) {
      this.code
        .i32(register * 32)
        .get(this.vector(register))
        .v128Store(YMM);
    }
  }

  reloadVectors(registers: Iterable<number> = this.#vectors.keys()): void {
    for (const register of registers) {
      this.code
        .i32(register * 32)
        .v128Load(YMM)
        .set(this.vector(register));
    }
  }
}
