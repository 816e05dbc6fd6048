// The micro-op: 32 bytes, one per x86 instruction (fused pairs: one for both).
//
//   0        2    3    4     5      6      7     8        12       14   15    16        24
//   | op u16 | r  | rm | base| index| scale| seg | disp i32 | next u16| len | nth | imm u64 | aux u64 |
//
// r, rm, base and index are register numbers (REG_ZERO and REG_RIP included). The 8-bit registers
// ah ch dh bh are numbers 4-7 with UF_HIGH_R / UF_HIGH_RM set in the flags; the effective address is
// R[base] + (R[index] << scale) + disp, cut to the address size, plus the segment's base. In the dispatcher's own
// micro-ops base or index may be 50 or 54: what lies there behind the registers are the bases of FS and GS.
import { REG_ZERO } from './layout';

export const UOP_BYTES = 32;

@inline export function uOp(u: usize): u32 { return load<u16>(u); }
/** ModRM.reg with REX.R: a general register, or the number of a segment, control or debug register. */
@inline export function uReg(u: usize): u32 { return load<u8>(u, 2); }
/** ModRM.rm with REX.B where it is a register (see uIsMem). */
@inline export function uRm(u: usize): u32 { return load<u8>(u, 3); }
@inline export function uBase(u: usize): u32 { return load<u8>(u, 4); }
@inline export function uIndex(u: usize): u32 { return load<u8>(u, 5); }
@inline export function uScale(u: usize): u32 { return load<u8>(u, 6); }
/** Segment of the memory operand, SEG_ES..SEG_GS, overrides applied. */
@inline export function uSeg(u: usize): u32 { return load<u8>(u, 7); }
@inline export function uDisp(u: usize): i32 { return load<i32>(u, 8); }
/** Offset of the next instruction from the start of the block. */
@inline export function uNext(u: usize): u32 { return load<u16>(u, 12); }
/** Length of the instruction, prefixes included; of a fused pair both. */
@inline export function uLen(u: usize): u32 { return load<u8>(u, 14) & UL_LENGTH; }
/** Place of the instruction in its block, from 0. */
@inline export function uNth(u: usize): u32 { return load<u8>(u, 15); }
/** Immediate, sign-extended; far pointers: offset, selector in aux bits 32-47. */
@inline export function uImm(u: usize): u64 { return load<u64>(u, 16); }
/** Low 32 bits: UF_* flags. High 32 bits: a second immediate (ENTER, far selector) or the fused target. */
@inline export function uFlags(u: usize): u32 { return load<u32>(u, 24); }
@inline export function uImm2(u: usize): u32 { return load<u32>(u, 28); }

// beside the length: what the compiler wants to know
export const UL_LENGTH = 0x3f;
export const UL_DEVICE = 0x80; // its access has met a device
export const UL_COMPILED = 0x40; // a region was compiled that knows of it

/** The access of the micro-op leads to a device: compiled code has its instruction run alone there, without leaving. */
export function markDevice(u: usize): void { store<u8>(u, u8(load<u8>(u, 14) | UL_DEVICE), 14); }
/** Was a region compiled before that was known? */
@inline export function metDeviceSince(u: usize): bool { return (load<u8>(u, 14) & (UL_DEVICE | UL_COMPILED)) == UL_DEVICE; }

export const UF_OPSIZE = 0x0f; // operand size in bytes: 1, 2, 4, 8
export const UF_MEM = 0x10; // the rm operand is memory
export const UF_REP = 0x20; // F3
export const UF_REPNE = 0x40; // F2
export const UF_LOCK = 0x80;
export const UF_ADDR_SHIFT = 8; // address size in bytes: 2, 4, 8
export const UF_HIGH_R = 0x1000;
export const UF_HIGH_RM = 0x2000;
export const UF_REX = 0x4000;
export const UF_SIMPLE = 0x8000; // address needs no segment base, no cut, no limit check
export const UF_OPCODE_SHIFT = 16; // last opcode byte in bits 16-23; bits 24-26: ModRM.reg as encoded, without REX.R
export const UF_DST_REG = 0x08000000; // r is the destination and rm the source; otherwise rm is the destination
export const UF_IMM = 0x10000000; // the source is the immediate
export const UF_MOFFS = 0x20000000; // the memory operand's offset is the immediate (MOV moffs)
export const UF_PREFIX_66: u32 = 0x80000000; // an operand-size prefix is there
export const UF_MAP_0F = 0x40000000; // opcode of a two- or three-byte map

@inline export function uOpSize(u: usize): u32 { return uFlags(u) & UF_OPSIZE; }
@inline export function uAddrSize(u: usize): u32 { return (uFlags(u) >> UF_ADDR_SHIFT) & 15; }
@inline export function uIsMem(u: usize): bool { return (uFlags(u) & UF_MEM) != 0; }
@inline export function uRep(u: usize): bool { return (uFlags(u) & (UF_REP | UF_REPNE)) != 0; }
@inline export function uOpcode(u: usize): u32 { return (uFlags(u) >> UF_OPCODE_SHIFT) & 0xff; }
@inline export function uModReg(u: usize): u32 { return (uFlags(u) >> 24) & 7; }
/** Length of the branch that was joined with the comparison. */
export const UF_FUSED_SHIFT = 24;
@inline export function uFusedLength(u: usize): u32 { return (uFlags(u) >> UF_FUSED_SHIFT) & 15; }
@inline export function uNoBase(u: usize): bool { return uBase(u) == REG_ZERO; }

// Vector instructions, in uImm2: VEX.vvvv in bits 0-3, the form, the operation.
export const UV_L = 0x10; // 256 bits
export const UV_VEX = 0x20;
export const UV_W = 0x40; // REX.W or, in 64-bit mode, VEX.W: general registers of 64 bits
export const UV_VEX_W = 0x80; // VEX.W in every mode: selects the operation
export const UV_FORM_SHIFT = 8; // mandatory prefix: FORM_*
export const UV_OPERATION_SHIFT = 16;
/** Mandatory prefixes; for floating-point arithmetic packed single, packed double, scalar single, scalar double. */
export const FORM_NP = 0;
export const FORM_66 = 1;
export const FORM_F3 = 2;
export const FORM_F2 = 3;

@inline export function uVector(u: usize): u32 { return uImm2(u) & 15; }
@inline export function uForm(u: usize): u32 { return (uImm2(u) >> UV_FORM_SHIFT) & 3; }
@inline export function uOperation(u: usize): u32 { return uImm2(u) >> UV_OPERATION_SHIFT; }
