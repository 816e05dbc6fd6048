// XSAVE, XSAVEOPT, XSAVEC and XRSTOR of x87, SSE, AVX and PKRU state. @sdm 1 13 "Managing State Using the XSAVE Feature Set"
import {
  MXCSR, OP_LINEAR, PKRU, RAX, RCX, RDX, X87, X87_FCW, X87_FDP, X87_FIP, X87_FOP, X87_FSW, X87_FTW, XCR0, XS_OK, YMM,
} from '../layout';
import { cr0, cr4, fault, faultCode } from '../state';
import { uOpSize } from '../uop';
import { CR0_TS, CR4_OSXSAVE, FCW_INITIAL, MXCSR_FIELDS, MXCSR_INITIAL, XCR0_AVX, XCR0_PKRU, XCR0_SSE, XCR0_X87 } from '../generated/register-bits';
import { VEC_GP, VEC_NM, VEC_UD } from '../generated/events';
import { accessStatus } from '../mmu/access';
import { operandLinear } from '../exec/operand';
import { setPkru } from '../exec/protection-keys';
import { initialize } from './control-instructions';
import {
  AVX_BYTES, AVX_OFFSET, HEADER_BYTES, LEGACY_BYTES, LEGACY_MXCSR, LEGACY_ST, LEGACY_XMM, PKRU_BYTES, PKRU_OFFSET, image, putMxcsr, putX87, putXmm,
  readArea, takeX87, takeXmm, vectorCount, writeArea,
} from './save-area';

const COMPACTED: u64 = 1 << 63;
const HEADER: usize = LEGACY_BYTES;

function allZero(p: usize, bytes: u32): bool {
  for (let at: u32 = 0; at < bytes; at += 8) if (load<u64>(p + at)) return false;
  return true;
}

function x87InUse(): bool {
  if (load<u16>(X87_FCW) != FCW_INITIAL || load<u16>(X87_FSW) || load<u8>(X87_FTW) || load<u16>(X87_FOP)) return true;
  return (load<u64>(X87_FIP) | load<u64>(X87_FDP)) != 0 || !allZero(X87, 128);
}

/** Halves of the vector registers: 0 XMM, 16 the upper halves. */
function vectorsInUse(half: u32): bool {
  for (let n: u32 = 0; n < vectorCount(); n++) if (!allZero(YMM + n * 32 + half, 16)) return true;
  return false;
}

/** Components that are not in their initial configuration; MXCSR does not count. @sdm 1 13.6 "Processor Tracking of XSAVE-Managed State" */
export function componentsInUse(): u64 {
  const vectors = (vectorsInUse(0) ? XCR0_SSE : 0) | (vectorsInUse(16) ? XCR0_AVX : 0);
  return (x87InUse() ? XCR0_X87 : 0) | vectors | (load<u32>(PKRU) ? XCR0_PKRU : 0);
}

/** #UD without CR4.OSXSAVE, #NM with CR0.TS, #GP off 64 bytes. The linear address is in OP_LINEAR. */
function start(u: usize, bytes: u32, write: bool): i32 {
  if (!(cr4() & CR4_OSXSAVE)) return fault(VEC_UD);
  if (cr0() & CR0_TS) return fault(VEC_NM);
  if (!operandLinear(u, bytes, write)) return accessStatus();
  return load<u64>(OP_LINEAR) & 63 ? faultCode(VEC_GP, 0) : XS_OK;
}

/** Components asked for by EDX:EAX and enabled. */
@inline function requested(): u64 {
  return load<u64>(XCR0) & (u64(load<u32>(RDX)) << 32 | load<u32>(RAX));
}

/** Place of PKRU in a compacted area that has room for these components. */
@inline function compactedPkru(components: u64): u32 {
  return components & XCR0_AVX ? AVX_OFFSET + AVX_BYTES : AVX_OFFSET;
}

@inline function areaBytes(components: u64, pkruAt: u32): u32 {
  if (components & XCR0_PKRU) return pkruAt + PKRU_BYTES;
  return components & XCR0_AVX ? AVX_OFFSET + AVX_BYTES : LEGACY_BYTES + HEADER_BYTES;
}

function putAvx(): void {
  for (let n: u32 = 0; n < vectorCount(); n++) memory.copy(image + AVX_OFFSET + n * 16, YMM + n * 32 + 16, 16);
}

/** Writes the components' parts of the area; MXCSR goes with SSE and, in the standard format, with AVX. */
function writeComponents(la: u64, components: u64, mxcsr: bool, wide: bool, pkruAt: u32): bool {
  if (components & XCR0_X87) {
    putX87(wide);
    if (!writeArea(la, LEGACY_MXCSR, image)) return false;
    if (!writeArea(la + LEGACY_ST, LEGACY_XMM - LEGACY_ST, image + LEGACY_ST)) return false;
  }
  if (mxcsr) {
    putMxcsr();
    if (!writeArea(la + LEGACY_MXCSR, 8, image + LEGACY_MXCSR)) return false;
  }
  if (components & XCR0_SSE) {
    putXmm();
    if (!writeArea(la + LEGACY_XMM, vectorCount() * 16, image + LEGACY_XMM)) return false;
  }
  if (components & XCR0_AVX) {
    putAvx();
    if (!writeArea(la + AVX_OFFSET, vectorCount() * 16, image + AVX_OFFSET)) return false;
  }
  if (components & XCR0_PKRU) {
    store<u64>(image, load<u32>(PKRU), PKRU_OFFSET);
    if (!writeArea(la + pkruAt, PKRU_BYTES, image + PKRU_OFFSET)) return false;
  }
  return true;
}

/** The standard format; `optimize` leaves components out that are in their initial configuration. */
function saveStandard(u: usize, optimize: bool): i32 {
  const wanted = requested();
  const status = start(u, areaBytes(wanted, PKRU_OFFSET), true);
  if (status != XS_OK) return status;
  const la = load<u64>(OP_LINEAR);
  const used = componentsInUse();
  if (!readArea(la + HEADER, 8, image + HEADER)) return accessStatus();
  const old = load<u64>(image, HEADER);
  const written = optimize ? wanted & used : wanted;
  const mxcsr = (wanted & (XCR0_SSE | XCR0_AVX)) != 0;
  if (!writeComponents(la, written, mxcsr, uOpSize(u) == 8, PKRU_OFFSET)) return accessStatus();
  store<u64>(image, old & ~wanted | wanted & used, HEADER);
  return writeArea(la + HEADER, 8, image + HEADER) ? XS_OK : accessStatus();
}

/** @sdm 2D "XSAVE" */
export function execXsave(u: usize): i32 { return saveStandard(u, false); }
/** @sdm 2D "XSAVEOPT" */
export function execXsaveopt(u: usize): i32 { return saveStandard(u, true); }

/** The compacted format: AVX state has its place in the standard format, PKRU comes right after it. @sdm 2D "XSAVEC" */
export function execXsavec(u: usize): i32 {
  const wanted = requested();
  const pkruAt = compactedPkru(wanted);
  const status = start(u, areaBytes(wanted, pkruAt), true);
  if (status != XS_OK) return status;
  const la = load<u64>(OP_LINEAR);
  let used = componentsInUse();
  if (load<u32>(MXCSR) != MXCSR_INITIAL) used |= XCR0_SSE;
  const written = wanted & used;
  if (!writeComponents(la, written, (written & XCR0_SSE) != 0, uOpSize(u) == 8, pkruAt)) return accessStatus();
  store<u64>(image, written, HEADER);
  store<u64>(image, wanted | COMPACTED, HEADER + 8);
  return writeArea(la + HEADER, 16, image + HEADER) ? XS_OK : accessStatus();
}

/** Faults of the header in the image. @sdm 1 13.8 "Operation of XRSTOR" */
function headerRefused(compacted: bool): bool {
  const held = load<u64>(image, HEADER);
  const layout = load<u64>(image, HEADER + 8);
  if (!compacted) return (held & ~load<u64>(XCR0)) != 0 || layout != 0 || load<u64>(image, HEADER + 16) != 0;
  const places = layout & ~COMPACTED;
  return (places & ~load<u64>(XCR0)) != 0 || (held & ~places) != 0 || !allZero(image + HEADER + 16, 48);
}

/** Components asked for that the area does not hold get their initial configuration. @sdm 2D "XRSTOR" */
export function execXrstor(u: usize): i32 {
  const wanted = requested();
  // of the extended components only the header tells the place
  const status = start(u, LEGACY_BYTES + HEADER_BYTES, false);
  if (status != XS_OK) return status;
  const la = load<u64>(OP_LINEAR);
  if (!readArea(la + HEADER, HEADER_BYTES, image + HEADER)) return accessStatus();
  const compacted = (load<u64>(image, HEADER + 8) & COMPACTED) != 0;
  if (headerRefused(compacted)) return faultCode(VEC_GP, 0);
  const held = load<u64>(image, HEADER) & wanted;
  const mxcsr = compacted ? (held & XCR0_SSE) != 0 : (wanted & (XCR0_SSE | XCR0_AVX)) != 0;
  // everything is read before anything changes
  if (held & XCR0_X87 && !readArea(la, LEGACY_XMM, image)) return accessStatus();
  if (mxcsr) {
    if (!readArea(la + LEGACY_MXCSR, 4, image + LEGACY_MXCSR)) return accessStatus();
    if (load<u32>(image, LEGACY_MXCSR) & ~MXCSR_FIELDS) return faultCode(VEC_GP, 0);
  }
  if (held & XCR0_SSE && !readArea(la + LEGACY_XMM, vectorCount() * 16, image + LEGACY_XMM)) return accessStatus();
  if (held & XCR0_AVX && !readArea(la + AVX_OFFSET, vectorCount() * 16, image + AVX_OFFSET)) return accessStatus();
  const pkruAt = compacted ? compactedPkru(load<u64>(image, HEADER + 8)) : PKRU_OFFSET;
  if (held & XCR0_PKRU && !readArea(la + pkruAt, PKRU_BYTES, image + PKRU_OFFSET)) return accessStatus();
  if (mxcsr) store<u32>(MXCSR, load<u32>(image, LEGACY_MXCSR));
  else if (wanted & XCR0_SSE) store<u32>(MXCSR, MXCSR_INITIAL);
  if (held & XCR0_X87) takeX87(uOpSize(u) == 8);
  else if (wanted & XCR0_X87) {
    initialize();
    memory.fill(X87, 0, 128);
  }
  if (held & XCR0_SSE) takeXmm();
  else if (wanted & XCR0_SSE) clearHalves(0);
  if (held & XCR0_AVX) {
    for (let n: u32 = 0; n < vectorCount(); n++) memory.copy(YMM + n * 32 + 16, image + AVX_OFFSET + n * 16, 16);
  } else if (wanted & XCR0_AVX) clearHalves(16);
  if (wanted & XCR0_PKRU) setPkru(held & XCR0_PKRU ? load<u32>(image, PKRU_OFFSET) : 0);
  return XS_OK;
}

function clearHalves(half: u32): void {
  for (let n: u32 = 0; n < vectorCount(); n++) memory.fill(YMM + n * 32 + half, 0, 16);
}

/** @sdm 2D "XGETBV" */
export function execXgetbv(u: usize): i32 {
  if (!(cr4() & CR4_OSXSAVE)) return fault(VEC_UD);
  const index = load<u32>(RCX);
  if (index > 1) return faultCode(VEC_GP, 0);
  let value = load<u64>(XCR0);
  if (index == 1) {
    let used = componentsInUse();
    if (load<u32>(MXCSR) != MXCSR_INITIAL) used |= XCR0_SSE;
    value &= used;
  }
  store<u64>(RAX, value & 0xffffffff);
  store<u64>(RDX, value >> 32);
  return XS_OK;
}
