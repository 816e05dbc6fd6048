import { fault, VEC_UD } from '../state';

export function execInt(u: usize): i32 { return fault(VEC_UD); }
export function execInt3(u: usize): i32 { return fault(VEC_UD); }
export function execInto(u: usize): i32 { return fault(VEC_UD); }
export function execIcebp(u: usize): i32 { return fault(VEC_UD); }
export function execIret(u: usize): i32 { return fault(VEC_UD); }
