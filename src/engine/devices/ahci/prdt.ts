/** A command's list of memory regions. @ahci 4.2.3.3 "Physical Region Descriptor Table" */
import type { BusMaster } from '../pci/bus-master.js';

const ENTRY_BYTES = 16;
const BYTE_COUNT = 0x3f_ffff;
/** Entries that are read at once. */
const BATCH = 8;

/** Where the next byte goes. */
export interface PrdtPosition {
  entry: number;
  offset: number;
}

/**
 * Moves data into memory or out of it, from a position of the list on, which it moves along.
 * @returns how many bytes; fewer than `data` has where the list or RAM ends.
 */
export function movePrdt(
  bus: BusMaster,
  list: { gpa: number; entries: number },
  position: PrdtPosition,
  data: Uint8Array,
  toMemory: boolean,
): number {
  let done = 0;
  while (done < data.length && position.entry < list.entries) {
    const count = Math.min(BATCH, list.entries - position.entry);
    const view = bus.view(list.gpa + position.entry * ENTRY_BYTES, count * ENTRY_BYTES);
    for (let i = 0; i < count && done < data.length; i++) {
      const at = i * ENTRY_BYTES;
      const gpa = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
      const room = (view.getUint32(at + 12, true) & BYTE_COUNT) + 1 - position.offset;
      const bytes = Math.min(room, data.length - done);
      if (!bus.contains(gpa + position.offset, bytes)) return done;
      if (toMemory) bus.write(gpa + position.offset, data.subarray(done, done + bytes));
      else data.set(bus.read(gpa + position.offset, bytes), done);
      done += bytes;
      position.offset += bytes;
      if (bytes < room) return done;
      position.entry++;
      position.offset = 0;
    }
  }
  return done;
}
