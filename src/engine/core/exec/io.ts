import { fault, VEC_UD } from '../state';

export function execIn(u: usize): i32 { return fault(VEC_UD); }
export function execOut(u: usize): i32 { return fault(VEC_UD); }
export function execIns(u: usize): i32 { return fault(VEC_UD); }
export function execOuts(u: usize): i32 { return fault(VEC_UD); }
