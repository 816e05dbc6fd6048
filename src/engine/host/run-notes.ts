/**
 * What a debugger does to the machine at the live end of a run, as inputs of the run: who repeats it, from memory or from a
 * recording, does the same at the same instants.
 */
import { runInstant } from '../history/run-instant.js';
import type { Instant } from '../time/instant.js';
import type { Machine } from '../vmm/machine.js';
import type { Vm } from '../vmm/vm.js';
import { CONTROL, type Control, type Turns } from './turns.js';

export class RunNotes {
  #control: string;
  /** The text while a debugger holds and steps nobody: that is asked before each slice. */
  #nothing: string | undefined;

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
    this.#control = this.#controlText();
    vm.dirtyFrames.flush = () => this.dropTranslations();
  }

  now(): Instant {
    return runInstant(this.machine, this.vm, this.turns.begun);
  }

  /** Before a slice: what a debugger lets run. */
  control(): void {
    const text = this.#controlText();
    if (text === this.#control) return;
    this.#control = text;
    this.machine.pc.journal.note('control', text);
  }

  /** The machine was put elsewhere from outside; nothing is held or stepped there. */
  restart(): void {
    this.#control = this.#controlText();
  }

  /** A branch begins here, where nothing is held or stepped, whatever the run that it leaves did. */
  forked(): void {
    for (const vcpu of this.vm.vcpus) this.vm.disarmStep(vcpu);
    this.#control = '';
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

  #controlText(): string {
    if (!this.turns.controlled && this.vm.vcpus.every(({ stepGoal }) => stepGoal === undefined))
      return (this.#nothing ??= this.#textOf());
    return this.#textOf();
  }

  #textOf(): string {
    // by hand, since it is made at each of a debugger's steps
    let held = '';
    let holdsInterrupts = '';
    let goals = '';
    let at = 0;
    for (const vcpu of this.vm.vcpus) {
      const { stepGoal } = vcpu;
      const comma = held === '' ? '' : ',';
      const goal = stepGoal === undefined ? 0 : stepGoal - vcpu.icount;
      held += comma + vcpu.held;
      holdsInterrupts += comma + vcpu.holdsInterrupts;
      goals += comma + goal;
      if (goal > 0) at = this.machine.work.icount;
    }
    const { stepped } = this.turns;
    const step = stepped ? `"stepped":{"vcpu":${stepped.vcpu},"beside":${stepped.beside},"left":${stepped.left}},` : '';
    return `{"held":[${held}],"holdsInterrupts":[${holdsInterrupts}],${step}"goals":[${goals}],"at":${at}}`;
  }

  #apply({ goals, at: _, ...control }: Control & { goals: number[]; at: number }): void {
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
