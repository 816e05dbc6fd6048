/** Colours as the attribute controller and the palette make them of what lies in video memory: 0xrrggbb. */
import type { VgaState } from './registers.js';

const MODE_CONTROL = 0x10;
const COLOUR_SELECT = 0x14;
const SELECTS_FOUR = 0x80;

/** A component of 6 bits with its lowest bit repeated, as QEMU has it. */
const six = (value: number): number => ((value & 0x3f) << 2) | ((value & 1) * 3);

/** All 256 colours, through the pixel mask. */
export function palette256({ palette, dacMask }: VgaState, wide: boolean): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, index) => {
    const at = 3 * (index & dacMask);
    const [red, green, blue] = palette.slice(at, at + 3).map((value) => (wide ? value : six(value)));
    return (red << 16) | (green << 8) | blue;
  });
}

/** The colours of text and of modes with 16. */
export function palette16(s: VgaState, wide: boolean): Uint32Array {
  const all = palette256(s, wide);
  const { attribute } = s;
  const select = attribute[COLOUR_SELECT];
  return Uint32Array.from({ length: 16 }, (_, colour) => {
    const value = attribute[colour];
    const four = (attribute[MODE_CONTROL] & SELECTS_FOUR) !== 0;
    return all[four ? ((select & 15) << 4) | (value & 15) : ((select & 12) << 4) | (value & 0x3f)];
  });
}

export function putColour(to: Uint8Array, pixel: number, colour: number): void {
  const at = 3 * pixel;
  to[at] = colour >> 16;
  to[at + 1] = colour >> 8;
  to[at + 2] = colour;
}
