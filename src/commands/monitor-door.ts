/** Doors that speak in QEMU's words (gdb's `monitor`, QMP's human-monitor-command): its commands first, then all others. */
import { shownCommand } from '../engine/debug/monitor.js';
import { monitorEffect, monitorRow, rowsText } from '../engine/debug/monitor-rows.js';
import type { Debugger } from '../engine/debugger.js';
import type { Effect } from './command.js';
import { SUBJECT_ROWS } from './monitor.js';
import { type OpenSession, openSession } from './session.js';
import { OWN_COMMANDS, split, wholeName } from './table.js';

const sessions = new WeakMap<Debugger, OpenSession>();

/** Where the code has types, values are printed with them, not as QEMU's monitor does; a kernel's BTF helps where that cannot. */
const PRINTS = /^\s*(?:p|print)\b/;

/** In our monitor's words, or in those of QEMU's, whose text may be QEMU's own. */
const isRefused = (answer: string, line: string): boolean =>
  answer.startsWith(`${shownCommand(line)}: `) || /Try "help p(?:rint)?" for more information\s*$/.test(answer);

const ownCommand = (line: string, first = false) => {
  const { word, argument } = split(line);
  const command = !first && monitorRow(line) ? undefined : OWN_COMMANDS.find(({ name }) => name === wholeName(word));
  return command && { command, argument };
};

/** Those that the monitor has no word for and whose names begin so, as its help lists them. */
const ownHelp = (beginning: string): string =>
  rowsText([
    ...SUBJECT_ROWS.filter(({ name }) => name.startsWith(beginning)),
    ...OWN_COMMANDS.filter(({ name }) => name.startsWith(beginning) && !monitorRow(name) && name !== 'monitor'),
  ]);

/** The monitor's help and that of the commands that are not its own; it refuses names that are only theirs. */
function withOwnHelp(answer: string, line: string, beginning: string): string {
  const own = ownHelp(beginning);
  const refused = answer.startsWith(`${line.trim()}: `);
  return own === '' ? answer : refused ? own : `${answer.trimEnd()}\n${own}`;
}

/**
 * Text of a line, undefined where nobody knows it. What goes wrong is text too.
 * @param vcpu whose registers and memory; absent: as the monitor's `cpu` or the last stop says
 */
export async function monitorLine(debug: Debugger, line: string, vcpu?: number): Promise<string | undefined> {
  const types = PRINTS.test(line) ? await debug.types?.from() : undefined;
  let answer = types === 'DWARF' ? undefined : await debug.monitor(line, vcpu);
  if (types !== undefined && answer !== undefined && isRefused(answer, line)) answer = undefined;
  const typed = types !== undefined && answer === undefined;
  const help = /^\s*(?:help|\?)(?:\s+(\S.*?))?\s*$/.exec(line);
  // clients complete by this list
  if (answer !== undefined && /^\s*info\s*$/.test(line)) return `${answer.trimEnd()}\n${rowsText(SUBJECT_ROWS)}`;
  if (answer !== undefined) return help ? withOwnHelp(answer, line, help[1] ?? '') : answer;
  const found = ownCommand(line, typed);
  if (!found) return undefined;
  let session = sessions.get(debug);
  if (!session) sessions.set(debug, (session = openSession(debug, { waits: false })));
  if (vcpu !== undefined) session.vcpu = vcpu;
  const { command, argument } = found;
  try {
    return await command.text(await command.run(session, argument), session);
  } catch (error) {
    return `${command.name}: ${(error as Error).message}`;
  }
}

/** What a line does to the guest, for clients that may do less than all. */
export function lineEffect(line: string): Effect {
  return ownCommand(line)?.command.effect ?? monitorEffect(line);
}
