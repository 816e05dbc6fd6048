/**
 * The registers by which a guest sets modes beyond the VGA's: Bochs' display interface, an index and a value.
 * @qemu docs/specs/standard-vga
 */
import { list, record, type StateOf, u16 } from '../../state/schema.js';
import type { PortDevice, PortRange } from '../device.js';
import { VIDEO_BYTES } from './video-memory.js';

/** The value's port is the next one, and on other machines the one after. */
const INDEX_PORT = 0x1ce;
const ID = 0;
const XRES = 1;
const YRES = 2;
const BPP = 3;
const ENABLE = 4;
const BANK = 5;
const VIRTUAL_WIDTH = 6;
const VIRTUAL_HEIGHT = 7;
const X_OFFSET = 8;
const Y_OFFSET = 9;
const VIDEO_MEMORY_64K = 10;
const REGISTERS = 10;

const ENABLED = 0x01;
const GET_CAPABILITIES = 0x02;
const DAC_8_BIT = 0x20;
const NO_CLEAR = 0x80;

const FIRST_ID = 0xb0c0;
const NEWEST_ID = 0xb0c5;
const MAX_XRES = 16000;
const MAX_YRES = 12000;
const MAX_BPP = 32;
const BANKS = VIDEO_BYTES >> 16;

export const VBE_STATE = record({ index: u16, registers: list(u16, REGISTERS) });
export type VbeState = StateOf<typeof VBE_STATE>;

/** A mode that is set: sizes in pixels, `pitch` and `start` in bytes of video memory. */
export interface VbeMode {
  width: number;
  height: number;
  bpp: number;
  pitch: number;
  start: number;
}

/** What the card does when registers change. */
export interface VbeHost {
  /** A mode begins, whose picture is cleared unless the guest wants to see what is there. */
  begins(mode: VbeMode, clear: boolean): void;
  /** The mode, the bank or the width of the palette has changed. */
  changed(): void;
}

export class Vbe implements PortDevice {
  readonly name = 'vbe';
  readonly ports: readonly PortRange[] = [{ first: INDEX_PORT, count: 4 }];
  readonly portWidth = 2;
  s: VbeState = powerOn();

  constructor(private readonly host: VbeHost) {}

  reset(): void {
    this.s = powerOn();
  }

  get isOn(): boolean {
    return (this.s.registers[ENABLE] & ENABLED) !== 0;
  }

  /** The palette has components of 8 bits. */
  get wideDac(): boolean {
    return (this.s.registers[ENABLE] & DAC_8_BIT) !== 0;
  }

  /** Where the window at A0000h begins in video memory. */
  get bank(): number {
    return this.isOn ? this.s.registers[BANK] << 16 : 0;
  }

  get mode(): VbeMode | undefined {
    if (!this.isOn) return undefined;
    const r = this.s.registers;
    const bits = bitsOf(r[BPP]);
    const pitch = (r[VIRTUAL_WIDTH] * bits) >> 3;
    const start = (((r[X_OFFSET] * bits) >> 3) + r[Y_OFFSET] * pitch) & ~3;
    return { width: r[XRES], height: r[YRES], bpp: r[BPP], pitch, start };
  }

  portRead(port: number, bytes: number): number {
    if (bytes !== 2) return port === INDEX_PORT ? this.s.index & 0xff : 0xff;
    return port === INDEX_PORT ? this.s.index : this.read(this.s.index);
  }

  portWrite(port: number, bytes: number, value: number): void {
    if (bytes !== 2) return;
    if (port === INDEX_PORT) this.s.index = value;
    else this.write(this.s.index, value);
  }

  read(index: number): number {
    const r = this.s.registers;
    if (index === VIDEO_MEMORY_64K) return BANKS;
    if (index >= REGISTERS) return 0;
    if (r[ENABLE] & GET_CAPABILITIES) {
      if (index === XRES) return MAX_XRES;
      if (index === YRES) return MAX_YRES;
      if (index === BPP) return MAX_BPP;
    }
    return r[index];
  }

  write(index: number, value: number): void {
    const r = this.s.registers;
    switch (index) {
      case ID:
        if (value >= FIRST_ID && value <= NEWEST_ID) r[ID] = value;
        return;
      case XRES:
      case YRES:
      case BPP:
      case VIRTUAL_WIDTH:
      case X_OFFSET:
      case Y_OFFSET:
        r[index] = value;
        this.settle();
        break;
      case BANK:
        r[BANK] = value & (r[BPP] === 4 ? (BANKS - 1) >> 2 : BANKS - 1);
        break;
      case ENABLE:
        this.enable(value);
        break;
      default:
        return;
    }
    this.host.changed();
  }

  private enable(value: number): void {
    const r = this.s.registers;
    const begins = (value & ENABLED) !== 0 && !this.isOn;
    if (begins) {
      r[VIRTUAL_WIDTH] = 0;
      r[X_OFFSET] = 0;
      r[Y_OFFSET] = 0;
    }
    if ((value & ENABLED) === 0) r[BANK] = 0;
    r[ENABLE] = value;
    this.settle();
    if (begins) this.host.begins(this.mode!, (value & NO_CLEAR) === 0);
  }

  /** There is no way to refuse a value: what cannot be becomes the nearest that can. */
  private settle(): void {
    if (!this.isOn) return;
    const r = this.s.registers;
    if (![4, 8, 15, 16, 24, 32].includes(r[BPP])) r[BPP] = 8;
    const bits = bitsOf(r[BPP]);
    r[XRES] = Math.min(Math.max(r[XRES] & ~7, 8), MAX_XRES);
    r[VIRTUAL_WIDTH] = Math.max(Math.min(r[VIRTUAL_WIDTH] & ~7, MAX_XRES), r[XRES]);
    const pitch = (r[VIRTUAL_WIDTH] * bits) >> 3;
    const lines = Math.floor(VIDEO_BYTES / pitch);
    r[YRES] = Math.min(Math.max(r[YRES], 1), MAX_YRES, lines);
    r[X_OFFSET] = Math.min(r[X_OFFSET], MAX_XRES);
    r[Y_OFFSET] = Math.min(r[Y_OFFSET], MAX_YRES);
    const across = (r[X_OFFSET] * bits) >> 3;
    if (across + (r[Y_OFFSET] + r[YRES]) * pitch > VIDEO_BYTES) {
      r[Y_OFFSET] = 0;
      if (across + r[YRES] * pitch > VIDEO_BYTES) r[X_OFFSET] = 0;
    }
    r[VIRTUAL_HEIGHT] = Math.min(lines, 0xffff);
  }
}

function bitsOf(bpp: number): number {
  return bpp === 15 ? 16 : bpp;
}

function powerOn(): VbeState {
  const registers = new Array<number>(REGISTERS).fill(0);
  registers[ID] = NEWEST_ID;
  return { index: 0, registers };
}
