/** What the table of guests learns of a guest of vmscope's own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OwnSource } from '../../src/cli/fleet.js';
import { ownFolder } from '../../src/cli/guest-socket.js';
import type { Debugger, GuestUsage } from '../../src/engine/debugger.js';
import { serveDebugger } from '../../src/engine/host/rpc.js';
import { SocketChannel } from '../../src/engine/host/socket-channel.js';
import { JoinedFleet } from '../../src/targets/fleet.js';
import { localHost } from '../../src/targets/host.js';

let folder: string;
let before: string | undefined;
let servers: Server[];
let source: OwnSource;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vs-'));
  before = process.env.XDG_RUNTIME_DIR;
  process.env.XDG_RUNTIME_DIR = folder;
  servers = [];
  source = new OwnSource();
});

afterEach(() => {
  source.close();
  for (const server of servers) server.close();
  if (before === undefined) delete process.env.XDG_RUNTIME_DIR;
  else process.env.XDG_RUNTIME_DIR = before;
  rmSync(folder, { recursive: true, force: true });
});

/** A guest that answers so. */
async function guest(name: string, more: Partial<Debugger>, pid = process.pid): Promise<void> {
  const target = {
    info: async () => ({ name, engine: 'vtx', image: 'i', vcpus: 1, memoryBytes: 256 << 20, unavailable: {} }),
    state: async () => ({ running: true, vcpu: 0, icount: 5n, clock: 0n }),
    monitor: async () => '',
    onEvent: () => () => {},
    exits: { counts: async () => ({ HLT: 1 }) },
    ...more,
  } as unknown as Debugger;
  const server = createServer((socket) => {
    const channel = new SocketChannel(socket);
    channel.postMessage({ hello: { name, pid, image: 'i', startedMs: 1 } });
    socket.once('close', serveDebugger(target, channel));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(join(ownFolder(), `${name}.sock`), resolve));
}

const NIC = { device: 'net0', rxBytes: 1000, rxPackets: 10, txBytes: 500, txPackets: 5 };
const THREAD = { timeNs: 5_000_000n, waitNs: 70_000n };
const MEMORY = { totalBytes: 200 << 20, availableBytes: 150 << 20, freeBytes: 100 << 20, cacheBytes: 20 << 20 };
const usage = (of: (memory: boolean) => unknown): Partial<Debugger> => ({
  usage: async (memory) => of(memory) as GuestUsage,
});

describe("guests of vmscope's own in the table", () => {
  it('tells what went through their network and what their Linux uses', async () => {
    await guest(
      'lin',
      usage((memory) => ({ nics: [NIC], thread: THREAD, ...(memory ? { memory: MEMORY } : {}) })),
    );
    const fleet = new JoinedFleet([source], localHost, [], { readMemory: true });
    const [lin] = (await fleet.look()).guests;
    expect(lin?.nics).toEqual([NIC]);
    expect(lin?.vcpu).toEqual([{ number: 0, ...THREAD }]);
    expect(lin?.memory).toMatchObject({
      ...{ currentBytes: 256 << 20, availableBytes: 200 << 20, usableBytes: 150 << 20 },
      ...{ unusedBytes: 100 << 20, diskCacheBytes: 20 << 20, readFromGuest: true },
    });
    expect(lin?.missing?.nics).toBeUndefined();
    expect(lin?.missing?.['used memory']).toBeUndefined();
    const blind = new JoinedFleet([source], localHost);
    const [same] = (await blind.look()).guests;
    expect(same?.memory.availableBytes).toBeUndefined();
    expect(same?.missing?.['used memory']).toMatch(/--no-guest-memory/);
  });

  it('says why a cell is empty', async () => {
    await guest(
      'bare',
      usage(() => ({ nics: [], memory: { why: 'no Linux' } })),
    );
    await guest('old', { monitor: undefined } as unknown as Partial<Debugger>, process.ppid);
    const fleet = new JoinedFleet([source], localHost, [], { readMemory: true });
    const [bare, old] = (await fleet.look()).guests;
    expect(bare?.missing).toMatchObject({
      nics: 'no network card (--net user gives it one)',
      'used memory': 'no Linux',
    });
    expect(old?.missing).toMatchObject({ nics: /older vmscope/, 'used memory': /older vmscope/ });
    expect(old?.missing?.['run queue']).toMatch(/older vmscope/);
    expect(bare?.missing?.['run queue']).toMatch(/threads of their own/);
    expect(old?.state).toBe('running');
  });

  it.each([
    ['nothing', undefined],
    ['a text', 'x'],
    ['NICs that are no list', { nics: 5 }],
    ['a NIC without a name', { nics: [{ ...NIC, device: 5 }] }],
    ['counts below zero', { nics: [{ ...NIC, rxBytes: -1 }] }],
    ['ten thousand NICs', { nics: Array.from({ length: 10_000 }, () => NIC) }],
    ['times of words', { nics: [], thread: { timeNs: 'long', waitNs: 0n } }],
    ['memory of words', { nics: [], memory: { ...MEMORY, freeBytes: 'many' } }],
    ['a reason without an end', { nics: [], memory: { why: 'x'.repeat(100_000) } }],
  ])('keeps the row of one that answers nonsense: %s', async (_, answer) => {
    await guest(
      'odd',
      usage(() => answer),
    );
    const { guests } = await source.look(undefined, { usedMemory: new Set() });
    expect(guests).toHaveLength(1);
    expect(guests[0]?.nics).toBeUndefined();
    expect(guests[0]?.missing?.nics).toMatch(/older vmscope/);
  });
});
