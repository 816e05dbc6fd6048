import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Tui } from '../test/pty.js';
import type { Measurement } from './measurement.js';
import { ROOT } from './paths.js';

const LOOKS = 10;
const KEYS = 100;

type Kind = 'own' | 'libvirt' | 'qmp';

/** CPU time of a process's threads so far, ms, to the nanosecond: ticks are too coarse for what wakes for a moment. */
function cpuMs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const times = threads.map((tid) => readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'latin1').split(' ')[0]);
  return times.reduce((sum, ns) => sum + Number(ns), 0) / 1e6;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function servers(kind: Kind, folder: string): Promise<ChildProcess> {
  const place = { own: join(folder, 'vmscope'), libvirt: join(folder, 'libvirt'), qmp: folder }[kind];
  const script = fileURLToPath(new URL('fleet-servers.js', import.meta.url));
  const child = spawn(process.execPath, [script, kind, place], { stdio: ['pipe', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    child.stdout!.once('data', () => resolve());
    child.once('exit', () => reject(new Error('the servers ended')));
  });
  return child;
}

/** `vmscope top` at one look in two seconds on 200 guests that others play: share of a core, and time from key to screen. */
async function table(kind: Kind): Promise<Measurement[]> {
  const folder = mkdtempSync(join(tmpdir(), 'vb-'));
  const child = await servers(kind, folder);
  const connect = kind === 'libvirt' ? ['-c', `qemu+unix:///system?socket=${join(folder, 'libvirt')}`] : [];
  const args = ['top', '-d', '2', '--no-init-file', ...connect];
  const tui = new Tui(`${ROOT}bin/vmscope`, args, 120, 40, { XDG_RUNTIME_DIR: folder });
  try {
    // Guests of others on this host are looked at too.
    await tui.until(/\b2\d\d guests/, 30_000);
    // Two looks, after which the program's code is compiled.
    await sleep(8000);
    const before = cpuMs(tui.proc.pid);
    const start = performance.now();
    await sleep(LOOKS * 2000);
    const share = (cpuMs(tui.proc.pid) - before) / (performance.now() - start);
    const times: number[] = [];
    tui.send('\x1b[H');
    await sleep(2500);
    for (let n = 0; n < KEYS; n++) {
      await sleep(83);
      const { bytes } = tui;
      const sent = performance.now();
      tui.send(n % 20 < 10 ? 'j' : 'k');
      while (tui.bytes === bytes && performance.now() - sent < 2000)
        await new Promise((resolve) => setImmediate(resolve));
      times.push((performance.now() - sent) / 1000);
    }
    times.sort((a, b) => a - b);
    return [
      { name: `fleet.${kind}-share`, value: share, unit: 'ratio', note: 'of a core, 200 guests, a look in 2 s' },
      { name: `fleet.${kind}-key-p95`, value: times[Math.floor(KEYS * 0.95)]!, unit: 's', note: 'from key to screen' },
    ];
  } finally {
    tui.kill();
    child.stdin!.end();
    await new Promise((resolve) => child.once('exit', resolve));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a halted guest of vmscope's own costs with its dashboard, which looks at it all the time. */
async function idleGuest(): Promise<Measurement[]> {
  const folder = mkdtempSync(join(tmpdir(), 'vb-'));
  const args = ['run', `${ROOT}samples/keyboard/keyboard.elf`, '--name', 'idle'];
  const tui = new Tui(`${ROOT}bin/vmscope`, args, 120, 40, { XDG_RUNTIME_DIR: folder });
  try {
    await tui.until(/RUNNING/, 30_000);
    await sleep(15_000);
    const before = cpuMs(tui.proc.pid);
    const start = performance.now();
    await sleep(20_000);
    const share = (cpuMs(tui.proc.pid) - before) / (performance.now() - start);
    return [{ name: 'fleet.idle-guest-share', value: share, unit: 'ratio', note: 'of a core, halted, with dashboard' }];
  } finally {
    tui.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

export const fleet = [() => table('own'), () => table('libvirt'), () => table('qmp'), idleGuest];
