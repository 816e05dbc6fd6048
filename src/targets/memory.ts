/** Guest memory as a target reads it: physical bytes that may take a moment, and linear ones over the page tables. */

import type { PageWalk } from '../engine/debugger.js';
import { type PagingState, walkGuest } from '../engine/memory/guest-walk.js';
import type { Monitor } from './qemu/qmp.js';

/** Physical memory that is read without side effects; an answer is short where memory ends. */
export interface SlowMemory {
  read(gpa: bigint, length: number): Promise<Uint8Array> | Uint8Array;
}

/** Bytes that one `xp` asks for: its text has five characters a byte. */
const PIECE = 4096;

/** Memory by the monitor's `xp`: slow, but everywhere that a monitor is. */
export class MonitorMemory implements SlowMemory {
  constructor(private readonly monitor: Monitor) {}

  async read(gpa: bigint, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const count = Math.min(PIECE, length - at);
      // By words where it is much: half the text for the same bytes.
      const unit = count >= 8 ? 8 : 1;
      const items = Math.floor(count / unit);
      const text = await this.monitor.human(
        `xp /${items}x${unit === 8 ? 'g' : 'b'} 0x${(gpa + BigInt(at)).toString(16)}`,
      );
      const values = [
        ...text.replace(/^[0-9a-f]+:/gm, '').matchAll(unit === 8 ? /0x([0-9a-f]{16})\b/g : /0x([0-9a-f]{2})\b/g),
      ];
      for (const [n, match] of values.slice(0, items).entries())
        bytes.set(Buffer.from(match[1]!, 'hex').reverse(), at + n * unit);
      at += Math.min(items, values.length) * unit;
      if (values.length < items) return bytes.subarray(0, at);
    }
    return bytes;
  }
}

/** A walk over memory that takes a moment: done again with each entry that it asked for, one a level. */
export async function walkSlowly(state: PagingState, gva: bigint, memory: SlowMemory): Promise<PageWalk> {
  const known = new Map<bigint, bigint | undefined>();
  for (;;) {
    let wanted: { address: bigint; bytes: 4 | 8 } | undefined;
    const walk = walkGuest(state, gva, (address, bytes) => {
      if (!known.has(address)) wanted ??= { address, bytes };
      return known.get(address);
    });
    if (!wanted) return walk;
    const { address, bytes } = wanted;
    const entry = Buffer.from(await memory.read(address, bytes));
    known.set(
      address,
      entry.length < bytes ? undefined : bytes === 8 ? entry.readBigUInt64LE() : BigInt(entry.readUInt32LE()),
    );
  }
}

/** Linear bytes, page by page, up to the first that is not mapped or not memory. */
export async function readLinear(
  state: PagingState,
  gva: bigint,
  length: number,
  memory: SlowMemory,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < length; ) {
    const address = BigInt.asUintN(64, gva + BigInt(at));
    const inPage = Math.min(length - at, 4096 - Number(address & 0xfffn));
    const { output } = await walkSlowly(state, address, memory);
    if (output === undefined) break;
    const bytes = await memory.read(output, inPage);
    parts.push(bytes);
    at += bytes.length;
    if (bytes.length < inPage) break;
  }
  return new Uint8Array(Buffer.concat(parts));
}
