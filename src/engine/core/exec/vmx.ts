import { fault, VEC_UD } from '../state';

export function execVmcall(u: usize): i32 { return fault(VEC_UD); }
export function execVmxInstruction(u: usize): i32 { return fault(VEC_UD); }
export function execGetsec(u: usize): i32 { return fault(VEC_UD); }
export function execVmfunc(u: usize): i32 { return fault(VEC_UD); }
