import { fault, VEC_UD } from '../state';

export function execCli(u: usize): i32 { return fault(VEC_UD); }
export function execSti(u: usize): i32 { return fault(VEC_UD); }
export function execPushf(u: usize): i32 { return fault(VEC_UD); }
export function execPopf(u: usize): i32 { return fault(VEC_UD); }
export function execStac(u: usize): i32 { return fault(VEC_UD); }
export function execClac(u: usize): i32 { return fault(VEC_UD); }
