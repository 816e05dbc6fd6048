// Decoded blocks, keyed by host-physical address and decode mode.
//
// Block header, 32 bytes, then the micro-ops:
//   | hpa u32 | mode u32 | next u32 | count u16 | bytes u16 | second page u32 | next spilling u32 | heat u16 | compiled u16 | branch i32 |
// branch: the direct branch's target at its end, as an offset; 0: there is none.
// Page descriptor, found through BLOCK_HASH by page number:
//   | page u32 | next u32 | first spilling block u32 | - | 64 chains of blocks by address u32 |
import {
  BLOCK_HASH, BLOCK_HASH_ENTRIES, BLOCK_UOPS, BREAKPOINT_COUNT, CODE_LINES, CODE_PAGES, COUNTERS, COUNTER_BLOCKS_DECODED, COUNTER_CODE_INVALIDATED,
  COUNTER_POOL_DROPPED, DIRTY_FRAMES, JIT_EPOCH, JIT_INSIDE, JIT_PAGES, JIT_QUEUE, JIT_RANGES, JIT_QUEUE_BYTES, JIT_QUEUE_COUNT, JIT_STALE, JUMP_CACHE, JUMP_CACHE_ENTRIES, MODE_CODE64, MODE_FLAT, MODE_SINGLE, POOL_NEXT, SEG_CS, UOP_POOL,
  UOP_POOL_BYTES, XS_FAULT, XS_OK, XS_SINGLE,
} from '../layout';
import { UOP_BYTES, uFusedLength, uNext, uOp } from '../uop';
import { faultCode, segLimit } from '../state';
import { VEC_GP } from '../generated/events';
import { accessStatus, fetchPage } from '../mmu/access';
import { clearCode, markCode } from './code-pages';
import { DECODED, DECODE_STOPPED, decodeInstruction } from './decode';
import { STOP_LIMIT, fetchStart, fetchStartCrossing, fetchStopped } from './fetch';
import { branchTarget, finishBlock } from './fuse';
import { OP_FUSED, OP_REGION, OP_VECTOR } from '../generated/ops';
import { breaksAt, breaksNear } from '../exec/breakpoints';

export const BLOCK_HEADER = 32;
export const MAX_BLOCK_INSTRUCTIONS = 32;
const DEAD: u32 = 0xffffffff;
const PAGE_CHAINS = 64;
const PAGE_BYTES = 16 + PAGE_CHAINS * 4;
/** Room for one block and two page descriptors. */
const RESERVE = BLOCK_HEADER + (2 * MAX_BLOCK_INSTRUCTIONS + 2) * UOP_BYTES + 2 * PAGE_BYTES;

@inline export function blockCount(block: usize): u32 { return load<u16>(block, 12); }
@inline export function blockBytes(block: usize): u32 { return load<u16>(block, 14); }
/** Host page of the block that the dispatcher runs. */
export function runningPage(): u32 { return load<u32>(load<u32>(BLOCK_UOPS) - BLOCK_HEADER) & ~0xfff; }

/** Does an instruction of the block behind its first one begin at a breakpoint, when the block lies at this linear address? */
function breaksInside(block: usize, linear: u64): bool {
  const bytes = blockBytes(block);
  if (!breaksNear(linear, bytes)) return false;
  let u = block + BLOCK_HEADER;
  if (uOp(u) == OP_REGION) u = load<u32>(u, 20);
  while (true) {
    const op = uOp(u);
    const next = uNext(u);
    if (op >= OP_FUSED && op < OP_VECTOR && breaksAt(linear + next - uFusedLength(u))) return true;
    if (next >= bytes) return false;
    if (breaksAt(linear + next)) return true;
    u += UOP_BYTES;
  }
}

let status: i32 = XS_OK;
/** Why findBlock() answered 0: XS_FAULT, XS_EXIT, or XS_SINGLE (the code segment's limit cuts the block). */
export function blockStatus(): i32 { return status; }

function count(counter: u32): void {
  store<u64>(COUNTERS + counter * 8, load<u64>(COUNTERS + counter * 8) + 1);
}

/** A region that runs ends before its next block. */
function leaveRegion(): void {
  if (load<u32>(JIT_INSIDE)) store<u32>(JIT_INSIDE, JIT_STALE);
}

/** Forgets all decoded code of all vCPUs. */
export function dropBlocks(): void {
  leaveRegion();
  store<u32>(POOL_NEXT, UOP_POOL);
  memory.fill(BLOCK_HASH, 0, BLOCK_HASH_ENTRIES * 4);
  memory.fill(JUMP_CACHE, 0, JUMP_CACHE_ENTRIES * 16);
  memory.fill(CODE_PAGES, 0, 1 << 20);
  memory.fill(CODE_LINES, 0, 4 << 20);
  store<u32>(JIT_QUEUE_COUNT, 0);
  store<u32>(JIT_EPOCH, load<u32>(JIT_EPOCH) + 1);
}

/** Takes back what waits for the compiler. */
function emptyQueue(): void {
  const count = load<u32>(JIT_QUEUE_COUNT);
  for (let n: u32 = 0; n < count; n++) store<u16>(load<u32>(n * JIT_QUEUE_BYTES + JIT_QUEUE), 0, 26);
  store<u32>(JIT_QUEUE_COUNT, 0);
}

function findPage(page: u32): usize {
  let d: usize = load<u32>((((page >> 12) & (BLOCK_HASH_ENTRIES - 1)) << 2) + BLOCK_HASH);
  while (d != 0 && load<u32>(d) != page) d = load<u32>(d, 4);
  return d;
}

function ensurePage(page: u32): usize {
  let d = findPage(page);
  if (d != 0) return d;
  d = load<u32>(POOL_NEXT);
  store<u32>(POOL_NEXT, u32(d) + PAGE_BYTES);
  memory.fill(d, 0, PAGE_BYTES);
  const head: usize = (((page >> 12) & (BLOCK_HASH_ENTRIES - 1)) << 2) + BLOCK_HASH;
  store<u32>(d, page);
  store<u32>(d, load<u32>(head), 4);
  store<u32>(head, u32(d));
  return d;
}

@inline function chainOf(page: usize, hpa: u32): usize {
  return page + 16 + (((hpa >> 2) ^ (hpa >> 8)) & (PAGE_CHAINS - 1)) * 4;
}

/** True when a decoded block has one of these bytes, which lie in one page. Data may stand beside code in its line. */
export function holdsBlock(host: usize, bytes: u32): bool {
  const from = u32(host);
  const end = from + bytes;
  const d = findPage(from & ~0xfff);
  if (d == 0) return false;
  for (let chain = d + 16; chain < d + PAGE_BYTES; chain += 4) {
    for (let block: usize = load<u32>(chain); block != 0; block = load<u32>(block, 8)) {
      const start = load<u32>(block);
      if (start < end && start + blockBytes(block) > from) return true;
    }
  }
  // blocks of the page before it that end in this one
  for (let block: usize = load<u32>(d, 8); block != 0; block = load<u32>(block, 20)) {
    if ((from & 0xfff) < blockBytes(block) - (4096 - (load<u32>(block) & 0xfff))) return true;
  }
  return false;
}

/**
 * Forgets the blocks that have bytes in this page; called for writes to decoded code, and by the VMM for whatever it or
 * a device wrote: so the frame is noted as written too.
 */
export function invalidatePageCode(hpaPage: usize): void {
  const page = u32(hpaPage) & ~0xfff;
  const frame = <usize>(page >> 12);
  store<u8>(frame, load<u8>(frame, DIRTY_FRAMES) | 1, DIRTY_FRAMES);
  clearCode(page);
  const d = findPage(page);
  if (d == 0) return;
  count(COUNTER_CODE_INVALIDATED);
  leaveRegion();
  let block: usize = load<u32>(d, 8);
  while (block != 0) {
    if (blockCount(block) == PAGE_OF_REGION) forgetRegion(load<u32>(block, 8));
    else store<u32>(block, DEAD, 4);
    block = load<u32>(block, 20);
  }
  memory.fill(d + 8, 0, PAGE_BYTES - 8);
  // Entries of every vCPU's contexts may name a dead block; so may the compiler's queue.
  emptyQueue();
  memory.fill(JUMP_CACHE, 0, JUMP_CACHE_ENTRIES * 16);
}

/**
 * Block for the code at linear address `linear` (offset `rip` in CS), decoded when new.
 * Answers 0 when the first instruction cannot be fetched; see blockStatus(). `known`: the block that lay there in another context, or 0.
 * Most often it still does, and the way to it by its page is five places in memory that no cache has.
 */
export function findBlock(linear: u64, rip: u64, mode: u32, known: usize): usize {
  let inSegment: u64 = 0x10000;
  if (!(mode & (MODE_CODE64 | MODE_FLAT))) {
    const limit = u64(segLimit(SEG_CS));
    if (rip > limit) {
      status = faultCode(VEC_GP, 0);
      return 0;
    }
    inSegment = limit - rip + 1;
  }
  const frame = fetchPage(linear);
  if (frame == 0) {
    status = accessStatus();
    return 0;
  }
  const hpa = u32(frame) | (u32(linear) & 0xfff);
  if (
    known != 0 && load<u32>(known) == hpa && load<u32>(known, 4) == mode && load<u32>(known, 16) == 0 && u64(blockBytes(known)) <= inSegment &&
    load<u32>(BREAKPOINT_COUNT) == 0
  ) return known;
  const page = findPage(u32(frame));
  if (page != 0) {
    let block: usize = load<u32>(chainOf(page, hpa));
    while (block != 0) {
      if (load<u32>(block) == hpa && load<u32>(block, 4) == mode) {
        const second = load<u32>(block, 16);
        if (second != 0) {
          // The same first page may be mapped beside another second one.
          const found = u32(fetchPage((linear | 0xfff) + 1));
          if (found == 0) {
            status = accessStatus();
            return 0;
          }
          if (found != second) {
            block = load<u32>(block, 8);
            continue;
          }
        }
        if (u64(blockBytes(block)) > inSegment) {
          status = mode & MODE_SINGLE ? faultCode(VEC_GP, 0) : XS_SINGLE;
          return 0;
        }
        if (!(mode & MODE_SINGLE) && breaksInside(block, linear)) {
          block = load<u32>(block, 8);
          continue;
        }
        return block;
      }
      block = load<u32>(block, 8);
    }
  }
  return decodeBlock(linear, hpa, mode, inSegment);
}

/** May a block be decoded, and all others stay? */
export function hasRoom(): bool { return load<u32>(POOL_NEXT) != 0 && load<u32>(POOL_NEXT) + RESERVE <= u32(UOP_POOL + UOP_POOL_BYTES); }

function decodeBlock(linear: u64, hpa: u32, mode: u32, inSegment: u64): usize {
  if (!hasRoom()) {
    if (load<u32>(POOL_NEXT) != 0) count(COUNTER_POOL_DROPPED);
    dropBlocks();
  }
  const page = ensurePage(hpa & ~0xfff);
  const block: usize = load<u32>(POOL_NEXT);
  let u = block + BLOCK_HEADER;
  let n: u32 = 0;
  let bytes: u32 = 0;
  let second: u32 = 0;
  const most: u32 = mode & MODE_SINGLE ? 1 : MAX_BLOCK_INSTRUCTIONS;
  const watchful = breaksNear(linear, 4096);
  let cut = false;
  let ended = false;
  while (n < most) {
    cut = watchful && n != 0 && breaksAt(linear + bytes);
    if (cut) break;
    const inPage = 4096 - ((hpa & 0xfff) + bytes);
    if (inPage == 0) break;
    fetchStart(hpa + bytes, inPage, inSegment - u64(bytes));
    let decoded = decodeInstruction(u, mode, bytes, n);
    if (decoded == DECODE_STOPPED) {
      if (n > 0) break;
      if (fetchStopped() == STOP_LIMIT) {
        status = faultCode(VEC_GP, 0);
        return 0;
      }
      second = u32(fetchPage((linear | 0xfff) + 1));
      if (second == 0) {
        status = accessStatus();
        return 0;
      }
      fetchStartCrossing(hpa, inPage, second, inSegment);
      decoded = decodeInstruction(u, mode, 0, 0);
      if (decoded == DECODE_STOPPED) {
        status = faultCode(VEC_GP, 0);
        return 0;
      }
    }
    bytes = load<u16>(u, 12);
    n++;
    u += UOP_BYTES;
    ended = decoded != DECODED;
    if (ended || second != 0) break;
    if (inSegment <= u64(bytes)) break;
  }
  u = finishBlock(block + BLOCK_HEADER, u, ended, mode, bytes, n);
  store<u32>(POOL_NEXT, u32(u));
  store<u32>(block, hpa);
  store<u32>(block, mode, 4);
  let chain = chainOf(page, hpa);
  // whole ones are found before those that end at a breakpoint
  if (cut) while (load<u32>(chain) != 0) chain = usize(load<u32>(chain)) + 8;
  store<u32>(block, load<u32>(chain), 8);
  store<u32>(chain, u32(block));
  store<u16>(block, u16(n), 12);
  store<u16>(block, u16(bytes), 14);
  store<u32>(block, second, 16);
  store<u32>(block, 0, 20);
  store<u32>(block, 0, 24);
  store<i32>(block, branchTarget(), 28);
  if (second != 0) {
    const inFirst = 4096 - (hpa & 0xfff);
    markCode(hpa, inFirst);
    markCode(second, bytes - inFirst);
    const other = ensurePage(second);
    store<u32>(block, load<u32>(other, 8), 20);
    store<u32>(other, u32(block), 8);
  } else markCode(hpa, bytes);
  count(COUNTER_BLOCKS_DECODED);
  return block;
}

/** Marks, as a count of instructions, the records by which a page knows the regions that depend on it. */
const PAGE_OF_REGION: u32 = 0xffff;
/** Offsets from a region's micro-op, see installRegion(). */
export const REGION_RIP = UOP_BYTES;
export const REGION_GEN = UOP_BYTES + 8;
export const REGION_RANGES = UOP_BYTES + 12;
export const REGION_BREAK_RIP = UOP_BYTES + 16;
export const REGION_BREAK_GEN = UOP_BYTES + 24;
export const REGION_UNBROKEN = UOP_BYTES + 28;
export const REGION_MADE_RIP = UOP_BYTES + 32;
export const REGION_MADE_GEN = UOP_BYTES + 40;
/** How far its code and its branches reach. */
export const REGION_LOW = UOP_BYTES + 44;
export const REGION_HIGH = UOP_BYTES + 48;
/** Ways out of it until it is compiled anew; 0: never. */
export const REGION_WAYS_OUT = UOP_BYTES + 52;
const REGION_SEEN_BYTES = 64;
export const REGION_LISTS = UOP_BYTES + REGION_SEEN_BYTES;
const REGION_BYTES = BLOCK_HEADER + UOP_BYTES + REGION_SEEN_BYTES;

/** The region is not found any more; its block may be compiled again. */
export function forgetRegion(region: usize): void {
  store<u32>(region, DEAD, 4);
  store<u32>(load<u32>(region + BLOCK_HEADER, 20) - BLOCK_HEADER, 0, 24);
}

/**
 * Gives a block compiled code: a block of one micro-op OP_REGION is found in its place from now on. JIT_PAGES holds the
 * further pages that it depends on, JIT_RANGES where its code is and which breakpoints it ends before.
 *
 *   | header | op u16, - , instructions ahead u32 @8, function u32 @16, micro-op of the block u32 @20, stored flags u32 @24, pages u32 @28 |
 *   | RIP u64, CTX_GEN u32 at which the pages were looked at, ranges u32 |
 *   | RIP u64, BREAK_GEN u32 at which breakpoints were looked for, 1 when none lies inside u32 | RIP u64, BREAK_GEN u32 when compiled, reach back i32, ahead i32 | ways out u32, - |
 *   | {distance i32, frame u32} a page | {distance i32, bytes u32} a range |
 *
 * @param index place of the function in the table
 * @param storedFlags 1 when it wants the flags in RFLAGS
 * @param ahead instructions that must be left for it to begin: with fewer it would end at once
 */
export function installRegion(block: usize, index: u32, storedFlags: u32, ahead: u32): void {
  const pages = load<u32>(JIT_PAGES);
  const ranges = load<u32>(JIT_RANGES, 8);
  if (load<u32>(block, 4) == DEAD || load<u32>(POOL_NEXT) + RESERVE + pages * 512 + ranges * 8 > u32(UOP_POOL + UOP_POOL_BYTES)) return;
  const page = findPage(load<u32>(block) & ~0xfff);
  if (page == 0) return;
  const region: usize = load<u32>(POOL_NEXT);
  const lists = (pages + ranges + ((pages + ranges) & 1)) << 3;
  store<u32>(POOL_NEXT, u32(region) + REGION_BYTES + lists + pages * BLOCK_HEADER);
  memory.copy(region, block, BLOCK_HEADER);
  const u = region + BLOCK_HEADER;
  memory.fill(u, 0, UOP_BYTES + REGION_SEEN_BYTES);
  store<u32>(u, load<u32>(JIT_PAGES, 4), REGION_WAYS_OUT);
  store<u16>(u, OP_REGION);
  store<u32>(u, ahead, 8);
  store<u32>(u, index, 16);
  store<u32>(u, u32(block + BLOCK_HEADER), 20);
  store<u32>(u, storedFlags, 24);
  store<u32>(u, pages, 28);
  store<u32>(u, ranges, REGION_RANGES);
  store<u64>(u, load<u64>(JIT_RANGES), REGION_BREAK_RIP);
  store<u32>(u, load<u32>(JIT_RANGES, 12), REGION_BREAK_GEN);
  store<u32>(u, 1, REGION_UNBROKEN);
  store<u64>(u, load<u64>(JIT_RANGES), REGION_MADE_RIP);
  store<u32>(u, load<u32>(JIT_RANGES, 12), REGION_MADE_GEN);
  memory.copy(region + REGION_BYTES, JIT_PAGES + 8, pages << 3);
  store<u64>(u, load<u64>(JIT_RANGES, 16), REGION_LOW); // and REGION_HIGH
  memory.copy(region + REGION_BYTES + (pages << 3), JIT_RANGES + 24, ranges << 3);
  const records = region + REGION_BYTES + lists;
  for (let n: u32 = 0; n < pages; n++) {
    const frame = load<u32>((n << 3) + JIT_PAGES, 12);
    const record = records + n * BLOCK_HEADER;
    memory.fill(record, 0, BLOCK_HEADER);
    // one byte at the end of the page before: nothing of it lies in the page (see holdsBlock)
    store<u32>(record, frame - 1);
    store<u16>(record, u16(PAGE_OF_REGION), 12);
    store<u16>(record, 1, 14);
    store<u32>(record, u32(region), 8);
    const other = ensurePage(frame);
    store<u32>(record, load<u32>(other, 8), 20);
    store<u32>(other, u32(record), 8);
  }
  store<u16>(block, 1, 26);
  const chain = chainOf(page, load<u32>(block));
  store<u32>(region, load<u32>(chain), 8);
  store<u32>(chain, u32(region));
  for (let slot = JUMP_CACHE; slot < JUMP_CACHE + JUMP_CACHE_ENTRIES * 16; slot += 16) {
    if (load<u32>(slot, 12) == u32(block)) store<u32>(slot, u32(region), 12);
  }
}
