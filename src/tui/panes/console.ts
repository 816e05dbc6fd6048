/** The guest's own screens: its serial port and VGA text memory. The keyboard goes to it while it is held. */
import { NothingThere } from '../../commands/command.js';
import type { FitInto, VgaText } from '../../engine/debugger.js';
import { fitted } from '../../engine/smaller-picture.js';
import type { ScreenPlace } from '../guest-pointer.js';
import { drawPicture } from '../picture/half-blocks.js';
import type { SeenScreen } from '../picture/mirror.js';
import type { CellPane, Rectangle, Segment } from '../screen/cell-pane.js';
import { ansiColour, basicColour, CP437 } from '../screen/cp437.js';
import { attribute, BOLD, DEFAULT, INVERSE } from '../screen/theme.js';
import type { Source } from '../sources.js';
import { matches, Pane, type PaneKey } from './pane.js';

export type ConsoleKind = 'serial' | 'vga';

export class ConsolePane extends Pane {
  readonly id: string;
  override readonly keys = [
    ['i', 'i', 'types into the guest; over its display the mouse is its own, too'],
    ['v', 'v', 'serial port or VGA'],
  ] as const;
  private back = 0;
  /** Lines above the newest where the last search ended. */
  private foundBack: number | undefined;

  constructor(
    ui: ConstructorParameters<typeof Pane>[0],
    /** A pane for one of them, or one that shows either. */
    private readonly only?: ConsoleKind,
  ) {
    super(ui);
    this.id = only ?? 'console';
  }

  private chosen: ConsoleKind | undefined;
  /** What the card shows where that are pixels. */
  private mode: string | undefined;
  /** What the guest has of the user's hands. */
  captured: 'keys' | 'keys and mouse' | undefined;
  /** Where the guest's screen stands. */
  screenPlace: ScreenPlace | undefined;

  get kind(): ConsoleKind {
    return this.only ?? this.chosen ?? (this.model.serial.used || this.hasNoScreen() ? 'serial' : 'vga');
  }

  /** Whether the guest has been asked for its screen and shows no text there. */
  private hasNoScreen(): boolean {
    if (!this.model.debug.console || this.model.debug.console.picture) return false;
    const { value, pending, error } = this.model.screen();
    return value === undefined && !pending && !error;
  }

  /** Shows what it shows, whatever the guest begins to do meanwhile. */
  stay(): void {
    this.chosen = this.kind;
  }

  toggle(): void {
    this.chosen = this.kind === 'serial' ? 'vga' : 'serial';
  }

  override title(): Segment[] {
    const { theme } = this;
    const kind = this.kind === 'serial' ? 'serial COM1' : `VGA ${this.mode ?? 'text'}`;
    if (this.captured) {
      const to = this.captured === 'keys' ? 'the PS/2 keyboard' : 'the guest';
      const keys = this.kind === 'serial' ? 'keys go to COM1' : `${this.captured} go to ${to}`;
      return [[` Console ${kind} `], [` ${keys}; ctrl-] or ctrl-a leaves `, theme.crit]];
    }
    return [[` Console ${kind} `], [` i types into the guest${this.only ? '' : '  v serial/VGA'} `, theme.dim]];
  }

  override draw(cells: CellPane): void {
    this.mode = undefined;
    this.screenPlace = undefined;
    if (!this.model.debug.console) {
      this.reason(cells, this.model.unavailable('console'));
      return;
    }
    if (this.kind === 'serial') this.drawSerial(cells);
    else {
      const screen = this.model.screen();
      if (screen.error) this.reason(cells, screen.error);
      else if (screen.value) this.drawVga(cells, screen.value);
      else if ('value' in screen && this.model.debug.console.picture) this.drawGraphics(cells);
      else this.reason(cells, screen.pending ? undefined : 'the display is not in a text mode');
    }
  }

  private drawGraphics(cells: CellPane): void {
    if (cells.width < 1 || cells.height < 1) return;
    const { pictures } = this.ui;
    const way = pictures?.way ?? 'blocks';
    if (way === 'none') this.reason(cells, 'the display shows a picture, and --pictures none was asked for');
    else if (way === 'blocks') this.drawBlocks(cells);
    else this.drawPixels(cells);
  }

  /** Two pixels a cell, one above the other. */
  private drawBlocks(cells: CellPane): void {
    const { pictures } = this.ui;
    const room = this.halves(cells);
    const seen = this.seen(cells, this.model.seenScreen(room, pictures?.pace));
    pictures?.note();
    if (seen) this.drawInto(cells, seen, fitted(seen, room));
  }

  /** The terminal's pixels over as many cells, which are drawn for what may lie on some of them. */
  private drawPixels(cells: CellPane): void {
    const pictures = this.ui.pictures!;
    const seen = this.seen(cells, this.model.seenScreen(undefined, pictures.pace));
    if (!seen) return;
    const place = pictures.place(seen, { columns: cells.width, rows: cells.height });
    const area = this.drawInto(cells, seen, { width: place.columns, height: place.rows * 2 });
    pictures.show({ cells, area: cells.onScreen(area), place, seen });
  }

  /** The pane in half cells. */
  private halves(cells: CellPane): Required<FitInto> {
    const cell = this.ui.pictures?.cell ?? { width: 1, height: 2 };
    return { width: cells.width, height: cells.height * 2, aspect: cell.height / 2 / cell.width };
  }

  /** Into the middle of the pane. @param size in half cells */
  private drawInto(cells: CellPane, seen: SeenScreen, size: { width: number; height: number }): Rectangle {
    const height = Math.ceil(size.height / 2);
    const x = Math.floor((cells.width - size.width) / 2);
    const y = Math.floor((cells.height - height) / 2);
    const area = { x, y, width: size.width, height };
    drawPicture(cells, seen.pixels, area, size.height);
    // the VGA's own modes tell their colours instead
    this.mode = /x\d+x\d+/.test(seen.mode) ? `${seen.mode} VBE` : seen.mode;
    this.screenPlace = { area: cells.onScreen(area), width: seen.width, height: seen.height };
    return area;
  }

  private seen(cells: CellPane, source: Source<SeenScreen>): SeenScreen | undefined {
    if (!source.value) this.reason(cells, source.error);
    return source.value;
  }

  private drawSerial(cells: CellPane): void {
    const { serial, serialError } = this.model;
    if (serialError) {
      this.reason(cells, serialError);
      return;
    }
    const { length, cursor } = serial;
    this.back = Math.max(0, Math.min(this.back, length - cells.height));
    const first = Math.max(0, length - cells.height - this.back);
    for (let y = 0; y < cells.height && first + y < length; y++) {
      for (const [x, cell] of serial.line(first + y).entries()) {
        if (x >= cells.width) break;
        cells.put(x, y, cell.character, this.colour(cell.foreground, cell.background));
      }
    }
    if (this.back === 0) {
      cells.shade(cursor.column, cursor.line - first, 1, (attr) => attr | (INVERSE << 18));
    }
  }

  private drawVga(cells: CellPane, screen: VgaText): void {
    // A pane that is too small shows the part around the cursor.
    const top = Math.max(0, Math.min(screen.rows - cells.height, (screen.cursor?.row ?? 0) - cells.height + 1));
    for (let y = 0; y < Math.min(cells.height, screen.rows); y++) {
      for (let x = 0; x < Math.min(cells.width, screen.columns); x++) {
        const cell = screen.cells[(top + y) * screen.columns + x]!;
        const attr = cell >> 8;
        cells.put(x, y, CP437[cell & 0xff]!, this.colour(ansiColour(attr & 15), ansiColour((attr >> 4) & 7)));
      }
    }
    const area = {
      x: 0,
      y: 0,
      width: Math.min(cells.width, screen.columns),
      height: Math.min(cells.height, screen.rows),
    };
    // as wide and high as the letters of a VGA
    this.screenPlace = { area: cells.onScreen(area), width: area.width * 9, height: area.height * 16 };
    if (screen.cursor) cells.shade(screen.cursor.column, screen.cursor.row - top, 1, (attr) => attr ^ (INVERSE << 18));
  }

  /** Colour pair as far as the theme has colours. */
  private colour(foreground: number, background: number): number {
    if (this.theme.depth === 0) {
      return attribute(DEFAULT, DEFAULT, (foreground > 7 ? BOLD : 0) | (background > 0 ? INVERSE : 0));
    }
    const shown = (colour: number): number =>
      colour < 0 ? DEFAULT : colour > 15 && this.theme.depth < 256 ? basicColour(colour) : colour;
    return attribute(shown(foreground), shown(background));
  }

  override key({ name }: PaneKey): boolean {
    const steps: Record<string, number> = { up: 1, k: 1, down: -1, j: -1, pageup: 10, pagedown: -10 };
    if (steps[name] !== undefined) this.back = Math.max(0, this.back + steps[name]!);
    else if (name === 'end') {
      this.back = 0;
      this.foundBack = undefined;
    } else if (name === 'v' && !this.only) this.toggle();
    else return false;
    return true;
  }

  /** Text in what came over the serial port, from the newest line on backwards; again: further up. */
  override find(text: string): string {
    const lines = this.lineTexts();
    if (this.kind !== 'serial') throw new Error('only the serial console keeps its lines');
    const last = lines.length - 1 - (this.foundBack ?? -1);
    for (let at = Math.min(last - 1, lines.length - 1); at >= 0; at--) {
      if (!matches(text, lines[at]!)) continue;
      this.foundBack = this.back = lines.length - 1 - at;
      return `line ${at + 1} of ${lines.length}; / Enter goes further up, End to the newest`;
    }
    this.foundBack = undefined;
    throw new NothingThere(`"${text}" is not above; / Enter searches from the end again`);
  }

  private lineTexts(): string[] {
    const { serial } = this.model;
    return Array.from({ length: serial.length }, (_, index) => serial.text(index));
  }

  override copy(): string | undefined {
    return this.lineTexts().join('\n');
  }
}
