import { fault, VEC_UD } from '../state';

export function execMovFromCr(u: usize): i32 { return fault(VEC_UD); }
export function execMovToCr(u: usize): i32 { return fault(VEC_UD); }
export function execMovFromDr(u: usize): i32 { return fault(VEC_UD); }
export function execMovToDr(u: usize): i32 { return fault(VEC_UD); }
export function execLmsw(u: usize): i32 { return fault(VEC_UD); }
export function execSmsw(u: usize): i32 { return fault(VEC_UD); }
export function execClts(u: usize): i32 { return fault(VEC_UD); }
export function execXgetbv(u: usize): i32 { return fault(VEC_UD); }
export function execXsetbv(u: usize): i32 { return fault(VEC_UD); }
export function execInvlpg(u: usize): i32 { return fault(VEC_UD); }
export function execInvpcid(u: usize): i32 { return fault(VEC_UD); }
