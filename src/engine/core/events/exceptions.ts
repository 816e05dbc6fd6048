// Classes of exceptions and what a second one makes of the first.
import {
  INFO_VALID, TYPE_HARDWARE_EXCEPTION, VEC_BP, VEC_DB, VEC_DE, VEC_DF, VEC_GP, VEC_NP, VEC_OF, VEC_PF, VEC_SS, VEC_TS,
} from '../generated/events';

const CONTRIBUTORY: u32 = 1 << VEC_DE | 1 << VEC_TS | 1 << VEC_NP | 1 << VEC_SS | 1 << VEC_GP;

/** An exception of these after one of these makes #DF. */
@inline export function contributory(vector: u32): bool { return vector < VEC_PF && (CONTRIBUTORY >> vector & 1) != 0; }

export const SECOND_SERIAL: u32 = 0;
export const SECOND_DOUBLE: u32 = 1;
export const SECOND_TRIPLE: u32 = 2;

/**
 * What a fault during the delivery of `info` leads to.
 * @sdm 3A 6.15 "Exception and Interrupt Reference", table 6-5
 */
export function combine(info: u32, vector: u32): u32 {
  if (!(info & INFO_VALID) || (info >> 8 & 7) != TYPE_HARDWARE_EXCEPTION) return SECOND_SERIAL;
  const first = info & 0xff;
  const second = contributory(vector) || vector == VEC_PF;
  if (first == VEC_DF) return second ? SECOND_TRIPLE : SECOND_SERIAL;
  if (contributory(first)) return contributory(vector) ? SECOND_DOUBLE : SECOND_SERIAL;
  if (first == VEC_PF) return second ? SECOND_DOUBLE : SECOND_SERIAL;
  return SECOND_SERIAL;
}

/** Faults whose stack image has RF set: all but debug exceptions and traps. */
export function setsRf(vector: u32): bool { return vector != VEC_DB && vector != VEC_DF && vector != VEC_BP && vector != VEC_OF; }
