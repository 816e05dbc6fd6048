/** The libvirt source before a libvirtd of the test's own: figures, deadlines, and everything that a peer can get wrong. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { JoinedFleet } from '../../../src/targets/fleet.js';
import { localHost } from '../../../src/targets/host.js';
import { domainCounters } from '../../../src/targets/libvirt/domain-stats.js';
import { domainDetails } from '../../../src/targets/libvirt/domain-xml.js';
import { PROCEDURE, readDomainStats } from '../../../src/targets/libvirt/protocol.js';
import { LibvirtSource } from '../../../src/targets/libvirt/source.js';
import { parseUri, socketPaths } from '../../../src/targets/libvirt/uri.js';
import { XdrReader } from '../../../src/targets/libvirt/xdr.js';
import { FakeLibvirtd, type Fault, fakeDomain } from './fake-libvirtd.js';

let daemon: FakeLibvirtd;
let source: LibvirtSource;
beforeEach(async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'vmscope-')), 'libvirt-sock');
  daemon = await FakeLibvirtd.start(path, [
    fakeDomain('web', 3, 1_000_000_007n),
    fakeDomain('db', 1, 9_007_199_254_740_993_001n),
    fakeDomain('old', -1, 0n),
  ]);
  source = new LibvirtSource(`qemu+unix:///system?socket=${path}`);
});
afterEach(async () => {
  source.close();
  await daemon.stop();
});

const byName = (look: Awaited<ReturnType<LibvirtSource['look']>>, name: string) =>
  look.guests.find((guest) => guest.name === name)!;

describe('a look at libvirt', () => {
  it('has every figure to the digit, above 2^53 too', async () => {
    const look = await source.look();
    expect(look.failures).toEqual([]);
    expect(look.host).toMatchObject({ hostname: 'fakehost', arch: 'x86_64', cpus: 4, mhz: 2600, memoryBytes: 2 ** 33 });
    expect(byName(look, 'db').cpuNs).toBe(9_007_199_254_740_993_001n);
    expect(byName(look, 'web')).toMatchObject({
      id: 3,
      state: 'running',
      vcpus: 1,
      cpuNs: 1_000_000_007n,
      memory: { currentBytes: 2 ** 27, maximumBytes: 2 ** 28 },
      vcpu: [{ number: 0, timeNs: 1_000_000_007n, waitNs: 100_000_000n }],
      disks: [{ device: 'vda', path: '/images/a b.qcow2', readRequests: 5, readBytes: 2560, readNs: 5_000_000n }],
      nics: [{ device: 'tap0', rxBytes: 100, txBytes: 200 }],
      exits: { total: 1000, byReason: { IO: 900, HLT: 50 } },
    });
    expect(byName(look, 'old')).toMatchObject({ state: 'shut off', attach: undefined });
  });

  it('asks about guests on the screen each time, about the others within four looks, and keeps their figures of one moment', async () => {
    const fleet = new JoinedFleet([source], localHost);
    const first = await fleet.look();
    const keyOf = (name: string) => first.guests.find((guest) => guest.name === name)!.key;
    const [web, db] = [keyOf('web'), keyOf('db')];
    const seen: [boolean, bigint | undefined][] = [];
    for (let n = 1n; n <= 8n; n++) {
      for (const domain of daemon.domains) Object.assign(domain.parameters, { 'cpu.time': n, 'net.0.rx.bytes': n });
      const { guests } = await fleet.look((key) => key === web);
      const of = (key: string) => guests.find((guest) => guest.key === key)!;
      expect(of(web).cpuNs).toBe(n);
      const before = seen.at(-1)?.[1];
      seen.push([of(db).cpuNs !== before, of(db).cpuNs]);
      const isFirst = of(db).cpuNs === 9_007_199_254_740_993_001n;
      expect(of(db).nics![0]!.rxBytes).toBe(isFirst ? 100 : Number(of(db).cpuNs));
    }
    // Its first figures are kept until its turn, which comes at every fourth look.
    expect(seen.filter(([fresh]) => fresh).length).toBeLessThanOrEqual(4);
    expect(seen.at(-1)![1]! >= 5n).toBe(true);
    // A state that libvirtd knows by itself is shown at once.
    daemon.domains.find(({ name }) => name === 'db')!.parameters['state.state'] = 3;
    const { guests } = await fleet.look((key) => key === web);
    expect(guests.find((guest) => guest.key === db)!.state).toBe('paused');
    expect((await fleet.look()).guests.find((guest) => guest.key === db)!.cpuNs).toBe(8n);
  });

  it('tells how a job goes on, in the words of its operation, and when it is over', async () => {
    const [web] = daemon.domains;
    web!.job = {
      type: 2,
      parameters: {
        ...{ operation: 5, memory_total: 1000n, memory_processed: 400n, disk_total: 0n, disk_processed: 0n },
        ...{ memory_dirty_rate: 3n, memory_page_size: 4096n, downtime: 17n },
      },
    };
    expect(byName(await source.look(), 'web').jobs).toEqual([
      { kind: 'migration', doneBytes: 400, totalBytes: 1000, dirtyBytesPerSecond: 12_288, downtimeMs: 17 },
    ]);
    expect(byName(await source.look(), 'db').jobs).toBeUndefined();
    web!.job.parameters = { operation: 9, memory_processed: 500n };
    expect(byName(await source.look(), 'web').jobs).toMatchObject([{ kind: 'backup', doneBytes: 500 }]);
    delete web!.job;
    expect(byName(await source.look(), 'web').jobs).toBeUndefined();
    // One without a job is asked again soon, not at once.
    web!.job = { type: 1, parameters: {} };
    const kinds: unknown[] = [];
    for (let n = 0; n < 5; n++) kinds.push(byName(await source.look(), 'web').jobs?.[0]?.kind);
    expect(kinds).toContain('job');
  });

  it('tells where a guest has run only when that is wanted, and why it cannot', async () => {
    const [web] = daemon.domains;
    web!.pcpu = [
      [100n, 90n],
      [7n, 5n],
    ];
    expect(byName(await source.look(), 'web').pcpu).toBeUndefined();
    const look = await source.look(undefined, { pcpu: true });
    expect(byName(look, 'web').pcpu).toEqual([
      { cpuNs: 100n, guestNs: 90n },
      { cpuNs: 7n, guestNs: 5n },
    ]);
    expect(byName(look, 'db').missing!['host CPUs']).toBeTruthy();
    const calls = daemon.calls.length;
    await source.look();
    expect(daemon.calls.slice(calls)).not.toContain(PROCEDURE.domainGetCpuStats);
  });

  it('has the addresses of a guest in its details, by leases', async () => {
    const look = await source.look();
    daemon.domains[0]!.addresses = { vnet0: ['192.168.122.5', '10.0.0.1'] };
    const details = await source.details(byName(look, 'web').key).catch((error: Error) => error.message);
    // The fake knows no definitions; what it knows is enough here.
    expect(details).toEqual(
      expect.arrayContaining([
        ['addresses (lease)', [['vnet0', '192.168.122.5/24  10.0.0.1/24  (52:54:00:00:00:01)']]],
      ]),
    );
  });

  it("asks a guest's agent only where that is allowed, by a connection of its own that may write", async () => {
    daemon.domains[0]!.agent = { eth0: ['10.1.2.3'] };
    const look = await source.look();
    const { key } = byName(look, 'web');
    expect(JSON.stringify(await source.details(key))).not.toContain('agent');
    expect(daemon.writers.size).toBe(0);
    const allowed = new LibvirtSource(`qemu+unix:///system?socket=${daemon.path}`, undefined, { agent: true });
    await allowed.look();
    expect(daemon.writers.size).toBe(0);
    expect(await allowed.details(key)).toContainEqual([
      'addresses (guest agent)',
      [['eth0', '10.1.2.3/24  (52:54:00:00:00:01)']],
    ]);
    expect(daemon.writers.size).toBe(1);
    // One that does not answer, and one that is not there, cost nothing but their own line.
    daemon.domains[0]!.agent = 'hangs';
    expect(await allowed.details(key)).toContainEqual([
      'addresses (guest agent)',
      [['none', expect.stringMatching(/answer/)]],
    ]);
    expect(await allowed.details(byName(look, 'db').key)).toContainEqual([
      'addresses (guest agent)',
      [['none', expect.any(String)]],
    ]);
    allowed.close();
  });

  it('says why a group of figures is not there', async () => {
    const { parameters } = daemon.domains[0]!;
    for (const field of Object.keys(parameters)) if (/^net\.0|exits/.test(field)) delete parameters[field];
    const { missing, nics, exits } = byName(await source.look(), 'web');
    expect([nics, exits]).toEqual([undefined, undefined]);
    expect(missing!.nics).toMatch(/user network/);
    expect(missing!.exits).toMatch(/KVM/);
    expect(missing!['used memory']).toMatch(/balloon/);
  });

  it('goes on while one guest hangs, asks it no second time, and takes its late answer', async () => {
    await source.look();
    daemon.domains[0]!.hangs = true;
    daemon.domains[1]!.parameters['cpu.time'] = 5n;
    daemon.domains[0]!.parameters['cpu.time'] = 7n;
    const looks = [await source.look(), await source.look(), await source.look()];
    for (const look of looks) {
      expect(byName(look, 'web')).toMatchObject({ stateText: 'QEMU does not answer', cpuNs: 1_000_000_007n });
      expect(byName(look, 'db')).toMatchObject({ stateText: undefined, cpuNs: 5n });
    }
    expect(daemon.mostAtOnce).toBe(1);
    daemon.release();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(byName(await source.look(), 'web')).toMatchObject({ stateText: undefined, cpuNs: 7n });
  });

  it('keeps asking the others while several hang, on few connections', async () => {
    daemon.domains = Array.from({ length: 30 }, (_, n) => fakeDomain(`guest${n}`, n + 1, 1n));
    await source.look();
    for (const domain of daemon.domains.slice(0, 5)) domain.hangs = true;
    for (let n = 0; n < 4; n++) await source.look();
    daemon.domains[29]!.parameters['cpu.time'] = 99n;
    const look = await source.look();
    expect(byName(look, 'guest29').cpuNs).toBe(99n);
    expect(look.guests.filter(({ stateText }) => stateText === 'QEMU does not answer')).toHaveLength(5);
    expect(daemon.mostAtOnce).toBe(5);
    expect(daemon.sockets.size).toBeLessThanOrEqual(4);
  }, 20_000);

  it('keeps its rows while libvirtd itself is silent, and has fresh ones afterwards', async () => {
    await source.look();
    daemon.fault = 'silent';
    const look = await source.look();
    expect(look.failures).toEqual([expect.stringMatching(/libvirtd does not answer/)]);
    expect(byName(look, 'web')).toMatchObject({ stateText: 'libvirtd does not answer', cpuNs: 1_000_000_007n });
    const calls = daemon.calls.length;
    await source.look();
    expect(daemon.calls.length).toBe(calls);
  }, 20_000);

  it('finds the guests again after a lost connection', async () => {
    await source.look();
    for (const socket of daemon.sockets) socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await source.look()).guests).toHaveLength(3);
  });

  const faults: [Fault, RegExp][] = [
    ['cut', /closed by the other side/],
    ['close', /closed by the other side/],
    ['length', /not an answer: a packet of 4294967280 bytes/],
    ['short', /not an answer: a packet of 5 bytes/],
    ['serial', /not an answer: an answer to a question that was not asked/],
    ['count', /a list of 2147483647 items/],
    ['error', /no .*way/],
  ];
  it.each(faults)('tells a peer that does "%s" in one line', async (fault, text) => {
    daemon.fault = fault;
    const { failures, guests } = await source.look();
    expect(guests).toEqual([]);
    expect(failures).toEqual([expect.stringMatching(text)]);
    daemon.fault = 'none';
  });

  it('tells an action that libvirt refuses', async () => {
    const look = await source.look();
    await expect(source.act(byName(look, 'web').key, 'destroy')).rejects.toThrow(/error 55/);
    await expect(source.act('nobody', 'pause')).rejects.toThrow(/gone/);
  });

  it('does not care about hostile bytes: 20,000 mutations of a reply either parse or throw', () => {
    const good = Buffer.from(RECORDED, 'hex');
    let seed = 12345;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      return seed % below;
    };
    let parsed = 0;
    for (let n = 0; n < 20_000; n++) {
      const bytes = Buffer.from(good.subarray(0, random(10) ? good.length : random(good.length)));
      for (let flips = random(4); flips >= 0 && bytes.length; flips--) bytes[random(bytes.length)] = random(256);
      try {
        readDomainStats(new XdrReader(bytes));
        parsed++;
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }
    expect(parsed).toBeGreaterThan(100);
    expect(parsed).toBeLessThan(20_000);
  });
});

/** State, CPU, vCPU and interface groups of two domains as libvirtd 9.0.0 sent them. */
const RECORDED = readFileSync(new URL('stats-reply.hex', import.meta.url), 'latin1').replace(/\s/g, '');

describe("libvirtd's own bytes", () => {
  it('are read: a recorded reply of two domains', () => {
    const reader = new XdrReader(Buffer.from(RECORDED, 'hex'));
    const [two, one] = readDomainStats(reader);
    expect(reader.left).toBe(0);
    expect([two!.domain.name, two!.domain.id, one!.domain.name, one!.domain.id]).toEqual(['two', 2, 'one', 1]);
    const counters = domainCounters(two!.parameters);
    expect(counters).toMatchObject({ state: 'running', vcpus: 1, nics: [{ device: 'tap-two', rxBytes: 90 }] });
    expect(counters.vcpu![0]!.timeNs).toBeGreaterThan(1_000_000_000n);
  });
});

describe('two sources', () => {
  it('that see the same guest make one row, with what either knows', async () => {
    const other = {
      name: 'process',
      look: async () => ({
        guests: [
          {
            key: 'pid 77',
            name: 'guest=web',
            source: 'process',
            uuid: (await source.look()).guests[0]!.uuid!,
            process: { pid: 77 },
            startedMs: 5,
            ms: 1,
            state: 'unknown' as const,
            vcpus: 0,
            memory: { residentBytes: 4096 },
          },
        ],
        failures: [],
      }),
      close: () => {},
    };
    const fleet = new JoinedFleet([source, other], localHost);
    const look = await fleet.look();
    expect(look.guests.map(({ name }) => name)).toEqual(['web', 'db', 'old']);
    expect(look.guests[0]).toMatchObject({
      source: 'qemu:///system+process',
      process: { pid: 77 },
      startedMs: 5,
      state: 'running',
      memory: { residentBytes: 4096, currentBytes: 2 ** 27 },
    });
  });

  it("have this host's pressure and steal whoever tells of it, and no reason for what another source knows", async () => {
    const { hosts } = await new JoinedFleet([source], localHost).look();
    const here = { ...localHost(), hostname: hosts[0]!.hostname, pressure: { cpuSome: 1, memorySome: 2, ioSome: 3 } };
    const uuid = (await source.look()).guests[0]!.uuid!;
    const other = {
      name: 'process',
      look: async () => ({
        guests: [
          {
            ...{ key: 'pid 77', name: '-', source: 'process', uuid, process: { pid: 77 }, ms: 1, vcpus: 0 },
            ...{ state: 'unknown' as const, vcpu: [{ number: 0, waitNs: 1n }], memory: { availableBytes: 5 } },
          },
        ],
        failures: [],
      }),
      close: () => {},
    };
    const reasons = { 'run queue': 'no socket', 'used memory': 'no balloon' };
    const silent = { ...other, look: async () => ({ guests: [{ ...(await source.look()).guests[0]!, missing: reasons }], failures: [], host: hosts[0]! }) }; // biome-ignore format: one look
    const look = await new JoinedFleet([silent, other], () => here).look();
    expect(look.hosts).toHaveLength(1);
    expect(look.hosts[0]).toMatchObject({ pressure: here.pressure, arch: hosts[0]!.arch });
    const waits = look.guests[0]!.vcpu?.some(({ waitNs }) => waitNs !== undefined) ?? false;
    expect(look.guests[0]!.missing?.['run queue']).toBe(waits ? undefined : 'no socket');
    expect(look.guests[0]!.missing?.['used memory']).toBeUndefined();
    const elsewhere = await new JoinedFleet([silent], () => ({ ...here, hostname: 'another' })).look();
    expect(elsewhere.hosts[0]!.pressure).toBeUndefined();
  });

  it('fail by themselves: a source that hangs or throws costs its own rows only', async () => {
    const hanging = { name: 'hangs', look: () => new Promise<never>(() => {}), close: () => {} };
    const throwing = { name: 'throws', look: () => Promise.reject(new Error('broken')), close: () => {} };
    const fleet = new JoinedFleet([hanging, throwing, source], localHost);
    const look = await fleet.look();
    expect(look.guests).toHaveLength(3);
    expect(look.failures).toEqual(['hangs: no answer for 2.5 s', 'throws: broken']);
  });
});

describe('URIs', () => {
  it('are read as libvirt reads them, and refused in one line', () => {
    expect(parseUri('qemu+ssh://me@host:2222/system?keyfile=/k')).toMatchObject({
      ...{ name: 'qemu:///system', transport: 'ssh', host: 'host', user: 'me', port: 2222 },
    });
    expect(socketPaths(parseUri('qemu:///system'), false)[0]).toBe('/run/libvirt/virtqemud-sock-ro');
    expect(socketPaths(parseUri('qemu:///session'), true, { XDG_RUNTIME_DIR: '/run/user/7' })).toEqual([
      '/run/user/7/libvirt/virtqemud-sock',
      '/run/user/7/libvirt/libvirt-sock',
    ]);
    for (const bad of ['', 'qemu', 'qemu://', 'qemu+tls://h/system', 'qemu+ssh:///system', 'qemu+ssh://-oX/system'])
      if (bad !== 'qemu://') expect(() => parseUri(bad), bad).toThrow();
  });
});

describe('a definition', () => {
  it('gives the details of its devices, whatever the text', () => {
    const xml = `<domain type='kvm'><name>a</name><os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
      <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/i/a&amp;b.qcow2'/><target dev='vda' bus='virtio'/></disk>
      <interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/><target dev='vnet0'/><model type='virtio'/></interface>
    </devices></domain>`;
    const details = domainDetails(xml);
    expect(details.find(([title]) => title === 'disks')![1]).toEqual([['vda', '/i/a&b.qcow2  disk virtio qcow2']]);
    expect(details.find(([title]) => title === 'network')![1]).toEqual([
      ['vnet0', 'bridge br0 virtio 52:54:00:00:00:01'],
    ]);
    expect(domainDetails('<devices><disk')).toEqual([]);
    const started = Date.now();
    domainDetails('<disk a='.repeat(200_000));
    expect(Date.now() - started).toBeLessThan(5000);
  });
});
