/** Pixels of the terminal's own over blessed's cells: sent where they changed, and gone as soon as anything lies on them. */
import type { Rectangle, ScreenLine } from '../screen/cell-pane.js';
import { attribute } from '../screen/theme.js';
import { kittyDelete, kittyImage } from './kitty.js';
import type { ShownPicture } from './pictures.js';
import { type Part, partsOf, pixelsOf, type Size } from './place.js';
import { type SixelPalette, sixelImage, sixelPalette } from './sixel.js';

/** What the terminal shows by now. */
interface Sent {
  geometry: string;
  area: Rectangle;
  /** Of each part, the version of the screen. */
  versions: number[];
  palette?: SixelPalette;
}

export interface PixelTerminal {
  protocol: 'kitty' | 'sixel';
  cell: Size | undefined;
  registers: number;
}

const BLANK = attribute();
/** Of a cell of which nobody knows what the terminal shows. */
const UNKNOWN = -1;

export class PixelLayer {
  #sent: Sent | undefined;
  #shown: ShownPicture | undefined;
  #lines: readonly ScreenLine[] | undefined;
  #out = '';

  /** @param firstId of kitty's images; one for each part */
  constructor(private readonly firstId: number) {}

  /**
   * Before blessed draws: blanks the cells under the pixels, or lets them be seen where the pixels go.
   * @param onTerminal the cells that the terminal shows
   */
  compose(
    wanted: ShownPicture | undefined,
    terminal: PixelTerminal | undefined,
    lines: readonly ScreenLine[],
    onTerminal: readonly ScreenLine[],
  ): void {
    // cleared, and laid out anew
    if (this.#lines !== onTerminal) this.#hide(lines, onTerminal);
    this.#lines = onTerminal;
    const shown = wanted && terminal && wanted.cells.isOnTop(lines, wanted.area) ? wanted : undefined;
    this.#shown = shown;
    if (this.#sent && this.#sent.geometry !== (shown && geometryOf(shown))) this.#hide(lines, onTerminal);
    if (!shown) return;
    for (const line of rowsOf(lines, shown.area)) {
      line.dirty = true;
      for (const cell of line.slice(shown.area.x, shown.area.x + shown.area.width)) {
        cell[0] = BLANK;
        cell[1] = ' ';
      }
    }
  }

  /** After blessed has drawn: what the terminal is to be sent. */
  output(terminal: PixelTerminal | undefined): string {
    const shown = this.#shown;
    if (shown && terminal) this.#send(shown, terminal);
    const out = this.#out;
    this.#out = '';
    return out;
  }

  /** Takes the pixels from the terminal that is left. */
  close(): string {
    this.#out = '';
    this.#shown = undefined;
    this.#delete();
    this.#sent = undefined;
    return this.output(undefined);
  }

  #hide(lines: readonly ScreenLine[], onTerminal: readonly ScreenLine[]): void {
    const sent = this.#sent;
    if (!sent) return;
    this.#sent = undefined;
    this.#delete(sent);
    // sixels go where cells are written
    for (const line of rowsOf(onTerminal, sent.area))
      for (const cell of line.slice(sent.area.x, sent.area.x + sent.area.width)) cell[0] = UNKNOWN;
    for (const line of rowsOf(lines, sent.area)) line.dirty = true;
  }

  #delete(sent = this.#sent): void {
    if (!sent || sent.palette) return;
    for (let part = 0; part < sent.versions.length; part++) this.#out += kittyDelete(this.firstId + part);
  }

  #send(shown: ShownPicture, { protocol, cell, registers }: PixelTerminal): void {
    const { area, place, seen } = shown;
    const parts = partsOf(place, seen.pixels, cell);
    const before = this.#sent?.versions ?? [];
    const stale = (part: Part, version: number | undefined): boolean =>
      version === undefined || seen.changedSince(version, part.screenFrom, part.screenEnd);
    if (!parts.some((part, index) => stale(part, before[index]))) return;
    const sent: Sent = { geometry: geometryOf(shown), area, versions: [...before] };
    if (protocol === 'sixel') sent.palette = sixelPalette(seen.pixels, registers, this.#sent?.palette);
    const recoloured = sent.palette?.key !== this.#sent?.palette?.key;
    for (const [index, part] of parts.entries()) {
      if (!recoloured && !stale(part, before[index])) continue;
      sent.versions[index] = seen.version;
      const pixels = pixelsOf(seen.pixels, place, part);
      if (pixels.height < 1) continue;
      this.#out += `\x1b7\x1b[${area.y + part.row + 1};${area.x + 1}H`;
      if (sent.palette) this.#out += sixelImage(pixels, sent.palette, part.from);
      else {
        const scaled = place.byTerminal ? { columns: place.columns, rows: part.rows } : undefined;
        this.#out += kittyImage(this.firstId + index, pixels, scaled);
      }
      this.#out += '\x1b8';
    }
    this.#sent = sent;
  }
}

function geometryOf({ area, place, seen }: ShownPicture): string {
  const { x, y, width, height } = area;
  return [x, y, width, height, place.width, place.height, place.byTerminal, seen.width, seen.height].join();
}

const rowsOf = (lines: readonly ScreenLine[], { y, height }: Rectangle): ScreenLine[] => lines.slice(y, y + height);
