// Makes a failing case small: everything that does not matter goes, as long as the same fields differ.
import type { Case } from './case.js';
import { TF } from './flags.js';

/** Which of these cases still fail in the same way. */
export type StillFails = (cases: readonly Case[]) => boolean[];

const ROUNDS = 12;

/** Simpler variants of a case, the boldest first. */
function simpler(c: Case): Case[] {
  const variants: Case[] = [];
  if (c.pokes.length > 0) variants.push({ ...c, pokes: [] });
  for (let i = 0; i < c.pokes.length; i++) variants.push({ ...c, pokes: c.pokes.filter((_, n) => n !== i) });
  if (c.rflags !== (2 | TF)) variants.push({ ...c, rflags: 2 | TF });
  for (let bit = 0; bit < 22; bit++) {
    const flag = 1 << bit;
    if ((c.rflags & flag) !== 0 && flag !== 2 && flag !== TF) variants.push({ ...c, rflags: c.rflags & ~flag });
  }
  for (let i = 0; i < 16; i++) {
    for (const value of [0n, c.gpr[i] & 0xffn, c.gpr[i] & 0xffff_ffffn]) {
      if (value !== c.gpr[i]) variants.push({ ...c, gpr: c.gpr.with(i, value) });
    }
  }
  for (let i = 0; i < c.code.length - 1; i++) variants.push({ ...c, code: c.code.filter((_, n) => n !== i) });
  for (let i = 1; i < c.code.length; i++) {
    if (c.code[i] !== 0) variants.push({ ...c, code: c.code.map((byte, n) => (n === i ? 0 : byte)) });
  }
  return variants;
}

/** The smallest variant found that still fails. */
export function shrink(c: Case, stillFails: StillFails): Case {
  let best = c;
  for (let round = 0; round < ROUNDS; round++) {
    const variants = simpler(best);
    const failing = stillFails(variants);
    const index = failing.indexOf(true);
    if (index < 0) break;
    best = variants[index];
    // Independent simplifications of the same kind mostly go together: try to add each later one.
    for (let n = index + 1; n < variants.length; n++) {
      if (!failing[n]) continue;
      const merged = merge(best, variants[n]);
      if (merged && stillFails([merged])[0]) best = merged;
    }
  }
  return best;
}

/** What `variant` changed in registers and flags, added to `base`; undefined for a change of another kind. */
function merge(base: Case, variant: Case): Case | undefined {
  if (variant.code.length !== base.code.length || variant.pokes.length !== base.pokes.length) return undefined;
  const gpr = base.gpr.slice();
  variant.gpr.forEach((value, i) => {
    if (value < gpr[i]) gpr[i] = value;
  });
  const rflags = base.rflags & variant.rflags;
  if (rflags === base.rflags && gpr.every((value, i) => value === base.gpr[i])) return undefined;
  return { ...base, gpr, rflags };
}
