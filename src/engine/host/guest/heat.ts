/** Where in guest-physical memory exits and writes fall. */
import { RAM_BASE, TRACE_RECORDS } from '../../core/layout.js';
import { readTrace } from '../../debug/trace-reader.js';
import type * as D from '../../debugger.js';
import type { DirtyWatch } from '../../vmm/dirty-frames.js';
import type { Machine } from '../../vmm/machine.js';
import type { Vm } from '../../vmm/vm.js';

const PAGE = 4096;
/** EPT violation, EPT misconfiguration. */
const WITH_GPA = new Set([48, 49]);

export class MemoryHeat {
  #watch: DirtyWatch | undefined;
  /** By page of RAM: at how many looks it had been written since the one before. */
  #writes = new Uint32Array(0);
  #looks = 0;
  /** Where the guest was at the last look. */
  #seen = -1;

  constructor(private readonly machine: Machine) {}

  /**
   * A look: what was written since the last one is added to its pages.
   * @param anew what was counted so far is forgotten
   */
  look(first: bigint, bytes: bigint, cells: number, anew: boolean): D.MemoryHeatCells {
    const { vm } = this.machine;
    const unknown = vm.realTime ? 'engine kvm does not report which pages are written' : this.#collect(anew);
    const exits = new Array<number>(cells).fill(0);
    const writes = new Array<number>(cells).fill(0);
    const cellOf = (gpa: bigint): number => Number(((gpa - first) * BigInt(cells)) / bytes);
    for (const { reason, gpa } of readTrace(vm.host, -1, TRACE_RECORDS))
      if (WITH_GPA.has(reason & 0xffff) && gpa >= first && gpa < first + bytes) exits[cellOf(gpa)]!++;
    const [from, end] = [first, first + bytes].map((gpa) => Math.min(this.#writes.length, Number(gpa >> 12n)));
    for (let page = from!; page < end!; page++)
      if (this.#writes[page]) writes[cellOf(BigInt(page) << 12n)]! += this.#writes[page]!;
    return { exits, writes, looks: this.#looks, ...(unknown === undefined ? {} : { unknown }) };
  }

  /** @returns why it is not known what was written */
  #collect(anew: boolean): string | undefined {
    const vm = this.machine.vm as Vm;
    try {
      if (anew || this.#writes.length === 0) {
        this.#writes = new Uint32Array(Math.ceil(vm.memoryBytes / PAGE));
        this.#looks = 0;
        this.#watch?.take();
        this.#seen = vm.icount;
      }
      if (this.#watch === undefined) {
        this.#watch = vm.dirtyFrames.watch();
        this.#watch.take();
      }
      // a guest that stands has written nothing, and a look drops its translations
      if (vm.icount === this.#seen) return undefined;
      for (const hpa of this.#watch.take()) {
        const page = (hpa - RAM_BASE) / PAGE;
        if (page >= 0 && page < this.#writes.length) this.#writes[page]!++;
      }
      this.#seen = vm.icount;
      this.#looks++;
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }
}
