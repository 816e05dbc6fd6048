/** Tracing a real KVM guest, which counts its own deeds: by perf events and by tracefs, with nothing left behind. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ExitEvents } from '../../../src/targets/kvm-host/events.js';
import { ExitTimes } from '../../../src/targets/kvm-host/exit-times.js';
import { ExitWatch, vcpuThreads } from '../../../src/targets/kvm-host/exit-watch.js';
import { PerfSession, type TraceSession } from '../../../src/targets/kvm-host/perf-session.js';
import { findTracing } from '../../../src/targets/kvm-host/place.js';
import { TracefsSession } from '../../../src/targets/kvm-host/tracefs-session.js';
import { named, requireTool } from '../../tools.js';
import { hasKvm, Qemu } from '../qemu/qemu.js';

const tools = ['qemu-system-x86_64', 'as'].map(requireTool);
let mounted: string | undefined;

/** tracefs, mounted for this test where the host has it nowhere. */
function tracing(): string | undefined {
  const found = findTracing();
  if ('path' in found) return found.path;
  if (process.getuid?.() !== 0) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'tracefs-'));
  try {
    execFileSync('mount', ['-t', 'tracefs', 'nodev', folder], { stdio: 'ignore' });
    mounted = folder;
  } catch {
    rmdirSync(folder);
  }
  const place = findTracing();
  return 'path' in place ? place.path : undefined;
}

const usable = process.getuid?.() === 0 && hasKvm() && tools.every(({ available }) => available);
const path = usable ? tracing() : undefined;
afterAll(() => {
  if (!mounted) return;
  execFileSync('umount', [mounted]);
  rmdirSync(mounted);
});

describe.skipIf(path === undefined)(named('a KVM guest that counts its own CPUIDs', ...tools), () => {
  let qemu: Qemu;
  beforeAll(async () => {
    qemu = new Qemu('kvm');
    await qemu.ready();
  }, 60_000);
  afterAll(() => qemu.stop());

  /** CPUIDs that the guest, which stands, has done: it counts before an OUT, and does the CPUID behind it. */
  const done = async (): Promise<number> => {
    const rip = BigInt(`0x${/RIP=([0-9a-f]+)/.exec(await qemu.human('info registers'))![1]}`);
    const count = qemu.symbols.get('count')!;
    const counted = rip >= count + 19n && rip <= count + 23n;
    return Number(await qemu.counter()) - (counted ? 1 : 0);
  };
  const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

  for (const by of ['perf', 'tracefs'] as const)
    it(`has as many in the trace by ${by}, to the last one`, async () => {
      const tids = vcpuThreads(qemu.process.pid!);
      expect(tids).toMatchObject([{ vcpu: 0 }]);
      // Where this process got no CPU for long some events are lost, and told: then a shorter run is looked at.
      let lost = 0;
      for (const runMs of [1500, 500, 200, 100, 50, 20, 10, 5]) {
        lost = await traced(by, runMs, tids.map(({ tid }) => tid)); // biome-ignore format: one call
        if (lost === 0) return;
      }
      throw new Error(`each run lost events, the last one ${lost}`);
    }, 60_000);

  /** A run of the guest under the eyes of a session, in which its CPUIDs are all there. @returns events lost, of which it says nothing more */
  async function traced(by: 'perf' | 'tracefs', runMs: number, threads: number[]): Promise<number> {
    const events = ExitEvents.of(path!);
    await qemu.human('stop');
    const before = await done();
    const session: TraceSession =
      by === 'perf' ? new PerfSession(events, threads) : new TracefsSession(path!, events, threads);
    try {
      const times = new ExitTimes();
      let gaps = 0;
      const poll = () =>
        session.poll(
          (event) => times.take(event, events.note !== undefined),
          () => gaps++,
        );
      await qemu.human('cont');
      for (let n = 0; n < Math.ceil(runMs / 100); n++) {
        await sleep(Math.min(100, runMs));
        poll();
      }
      await qemu.human('stop');
      await sleep(100);
      poll();
      const after = await done();
      expect(gaps > 0).toBe(session.lost > 0);
      if (session.lost > 0) return session.lost;
      expect(after - before).toBeGreaterThan(0);
      // It does an OUT and an IN with each CPUID, and may stand between.
      for (const way of ['POUT', 'PIN']) {
        const port = times.rows(0).find(({ kind, reason }) => kind === 'ioport' && reason === `0x80:${way}`)!;
        expect(Math.abs(port.count - (after - before)), way).toBeLessThanOrEqual(1);
      }
      const cpuid = times.rows(0).find(({ reason }) => /^cpuid$/i.test(reason))!;
      expect(cpuid.count).toBe(after - before);
    } finally {
      session.close();
      await qemu.human('cont');
    }
    expect(readdirSync(join(path!, 'instances'))).not.toContain(`vmscope-${process.pid}`);
    return 0;
  }

  it('says what it lost when nobody fetched it', async () => {
    const threads = vcpuThreads(qemu.process.pid!).map(({ tid }) => tid);
    const session = new PerfSession(ExitEvents.of(path!), threads);
    try {
      // The ring holds about 29,000 events, three of which come with each count.
      for (let n = 0; n < 100 && session.lost === 0; n++) {
        const start = await qemu.counter();
        while ((await qemu.counter()) < start + 12_000n) await sleep(100);
        session.poll(
          () => {},
          () => {},
        );
      }
      expect(session.lost).toBeGreaterThan(0);
    } finally {
      session.close();
    }
  }, 60_000);

  it('is watched by key, and a guest that ends takes its rows along', async () => {
    const pid = qemu.process.pid!;
    const watch = new ExitWatch([{ key: 'tiny', pid }]);
    try {
      const seen = () =>
        (watch.look().guests.get('tiny') ?? []).map(({ vcpu, reason }) => [vcpu, reason.toLowerCase()]);
      for (let n = 0; n < 100 && !seen().some(([, reason]) => reason === 'cpuid'); n++) await sleep(100);
      expect(watch.look().by).toBe('perf');
      expect(seen()).toContainEqual([0, 'cpuid']);
      watch.follow([]);
      expect(watch.look()).toMatchObject({ guests: new Map(), lost: 0 });
      watch.follow([{ key: 'gone', pid: 2 ** 22 + 1 }]);
      expect(watch.look().by).toBeUndefined();
    } finally {
      watch.close();
    }
  }, 30_000);

  it('has nothing left enabled after the tracer was killed', async () => {
    const script = fileURLToPath(new URL('holder.mjs', import.meta.url));
    const args = [script, path!, String(qemu.process.pid)];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const instance = join(path!, 'instances', `vmscope-${child.pid}`);
    expect(existsSync(instance)).toBe(true);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    for (let n = 0; n < 100 && existsSync(instance); n++) await sleep(50);
    expect(existsSync(instance)).toBe(false);
    expect(readFileSync(join(path!, 'events', 'kvm', 'enable'), 'utf8').trim()).toBe('0');
  }, 30_000);
});
