/** What stands between the terminal's input and blessed's key parser, and repairs what that parser gets wrong. */

import { Transform, type TransformCallback } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { type MouseReport, mouseReport } from './mouse-report.js';

/** Parts of an escape sequence may arrive this far apart and still are one key. */
const HOLD_MS = 25;
/** As long where answers are expected: none of theirs may act as keys. */
const ANSWER_HOLD_MS = 500;
/** The longest answer; what goes on is rubbish, up to its end. */
const MAX_ANSWER = 4096;
/** A paste over a slow line comes with pauses; what came of it must never act as keys. */
const PASTE_HOLD_MS = 2000;

const PASTE_START = '\x1b[200~';
const PASTE_END = '\x1b[201~';
/** Answers of the terminal and keys in the kitty encoding: no key of ours, and blessed would type their letters. */
const REPLY =
  /^\x1b(?:\[[?>=][\d;]*[ -/]*[@-~]|\[\d+;\d+R|\[[\d;:]*u|\[[468];\d+;\d+t|\[[IO]|\][\s\S]*|[P_^X][\s\S]*)$/;
const MOUSE = /^\x1b\[(?:<[\d;]+[Mm]|M[\s\S]{3})$/;
/** One token at the start: a string sequence, a mouse report, a CSI, an SS3, ESC and a character, or a character. */
const TOKEN =
  /^(?:\x1b[\]P_^X][\s\S]*?(?:\x07|\x1b\\)|\x1b\[<[\d;]*[Mm]|\x1b\[M[\s\S]{3}|\x1b\x1b?\[[0-?]*[ -/]*[@-~]|\x1b\x1b?O[\s\S]|\x1b[^[O\]P_^X\x1b]|[^\x1b][\udc00-\udfff]?)/;

const STRING = /^\x1b[\]P_^X]/;

export interface Terminal extends NodeJS.ReadableStream {
  isTTY?: boolean;
  isRaw?: boolean;
  setRawMode?(mode: boolean): unknown;
}

/**
 * Splits input into whole keys: holds an unfinished escape sequence for 25 ms, drops replies, takes pasted text out.
 * While `capture` is set, keys go there untouched and blessed sees only the mouse.
 */
export class InputFilter extends Transform {
  readonly isTTY = true;
  isRaw = false;
  capture: ((sequence: string) => void) | undefined;
  /** Takes what the mouse does first. */
  captureMouse: ((report: MouseReport) => boolean) | undefined;
  /** The terminal has been asked something. */
  expecting = false;
  onPaste: ((text: string) => void) | undefined;
  /** Answers of the terminal. */
  onReply: ((reply: string) => void) | undefined;
  private readonly decoder = new StringDecoder('utf8');
  private pending = '';
  /** In a string that is too long for an answer. */
  private swallowing = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly terminal: Terminal) {
    super();
    terminal.pipe(this);
  }

  /** blessed switches raw mode on its input stream. */
  setRawMode(mode: boolean): this {
    this.terminal.setRawMode?.(mode);
    this.isRaw = mode;
    return this;
  }

  /** Lets go of the terminal, so that the process can end. */
  release(): void {
    clearTimeout(this.timer);
    this.terminal.unpipe(this);
    (this.terminal as NodeJS.ReadStream).pause();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    clearTimeout(this.timer);
    this.pending += this.decoder.write(chunk);
    this.drain();
    if (this.pending || this.swallowing) this.timer = setTimeout(() => this.giveUp(), this.holdMs());
    done();
  }

  private holdMs(): number {
    if (this.pending.startsWith(PASTE_START)) return PASTE_HOLD_MS;
    // two characters may be a key with Alt
    return this.swallowing || (this.expecting && this.pending.length > 2) ? ANSWER_HOLD_MS : HOLD_MS;
  }

  /** @returns whether a string of rubbish has come to its end */
  private swallow(): boolean {
    const end = /\x07|\x1b\\/.exec(this.pending);
    this.pending = end ? this.pending.slice(end.index + end[0].length) : this.pending.endsWith('\x1b') ? '\x1b' : '';
    this.swallowing = !end;
    return !!end;
  }

  private drain(): void {
    while (this.pending) {
      if (this.swallowing && !this.swallow()) return;
      if (this.pending.startsWith(PASTE_START)) {
        const end = this.pending.indexOf(PASTE_END);
        if (end < 0) return;
        const text = this.pending.slice(PASTE_START.length, end);
        this.pending = this.pending.slice(end + PASTE_END.length);
        this.pasted(text);
        continue;
      }
      const token = TOKEN.exec(this.pending)?.[0];
      if (token === undefined) {
        this.swallowing = this.pending.length > MAX_ANSWER && STRING.test(this.pending);
        if (this.swallowing) this.swallow();
        return;
      }
      this.pending = this.pending.slice(token.length);
      this.emitToken(token);
    }
  }

  private pasted(text: string): void {
    if (this.capture) this.capture(text);
    else this.onPaste?.(text);
  }

  /** What is held is not going to be finished: a lone Escape is the key; the start of a reply is dropped. */
  private giveUp(): void {
    const rest = this.swallowing ? '' : this.pending;
    this.pending = '';
    this.swallowing = false;
    if (rest.startsWith(PASTE_START)) this.pasted(rest.slice(PASTE_START.length));
    else if (/^\x1b+$/.test(rest)) this.emitToken('\x1b');
    else if (/^\x1b[[O]$/.test(rest)) for (const key of rest) this.emitToken(key);
  }

  private emitToken(token: string): void {
    if (REPLY.test(token)) {
      this.onReply?.(token);
      return;
    }
    if (MOUSE.test(token)) {
      const report = this.captureMouse && mouseReport(token);
      if (!report || !this.captureMouse?.(report)) this.push(token);
    } else if (this.capture) this.capture(token);
    // A character outside the BMP is no key of ours, and blessed would split it into surrogates.
    else if (token.length === 1 || token.startsWith('\x1b')) this.push(token);
  }
}
