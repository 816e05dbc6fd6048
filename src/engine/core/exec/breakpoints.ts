// The debugger's breakpoints: a set of linear addresses. A block ends before each, so that nothing is tested inside:
// the jump cache names only blocks that hold none, and is emptied when the set changes.
import {
  BREAKPOINT_COUNT, BREAKS_CHANGED, BREAK_GEN, BREAK_PAGES, BREAK_PAGE_BITS, BREAK_SET, BREAK_SET_ENTRIES, ICOUNT, JUMP_CACHE, JUMP_CACHE_ENTRIES,
  TOLD_ICOUNT, TOLD_RIP,
} from '../layout';

const MASK: u32 = BREAK_SET_ENTRIES - 1;

/** Where the search for a linear address begins: code is aligned, so its low bits say little. */
@inline function slotOf(linear: u64): u32 {
  return u32((linear * 0x9e3779b97f4a7c15) >> 32) & MASK;
}

@inline function entryAt(slot: u32): u64 { return load<u64>((slot << 3) + BREAK_SET); }

/** May a breakpoint lie in the page of this linear address? */
@inline function pageMayBreak(linear: u64): bool {
  const page = u32(linear >> 12) & (BREAK_PAGE_BITS - 1);
  return ((load<u8>((page >> 3) + BREAK_PAGES) >> (page & 7)) & 1) != 0;
}

/** Slot of a linear address, or of the free one that ends the search for it. */
function find(linear: u64): u32 {
  let slot = slotOf(linear);
  while (entryAt(slot) != 0 && entryAt(slot) != linear + 1) slot = (slot + 1) & MASK;
  return slot;
}

/** Is there a breakpoint at this linear address? */
export function breaksAt(linear: u64): bool {
  return load<u32>(BREAKPOINT_COUNT) != 0 && pageMayBreak(linear) && entryAt(find(linear)) != 0;
}

/** May one lie in [linear, linear + bytes)? At most a page. */
@inline export function breaksNear(linear: u64, bytes: u32): bool {
  return load<u32>(BREAKPOINT_COUNT) != 0 && (pageMayBreak(linear) || pageMayBreak(linear + bytes - 1));
}

/** A debugger knows that the vCPU stands at this linear address. */
@inline export function isTold(linear: u64): bool {
  return load<u64>(TOLD_RIP) == linear + 1 && load<u64>(TOLD_ICOUNT) == load<u64>(ICOUNT);
}

function changed(): void {
  store<u32>(BREAKS_CHANGED, 1);
  store<u32>(BREAK_GEN, load<u32>(BREAK_GEN) + 1);
}

/** Before blocks run: what the jump cache names was chosen for the breakpoints of before. */
export function seeBreakpoints(): void {
  if (!load<u32>(BREAKS_CHANGED)) return;
  store<u32>(BREAKS_CHANGED, 0);
  memory.fill(JUMP_CACHE, 0, JUMP_CACHE_ENTRIES * 16);
}

/** Forgets all of the debugger's breakpoints. */
export function clearBreakpoints(): void {
  memory.fill(BREAK_PAGES, 0, BREAK_PAGE_BITS / 8);
  memory.fill(BREAK_SET, 0, BREAK_SET_ENTRIES * 8);
  store<u32>(BREAKPOINT_COUNT, 0);
  changed();
}

/** Adds a breakpoint at a linear address; false: the table is full. */
export function addBreakpoint(linear: u64): bool {
  if (load<u32>(BREAKPOINT_COUNT) >= MASK) return false;
  const slot = find(linear);
  if (entryAt(slot)) return true;
  const page = u32(linear >> 12) & (BREAK_PAGE_BITS - 1);
  store<u8>((page >> 3) + BREAK_PAGES, load<u8>((page >> 3) + BREAK_PAGES) | <u8>(<u32>1 << (page & 7)));
  store<u64>((slot << 3) + BREAK_SET, linear + 1);
  store<u32>(BREAKPOINT_COUNT, load<u32>(BREAKPOINT_COUNT) + 1);
  changed();
  return true;
}

/** Takes one out. Its page stays marked until the last one is gone. */
export function removeBreakpoint(linear: u64): void {
  let hole = find(linear);
  if (!entryAt(hole)) return;
  if (load<u32>(BREAKPOINT_COUNT) == 1) return clearBreakpoints();
  store<u32>(BREAKPOINT_COUNT, load<u32>(BREAKPOINT_COUNT) - 1);
  // those behind it that were looked for over its place move up
  for (let slot = (hole + 1) & MASK; entryAt(slot) != 0; slot = (slot + 1) & MASK) {
    const home = slotOf(entryAt(slot) - 1);
    if (((slot - home) & MASK) < ((slot - hole) & MASK)) continue;
    store<u64>((hole << 3) + BREAK_SET, entryAt(slot));
    hole = slot;
  }
  store<u64>((hole << 3) + BREAK_SET, 0);
  changed();
}
