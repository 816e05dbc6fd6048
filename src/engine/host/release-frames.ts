/** Gives frames of guest RAM back to the host's kernel. */
import { libc, MADV_DONTNEED } from './kvm/libc.js';

/**
 * The pages read as zeros afterwards and take no memory until they are written again. Where the C library cannot be
 * called they are only cleared. `hpa` and `bytes` are multiples of the page size.
 */
export function releaseFrames(memory: Uint8Array, hpa: number, bytes: number): void {
  const frames = memory.subarray(hpa, hpa + bytes);
  if (!advise(frames)) frames.fill(0);
}

let usable = process.platform === 'linux';

function advise(frames: Uint8Array): boolean {
  if (!usable) return false;
  try {
    const { madvise, addressOf } = libc();
    return madvise(addressOf(frames), frames.length, MADV_DONTNEED) === 0;
  } catch {
    usable = false;
    return false;
  }
}
