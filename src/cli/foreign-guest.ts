/** Guests of other programs that `attach` opens: observed, controlled when asked, given back at the end. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { CodeFile } from '../engine/debug/types/code-file.js';
import type { Debugger } from '../engine/debugger.js';
import { GdbTarget } from '../targets/gdb/target.js';
import { abandonedGuests, freeAbandoned } from '../targets/qemu/control.js';
import { isQemuTarget, openMonitor } from '../targets/qemu/open.js';
import type { Monitor } from '../targets/qemu/qmp.js';
import { QemuTarget } from '../targets/qemu/target.js';
import { symbolFile } from './code-file.js';
import { readGdbAddress, showGdbAddress } from './gdb-address.js';
import { ownFolder } from './guest-socket.js';
import { UsageError } from './options.js';
import { printable, tell } from './tell.js';
import { hasTerminal, isInBackground } from './terminal.js';

export interface ForeignGuest {
  target: Debugger;
  name: string;
  /** Gives it back as it was found. */
  detach(): Promise<void>;
}

/** Where notes of controlled guests lie, until they are given back. */
const controlFolder = (): string => join(ownFolder(), 'control');

/** Whether a target is named that is not vmscope's own. */
export const isForeign = (target: string): boolean => isQemuTarget(target) || target.startsWith('gdb:');

/** `gdb:HOST:PORT` and the other forms of `--gdb`. @returns HOST:PORT or a path. @throws Error when it is none */
function stubPlace(target: string): string {
  const text = target.slice('gdb:'.length);
  if (text.startsWith('/')) return text;
  const address = readGdbAddress(text);
  if (address?.kind === 'unix') return address.path;
  if (address?.kind !== 'tcp' || address.port === 0) throw new Error('not gdb:[HOST:]PORT, gdb:unix:PATH');
  return showGdbAddress(address);
}

async function openTarget(
  target: string,
  options: { connect?: string },
  file: CodeFile | undefined,
): Promise<QemuTarget | GdbTarget> {
  const folder = controlFolder();
  if (target.startsWith('gdb:')) {
    const where = stubPlace(target);
    return await GdbTarget.open({ target: `gdb:${where}`, where, folder, file });
  }
  return await QemuTarget.open({ ...(await openMonitor(target, options.connect)), folder, file });
}

/** @throws UsageError in one line when it cannot be opened */
export async function openForeignGuest(
  target: string,
  options: { connect?: string; symbols?: string },
): Promise<ForeignGuest> {
  const file = options.symbols === undefined ? undefined : readSymbols(options.symbols);
  const lack = file?.lack?.();
  if (lack !== undefined) tell(printable(lack));
  try {
    const guest = await openTarget(target, options, file);
    return { target: guest, name: (await guest.info()).name, detach: () => guest.detach() };
  } catch (error) {
    throw new UsageError(`attach ${target}: ${(error as Error).message.replace(`${target}: `, '')}`);
  }
}

function readSymbols(path: string): CodeFile {
  try {
    return symbolFile(path, readFileSync(path));
  } catch (error) {
    throw new UsageError(`--symbols ${path}: ${(error as Error).message}`);
  }
}

const openNoted = async (target: string): Promise<Monitor> => (await openMonitor(target)).monitor;

/** The folder of notes; undefined where vmscope has none of its own, and so has controlled nothing. */
function notes(): string | undefined {
  try {
    return controlFolder();
  } catch {
    return undefined;
  }
}

/** Frees guests that a vmscope which died left under its control, and tells of each. */
export async function freeGuests(): Promise<void> {
  const folder = notes();
  if (folder === undefined) return;
  for (const line of await freeAbandoned(folder, openNoted)) tell(line);
}

/**
 * Asks of each guest that a vmscope which died left under its control whether to free it; where nobody can be asked,
 * says how.
 */
export async function offerToFree(): Promise<void> {
  const folder = notes();
  if (folder === undefined) return;
  for (const { target, owner } of abandonedGuests(folder)) {
    const left = `${target}: left stopped by vmscope ${owner}, which died`;
    if (!hasTerminal() || isInBackground()) tell(`${left}; vmscope attach --free lets it go`);
    else if (await yes(`${printable(left)}. Free it? [Y/n] `))
      for (const line of await freeAbandoned(folder, openNoted, target)) tell(line);
  }
}

/** A question on the terminal that Enter answers with yes. */
async function yes(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await new Promise<string>((resolve) => {
      lines.question(question, resolve);
      // Ctrl-c and Ctrl-d: nothing is done to the guest.
      lines.once('SIGINT', () => resolve('n'));
      lines.once('close', () => resolve('n'));
    });
    return /^\s*(y|yes)?\s*$/i.test(answer);
  } finally {
    lines.close();
  }
}

/**
 * Signals end the dashboard at once, before a guest could be given back: a process of its own does that when this one
 * is gone. @returns takes it back
 */
export function freeAtDeath(): () => void {
  const onExit = (): void => {
    const script = process.argv[1];
    if (!script) return;
    spawn(process.execPath, [...process.execArgv, script, 'attach', '--free'], {
      detached: true,
      stdio: 'ignore',
    }).unref();
  };
  process.on('exit', onExit);
  return () => process.removeListener('exit', onExit);
}
