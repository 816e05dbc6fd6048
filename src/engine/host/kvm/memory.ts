// Guest memory as a WebAssembly memory: page-aligned, zero, taken from the host page by page, shared
// with other JavaScript threads, and unmapped by the garbage collector, so that no view can outlive it.
import { KvmError } from './errors.js';
import { libc, MADV_DONTNEED } from './libc.js';

// TypeScript has WebAssembly's types in the DOM library only, which a Node program does not load.
declare const WebAssembly: {
  Memory: new (limits: { initial: number; maximum: number; shared: true }) => { buffer: SharedArrayBuffer };
};

const WASM_PAGE_BYTES = 65536;
const MAX_BYTES = 0x1_0000_0000;

export class GuestMemory {
  readonly bytes: Uint8Array;
  /** Host-virtual address. */
  readonly address: number;

  /** @param size bytes, a multiple of 4096, up to 4 GiB */
  constructor(readonly size: number) {
    if (size <= 0 || size % 4096 !== 0 || size > MAX_BYTES) {
      throw new KvmError('memory', `guest memory of ${size} bytes`, 'the size is a multiple of 4096, up to 4 GiB');
    }
    const pages = Math.ceil(size / WASM_PAGE_BYTES);
    try {
      const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
      this.bytes = new Uint8Array(memory.buffer, 0, size);
    } catch {
      throw new KvmError('memory', `the host has no room for ${size} bytes of guest memory`, 'give the guest less');
    }
    this.address = libc().addressOf(this.bytes);
  }

  /** Gives the host its pages back at once; the contents read as zero from now on. */
  release(): void {
    libc().madvise(this.address, this.size, MADV_DONTNEED);
  }
}
