/** The monitor's commands for going back in the run. */

import { SymbolTable } from '../../disasm/symbols.js';
import { EXIT_REASONS, exitReasonByName, exitReasonName } from '../../spec/vmx/exit-reasons.js';
import { counted } from '../counted.js';
import type { Debugger, Done, ExitCondition, HistoryTarget, Position, RunState, StopReason } from '../debugger.js';
import { watchText } from './watch-text.js';
import { doneText } from './written-text.js';
import { becameTarget, registerHint, WRITTEN, wroteTarget } from './written-what.js';

type Groups = NonNullable<Debugger['history']>;

async function groupOf(target: Debugger): Promise<Groups> {
  const { history } = target;
  if (history) return history;
  const { unavailable } = await target.info();
  throw new Error(unavailable.history ?? 'this guest has no history');
}

const positionText = ({ icount, exit }: Position): string => `instruction ${icount}, exit ${exit}`;

/** @throws Error naming what is not understood */
export function placeOf(text: string, now: Position): HistoryTarget {
  const [, line, place] = /^([\w.][\w.-]{0,39}):(.*)$/.exec(text) ?? [];
  if (line !== undefined && place !== undefined) return { line, ...placeOf(place, now) };
  const number = (digits: string): bigint => BigInt(digits);
  if (text === 'begin' || text === 'start') return { begin: true };
  if (text === 'end' || text === 'live') return { end: true };
  if (/^@.+/.test(text)) return { bookmark: text.slice(1) };
  const exit = /^#(\d{1,15})$/.exec(text);
  if (exit) return { exit: Number(exit[1]) };
  const fault = /^fault(?:\s*(\d{1,3}))?$/.exec(text);
  if (fault) return { fault: Number(fault[1] ?? 1) };
  const share = /^(\d+(?:\.\d+)?)%$/.exec(text);
  if (share && Number(share[1]) <= 100) return { share: Number(share[1]) / 100 };
  const step = /^([+-]?)(0x[0-9a-f]{1,16}|\d{1,19})$/i.exec(text);
  if (!step)
    throw new Error(
      `${text}: a place is N, +N, -N, #EXIT, N%, begin, end, fault N or @BOOKMARK; on another branch BRANCH:PLACE`,
    );
  const value = number(step[2]);
  const icount = step[1] === '+' ? now.icount + value : step[1] === '-' ? now.icount - value : value;
  if (icount < 0n) throw new Error(`${text}: the run has ${counted(now.icount, 'instruction')} up to here`);
  return { icount };
}

function arrived({ stop, position }: RunState): string {
  const where = position ? `${positionText(position)}${position.past ? '' : ', the live end'}` : '';
  return [stopReason(stop), where].filter((part) => part !== '').join('; ');
}

/** What a way back has come to, in a few words; nothing for where it was to go. */
function stopReason(stop: StopReason | undefined): string {
  switch (stop?.kind) {
    case 'breakpoint':
      return `breakpoint ${stop.id} at 0x${stop.gva.toString(16)}`;
    case 'watchpoint':
      return `before the ${watchText(stop)}${stop.by === 'device' ? ' by a device' : ''}`;
    case 'exit':
      return `VM exit #${stop.exit.sequence} ${exitReasonName(stop.exit.reason)}`;
    case 'history':
      return stop.at === 'begin' ? 'the history begins here' : '';
    case 'paused':
      return 'stopped on the way';
    default:
      return '';
  }
}

interface Context {
  address(text: string): bigint;
  target: Debugger;
  vcpu: number;
  args: string[];
}

/** What a search has found, and where the guest stands now. */
async function found(
  target: Debugger,
  verb: 'written' | 'read',
  asked: string,
  { done, ...state }: RunState & { done?: Done },
) {
  const hint = registerHint(asked);
  const note = hint === undefined ? '' : `\n${hint}`;
  if (!done) return arrived(state) + note;
  const symbols = new SymbolTable(await target.symbols());
  const { stop: _, ...rest } = state;
  return `${doneText(done, verb, symbols)}\n${arrived(rest)}${note}`;
}

const count = (text: string | undefined): number => {
  if (text === undefined) return 1;
  if (!/^\d{1,15}$/.test(text) || Number(text) === 0) throw new Error(`${text}: not a whole number from 1 up`);
  return Number(text);
};

export const HISTORY_COMMANDS = {
  where: async ({ target }: Context): Promise<string> => {
    const { line, first, last, past, snapshots, bytes, ...here } = await (await groupOf(target)).where();
    const on = line === 'trunk' ? '' : ` of ${line}`;
    const size = `${counted(snapshots.length, 'snapshot')}, ${(bytes / 2 ** 20).toFixed(1)} MiB`;
    return [
      `${positionText(here)}${past ? ', in the past' : ', at the live end'}${on}`,
      `history: ${positionText(first)} to ${positionText(last)}; ${size}`,
    ].join('\n');
  },
  goto: async ({ target, args }: Context): Promise<string> => {
    const history = await groupOf(target);
    if (args.length === 0) throw new Error('usage: goto PLACE: N, +N, -N, #EXIT, N%, begin, end, fault N or @BOOKMARK');
    return arrived(await history.goTo(placeOf(args.join(' '), await history.where())));
  },
  'reverse-step': async ({ target, vcpu, args }: Context): Promise<string> =>
    arrived(await (await groupOf(target)).stepBack(vcpu, count(args[0]))),
  'reverse-continue': async ({ target }: Context): Promise<string> =>
    arrived(await (await groupOf(target)).continueBack()),
  'reverse-exit': async ({ target, args }: Context): Promise<string> =>
    arrived(await (await groupOf(target)).previousExit(args.length > 0 ? exitCondition(args) : {})),
  wrote: async ({ target, vcpu, args, address }: Context): Promise<string> => {
    const history = await groupOf(target);
    const text = args.join(' ');
    if (text === '') throw new Error(`usage: wrote ${WRITTEN}`);
    return found(
      target,
      'written',
      text,
      await history.wrote(await wroteTarget(text, async (term) => address(term)), vcpu),
    );
  },
  became: async ({ target, vcpu, args, address }: Context): Promise<string> => {
    const history = await groupOf(target);
    const text = args.join(' ');
    if (text === '') throw new Error(`usage: became WHAT [== VALUE]; WHAT is ${WRITTEN}`);
    const { what, became } = await becameTarget(text, async (term) => address(term));
    return found(target, 'written', text, await history.wrote(what, vcpu, became));
  },
  reads: async ({ target, vcpu, args, address }: Context): Promise<string> => {
    const history = await groupOf(target);
    const text = args.join(' ');
    if (text === '')
      throw new Error('usage: reads WHAT: ADDR [LENGTH], phys ADDR [LENGTH], pte ADDR, idt N, gdt N or ldt N');
    return found(
      target,
      'read',
      text,
      await history.reads(await wroteTarget(text, async (term) => address(term)), vcpu),
    );
  },
  bookmark: async ({ target, args }: Context): Promise<string> => {
    const history = await groupOf(target);
    if (args.length > 1) throw new Error('usage: bookmark NAME');
    if (args.length === 1) return positionText(await history.bookmark(args[0]));
    const all = await history.bookmarks();
    return all.length === 0
      ? 'no bookmarks: bookmark NAME names this instant'
      : all.map(({ name, ...position }) => `@${name}: ${positionText(position)}`).join('\n');
  },
};

/** @throws Error naming what is no exit reason */
function exitCondition(args: readonly string[]): ExitCondition {
  const reasons = args.map((text) => {
    const row = /^\d+$/.test(text)
      ? EXIT_REASONS.find(({ number }) => number === Number(text))
      : exitReasonByName(text);
    if (!row) throw new Error(`${text}: no VM-exit reason; a number or a name as info exits prints it`);
    return row.number;
  });
  return { reasons };
}
