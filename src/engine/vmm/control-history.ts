import { TRACE_RECORDS, TRACE_SEQUENCE } from '../core/layout.js';
import type { HostMemory } from '../memory/host-memory.js';

/** Changes kept: some for each exit that the trace has. */
const CHANGES = 2 * TRACE_RECORDS;

/**
 * What the control fields of a VMCS were at the exits of the trace: before each change of one is noted what it was, and
 * the newest exit then. So an exit costs nothing, and a control that stands costs nothing.
 */
export class ControlHistory {
  /** A ring: `count` changes so far, the n-th in slot n % CHANGES. Made by the first change. */
  #after: Float64Array | undefined;
  #offsets = new Uint16Array(0);
  #values = new BigUint64Array(0);
  #count = 0;
  /** Of exits up to this one nothing is known: a change after them is no longer noted, or never was. */
  #unknown = 0;

  constructor(private readonly host: HostMemory) {}

  /**
   * A field is about to get another value, or has got it.
   * @param offset of its slot in the region
   * @param value what it was until then
   * @param newest exit of the trace then
   */
  note(offset: number, value: bigint, newest = this.host.getNumber(TRACE_SEQUENCE)): void {
    // no exit can ask for it
    if (newest === 0) {
      this.#count = 0;
      this.#unknown = 0;
      return;
    }
    this.#after ??= this.#make();
    if (this.#noted(offset, newest)) return;
    const slot = this.#count % CHANGES;
    if (this.#count >= CHANGES) this.#unknown = Math.max(this.#unknown, this.#after[slot]);
    this.#after[slot] = newest;
    this.#offsets[slot] = offset;
    this.#values[slot] = value;
    this.#count++;
  }

  /** Between two exits the first change of a field tells all: steps of a debugger set and clear one at each instruction. */
  #noted(offset: number, newest: number): boolean {
    const least = Math.max(0, this.#count - CHANGES);
    for (let n = this.#count - 1; n >= least && this.#after![n % CHANGES] === newest; n--)
      if (this.#offsets[n % CHANGES] === offset) return true;
    return false;
  }

  /** The newest exit was taken out of the trace: the next has its number, and what changed at it is before that one. */
  withdrawn(): void {
    const newest = this.host.getNumber(TRACE_SEQUENCE);
    for (let n = this.#count - 1; n >= Math.max(0, this.#count - CHANGES); n--) {
      if (this.#after![n % CHANGES] <= newest) return;
      this.#after![n % CHANGES] = newest;
    }
  }

  #make(): Float64Array {
    this.#offsets = new Uint16Array(CHANGES);
    this.#values = new BigUint64Array(CHANGES);
    return new Float64Array(CHANGES);
  }

  /** All fields have got other values, by a reset or a state that was loaded. */
  forget(): void {
    this.#count = 0;
    this.#unknown = this.host.getNumber(TRACE_SEQUENCE);
  }

  /**
   * Values that differed from those of now when an exit took place, by the offset of their slots; undefined where that is
   * no longer known.
   */
  before(exit: number): Map<number, bigint> | undefined {
    const newest = this.host.getNumber(TRACE_SEQUENCE);
    if (exit > newest) return undefined;
    if (exit <= this.#unknown) return undefined;
    const result = new Map<number, bigint>();
    // The earliest change after the exit tells: it overwrites what later ones say.
    for (let n = this.#count - 1; n >= Math.max(0, this.#count - CHANGES); n--) {
      const slot = n % CHANGES;
      if (this.#after![slot] < exit) break;
      result.set(this.#offsets[slot], this.#values[slot]);
    }
    return result;
  }
}
