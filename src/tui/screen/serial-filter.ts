/** What a guest sends, before a terminal takes it: line feeds that mean new lines, and numbers that cost no time. */

const LF = 0x0a;
const CR = 0x0d;
const ESC = 0x1b;
const BRACKET = 0x5b;
/** CSI of 8 bits is U+009B, two bytes of UTF-8. */
const C1_LEAD = 0xc2;
const C1_CSI = 0x9b;
const QUESTION = 0x3f;
/** Above it lies nothing on a screen of 80x24, and no part of a colour; a terminal may do a thing so often. */
const MOST = 255;
/** Private modes have larger names: 1049. */
const MOST_PRIVATE = 9999;
const MAX_DIGITS = 10;

export class SerialFilter {
  /** Whether a carriage return ever stood beside a line feed: otherwise a guest means it with its line feeds. */
  private returns = false;
  private last = 0;
  /** Behind ESC [. */
  private inside = false;
  private private = false;
  private digits = '';

  /** The same bytes, with a carriage return at each line feed as long as the guest sends none, and bounded parameters. */
  take(bytes: Uint8Array): Uint8Array {
    const out: number[] = [];
    for (const byte of bytes) {
      if ((byte === CR && this.last === LF) || (byte === LF && this.last === CR)) this.returns = true;
      if (this.inside && byte >= 0x30 && byte <= 0x39) {
        if (this.digits.length < MAX_DIGITS) this.digits += String.fromCharCode(byte);
      } else {
        this.flush(out);
        if (byte === LF && !this.returns) out.push(CR);
        out.push(byte);
        this.follow(byte);
      }
      this.last = byte;
    }
    return Uint8Array.from(out);
  }

  private flush(out: number[]): void {
    if (this.digits === '') return;
    const number = Math.min(Number(this.digits), this.private ? MOST_PRIVATE : MOST);
    for (const digit of String(number)) out.push(digit.charCodeAt(0));
    this.digits = '';
  }

  private follow(byte: number): void {
    if ((byte === BRACKET && this.last === ESC) || (byte === C1_CSI && this.last === C1_LEAD)) {
      this.inside = true;
      this.private = false;
    } else if (this.inside && byte === QUESTION) this.private = true;
    else if (byte === ESC || (byte >= 0x40 && byte <= 0x7e)) this.inside = false;
  }
}
