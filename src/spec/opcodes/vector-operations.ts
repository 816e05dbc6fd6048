// Operations of the vector instructions by number: 64 of each group, in the table's order.
import { OPCODES, type OpcodeRow, VECTOR_GROUPS } from './index.js';

/** Operations of each vector group, in the table's order. */
export const VECTOR_OPERATIONS: ReadonlyMap<string, readonly string[]> = new Map(
  VECTOR_GROUPS.map((group) => [
    group,
    group === 'none'
      ? []
      : [...new Set(OPCODES.filter((row) => row.group === group).map((row) => row.operation ?? ''))],
  ]),
);

/** The number that the decoder puts into a micro-op. @throws Error when a group has too many */
export function operationId(row: OpcodeRow): number {
  if (row.group === undefined || row.group === 'none') return 0;
  const place = VECTOR_OPERATIONS.get(row.group)?.indexOf(row.operation ?? '') ?? -1;
  if (place < 0 || place > 63) throw new Error(`operation of ${row.mnemonic}`);
  return VECTOR_GROUPS.indexOf(row.group) * 64 + place;
}

/** The operation of a number; empty: of no group. */
export const operationOf = (id: number): string => VECTOR_OPERATIONS.get(VECTOR_GROUPS[id >> 6])?.[id & 63] ?? '';
