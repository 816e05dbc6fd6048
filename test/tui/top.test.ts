/** The table of running guests, and what carries it: sockets, and `vmscope top` over two real guests. */
import { mkdtempSync, readdirSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { GuestSample, HostLook } from '../../src/engine/fleet.js';
import { connectDebugger, serveDebugger } from '../../src/engine/host/rpc.js';
import { SocketChannel } from '../../src/engine/host/socket-channel.js';
import { COLUMNS, chosenColumns, cpuTime, fourWide, percent, textTable } from '../../src/tui/top/columns.js';
import { passes } from '../../src/tui/top/filter.js';
import { diskRows, guestRows } from '../../src/tui/top/rows.js';
import { newTopState, readSettings, settingsText } from '../../src/tui/top/state.js';
import { Table } from '../../src/tui/top/table.js';
import { whyEmpty, whyLine } from '../../src/tui/top/why.js';
import { Tui } from '../pty.js';
import { FakeDebugger } from './fake-debugger.js';

const HOST: HostLook = { hostname: 'h', arch: 'x86_64', cpus: 2, mhz: 1, memoryBytes: 2 ** 30 };
const SAMPLE: GuestSample = {
  key: 'vmscope web',
  name: 'web',
  source: 'vmscope',
  process: { pid: 7 },
  startedMs: Date.now() - 61_000,
  ms: 60_000,
  state: 'running',
  vcpus: 2,
  cpuNs: 10_000_000_000n,
  memory: { currentBytes: 128 * 2 ** 20 },
  exits: { total: 105, byReason: { HLT: 100, CPUID: 5 } },
  instructions: 1000n,
};
const PLAIN = { blockInBytes: false, oneCpu: false };

describe('rows of guests', () => {
  it('have rates from two looks, none from one, and none of another guest of that name', () => {
    const next: GuestSample = {
      ...SAMPLE,
      ms: 62_000,
      cpuNs: 11_000_000_000n,
      instructions: 5000n,
      exits: { total: 315, byReason: { HLT: 110, CPUID: 205 } },
    };
    expect(guestRows([SAMPLE], [next], HOST)[0]).toMatchObject({
      exitsPerSecond: 105,
      instructionsPerSecond: 2000,
      topReason: 'CPUID',
      cpuNs: 1e9,
      oneCpuPercent: 50,
      // All CPUs of the host are 100 %, as in virt-top.
      cpuPercent: 25,
      memoryPercent: 12.5,
    });
    expect(guestRows([], [next], HOST)[0]).toEqual({ sample: next, topReason: 'CPUID', memoryPercent: 12.5 });
    expect(guestRows([{ ...SAMPLE, process: { pid: 8 } }], [next], HOST)[0]!.exitsPerSecond).toBeUndefined();
    const idle = { ...SAMPLE, ms: 61_000 };
    expect(guestRows([SAMPLE], [idle], HOST)[0]).toMatchObject({ cpuPercent: 0, topReason: undefined });
    // KVM does not count instructions.
    const uncounted = { ...SAMPLE, instructions: undefined };
    expect(guestRows([uncounted], [{ ...uncounted, ms: 61_000 }], HOST)[0]!.instructionsPerSecond).toBeUndefined();
    // A reset counts from zero again.
    expect(guestRows([next], [{ ...SAMPLE, ms: 63_000 }], HOST)[0]!.exitsPerSecond).toBe(0);
    // Nothing newer is known: the row stays.
    const rows = guestRows([SAMPLE], [next], HOST);
    const late = { ...next, stateText: 'QEMU does not answer' };
    expect(guestRows([next], [late], HOST, rows)[0]).toMatchObject({ exitsPerSecond: 105, sample: late });
  });

  it('have the sums of disks and interfaces over the interval, and the latency of a request', () => {
    const disk = { device: 'vda', readRequests: 10, readBytes: 5120, readNs: 10_000_000n, writeRequests: 0 };
    const before = {
      ...SAMPLE,
      disks: [disk, { device: 'vdb', readRequests: 1 }],
      nics: [{ device: 'n', rxBytes: 7 }],
    };
    const now = {
      ...before,
      ms: 63_000,
      disks: [
        { ...disk, readRequests: 14, readNs: 50_000_000n, readBytes: 7168 },
        { device: 'vdb', readRequests: 2 },
      ],
      nics: [{ device: 'n', rxBytes: 1007, txBytes: 3 }],
      vcpu: [{ number: 0, waitNs: 600_000_000n }],
    };
    const [row] = guestRows([{ ...before, vcpu: [{ number: 0, waitNs: 0n }] }], [now], HOST);
    expect(row).toMatchObject({ readRequests: 5, readBytes: 2048, rxBytes: 1000, readMs: 8, readyPercent: 20 });
    expect(row!.txBytes).toBeUndefined();
    expect(diskRows([before], [row!])[0]).toMatchObject({ device: 'vda', readRequests: 4, readMs: 10 });
    expect(COLUMNS.find(({ id }) => id === 'ready')!.alarm!(row!)).toBe('crit');
  });

  it('make a table of text', () => {
    const [head, row] = textTable(COLUMNS, guestRows([SAMPLE], [{ ...SAMPLE, ms: 61_000 }], HOST), PLAIN);
    expect(head).toMatch(/^ NAME +S +ID +vCPU +%CPU +%RDY +%MEM +MEM +USED .*TIME +UP +PID +SOURCE$/);
    expect(row).toMatch(/^ web +R +- +2 +0\.0 +- +12\.5 +128M .* 0:10\.00 +01:01 +7 +vmscope$/);
  });

  it('are formatted as virt-top does', () => {
    expect([0, 9999, 10_000, 10_239_999, 2 ** 34].map(fourWide)).toEqual(['0', '9999', '9K', '9999K', '16G']);
    expect([0, 9.99, 99.94, 100, 1000].map(percent)).toEqual([' 0.0', ' 9.9', '99.9', '100 ', '1000']);
    expect(cpuTime(3_540_000_000n)).toBe('  0:03.54');
    expect(cpuTime(12n * 3600n * 1_000_000_000n)).toBe(' 12:00:00');
  });
});

describe('the cursor', () => {
  it('stays with its guest by name while rows move, and Enter opens that one', () => {
    const table = new Table<{ name: string; cpu: number }>(
      [{ id: 'cpu', title: 'CPU', width: 5, dispensable: 0, text: (r) => String(r.cpu), key: (r) => r.cpu }],
      (row) => row.name,
      (row) => row.name,
      () => 0,
    );
    const order = { ...PLAIN, sort: 'cpu', reversed: false };
    table.set(
      [
        { name: 'a', cpu: 3 },
        { name: 'b', cpu: 2 },
        { name: 'c', cpu: 1 },
      ],
      order,
    );
    table.move(1);
    expect(table.chosen).toBe('b');
    table.set(
      [
        { name: 'a', cpu: 1 },
        { name: 'b', cpu: 9 },
        { name: 'c', cpu: 5 },
      ],
      order,
    );
    expect(table.row).toEqual({ name: 'b', cpu: 9 });
    table.set(
      [
        { name: 'a', cpu: 1 },
        { name: 'c', cpu: 5 },
      ],
      order,
    );
    expect(table.row!.name).toBe('c');
    // what has gone leaves the cursor at its place in the list, not at the top
    table.move(1);
    expect(table.row!.name).toBe('a');
    table.set(
      [
        { name: 'd', cpu: 2 },
        { name: 'c', cpu: 5 },
      ],
      order,
    );
    expect(table.row!.name).toBe('d');
    table.set([{ name: 'a', cpu: 1 }], order);
    table.seek(({ name }) => name === 'a');
    expect(table.chosen).toBe('a');
    table.seek(() => false);
    expect(table.chosen).toBe('a');
  });
});

describe('an empty cell', () => {
  it('says why, each reason once: what the source said, or what the figure needs', () => {
    const sample: GuestSample = {
      ...{ key: 'q', name: 'q', source: 'process', ms: 1, state: 'running', vcpus: 1, memory: {} },
      missing: { nics: 'QEMU does not count its network', 'used memory': 'no balloon driver' },
    };
    const [row] = guestRows([{ ...sample, ms: 0 }], [sample], HOST);
    const columns = [
      { id: 'used', title: 'USED' },
      { id: 'netrx', title: 'RXBY' },
      { id: 'nettx', title: 'TXBY' },
      { id: 'pid', title: 'PID' },
    ];
    expect(whyLine(columns, row!, whyEmpty)).toBe(
      'USED: no balloon driver; RXBY TXBY: QEMU does not count its network; PID: its process is not on this host',
    );
    expect(whyEmpty('cpu', guestRows([], [sample], HOST)[0]!)).toBe('a rate needs two refreshes');
    expect(whyEmpty('cpu', { sample: { ...sample, state: 'shut off' } })).toBe('it does not run');
    const device = { device: 'sda', readRequests: 3, writeRequests: 0 };
    const [counted] = guestRows([{ ...sample, ms: 0 }], [{ ...sample, disks: [device] }], HOST);
    expect(whyEmpty('latency', counted!)).toBe('its source does not time requests');
    const [timed] = guestRows([{ ...sample, ms: 0 }], [{ ...sample, disks: [{ ...device, readNs: 5n }] }], HOST);
    expect(whyEmpty('latency', timed!)).toBe('no request in this interval');
    // Every column has a reason for every guest.
    for (const { id, text } of COLUMNS)
      if (text(row!, PLAIN) === undefined) expect(whyEmpty(id, row!)).toMatch(/\w \w/);
  });
});

describe('a filter', () => {
  it('is an expression, what does not match, or letters in order', () => {
    const names = ['web-01', 'db-02', 'wiki'];
    const of = (filter: string) => names.filter((name) => passes(filter, name));
    expect(of('')).toEqual(names);
    expect(of('^W')).toEqual(['web-01', 'wiki']);
    expect(of('!web')).toEqual(['db-02', 'wiki']);
    expect(of('!')).toEqual(names);
    expect(of('-f w1')).toEqual(['web-01']);
    expect(of('(')).toEqual([]);
  });
});

describe('settings', () => {
  it('have the columns of each view, which outlive W', () => {
    const state = newTopState();
    readSettings('columns guests state cpu exits\ncolumns disks readms,writems\n', state);
    expect(state.columns).toEqual({ guests: ['state', 'cpu', 'exits'], disks: ['readms', 'writems'] });
    const again = newTopState();
    readSettings(settingsText(state), again);
    expect(again.columns).toEqual(state.columns);
    for (const line of ['columns', 'columns guests', 'columns tasks cpu'])
      expect(() => readSettings(line, newTopState()), line).toThrow(/is not a setting/);
    const ids = (wanted?: readonly string[]) => chosenColumns(COLUMNS, wanted).map(({ id }) => id);
    expect(ids(['exits', 'cpu', 'exits', 'gone'])).toEqual(['name', 'exits', 'cpu']);
    expect(ids()).toEqual(COLUMNS.map(({ id }) => id));
    const rows = guestRows([SAMPLE], [{ ...SAMPLE, ms: 61_000 }], HOST);
    expect(textTable(chosenColumns(COLUMNS, ['state', 'id']), rows, PLAIN)[0]).toMatch(/^ NAME +S +ID$/);
  });

  it("are virt-top's ~/.virt-toprc too, and outlive W", () => {
    const state = newTopState();
    readSettings(
      '# mine\ndisplay net\ndelay 5\nsort netrx\nhist-cpu 20\nconnect qemu:///session\ncsv-mem no\nbatch false\noverwrite-init-file no\n',
      state,
    );
    expect(state).toMatchObject({ view: 'nics', intervalMs: 5000, sort: 'netrx' });
    const start = {
      connect: ['qemu:///session'],
      flags: { 'csv-mem': false, batch: false, 'overwrite-init-file': false },
    };
    expect(state.start).toEqual(start);
    const again = newTopState();
    readSettings(settingsText(state), again);
    expect(again).toEqual(state);
    for (const line of ['display toString', 'csv-mem maybe', 'delay 0', 'toString x', 'view tasks', 'sort'])
      expect(() => readSettings(line, newTopState()), line).toThrow(/line 1: .* is not a setting/);
  });
});

describe('SocketChannel', () => {
  const open: { end(): void }[] = [];
  afterEach(() => {
    for (const item of open.splice(0)) item.end();
  });

  async function pair(): Promise<[Socket, Socket]> {
    const path = join(mkdtempSync(join(tmpdir(), 'vmscope-')), 's');
    const server = createServer();
    open.push({ end: () => server.close() });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
    const client = connect(path);
    const sockets: [Socket, Socket] = [client, await accepted];
    for (const socket of sockets) open.push({ end: () => socket.destroy() });
    return sockets;
  }

  it('carries the whole debugger API, events and errors with it', async () => {
    const [client, server] = await pair();
    const fake = new FakeDebugger();
    const stop = serveDebugger(fake, new SocketChannel(server));
    const closed = new Promise<string>((resolve) => client.once('close', () => resolve('gone')));
    const debug = await connectDebugger(new SocketChannel(client), closed);
    expect((await debug.readRegisters(0)).rip).toBe(0x401041n);
    expect(Buffer.from(await debug.readMemory('gva', 0x402000n, 4))).toEqual(Buffer.from([0, 1, 2, 3]));
    expect((await debug.console!.screen())!.cells).toBeInstanceOf(Uint16Array);
    const event = new Promise((resolve) => debug.onEvent(resolve));
    await debug.step(0);
    expect(await event).toMatchObject({ type: expect.stringMatching(/running|stopped/) });
    await expect(debug.writeRegister(0, 'nothing', 1n)).rejects.toThrow(/no register nothing/);
    stop();
    server.destroy();
    await expect(debug.state()).rejects.toThrow(/gone/);
  });

  it('puts messages together that come in pieces, and drops a peer that talks nonsense', async () => {
    const [client, server] = await pair();
    const got: unknown[] = [];
    new SocketChannel(server).on('message', (message) => got.push(message));
    const written: Buffer[] = [];
    const recorder = {
      destroyed: false,
      writableLength: 0,
      on: () => undefined,
      cork: () => undefined,
      uncork: () => undefined,
      write: (b: Buffer) => written.push(b),
    };
    const sender = new SocketChannel(recorder as never);
    const messages = [{ a: 1n, b: new Uint8Array([1, 2]) }, 'x'.repeat(300), [undefined, null]];
    for (const message of messages) sender.postMessage(message);
    const stream = Buffer.concat(written);
    for (let at = 0; at < stream.length; at += 50) {
      client.write(stream.subarray(at, at + 50));
      await new Promise((resolve) => setImmediate(resolve));
    }
    while (got.length < 3) await new Promise((resolve) => setTimeout(resolve, 2));
    expect(got[0]).toMatchObject({ a: 1n });
    expect(got[1]).toBe(messages[1]);
    const closed = new Promise((resolve) => client.once('close', resolve));
    client.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 2, 3]));
    client.resume();
    await closed;
  });
});

describe('vmscope top', () => {
  const vmscope = fileURLToPath(new URL('../../bin/vmscope', import.meta.url));
  const sample = (name: string) => fileURLToPath(new URL(`../../samples/${name}`, import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), 'vmscope-'));
  const env = { XDG_RUNTIME_DIR: folder };
  const sockets = () => readdirSync(join(folder, 'vmscope')).sort();
  // Other programs' guests on the host are rows too.
  const guests: Tui[] = [];
  let top: Tui;
  beforeAll(async () => {
    for (const args of [['keyboard'], ['ring3', '--wait', '--name', 'kernel']]) {
      const guest = new Tui(vmscope, ['run', sample(args[0]!), ...args.slice(1)], 80, 24, env);
      guests.push(guest);
      await guest.until(/RUNNING|STOPPED/, 20_000);
    }
    top = new Tui(vmscope, ['top', '-d', '0.5'], 100, 24, env);
  });
  afterAll(() => {
    for (const tui of [top, ...guests]) tui.kill();
  });

  it('shows the guests of this user, sorts and filters them', async () => {
    expect(sockets()).toEqual(['kernel.qmp', 'kernel.sock', 'keyboard.qmp', 'keyboard.sock']);
    await top.until(/kernel +P[\s\S]*keyboard +R|keyboard +R[\s\S]*kernel +P/, 20_000);
    expect(top.text()).toMatch(/^ kernel +P +1 /m);
    expect(top.text()).toMatch(/^ keyboard +R +1 /m);
    top.send('N');
    await top.until(/NAME▼[\s\S]*kernel[\s\S]*keyboard/);
    top.send('I');
    await top.until(/NAME▲[\s\S]*keyboard[\s\S]*kernel/);
    top.send(':columns exits state\r');
    await top.until(/^ NAME\S* +EXITS\S* +S *$/m);
    top.send(':columns bogus\r');
    await top.until(/bogus: no such column; columns are name/);
    top.send(':columns all\r');
    await top.until(/%CPU/);
    top.send('I/kern\r');
    await top.until(/filter: kern/);
    expect(top.text()).not.toContain('keyboard');
  });

  it('opens one; what is done there happens to the guest; leaving does not end it', async () => {
    top.send('\r');
    await top.until(/kernel .*STOPPED: start/, 20_000);
    top.send(':until vmexit CR_ACCESS\r');
    await top.until(/STOPPED: CR_ACCESS/, 20_000);
    await guests[1]!.until(/STOPPED: CR_ACCESS/, 20_000);
    top.send('q');
    // sorted and filtered as before
    await top.until(/vmscope top[\s\S]*NAME▼[\s\S]*filter: kern.*q quit/, 20_000);
    await top.until(/kernel +P/, 20_000);
  });

  it('says why cells are empty, completes commands, and opens the console of the chosen guest', async () => {
    await top.until(/kernel +P[\s\S]*RDRQ WRRQ: no disk/, 20_000);
    top.send(':con\t');
    await top.until(/^:console/m);
    top.send('\r');
    await top.until(/\[Console\][\s\S]*─ Console /, 20_000);
    top.send('q');
    await top.until(/vmscope top[\s\S]*kernel +P[\s\S]*filter: kern.*q quit/, 20_000);
  });

  it('loses the row of a guest that ends, and its socket', async () => {
    top.send('\r');
    await top.until(/kernel .*STOPPED/, 20_000);
    guests[1]!.send('q');
    await guests[1]!.until(/End it and quit/, 20_000);
    guests[1]!.send('y');
    expect(await guests[1]!.exit).toBe(0);
    await top.until(/kernel: the guest has gone/, 20_000);
    await top.until(/no guest matches kern/, 20_000);
    expect(sockets()).toEqual(['keyboard.qmp', 'keyboard.sock']);
    top.send('q');
    expect(await top.exit).toBe(0);
  });
});
