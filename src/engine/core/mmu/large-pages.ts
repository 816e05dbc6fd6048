// Which 4-KByte pieces of large pages the TLBs hold: INVLPG drops all pieces of the page, wherever they are, and is not to
// look through whole tables for them.
//
//   63                         16 15          0
//   | linear address >> 21       | groups      |   entry of LARGE_TABLE, by the chunk's low bits
//
// A chunk is 2 MiB of linear addresses, a group 32 pages of it: bit n is set while pieces of group n may be there.
import { LARGE_CHUNKS, LARGE_FIRST, LARGE_LAST, LARGE_TABLE, TLB_CODE, TLB_ENTRIES, TLB_READ, TLB_WRITE } from '../layout';

/** In a TLB entry's mark word: log2 of the size of the page, bits 8-15. */
export const MARK_SHIFT = 8;
/** The place of several chunks whose groups are not known. */
const SHARED: u64 = ~(<u64>0);
const GROUP_PAGES: u64 = 32;

@inline function placeOf(chunk: u64): usize { return <usize>LARGE_TABLE + (<usize>(<u32>chunk & (LARGE_CHUNKS - 1)) << 3); }

export function forgetLarge(): void {
  memory.fill(LARGE_TABLE, 0, LARGE_CHUNKS * 8);
  store<u64>(LARGE_FIRST, ~(<u64>0));
  store<u64>(LARGE_LAST, 0);
}

/** A piece of a page of 1 << shift bytes enters a TLB. */
export function keepLarge(page: u64, shift: u32): void {
  if (shift > 22) {
    const first = page >> (shift - 12) << (shift - 12);
    const last = first + (<u64>1 << (shift - 12)) - 1;
    if (first < load<u64>(LARGE_FIRST)) store<u64>(LARGE_FIRST, first);
    if (last > load<u64>(LARGE_LAST)) store<u64>(LARGE_LAST, last);
    return;
  }
  const chunk = page >> 9;
  const place = placeOf(chunk);
  const held = load<u64>(place);
  const group: u64 = <u64>1 << ((page & 511) / GROUP_PAGES);
  if (held == 0) store<u64>(place, chunk << 16 | group);
  else if (held >> 16 == chunk) store<u64>(place, held | group);
  else store<u64>(place, SHARED);
}

/** Removes what covers the page from `count` entries on. */
function dropFrom(table: usize, entry: usize, count: usize, page: u64): void {
  for (let at = table + (entry << 4); at < table + ((entry + count) << 4); at += 16) {
    const shift: u64 = (load<u32>(at, 12) >> MARK_SHIFT & 0xff) - 12;
    if (shift > 0 && load<u64>(at) >> 12 >> shift == page >> shift) store<u64>(at, 0);
  }
}

function dropEverywhere(entry: usize, count: usize, page: u64): void {
  dropFrom(TLB_READ, entry, count, page);
  dropFrom(TLB_WRITE, entry, count, page);
  dropFrom(TLB_CODE, entry, count, page);
}

/** Of one chunk, the pieces of the large page that holds the linear page. */
function dropChunk(chunk: u64, page: u64): void {
  const place = placeOf(chunk);
  const held = load<u64>(place);
  if (held == 0) return;
  if (held == SHARED) return dropEverywhere(0, TLB_ENTRIES, page);
  if (held >> 16 != chunk) return;
  for (let group: u64 = 0; group < 512 / GROUP_PAGES; group++) {
    if (held >> group & 1) dropEverywhere(<usize>(<u32>((chunk << 9) + group * GROUP_PAGES) & (TLB_ENTRIES - 1)), <usize>GROUP_PAGES, page);
  }
  // whatever large page lies around the linear page was all that its own chunk had
  if (chunk == page >> 9) store<u64>(place, 0);
}

/** Removes the pieces of the large page that holds the linear page from all tables. */
export function dropLarge(page: u64): void {
  if (page >= load<u64>(LARGE_FIRST) && page <= load<u64>(LARGE_LAST)) return dropEverywhere(0, TLB_ENTRIES, page);
  // a page of 4 MBytes lies in two chunks
  dropChunk(page >> 9, page);
  dropChunk(page >> 9 ^ 1, page);
}
