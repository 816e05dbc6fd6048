// Save areas of FXSAVE and XSAVE: moving them between guest memory and a buffer, and the legacy region's layout.
import {
  MXCSR, TLB_READ, TLB_WRITE, X87, X87_FCW, X87_FDP, X87_FIP, X87_FOP, X87_FSW, X87_FTW, YMM,
} from '../layout';
import { code64 } from '../state';
import { MXCSR_FIELDS } from '../generated/register-bits';
import { cached, readSlow, writeSlow, wroteAs } from '../mmu/access';
import { loadControl } from './control-instructions';
import { refreshSummary, top } from './stack';

/** Legacy region: x87 state to 24, MXCSR to 32, ST(0)-ST(7) to 160, XMM0-XMM15 to 416. @sdm 1 13.4.1 "Legacy Region of an XSAVE Area" */
export const LEGACY_MXCSR = 24;
export const LEGACY_ST = 32;
export const LEGACY_XMM = 160;
export const LEGACY_BYTES = 512;
export const HEADER_BYTES = 64;
export const AVX_OFFSET = 576;
export const AVX_BYTES = 256;
/** Place of PKRU in the standard format; in the compacted one it follows what comes before it. */
export const PKRU_OFFSET = 2688;
export const PKRU_BYTES = 8;

/** An image of the whole area. */
export const image: usize = memory.data(PKRU_OFFSET + PKRU_BYTES, 16);

/** Largest piece that the slow path of memory accesses takes. */
const PIECE: u32 = 64;

/** Reads guest memory into a buffer; false: see accessStatus(). */
export function readArea(la: u64, bytes: u32, buffer: usize): bool {
  let at: u32 = 0;
  while (at < bytes) {
    let piece = min<u32>(bytes - at, 0x1000 - (<u32>(la + at) & 0xfff));
    let p = cached(TLB_READ, la + at, piece);
    if (!p) {
      piece = min<u32>(piece, PIECE);
      p = readSlow(la + at, piece);
      if (!p) return false;
    }
    memory.copy(buffer + at, p, piece);
    at += piece;
  }
  return true;
}

/** Writes a buffer to guest memory; false: see accessStatus(), with a part perhaps written. */
export function writeArea(la: u64, bytes: u32, buffer: usize): bool {
  let at: u32 = 0;
  while (at < bytes) {
    let piece = min<u32>(bytes - at, 0x1000 - (<u32>(la + at) & 0xfff));
    let p = cached(TLB_WRITE, la + at, piece);
    if (p) memory.copy(p, buffer + at, piece);
    else {
      piece = min<u32>(piece, PIECE);
      p = writeSlow(la + at, piece, false);
      if (!p) return false;
      memory.copy(p, buffer + at, piece);
      if (!wroteAs(p, piece)) return false;
    }
    at += piece;
  }
  return true;
}

/** XMM and YMM registers that the mode can name. */
@inline export function vectorCount(): u32 { return code64() ? 16 : 8; }

/** Puts x87 state into the image; the selectors are deprecated and 0. */
export function putX87(wide: bool): void {
  store<u16>(image, load<u16>(X87_FCW));
  store<u16>(image, load<u16>(X87_FSW), 2);
  store<u16>(image, load<u8>(X87_FTW), 4);
  store<u16>(image, load<u16>(X87_FOP) & 0x7ff, 6);
  const fip = load<u64>(X87_FIP);
  const fdp = load<u64>(X87_FDP);
  store<u64>(image, wide ? fip : fip & 0xffffffff, 8);
  store<u64>(image, wide ? fdp : fdp & 0xffffffff, 16);
  for (let i: u32 = 0; i < 8; i++) {
    const from: usize = X87 + ((top() + i & 7) << 4);
    const to: usize = image + LEGACY_ST + (i << 4);
    store<u64>(to, load<u64>(from));
    store<u64>(to, load<u16>(from, 8), 8);
  }
}

/** Takes x87 state from the image. */
export function takeX87(wide: bool): void {
  loadControl(load<u16>(image));
  store<u16>(X87_FSW, load<u16>(image, 2));
  store<u8>(X87_FTW, load<u8>(image, 4));
  store<u16>(X87_FOP, load<u16>(image, 6) & 0x7ff);
  store<u64>(X87_FIP, wide ? load<u64>(image, 8) : u64(load<u32>(image, 8)));
  store<u64>(X87_FDP, wide ? load<u64>(image, 16) : u64(load<u32>(image, 16)));
  for (let i: u32 = 0; i < 8; i++) {
    const to: usize = X87 + ((top() + i & 7) << 4);
    const from: usize = image + LEGACY_ST + (i << 4);
    store<u64>(to, load<u64>(from));
    store<u16>(to, load<u16>(from, 8), 8);
  }
  refreshSummary();
}

export function putXmm(): void {
  for (let n: u32 = 0; n < vectorCount(); n++) memory.copy(image + LEGACY_XMM + n * 16, YMM + n * 32, 16);
}

export function takeXmm(): void {
  for (let n: u32 = 0; n < vectorCount(); n++) memory.copy(YMM + n * 32, image + LEGACY_XMM + n * 16, 16);
}

/** MXCSR and the mask of its bits that exist. */
export function putMxcsr(): void {
  store<u32>(image, load<u32>(MXCSR), LEGACY_MXCSR);
  store<u32>(image, MXCSR_FIELDS, LEGACY_MXCSR + 4);
}
