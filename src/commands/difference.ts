/** `diff`: what two exits do not have in common. */
import {
  controlFields,
  type DifferenceRow,
  recordDifference,
  registerDifference,
  vmcsDifference,
} from '../engine/debug/exit-difference.js';
import { exitSubject } from '../engine/debug/explain-exit.js';
import type { Debugger, ExitRecord, ExitState } from '../engine/debugger.js';
import { exitReasonName } from '../spec/vmx/exit-reasons.js';
import { type Command, command, lacking, need, type Session, words } from './command.js';
import { hex } from './numbers.js';

interface Difference {
  readonly a: ExitRecord;
  readonly b: ExitRecord;
  readonly rows: readonly DifferenceRow[];
  /** Why VMCS and registers are not compared as a whole; absent: they are. */
  readonly partly?: string;
}

/** `#12`, `12`, or `-3`: so many before the newest. @throws Error that names what it is not */
function exitNumber(text: string, newest: number): number {
  const match = /^(?:#(\d{1,15})|(-?\d{1,15}))$/.exec(text);
  if (!match) throw new Error(`"${text}" is not an exit: #N as in the trace, or -N before the newest`);
  const number = Number(match[1] ?? match[2]);
  return number < 0 || match[2]?.startsWith('-') ? newest + number : number;
}

async function recordOf(exits: NonNullable<Debugger['exits']>, number: number): Promise<ExitRecord> {
  const [record] = number > 0 ? await exits.records(number - 1, ALL) : [];
  if (record?.sequence === number) return record;
  throw new Error(`exit ${number} is not in the trace`);
}

/** More than the trace has. */
const ALL = 1_000_000;

async function difference(session: Session, text: string): Promise<Difference> {
  const { exits } = session.debug;
  if (!exits) throw await lacking(session, 'exits');
  const list = words(need(text, 'an exit'));
  if (list.length > 2) throw new Error('usage: diff EXIT [EXIT]: two exits, or one and the newest');
  const newest = (await exits.records(-1, 1)).at(-1)?.sequence;
  if (newest === undefined) throw new Error('no VM exit so far');
  const [first, second = newest] = list.map((word) => exitNumber(word, newest));
  const [a, b] = [await recordOf(exits, first!), await recordOf(exits, second)];
  const rows = recordDifference(a, b);
  const states = await statesAt(session, [a.sequence, b.sequence]);
  if (typeof states !== 'string') {
    const [one, other] = states as [ExitState, ExitState];
    rows.push(...registerDifference(one.registers, other.registers));
    if (one.vmcs && other.vmcs) rows.push(...vmcsDifference(one.vmcs, other.vmcs));
    return { a, b, rows };
  }
  const [before, after] = [await exits.controls?.(a.sequence), await exits.controls?.(b.sequence)];
  if (before && after) rows.push(...vmcsDifference(controlFields(before), controlFields(after)));
  return { a, b, rows, partly: states };
}

/** VMCS and registers at exits, by going there and back; or why that cannot be. */
async function statesAt({ debug }: Session, exits: number[]): Promise<ExitState[] | string> {
  if (!debug.history?.statesAt) return (await debug.info()).unavailable.history ?? 'this target keeps no history';
  if ((await debug.state()).running) return 'the guest is running';
  try {
    return await debug.history.statesAt(exits);
  } catch (error) {
    return (error as Error).message;
  }
}

const GROUPS: Readonly<Record<DifferenceRow['group'], string>> = {
  exit: 'exit',
  registers: 'registers',
  'read-only': 'VM-exit information',
  control: 'controls',
  guest: 'guest state',
  host: 'host state',
};

const nameOf = (exit: ExitRecord): string =>
  `#${exit.sequence} ${exitReasonName(exit.reason)} ${exitSubject(exit)}`.trimEnd();

function differenceText({ a, b, rows, partly }: Difference): string {
  const lines = [nameOf(a), nameOf(b)];
  const value = (word: bigint | undefined) => (word === undefined ? '-' : hex(word));
  for (const [group, title] of Object.entries(GROUPS)) {
    const of = rows.filter((row) => row.group === group);
    if (of.length === 0) continue;
    lines.push('', title);
    const name = Math.max(...of.map((row) => row.name.length));
    const [left, right] = [of.map((row) => value(row.a).length), of.map((row) => value(row.b).length)].map((all) =>
      Math.max(...all),
    );
    for (const row of of) {
      const bits = [...row.gone.map((word) => `-${word}`), ...row.come.map((word) => `+${word}`)].join('  ');
      lines.push(
        `  ${row.name.padEnd(name)}  ${value(row.a).padStart(left!)} -> ${value(row.b).padStart(right!)}  ${bits}`.trimEnd(),
      );
    }
  }
  if (rows.length === 0) lines.push('', 'no difference');
  if (partly !== undefined) lines.push('', `of VMCS and registers only what the trace keeps: ${partly}`);
  return lines.join('\n');
}

export const DIFFERENCE_COMMANDS: readonly Command[] = [
  command({
    name: 'diff',
    usage: 'EXIT [EXIT]',
    help: 'how two exits differ (#N, -N before the newest): VMCS, registers, bits by name',
    effect: 'looks',
    page: true,
    kinds: ['exit'],
    run: difference,
    text: differenceText,
  }),
];
