import { LinuxView } from '../../debug/linux/view.js';
import type * as D from '../../debugger.js';
import type { VirtualCpu } from '../../vmm/hypervisor.js';
import type { Machine } from '../../vmm/machine.js';
import { GuestCode } from '../guest-code.js';
import { GuestKernel } from '../guest-kernel.js';
import { KernelMemoryUse } from './kernel-memory-use.js';
import type { GuestOptions } from './options.js';
import type { RunStatus } from './status.js';

/** Where the kernels that are foreseen run. */
const KERNEL_HALF = 0xffff_8000_0000_0000n;

/** The kernel of a guest that runs: when it is looked for. */
export class GuestKernelWatch {
  readonly kernel: GuestKernel;
  readonly code: GuestCode;
  readonly #memoryUse: KernelMemoryUse;

  constructor(
    private readonly machine: Machine,
    options: GuestOptions,
    private readonly status: RunStatus,
  ) {
    const { vm, view } = machine;
    const memory = { bytes: vm.memoryBytes, view: (gpa: number, length: number) => vm.memory.read(gpa, length) };
    const walk = (gva: bigint): number | undefined => {
      const gpa = view.walk(status.vcpu, gva).output;
      return gpa === undefined ? undefined : Number(gpa);
    };
    const linux = new LinuxView(memory, () => vm.now(), walk);
    const { foreseeKernel } = options;
    this.kernel = new GuestKernel(
      linux,
      foreseeKernel && (async () => (this.#beforeKernel() ? foreseeKernel() : undefined)),
      (event) => status.emit(event),
      vm.vcpus.length,
      options.kernelRelease,
    );
    this.code = new GuestCode(options, this.kernel, machine.symbols);
    this.#memoryUse = new KernelMemoryUse(this.kernel, memory.view, () => this.mayStandIn(vm.vcpus[0]));
  }

  /** @param nowMs of a clock that does not go back */
  memoryUse(nowMs: number): NonNullable<D.GuestUsage['memory']> {
    return this.#memoryUse.look(nowMs);
  }

  find(): Promise<boolean> {
    return this.kernel.find();
  }

  forget(): void {
    this.kernel.forget();
  }

  mayStandIn(vcpu: VirtualCpu): boolean {
    const { vm, view } = this.machine;
    vm.synchronize();
    return this.kernel.linux.isWorthSearching(view.linearRip(vcpu.index));
  }

  /** Looks for a kernel once the guest stands in one, after the stop was told. */
  lookAfterStop(): void {
    const { status } = this;
    if (!this.kernel.linux.isWorthSearching(this.machine.view.linearRip(status.vcpu))) return;
    setImmediate(() => {
      if (status.running) return;
      void this.kernel.find().then((found) => {
        if (found) status.emit({ type: 'symbols' });
      });
    });
  }

  /** The kernel's image is still being unpacked: nothing of it, or of a process, has run. */
  #beforeKernel(): boolean {
    const { vm, view } = this.machine;
    vm.synchronize();
    return vm.vcpus.every(({ index }) => {
      const { ss_ar } = view.readRegisters(index, ['ss_ar']);
      return view.linearRip(index) < KERNEL_HALF && ((ss_ar >> 5n) & 3n) === 0n;
    });
  }
}
