/** The transmit ring: legacy, context and data descriptors. @8254x 3.3 "Packet Transmission" */
import { bytes, count, flag, record, type StateOf, u8, u16 } from '../../state/schema.js';
import type { BusMaster } from '../pci/bus-master.js';
import { type Context, putChecksum, segments } from './offload.js';
import { CAUSE, CTRL, CTRL_VME, type Registers, TCTL, TDBAL, TDH, TDLEN, TDT, VET } from './registers.js';

const DESCRIPTOR_BYTES = 16;
const ENABLE = 0x2;
/** No packet that a driver makes is longer: a segmented one has a payload of 20 bits. */
const MAX_PACKET_BYTES = 1 << 18;
/** The hardware takes no longer frame. */
const MAX_FRAME_BYTES = 16288;

/** What a frame costs the network behind the cable, in bytes moved. */
const FRAME_WORK = 4096;

// Bits of the second double word's last byte.
const EOP = 0x01;
const INSERT_CHECKSUM = 0x04;
const SEGMENT = 0x04;
const REPORT_STATUS = 0x08;
const REPORT_SENT = 0x10;
const EXTENDED = 0x20;
const VLAN = 0x40;
const DONE = 0x01;
const CONTEXT_TCP = 0x01;
const CONTEXT_IPV4 = 0x02;
const CONTEXT_SEGMENT = 0x04;
const OPTION_IP = 0x01;
const OPTION_TU = 0x02;

const PLACE = record({ start: u8, offset: u8, end: u16 });
const CONTEXT = record({
  ...{ ip: PLACE, tu: PLACE, tcp: flag, ipv4: flag },
  ...{ headerBytes: u8, segmentBytes: u16, payloadBytes: count },
});
const STATE = record({
  /** The packet so far, and what its first data descriptor asked for. */
  packet: bytes(),
  begun: flag,
  tooLong: flag,
  options: u8,
  segmented: flag,
  /** Contexts of packets that are sent whole and of those that are cut. */
  whole: CONTEXT,
  cut: CONTEXT,
});
type TransmitState = StateOf<typeof STATE>;

const NO_PLACE = { start: 0, offset: 0, end: 0 };
const NO_CONTEXT: Context = {
  ...{ ip: NO_PLACE, tu: NO_PLACE, tcp: false, ipv4: false },
  ...{ headerBytes: 0, segmentBytes: 0, payloadBytes: 0 },
};
const NOTHING = new Uint8Array(0);

export interface TransmitOptions {
  registers: Registers;
  bus: BusMaster;
  send(frame: Uint8Array): void;
  segmented(): void;
}

export class TransmitRing {
  readonly shape = STATE;
  private s = powerOn();
  /** Pieces of the packet that is being put together, and their bytes. */
  private pieces: Uint8Array[] = [];
  private gathered = 0;

  constructor(private readonly options: TransmitOptions) {}

  reset(): void {
    this.s = powerOn();
    this.pieces = [];
    this.gathered = 0;
  }

  private get entries(): number {
    return this.options.registers.get(TDLEN) / DESCRIPTOR_BYTES;
  }

  /** Packets wait that may be sent. */
  get waits(): boolean {
    const { registers } = this.options;
    const on = (registers.get(TCTL) & ENABLE) !== 0;
    return on && this.entries > 0 && registers.get(TDH) !== registers.get(TDT);
  }

  /** Sends what waits, as much as fits a turn. @returns causes of interrupts */
  run(): number {
    const { registers, bus } = this.options;
    let causes = 0;
    const { entries } = this;
    for (let left = entries; left > 0 && this.waits && !bus.tired; left--) {
      const head = registers.get(TDH);
      causes |= this.descriptor(registers.base(TDBAL) + head * DESCRIPTOR_BYTES);
      // a head that software put outside wraps, so that it meets the tail or the end of the turn
      registers.set(TDH, head + 1 >= entries ? 0 : head + 1);
    }
    return this.waits ? causes : causes | CAUSE.txqe;
  }

  private descriptor(gpa: number): number {
    const { bus } = this.options;
    const view = bus.view(gpa, DESCRIPTOR_BYTES);
    const command = view.getUint8(11);
    const extended = (command & EXTENDED) !== 0;
    if (extended && (view.getUint8(10) & 0xf0) === 0) this.context(view, command);
    else this.data(view, command, extended);
    if ((command & (REPORT_STATUS | REPORT_SENT)) === 0) return 0;
    bus.write(gpa + 12, Uint8Array.of(view.getUint8(12) | DONE));
    return CAUSE.txdw;
  }

  /** @8254x 3.3.6 "TCP/IP Context Transmit Descriptor" */
  private context(view: DataView, command: number): void {
    const place = (at: number) => ({
      start: view.getUint8(at),
      offset: view.getUint8(at + 1),
      end: view.getUint16(at + 2, true),
    });
    const context: Context = {
      ip: place(0),
      tu: place(4),
      tcp: (command & CONTEXT_TCP) !== 0,
      ipv4: (command & CONTEXT_IPV4) !== 0,
      payloadBytes: view.getUint32(8, true) & 0xf_ffff,
      headerBytes: view.getUint8(13),
      segmentBytes: view.getUint16(14, true),
    };
    if (command & CONTEXT_SEGMENT) this.s.cut = context;
    else this.s.whole = context;
  }

  private data(view: DataView, command: number, extended: boolean): void {
    const { s, options } = this;
    const gpa = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
    const length = extended ? view.getUint32(8, true) & 0xf_ffff : view.getUint16(8, true);
    if (!s.begun) {
      s.begun = true;
      s.options = extended ? view.getUint8(13) : 0;
      s.segmented = extended && (command & SEGMENT) !== 0;
    }
    if (this.gathered + length > MAX_PACKET_BYTES) s.tooLong = true;
    else if (length > 0) {
      this.pieces.push(options.bus.read(gpa, length).slice());
      this.gathered += length;
    }
    if ((command & EOP) === 0) return;
    const packet = this.takePacket();
    if (s.tooLong || packet.length === 0) {
      this.begin();
      return;
    }
    const tag = (command & VLAN) !== 0 ? view.getUint16(14, true) : undefined;
    if (!extended && command & INSERT_CHECKSUM) {
      putChecksum(packet, { start: view.getUint8(13), offset: view.getUint8(10), end: 0 });
    }
    if (s.segmented) {
      options.segmented();
      for (const frame of segments(packet, s.cut)) this.finish(frame, s.cut, tag);
    } else this.finish(packet, s.whole, tag);
    this.begin();
  }

  private finish(packet: Uint8Array, context: Context, tag: number | undefined): void {
    const { options, s } = this;
    if (s.options & OPTION_TU) putChecksum(packet, context.tu);
    if (s.options & OPTION_IP) putChecksum(packet, context.ip);
    const vlan = tag !== undefined && (options.registers.get(CTRL) & CTRL_VME) !== 0 && packet.length >= 12;
    const frame = vlan ? withTag(packet, options.registers.get(VET) & 0xffff, tag) : packet;
    options.bus.spend(frame.length + FRAME_WORK);
    if (frame.length <= MAX_FRAME_BYTES) options.send(frame);
  }

  private begin(): void {
    Object.assign(this.s, { begun: false, tooLong: false, options: 0, segmented: false });
  }

  private takePacket(): Uint8Array {
    const packet = joined(this.pieces, this.gathered);
    this.pieces = [];
    this.gathered = 0;
    return packet;
  }

  save(): TransmitState {
    return { ...this.s, packet: joined(this.pieces, this.gathered) };
  }

  load(state: TransmitState): void {
    this.s = { ...state, packet: NOTHING };
    this.pieces = state.packet.length > 0 ? [state.packet] : [];
    this.gathered = state.packet.length;
  }
}

function powerOn(): TransmitState {
  const begun = { packet: NOTHING, begun: false, tooLong: false, options: 0, segmented: false };
  return { ...begun, whole: NO_CONTEXT, cut: NO_CONTEXT };
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function withTag(packet: Uint8Array, type: number, tag: number): Uint8Array {
  const frame = new Uint8Array(packet.length + 4);
  frame.set(packet.subarray(0, 12));
  frame.set([type >> 8, type & 0xff, tag >> 8, tag & 0xff], 12);
  frame.set(packet.subarray(12), 16);
  return frame;
}
