/** Going back in the run, beside the commands that go forward. */
import { parseExitCondition } from '../../engine/debug/exit-condition.js';
import { placeOf, wroteTarget } from '../../engine/debug/monitor-history.js';
import type { Debugger, HistoryPlace, RunState } from '../../engine/debugger.js';
import type { Dashboard } from '../dashboard.js';
import { grouped } from '../screen/text.js';
import { backOut, backOver } from '../stepping-back.js';
import { type Command, need, value } from './command.js';

type History = NonNullable<Debugger['history']>;

function historyOf(d: Dashboard): History {
  if (!d.debug.history) throw new Error(d.model.unavailable('history'));
  return d.debug.history;
}

/** What the foot says after a way back that found nothing. */
function told({ stop }: RunState): string | undefined {
  return stop?.kind === 'history' && stop.at === 'begin' ? 'the history begins here' : undefined;
}

function whereText({ icount, exit, past, first, last, snapshots, bytes }: HistoryPlace): string {
  const at = `instruction ${grouped(icount)}, exit ${grouped(exit)}${past ? ', in the past' : ', the live end'}`;
  return `${at}; history from ${grouped(first.icount)} to ${grouped(last.icount)}, ${snapshots.length} snapshots, ${Math.round(bytes / 2 ** 20)} MiB`;
}

export const HISTORY_COMMANDS: readonly Command[] = [
  {
    name: 'back',
    moves: true,
    usage: '[N]',
    help: 'N instructions back',
    key: 'S',
    run: async (d, text) => {
      const count = text.trim() ? Number(text) : 1;
      if (!Number.isSafeInteger(count) || count < 1)
        throw new Error(`"${text.trim()}" is not a number of instructions`);
      return told(await historyOf(d).stepBack(d.model.vcpu, count));
    },
  },
  {
    name: 'back-over',
    moves: true,
    usage: '',
    help: 'one instruction back, calls as one',
    key: 'N',
    run: async (d) => told(await backOver(d.debug, historyOf(d), d.disassembler, d.model.vcpu)),
  },
  {
    name: 'back-out',
    moves: true,
    usage: '',
    help: 'back to the call of this function',
    key: 'F',
    run: async (d) => told(await backOut(d.debug, historyOf(d), d.disassembler, d.model.vcpu, d.model.symbols)),
  },
  {
    name: 'back-run',
    moves: true,
    usage: '',
    help: 'back to what would have stopped the guest',
    key: 'C',
    run: async (d) => told(await historyOf(d).continueBack()),
  },
  {
    name: 'back-exit',
    moves: true,
    usage: '[REASON [if FIELD OP VALUE]]',
    help: 'back to the VM exit before',
    key: 'X',
    run: async (d, text) =>
      told(await historyOf(d).previousExit(text.trim() ? parseExitCondition(text, (term) => value(d, term)) : {})),
  },
  {
    name: 'travel',
    moves: true,
    usage: 'N | -N | #EXIT | N% | end | @NAME',
    help: 'go to an instant of the run',
    key: 'G',
    run: async (d, text) => {
      const history = historyOf(d);
      await history.goTo(placeOf(need(text, 'a place'), await history.where()));
      return undefined;
    },
  },
  {
    name: 'wrote',
    moves: true,
    usage: 'ADDR | $REGISTER | pte ADDR | ...',
    help: 'back to who last wrote it',
    key: 'W',
    run: async (d, text) => {
      const state = await historyOf(d).wrote(
        wroteTarget(need(text, 'what is written'), (term) => value(d, term)),
        d.model.vcpu,
      );
      return told(state) ?? undefined;
    },
  },
  {
    name: 'bookmark',
    usage: '[NAME]',
    help: 'name this instant; without NAME those that have one',
    run: async (d, text) => {
      const history = historyOf(d);
      if (text.trim()) {
        const { icount, exit } = await history.bookmark(text.trim());
        return `@${text.trim()}: instruction ${grouped(icount)}, exit ${grouped(exit)}`;
      }
      const all = await history.bookmarks();
      return all.length === 0
        ? 'no bookmarks'
        : all.map(({ name, icount }) => `@${name} ${grouped(icount)}`).join('  ');
    },
  },
  {
    name: 'where',
    usage: '',
    help: 'the instant of the run, and how far the history reaches',
    run: async (d) => whereText(await historyOf(d).where()),
  },
];
