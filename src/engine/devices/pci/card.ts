/** What a PCI card gets from the slot that it is put into, and what cards have in common. */
import type { Clock, GuestMemory } from '../device.js';
import type { BarRegion, PciFunction, PciPlace } from './function.js';

export interface CardSlot {
  readonly place: PciPlace;
  readonly memory: GuestMemory;
  readonly clock: Clock;
}

/** Makes a card for the slot that the board has for it. */
export type CardMaker = (slot: CardSlot) => PciFunction;

/** Registers of 32 bits at multiples of 4. */
export interface WordRegisters {
  read(offset: number): number;
  /** What `read` would answer, without its effects. */
  peek(offset: number): number;
  write(offset: number, value: number): void;
}

/** Accesses of fewer bytes to such registers: a read takes its part, a write keeps the others. */
export function narrowed(words: WordRegisters): BarRegion {
  const part = (word: number, offset: number, bytes: number) => {
    const value = word >>> (8 * (offset & 3));
    return bytes === 4 ? value : (value & (2 ** (8 * bytes) - 1)) >>> 0;
  };
  return {
    read: (offset, bytes) => part(words.read(offset & ~3), offset, bytes),
    peek: (offset, bytes) => part(words.peek(offset & ~3), offset, bytes),
    write: (offset, bytes, value) => {
      if (bytes === 4) {
        words.write(offset & ~3, value >>> 0);
        return;
      }
      const shift = 8 * (offset & 3);
      const mask = (2 ** (8 * bytes) - 1) << shift;
      words.write(offset & ~3, ((words.peek(offset & ~3) & ~mask) | ((value << shift) & mask)) >>> 0);
    },
  };
}
