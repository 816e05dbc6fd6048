/** Long work on one line of a terminal: shown once it has taken a second, taken away when it is over. */
import type { Progress } from '../engine/debugger.js';
import { printable } from './tell.js';

const SHOWN_AFTER_MS = 1000;
const EVERY_MS = 200;
const CLEAR = '\r\x1b[K';

export class ProgressLine {
  #task: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #since = 0;
  #shownAt: number | undefined;
  #share: number | undefined;

  /** @param write takes text for the terminal; undefined where there is none, and nothing is shown. */
  constructor(readonly write: ((text: string) => void) | undefined) {}

  update({ task, share, done }: Progress): void {
    if (this.write === undefined) return;
    if (done) {
      this.close(task);
      return;
    }
    if (task !== this.#task) {
      this.close(this.#task);
      this.#task = task;
      this.#since = performance.now();
      this.#timer = setTimeout(() => this.#show(), SHOWN_AFTER_MS);
    }
    this.#share = share;
    if (this.#shownAt !== undefined && performance.now() - this.#shownAt >= EVERY_MS) this.#show();
  }

  /** The work is over, or nobody is to hear of it any more. */
  close(task = this.#task): void {
    if (task !== this.#task) return;
    clearTimeout(this.#timer);
    if (this.#shownAt !== undefined) this.write?.(CLEAR);
    this.#task = this.#shownAt = this.#share = undefined;
  }

  #show(): void {
    this.#shownAt = performance.now();
    const percent = this.#share === undefined ? '' : ` ${Math.floor(this.#share * 100)} %`;
    const seconds = Math.round((this.#shownAt - this.#since) / 1000);
    this.write?.(`${CLEAR}vmscope: ${printable(this.#task ?? '')} …${percent} ${seconds} s`);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#show(), SHOWN_AFTER_MS);
    this.#timer.unref();
  }
}
