/**
 * The user's terminal as the guest's serial console, with QEMU's escape keys: ctrl-a x quits, ctrl-a c changes
 * between the guest and the monitor prompt, ctrl-a ctrl-a sends ctrl-a.
 */
import { monitorLine } from '../commands/monitor-door.js';
import type { Debugger } from '../engine/debugger.js';

/** As much as the guest's side takes in before its sender waits. */
const PIECE_BYTES = 16 * 1024;
const CTRL_A = 0x01;
const CTRL_C = 0x03;
const CTRL_D = 0x04;
const BACKSPACE = 0x08;
const CTRL_U = 0x15;
const ESCAPE = 0x1b;
const DELETE = 0x7f;
const PROMPT = '(vmscope) ';
/** A longer control sequence is none. */
const SEQUENCE_BYTES = 32;
/** What a terminal answers to the guest's questions: cursor position, status, device attributes (ECMA-48, DEC). */
const REPORT = /^\x1b\[[?>]?[\d;]*[Rnc]$/;
const HELP = [
  'ctrl-a x       quit',
  'ctrl-a c       between the guest and the monitor',
  'ctrl-a ctrl-a  send ctrl-a',
  'ctrl-a h       this list',
];

export class StdioConsole {
  #escaped = false;
  #monitor = false;
  #line = '';
  /** What came of a control sequence while the monitor is at the keyboard; empty: none is under way. */
  #sequence = '';

  constructor(
    readonly target: Debugger,
    /** Escape keys have a meaning: a person types. */
    readonly interactive: boolean,
    /** Takes text for the user, not from the guest. */
    readonly say: (text: string) => void,
    readonly quit: () => void,
  ) {}

  /** Bytes that were typed or piped in. Resolves when the guest has read most of what it was sent. */
  async input(bytes: Uint8Array): Promise<void> {
    const out: number[] = [];
    for (const byte of bytes) {
      if (!this.interactive) out.push(byte);
      else if (this.#escaped) this.#command(byte, out);
      else if (byte === CTRL_A) this.#escaped = true;
      else if (this.#sequence !== '') this.#sequenceByte(byte, out);
      else if (this.#monitor) this.#edit(byte);
      else out.push(byte);
    }
    for (let at = 0; at < out.length; at += PIECE_BYTES) {
      await this.target.console?.serialInput(Uint8Array.from(out.slice(at, at + PIECE_BYTES))).catch(() => {});
    }
  }

  #command(byte: number, out: number[]): void {
    this.#escaped = false;
    switch (String.fromCharCode(byte)) {
      case 'x':
        this.quit();
        break;
      case 'c':
        this.#monitor = !this.#monitor;
        this.#line = '';
        this.say(this.#monitor ? `\r\n${PROMPT}` : '\r\n');
        break;
      case 'h':
      case '?':
        this.say(`\r\n${HELP.join('\r\n')}\r\n${this.#monitor ? PROMPT : ''}`);
        break;
      case '\x01':
        out.push(CTRL_A);
    }
  }

  /** A control sequence is no text of the line: the terminal's answers belong to the guest that asked, keys have no use. */
  #sequenceByte(byte: number, out: number[]): void {
    this.#sequence += String.fromCharCode(byte);
    const { length } = this.#sequence;
    const under = length === 2 ? byte === 0x5b : length < SEQUENCE_BYTES && (byte < 0x40 || byte > 0x7e);
    if (under) return;
    if (REPORT.test(this.#sequence)) out.push(...Buffer.from(this.#sequence, 'latin1'));
    this.#sequence = '';
  }

  #edit(byte: number): void {
    switch (byte) {
      case ESCAPE:
        this.#sequence = '\x1b';
        break;
      case 0x0d:
      case 0x0a: {
        const line = this.#line.trim();
        this.#line = '';
        this.say('\r\n');
        void this.#run(line);
        break;
      }
      case BACKSPACE:
      case DELETE:
        if (this.#line !== '') this.say('\b \b');
        this.#line = this.#line.slice(0, -1);
        break;
      case CTRL_C:
      case CTRL_U:
        this.#line = '';
        this.say(`\r\n${PROMPT}`);
        break;
      case CTRL_D:
        if (this.#line === '') this.#command('c'.charCodeAt(0), []);
        break;
      default:
        if (byte < 0x20 || byte > 0x7e) return;
        this.#line += String.fromCharCode(byte);
        this.say(String.fromCharCode(byte));
    }
  }

  async #run(line: string): Promise<void> {
    if (line === 'quit' || line === 'q') return this.quit();
    if (line !== '') this.say((await this.#answer(line)).replace(/\r?\n/g, '\r\n'));
    if (this.#monitor) this.say(PROMPT);
  }

  async #answer(line: string): Promise<string> {
    try {
      const text = await monitorLine(this.target, line);
      if (text === undefined) return `unknown command: ${line.split(' ')[0]}; help lists them\n`;
      return text === '' || text.endsWith('\n') ? text : `${text}\n`;
    } catch (error) {
      return `${(error as Error).message}\n`;
    }
  }
}
