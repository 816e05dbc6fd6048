/** Keyboard and mouse while the guest has them: what is typed goes to a console pane's device, until ctrl-] or ctrl-a. */
import type { Debugger } from '../engine/debugger.js';
import { GuestPointer } from './guest-pointer.js';
import type { ConsolePane } from './panes/console.js';
import { ps2Key } from './ps2-keys.js';
import type { Surface } from './surface.js';

type Console = NonNullable<Debugger['console']>;
const LEAVE = /[\x1d\x01]/;

export class GuestKeyboard {
  private pane: ConsolePane | undefined;
  private pointer: GuestPointer | undefined;

  constructor(
    private readonly terminal: Pick<Surface, 'capture' | 'hurry'>,
    /** Waits for a request and shows why it failed. */
    private readonly act: (work: Promise<unknown>) => void,
    private readonly dirty: () => void,
    /** The guest was given something: what it does with it is soon to be seen. */
    private readonly stir: () => void,
  ) {}

  /** What the foot says meanwhile. */
  get foot(): string {
    return `the guest has the ${this.pane?.captured ?? 'keys'}: ctrl-] or ctrl-a takes them back`;
  }

  get held(): boolean {
    return this.pane !== undefined;
  }

  /** @param mouse whether the terminal tells of its mouse */
  hold(pane: ConsolePane, console: Console, mouse: boolean): void {
    this.release();
    this.pane = pane;
    pane.stay();
    pane.captured = mouse && pane.kind === 'vga' && console.mouse ? 'keys and mouse' : 'keys';
    const pointer =
      pane.captured === 'keys and mouse'
        ? new GuestPointer(
            () => pane.screenPlace,
            (...step) => console.mouse!(...step),
            (error) => this.act(Promise.reject(error)),
          )
        : undefined;
    this.pointer = pointer;
    const given = (): void => {
      this.stir();
      this.terminal.hurry?.();
    };
    this.terminal.capture(
      (sequence) => {
        const leave = LEAVE.exec(sequence);
        const typed = leave ? sequence.slice(0, leave.index) : sequence;
        if (typed) this.act(type(console, pane.kind, typed));
        given();
        if (leave) this.release();
      },
      pointer &&
        ((report) => {
          given();
          return pointer.take(report);
        }),
    );
    this.dirty();
  }

  release(): void {
    if (!this.pane) return;
    this.pane.captured = undefined;
    this.pane = undefined;
    this.pointer?.release();
    this.pointer = undefined;
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
