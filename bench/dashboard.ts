/** What the dashboard costs: frames, bytes, processor time, time from key to screen; measured on the program in a pty. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import * as pty from '@lydell/node-pty';
import xterm from '@xterm/headless';
import type { Measurement } from './measurement.js';
import { ROOT } from './paths.js';

const PROGRAM = `${ROOT}bin/vmscope`;
const LINUX = `${ROOT}build/guests/linux/`;
const TICKS_A_SECOND = 100;
const FRAME = /\x1b\[\?2026h/g;
const PATIENCE_MS = 60_000;

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The program in a pseudo-terminal of its own. */
class Screen {
  raw = '';
  readonly started = performance.now();
  private readonly proc: pty.IPty;
  private readonly term = new xterm.Terminal({ cols: 120, rows: 40, allowProposedApi: true, scrollback: 0 });

  constructor(args: readonly string[]) {
    this.proc = pty.spawn(process.execPath, [PROGRAM, ...args], {
      name: 'xterm-256color',
      cols: 120,
      rows: 40,
      env: { PATH: process.env.PATH!, HOME: '/nonexistent', TERM: 'xterm-256color', LANG: 'C.UTF-8' },
    });
    this.proc.onData((data) => {
      this.raw += data;
      this.term.write(data);
    });
    this.term.onData((data) => this.proc.write(data));
  }

  send(keys: string): void {
    this.proc.write(keys);
  }

  /** What the terminal shows. */
  async text(): Promise<string> {
    await new Promise<void>((resolve) => this.term.write('', resolve));
    const { active } = this.term.buffer;
    return Array.from({ length: 40 }, (_, y) => active.getLine(y)!.translateToString(true)).join('\n');
  }

  /** Waits until the terminal shows it, or does not any more. @returns ms that it took */
  async until(pattern: RegExp, shown = true): Promise<number> {
    const start = performance.now();
    while (pattern.test(await this.text()) !== shown) {
      if (performance.now() - start > PATIENCE_MS) throw new Error(`no ${pattern} in\n${await this.text()}`);
      await later(1);
    }
    return performance.now() - start;
  }

  /** Processor seconds so far, of all its threads. */
  seconds(): number {
    const fields = readFileSync(`/proc/${this.proc.pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
  }

  /** What is written and used in so many ms. */
  async watch(ms: number): Promise<{ frames: number; bytes: number; seconds: number; wall: number }> {
    const from = this.raw.length;
    const before = this.seconds();
    const start = performance.now();
    await later(ms);
    const written = this.raw.slice(from);
    const wall = (performance.now() - start) / 1000;
    return {
      frames: written.match(FRAME)?.length ?? 0,
      bytes: Buffer.byteLength(written),
      seconds: this.seconds() - before,
      wall,
    };
  }

  close(): void {
    this.proc.kill('SIGKILL');
  }
}

/** A guest that runs without an end and exits often. */
const BUSY = 'RUN="while :; do cat /proc/interrupts > /dev/null; done"';

function linuxArgs(append: string): string[] {
  const files = ['--kernel', `${LINUX}vmlinuz`, '--initrd', `${LINUX}initrd.gz`];
  return ['run', ...files, '-m', '256M', '--append', `console=ttyS0 quiet ${append}`];
}

function mustHaveLinux(): void {
  if (!existsSync(`${LINUX}vmlinuz`)) throw new Error(`no ${LINUX}vmlinuz: samples/linux/fetch`);
}

const percentile = (values: number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))]!;

async function busy(): Promise<Measurement[]> {
  mustHaveLinux();
  const screen = new Screen(linuxArgs(BUSY));
  try {
    await screen.until(/Disassembly/);
    const first = performance.now() - screen.started;
    screen.send('gc');
    await screen.until(/Run \/init|init|\$|#/);
    screen.send('gd');
    await later(3000);
    const run = await screen.watch(5000);
    const waits: number[] = [];
    for (let n = 0; n < 40; n++) {
      screen.send('?');
      waits.push(await screen.until(/Esc closes/));
      screen.send('q');
      await screen.until(/Esc closes/, false);
      await later(80 + 7 * (n % 9));
    }
    screen.send('c');
    await screen.until(/STOPPED/);
    await later(1500);
    const still = await screen.watch(3000);
    return [
      { name: 'dashboard.first-screen', value: first, unit: 'ms', note: 'from the start of the program' },
      { name: 'dashboard.frames', value: run.frames / run.wall, unit: 'frames/s', note: 'of a guest that runs' },
      { name: 'dashboard.frame-bytes', value: run.bytes / Math.max(1, run.frames), unit: 'bytes', note: '120x40' },
      {
        name: 'dashboard.key-p95',
        value: percentile(waits, 0.95),
        unit: 'ms',
        note: `median ${percentile(waits, 0.5).toFixed(0)}`,
      },
      { name: 'dashboard.still-bytes', value: still.bytes, unit: 'bytes', note: 'in 3 s of a guest that stands' },
    ];
  } finally {
    screen.close();
  }
}

async function idle(): Promise<Measurement[]> {
  mustHaveLinux();
  const screen = new Screen(linuxArgs(''));
  try {
    screen.send('gc');
    await screen.until(/\/root #/);
    screen.send('gd');
    await later(5000);
    const { seconds, wall, frames, bytes } = await screen.watch(10_000);
    const share = (100 * seconds) / wall;
    const note = `a Linux shell that waits; ${(frames / wall).toFixed(1)} frames/s, ${Math.round(bytes / wall)} bytes/s`;
    return [{ name: 'dashboard.idle', value: share, unit: '% of a core', note }];
  } finally {
    screen.close();
  }
}

function version(): Measurement[] {
  const script = 'TIMEFORMAT="%U %S"; exec 3>&1; time "$0" "$@" 2>/dev/null >&3';
  const spent = Array.from({ length: 5 }, () => {
    const run = spawnSync('bash', ['-c', script, process.execPath, PROGRAM, '--version'], { encoding: 'utf8' });
    const [user, system] = run.stderr.trim().split(/\s+/).slice(-2).map(Number);
    return (user! + system!) * 1000;
  });
  return [{ name: 'dashboard.version', value: percentile(spent, 0.5), unit: 'ms CPU', note: 'vmscope --version' }];
}

export const dashboard = [version, busy, idle];
