/**
 * The two 8237A DMA controllers of a PC, whose channels ISA devices use: 0 to 3 move bytes, 5 to 7 words, 4 is the cascade.
 * A transfer is done at once when the device asks for it. @datasheet Intel 8237A
 */
import { flag, list, record, type StateOf, tuple, u8, u16 } from '../state/schema.js';
import type { Device, GuestMemory, PortDevice, PortRange } from './device.js';
import { hex } from './device-state.js';

const MODE_TRANSFER = 0x0c;
const MODE_TO_MEMORY = 0x04;
const MODE_FROM_MEMORY = 0x08;
/** Of MODE_TRANSFER. */
const WAYS = ['verify', 'to memory', 'from memory', 'nothing'];
const MODE_AUTO = 0x10;
const MODE_DOWN = 0x20;
const COMMAND_OFF = 0x04;
const MASK_BIT = 0x04;

/** Page registers from port 80h on, by channel: A16 to A23. */
const PAGE_PORTS = [0x87, 0x83, 0x81, 0x82, 0x8f, 0x8b, 0x89, 0x8a];

const CHANNEL = record({
  base: u16,
  baseCount: u16,
  address: u16,
  count: u16,
  page: u8,
  mode: u8,
  masked: flag,
  /** Terminal count, until the status is read. */
  ended: flag,
});
type Channel = StateOf<typeof CHANNEL>;
const CHIP = record({ highByte: flag, command: u8 });
type Chip = StateOf<typeof CHIP>;
const STATE = record({ channels: list(CHANNEL, 8), chips: tuple(CHIP, CHIP) });
type DmaState = StateOf<typeof STATE>;

const newChannel = (): Channel => ({
  base: 0,
  baseCount: 0,
  address: 0,
  count: 0,
  page: 0,
  mode: 0,
  masked: true,
  ended: false,
});

/** What a transfer came to: bytes moved, and whether the channel reached its terminal count with them. */
export interface DmaResult {
  readonly bytes: number;
  readonly terminal: boolean;
}

export class Dma8237 implements Device<DmaState>, PortDevice {
  readonly name = 'dma';
  readonly format = { kind: 'dma-8237', version: 1, shape: STATE };
  readonly ports: readonly PortRange[] = [
    { first: 0x00, count: 16 },
    { first: 0x81, count: 3 },
    { first: 0x87, count: 1 },
    { first: 0x89, count: 3 },
    { first: 0x8f, count: 1 },
    { first: 0xc0, count: 32 },
  ];
  readonly portWidth = 1;
  private channels = PAGE_PORTS.map(newChannel);
  private chips: [Chip, Chip] = [
    { highByte: false, command: 0 },
    { highByte: false, command: 0 },
  ];
  /** Devices whose requests wait for their channel to be unmasked. */
  private readonly waiting = new Map<number, () => void>();

  constructor(private readonly memory: GuestMemory) {}

  reset(): void {
    this.channels = PAGE_PORTS.map(newChannel);
    for (const chip of this.chips) Object.assign(chip, { highByte: false, command: 0 });
    this.waiting.clear();
  }

  /** Whether a request on this channel is served now. */
  open(channel: number): boolean {
    return !this.channels[channel].masked && (this.chips[channel >> 2].command & COMMAND_OFF) === 0;
  }

  /** A device asks for its channel: `serve` is called once it is open, which may be at once. */
  request(channel: number, serve: () => void): void {
    if (this.open(channel)) serve();
    else this.waiting.set(channel, serve);
  }

  withdraw(channel: number): void {
    this.waiting.delete(channel);
  }

  /** Bytes of the device go to memory as far as the channel's count reaches; a verify moves nothing. */
  toMemory(channel: number, bytes: Uint8Array): DmaResult {
    return this.move(channel, bytes.length, (gpa, from, count) => {
      if ((this.channels[channel].mode & MODE_TRANSFER) !== MODE_TO_MEMORY) return;
      this.reach(() => this.memory.write(gpa, bytes.subarray(from, from + count)));
    });
  }

  /** Fills `into` from memory as far as the channel's count reaches. */
  fromMemory(channel: number, into: Uint8Array): DmaResult {
    return this.move(channel, into.length, (gpa, to, count) => {
      if ((this.channels[channel].mode & MODE_TRANSFER) !== MODE_FROM_MEMORY) return;
      this.reach(() => into.set(this.memory.read(gpa, count), to));
    });
  }

  /** Where no memory is, reads float and writes are lost. */
  private reach(access: () => void): void {
    try {
      access();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }

  /** In runs that neither wrap at 64 KiB nor pass the count; a run down goes byte by byte. */
  private move(number: number, bytes: number, piece: (gpa: number, at: number, count: number) => void): DmaResult {
    const channel = this.channels[number];
    const unit = number >= 4 ? 2 : 1;
    const down = (channel.mode & MODE_DOWN) !== 0;
    let at = 0;
    while (at + unit <= bytes) {
      const left = channel.count + 1;
      const inPage = down ? 1 : 0x10000 - channel.address;
      const units = Math.min(Math.floor((bytes - at) / unit), left, inPage);
      const gpa =
        unit === 1 ? (channel.page << 16) | channel.address : ((channel.page & 0xfe) << 16) | (channel.address << 1);
      piece(gpa, at, units * unit);
      at += units * unit;
      channel.address = (channel.address + (down ? -units : units)) & 0xffff;
      channel.count = (channel.count - units) & 0xffff;
      if (units < left) continue;
      this.end(channel);
      return { bytes: at, terminal: true };
    }
    return { bytes: at, terminal: false };
  }

  private end(channel: Channel): void {
    channel.ended = true;
    if (channel.mode & MODE_AUTO) {
      channel.address = channel.base;
      channel.count = channel.baseCount;
    } else channel.masked = true;
  }

  portRead(port: number): number {
    const page = PAGE_PORTS.indexOf(port);
    if (page >= 0) return this.channels[page].page;
    const { chip, register } = place(port);
    if (register < 8) return this.readCounter(chip, register);
    if (register === 8) return this.readStatus(chip);
    // the temporary register serves transfers between memories, which PCs do not have
    if (register === 15) return this.masks(chip);
    return 0;
  }

  portWrite(port: number, _bytes: number, value: number): void {
    const page = PAGE_PORTS.indexOf(port);
    if (page >= 0) {
      this.channels[page].page = value;
      return;
    }
    const { chip, register } = place(port);
    const of = (n: number) => this.channels[chip * 4 + (n & 3)];
    if (register < 8) {
      this.writeCounter(chip, register, value);
      return;
    }
    switch (register) {
      case 8:
        this.chips[chip].command = value;
        break;
      case 10:
        of(value).masked = (value & MASK_BIT) !== 0;
        break;
      case 11:
        of(value).mode = value & 0xfc;
        break;
      case 12:
        this.chips[chip].highByte = false;
        break;
      case 13:
        for (let n = 0; n < 4; n++) Object.assign(of(n), { masked: true, ended: false });
        Object.assign(this.chips[chip], { highByte: false, command: 0 });
        break;
      case 14:
        for (let n = 0; n < 4; n++) of(n).masked = false;
        break;
      case 15:
        for (let n = 0; n < 4; n++) of(n).masked = (value & (1 << n)) !== 0;
        break;
    }
    this.serveWaiting();
  }

  private serveWaiting(): void {
    for (const [channel, serve] of this.waiting) {
      if (!this.open(channel)) continue;
      this.waiting.delete(channel);
      serve();
    }
  }

  private readCounter(chip: number, register: number): number {
    const { address, count } = this.channels[chip * 4 + (register >> 1)];
    return this.half(chip, register & 1 ? count : address);
  }

  private half(chip: number, value: number): number {
    const high = this.flip(chip);
    return high ? value >> 8 : value & 0xff;
  }

  /** Answers which byte it is the turn of, and goes on to the other one. */
  private flip(chip: number): boolean {
    const high = this.chips[chip].highByte;
    this.chips[chip].highByte = !high;
    return high;
  }

  private writeCounter(chip: number, register: number, value: number): void {
    const channel = this.channels[chip * 4 + (register >> 1)];
    const high = this.flip(chip);
    const merge = (old: number) => (high ? (old & 0xff) | (value << 8) : (old & 0xff00) | value);
    if (register & 1) {
      channel.baseCount = merge(channel.baseCount);
      channel.count = channel.baseCount;
    } else {
      channel.base = merge(channel.base);
      channel.address = channel.base;
    }
  }

  private readStatus(chip: number): number {
    let status = 0;
    for (let n = 0; n < 4; n++) {
      const channel = this.channels[chip * 4 + n];
      if (channel.ended) status |= 1 << n;
      if (this.waiting.has(chip * 4 + n)) status |= 0x10 << n;
      channel.ended = false;
    }
    return status;
  }

  private masks(chip: number): number {
    return [0, 1, 2, 3].reduce((bits, n) => bits | (this.channels[chip * 4 + n].masked ? 1 << n : 0), 0xf0);
  }

  save(): DmaState {
    return { channels: this.channels, chips: this.chips };
  }

  /** Devices that wait for a channel ask again when they are loaded. */
  load({ channels, chips }: DmaState): void {
    this.channels = channels;
    this.chips = chips;
    this.waiting.clear();
  }

  describe(): [string, string][] {
    return this.channels.flatMap(({ page, address, count, mode, masked }, n): [string, string][] => {
      if (n === 4 || (masked && mode === 0)) return [];
      const place = hex((page << 16) | address, 6);
      return [
        [`channel ${n}`, `${masked ? 'masked' : 'open'} ${WAYS[(mode & MODE_TRANSFER) >> 2]} ${place} count ${count}`],
      ];
    });
  }
}

/** The second chip's registers stand at even addresses. */
function place(port: number): { chip: 0 | 1; register: number } {
  return port < 0x10 ? { chip: 0, register: port } : { chip: 1, register: (port - 0xc0) >> 1 };
}
