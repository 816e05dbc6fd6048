/** virtio-net with one pair of queues. @virtio 5.1 "Network Device" */

import type { StateFormat } from '../../state/saved.js';
import { bytes, count, list, record, type Schema } from '../../state/schema.js';
import type { NetBackend } from '../net-backend.js';
import { VirtioDevice } from './device.js';
import { type Chain, RingError } from './ring.js';

const F_MAC = 5;
const F_MERGEABLE = 15;
const F_STATUS = 16;
const QUEUE_SIZE = 256;
const RECEIVE = 0;
const TRANSMIT = 1;
/** Every packet begins with this header; VERSION_1 always has the count of buffers. */
const HEADER_BYTES = 12;
const LINK_UP = 1;
/** Largest frame without offloads. */
export const MAX_FRAME_BYTES = 1514;
/** Frames that wait for receive buffers; a full line drops, as a switch does. */
const WAITING_LIMIT = 1024;

export interface VirtioNetOptions {
  name: string;
  mac: Uint8Array;
  backend: NetBackend;
}

interface VirtioNetState {
  waiting: Uint8Array[];
  received: number;
  sent: number;
  dropped: number;
  backend: object;
}

export class VirtioNet extends VirtioDevice<VirtioNetState> {
  private waiting: Uint8Array[] = [];
  private received = 0;
  private sent = 0;
  private dropped = 0;

  constructor(private readonly options: VirtioNetOptions) {
    super(options.name, 1, 0x020000, [QUEUE_SIZE, QUEUE_SIZE], [F_MAC, F_MERGEABLE, F_STATUS]);
    options.backend.toGuest = (frame) => this.receive(frame);
  }

  config(): Uint8Array {
    const config = new Uint8Array(12);
    config.set(this.options.mac);
    config[6] = LINK_UP;
    config[8] = 1;
    return config;
  }

  /** A frame for the guest. */
  receive(frame: Uint8Array): void {
    if (!this.transport.running || this.waiting.length >= WAITING_LIMIT || frame.length > MAX_FRAME_BYTES) {
      this.dropped++;
      return;
    }
    this.waiting.push(frame);
    this.transport.guarded(() => this.deliver());
  }

  notify(queue: number): void {
    if (queue === TRANSMIT) this.transmit();
    else if (queue === RECEIVE) this.deliver();
  }

  private deliver(): void {
    if (!this.transport.running || !this.transport.queues[RECEIVE].ready) return;
    let done = 0;
    while (done < this.waiting.length && this.place(this.waiting[done])) done++;
    this.waiting.splice(0, done);
    this.received += done;
    if (done > 0) this.transport.usedBuffers(RECEIVE);
  }

  /** Puts a frame into one buffer, or into several where that was agreed on; false when there are too few. */
  private place(frame: Uint8Array): boolean {
    const queue = this.transport.queues[RECEIVE];
    const packet = new Uint8Array(HEADER_BYTES + frame.length);
    packet.set(frame, HEADER_BYTES);
    const chains: Chain[] = [];
    for (let room = 0; room < packet.length; ) {
      const chain = queue.pop();
      if (chain === undefined) {
        for (let i = 0; i < chains.length; i++) queue.unpop();
        return false;
      }
      chains.push(chain);
      room += chain.writableBytes;
      const first = chains.length === 1;
      if (first && chain.writableBytes < HEADER_BYTES)
        throw new RingError('a receive buffer is smaller than its header');
      if (room < packet.length && !this.transport.has(F_MERGEABLE)) {
        throw new RingError(`a frame of ${frame.length} bytes does not fit a receive buffer`);
      }
      if (chain.writableBytes === 0) throw new RingError('a receive buffer is empty');
    }
    packet[10] = chains.length & 0xff;
    packet[11] = chains.length >> 8;
    let at = 0;
    for (const chain of chains) {
      const part = packet.subarray(at, at + chain.writableBytes);
      chain.write(0, part);
      queue.push(chain, part.length);
      at += part.length;
    }
    return true;
  }

  private transmit(): void {
    const queue = this.transport.queues[TRANSMIT];
    for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) {
      const bytes = chain.readableBytes;
      if (bytes < HEADER_BYTES || bytes > HEADER_BYTES + (1 << 16)) throw new RingError(`a packet of ${bytes} bytes`);
      const frame = chain.read(HEADER_BYTES, bytes - HEADER_BYTES);
      queue.push(chain, 0);
      this.sent++;
      this.options.backend.fromGuest(frame);
    }
    this.transport.usedBuffers(TRANSMIT);
  }

  override reset(): void {
    this.waiting = [];
  }

  get format(): StateFormat<VirtioNetState> {
    const waiting = list(bytes(), { atMost: WAITING_LIMIT });
    const { shape } = this.options.backend;
    const whole = record({ waiting, received: count, sent: count, dropped: count, backend: shape });
    return { kind: 'virtio-net', version: 1, shape: whole as Schema<VirtioNetState> };
  }

  save(): VirtioNetState {
    const { waiting, received, sent, dropped } = this;
    return { waiting, received, sent, dropped, backend: this.options.backend.save() };
  }

  load({ waiting, received, sent, dropped, backend }: VirtioNetState): void {
    this.waiting = waiting;
    this.received = received;
    this.sent = sent;
    this.dropped = dropped;
    this.options.backend.load(backend);
  }

  override describe(): [string, string][] {
    const mac = [...this.options.mac].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
    return [
      ['MAC', mac],
      ['frames', `${this.sent} sent ${this.received} received ${this.dropped} dropped`],
      ...this.options.backend.describe(),
    ];
  }
}
