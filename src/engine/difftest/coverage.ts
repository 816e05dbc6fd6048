// What the systematic cases meet of each general-purpose instruction: modes, privilege levels, operand sizes, addressing
// forms and kinds of places. And which rows of the opcode table have no cases, each with the reason.
import { OPCODES } from '../../spec/opcodes/index.js';
import type { GeneratorOptions } from './generate.js';
import { shapedCases } from './generate.js';
import { excludedRow } from './templates.js';

export interface Covered {
  name: string;
  cases: number;
  modes: Set<string>;
  rings: Set<number>;
  operandBytes: Set<number>;
  /** Addressing forms: `register`, `16 mod 0 rm 6`. */
  addressing: Set<string>;
  /** As Form.target, of memory operands. */
  targets: Set<number>;
}

export interface Coverage {
  rows: Covered[];
  /** Rows without cases, by reason. */
  excluded: Record<string, string[]>;
}

/** Runs the generator, not the cases. */
export function systematicCoverage(repeats: number, options: GeneratorOptions = {}): Coverage {
  const rows = new Map<string, Covered>();
  for (const { case: c, shape, template } of shapedCases(1, repeats, options)) {
    let row = rows.get(template.name);
    if (!row) {
      const sets = { modes: new Set<string>(), rings: new Set<number>(), operandBytes: new Set<number>() };
      row = { name: template.name, cases: 0, ...sets, addressing: new Set(), targets: new Set() };
      rows.set(template.name, row);
    }
    row.cases++;
    row.modes.add(c.mode);
    row.rings.add(c.cpl);
    row.operandBytes.add(shape.operandBytes);
    if (shape.addressing !== '') row.addressing.add(shape.addressing);
    if (shape.target >= 0) row.targets.add(shape.target);
  }
  const excluded: Record<string, string[]> = {};
  for (const row of OPCODES) {
    const reason = excludedRow(row);
    if (reason === undefined) continue;
    excluded[reason] ??= [];
    excluded[reason].push(`${row.mnemonic}${row.operands === '' ? '' : ` ${row.operands}`}`);
  }
  return { rows: [...rows.values()], excluded };
}

/** A line for each row, and the rows without cases. */
export function describeCoverage({ rows, excluded }: Coverage): string[] {
  const cases = rows.reduce((sum, row) => sum + row.cases, 0);
  const lines = [`${rows.length} instructions, ${cases} cases`];
  for (const row of rows) {
    const sizes = [...row.operandBytes].sort().map((bytes) => bytes * 8);
    lines.push(
      `${row.name.padEnd(24)} ${String(row.cases).padStart(6)} cases  ${row.modes.size} modes  rings ${[...row.rings].sort().join('')}  ` +
        `operands ${sizes.join('/')}  ${row.addressing.size} addressing forms  places ${[...row.targets].sort().join('')}`,
    );
  }
  for (const [reason, names] of Object.entries(excluded)) lines.push(`left out (${reason}): ${names.join(', ')}`);
  return lines;
}
