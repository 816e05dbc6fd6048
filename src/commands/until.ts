/** Letting the guest run to a place, an instant, an exit, or past the loop that it is in. */
import type { RunState } from '../engine/debugger.js';
import { type Command, command, mustBeAlive, type Session, value } from './command.js';
import { exitCondition } from './exit-conditions.js';
import { lineStop } from './line-place.js';
import { grouped } from './numbers.js';
import { MOVING } from './running.js';
import { untilPast } from './source.js';
import { codeAddress } from './variables.js';

async function until(session: Session, text: string): Promise<RunState> {
  const { debug } = session;
  const argument = text.trim();
  if (argument === '') return untilPast(session);
  const now = await mustBeAlive(session);
  const icount = /^icount\b(.*)$/is.exec(argument);
  const exit = /^(?:vmexit|exit)\b(.*)$/is.exec(argument);
  if (icount) {
    if (icount[1]!.trim() === '') throw new Error('usage: until icount N, the count of instructions from the start');
    const wanted = await value(session, icount[1]!);
    if (wanted <= now.icount)
      throw new Error(`icount ${grouped(wanted)} is in the past: the guest is at ${grouped(now.icount)}`);
    return debug.runUntil({ icount: wanted });
  }
  if (exit) return debug.runUntil({ exit: await exitCondition(session, exit[1]!) });
  return debug.runUntil({ gva: await codeAddress(session, argument, lineStop) });
}

export const UNTIL_COMMANDS: readonly Command[] = [
  command({
    ...MOVING,
    name: 'until',
    usage: '[FILE:LINE | FUNCTION | ADDR | icount N | vmexit REASON [if ...]]',
    help: 'run until then; alone past this line, so out of the loop that ends in it',
    key: 'u',
    words: ['icount', 'vmexit'],
    kinds: ['address'],
    behind: { vmexit: ['exit-reason'], if: ['exit-field', 'register', 'address'] },
    run: until,
  }),
];
