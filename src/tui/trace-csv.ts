/** The exit trace as comma-separated values. */
import type { SymbolTable } from '../disasm/index.js';
import { exitSubject } from '../engine/debug/explain-exit.js';
import type { ExitRecord } from '../engine/debugger.js';
import { EXIT_FIELDS } from './exit-condition.js';
import { exitReasonName } from './facts.js';
import { hex } from './screen/text.js';

/** A text that a spreadsheet must not take for a formula. */
function csvCell(text: string): string {
  const safe = /^[=+\-@\t]/.test(text) ? `'${text}` : text;
  return /[",\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
}

/** One line an exit under a line of names; addresses in hexadecimal. */
export function traceCsv(records: readonly ExitRecord[], symbols: SymbolTable): string {
  const head = ['sequence', 'name', ...EXIT_FIELDS.slice(1), 'action', 'subject', 'symbol'];
  const lines = records.map((r) =>
    [
      String(r.sequence),
      exitReasonName(r.reason),
      ...EXIT_FIELDS.slice(1).map((field) => {
        const cell = r[field];
        return typeof cell === 'bigint' && field !== 'icount' && field !== 'clock' ? `0x${hex(cell)}` : String(cell);
      }),
      r.action,
      exitSubject(r).trim(),
      symbols.label(r.csBase + r.rip) ?? '',
    ]
      .map(csvCell)
      .join(','),
  );
  return `${[head.join(','), ...lines].join('\n')}\n`;
}
