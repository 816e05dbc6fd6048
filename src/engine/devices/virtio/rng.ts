/** virtio-rng. @virtio 5.4 "Entropy Device" */
import type { StateFormat } from '../../state/saved.js';
import { count, record, type Schema } from '../../state/schema.js';
import { VirtioDevice } from './device.js';
import { pieces } from './ring.js';

const QUEUE_SIZE = 64;
/** A driver asks for a few bytes at a time; a request for more gets this many. */
const LARGEST = 1 << 16;

/** A source of random bytes that repeats in a repeated run. */
export interface RandomSource<S extends object = object> {
  bytes(length: number): Uint8Array;
  readonly shape: Schema<S>;
  save(): S;
  load(state: S): void;
}

interface VirtioRngState {
  given: number;
  source: object;
}

export class VirtioRng extends VirtioDevice<VirtioRngState> {
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

  get format(): StateFormat<VirtioRngState> {
    const whole = record({ given: count, source: this.source.shape });
    return { kind: 'virtio-rng', version: 1, shape: whole as Schema<VirtioRngState> };
  }

  save(): VirtioRngState {
    return { given: this.given, source: this.source.save() };
  }

  load({ given, source }: VirtioRngState): void {
    this.given = given;
    this.source.load(source);
  }

  override describe(): [string, string][] {
    return [['bytes given', String(this.given)]];
  }
}
