/** QMP of vmscope's own guests: what scripts, qmp-shell and vmscope's own client say to it. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { DRIVE_COMMANDS } from '../../src/engine/debug/monitor-drives.js';
import { BlockError, type BlockStore, type Drive } from '../../src/engine/devices/block.js';
import { CountedStore } from '../../src/engine/devices/counted-store.js';
import { JsonStream } from '../../src/qmp/json-stream.js';
import { blockTraffic } from '../../src/qmp/machine-commands.js';
import { serveQmp } from '../../src/qmp/session.js';
import { QmpClient, type QmpError } from '../../src/targets/qemu/qmp.js';
import { Tui } from '../pty.js';
import { requireTool } from '../tools.js';
import { FakeDebugger } from '../tui/fake-debugger.js';

const socat = requireTool('socat');

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

describe('the counters of a drive', () => {
  it('count what is done to its storage, and not what fails', () => {
    const store: BlockStore = {
      ...{ sectors: 8, readOnly: false, flush: () => {}, writeZeroes: () => {} },
      read: (sector) => {
        if (sector >= 8) throw new BlockError('beyond', 'range');
      },
      write: () => {},
    };
    const counted = new CountedStore(store);
    counted.read(0, new Uint8Array(1024));
    counted.read(1, new Uint8Array(512));
    expect(() => counted.read(9, new Uint8Array(512))).toThrow('beyond');
    counted.write(0, new Uint8Array(512));
    counted.writeZeroes(0, 4);
    counted.flush();
    const { traffic } = counted;
    expect(traffic).toEqual({ readRequests: 2, readBytes: 1536, writeRequests: 2, writeBytes: 512, flushRequests: 1 });
    const drive: Drive = { name: 'disk0', serial: '', bus: 'ide', kind: 'disk', store, traffic };
    const lines = DRIVE_COMMANDS['info blockstats']!({ drives: [drive] });
    expect(blockTraffic(`${lines}\ncdrom0: not counted\nnonsense\n`)).toEqual([
      {
        device: 'disk0',
        stats: { rd_bytes: 1536, wr_bytes: 512, rd_operations: 2, wr_operations: 2, flush_operations: 1 },
      },
    ]);
  });
});

describe('a running vmscope guest', () => {
  it('tells its PCI functions, disks, balloon and serial port, sizes the balloon, and says what it has not', async () => {
    const vmscope = fileURLToPath(new URL('../../bin/vmscope', import.meta.url));
    const sample = fileURLToPath(new URL('../../samples/keyboard/keyboard.elf', import.meta.url));
    const folder = mkdtempSync(join(tmpdir(), 'qmp-'));
    const disk = join(folder, 'a b.img');
    writeFileSync(disk, Buffer.alloc(1 << 20));
    const machine = ['--disk', `${disk},if=virtio`, '--device', 'virtio-balloon', '--name', 'parts'];
    const args = ['run', sample, '--headless', '--serial', 'none', ...machine];
    const child = spawn(process.execPath, [vmscope, ...args], {
      env: { ...process.env, XDG_RUNTIME_DIR: folder },
      stdio: 'ignore',
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    try {
      const path = join(folder, 'vmscope/parts.qmp');
      for (let n = 0; n < 400 && !existsSync(path); n++) await new Promise((resolve) => setTimeout(resolve, 50));
      const client = await QmpClient.connect(path, { answerMs: 20_000 });
      const [bus] = (await client.execute('query-pci')) as {
        devices: { slot: number; class_info: object; id: object; regions: { size: number; type: string }[] }[];
      }[];
      expect(bus!.devices[0]).toMatchObject({
        ...{ slot: 0, class_info: { desc: 'Host bridge', class: 0x600 }, id: { vendor: 0x8086, device: 0x1237 } },
      });
      // One line of the monitor each, and all regions powers of two.
      const lines = (await client.human('info pci')).split('\n').filter((line) => /Bus/.test(line));
      expect(bus!.devices.length).toBe(lines.length);
      const regions = bus!.devices.flatMap((device) => device.regions);
      expect(regions.length).toBeGreaterThan(2);
      for (const { size } of regions) expect(Math.log2(size) % 1).toBe(0);
      expect(await client.execute('query-block')).toMatchObject([
        { inserted: { file: disk, ro: false, drv: 'raw', image: { 'virtual-size': 1 << 20 } }, removable: false },
      ]);
      const stats = { rd_bytes: 0, wr_bytes: 0, rd_operations: 0, wr_operations: 0, flush_operations: 0 };
      expect(await client.execute('query-blockstats')).toEqual([{ device: 'disk0', qdev: 'disk0', stats }]);
      expect(await client.execute('query-block-jobs')).toEqual([]);
      // What qmp-shell -H makes its list of words of: the second of each line.
      const subjects = (await client.human('info'))
        .trimEnd()
        .split('\n')
        .map((line) => line.split(/\s+/)[1]);
      expect(subjects).toEqual(expect.arrayContaining(['registers', 'blockstats', 'mtree']));
      expect(await client.human('info network')).toMatch(/unknown command|no monitor command/);
      await client.execute('stop');
      expect(await client.human('print $eip')).toBe(await client.human('print $rip'));
      const events: string[] = [];
      client.onEvent(({ event }) => events.push(event));
      await client.execute('system_reset');
      for (let n = 0; n < 200 && !events.includes('RESET'); n++)
        await new Promise((resolve) => setTimeout(resolve, 25));
      expect(events).toEqual(['RESET']);
      await client.execute('cont');
      expect(await client.execute('query-balloon')).toEqual({ actual: 128 << 20 });
      expect(await client.execute('balloon', { value: 64 << 20 })).toEqual({});
      await expect(client.execute('balloon', { value: 2 ** 40 })).rejects.toThrow(/MiB/);
      await expect(client.execute('balloon', { value: 'much' })).rejects.toThrow(/expected: integer/);
      expect(await client.execute('query-chardev')).toMatchObject([{ label: 'serial0' }]);
      const picture = `${disk}.ppm`;
      expect(await client.execute('screendump', { filename: picture })).toEqual({});
      expect(readFileSync(picture, 'latin1').slice(0, 15)).toBe('P6\n720 400\n255\n');
      for (const args of [undefined, { filename: picture, format: 'gif' }, { filename: '/no/such/folder/x' }])
        expect(((await client.execute('screendump', args).catch((error) => error)) as QmpError).kind).toBe(
          'GenericError',
        );
      expect(await client.execute('system_powerdown')).toEqual({});
      client.close();
    } finally {
      child.kill('SIGKILL');
      await ended;
    }
  }, 60_000);

  it('says that it has no balloon in the class that QEMU has for it, to socat too', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'qmp-')), 's');
    const target = new FakeDebugger();
    target.monitor = async (line) =>
      /balloon/.test(line) ? 'the machine has no balloon: start it with one' : undefined;
    const server = createServer((socket) => serveQmp(target, socket));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const client = await QmpClient.connect(path);
    const refusal = (name: string, args?: Record<string, unknown>) =>
      client.execute(name, args).catch((error: QmpError) => error.kind);
    expect(await refusal('query-balloon')).toBe('DeviceNotActive');
    expect(await refusal('balloon', { value: 1 << 30 })).toBe('DeviceNotActive');
    expect(await refusal('query-pci')).toBe('GenericError');
    client.close();
    if (socat.available) {
      const script = '{"execute":"qmp_capabilities"}{"execute":"query-status","id":7}\n';
      const child = spawn(socat.path, ['-t2', '-', `UNIX-CONNECT:${path}`]);
      let said = '';
      child.stdout.on('data', (bytes) => {
        said += bytes;
        if (said.includes('"id":7')) child.stdin.end();
      });
      child.stdin.write(script);
      await new Promise((resolve) => child.once('close', resolve));
      expect(said).toMatch(/"return":\{"running":.*"id":7/);
    }
    server.close();
  });

  it('answers QMP on a socket that only its owner can open, which goes with it', async () => {
    const vmscope = fileURLToPath(new URL('../../bin/vmscope', import.meta.url));
    const sample = fileURLToPath(new URL('../../samples/keyboard', import.meta.url));
    const folder = mkdtempSync(join(tmpdir(), 'qmp-'));
    const tui = new Tui(vmscope, ['run', sample], 80, 24, { XDG_RUNTIME_DIR: folder });
    try {
      await tui.until(/RUNNING/, 20_000);
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
