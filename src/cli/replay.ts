import { type Command, Option } from 'commander';
import type { Debugger } from '../engine/debugger.js';
import { Recording } from '../engine/host/recording/recording.js';
import type { JitMode } from '../engine/jit/jit.js';
import { StateError } from '../engine/state/schema.js';
import { GDB_PORT, type GdbAddress, parseGdbAddress } from './gdb-address.js';
import type { GuestWorkerData } from './guest-options.js';
import type { HeadlessEnd } from './headless.js';
import { launch } from './launch.js';
import { parseSerial, parseSize, parseTimeout, UsageError } from './options.js';
import { findImages } from './recorded-images.js';
import { RECORDED_RUN, type RecordedRun } from './recorded-run.js';
import { HISTORY_BYTES } from './run.js';
import { printable, tell } from './tell.js';
import { BACKGROUND, hasTerminal, isInBackground } from './terminal.js';
import { VERSION } from './version.js';

interface ReplayOptions {
  verify?: boolean;
  gdb?: string | true;
  wait?: boolean;
  headless?: boolean;
  serial?: string;
  history?: string;
  symbols?: string;
  trace?: string;
  debugcon?: string;
  timeout?: string;
  stats?: string;
  jit: JitMode;
}

export function addReplayCommand(program: Command): void {
  program
    .command('replay')
    .summary('repeat a recorded run')
    .description(
      'Repeat a run that `vmscope run --record FILE` recorded: with the dashboard on a terminal, otherwise headless with COM1 on ' +
        'standard output. Each instant can be gone to; nothing can be changed. Images are looked for where they were and ' +
        'beside the recording, where they are not packed in it, and are not written.',
    )
    .argument('<file>', 'the recording')
    .option('--verify', 'only repeat it and compare the state at its end; status 1 if it differs')
    .option('--gdb [address]', 'GDB stub: [HOST:]PORT (default 1234, loopback), unix:PATH')
    .option('--wait', 'start stopped')
    .option('--headless', 'no dashboard')
    .option('--serial <target>', 'COM1: stdio, none, file:F, unix:PATH')
    .option('--history <size>', 'memory for going back', '256M')
    .option('--symbols <file>', 'symbols, types and lines of the guest: ELF (vmlinux), or System.map')
    .option('--trace <file>', 'record the VM exits')
    .option('--debugcon <file>', 'what the guest writes to ports 0xe9 and 0x402: a file, or stdio')
    .option('--timeout <seconds>', 'stop after this wall-clock time')
    .addOption(
      new Option('--jit <mode>', 'compile hot guest code')
        .choices(['off', 'on', 'always'])
        .env('VMSCOPE_JIT')
        .default('on'),
    )
    .addOption(new Option('--stats <format>', 'at the end: counts to standard error').choices(['json']))
    .action(async (file: string, options: ReplayOptions) => {
      process.exitCode = await replay(file, options);
    });
}

/** The `replay` verb. Answers the process status. @throws UsageError, StartError */
async function replay(file: string, options: ReplayOptions): Promise<number> {
  const verify = options.verify === true;
  for (const option of ['gdb', 'wait', 'serial'] as const) {
    if (verify && options[option] !== undefined) throw new UsageError(`--verify: takes no --${option}`);
  }
  const interactive = !verify && !options.headless && hasTerminal();
  if (interactive && isInBackground()) throw new UsageError(`replay: ${BACKGROUND}`);
  const serial = parseSerial(options.serial ?? (interactive || verify ? 'none' : 'stdio'));
  if (interactive && serial.kind === 'stdio')
    throw new UsageError('--serial stdio: the dashboard has the terminal; --headless gives it to the guest');
  const gdb = options.gdb === undefined ? undefined : gdbOf(options.gdb);
  const history = parseSize('--history', options.history ?? `${HISTORY_BYTES / 2 ** 20}M`);
  const { data, whole } = open(file, {
    ...{ jit: options.jit, paced: false, waitForInput: interactive || gdb !== undefined, history },
    ...(gdb === undefined ? {} : { gdb }),
    ...(options.symbols === undefined ? {} : { symbols: options.symbols }),
    ...(options.trace === undefined ? {} : { traceFile: options.trace }),
    ...(options.debugcon === undefined ? {} : { debugcon: options.debugcon }),
  });
  if (verify && !whole) throw new UsageError(`${file}: ${CUT}, so that it has no state to compare with`);
  if (!whole) tell(`${file}: ${CUT}: it is repeated up to there`);
  return launch(data, {
    ...{ interactive, serial, wait: options.wait === true, input: false },
    ...(options.stats === undefined ? {} : { statistics: (text: string) => void process.stderr.write(text) }),
    ...(options.timeout === undefined ? {} : { timeoutSeconds: parseTimeout(options.timeout) }),
    endsWithHistory: true,
    ...(verify ? { atEnd: compare } : {}),
  });
}

const CUT = 'was cut off while it was written';

function gdbOf(text: string | true): GdbAddress {
  const address = text === true ? undefined : parseGdbAddress('--gdb', text);
  if (address?.kind === 'stdio') throw new UsageError('--gdb stdio: replay serves gdb on a port or a socket');
  return address ?? { kind: 'tcp', host: '127.0.0.1', port: GDB_PORT };
}

/** The guest that begins as the recorded one did. @throws UsageError naming the file and what is wrong with it */
function open(
  file: string,
  how: Pick<
    GuestWorkerData,
    'jit' | 'paced' | 'waitForInput' | 'history' | 'gdb' | 'symbols' | 'traceFile' | 'debugcon'
  >,
): { data: GuestWorkerData; whole: boolean } {
  if (file === '') throw new UsageError('replay: no file is named');
  let recording: Recording | undefined;
  try {
    recording = Recording.open(file);
    const run = check(file, recording.about);
    // no field of it is undefined: JSON has none
    const machine = JSON.parse(JSON.stringify({ ...run.machine, cpu: undefined })) as GuestWorkerData;
    const cpu = run.machine.cpu as GuestWorkerData['cpu'];
    const found = findImages(recording, run);
    const data = { ...machine, ...(cpu ? { cpu } : {}), ...found, engine: 'vtx' as const, replay: file, ...how };
    return { data, whole: recording.recordedEnd !== undefined };
  } catch (error) {
    throw error instanceof StateError ? new UsageError(error.message) : error;
  } finally {
    recording?.close();
  }
}

function check(file: string, about: unknown): RecordedRun {
  const { program } = (about ?? {}) as { program?: unknown };
  const own = `vmscope ${VERSION}`;
  if (typeof program === 'string' && program !== own)
    throw new UsageError(
      `${file}: was recorded by ${printable(program)}; this is ${own}, where a guest may run otherwise`,
    );
  try {
    return RECORDED_RUN.check(about, 'run');
  } catch (error) {
    throw new UsageError(`${file}: is damaged: ${printable((error as Error).message)}`);
  }
}

/** Says whether the state at the end is the one that was recorded. */
async function compare(target: Debugger, end: HeadlessEnd): Promise<HeadlessEnd> {
  let verdict: Awaited<ReturnType<NonNullable<Debugger['recording']>['compare']>>;
  try {
    verdict = await target.recording!.compare();
  } catch (error) {
    return { ...end, status: end.status || 1, message: end.message ?? (error as Error).message };
  }
  const { at, hash, recordedHash, differing } = verdict;
  const place = `instruction ${at.icount}, exit ${at.exit}`;
  if (differing.length === 0) {
    process.stdout.write(`equal at ${place}: state ${hash}\n`);
    return { status: 0 };
  }
  process.stdout.write(`differs at ${place} in ${differing.join(', ')}: state ${hash}, recorded ${recordedHash}\n`);
  return { status: 1 };
}
