/** `info breakpoints`: what each one is, when it acts, what it does, and how often it has. */
import type { Breakpoint } from '../engine/debugger.js';
import { doesText, kindName, placeText, whenText } from './breakpoint-text.js';
import type { Session } from './command.js';

const count = (number: number): string => (number === 1 ? '1 time' : `${number} times`);

/** In the columns of gdb's. */
export async function breakpointsText(list: readonly Breakpoint[], session: Session): Promise<string> {
  if (list.length === 0) return 'No breakpoints or watchpoints.';
  const symbols = await session.symbols();
  const lines = ['Num  Type        Disp Enb Where'];
  for (const breakpoint of list) {
    const { id, enabled, temporary, hits, ignore, commands, label } = breakpoint;
    const columns = [
      `${id}`.padEnd(4),
      kindName(breakpoint).padEnd(11),
      temporary ? 'del ' : 'keep',
      enabled ? 'y  ' : 'n  ',
    ];
    lines.push(`${columns.join(' ')} ${placeText(breakpoint, symbols)}${label ? ` (${label})` : ''}`);
    const when = whenText(breakpoint);
    if (when !== undefined) lines.push(`     only if ${when}`);
    const does = doesText(breakpoint);
    if (does !== undefined) lines.push(`     ${does}`);
    if (hits > 0) lines.push(`     already hit ${count(hits)}`);
    if (ignore) lines.push(`     passes ${count(ignore)} more`);
    for (const line of commands ?? []) lines.push(`     : ${line}`);
  }
  return lines.join('\n');
}
