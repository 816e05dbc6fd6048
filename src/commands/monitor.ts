/** The commands of the machine's monitor, in QEMU's words: text from where the guest runs, and the same as values. */

import { shownCommand } from '../engine/debug/monitor.js';
import { MONITOR_ROWS, type MonitorRow } from '../engine/debug/monitor-rows.js';
import type { Debugger, TargetInfo } from '../engine/debugger.js';
import { breakpointsText } from './breakpoint-list.js';
import { asText, type Command, command, lacking, need, type Session, value } from './command.js';
import { FRAME_SUBJECTS } from './frames.js';
import { SOURCE_SUBJECTS } from './source.js';
import { VARIABLE_SUBJECTS } from './variables.js';

/** What a line answers. @throws Error where there is no such command, or it could not be done */
export async function monitor(session: Session, line: string): Promise<string> {
  const { debug } = session;
  const answer = await debug.monitor(line, session.vcpu);
  if (answer === undefined) throw new Error(`no monitor command "${line}"; :monitor help lists them`);
  const failed = `${shownCommand(line)}: `;
  if (answer.startsWith(failed)) throw new Error(answer.slice(failed.length));
  // the monitor's cpu N is the vCPU of this session
  const chosen = /^\s*cpu\s+(\d+)\s*$/.exec(line);
  if (chosen && answer === '') {
    session.vcpu = Number(chosen[1]);
    session.changed('values');
  }
  return answer;
}

/** Subjects of `info` that are not the monitor's. */
interface Subject {
  readonly names: RegExp;
  readonly usage: string;
  /** Its arguments. */
  readonly takes?: string;
  readonly help: string;
  /** @param argument with the subject itself */
  value(session: Session, argument: string): Promise<unknown>;
  text(session: Session, argument: string): Promise<string>;
}

const SUBJECTS: readonly Subject[] = [
  {
    names: /^b(?:r(?:eak(?:points?)?)?)?$/,
    usage: 'breakpoints',
    help: 'breakpoints of all kinds, with their hits',
    value: ({ debug }) => debug.breakpoints(),
    text: async (session) => breakpointsText(await session.debug.breakpoints(), session),
  },
  ...VARIABLE_SUBJECTS,
  ...FRAME_SUBJECTS,
  ...SOURCE_SUBJECTS,
];

/** As rows of the monitor's list of subjects. */
export const SUBJECT_ROWS = SUBJECTS.map(({ usage, takes = '', help }) => ({
  name: `info ${usage}`,
  usage: takes,
  help,
}));

const ownSubject = (argument: string): Subject | undefined => SUBJECTS.find(({ names }) => names.test(argument.trim()));

type Value = (session: Session, argument: string) => Promise<unknown>;

/** @throws Error that says why the target lacks it */
async function group<K extends keyof Debugger & keyof TargetInfo['unavailable']>(
  session: Session,
  name: K,
): Promise<NonNullable<Debugger[K]>> {
  const found = session.debug[name];
  if (!found) throw await lacking(session, name);
  return found as NonNullable<Debugger[K]>;
}

/** The values behind what these print. */
const VALUES: Readonly<Record<string, Value>> = {
  'info registers': ({ debug, vcpu }) => debug.readRegisters(vcpu),
  'info status': ({ debug }) => debug.state(),
  'info exits': async (session) => (await group(session, 'exits')).counts(),
  'info ept': async (session) => (await group(session, 'ept')).ranges(),
  'info vmcs': async (session) => (await group(session, 'vmcs')).read(session.vcpu),
  'info os': async (session) => (await group(session, 'os')).info(),
  'info dmesg': async (session) => (await group(session, 'os')).log(),
  'info ps': async (session) => (await group(session, 'os')).processes(),
  'info modules': async (session) => (await group(session, 'os')).modules(),
  'info current': async (session) => (await group(session, 'os')).current(session.vcpu),
  'info stack': async (session, pid) => (await group(session, 'os')).stack(Number(pid)),
  'info qtree': ({ debug }) => debug.devices(),
  'info migrate': async (session) => (await group(session, 'migration')).status(),
  walk: async (session, text) => session.debug.walk(await value(session, text), session.vcpu),
};

/** Text, and the values that it was made of where they are known. */
interface Answer {
  readonly text: string;
  readonly value?: unknown;
}

/** As a command of the table; `info X` are words of one. */
const rowOf = ({ name, usage, help, effect, words, kinds }: MonitorRow): Command =>
  command({
    name,
    usage,
    help,
    effect,
    page: true,
    ...(words === undefined ? {} : { words }),
    ...(kinds === undefined ? {} : { kinds }),
    run: (session, argument) => monitor(session, `${name} ${argument}`.trim()),
    text: asText,
    json: async (text, session, argument): Promise<Answer> => {
      const read = VALUES[name];
      return read === undefined ? { text } : { text, value: await read(session, argument) };
    },
  });

const INFO_ROWS = MONITOR_ROWS.filter(({ name }) => name.startsWith('info '));

export const INFO_COMMANDS: readonly Command[] = [
  command({
    name: 'monitor',
    usage: 'LINE',
    help: "a monitor command in QEMU's words",
    effect: 'changes',
    page: true,
    kinds: ['monitor'],
    run: (session, text) => monitor(session, need(text, 'a monitor command')),
    text: asText,
  }),
  command({
    name: 'info',
    usage: 'breakpoints | ps | stack PID | dmesg | modules ...',
    help: "monitor's info: processes, kernel log, ...",
    effect: 'looks',
    page: true,
    words: [...SUBJECTS.map(({ usage }) => usage), ...INFO_ROWS.map(({ name }) => name.slice('info '.length))],
    behind: { stack: ['process'], lapic: ['vcpu'] },
    run: async (session, text) =>
      (await ownSubject(text)?.text(session, text.trim())) ??
      monitor(session, `info ${need(text, 'a subject, such as dmesg (:monitor help lists them),')}`),
    text: asText,
    json: async (text, session, argument): Promise<Answer> => {
      const own = ownSubject(argument);
      if (own) return { text, value: await own.value(session, argument.trim()) };
      const [subject = '', ...rest] = argument.trim().split(/\s+/);
      const read = VALUES[`info ${subject}`];
      return read === undefined ? { text } : { text, value: await read(session, rest.join(' ')) };
    },
  }),
];

/** Those of the monitor that have no command of their own name; `info` stands for its subjects. */
export const monitorCommands = (taken: ReadonlySet<string>): Command[] =>
  MONITOR_ROWS.filter(({ name }) => !name.includes(' ') && !taken.has(name)).map(rowOf);
