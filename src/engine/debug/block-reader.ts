import type { Debugger } from '../debugger.js';

const BLOCK_BYTES = 1024n;

/** A reader for many small pieces of a standing guest: few requests serve them. */
export function blockReader(debug: Debugger, vcpu: number): (gva: bigint, length: number) => Promise<Uint8Array> {
  const blocks = new Map<bigint, Promise<Uint8Array>>();
  const block = (start: bigint) => {
    let bytes = blocks.get(start);
    if (!bytes) {
      bytes = debug.readMemory('gva', start, Number(BLOCK_BYTES), vcpu);
      blocks.set(start, bytes);
    }
    return bytes;
  };
  return async (gva, length) => {
    const result = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const here = BigInt.asUintN(64, gva + BigInt(filled));
      const offset = Number(here % BLOCK_BYTES);
      const bytes = await block(here - BigInt(offset));
      const part = bytes.subarray(offset, offset + length - filled);
      result.set(part, filled);
      filled += part.length;
      if (offset + part.length < Number(BLOCK_BYTES)) break;
    }
    return result.subarray(0, filled);
  };
}
