/** The trace as a file, the monitor, and the dashboard itself. */
import { constants } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseExitCondition } from '../../engine/debug/exit-condition.js';
import { EXPORT_FORMATS, exitWriter } from '../../engine/debug/exit-export.js';
import { withTimes } from '../../engine/debug/exit-report.js';
import { dumpText } from '../../engine/debug/monitor.js';
import { exitMatches } from '../../engine/debug/trace-reader.js';
import type { Dashboard } from '../dashboard.js';
import { reason } from '../sources.js';
import { type Command, need, value } from './command.js';

/** A FIFO that nobody reads is refused, not waited for. */
const WITHOUT_WAITING = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NONBLOCK;

async function exportCommand(d: Dashboard, text: string): Promise<string> {
  const [, word = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(need(text, 'a format and a file: :export csv FILE')) ?? [];
  const format = EXPORT_FORMATS.find((name) => name === word.toLowerCase());
  if (!format)
    throw new Error(`"${word}" is not one of ${EXPORT_FORMATS.join(', ')}; :export FORMAT FILE [if CONDITION]`);
  const [, file, where] = /^(.+?)(?:\s+if\s+(.+))?$/s.exec(need(rest.trim(), `a file: :export ${format} FILE`))!;
  if (!d.debug.exits) throw new Error(d.model.unavailable('exits'));
  const condition = where === undefined ? {} : parseExitCondition(`any if ${where}`, (term) => value(d, term));
  const records = await d.debug.exits.records(-1, 1_000_000);
  const writer = exitWriter(format, (address) => d.model.symbols.label(address));
  const chosen = [...withTimes(records)].filter(({ record }) => exitMatches(record, condition));
  const out = writer.head + chosen.map((exit) => writer.record(exit)).join('') + writer.tail;
  await writeFile(file!, out, { flag: WITHOUT_WAITING }).catch((error: unknown) => {
    const unread = (error as NodeJS.ErrnoException).code === 'ENXIO';
    throw new Error(`${file}: ${unread ? 'nobody reads this FIFO' : causeOf(error)}`);
  });
  return `${chosen.length} exits written to ${file}`;
}

/** Node puts a code before the cause and the call behind it. */
function causeOf(error: unknown): string {
  return reason(error).replace(/^[A-Z0-9]+: (.*?), \w+(?: '.*')?$/, '$1');
}

async function monitorCommand(d: Dashboard, line: string): Promise<undefined> {
  const answer = await d.debug.monitor(line, d.model.vcpu);
  if (answer === undefined) throw new Error(`no monitor command "${line}"; :monitor help lists them`);
  // the monitor's cpu N is :vcpu N here
  const chosen = /^\s*cpu\s+(\d+)\s*$/.exec(line);
  if (chosen && answer === '') {
    d.model.vcpu = Number(chosen[1]);
    d.model.invalidate();
    return;
  }
  d.showText(line, answer || 'done');
}

/** @throws Error that says why the guest's engine has none */
async function snapshotsOf({ debug }: Dashboard): Promise<NonNullable<Dashboard['debug']['snapshots']>> {
  if (debug.snapshots) return debug.snapshots;
  throw new Error((await debug.info()).unavailable.snapshots ?? 'this target saves no states');
}

/** The monitor's, which a user of QEMU types here too. */
const MACHINE_COMMANDS = [
  ['savevm', '[NAME]', 'the machine and its disks, in a qcow2 disk or a file'],
  ['loadvm', 'NAME', 'the machine as savevm kept it'],
  ['delvm', 'NAME', 'what savevm kept is no more; :info snapshots lists it'],
  ['migrate', '[-d] URI', 'to a vmscope that waits with --incoming URI; :info migrate'],
  ['migrate_cancel', '', 'the guest stays here'],
] as const;

export const SESSION_COMMANDS: readonly Command[] = [
  {
    name: 'export',
    usage: 'text|csv|json|perfetto FILE [if CONDITION]',
    help: 'write the exit trace',
    run: exportCommand,
  },
  {
    name: 'monitor',
    usage: 'LINE',
    help: "a monitor command in QEMU's wording",
    run: (d, text) => monitorCommand(d, need(text, 'a monitor command')),
  },
  {
    name: 'info',
    usage: 'ps | stack PID | dmesg | modules ...',
    help: "monitor's info: processes, kernel log, ...",
    run: (d, text) => monitorCommand(d, `info ${need(text, 'a subject, such as dmesg (:monitor help lists them),')}`),
  },
  {
    name: 'gdb',
    usage: '[ADDRESS | none]',
    help: 'a GDB stub for this guest: [HOST:]PORT, unix:PATH',
    run: async (d, text) => {
      const answer = await d.debug.monitor(`gdbserver ${text.trim() || '1234'}`);
      if (answer === undefined) throw new Error('this target opens no GDB stub');
      if (answer.startsWith('gdbserver ')) throw new Error(answer);
      return answer.split('\n').at(-1);
    },
  },
  {
    name: 'messages',
    usage: '',
    help: 'what the guest and the engine reported',
    run: (d) => {
      d.showText('Messages', d.model.messages.join('\n') || 'none');
      return undefined;
    },
  },
  {
    name: 'dump-guest-memory',
    usage: 'FILE',
    help: 'memory and vCPUs as an ELF core for drgn, crash and gdb',
    run: async (d, text) => dumpText(await d.debug.dumpMemory(resolve(need(text, 'a file')))),
  },
  {
    name: 'save',
    usage: 'FILE',
    help: 'state in a file, for :restore or run --restore',
    run: async (d, text) => {
      const { file, icount } = await (await snapshotsOf(d)).save(resolve(need(text, 'a file')));
      return `state at icount ${icount} saved in ${file}`;
    },
  },
  {
    name: 'restore',
    usage: 'FILE',
    help: 'the machine as it was when FILE was saved',
    run: async (d, text) => {
      await (await snapshotsOf(d)).load(resolve(need(text, 'a file')));
      d.model.reset();
      return 'restored';
    },
  },
  ...MACHINE_COMMANDS.map(
    ([name, usage, help]): Command => ({
      name,
      usage,
      help,
      run: async (d, text) => {
        await monitorCommand(d, `${name} ${text}`.trim());
        if (name === 'loadvm') d.model.reset();
        return undefined;
      },
    }),
  ),
  {
    name: 'reset',
    usage: '',
    help: 'the machine as it was at its start',
    run: async (d) => {
      await d.debug.reset();
      d.model.reset();
      return 'reset';
    },
  },
  {
    name: 'help',
    usage: '',
    help: 'keys',
    key: '?',
    run: (d) => {
      d.help();
      return undefined;
    },
  },
  {
    name: 'quit',
    usage: '',
    help: 'end',
    key: 'q',
    run: (d) => {
      d.askQuit();
      return undefined;
    },
  },
];
