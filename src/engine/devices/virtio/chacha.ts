/** The ChaCha20 block function as a random source: its seed is host input, everything after it repeats. @rfc 8439 2.3 */
import { bytes, count, int, record, type StateOf } from '../../state/schema.js';
import type { RandomSource } from './rng.js';

const ROUNDS = 10;
const CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574];

const BLOCK_BYTES = 64;
const STATE = record({
  counter: count,
  /** The block that is being given out; empty before the first one. */
  block: bytes(),
  used: int(0, BLOCK_BYTES),
});
type ChaChaState = StateOf<typeof STATE>;

export class ChaChaSource implements RandomSource<ChaChaState> {
  readonly shape = STATE;
  private readonly key: Uint32Array;
  private counter = 0;
  private block: Uint8Array = new Uint8Array(0);
  private used = 0;

  /** @param seed 32 bytes. */
  constructor(seed: Uint8Array) {
    if (seed.length !== 32) throw new RangeError(`a seed of ${seed.length} bytes`);
    const view = new DataView(seed.buffer, seed.byteOffset, 32);
    this.key = Uint32Array.from({ length: 8 }, (_, i) => view.getUint32(4 * i, true));
  }

  bytes(length: number): Uint8Array {
    const out = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      if (this.used === this.block.length) this.nextBlock();
      const count = Math.min(length - done, this.block.length - this.used);
      out.set(this.block.subarray(this.used, this.used + count), done);
      this.used += count;
      done += count;
    }
    return out;
  }

  private nextBlock(): void {
    const counter = this.counter++;
    const start = Uint32Array.of(...CONSTANTS, ...this.key, counter, Math.floor(counter / 2 ** 32), 0, 0);
    const x = start.slice();
    for (let round = 0; round < ROUNDS; round++) {
      for (let i = 0; i < 4; i++) quarter(x, i, 4 + i, 8 + i, 12 + i);
      for (let i = 0; i < 4; i++) quarter(x, i, 4 + ((i + 1) & 3), 8 + ((i + 2) & 3), 12 + ((i + 3) & 3));
    }
    const view = new DataView(new ArrayBuffer(BLOCK_BYTES));
    for (let i = 0; i < 16; i++) view.setUint32(4 * i, (x[i] + start[i]) >>> 0, true);
    this.block = new Uint8Array(view.buffer);
    this.used = 0;
  }

  save(): ChaChaState {
    return { counter: this.counter, block: this.block, used: this.used };
  }

  load({ counter, block, used }: ChaChaState): void {
    this.counter = counter;
    this.block = block;
    this.used = used;
  }
}

function quarter(x: Uint32Array, a: number, b: number, c: number, d: number): void {
  x[a] += x[b];
  x[d] = rotate(x[d] ^ x[a], 16);
  x[c] += x[d];
  x[b] = rotate(x[b] ^ x[c], 12);
  x[a] += x[b];
  x[d] = rotate(x[d] ^ x[a], 8);
  x[c] += x[d];
  x[b] = rotate(x[b] ^ x[c], 7);
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
