/** Guest memory as a PCI card reaches it, whatever addresses the guest gave it. */
import type { GuestMemory } from '../device.js';

/** Work that a card does for one write to a doorbell before the guest goes on: some 10 ms of the host. */
const TURN_WORK = 32 << 20;
/** What an access costs beside its bytes, in bytes moved. */
const ACCESS_WORK = 64;

/**
 * Reads where no memory is give ones and writes are lost, as on a bus where nobody answers.
 * @pci 3.3.3.1 "Master Initiated Termination"
 */
export class BusMaster {
  /** Accesses that nobody answered: the guest's mistakes, for the devices view. */
  aborts = 0;
  #work = 0;
  #end = TURN_WORK;

  constructor(private readonly memory: GuestMemory) {}

  /** The bytes as they are now; do not keep the array. */
  read(gpa: number, bytes: number): Uint8Array {
    this.#work += bytes + ACCESS_WORK;
    try {
      return this.memory.read(gpa, bytes);
    } catch (error) {
      this.#abort(error);
      return new Uint8Array(bytes).fill(0xff);
    }
  }

  /** A copy of the bytes, to be taken apart. */
  view(gpa: number, bytes: number): DataView {
    return new DataView(this.read(gpa, bytes).slice().buffer);
  }

  write(gpa: number, bytes: Uint8Array): void {
    this.#work += bytes.length + ACCESS_WORK;
    try {
      this.memory.write(gpa, bytes);
    } catch (error) {
      this.#abort(error);
    }
  }

  /** True when all of it is RAM, as far as the size of RAM tells. */
  contains(gpa: number, bytes: number): boolean {
    return gpa >= 0 && bytes >= 0 && gpa + bytes <= this.memory.bytes;
  }

  #abort(error: unknown): void {
    if (!(error instanceof RangeError)) throw error;
    this.aborts++;
  }

  /** A doorbell rang: the card may work again. */
  beginTurn(): void {
    this.#end = this.#work + TURN_WORK;
  }

  /** Work that is no memory access, in bytes moved. */
  spend(work: number): void {
    this.#work += work;
  }

  /** The card has worked enough: what is left it does in a later turn. */
  get tired(): boolean {
    return this.#work > this.#end;
  }
}
