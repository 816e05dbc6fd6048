/** A virtio device without its transport. @virtio 2 "Basic Facilities of a Virtio Device" */
import type { StateFormat } from '../../state/saved.js';
import type { RingMemory, Virtqueue } from './ring.js';

/** What a device uses of its transport. */
export interface VirtioTransport {
  readonly memory: RingMemory;
  readonly queues: readonly Virtqueue[];
  /** The driver accepted this feature bit. */
  has(feature: number): boolean;
  /** The driver has set DRIVER_OK and the device works. */
  readonly running: boolean;
  /** Interrupts for a queue if the driver wants that. */
  usedBuffers(queue: number): void;
  configChanged(): void;
  /**
   * Runs work that the host started. A RingError in it breaks the device, as in a notification of the guest.
   */
  guarded(work: () => void): void;
}

export abstract class VirtioDevice<S = object> {
  abstract readonly format: StateFormat<S>;
  protected transport!: VirtioTransport;

  /** `type` is the virtio device ID; `queues` the greatest size of each queue; `features` the bits beyond the rings'. */
  constructor(
    readonly name: string,
    readonly type: number,
    readonly classCode: number,
    readonly queueSizes: readonly number[],
    readonly features: readonly number[],
  ) {}

  attach(transport: VirtioTransport): void {
    this.transport = transport;
  }

  /** The device's configuration space now. */
  abstract config(): Uint8Array;
  /** The driver wrote a byte range of the configuration space. */
  writeConfig(_offset: number, _bytes: number, _value: number): void {}
  /** Requests may have come into a queue. @throws RingError */
  abstract notify(queue: number): void;
  reset(): void {}
  /** See `Device`. */
  beginAgain(powerOn: S): S {
    return powerOn;
  }
  abstract save(): S;
  abstract load(state: S): void;
  describe(): [string, string][] {
    return [];
  }
}
