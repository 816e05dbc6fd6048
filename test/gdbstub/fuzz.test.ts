import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { COMMANDS } from '../../src/gdbstub/commands/table.js';
import { startStub } from '../../src/gdbstub/server.js';
import { encodePacket } from '../../src/rsp/packet.js';
import { FakeTarget } from './fake-target.js';
import { WireClient } from './wire-client.js';

/** Repeatable random numbers (xorshift32). */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];
const PIECES = [
  ...[
    ',',
    ':',
    ';',
    '=',
    '-1',
    '0',
    '1',
    'p1.1',
    'p-1',
    'ffffffffffffffff',
    '10000000000000000',
    '1000',
    '8',
    'x',
    'X',
  ],
  ...[
    'zz',
    '*',
    '* ',
    '}',
    '}}',
    '260000164022051327',
    'X9,',
    ';X1,27',
    'thread:',
    ';thread:1;',
    'memory',
    'features:read:',
  ],
  ...['target.xml', 'osdata:read:exits:', '0,100', 'fffff,fffff', '', '\u0000', '\u00ff', '\u0003'],
];

/** A packet of a known command with arguments that are nearly right. */
function nearPacket(random: (below: number) => number): string {
  let text = COMMANDS[random(COMMANDS.length)].name;
  for (let count = random(6); count > 0; count--) text += PIECES[random(PIECES.length)];
  return text;
}

test.each(SEEDS)('nearly right packets are answered and never end the session (seed %d)', async (seed) => {
  const random = generator(seed);
  const client = new WireClient(new FakeTarget(2));
  for (let count = 0; count < 1500; count++) {
    const packet = nearPacket(random);
    client.session.feed(encodePacket(packet));
    if (random(10) === 0) client.bytes('\u0003');
    if (random(50) === 0) await client.pending();
  }
  client.bytes('\u0003');
  await client.pending();
  await client.target.pause();
  await client.pending();
  expect(await client.ask('qC')).toMatch(/^QC/);
  expect(client.target.breakpoints.size).toBeLessThan(2000);
  await client.session.close();
  expect(client.target.breakpoints.size).toBe(0);
});

test.each(SEEDS)('random bytes are survived (seed %d)', async (seed) => {
  const random = generator(seed * 7919);
  const client = new WireClient();
  const alphabet = Buffer.from('$#+-}*\u0003gmMXZzcskDvq0123456789abcdef,;:', 'latin1');
  for (let chunk = 0; chunk < 200; chunk++) {
    const bytes = Buffer.alloc(random(400));
    for (let at = 0; at < bytes.length; at++)
      bytes[at] = random(3) === 0 ? random(256) : alphabet[random(alphabet.length)];
    client.session.feed(bytes);
    await client.pending();
    client.raw = '';
  }
  // Whatever packet was left open is ended, and the session still answers.
  client.bytes('#00\u0003');
  await client.pending();
  await client.target.pause();
  await client.pending();
  expect(await client.ask('vMustReplyEmpty')).toBe('');
  await client.session.close();
});

test('garbage over TCP keeps memory bounded, and a real client can connect afterwards', async () => {
  const target = new FakeTarget();
  const stub = await startStub({ target, port: 0 });
  try {
    const before = process.memoryUsage().rss;
    const socket = connect(stub.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.resume();
    const chunk = Buffer.alloc(1 << 20, 0x61);
    chunk[0] = 0x24;
    for (let count = 0; count < 64; count++) {
      if (!socket.write(chunk)) await new Promise((resolve) => socket.once('drain', resolve));
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(200 << 20);
    socket.destroy();
    for (let turn = 0; turn < 500 && stub.client() !== undefined; turn++) await new Promise((r) => setTimeout(r, 10));
    const second = connect(stub.port, '127.0.0.1');
    const reply = new Promise<string>((resolve) => second.once('data', (data) => resolve(data.toString('latin1'))));
    second.write(encodePacket('qC'));
    expect(await reply).toMatch(/^\+(\$QC01#f5)?$/);
    second.destroy();
  } finally {
    await stub.close();
  }
});

test('a client that asks for megabytes and reads none does not grow the stub', async () => {
  const target = new FakeTarget();
  const stub = await startStub({ target, port: 0 });
  try {
    const socket = connect(stub.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.pause();
    await new Promise((resolve) => socket.once('connect', resolve));
    const before = process.memoryUsage();
    const request = Buffer.concat(Array.from({ length: 2000 }, () => encodePacket('m0,80000')));
    socket.write(request);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const after = process.memoryUsage();
    // 2000 replies would be 2 GiB.
    expect(after.rss - before.rss).toBeLessThan(300 << 20);
    socket.destroy();
  } finally {
    await stub.close();
  }
});
