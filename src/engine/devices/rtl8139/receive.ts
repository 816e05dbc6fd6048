/** The receive ring: a stretch of memory that frames are written into one behind the other. @rtl8139 5.2, 6.9 */
import { bytes, count, list, record, type StateOf, u16 } from '../../state/schema.js';
import { withFcs } from '../ethernet-fcs.js';
import type { BusMaster } from '../pci/bus-master.js';

const HEADER_BYTES = 4;
/** The read pointer lies so far behind. */
const POINTER_LAG = 16;
const MIN_FRAME_BYTES = 60;
const MAX_FRAME_BYTES = 1518;
/** Frames on the cable for which the ring has no room. */
const WAITING_LIMIT = 256;

const ACCEPT = { all: 0x01, physical: 0x02, multicast: 0x04, broadcast: 0x08 } as const;
const NO_WRAP = 0x80;
const GOOD = 0x0001;
const WAS = { broadcast: 0x2000, physical: 0x4000, multicast: 0x8000 } as const;

const STATE = record({
  waiting: list(bytes(), { atMost: WAITING_LIMIT }),
  read: u16,
  write: u16,
  dropped: count,
});
type ReceiveState = StateOf<typeof STATE>;

/** What the driver set. */
export interface ReceiveSetting {
  config: number;
  buffer: number;
  mac: Uint8Array;
  hash: Uint8Array;
}

export class ReceiveBuffer {
  readonly shape = STATE;
  private s: ReceiveState = { waiting: [], read: 0, write: 0, dropped: 0 };

  constructor(
    private readonly bus: BusMaster,
    private readonly setting: () => ReceiveSetting,
  ) {}

  reset(): void {
    this.s = { ...this.s, waiting: [], read: 0, write: 0 };
  }

  /** The ring begins anew: its size was set. */
  rewind(): void {
    this.s.read = 0;
    this.s.write = 0;
  }

  get dropped(): number {
    return this.s.dropped;
  }

  get empty(): boolean {
    return this.s.read === this.s.write;
  }

  get writePointer(): number {
    return this.s.write;
  }

  get readPointer(): number {
    return (this.s.read - POINTER_LAG) & 0xffff;
  }

  set readPointer(value: number) {
    this.s.read = ((value + POINTER_LAG) & 0xffff) % this.size;
  }

  private get size(): number {
    return 8192 << ((this.setting().config >>> 11) & 3);
  }

  /** A frame from the cable. @returns why it counts: a status for the ring, or undefined: it is not for this card */
  private accepted(frame: Uint8Array): number | undefined {
    const { config, mac, hash } = this.setting();
    if (frame.length < 14) return undefined;
    if (frame.subarray(0, 6).every((byte) => byte === 0xff)) {
      return config & (ACCEPT.broadcast | ACCEPT.all) ? WAS.broadcast : undefined;
    }
    if (frame[0] & 1) {
      const bit = multicastHash(frame);
      const listed = config & ACCEPT.multicast && (hash[bit >> 3] >> (bit & 7)) & 1;
      return listed || config & ACCEPT.all ? WAS.multicast : undefined;
    }
    const own = frame.subarray(0, 6).every((byte, i) => byte === mac[i]);
    if (own && config & (ACCEPT.physical | ACCEPT.all)) return WAS.physical;
    return config & ACCEPT.all ? 0 : undefined;
  }

  /** @returns true: some frame is lost, since nobody empties the ring */
  take(frame: Uint8Array): boolean {
    if (frame.length > MAX_FRAME_BYTES || this.accepted(frame) === undefined) {
      this.s.dropped++;
      return false;
    }
    if (this.s.waiting.length >= WAITING_LIMIT) {
      this.s.dropped++;
      return true;
    }
    this.s.waiting.push(frame);
    return false;
  }

  /** Writes what waits into the ring while there is room. @returns how many frames */
  deliver(): number {
    let done = 0;
    while (done < this.s.waiting.length && this.place(this.s.waiting[done])) done++;
    this.s.waiting.splice(0, done);
    return done;
  }

  private place(frame: Uint8Array): boolean {
    const { s, size } = this;
    const padded = new Uint8Array(Math.max(frame.length, MIN_FRAME_BYTES));
    padded.set(frame);
    const data = withFcs(padded);
    const free = (size + s.read - s.write) % size || size;
    // a full ring would look like an empty one
    if (data.length + HEADER_BYTES + 4 >= free) return false;
    const packet = new Uint8Array(HEADER_BYTES + data.length);
    new DataView(packet.buffer).setUint16(0, GOOD | (this.accepted(frame) ?? 0), true);
    new DataView(packet.buffer).setUint16(2, data.length, true);
    packet.set(data, HEADER_BYTES);
    const { buffer, config } = this.setting();
    const behind = (config & NO_WRAP) !== 0 && size < 65536;
    const first = behind ? packet.length : Math.min(packet.length, size - s.write);
    this.bus.write(buffer + s.write, packet.subarray(0, first));
    if (first < packet.length) this.bus.write(buffer, packet.subarray(first));
    s.write = ((s.write + packet.length + 3) & ~3) % size;
    return true;
  }

  save(): ReceiveState {
    return this.s;
  }

  load(state: ReceiveState): void {
    this.s = state;
  }
}

/** The upper six bits of the address's check sequence, most significant bit first. */
function multicastHash(frame: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (let i = 0; i < 6; i++) {
    for (let bit = 0; bit < 8; bit++) {
      const carry = (crc >>> 31) ^ ((frame[i] >> bit) & 1);
      crc = carry ? ((crc << 1) ^ 0x04c1_1db7) >>> 0 : (crc << 1) >>> 0;
    }
  }
  return crc >>> 26;
}
