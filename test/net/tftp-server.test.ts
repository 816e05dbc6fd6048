import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TftpServer } from '../../src/engine/host/net/tftp-server.js';

const [READ, WRITE, DATA, ACK, ERROR, OACK] = [1, 2, 3, 4, 5, 6];

let folder: string;
let server: TftpServer;
/** Packets for each socket of the guest, that nobody has taken. */
let answers: { id: number; packet: Uint8Array }[];
let waiting: (() => void) | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tftp-'));
  mkdirSync(join(folder, 'served/sub'), { recursive: true });
  writeFileSync(join(folder, 'secret'), 'not for guests');
  answers = [];
  server = new TftpServer(join(folder, 'served'), (id, packet) => {
    answers.push({ id, packet });
    waiting?.();
  });
});

afterEach(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function next(): Promise<{ id: number; opcode: number; number: number; body: Buffer }> {
  while (answers.length === 0)
    await new Promise<void>((resolve) => {
      waiting = resolve;
    });
  const { id, packet } = answers.shift()!;
  return { id, opcode: packet[1], number: (packet[2] << 8) | packet[3], body: Buffer.from(packet.subarray(4)) };
}

const request = (opcode: number, ...strings: string[]): Uint8Array =>
  Buffer.concat([Uint8Array.of(0, opcode), ...strings.map((text) => Buffer.from(`${text}\0`))]);
const acknowledge = (block: number, id = 1): void =>
  server.receive(id, Uint8Array.of(0, ACK, block >> 8, block & 0xff));
const served = (name: string, bytes: Uint8Array | string): void => writeFileSync(join(folder, 'served', name), bytes);

/** All of a file, in lock-step as a client reads it. */
async function fetched(name: string, ...options: string[]): Promise<{ bytes: Buffer; blocks: number; oack: string }> {
  server.receive(1, request(READ, name, 'octet', ...options));
  const parts: Buffer[] = [];
  let answer = await next();
  let oack = '';
  let size = 512;
  if (answer.opcode === OACK) {
    // there is no block number in it
    oack = Buffer.concat([Uint8Array.of(answer.number >> 8, answer.number & 0xff), answer.body]).toString('latin1');
    const words = oack.split('\0');
    const at = words.indexOf('blksize');
    if (at >= 0) size = Number(words[at + 1]);
    acknowledge(0);
    answer = await next();
  }
  for (let block = 1; ; block++) {
    expect([answer.opcode, answer.number]).toEqual([DATA, block & 0xffff]);
    parts.push(answer.body);
    acknowledge(block & 0xffff);
    if (answer.body.length < size) return { bytes: Buffer.concat(parts), blocks: block, oack };
    answer = await next();
  }
}

const pattern = (bytes: number): Buffer =>
  Buffer.from(Uint8Array.from({ length: bytes }, (_, i) => (i * 7 + (i >> 9)) & 0xff));

describe('TFTP server', () => {
  it.each([0, 1, 511, 512, 513, 1024, 5000])('sends a file of %d bytes whole', async (bytes) => {
    served('file', pattern(bytes));
    const { bytes: got, blocks } = await fetched('file');
    expect(got.equals(pattern(bytes))).toBe(true);
    expect(blocks).toBe(Math.floor(bytes / 512) + 1);
  });

  it('agrees to a block size that fits a frame, and tells the size', async () => {
    served('file', pattern(5000));
    expect((await fetched('/file', 'tsize', '0', 'blksize', '1000')).oack).toBe('tsize\x005000\0blksize\x001000\0');
    const large = await fetched('file', 'BLKSIZE', '65464', 'timeout', '3');
    expect([large.oack, large.blocks]).toEqual(['blksize\x001468\0', 4]);
    expect(large.bytes.equals(pattern(5000))).toBe(true);
    expect((await fetched('file', 'blksize', '7', 'tsize', 'x', 'windowsize', '8')).oack).toBe('');
  });

  it.skipIf(process.env.VMSCOPE_LONG_TESTS !== '1')(
    'numbers blocks past 65535 anew',
    async () => {
      served('large', pattern(8 * 65_540));
      const { bytes, blocks } = await fetched('large', 'blksize', '8');
      expect(blocks).toBe(65_541);
      expect(bytes.equals(pattern(8 * 65_540))).toBe(true);
    },
    60_000,
  );

  it('sends again what is acknowledged again, and nothing for what is far off', async () => {
    served('file', pattern(2000));
    server.receive(1, request(READ, 'file', 'octet'));
    expect((await next()).number).toBe(1);
    acknowledge(1);
    expect((await next()).number).toBe(2);
    acknowledge(1);
    expect((await next()).number).toBe(2);
    acknowledge(77);
    acknowledge(2);
    expect((await next()).number).toBe(3);
    expect(answers).toEqual([]);
  });

  it.each(['../secret', '/../secret', 'sub/../../secret', '..', '..\\secret', 'link', 'links/secret'])(
    'refuses what is outside the folder: %s',
    async (name) => {
      symlinkSync(join(folder, 'secret'), join(folder, 'served/link'));
      symlinkSync(folder, join(folder, 'served/links'));
      server.receive(1, request(READ, name, 'octet'));
      const { opcode, number, body } = await next();
      expect([opcode, number, body.toString()]).toEqual([ERROR, 2, `${name} is not in the folder\0`]);
    },
  );

  it('follows a link to a file in the folder', async () => {
    served('file', 'here');
    symlinkSync('file', join(folder, 'served/alias'));
    expect((await fetched('alias')).bytes.toString()).toBe('here');
  });

  it.each(['absent', 'sub', '', 'fifo', `${'x'.repeat(400)}`])('there is no file %j to read', async (name) => {
    spawnSync('mkfifo', [join(folder, 'served/fifo')]);
    server.receive(1, request(READ, name, 'octet'));
    const { opcode, number } = await next();
    expect([opcode, number]).toEqual(name === '' ? [ERROR, 2] : [ERROR, 1]);
  });

  it('answers an error to what it does not do, and nothing to rubbish', async () => {
    served('file', 'here');
    server.receive(1, request(WRITE, 'file', 'octet'));
    expect(await next()).toMatchObject({ opcode: ERROR, number: 2 });
    server.receive(1, request(READ, 'file', 'netascii'));
    expect(await next()).toMatchObject({ opcode: ERROR, number: 4 });
    server.receive(1, Uint8Array.of(0, READ, 0x66, 0x69, 0x6c, 0x65));
    expect(await next()).toMatchObject({ opcode: ERROR, number: 4 });
    server.receive(1, Uint8Array.of(0x12, 0x34, 0, 0));
    expect(await next()).toMatchObject({ opcode: ERROR, number: 4 });
    for (const bytes of [[], [0], [0, ACK], [0, ACK, 0], [0, ACK, 0, 1], [0, ERROR, 0, 0]])
      server.receive(1, Uint8Array.from(bytes));
    expect((await fetched('file')).bytes.toString()).toBe('here');
    expect(answers).toEqual([]);
  });

  it('keeps a bounded number of transfers, of which the newest go on', async () => {
    served('file', pattern(2000));
    for (let id = 1; id <= 100; id++) {
      server.receive(id, request(READ, 'file', 'octet'));
      expect(await next()).toMatchObject({ id, opcode: DATA, number: 1 });
    }
    acknowledge(1, 1);
    acknowledge(1, 100);
    expect(await next()).toMatchObject({ id: 100, number: 2 });
    expect(answers).toEqual([]);
  });

  it('a file that becomes shorter meanwhile ends the transfer with an error', async () => {
    served('file', pattern(2000));
    server.receive(1, request(READ, 'file', 'octet'));
    await next();
    served('file', pattern(600));
    acknowledge(1);
    expect(await next()).toMatchObject({ opcode: ERROR, number: 0 });
  });
});
