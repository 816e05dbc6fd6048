import { fault, VEC_UD } from '../state';

/** Linear address of bytes at offset in a segment -> OP_LINEAR; false: #SS or #GP recorded. */
export function segmentLinear(seg: u32, offset: u64, bytes: u32, write: bool): bool { return false; }
export function execMovSegReg(u: usize): i32 { return fault(VEC_UD); }
export function execMovRegSeg(u: usize): i32 { return fault(VEC_UD); }
export function execPushSeg(u: usize): i32 { return fault(VEC_UD); }
export function execPopSeg(u: usize): i32 { return fault(VEC_UD); }
/** LES LDS LSS LFS LGS: uReg is the general register, the opcode byte tells the segment. */
export function execLoadFar(u: usize): i32 { return fault(VEC_UD); }
