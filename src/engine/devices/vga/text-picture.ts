/** Text modes as pixels: glyphs from plane 2, which the guest has loaded, the cursor, and what blinks. */
import { palette16, putColour } from './palette.js';
import type { Lines, Shown } from './picture.js';
import { CRTC, type VgaState } from './registers.js';
import { cellAt, cursorPlace, textShape } from './text-screen.js';

const EIGHT_DOTS = 0x01;
const DOUBLE_DOTS = 0x08;
const MODE_CONTROL = 0x10;
const LINE_GRAPHICS = 0x04;
const BLINKS = 0x08;
const GLYPHS = 256;
/** Bytes of plane 2 from a glyph to the next, and of a font. */
const GLYPH_BYTES = 32;
const FONT_BYTES = GLYPHS * GLYPH_BYTES;
/** Characters whose ninth column repeats the eighth. */
const FIRST_LINE_GRAPHIC = 0xb0;
const LAST_LINE_GRAPHIC = 0xdf;
/** 16 fields of 60 Hz: as long the cursor is shown, and as long it is not. Characters take twice that. */
const CURSOR_PHASE_NS = 266_000_000;

/** Place of both fonts in plane 2: of characters without and with attribute bit 3. */
function fontPlaces({ sequencer }: VgaState): [number, number] {
  const map = sequencer[3];
  return [((map >> 4) & 1) | ((map << 1) & 6), ((map >> 5) & 1) | ((map >> 1) & 6)].map((n) => n * FONT_BYTES) as [
    number,
    number,
  ];
}

type Glyphs = (character: number, line: number) => number;

/** The font at a place of plane 2; where nothing was loaded there, the one that a video BIOS would have loaded. */
function glyphs(planes: Uint8Array, place: number, fallback: Uint8Array | undefined): Glyphs {
  let loaded = false;
  for (let at = 0; at < FONT_BYTES && !loaded; at++) loaded = planes[(place + at) * 4 + 2] !== 0;
  if (loaded || fallback === undefined)
    return (character, line) => planes[(place + character * GLYPH_BYTES + line) * 4 + 2];
  const height = fallback.length / GLYPHS;
  return (character, line) => (line < height ? fallback[character * height + line] : 0);
}

/** Plane 2 of the VGA, in which all fonts lie, with its neighbours. */
const fontOf = (planes: Uint8Array): Uint8Array => planes.subarray(0, 8 * FONT_BYTES * 4);

export function textPicture(shown: Shown): Lines {
  const { registers: s, planes, font, wideDac, now } = shown;
  const { columns, rows, height, pitch, start } = textShape(s);
  const cells = shown.cells();
  const dots = s.sequencer[1] & DOUBLE_DOTS ? 16 : s.sequencer[1] & EIGHT_DOTS ? 8 : 9;
  const fonts = fontPlaces(s).map((place) => glyphs(planes, place, font));
  const colours = palette16(s, wideDac);
  const blinks = (s.attribute[MODE_CONTROL] & BLINKS) !== 0;
  const repeats = (s.attribute[MODE_CONTROL] & LINE_GRAPHICS) !== 0;
  const phase = Math.floor(now / CURSOR_PHASE_NS);
  const cursor = phase % 2 === 0 ? cursorPlace(s) : undefined;
  const firstLine = s.crtc[CRTC.cursorStart] & 0x1f;
  const lastLine = s.crtc[CRTC.cursorEnd] & 0x1f;
  const scans = s.crtc[CRTC.maxScanLine] & 0x80 ? 2 : 1;

  const draw = (y: number, to: Uint8Array): void => {
    const row = Math.floor(y / (height * scans));
    const line = Math.floor(y / scans) % height;
    for (let column = 0; column < columns; column++) {
      const cell = cellAt(cells, start + row * pitch + column);
      const character = cell & 0xff;
      const attribute = cell >> 8;
      const back = colours[blinks ? (attribute >> 4) & 7 : attribute >> 4];
      const fore = colours[attribute & 15];
      let bits = fonts[(attribute >> 3) & 1](character, line);
      if (blinks && attribute & 0x80 && phase % 4 >= 2) bits = 0;
      // the ninth column is bit 0 of nine
      const repeated = repeats && character >= FIRST_LINE_GRAPHIC && character <= LAST_LINE_GRAPHIC;
      let nine = (bits << 1) | (repeated ? bits & 1 : 0);
      if (cursor?.row === row && cursor.column === column && line >= firstLine && line <= lastLine) nine = 0x1ff;
      for (let dot = 0; dot < dots; dot++) {
        const bit = dots === 16 ? 8 - (dot >> 1) : 8 - dot;
        putColour(to, column * dots + dot, (nine >> bit) & 1 ? fore : back);
      }
    }
  };
  return {
    ...{ width: columns * dots, height: rows * height * scans, mode: `text ${columns}x${rows}`, draw },
    memory: cells.bytes,
    also: [fontOf(planes), Uint8Array.of(phase & 3)],
  };
}
