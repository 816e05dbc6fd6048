/**
 * What a debugger does to the machine at the live end of a run, as inputs of the run: who repeats it, from memory or from a
 * recording, does the same at the same instants.
 */
import { runInstant } from '../history/run-instant.js';
import type { Instant } from '../time/instant.js';
import type { Machine } from '../vmm/machine.js';
import type { Vcpu } from '../vmm/vcpu.js';
import type { Vm } from '../vmm/vm.js';
import { CONTROL, type Control, type Turns } from './turns.js';

/** Instructions that each vCPU has to go in its step, 0 for none. Notes of earlier versions say when that was, too. */
interface Goals {
  goals: number[];
  at?: number;
}

const goalOf = ({ stepGoal, icount }: Vcpu): number => (stepGoal === undefined ? 0 : stepGoal - icount);

export class RunNotes {
  /** What a debugger let run last, in numbers: that is asked before each slice, and it may step thousands of times a second. */
  readonly #seen: number[] = [];
  /** As it is noted. Steps that are alike share one text, since a history keeps them all. */
  #text = '';

  constructor(
    private readonly machine: Machine,
    private readonly vm: Vm,
    private readonly turns: Turns,
    /** @throws Error where nothing of the run may change */
    private readonly mayChange: () => void = () => {},
  ) {
    const { journal } = machine.pc;
    journal.stamp = () => this.now();
    journal.take('control', (data) => this.#apply(JSON.parse(data as string)));
    journal.take('flush', () => vm.forgetTranslations());
    this.restart();
    vm.dirtyFrames.flush = () => this.dropTranslations();
  }

  now(): Instant {
    return runInstant(this.machine, this.vm, this.turns.begun);
  }

  /** Before a slice: what a debugger lets run. */
  control(): void {
    const look = this.#look();
    if (look === 'the same') return;
    if (look === 'another') this.#text = this.#textOf();
    this.machine.pc.journal.note('control', this.#text);
  }

  /** The machine was put elsewhere from outside; nothing is held or stepped there. */
  restart(): void {
    this.#look();
    this.#text = this.#textOf();
  }

  /** A branch begins here, where nothing is held or stepped, whatever the run that it leaves did. */
  forked(): void {
    for (const vcpu of this.vm.vcpus) this.vm.disarmStep(vcpu);
    this.#seen.length = 0;
    this.control();
  }

  /** Translations are dropped, or are about to be. */
  flush(): void {
    this.machine.pc.journal.note('flush', 0);
  }

  /** Drops translations here, and in each repetition. @throws Error where nothing of the run may change */
  dropTranslations(): void {
    this.mayChange();
    this.flush();
    this.vm.forgetTranslations();
  }

  /** A change that a sink of kind `debugger` makes again. */
  change(change: object): void {
    this.machine.pc.journal.note('debugger', JSON.stringify(change));
  }

  /** What it is beside the last look's. A step that is under way begins again at each instruction. */
  #look(): 'the same' | 'again' | 'another' {
    const { stepped } = this.turns;
    const seen = this.#seen;
    let another = false;
    let at = 0;
    let place = 1;
    const see = (value: number): void => {
      another ||= seen[place] !== value;
      seen[place++] = value;
    };
    for (const vcpu of this.vm.vcpus) {
      const goal = goalOf(vcpu);
      if (goal > 0) at = this.machine.work.icount;
      see((vcpu.held ? 1 : 0) | (vcpu.holdsInterrupts ? 2 : 0));
      see(goal);
    }
    see(stepped ? stepped.vcpu : -1);
    see(stepped?.beside ? 1 : 0);
    see(stepped ? stepped.left : 0);
    const again = seen[0] !== at;
    seen[0] = at;
    if (another) return 'another';
    return again ? 'again' : 'the same';
  }

  #textOf(): string {
    const { vcpus } = this.vm;
    const held = vcpus.map((vcpu) => vcpu.held);
    const holdsInterrupts = vcpus.map((vcpu) => vcpu.holdsInterrupts);
    return JSON.stringify({ held, holdsInterrupts, stepped: this.turns.stepped, goals: vcpus.map(goalOf) });
  }

  #apply({ goals, at: _, ...control }: Control & Goals): void {
    const { vcpus } = this.vm;
    CONTROL.check(control, 'control');
    if (control.stepped && control.stepped.vcpu >= vcpus.length) throw new Error('no such vCPU');
    this.turns.apply(control);
    for (const vcpu of vcpus) {
      const goal = goals[vcpu.index];
      if (goal > 0) this.vm.armStep(vcpu, goal);
      else this.vm.disarmStep(vcpu);
    }
  }
}
