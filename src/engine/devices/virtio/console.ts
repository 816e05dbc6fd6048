/** virtio-console with one port. @virtio 5.3 "Console Device" */
import { list, record, type StateOf, u8 } from '../../state/schema.js';
import { VirtioDevice } from './device.js';
import { pieces, RingError } from './ring.js';

const F_SIZE = 0;
const F_EMERGENCY_WRITE = 2;
const QUEUE_SIZE = 128;
const RECEIVE = 0;
const TRANSMIT = 1;
const EMERGENCY_WRITE = 8;
/** Input that the guest has not taken yet; more is dropped, as on a line without flow control. */
const INPUT_LIMIT = 1 << 16;
/** No driver writes more at once. */
const OUTPUT_LIMIT = 1 << 20;

export interface VirtioConsoleOptions {
  name: string;
  columns?: number;
  rows?: number;
  output(bytes: Uint8Array): void;
}

const STATE = record({ input: list(u8, { atMost: INPUT_LIMIT }) });
type VirtioConsoleState = StateOf<typeof STATE>;

export class VirtioConsole extends VirtioDevice<VirtioConsoleState> {
  readonly format = { kind: 'virtio-console', version: 1, shape: STATE };
  private input: number[] = [];

  constructor(private readonly options: VirtioConsoleOptions) {
    super(options.name, 3, 0x078000, [QUEUE_SIZE, QUEUE_SIZE], [F_SIZE, F_EMERGENCY_WRITE]);
  }

  config(): Uint8Array {
    const view = new DataView(new ArrayBuffer(12));
    view.setUint16(0, this.options.columns ?? 80, true);
    view.setUint16(2, this.options.rows ?? 25, true);
    view.setUint32(4, 1, true);
    return new Uint8Array(view.buffer);
  }

  override writeConfig(offset: number, _bytes: number, value: number): void {
    if (offset === EMERGENCY_WRITE) this.options.output(Uint8Array.of(value & 0xff));
  }

  /** The guest's driver works. */
  get isOpen(): boolean {
    return this.transport.running;
  }

  /** Bytes of the host that the guest has given no buffer for yet. */
  get waiting(): number {
    return this.input.length;
  }

  /** Bytes from the host; they wait until the guest has room. */
  receive(bytes: Uint8Array): void {
    for (const byte of bytes) if (this.input.length < INPUT_LIMIT) this.input.push(byte);
    this.transport.guarded(() => this.deliver());
  }

  notify(queue: number): void {
    if (queue === RECEIVE) this.deliver();
    else if (queue === TRANSMIT) this.transmit();
  }

  private deliver(): void {
    const queue = this.transport.queues[RECEIVE];
    if (!this.transport.running || !queue.ready) return;
    while (this.input.length > 0) {
      const chain = queue.pop();
      if (chain === undefined) break;
      const bytes = Uint8Array.from(this.input.splice(0, chain.writableBytes));
      chain.write(0, bytes);
      queue.push(chain, bytes.length);
    }
    this.transport.usedBuffers(RECEIVE);
  }

  private transmit(): void {
    const queue = this.transport.queues[TRANSMIT];
    for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) {
      if (chain.readableBytes > OUTPUT_LIMIT)
        throw new RingError(`${chain.readableBytes} bytes of console output at once`);
      for (const { gpa, bytes } of pieces(chain.readable, 0, chain.readableBytes)) {
        this.options.output(chain.memory.read(gpa, bytes).slice());
      }
      queue.push(chain, 0);
    }
    this.transport.usedBuffers(TRANSMIT);
  }

  override reset(): void {
    this.input = [];
  }

  save(): VirtioConsoleState {
    return { input: this.input };
  }

  load({ input }: VirtioConsoleState): void {
    this.input = input;
  }

  override describe(): [string, string][] {
    return [['input waiting', String(this.input.length)]];
  }
}
