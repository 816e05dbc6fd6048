// The debugger's breakpoints as the core keeps them (core/exec/breakpoints.ts).
import { BREAK_PAGE_BITS, BREAK_PAGES, BREAK_SET, BREAK_SET_ENTRIES, BREAKPOINT_COUNT } from '../core/layout.js';
import { type FindBreakpoint, NO_BREAKPOINTS } from './discovery.js';

const MULTIPLIER = 0x9e3779b97f4a7c15n;

/** Tells where breakpoints are by the distance from a linear address. */
export function findBreakpoint(memory: DataView, from: bigint): FindBreakpoint {
  if (memory.getUint32(BREAKPOINT_COUNT, true) === 0) return NO_BREAKPOINTS;
  return (delta) => {
    const linear = BigInt.asUintN(64, from + BigInt(delta));
    const page = Number((linear >> 12n) & BigInt(BREAK_PAGE_BITS - 1));
    if (((memory.getUint8(BREAK_PAGES + (page >> 3)) >> (page & 7)) & 1) === 0) return false;
    let slot = Number(BigInt.asUintN(64, linear * MULTIPLIER) >> 32n) & (BREAK_SET_ENTRIES - 1);
    for (;;) {
      const entry = memory.getBigUint64(BREAK_SET + slot * 8, true);
      if (entry === 0n) return false;
      if (entry === BigInt.asUintN(64, linear + 1n)) return true;
      slot = (slot + 1) & (BREAK_SET_ENTRIES - 1);
    }
  };
}
