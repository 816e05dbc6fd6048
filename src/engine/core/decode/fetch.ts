// The decoder's byte source: one instruction's bytes, in a page of host memory or copied together
// from two. It stops at the page's end, at 15 bytes and at the code segment's limit.
import { BOUNCE } from '../layout';

/** An instruction that crosses a page is copied here. */
const CROSSING = BOUNCE + 0xc0;
export const MAX_INSTRUCTION_BYTES = 15;

export const STOP_NONE = 0;
export const STOP_PAGE = 1;
export const STOP_LENGTH = 2;
export const STOP_LIMIT = 3;

let start: usize = 0;
let at: usize = 0;
let end: usize = 0;
let stopAtEnd: u32 = STOP_NONE;
let stopped: u32 = STOP_NONE;

/** Starts at host address `hpa`; `inPage` bytes to the page's end, `inSegment` to the limit. */
export function fetchStart(hpa: usize, inPage: u32, inSegment: u64): void {
  start = hpa;
  at = hpa;
  stopped = STOP_NONE;
  let room: u32 = MAX_INSTRUCTION_BYTES;
  stopAtEnd = STOP_LENGTH;
  if (inSegment < u64(room)) {
    room = u32(inSegment);
    stopAtEnd = STOP_LIMIT;
  }
  if (inPage < room) {
    room = inPage;
    stopAtEnd = STOP_PAGE;
  }
  end = hpa + room;
}

/** Starts over with the rest of one page and the beginning of the next. */
export function fetchStartCrossing(hpa: usize, inPage: u32, nextPage: usize, inSegment: u64): void {
  memory.copy(CROSSING, hpa, inPage);
  memory.copy(CROSSING + inPage, nextPage, 16 - inPage);
  fetchStart(CROSSING, 16, inSegment);
}

/** Why bytes ran out, or STOP_NONE. */
export function fetchStopped(): u32 { return stopped; }
export function fetchedBytes(): u32 { return u32(at - start); }

export function fetch8(): u32 {
  if (at >= end) {
    stopped = stopAtEnd;
    return 0;
  }
  const value = load<u8>(at);
  at++;
  return value;
}

/** Steps back over the byte just read. */
export function unfetch(): void { at--; }
export function fetch16(): u32 {
  const low = fetch8();
  return low | (fetch8() << 8);
}
export function fetch32(): u32 {
  const low = fetch16();
  return low | (fetch16() << 16);
}
export function fetch64(): u64 {
  const low = u64(fetch32());
  return low | (u64(fetch32()) << 32);
}
