import { fault, VEC_UD } from '../state';

export function execRdmsr(u: usize): i32 { return fault(VEC_UD); }
export function execWrmsr(u: usize): i32 { return fault(VEC_UD); }
export function execRdtsc(u: usize): i32 { return fault(VEC_UD); }
export function execRdtscp(u: usize): i32 { return fault(VEC_UD); }
export function execRdpmc(u: usize): i32 { return fault(VEC_UD); }
export function execRdpid(u: usize): i32 { return fault(VEC_UD); }
export function execFsGsBase(u: usize): i32 { return fault(VEC_UD); }
