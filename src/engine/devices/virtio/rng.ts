/** virtio-rng. @virtio 5.4 "Entropy Device" */
import { VirtioDevice } from './device.js';
import { pieces } from './ring.js';

const QUEUE_SIZE = 64;
/** A driver asks for a few bytes at a time; a request for more gets this many. */
const LARGEST = 1 << 16;

/** A source of random bytes that repeats in a repeated run. */
export interface RandomSource {
  bytes(length: number): Uint8Array;
  save(): Record<string, unknown>;
  load(state: Record<string, unknown>): void;
}

export class VirtioRng extends VirtioDevice {
  private given = 0;

  constructor(
    name: string,
    private readonly source: RandomSource,
  ) {
    super(name, 4, 0x00ff00, [QUEUE_SIZE], []);
  }

  config(): Uint8Array {
    return new Uint8Array(0);
  }

  notify(index: number): void {
    const queue = this.transport.queues[index];
    for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) {
      const length = Math.min(chain.writableBytes, LARGEST);
      for (const { gpa, bytes } of pieces(chain.writable, 0, length)) {
        chain.memory.write(gpa, this.source.bytes(bytes));
      }
      this.given += length;
      queue.push(chain, length);
    }
    this.transport.usedBuffers(index);
  }

  override save(): Record<string, unknown> {
    return { given: this.given, source: this.source.save() };
  }

  override load(state: Record<string, unknown>): void {
    this.given = state.given as number;
    this.source.load(state.source as Record<string, unknown>);
  }

  override describe(): [string, string][] {
    return [['bytes given', String(this.given)]];
  }
}
