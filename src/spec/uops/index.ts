// All micro-ops that have a row, and their numbers.
import { aluRows } from './alu.js';
import { bitRows } from './bit.js';
import { branchRows } from './branch.js';
import { divideRows } from './divide.js';
import { exchangeRows } from './exchange.js';
import { moveRows } from './move.js';
import type { Form, FusedRow, Step, UopRow } from './row.js';
import { segmentRows } from './segment.js';
import { shiftRows } from './shift.js';
import { stackRows } from './stack.js';
import { vectorRows } from './vector.js';

export const UOP_ROWS: readonly UopRow[] = [
  ...aluRows,
  ...moveRows,
  ...shiftRows,
  ...bitRows,
  ...exchangeRows,
  ...divideRows,
  ...stackRows,
  ...branchRows,
  ...vectorRows,
  ...segmentRows,
];

/** Numbers below the first row's: the place before the first block, the end of a block that runs into the next. */
export const OP_ENTER = 0;
export const OP_NEXT = 1;
/** First micro-op of a block that has compiled code. */
export const OP_REGION = 2;
const FIRST = 3;

export interface NumberedUop {
  readonly number: number;
  readonly name: string;
  readonly body: readonly Step[];
  /** The row; of a fused one, that of the comparison. */
  readonly row: UopRow;
  readonly fused?: FusedRow;
}

/** Rows in the order of their numbers; fused ones follow all others. */
export const UOPS: readonly NumberedUop[] = [
  ...UOP_ROWS.map((row) => ({ name: row.name, body: row.body, row })),
  ...UOP_ROWS.flatMap((row) => (row.fused ?? []).map((fused) => ({ name: fused.name, body: fused.body, row, fused }))),
].map((uop, n) => ({ ...uop, number: FIRST + n }));

/** The number behind the last row's. */
export const OP_END = FIRST + UOPS.length;

/** Forms as the decoder tells them apart: one operand as the first of two, a distance as an immediate. */
export const DECODED_FORMS = ['RR', 'RM', 'MR', 'RI', 'MI'] as const;

/** The forms under which the decoder finds a row. */
export function decodedForms(form: Form): readonly number[] {
  const at = (name: (typeof DECODED_FORMS)[number]): number => DECODED_FORMS.indexOf(name);
  switch (form) {
    case 'none':
      return [at('RR'), at('RI')];
    case 'R':
      return [at('RR')];
    case 'M':
      return [at('MR')];
    case 'I':
    case 'J':
      return [at('RI')];
    default:
      return [at(form)];
  }
}

export { alwaysCompletes, factsOf, operandAccess } from './row.js';
export { SLOTS } from './segment.js';
