/** A guest that runs moves from one process to another, or stays where it is: nothing of what it prints is lost. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { connectGuest, type GuestConnection } from '../../src/cli/guest-socket.js';
import { HEAD_BYTES, KIND, MAGIC, VERSION } from '../../src/engine/host/migration/stream.js';
import { PROGRAM } from './vmscope.js';

const folder = mkdtempSync(join(tmpdir(), 'vmscope-migration-'));
const processes = new Set<End>();
afterAll(() => {
  for (const { child } of processes) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** Prints 0 to 9 over and over: mov dx, 3f8h; mov al, '0'; out; inc; a delay; cmp al, ':'; jne out; jmp mov al. */
const image = join(folder, 'digits.bin');
writeFileSync(image, Buffer.from('baf803 b030 ee fec0 b90010 e2fe 3c3a 75f4 ebf0'.replaceAll(' ', ''), 'hex'));
const RUN = ['run', image, '--at', '0x7c00', '--headless', '--engine', 'vtx'];
const SLOW = 120_000;
let made = 0;

/** A process with a guest, or one that waits for it. */
interface End {
  child: ChildProcess;
  name: string;
  out: string;
  err: string;
  /** Resolves with the exit status. */
  ended: Promise<number | null>;
}

function start(...options: string[]): End {
  const name = `moving-${process.pid}-${made++}`;
  const child = spawn(process.execPath, [PROGRAM, ...RUN, '--name', name, ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const end: End = { child, name, out: '', err: '', ended: once(child, 'exit').then(([status]) => status) };
  child.stdout!.on('data', (bytes) => (end.out += bytes));
  child.stderr!.on('data', (bytes) => (end.err += bytes));
  processes.add(end);
  return end;
}

async function until(what: () => boolean): Promise<void> {
  for (const start = Date.now(); !what(); ) {
    if (Date.now() - start > SLOW) throw new Error(`${what} did not come true`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const prints = async (end: End, more = 100): Promise<void> => {
  const before = end.out.length;
  await until(() => end.out.length > before + more);
};

/** Where a process waits for a guest. */
async function waits(end: End): Promise<string> {
  await until(() => /waiting for a guest on \S+\n/.test(end.err));
  return /waiting for a guest on (\S+)\n/.exec(end.err)![1];
}

async function monitor(end: End, line: string): Promise<string | undefined> {
  const guest = await connectGuestLater(end.name);
  try {
    return await guest.target.monitor(line);
  } finally {
    guest.close();
  }
}

const digits = (length: number): string => '0123456789'.repeat(Math.ceil(length / 10)).slice(0, length);

/** Forwards to a URI what comes; `filter` answers what goes on, or undefined to break the connection. */
async function between(to: string, filter: (bytes: Buffer, at: number) => Buffer | undefined): Promise<string> {
  const path = join(folder, `proxy-${made++}`);
  const server = createServer((socket) => {
    const place = to.startsWith('unix:')
      ? { path: to.slice(5) }
      : { host: '127.0.0.1', port: Number(to.split(':')[2]) };
    const out: Socket = connect(place);
    let at = 0;
    out.on('data', (bytes) => socket.write(bytes));
    for (const [one, other] of [
      [socket, out],
      [out, socket],
    ]) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
    socket.on('data', (bytes) => {
      const on = filter(bytes, at);
      at += bytes.length;
      if (on === undefined) {
        out.destroy();
        socket.destroy();
      } else out.write(on);
    });
  });
  server.listen(path);
  await once(server, 'listening');
  server.unref();
  return `unix:${path}`;
}

test.each(['unix', 'tcp'])(
  'a guest goes on in another process where it was, by %s',
  async (kind) => {
    const source = start();
    await prints(source);
    const target = start('--incoming', kind === 'unix' ? `unix:${folder}/in` : 'tcp:127.0.0.1:0');
    const uri = await waits(target);
    expect(await monitor(source, `migrate ${uri}`)).toBe('');
    expect(await source.ended).toBe(0);
    expect(source.err).toMatch(/^vmscope: the guest goes on at \S+: downtime \d+ ms, \d+ ms in all\n$/);
    await prints(target, 1000);
    target.child.kill('SIGKILL');
    await target.ended;
    const whole = source.out + target.out;
    expect(whole).toBe(digits(whole.length));
    if (kind === 'unix') expect(existsSync(join(folder, 'in'))).toBe(false);
  },
  SLOW,
);

test(
  'a guest that stands moves and stands, and QMP and the monitor tell how it went',
  async () => {
    const source = start('--wait');
    const target = start('--incoming', `unix:${folder}/stands`);
    const uri = await waits(target);
    expect(await monitor(source, 'info migrate')).toBe('');
    expect(await monitor(source, 'migrate -d')).toBe('migrate -d: usage: migrate [-d] URI');
    expect(await monitor(source, 'migrate -x unix:a')).toBe('migrate -x unix:a: usage: migrate [-d] URI');
    expect(await monitor(source, 'migrate exec:cat')).toMatch(/^migrate exec:cat: use tcp:HOST:PORT, or unix:PATH /);
    expect(await monitor(source, `migrate unix:${folder}/nobody`)).toBe(`migrate unix:${folder}/nobody: no such file`);
    expect(await monitor(source, 'info migrate')).toMatch(
      /^Migration status: failed \(no such file\)\ntotal time: \d+ ms\nsetup: /,
    );
    await monitor(source, `migrate -d ${uri}`);
    expect(await source.ended).toBe(0);
    const guest = await connectGuestLater(target.name);
    expect(await guest.target.state()).toMatchObject({ running: false, icount: 0n });
    guest.close();
    expect(target.out).toBe('');
    target.child.kill('SIGKILL');
  },
  SLOW,
);

async function connectGuestLater(name: string): Promise<GuestConnection> {
  for (;;) {
    try {
      return await connectGuest(name);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

test(
  'a receiver that dies leaves the guest running at its source',
  async () => {
    const source = start();
    for (const bytes of [10, 100, 200_000]) {
      const target = start('--incoming', `unix:${folder}/dies-${bytes}`);
      let sent = 0;
      const uri = await between(await waits(target), (piece) => {
        sent += piece.length;
        if (sent < bytes) return piece;
        target.child.kill('SIGKILL');
        return Buffer.alloc(0);
      });
      const answer = await monitor(source, `migrate ${uri}`);
      expect(answer).toBe(`migrate ${uri}: the receiver has gone`);
      await prints(source);
    }
    expect(await monitor(source, 'info migrate')).toMatch(/^Migration status: failed \(the receiver has gone\)\n/);
    source.child.kill('SIGKILL');
    await source.ended;
    expect(source.out).toBe(digits(source.out.length));
  },
  SLOW,
);

test(
  'a receiver that dies when the guest is already its own gives it back, disks and all',
  async () => {
    const disk = join(folder, 'last-moment.img');
    writeFileSync(disk, Buffer.alloc(1 << 20));
    const drive = ['--disk', `${disk},format=raw`];
    const source = start(...drive);
    await prints(source);
    const target = start(...drive, '--incoming', `unix:${folder}/last-moment`);
    const uri = await between(await waits(target), (piece) => {
      // GO: the head of a record and one byte, which may come apart
      if (piece.length < 9 || piece.length > 10 || piece[0] !== KIND.go || piece.readUInt32BE(1) !== 1) return piece;
      target.child.kill('SIGKILL');
      return Buffer.alloc(0);
    });
    expect(await monitor(source, `migrate ${uri}`)).toBe(`migrate ${uri}: the receiver has gone`);
    await prints(source);
    // the disk is locked by the source again
    const third = start(...drive);
    expect(await third.ended).toBe(2);
    expect(third.err).toMatch(/is in use by another program/);
    source.child.kill('SIGKILL');
    await source.ended;
    expect(source.out).toBe(digits(source.out.length));
  },
  SLOW,
);

test(
  'a source that dies ends the receiver with status 1 and one line',
  async () => {
    const source = start();
    await prints(source);
    const target = start('--incoming', `unix:${folder}/source-dies`);
    let sent = 0;
    const uri = await between(await waits(target), (piece) => {
      sent += piece.length;
      if (sent > 100_000) source.child.kill('SIGKILL');
      return piece.subarray(0, Math.max(0, 100_000 - sent + piece.length));
    });
    await monitor(source, `migrate -d ${uri}`).catch(() => {});
    expect(await target.ended).toBe(1);
    const [, line, ...more] = target.err.split('\n');
    expect([line, more]).toEqual([
      'vmscope: --incoming: the source has gone before the guest was whole; it has not run here',
      [''],
    ]);
    expect(target.out).toBe('');
  },
  SLOW,
);

test(
  'another version, another machine and what is no guest are refused in one line at both ends',
  async () => {
    const target = start('--incoming', `unix:${folder}/version`);
    await waits(target);
    const stranger = connect(`${folder}/version`);
    stranger.end('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await until(() => target.err.includes('a connection is left: what came is not a guest of vmscope\n'));
    const head = Buffer.alloc(HEAD_BYTES);
    MAGIC.copy(head);
    head.writeUInt16BE(VERSION + 1, MAGIC.length);
    const newer = connect(`${folder}/version`);
    const answer: Buffer[] = [];
    newer.on('data', (bytes) => answer.push(bytes));
    newer.write(head);
    expect(await target.ended).toBe(2);
    const line = `the source speaks version ${VERSION + 1} of the migration, this program version ${VERSION}`;
    expect(target.err.split('\n').at(-2)).toBe(`vmscope: --incoming: ${line}`);
    expect(Buffer.concat(answer)[0]).toBe(KIND.no);

    const source = start();
    const small = start('-m', '64', '--incoming', `unix:${folder}/small`);
    const uri = await waits(small);
    const why = 'the state is of a machine with memoryBytes 134217728; this one has 67108864';
    expect(await monitor(source, `migrate ${uri}`)).toBe(`migrate ${uri}: the receiver refuses: ${why}`);
    expect(await small.ended).toBe(2);
    expect(small.err.split('\n').at(-2)).toBe(`vmscope: --incoming: ${why}`);
    const card = start('--device', 'virtio-rng', '--incoming', `unix:${folder}/card`);
    expect(await monitor(source, `migrate ${await waits(card)}`)).toMatch(
      /: the receiver refuses: \S+ is absent at the source, \S+ version \d+ here$/,
    );
    await prints(source);
    source.child.kill('SIGKILL');
  },
  SLOW,
);

test(
  'a migration is given up by migrate_cancel, and two at once are refused',
  async () => {
    const source = start();
    const target = start('--incoming', `unix:${folder}/cancel`);
    let sent = 0;
    const uri = await between(await waits(target), (piece) => {
      sent += piece.length;
      return sent > 50_000 ? Buffer.alloc(0) : piece;
    });
    await monitor(source, `migrate -d ${uri}`);
    await until(() => sent > 50_000);
    expect(await monitor(source, `migrate -d ${uri}`)).toMatch(/: there is a migration under way: /);
    expect(await monitor(source, 'migrate_cancel')).toBe('');
    await until(() => target.err.split('\n').length > 2);
    expect(await target.ended).toBe(1);
    expect(await monitor(source, 'info migrate')).toMatch(/^Migration status: cancelled\n/);
    await prints(source);
    source.child.kill('SIGKILL');
    await source.ended;
    expect(source.out).toBe(digits(source.out.length));
  },
  SLOW,
);

test(
  'a stream that is cut or changed anywhere leaves the guest at its source',
  async () => {
    const source = start('-m', '2');
    await prints(source);
    // through the greeting and the first pages, then wherever the rest is
    for (const [n, at] of [3, 18, 19, 22, 40, 300, 1500, 5000, 9000, 13_000].entries()) {
      const target = start('-m', '2', '--incoming', `unix:${folder}/damage-${at}`);
      const uri = await between(await waits(target), (piece, from) => {
        if (at < from || at >= from + piece.length) return piece;
        if (n % 2 === 0) return undefined;
        const changed = Buffer.from(piece);
        changed[at - from] ^= 0x41;
        return changed;
      });
      const answer = await monitor(source, `migrate ${uri}`);
      expect(answer, `at ${at}`).toMatch(/^migrate \S+: (the receiver (refuses: .+|has gone))$/);
      await prints(source, 20);
      target.child.kill('SIGKILL');
      await target.ended;
      expect(target.out).toBe('');
    }
    source.child.kill('SIGKILL');
    await source.ended;
    expect(source.out).toBe(digits(source.out.length));
  },
  2 * SLOW,
);
