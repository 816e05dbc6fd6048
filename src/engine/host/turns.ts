// Whose turn it is to run: all vCPUs that a debugger has not held, or the one that it steps and who may run beside it.
import type { Stateful } from '../state/saved.js';
import { int, record, type StateOf } from '../state/schema.js';
import type { Hypervisor, SliceEnd, VirtualCpu } from '../vmm/hypervisor.js';

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

const state = (vcpus: number) => record({ next: int(0, vcpus - 1) });
type TurnsState = StateOf<ReturnType<typeof state>>;

export class Turns implements Stateful<TurnsState> {
  readonly name = 'turns';
  /** The vCPU that had the last turn. */
  #next = 0;
  #stepped: Stepped | undefined;

  constructor(
    private readonly vm: Hypervisor,
    /** Called after each slice. */
    private readonly ran: () => void,
  ) {}

  get format() {
    return { kind: 'turns', version: 1, shape: state(this.vm.vcpus.length) };
  }

  /** No step is under way. */
  save(): TurnsState {
    return { next: this.#next };
  }

  load({ next }: TurnsState): void {
    this.stop();
    this.#next = next;
  }

  /** All vCPUs run from now on, or only these. */
  release(vcpus?: readonly number[]): void {
    for (const vcpu of this.vm.vcpus) {
      vcpu.held = vcpus !== undefined && !vcpus.includes(vcpu.index);
      // a debugger may have changed what a halted vCPU waits for
      vcpu.woken = true;
    }
  }

  /** One vCPU is stepped while `others` run and the rest stands. */
  step(vcpu: VirtualCpu, others: readonly number[], holdInterrupts: boolean): void {
    this.release([vcpu.index, ...others]);
    vcpu.holdsInterrupts = holdInterrupts;
    this.#stepped = { vcpu, beside: others.some((index) => index !== vcpu.index), left: 0 };
  }

  /** Nobody is stepped or held any more. */
  stop(): void {
    this.#stepped = undefined;
    for (const vcpu of this.vm.vcpus) {
      vcpu.held = false;
      vcpu.holdsInterrupts = false;
    }
  }

  /** Some vCPUs stand by a debugger's will, or one of them is stepped: that nothing runs does not end the guest. */
  get partial(): boolean {
    return this.#stepped !== undefined || this.vm.vcpus.some(({ held }) => held);
  }

  /** The slice of whoever's turn it is; undefined when all who may run are halted. */
  take(instructions: number): Turn | undefined {
    if (this.#stepped) return this.#stepTurn(this.#stepped, instructions);
    return this.vm.runTogether ? this.#together(this.vm.runTogether) : this.#ofNext(instructions);
  }

  #stepTurn(stepped: Stepped, instructions: number): Turn | undefined {
    const { vcpu } = stepped;
    let active = false;
    if (stepped.beside && stepped.left-- <= 0) {
      stepped.left = STEPS_A_ROUND;
      const turn = this.#beside(vcpu);
      if (turn && turn.end.kind !== 'limit') return turn;
      active = turn !== undefined;
    }
    if (vcpu.runnable) {
      const end = this.#slice(vcpu, instructions);
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

  /** A slice of the next vCPU; undefined when all are halted. */
  #ofNext(instructions: number): Turn | undefined {
    const vcpu = this.#pick();
    if (!vcpu) return undefined;
    const end = this.#slice(vcpu, instructions);
    // one that the host's kernel holds halted looks as if it ran
    return end.kind === 'idle' && !vcpu.halted && this.vm.vcpus.length === 1 ? undefined : { vcpu, end };
  }

  #pick(): VirtualCpu | undefined {
    const { vcpus } = this.vm;
    for (let tried = 0; tried < vcpus.length; tried++) {
      this.#next = (this.#next + 1) % vcpus.length;
      const vcpu = vcpus[this.#next];
      if (vcpu.runnable && !vcpu.held) return vcpu;
    }
    return undefined;
  }

  #slice(vcpu: VirtualCpu, instructions: number): SliceEnd {
    const end = this.vm.runSlice(vcpu, instructions);
    this.ran();
    return end;
  }
}
