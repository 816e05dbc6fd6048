/** Starts a guest and stays with it to its end: in the dashboard, or headless. */

import type { ScriptLine } from '../commands/script.js';
import { serveStopCommands } from '../commands/stop-commands.js';
import { clockName } from '../engine/debug/monitor-clock.js';
import type { Debugger } from '../engine/debugger.js';
import { totalExits } from '../engine/exit-counts.js';
import { ANSWER_MS, elapsed } from './elapsed.js';
import { showGdbAddress } from './gdb-address.js';
import type { GuestWorkerData } from './guest-options.js';
import { type RunningGuest, startGuest } from './guest-process.js';
import { remove } from './guest-socket.js';
import { type HeadlessEnd, type HeadlessOptions, runHeadless } from './headless.js';
import { runInteractive } from './interactive.js';
import type { SerialTarget } from './options.js';
import { ProgressLine } from './progress-line.js';
import { printable, tell } from './tell.js';
import { type TypedStep, Typing } from './typed-text.js';
import { isOpenToAll, showVnc } from './vnc-options.js';

export interface LaunchOptions
  extends Pick<HeadlessOptions, 'timeoutSeconds' | 'drive' | 'script' | 'dumpOnCrash' | 'endsWithHistory'> {
  interactive: boolean;
  serial: SerialTarget;
  /** Start stopped. */
  wait: boolean;
  /** Standard input goes to the serial port. */
  input: boolean;
  /** Commands that the dashboard begins with. */
  commands?: readonly ScriptLine[];
  /** Takes the counts at the end. */
  statistics?(text: string): void;
  /** What is typed on its keyboard. */
  typed?: readonly TypedStep[];
  /** File for the screen as it is at the end. */
  screendumpAtEnd?: string;
  /** Asked when the guest's run is over, while it is still there: another end. */
  atEnd?(target: Debugger, end: HeadlessEnd): Promise<HeadlessEnd>;
}

/** Answers the process status. @throws StartError */
export async function launch(data: GuestWorkerData, options: LaunchOptions): Promise<number> {
  const { interactive, serial, wait, input, timeoutSeconds, drive, script, dumpOnCrash, endsWithHistory } = options;
  const started = performance.now();
  const progress = new ProgressLine(process.stderr.isTTY ? (text) => void process.stderr.write(text) : undefined);
  const loading = { type: 'progress', task: `loading ${data.image}` } as const;
  progress.update(loading);
  const starting = startGuest(data);
  // while the engine's thread loads its part, this one does
  if (interactive) void import('../tui/app.js').then(({ preload }) => preload()).catch(() => {});
  const guest = await starting.finally(() => progress.update({ ...loading, done: true }));
  serveStopCommands(guest.target);
  if (guest.gdb !== undefined) tell(`GDB stub on ${showGdbAddress(guest.gdb)}`);
  const { gdb: address } = guest;
  if (address?.kind === 'unix') process.once('exit', () => remove(address.path));
  const { vnc } = data;
  if (vnc) {
    const { at } = vnc;
    if (!interactive) tell(`VNC server on ${showVnc(vnc)}`);
    if (isOpenToAll(vnc))
      tell(`--vnc ${showVnc(vnc)}: whoever reaches this host sees and types there; ,password=on asks for a password`);
    if (at.kind === 'unix') process.once('exit', () => remove(at.path));
  }
  const typing = options.typed && new Typing(guest.target, options.typed);
  const common = {
    serial,
    // one that stood at its source stands here
    wait: wait || guest.stands,
    ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
  };
  const lost = guest.closed.then((message): HeadlessEnd => ({ status: 3, message }));
  let end = await (interactive
    ? runInteractive(guest.target, {
        ...{ title: data.name, ...common, lost, commands: options.commands ?? [], name: guest.published },
      })
    : Promise.race([
        runHeadless(guest.target, {
          ...common,
          input,
          ...(drive === undefined ? {} : { drive }),
          ...(script === undefined ? {} : { script }),
          gdbClientLeft: guest.gdbClientLeft,
          ...(dumpOnCrash === undefined ? {} : { dumpOnCrash }),
          ...(endsWithHistory === undefined ? {} : { endsWithHistory }),
        }),
        guest.pipeClosed.then((): HeadlessEnd => ({ status: 0 })),
        lost,
      ]));
  const untyped = typing?.close();
  if (options.atEnd) end = await Promise.race([options.atEnd(guest.target, end), lost]);
  if (untyped !== undefined) tell(untyped);
  if (end.message) tell(`${data.name}: ${end.message}`);
  for (const line of end.lines ?? []) process.stderr.write(`${printable(line)}\n`);
  if (options.screendumpAtEnd !== undefined) await dumpScreen(guest, options.screendumpAtEnd);
  const { statistics } = options;
  if (statistics) {
    const printed = printStats(guest, (performance.now() - started) / 1000, statistics).catch(() => 'late');
    if ((await Promise.race([printed, elapsed(ANSWER_MS)])) === 'late')
      tell('no statistics: the engine does not answer');
  }
  await guest.terminate();
  return end.status;
}

/** The screen as it is at the end; what goes wrong is told, and the run's status stays. */
async function dumpScreen({ target }: RunningGuest, file: string): Promise<void> {
  const written = target.console?.screendump?.(file).then(
    () => undefined,
    (error: Error) => error.message,
  );
  const cause = await Promise.race([written, elapsed(ANSWER_MS).then(() => 'the engine does not answer')]);
  if (cause !== undefined) tell(`no picture: ${cause}`);
}

async function printStats({ target }: RunningGuest, wallSeconds: number, write: (text: string) => void): Promise<void> {
  const totals = await target.totals?.();
  const { icount, clock } = totals ?? (await target.state());
  const { clock: by } = await target.info();
  const exits = totals?.exits ?? {};
  const compiler = await target.compiler?.counters();
  const stats = {
    icount: Number(icount),
    clockNs: Number(clock),
    ...(totals === undefined ? {} : { resets: totals.resets }),
    ...(by === undefined ? {} : { clock: clockName(by) }),
    ...(totals?.pace === undefined ? {} : { pace: Number(totals.pace.toPrecision(4)) }),
    wallSeconds: Math.round(wallSeconds * 1000) / 1000,
    exitsTotal: totalExits(exits),
    exits,
    ...(compiler ? { compiler } : {}),
  };
  write(`${JSON.stringify(stats)}\n`);
}
