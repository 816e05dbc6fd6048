/** The table of running guests, and what carries it: sockets, and `vmscope top` over two real guests. */
import { mkdtempSync, readdirSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connectDebugger, serveDebugger } from '../../src/engine/host/rpc.js';
import { SocketChannel } from '../../src/engine/host/socket-channel.js';
import { type GuestSample, guestRows, topTable } from '../../src/tui/top-rows.js';
import { Tui } from '../pty.js';
import { FakeDebugger } from './fake-debugger.js';

const SAMPLE: GuestSample = {
  name: 'web',
  pid: 7,
  image: 'web.elf',
  startedMs: 0,
  vcpus: 2,
  memoryBytes: 128 * 2 ** 20,
  state: { running: true, vcpu: 0, icount: 1000n, clock: 0n },
  counts: { HLT: 100, CPUID: 5 },
  ms: 60_000,
};

describe('rows of guests', () => {
  it('have rates from two looks, none from one, and none of another guest of that name', () => {
    const next: GuestSample = {
      ...SAMPLE,
      ms: 62_000,
      state: { ...SAMPLE.state, icount: 5000n },
      counts: { HLT: 110, CPUID: 205 },
    };
    expect(guestRows([SAMPLE], [next])[0]).toMatchObject({
      exitsPerSecond: 105,
      instructionsPerSecond: 2000,
      topReason: 'CPUID',
    });
    expect(guestRows([], [next])[0]).toEqual({ sample: next, topReason: 'CPUID' });
    expect(guestRows([{ ...SAMPLE, pid: 8 }], [next])[0]!.exitsPerSecond).toBeUndefined();
    const idle = { ...SAMPLE, ms: 61_000, cpuSeconds: 3 };
    expect(guestRows([{ ...SAMPLE, cpuSeconds: 2.5 }], [idle])[0]).toMatchObject({ cpuShare: 0.5, topReason: '-' });
    // KVM does not count instructions.
    const uncounted = { ...SAMPLE, state: { ...SAMPLE.state, icount: 0n } };
    expect(guestRows([uncounted], [{ ...uncounted, ms: 61_000 }])[0]!.instructionsPerSecond).toBeUndefined();
    // KVM's own counters count the same exits again.
    const kernel = { ...SAMPLE, counts: { ...SAMPLE.counts, 'kvm exits': 105 } };
    expect(guestRows([], [kernel])[0]!.topReason).toBe('HLT');
    expect(
      guestRows([kernel], [{ ...kernel, ms: 61_000, counts: { HLT: 101, CPUID: 5, 'kvm exits': 900 } }])[0],
    ).toMatchObject({ exitsPerSecond: 1, topReason: 'HLT' });
    // A reset counts from zero again.
    expect(guestRows([next], [{ ...SAMPLE, ms: 63_000 }])[0]!.exitsPerSecond).toBe(0);
  });

  it('make a table of text', () => {
    const [head, row] = topTable(guestRows([SAMPLE], [{ ...SAMPLE, ms: 61_000 }]));
    expect(head).toMatch(/^ NAME +S +vCPU +CPU% +MEM +RSS +INSTR\/s +EXITS\/s +EXITS +TOP EXIT +UP +PID$/);
    expect(row).toMatch(/^ web +R +2 +- +128M +- +0 +0 +105 +- +01:01 +7$/);
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
    expect(sockets()).toEqual(['kernel.sock', 'keyboard.sock']);
    await top.until(/2 guests, 1 running/, 20_000);
    expect(top.text()).toMatch(/^ kernel +P +1 /m);
    expect(top.text()).toMatch(/^ keyboard +R +1 /m);
    top.send('N');
    await top.until(/NAME▼[\s\S]*kernel[\s\S]*keyboard/);
    top.send('I');
    await top.until(/NAME▲[\s\S]*keyboard[\s\S]*kernel/);
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

  it('loses the row of a guest that ends, and its socket', async () => {
    top.send('\r');
    await top.until(/kernel .*STOPPED/, 20_000);
    guests[1]!.send('q');
    expect(await guests[1]!.exit).toBe(0);
    await top.until(/kernel: the guest has gone/, 20_000);
    await top.until(/1 guests, 1 running/, 20_000);
    expect(sockets()).toEqual(['keyboard.sock']);
    top.send('q');
    expect(await top.exit).toBe(0);
  });
});
