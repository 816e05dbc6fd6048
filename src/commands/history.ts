/** Going back in the run, beside the commands that go forward. */
import { counted } from '../engine/counted.js';
import { placeOf } from '../engine/debug/monitor-history.js';
import { doneText } from '../engine/debug/written-text.js';
import { becameTarget, registerHint, wroteTarget } from '../engine/debug/written-what.js';
import type { Bookmark, Debugger, Done, HistoryPlace, RunState } from '../engine/debugger.js';
import { type Command, command, lacking, need, type Session, value } from './command.js';
import { exitCondition } from './exit-conditions.js';
import { grouped } from './numbers.js';
import { instructionCount, MOVING, nothing } from './running.js';
import { backOut, backOver } from './stepping-back.js';

/** What the run itself is called, beside its branches. */
export const TRUNK = 'trunk';

type History = NonNullable<Debugger['history']>;

export async function historyOf(session: Session): Promise<History> {
  const { history } = session.debug;
  if (!history) throw await lacking(session, 'history');
  return history;
}

/** What the foot says after a way back that found nothing. */
function told({ stop }: RunState): string | undefined {
  return stop?.kind === 'history' && stop.at === 'begin' ? 'the history begins here' : undefined;
}

function whereText({ line, icount, exit, past, first, last, snapshots, bytes }: HistoryPlace): string {
  const on = line === TRUNK ? '' : ` of ${line}`;
  const at = `instruction ${grouped(icount)}, exit ${grouped(exit)}${past ? `, in the past${on}` : `, the live end${on}`}`;
  return `${at}; history from ${grouped(first.icount)} to ${grouped(last.icount)}, ${counted(snapshots.length, 'snapshot')}, ${Math.round(bytes / 2 ** 20)} MiB`;
}

const BACK = { ...MOVING, foot: told } as const;

/** `note`: what the words that were asked may have meant too. */
type Found = RunState & { done?: Done; note?: string };

const noted = (asked: string, found: Found): Found => {
  const note = registerHint(asked);
  return note === undefined ? found : { ...found, note };
};

/** Parts of an answer that are there. */
const parts = (...all: (string | undefined)[]): string | undefined => all.filter(Boolean).join('; ') || undefined;

/** A way to who did something: that is told, and the guest stands before it. */
const FOUND = {
  ...BACK,
  words: ['phys', 'msr', 'pte', 'ept', 'vmcs', 'idt', 'gdt', 'ldt', 'selector'],
  kinds: ['address', 'register', 'vmcs-field'],
  foot: (state: Found) => parts(state.done ? doneText(state.done, 'written') : told(state), state.note),
  text: async (state: Found, session: Session) =>
    parts(state.done ? doneText(state.done, 'written', await session.symbols()) : told(state), state.note) ?? '',
} as const;

export const HISTORY_COMMANDS: readonly Command[] = [
  command({
    ...BACK,
    name: 'back',
    usage: '[N]',
    help: 'N instructions back',
    key: 'S',
    run: async (session, text) => {
      const count = instructionCount(text);
      return (await historyOf(session)).stepBack(session.vcpu, count);
    },
  }),
  command({
    ...BACK,
    name: 'back-over',
    usage: '',
    help: 'one instruction back, calls as one',
    key: 'N',
    run: async (session, text) => {
      nothing(text);
      return backOver(session.debug, await historyOf(session), await session.disassembler(), session.vcpu);
    },
  }),
  command({
    ...BACK,
    name: 'back-out',
    usage: '',
    help: 'back to the call of this function',
    key: 'F',
    run: async (session, text) => {
      nothing(text);
      const history = await historyOf(session);
      return backOut(session.debug, history, await session.disassembler(), session.vcpu, await session.symbols());
    },
  }),
  command({
    ...BACK,
    name: 'back-run',
    usage: '',
    help: 'back to what would have stopped the guest',
    key: 'C',
    run: async (session, text) => {
      nothing(text);
      return (await historyOf(session)).continueBack();
    },
  }),
  command({
    ...BACK,
    name: 'back-exit',
    usage: '[REASON [if EXPRESSION]]',
    help: 'back to the VM exit before',
    key: 'X',
    words: ['any', 'if'],
    kinds: ['exit-reason'],
    behind: { if: ['exit-field', 'register', 'address'] },
    run: async (session, text) => {
      const condition = text.trim() ? await exitCondition(session, text) : {};
      return (await historyOf(session)).previousExit(condition);
    },
  }),
  command({
    ...BACK,
    name: 'travel',
    usage: 'N | -N | #EXIT | N% | end | fault N | @NAME',
    help: 'go to an instant of the run',
    key: 'G',
    words: ['begin', 'end', 'fault'],
    kinds: ['place'],
    foot: () => undefined,
    run: async (session, text) => {
      const history = await historyOf(session);
      return history.goTo(placeOf(need(text, 'a place'), await history.where()));
    },
  }),
  command<Found>({
    ...FOUND,
    name: 'wrote',
    usage: 'ADDR | $REGISTER | pte ADDR | ...',
    help: 'back to who last wrote it',
    key: 'W',
    run: async (session, text) => {
      const history = await historyOf(session);
      const what = await wroteTarget(need(text, 'an address or $REGISTER'), (term) => value(session, term));
      return noted(text, await history.wrote(what, session.vcpu));
    },
  }),
  command<Found>({
    ...FOUND,
    name: 'reads',
    usage: 'ADDR | phys ADDR | pte ADDR | ...',
    help: 'forward to who reads it next',
    foot: (state) => parts(state.done ? doneText(state.done, 'read') : told(state), state.note),
    text: async (state, session) =>
      parts(state.done ? doneText(state.done, 'read', await session.symbols()) : told(state), state.note) ?? '',
    run: async (session, text) => {
      const history = await historyOf(session);
      const what = await wroteTarget(need(text, 'an address'), (term) => value(session, term));
      return noted(text, await history.reads(what, session.vcpu));
    },
  }),
  command<Found>({
    ...FOUND,
    name: 'became',
    usage: 'WHAT [== VALUE]',
    help: 'back to the write that gave it its value',
    run: async (session, text) => {
      const history = await historyOf(session);
      const wanted = await becameTarget(need(text, 'an address or $REGISTER'), (term) => value(session, term));
      const { what, became } = wanted;
      return noted(text, await history.wrote(what, session.vcpu, became));
    },
  }),
  command<Bookmark | Bookmark[]>({
    name: 'bookmark',
    usage: '[NAME]',
    help: 'name this instant; without NAME those that have one',
    effect: 'runs',
    kinds: ['bookmark'],
    run: async (session, text) => {
      const history = await historyOf(session);
      const name = text.trim();
      if (!name) return history.bookmarks();
      const position = await history.bookmark(name);
      session.changed('values');
      return { name, line: (await history.where()).line, ...position };
    },
    text: (result) => {
      if (!Array.isArray(result))
        return `@${result.name}: instruction ${grouped(result.icount)}, exit ${grouped(result.exit)}`;
      const all = result.map(({ name, icount }) => `@${name} ${grouped(icount)}`);
      return all.length === 0 ? 'no bookmarks' : all.join('  ');
    },
  }),
  command({
    name: 'where',
    usage: '',
    help: 'the instant of the run, and how far the history reaches',
    effect: 'looks',
    run: async (session) => (await historyOf(session)).where(),
    text: whereText,
  }),
];
