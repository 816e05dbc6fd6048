/** `--type TEXT`: types on a guest's keyboard while it runs, as somebody would who waits for what it shows. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { counted } from '../engine/counted.js';
import type { Debugger, DebuggerEvent } from '../engine/debugger.js';
import { keysOf } from '../engine/devices/scancodes.js';
import { fileCause } from '../engine/host/file-cause.js';
import { CP437 } from '../tui/screen/cp437.js';
import { UsageError } from './options.js';

export type TypedStep = { kind: 'key'; keys: string } | { kind: 'wait'; text: string };

/** One look after the other, in ms. */
const LOOK_MS = 20;
/** From a key to the next, in the guest's time: it shall take each one away from where the BIOS or a driver puts it. */
const KEY_NS = 10_000_000n;
/** Of the serial port's output, what a wait may find. */
const MOST_TEXT = 1 << 16;
const ESCAPES: Readonly<Record<string, string>> = { n: 'enter', t: 'tab', b: 'backspace', e: 'esc', '\\': '\\' };
const FORM = '\\n \\t \\b \\e \\\\, \\{KEYS} such as \\{ctrl-alt-delete}, \\{wait TEXT}';

/** @param option for the message. @throws UsageError naming what is on no key */
export function parseTyped(option: string, text: string): TypedStep[] {
  const steps: TypedStep[] = [];
  for (const [whole, braced, escaped] of text.matchAll(/\\\{([^}]*)\}|\\(.?)|\r?\n|./gsu)) {
    const wait = braced === undefined ? undefined : /^wait (.+)$/s.exec(braced)?.[1];
    if (wait !== undefined) {
      steps.push({ kind: 'wait', text: wait });
      continue;
    }
    const keys = braced ?? (escaped === undefined ? whole.replace('\r\n', '\n') : ESCAPES[escaped]);
    if (keys === undefined) throw new UsageError(`${option}: ${whole} is not one of ${FORM}`);
    if (keysOf(keys) === undefined) throw new UsageError(`${option}: ${whole} is on no key of a US keyboard`);
    steps.push({ kind: 'key', keys });
  }
  return steps;
}

/** What a file says to type. Its last line's end is not typed. @throws UsageError */
export function readTyped(file: string): TypedStep[] {
  try {
    return parseTyped(`--type-file ${file}`, readFileSync(file, 'utf8').replace(/\r?\n$/, ''));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--type-file ${file}: ${fileCause(error)}`);
  }
}

export class Typing {
  #next = 0;
  #over = false;
  #printed = '';
  readonly #unsubscribe: () => void;

  constructor(
    private readonly target: Debugger,
    private readonly steps: readonly TypedStep[],
  ) {
    this.#unsubscribe = target.onEvent((event: DebuggerEvent) => {
      if (event.type === 'serial') this.#printed = (this.#printed + latin1(event.bytes)).slice(-MOST_TEXT);
    });
    // a guest that has gone, or stands in its past, takes no keys: `close` tells what was left
    this.#run().catch(() => {});
  }

  /** Stops. @returns what was not typed, in words */
  close(): string | undefined {
    this.#over = true;
    this.#unsubscribe();
    const left = this.steps[this.#next];
    if (left === undefined) return undefined;
    const keys = this.steps.slice(this.#next).filter(({ kind }) => kind === 'key').length;
    const why = left.kind === 'wait' ? `the guest has not shown "${left.text}"` : 'the guest did not read them';
    return `--type: ${counted(keys, 'key was', 'keys were')} not typed: ${why}`;
  }

  async #run(): Promise<void> {
    while (this.#next < this.steps.length && !this.#over) {
      const step = this.steps[this.#next];
      if (step.kind === 'wait') await this.#shown(step.text);
      else await this.#key(step.keys);
    }
  }

  async #key(keys: string): Promise<void> {
    const { console } = this.target;
    await this.#until(async () => (await console?.keyboardIdle?.()) !== false);
    if (this.#over) return;
    await console?.key(keys);
    this.#next++;
    let last = -1n;
    const { clock: begun } = await this.target.state();
    await this.#until(async () => {
      const { clock } = await this.target.state();
      // time stands still for a guest that waits for nothing but a key
      const idle = clock === last;
      last = clock;
      return idle || clock >= begun + KEY_NS;
    });
  }

  async #shown(text: string): Promise<void> {
    await this.#until(async () => {
      const at = this.#printed.indexOf(text);
      // what was waited for once is not found again
      if (at >= 0) this.#printed = this.#printed.slice(at + text.length);
      return at >= 0 || (await this.#screen()).includes(text);
    });
    if (!this.#over) this.#next++;
  }

  async #screen(): Promise<string> {
    const screen = await this.target.console?.screen();
    if (!screen) return '';
    const { columns, rows, cells } = screen;
    const line = (row: number): string =>
      Array.from(cells.subarray(row * columns, (row + 1) * columns), (cell) => CP437[cell & 0xff]).join('');
    return Array.from({ length: rows }, (_, row) => line(row)).join('\n');
  }

  async #until(there: () => Promise<boolean>): Promise<void> {
    while (!this.#over && !(await there())) await sleep(LOOK_MS, undefined, { ref: false });
  }
}

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
