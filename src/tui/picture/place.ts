/** Where a screen stands in a pane whose terminal shows pixels, and the parts that it is sent in. */
import { fitted, smaller } from '../../engine/smaller-picture.js';
import type { Pixels } from './half-blocks.js';

export interface Size {
  width: number;
  height: number;
}

/** Of a terminal whose cells nobody knows: twice as high as wide. */
const ASPECT = 2;
/** Parts of a screen at most: what changes is sent by them. */
const MOST_PARTS = 16;

export interface PixelPlace {
  /** Cells that it covers. */
  columns: number;
  rows: number;
  /** Pixels that are sent. */
  width: number;
  height: number;
  /** The terminal makes them as large as the cells. */
  byTerminal: boolean;
}

/** Pixel for pixel where there is room; a terminal that can makes it smaller itself. */
export function placeOf(
  screen: Size,
  room: { columns: number; rows: number },
  cell: Size | undefined,
  scales: boolean,
  most: Size = { width: Infinity, height: Infinity },
): PixelPlace {
  const { width, height } = screen;
  const across = cell ? room.columns * cell.width : 0;
  const down = cell ? room.rows * cell.height : 0;
  if (cell && width <= Math.min(across, most.width) && height <= Math.min(down, most.height))
    return { ...cellsOf(screen, cell), width, height, byTerminal: false };
  if (scales || !cell) {
    const aspect = cell ? cell.height / cell.width : ASPECT;
    const size = fitted(screen, { width: room.columns, height: room.rows, aspect });
    return { columns: size.width, rows: size.height, width, height, byTerminal: true };
  }
  const size = fitted(screen, { width: Math.min(across, most.width), height: Math.min(down, most.height) });
  return { ...cellsOf(size, cell), ...size, byTerminal: false };
}

const cellsOf = ({ width, height }: Size, cell: Size): { columns: number; rows: number } => ({
  columns: Math.ceil(width / cell.width),
  rows: Math.ceil(height / cell.height),
});

/** A part of a picture that stands in whole rows of cells. */
export interface Part {
  row: number;
  rows: number;
  /** Lines of the pixels that are sent. */
  from: number;
  end: number;
  /** Lines of the screen that they come of. */
  screenFrom: number;
  screenEnd: number;
}

export function partsOf({ rows, height, byTerminal }: PixelPlace, screen: Size, cell: Size | undefined): Part[] {
  const step = Math.max(1, Math.ceil(rows / Math.min(MOST_PARTS, height)));
  const parts: Part[] = [];
  const lineOf = (row: number): number =>
    byTerminal || !cell ? Math.round((row * height) / rows) : Math.min(height, row * cell.height);
  for (let row = 0; row < rows; row += step) {
    const end = Math.min(rows, row + step);
    const [from, to] = [lineOf(row), lineOf(end)];
    parts.push({
      ...{ row, rows: end - row, from, end: to },
      screenFrom: Math.floor((from * screen.height) / height),
      screenEnd: Math.ceil((to * screen.height) / height),
    });
  }
  return parts;
}

/** The pixels of a part, as they are sent. */
export function pixelsOf(screen: Pixels, place: PixelPlace, part: Part): Pixels {
  const pitch = screen.width * 3;
  const { screenFrom, screenEnd } = part;
  const height = part.end - part.from;
  const lines = screen.rgb.subarray(screenFrom * pitch, screenEnd * pitch);
  if (place.width === screen.width && place.height === screen.height) return { width: place.width, height, rgb: lines };
  const draw = (y: number, to: Uint8Array): void => to.set(lines.subarray(y * pitch, (y + 1) * pitch));
  return smaller({ width: screen.width, height: screenEnd - screenFrom, draw }, { width: place.width, height });
}
