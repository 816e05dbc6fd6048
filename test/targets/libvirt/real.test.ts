/** `vmscope top` over a real libvirtd and real QEMU domains: figures to the digit, and guests that change under its eyes. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freeAbandoned } from '../../../src/targets/qemu/control.js';
import { openMonitor } from '../../../src/targets/qemu/open.js';
import { QemuTarget } from '../../../src/targets/qemu/target.js';
import { named, requireTool } from '../../tools.js';
import { echoes } from '../guests/echo.js';
import { Libvirtd } from './libvirtd.js';

const vmscope = fileURLToPath(new URL('../../../bin/vmscope', import.meta.url));
const tools = ['libvirtd', 'virsh', 'qemu-system-x86_64', 'as', 'unshare'].map(requireTool);
const root = process.getuid?.() === 0;
const usable = root && tools.every(({ available }) => available);

function hasKvm(): boolean {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!usable)(named('vmscope top with libvirt', ...tools), () => {
  let daemon: Libvirtd;
  const children: ChildProcess[] = [];
  beforeAll(async () => {
    daemon = await Libvirtd.start();
    daemon.create('one', 'qemu');
    daemon.create('two', 'qemu');
  }, 180_000);
  afterAll(async () => {
    for (const child of children) child.kill();
    await daemon.stop();
  }, 60_000);

  function top(...args: string[]): { lines: AsyncIterator<string>; done: Promise<number | null> } {
    const child = spawn(vmscope, ['top', '--no-init-file', '-c', daemon.uri, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, XDG_RUNTIME_DIR: daemon.folder },
    });
    children.push(child);
    const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    return { lines, done: new Promise((resolve) => child.once('exit', resolve)) };
  }
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  const both = (verb: string): void => {
    for (const name of ['one', 'two']) daemon.virsh(verb, name);
  };

  it('has exactly what changed between two moments at which the guests stood, in CSV', async () => {
    both('suspend');
    const before = new Map(['one', 'two'].map((name) => [name, daemon.stats(name)]));
    const csv = join(daemon.folder, 'top.csv');
    const { done } = top('--script', '--csv', csv, '-n', '2', '-d', '8');
    while (!existsSync(csv) || readFileSync(csv, 'utf8').split('\n').length < 3) await sleep(50);
    both('resume');
    await sleep(1500);
    both('suspend');
    expect(await done).toBe(0);
    const [header, first, second] = readFileSync(csv, 'utf8')
      .split('\n')
      .map((line) => line.split(','));
    expect(header!.join(',')).toBe(
      'Hostname,Time,Arch,Physical CPUs,Count,Running,Blocked,Paused,Shutdown,Shutoff,Crashed,Active,Inactive,%CPU,' +
        'Total hardware memory (KB),Total memory (KB),Total guest memory (KB),Total CPU time (ns),' +
        'Domain ID,Domain name,CPU (ns),%CPU,Mem (bytes),%Mem,Block RDRQ,Block WRRQ,Net RXBY,Net TXBY',
    );
    expect(first!.slice(18)).toEqual([
      '1',
      'one',
      '0.',
      '0.',
      '0',
      '0',
      '',
      '',
      '',
      '',
      '2',
      'two',
      '0.',
      '0.',
      '0',
      '0',
      '',
      '',
      '',
      '',
    ]);
    let sum = 0n;
    ['one', 'two'].forEach((name, n) => {
      const [after, was] = [daemon.stats(name), before.get(name)!];
      const changed = (field: string): bigint => BigInt(after.get(field)!) - BigInt(was.get(field)!);
      const row = second!.slice(18 + 10 * n, 28 + 10 * n);
      expect(row[1]).toBe(name);
      expect(changed('cpu.time')).toBeGreaterThan(0n);
      expect(changed('block.0.rd.reqs')).toBeGreaterThan(0n);
      // Answering costs the standing guest's process a tick of 10 ms now and then, several on a busy host; the vCPU's time
      // is exact (below). The guests ran for 1.5 s.
      expect(Math.abs(Number(row[2]) - Number(changed('cpu.time')))).toBeLessThanOrEqual(60_000_000);
      expect([row[4], row[5]]).toEqual(['16384', '0']);
      expect([row[6], row[7]]).toEqual([String(changed('block.0.rd.reqs')), '0']);
      sum += BigInt(row[2]!.replace('.', ''));
    });
    expect(second!.slice(4, 13)).toEqual(['2', '0', '0', '2', '0', '0', '0', '2', '0']);
    expect(BigInt(second![17]!)).toBe(sum);
  }, 60_000);

  it('has every counter of a standing guest to the digit', async () => {
    const { lines, done } = top('--json', '-n', '1');
    const look = JSON.parse((await lines.next()).value);
    expect(await done).toBe(0);
    for (const guest of look.guests) {
      const stats = daemon.stats(guest.name);
      const of = (field: string): number => Number(stats.get(field));
      expect(guest.vcpu[0]).toMatchObject({ timeNs: of('vcpu.0.time'), waitNs: of('vcpu.0.delay') });
      expect(guest.disks[0]).toMatchObject({
        device: 'hda',
        readRequests: of('block.0.rd.reqs'),
        readBytes: of('block.0.rd.bytes'),
        readNs: of('block.0.rd.times'),
        writeRequests: of('block.0.wr.reqs'),
        capacityBytes: 1 << 20,
      });
      expect(guest.disks[0].readRequests).toBeGreaterThan(0);
      expect(guest.memory).toMatchObject({ currentBytes: of('balloon.current') * 1024, maximumBytes: 16 << 20 });
    }
  }, 30_000);

  it('streams what virt-top streams', async () => {
    const { lines, done } = top('--stream', '-n', '2', '-d', '0.5');
    const text: string[] = [];
    for (let n = 0; n < 8; n++) text.push((await lines.next()).value);
    expect(await done).toBe(0);
    expect(text[4]).toMatch(/^virt-top time {2}\d\d:\d\d:\d\d Host \S+ x86_64 (\d+)\/\1CPU \d+MHz \d+MB $/);
    expect(text[5]).toBe('   ID S RDRQ WRRQ RXBY TXBY %CPU %MEM   TIME    NAME');
    // Suspended: nothing changes, but that answering costs the guest's process a tick now and then.
    const [, share] = /^ {4}1 P {4}0 {4}0 {4}0 {4}0 {2}(\d\.\d) {2}0\.0 +\d+:\d\d\.\d\d one$/.exec(text[6]!) ?? [];
    expect(Number(share)).toBeLessThanOrEqual(2);
    const [, minutes, seconds] = / +(\d+):(\d\d\.\d\d) two$/.exec(text[7]!) ?? [];
    const shown = Number(minutes) * 60 + Number(seconds);
    const cpuSeconds = Math.floor(Number(daemon.stats('two').get('cpu.time')!) / 1e7) / 100;
    expect(Math.abs(shown - cpuSeconds)).toBeLessThan(0.025);
    expect(text[7]!.length).toBe(text[6]!.length);
  }, 30_000);

  it('sees a guest paused, resumed, hung and destroyed, and the other goes on', async () => {
    const { lines } = top('--json', '-d', '0.4');
    type Look = { guests: { name: string; state: string; stateText?: string; ms: number; cpuNs: number }[] };
    const until = async (what: string, wanted: (look: Look) => boolean): Promise<Look> => {
      for (let n = 0; n < 100; n++) {
        const look = JSON.parse((await lines.next()).value) as Look;
        if (wanted(look)) return look;
      }
      throw new Error(`never: ${what}`);
    };
    const guest = (look: Look, name: string) => look.guests.find((one) => one.name === name);
    await until(
      'both paused',
      (look) => look.guests.length === 2 && look.guests.every(({ state }) => state === 'paused'),
    );
    daemon.virsh('resume', 'two');
    await until('two runs', (look) => guest(look, 'two')?.state === 'running');
    daemon.virsh('resume', 'one');
    await until('one runs', (look) => guest(look, 'one')?.state === 'running');
    const pid = daemon.qemuPid('one');
    process.kill(pid, 'SIGSTOP');
    const hung = await until('one hangs', (look) => guest(look, 'one')?.stateText === 'QEMU does not answer');
    const later = await until('two goes on', (look) => guest(look, 'two')!.cpuNs > guest(hung, 'two')!.cpuNs);
    expect(guest(later, 'one')!.stateText).toBe('QEMU does not answer');
    process.kill(pid, 'SIGCONT');
    await until('one answers', (look) => guest(look, 'one')?.stateText === undefined);
    daemon.virsh('destroy', 'two');
    await until('two has gone', (look) => guest(look, 'two') === undefined && guest(look, 'one') !== undefined);
  }, 60_000);

  it('attaches to a domain: observes, breaks by address, steps, and the guest counts on', async () => {
    const name = `libvirt:qemu+unix:///system?socket=${daemon.socket}#one`;
    const guest = await QemuTarget.open({ ...(await openMonitor(name)), folder: join(daemon.folder, 'control') });
    const counter = async () => Buffer.from(await guest.readMemory('gpa', 0x500n, 8)).readBigUInt64LE();
    expect(await guest.info()).toMatchObject({ name: 'one', engine: 'libvirt', vcpus: 1 });
    expect((await guest.state()).running).toBe(true);
    const first = await counter();
    await sleep(300);
    expect(await counter()).toBeGreaterThan(first);
    const hit = new Promise((resolve) =>
      guest.onEvent((event) => event.type === 'stopped' && event.stop.kind !== 'paused' && resolve(event.stop.kind)),
    );
    await guest.addBreakpoint({ kind: 'execute', gva: daemon.symbols.get('count')! });
    expect(await hit).toBe('breakpoint');
    const { rip } = await guest.readRegisters(0);
    const text = daemon.virsh('qemu-monitor-command', 'one', '--hmp', 'info registers');
    expect(rip).toBe(BigInt(`0x${/RIP=([0-9a-f]+)/.exec(text)![1]}`));
    await guest.step(0);
    expect((await guest.readRegisters(0)).rip).toBe(rip! + 8n);
    const last = await counter();
    await guest.detach();
    await sleep(500);
    const after = daemon.virsh('qemu-monitor-command', 'one', '--hmp', 'xp /1xg 0x500');
    expect(BigInt(/: (0x[0-9a-f]+)/.exec(after)![1]!)).toBeGreaterThan(last);
    expect(daemon.virsh('domstate', 'one').trim()).toBe('running');
  }, 60_000);

  it("has a domain's console both ways by libvirt's stream, and tells who else has it", async () => {
    const name = `libvirt:qemu+unix:///system?socket=${daemon.socket}#one`;
    const open = async () =>
      await QemuTarget.open({ ...(await openMonitor(name)), folder: join(daemon.folder, 'control') });
    const guest = await open();
    try {
      await echoes(guest);
      const other = await open();
      expect(Buffer.from(await other.console!.serialLog()).toString()).toMatch(
        /\(.*(console session|in use|busy).*\)/i,
      );
      await other.detach();
    } finally {
      await guest.detach();
    }
    // It is free again.
    const again = await open();
    expect((await again.console!.serialLog()).length).toBe(0);
    await again.detach();
    expect(daemon.virsh('domstate', 'one').trim()).toBe('running');
  }, 60_000);

  it('has the domain of a vmscope that was killed at any of ten moments freed by the next', async () => {
    const name = `libvirt:qemu+unix:///system?socket=${daemon.socket}#one`;
    const folder = join(daemon.folder, 'control');
    const script = fileURLToPath(new URL('../qemu/controller.mjs', import.meta.url));
    const args = [script, name, folder, String(daemon.symbols.get('count'))];
    const counter = () => {
      const text = daemon.virsh('qemu-monitor-command', 'one', '--hmp', 'xp /1xg 0x500');
      return BigInt(/: (0x[0-9a-f]+)/.exec(text)![1]!);
    };
    const { start, words } = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 }));
    for (let moment = 0; moment < 10; moment++) {
      const at = Math.round(start + 1 + ((words - start - 2) * moment) / 9);
      const child = spawn(process.execPath, [...args, String(at)], { stdio: 'ignore' });
      const signal = await new Promise((resolve) => child.once('exit', (_code, by) => resolve(by)));
      expect(signal, `word ${at} of ${words}`).toBe('SIGKILL');
      const lines = await freeAbandoned(folder, async (target) => (await openMonitor(target)).monitor);
      expect(
        readdirSync(folder).filter((file) => file.endsWith('.json')),
        lines.join(),
      ).toEqual([]);
      const before = counter();
      await sleep(300);
      expect(counter() > before, `after word ${at} of ${words}`).toBe(true);
      expect(daemon.virsh('domstate', 'one').trim()).toBe('running');
    }
  }, 180_000);

  it.skipIf(!hasKvm())(
    'counts the exits of a KVM guest as libvirt does',
    async () => {
      daemon.create('fast', 'kvm');
      // A paravirtual KVM counts exits, but not those for I/O.
      for (let n = 0; n < 60 && !(Number(daemon.stats('fast').get('vcpu.0.exits.sum')) > 1000); n++) await sleep(500);
      daemon.virsh('suspend', 'fast');
      const { lines, done } = top('--json', '-n', '20', '-d', '0.3');
      let fast: { exits?: { total: number; byReason: Record<string, number> } } | undefined;
      for (let n = 0; n < 20 && fast?.exits === undefined; n++)
        fast = JSON.parse((await lines.next()).value).guests.find(({ name }: { name: string }) => name === 'fast');
      const stats = daemon.stats('fast');
      expect(fast!.exits!.total).toBeGreaterThan(1000);
      expect(fast!.exits!.total).toBe(Number(stats.get('vcpu.0.exits.sum')));
      expect(fast!.exits!.byReason.IO).toBe(Number(stats.get('vcpu.0.io_exits.sum')));
      expect(fast!.exits!.byReason.SIGNAL).toBe(Number(stats.get('vcpu.0.signal_exits.sum')));
      children.at(-1)!.kill();
      await done;
    },
    90_000,
  );
});
