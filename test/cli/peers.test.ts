/** What other processes may do to the sockets of guests, and what they may not. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serialize } from 'node:v8';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { SocketChannel } from '../../src/engine/host/socket-channel.js';
import { random } from '../disk/images.js';
import { PROGRAM, type Result } from './vmscope.js';

const LONG = process.env.VMSCOPE_LONG_TESTS === '1';
const MESSAGES = LONG ? 20_000 : 1500;
const folder = mkdtempSync(join(tmpdir(), 'vmscope-peers-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A boot sector that runs for ever: a jump to itself. */
const image = join(folder, 'loop.bin');
const sector = Buffer.alloc(512);
sector.set([0xeb, 0xfe]);
sector.set([0x55, 0xaa], 510);
writeFileSync(image, sector);

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

interface Started {
  child: ChildProcess;
  ended: Promise<Result>;
}

function start(args: string[], environment: Record<string, string>): Started {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  children.push(child);
  const texts = ['', ''];
  for (const [i, stream] of [child.stdout!, child.stderr!].entries())
    stream.setEncoding('latin1').on('data', (text: string) => {
      texts[i] += text;
    });
  const ended = once(child, 'close').then(([status, signal]) => ({
    status,
    signal,
    stdout: texts[0],
    stderr: texts[1],
  }));
  return { child, ended };
}

async function appears(path: string): Promise<void> {
  for (let i = 0; i < 1200 && !existsSync(path); i++) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(existsSync(path)).toBe(true);
}

const runtimeFolder = (): string => mkdtempSync(join(folder, 'runtime-'));

/** Starts a guest and waits until it runs. */
async function startGuest(runtime: string, name = 'loop'): Promise<Started & { path: string }> {
  const started = start(['run', image, '--at', '0x7c00', '--headless', '--serial', 'none', '--name', name], {
    XDG_RUNTIME_DIR: runtime,
  });
  const path = join(runtime, 'vmscope', `${name}.sock`);
  await appears(path);
  const peer = await Peer.connect(path);
  for (let running = false; !running; await new Promise((resolve) => setTimeout(resolve, 50))) {
    running = ((await peer.call('state')).value as { running: boolean }).running;
  }
  peer.socket.destroy();
  return { ...started, path };
}

/** A peer that speaks the protocol by hand. */
class Peer {
  readonly #replies = new Map<number, (reply: Record<string, unknown>) => void>();
  #next = 1_000_000;

  private constructor(
    readonly socket: Socket,
    readonly channel: SocketChannel,
  ) {
    channel.on('message', (message: Record<string, unknown>) => {
      this.#replies.get(message.id as number)?.(message);
      this.#replies.delete(message.id as number);
    });
  }

  static async connect(path: string): Promise<Peer> {
    const socket = connect(path);
    socket.setMaxListeners(0);
    await once(socket, 'connect');
    return new Peer(socket, new SocketChannel(socket));
  }

  /** Sends any value as one message. */
  send(message: unknown): void {
    const body = serialize(message);
    const head = Buffer.alloc(4);
    head.writeUInt32LE(body.length);
    this.socket.write(Buffer.concat([head, body]));
  }

  call(method: string, ...args: unknown[]): Promise<Record<string, unknown>> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#replies.set(id, resolve);
      this.socket.once('close', () => reject(new Error(`closed before the answer to ${method}`)));
      this.send({ id, method, args });
    });
  }
}

describe('messages of a peer', () => {
  it('that are no calls leave the guest running, and calls of what is no method are refused', {
    timeout: 120_000,
  }, async () => {
    const guest = await startGuest(runtimeFolder());
    const peer = await Peer.connect(guest.path);
    for (const message of [null, undefined, 0, '', [], {}, { id: 1 }, { id: {}, method: 'info', args: [] }])
      peer.send(message);
    for (const method of [
      'constructor.constructor',
      'constructor',
      '__proto__.toString',
      'toString',
      'hasOwnProperty',
      'onEvent',
      'machine.close',
      'exits.constructor',
      '',
      '.',
    ]) {
      expect(await peer.call(method, 'return process')).toMatchObject({ error: expect.stringContaining('has no') });
    }
    expect(await peer.call('readMemory', 'gpa', 0n, 2 ** 40)).toMatchObject({
      error: 'readMemory: argument 3 is not of its type',
    });
    expect(await peer.call('info')).toMatchObject({ value: { name: 'loop' } });
    expect(await peer.call('quit')).toHaveProperty('value');
    peer.socket.destroy();
    expect(guest.child.exitCode).toBe(null);
  });

  it(`at random, ${MESSAGES} of them: the guest answers after each hundred`, {
    timeout: LONG ? 900_000 : 120_000,
  }, async () => {
    const guest = await startGuest(runtimeFolder());
    const next = random(Number(process.env.VMSCOPE_FUZZ_SEED ?? 29));
    let peer = await Peer.connect(guest.path);
    for (let i = 0; i < MESSAGES; i++) {
      if (next(50) === 0) {
        // what is no message at all ends the connection, and only that
        const junk = Buffer.from(Array.from({ length: 1 + next(200) }, () => next(256)));
        if (next(2) === 0 && junk.length >= 4) junk.writeUInt32LE(junk.length, 0);
        peer.socket.write(junk);
        peer.socket.end();
        // it may come as a reset: what was sent behind the junk is not read any more
        await new Promise((resolve) => peer.socket.once('close', resolve));
        peer = await Peer.connect(guest.path);
      } else peer.send(randomMessage(next));
      if (i % 100 === 99) {
        // a message before it may have left the stream in the middle of one
        expect(await peer.call('state'), `after message ${i}`).toHaveProperty('value.icount');
        expect(guest.child.exitCode).toBe(null);
      }
    }
    expect(await peer.call('readMemory', 'gpa', 0x7c00n, 2)).toMatchObject({ value: Uint8Array.of(0xeb, 0xfe) });
    guest.child.kill('SIGTERM');
    const { status, stderr } = await guest.ended;
    expect(status).toBe(143);
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});

const METHODS: [method: string, ...kinds: string[]][] = [
  ['info'],
  ['state'],
  ['resume'],
  ['pause'],
  ['step', 'vcpu', 'number', 'range'],
  ['stepToExit', 'condition'],
  ['runUntil', 'target'],
  ['readRegisters', 'vcpu', 'names'],
  ['writeRegister', 'vcpu', 'name', 'word'],
  ['readMemory', 'space', 'word', 'number', 'vcpu'],
  ['writeMemory', 'guestSpace', 'high', 'bytes', 'vcpu'],
  ['walk', 'word', 'vcpu'],
  ['addBreakpoint', 'breakpoint', 'name'],
  ['removeBreakpoint', 'number'],
  ['enableBreakpoint', 'number', 'flag'],
  ['breakpoints'],
  ['symbols'],
  ['devices'],
  ['monitor', 'line'],
  ['ept.walk', 'word', 'vcpu'],
  ['ept.ranges'],
  ['vmcs.read', 'vcpu'],
  ['exits.records', 'number', 'number'],
  ['exits.counts'],
  ['console.serialLog'],
  ['console.serialInput', 'bytes'],
  ['console.key', 'name'],
  ['console.screen'],
  ['os.info'],
  ['os.log'],
  ['os.unwind'],
  ['os.frameRow', 'word'],
  ['os.processes'],
  ['os.modules'],
  ['os.current', 'vcpu'],
  ['source.locate', 'words'],
  ['source.text', 'name'],
];

type Next = (below: number) => number;
const pick = <T>(next: Next, values: readonly T[]): T => values[next(values.length)];
const NUMBERS = [0, 1, 2, -1, 4, 64, 255, 4096, 65_536, 1e6, 2 ** 31, 2 ** 32, 2 ** 53, 1e300, NaN, Infinity, 0.5];
const WORDS = [
  0n,
  1n,
  0x7c00n,
  0xfffn,
  0xfee0_0000n,
  0xffff_ffffn,
  1n << 47n,
  1n << 63n,
  (1n << 64n) - 1n,
  -1n,
  1n << 80n,
];
const LINES = [
  'info registers',
  'info',
  'xp /4x 0',
  'x',
  'help',
  'p $rip',
  'balloon 1',
  'sendkey a',
  'info mtree',
  '\0',
  'xp /9999999x 0',
];

function value(next: Next, kind: string): unknown {
  // one argument in eight is of another kind
  const actual = next(8) === 0 ? pick(next, ['number', 'word', 'bytes', 'name', 'list', 'object', 'nothing']) : kind;
  switch (actual) {
    case 'vcpu':
      return next(4) === 0 ? pick(next, NUMBERS) : 0;
    case 'number':
      return pick(next, NUMBERS);
    case 'word':
      return pick(next, WORDS);
    case 'words':
      return Array.from({ length: next(5) }, () => pick(next, WORDS));
    case 'high':
      return 0x10_0000n + BigInt(next(1 << 20));
    case 'range':
      return { start: value(next, 'word'), end: value(next, 'word') };
    case 'condition':
      return {
        reasons: value(next, 'list'),
        where: [
          { field: pick(next, ['gpa', 'rip', 'constructor', '__proto__']), op: '==', value: value(next, 'word') },
        ],
      };
    case 'target':
      return { icount: value(next, 'word'), gva: value(next, 'word'), exit: value(next, 'condition') };
    case 'names':
      return Array.from({ length: next(4) }, () => value(next, 'name'));
    case 'name':
      return pick(next, [
        'rip',
        'rax',
        'cr3',
        'a',
        'F1',
        'ctrl-c',
        '',
        '\x1b]0;x\x07',
        '__proto__',
        'x'.repeat(5000),
        '/etc/shadow',
      ]);
    case 'space':
      return pick(next, ['gva', 'gpa', 'hpa', 'constructor', 7]);
    case 'guestSpace':
      return pick(next, ['gva', 'gpa', 'constructor', 7]);
    case 'flag':
      return next(2) === 0;
    case 'line':
      return pick(next, LINES);
    case 'bytes':
      return new Uint8Array(next(5000)).fill(next(256));
    case 'breakpoint':
      return pick(next, [
        { kind: 'execute', gva: value(next, 'word') },
        {
          kind: 'watch',
          space: value(next, 'space'),
          address: value(next, 'word'),
          length: value(next, 'number'),
          access: 'write',
        },
        { kind: 'exit', condition: value(next, 'condition') },
        { kind: 'constructor' },
      ]);
    case 'list':
      return Array.from({ length: next(4) }, () => pick(next, NUMBERS));
    case 'object':
      return pick(next, [{}, { length: -1 }, new Map([[1, 2]]), new Date(0), /x/, new Float64Array(3), { kind: 1 }]);
    default:
      return pick(next, [null, undefined, true]);
  }
}

function randomMessage(next: Next): unknown {
  if (next(10) === 0)
    return pick(next, [null, undefined, 7, 'x', [], {}, new Map(), { id: 5 }, { method: 'info' }, { event: 1 }]);
  const [method, ...kinds] = pick(next, METHODS);
  const args: unknown =
    next(20) === 0 ? value(next, 'object') : kinds.map((kind) => value(next, kind)).slice(0, next(6) + 1);
  // a debugger that sends its guest elsewhere may end it, and is not what is looked for here
  if (method === 'writeRegister' && Array.isArray(args) && ['rip', 'cr3'].includes(args[1] as string)) args[1] = 'rax';
  return { id: next(1000), method, args };
}

describe('a guest that is none', () => {
  const HELLO = { hello: { name: 'evil', pid: process.pid, image: '\x1b]0;owned\x07', startedMs: 0 } };

  it.each<[string, (channel: SocketChannel) => void]>([
    ['says nothing', () => {}],
    ['says null', (channel) => channel.postMessage(null)],
    ['greets with nonsense', (channel) => channel.postMessage({ hello: { pid: '../../etc', name: 7 } })],
    ['greets and is silent', (channel) => channel.postMessage(HELLO)],
    [
      'answers each call with null',
      (channel) => {
        channel.postMessage(HELLO);
        channel.on('message', ({ id }: { id: number }) => channel.postMessage({ id, value: null }));
      },
    ],
    [
      'answers with escape sequences',
      (channel) => {
        channel.postMessage(HELLO);
        channel.on('message', ({ id, method }: { id: number; method: string }) => {
          const value =
            method === 'info'
              ? { name: 'evil', engine: 'vtx', image: '\x1b[2J', vcpus: 1, memoryBytes: 2 ** 20, unavailable: {} }
              : method === 'state'
                ? { running: true, vcpu: 0, icount: 1n, clock: 0n }
                : { '\x1b[31mEXIT\x1b]0;owned\x07': 7 };
          channel.postMessage({ id, value });
        });
      },
    ],
  ])(
    '%s: `top` goes on, and no control character reaches the terminal',
    { timeout: 120_000 },
    async (title, behave) => {
      const runtime = runtimeFolder();
      mkdirSync(join(runtime, 'vmscope'), { mode: 0o700 });
      const server = createServer((socket) => behave(new SocketChannel(socket)));
      server.listen(join(runtime, 'vmscope', 'evil.sock'));
      await once(server, 'listening');
      const { status, stdout, stderr } = await start(['top', '-b', '-d', '0.2'], { XDG_RUNTIME_DIR: runtime }).ended;
      server.close();
      const silent = /^(says|greets)/.test(title);
      expect(stderr).toBe(silent ? 'vmscope: guest evil does not answer\n' : '');
      expect(status).toBe(0);
      expect(stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f]/);
      expect(stdout).toContain('NAME');
    },
  );
});

describe('the folder of the sockets', () => {
  it('is not followed through a link, and what the link leads to stays as it is', { timeout: 120_000 }, async () => {
    const runtime = runtimeFolder();
    const victim = mkdtempSync(join(folder, 'victim-'));
    chmodSync(victim, 0o755);
    writeFileSync(join(victim, 'loop.sock'), 'precious');
    symlinkSync(victim, join(runtime, 'vmscope'));
    const environment = { XDG_RUNTIME_DIR: runtime };
    const run = await start(
      ['run', image, '--at', '0x7c00', '--headless', '--serial', 'none', '--timeout', '1'],
      environment,
    ).ended;
    expect(run.status).toBe(124);
    expect(run.stderr).toContain('top and attach will not find this guest');
    expect(run.stderr).toContain(`${join(runtime, 'vmscope')} is not a folder but a symbolic link`);
    expect(statSync(victim).mode & 0o777).toBe(0o755);
    expect(readdirSync(victim)).toEqual(['loop.sock']);
    const top = await start(['top', '-b'], environment).ended;
    expect(top.stderr).toContain('is not a folder but a symbolic link');
  });

  it.skipIf(process.getuid?.() !== 0)('is not trusted when it is somebody else’s', { timeout: 120_000 }, async () => {
    const runtime = runtimeFolder();
    const own = join(runtime, 'vmscope');
    mkdirSync(own, { mode: 0o777 });
    const { chownSync } = await import('node:fs');
    chownSync(own, 65_534, 65_534);
    const environment = { XDG_RUNTIME_DIR: runtime };
    const run = await start(
      ['run', image, '--at', '0x7c00', '--headless', '--serial', 'none', '--timeout', '1'],
      environment,
    ).ended;
    expect(run.stderr).toContain(`${own} belongs to user 65534`);
    expect(run.status).toBe(124);
    expect(readdirSync(own)).toEqual([]);
    const top = await start(['top', '-b'], environment).ended;
    expect(top.stderr).toContain(`${own} belongs to user 65534`);
  });

  it('is closed to others, and no name leads out of it', { timeout: 120_000 }, async () => {
    const runtime = runtimeFolder();
    mkdirSync(join(runtime, 'vmscope'));
    chmodSync(join(runtime, 'vmscope'), 0o755);
    const guest = await startGuest(runtime);
    expect(statSync(join(runtime, 'vmscope')).mode & 0o777).toBe(0o700);
    guest.child.kill('SIGTERM');
    await guest.ended;
    expect(readdirSync(join(runtime, 'vmscope'))).toEqual([]);
    const { connectGuest } = await import('../../src/cli/guest-socket.js');
    // a socket outside that nobody serves any more: to be looked at would be to remove it
    const outside = join(runtime, 'outside.sock');
    writeFileSync(outside, '');
    const before = process.env.XDG_RUNTIME_DIR;
    process.env.XDG_RUNTIME_DIR = runtime;
    try {
      await expect(connectGuest('../outside')).rejects.toThrow('no running guest "../outside"');
    } finally {
      if (before === undefined) delete process.env.XDG_RUNTIME_DIR;
      else process.env.XDG_RUNTIME_DIR = before;
    }
    expect(existsSync(outside)).toBe(true);
  });
});
