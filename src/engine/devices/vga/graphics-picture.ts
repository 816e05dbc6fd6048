/** Graphics modes as pixels: planar, the CGA's, 256 colours, and those of VBE. */
import { palette16, palette256, putColour } from './palette.js';
import type { Lines, Shown } from './picture.js';
import { CRTC, lineCompare, startAddress, type VgaState, visibleLines } from './registers.js';
import type { VbeMode } from './vbe.js';

const DOUBLE_DOTS = 0x08;
const PLANE_ENABLE = 0x12;
const SHIFT_CGA = 1;
/** What the VGA's own modes show lies in there. */
const VGA_BYTES = 4 << 16;

type DrawLine = (from: number, to: Uint8Array) => void;

export function graphicsShape(shown: Shown): Lines {
  return shown.mode ? vbeShape(shown, shown.mode) : vgaShape(shown);
}

function vbeShape(shown: Shown, { width, height, bpp, pitch, start }: VbeMode): Lines {
  const line = vbeLine(shown, bpp, width);
  const bytes = bpp === 4 ? (width + 7) >> 1 : width * ((bpp + 7) >> 3);
  return {
    ...{ width, height, mode: `${width}x${height}x${bpp}` },
    draw: (y, to) => line(start + y * pitch, to),
    memory: shown.planes.subarray(start, start + (height - 1) * pitch + bytes),
    // lines that overlap are not told apart
    ...(pitch >= bytes ? { lineIn: (y: number) => ({ from: y * pitch, bytes }) } : {}),
  };
}

function vbeLine(shown: Shown, bpp: number, width: number): DrawLine {
  const { planes, registers, wideDac } = shown;
  if (bpp === 4) return planarLine(shown, width, 1);
  const bytes = (bpp + 7) >> 3;
  const colour = pixelColour(planes, bpp, () => palette256(registers, wideDac));
  return (from, to) => {
    for (let x = 0; x < width; x++) putColour(to, x, colour(from + x * bytes));
  };
}

/** The lowest bits of a component repeat its highest ones. */
const five = (value: number): number => ((value & 31) << 3) | ((value & 31) >> 2);
const six = (value: number): number => ((value & 63) << 2) | ((value & 63) >> 4);

/** Colour of the pixel at a byte of video memory. */
function pixelColour(bytes: Uint8Array, bpp: number, palette: () => Uint32Array): (at: number) => number {
  if (bpp === 8) {
    const colours = palette();
    return (at) => colours[bytes[at]];
  }
  if (bpp >= 24) return (at) => bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16);
  return (at) => {
    const word = bytes[at] | (bytes[at + 1] << 8);
    if (bpp === 15) return (five(word >> 10) << 16) | (five(word >> 5) << 8) | five(word);
    return (five(word >> 11) << 16) | (six(word >> 5) << 8) | five(word);
  };
}

function vgaShape(shown: Shown): Lines {
  const { registers: s, wideDac, planes } = shown;
  const shift = (s.graphics[5] >> 5) & 3;
  const characters = s.crtc[CRTC.horizontalEnd] + 1;
  const wide = shift < 2 && s.sequencer[1] & DOUBLE_DOTS ? 2 : 1;
  const width = characters * 8 * wide;
  const height = visibleLines(s);
  const { starts, scans } = lineStarts(s, shift, height);
  let line: DrawLine;
  let name: string;
  if (shift >= 2) {
    const colours = palette256(s, wideDac);
    line = (from, to) => {
      for (let x = 0; x < width; x++) putColour(to, x, colours[planes[from + (x >> 1)]]);
    };
    name = `${width >> 1}x${Math.floor(height / scans)}, 256 colours`;
  } else {
    line = shift === SHIFT_CGA ? cgaLine(shown, width, wide) : planarLine(shown, width, wide);
    name = `${characters * 8}x${Math.floor(height / scans)}, ${shift === SHIFT_CGA ? 4 : 16} colours`;
  }
  return { width, height, mode: name, draw: (y, to) => line(starts[y], to), memory: planes.subarray(0, VGA_BYTES) };
}

/** Byte of video memory at which each line begins, and how often one is scanned. */
function lineStarts(s: VgaState, shift: number, height: number): { starts: Uint32Array; scans: number } {
  const { crtc } = s;
  const doubled = crtc[CRTC.maxScanLine] >> 7;
  const scans = shift === SHIFT_CGA ? 1 + doubled : ((crtc[CRTC.maxScanLine] & 0x1f) + 1) << doubled;
  const pitch = crtc[CRTC.pitch] << 3;
  const mode = crtc[CRTC.mode];
  const interleaved = (mode & 3) ^ 3;
  const split = lineCompare(s);
  const starts = new Uint32Array(height);
  let at = startAddress(s) * 4;
  let row = 0;
  for (let y = 0, scan = 1; y < height; y++, scan++) {
    let from = at;
    // the CGA's modes have odd lines in another half of memory
    if ((mode & 1) === 0) {
      const bit = 14 + ((mode >> 6) & 1);
      from = (from & ~(1 << bit)) | ((row & 1) << bit);
    }
    if ((mode & 2) === 0) from = (from & ~0x8000) | ((row & 2) << 14);
    starts[y] = from;
    if (scan === scans) {
      if ((row & interleaved) === interleaved) at += pitch;
      row++;
      scan = 0;
    }
    if (y === split) at = 0;
  }
  return { starts, scans };
}

/** A bit of each plane is a pixel. `wide`: each is shown so many times. */
function planarLine({ planes, registers, wideDac }: Shown, width: number, wide: number): DrawLine {
  const colours = palette16(registers, wideDac);
  const mask = registers.attribute[PLANE_ENABLE] & 15;
  return (from, to) => {
    for (let x = 0; x < width; x++) {
      const pixel = wide === 2 ? x >> 1 : x;
      const at = from + (pixel >> 3) * 4;
      const bit = 7 - (pixel & 7);
      let colour = 0;
      for (let plane = 0; plane < 4; plane++) colour |= ((planes[at + plane] >> bit) & 1) << plane;
      putColour(to, x, colours[colour & mask]);
    }
  };
}

/** Two bits are a pixel, four in a byte of plane 0 and the next four in plane 1; planes 2 and 3 give the higher bits. */
function cgaLine({ planes, registers, wideDac }: Shown, width: number, wide: number): DrawLine {
  const colours = palette16(registers, wideDac);
  const mask = registers.attribute[PLANE_ENABLE] & 15;
  return (from, to) => {
    for (let x = 0; x < width; x++) {
      const pixel = wide === 2 ? x >> 1 : x;
      const at = from + (pixel >> 3) * 4;
      const plane = (pixel >> 2) & 1;
      const bit = 6 - 2 * (pixel & 3);
      const low = (mask >> plane) & 1 ? (planes[at + plane] >> bit) & 3 : 0;
      const high = (mask >> (plane + 2)) & 1 ? (planes[at + plane + 2] >> bit) & 3 : 0;
      putColour(to, x, colours[low | (high << 2)]);
    }
  };
}
