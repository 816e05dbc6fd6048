// Bits of registers as masks, by the names of their rows: `CR0.PG`.
import * as rows from './flags.js';

const masksOf = <N extends string>(fields: readonly rows.BitField<N>[]): Readonly<Record<N, bigint>> =>
  Object.fromEntries(fields.map((field) => [field.name, rows.maskOf([field])])) as Record<N, bigint>;

export const RFLAGS = masksOf(rows.RFLAGS);
export const CR0 = masksOf(rows.CR0);
export const CR4 = masksOf(rows.CR4);
export const EFER = masksOf(rows.EFER);
export const XCR0 = masksOf(rows.XCR0);
export const DR6 = masksOf(rows.DR6);
export const DR7 = masksOf(rows.DR7);
/** Access rights of a segment. */
export const AR = masksOf(rows.ACCESS_RIGHTS);

/** Bits that read 1 whatever is written. */
export const ALWAYS_ONE = {
  RFLAGS: BigInt(rows.ALWAYS_ONE.RFLAGS),
  DR6: BigInt(rows.ALWAYS_ONE.DR6),
  DR7: BigInt(rows.ALWAYS_ONE.DR7),
} as const;
