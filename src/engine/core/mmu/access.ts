// Guest memory by linear address: the inlined fast path, and the slow path behind it.
//
// The fast path is one TLB compare. The slow path splits an access at the page boundary into at most
// two parts, translates both before anything happens, and serves what cannot be done through one
// host pointer (page crossing, MMIO) from a bounce buffer.
import {
  ACCESS_NONCANONICAL, ATT_TPR, ASSIST_ADDRESS, ASSIST_BYTES, ASSIST_DATA, ASSIST_KIND, ASSIST_MMIO, ASSIST_WRITE, BOUNCE, BOUNCE_BYTES,
  COUNTERS, COUNTER_TLB_MISS, CTX, CTX_PLAIN, CTX_SYSTEM, DR7, EFER, ICOUNT, CR4, LATCHES, LATCH_BYTES, LATCH_COUNT,
  LATCH_CURSOR, LATCH_EVENT, LATCH_ICOUNT, NEXT_CTX_GEN, NMI_UNBLOCKED, SINGLE, TLB_CODE, TLB_ENTRIES, TLB_READ, TLB_WRITE, VECTORING_INFO,
  WATCHPOINT_COUNT, WATCH_HIT, WRITTEN_PAGES, WRITTEN_PAGES_BYTES, XS_EXIT, XS_OK, XS_RETRY,
} from '../layout';
import { canonicalAddress, attend, decide, decided, faultCode, refuse } from '../state';
import { DR7_ENABLES, EFER_LMA } from '../generated/register-bits';
import { VEC_AC, VEC_GP, VEC_SS } from '../generated/events';
import { EXIT_REASON_APIC_ACCESS, EXIT_REASON_EPT_MISCONFIG, EXIT_REASON_EPT_VIOLATION } from '../generated/exits';
import { askMmio } from '../vmx/ask';
import { exitGla, exitGpa, vmExit } from '../vmx/exit';
import {
  ACCESS_FETCH, ACCESS_READ, ACCESS_WRITE, eptEntry, eptFailure, eptPermissions, eptTranslate, eptValue, holdsCode, tprShadowPage,
} from './ept';
import { besideCode, codeTouched, mustRunAlone } from './code';
import { deviceGpa, devicePage, devicePermissions, deviceShift, keepDevicePage, standsWithoutFrame } from './device-pages';
import { askForEntry } from './outside-entries';
import { ASID_ALIGNMENT, ASID_SHIFT, CTX_AC, CTX_MARK, CTX_USER, fillTlb, MARK_CODE } from './tlb';
import { walk, walkGpa, walkShift } from './walk';
import { pageWatched, watchHits, watchRecord } from './watch';

/** Host address of bytes that lie in one page which a table of the TLB holds, or 0. */
@inline export function cached(table: usize, la: u64, bytes: u32): usize { return cachedAs(table, la, bytes, load<u32>(CTX)); }

/** The same in another context. */
@inline export function cachedAs(table: usize, la: u64, bytes: u32, ctx: u32): usize {
  const entry = table + ((<usize>(<u32>la >> 12) & (TLB_ENTRIES - 1)) << 4);
  if (load<u64>(entry) != (((la + (bytes - 1)) & ~(<u64>0xfff)) | ctx)) return 0;
  return <u32>la + load<u32>(entry, 8);
}

/** Host pointer for a read of sizeof<T>() bytes at the linear address, or 0 (see accessStatus). */
// fast path: 10 wasm ops, 3 loads
@inline export function readable<T>(la: u64): usize {
  const entry = (<usize>(<u32>la >> 12) & (TLB_ENTRIES - 1)) << 4;
  if (load<u64>(entry, TLB_READ) == (((la + (sizeof<T>() - 1)) & ~(<u64>0xfff)) | load<u32>(CTX))) {
    return <u32>la + load<u32>(entry, TLB_READ + 8);
  }
  return readSlow(la, sizeof<T>());
}

/** Host pointer for a write of sizeof<T>() bytes, or 0. Store through it, then call wrote. */
@inline export function writable<T>(la: u64): usize {
  const entry = (<usize>(<u32>la >> 12) & (TLB_ENTRIES - 1)) << 4;
  if (load<u64>(entry, TLB_WRITE) == (((la + (sizeof<T>() - 1)) & ~(<u64>0xfff)) | load<u32>(CTX))) {
    return <u32>la + load<u32>(entry, TLB_WRITE + 8);
  }
  return writeSlow(la, sizeof<T>(), false);
}

/** Host pointer for a read-modify-write of sizeof<T>() bytes, or 0. Change it there, then call wrote. */
@inline export function modifiable<T>(la: u64): usize {
  const entry = (<usize>(<u32>la >> 12) & (TLB_ENTRIES - 1)) << 4;
  if (load<u64>(entry, TLB_WRITE) == (((la + (sizeof<T>() - 1)) & ~(<u64>0xfff)) | load<u32>(CTX))) {
    return <u32>la + load<u32>(entry, TLB_WRITE + 8);
  }
  return writeSlow(la, sizeof<T>(), true);
}

/** Completes a write through the pointer of writable or modifiable; false: not complete, see accessStatus. */
@inline export function wrote<T>(p: usize): bool {
  if (<u32>(p - BOUNCE) >= <u32>BOUNCE_BYTES) return true;
  return wroteSlow(sizeof<T>());
}

/** readable for the 32 bytes of a YMM register. */
@inline export function readable32(la: u64): usize {
  const entry = (<usize>(<u32>la >> 12) & (TLB_ENTRIES - 1)) << 4;
  if (load<u64>(entry, TLB_READ) == (((la + 31) & ~(<u64>0xfff)) | load<u32>(CTX))) return <u32>la + load<u32>(entry, TLB_READ + 8);
  return readSlow(la, 32);
}

/** writable for 32 bytes. */
@inline export function writable32(la: u64): usize {
  const entry = (<usize>(<u32>la >> 12) & (TLB_ENTRIES - 1)) << 4;
  if (load<u64>(entry, TLB_WRITE) == (((la + 31) & ~(<u64>0xfff)) | load<u32>(CTX))) return <u32>la + load<u32>(entry, TLB_WRITE + 8);
  return writeSlow(la, 32, false);
}

/** wrote for 32 bytes. */
@inline export function wrote32(p: usize): bool { return <u32>(p - BOUNCE) >= <u32>BOUNCE_BYTES || wroteSlow(32); }

/** XS_FAULT, XS_EXIT or XS_RETRY of the last access that answered 0 or false. */
export function accessStatus(): i32 { return decided(); }

let metDevice: bool = false;
/** Of an access that answered XS_RETRY: does the instruction run alone because of a device? */
export function leadsToDevice(): bool { return metDevice; }

/** Turns the #GP(0) of a non-canonical address into #SS(0): the access went through SS. */
export function asStackFault(): void {
  if (load<u32>(ACCESS_NONCANONICAL)) faultCode(VEC_SS, 0);
}

// BOUNCE: bytes 0-127 hold the data of a write, 128-255 those of a read
const BOUNCE_READ: usize = BOUNCE + 0x80;

/** Accesses by the delivery of events, to system structures and fetches: RIP and ICOUNT are exact, exits need no retry. */
let exact: bool = false;

// the two parts of the access in hand; host 0: the data come from and go to the VMM
let host0: usize = 0;
let host1: usize = 0;
let gpa0: u64 = 0;
let gpa1: u64 = 0;
let bytes0: u32 = 0;
let bytes1: u32 = 0;
let linear0: u64 = 0;
let linear1: u64 = 0;
let permissions0: u32 = 0;
let permissions1: u32 = 0;
let modifies: bool = false;

export function setNmiUnblocked(on: bool): void { store<u32>(NMI_UNBLOCKED, on ? 1 : 0); }
export function nmiWasUnblocked(): bool { return load<u32>(NMI_UNBLOCKED) != 0; }

/** True when the exit may be taken now; otherwise the instruction has to run again, alone. */
function mayExit(): bool {
  if (exact || load<u32>(SINGLE)) return true;
  return retry();
}

/** Qualification bit 12: an IRET had unblocked NMIs, and no event was being delivered. */
function unblockingBit(): u64 {
  return nmiWasUnblocked() && !(load<u32>(VECTORING_INFO) >> 31) ? 0x1000 : 0;
}

/** Type of an access in the qualification of APIC-access exits. @sdm 3C 28.2.1 "Basic VM-Exit Information", table 28-6 */
function apicAccessType(access: u32, translated: bool): u32 {
  const delivering = load<u32>(VECTORING_INFO) >> 31 != 0;
  if (!translated) return delivering ? 10 : 15;
  if (delivering) return 3;
  return access & ACCESS_FETCH ? 2 : access & ACCESS_WRITE ? 1 : 0;
}

/** No linear address: MOV to CR3 loading the PDPTEs. */
const NO_LINEAR: u64 = ~(<u64>0);

/** EPT violation, misconfiguration or APIC access. `translated`: the access itself, not one to a paging structure. */
function eptExit(la: u64, gpa: u64, access: u32, permissions: u32, translated: bool, reason: u32): void {
  exitGpa(gpa);
  if (reason == EXIT_REASON_EPT_MISCONFIG) {
    vmExit(EXIT_REASON_EPT_MISCONFIG, 0);
    return;
  }
  if (reason == EXIT_REASON_APIC_ACCESS) {
    vmExit(EXIT_REASON_APIC_ACCESS, (gpa & 0xfff) | <u64>apicAccessType(access, translated) << 12);
    return;
  }
  if (la != NO_LINEAR) exitGla(la);
  vmExit(EXIT_REASON_EPT_VIOLATION, violation(la, access, permissions, translated));
}

/** Exit qualification of an EPT violation. @sdm 3C 28.2.1 "Basic VM-Exit Information", table 28-7 */
@inline function violation(la: u64, access: u32, permissions: u32, translated: bool): u64 {
  const place: u64 = (la != NO_LINEAR ? 0x80 : 0) | (translated ? 0x100 : 0);
  return <u64>access | permissions | place | unblockingBit();
}

/** The VMM translates: what EPT stops is told to it without a VM exit. */
let quiet: bool = false;
export function recordOnly(on: bool): void { quiet = on; }

/** For the walker: EPT stops the access to a paging-structure entry, which the VMM does or repairs the EPT for. */
export function structureViolation(la: u64, gpa: u64, access: u32, bytes: u32, write: bool, data: u64): void {
  if (!quiet && !mayExit()) return;
  askForEntry(gpa, bytes, write, data);
  if (quiet) decide(XS_EXIT);
  else eptExit(la, gpa, access, eptPermissions, false, eptFailure);
}

// ---- translation of one page ----

let pageMark: u32 = 0;
let pageGpa: u64 = 0;
let pageShift: u32 = 0;
let pageInTlb: bool = false;

/**
 * Host address of a linear address for one access inside a page; 0: not translated. Then either the
 * fault or exit is recorded (pageStopped), or the guest-physical address pageGpa has no frame.
 */
let pageStopped: bool = false;
function translate(la: u64, access: u32, ctx: u32): usize {
  const table: usize = access & ACCESS_WRITE ? TLB_WRITE : access & ACCESS_FETCH ? TLB_CODE : TLB_READ;
  const entry = table + ((<usize>(<u32>la >> 12) & (TLB_ENTRIES - 1)) << 4);
  const tag = load<u64>(entry);
  const wanted = (la & ~(<u64>0xfff)) | ctx;
  pageStopped = false;
  pageMark = 0;
  pageInTlb = true;
  if ((tag & ~(<u64>CTX_MARK)) == wanted) {
    const host = <usize>(<u32>la + load<u32>(entry, 8));
    if (tag == wanted) return host;
    if (holdsCode(host)) {
      pageMark = MARK_CODE;
      return host;
    }
    store<u64>(entry, wanted);
    return host;
  }
  const misses = COUNTERS + COUNTER_TLB_MISS * 8;
  store<u64>(misses, load<u64>(misses) + 1);
  pageInTlb = false;
  const known = devicePage(la, access, ctx);
  if (known) {
    // what leads to a device is looked at by the instruction alone
    if (!exact && !load<u32>(SINGLE) && !(access & ACCESS_FETCH)) {
      pageStopped = true;
      retry();
      metDevice = true;
      return 0;
    }
    pageGpa = deviceGpa(known, la);
    pageShift = deviceShift(known);
  } else {
    if (!walk(la, access, ctx)) {
      pageStopped = true;
      return 0;
    }
    pageGpa = walkGpa;
    pageShift = walkShift;
  }
  if (access & ACCESS_WRITE) noteLinear(la);
  const host = eptTranslate(pageGpa, access);
  if (!host && (!known || !standsWithoutFrame(known))) keepDevicePage(la, access, ctx, pageGpa, pageShift, eptFailure == 48 ? eptEntry : 0, eptValue, eptPermissions);
  return host || eptFailure != 44 ? host : virtualTpr(access);
}

/** The page may be written by this address until the TLBs are empty: the history passes over what has no such page. */
function noteLinear(la: u64): void {
  const page = <u32>(la >> 12);
  const bit = (page ^ page >> 16) & <u32>(WRITTEN_PAGES_BYTES * 8 - 1);
  const at = <usize>(bit >> 3);
  store<u8>(at, <u32>load<u8>(at, WRITTEN_PAGES) | <u32>1 << (bit & 7), WRITTEN_PAGES);
}

/** The TPR of the APIC-access page while the TPR shadow is in use: the virtual-APIC page's. @sdm 3C 30.4 "Virtualizing Memory-Mapped APIC Accesses" */
function virtualTpr(access: u32): usize {
  const page = tprShadowPage();
  if (!page || (pageGpa & 0xffc) != 0x80 || access & ACCESS_FETCH) return 0;
  if (access & ACCESS_WRITE) {
    // the threshold is compared when this instruction has completed
    if (!mayExit()) {
      pageStopped = true;
      return 0;
    }
    attend(ATT_TPR);
  }
  // one register of the page: never entered
  pageInTlb = true;
  return page + (<usize>pageGpa & 0xfff);
}

/** Enters the page just translated, unless something must see each access to it. */
function enter(la: u64, host: usize, access: u32, ctx: u32): void {
  if (pageInTlb) return;
  if (access & ACCESS_FETCH) {
    fillTlb(TLB_CODE, la, ctx, host, 0, pageShift);
    return;
  }
  if (access & ACCESS_WRITE && holdsCode(host)) pageMark = MARK_CODE;
  if (pageWatched(la, pageGpa)) return;
  if (access & ACCESS_WRITE) {
    fillTlb(TLB_WRITE, la, ctx, host, pageMark, pageShift);
  } else fillTlb(TLB_READ, la, ctx, host, 0, pageShift);
}

/** Data of MMIO parts: the next latch when it describes this access. */
function latched(gpa: u64, bytes: u32, write: bool): usize {
  if (load<u64>(LATCH_ICOUNT) != load<u64>(ICOUNT)) {
    store<u32>(LATCH_COUNT, 0);
    store<u32>(LATCH_CURSOR, 0);
    return 0;
  }
  const cursor = load<u32>(LATCH_CURSOR);
  if (cursor >= load<u32>(LATCH_COUNT)) return 0;
  const latch = LATCHES + cursor * LATCH_BYTES;
  if (load<u64>(latch) != gpa || load<u32>(latch, 16) != bytes || (load<u32>(latch, 20) != 0) != write) {
    // the instruction or its operands are no longer those that made the access: DMA, or another CPU, changed them
    store<u32>(LATCH_COUNT, cursor);
    return 0;
  }
  store<u32>(LATCH_CURSOR, cursor + 1);
  return latch;
}

/** Has the access done by the VMM: true where its latch is there now, else an exit, and the instruction starts over with all latches. */
function assist(la: u64, gpa: u64, bytes: u32, write: bool, data: u64, permissions: u32): bool {
  store<u32>(ASSIST_KIND, ASSIST_MMIO);
  store<u32>(ASSIST_WRITE, write ? 1 : 0);
  store<u32>(ASSIST_BYTES, bytes);
  store<u64>(ASSIST_ADDRESS, gpa);
  store<u64>(ASSIST_DATA, data);
  store<u64>(LATCH_ICOUNT, load<u64>(ICOUNT));
  store<u32>(LATCH_EVENT, load<u32>(VECTORING_INFO));
  const access = write ? (modifies ? ACCESS_READ | ACCESS_WRITE : ACCESS_WRITE) : modifies ? ACCESS_READ | ACCESS_WRITE : ACCESS_READ;
  if (!exact) {
    const generation = load<u32>(NEXT_CTX_GEN);
    const asked = askMmio(la, gpa, bytes, write, data, violation(la, access, permissions, true));
    // after a flush the other part of the access may lie elsewhere
    if (asked == XS_OK) return generation == load<u32>(NEXT_CTX_GEN) || retry();
    if (asked == XS_EXIT) {
      store<u32>(LATCH_CURSOR, 0);
      return false;
    }
  }
  store<u32>(LATCH_CURSOR, 0);
  eptExit(la, gpa, access, permissions, true, 48);
  return false;
}

/** Reads MMIO in pieces of at most 8 bytes into the buffer. */
function deviceRead(buffer: usize, la: u64, gpa: u64, bytes: u32, permissions: u32): bool {
  for (let at: u32 = 0; at < bytes; at += 8) {
    const piece = min<u32>(8, bytes - at);
    let latch = latched(gpa + at, piece, false);
    if (!latch) {
      if (!assist(la + at, gpa + at, piece, false, 0, permissions)) return false;
      latch = latched(gpa + at, piece, false);
    }
    // a piece has 8 bytes of room, and what follows it is written later
    store<u64>(buffer + at, load<u64>(latch, 8));
  }
  return true;
}

function deviceWrite(buffer: usize, la: u64, gpa: u64, bytes: u32, permissions: u32): bool {
  for (let at: u32 = 0; at < bytes; at += 8) {
    const piece = min<u32>(8, bytes - at);
    if (latched(gpa + at, piece, true)) continue;
    const data = load<u64>(buffer + at) & (~(<u64>0) >> (64 - (piece << 3)));
    if (!assist(la + at, gpa + at, piece, true, data, permissions)) return false;
    store<u32>(LATCH_CURSOR, load<u32>(LATCH_COUNT));
  }
  return true;
}

/** Fault of an unaligned access with alignment checking on. */
function misaligned(la: u64, bytes: u32, ctx: u32): bool {
  return (load<u32>(CTX) >> ASID_SHIFT) == ASID_ALIGNMENT && (ctx & CTX_USER) != 0 && (la & (bytes - 1)) != 0 && bytes <= 8;
}

/**
 * Translates both parts of an access. false: accessStatus tells. Nothing is written, and exits for
 * missing frames are left to the moment that the data move.
 */
function prepare(linear: u64, bytes: u32, access: u32, ctx: u32): bool {
  let la = linear;
  store<u32>(ACCESS_NONCANONICAL, 0);
  if (load<u64>(EFER) & EFER_LMA) {
    if (!canonicalAddress(la) || !canonicalAddress(la + bytes - 1)) {
      store<u32>(ACCESS_NONCANONICAL, 1);
      return refuse(VEC_GP, 0);
    }
  } else la &= 0xffffffff;
  // blocks leave the limits of flat segments to the handlers
  if ((la ^ (la + bytes - 1)) >> 32 && !mayExit()) return false;
  if (misaligned(la, bytes, ctx)) return refuse(VEC_AC, 0);
  const room = 0x1000 - (<u32>la & 0xfff);
  linear0 = la;
  bytes0 = min<u32>(bytes, room);
  bytes1 = bytes - bytes0;
  const write = (access & ACCESS_WRITE) != 0;
  let mark: u32 = 0;
  host0 = translate(la, access, ctx);
  if (pageStopped) return false;
  if (host0) enter(la, host0, access, ctx);
  else if (!frameless(la, access)) return false;
  gpa0 = pageGpa;
  permissions0 = eptPermissions;
  mark = pageMark;
  const inTlb = pageInTlb;
  if (bytes1) {
    linear1 = la + bytes0;
    if (!(load<u64>(EFER) & EFER_LMA)) linear1 &= 0xffffffff;
    host1 = translate(linear1, access, ctx);
    if (pageStopped) return false;
    if (host1) enter(linear1, host1, access, ctx);
    else if (!frameless(linear1, access)) return false;
    gpa1 = pageGpa;
    permissions1 = eptPermissions;
    mark |= pageMark;
    if (!pageInTlb && !watch(linear1, gpa1, bytes1, write, host1)) return false;
  }
  if (!inTlb && !watch(la, gpa0, bytes0, write, host0)) return false;
  if (mark) {
    if (!exact && host0 && mustRunAlone(host0, bytes0)) return retry();
    if (!exact && bytes1 && host1 && mustRunAlone(host1, bytes1)) return retry();
    if (host0 && holdsCode(host0)) codeTouched(host0, bytes0);
    if (bytes1 && host1 && holdsCode(host1)) codeTouched(host1, bytes1);
  }
  return true;
}

/** The instruction starts over, and takes its latches from the first. */
function retry(): bool {
  store<u32>(LATCH_CURSOR, 0);
  metDevice = false;
  decide(XS_RETRY);
  return false;
}

/** A page without a frame: violations may be MMIO, misconfigurations and APIC accesses exit at once. */
function frameless(la: u64, access: u32): bool {
  if (!mayExit()) return false;
  if (eptFailure == 48) return true;
  store<u32>(ASSIST_KIND, 0);
  eptExit(la, pageGpa, access, 0, true, eptFailure);
  return false;
}

/** Watchpoints and data breakpoints; false: the instruction has to run alone first. */
function watch(la: u64, gpa: u64, bytes: u32, write: bool, host: usize): bool {
  const reads = modifies && write;
  if (!watchHits(la, gpa, bytes, write) && !(reads && watchHits(la, gpa, bytes, false))) return true;
  if (!exact && !load<u32>(SINGLE)) return retry();
  watchRecord(la, gpa, bytes, write, host);
  if (reads) watchRecord(la, gpa, bytes, false, host);
  return true;
}

function gather(buffer: usize): bool {
  if (host0) memory.copy(buffer, host0, bytes0);
  else if (!deviceRead(buffer, linear0, gpa0, bytes0, permissions0)) return false;
  if (bytes1) {
    if (host1) memory.copy(buffer + bytes0, host1, bytes1);
    else if (!deviceRead(buffer + bytes0, linear1, gpa1, bytes1, permissions1)) return false;
  }
  return true;
}

function readWith(la: u64, bytes: u32, ctx: u32): usize {
  modifies = false;
  if (!prepare(la, bytes, ACCESS_READ, ctx)) return 0;
  if (host0 && !bytes1) return host0;
  return gather(BOUNCE_READ) ? BOUNCE_READ : 0;
}

function writeWith(la: u64, bytes: u32, modify: bool, ctx: u32): usize {
  modifies = modify;
  if (!prepare(la, bytes, ACCESS_WRITE, ctx)) return 0;
  if (host0 && !bytes1) return host0;
  if (modify && !gather(BOUNCE)) return 0;
  return BOUNCE;
}

/**
 * An instruction alone accesses a device that it has accessed before, in one page and one piece, while nobody watches: all is
 * known that `prepare` finds out.
 */
function meetsDevice(la: u64, bytes: u32, access: u32): bool {
  if (!load<u32>(SINGLE) || exact || bytes > 8 || (<u32>la & 0xfff) + bytes > 0x1000) return false;
  if (load<u32>(WATCHPOINT_COUNT) != 0 || (load<u32>(DR7) & <u32>DR7_ENABLES) != 0 || load<u32>(CTX) >> ASID_SHIFT == ASID_ALIGNMENT) return false;
  const known = devicePage(la, access, load<u32>(CTX_PLAIN));
  if (!known || !standsWithoutFrame(known)) return false;
  store<u32>(ACCESS_NONCANONICAL, 0);
  const misses = COUNTERS + COUNTER_TLB_MISS * 8;
  store<u64>(misses, load<u64>(misses) + 1);
  if (access & ACCESS_WRITE) noteLinear(la);
  host0 = 0;
  gpa0 = deviceGpa(known, la);
  linear0 = la;
  permissions0 = devicePermissions(known);
  bytes0 = bytes;
  bytes1 = 0;
  modifies = false;
  return true;
}

export function readSlow(la: u64, bytes: u32): usize {
  if (!meetsDevice(la, bytes, ACCESS_READ)) return readWith(la, bytes, load<u32>(CTX_PLAIN));
  return deviceRead(BOUNCE_READ, la, gpa0, bytes, permissions0) ? BOUNCE_READ : 0;
}

export function writeSlow(la: u64, bytes: u32, modify: bool): usize {
  if (!modify && meetsDevice(la, bytes, ACCESS_WRITE)) return BOUNCE;
  const entry: usize = TLB_WRITE + ((<u32>la >> 12 & (TLB_ENTRIES - 1)) << 4);
  if (load<u64>(entry) == (((la + (bytes - 1)) & ~(<u64>0xfff)) | CTX_MARK | load<u32>(CTX))) {
    const host = <usize>(<u32>la + load<u32>(entry, 8));
    if (besideCode(host, bytes)) return host;
  }
  return writeWith(la, bytes, modify, load<u32>(CTX_PLAIN));
}

/** Moves the bounced data of a write to where they belong. */
export function wroteSlow(bytes: u32): bool {
  if (!host0 && !bytes1) return deviceWrite(BOUNCE, linear0, gpa0, bytes0, permissions0);
  if (!host0 && !deviceWrite(BOUNCE, linear0, gpa0, bytes0, permissions0)) return false;
  if (bytes1 && !host1 && !deviceWrite(BOUNCE + bytes0, linear1, gpa1, bytes1, permissions1)) return false;
  if (host0) memory.copy(host0, BOUNCE, bytes0);
  if (bytes1 && host1) memory.copy(host1, BOUNCE + bytes0, bytes1);
  return true;
}

// ---- accesses of the CPU itself ----

/** Host pointer where the TLB has the whole access for a context, else 0. */
// fast path: as readable, and one compare
@inline function inTable(table: usize, la: u64, bytes: u32, ctx: u32): usize {
  if (load<u32>(CTX) >> ASID_SHIFT == ASID_ALIGNMENT) return 0;
  const entry = table + (<usize>(<u32>la >> 12 & (TLB_ENTRIES - 1)) << 4);
  return load<u64>(entry) == (((la + (bytes - 1)) & ~(<u64>0xfff)) | ctx) ? <usize>(<u32>la + load<u32>(entry, 8)) : 0;
}

/** As readable, with the rights of a context (CTX_SYSTEM: supervisor, not subject to RFLAGS.AC). */
export function readAs(la: u64, bytes: u32, ctx: u32): usize {
  const known = inTable(TLB_READ, la, bytes, ctx);
  if (known) return known;
  const before = exact;
  exact = true;
  const p = readWith(la, bytes, ctx);
  exact = before;
  return p;
}

/** As writable or modifiable, with the rights of a context; then wroteAs. */
export function writeAs(la: u64, bytes: u32, modify: bool, ctx: u32): usize {
  const known = inTable(TLB_WRITE, la, bytes, ctx);
  if (known) return known;
  const before = exact;
  exact = true;
  const p = writeWith(la, bytes, modify, ctx);
  exact = before;
  return p;
}

@inline export function wroteAs(p: usize, bytes: u32): bool {
  return <u32>(p - BOUNCE) >= <u32>BOUNCE_BYTES || wroteSlow(bytes);
}

/** As readable, with supervisor rights: GDT, LDT, IDT, TSS. */
@inline export function sysReadable<T>(la: u64): usize { return readAs(la, sizeof<T>(), load<u32>(CTX_SYSTEM)); }
/** As modifiable, with supervisor rights. Then wrote. */
@inline export function sysWritable<T>(la: u64): usize { return writeAs(la, sizeof<T>(), true, load<u32>(CTX_SYSTEM)); }

/** Host pointer of the 4-KByte frame that holds the linear address for execution, or 0. */
export function fetchPage(linear: u64): usize {
  let la = linear;
  store<u32>(ACCESS_NONCANONICAL, 0);
  if (load<u64>(EFER) & EFER_LMA) {
    if (!canonicalAddress(la)) {
      faultCode(VEC_GP, 0);
      return 0;
    }
  } else la &= 0xffffffff;
  const ctx = load<u32>(CTX_PLAIN) & ~CTX_AC;
  const host = translate(la, ACCESS_FETCH, ctx);
  if (pageStopped) return 0;
  if (!host) {
    store<u32>(ASSIST_KIND, 0);
    eptExit(la, pageGpa, ACCESS_FETCH, eptPermissions, true, eptFailure);
    return 0;
  }
  enter(la, host, ACCESS_FETCH, ctx);
  return host & ~0xfff;
}

/** The accesses that the VMM has done for an instruction or a delivery are over. */
export function abandonLatches(): void {
  store<u32>(LATCH_COUNT, 0);
  store<u32>(LATCH_CURSOR, 0);
}

/** Ends the life of latches and of hits recorded for an instruction that will not complete. */
export function abandonInstruction(): void {
  abandonLatches();
  store<u32>(WATCH_HIT, 0);
}
