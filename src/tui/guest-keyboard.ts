/** The keyboard while the guest has it: what is typed goes to a console pane's device, until ctrl-] or ctrl-a. */
import type { Debugger } from '../engine/debugger.js';
import type { ConsolePane } from './panes/console.js';
import { ps2Key } from './ps2-keys.js';

type Console = NonNullable<Debugger['console']>;
const LEAVE = /[\x1d\x01]/;

export class GuestKeyboard {
  private pane: ConsolePane | undefined;

  constructor(
    private readonly terminal: { capture(sink: ((sequence: string) => void) | undefined): void },
    /** Waits for a request and shows why it failed. */
    private readonly act: (work: Promise<unknown>) => void,
    private readonly dirty: () => void,
  ) {}

  get held(): boolean {
    return this.pane !== undefined;
  }

  hold(pane: ConsolePane, console: Console): void {
    this.pane = pane;
    pane.captured = true;
    this.terminal.capture((sequence) => {
      const leave = LEAVE.exec(sequence);
      const typed = leave ? sequence.slice(0, leave.index) : sequence;
      if (typed) this.act(type(console, pane.kind, typed));
      if (leave) this.release();
    });
    this.dirty();
  }

  release(): void {
    if (!this.pane) return;
    this.pane.captured = false;
    this.pane = undefined;
    this.terminal.capture(undefined);
    this.dirty();
  }
}

async function type(console: Console, kind: ConsolePane['kind'], sequence: string): Promise<void> {
  if (kind === 'serial') {
    await console.serialInput(new TextEncoder().encode(sequence));
    return;
  }
  // pasted text is many keys, an escape sequence is one
  const keys = sequence.startsWith('\x1b') ? [sequence] : sequence;
  for (const key of keys) for (const name of ps2Key(key)) await console.key(name);
}
