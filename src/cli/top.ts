import { closeSync, createWriteStream, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { EXIT_KINDS, type ExitWatcher, type Fleet, type FleetLook, type Urgent, type Wants } from '../engine/fleet.js';
import { fileCause } from '../engine/host/file-cause.js';
import { JoinedFleet } from '../targets/fleet.js';
import { localHost } from '../targets/host.js';
import { LibvirtSource } from '../targets/libvirt/source.js';
import { defaultUris } from '../targets/libvirt/uri.js';
import { ProcessSource } from '../targets/qemu/source.js';
import { COLUMNS, chosenColumns, sorted, textTable } from '../tui/top/columns.js';
import { EXIT_COLUMNS, type ExitInterval, type ExitRow, exitRows, traceText } from '../tui/top/exits.js';
import { type Interval, nextInterval } from '../tui/top/rows.js';
import { runTop } from '../tui/top/screen.js';
import {
  MAX_INTERVAL_MS,
  MIN_INTERVAL_MS,
  newTopState,
  readSettings,
  type StartSettings,
  settingsText,
  type TopState,
  type TopView,
} from '../tui/top/state.js';
import { attachGuest } from './attach.js';
import { compileSeldom } from './compile-seldom.js';
import { OwnSource } from './fleet.js';
import { offerToFree } from './foreign-guest.js';
import { parseGdbAddress, showGdbAddress } from './gdb-address.js';
import { UsageError } from './options.js';
import { openOutput, streamOf, writeFailure } from './output-file.js';
import { printable, tell } from './tell.js';
import { hasTerminal, isInBackground } from './terminal.js';
import { themeOption } from './theme-option.js';
import { serveMetrics } from './top-metrics.js';
import { type CsvGroups, csvHeader, csvRow, jsonLine, streamLines } from './top-records.js';

interface TopOptions {
  connect: string[];
  delay?: string;
  batch?: boolean;
  iterations?: string;
  sort?: string;
  csv?: string;
  csvCpu: boolean;
  csvMem: boolean;
  csvBlock: boolean;
  csvNet: boolean;
  script?: boolean;
  stream?: boolean;
  json?: boolean;
  metrics?: string;
  endTime?: string;
  blockInBytes?: boolean;
  initFile: string | false;
  agent?: boolean;
  guestMemory: boolean;
  secure?: boolean;
  1?: boolean;
  2?: boolean;
  3?: boolean;
  4?: boolean;
  event?: string;
}

const collect = (value: string, all: string[]): string[] => [...all, value];

export function addTopCommand(program: Command): void {
  program
    .command('top')
    .summary("all guests of this host: vmscope's, libvirt's, QEMU's")
    .description(
      "All guests: vmscope's own, libvirt's, and other QEMU or KVM processes, with rates; Enter opens one. As text where there is no terminal. Options and keys are virt-top's where it has them.",
    )
    .addOption(themeOption())
    .option('-c, --connect <uri>', 'only guests of this libvirt, e.g. qemu+ssh://HOST/system; repeatable', collect, [])
    .option('-d, --delay <seconds>', 'seconds between refreshes (default: 2)')
    .option('-n, --iterations <n>', 'number of refreshes, then exit')
    .option('-b, --batch', 'as text')
    .option('-o, --sort <column>', COLUMNS.map(({ id }) => id).join(', '))
    .option('-1', "start with the view of the host's CPUs")
    .option('-2', 'start with the view of network interfaces')
    .option('-3', 'start with the view of disks')
    .option('-4', 'start with the view of VM exits and their times (KVM guests of this host)')
    .option('--event <kind>', 'what -4 shows: vmexit, mmio or ioport (by address), as perf kvm stat has them')
    .option('--csv <file>', 'write a line for each refresh, in the form of virt-top')
    .option('--no-csv-cpu', 'leave columns out')
    .option('--no-csv-mem', 'leave columns out')
    .option('--no-csv-block', 'leave columns out')
    .option('--no-csv-net', 'leave columns out')
    .option('--block-in-bytes', 'disks in bytes instead of requests')
    .option('--script', 'nothing but the CSV')
    .option('--stream', 'print each refresh as text, in the form of virt-top')
    .option('--json', 'print each refresh as a line of JSON')
    .option('--metrics <[host:]port>', 'serve the newest figures to Prometheus, until ended')
    .option('--end-time <time>', 'YYYY-MM-DD HH:MM:SS, HH:MM:SS, +HH:MM:SS or +SECONDS')
    .option('--agent', 'ask guest agents for addresses: takes the right to change guests')
    .option(
      '--init-file <file>',
      "settings, or virt-top's ~/.virt-toprc (default: vmscope/top in the configuration folder)",
      settingsPath(),
    )
    .option('--no-init-file', 'no settings')
    .option(
      '--no-guest-memory',
      "do not read guests' memory for what they use of it, where no balloon driver reports it",
    )
    .option('--secure', 'only look: no action, no attach, nothing written')
    .action(async (given: TopOptions) => {
      // two looks a second and a screen that is drawn as often: a third of the time went into compiling
      compileSeldom(11);
      const state = stateOf(given);
      const options = startOptions(given, state.start);
      const limits = {
        looks: options.iterations === undefined ? undefined : number('--iterations', options.iterations, 1, 1e9),
        endMs: options.endTime === undefined ? undefined : endTime(options.endTime, new Date()),
      };
      await offerToFree();
      const fleet = openFleet(options);
      const records = new Records(options, state);
      try {
        if (options.metrics !== undefined) {
          await exportMetrics(fleet, state, options.metrics);
          return;
        }
        const text =
          options.batch || options.script || options.stream || options.json || !hasTerminal() || isInBackground();
        if (text) await printTop(fleet, state, options, records, limits);
        else await interactive(recorded(fleet, records), state, options, limits);
      } finally {
        fleet.close();
        await records.close();
      }
    });
}

/** The guests of the libvirts that were named, or all of this host. @throws UsageError */
function openFleet({ connect: uris, agent, guestMemory: readMemory }: TopOptions): Fleet {
  try {
    const libvirts = (uris.length ? uris : defaultUris()).map((uri) => new LibvirtSource(uri, undefined, { agent }));
    const processes = new ProcessSource();
    if (uris.length) return new JoinedFleet(libvirts, localHost, [processes], { readMemory });
    return new JoinedFleet([new OwnSource(), ...libvirts, processes], localHost, [], { readMemory });
  } catch (error) {
    throw new UsageError(`--connect ${(error as Error).message}`);
  }
}

function stateOf(options: TopOptions): TopState {
  const state = newTopState();
  if (options.initFile !== false) {
    try {
      if (!statSync(options.initFile).isFile()) throw new Error('is not a regular file');
      readSettings(readFileSync(options.initFile, 'utf8'), state);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const own = options.initFile === settingsPath();
      if (code !== 'ENOENT' || !own) throw new UsageError(`--init-file ${options.initFile}: ${message}`);
    }
  }
  if (options.delay !== undefined)
    state.intervalMs = number('--delay', options.delay, MIN_INTERVAL_MS / 1000, MAX_INTERVAL_MS / 1000) * 1000;
  if (options.sort !== undefined) {
    const column = COLUMNS.find(({ id }) => id === options.sort);
    if (!column) throw new UsageError(`--sort ${options.sort}: not one of ${COLUMNS.map(({ id }) => id).join(', ')}`);
    state.sort = column.id;
  }
  if (options.blockInBytes) state.blockInBytes = true;
  if (options.secure) state.secure = true;
  if (options.event !== undefined) {
    const kind = EXIT_KINDS.find((one) => one === options.event);
    if (!kind) throw new UsageError(`--event ${options.event}: not one of ${EXIT_KINDS.join(', ')}`);
    state.exitKind = kind;
  }
  const views: [boolean | undefined, TopView][] = [
    [options[1], 'cpus'],
    [options[2], 'nics'],
    [options[3], 'disks'],
    [options[4], 'exits'],
  ];
  for (const [wanted, view] of views) if (wanted) state.view = view;
  return state;
}

/** The options with what the settings have where none is given: a given one wins. */
function startOptions(given: TopOptions, start: StartSettings): TopOptions {
  const { flags } = start;
  return {
    ...given,
    connect: given.connect.length ? given.connect : (start.connect ?? []),
    iterations: given.iterations ?? start.iterations,
    csv: given.csv ?? start.csv,
    endTime: given.endTime ?? start.endTime,
    batch: given.batch || flags.batch,
    script: given.script || flags.script,
    stream: given.stream || flags.stream,
    csvCpu: given.csvCpu && flags['csv-cpu'] !== false,
    csvMem: given.csvMem && flags['csv-mem'] !== false,
    csvBlock: given.csvBlock && flags['csv-block'] !== false,
    csvNet: given.csvNet && flags['csv-net'] !== false,
  };
}

function number(option: string, text: string, low: number, high: number): number {
  const value = Number(text);
  if (!(value >= low && value <= high)) throw new UsageError(`${option} ${text}: not a number from ${low} to ${high}`);
  return value;
}

/** Unix time in ms. @throws UsageError */
export function endTime(text: string, now: Date): number {
  const bad = () => new UsageError(`--end-time ${text}: not YYYY-MM-DD HH:MM:SS, HH:MM:SS, +HH:MM:SS or +SECONDS`);
  const seconds = (h: string, m: string, s: string): number => {
    if (Number(m) > 59 || Number(s) > 59) throw bad();
    return Number(h) * 3600 + Number(m) * 60 + Number(s);
  };
  const after = /^\+(?:(\d{1,4}):(\d\d):(\d\d)|(\d{1,9}))$/.exec(text);
  if (after) return now.getTime() + 1000 * (after[4] ? Number(after[4]) : seconds(after[1]!, after[2]!, after[3]!));
  const at = /^(?:(\d{4})-(\d\d)-(\d\d) )?(\d{1,2}):(\d\d):(\d\d)$/.exec(text);
  if (!at || Number(at[4]) > 23) throw bad();
  const [year, month, day] = at[1]
    ? [Number(at[1]), Number(at[2]) - 1, Number(at[3])]
    : [now.getFullYear(), now.getMonth(), now.getDate()];
  if (at[1] && new Date(year, month, day).getDate() !== day) throw bad();
  return new Date(year, month, day).getTime() + 1000 * seconds(at[4]!, at[5]!, at[6]!);
}

/** Where `W` keeps settings. */
function settingsPath(environment: NodeJS.ProcessEnv = process.env): string {
  return join(environment.XDG_CONFIG_HOME || join(homedir(), '.config'), 'vmscope', 'top');
}

/** The CSV file, a line a look. */
class Records {
  private readonly stream: NodeJS.WritableStream | undefined;
  private readonly groups: CsvGroups;
  private lastMs: number | undefined;
  private failure: Error | undefined;
  private readonly path: string = '';

  constructor(
    options: TopOptions,
    private readonly state: TopState,
  ) {
    this.groups = { cpu: options.csvCpu, mem: options.csvMem, block: options.csvBlock, net: options.csvNet };
    if (options.csv === undefined) return;
    // Opened here and now, so that a wrong path is told before anything is shown.
    const fd = openOutput('--csv', options.csv);
    const own = streamOf(options.csv) !== undefined;
    if (!own) closeSync(fd);
    this.stream = own
      ? createWriteStream('', { fd, autoClose: false })
      : createWriteStream(options.csv, { flags: 'a' });
    this.path = options.csv;
    this.stream.on('error', (error) => {
      this.failure = error;
    });
    this.stream.write(`${csvHeader(this.groups, state.blockInBytes)}\n`);
  }

  /** Whether they go to a file. */
  get kept(): boolean {
    return this.stream !== undefined;
  }

  /** @returns seconds since the last look; 0 for the first */
  take(interval: Interval, nowMs: number): number {
    const seconds = this.lastMs === undefined ? 0 : (nowMs - this.lastMs) / 1000;
    this.lastMs = nowMs;
    if (this.failure) throw new UsageError(writeFailure('--csv', this.path, this.failure), { cause: this.failure });
    this.stream?.write(`${csvRow(interval, seconds, this.groups, this.state.blockInBytes, new Date())}\n`);
    return seconds;
  }

  async close(): Promise<void> {
    if (this.stream) await new Promise<void>((resolve) => this.stream!.end(() => resolve()));
  }
}

/** The fleet, with each look written to the records too. */
function recorded(fleet: Fleet, records: Records): Fleet {
  let interval: Interval | undefined;
  return {
    async look(urgent?: Urgent, wants?: Wants): Promise<FleetLook> {
      // A line of the file has each guest's figures of its interval.
      const look = await fleet.look(records.kept ? undefined : urgent, wants);
      interval = nextInterval(interval, look);
      records.take(interval, performance.now());
      return look;
    },
    act: (key, action) => fleet.act(key, action),
    details: (key) => fleet.details(key),
    ...(fleet.watchExits ? { watchExits: () => fleet.watchExits!() } : {}),
    close: () => fleet.close(),
  };
}

/** Serves metrics until a signal ends it. @throws UsageError when the address cannot be had */
async function exportMetrics(fleet: Fleet, state: TopState, text: string): Promise<void> {
  const address = parseGdbAddress('--metrics', text);
  if (address.kind !== 'tcp') throw new UsageError(`--metrics ${text}: not [HOST:]PORT`);
  const server = await serveMetrics(fleet, address, state.intervalMs).catch((error: Error) => {
    throw new UsageError(`--metrics ${text}: ${fileCause(error)}`);
  });
  tell(`metrics on http://${showGdbAddress({ ...address, port: server.port })}/metrics`);
  await new Promise<void>((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => resolve());
  });
  await server.close();
}

interface Limits {
  looks: number | undefined;
  endMs: number | undefined;
}

async function printTop(
  fleet: Fleet,
  state: TopState,
  options: TopOptions,
  records: Records,
  limits: Limits,
): Promise<void> {
  const table = !options.script && !options.stream && !options.json;
  // A table wants rates, which need two looks: the first is not shown.
  const looks = limits.looks ?? (table && !options.csv && limits.endMs === undefined ? 1 : Number.POSITIVE_INFINITY);
  let interval: Interval | undefined;
  let said = '';
  const look = async (): Promise<number> => {
    interval = nextInterval(interval, await fleet.look());
    // A failure is said once, not with every look.
    const failures = interval.now.failures.join('\n');
    if (failures && failures !== said) tell(failures.replaceAll('\n', '; '));
    said = failures;
    return records.take(interval, performance.now());
  };
  const exits = table && state.view === 'exits';
  let watcher: ExitWatcher | undefined;
  let trace: (ExitInterval & { ms: number }) | undefined;
  const watch = (): void => {
    if (!watcher) return;
    const [ms, now] = [performance.now(), watcher.look()];
    trace = trace ? { before: trace.now, now, seconds: (ms - trace.ms) / 1000, ms } : { now, ms };
  };
  if (table) {
    await look();
    if (exits) watcher = watchedExits(fleet);
    watch();
    if (interval!.rows.length) await pause(state.intervalMs, limits.endMs);
  }
  for (let n = 0; n < looks; n++) {
    if (n > 0) {
      await pause(state.intervalMs, limits.endMs);
      if (limits.endMs !== undefined && Date.now() >= limits.endMs) return;
    }
    const seconds = await look();
    watch();
    if (process.stdout.destroyed) return;
    if (exits) print(exitLines(trace!, interval!, state));
    else if (table) print(tableLines(interval!, state));
    else if (options.stream) print(streamLines(interval!, state.blockInBytes, new Date()).map(printable));
    else if (options.json) print([jsonLine(interval!, seconds, new Date())]);
  }
  watcher?.close();
}

/** @throws UsageError that says what is missing */
function watchedExits(fleet: Fleet): ExitWatcher {
  try {
    return fleet.watchExits!();
  } catch (error) {
    throw new UsageError(`top -4: ${(error as Error).message}`);
  }
}

function exitLines(trace: ExitInterval, interval: Interval, state: TopState): string[] {
  const column =
    EXIT_COLUMNS.find(({ id }) => id === (state.sort === 'cpu' ? 'exits' : state.sort)) ?? EXIT_COLUMNS[0]!;
  const rows = exitRows(trace, interval.rows, state.perVcpu, state.exitKind);
  const name = (row: ExitRow): string => `${row.guest.sample.name} ${row.reason}`;
  const lines = textTable(EXIT_COLUMNS, sorted(rows, column, state.reversed, state, name), state);
  return [...lines, traceText(trace.now)].map(printable);
}

function tableLines(interval: Interval, state: TopState): string[] {
  const column = COLUMNS.find(({ id }) => id === state.sort) ?? COLUMNS[0]!;
  const rows = sorted(interval.rows, column, state.reversed, state, (row) => row.sample.name);
  return textTable(chosenColumns(COLUMNS, state.columns.guests), rows, state).map(printable);
}

const print = (lines: readonly string[]): void => void process.stdout.write(`${lines.join('\n')}\n`);

/** Until the next look, or the end if that is sooner. */
function pause(ms: number, endMs: number | undefined): Promise<void> {
  const left = endMs === undefined ? ms : Math.min(ms, Math.max(0, endMs - Date.now()));
  return new Promise((resolve) => setTimeout(resolve, left));
}

async function interactive(fleet: Fleet, state: TopState, options: TopOptions, limits: Limits): Promise<void> {
  const ended = new AbortController();
  let looks = 0;
  const counted: Fleet = {
    ...fleet,
    async look(urgent?: Urgent, wants?: Wants) {
      const look = await fleet.look(urgent, wants);
      if (++looks >= (limits.looks ?? Number.POSITIVE_INFINITY)) setTimeout(() => ended.abort(), state.intervalMs);
      return look;
    },
  };
  if (limits.endMs !== undefined) setTimeout(() => ended.abort(), Math.max(0, limits.endMs - Date.now())).unref();
  const door = { save: (kept: TopState) => saveSettings(kept, options.initFile || settingsPath()) };
  while (!ended.signal.aborted) {
    const chosen = await runTop(counted, state, door, { signal: ended.signal });
    if (chosen === undefined) return;
    state.notice = await attachGuest(chosen.attach, { view: chosen.view }).catch((error: Error) => error.message);
  }
}

function saveSettings(state: TopState, path: string): string {
  if (state.start.flags['overwrite-init-file'] === false)
    throw new Error(`${path} is not written over: it says overwrite-init-file false`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, settingsText(state));
  return path;
}
