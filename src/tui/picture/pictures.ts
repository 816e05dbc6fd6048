/** What panes need to show the guest's screen in pixels, where the terminal can. */
import type { CellPane, Rectangle } from '../screen/cell-pane.js';
import type { SeenScreen } from './mirror.js';
import type { Pace } from './pace.js';
import type { PixelPlace, Size } from './place.js';

/** How pictures are shown: by a protocol of the terminal, as blocks of colour in its cells, or not. */
export type PictureWay = 'kitty' | 'sixel' | 'blocks' | 'none';

const CHOICES = ['auto', 'kitty', 'sixel', 'blocks', 'none'] as const;
export type PictureChoice = (typeof CHOICES)[number];

/** @throws Error that lists the words */
export function parsePictures(text: string): PictureChoice {
  const choice = CHOICES.find((word) => word === text.trim().toLowerCase());
  if (!choice) throw new Error(`"${text}" is not a way to show pictures; use one of ${CHOICES.join(', ')}`);
  return choice;
}

/** A picture that stands over cells of a pane; where something lies on those, they are seen. */
export interface ShownPicture {
  cells: CellPane;
  /** On the screen. */
  area: Rectangle;
  place: PixelPlace;
  seen: SeenScreen;
}

export interface Pictures {
  readonly pace: Pace;
  /** Asks the terminal the first time; until it has answered it is blocks. */
  readonly way: PictureWay;
  /** Pixels of a cell; undefined while nobody knows. */
  readonly cell: Size | undefined;
  place(screen: Size, room: { columns: number; rows: number }): PixelPlace;
  /** Of the frame that is being drawn: in pixels over the cells. */
  show(picture: ShownPicture): void;
  /** Of the frame that is being drawn: in cells alone. */
  note(): void;
}
