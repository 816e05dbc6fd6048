import { connect } from 'node:net';
import type { Command } from 'commander';
import { GDB_PORT, parseGdbAddress, readGdbAddress, showGdbAddress } from './gdb-address.js';
import { connectGuest, guestNames } from './guest-socket.js';
import { UsageError } from './options.js';
import { tell } from './tell.js';

export function addGdbCommand(program: Command): void {
  program
    .command('gdb')
    .summary('a GDB stub for a guest that runs already')
    .description(
      'Opens a GDB stub at a running vmscope guest. With stdio it is the other end of standard input and output: ' +
        "gdb -ex 'target remote | vmscope gdb NAME stdio'.",
    )
    .argument('<name>', 'its name, as `vmscope top` shows it')
    .argument('[address]', '[HOST:]PORT, unix:PATH, stdio, or none to close', String(GDB_PORT))
    .action(async (name: string, address: string) => {
      await openStub(name, address);
    });
}

/** @throws UsageError when there is no such guest or the address cannot be had */
async function openStub(name: string, text: string): Promise<void> {
  const address = text === 'none' ? undefined : parseGdbAddress('gdb', text);
  const connection = await connectGuest(name).catch((error: Error) => {
    const names = guestNames().filter((other) => other !== name);
    throw new UsageError(`${error.message}; running: ${names.join(', ') || 'none'}`);
  });
  const wanted = address === undefined ? 'none' : address.kind === 'stdio' ? '127.0.0.1:0' : showGdbAddress(address);
  const before = await stubsOf(connection.target);
  const answer = await connection.target.monitor(`gdbserver ${wanted}`);
  if (answer === undefined) throw new UsageError(`${name}: this guest opens no GDB stub`);
  if (/^gdbserver /.test(answer)) throw new UsageError(answer.replace(/^gdbserver/, 'gdb'));
  if (address?.kind !== 'stdio') for (const line of answer.split('\n')) tell(`${name}: ${line}`);
  else await relay((await stubsOf(connection.target)).find((stub) => !before.includes(stub)) ?? '');
  connection.close();
}

async function stubsOf(target: { monitor(line: string): Promise<string | undefined> }): Promise<string[]> {
  const lines = (await target.monitor('gdbserver'))?.split('\n') ?? [];
  return lines.flatMap((line) => /^GDB stub on (\S+?);?(?: |$)/.exec(line)?.[1] ?? []);
}

/** Joins standard input and output with a stub until either end closes. @throws UsageError */
async function relay(stub: string): Promise<void> {
  const address = readGdbAddress(stub);
  if (address?.kind !== 'tcp') throw new UsageError('gdb stdio: the guest opened no stub');
  const socket = connect(address.port, address.host);
  await new Promise<void>((resolve, reject) => {
    socket.once('error', (error) => reject(new UsageError(`gdb stdio: ${error.message}`)));
    socket.once('close', () => resolve());
    process.stdin.pipe(socket);
    socket.pipe(process.stdout);
  });
}
