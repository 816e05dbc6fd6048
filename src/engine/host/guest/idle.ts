import type * as D from '../../debugger.js';
import type { VirtualCpu } from '../../vmm/hypervisor.js';
import type { Machine } from '../../vmm/machine.js';
import type { Turns } from '../turns.js';
import type { GuestOptions } from './options.js';
import type { Pacing } from './pacing.js';
import type { Until } from './stops.js';

/** So much virtual time a guest is given that halts with interrupts off. */
const DEAF_NS = 10e9;
/** The same where time is the host's. */
const DEAF_REAL_NS = 2e9;
/** A step of a halted vCPU ends where it stands when nothing has woken it for so long. */
const STEP_PATIENCE_MS = 4000;
/** Until then it looks this often. */
const STEP_LOOK_MS = 50;
/** A guest that waits for what only the host may bring. */
const WAIT_MS = 1000;

/** A step under way. */
export interface Step {
  vcpu: VirtualCpu;
  within: { start: bigint; end: bigint } | undefined;
  /** Since when all who may run are halted. */
  idle: { wallMs: number; clock: number } | undefined;
}

/** What becomes of a guest that is idle. */
export type IdleEnd =
  | { kind: 'go on' }
  | { kind: 'sleep'; ms: number; after?: () => void }
  /** Nothing will wake it any more. */
  | { kind: 'dead' }
  /** The same, while a debugger waits for the run to come to a place; the guest goes on to be one that input may wake. */
  | { kind: 'stranded' }
  | { kind: 'stop'; vcpu: number; stop: D.StopReason };

/** Every vCPU is halted: time warps to the next deadline, passes at the wall clock's pace, or brings nothing any more. */
export class Idle {
  #deafSince: { progress: number; clock: number } | undefined;

  constructor(
    private readonly machine: Machine,
    private readonly turns: Turns,
    private readonly pacing: Pacing,
    private readonly options: GuestOptions,
  ) {}

  /**
   * @param step the step under way; @param goal where the run is to end, and who waits for that; @param deadline when a
   * device wants to do something, ns of virtual time
   */
  pass(step: Step | undefined, goal: Until | undefined, deadline: number | undefined): IdleEnd {
    const { machine, options } = this;
    const { vm, waitsForHost } = machine;
    const stepEnd = step && this.#step(step, deadline);
    if (stepEnd) return stepEnd;
    if (!step && machine.showLastCharacter()) return { kind: 'go on' };
    if (goal && options.waitForInput && this.#outOfReach(goal, deadline)) return { kind: 'stranded' };
    if (deadline === undefined || (!options.paced && !waitsForHost && this.#deaf(deadline)))
      return options.waitForInput || waitsForHost || this.turns.partial || this.#mayBeWoken(deadline)
        ? { kind: 'sleep', ms: WAIT_MS }
        : { kind: 'dead' };
    const ms = this.pacing.untilDeadline(deadline, this.pacing.paced || waitsForHost);
    if (step && ms > STEP_LOOK_MS) return { kind: 'sleep', ms: STEP_LOOK_MS };
    if (ms >= 1) return { kind: 'sleep', ms, after: () => vm.warpTo(deadline) };
    vm.warpTo(deadline);
    return { kind: 'go on' };
  }

  /**
   * The stepped vCPU is halted, and so is whoever runs beside it. Undefined: time goes on for them. What the host may
   * bring is waited for in the host's time; where nothing comes, the step ends.
   */
  #step(step: Step, deadline: number | undefined): IdleEnd | undefined {
    const wallMs = performance.now();
    const clock = this.machine.vm.now();
    step.idle ??= { wallMs, clock };
    const { index } = step.vcpu;
    if (wallMs - step.idle.wallMs > STEP_PATIENCE_MS) {
      const note = `vCPU ${index} is halted, and nothing has woken it for ${STEP_PATIENCE_MS / 1000} s`;
      return { kind: 'stop', vcpu: index, stop: { kind: 'step', note } };
    }
    const late = !this.pacing.paced && clock - step.idle.clock > DEAF_NS;
    return deadline === undefined || late ? { kind: 'sleep', ms: STEP_LOOK_MS } : undefined;
  }

  /**
   * No device will do anything by itself, but a clock ticks that the guest does not hear, and it takes interrupts: a key, or
   * a byte on its serial port, may come by a socket at any time.
   */
  #mayBeWoken(deadline: number | undefined): boolean {
    const { vm, pc, asleep } = this.machine;
    return deadline === undefined && !asleep && pc.pc.ticksUnheard && vm.vcpus.some((vcpu) => vcpu.interruptsEnabled);
  }

  /** The run will not come to where it is to end: no interrupt is taken, or none comes that the guest makes by itself. */
  #outOfReach(goal: Until, deadline: number | undefined): boolean {
    const { machine } = this;
    if (machine.waitsForHost || this.turns.partial) return false;
    if (machine.asleep) return !machine.pc.canWake;
    if (deadline !== undefined) return this.#deaf(deadline);
    if (machine.vm.vcpus.every((vcpu) => !vcpu.interruptsEnabled)) return true;
    // who waits for code or an exit may be about to press a key
    return goal.icount !== undefined && !this.#mayBeWoken(deadline);
  }

  /** Every vCPU has been halted with interrupts off for so long that no timer's NMI or reset will come either. */
  #deaf(deadline: number): boolean {
    const { machine } = this;
    const { vm } = machine;
    if (machine.asleep) return !machine.pc.canWake;
    const deaf = vm.vcpus.every((vcpu) => !vcpu.interruptsEnabled);
    const progress = vm.icount + vm.exits;
    if (!deaf || this.#deafSince?.progress !== progress)
      this.#deafSince = deaf ? { progress, clock: vm.now() } : undefined;
    const limit = vm.realTime || this.pacing.followsHost ? DEAF_REAL_NS : DEAF_NS;
    return this.#deafSince !== undefined && deadline - this.#deafSince.clock > limit;
  }
}
