// Classes of exceptions and what a second one makes of the first.
import { VEC_DB, VEC_DF, VEC_PF } from '../state';

// interruption types of the VMCS format
export const TYPE_EXTERNAL: u32 = 0;
export const TYPE_NMI: u32 = 2;
export const TYPE_HARDWARE: u32 = 3;
export const TYPE_SOFT_INTERRUPT: u32 = 4;
export const TYPE_PRIVILEGED_SOFT: u32 = 5;
export const TYPE_SOFT_EXCEPTION: u32 = 6;

export const INFO_VALID: u32 = 0x80000000;
export const INFO_ERROR: u32 = 0x800;
export const INFO_NMI_UNBLOCKED: u32 = 0x1000;

/** #DE #TS #NP #SS #GP: an exception of these after one of these makes #DF. */
@inline export function contributory(vector: u32): bool { return vector < 14 && (0x3c01 >> vector & 1) != 0; }

export const SECOND_SERIAL: u32 = 0;
export const SECOND_DOUBLE: u32 = 1;
export const SECOND_TRIPLE: u32 = 2;

/**
 * What a fault during the delivery of `info` leads to.
 * @sdm 3A 6.15 "Exception and Interrupt Reference", table 6-5
 */
export function combine(info: u32, vector: u32): u32 {
  if (!(info & INFO_VALID) || (info >> 8 & 7) != TYPE_HARDWARE) return SECOND_SERIAL;
  const first = info & 0xff;
  const second = contributory(vector) || vector == <u32>VEC_PF;
  if (first == <u32>VEC_DF) return second ? SECOND_TRIPLE : SECOND_SERIAL;
  if (contributory(first)) return contributory(vector) ? SECOND_DOUBLE : SECOND_SERIAL;
  if (first == <u32>VEC_PF) return second ? SECOND_DOUBLE : SECOND_SERIAL;
  return SECOND_SERIAL;
}

/** Faults whose stack image has RF set: all but debug exceptions and traps. */
export function setsRf(vector: u32): bool { return vector != <u32>VEC_DB && vector != <u32>VEC_DF && vector != 3 && vector != 4; }
