/** When the guest's next turn of the event loop comes: at once, or after a sleep that input ends. */
export class Schedule {
  #timer: NodeJS.Timeout | undefined;
  #soon = false;

  constructor(
    /** Whether the guest runs, and waits for nothing but its turn. */
    private readonly ready: () => boolean,
    private readonly turn: () => void,
  ) {}

  get sleeping(): boolean {
    return this.#timer !== undefined;
  }

  soon(): void {
    if (this.#soon || !this.ready()) return;
    this.#soon = true;
    setImmediate(() => {
      this.#soon = false;
      this.turn();
    });
  }

  /** @param then what is done before the turn that ends it, unless the guest was woken or stopped meanwhile */
  sleep(ms: number, running: () => boolean, then?: () => void): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (!running()) return;
      then?.();
      this.soon();
    }, ms);
  }

  /** Input arrived: a sleeping guest looks at it now. */
  wake(): void {
    this.cancel();
    this.soon();
  }

  cancel(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
