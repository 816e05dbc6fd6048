// Single elements between vectors and general registers or memory, and masks of signs.
import { GPR, OP_LINEAR, OP_VALUE, RDI, XS_OK, YMM } from '../layout';
import { fault, setReg64 } from '../state';
import { accessStatus } from '../mmu/access';
import { FORM_66, UV_L, UV_VEX_W, UV_W, uAddrSize, uForm, uImm, uImm2, uIsMem, uOpcode, uReg, uRm, uSeg } from '../uop';
import { VEC_UD } from '../generated/events';
import { cutAddress, operandRead, writeLinear } from '../exec/operand';
import { segmentLinear } from '../exec/segment';
import { absent, firstSource, high, low, setLow, source } from './operand';
import { storeLow } from './move';

@inline function generalBytes(u: usize): u32 { return uImm2(u) & UV_W ? 8 : 4; }

/** MOVD and MOVQ from a general register or memory. */
export function execMovdLoad(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  if (!operandRead(u, generalBytes(u))) return accessStatus();
  setLow(u, uReg(u), v128.load64_zero(OP_VALUE));
  return XS_OK;
}

export function execMovdStore(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const bytes = generalBytes(u);
  const value = load<u64>(uReg(u) << 5, YMM);
  if (uIsMem(u)) return storeLow(u, bytes, value);
  setReg64(uRm(u), bytes == 8 ? value : value & 0xffffffff);
  return XS_OK;
}

/** Bytes of the element: PINSRB 20, PINSRW C4, PINSRD and PINSRQ 22; PEXTRB 14, PEXTRW 15, PEXTRD and PEXTRQ 16, EXTRACTPS 17. */
function elementBytes(u: usize): u32 {
  switch (uOpcode(u)) {
    case 0x14: case 0x20: return 1;
    case 0x15: case 0xc4: return 2;
    case 0x17: return 4;
    default: return generalBytes(u);
  }
}

/** Place of the element in its register, in bytes. */
@inline function elementPlace(u: usize, bytes: u32): u32 { return (u32(uImm(u)) * bytes) & 15; }

/** VPINSRQ and VPEXTRQ outside 64-bit mode. @sdm 2B "PEXTRB/PEXTRD/PEXTRQ": #UD "in non-64-bit mode, VEX.W=1" */
@inline function isWideOutside64(u: usize): bool {
  return (uOpcode(u) == 0x22 || uOpcode(u) == 0x16) && (uImm2(u) & (UV_VEX_W | UV_W)) == UV_VEX_W;
}

export function execInsert(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  if (isWideOutside64(u)) return fault(VEC_UD);
  const bytes = elementBytes(u);
  if (uIsMem(u)) {
    if (!operandRead(u, bytes)) return accessStatus();
  } else store<u64>(OP_VALUE, load<u64>(uRm(u) << 3, GPR));
  const value = load<u64>(OP_VALUE);
  const at = (uReg(u) << 5) + elementPlace(u, bytes);
  setLow(u, uReg(u), low(firstSource(u)));
  if (bytes == 8) store<u64>(at, value, YMM);
  else if (bytes == 4) store<u32>(at, u32(value), YMM);
  else if (bytes == 2) store<u16>(at, u16(value), YMM);
  else store<u8>(at, u8(value), YMM);
  return XS_OK;
}

function element(u: usize, bytes: u32, register: u32): u64 {
  const at = (register << 5) + elementPlace(u, bytes);
  return bytes == 8 ? load<u64>(at, YMM) : bytes == 4 ? load<u32>(at, YMM) : bytes == 2 ? load<u16>(at, YMM) : load<u8>(at, YMM);
}

export function execExtract(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  if (isWideOutside64(u)) return fault(VEC_UD);
  const bytes = elementBytes(u);
  const value = element(u, bytes, uReg(u));
  if (uIsMem(u)) return storeLow(u, bytes, value);
  setReg64(uRm(u), value);
  return XS_OK;
}

/** PEXTRW of map 0F: the vector is the rm operand. */
export function execExtractWord(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  setReg64(uReg(u), element(u, 2, uRm(u)));
  return XS_OK;
}

/** Immediate: 7:6 source element (registers only), 5:4 destination element, 3:0 elements to clear. */
export function execInsertps(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const imm = u32(uImm(u));
  const p = source(u, 4, false);
  if (!p) return accessStatus();
  const value = load<u32>(uIsMem(u) ? p : p + ((imm >> 6) & 3) * 4);
  const bits = i32x4(1, 2, 4, 8);
  const place = i32x4.eq(i32x4.splat((imm >> 4) & 3), i32x4(0, 1, 2, 3));
  const inserted = v128.bitselect(i32x4.splat(value), low(firstSource(u)), place);
  setLow(u, uReg(u), v128.andnot(inserted, i32x4.eq(v128.and(i32x4.splat(imm), bits), bits)));
  return XS_OK;
}

/** Sign bits of the elements: PMOVMSKB bytes, MOVMSKPS dwords, MOVMSKPD quadwords. */
export function execMoveMask(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const n = uRm(u);
  const whole = (uImm2(u) & UV_L) != 0;
  let mask: u32;
  if (uOpcode(u) == 0xd7) mask = i8x16.bitmask(low(n)) | (whole ? i8x16.bitmask(high(n)) << 16 : 0);
  else if (uForm(u) == FORM_66) mask = i64x2.bitmask(low(n)) | (whole ? i64x2.bitmask(high(n)) << 2 : 0);
  else mask = i32x4.bitmask(low(n)) | (whole ? i32x4.bitmask(high(n)) << 4 : 0);
  setReg64(uReg(u), mask);
  return XS_OK;
}

/** Writes the bytes of `data` whose mask byte has its top bit set to DS:rDI; ranges of set bytes are written one by one. */
export function storeMasked(u: usize, data: usize, mask: u32, bytes: u32): i32 {
  const offset = cutAddress(load<u64>(RDI), uAddrSize(u));
  if (mask == 0) return XS_OK;
  if (!segmentLinear(uSeg(u), offset, bytes, true)) return accessStatus();
  const la = load<u64>(OP_LINEAR);
  for (let n: u32 = 0; n < bytes; n++) {
    if (mask & (1 << n) && !writeLinear(la + n, 1, load<u8>(data + n))) return accessStatus();
  }
  return XS_OK;
}

export function execMaskmovdqu(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  return storeMasked(u, YMM + (uReg(u) << 5), i8x16.bitmask(low(uRm(u))), 16);
}
