/**
 * Where a guest spends its instructions: it is stopped after every so many of them, and its call stack taken. Nothing in the
 * guest changes and virtual time does not see it, so the same run gives the same samples.
 */
import { Disassembler, SymbolTable } from '../../disasm/index.js';
import type { Debugger, RegisterFile, RunState } from '../debugger.js';
import { callStack } from './call-stack.js';
import { linearPc, privilegeLevel } from './guest-mode.js';

/** Names of functions, the outermost first; before them the task and the vCPU's kind of work. */
export type Sample = readonly string[];

const PAGE = 0xfffn;
/** A kernel is looked for at the 8th sample, the 16th, 32nd ...: it may come late, and each search costs. */
const FIRST_SEARCH = 8;
const LAST_SEARCH = 1 << 20;

export class Profiler {
  readonly samples: Sample[] = [];
  #symbols = new SymbolTable();
  #stale = true;
  #seen = 0;
  #searchAt = FIRST_SEARCH;
  #ended = false;
  readonly #forget: () => void;

  private constructor(
    private readonly target: Debugger,
    private readonly every: bigint,
    private readonly disassembler: Disassembler,
  ) {
    this.#forget = target.onEvent((event) => {
      if (event.type === 'symbols') this.#stale = true;
    });
  }

  /** @param every instructions from one sample to the next */
  static async create(target: Debugger, every: number): Promise<Profiler> {
    return new Profiler(target, BigInt(every), await Disassembler.load());
  }

  /** Runs the guest until something else than a sample stops it, or `close` is called. @throws Error as runUntil does */
  async run(): Promise<RunState> {
    let state = await this.target.state();
    let goal = state.icount;
    for (;;) {
      // an instruction that may not be parted is passed: the next sample is where it would have been without
      while (goal <= state.icount) goal += this.every;
      state = await this.target.runUntil({ icount: goal });
      if (this.#ended || state.stop?.kind !== 'until' || state.icount < goal) return state;
      await this.#take(state.vcpu);
    }
  }

  close(): void {
    this.#ended = true;
    this.#forget();
  }

  async #take(vcpu: number): Promise<void> {
    await this.#learnSymbols();
    const registers = await this.target.readRegisters(vcpu);
    const task = await this.target.os?.current(vcpu).catch(() => undefined);
    this.samples.push([...(task ? [task.name] : []), ...(await this.#stack(vcpu, registers))]);
  }

  async #stack(vcpu: number, registers: RegisterFile): Promise<string[]> {
    const user = privilegeLevel(registers) === 3;
    const named = this.#name(linearPc(registers));
    // an address in a process says little, and its stack nothing, without its symbols
    if (user && named === undefined) return ['[user]'];
    const frames = await callStack(this.target, vcpu, registers, this.disassembler, this.#symbols);
    // what was found by searching the stack alone may be a leftover
    const sure = frames.filter(({ found }) => found !== 'scan');
    return sure
      .map(({ pc, found }) => this.#name(found === 'rip' || found === 'iret' ? pc : pc - 1n) ?? unnamed(pc))
      .reverse();
  }

  #name(address: bigint): string | undefined {
    return this.#symbols.lookup(address)?.symbol.name;
  }

  async #learnSymbols(): Promise<void> {
    const { os } = this.target;
    if (os && ++this.#seen >= this.#searchAt && this.#searchAt <= LAST_SEARCH) {
      this.#searchAt *= 2;
      if (await os.info().catch(() => undefined)) this.#searchAt = LAST_SEARCH + 1;
      this.#stale = true;
    }
    if (!this.#stale) return;
    this.#stale = false;
    this.#symbols = new SymbolTable(await this.target.symbols());
  }
}

const unnamed = (pc: bigint): string => `[0x${(pc & ~PAGE).toString(16)}]`;
