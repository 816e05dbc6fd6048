// AVX and AVX2: loads, stores and gathers under a mask. Elements that the mask leaves out are not accessed.
import { GPR, OP_LINEAR, XS_FAULT, XS_OK, YMM } from '../layout';
import { fault } from '../state';
import { accessStatus } from '../mmu/access';
import { UV_L, UV_VEX_W, uAddrSize, uBase, uDisp, uImm2, uIndex, uOpcode, uReg, uScale, uSeg, uVector } from '../uop';
import { VEC_UD } from '../generated/events';
import { cutAddress, effectiveAddress, writeLinear } from '../exec/operand';
import { segmentLinear } from '../exec/segment';
import { absent, readableBytes } from './operand';

/** Elements read so far; the register takes them when the instruction is done or faults. */
const LOADED: usize = memory.data<u64>([0, 0, 0, 0]);

/** VMASKMOVPS 2C 2E and VPMASKMOVD 8C 8E W0: 4; VMASKMOVPD 2D 2F and VPMASKMOVQ W1: 8. */
@inline function maskedBytes(u: usize): u32 {
  const opcode = uOpcode(u);
  return opcode & 0x80 ? (uImm2(u) & UV_VEX_W ? 8 : 4) : opcode & 1 ? 8 : 4;
}

/** Is the sign bit of element `n` set? */
@inline function selected(register: u32, n: u32, bytes: u32): bool {
  return load<u8>((register << 5) + (n + 1) * bytes - 1, YMM) >> 7 != 0;
}

/** Linear address of an element in OP_LINEAR. */
@inline function elementLinear(u: usize, offset: u64, bytes: u32, write: bool): bool {
  return segmentLinear(uSeg(u), cutAddress(offset, uAddrSize(u)), bytes, write);
}

export function execMaskedLoad(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const bytes = maskedBytes(u);
  const total: u32 = uImm2(u) & UV_L ? 32 : 16;
  const offset = effectiveAddress(u);
  memory.fill(LOADED, 0, 32);
  for (let at: u32 = 0, n: u32 = 0; at < total; at += bytes, n++) {
    if (!selected(uVector(u), n, bytes)) continue;
    if (!elementLinear(u, offset + at, bytes, false)) return accessStatus();
    const p = readableBytes(u, load<u64>(OP_LINEAR), bytes);
    if (!p) return accessStatus();
    memory.copy(LOADED + at, p, bytes);
  }
  memory.copy(YMM + (uReg(u) << 5), LOADED, 32);
  return XS_OK;
}

export function execMaskedStore(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const bytes = maskedBytes(u);
  const total: u32 = uImm2(u) & UV_L ? 32 : 16;
  const offset = effectiveAddress(u);
  for (let at: u32 = 0, n: u32 = 0; at < total; at += bytes, n++) {
    if (!selected(uVector(u), n, bytes)) continue;
    if (!elementLinear(u, offset + at, bytes, true)) return accessStatus();
    const from = (uReg(u) << 5) + at;
    const value: u64 = bytes == 8 ? load<u64>(from, YMM) : load<u32>(from, YMM);
    if (!writeLinear(load<u64>(OP_LINEAR), bytes, value)) return accessStatus();
  }
  return XS_OK;
}

/**
 * Gathers: opcode bit 0: quadword indices; W1: 8-byte elements. An element that was read is done, its mask
 * cleared: a fault leaves the rest to the next try. Destination, index and mask must be different registers.
 */
export function execGather(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const destination = uReg(u);
  const mask = uVector(u);
  const index = uIndex(u);
  if (destination == mask || destination == index || mask == index) return fault(VEC_UD);
  const second = uImm2(u);
  const bytes: u32 = second & UV_VEX_W ? 8 : 4;
  const indexBytes: u32 = uOpcode(u) & 1 ? 8 : 4;
  const total: u32 = second & UV_L ? 32 : 16;
  const count = total / max<u32>(bytes, indexBytes);
  const base = load<u64>(uBase(u) << 3, GPR) + u64(i64(uDisp(u)));
  // the whole mask element says what its sign bit says
  for (let n: u32 = 0; n < count; n++) {
    const at = (mask << 5) + n * bytes;
    const full: u64 = selected(mask, n, bytes) ? ~u64(0) : 0;
    if (bytes == 8) store<u64>(at, full, YMM);
    else store<u32>(at, u32(full), YMM);
  }
  // a fault leaves the elements before it done; an access that the VMM does for this instruction leaves none
  let done: u32 = 0;
  let whole = true;
  for (; done < count; done++) {
    const n = done;
    if (!selected(mask, n, bytes)) {
      memory.copy(LOADED + n * bytes, YMM + (destination << 5) + n * bytes, bytes);
      continue;
    }
    const from = (index << 5) + n * indexBytes;
    const scaled = (indexBytes == 8 ? load<i64>(from, YMM) : i64(load<i32>(from, YMM))) << i64(uScale(u));
    const p = elementLinear(u, base + u64(scaled), bytes, false) ? readableBytes(u, load<u64>(OP_LINEAR), bytes) : 0;
    if (!p) {
      whole = false;
      break;
    }
    memory.copy(LOADED + n * bytes, p, bytes);
  }
  if (!whole && accessStatus() != XS_FAULT) return accessStatus();
  memory.copy(YMM + (destination << 5), LOADED, done * bytes);
  memory.fill(YMM + (mask << 5), 0, done * bytes);
  if (!whole) return accessStatus();
  clearFrom(destination, count * bytes);
  clearFrom(mask, 0);
  return XS_OK;
}

/** Clears a register from a byte on. */
@inline function clearFrom(n: u32, from: u32): void { memory.fill(YMM + (n << 5) + from, 0, 32 - from); }
