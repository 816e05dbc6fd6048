/** What an RFB server needs of the machine whose screen it shows: nothing of an engine. */

/** Part of a screen, in pixels. */
export interface Area {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The screen as it is; its pixels stay valid until the next look. */
export interface Look {
  width: number;
  height: number;
  /** Three bytes a pixel: red, green, blue, line by line. */
  rgb: Uint8Array;
  /** It has another size than at the last look: all of it is new. */
  resized: boolean;
  /** What is different since the last look. */
  changed: readonly Area[];
}

export interface Screen {
  /** For the title of a client's window. */
  readonly name: string;
  look(): Look;
}

/** Buttons of a pointer, as PS/2 mice number them. */
export const BUTTON = { left: 1, right: 2, middle: 4 } as const;

export interface Keyboard {
  /** A key of that name goes down or up. */
  key(name: string, down: boolean): void;
  /** The guest's light says that letters are capitals. */
  readonly capsLock: boolean;
  /** The key of a US keyboard that a character is on, and whether it needs shift. */
  keyOf(character: string): { key: string; shift: boolean } | undefined;
  /** The key at a place: its scan code of set 1, with bit 7 for those behind e0. */
  keyAt(place: number): string | undefined;
}

export interface Pointer {
  /** Moves by pixels, to the right and down; `wheel` counts notches towards the user. */
  move(dx: number, dy: number, wheel: number, buttons: number): void;
}

/** A machine's screen, and who sits before it. */
export interface Seat {
  readonly screen: Screen;
  readonly keyboard: Keyboard;
  readonly pointer: Pointer;
}
