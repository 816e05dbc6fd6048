/** The trace as a file, the machine's state in files, and the guest as a whole. */

import { resolve } from 'node:path';
import { counted } from '../engine/counted.js';
import { parseExitCondition } from '../engine/debug/exit-condition.js';
import { EXPORT_FORMATS, exitWriter } from '../engine/debug/exit-export.js';
import { withTimes } from '../engine/debug/exit-report.js';
import { dumpText } from '../engine/debug/monitor.js';
import { screendumpText } from '../engine/debug/monitor-screen.js';
import { exitMatches } from '../engine/debug/trace-reader.js';
import type { Debugger, RunState } from '../engine/debugger.js';
import { asText, type Command, command, lacking, need, type Session } from './command.js';
import { monitor } from './monitor.js';
import { nothing } from './running.js';
import { arrivalText } from './stop-text.js';
import { writeTextFile } from './text-file.js';

async function exportTrace(session: Session, text: string): Promise<{ exits: number; file: string }> {
  const [, word = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(text.trim()) ?? [];
  if (word === '') throw new Error(`usage: export FORMAT FILE [if CONDITION]; FORMAT is ${EXPORT_FORMATS.join(', ')}`);
  const format = EXPORT_FORMATS.find((name) => name === word.toLowerCase());
  if (!format)
    throw new Error(`"${word}" is not one of ${EXPORT_FORMATS.join(', ')}; usage: export FORMAT FILE [if CONDITION]`);
  const [, file, where] = /^(.+?)(?:\s+if\s+(.+))?$/s.exec(need(rest.trim(), `the FILE of export ${format} FILE`))!;
  if (!session.debug.exits) throw await lacking(session, 'exits');
  const names = await session.names();
  const condition = where === undefined ? {} : parseExitCondition(`any if ${where}`, { ...names, registers: {} });
  const records = await session.debug.exits.records(-1, 1_000_000);
  const symbols = await session.symbols();
  const writer = exitWriter(format, (address) => symbols.label(address));
  const { clock } = await session.info();
  const chosen = [...withTimes(records, clock?.instructionNs)].filter(({ record }) => exitMatches(record, condition));
  const out = writer.head + chosen.map((exit) => writer.record(exit)).join('') + writer.tail;
  await writeTextFile(file!, out);
  return { exits: chosen.length, file: file! };
}

/** @throws Error that says why the guest's engine has none */
async function snapshotsOf({ debug }: Session): Promise<NonNullable<Debugger['snapshots']>> {
  if (debug.snapshots) return debug.snapshots;
  throw new Error((await debug.info()).unavailable.snapshots ?? 'this target saves no states');
}

export const MACHINE_COMMANDS: readonly Command[] = [
  command({
    name: 'export',
    usage: 'text|csv|json|perfetto FILE [if CONDITION]',
    help: 'write the exit trace',
    effect: 'looks',
    words: EXPORT_FORMATS,
    kinds: ['file'],
    run: exportTrace,
    text: ({ exits, file }) => `${counted(exits, 'exit')} written to ${file}`,
  }),
  command({
    name: 'state',
    usage: '',
    help: 'whether the guest runs, and if not why and where it stopped',
    effect: 'looks',
    run: async (session, text): Promise<RunState> => {
      nothing(text);
      return session.debug.state();
    },
    text: arrivalText,
  }),
  command({
    name: 'gdb',
    usage: '[ADDRESS | none]',
    help: 'a GDB stub for this guest: [HOST:]PORT, unix:PATH',
    effect: 'changes',
    words: ['none', 'unix:'],
    run: async (session, text) => {
      const answer = await session.debug.monitor(`gdbserver ${text.trim() || '1234'}`);
      if (answer === undefined) throw new Error('this target opens no GDB stub');
      if (answer.startsWith('gdbserver ')) throw new Error(answer);
      return answer.split('\n').at(-1) ?? '';
    },
    text: asText,
  }),
  command({
    name: 'dump-guest-memory',
    usage: 'FILE',
    help: 'write memory and vCPUs as an ELF core for drgn, crash and gdb',
    effect: 'runs',
    kinds: ['file'],
    run: (session, text) => session.debug.dumpMemory(resolve(need(text, 'a file'))),
    text: dumpText,
  }),
  command({
    name: 'screendump',
    usage: 'FILE',
    help: "write the guest's screen as a picture: PNG, or PPM where FILE ends so",
    effect: 'looks',
    kinds: ['file'],
    run: async (session, text) => {
      const { console } = session.debug;
      if (!console?.screendump) throw new Error('this target shows no pictures');
      return console.screendump(resolve(need(text, 'a file')));
    },
    text: screendumpText,
  }),
  command({
    name: 'save',
    usage: 'FILE',
    help: 'save the state in a file, for :restore or run --restore',
    effect: 'runs',
    kinds: ['file'],
    run: async (session, text) => (await snapshotsOf(session)).save(resolve(need(text, 'a file'))),
    text: ({ file, icount }) => `state at icount ${icount} saved in ${file}`,
  }),
  command({
    name: 'restore',
    usage: 'FILE',
    help: 'load the machine as it was when FILE was saved',
    effect: 'changes',
    kinds: ['file'],
    run: async (session, text) => {
      await (await snapshotsOf(session)).load(resolve(need(text, 'a file')));
      session.changed('machine');
      return session.debug.state();
    },
    text: () => 'restored',
  }),
  ...(
    [
      ['savevm', '[NAME]', 'save the machine and its disks in a qcow2 disk or a file'],
      ['loadvm', 'NAME', 'load what savevm saved'],
      ['delvm', 'NAME', 'delete what savevm saved; :info snapshots lists it'],
      ['migrate', '[-d] URI', 'move the guest to a vmscope started with --incoming URI; :info migrate shows how far'],
      ['migrate_cancel', '', 'cancel the migration: the guest stays here'],
    ] as const
  ).map(([name, usage, help]) =>
    command({
      name,
      usage,
      help,
      effect: name === 'savevm' ? 'runs' : 'changes',
      page: true,
      ...(/vm$/.test(name) ? { kinds: ['snapshot'] as const } : {}),
      ...(name === 'migrate' ? { words: ['-d', 'tcp:', 'unix:'] } : {}),
      run: async (session, text) => {
        const result = await monitor(session, `${name} ${text}`.trim());
        if (name === 'loadvm') session.changed('machine');
        else session.changed('values');
        return result;
      },
      text: asText,
    }),
  ),
  command({
    name: 'reset',
    usage: '',
    help: 'reset the machine',
    effect: 'changes',
    run: async (session, text) => {
      nothing(text);
      await session.debug.reset();
      session.changed('machine');
      return session.debug.state();
    },
    text: () => 'reset',
  }),
];
