/** The terminal's mouse while the guest has it: what it does over the guest's screen, its PS/2 mouse does. */
import type { Debugger } from '../engine/debugger.js';
import type { Rectangle } from './screen/cell-pane.js';
import type { MouseReport } from './screen/mouse-report.js';

type Move = NonNullable<NonNullable<Debugger['console']>['mouse']>;

/** Cells of the terminal that the guest's screen stands in, and its size in pixels. */
export interface ScreenPlace {
  area: Rectangle;
  width: number;
  height: number;
}

interface Along {
  /** Pixel of the guest's screen. */
  at: number;
  /** -1 or 1: the pointer is beyond the edge before or behind. */
  beyond: number;
}

interface Place {
  x: Along;
  y: Along;
}

interface Step {
  dx: number;
  dy: number;
  wheel: number;
  buttons: number;
}

/** Steps that wait for the guest at most: a click is two of them. */
const MOST_WAITING = 64;

export class GuestPointer {
  #at: Place | undefined;
  #buttons = 0;
  /** What is not sent yet; the first one is under way while `#sending`. */
  readonly #waiting: Step[] = [];
  #sending = false;

  constructor(
    private readonly place: () => ScreenPlace | undefined,
    private readonly move: Move,
    /** Shows why the guest did not take it. */
    private readonly failed: (error: unknown) => void,
  ) {}

  /** @returns false for what is done beside the guest's screen, with no button held in it */
  take({ x, y, kind, button, wheel }: MouseReport): boolean {
    const place = this.place();
    if (!place) return false;
    const { area } = place;
    const inside = x >= area.x && x < area.x + area.width && y >= area.y && y < area.y + area.height;
    if (!inside && this.#buttons === 0 && kind !== 'move') return false;
    const to = {
      x: placeIn(x - area.x, area.width, place.width),
      y: placeIn(y - area.y, area.height, place.height),
    };
    const from = this.#at ?? to;
    this.#at = to;
    const before = this.#buttons;
    if (kind === 'down') this.#buttons |= button;
    else if (kind === 'up') this.#buttons &= ~button;
    // a terminal that lost the report of a button's release tells so by the next move
    else if (kind === 'move' && button === 0) this.#buttons = 0;
    const [dx, dy] = [distance(from.x, to.x, place.width), distance(from.y, to.y, place.height)];
    const step = { dx, dy, wheel, buttons: this.#buttons };
    if (step.dx !== 0 || step.dy !== 0 || step.wheel !== 0 || before !== step.buttons) this.#add(step);
    return true;
  }

  /** The guest's buttons go up: nobody holds the mouse any more. */
  release(): void {
    if (this.#buttons !== 0) this.#add({ dx: 0, dy: 0, wheel: 0, buttons: 0 });
    this.#buttons = 0;
    this.#at = undefined;
  }

  #add(step: Step): void {
    const last = this.#waiting.at(-1);
    const free = this.#waiting.length > (this.#sending ? 1 : 0);
    // the first one that waits may be under way
    if (last && free && (last.buttons === step.buttons || this.#waiting.length >= MOST_WAITING)) {
      last.dx += step.dx;
      last.dy += step.dy;
      last.wheel += step.wheel;
      last.buttons = step.buttons;
    } else this.#waiting.push(step);
    if (!this.#sending) void this.#send();
  }

  async #send(): Promise<void> {
    this.#sending = true;
    try {
      for (let step = this.#waiting[0]; step; step = this.#waiting[0]) {
        await this.move(step.dx, step.dy, step.wheel, step.buttons);
        this.#waiting.shift();
      }
    } catch (error) {
      this.#waiting.length = 0;
      this.failed(error);
    } finally {
      this.#sending = false;
    }
  }
}

/** The pixel in the middle of a cell; at the edge that it lies beyond. */
function placeIn(cell: number, cells: number, pixels: number): Along {
  if (cell < 0) return { at: 0, beyond: -1 };
  if (cell >= cells) return { at: pixels - 1, beyond: 1 };
  return { at: Math.floor(((cell + 0.5) * pixels) / cells), beyond: 0 };
}

/** Who goes beyond an edge takes the guest's pointer along to it, wherever that was: so both come together. */
function distance(from: Along, to: Along, pixels: number): number {
  const push = to.beyond !== from.beyond ? to.beyond * pixels : 0;
  return to.at - from.at + push;
}
