/** Bytes of clients that answer at once, taken and given without a turn of the event loop. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PromptSocket } from '../../src/gdbstub/prompt-socket.js';
import { until } from './running-guest.js';
import { WireClient } from './wire-client.js';

let server: Server;
let client: Socket;
let socket: Socket;
let prompt: PromptSocket;
/** ms, a hundredth more at each look. */
let clock: number;
let heard: string;

beforeEach(async () => {
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  client = connect(port, '127.0.0.1').setNoDelay(true);
  [socket] = (await once(server, 'connection')) as [Socket];
  await once(client, 'ready');
  socket.setNoDelay(true);
  clock = 0;
  heard = '';
  const made = PromptSocket.of(socket, () => (clock += 0.01));
  if (!made) throw new Error('no calls of sockets on this host');
  prompt = made;
  socket.on('data', (bytes) => {
    heard += bytes.toString();
  });
});
afterEach(() => {
  client.destroy();
  socket.destroy();
  server.close();
});

/** Gives the client something, which answers by the event loop after so many ms. */
async function answersAfter(ms: number): Promise<void> {
  expect(prompt.give(Buffer.from('ask'))).toBe(3);
  clock += ms;
  const before = heard;
  client.write('a');
  await until('the answer', () => heard !== before);
}

describe.runIf(process.platform === 'linux')('the socket of a prompt client', () => {
  test('what it sends at once is taken without a turn of the event loop', async () => {
    await answersAfter(0.1);
    client.write('$g#67');
    expect(String(prompt.take())).toBe('$g#67');
    client.write('$s#73');
    expect(String(prompt.take())).toBe('$s#73');
    expect(prompt.take()).toBeUndefined();
    // it was not at once: the event loop has the next
    client.write('$c#63');
    expect(prompt.take()).toBeUndefined();
    await until('the event loop', () => heard.endsWith('$c#63'));
  });

  test('one that takes its time is not waited for', async () => {
    await answersAfter(1);
    client.write('$g#67');
    const before = clock;
    expect(prompt.take()).toBeUndefined();
    expect(clock).toBe(before);
    await until('the event loop', () => heard.endsWith('$g#67'));
  });

  test('one that has hung up is not waited for again, and the event loop tells of it', async () => {
    await answersAfter(0.1);
    const ended = once(socket, 'end');
    client.end();
    await once(client, 'finish');
    expect(prompt.take()).toBeUndefined();
    const before = clock;
    expect(prompt.take()).toBeUndefined();
    expect(clock).toBe(before);
    await ended;
    socket.destroy();
    expect(prompt.take()).toBeUndefined();
    expect(prompt.give(Buffer.from('x'))).toBe(0);
  });

  test('what it does not take now waits in the stream, and nothing overtakes it', async () => {
    client.pause();
    const bytes = Buffer.alloc(64 << 20, 'm');
    const given = prompt.give(bytes);
    expect(given).toBeGreaterThan(0);
    expect(given).toBeLessThan(bytes.length);
    socket.write(bytes.subarray(given));
    expect(prompt.give(Buffer.from('end'))).toBe(0);
    socket.write('end');
    let count = 0;
    let last = '';
    client.on('data', (piece) => {
      count += piece.length;
      last = (last + piece.subarray(-3).toString()).slice(-3);
    });
    client.resume();
    await until('all of it', () => count === bytes.length + 3);
    expect(last).toBe('end');
  });
});

describe('a conversation without turns of the event loop', () => {
  test('packets are answered in order, and none is asked for while the guest runs', async () => {
    const next: (string | undefined)[] = ['$qC#b4', '$?#3f$qC', '#b4$vCont;c#a8', '$qC#b4'];
    const wire = new WireClient();
    let asked = 0;
    wire.promptly = () => {
      expect(wire.target.running()).toBe(false);
      asked++;
      const bytes = next.shift();
      return bytes === undefined ? undefined : Buffer.from(bytes);
    };
    wire.send('QStartNoAckMode');
    expect(await wire.receive()).toBe('OK');
    expect(await wire.receive()).toBe('QC01');
    expect(await wire.receive()).toMatch(/^T05thread:01/);
    expect(await wire.receive()).toBe('QC01');
    await until('the guest is running', () => wire.target.running());
    expect(asked).toBe(3);
    wire.bytes('\x03');
    expect(await wire.receive()).toMatch(/^T02/);
    expect(await wire.receive()).toBe('QC01');
  });
  test('a client that asks for ever leaves the thread to others, and is served to its end', async () => {
    const wire = new WireClient();
    let asked = 0;
    wire.promptly = () => {
      asked++;
      return Buffer.from('$qC#b4');
    };
    wire.send('QStartNoAckMode');
    await new Promise((resolve) => setTimeout(resolve, 20));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(asked).toBeGreaterThan(1);
    expect(await wire.receive()).toBe('OK');
    await wire.session.close();
    const before = asked;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(asked - before).toBeLessThanOrEqual(1);
  });
});
