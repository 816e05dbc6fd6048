// Linear pages that lead to no frame, most of them those of devices: the way through the guest's tables, which no TLB keeps
// for them. What lies there is the EPT's to say, each time: by its entry at which the walk for the page has ended.
//
//   0           8              12           16        24                            28                 32               40
//   | tag u64   | context u32  | access u32 | gpa u64 | log2 of the page's size u32 | its EPT entry u32 | what it was u64 | permissions u32 |
//   tag = linear page | context; EPT entry 0: it has to be walked to
//   Behind the first entry: 1 when there are any.
import { CTX_GEN, DEVICE_PAGE_BYTES, DEVICE_PAGES, DEVICE_TABLE } from '../layout';

const ANY = 44;

@inline function placeOf(la: u64): usize { return <usize>DEVICE_TABLE + <usize>((<u32>la >> 12 & (DEVICE_PAGES - 1)) * DEVICE_PAGE_BYTES); }

/** Contexts are numbered anew, or a page of theirs was invalidated: the large page around it may be many of these. */
@inline export function forgetDevicePages(): void {
  if (load<u32>(DEVICE_TABLE, ANY)) memory.fill(DEVICE_TABLE, 0, DEVICE_PAGES * DEVICE_PAGE_BYTES);
}

/** Where the page of the linear address leads for such an access, as it was walked; 0: it has to be. */
export function devicePage(la: u64, access: u32, ctx: u32): usize {
  const place = placeOf(la);
  const known = load<u64>(place) == ((la & ~(<u64>0xfff)) | ctx) && load<u32>(place, 8) == load<u32>(CTX_GEN) && load<u32>(place, 12) == access;
  return known ? place : 0;
}

@inline export function deviceGpa(place: usize, la: u64): u64 { return load<u64>(place, 16) | (la & 0xfff); }
@inline export function deviceShift(place: usize): u32 { return load<u32>(place, 24); }

/** No frame is there, by an EPT violation, as when it was walked. */
@inline export function standsWithoutFrame(place: usize): bool {
  const entry: usize = load<u32>(place, 28);
  return entry != 0 && load<u64>(entry) == load<u64>(place, 32);
}

/** What the EPT permits there. */
@inline export function devicePermissions(place: usize): u32 { return load<u32>(place, 40); }

/**
 * A walk for such an access has led to a guest-physical address without a frame.
 * @param entry EPT entry at which that walk ended, 0: none, and what stood there
 */
export function keepDevicePage(
  la: u64, access: u32, ctx: u32, gpa: u64, shift: u32, entry: usize, value: u64, permissions: u32,
): void {
  const place = placeOf(la);
  store<u32>(DEVICE_TABLE, 1, ANY);
  store<u64>(place, (la & ~(<u64>0xfff)) | ctx);
  store<u32>(place, load<u32>(CTX_GEN), 8);
  store<u32>(place, access, 12);
  store<u64>(place, gpa & ~(<u64>0xfff), 16);
  store<u32>(place, shift, 24);
  store<u32>(place, u32(entry), 28);
  store<u64>(place, value, 32);
  store<u32>(place, permissions, 40);
}
