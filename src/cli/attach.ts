import type { Command } from 'commander';
import { connectGuest, guestNames } from './guest-socket.js';
import { UsageError } from './options.js';
import { tell } from './tell.js';
import { hasTerminal } from './terminal.js';

export function addAttachCommand(program: Command): void {
  program
    .command('attach')
    .summary('the dashboard of a running vmscope guest')
    .description('The dashboard of a running vmscope guest; leaving it does not end the guest.')
    .argument('<name>', 'its name, as `vmscope top` shows it')
    .action(async (name: string) => {
      if (!hasTerminal()) throw new UsageError('attach: needs a terminal');
      const reason = await attachGuest(name);
      if (reason) tell(reason);
    });
}

/**
 * Shows a running guest's dashboard until it is left.
 * @returns why it ended by itself, if it did
 * @throws UsageError when there is no such guest
 */
export async function attachGuest(name: string): Promise<string | undefined> {
  const connection = await connectGuest(name).catch((error: Error) => {
    const names = runningGuests().filter((other) => other !== name);
    throw new UsageError(`${error.message}; running: ${names.join(', ') || 'none'}`);
  });
  const { runDashboard } = await import('../tui/app.js');
  const gone = new AbortController();
  let reason: string | undefined;
  void connection.closed.then((text) => {
    reason = text;
    gone.abort();
  });
  await runDashboard(connection.target, { title: name, detach: true, signal: gone.signal, onQuit: () => undefined });
  const why = reason;
  connection.close();
  return why;
}

function runningGuests(): string[] {
  try {
    return guestNames();
  } catch {
    // the connection has failed for the same reason, which is told
    return [];
  }
}
