// Bits of RFLAGS.
import { bitsOf, RFLAGS, STATUS_FLAGS } from '../../spec/flags.js';

export const [CF, PF, AF, ZF, SF, TF, IF, DF, OF, IOPL, RF] = (
  ['CF', 'PF', 'AF', 'ZF', 'SF', 'TF', 'IF', 'DF', 'OF', 'IOPL', 'RF'] as const
).map((name) => bitsOf(RFLAGS, name));
export const STATUS = bitsOf(STATUS_FLAGS);
