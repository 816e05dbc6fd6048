// Whose turn it is to run: all vCPUs that a debugger has not held, or the one that it steps and who may run beside it.
import type { Stateful } from '../state/saved.js';
import { count, flag, int, list, optional, record, type StateOf } from '../state/schema.js';
import type { Hypervisor, SliceEnd, VirtualCpu } from '../vmm/hypervisor.js';

/** Instructions of a turn, where one vCPU or several take them. */
const ALONE_INSTRUCTIONS = 100_000;
const TURN_INSTRUCTIONS = 20_000;
/** Fewer where each takes longer: others' timers wait for their turn. */
const LEAST_TURN_INSTRUCTIONS = 1000;
/** A slice ends after so many steps of a vCPU, for the others' turns. */
const STEPS_A_ROUND = 16;
/** What the others run meanwhile, each: far more than the stepped one, as beside a debugger's steps on a real machine. */
const BESIDE_STEPS = 1000;

export interface Turn {
  vcpu: VirtualCpu;
  end: SliceEnd;
}

interface Stepped {
  vcpu: VirtualCpu;
  /** Others run meanwhile. */
  beside: boolean;
  /** Steps until their next turn. */
  left: number;
}

const state = (vcpus: number) => record({ next: int(0, vcpus - 1), left: count, begun: count });
type TurnsState = StateOf<ReturnType<typeof state>>;

/** What a debugger lets run: which vCPUs stand, which hold their interrupts, which is stepped, how far each steps. */
export const CONTROL = record({
  held: list(flag, { atMost: 64 }),
  holdsInterrupts: list(flag, { atMost: 64 }),
  stepped: optional(record({ vcpu: count, beside: flag, left: count })),
});
export type Control = StateOf<typeof CONTROL>;

/**
 * A turn that a stop cuts short is not over: its vCPU goes on with the rest of it, so that whoever stops the guest to look
 * at it does not change the order of turns.
 */
export class Turns implements Stateful<TurnsState> {
  readonly name = 'turns';
  /** The vCPU that had the last turn, what is left of that, and turns so far. */
  #next = 0;
  #left = 0;
  #begun = 0;
  #stepped: Stepped | undefined;

  constructor(
    private readonly vm: Hypervisor,
    /** Called after each slice. */
    private readonly ran: () => void,
  ) {}

  get format() {
    return { kind: 'turns', version: 2, shape: state(this.vm.vcpus.length) };
  }

  /** No step is under way. */
  save(): TurnsState {
    return { next: this.#next, left: this.#left, begun: this.#begun };
  }

  load({ next, left, begun }: TurnsState): void {
    this.stop();
    this.#next = next;
    this.#left = left;
    this.#begun = begun;
  }

  /** Turns begun so far. */
  get begun(): number {
    return this.#begun;
  }

  /** All vCPUs run from now on, or only these. */
  release(vcpus?: readonly number[]): void {
    for (const vcpu of this.vm.vcpus) {
      vcpu.held = vcpus !== undefined && !vcpus.includes(vcpu.index);
      // where the host's kernel runs them, a debugger may have changed what a halted one waits for
      if (this.vm.realTime) vcpu.woken = true;
    }
  }

  /** One vCPU is stepped while `others` run and the rest stands. */
  step(vcpu: VirtualCpu, others: readonly number[], holdInterrupts: boolean): void {
    this.release([vcpu.index, ...others]);
    vcpu.holdsInterrupts = holdInterrupts;
    // it is to look whether something would wake it
    vcpu.woken = true;
    this.#stepped = { vcpu, beside: others.some((index) => index !== vcpu.index), left: 0 };
  }

  /** Nobody is stepped or held any more. */
  stop(): void {
    this.#stepped = undefined;
    for (const vcpu of this.vm.vcpus) {
      // what it held back is to be looked at
      if (vcpu.holdsInterrupts) vcpu.woken = true;
      vcpu.held = false;
      vcpu.holdsInterrupts = false;
    }
  }

  /** A debugger has some say in what runs: `control` is not that of a guest that runs freely. */
  get controlled(): boolean {
    if (this.#stepped) return true;
    for (const { held, holdsInterrupts } of this.vm.vcpus) if (held || holdsInterrupts) return true;
    return false;
  }

  /** Who is stepped, as it is in `Control`. */
  get stepped(): Control['stepped'] {
    const stepped = this.#stepped;
    return stepped && { vcpu: stepped.vcpu.index, beside: stepped.beside, left: Math.max(0, stepped.left) };
  }

  /** As a debugger let it run before. */
  apply({ held, holdsInterrupts, stepped }: Control): void {
    for (const vcpu of this.vm.vcpus) {
      const { index } = vcpu;
      const holds = holdsInterrupts[index] === true;
      if (holds !== vcpu.holdsInterrupts || stepped?.vcpu === index) vcpu.woken = true;
      vcpu.held = held[index] === true;
      vcpu.holdsInterrupts = holds;
    }
    this.#stepped = stepped && { vcpu: this.vm.vcpus[stepped.vcpu], beside: stepped.beside, left: stepped.left };
  }

  /** Some vCPUs stand by a debugger's will, or one of them is stepped: that nothing runs does not end the guest. */
  get partial(): boolean {
    return this.#stepped !== undefined || this.vm.vcpus.some(({ held }) => held);
  }

  /** A debugger steps one of them. */
  get stepping(): boolean {
    return this.#stepped !== undefined;
  }

  /** The slice of whoever's turn it is; undefined when all who may run are halted. */
  take(instructions: number | ((vcpu: VirtualCpu) => number)): Turn | undefined {
    const most = typeof instructions === 'number' ? () => instructions : instructions;
    if (this.#stepped) return this.#stepTurn(this.#stepped, most);
    return this.vm.runTogether ? this.#together(this.vm.runTogether) : this.#ofNext(most);
  }

  #stepTurn(stepped: Stepped, most: (vcpu: VirtualCpu) => number): Turn | undefined {
    const { vcpu } = stepped;
    let active = false;
    if (stepped.beside && stepped.left-- <= 0) {
      stepped.left = STEPS_A_ROUND;
      const turn = this.#beside(vcpu);
      if (turn && turn.end.kind !== 'limit') return turn;
      active = turn !== undefined;
    }
    if (vcpu.runnable) {
      const end = this.#slice(vcpu, most(vcpu));
      if (end.kind !== 'idle') return { vcpu, end };
    }
    stepped.left = 0;
    return active ? { vcpu, end: { kind: 'limit' } } : undefined;
  }

  /** A turn of each of the others, up to the first one that something happens to; undefined when all are halted. */
  #beside(stepped: VirtualCpu): Turn | undefined {
    const { vm } = this;
    if (vm.runTogether) {
      stepped.held = true;
      try {
        return this.#together(vm.runTogether);
      } finally {
        stepped.held = false;
      }
    }
    let turn: Turn | undefined;
    for (const vcpu of vm.vcpus) {
      if (vcpu === stepped || vcpu.held || !vcpu.runnable) continue;
      const end = this.#slice(vcpu, BESIDE_STEPS);
      if (end.kind !== 'idle') turn = { vcpu, end };
      if (end.kind !== 'idle' && end.kind !== 'limit') break;
    }
    return turn;
  }

  /** A slice of all vCPUs at once; undefined when all are halted. */
  #together(run: () => Turn): Turn | undefined {
    const turn = run();
    this.ran();
    return turn.end.kind === 'idle' ? undefined : turn;
  }

  /** A slice of the vCPU whose turn goes on, or of the next one; undefined when all are halted. */
  #ofNext(instructions: (vcpu: VirtualCpu) => number): Turn | undefined {
    const vcpu = this.#left > 0 && this.#mayRun(this.#next) ? this.vm.vcpus[this.#next] : this.#pick();
    if (!vcpu) return undefined;
    const most = Math.min(instructions(vcpu), this.#left);
    const before = vcpu.icount;
    const end = this.#slice(vcpu, most);
    this.#account(vcpu.icount - before, end);
    // one that the host's kernel holds halted looks as if it ran
    return end.kind === 'idle' && !vcpu.halted && this.vm.vcpus.length === 1 ? undefined : { vcpu, end };
  }

  /** One that waits for another gives the rest of its turn away; one that somebody stops does not. */
  #account(ran: number, end: SliceEnd): void {
    const gaveUp = end.kind === 'idle' || (end.kind === 'limit' && end.yields === true);
    this.#left = gaveUp ? 0 : Math.max(0, this.#left - ran);
  }

  #mayRun(index: number): boolean {
    const vcpu = this.vm.vcpus[index];
    return vcpu.runnable && !vcpu.held;
  }

  #pick(): VirtualCpu | undefined {
    const { vcpus } = this.vm;
    for (let tried = 0; tried < vcpus.length; tried++) {
      this.#next = (this.#next + 1) % vcpus.length;
      if (!this.#mayRun(this.#next)) continue;
      this.#left = vcpus.length > 1 ? this.#turnInstructions : ALONE_INSTRUCTIONS;
      this.#begun++;
      return vcpus[this.#next];
    }
    this.#left = 0;
    return undefined;
  }

  get #turnInstructions(): number {
    return Math.max(LEAST_TURN_INSTRUCTIONS, Math.floor(TURN_INSTRUCTIONS / this.vm.instructionNs));
  }

  #slice(vcpu: VirtualCpu, instructions: number): SliceEnd {
    const end = this.vm.runSlice(vcpu, instructions);
    this.ran();
    return end;
  }
}
