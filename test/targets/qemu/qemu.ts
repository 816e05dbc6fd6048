/** QEMU with the tiny guest, under TCG or KVM. */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { QmpClient } from '../../../src/targets/qemu/qmp.js';
import { buildTiny } from '../guests/tiny.js';

export function hasKvm(): boolean {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

export class Qemu {
  readonly folder = mkdtempSync(join(tmpdir(), 'qm-'));
  readonly qmp = join(this.folder, 'qmp');
  readonly process: ChildProcess;
  readonly symbols: Map<string, bigint>;

  constructor(accelerator: 'tcg' | 'kvm', ...more: string[]) {
    const { rom, symbols } = buildTiny();
    this.symbols = symbols;
    const machine = ['-accel', accelerator, '-m', '16', '-bios', rom, '-nodefaults', '-display', 'none'];
    const qmp = ['-qmp', `unix:${this.qmp},server=on,wait=off`, '-name', `guest=tiny,debug-threads=on`];
    this.process = spawn('qemu-system-x86_64', [...machine, ...qmp, ...more], { stdio: 'ignore' });
  }

  /** Waits until it counts. */
  async ready(): Promise<void> {
    for (let n = 0; n < 200; n++) {
      if (existsSync(this.qmp) && (await this.counter().catch(() => 0n)) > 0n) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('the guest does not count');
  }

  /** A line of the monitor, over a connection of its own. */
  async human(line: string): Promise<string> {
    const monitor = await QmpClient.connect(this.qmp);
    try {
      return await monitor.human(line);
    } finally {
      monitor.close();
    }
  }

  async counter(): Promise<bigint> {
    return BigInt(/: (0x[0-9a-f]+)/.exec(await this.human('xp /1xg 0x500'))![1]!);
  }

  /** Whether it counts on for a while, which a breakpoint that was left behind would end. */
  async countsOn(): Promise<boolean> {
    const before = await this.counter();
    await new Promise((resolve) => setTimeout(resolve, 400));
    const middle = await this.counter();
    await new Promise((resolve) => setTimeout(resolve, 400));
    return middle > before && (await this.counter()) > middle;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill('SIGKILL');
    if (this.process.exitCode === null && this.process.signalCode === null) await ended;
  }
}
