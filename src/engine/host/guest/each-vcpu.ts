import type * as D from '../../debugger.js';
import type { VirtualCpu } from '../../vmm/hypervisor.js';
import type { Machine } from '../../vmm/machine.js';
import { Independent } from '../independent.js';
import type { Step } from './idle.js';
import type { RunStatus } from './status.js';

/** What run control does for vCPUs that stop each by itself. */
interface EachHooks {
  start(): void;
  wake(): void;
  haltAll(vcpu: number, stop: D.StopReason): void;
  flushSerial(): void;
}

/** vCPUs that a debugger stops and lets run each by itself, while it wants that. */
export class EachVcpu {
  #independent: Independent | undefined;

  constructor(
    private readonly machine: Machine,
    private readonly status: RunStatus,
    private readonly hooks: EachHooks,
  ) {}

  get on(): boolean {
    return this.#independent !== undefined;
  }

  /** In what range the step of a vCPU goes on. */
  within(vcpu: VirtualCpu): Step['within'] {
    return this.#independent?.within(vcpu);
  }

  /** Those that a debugger's resume of the whole guest has let go run. */
  release(): void {
    this.#independent?.release(this.machine.vm);
  }

  /** The whole guest has stopped. */
  allStand(): void {
    this.#independent?.stop(this.machine.vm);
  }

  set(on: boolean): void {
    if (on === this.on) return;
    if (on) {
      this.#independent = new Independent();
      if (!this.status.running) this.allStand();
    } else {
      if (this.status.running) this.hooks.haltAll(this.status.vcpu, { kind: 'paused' });
      this.#independent = undefined;
    }
  }

  resume(vcpus: readonly number[], step?: { within: Step['within'] }): void {
    const independent = this.#mustBeOn();
    const { machine, status } = this;
    const { vm } = machine;
    status.mustBeAlive();
    for (const index of vcpus) {
      const vcpu = status.vcpuOf(index);
      if (step) {
        vm.tell(index);
        vm.armStep(vcpu, 1);
      }
      independent.go(vcpu, step, machine.holdInterruptsOnStep);
    }
    if (status.running) {
      this.hooks.wake();
      return;
    }
    independent.hold(vm);
    if (vcpus.length > 0) this.hooks.start();
  }

  stop(vcpus: readonly number[]): void {
    const { standing } = this.#mustBeOn();
    for (const index of vcpus) {
      if (!standing.has(this.status.vcpuOf(index).index)) this.stand(index, { kind: 'paused' });
    }
  }

  /** One vCPU stands; the guest does once all do. */
  stand(index: number, stop: D.StopReason): void {
    const independent = this.#mustBeOn();
    const { status } = this;
    const { vm } = this.machine;
    vm.synchronize();
    vm.tell(index);
    const vcpu = status.vcpuOf(index);
    vm.disarmStep(vcpu);
    independent.stand(vcpu);
    status.look(index);
    this.hooks.flushSerial();
    status.emit({ type: 'vcpu-stopped', vcpu: index, stop });
    if (independent.standing.size === vm.vcpus.length) this.hooks.haltAll(index, stop);
  }

  #mustBeOn(): Independent {
    if (!this.#independent) throw new Error('the vCPUs do not stop each by itself');
    return this.#independent;
  }
}
