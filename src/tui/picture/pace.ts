/** How often pictures are drawn: at most ten times a second, and less often where they take many bytes. */

const FRAME_MS = 100;
/** What a terminal beyond a network, too, takes without falling behind. */
const BYTES_A_MS = 2000;
/** The longest pause after one frame, however large. */
const MOST_MS = 2000;

export class Pace {
  #due = 0;

  constructor(
    private readonly now: () => number = () => performance.now(),
    private readonly wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref()),
  ) {}

  /** Until the next picture may be drawn. */
  async turn(): Promise<void> {
    for (let left = this.#due - this.now(); left > 0; left = this.#due - this.now()) await this.wait(left);
    this.#due = this.now() + FRAME_MS;
  }

  /** A frame with a picture in it had so many bytes, and took so long: as long others have their turn. */
  wrote(bytes: number, ms: number): void {
    this.#due = Math.max(this.#due, this.now() + Math.min(MOST_MS, Math.max(ms, bytes / BYTES_A_MS)));
  }
}
