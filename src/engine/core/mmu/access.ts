// Guest memory by linear address: the inlined fast path, and the slow path behind it.
import { BOUNCE, BOUNCE_BYTES, CTX, TLB_READ, TLB_WRITE } from '../layout';

/** Host pointer for a read of sizeof<T>() bytes at the linear address, or 0 (see accessStatus). */
// fast path: 10 wasm ops, 3 loads
@inline export function readable<T>(la: u64): usize {
  const entry = (<usize>(<u32>la >> 12) & 1023) << 4;
  if (load<u64>(entry, TLB_READ) == (((la + (sizeof<T>() - 1)) & ~(<u64>0xfff)) | load<u32>(CTX))) {
    return <u32>la + load<u32>(entry, TLB_READ + 8);
  }
  return readSlow(la, sizeof<T>());
}

/** Host pointer for a write of sizeof<T>() bytes, or 0. Store through it, then call wrote. */
@inline export function writable<T>(la: u64): usize {
  const entry = (<usize>(<u32>la >> 12) & 1023) << 4;
  if (load<u64>(entry, TLB_WRITE) == (((la + (sizeof<T>() - 1)) & ~(<u64>0xfff)) | load<u32>(CTX))) {
    return <u32>la + load<u32>(entry, TLB_WRITE + 8);
  }
  return writeSlow(la, sizeof<T>(), false);
}

/** Host pointer for a read-modify-write of sizeof<T>() bytes, or 0. Change it there, then call wrote. */
@inline export function modifiable<T>(la: u64): usize {
  const entry = (<usize>(<u32>la >> 12) & 1023) << 4;
  if (load<u64>(entry, TLB_WRITE) == (((la + (sizeof<T>() - 1)) & ~(<u64>0xfff)) | load<u32>(CTX))) {
    return <u32>la + load<u32>(entry, TLB_WRITE + 8);
  }
  return writeSlow(la, sizeof<T>(), true);
}

/** Completes a write through the pointer of writable or modifiable; false: not complete, see accessStatus. */
@inline export function wrote<T>(p: usize): bool {
  if (<u32>(p - BOUNCE) >= BOUNCE_BYTES) return true;
  return wroteSlow(sizeof<T>());
}

/** XS_FAULT, XS_EXIT or XS_RETRY of the last access that answered 0 or false. */
export function accessStatus(): i32 { return 0; }
export function readSlow(la: u64, bytes: u32): usize { return 0; }
export function writeSlow(la: u64, bytes: u32, modify: bool): usize { return 0; }
export function wroteSlow(bytes: u32): bool { return false; }
/** As readable, with supervisor rights: GDT, LDT, IDT, TSS. */
export function sysReadable<T>(la: u64): usize { return 0; }
/** As modifiable, with supervisor rights. Then wrote. */
export function sysWritable<T>(la: u64): usize { return 0; }
/** Host pointer of the 4-KByte frame that holds the linear address for execution, or 0. */
export function fetchPage(la: u64): usize { return 0; }
/** Turns the #GP(0) of a non-canonical address into #SS(0). */
export function asStackFault(): void {}
