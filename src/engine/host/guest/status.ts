import type * as D from '../../debugger.js';
import type { Hypervisor, VirtualCpu } from '../../vmm/hypervisor.js';

/** Whether the guest runs, why it stands, and who is told of that. */
export class RunStatus {
  readonly #listeners = new Set<(event: D.DebuggerEvent) => void>();
  #waiters: ((state: D.RunState) => void)[] = [];
  #running = false;
  /** Why the guest stands, whatever its user says. */
  #stands: string | undefined;
  #stop: D.StopReason = { kind: 'start' };
  #vcpu = 0;
  /** vCPU that the monitor's `cpu` chose, until the next stop. */
  monitorVcpu: number | undefined;

  constructor(private readonly vm: Hypervisor) {}

  get running(): boolean {
    return this.#running;
  }

  get stop(): D.StopReason {
    return this.#stop;
  }

  /** The vCPU that stopped last, or that its user has let go. */
  get vcpu(): number {
    return this.#vcpu;
  }

  look(vcpu: number): void {
    this.#vcpu = vcpu;
  }

  runs(): void {
    this.#running = true;
  }

  stood(vcpu: number, stop: D.StopReason): void {
    this.#running = false;
    this.#vcpu = vcpu;
    this.#stop = stop;
    this.monitorVcpu = undefined;
  }

  /** The guest was reset; which vCPU somebody looks at stays. */
  restarted(): void {
    this.#stop = { kind: 'start' };
  }

  // ---- who is told ----

  onEvent(listener: (event: D.DebuggerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(event: D.DebuggerEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }

  forgetListeners(): void {
    this.#listeners.clear();
  }

  /** Resolves at the next stop of the guest. */
  nextStop(): Promise<D.RunState> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Resolves at the next stop of the guest, which `run` lets go. */
  untilStop(run: () => void): Promise<D.RunState> {
    const stopped = this.nextStop();
    run();
    return stopped;
  }

  tellWaiters(state: D.RunState): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve(state);
  }

  // ---- what may be asked of the guest now ----

  /** Nobody lets the guest run until `release`. */
  hold(why: string): void {
    this.#stands = why;
  }

  mustNotBeHeld(): void {
    if (this.#stands !== undefined) throw new Error(`${this.#stands} already`);
  }

  release(): void {
    this.#stands = undefined;
  }

  mustBeFree(): void {
    if (this.#stands !== undefined) throw new Error(`${this.#stands}: the guest is stopped until that is done`);
  }

  mustBeStopped(): void {
    this.mustBeFree();
    if (this.#running) throw new Error('the guest is running');
  }

  mustBeAlive(): void {
    this.mustBeFree();
    if (this.vm.end) throw new Error(`the guest has ended: ${this.vm.end.message}`);
  }

  /** A guest that was moved away has given up its disks. */
  mustBeHere(): void {
    this.mustBeFree();
    if (this.vm.end?.kind === 'migrated') throw new Error(this.vm.end.message);
  }

  /** @throws Error when there is no such vCPU */
  vcpuOf(index: number): VirtualCpu {
    const vcpu = this.vm.vcpus[index];
    if (!vcpu) throw new Error(`no vCPU ${index}`);
    return vcpu;
  }
}
