/** A guest that does not read its serial port: what is sent to it waits with who sends it, not in memory. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { PROGRAM } from './vmscope.js';

const folder = mkdtempSync(join(tmpdir(), 'vmscope-flow-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const image = join(folder, 'loop.bin');
const sector = Buffer.alloc(512);
sector.set([0xeb, 0xfe]);
sector.set([0x55, 0xaa], 510);
writeFileSync(image, sector);

const PIECE = Buffer.alloc(65_536, 'x');
const MOST = 4 * 2 ** 20;

/** Writes as much as is taken until `done`; answers how much that was. */
async function pour(to: NodeJS.WritableStream, done: Promise<unknown>): Promise<number> {
  let over = false;
  void done.then(() => {
    over = true;
  });
  let bytes = 0;
  to.on('error', () => {});
  while (!over && bytes < 20 * MOST) {
    bytes += PIECE.length;
    if (!to.write(PIECE)) await Promise.race([once(to, 'drain').catch(() => {}), done]);
  }
  return bytes;
}

it('standard input is left in its pipe', { timeout: 60_000 }, async () => {
  const args = ['run', image, '--at', '0x7c00', '--headless', '--serial', 'stdio', '--timeout', '3'];
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['pipe', 'ignore', 'ignore'] });
  const ended = once(child, 'close');
  expect(await pour(child.stdin, ended)).toBeLessThan(MOST);
  expect((await ended)[0]).toBe(124);
});

it('a socket’s bytes are left in the socket', { timeout: 60_000 }, async () => {
  const path = join(folder, 'serial.sock');
  const server = createServer();
  server.listen(path);
  const connected = once(server, 'connection') as Promise<[Socket]>;
  const args = ['run', image, '--at', '0x7c00', '--headless', '--serial', `unix:${path}`, '--timeout', '3'];
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: 'ignore' });
  const ended = once(child, 'close');
  const [socket] = await connected;
  expect(await pour(socket, ended)).toBeLessThan(MOST);
  expect((await ended)[0]).toBe(124);
  socket.destroy();
  server.close();
});
