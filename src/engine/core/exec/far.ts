import { fault, VEC_UD } from '../state';

export function execJmpFar(u: usize): i32 { return fault(VEC_UD); }
export function execJmpFarMem(u: usize): i32 { return fault(VEC_UD); }
export function execCallFar(u: usize): i32 { return fault(VEC_UD); }
export function execCallFarMem(u: usize): i32 { return fault(VEC_UD); }
export function execRetFar(u: usize): i32 { return fault(VEC_UD); }
