import { currentTaskOffset } from '../../debug/linux/tasks.js';
import { LinuxView } from '../../debug/linux/view.js';
import { relocated, sized } from '../../debug/symbol-file.js';
import { DebugInfo } from '../../debug/types/debug-info.js';
import type * as D from '../../debugger.js';
import type { VirtualCpu } from '../../vmm/hypervisor.js';
import type { Machine } from '../../vmm/machine.js';
import { GuestKernel } from '../guest-kernel.js';
import { KernelMemoryUse } from './kernel-memory-use.js';
import type { GuestOptions } from './options.js';
import type { RunStatus } from './status.js';

/** Where the kernels that are foreseen run. */
const KERNEL_HALF = 0xffff_8000_0000_0000n;

/** The kernel of a guest that runs: when it is looked for, and what names and lines it gives to addresses. */
export class GuestKernelWatch {
  readonly kernel: GuestKernel;
  readonly #memoryUse: KernelMemoryUse;

  constructor(
    private readonly machine: Machine,
    private readonly options: GuestOptions,
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

  async symbols(): Promise<D.TargetSymbol[]> {
    await this.kernel.find();
    const kernel = this.kernel.symbols;
    const { symbols: file } = this.options;
    if (file !== undefined) {
      // the file knows the kernel's symbols, but none of its modules
      const own = relocated(file, this.kernel.info?.base);
      const names = new Set(own.map(({ name }) => name));
      return sized([...own, ...kernel.filter(({ name }) => !names.has(name))]);
    }
    // where the image is the kernel itself, its own table knows the addresses after relocation
    const image = this.machine.symbols.filter(({ address }) => kernel.length === 0 || address < kernel[0].address);
    return [...image, ...kernel];
  }

  /** Absent where the image has no line numbers. */
  source(): D.Debugger['source'] {
    const { lines, readSource } = this.options;
    if (!lines) return undefined;
    return {
      locate: async (addresses) => addresses.map((address) => lines()?.lookup(address - this.#distance(address))),
      piece: async (address) => {
        const distance = this.#distance(address);
        const found = lines()?.piece(address - distance);
        return found && { ...found, start: found.start + distance, end: found.end + distance };
      },
      text: async (file) => readSource?.(file),
      address: async (file, line) => {
        const found = lines()?.codeFrom(file, line);
        return found && { ...found, address: found.address + this.#distance(found.address, 'linked') };
      },
    };
  }

  /** By the image's DWARF, or the file's, and the types of the kernel that runs. */
  types(): NonNullable<D.Debugger['types']> {
    const { lines, dwarf, frames } = this.options;
    const { linux } = this.kernel;
    return new DebugInfo(
      {
        dwarf: () => dwarf?.(),
        frames: () => frames?.(),
        find: () => this.kernel.find(),
        btf: () => {
          const kernel = linux.kernel();
          return kernel?.has('__start_BTF') ? kernel.btf : undefined;
        },
        distance: (address, as) => this.#distance(address, as),
        frameRow: (address) => linux.frameRow(address),
        currentTask: () => {
          const kernel = linux.kernel();
          return kernel && currentTaskOffset(kernel);
        },
        files: (offset) => lines?.()?.filesAt(offset) ?? [],
        symbol: async (name) => (await this.symbols()).find((symbol) => symbol.name === name)?.address,
      },
      () => new Promise((resolve) => setImmediate(resolve)),
      () => performance.now(),
    );
  }

  /** How far KASLR moved the code at an address from where the file of symbols has it. */
  #distance(address: bigint, as: 'loaded' | 'linked' = 'loaded'): bigint {
    const linked = this.options.symbols?.find(({ name }) => name === '_text')?.address;
    const base = linked === undefined ? undefined : this.kernel.info?.base;
    if (linked === undefined || base === undefined) return 0n;
    return address < (as === 'loaded' ? base : linked) ? 0n : base - linked;
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
