/**
 * Where a guest spends its instructions, or what its VM exits come from: it is stopped after every so many instructions, or at
 * exits, and its call stack taken. Nothing in the guest changes and virtual time does not see it, so the same run gives the
 * same samples.
 */
import { Disassembler, SymbolTable } from '../../disasm/index.js';
import { exitReasonName } from '../../spec/vmx/exit-reasons.js';
import type { Debugger, ExitCondition, RegisterFile, RunState } from '../debugger.js';
import { callStack } from './call-stack.js';
import { linearPc, privilegeLevel } from './guest-mode.js';
import { isKernelAddress } from './linux/kernel-half.js';
import type { Profile, ProfileSample } from './profile-report.js';

/** What a sample is taken at: after so many instructions, or at every so many-th exit that meets a condition. */
export interface Sampling {
  readonly every: number;
  readonly exit?: ExitCondition;
}

interface Frame {
  readonly address: bigint;
  name: string | undefined;
}

/** A sample while names may still come. */
interface Taken extends Omit<ProfileSample, 'stack'> {
  /** Outermost first. */
  readonly frames: readonly Frame[];
}

const PAGE = 0xfffn;
/** A kernel that was looked for in vain is looked for again when there are so many more samples: each search costs. */
const SEARCH_AGAIN = 1.125;

export class Profiler {
  readonly #taken: Taken[] = [];
  #symbols = new SymbolTable();
  #stale = true;
  #searchAt = 1;
  #found = false;
  #ended = false;
  #renamed = 0;
  readonly #forget: () => void;

  private constructor(
    private readonly target: Debugger,
    private readonly sampling: Sampling,
    private readonly disassembler: Disassembler,
  ) {
    this.#forget = target.onEvent((event) => {
      if (event.type === 'symbols') this.#stale = true;
    });
  }

  static async create(target: Debugger, sampling: Sampling): Promise<Profiler> {
    return new Profiler(target, sampling, await Disassembler.load());
  }

  /**
   * Runs the guest until something else than a sample stops it, there are so many samples, or `close` is called.
   * @throws Error as runUntil does
   */
  async run(most = Number.POSITIVE_INFINITY): Promise<RunState> {
    const { exit } = this.sampling;
    const state = await (exit ? this.#runByExits(exit, most) : this.#runByInstructions(most));
    await this.#nameAgain();
    return state;
  }

  close(): void {
    this.#ended = true;
    this.#forget();
  }

  get count(): number {
    return this.#taken.length;
  }

  /** Counts the times that samples taken before got other names. */
  get renamed(): number {
    return this.#renamed;
  }

  get every(): number {
    return this.sampling.every;
  }

  get unit(): Profile['unit'] {
    return this.sampling.exit ? 'exit' : 'instruction';
  }

  /** @param index from 0, the oldest */
  sample(index: number): ProfileSample {
    const { frames, ...sample } = this.#taken[index];
    return { ...sample, stack: frames.map(({ name, address }) => name ?? unnamed(address)) };
  }

  get profile(): Profile {
    const { every, unit } = this;
    return { every, unit, samples: this.#taken.map((_, index) => this.sample(index)) };
  }

  async #runByInstructions(most: number): Promise<RunState> {
    const every = BigInt(this.sampling.every);
    let state = await this.target.state();
    let goal = state.icount;
    while (this.count < most) {
      // an instruction that may not be parted is passed: the next sample is where it would have been without
      while (goal <= state.icount) goal += every;
      state = await this.target.runUntil({ icount: goal });
      if (this.#ended || state.stop?.kind !== 'until' || state.icount < goal) return state;
      await this.#take(state.vcpu);
    }
    return state;
  }

  async #runByExits(exit: ExitCondition, most: number): Promise<RunState> {
    for (let met = 1; ; met++) {
      const state = await this.target.runUntil({ exit });
      const { stop } = state;
      // one of a breakpoint is not ours
      if (this.#ended || stop?.kind !== 'exit' || stop.id !== undefined) return state;
      if (met % this.sampling.every === 0) await this.#take(stop.exit.vcpu, exitReasonName(stop.exit.reason));
      if (this.count >= most) return state;
    }
  }

  async #take(vcpu: number, exit?: string): Promise<void> {
    const registers = await this.target.readRegisters(vcpu);
    await this.#learnSymbols(linearPc(registers));
    const task = await this.target.os?.current(vcpu).catch(() => undefined);
    this.#taken.push({
      ...(task ? { task: task.name } : {}),
      ...(exit === undefined ? {} : { exit }),
      frames: await this.#stack(vcpu, registers),
    });
  }

  async #stack(vcpu: number, registers: RegisterFile): Promise<Frame[]> {
    const pc = linearPc(registers);
    const user = privilegeLevel(registers) === 3;
    // an address in a process says little, and its stack nothing, without its symbols
    if (user && this.#name(pc) === undefined) return [{ address: pc, name: '[user]' }];
    const frames = await callStack(this.target, vcpu, registers, this.disassembler, this.#symbols);
    // what was found by searching the stack alone may be a leftover
    const sure = frames.filter(({ found }) => found !== 'scan');
    return sure
      .map(({ pc, found }) => (found === 'rip' || found === 'iret' ? pc : pc - 1n))
      .map((address) => ({ address, name: this.#name(address) }))
      .reverse();
  }

  #name(address: bigint): string | undefined {
    return this.#symbols.lookup(address)?.symbol.name;
  }

  /** A kernel is looked for as soon as the guest stands where one may: without it callers, tasks and names are missing. */
  async #learnSymbols(pc: bigint): Promise<void> {
    if (!this.#found && isKernelAddress(pc) && this.count >= this.#searchAt - 1) {
      this.#searchAt = Math.ceil((this.count + 1) * SEARCH_AGAIN);
      await this.#findKernel();
    }
    await this.#refresh();
  }

  async #findKernel(): Promise<void> {
    this.#found = (await this.target.os?.info().catch(() => undefined)) !== undefined;
    if (this.#found) this.#stale = true;
  }

  async #refresh(): Promise<void> {
    if (!this.#stale) return;
    this.#stale = false;
    this.#symbols = new SymbolTable(await this.target.symbols());
  }

  /** Addresses that had no name when they were seen may have one by now. */
  async #nameAgain(): Promise<void> {
    const nameless = this.#taken.flatMap(({ frames }) => frames.filter(({ name }) => name === undefined));
    if (nameless.length === 0) return;
    if (!this.#found) await this.#findKernel();
    // the guest's thread may have ended with the guest
    await this.#refresh().catch(() => {});
    for (const frame of nameless) frame.name = this.#name(frame.address);
    this.#renamed++;
  }
}

const unnamed = (pc: bigint): string => `[0x${(pc & ~PAGE).toString(16)}]`;
