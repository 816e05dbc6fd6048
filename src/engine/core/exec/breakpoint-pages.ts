// Pages that may hold a breakpoint of the debugger.
import { BREAKPOINT_COUNT, BREAK_PAGES, BREAK_PAGE_BITS } from '../layout';

/** May a breakpoint lie in the page of this linear address? */
@inline export function pageMayBreak(linear: u64): bool {
  const page = u32(linear >> 12) & (BREAK_PAGE_BITS - 1);
  return ((load<u8>((page >> 3) + BREAK_PAGES) >> (page & 7)) & 1) != 0;
}

@inline export function breakpointsNear(linear: u64): bool {
  return load<u32>(BREAKPOINT_COUNT) != 0 && pageMayBreak(linear);
}
