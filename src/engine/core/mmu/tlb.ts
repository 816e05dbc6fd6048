// The split TLB: three direct-mapped tables (read, write, code) of 16-byte entries
//
//   0                 8            12
//   | tag u64        | addend u32 | mark u32 |    tag = linear page | context
//
//   context: 11        3   2    1      0
//            | asid    | AC| mark| user |         host address = u32(la) + addend
//
// An asid stands for one (vCPU, VPID, EPTP, CR3 load); it is never used twice in an epoch, so leaving
// a context needs no flush. Asid 0 is never given out (an all-zero entry is void) and asid 511 is
// CTX while alignment checking is on: nothing is filled under it, so each access takes the slow path.
// A frame with decoded code has the mark bit in its write tag: the fast test misses it. A watched page is not entered.
import {
  ACTIVE, ASID_EPOCH, ASID_TABLE, COUNTERS, COUNTER_TLB_FLUSH, CPL, CR0, CR3, CR4, CTX, CTX_ASID, CTX_CONTROLS, CTX_CR3, CTX_EPOCH,
  CTX_EPTP, CTX_GEN, CTX_GEN_FLOOR, CTX_PLAIN, CTX_SYSTEM, CTX_VPID, EFER, FETCHED_PAGES, FETCHED_PAGES_BITS, JUMP_CACHE, JUMP_CACHE_ENTRIES,
  LARGE_CODE_FIRST, LARGE_CODE_LAST, MAX_VCPUS, MODE, NEXT_ASID, NEXT_CTX_GEN, PARKED_BASE, RFLAGS, TLB_CODE, TLB_ENTRIES, TLB_READ, TLB_WRITE, VCPU_INDEX,
  VCPU_STATE_BYTES,
} from '../layout';
import {
  CR0_AM, CR0_PE, CR0_PG, CR0_WP, CR4_LA57, CR4_PAE, CR4_PCIDE, CR4_PGE, CR4_PKE, CR4_PKS, CR4_PSE, CR4_SMAP, CR4_SMEP,
  EFER_LMA, EFER_LME, EFER_NXE, RFLAGS_AC,
} from '../generated/register-bits';
import { forgetDevicePages } from './device-pages';
import { eptPointer, forgetEptCache, vpid } from './ept';
import { dropLarge, forgetLarge, keepLarge, MARK_SHIFT } from './large-pages';

export const CTX_USER = 1;
export const CTX_MARK = 2;
export const CTX_AC = 4;
export const ASID_SHIFT = 3;
export const ASID_ALIGNMENT = 511;

// mark word of an entry, beside MARK_SHIFT
export const MARK_CODE = 1; // the frame holds decoded code (write table only)

// asid record in ASID_TABLE
const ASID_BYTES = 32;
const ASID_VCPU = 0; // u32
const ASID_VPID = 4; // u32
const ASID_PCID = 8; // u32, bit 31: valid
const ASID_GEN = 12; // u32
const ASID_CR3 = 16; // u64
const ASID_EPTP = 24; // u64

const CR0_PAGING: u64 = CR0_PG | CR0_WP | CR0_PE;
const CR4_PAGING: u64 = CR4_PSE | CR4_PAE | CR4_PGE | CR4_LA57 | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_PKE | CR4_PKS;
const EFER_PAGING: u64 = EFER_LME | EFER_LMA | EFER_NXE;

/** Empties the three tables and starts a new epoch of asids. */
function flushEverything(): void {
  memory.fill(TLB_READ, 0, TLB_ENTRIES * 16);
  memory.fill(TLB_WRITE, 0, TLB_ENTRIES * 16);
  memory.fill(TLB_CODE, 0, TLB_ENTRIES * 16);
  memory.fill(ASID_TABLE, 0, 512 * ASID_BYTES);
  forgetEptCache();
  store<u32>(ASID_EPOCH, load<u32>(ASID_EPOCH) + 1);
  store<u32>(NEXT_ASID, 1);
  forgetLarge();
  forgetDevicePages();
  store<u64>(LARGE_CODE_FIRST, ~(<u64>0));
  store<u64>(LARGE_CODE_LAST, 0);
  memory.fill(FETCHED_PAGES, 0, FETCHED_PAGES_BITS / 8);
  store<u64>(COUNTERS + COUNTER_TLB_FLUSH * 8, load<u64>(COUNTERS + COUNTER_TLB_FLUSH * 8) + 1);
}

/** A number for the jump cache that was never used; the cache is emptied when they run out. */
function nextGeneration(): u32 {
  let gen = load<u32>(NEXT_CTX_GEN) + 1;
  if (gen >= 1 << 26) {
    memory.fill(JUMP_CACHE, 0, JUMP_CACHE_ENTRIES * 16);
    forgetDevicePages();
    store<u32>(CTX_GEN_FLOOR, 0);
    for (let asid = 0; asid < 512; asid++) store<u32>(ASID_TABLE + asid * ASID_BYTES, 0, ASID_GEN);
    gen = 1;
  }
  store<u32>(NEXT_CTX_GEN, gen);
  return gen;
}

@inline function pagingControls(): u64 {
  return (load<u64>(CR0) & CR0_PAGING) | (load<u64>(CR4) & CR4_PAGING) << 32 | (load<u64>(EFER) & EFER_PAGING) << 16;
}

@inline function currentPcid(): u32 {
  return load<u64>(CR4) & CR4_PCIDE ? <u32>load<u64>(CR3) & 0xfff : 0;
}

/** Gives the vCPU a fresh asid: what was cached for its context is gone. */
function allocate(): void {
  let asid = load<u32>(NEXT_ASID);
  if (asid == 0 || asid >= <u32>ASID_ALIGNMENT) {
    flushEverything();
    asid = 1;
  }
  store<u32>(NEXT_ASID, asid + 1);
  const record = ASID_TABLE + asid * ASID_BYTES;
  store<u32>(record, load<u32>(VCPU_INDEX), ASID_VCPU);
  store<u32>(record, load<u32>(CTX_VPID), ASID_VPID);
  store<u32>(record, currentPcid() | 0x80000000, ASID_PCID);
  store<u32>(record, nextGeneration(), ASID_GEN);
  store<u64>(record, load<u64>(CR3), ASID_CR3);
  store<u64>(record, load<u64>(CTX_EPTP), ASID_EPTP);
  store<u32>(CTX_ASID, asid);
  store<u32>(CTX_EPOCH, load<u32>(ASID_EPOCH));
}

/** Recomputes CTX and CTX_GEN from asid, CPL, RFLAGS.AC and MODE. */
export function refreshContext(): void {
  const asid = load<u32>(CTX_ASID);
  const user: u32 = load<u32>(CPL) == 3 ? CTX_USER : 0;
  const ac = (load<u64>(RFLAGS) & RFLAGS_AC) != 0;
  let ctx = asid << ASID_SHIFT | user;
  if (ac && !user && load<u64>(CR4) & CR4_SMAP) ctx |= CTX_AC;
  store<u32>(CTX_PLAIN, ctx);
  store<u32>(CTX_SYSTEM, asid << ASID_SHIFT);
  if (ac && user && load<u64>(CR0) & CR0_AM) ctx = ASID_ALIGNMENT << ASID_SHIFT | user;
  store<u32>(CTX, ctx);
  const record = ASID_TABLE + asid * ASID_BYTES;
  let gen = load<u32>(record, ASID_GEN);
  if (gen <= load<u32>(CTX_GEN_FLOOR)) {
    gen = nextGeneration();
    store<u32>(record, gen, ASID_GEN);
  }
  store<u32>(CTX_GEN, gen << 5 | (load<u32>(MODE) & 15) << 1 | user);
}

/** As refreshContext() where only CPL has changed, between those of supervisors and users, and RFLAGS.AC is clear. */
@inline export function refreshUser(user: u32): void {
  const ctx = load<u32>(CTX_SYSTEM) | user;
  store<u32>(CTX_PLAIN, ctx);
  store<u32>(CTX, ctx);
  store<u32>(CTX_GEN, load<u32>(CTX_GEN) & ~1 | user);
}

/** Flushes when a control bit that translation depends on differs from what the context was made for. */
export function checkContext(): void {
  if (
    load<u32>(CTX_EPOCH) != load<u32>(ASID_EPOCH) || load<u32>(CTX_ASID) == 0 || load<u64>(CTX_CONTROLS) != pagingControls()
  ) flushTlb();
  else refreshContext();
}

/**
 * VM entry, or another vCPU became the active one: keeps the cached translations when VPID is on and
 * CR3, EPTP and the paging controls are those of the last time.
 * @sdm 3C 29.4 "Caching Translation Information"
 */
export function enterContext(): void {
  const id = vpid();
  if (
    id == 0 || id != load<u32>(CTX_VPID) || load<u64>(CTX_CR3) != load<u64>(CR3) || load<u64>(CTX_EPTP) != eptPointer()
  ) flushTlb();
  else checkContext();
}

/** Drops every translation of this vCPU, global ones too. */
export function flushTlb(): void {
  store<u64>(CTX_CONTROLS, pagingControls());
  store<u64>(CTX_CR3, load<u64>(CR3));
  store<u64>(CTX_EPTP, eptPointer());
  store<u32>(CTX_VPID, vpid());
  const vcpu = load<u32>(VCPU_INDEX);
  const end = load<u32>(NEXT_ASID);
  // a record without the valid bit is never found again by its PCID
  for (let asid: u32 = 1; asid < end; asid++) {
    const record = ASID_TABLE + asid * ASID_BYTES;
    if (load<u32>(record, ASID_VCPU) == vcpu) store<u32>(record, 0, ASID_PCID);
  }
  allocate();
  refreshContext();
}

/** Drops the translations of all vCPUs: the VMM changed EPT entries or guest memory behind the guest's back. */
export function flushAllVcpus(): void {
  flushEverything();
  flushTlb();
}

/**
 * Drops the translations of all vCPUs and numbers contexts anew: what follows depends on no translation or context of
 * before. Every vCPU makes a context at its next VM entry.
 */
export function forgetTranslations(): void {
  flushEverything();
  memory.fill(JUMP_CACHE, 0, JUMP_CACHE_ENTRIES * 16);
  store<u32>(NEXT_CTX_GEN, 0);
  store<u32>(CTX_GEN_FLOOR, 0);
  for (let index: usize = 0; index < <usize>MAX_VCPUS; index++) {
    forgetContext(<usize>(PARKED_BASE - ACTIVE) + index * VCPU_STATE_BYTES);
  }
  forgetContext(0);
}

/** The context of the vCPU whose state lies `block` bytes behind the ACTIVE block is void. */
function forgetContext(block: usize): void {
  store<u32>(block, 0, CTX_ASID);
  store<u32>(block, 0, CTX_EPOCH);
  store<u64>(block, 0, CTX_CONTROLS);
  store<u64>(block, 0, CTX_CR3);
  store<u64>(block, 0, CTX_EPTP);
  store<u32>(block, 0, CTX_VPID);
  store<u32>(block, 0, CTX);
  store<u32>(block, 0, CTX_GEN);
  store<u32>(block, 0, CTX_SYSTEM);
  store<u32>(block, 0, CTX_PLAIN);
}

/**
 * Drops the non-global translations of this vCPU. Global pages are not kept across contexts (an
 * entry's asid is part of its tag), which the architecture allows: they are walked again.
 */
export function flushTlbNonGlobal(): void {
  flushTlb();
}

/**
 * MOV to CR3: enters the context of the new CR3. `keep` is bit 63 of the value with CR4.PCIDE: cached
 * translations of that PCID stay valid.
 * @sdm 3A 4.10.4.1 "Operations that Invalidate TLBs and Paging-Structure Caches"
 */
export function newContext(keep: bool = false): void {
  store<u64>(CTX_CR3, load<u64>(CR3));
  const pcid = currentPcid() | 0x80000000;
  const vcpu = load<u32>(VCPU_INDEX);
  const end = load<u32>(NEXT_ASID);
  for (let asid: u32 = 1; asid < end; asid++) {
    const record = ASID_TABLE + asid * ASID_BYTES;
    if (load<u32>(record, ASID_PCID) != pcid || load<u32>(record, ASID_VCPU) != vcpu) continue;
    if (keep && load<u64>(record, ASID_CR3) == load<u64>(CR3) && load<u64>(record, ASID_EPTP) == load<u64>(CTX_EPTP)) {
      store<u32>(CTX_ASID, asid);
      refreshContext();
      return;
    }
    store<u32>(record, 0, ASID_PCID);
  }
  allocate();
  refreshContext();
}

/** INVPCID single-context and INVVPID of one PCID: drops what is cached for it on this vCPU. */
export function flushPcid(pcid: u32): void {
  if (pcid == currentPcid()) return newContext();
  const end = load<u32>(NEXT_ASID);
  for (let asid: u32 = 1; asid < end; asid++) {
    const record = ASID_TABLE + asid * ASID_BYTES;
    if (load<u32>(record, ASID_PCID) == (pcid | 0x80000000) && load<u32>(record, ASID_VCPU) == load<u32>(VCPU_INDEX)) {
      store<u32>(record, 0, ASID_PCID);
    }
  }
}

@inline function dropEntry(table: usize, page: u64): void {
  const entry = table + ((<usize>page & (TLB_ENTRIES - 1)) << 4);
  if (load<u64>(entry) >> 12 == page) store<u64>(entry, 0);
}

@inline function dropPage(page: u64): void {
  dropEntry(TLB_READ, page);
  dropEntry(TLB_WRITE, page);
  dropEntry(TLB_CODE, page);
  dropLarge(page);
  forgetDevicePages();
}

/** INVLPG: drops the page (the whole large page) that holds the linear address, in all contexts. */
export function flushPage(la: u64): void {
  const page = la >> 12;
  dropPage(page);
  if (!mayBeFetched(page)) return;
  store<u32>(CTX_GEN_FLOOR, load<u32>(NEXT_CTX_GEN));
  refreshContext();
}

/** The same for a page that no code was fetched from; false: there may have been some, and nothing is done. */
export function flushDataPage(la: u64): bool {
  const page = la >> 12;
  if (mayBeFetched(page)) return false;
  dropPage(page);
  return true;
}

@inline function fetchedByte(page: u64): usize {
  return <usize>FETCHED_PAGES + ((<usize>page & <usize>(FETCHED_PAGES_BITS - 1)) >> 3);
}

/**
 * May the jump cache, or a region that was found to fit, depend on the translation of this page? All code is fetched by
 * TLB_CODE first. Most pages that INVLPG names are data: the ways of code stay.
 */
function mayBeFetched(page: u64): bool {
  if (page >= load<u64>(LARGE_CODE_FIRST) && page <= load<u64>(LARGE_CODE_LAST)) return true;
  return (load<u8>(fetchedByte(page)) >> (<u8>page & 7) & 1) != 0;
}

/** Notes that code of a page, or of the large page around it, is known by its linear address. */
function noteFetch(page: u64, shift: u32): void {
  const byte = fetchedByte(page);
  store<u8>(byte, load<u8>(byte) | u8(1) << (<u8>page & 7));
  if (shift <= 12) return;
  const first = page >> (shift - 12) << (shift - 12);
  const last = first + (<u64>1 << (shift - 12)) - 1;
  if (first < load<u64>(LARGE_CODE_FIRST)) store<u64>(LARGE_CODE_FIRST, first);
  if (last > load<u64>(LARGE_CODE_LAST)) store<u64>(LARGE_CODE_LAST, last);
}

/** Does the table have the page, so that an access finds plain memory? */
@inline export function inTlb(table: usize, la: u64): bool {
  return load<u64>(table + ((usize(u32(la) >> 12) & (TLB_ENTRIES - 1)) << 4)) == ((la & ~u64(0xfff)) | u64(load<u32>(CTX)));
}

/** Enters a translation of one 4-KByte page; `host`: any address in its frame; `shift`: log2 of the guest's page size. */
export function fillTlb(table: usize, la: u64, ctx: u32, host: usize, mark: u32, shift: u32): void {
  const page = la >> 12;
  const entry = table + ((<usize>page & (TLB_ENTRIES - 1)) << 4);
  store<u64>(entry, page << 12 | ctx | (mark ? CTX_MARK : 0));
  store<u32>(entry, (<u32>host & ~0xfff) - <u32>(page << 12), 8);
  store<u32>(entry, mark | shift << MARK_SHIFT, 12);
  if (table == TLB_CODE) noteFetch(page, shift);
  if (shift > 12) keepLarge(page, shift);
}

/** Takes a host frame out of the write table: decoded code appeared in it. */
export function protectCodePage(hpaPage: usize): void {
  for (let entry: usize = TLB_WRITE; entry < <usize>(TLB_WRITE + TLB_ENTRIES * 16); entry += 16) {
    const tag = load<u64>(entry);
    if (tag != 0 && (<u32>tag & 0xfffff000) + load<u32>(entry, 8) == <u32>hpaPage) store<u64>(entry, 0);
  }
}

/** Empties the tables so that new watchpoints are seen; contexts stay. */
export function forgetPages(): void {
  memory.fill(TLB_READ, 0, TLB_ENTRIES * 16);
  memory.fill(TLB_WRITE, 0, TLB_ENTRIES * 16);
}

/** Context bits of explicit accesses at a privilege level that the CPU is about to enter. */
export function contextFor(level: u32): u32 {
  const ctx = load<u32>(CTX_ASID) << ASID_SHIFT;
  if (level == 3) return ctx | CTX_USER;
  return load<u64>(RFLAGS) & RFLAGS_AC && load<u64>(CR4) & CR4_SMAP ? ctx | CTX_AC : ctx;
}
