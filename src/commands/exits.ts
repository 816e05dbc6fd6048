/** What many exits cost, how long handlers take, and which exits could be avoided. */
import { parseExitCondition } from '../engine/debug/exit-condition.js';
import { EXIT_GROUP_KEYS } from '../engine/debug/exit-groups.js';
import { hintsText } from '../engine/debug/exit-hints.js';
import { durationText, histogramLines, reportJson, reportText } from '../engine/debug/exit-report.js';
import type { Debugger, ExitGroupKey, ExitHint, ExitReportData, HandlerTime } from '../engine/debugger.js';
import { exitReasonName } from '../spec/vmx/exit-reasons.js';
import { type Command, command, lacking, oneOf, type Session, words } from './command.js';
import { nothing } from './running.js';

const MAX_ROWS = 1000;

type Exits = NonNullable<Debugger['exits']>;

/** @throws Error where the target records no exits, or does not look at them so */
async function analysis<K extends 'report' | 'hints' | 'handlerTimes'>(
  session: Session,
  name: K,
): Promise<NonNullable<Exits[K]>> {
  const { exits } = session.debug;
  if (!exits) throw await lacking(session, 'exits');
  const found = exits[name];
  if (!found) throw new Error('this target gives single exits only');
  return found;
}

interface Reported {
  readonly data: ExitReportData;
  readonly histogram: boolean;
}

const USAGE = 'usage: exits [by KEY] [histogram] [if CONDITION]';

async function report(session: Session, text: string): Promise<Reported> {
  const [, head = '', where] = /^(.*?)(?:\bif\b(.*))?$/is.exec(text)!;
  const list = words(head);
  if (list[0]?.toLowerCase() === 'by' && list.shift() && list.length === 0)
    throw new Error(`a key is missing after "by": ${EXIT_GROUP_KEYS.join(', ')}`);
  const histogram = list.at(-1)?.toLowerCase() === 'histogram' && list.pop() !== undefined;
  if (list.length > 1) throw new Error(USAGE);
  const by = oneOf<ExitGroupKey>(list[0] ?? 'reason', EXIT_GROUP_KEYS);
  const names = { ...(await session.names()), registers: {} };
  const condition = where === undefined ? undefined : parseExitCondition(`any if ${where}`, names);
  return { data: await (await analysis(session, 'report'))(by, condition), histogram };
}

async function handlers(session: Session, text: string): Promise<HandlerTime[] | undefined> {
  const switched = text.trim() === '' ? undefined : oneOf(text, ['on', 'off']) === 'on';
  return (await analysis(session, 'handlerTimes'))(switched);
}

function handlersText(times: HandlerTime[] | undefined): string {
  if (times === undefined) return 'host time in handlers is not measured; handler-times on measures it';
  if (times.length === 0) return 'measured from now on: no exit has come to the VMM yet';
  const head = `${'HANDLER OF'.padEnd(22)}${['COUNT', 'MIN', 'MEAN', 'P99', 'MAX'].map((name) => name.padStart(9)).join('')}  (host time)`;
  const rows = times.map(({ reason, timed, ns, minNs = 0, maxNs = 0, p99Ns = 0 }) =>
    [
      exitReasonName(reason).padEnd(22),
      String(timed).padStart(9),
      ...[minNs, ns / timed, p99Ns, maxNs].map((value) => durationText(value).padStart(9)),
    ].join(''),
  );
  const pictures = times.flatMap(({ reason, octaves }) => [
    '',
    `${exitReasonName(reason)}:`,
    ...histogramLines(octaves),
  ]);
  return [head, ...rows, ...pictures].join('\n');
}

export const EXIT_COMMANDS: readonly Command[] = [
  command({
    name: 'exits',
    usage: '[by KEY] [histogram] [if CONDITION]',
    help: `count and time of the exits in the trace, by ${EXIT_GROUP_KEYS.join(', ')}`,
    effect: 'looks',
    page: true,
    words: ['by', ...EXIT_GROUP_KEYS, 'histogram', 'if'],
    run: report,
    text: async ({ data, histogram }, session) => {
      const symbols = await session.symbols();
      return reportText(data, (address) => symbols.label(address), MAX_ROWS, histogram).trimEnd();
    },
    json: async ({ data }, session) => {
      const symbols = await session.symbols();
      return reportJson(data, (address) => symbols.label(address), MAX_ROWS);
    },
  }),
  command<HandlerTime[] | undefined>({
    name: 'handler-times',
    usage: '[on | off]',
    help: "host time that the VMM's handlers of exits take, while it is measured",
    effect: 'looks',
    page: true,
    words: ['on', 'off'],
    run: handlers,
    text: handlersText,
  }),
  command<ExitHint[]>({
    name: 'hints',
    usage: '',
    help: 'exits of the trace that guest or VMM could avoid: cause, figures, what to do',
    effect: 'looks',
    page: true,
    run: async (session, text) => {
      nothing(text);
      return (await analysis(session, 'hints'))();
    },
    text: hintsText,
  }),
];
