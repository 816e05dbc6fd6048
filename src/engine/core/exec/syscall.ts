import { fault, VEC_UD } from '../state';

export function execSyscall(u: usize): i32 { return fault(VEC_UD); }
export function execSysret(u: usize): i32 { return fault(VEC_UD); }
export function execSysenter(u: usize): i32 { return fault(VEC_UD); }
export function execSysexit(u: usize): i32 { return fault(VEC_UD); }
export function execSwapgs(u: usize): i32 { return fault(VEC_UD); }
