import type { Hypervisor } from './hypervisor.js';

const REASONS = 128;

/** What a guest has done since power-on: a reset of the guest counts on, so that limits bound a guest that resets in a loop. */
export class Work {
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
