/**
 * Which frames of a machine on KVM differ from a copy that is made of them. By a sum of what each holds: vCPUs, devices, the
 * debugger and the core beside KVM all write them, and the kernel's log of dirty pages knows of the first alone.
 */
import { RAM_BASE, TRACE_RECORD_BYTES, TRACE_RECORDS, TRACE_RING } from '../../core/layout.js';
import type { Framed } from '../../vmm/core-image.js';
import type { DirtyWatch, FrameWatcher } from '../../vmm/dirty-frames.js';

const PAGE = 4096;
const WORDS = PAGE / 4;
const RING_END = TRACE_RING + TRACE_RECORDS * TRACE_RECORD_BYTES;
/** Odd, of good spread: those of xxHash32. */
const PRIME_A = 0x9e3779b1;
const PRIME_B = 0x85ebca77;

/** Two sums of 32 bits over a page, each of every word and its place. */
function sum(words: Uint32Array, first: number, into: Uint32Array, at: number): void {
  let a = 0;
  let b = 0;
  for (let i = first; i < first + WORDS; i++) {
    const word = words[i];
    a = Math.imul(a ^ word, PRIME_A);
    a = (a << 13) | (a >>> 19);
    b = Math.imul((b << 7) | (b >>> 25), PRIME_B) + word;
  }
  into[at] = a;
  into[at + 1] = b;
}

export class ChangedFrames implements FrameWatcher {
  constructor(private readonly vm: Framed) {}

  watch(): DirtyWatch {
    const { u32, bytes } = this.vm.host;
    // of a page of zeros, both sums are 0: so is the copy at first
    const copied = new Uint32Array(2 * Math.ceil(bytes / PAGE));
    const now = new Uint32Array(2);
    const changed = function* (): Generator<number> {
      for (let hpa = TRACE_RING; hpa < bytes; hpa += PAGE) {
        if (hpa === RING_END) hpa = RAM_BASE;
        sum(u32, hpa / 4, now, 0);
        const at = (hpa / PAGE) * 2;
        if (now[0] !== copied[at] || now[1] !== copied[at + 1]) yield hpa;
      }
    };
    return {
      take: () => [...changed()],
      count: () => [...changed()].length,
      copied: (hpa, page) => {
        const words = new Uint32Array(page.buffer.slice(page.byteOffset, page.byteOffset + PAGE));
        sum(words, 0, copied, (hpa / PAGE) * 2);
      },
      close: () => {},
    };
  }
}
