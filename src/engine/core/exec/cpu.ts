import { fault, VEC_UD } from '../state';

export function execCpuid(u: usize): i32 { return fault(VEC_UD); }
export function execHlt(u: usize): i32 { return fault(VEC_UD); }
export function execPause(u: usize): i32 { return fault(VEC_UD); }
export function execMonitor(u: usize): i32 { return fault(VEC_UD); }
export function execMwait(u: usize): i32 { return fault(VEC_UD); }
export function execInvd(u: usize): i32 { return fault(VEC_UD); }
export function execWbinvd(u: usize): i32 { return fault(VEC_UD); }
export function execRdrand(u: usize): i32 { return fault(VEC_UD); }
export function execRdseed(u: usize): i32 { return fault(VEC_UD); }
export function execRsm(u: usize): i32 { return fault(VEC_UD); }
