import type { Command } from 'commander';
import { type OpenSession, openSession } from '../commands/session.js';
import { Lines } from '../mcp/protocol.js';
import { McpServer } from '../mcp/server.js';
import { openGuest, runningGuests } from './open-guest.js';
import { VERSION } from './version.js';

interface McpOptions {
  allowControl?: boolean;
  connect?: string;
}

export function addMcpCommand(program: Command): void {
  program
    .command('mcp')
    .summary('running guests for assistants')
    .description(
      'Serve the Model Context Protocol on standard input and output: the commands of the dashboard as tools, for assistants that ' +
        'start this program. They only look, unless --allow-control lets them stop, run and change guests and write files.',
    )
    .argument('[guest]', 'the only guest that they see (default: any; each call names one)')
    .option('--allow-control', 'commands that stop, run or change a guest, or write files')
    .option('-c, --connect <uri>', 'the libvirt of libvirt:DOMAIN (default: qemu:///system)')
    .action(async (guest: string | undefined, options: McpOptions) => {
      await serve(guest, options);
    });
}

/** Until the client closes standard input. @throws UsageError when there is no such guest */
async function serve(guest: string | undefined, options: McpOptions): Promise<void> {
  const open = new Map<string, Promise<OpenSession>>();
  const closers: (() => Promise<void>)[] = [];
  const session = (name: string): Promise<OpenSession> => {
    let found = open.get(name);
    if (found) return found;
    found = openGuest(name, options).then(({ target, closed, close }) => {
      void closed.then(() => open.delete(name));
      closers.push(close);
      return openSession(target, { waits: false });
    });
    found.catch(() => open.delete(name));
    open.set(name, found);
    return found;
  };
  if (guest !== undefined) await session(guest);
  const server = new McpServer({
    version: VERSION,
    allowControl: options.allowControl === true,
    ...(guest === undefined ? {} : { guest }),
    open: session,
    guests: runningGuests,
  });
  const lines = new Lines(
    (method, params) => server.handle(method, params),
    (line) => void process.stdout.write(`${line}\n`),
  );
  process.stdin.setEncoding('utf8');
  for await (const piece of process.stdin) lines.push(piece as string);
  await lines.idle();
  for (const close of closers) await close().catch(() => {});
}
