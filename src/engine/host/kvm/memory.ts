// Guest memory as a WebAssembly memory: page-aligned, zero, taken from the host page by page, shared
// with other JavaScript threads, and unmapped by the garbage collector, so that no view can outlive it.
import { KvmError } from './errors.js';
import { libc, MADV_DONTNEED } from './libc.js';

// TypeScript has WebAssembly's types in the DOM library only, which a Node program does not load.
declare const WebAssembly: {
  Memory: new (limits: { initial: number; maximum: number; shared: true }) => SharedMemory;
};

export interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
}

const WASM_PAGE_BYTES = 65536;
const MAX_BYTES = 0x1_0000_0000;

export class GuestMemory {
  readonly bytes: Uint8Array;
  /** Host-virtual address. */
  readonly address: number;
  /** The WebAssembly memory that holds it, from `before` on. */
  readonly memory: SharedMemory;

  /**
   * @param size bytes, a multiple of 4096
   * @param before bytes of the same WebAssembly memory that the guest does not see, a multiple of 4096
   * @param after the same behind guest memory; all together up to 4 GiB
   */
  constructor(
    readonly size: number,
    private readonly before = 0,
    private readonly after = 0,
  ) {
    const whole = before + size + after;
    if (size <= 0 || size % 4096 !== 0 || whole > MAX_BYTES) {
      throw new KvmError('memory', `guest memory of ${size} bytes`, 'the size is a multiple of 4096, up to 4 GiB');
    }
    const pages = Math.ceil(whole / WASM_PAGE_BYTES);
    try {
      this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
      this.bytes = new Uint8Array(this.memory.buffer, before, size);
    } catch {
      throw new KvmError('memory', `the host has no room for ${size} bytes of guest memory`, 'give the guest less');
    }
    this.address = libc().addressOf(this.bytes);
  }

  /** Gives the host its pages back at once; the contents read as zero from now on. */
  release(): void {
    libc().madvise(this.address - this.before, this.before + this.size + this.after, MADV_DONTNEED);
  }
}
