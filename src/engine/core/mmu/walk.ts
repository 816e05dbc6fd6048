// Linear to guest-physical: the guest's own page tables in every paging mode, each entry read through EPT.
//
// A walk first reads all entries and checks them, and only then sets accessed and dirty flags, so a
// translation that faults leaves no trace. Entries of the running walk are kept in walkEntry0..4.
import {
  CR0, CR3, CR4, EFER, FAULT_ADDRESS, MAX_PHYS_BITS, PDPTES, PKRS, PKRU,
} from '../layout';
import { faultCode, refuse } from '../state';
import {
  CR0_PG, CR0_WP, CR4_LA57, CR4_PAE, CR4_PKE, CR4_PKS, CR4_PSE, CR4_SMAP, CR4_SMEP, EFER_LMA, EFER_NXE, PF_ID, PF_P,
  PF_PK, PF_RSVD, PF_US, PF_WR,
} from '../generated/register-bits';
import {
  LARGE_PAGE_PS, PAGE_A, PAGE_D, PAGE_KEY_SHIFT, PAGE_NX, PAGE_P, PAGE_U, PAGE_W,
} from '../generated/page-entries';
import { VEC_GP, VEC_PF } from '../generated/events';
import { EXIT_REASON_EPT_VIOLATION } from '../generated/exits';
import {
  ACCESS_FETCH, ACCESS_READ, ACCESS_WRITE, eptAccessDirty, eptFailure, holdsCode, structureHost,
} from './ept';
import { structureViolation } from './access';
import { isOutside, outsideEntry } from './outside-entries';
import { codeTouched } from './code';
import { CTX_AC, CTX_USER } from './tlb';

const ADDRESS: u64 = ((<u64>1 << MAX_PHYS_BITS) - 1) & ~(<u64>0xfff);
const RESERVED_HIGH: u64 = ((<u64>1 << 52) - 1) & ~((<u64>1 << MAX_PHYS_BITS) - 1);

/** Protection key of a leaf entry. */

/** Result of the last walk: guest-physical address, and log2 of the page's size. */
export let walkGpa: u64 = 0;
export let walkShift: u32 = 12;

let used: i32 = 0;
let hosts0: usize = 0;
let hosts1: usize = 0;
let hosts2: usize = 0;
let hosts3: usize = 0;
let hosts4: usize = 0;
let gpas0: u64 = 0;
let gpas1: u64 = 0;
let gpas2: u64 = 0;
let gpas3: u64 = 0;
let gpas4: u64 = 0;

function remember(host: usize, gpa: u64): void {
  if (used == 0) { hosts0 = host; gpas0 = gpa; }
  else if (used == 1) { hosts1 = host; gpas1 = gpa; }
  else if (used == 2) { hosts2 = host; gpas2 = gpa; }
  else if (used == 3) { hosts3 = host; gpas3 = gpa; }
  else { hosts4 = host; gpas4 = gpa; }
  used++;
}

/** Records #PF with the exact error code. */
function pageFault(la: u64, access: u32, ctx: u32, cause: u32): bool {
  let code = cause;
  if (access & ACCESS_WRITE) code |= PF_WR;
  if (ctx & CTX_USER) code |= PF_US;
  if (access & ACCESS_FETCH) {
    if (load<u64>(CR4) & CR4_SMEP || (load<u64>(CR4) & CR4_PAE && load<u64>(EFER) & EFER_NXE)) code |= PF_ID;
  }
  faultCode(VEC_PF, code);
  store<u64>(FAULT_ADDRESS, la);
  return false;
}

/** Host address of a paging-structure entry, or of its copy where it lies in no frame; 0: the exit is recorded. */
function entryHost(la: u64, gpa: u64, bytes: u32): usize {
  const access = eptAccessDirty() ? ACCESS_READ | ACCESS_WRITE : ACCESS_READ;
  const host = structureHost(gpa, access);
  if (host) return host;
  const copy = eptFailure == EXIT_REASON_EPT_VIOLATION ? outsideEntry(gpa) : 0;
  if (!copy) structureViolation(la, gpa, access, bytes, false, 0);
  return copy;
}

/** Sets flags in the entry that was read through `host`; false: EPT forbids the write. */
function mark(la: u64, host: usize, gpa: u64, bytes: u32, flags: u64): bool {
  if ((<u64>load<u32>(host) & flags) == flags) return true;
  if (isOutside(host)) {
    const value = bytes == 8 ? load<u64>(host) : load<u32>(host);
    structureViolation(la, gpa, ACCESS_READ | ACCESS_WRITE, bytes, true, value | flags);
    return false;
  }
  if (!structureHost(gpa, ACCESS_READ | ACCESS_WRITE)) {
    const value = bytes == 8 ? load<u64>(host) : load<u32>(host);
    structureViolation(la, gpa, ACCESS_READ | ACCESS_WRITE, bytes, true, value | flags);
    return false;
  }
  // the flags are in the low byte of both entry sizes
  if (holdsCode(host)) codeTouched(host, bytes);
  store<u32>(host, load<u32>(host) | <u32>flags);
  return true;
}

function markAll(la: u64, access: u32, bytes: u32): bool {
  const leaf = used - 1;
  const leafFlags = access & ACCESS_WRITE ? PAGE_A | PAGE_D : PAGE_A;
  if (!mark(la, hosts0, gpas0, bytes, leaf == 0 ? leafFlags : PAGE_A)) return false;
  if (leaf > 0 && !mark(la, hosts1, gpas1, bytes, leaf == 1 ? leafFlags : PAGE_A)) return false;
  if (leaf > 1 && !mark(la, hosts2, gpas2, bytes, leaf == 2 ? leafFlags : PAGE_A)) return false;
  if (leaf > 2 && !mark(la, hosts3, gpas3, bytes, leaf == 3 ? leafFlags : PAGE_A)) return false;
  if (leaf > 3 && !mark(la, hosts4, gpas4, bytes, leafFlags)) return false;
  return true;
}

/** What the combined U/S, R/W and XD bits of a translation allow. @sdm 3A 4.6 "Access Rights" */
function permitted(access: u32, ctx: u32, rights: u64, noExecute: bool): bool {
  const userPage = (rights & PAGE_U) != 0;
  if (ctx & CTX_USER) {
    if (!userPage) return false;
    if (access & ACCESS_WRITE && !(rights & PAGE_W)) return false;
  } else {
    if (access & ACCESS_FETCH) {
      if (userPage && load<u64>(CR4) & CR4_SMEP) return false;
    } else {
      if (userPage && load<u64>(CR4) & CR4_SMAP && !(ctx & CTX_AC)) return false;
      if (access & ACCESS_WRITE && !(rights & PAGE_W) && load<u64>(CR0) & CR0_WP) return false;
    }
  }
  return !(access & ACCESS_FETCH && noExecute);
}

/**
 * Does the key of a page forbid the data access? PKRU rules user-mode pages, IA32_PKRS supervisor-mode ones.
 * @sdm 3A 4.6.2 "Protection Keys"
 */
function keyForbids(access: u32, ctx: u32, userPage: bool, entry: u64): bool {
  if (access & ACCESS_FETCH || !(load<u64>(EFER) & EFER_LMA)) return false;
  if (!(load<u64>(CR4) & (userPage ? CR4_PKE : CR4_PKS))) return false;
  const rights = load<u32>(userPage ? PKRU : PKRS) >> (<u32>(entry >> PAGE_KEY_SHIFT) & 15) * 2;
  if (rights & 1) return true;
  if (!(rights & 2) || !(access & ACCESS_WRITE)) return false;
  return (ctx & CTX_USER) != 0 || (load<u64>(CR0) & CR0_WP) != 0;
}

/** 32-bit paging: two levels of 4-byte entries, 4-MByte pages with CR4.PSE. */
function walk32(la: u64, access: u32, ctx: u32): bool {
  let gpa = (load<u64>(CR3) & 0xfffff000) + (la >> 22 << 2);
  let host = entryHost(la, gpa, 4);
  if (!host) return false;
  remember(host, gpa);
  const directory: u64 = load<u32>(host);
  if (!(directory & PAGE_P)) return pageFault(la, access, ctx, 0);
  let rights = directory;
  if (directory & LARGE_PAGE_PS && load<u64>(CR4) & CR4_PSE) {
    // PSE-36: bits 13-20 of the entry are address bits 32-39, as far as the address width goes
    const high = directory >> 13 & 0xff;
    if (directory & 0x200000 || high >> (MAX_PHYS_BITS - 32)) return pageFault(la, access, ctx, PF_P | PF_RSVD);
    walkGpa = high << 32 | (directory & 0xffc00000) | (la & 0x3fffff);
    walkShift = 22;
  } else {
    gpa = (directory & 0xfffff000) + ((la >> 12 & 0x3ff) << 2);
    host = entryHost(la, gpa, 4);
    if (!host) return false;
    remember(host, gpa);
    const entry: u64 = load<u32>(host);
    if (!(entry & PAGE_P)) return pageFault(la, access, ctx, 0);
    rights &= entry;
    walkGpa = (entry & 0xfffff000) | (la & 0xfff);
    walkShift = 12;
  }
  if (!permitted(access, ctx, rights, false)) return pageFault(la, access, ctx, PF_P);
  return markAll(la, access, 4);
}

/** PAE, 4-level and 5-level paging: `level` levels of 8-byte entries below `table`. */
function walk64(la: u64, access: u32, ctx: u32, table: u64, level: u64, reserved: u64): bool {
  let rights: u64 = PAGE_W | PAGE_U;
  let noExecute: u64 = 0;
  let leaf: u64 = 0;
  for (;;) {
    level--;
    const shift = 12 + 9 * level;
    const gpa = table + ((la >> shift & 511) << 3);
    const host = entryHost(la, gpa, 8);
    if (!host) return false;
    remember(host, gpa);
    const entry = load<u64>(host);
    if (!(entry & PAGE_P)) return pageFault(la, access, ctx, 0);
    const large = level > 0 && (entry & LARGE_PAGE_PS) != 0;
    let bad = reserved;
    if (large) bad |= level > 2 ? LARGE_PAGE_PS : ((<u64>1 << shift) - 1) & ~(<u64>0x1fff);
    if (entry & bad) return pageFault(la, access, ctx, PF_P | PF_RSVD);
    rights &= entry;
    noExecute |= entry & PAGE_NX;
    if (large || level == 0) {
      const within = (<u64>1 << shift) - 1;
      walkGpa = (entry & ADDRESS & ~within) | (la & within);
      walkShift = <u32>shift;
      leaf = entry;
      break;
    }
    table = entry & ADDRESS;
  }
  const key: u32 = keyForbids(access, ctx, (rights & PAGE_U) != 0, leaf) ? PF_PK : 0;
  if (key || !permitted(access, ctx, rights, noExecute != 0)) return pageFault(la, access, ctx, PF_P | key);
  return markAll(la, access, 8);
}

/**
 * Translates a linear address for the access (ACCESS_*) with the rights of a context's bits.
 * true: walkGpa and walkShift are set; false: accessStatus tells.
 * @sdm 3A 4.3 "32-Bit Paging" 4.4 "PAE Paging" 4.5 "4-Level Paging and 5-Level Paging"
 */
export function walk(la: u64, access: u32, ctx: u32): bool {
  if (!(load<u64>(CR0) & CR0_PG)) {
    walkGpa = la & 0xffffffff;
    walkShift = 12;
    return true;
  }
  used = 0;
  const controls = load<u64>(CR4);
  if (!(controls & CR4_PAE)) return walk32(la, access, ctx);
  const reserved = RESERVED_HIGH | (load<u64>(EFER) & EFER_NXE ? 0 : PAGE_NX);
  if (load<u64>(EFER) & EFER_LMA) {
    return walk64(la, access, ctx, load<u64>(CR3) & ADDRESS, controls & CR4_LA57 ? 5 : 4, reserved);
  }
  const pdpte = load<u64>(<usize>(la >> 30 & 3) << 3, PDPTES);
  if (!(pdpte & PAGE_P)) return pageFault(la, access, ctx, 0);
  return walk64(la, access, ctx, pdpte & ADDRESS, 2, reserved | 0x7ff0000000000000);
}

const loadedPdptes: usize = memory.data(32);

/**
 * Loads the PDPTE registers from CR3 (PAE paging). false: a present entry has a reserved bit set
 * (#GP(0) recorded) or EPT stopped the access; nothing was changed.
 * @sdm 3A 4.4.1 "PDPTE Registers"
 */
export function loadPdptes(): bool {
  const base = load<u64>(CR3) & 0xffffffe0;
  for (let i: u32 = 0; i < 32; i += 8) {
    const host = entryHost(~(<u64>0), base + i, 8);
    if (!host) return false;
    const entry = load<u64>(host);
    store<u64>(loadedPdptes + i, entry);
    if (entry & PAGE_P && entry & (~((<u64>1 << MAX_PHYS_BITS) - 1) | 0x1e6)) return refuse(VEC_GP, 0);
  }
  memory.copy(PDPTES, loadedPdptes, 32);
  return true;
}
