// Registers whose low 16 bits have changed, and stand in a local of their own: merged into the register once where it is wanted
// whole, not by each instruction of 16-bit code that writes them.
import { type FunctionWriter, I32 } from './wasm-writer.js';

export class LowWords {
  readonly #locals = new Map<number, number>();
  readonly #apart = new Set<number>();

  /** @param own local of a register */
  constructor(
    readonly code: FunctionWriter,
    readonly own: (register: number) => number,
  ) {}

  /** Local of the low 16 bits, an i32 whose upper bits are clear; undefined: they are in the register. */
  of(register: number): number | undefined {
    return this.#apart.has(register) ? this.#locals.get(register) : undefined;
  }

  /** The i32 on the stack becomes the low 16 bits. */
  set(register: number): void {
    let local = this.#locals.get(register);
    if (local === undefined) {
      local = this.code.local(I32);
      this.#locals.set(register, local);
    }
    this.code.set(local);
    this.#apart.add(register);
  }

  /** The register is written whole. */
  drop(register: number): void {
    this.#apart.delete(register);
  }

  merge(register: number): void {
    const low = this.of(register);
    if (low === undefined) return;
    const own = this.own(register);
    this.code.get(own).i64(~0xffffn).op('i64.and').get(low).op('i64.extend_u', 'i64.or').set(own);
    this.#apart.delete(register);
  }

  /** Before what may leave, and at a block's end. */
  mergeAll(): void {
    for (const register of [...this.#apart]) this.merge(register);
  }
}
