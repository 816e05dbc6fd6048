/** What the dashboard, or another screen, needs of the terminal. */
import type { CellPane } from './screen/cell-pane.js';

export interface Surface {
  readonly columns: number;
  readonly rows: number;
  /** Adds a pane to the screen; later ones lie on top. */
  add(pane: CellPane): void;
  /** Asks for a tick. */
  dirty(): void;
  /** What is shown may change from now on: it is looked at soon, whatever was to be skipped. */
  hurry?(): void;
  /** Sends all keys there, until undefined. */
  capture(sink: ((sequence: string) => void) | undefined): void;
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
