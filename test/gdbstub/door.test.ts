/** Who is served at the stub's front door. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Stub, startStub } from '../../src/gdbstub/server.js';
import { encodePacket } from '../../src/rsp/packet.js';
import { named, requireTool } from '../tools.js';
import { FakeTarget } from './fake-target.js';
import { RunningGuest, runDebugger, sampleFile, until } from './running-guest.js';

const gdb = requireTool('gdb');
const ASK = '$?#3f';
const SUPPORTED = encodePacket('qSupported:swbreak+').toString('latin1');

let target: FakeTarget;
let stub: Stub;
const visitors: Visitor[] = [];

/** A raw client: what it was sent, and whether it was sent off. */
class Visitor {
  answers = '';
  closed = false;
  readonly socket: Socket;

  constructor() {
    this.socket = connect(stub.port, '127.0.0.1');
    this.socket.on('data', (bytes) => {
      this.answers += bytes.toString('latin1');
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.closed = true;
    });
    visitors.push(this);
  }

  async says(text: string, answer: RegExp): Promise<void> {
    this.socket.write(text);
    await until(`${answer} to ${text}`, () => answer.test(this.answers));
  }
}

beforeEach(async () => {
  target = new FakeTarget();
  stub = await startStub({ target, port: 0 });
});
afterEach(async () => {
  for (const { socket } of visitors.splice(0)) socket.destroy();
  await stub.close();
});

describe('the front door', () => {
  test('silent connections keep nobody out, however many', async () => {
    const silent = Array.from({ length: 200 }, () => new Visitor());
    await until('they are there', () => silent.filter(({ closed }) => closed).length >= 100);
    await new Visitor().says(ASK, /T05thread/);
  });

  test('bytes that are no packet make no client', async () => {
    new Visitor().socket.write('GET / HTTP/1.1\r\n\r\n++--\x03');
    const chatter = new Visitor();
    chatter.socket.write('x'.repeat(200_000));
    await until('who sends for ever is sent off', () => chatter.closed);
    await new Visitor().says(ASK, /T05thread/);
  });

  test('a client that has asked for nothing of the guest gives way', async () => {
    const idle = Array.from({ length: 5 }, () => new Visitor());
    await idle[0].says(SUPPORTED, /PacketSize/);
    for (const visitor of idle.slice(1)) visitor.socket.write(SUPPORTED);
    const real = new Visitor();
    await real.says(SUPPORTED + ASK, /T05thread/);
  });

  test('a client at work stays, and the other is told of it', async () => {
    const first = new Visitor();
    await first.says(ASK, /T05thread/);
    const second = new Visitor();
    await second.says(SUPPORTED, /E\.another debugger \(127\.0\.0\.1:\d+\) is connected to toy/);
    await until('it is sent off', () => second.closed);
    first.answers = '';
    await first.says('$g#67', /\$[0-9a-f]{400}/);
  });

  test('whoever comes as the client leaves is served', async () => {
    for (let round = 0; round < 20; round++) {
      const next = new Visitor();
      await next.says(SUPPORTED, /PacketSize/);
      await next.says(ASK, /T05thread/);
      const after = new Visitor();
      after.socket.write(SUPPORTED);
      next.socket.destroy();
      await after.says(ASK, /T05thread/);
      after.socket.destroy();
    }
  });

  test('a socket in the file system is its owner’s alone', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vmscope-door-'));
    const path = join(folder, 'gdb.sock');
    const local = await startStub({ target, path });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    let answers = '';
    const socket = connect(path).on('data', (bytes) => {
      answers += bytes.toString('latin1');
    });
    socket.write(ASK);
    await until('the answer', () => answers.includes('T05thread'));
    await local.close();
    expect(existsSync(path)).toBe(false);
    rmSync(folder, { recursive: true });
  });
});

describe.skipIf(!gdb.available)(named('the ways to a stub', gdb), () => {
  const program = fileURLToPath(new URL('../../bin/vmscope', import.meta.url));
  const image = sampleFile('crc32/crc32.elf');
  let folder: string;
  let guest: RunningGuest | undefined;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmscope-ways-'));
  });
  afterEach(async () => {
    await guest?.stop();
    guest = undefined;
    rmSync(folder, { recursive: true });
  });
  const runGdb = (...commands: string[]): Promise<string> =>
    runDebugger(gdb.path, ['-nx', '-q', '-batch', ...commands.flatMap((command) => ['-ex', command])], 60_000);
  const CHECKED = ['hbreak main', 'continue', 'p/x $pc'];

  test('target remote | vmscope run IMAGE --gdb stdio', async () => {
    const out = await runGdb(
      `file ${image}`,
      `target remote | ${program} run ${image} -S --gdb stdio`,
      ...CHECKED,
      'kill',
    );
    expect(out).toContain('GDB stub on stdio');
    expect(out).toContain('$1 = 0x100020');
  });

  test('--gdb stdio takes no second use of standard output, and a terminal or file is named', async () => {
    const taken = await runDebugger(program, ['run', image, '--gdb', 'stdio', '--serial', 'stdio', '--headless']);
    expect(taken).toMatch(/--gdb stdio: --serial stdio is taken; try file:F or unix:PATH/);
    const bad = await runDebugger(program, ['run', image, '--gdb', 'nowhere', '--headless']);
    expect(bad).toMatch(/--gdb nowhere: not \[HOST:\]PORT, stdio or unix:PATH/);
  });

  test('--gdb unix:PATH, with a stale socket and a file in its place', async () => {
    const path = join(folder, 's');
    guest = await RunningGuest.start(image, '--gdb', `unix:${path}`);
    expect(guest.stderr).toContain(`GDB stub on unix:${path}`);
    expect(await runGdb(`file ${image}`, `target remote ${path}`, ...CHECKED, 'disconnect')).toContain('$1 = 0x100020');
    await guest.stop();
    expect(existsSync(path)).toBe(true);
    guest = await RunningGuest.start(image, '--gdb', `unix:${path}`);
    const second = await runDebugger(program, ['run', image, '--headless', '--gdb', `unix:${path}`]);
    expect(second).toMatch(/somebody listens there already/);
    writeFileSync(join(folder, 'file'), '');
    const file = await runDebugger(program, ['run', image, '--headless', '--gdb', `unix:${folder}/file`]);
    expect(file).toMatch(/there is a file of that name, and no socket/);
  });

  test('vmscope gdb NAME opens a stub at a guest that runs, and is its pipe with stdio', async () => {
    const name = `ways-${process.pid}`;
    const child = spawn(process.execPath, [program, 'run', image, '--headless', '--wait', '--name', name], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    try {
      let opened = '';
      for (let tries = 0; tries < 20 && !opened.includes('GDB stub'); tries++) {
        opened = await runDebugger(program, ['gdb', name, '127.0.0.1:0']);
      }
      expect(opened).toMatch(/GDB stub on 127\.0\.0\.1:\d+; gdb: target remote :\d+/);
      const out = await runGdb(
        `file ${image}`,
        `target remote | ${program} gdb ${name} stdio`,
        ...CHECKED,
        'disconnect',
      );
      expect(out).toContain('$1 = 0x100020');
      expect(await runDebugger(program, ['gdb', name, 'none'])).toContain('no GDB stub');
      expect(await runDebugger(program, ['gdb', `${name}-not`])).toMatch(/no running guest/);
    } finally {
      child.kill('SIGKILL');
    }
  });
});
