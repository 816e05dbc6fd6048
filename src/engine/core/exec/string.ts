// String instructions. One iteration of a repeated one is one retired instruction; iterations run on
// until the slice ends, so RIP stays on the instruction and NEXT_RIP is set back to it when some are left.
import {
  ICOUNT, NEXT_RIP, OP_LINEAR, OP_VALUE, RAX, RCX, RDI, RFLAGS, RIP, RSI, SEG_ES, SINGLE, SLICE_END, TLB_READ, TLB_WRITE,
  XS_OK,
} from '../layout';
import { accessStatus, readable, writable } from '../mmu/access';
import { inTlb } from '../mmu/tlb';
import { UF_REP, UF_REPNE, uAddrSize, uFlags, uOpSize, uSeg } from '../uop';
import { DF, STATUS, setFlags, sizeMask, subFlags } from './flags';
import { cutAddress, readLinear, storeRegister, storeSized, loadSized, writeLinear } from './operand';
import { goesOn } from './repeat';
import { segmentLinear } from './segment';

@inline function step(bytes: u32): u64 { return load<u32>(RFLAGS) & DF ? 0 - u64(bytes) : u64(bytes); }

/** Moves an index register by `by`, in the address size. */
@inline function advance(register: usize, size: u32, by: u64): void {
  storeRegister(register, size, load<u64>(register) + by);
}

/** Iterations that may be done now: as many as the counter says, up to the slice's end; 1 without a repeat prefix. */
function iterations(u: usize): u64 {
  if (!(uFlags(u) & (UF_REP | UF_REPNE))) return 1;
  const count = cutAddress(load<u64>(RCX), uAddrSize(u));
  if (load<u32>(SINGLE)) return min<u64>(count, 1);
  const room = load<u64>(SLICE_END) - load<u64>(ICOUNT);
  return min<u64>(count, max<u64>(room, 1));
}

/** Counts `done` iterations off. The caller counts one instruction more, when it answers XS_OK. */
@inline function retire(u: usize, done: u64): void {
  if (done == 0) return;
  if (uFlags(u) & (UF_REP | UF_REPNE)) {
    const size = uAddrSize(u);
    storeRegister(RCX, size, cutAddress(load<u64>(RCX) - done, size));
  }
}

/** All done or stopped by a fault after `done` iterations: status of the helper. */
function finish(u: usize, done: u64, wanted: u64, ended: bool): i32 {
  retire(u, done);
  const repeated = (uFlags(u) & (UF_REP | UF_REPNE)) != 0;
  if (done < wanted && !ended) {
    const begun = load<u64>(ICOUNT);
    store<u64>(ICOUNT, begun + done);
    if (done) goesOn(begun, begun + done);
    return accessStatus();
  }
  const before = load<u64>(ICOUNT);
  if (done > 1) store<u64>(ICOUNT, before + done - 1);
  if (repeated && !ended && cutAddress(load<u64>(RCX), uAddrSize(u)) != 0) {
    store<u64>(NEXT_RIP, load<u64>(RIP));
    goesOn(before, before + done);
  }
  return XS_OK;
}

/** Elements of `bytes` from la upwards that stay in its page. */
@inline function elementsInPage(la: u64, bytes: u32): u64 { return u64(0x1000 - (u32(la) & 0xfff)) / u64(bytes); }

/** Elements that an offset can go up before it wraps in its address size. */
@inline function elementsBeforeWrap(offset: u64, size: u32, bytes: u32): u64 {
  if (size == 8) return ~u64(0);
  return ((size == 4 ? u64(0xffffffff) : u64(0xffff)) - offset) / u64(bytes);
}

export function execMovs(u: usize): i32 {
  const bytes = uOpSize(u);
  const size = uAddrSize(u);
  const by = step(bytes);
  const wanted = iterations(u);
  let done: u64 = 0;
  while (done < wanted) {
    const from = cutAddress(load<u64>(RSI), size);
    const to = cutAddress(load<u64>(RDI), size);
    if (wanted - done > 4 && i64(by) > 0) {
      const moved = moveRun(u, from, to, wanted - done, bytes, size);
      if (moved) {
        done += moved;
        continue;
      }
    }
    if (!segmentLinear(uSeg(u), from, bytes, false) || !readLinear(load<u64>(OP_LINEAR), bytes)) break;
    const value = load<u64>(OP_VALUE);
    if (!segmentLinear(SEG_ES, to, bytes, true) || !writeLinear(load<u64>(OP_LINEAR), bytes, value)) break;
    advance(RSI, size, by);
    advance(RDI, size, by);
    done++;
  }
  return finish(u, done, wanted, false);
}

/** Copies many elements upwards inside one source page and one target page; 0: do one the slow way. */
function moveRun(u: usize, from: u64, to: u64, wanted: u64, bytes: u32, size: u32): u64 {
  let n = min<u64>(wanted, min<u64>(elementsBeforeWrap(from, size, bytes), elementsBeforeWrap(to, size, bytes)));
  if (n < 2) return 0;
  if (!segmentLinear(uSeg(u), from, bytes, false)) return 0;
  const source = load<u64>(OP_LINEAR);
  if (!segmentLinear(SEG_ES, to, bytes, true)) return 0;
  const target = load<u64>(OP_LINEAR);
  n = min<u64>(n, min<u64>(elementsInPage(source, bytes), elementsInPage(target, bytes)));
  if (n < 2 || !inTlb(TLB_READ, source) || !inTlb(TLB_WRITE, target)) return 0;
  const length = u32(n) * bytes;
  if (!segmentLinear(uSeg(u), from, length, false) || !segmentLinear(SEG_ES, to, length, true)) return 0;
  const p = readable<u8>(source);
  const q = writable<u8>(target);
  if (q > p && q < p + length) {
    // The target runs into the source: each element must see the ones before it.
    for (let i: u32 = 0; i < length; i += bytes) storeSized(q + i, bytes, loadSized(p + i, bytes));
  } else memory.copy(q, p, length);
  advance(RSI, size, u64(length));
  advance(RDI, size, u64(length));
  return n;
}

export function execStos(u: usize): i32 {
  const bytes = uOpSize(u);
  const size = uAddrSize(u);
  const by = step(bytes);
  const wanted = iterations(u);
  const value = load<u64>(RAX) & sizeMask(bytes);
  let done: u64 = 0;
  while (done < wanted) {
    const to = cutAddress(load<u64>(RDI), size);
    if (wanted - done > 4 && i64(by) > 0) {
      const stored = storeRun(to, wanted - done, bytes, size, value);
      if (stored) {
        done += stored;
        continue;
      }
    }
    if (!segmentLinear(SEG_ES, to, bytes, true) || !writeLinear(load<u64>(OP_LINEAR), bytes, value)) break;
    advance(RDI, size, by);
    done++;
  }
  return finish(u, done, wanted, false);
}

function storeRun(to: u64, wanted: u64, bytes: u32, size: u32, value: u64): u64 {
  let n = min<u64>(wanted, elementsBeforeWrap(to, size, bytes));
  if (n < 2 || !segmentLinear(SEG_ES, to, bytes, true)) return 0;
  const target = load<u64>(OP_LINEAR);
  n = min<u64>(n, elementsInPage(target, bytes));
  if (n < 2 || !inTlb(TLB_WRITE, target)) return 0;
  const length = u32(n) * bytes;
  if (!segmentLinear(SEG_ES, to, length, true)) return 0;
  const q = writable<u8>(target);
  if (bytes == 1 || value == 0) memory.fill(q, u8(value), length);
  else for (let i: u32 = 0; i < length; i += bytes) storeSized(q + i, bytes, value);
  advance(RDI, size, u64(length));
  return n;
}

export function execLods(u: usize): i32 {
  const bytes = uOpSize(u);
  const size = uAddrSize(u);
  const by = step(bytes);
  const wanted = iterations(u);
  let done: u64 = 0;
  while (done < wanted) {
    if (!segmentLinear(uSeg(u), cutAddress(load<u64>(RSI), size), bytes, false)) break;
    if (!readLinear(load<u64>(OP_LINEAR), bytes)) break;
    storeRegister(RAX, bytes, load<u64>(OP_VALUE));
    advance(RSI, size, by);
    done++;
  }
  return finish(u, done, wanted, false);
}

/** Does the repeat prefix end the loop after a comparison? REPE (F3) goes on while equal, REPNE (F2) while not. */
@inline function comparisonEnds(u: usize, equal: bool): bool {
  const flags = uFlags(u);
  return flags & UF_REP ? !equal : flags & UF_REPNE ? equal : false;
}

export function execScas(u: usize): i32 {
  const bytes = uOpSize(u);
  const size = uAddrSize(u);
  const by = step(bytes);
  const wanted = iterations(u);
  const a = load<u64>(RAX) & sizeMask(bytes);
  let done: u64 = 0;
  let ended = false;
  while (done < wanted && !ended) {
    if (!segmentLinear(SEG_ES, cutAddress(load<u64>(RDI), size), bytes, false)) break;
    if (!readLinear(load<u64>(OP_LINEAR), bytes)) break;
    const b = load<u64>(OP_VALUE);
    setFlags(STATUS, subFlags(a, b, (a - b) & sizeMask(bytes), bytes));
    advance(RDI, size, by);
    done++;
    ended = comparisonEnds(u, a == b);
  }
  return finish(u, done, wanted, ended);
}

export function execCmps(u: usize): i32 {
  const bytes = uOpSize(u);
  const size = uAddrSize(u);
  const by = step(bytes);
  const wanted = iterations(u);
  let done: u64 = 0;
  let ended = false;
  while (done < wanted && !ended) {
    if (!segmentLinear(uSeg(u), cutAddress(load<u64>(RSI), size), bytes, false)) break;
    if (!readLinear(load<u64>(OP_LINEAR), bytes)) break;
    const a = load<u64>(OP_VALUE);
    if (!segmentLinear(SEG_ES, cutAddress(load<u64>(RDI), size), bytes, false)) break;
    if (!readLinear(load<u64>(OP_LINEAR), bytes)) break;
    const b = load<u64>(OP_VALUE);
    setFlags(STATUS, subFlags(a, b, (a - b) & sizeMask(bytes), bytes));
    advance(RSI, size, by);
    advance(RDI, size, by);
    done++;
    ended = comparisonEnds(u, a == b);
  }
  return finish(u, done, wanted, ended);
}
