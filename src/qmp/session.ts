/** One client of a guest's QMP socket: greeting, negotiation, commands in order, events. */
import type { Duplex } from 'node:stream';
import type { Debugger, DebuggerEvent } from '../engine/debugger.js';
import { type Arguments, CommandError, run, VERSION } from './commands.js';
import { JsonStream } from './json-stream.js';

/** Commands that wait while one is under way; a client that sends more is left. */
const MAX_WAITING = 1000;
/** Events are dropped while so much waits for a client that does not read. */
const MAX_UNREAD = 1 << 20;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Serves a client until it leaves. */
export function serveQmp(target: Debugger, stream: Duplex): void {
  const input = new JsonStream();
  let negotiated = false;
  let waiting = 0;
  let turn: Promise<void> = Promise.resolve();
  const send = (message: object): void => void (stream.writable && stream.write(`${JSON.stringify(message)}\r\n`));

  const answer = async (message: string): Promise<void> => {
    let command: unknown;
    try {
      command = JSON.parse(message);
    } catch {
      send({ error: { class: 'GenericError', desc: 'JSON parse error, invalid syntax' } });
      return;
    }
    const id = isObject(command) && 'id' in command ? { id: command.id } : {};
    try {
      send({ return: await execute(command), ...id });
    } catch (error) {
      const kind = error instanceof CommandError ? error.kind : 'GenericError';
      send({ error: { class: kind, desc: error instanceof Error ? error.message : String(error) }, ...id });
    }
  };

  const execute = async (command: unknown): Promise<unknown> => {
    if (!isObject(command)) throw new CommandError('QMP input must be a JSON object');
    const { execute: name, arguments: args = {} } = command;
    if (typeof name !== 'string') throw new CommandError("QMP input lacks member 'execute'");
    if (!isObject(args)) throw new CommandError("QMP input member 'arguments' must be an object");
    if (name === 'qmp_capabilities') {
      if (negotiated)
        throw new CommandError('Capabilities negotiation is already complete, command ignored', 'CommandNotFound');
      negotiated = true;
      return {};
    }
    if (!negotiated)
      throw new CommandError("Expecting capabilities negotiation with 'qmp_capabilities'", 'CommandNotFound');
    return (await run(target, name, args as Arguments)) ?? {};
  };

  const event = (name: string, data?: object): void => {
    if (!negotiated || stream.writableLength > MAX_UNREAD) return;
    const now = Date.now();
    const timestamp = { seconds: Math.floor(now / 1000), microseconds: (now % 1000) * 1000 };
    send({ timestamp, event: name, ...(data ? { data } : {}) });
  };
  const off = target.onEvent((told: DebuggerEvent) => {
    if (told.type === 'running') event('RESUME');
    else if (told.type === 'stopped' && told.stop.kind === 'ended')
      event('SHUTDOWN', { guest: true, reason: told.stop.end.kind === 'reset' ? 'guest-reset' : 'guest-shutdown' });
    else if (told.type === 'stopped' && told.stop.kind === 'start')
      event('RESET', { guest: false, reason: 'host-qmp-system-reset' });
    else if (told.type === 'stopped') event('STOP');
  });

  stream.on('error', () => {});
  stream.once('close', off);
  stream.on('data', (bytes: Buffer) => {
    try {
      input.push(bytes, (message) => {
        if (!message.trim()) return;
        if (++waiting > MAX_WAITING) throw new RangeError('too many commands at once');
        turn = turn.then(() => answer(message)).finally(() => waiting--);
      });
    } catch (error) {
      send({ error: { class: 'GenericError', desc: `QMP input: ${(error as Error).message}` } });
      stream.destroy();
    }
  });
  send({ QMP: { version: VERSION, capabilities: [] } });
}
