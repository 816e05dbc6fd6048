// Which pages of a machine's memory its guest has written, by KVM's dirty log.
import { libc } from './libc.js';
import { KVM_DIRTY_LOG, KvmStruct } from './structs.js';
import type { KvmVm } from './vm.js';

export const PAGE_BYTES = 4096;
const PAGES_PER_WORD = 32;

/**
 * The log of one memory slot. It has what vCPUs write, page tables' accessed and dirty bits included, and what KVM writes
 * for them; not what this process writes into the guest's memory itself. A page that is written again shows again.
 */
export class DirtyLog {
  private readonly bits: Uint32Array;
  private readonly request: KvmStruct;
  private readonly gpa: number;

  /** Starts the log, empty. @throws RangeError when the machine has no such slot */
  constructor(
    private readonly vm: KvmVm,
    private readonly slot: number,
  ) {
    const region = vm.slot(slot);
    vm.logDirtyPages(slot, true);
    this.gpa = region.gpa;
    // a buffer of its own, so that its address holds; KVM fills whole 64-bit words
    const words = Math.ceil(region.memory.size / PAGE_BYTES / 64) * 2;
    this.bits = new Uint32Array(new ArrayBuffer(words * 4));
    const address = libc().addressOf(new Uint8Array(this.bits.buffer));
    this.request = new KvmStruct(KVM_DIRTY_LOG).set('slot', slot).set('dirty_bitmap', address);
  }

  /** Guest-physical addresses of the pages written since the last call, ascending. No vCPU needs to stand. */
  take(): number[] {
    this.vm.handle.pointer('KVM_GET_DIRTY_LOG', this.request.bytes);
    const pages: number[] = [];
    for (let word = 0; word < this.bits.length; word++) {
      for (let rest = this.bits[word]; rest !== 0; rest &= rest - 1) {
        const bit = 31 - Math.clz32(rest & -rest);
        pages.push(this.gpa + (word * PAGES_PER_WORD + bit) * PAGE_BYTES);
      }
    }
    return pages;
  }

  /** Ends the log; the guest's writes cost nothing extra again. */
  close(): void {
    if (!this.vm.handle.closed) this.vm.logDirtyPages(this.slot, false);
  }
}
