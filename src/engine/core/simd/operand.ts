// What every vector instruction begins and ends with: may it run, where is its operand, what becomes of the upper half.
import { BOUNCE, BOUNCE_BYTES, CTX, MODE, MODE_CODE64, OP_LINEAR, SEG_SS, TLB_ENTRIES, TLB_READ, TLB_WRITE, VECTORS_OFF, X87, X87_FSW, X87_FTW, XCR0, YMM } from '../layout';
import { cr0, cr4, protectedMode, v8086 } from '../state';
import { asStackFault, cached, readSlow, writeSlow, wroteSlow } from '../mmu/access';
import { UF_SIMPLE, UV_VEX, uFlags, uImm2, uIsMem, uReg, uRm, uSeg, uVector } from '../uop';
import { CR0_EM, CR0_TS, CR4_OSFXSR, CR4_OSXSAVE, FSW_ES, FSW_TOP, XCR0_AVX, XCR0_SSE } from '../generated/register-bits';
import { VEC_GP, VEC_MF, VEC_NM, VEC_UD } from '../generated/events';
import { address } from '../exec/inline-operand';
import { operandLinear } from '../exec/operand';
import { reject } from '../exec/segment';

const XCR0_VECTORS: u64 = XCR0_SSE | XCR0_AVX;

export const YMM_HIGH = YMM + 16;

/**
 * Vector of the exception that keeps an SSE or VEX instruction from running; 0: none.
 * @sdm 2A 2.4 "AVX and SSE Instruction Exception Classification"
 */
// fast path: 2 loads
@inline export function absent(u: usize): u32 {
  return load<u32>(VECTORS_OFF) & (1 << ((uImm2(u) >> 5) & 1)) ? whyAbsent(u) : 0;
}

/** Do SSE instructions fault? */
@inline export function sseOff(): u32 { return load<u32>(VECTORS_OFF) & 1; }
/** Do VEX-encoded ones? */
@inline export function vexOff(): u32 { return load<u32>(VECTORS_OFF) & 2; }

function whyAbsent(u: usize): u32 { return uImm2(u) & UV_VEX ? vexAbsent() : sseAbsent(); }

function sseAbsent(): u32 {
  if (cr0() & CR0_EM || !(cr4() & CR4_OSFXSR)) return VEC_UD;
  return cr0() & CR0_TS ? VEC_NM : 0;
}

function vexAbsent(): u32 {
  if (!protectedMode() || v8086() || !(cr4() & CR4_OSXSAVE) || (load<u64>(XCR0) & XCR0_VECTORS) != XCR0_VECTORS) return VEC_UD;
  return cr0() & CR0_TS ? VEC_NM : 0;
}

/** Works out VECTORS_OFF anew after CR0, CR4, XCR0 or RFLAGS.VM changed. */
export function updateVectors(): void { store<u32>(VECTORS_OFF, (sseAbsent() ? 1 : 0) | (vexAbsent() ? 2 : 0)); }

/** The same for MMX instructions; #MF when an unmasked x87 exception is pending. */
export function mmxAbsent(): u32 {
  if (cr0() & CR0_EM) return VEC_UD;
  if (cr0() & CR0_TS) return VEC_NM;
  return load<u16>(X87_FSW) & FSW_ES ? VEC_MF : 0;
}

/** What an MMX instruction other than EMMS does to the x87 state: TOP 0, all registers valid. @sdm 1 9.6.2 "Transitions Between x87 FPU and MMX Code" */
@inline export function enterMmx(): void {
  store<u16>(X87_FSW, load<u16>(X87_FSW) & ~FSW_TOP);
  store<u16>(X87_FTW, (load<u16>(X87_FTW) & 0xff00) | 0xff);
}

// ---- memory ----

/** Linear address of the memory operand of `bytes` bytes in OP_LINEAR; false: fault recorded. */
// fast path: flat segments, 3 loads
export function vectorLinear(u: usize, bytes: u32, write: bool): bool {
  if (uFlags(u) & UF_SIMPLE) {
    const la = address(u);
    store<u64>(OP_LINEAR, load<u32>(MODE) & MODE_CODE64 ? la : la & 0xffffffff);
    return true;
  }
  return operandLinear(u, bytes, write);
}

function memorySource(u: usize, bytes: u32, aligned: bool): usize {
  if (uFlags(u) & UF_SIMPLE && load<u32>(MODE) & MODE_CODE64) {
    const la = address(u);
    if (!aligned || (la & (bytes - 1)) == 0) {
      const p = cached(TLB_READ, la, bytes);
      if (p) return p;
    }
  }
  if (!vectorLinear(u, bytes, false)) return 0;
  const la = load<u64>(OP_LINEAR);
  if (aligned && la & (bytes - 1)) {
    reject(VEC_GP, 0);
    return 0;
  }
  return readableBytes(u, la, bytes);
}

/** Host pointer for a read of up to 32 bytes at a linear address for the operand of u; 0: see accessStatus(). */
export function readableBytes(u: usize, la: u64, bytes: u32): usize {
  const entry = (<usize>(<u32>la >> 12) & (TLB_ENTRIES - 1)) << 4;
  if (load<u64>(entry, TLB_READ) == (((la + (bytes - 1)) & ~(<u64>0xfff)) | load<u32>(CTX))) {
    return <u32>la + load<u32>(entry, TLB_READ + 8);
  }
  const p = readSlow(la, bytes);
  if (!p && uSeg(u) == SEG_SS) asStackFault();
  return p;
}

/** Host pointer for a write of up to 32 bytes; 0: see accessStatus(). Then stored(). */
export function writableBytes(u: usize, la: u64, bytes: u32): usize {
  const entry = (<usize>(<u32>la >> 12) & (TLB_ENTRIES - 1)) << 4;
  if (load<u64>(entry, TLB_WRITE) == (((la + (bytes - 1)) & ~(<u64>0xfff)) | load<u32>(CTX))) {
    return <u32>la + load<u32>(entry, TLB_WRITE + 8);
  }
  const p = writeSlow(la, bytes, false);
  if (!p && uSeg(u) == SEG_SS) asStackFault();
  return p;
}

/** Pointer to the rm operand, an XMM or YMM register or memory; 0: see accessStatus(). `aligned`: #GP(0) where memory is not. */
@inline export function source(u: usize, bytes: u32, aligned: bool): usize {
  return uIsMem(u) ? memorySource(u, bytes, aligned) : YMM + (uRm(u) << 5);
}

/** Pointer to the memory operand for a write, or 0. */
export function target(u: usize, bytes: u32, aligned: bool): usize {
  if (uFlags(u) & UF_SIMPLE && load<u32>(MODE) & MODE_CODE64) {
    const la = address(u);
    if (!aligned || (la & (bytes - 1)) == 0) {
      const p = cached(TLB_WRITE, la, bytes);
      if (p) return p;
    }
  }
  if (!vectorLinear(u, bytes, true)) return 0;
  const la = load<u64>(OP_LINEAR);
  if (aligned && la & (bytes - 1)) {
    reject(VEC_GP, 0);
    return 0;
  }
  return writableBytes(u, la, bytes);
}

/** Completes a write through target(); false: see accessStatus(). */
@inline export function stored(p: usize, bytes: u32): bool {
  return <u32>(p - BOUNCE) >= <u32>BOUNCE_BYTES || wroteSlow(bytes);
}

// ---- registers ----

@inline export function low(n: u32): v128 { return v128.load(n << 5, YMM); }
@inline export function high(n: u32): v128 { return v128.load(n << 5, YMM_HIGH); }

/** Number of the first source: VEX.vvvv, or the destination in the legacy form. */
@inline export function firstSource(u: usize): u32 { return uImm2(u) & UV_VEX ? uVector(u) : uReg(u); }

/** Writes an XMM register; the VEX form clears bits 255:128. */
@inline export function setLow(u: usize, n: u32, value: v128): void {
  v128.store(n << 5, value, YMM);
  if (uImm2(u) & UV_VEX) v128.store(n << 5, i64x2.splat(0), YMM_HIGH);
}

@inline export function setWhole(n: u32, lowHalf: v128, highHalf: v128): void {
  v128.store(n << 5, lowHalf, YMM);
  v128.store(n << 5, highHalf, YMM_HIGH);
}

/** MMX register n as the low half of a vector; the number's bit 3 (REX) is ignored. */
@inline export function mmxRead(n: u32): v128 { return v128.load64_zero((n & 7) << 4, X87); }

/** Writes an MMX register: sign and exponent of the x87 register become ones. */
@inline export function mmxWrite(n: u32, value: v128): void {
  store<u64>((n & 7) << 4, i64x2.extract_lane(value, 0), X87);
  store<u16>((n & 7) << 4, 0xffff, X87 + 8);
}

/** Pointer to the rm operand of an MMX instruction, register or memory of `bytes` bytes; 0: see accessStatus(). */
@inline export function mmxSource(u: usize, bytes: u32): usize {
  return uIsMem(u) ? memorySource(u, bytes, false) : X87 + ((uRm(u) & 7) << 4);
}
