/** The screen of a text mode as characters with attributes. */
import type { VgaText } from '../../debugger.js';
import { CRTC, CURSOR_OFF, isGraphics, startAddress, type VgaState, visibleLines } from './registers.js';

/** Characters with attributes, low byte first, by their place in video memory; it wraps at the end. */
export interface TextCells {
  readonly bytes: Uint8Array;
  /** Bytes from one to the next. */
  readonly step: 2 | 4;
}

export interface TextShape {
  columns: number;
  rows: number;
  /** Scan lines of a character. */
  height: number;
  /** Cells from one row to the next. */
  pitch: number;
  start: number;
}

/** More rows than any mode has. */
const MAX_ROWS = 100;

export function textShape(s: VgaState): TextShape {
  const { crtc } = s;
  const columns = crtc[CRTC.horizontalEnd] + 1;
  const height = (crtc[CRTC.maxScanLine] & 0x1f) + 1;
  const doubled = crtc[CRTC.maxScanLine] & 0x80 ? 2 : 1;
  const rows = Math.max(1, Math.min(MAX_ROWS, Math.floor(visibleLines(s) / (height * doubled))));
  return { columns, rows, height, pitch: crtc[CRTC.pitch] * 2 || columns, start: startAddress(s) };
}

/** Character in the low byte, attribute in the high one. */
export function cellAt({ bytes, step }: TextCells, place: number): number {
  const at = (place * step) % bytes.length;
  return bytes[at] | (bytes[at + 1] << 8);
}

/** Undefined while the card shows pixels. */
export function textScreen(s: VgaState, cells: () => TextCells): VgaText | undefined {
  if (isGraphics(s)) return undefined;
  const { columns, rows, pitch, start } = textShape(s);
  const from = cells();
  const shown = new Uint16Array(columns * rows);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      shown[row * columns + column] = cellAt(from, start + row * pitch + column);
    }
  }
  const cursor = cursorPlace(s);
  return { columns, rows, cells: shown, ...(cursor ? { cursor } : {}) };
}

/** Undefined where the cursor is off or outside the screen. */
export function cursorPlace(s: VgaState): { column: number; row: number } | undefined {
  const { crtc } = s;
  const { columns, rows, pitch, start } = textShape(s);
  const hidden = crtc[CRTC.cursorStart] & CURSOR_OFF;
  if (hidden || (crtc[CRTC.cursorStart] & 0x1f) > (crtc[CRTC.cursorEnd] & 0x1f)) return undefined;
  const place = ((crtc[CRTC.cursorHigh] << 8) | crtc[CRTC.cursorLow]) - start;
  const row = Math.floor(place / pitch);
  const column = place - row * pitch;
  return place >= 0 && row < rows && column < columns ? { column, row } : undefined;
}
