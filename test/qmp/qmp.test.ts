/** QMP of vmscope's own guests: what scripts, qmp-shell and vmscope's own client say to it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { JsonStream } from '../../src/qmp/json-stream.js';
import { serveQmp } from '../../src/qmp/session.js';
import { QmpClient, type QmpError } from '../../src/targets/qemu/qmp.js';
import { Tui } from '../pty.js';
import { FakeDebugger } from '../tui/fake-debugger.js';

/** A client without a network: what it is told is in `told`. */
class Client extends Duplex {
  told: Record<string, unknown>[] = [];
  private held = '';
  override _read(): void {}
  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.held += bytes.toString('utf8');
    const lines = this.held.split('\r\n');
    this.held = lines.pop()!;
    for (const line of lines) this.told.push(JSON.parse(line));
    done();
  }
  say(text: string): void {
    this.push(text);
  }
  async next(count: number): Promise<Record<string, unknown>[]> {
    for (let n = 0; n < 200 && this.told.length < count; n++) await new Promise((resolve) => setTimeout(resolve, 5));
    return this.told;
  }
}

describe('the QMP server', () => {
  it('greets, negotiates, echoes ids and has QEMU’s error classes', async () => {
    const client = new Client();
    serveQmp(new FakeDebugger(), client);
    expect((await client.next(1))[0]).toMatchObject({ QMP: { version: { qemu: { major: 7 } }, capabilities: [] } });
    client.say('{"execute":"query-status"}');
    client.say('{"execute":"qmp_capabilities","id":{"a":1}}{"execute":"query-status","id":"s"}');
    client.say('{"execute":"nothing","id":3}\n{"execute":5}\n[1]\n{"execute":"send-key","arguments":{"keys":7}}\n');
    const told = await client.next(8);
    expect(told[1]).toEqual({
      error: { class: 'CommandNotFound', desc: "Expecting capabilities negotiation with 'qmp_capabilities'" },
    });
    expect(told[2]).toEqual({ return: {}, id: { a: 1 } });
    expect(told[3]).toEqual({ return: { running: false, singlestep: false, status: 'debug' }, id: 's' });
    expect(told[4]).toEqual({
      error: { class: 'CommandNotFound', desc: 'The command nothing has not been found' },
      id: 3,
    });
    expect(told.slice(5).map((reply) => (reply.error as { class: string }).class)).toEqual([
      'GenericError',
      'GenericError',
      'GenericError',
    ]);
  });

  it('tells events to who has negotiated, and takes commands in pieces without an end of line', async () => {
    const client = new Client();
    const fake = new FakeDebugger();
    serveQmp(fake, client);
    await client.next(1);
    for (const piece of [
      '{"exec',
      'ute":"qmp_capabilities"',
      '}',
      '{"execute":"human-monitor-command","arguments":{"command-line":"a \\"}{"}',
      '}',
    ])
      client.say(piece);
    await client.next(3);
    expect(client.told[2]).toHaveProperty('return');
    client.say('{"execute":"cont"}');
    client.say('{"execute":"stop"}');
    const told = await client.next(7);
    const events = told.filter(({ event }) => event).map(({ event }) => event);
    expect(events).toContain('RESUME');
    expect(events).toContain('STOP');
    expect(told.find(({ event }) => event)!.timestamp).toMatchObject({ seconds: expect.any(Number) });
  });

  it('leaves a client whose command has no end or no bottom, and lives on through 5,000 damaged ones', async () => {
    for (const text of ['{'.repeat(2000), `{"a":"${'x'.repeat(1 << 20)}`]) {
      const client = new Client();
      serveQmp(new FakeDebugger(), client);
      client.say(text);
      const told = await client.next(2);
      expect(told[1]).toMatchObject({ error: { class: 'GenericError' } });
      expect(client.destroyed).toBe(true);
    }
    const good = '{"execute":"query-status","arguments":{"a":[1,{"b":"}\\""}]},"id":1}';
    let seed = 3;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      return (seed >> 8) % below;
    };
    const stream = new JsonStream();
    let whole = 0;
    for (let n = 0; n < 5000; n++) {
      const bytes = Buffer.from(good);
      for (let k = random(3); k > 0; k--) bytes[random(bytes.length)] = random(256);
      try {
        stream.push(bytes, () => whole++);
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
        return;
      }
    }
    expect(whole).toBeGreaterThan(100);
  });

  it('speaks to vmscope’s own client', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'qmp-')), 's');
    const server = createServer((socket) => serveQmp(new FakeDebugger(), socket));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const client = await QmpClient.connect(path);
    expect(await client.execute('query-name')).toEqual({ name: expect.any(String) });
    expect(((await client.execute('query-commands')) as { name: string }[]).map(({ name }) => name)).toContain(
      'memsave',
    );
    const error = (await client.execute('x-nothing').catch((e: Error) => e)) as QmpError;
    expect(error.kind).toBe('CommandNotFound');
    client.close();
    server.close();
  });
});

describe('a running vmscope guest', () => {
  it('answers QMP on a socket that only its owner can open, which goes with it', async () => {
    const vmscope = fileURLToPath(new URL('../../bin/vmscope', import.meta.url));
    const sample = fileURLToPath(new URL('../../samples/keyboard', import.meta.url));
    const folder = mkdtempSync(join(tmpdir(), 'qmp-'));
    const tui = new Tui(vmscope, ['run', sample], 80, 24, { XDG_RUNTIME_DIR: folder });
    try {
      await tui.until(/RUNNING|STOPPED/, 20_000);
      const path = join(folder, 'vmscope/keyboard.qmp');
      expect(statSync(join(folder, 'vmscope')).mode & 0o77).toBe(0);
      const client = await QmpClient.connect(path);
      const stopped = new Promise((resolve) => client.onEvent(({ event }) => event === 'STOP' && resolve(event)));
      await client.execute('stop');
      expect(await stopped).toBe('STOP');
      expect(await client.execute('query-status')).toMatchObject({ running: false });
      await tui.until(/STOPPED/, 10_000);
      expect(await client.human('info registers')).toMatch(/RIP=|EIP=/);
      const file = join(folder, 'memory');
      await client.execute('pmemsave', { val: 0, size: 5000, filename: file });
      expect(readFileSync(file)).toHaveLength(5000);
      await client.execute('cont');
      expect(await client.execute('query-status')).toMatchObject({ running: true, status: 'running' });
      client.close();
      expect(
        execFileSync(vmscope, ['top', '-b', '--no-init-file'], {
          encoding: 'utf8',
          env: { ...process.env, XDG_RUNTIME_DIR: folder },
        }),
      ).toMatch(/keyboard +R/);
    } finally {
      tui.send('q');
      await Promise.race([tui.exit, new Promise((resolve) => setTimeout(resolve, 3000))]);
      tui.send('y');
      await Promise.race([tui.exit, new Promise((resolve) => setTimeout(resolve, 5000))]);
      tui.kill();
    }
    expect(readdirSync(join(folder, 'vmscope')).filter((name) => /^keyboard/.test(name))).toEqual([]);
  }, 90_000);
});
