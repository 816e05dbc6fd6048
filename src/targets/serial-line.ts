/** A guest's serial port that another program holds: bytes both ways, and the last of what came. */

export interface SerialLine {
  onData: (bytes: Uint8Array) => void;
  /** @throws Error when the other side has gone */
  write(bytes: Uint8Array): Promise<void>;
  close(): void;
  /** Resolves with the reason. */
  readonly closed: Promise<string>;
}

/** What a console shows of the past. */
const KEPT_BYTES = 65_536;

/** Opened when it is first asked for, so that who only looks at a guest takes no console from others. */
export class SerialPort {
  #line: Promise<SerialLine> | undefined;
  #kept: Uint8Array[] = [];
  #bytes = 0;
  #failure = '';

  /** @param told each piece that comes */
  constructor(
    private readonly open: () => Promise<SerialLine>,
    private readonly told: (bytes: Uint8Array) => void,
  ) {}

  async log(): Promise<Uint8Array> {
    await this.#opened().catch((error: Error) => {
      this.#failure = error.message;
    });
    if (this.#failure && this.#bytes === 0) return Buffer.from(`(${this.#failure})\r\n`);
    return Buffer.concat(this.#kept);
  }

  async write(bytes: Uint8Array): Promise<void> {
    await (await this.#opened()).write(bytes);
  }

  close(): void {
    void this.#line?.then(
      (line) => line.close(),
      () => {},
    );
  }

  #opened(): Promise<SerialLine> {
    this.#line ??= this.open().then((line) => {
      line.onData = (bytes) => this.#take(bytes);
      void line.closed.then((reason) => {
        this.#failure = reason;
        this.#line = undefined;
      });
      return line;
    });
    this.#line.catch(() => {
      this.#line = undefined;
    });
    return this.#line;
  }

  #take(bytes: Uint8Array): void {
    this.#kept.push(bytes);
    this.#bytes += bytes.length;
    while (this.#bytes - this.#kept[0]!.length >= KEPT_BYTES) this.#bytes -= this.#kept.shift()!.length;
    this.told(bytes);
  }
}
