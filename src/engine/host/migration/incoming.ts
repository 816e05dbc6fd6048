/** A guest that comes from another process. */
import type { Socket } from 'node:net';
import { StateError } from '../../state/schema.js';
import { checkIdentity, checkState, loadState, machineFormats } from '../../vmm/machine-state.js';
import { inflateTree } from '../state-tree.js';
import { drivesOf, type MovingGuest } from './moving-guest.js';
import { prepareFrames, takeFrames } from './pages.js';
import { type Hello, KIND, MigrationStream, oneLine, VERSION } from './stream.js';
import { listenOn, type MigrationUri } from './uri.js';

const HELLO_MS = 10_000;
/** The source sends all the time; one that says nothing for so long is lost. */
const SILENCE_MS = 60_000;
const MAX_HELLO_BYTES = 1 << 20;

/** The guest did not come. `refused`: it does not fit this machine; else its source failed on the way. */
export class IncomingError extends Error {
  constructor(
    message: string,
    readonly refused: boolean,
  ) {
    super(message);
  }
}

export interface Arrival {
  /** It ran at its source when it was stopped for the move. */
  readonly ran: boolean;
  /** Tells the source that it runs here. */
  started(): void;
}

/**
 * Waits for a guest and takes it over, disks and all; it stands afterwards. Who connects and is no vmscope at all is told
 * of and left.
 * @param listening told where, once it is known
 * @throws IncomingError in one line; the machine is of no use then
 */
export async function receiveGuest(
  guest: MovingGuest,
  uri: MigrationUri,
  listening: (at: MigrationUri) => void,
): Promise<Arrival> {
  const queue: Socket[] = [];
  let arrived = (): void => {};
  const { server, at } = await listenOn(uri, (socket) => {
    queue.push(socket);
    arrived();
  });
  listening(at);
  try {
    for (;;) {
      if (queue.length === 0) await new Promise<void>((resolve) => (arrived = resolve));
      const arrival = await takeFrom(guest, queue.shift()!);
      if (arrival) return arrival;
    }
  } finally {
    for (const socket of queue) socket.destroy();
    server.close();
    if (at.kind === 'unix') server.unref();
  }
}

async function takeFrom(guest: MovingGuest, socket: Socket): Promise<Arrival | undefined> {
  const stream = new MigrationStream(socket, 'the source');
  let version: number;
  try {
    version = await stream.receiveHead(HELLO_MS);
  } catch (error) {
    stream.close();
    guest.tell(`a connection is left: ${(error as Error).message}`);
    return undefined;
  }
  try {
    if (version !== VERSION)
      throw new StateError(`the source speaks version ${version} of the migration, this program version ${VERSION}`);
    return await take(guest, stream);
  } catch (error) {
    const { message } = error as Error;
    await stream.sendNo(message);
    stream.finish();
    throw new IncomingError(oneLine(message), error instanceof StateError);
  }
}

async function take(guest: MovingGuest, stream: MigrationStream): Promise<Arrival> {
  const { machine, runs } = guest;
  const { vm } = machine;
  checkHello(guest, (await expectKind(stream, KIND.hello)).body);
  await stream.send(KIND.yes);
  prepareFrames(vm);
  let tree: Buffer | undefined;
  for (;;) {
    const { kind, body } = await stream.receive(SILENCE_MS).catch((error: Error) => {
      throw new Error(`${error.message} before the guest was whole; it has not run here`);
    });
    if (kind === KIND.pages || kind === KIND.zeros) takeFrames(vm, kind, body);
    else if (kind === KIND.tree && tree === undefined) tree = body;
    else if (kind === KIND.end && tree !== undefined) {
      if (!body.equals(stream.receivedDigest()))
        throw new StateError('the stream is damaged: its digest does not match');
      break;
    } else throw new StateError(`the stream is damaged: a record of kind ${kind}`);
  }
  const state = inflateTree(tree);
  checkState(machine, state, runs);
  loadState(machine, state, runs);
  await stream.send(KIND.yes);
  const { body } = await expectKind(stream, KIND.go).catch((error: Error) => {
    throw new Error(`${error.message} before it gave the guest up; it has not run here`);
  });
  machine.passDrives(false);
  guest.arrived();
  return {
    ran: body[0] === 1,
    started: () => {
      void stream.send(KIND.started).then(
        () => stream.finish(),
        () => stream.close(),
      );
    },
  };
}

async function expectKind(stream: MigrationStream, kind: number): Promise<{ body: Buffer }> {
  const message = await stream.receive(SILENCE_MS);
  if (message.kind !== kind) throw new StateError(`the stream is damaged: a record of kind ${message.kind}`);
  return message;
}

/** @throws StateError naming what the two machines do not have in common */
function checkHello({ machine, runs }: MovingGuest, body: Buffer): void {
  let hello: Partial<Hello> | null;
  try {
    if (body.length > MAX_HELLO_BYTES) throw new Error('too long');
    hello = JSON.parse(body.toString()) as Partial<Hello> | null;
  } catch {
    throw new StateError('the stream is damaged: its greeting is none');
  }
  if (typeof hello !== 'object' || hello === null) throw new StateError('the stream is damaged: its greeting is none');
  checkIdentity(machine, hello.identity);
  const theirs = (hello.formats ?? {}) as Record<string, unknown>;
  const own = machineFormats(machine, runs);
  for (const name of new Set([...Object.keys(own), ...Object.keys(theirs)])) {
    const [here, there] = [own[name] ?? 'absent', String(theirs[name] ?? 'absent')];
    if (here !== there) throw new StateError(`${oneLine(name)} is ${oneLine(there)} at the source, ${here} here`);
  }
  const drives = JSON.stringify(drivesOf(machine));
  if (JSON.stringify(hello.drives) !== drives)
    throw new StateError(
      `the drives are ${oneLine(JSON.stringify(hello.drives) ?? 'none')} at the source, ${drives} here`,
    );
}
