/** The terminal's ways to show pictures: asks it once, when the first is to be shown, and waits for it no longer than a second. */
import type { ScreenLine } from '../screen/cell-pane.js';
import type { Theme } from '../screen/theme.js';
import { Pace } from './pace.js';
import type { PictureChoice, Pictures, PictureWay, ShownPicture } from './pictures.js';
import { PixelLayer, type PixelTerminal } from './pixel-layer.js';
import { type PixelPlace, placeOf, type Size } from './place.js';
import { CELL_QUESTIONS, QUESTIONS, SIXEL_QUESTIONS, TerminalAnswers } from './terminal-answers.js';

export interface PictureHost {
  readonly columns: number;
  readonly rows: number;
  readonly theme: Theme;
  /** What the terminal sends may be an answer, in parts that come slowly. */
  expect(answers: boolean): void;
  /** What is shown may look different from now on. */
  changed(): void;
  /** Whether nobody has chosen how many colours there are. */
  readonly coloursOpen: boolean;
}

const PATIENCE_MS = 1000;
/** Of a VT340, for who says that a terminal has sixels which says nothing itself. */
const VT340_CELL: Size = { width: 10, height: 20 };
const IDS = 256;

export class TerminalPictures implements Pictures {
  readonly pace = new Pace();
  #way: PictureWay | undefined;
  readonly #answers = new TerminalAnswers();
  readonly #layer: PixelLayer;
  #wanted: ShownPicture | undefined;
  #questions = '';
  #asking: NodeJS.Timeout | undefined;
  #more = false;
  #drew = false;

  /** @param silent a terminal that is not to be asked; it is given blocks */
  constructor(
    private readonly host: PictureHost,
    private readonly choice: PictureChoice,
    silent: boolean,
    processId: number,
  ) {
    // 24 bits: the terminal is shared with nobody who takes the same
    this.#layer = new PixelLayer(((processId & 0xfff) + 1) * IDS);
    if (choice !== 'auto') this.#way = choice;
    else if (silent) this.#way = 'blocks';
    this.#silent = silent;
  }

  readonly #silent: boolean;
  #asked = false;

  get way(): PictureWay {
    if (!this.#asked && !this.#silent && this.choice !== 'blocks' && this.choice !== 'none') this.#ask(QUESTIONS);
    return this.#terminal?.protocol ?? (this.#way === 'none' ? 'none' : 'blocks');
  }

  get cell(): Size | undefined {
    return this.#answers.cell ?? (this.choice === 'sixel' ? VT340_CELL : undefined);
  }

  place(screen: Size, room: { columns: number; rows: number }): PixelPlace {
    const kitty = this.#way === 'kitty';
    return placeOf(screen, room, this.cell, kitty, kitty ? undefined : this.#answers.most);
  }

  show(picture: ShownPicture): void {
    this.#wanted = picture;
  }

  /** A frame is going to be drawn: who wants a picture in it says so again. */
  begin(): void {
    this.#wanted = undefined;
  }

  /** Before blessed draws. @returns what is to be written before all else */
  compose(lines: readonly ScreenLine[], onTerminal: readonly ScreenLine[]): string {
    this.#layer.compose(this.#wanted, this.#terminal, lines, onTerminal);
    const questions = this.#questions;
    this.#questions = '';
    if (!questions) return '';
    // a terminal that prints what it does not know prints it on a line that is drawn anew
    for (const cell of onTerminal[0] ?? []) cell[0] = -1;
    if (lines[0]) lines[0].dirty = true;
    return `\x1b7\x1b[1;1H${questions}\x1b[1;1H\x1b[2K\x1b8`;
  }

  /** After blessed has drawn. */
  output(): string {
    return this.#layer.output(this.#terminal);
  }

  /** A frame was written. */
  wrote(bytes: number, ms: number): void {
    if (this.#wanted || this.#drew) this.pace.wrote(bytes, ms);
    this.#drew = false;
  }

  /** A pane has drawn a picture in cells. */
  note(): void {
    this.#drew = true;
  }

  /** The window has another size, and its cells perhaps. */
  resized(): void {
    const way = this.#way;
    if ((way !== 'kitty' && way !== 'sixel') || !this.#asked) return;
    this.#questions += CELL_QUESTIONS[way];
    this.host.changed();
  }

  get #terminal(): PixelTerminal | undefined {
    const protocol = this.#way;
    if (protocol !== 'kitty' && protocol !== 'sixel') return undefined;
    // sixels are as large as they are: it has to be known over which cells they stand
    if (protocol === 'sixel' && !this.cell) return undefined;
    return { protocol, cell: this.cell, registers: this.#answers.registers };
  }

  #ask(questions: string): void {
    this.#asked = true;
    this.#questions += questions;
    this.host.expect(true);
    clearTimeout(this.#asking);
    this.#asking = setTimeout(() => this.#decide(), PATIENCE_MS).unref();
    this.host.changed();
  }

  /** An answer of the terminal, or what looks like one. */
  reply(text: string): void {
    const asking = this.#asking !== undefined;
    const pixels = this.#way === 'kitty' || this.#way === 'sixel';
    if (!asking && !(pixels && /^\x1b\[(?:6|\?2);/.test(text))) return;
    const last = this.#answers.take(text, this.host.columns, this.host.rows);
    if (!asking) this.host.changed();
    else if (last) this.#next();
  }

  #next(): void {
    const { kitty, sixels } = this.#answers;
    const sixelsWanted = this.#way === 'sixel' || (this.#way === undefined && !kitty && sixels);
    if (sixelsWanted && !this.#more) {
      this.#more = true;
      this.#ask(SIXEL_QUESTIONS);
    } else this.#decide();
  }

  #decide(): void {
    clearTimeout(this.#asking);
    this.#asking = undefined;
    this.host.expect(false);
    const { kitty, sixels, cell, trueColours } = this.#answers;
    this.#way ??= kitty ? 'kitty' : sixels && cell ? 'sixel' : 'blocks';
    const { theme } = this.host;
    if (trueColours && this.host.coloursOpen && theme.depth === 256) theme.trueColours = true;
    this.host.changed();
  }

  /** The terminal is left: nothing of ours stays in it. */
  close(): string {
    clearTimeout(this.#asking);
    this.#asking = undefined;
    this.host.expect(false);
    return this.#layer.close();
  }
}
