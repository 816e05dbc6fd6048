import type { Stateful } from '../state/saved.js';
import { count, list, record, type StateOf, time } from '../state/schema.js';
import type { Hypervisor } from './hypervisor.js';

const REASONS = 128;

const STATE = record({ resets: count, icount: count, exits: count, clockNs: time, reasons: list(count, REASONS) });
type WorkState = StateOf<typeof STATE>;

/** What a guest has done since power-on: a reset of the guest counts on, so that limits bound a guest that resets in a loop. */
export class Work implements Stateful<WorkState> {
  readonly name = 'work';
  readonly format = { kind: 'work', version: 1, shape: STATE };
  resets = 0;
  #icount = 0;
  #exits = 0;
  #clockNs = 0;
  readonly #reasons = new Float64Array(REASONS);

  constructor(private readonly vm: Hypervisor) {}

  /** Instructions of all vCPUs. */
  get icount(): number {
    return this.#icount + this.vm.icount;
  }

  get exits(): number {
    return this.#exits + this.vm.exits;
  }

  /** Virtual time in ns. */
  get clockNs(): number {
    return this.#clockNs + this.vm.now();
  }

  /** Of the time before the last reset. */
  save(): WorkState {
    const reasons = [...this.#reasons];
    return { resets: this.resets, icount: this.#icount, exits: this.#exits, clockNs: this.#clockNs, reasons };
  }

  load({ resets, icount, exits, clockNs, reasons }: WorkState): void {
    this.resets = resets;
    this.#icount = icount;
    this.#exits = exits;
    this.#clockNs = clockNs;
    this.#reasons.set(reasons);
  }

  /** Exits with this basic exit reason. */
  exitCount(reason: number): number {
    return (this.#reasons[reason] ?? 0) + this.vm.exitCount(reason);
  }

  /** The engine is about to begin its counts anew; `clock`: virtual time as well. */
  beforeReset(clock: boolean): void {
    const { vm } = this;
    this.resets++;
    this.#icount += vm.icount;
    this.#exits += vm.exits;
    if (clock) this.#clockNs += vm.now();
    for (let reason = 0; reason < REASONS; reason++) this.#reasons[reason] += vm.exitCount(reason);
  }
}
