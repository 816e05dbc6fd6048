// AVX and AVX2: broadcasts, 128-bit halves, permutations across both halves.
import { XS_OK } from '../layout';
import { fault } from '../state';
import { accessStatus } from '../mmu/access';
import { UV_L, uImm, uImm2, uIsMem, uOperation, uReg, uRm, uVector } from '../uop';
import {
  X_BROADCASTSD, X_BROADCASTSS, X_PBROADCASTB, X_PBROADCASTD, X_PBROADCASTQ, X_PBROADCASTW, X_PERM2F128, X_PERM2I128, X_PERMPD, X_PERMQ,
} from '../generated/vector-ops';
import { absent, high, low, setLow, setWhole, source, stored, target } from './operand';

/** Bytes of the broadcast element. */
function elementBytes(op: u32): u32 {
  switch (op) {
    case X_PBROADCASTB: return 1;
    case X_PBROADCASTW: return 2;
    case X_BROADCASTSS: case X_PBROADCASTD: return 4;
    case X_BROADCASTSD: case X_PBROADCASTQ: return 8;
    default: return 16;
  }
}

export function execBroadcast(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const bytes = elementBytes(uOperation(u));
  const p = source(u, bytes, false);
  if (!p) return accessStatus();
  const value = bytes == 16 ? v128.load(p)
    : bytes == 8 ? v128.load64_splat(p)
    : bytes == 4 ? v128.load32_splat(p)
    : bytes == 2 ? v128.load16_splat(p)
    : v128.load8_splat(p);
  if (uImm2(u) & UV_L) setWhole(uReg(u), value, value);
  else setLow(u, uReg(u), value);
  return XS_OK;
}

/** Quadword number `place` of a 256-bit operand. */
@inline function quadword(p: usize, place: u32): u64 { return load<u64>(p + (place & 3) * 8); }
@inline function dword(p: usize, place: i32): u32 { return load<u32>(p + (place & 7) * 4); }

/** One half by a four-bit selector: 0-1 halves of the first source, 2-3 of the second, bit 3 clears. */
function selectHalf(u: usize, p: usize, selector: u32): v128 {
  if (selector & 8) return i64x2.splat(0);
  if (selector & 2) return v128.load(p + ((selector & 1) << 4));
  return selector & 1 ? high(uVector(u)) : low(uVector(u));
}

@inline function permutedDwords(p: usize, places: v128): v128 {
  return i32x4(
    dword(p, i32x4.extract_lane(places, 0)),
    dword(p, i32x4.extract_lane(places, 1)),
    dword(p, i32x4.extract_lane(places, 2)),
    dword(p, i32x4.extract_lane(places, 3)),
  );
}

export function execPermute(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const p = source(u, 32, false);
  if (!p) return accessStatus();
  const imm = u32(uImm(u)) & 0xff;
  switch (uOperation(u)) {
    case X_PERM2F128: case X_PERM2I128: {
      const lower = selectHalf(u, p, imm);
      setWhole(uReg(u), lower, selectHalf(u, p, imm >> 4));
      break;
    }
    case X_PERMQ: case X_PERMPD: {
      const lower = i64x2(quadword(p, imm), quadword(p, imm >> 2));
      setWhole(uReg(u), lower, i64x2(quadword(p, imm >> 4), quadword(p, imm >> 6)));
      break;
    }
    default: { // VPERMD, VPERMPS
      const lower = permutedDwords(p, low(uVector(u)));
      setWhole(uReg(u), lower, permutedDwords(p, high(uVector(u))));
    }
  }
  return XS_OK;
}

export function execInsert128(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const p = source(u, 16, false);
  if (!p) return accessStatus();
  const value = v128.load(p);
  if (uImm(u) & 1) setWhole(uReg(u), low(uVector(u)), value);
  else setWhole(uReg(u), value, high(uVector(u)));
  return XS_OK;
}

export function execExtract128(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const value = uImm(u) & 1 ? high(uReg(u)) : low(uReg(u));
  if (!uIsMem(u)) {
    setLow(u, uRm(u), value);
    return XS_OK;
  }
  const p = target(u, 16, false);
  if (!p) return accessStatus();
  v128.store(p, value);
  return stored(p, 16) ? XS_OK : accessStatus();
}

