import type { Debugger, DebuggerEvent, FaultStep, StopReason } from '../engine/debugger.js';
import { printableLines } from '../engine/printable.js';
import { CrashDump } from './crash-dump.js';
import { ANSWER_MS, elapsed } from './elapsed.js';
import type { SerialTarget } from './options.js';
import { ProgressLine } from './progress-line.js';
import { openSerial } from './serial-sink.js';
import { StdioConsole } from './stdio-console.js';
import { tell } from './tell.js';
import { isInBackground } from './terminal.js';

export interface HeadlessOptions {
  serial: SerialTarget;
  /** Standard input goes to the serial port. */
  input: boolean;
  /** Wait for a debugger instead of running at once. */
  wait: boolean;
  /** Resolves when the debugger that is connected leaves; undefined when none is. */
  gdbClientLeft?: () => Promise<void> | undefined;
  timeoutSeconds?: number;
  /** File for a memory dump when the guest crashes. */
  dumpOnCrash?: string;
  /** The run is over where its history ends: it repeats another one. */
  endsWithHistory?: boolean;
  /** How the guest is run, where not just let go: until it stops for good. */
  drive?: (target: Debugger) => Promise<unknown>;
  /** Commands that run it; the run is over with them: why they ended early, undefined when they did not. */
  script?: (target: Debugger) => Promise<HeadlessEnd | undefined>;
}

/** What the console's reader may take of when a run was cut short. */
export const LAST_BYTES_MS = 500;
/** Process status of a run that a limit ended, as of timeout(1). */
const LIMIT_STATUS = 124;

/** How a headless run ended: process status and one line for stderr. */
export interface HeadlessEnd {
  status: number;
  message?: string;
  lines?: string[];
}

/** @param what was reached: `40 VM exits` */
export const limitEnd = (what: string): HeadlessEnd => ({ status: LIMIT_STATUS, message: `stopped after ${what}` });

export const timeoutMessage = (seconds: number): string => `${seconds} s`;

/** Runs a guest without a dashboard until it ends or a stop condition holds. */
export async function runHeadless(target: Debugger, options: HeadlessOptions): Promise<HeadlessEnd> {
  let finish!: (end: HeadlessEnd) => void;
  const ended = new Promise<HeadlessEnd>((resolve) => {
    finish = resolve;
  });
  let cut!: (end: HeadlessEnd) => void;
  const wasCut = new Promise<HeadlessEnd>((resolve) => {
    cut = resolve;
  });
  /** Ends it from outside, also while the console's reader is waited for. */
  const cutShort = (end: HeadlessEnd): void => {
    finish(end);
    cut(end);
  };
  const serial = openSerial(options.serial, target, () => finish({ status: 3 }));
  let lingering: AbortController | undefined;
  /** How the guest ended, for the commands of a script to go on from. */
  let failed: HeadlessEnd | undefined;
  const progress = new ProgressLine(process.stderr.isTTY ? (text) => void process.stderr.write(text) : undefined);
  const crash = options.dumpOnCrash === undefined ? undefined : new CrashDump(target, options.dumpOnCrash, tell);
  const finishAt = (end: HeadlessEnd): void => {
    lingering = linger(end, options.gdbClientLeft?.(), finish);
  };
  const listener = (event: DebuggerEvent): void => {
    if (event.type === 'serial') serial.write(event.bytes);
    else if (event.type === 'message') tell(event.text);
    else if (event.type === 'printed' && !options.script) process.stderr.write(printableLines(event.text));
    else if (event.type === 'progress') progress.update(event);
    else if (event.type === 'stopped') {
      const over = options.endsWithHistory && event.stop.kind === 'history' && event.stop.at === 'end';
      const end = over ? { status: 0 } : describeStop(event.stop);
      // commands look at a guest that has failed, but none outlives a limit
      if (end && options.script && event.stop.kind !== 'limit') {
        failed = end;
        return;
      }
      const dumped = crash?.onStop(event);
      if (end && dumped) void dumped.then(() => finishAt(end));
      else if (end) finishAt(end);
    } else if (event.type === 'running') {
      lingering?.abort();
      failed = undefined;
    }
  };
  const unsubscribe = target.onEvent(listener);
  const timer =
    options.timeoutSeconds === undefined
      ? undefined
      : setTimeout(() => void stopForTime(target, options, cutShort), options.timeoutSeconds * 1000);
  const releaseInput = options.input ? feedInput(target, finish) : () => {};
  process.once('SIGINT', () => cutShort({ status: 130, message: 'interrupted' }));
  process.once('SIGTERM', () => cutShort({ status: 143, message: 'terminated' }));
  process.once('SIGHUP', () => cutShort({ status: 129 }));
  if (options.drive) options.drive(target).catch((error: Error) => finish({ status: 3, message: error.message }));
  else if (options.script) {
    options.script(target).then(
      (end) => finish(end ?? failed ?? { status: 0 }),
      (error: Error) => finish({ status: 3, message: error.message }),
    );
  } else if (!options.wait) await target.resume();
  let end = await ended;
  // a reader that is slow gets all, but one that has stopped reading keeps nobody from ending this
  const cutAtEnd = wasCut.then(async (by) => {
    await Promise.race([serial.drained(), elapsed(LAST_BYTES_MS)]);
    return by;
  });
  end = (await Promise.race([serial.drained(), cutAtEnd])) ?? end;
  const left = serial.left();
  if (left !== undefined) end = { ...end, lines: [...(end.lines ?? []), `vmscope: ${left}`] };
  clearTimeout(timer);
  crash?.close();
  releaseInput();
  unsubscribe();
  progress.close();
  serial.close();
  const failure = serial.failure();
  return failure ?? end;
}

/** How long the client of a guest that ended well may take to hear of it. */
const FAREWELL_MS = 1000;

/**
 * Ends the run, but not before a connected debugger has seen how: a guest that failed stays for it to look at until
 * it leaves. Aborted when the debugger lets the guest run anew.
 */
function linger(
  end: HeadlessEnd,
  left: Promise<void> | undefined,
  finish: (end: HeadlessEnd) => void,
): AbortController {
  const aborted = new AbortController();
  const done = (): void => {
    if (!aborted.signal.aborted) finish(end);
  };
  if (left === undefined) done();
  else {
    void left.then(done);
    if (end.status === 0) setTimeout(done, FAREWELL_MS).unref();
  }
  return aborted;
}

async function stopForTime(
  target: Debugger,
  options: HeadlessOptions,
  finish: (end: HeadlessEnd) => void,
): Promise<void> {
  // an engine that does not answer must not outlive its time
  await Promise.race([target.pause().catch(() => {}), elapsed(ANSWER_MS)]);
  finish(limitEnd(timeoutMessage(options.timeoutSeconds as number)));
}

/** What a stop means for a run without a debugger; undefined: it goes on (a debugger is at work). */
function describeStop(stop: StopReason): HeadlessEnd | undefined {
  switch (stop.kind) {
    case 'limit':
      return limitEnd(stop.message);
    case 'ended':
      return {
        status: stop.end.status,
        ...(stop.end.status === 0 || stop.end.message === '' ? {} : { message: stop.end.message }),
        lines: faultLines(stop.faults ?? []),
      };
    case 'entry-failed':
      return {
        status: 1,
        message: stop.message,
        lines: stop.failures.map(
          ({ id, sdm, fields }) =>
            `  ${id} (SDM ${sdm}): ${fields.map(({ name, value }) => `${name} = 0x${value.toString(16)}`).join(', ')}`,
        ),
      };
    default:
      return undefined;
  }
}

/** The way to a triple fault, one event a line. */
function faultLines(faults: FaultStep[]): string[] {
  if (faults.length === 0) return [];
  return [...faults.map(({ text }) => text), 'triple fault'].map((text, i) => `  ${i + 1}. ${text}`);
}

/** Standard input to the guest; a terminal is put into raw mode for it. */
function feedInput(target: Debugger, finish: (end: HeadlessEnd) => void): () => void {
  const { stdin } = process;
  if (stdin.isTTY && isInBackground()) {
    tell('standard input is not read: the terminal belongs to another job (timeout needs --foreground)');
    return () => {};
  }
  const raw = stdin.isTTY;
  const say = (text: string): void => void process.stderr.write(text);
  const serial = new StdioConsole(target, raw, say, () => finish({ status: 0 }));
  if (raw) {
    stdin.setRawMode(true);
    say('vmscope: ctrl-a x quits, ctrl-a c is the monitor, ctrl-a h lists the keys\r\n');
  }
  const listener = (bytes: Buffer): void => {
    const taken = serial.input(bytes);
    if (raw) return;
    // a pipe brings more than a guest reads: it waits in the pipe, not in memory
    stdin.pause();
    void taken.then(() => stdin.resume());
  };
  stdin.on('data', listener);
  return () => {
    stdin.off('data', listener);
    if (raw) stdin.setRawMode(false);
    stdin.pause();
  };
}
