// Vector and x87 instructions that compiled code carries out itself: which ones, and how. All others call their handler
// (core/simd), and so do these where their conditions do not hold.

import type { DecodedUop } from './decoded.js';
import { integerInstruction } from './integer-code.js';
import { segmentedCode } from './segmented-code.js';
import { systemCode } from './system-code.js';
import { inMemory, isSimple, type VectorCode } from './vector-code.js';
import { convertCode } from './vector-convert.js';
import { elementCode } from './vector-elements.js';
import { floatCode } from './vector-float.js';
import { fmaCode } from './vector-fma.js';
import { integerCode } from './vector-integer.js';
import { moveCode } from './vector-move.js';
import { x87Code } from './x87-code.js';

const KNOWN = new WeakMap<DecodedUop, VectorCode | null>();

/** Who writes them, by the name of their handler. */
const CODES = {
  vector: [floatCode, fmaCode, convertCode, integerCode, moveCode, elementCode],
  others: [x87Code, segmentedCode, integerInstruction, systemCode],
};

/** The code of a vector or x87 instruction; undefined: its handler is called. */
export function vectorCode(uop: DecodedUop): VectorCode | undefined {
  const { handler } = uop;
  if (!handler) return undefined;
  if (inMemory(uop) && !isSimple(uop)) return undefined;
  let known = KNOWN.get(uop);
  if (known === undefined) {
    known =
      CODES[handler.vector ? 'vector' : 'others'].reduce<VectorCode | undefined>(
        (found, code) => found ?? code(handler.name, uop),
        undefined,
      ) ?? null;
    KNOWN.set(uop, known);
  }
  return known ?? undefined;
}
