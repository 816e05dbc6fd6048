/** A command's memory as pages. @nvme 4.3 "Physical Region Page Entry and List" */
import type { BusMaster } from '../pci/bus-master.js';
import { STATUS } from './registers.js';

/** What a command's memory cannot be; its status is told to the host. */
export class CommandError extends Error {
  constructor(readonly status: number) {
    super(`status ${status.toString(16)}`);
  }
}

export interface Piece {
  gpa: number;
  bytes: number;
}

/** A list of pointers goes on in another page at its last entry. */
const ENTRY_BYTES = 8;

const pointer = (view: DataView, at: number): number =>
  view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;

/**
 * The pieces of memory that PRP1 and PRP2 mean, neighbours joined.
 * @throws CommandError when an entry is not at a page or not in RAM
 */
export function pieces(bus: BusMaster, pageBytes: number, prp1: number, prp2: number, bytes: number): Piece[] {
  const found: Piece[] = [];
  const add = (gpa: number, count: number) => {
    if (!bus.contains(gpa, count)) throw new CommandError(STATUS.transferError);
    const last = found.at(-1);
    if (last && last.gpa + last.bytes === gpa) last.bytes += count;
    else found.push({ gpa, bytes: count });
  };
  if (prp1 % 4 !== 0) throw new CommandError(STATUS.invalidPrp);
  const first = Math.min(bytes, pageBytes - (prp1 % pageBytes));
  add(prp1, first);
  let left = bytes - first;
  if (left === 0) return found;
  if (left <= pageBytes) {
    if (prp2 % pageBytes !== 0) throw new CommandError(STATUS.invalidPrp);
    add(prp2, left);
    return found;
  }
  let list = prp2;
  while (left > 0) {
    if (list % ENTRY_BYTES !== 0 || !bus.contains(list, ENTRY_BYTES)) throw new CommandError(STATUS.invalidPrp);
    const inPage = (pageBytes - (list % pageBytes)) / ENTRY_BYTES;
    const needed = Math.ceil(left / pageBytes);
    // all that are needed fit, or the last entry of the page leads on: then it has others before it, or nothing moves
    const chained = needed > inPage;
    const count = chained ? inPage - 1 : needed;
    if (count === 0 && chained && list % pageBytes !== pageBytes - ENTRY_BYTES)
      throw new CommandError(STATUS.invalidPrp);
    const view = bus.view(list, (count + (chained ? 1 : 0)) * ENTRY_BYTES);
    for (let i = 0; i < count; i++) {
      const gpa = pointer(view, i * ENTRY_BYTES);
      if (gpa % pageBytes !== 0) throw new CommandError(STATUS.invalidPrp);
      add(gpa, Math.min(left, pageBytes));
      left -= Math.min(left, pageBytes);
    }
    if (!chained) break;
    list = pointer(view, count * ENTRY_BYTES);
    // a list in the middle of a page with a single entry would lead on for ever
    if (list % pageBytes !== 0) throw new CommandError(STATUS.invalidPrp);
  }
  return found;
}

/** Fills memory with data, as much as there is of both. */
export function scatter(bus: BusMaster, to: readonly Piece[], data: Uint8Array): void {
  let at = 0;
  for (const { gpa, bytes } of to) {
    if (at >= data.length) return;
    bus.write(gpa, data.subarray(at, at + bytes));
    at += bytes;
  }
}

export function gather(bus: BusMaster, from: readonly Piece[]): Uint8Array {
  const data = new Uint8Array(from.reduce((sum, { bytes }) => sum + bytes, 0));
  let at = 0;
  for (const { gpa, bytes } of from) {
    data.set(bus.read(gpa, bytes), at);
    at += bytes;
  }
  return data;
}
