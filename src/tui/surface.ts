/** What the dashboard, or another screen, needs of the terminal. */
import type { Pictures } from './picture/pictures.js';
import type { CellPane } from './screen/cell-pane.js';
import type { MouseReport } from './screen/mouse-report.js';

/** @returns whether it takes the report: nobody else hears of it then */
export type MouseSink = (report: MouseReport) => boolean;

export interface Surface {
  readonly columns: number;
  readonly rows: number;
  /** Adds a pane to the screen; later ones lie on top. */
  add(pane: CellPane): void;
  /** How the guest's screen can be shown; absent: as blocks in cells. */
  readonly pictures?: Pictures;
  /** Asks for a tick. */
  dirty(): void;
  /** What is shown may change from now on: it is looked at soon, whatever was to be skipped. */
  hurry?(): void;
  /** Sends all keys there, until undefined, and what the mouse does, moves without a button too, to `mouse`. */
  capture(sink: ((sequence: string) => void) | undefined, mouse?: MouseSink): void;
  mouse(on: boolean): void;
  /** Copies to the clipboard of the terminal. */
  copy(text: string): void;
  /** Forgets what the terminal shows. */
  redraw(): void;
  setInterval(factor: number): number;
  /** Gives the terminal back to the shell until the process is continued. */
  suspend(): void;
  quit(): void;
}
