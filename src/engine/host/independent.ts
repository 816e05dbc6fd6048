// vCPUs that stop and go each by itself: which of them stand, and which are stepped.
import type { Hypervisor, VirtualCpu } from '../vmm/hypervisor.js';

type Range = { start: bigint; end: bigint } | undefined;

export class Independent {
  /** vCPUs that stand, by index. */
  readonly standing = new Set<number>();
  /** How far each step under way goes on. */
  readonly #steps = new Map<number, Range>();

  /** All stand. */
  stop(vm: Hypervisor): void {
    for (const vcpu of vm.vcpus) this.stand(vcpu);
  }

  /** Those that a debugger's resume of the whole guest has let go run. */
  release(vm: Hypervisor): void {
    for (const vcpu of vm.vcpus) if (!vcpu.held) this.standing.delete(vcpu.index);
  }

  stand(vcpu: VirtualCpu): void {
    vcpu.held = true;
    vcpu.holdsInterrupts = false;
    this.#steps.delete(vcpu.index);
    this.standing.add(vcpu.index);
  }

  /** One runs, or makes a step. */
  go(vcpu: VirtualCpu, step: { within: Range } | undefined, holdInterrupts: boolean): void {
    this.standing.delete(vcpu.index);
    vcpu.held = false;
    vcpu.woken = true;
    if (!step) return;
    vcpu.holdsInterrupts = holdInterrupts;
    this.#steps.set(vcpu.index, step.within);
  }

  /** Those that stand are held: a stop of the whole guest has let all go. */
  hold(vm: Hypervisor): void {
    for (const vcpu of vm.vcpus) vcpu.held = this.standing.has(vcpu.index);
  }

  /** In what range the step of a vCPU goes on. */
  within(vcpu: VirtualCpu): Range {
    return this.#steps.get(vcpu.index);
  }
}
