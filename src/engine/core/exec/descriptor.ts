import { fault, VEC_UD } from '../state';

export function execSgdt(u: usize): i32 { return fault(VEC_UD); }
export function execSidt(u: usize): i32 { return fault(VEC_UD); }
export function execLgdt(u: usize): i32 { return fault(VEC_UD); }
export function execLidt(u: usize): i32 { return fault(VEC_UD); }
export function execSldt(u: usize): i32 { return fault(VEC_UD); }
export function execStr(u: usize): i32 { return fault(VEC_UD); }
export function execLldt(u: usize): i32 { return fault(VEC_UD); }
export function execLtr(u: usize): i32 { return fault(VEC_UD); }
export function execVerr(u: usize): i32 { return fault(VEC_UD); }
export function execVerw(u: usize): i32 { return fault(VEC_UD); }
export function execLar(u: usize): i32 { return fault(VEC_UD); }
export function execLsl(u: usize): i32 { return fault(VEC_UD); }
export function execArpl(u: usize): i32 { return fault(VEC_UD); }
