import type { Command } from 'commander';
import { serveStopCommands } from '../commands/stop-commands.js';
import type { Debugger } from '../engine/debugger.js';
import { fileCause } from '../engine/host/file-cause.js';
import { startStub } from '../gdbstub/server.js';
import type { OpenedView } from '../tui/top/screen.js';
import { freeAtDeath, freeGuests, isForeign, offerToFree, openForeignGuest } from './foreign-guest.js';
import { type GdbAddress, parseGdbAddress, showGdbAddress, targetOf } from './gdb-address.js';
import { createGdbTarget } from './gdb-target.js';
import { connectGuest } from './guest-socket.js';
import { otherGuests } from './open-guest.js';
import { UsageError } from './options.js';
import { tell } from './tell.js';
import { BACKGROUND, hasTerminal, isInBackground } from './terminal.js';
import { noConfigOption, picturesOption, themeOption } from './theme-option.js';

interface AttachOptions {
  connect?: string;
  symbols?: string;
  gdb?: string;
  free?: boolean;
  /** Where the dashboard begins. */
  view?: OpenedView;
}

export function addAttachCommand(program: Command): void {
  program
    .command('attach')
    .summary('the dashboard of a running guest')
    .description(
      "The dashboard of a running guest of vmscope's, libvirt's or QEMU's, or behind any GDB stub. A QEMU guest is observed without being stopped, until the first pause, breakpoint or step; leaving gives it back as it was found. A GDB stub alone shows only a guest that stands: gdb: stops it, and leaving lets it run.",
    )
    .argument('[guest]', "a vmscope guest's name, libvirt:DOMAIN, qmp:PATH, pid:PID or gdb:HOST:PORT")
    .addOption(themeOption())
    .addOption(picturesOption())
    .addOption(noConfigOption())
    .option('-c, --connect <uri>', 'the libvirt of libvirt:DOMAIN (default: qemu:///system)')
    .option('--symbols <file>', 'symbols, types and lines of the guest: ELF (vmlinux), or System.map')
    .option('--gdb <[host:]port>', 'a GDB stub in front of a QEMU guest, with kernel symbols')
    .option('--free', 'only free guests that a vmscope which died left stopped')
    .action(async (name: string | undefined, options: AttachOptions) => {
      if (options.free) {
        // Started by a vmscope that is about to end: its death makes the guest an abandoned one.
        await new Promise((resolve) => setTimeout(resolve, 300));
        await freeGuests();
        return;
      }
      if (name === undefined) throw new UsageError('attach: which guest? vmscope top shows them');
      if (!hasTerminal() && options.gdb === undefined) throw new UsageError('attach: needs a terminal');
      if (options.gdb === undefined && isInBackground()) throw new UsageError(`attach: ${BACKGROUND}`);
      const reason = await attachGuest(name, options);
      if (reason) tell(reason);
    });
}

/**
 * Shows a running guest's dashboard until it is left.
 * @returns why it ended by itself, if it did
 * @throws UsageError when there is no such guest
 */
export async function attachGuest(name: string, options: AttachOptions = {}): Promise<string | undefined> {
  await offerToFree();
  if (isForeign(name)) return await attachForeign(name, options);
  const connection = await connectGuest(name).catch(async (error: Error) => {
    throw new UsageError(`${error.message}; ${await otherGuests(name)}`);
  });
  const { runDashboard } = await import('../tui/app.js');
  const gone = new AbortController();
  let reason: string | undefined;
  void connection.closed.then((text) => {
    reason = text;
    gone.abort();
  });
  await runDashboard(connection.target, {
    ...{ title: name, detach: true, signal: gone.signal, onQuit: () => undefined, initialView: options.view },
  });
  const why = reason;
  connection.close();
  return why;
}

/** As attachGuest() for a guest of another program. */
async function attachForeign(name: string, options: AttachOptions): Promise<string | undefined> {
  const stub = options.gdb === undefined ? undefined : parseGdbAddress('--gdb', options.gdb);
  const guest = await openForeignGuest(name, options);
  serveStopCommands(guest.target);
  const keep = freeAtDeath();
  const ended = new AbortController();
  let reason: string | undefined;
  guest.target.onEvent((event) => {
    if (event.type !== 'stopped' || event.stop.kind !== 'ended') return;
    reason = `${guest.name}: ${event.stop.end.message}`;
    ended.abort();
  });
  try {
    if (stub) tell(`GDB stub: target remote ${targetOf(await serveGdb(guest.target, stub))}`);
    if (hasTerminal()) {
      const { runDashboard } = await import('../tui/app.js');
      const onQuit = (): void => undefined;
      await runDashboard(guest.target, {
        ...{ title: guest.name, detach: true, signal: ended.signal, onQuit, initialView: options.view },
      });
    } else await untilSignal(ended.signal);
  } finally {
    await guest.detach();
    keep();
  }
  return reason;
}

/** @returns where it listens. @throws UsageError when the address cannot be had */
async function serveGdb(target: Debugger, address: GdbAddress): Promise<GdbAddress> {
  if (address.kind === 'stdio') throw new UsageError('--gdb stdio: only vmscope run serves its own streams');
  const where = address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port };
  try {
    const stub = await startStub({ target: await createGdbTarget(target), ...where });
    return address.kind === 'unix' ? address : { ...address, port: stub.port };
  } catch (error) {
    throw new UsageError(`--gdb ${showGdbAddress(address)}: ${fileCause(error)}`);
  }
}

/** Until the guest ends or this program is told to. */
function untilSignal(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => resolve();
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, done);
    signal.addEventListener('abort', done);
  });
}
