/** The receive ring and the filter before it. @8254x 3.2 "Packet Reception", 13.5 "Filter Registers" */
import { bytes, count, list, record, type StateOf } from '../../state/schema.js';
import { withFcs } from '../ethernet-fcs.js';
import type { BusMaster } from '../pci/bus-master.js';
import { checkReceived, sum16 } from './offload.js';
import {
  CAUSE,
  CTRL,
  CTRL_VME,
  MTA,
  PBA,
  RAH,
  RAL,
  RCTL,
  RDBAL,
  RDH,
  RDLEN,
  RDT,
  RECEIVE_ADDRESSES,
  type Registers,
  RXCSUM,
  VET,
  VFTA,
} from './registers.js';
import type { Statistics } from './statistics.js';

const DESCRIPTOR_BYTES = 16;
const MIN_FRAME_BYTES = 60;
/** With a VLAN tag, without the check sequence. */
const MAX_FRAME_BYTES = 1518;
const MAX_LONG_BYTES = 16380;
/** Frames of the smallest size in the card's largest buffer. */
const WAITING_LIMIT = 1024;

const ENABLE = 0x0000_0002;
const UNICAST_ALL = 0x0000_0008;
const MULTICAST_ALL = 0x0000_0010;
const LONG = 0x0000_0020;
const BROADCAST = 0x0000_8000;
const VLAN_FILTER = 0x0004_0000;
const SIZE_TIMES_16 = 0x0200_0000;
const STRIP_FCS = 0x0400_0000;
const ADDRESS_VALID = 0x8000_0000;

const IP_CHECKED = 0x100;
const TU_CHECKED = 0x200;

const DONE = 0x01;
const END = 0x02;
const NOT_CHECKED = 0x04;
const TAGGED = 0x08;
const TU_DONE = 0x20;
const IP_DONE = 0x40;
const ERROR_TU = 0x20;
const ERROR_IP = 0x40;

/** Part of the ring below which RXDMT0 tells of, by RCTL.RDMTS. */
const THRESHOLDS = [2, 4, 8, 8];

const STATE = record({ waiting: list(bytes(), { atMost: WAITING_LIMIT }), dropped: count });
type ReceiveState = StateOf<typeof STATE>;

export interface ReceiveOptions {
  registers: Registers;
  bus: BusMaster;
  statistics: Statistics;
}

export class ReceiveRing {
  readonly shape = STATE;
  /** The card's buffer: frames for which there were no descriptors. */
  private waiting: Uint8Array[] = [];
  dropped = 0;

  constructor(private readonly options: ReceiveOptions) {}

  reset(): void {
    this.waiting = [];
  }

  private get entries(): number {
    return this.options.registers.get(RDLEN) / DESCRIPTOR_BYTES;
  }

  private get enabled(): boolean {
    return (this.options.registers.get(RCTL) & ENABLE) !== 0;
  }

  private get free(): number {
    const { registers } = this.options;
    const { entries } = this;
    const [head, tail] = [registers.get(RDH), registers.get(RDT)];
    return head >= entries || tail > entries ? 0 : (tail - head + entries) % entries;
  }

  /** A frame from the cable. @returns causes of interrupts */
  take(frame: Uint8Array): number {
    const { registers, statistics } = this.options;
    if (!this.enabled || !this.passes(frame)) {
      this.dropped++;
      return 0;
    }
    const long = (registers.get(RCTL) & LONG) !== 0;
    if (frame.length > (long ? MAX_LONG_BYTES : MAX_FRAME_BYTES)) {
      statistics.wrongSize(true);
      this.dropped++;
      return 0;
    }
    const buffered = this.waiting.reduce((sum, { length }) => sum + length, 0);
    const room = (registers.get(PBA) & 0xffff) * 1024;
    if (this.waiting.length >= WAITING_LIMIT || (buffered > 0 && buffered + frame.length > room)) {
      statistics.missed();
      this.dropped++;
      return CAUSE.rxo;
    }
    let whole = frame;
    if (frame.length < MIN_FRAME_BYTES) {
      whole = new Uint8Array(MIN_FRAME_BYTES);
      whole.set(frame);
    }
    this.waiting.push(whole);
    const causes = this.deliver();
    if (this.waiting.length > 0) statistics.noBuffers();
    return causes;
  }

  /** Puts what waits into the ring. @returns causes of interrupts */
  deliver(): number {
    const { registers, statistics } = this.options;
    let done = 0;
    while (done < this.waiting.length && this.enabled && this.place(this.waiting[done])) {
      statistics.received(this.waiting[done]);
      done++;
    }
    if (done === 0) return 0;
    this.waiting.splice(0, done);
    const threshold = THRESHOLDS[(registers.get(RCTL) >>> 8) & 3];
    return CAUSE.rxt0 | (this.free <= this.entries / threshold ? CAUSE.rxdmt0 : 0);
  }

  /** Bytes of a buffer. @8254x 13.4.22 "Receive Control Register" */
  private get bufferBytes(): number {
    const control = this.options.registers.get(RCTL);
    const size = 2048 >> ((control >>> 16) & 3);
    return control & SIZE_TIMES_16 && size < 2048 ? size * 16 : size;
  }

  /** False where there are too few descriptors. */
  private place(frame: Uint8Array): boolean {
    const { registers, bus } = this.options;
    const tagged = (registers.get(CTRL) & CTRL_VME) !== 0 && this.isTagged(frame);
    const tag = tagged ? (frame[14] << 8) | frame[15] : 0;
    const plain = tagged ? withoutTag(frame) : frame;
    const data = registers.get(RCTL) & STRIP_FCS ? plain : withFcs(plain);
    const size = this.bufferBytes;
    if (Math.ceil(data.length / size) > this.free) return false;
    const { status, errors } = this.checks(plain);
    const start = registers.get(RXCSUM) & 0xff;
    const checksum = start < data.length ? sum16(data, start, data.length) : 0;
    for (let at = 0; at < data.length; at += size) {
      const part = data.subarray(at, at + size);
      const gpa = this.nextDescriptor();
      const descriptor = bus.view(gpa, DESCRIPTOR_BYTES);
      bus.write(descriptor.getUint32(0, true) + descriptor.getUint32(4, true) * 2 ** 32, part);
      const last = at + size >= data.length;
      descriptor.setUint16(8, part.length, true);
      descriptor.setUint16(10, ((checksum & 0xff) << 8) | (checksum >> 8), true);
      descriptor.setUint8(12, DONE | (last ? END | status : 0) | (tagged ? TAGGED : 0));
      descriptor.setUint8(13, last ? errors : 0);
      descriptor.setUint16(14, tag, true);
      bus.write(gpa, new Uint8Array(descriptor.buffer));
    }
    return true;
  }

  private nextDescriptor(): number {
    const { registers } = this.options;
    const head = registers.get(RDH);
    registers.set(RDH, head + 1 >= this.entries ? 0 : head + 1);
    return registers.base(RDBAL) + head * DESCRIPTOR_BYTES;
  }

  private checks(frame: Uint8Array): { status: number; errors: number } {
    const wanted = this.options.registers.get(RXCSUM);
    const { ip, tu } = wanted & (IP_CHECKED | TU_CHECKED) ? checkReceived(frame) : {};
    const ipDone = ip !== undefined && (wanted & IP_CHECKED) !== 0;
    const tuDone = tu !== undefined && (wanted & TU_CHECKED) !== 0;
    if (!ipDone && !tuDone) return { status: NOT_CHECKED, errors: 0 };
    return {
      status: (ipDone ? IP_DONE : 0) | (tuDone ? TU_DONE : 0),
      errors: (ipDone && !ip ? ERROR_IP : 0) | (tuDone && !tu ? ERROR_TU : 0),
    };
  }

  private isTagged(frame: Uint8Array): boolean {
    return ((frame[12] << 8) | frame[13]) === (this.options.registers.get(VET) & 0xffff) && frame.length >= 16;
  }

  /** The filter by address and VLAN. */
  private passes(frame: Uint8Array): boolean {
    if (frame.length < 14) return false;
    const { registers } = this.options;
    const control = registers.get(RCTL);
    if (control & VLAN_FILTER && this.isTagged(frame)) {
      const id = ((frame[14] << 8) | frame[15]) & 0xfff;
      if (((registers.get(VFTA + 4 * (id >> 5)) >>> (id & 31)) & 1) === 0) return false;
    }
    if (frame.subarray(0, 6).every((byte) => byte === 0xff)) {
      if (control & BROADCAST) return true;
    }
    const group = (frame[0] & 1) !== 0;
    if (control & (group ? MULTICAST_ALL : UNICAST_ALL)) return true;
    const low = (frame[0] | (frame[1] << 8) | (frame[2] << 16) | (frame[3] << 24)) >>> 0;
    const high = frame[4] | (frame[5] << 8);
    for (let i = 0; i < RECEIVE_ADDRESSES; i++) {
      const rah = registers.get(RAH + 8 * i);
      if (rah & ADDRESS_VALID && (rah & 0xffff) === high && registers.get(RAL + 8 * i) === low) return true;
    }
    if (!group) return false;
    // twelve bits of the address by RCTL.MO choose a bit of the table
    const shift = [4, 3, 2, 0][(control >>> 12) & 3];
    const hash = (high >> shift) & 0xfff;
    return ((registers.get(MTA + 4 * (hash >> 5)) >>> (hash & 31)) & 1) !== 0;
  }

  save(): ReceiveState {
    return { waiting: this.waiting, dropped: this.dropped };
  }

  load({ waiting, dropped }: ReceiveState): void {
    this.waiting = waiting;
    this.dropped = dropped;
  }
}

function withoutTag(frame: Uint8Array): Uint8Array {
  const plain = new Uint8Array(frame.length - 4);
  plain.set(frame.subarray(0, 12));
  plain.set(frame.subarray(16), 12);
  return plain;
}
