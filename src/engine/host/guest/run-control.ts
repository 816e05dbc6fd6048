import type * as D from '../../debugger.js';
import type { VirtualCpu } from '../../vmm/hypervisor.js';
import type { GuestHistory } from '../guest-history.js';
import type { Step } from './idle.js';
import type { GuestParts } from './parts.js';
import type { RunLoop } from './run-loop.js';
import { runState } from './run-state.js';

/** What a debugger asks of the run: go on, stop, step, go on to a place. */
export class RunControl {
  constructor(
    private readonly parts: GuestParts,
    private readonly loop: RunLoop,
  ) {}

  resume(vcpus?: readonly number[]): void {
    const { status, turns } = this.parts;
    if (status.running) return;
    status.mustBeAlive();
    vcpus?.forEach((index) => void status.vcpuOf(index));
    turns.release(vcpus);
    this.loop.each.release();
    if (vcpus?.length && !vcpus.includes(status.vcpu)) status.look(vcpus[0]);
    this.loop.start();
  }

  async pause(): Promise<D.RunState> {
    const { status, kept } = this.parts;
    if (kept.past?.travelling) {
      kept.past.stopped();
      return status.nextStop();
    }
    if (status.running) this.loop.halt(status.vcpu, { kind: 'paused' });
    return runState(this.parts);
  }

  async step(
    index: number,
    count: number,
    within: Step['within'],
    others: readonly number[] = [],
  ): Promise<D.RunState> {
    const { machine, status, turns, kept } = this.parts;
    const { vm } = machine;
    status.mustBeStopped();
    const vcpu = status.vcpuOf(index);
    vm.tell(index);
    if (kept.past?.inPast) return this.#stepInPast(kept.past, vcpu, count, within);
    vm.armStep(vcpu, count);
    turns.step(vcpu, others, machine.holdInterruptsOnStep);
    status.look(index);
    return status.untilStop(() =>
      // nothing that a step of one that waits for a SIPI waits for can come, where nobody else runs
      this.loop.startStep({ vcpu, within, idle: undefined }, !vcpu.waitsForSipi || others.length > 0),
    );
  }

  /** In the past a step follows the run as it was: interrupts come where they came, and the other vCPUs run along. */
  async #stepInPast(past: GuestHistory, vcpu: VirtualCpu, count: number, within: Step['within']): Promise<D.RunState> {
    past.aimStep(vcpu, count, within && (() => this.loop.isWithin(vcpu, within)));
    const { status } = this.parts;
    status.look(vcpu.index);
    return status.untilStop(() => this.loop.start());
  }

  async runUntil(target: D.RunTarget): Promise<D.RunState> {
    const { machine, status, stops, kept } = this.parts;
    status.mustBeStopped();
    status.mustBeAlive();
    const { icount } = machine.view.unavailable;
    if (target.icount !== undefined && icount !== undefined) throw new Error(icount);
    if (target.gva !== undefined) stops.breakpoints.addTemporary(target.gva);
    stops.until = {
      ...(target.icount !== undefined ? { icount: Number(target.icount) } : {}),
      ...(target.exit ? { exit: target.exit } : {}),
      ...(target.kernel ? { kernel: true } : {}),
    };
    if (kept.past?.inPast && target.icount !== undefined)
      kept.past.aim({ kind: 'icount', icount: target.icount }, { kind: 'until' });
    return status.untilStop(() => this.loop.startAll());
  }
}
