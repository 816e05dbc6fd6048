import type { Debugger, DebuggerEvent } from '../engine/debugger.js';
import { elapsed } from './elapsed.js';
import { type HeadlessEnd, LAST_BYTES_MS, limitEnd, timeoutMessage } from './headless.js';
import { leaveTerminal } from './leave-terminal.js';
import type { SerialTarget } from './options.js';
import { openSerial } from './serial-sink.js';

export interface InteractiveOptions {
  title: string;
  /** Where COM1 goes besides the dashboard. */
  serial: SerialTarget;
  /** Start stopped. */
  wait: boolean;
  /** The guest is paused after this time. */
  timeoutSeconds?: number;
  /** By which `attach` finds it. */
  name: string | undefined;
  /** What the dashboard does first. */
  commands: readonly { text: string }[];
  /** Resolves when the engine is no more. */
  lost: Promise<HeadlessEnd>;
}

/** Runs a guest in the dashboard until the user leaves it. */
export async function runInteractive(target: Debugger, options: InteractiveOptions): Promise<HeadlessEnd> {
  const { runDashboard } = await import('../tui/app.js');
  const left = new AbortController();
  const serial = openSerial(options.serial, target, () => left.abort());
  let lost: HeadlessEnd | undefined;
  void options.lost.then((end) => {
    lost = end;
    left.abort();
  });
  /** Its time is over, and nobody has let it run on. */
  let late = false;
  const unsubscribe = target.onEvent((event: DebuggerEvent) => {
    if (event.type === 'serial') serial.write(event.bytes);
    else if (event.type === 'running') late = false;
  });
  const { timeoutSeconds, name } = options;
  let detached = false;
  const stopForTime = (): void => {
    late = true;
    void target.pause().catch(() => {});
    if (detached) left.abort();
  };
  const timer = timeoutSeconds === undefined ? undefined : setTimeout(stopForTime, timeoutSeconds * 1000);
  await runDashboard(target, {
    title: options.title,
    signal: left.signal,
    commands: options.commands.map(({ text }) => text),
    runs: !options.wait,
    onDetach:
      name === undefined
        ? 'the guest has no socket, so nobody could attach to it again'
        : () => {
            detached = true;
          },
    onQuit: () => {},
  });
  if (detached && lost === undefined) {
    process.stdout.write(
      `vmscope: ${name} goes on in the background; vmscope attach ${name} shows it, vmscope send ${name} quit ends it\n`,
    );
    const end = untilEnd(target, left.signal);
    leaveTerminal();
    await end;
  }
  clearTimeout(timer);
  unsubscribe();
  await Promise.race([serial.drained(), elapsed(LAST_BYTES_MS)]);
  serial.close();
  return lost ?? serial.failure() ?? endOf(target, late ? timeoutMessage(timeoutSeconds as number) : undefined);
}

/** Until the guest ends, its engine does, or somebody ends the process. */
function untilEnd(target: Debugger, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (gone.aborted) resolve();
    gone.addEventListener('abort', () => resolve());
    process.once('SIGTERM', () => resolve());
    target.onEvent((event) => {
      if (event.type === 'stopped' && ['ended', 'limit'].includes(event.stop.kind)) resolve();
    });
  });
}

/** @param late the limit that has paused the guest */
async function endOf(target: Debugger, late: string | undefined): Promise<HeadlessEnd> {
  const { stop } = (await target.state().catch(() => undefined)) ?? {};
  if (stop?.kind !== 'ended') {
    const limit = stop?.kind === 'limit' ? stop.message : late;
    return limit === undefined ? { status: 0 } : limitEnd(limit);
  }
  const { status, message } = stop.end;
  return { status, ...(status === 0 ? {} : { message }) };
}
