/** The QMP commands that a vmscope guest answers, over the debugger API. @see "QEMU QMP Reference Manual" */
import { writeFileSync } from 'node:fs';
import { monitorLine } from '../commands/monitor-door.js';
import type { Debugger, MigrationStatus } from '../engine/debugger.js';
import { CommandError } from './command-error.js';
import { queryBalloon, queryBlock, queryBlockstats, queryChardev, queryPci, setBalloon } from './machine-commands.js';

export type Arguments = Record<string, unknown>;

type Command = (target: Debugger, args: Arguments) => Promise<unknown>;

/** Bytes that memsave writes at most. */
const MAX_SAVE = 2 ** 32;
const PIECE = 1 << 20;
const PAGE_BYTES = 4096;
const VERSION = { qemu: { major: 7, minor: 2, micro: 0 }, package: 'vmscope' };
export const EVENTS = ['STOP', 'RESUME', 'SHUTDOWN', 'RESET'] as const;

const number = (args: Arguments, name: string): number => {
  const value = args[name];
  if (value === undefined) throw new CommandError(`Parameter '${name}' is missing`);
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new CommandError(`Invalid parameter type for '${name}', expected: integer`);
  return value;
};
const text = (args: Arguments, name: string): string => {
  const value = args[name];
  if (value === undefined) throw new CommandError(`Parameter '${name}' is missing`);
  if (typeof value !== 'string') throw new CommandError(`Invalid parameter type for '${name}', expected: string`);
  return value;
};

/** QMP's RunState. */
async function status(target: Debugger): Promise<{ running: boolean; singlestep: boolean; status: string }> {
  const { running, stop } = await target.state();
  const words = { start: 'prelaunch', ended: 'shutdown', paused: 'paused' } as Record<string, string>;
  return { running, singlestep: false, status: running ? 'running' : (words[stop?.kind ?? 'paused'] ?? 'debug') };
}

async function save(target: Debugger, space: 'gva' | 'gpa', args: Arguments): Promise<object> {
  const [from, size, file] = [number(args, 'val'), number(args, 'size'), text(args, 'filename')];
  const vcpu = args['cpu-index'] === undefined ? undefined : number(args, 'cpu-index');
  if (size > MAX_SAVE) throw new CommandError(`Invalid size ${size}`);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < size; at += PIECE) {
    const wanted = Math.min(PIECE, size - at);
    const bytes = await target.readMemory(space, BigInt(from + at), wanted, vcpu);
    parts.push(bytes);
    if (bytes.length < wanted) throw new CommandError(`Invalid addr 0x${from.toString(16)}/size ${size} specified`);
  }
  writeFileSync(file, Buffer.concat(parts));
  return {};
}

/** QEMU's key names to those of the debugger API. */
const KEYS: Record<string, string> = {
  ...{
    ret: 'Enter',
    esc: 'Escape',
    tab: 'Tab',
    spc: ' ',
    backspace: 'Backspace',
    delete: 'Delete',
    up: 'Up',
    down: 'Down',
  },
  ...{
    left: 'Left',
    right: 'Right',
    home: 'Home',
    end: 'End',
    minus: '-',
    equal: '=',
    comma: ',',
    dot: '.',
    slash: '/',
  },
  ...{ semicolon: ';', apostrophe: "'", backslash: '\\', bracket_left: '[', bracket_right: ']', grave_accent: '`' },
};
const MODIFIERS = ['ctrl', 'alt', 'shift'];

async function sendKey(target: Debugger, args: Arguments): Promise<object> {
  if (!target.console) throw new CommandError('this guest has no keyboard');
  const codes = (Array.isArray(args.keys) ? args.keys : []).map((key) =>
    String((key as { data?: unknown } | null)?.data),
  );
  if (codes.length === 0 || codes.length > 16) throw new CommandError("Parameter 'keys' is missing");
  const last = codes.at(-1)!;
  const name = KEYS[last] ?? (/^f\d{1,2}$/.test(last) ? last.toUpperCase() : last);
  const before = codes.slice(0, -1);
  const wrong = before.find((code) => !MODIFIERS.includes(code));
  if (wrong) throw new CommandError(`Invalid parameter '${wrong}': one key, with ctrl, alt or shift`);
  await target.console.key(
    before.includes('shift') && /^[a-z]$/.test(name) ? name.toUpperCase() : [...before, name].join('-'),
  );
  return {};
}

export const COMMANDS: Record<string, Command> = {
  'query-version': async () => VERSION,
  'query-commands': async () => ['qmp_capabilities', ...Object.keys(COMMANDS)].map((name) => ({ name })),
  'query-events': async () => EVENTS.map((name) => ({ name })),
  'query-status': status,
  'query-name': async (target) => ({ name: (await target.info()).name }),
  'query-uuid': async () => ({ UUID: '00000000-0000-0000-0000-000000000000' }),
  'query-kvm': async (target) => {
    const enabled = (await target.info()).engine === 'kvm';
    return { enabled, present: enabled };
  },
  'query-cpus-fast': async (target) =>
    Array.from({ length: (await target.info()).vcpus }, (_, n) => ({
      ...{ 'cpu-index': n, 'qom-path': `/machine/unattached/device[${n}]`, target: 'x86_64' },
      ...{ 'thread-id': process.pid, props: { 'socket-id': n, 'core-id': 0, 'thread-id': 0 } },
    })),
  'query-memory-size-summary': async (target) => ({
    'base-memory': (await target.info()).memoryBytes,
    'plugged-memory': 0,
  }),
  'query-pci': queryPci,
  'query-block': queryBlock,
  'query-blockstats': queryBlockstats,
  // What a machine of vmscope's has none of, as scripts for any QEMU ask for it.
  ...Object.fromEntries(
    ['query-block-jobs', 'query-jobs', 'query-iothreads', 'query-rx-filter', 'query-memory-devices'].map((name) => [
      name,
      async () => [],
    ]),
  ),
  'query-target': async () => ({ arch: 'x86_64' }),
  'query-current-machine': async () => ({ 'wakeup-suspend-support': false }),
  'inject-nmi': async (target) => {
    await target.monitor('nmi');
    return {};
  },
  'query-chardev': queryChardev,
  'query-balloon': queryBalloon,
  balloon: (target, args) => setBalloon(target, number(args, 'value')),
  system_powerdown: async (target) => {
    if ((await target.monitor('system_powerdown')) === undefined)
      throw new CommandError('this machine has no power button; quit ends it');
    return {};
  },
  stop: async (target) => {
    await target.pause();
    return {};
  },
  cont: async (target) => {
    await target.resume();
    return {};
  },
  system_reset: async (target) => {
    await target.reset();
    return {};
  },
  quit: async (target) => {
    // Answered first: afterwards there is nobody.
    setTimeout(() => void target.quit().catch(() => {}), 50);
    return {};
  },
  'send-key': sendKey,
  memsave: (target, args) => save(target, 'gva', args),
  pmemsave: (target, args) => save(target, 'gpa', args),
  'dump-guest-memory': async (target, args) => {
    const file = /^file:(.+)$/s.exec(text(args, 'protocol'))?.[1];
    if (file === undefined) throw new CommandError("parameter 'protocol' must start with 'file:'");
    await target.dumpMemory(file);
    return {};
  },
  screendump: async (target, args) => {
    const format = args.format === undefined ? 'ppm' : text(args, 'format');
    if (format !== 'ppm' && format !== 'png')
      throw new CommandError(`Parameter 'format' does not accept value '${format}'`);
    if (!target.console?.screendump) throw new CommandError('this guest shows no pictures');
    await target.console.screendump(text(args, 'filename'), format);
    return {};
  },
  migrate: async (target, args) => {
    await migration(target).start(text(args, 'uri'));
    return {};
  },
  migrate_cancel: async (target) => {
    await migration(target).cancel();
    return {};
  },
  'query-migrate': async (target) => migrationInfo(await target.migration?.status()),
  'human-monitor-command': async (target, args) => {
    const vcpu = args['cpu-index'] === undefined ? undefined : number(args, 'cpu-index');
    const line = text(args, 'command-line');
    const answer = await monitorLine(target, line, vcpu);
    return answer === undefined
      ? `unknown command: '${line}'\r\n`
      : answer && `${answer.replace(/\r?\n/g, '\r\n')}\r\n`;
  },
};

function migration(target: Debugger): NonNullable<Debugger['migration']> {
  if (!target.migration) throw new CommandError('this guest does not migrate');
  return target.migration;
}

/** Of `query-migrate`: an empty object before the first one. @see "QEMU QMP Reference Manual", MigrationInfo */
function migrationInfo(status: MigrationStatus | undefined): object {
  if (status === undefined) return {};
  const { phase, error, totalMs, setupMs, downtimeMs } = status;
  return {
    ...{ status: phase, 'total-time': totalMs, 'setup-time': setupMs },
    ...(downtimeMs === undefined ? {} : { downtime: downtimeMs }),
    ...(error === undefined ? {} : { 'error-desc': error }),
    ram: {
      ...{ transferred: status.transferredBytes, remaining: status.remainingBytes, total: status.totalBytes },
      ...{ duplicate: status.zeroPages, skipped: 0, normal: status.normalPages, 'page-size': PAGE_BYTES },
      ...{ 'normal-bytes': status.normalPages * PAGE_BYTES, 'dirty-sync-count': status.rounds },
    },
  };
}

/** @throws CommandError, or what the debugger throws */
export async function run(target: Debugger, name: string, args: Arguments): Promise<unknown> {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) throw new CommandError(`The command ${name.slice(0, 100)} has not been found`, 'CommandNotFound');
  return await command(target, args);
}

export { CommandError, VERSION };
