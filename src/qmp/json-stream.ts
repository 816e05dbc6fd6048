/** JSON objects out of a stream of bytes: a client need not end them by a line. */

/** A command is short; a peer that never closes its brackets is left. */
const MAX_BYTES = 1 << 20;
const MAX_DEPTH = 1024;

const [QUOTE, BACKSLASH, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST] = [0x22, 0x5c, 0x7b, 0x7d, 0x5b, 0x5d];

export class JsonStream {
  private held: number[] = [];
  private depth = 0;
  private inText = false;
  private escaped = false;

  /**
   * @param take told each object or list, as text; what stands between them is told too, since it is none
   * @throws RangeError when one is too long or too deep
   */
  push(bytes: Uint8Array, take: (text: string) => void): void {
    for (const byte of bytes) {
      if (this.depth === 0 && this.held.length === 0 && (byte <= 0x20 || byte === 0x2c)) continue;
      this.held.push(byte);
      if (this.held.length > MAX_BYTES) throw new RangeError(`longer than ${MAX_BYTES} bytes`);
      if (this.inText) {
        if (this.escaped) this.escaped = false;
        else if (byte === BACKSLASH) this.escaped = true;
        else if (byte === QUOTE) this.inText = false;
        continue;
      }
      if (byte === QUOTE && this.depth > 0) this.inText = true;
      else if (byte === OPEN || byte === OPEN_LIST) {
        if (++this.depth > MAX_DEPTH) throw new RangeError(`deeper than ${MAX_DEPTH}`);
      } else if (byte === CLOSE || byte === CLOSE_LIST) this.depth = Math.max(0, this.depth - 1);
      else if (this.depth > 0 || byte !== 0x0a) continue;
      if (this.depth === 0) {
        const text = Buffer.from(this.held).toString('utf8');
        this.held = [];
        take(text);
      }
    }
  }
}
