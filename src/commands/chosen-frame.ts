/** Which frame of the stack commands are about: the innermost, until `up`, `down` and `frame` choose another one. */

import { codeBits } from '../engine/debug/guest-mode.js';
import { type CodeFrame, codeFrames } from '../engine/debug/types/frames.js';
import { TypeTable } from '../engine/debug/types/type-table.js';
import type { Debugger, RegisterFile } from '../engine/debugger.js';
import type { Session } from './command.js';

/** Those that tell whether the stack is the one that was looked at. */
const TELLING = ['rip', 'rsp', 'rbp', 'rbx', 'r12', 'cr3', 'cs'];

/** Frames of one vCPU as far as they were asked for. */
class Stack {
  readonly frames: CodeFrame[] = [];
  #over = false;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    readonly registers: RegisterFile,
    private readonly source: AsyncGenerator<CodeFrame>,
  ) {}

  /** Undefined behind the outermost. One after the other asks: a generator has one caller at a time. */
  frame(level: number): Promise<CodeFrame | undefined> {
    const turn = this.#turn.then(() => this.#frame(level));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #frame(level: number): Promise<CodeFrame | undefined> {
    while (this.frames.length <= level && !this.#over) {
      const next = await this.source.next();
      if (next.done) this.#over = true;
      else this.frames.push(next.value);
    }
    return this.frames[level];
  }
}

/** What is known of a guest's code, for all who look at it. */
class CodeView {
  readonly types: TypeTable;
  /** Of the chosen frame; by vCPU. */
  readonly #levels = new Map<number, number>();
  readonly #stacks = new Map<number, Stack>();
  #bits: 16 | 32 | 64 = 64;
  /** Counts up where another frame is chosen. */
  choices = 0;

  constructor(debug: Debugger) {
    this.types = new TypeTable(debug, () => (this.#bits === 64 ? 8 : 4));
    debug.onEvent((event) => {
      if (event.type === 'symbols') {
        this.types.forget();
        this.#stacks.clear();
      } else if (event.type === 'stopped' || event.type === 'running') {
        this.#levels.clear();
        this.#stacks.clear();
      }
    });
  }

  level(vcpu: number): number {
    return this.#levels.get(vcpu) ?? 0;
  }

  choose(vcpu: number, level: number): void {
    this.#levels.set(vcpu, level);
    this.choices++;
  }

  /** What was read of the stack may no longer hold. */
  forget(): void {
    this.#stacks.clear();
  }

  async stack(session: Session): Promise<Stack> {
    const { debug, vcpu } = session;
    const registers = await debug.readRegisters(vcpu);
    this.#bits = codeBits(registers);
    const there = this.#stacks.get(vcpu);
    if (there && TELLING.every((name) => there.registers[name] === registers[name])) return there;
    const machine = { debug, vcpu, disassembler: await session.disassembler(), symbols: await session.symbols() };
    const stack = new Stack(registers, codeFrames(machine, registers));
    this.#stacks.set(vcpu, stack);
    return stack;
  }
}

const views = new WeakMap<Debugger, CodeView>();

export function codeView(debug: Debugger): CodeView {
  let view = views.get(debug);
  if (view === undefined) {
    view = new CodeView(debug);
    views.set(debug, view);
  }
  return view;
}

/** The chosen frame of a guest that stands. */
export async function chosenFrame(session: Session): Promise<CodeFrame | undefined> {
  const view = codeView(session.debug);
  const stack = await view.stack(session);
  return (await stack.frame(view.level(session.vcpu))) ?? (await stack.frame(0));
}

/** All of them, innermost first. */
export async function allFrames(session: Session, most = 64): Promise<CodeFrame[]> {
  const stack = await codeView(session.debug).stack(session);
  for (let level = 0; level < most; level++) if ((await stack.frame(level)) === undefined) break;
  return stack.frames.slice(0, most);
}
