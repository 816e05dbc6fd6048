/** The VGA's registers: sequencer, CRT controller, graphics and attribute controllers, palette. */
import { flag, list, record, type StateOf, u8, u16, u32 } from '../../state/schema.js';
import type { Clock, Device, PortDevice, PortRange } from '../device.js';
import { hex } from '../device-state.js';
import type { VbeMode } from './vbe.js';

export const CRTC = {
  horizontalEnd: 0x01,
  verticalTotal: 0x06,
  overflow: 0x07,
  maxScanLine: 0x09,
  cursorStart: 0x0a,
  cursorEnd: 0x0b,
  startHigh: 0x0c,
  startLow: 0x0d,
  cursorHigh: 0x0e,
  cursorLow: 0x0f,
  retraceEnd: 0x11,
  verticalEnd: 0x12,
  pitch: 0x13,
  mode: 0x17,
  lineCompare: 0x18,
} as const;
export const CURSOR_OFF = 0x20;
const CRTC_PROTECT = 0x80;
/** Attribute index: the screen shows video memory. */
export const SCREEN_ON = 0x20;

/** Bits that exist in the sequencer's and the graphics controller's registers. */
const SEQUENCER_BITS = [0x03, 0x3d, 0x0f, 0x3f, 0x0e, 0x00, 0x00, 0xff];
const GRAPHICS_BITS = [0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff, 0, 0, 0, 0, 0, 0, 0];

const MISC_COLOUR = 0x01;
/** A line of 31.47 kHz, which all modes of the VGA have. */
const LINE_NS = 31_778;
const LINE_VISIBLE_NS = 25_422;
/** Lines of a field at least, whatever the registers say. */
const LEAST_LINES = 100;
const RETRACE_LINES = 37;

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
  /** A byte of each plane, as the last read left them. */
  latch: u32,
});
export type VgaState = StateOf<typeof STATE>;

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
    latch: 0,
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

export class VgaRegisters implements Device<VgaState>, PortDevice {
  readonly name = 'vga';
  readonly format = { kind: 'vga', version: 1, shape: STATE };
  readonly ports: readonly PortRange[] = [
    { first: 0x3b4, count: 2 },
    { first: 0x3ba, count: 1 },
    { first: 0x3c0, count: 0x10 },
    { first: 0x3d4, count: 2 },
    { first: 0x3da, count: 1 },
  ];
  readonly portWidth = 1;
  s = mode3();
  /** Told after a register that decides how the guest reaches video memory was written, or all of them were. */
  mapChanged: () => void = () => {};
  /** The palette's components have 8 bits. */
  wideDac: () => boolean = () => false;

  constructor(private readonly clock: Clock) {}

  reset(): void {
    this.s = mode3();
    this.mapChanged();
  }

  /** Puts the registers as a mode beyond the VGA's needs them. */
  enterVbe({ width, height, bpp, pitch }: VbeMode): void {
    const { crtc, graphics, sequencer } = this.s;
    graphics[6] = (graphics[6] & ~0x0c) | 0x05;
    crtc[CRTC.mode] |= 3;
    crtc[CRTC.pitch] = (pitch >> 3) & 0xff;
    crtc[CRTC.horizontalEnd] = ((width >> 3) - 1) & 0xff;
    const last = height - 1;
    crtc[CRTC.verticalEnd] = last & 0xff;
    crtc[CRTC.overflow] = (crtc[CRTC.overflow] & ~0x42) | ((last >> 7) & 0x02) | ((last >> 3) & 0x40) | 0x10;
    crtc[CRTC.lineCompare] = 0xff;
    crtc[CRTC.maxScanLine] = (crtc[CRTC.maxScanLine] | 0x40) & ~0x9f;
    if (bpp === 4) sequencer[1] &= ~8;
    else {
      sequencer[4] |= 0x08;
      sequencer[2] |= 0x0f;
    }
    graphics[5] = (graphics[5] & ~0x60) | (bpp === 4 ? 0 : 0x40);
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
        s.sequencer[s.sequencerIndex] = value & SEQUENCER_BITS[s.sequencerIndex];
        this.mapChanged();
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
        s.graphics[s.graphicsIndex] = value & GRAPHICS_BITS[s.graphicsIndex];
        if (s.graphicsIndex >= 4 && s.graphicsIndex <= 6) this.mapChanged();
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
    if (index <= 7 && crtc[CRTC.retraceEnd] & CRTC_PROTECT) {
      // Only bit 4 of the overflow register is open under write protection.
      if (index === CRTC.overflow) crtc[index] = (crtc[index] & ~0x10) | (value & 0x10);
      return;
    }
    crtc[index] = value;
  }

  /** Bit 3 vertical retrace, bit 0 no pixels now: guests wait for either. */
  private inputStatus(): number {
    const { crtc } = this.s;
    const overflow = crtc[CRTC.overflow];
    const total = (crtc[CRTC.verticalTotal] | ((overflow & 0x01) << 8) | ((overflow & 0x20) << 4)) + 2;
    const lines = Math.max(total, LEAST_LINES);
    const visible = Math.min(visibleLines(this.s), lines - RETRACE_LINES);
    const inField = this.clock.now() % (LINE_NS * lines);
    const line = Math.floor(inField / LINE_NS);
    if (line >= visible) return line < visible + RETRACE_LINES ? 0x09 : 0x01;
    return inField % LINE_NS >= LINE_VISIBLE_NS ? 0x01 : 0x00;
  }

  private readPalette(): number {
    const s = this.s;
    const component = s.dacStep & 3;
    const value = s.palette[3 * s.dacRead + component] & (this.wideDac() ? 0xff : 0x3f);
    if (component === 2) s.dacRead = (s.dacRead + 1) & 0xff;
    s.dacStep = 0x10 | ((component + 1) % 3);
    return value;
  }

  private writePalette(value: number): void {
    const s = this.s;
    const component = s.dacStep & 3;
    s.palette[3 * s.dacWrite + component] = value & (this.wideDac() ? 0xff : 0x3f);
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
    const cursor = (crtc[CRTC.cursorHigh] << 8) | crtc[CRTC.cursorLow];
    return [
      ['misc output', hex(misc)],
      ['start', hex(startAddress(this.s), 4)],
      ['cursor', `${hex(cursor, 4)}${crtc[CRTC.cursorStart] & CURSOR_OFF ? ' hidden' : ''}`],
      ['planes written', hex(this.s.sequencer[2] & 15, 1)],
      ['latches', hex(this.s.latch, 8)],
    ];
  }
}

/** Lines of the picture, each as often as it is scanned. */
export function visibleLines({ crtc }: VgaState): number {
  const overflow = crtc[CRTC.overflow];
  return (crtc[CRTC.verticalEnd] | ((overflow & 0x02) << 7) | ((overflow & 0x40) << 3)) + 1;
}

/** Where the picture begins, in bytes of a plane. */
export function startAddress({ crtc }: VgaState): number {
  return (crtc[CRTC.startHigh] << 8) | crtc[CRTC.startLow];
}

/** The line at which the picture goes on at the start of video memory. */
export function lineCompare({ crtc }: VgaState): number {
  return crtc[CRTC.lineCompare] | ((crtc[CRTC.overflow] & 0x10) << 4) | ((crtc[CRTC.maxScanLine] & 0x40) << 3);
}

/** The card shows pixels and not characters. */
export function isGraphics({ graphics }: VgaState): boolean {
  return (graphics[6] & 1) !== 0;
}
