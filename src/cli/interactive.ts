import type { Debugger, DebuggerEvent } from '../engine/debugger.js';
import type { HeadlessEnd } from './headless.js';
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
  const unsubscribe = target.onEvent((event: DebuggerEvent) => {
    if (event.type === 'serial') serial.write(event.bytes);
  });
  const timer =
    options.timeoutSeconds === undefined
      ? undefined
      : setTimeout(() => void target.pause().catch(() => {}), options.timeoutSeconds * 1000);
  if (!options.wait) await target.resume();
  await runDashboard(target, { title: options.title, signal: left.signal, onQuit: () => {} });
  clearTimeout(timer);
  unsubscribe();
  serial.close();
  return lost ?? serial.failure() ?? (await endOf(target));
}

async function endOf(target: Debugger): Promise<HeadlessEnd> {
  const { stop } = (await target.state().catch(() => undefined)) ?? {};
  if (stop?.kind !== 'ended') return { status: 0 };
  const { status, message } = stop.end;
  return { status, ...(status === 0 ? {} : { message }) };
}
