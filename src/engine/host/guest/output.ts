import type * as D from '../../debugger.js';

const SERIAL_LOG_BYTES = 65536;
/** Characters that breakpoints print in one turn. */
const MAX_PRINTED = 0x10000;

/** What the guest and its breakpoints print, told once a turn. */
export class GuestOutput {
  #serial: Uint8Array[] = [];
  #log: Uint8Array = new Uint8Array(0);
  #printed = '';
  #unprinted = 0;
  /** Nobody takes the serial output: the guest waits. */
  held = false;

  constructor(private readonly emit: (event: D.DebuggerEvent) => void) {}

  /** The end of what the serial port has sent. */
  get serialLog(): Uint8Array {
    return this.#log;
  }

  serial(bytes: Uint8Array): void {
    this.#serial.push(bytes);
  }

  /** What breakpoints print in a turn; a client that prints in the guest's hottest loop gets a part of it. */
  print(text: string): void {
    if (this.#printed.length < MAX_PRINTED) this.#printed += text;
    else this.#unprinted++;
  }

  flush(): void {
    this.#flushPrinted();
    this.flushSerial();
  }

  flushSerial(): void {
    if (this.#serial.length === 0) return;
    const bytes = concatenate(this.#serial);
    this.#serial = [];
    const log = concatenate([this.#log, bytes]);
    this.#log = log.length > SERIAL_LOG_BYTES ? log.slice(log.length - SERIAL_LOG_BYTES) : log;
    this.emit({ type: 'serial', bytes });
  }

  #flushPrinted(): void {
    if (this.#printed === '') return;
    const lost = this.#unprinted > 0 ? `<${this.#unprinted} more were too many>\n` : '';
    const text = this.#printed + lost;
    this.#printed = '';
    this.#unprinted = 0;
    this.emit({ type: 'printed', text });
  }
}

function concatenate(parts: Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}
