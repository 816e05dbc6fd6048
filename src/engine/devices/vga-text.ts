/** The VGA's registers, for text modes. Text memory is guest RAM at b8000h, which the screen is read from. */
import type { VgaText } from '../debugger.js';
import { flag, list, record, type StateOf, u8, u16 } from '../state/schema.js';
import { VGA_TEXT_BASE, VGA_TEXT_BYTES } from '../vmm/memory-map.js';
import type { Clock, Device, PortDevice, PortRange } from './device.js';
import { hex } from './device-state.js';

const CRTC_HORIZONTAL_END = 0x01;
const CRTC_MAX_SCAN_LINE = 0x09;
const CRTC_CURSOR_START = 0x0a;
const CRTC_CURSOR_END = 0x0b;
const CRTC_START_HIGH = 0x0c;
const CRTC_START_LOW = 0x0d;
const CRTC_CURSOR_HIGH = 0x0e;
const CRTC_CURSOR_LOW = 0x0f;
const CRTC_RETRACE_END = 0x11;
const CRTC_VERTICAL_END = 0x12;
const CRTC_OVERFLOW = 0x07;
const CRTC_PITCH = 0x13;
const CURSOR_OFF = 0x20;
const CRTC_PROTECT = 0x80;
/** Graphics controller: miscellaneous register, bit 0 is graphics mode. */
const GRAPHICS_MISC = 0x06;

const MISC_COLOUR = 0x01;
/** Field of 70 Hz with 449 lines, 49 of them blank: what text modes use. */
const LINE_NS = 31_778;
const LINES = 449;
const VISIBLE_LINES = 400;
const LINE_VISIBLE_NS = 25_422;

/** Registers of mode 3 as a video BIOS sets them. */
const MODE3_CRTC = [
  0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f,
  0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff,
];
const MODE3_SEQUENCER = [0x03, 0x00, 0x03, 0x00, 0x02];
const MODE3_GRAPHICS = [0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff];
const MODE3_ATTRIBUTE = [
  0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0x00, 0x0f,
  0x08, 0x00,
];

const STATE = record({
  misc: u8,
  feature: u8,
  crtcIndex: u8,
  crtc: list(u8, 256),
  sequencerIndex: u8,
  sequencer: list(u8, 8),
  graphicsIndex: u8,
  graphics: list(u8, 16),
  attributeIndex: u8,
  attribute: list(u8, 32),
  /** Port 3c0h takes an index first, then data. */
  attributeData: flag,
  dacMask: u8,
  dacRead: u16,
  dacWrite: u16,
  dacStep: u8,
  palette: list(u8, 768),
});
type VgaState = StateOf<typeof STATE>;

function padded(values: readonly number[], length: number): number[] {
  return [...values, ...new Array<number>(length - values.length).fill(0)];
}

function mode3(): VgaState {
  return {
    misc: 0x67,
    feature: 0,
    crtcIndex: 0,
    crtc: padded(MODE3_CRTC, 256),
    sequencerIndex: 0,
    sequencer: padded(MODE3_SEQUENCER, 8),
    graphicsIndex: 0,
    graphics: padded(MODE3_GRAPHICS, 16),
    attributeIndex: 0x20,
    attribute: padded(MODE3_ATTRIBUTE, 32),
    attributeData: false,
    dacMask: 0xff,
    dacRead: 0,
    dacWrite: 0,
    dacStep: 0,
    palette: textPalette(),
  };
}

/** The 64 EGA colours (rgbRGB) in the 6-bit components of the DAC, then black. */
function textPalette(): number[] {
  const palette = new Array<number>(768).fill(0);
  for (let colour = 0; colour < 64; colour++) {
    for (let channel = 0; channel < 3; channel++) {
      const strong = (colour >> (2 - channel)) & 1 ? 0x2a : 0;
      const weak = (colour >> (5 - channel)) & 1 ? 0x15 : 0;
      palette[3 * colour + channel] = strong + weak;
    }
  }
  return palette;
}

export class VgaTextDevice implements Device<VgaState>, PortDevice {
  readonly name = 'vga';
  readonly format = { kind: 'vga-text', version: 1, shape: STATE };
  readonly ports: readonly PortRange[] = [
    { first: 0x3b4, count: 2 },
    { first: 0x3ba, count: 1 },
    { first: 0x3c0, count: 0x10 },
    { first: 0x3d4, count: 2 },
    { first: 0x3da, count: 1 },
  ];
  readonly portWidth = 1;
  private s = mode3();

  constructor(private readonly clock: Clock) {}

  reset(): void {
    this.s = mode3();
  }

  /**
   * The screen now. `read` answers guest memory; undefined while the guest has the card in a graphics mode.
   * Text memory wraps at 32 KiB, as the card's address counter does.
   */
  render(read: (gpa: number, length: number) => Uint8Array): VgaText | undefined {
    const { crtc, graphics } = this.s;
    if (graphics[GRAPHICS_MISC] & 1) return undefined;
    const columns = crtc[CRTC_HORIZONTAL_END] + 1;
    const overflow = crtc[CRTC_OVERFLOW];
    const lines = (crtc[CRTC_VERTICAL_END] | ((overflow & 0x02) << 7) | ((overflow & 0x40) << 3)) + 1;
    const height = (crtc[CRTC_MAX_SCAN_LINE] & 0x1f) + 1;
    const doubled = crtc[CRTC_MAX_SCAN_LINE] & 0x80 ? 2 : 1;
    const rows = Math.max(1, Math.min(60, Math.floor(lines / (height * doubled))));
    const pitch = crtc[CRTC_PITCH] * 2 || columns;
    const start = (crtc[CRTC_START_HIGH] << 8) | crtc[CRTC_START_LOW];
    const memory = read(VGA_TEXT_BASE, VGA_TEXT_BYTES);
    const cells = new Uint16Array(columns * rows);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const at = ((start + row * pitch + column) * 2) % VGA_TEXT_BYTES;
        cells[row * columns + column] = memory[at] | (memory[at + 1] << 8);
      }
    }
    return { columns, rows, cells, cursor: this.cursor(start, pitch, columns, rows) };
  }

  private cursor(start: number, pitch: number, columns: number, rows: number): VgaText['cursor'] {
    const { crtc } = this.s;
    const hidden = crtc[CRTC_CURSOR_START] & CURSOR_OFF;
    if (hidden || (crtc[CRTC_CURSOR_START] & 0x1f) > (crtc[CRTC_CURSOR_END] & 0x1f)) return undefined;
    const place = ((crtc[CRTC_CURSOR_HIGH] << 8) | crtc[CRTC_CURSOR_LOW]) - start;
    const row = Math.floor(place / pitch);
    const column = place - row * pitch;
    return place >= 0 && row < rows && column < columns ? { column, row } : undefined;
  }

  portRead(port: number): number {
    const s = this.s;
    if (this.isAbsentHalf(port)) return 0xff;
    switch (port) {
      case 0x3c0:
        return s.attributeIndex;
      case 0x3c1:
        return s.attribute[s.attributeIndex & 0x1f];
      case 0x3c2:
        return 0x10;
      case 0x3c4:
        return s.sequencerIndex;
      case 0x3c5:
        return s.sequencer[s.sequencerIndex & 7];
      case 0x3c6:
        return s.dacMask;
      case 0x3c7:
        return s.dacStep >= 0x10 ? 3 : 0;
      case 0x3c8:
        return s.dacWrite;
      case 0x3c9:
        return this.readPalette();
      case 0x3ca:
        return s.feature;
      case 0x3cc:
        return s.misc;
      case 0x3ce:
        return s.graphicsIndex;
      case 0x3cf:
        return s.graphics[s.graphicsIndex & 15];
      case 0x3b4:
      case 0x3d4:
        return s.crtcIndex;
      case 0x3b5:
      case 0x3d5:
        return s.crtc[s.crtcIndex];
      case 0x3ba:
      case 0x3da:
        s.attributeData = false;
        return this.inputStatus();
      default:
        return 0xff;
    }
  }

  portWrite(port: number, _bytes: number, value: number): void {
    const s = this.s;
    if (this.isAbsentHalf(port)) return;
    switch (port) {
      case 0x3c0:
        if (!s.attributeData) s.attributeIndex = value & 0x3f;
        else s.attribute[s.attributeIndex & 0x1f] = value;
        s.attributeData = !s.attributeData;
        break;
      case 0x3c2:
        s.misc = value;
        break;
      case 0x3c4:
        s.sequencerIndex = value & 7;
        break;
      case 0x3c5:
        s.sequencer[s.sequencerIndex] = value;
        break;
      case 0x3c6:
        s.dacMask = value;
        break;
      case 0x3c7:
        s.dacRead = value;
        s.dacStep = 0x10;
        break;
      case 0x3c8:
        s.dacWrite = value;
        s.dacStep = 0;
        break;
      case 0x3c9:
        this.writePalette(value);
        break;
      case 0x3ce:
        s.graphicsIndex = value & 15;
        break;
      case 0x3cf:
        s.graphics[s.graphicsIndex] = value;
        break;
      case 0x3b4:
      case 0x3d4:
        s.crtcIndex = value;
        break;
      case 0x3b5:
      case 0x3d5:
        this.writeCrtc(s.crtcIndex, value);
        break;
      case 0x3ba:
      case 0x3da:
        s.feature = value;
        break;
    }
  }

  /** The CRTC is at 3d4h with a colour monitor and at 3b4h with a monochrome one. */
  private isAbsentHalf(port: number): boolean {
    const colour = (this.s.misc & MISC_COLOUR) !== 0;
    return (port < 0x3c0 && colour) || (port >= 0x3d0 && !colour);
  }

  private writeCrtc(index: number, value: number): void {
    const { crtc } = this.s;
    if (index <= 7 && crtc[CRTC_RETRACE_END] & CRTC_PROTECT) {
      // Only bit 4 of the overflow register is open under write protection.
      if (index === CRTC_OVERFLOW) crtc[index] = (crtc[index] & ~0x10) | (value & 0x10);
      return;
    }
    crtc[index] = value;
  }

  /** Bit 3 vertical retrace, bit 0 no pixels now: guests wait for either. */
  private inputStatus(): number {
    const inField = this.clock.now() % (LINE_NS * LINES);
    const line = Math.floor(inField / LINE_NS);
    if (line >= VISIBLE_LINES) return line < VISIBLE_LINES + 37 ? 0x09 : 0x01;
    return inField % LINE_NS >= LINE_VISIBLE_NS ? 0x01 : 0x00;
  }

  private readPalette(): number {
    const s = this.s;
    const component = s.dacStep & 3;
    const value = s.palette[3 * s.dacRead + component];
    if (component === 2) s.dacRead = (s.dacRead + 1) & 0xff;
    s.dacStep = 0x10 | ((component + 1) % 3);
    return value;
  }

  private writePalette(value: number): void {
    const s = this.s;
    const component = s.dacStep & 3;
    s.palette[3 * s.dacWrite + component] = value & 0x3f;
    if (component === 2) s.dacWrite = (s.dacWrite + 1) & 0xff;
    s.dacStep = (component + 1) % 3;
  }

  save(): VgaState {
    return this.s;
  }

  load(state: VgaState): void {
    this.s = state;
  }

  describe(): [string, string][] {
    const { crtc, misc } = this.s;
    const cursor = (crtc[CRTC_CURSOR_HIGH] << 8) | crtc[CRTC_CURSOR_LOW];
    return [
      ['misc output', hex(misc)],
      ['columns', String(crtc[CRTC_HORIZONTAL_END] + 1)],
      ['start', hex((crtc[CRTC_START_HIGH] << 8) | crtc[CRTC_START_LOW], 4)],
      ['cursor', `${hex(cursor, 4)}${crtc[CRTC_CURSOR_START] & CURSOR_OFF ? ' hidden' : ''}`],
    ];
  }
}
