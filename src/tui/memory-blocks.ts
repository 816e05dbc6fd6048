/** Guest memory in blocks: each is fetched once for all that lies in it. */
import type { AddressSpace, Debugger } from '../engine/debugger.js';
import type { Sources } from './sources.js';

export interface MemoryView {
  /** What could be read from the start address on; shorter than asked where memory ends. */
  bytes: Uint8Array;
  error?: string;
  pending: boolean;
}

const BLOCK_BYTES = 1024n;
const LAST_ADDRESS = (1n << 64n) - 1n;

/** Bytes from `address` on, as far as they are here. */
export function memoryView(
  sources: Sources,
  debug: Debugger,
  vcpu: number,
  space: AddressSpace,
  address: bigint,
  length: number,
): MemoryView {
  const result = new Uint8Array(length);
  let filled = 0;
  let error: string | undefined;
  let pending = false;
  while (filled < length) {
    const here = address + BigInt(filled);
    if (here > LAST_ADDRESS) break;
    const start = here - (here % BLOCK_BYTES);
    const block = sources.query<Uint8Array>(`memory ${space} ${vcpu} ${start}`, () =>
      debug.readMemory(space, start, Number(BLOCK_BYTES), vcpu),
    );
    pending ||= block.pending;
    const offset = Number(here - start);
    if (!block.value) {
      error = block.error;
      break;
    }
    const part = block.value.subarray(offset, offset + length - filled);
    result.set(part, filled);
    filled += part.length;
    if (block.value.length < Number(BLOCK_BYTES) && filled < length) {
      error = part.length || filled ? undefined : 'not mapped';
      break;
    }
  }
  return { bytes: result.subarray(0, filled), error, pending };
}
