// Flat memory without paging, until the memory unit is there.
import { BOUNCE, OP_LINEAR, RAM_BASE, SEGMENTS, SEG_BASE, XS_EXIT, XS_FAULT, XS_OK, CTX_GEN, MODE, MODE_CODE64 } from './layout';

export function accessStatus(): i32 { return XS_FAULT; }
@inline export function readable<T>(la: u64): usize { return usize(la) + RAM_BASE; }
@inline export function writable<T>(la: u64): usize { return usize(la) + RAM_BASE; }
@inline export function modifiable<T>(la: u64): usize { return usize(la) + RAM_BASE; }
@inline export function wrote<T>(p: usize): bool { return true; }
export function fetchPage(la: u64): usize { return (usize(la) & ~0xfff) + RAM_BASE; }
export function segmentLinear(seg: u32, offset: u64, bytes: u32, write: bool): bool {
  store<u64>(OP_LINEAR, load<u32>(MODE) & MODE_CODE64 && seg < 4 ? offset : offset + load<u64>(SEGMENTS + seg * 32, SEG_BASE));
  return true;
}
export function deliverFault(): i32 { return XS_EXIT; }
export function boundary(): i32 { return XS_OK; }
export function preemptionTimerExpired(): i32 { return XS_EXIT; }
export function updateMode(): void {}
export function flushTlb(): void { store<u32>(CTX_GEN, load<u32>(CTX_GEN) + 1); }
