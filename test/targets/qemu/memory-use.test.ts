/** Memory that a guest uses, read from its process: where its RAM lies there, and a whole Linux against its own words. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { GuestSample } from '../../../src/engine/fleet.js';
import { bytesBelow4G, ramMapping } from '../../../src/targets/qemu/process-ram.js';
import { qemuFacts, type VmProcess } from '../../../src/targets/qemu/processes.js';
import { named, requireScript, requireTool } from '../../tools.js';

const vmscope = fileURLToPath(new URL('../../../bin/vmscope', import.meta.url));
const GIB = 2 ** 30;

describe('the RAM of a guest in its process', () => {
  it('is the one writable mapping of its size', () => {
    const maps =
      '7f2d6be00000-7f2d77e00000 rw-p 00000000 00:00 0 \n7f2d77e00000-7f2d77e01000 ---p 00000000 00:00 0 \n' +
      '7f2d80000000-7f2d8c000000 r--p 00000000 00:00 0 \n55ed2a06b000-55ed2b2ed000 rw-p 00000000 00:00 0 [heap]\n';
    expect(ramMapping(maps, 192 << 20)).toBe(0x7f2d6be00000);
    expect(ramMapping(maps, 128 << 20)).toBeUndefined();
    expect(ramMapping(`${maps}7f3d6be00000-7f3d77e00000 rw-s 00000000 00:01 9 /memfd:x\n`, 192 << 20)).toBeUndefined();
    expect(ramMapping('zz-yy rw', 0)).toBeUndefined();
  });

  it('is divided at the hole below 4 GiB as the machine has it', () => {
    const below = (line: string) => {
      const facts = qemuFacts(['qemu', ...line.split(' ')], 1);
      return bytesBelow4G({ ...facts, pid: 1, startTicks: '', kind: 'qemu' } as VmProcess);
    };
    expect(below('-m 3G')).toBe(3 * GIB);
    expect(below('-m 3500')).toBe(3500 * 2 ** 20);
    expect(below('-m 4G')).toBe(3 * GIB);
    expect(below('-m 4G -machine pc-i440fx-7.2,usb=off')).toBe(3 * GIB);
    expect(below('-m 4G -M q35,accel=kvm')).toBe(2 * GIB);
    expect(below('-m 2G -machine type=pc-q35-7.2')).toBe(2 * GIB);
    expect(below('-m 8G -M microvm')).toBeUndefined();
    expect(bytesBelow4G({ pid: 1, startTicks: '', kind: 'firecracker', name: 'f', memoryBytes: GIB })).toBe(GIB);
  });
});

const tools = [requireTool('qemu-system-x86_64'), requireScript('samples/linux/fetch')];
const long = process.env.VMSCOPE_LONG_TESTS === '1' && process.getuid?.() === 0;
describe.skipIf(!long || tools.some(({ available }) => !available))(named('a Linux without balloon', ...tools), () => {
  it('is told to use what it says itself, of its /proc/meminfo', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mu-'));
    const linux = fileURLToPath(new URL('../../../build/guests/linux/', import.meta.url));
    const log = join(folder, 'log');
    const run = 'while :; do grep -E Mem.*: /proc/meminfo; echo END; sleep 1; done';
    const args = ['-m', '192', '-nodefaults', '-display', 'none', '-serial', `file:${log}`, '-name', 'mem'];
    args.push('-kernel', `${linux}vmlinuz`, '-initrd', `${linux}initrd.gz`, '-append', `console=ttyS0 RUN="${run}"`);
    const qemu = spawn('qemu-system-x86_64', args, { stdio: 'ignore' });
    const top = spawn(vmscope, ['top', '--no-init-file', '--json', '-d', '1'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, XDG_RUNTIME_DIR: folder },
    });
    let newest: GuestSample['memory'] | undefined;
    createInterface({ input: top.stdout! }).on('line', (line) => {
      const { guests } = JSON.parse(line) as { guests: GuestSample[] };
      newest = guests.find(({ process: own }) => own?.pid === qemu.pid)?.memory;
    });
    try {
      const until = async (what: () => boolean): Promise<void> => {
        for (let n = 0; n < 600 && !what(); n++) await new Promise((resolve) => setTimeout(resolve, 500));
      };
      const said = (): Record<string, number> | undefined => {
        const text = existsSync(log) ? readFileSync(log, 'latin1') : '';
        const last = text.split('END').at(-2);
        const rows = [...(last ?? '').matchAll(/^(Mem\w+): +(\d+) kB/gm)];
        return rows.length === 3
          ? Object.fromEntries(rows.map(([, name, kib]) => [name!, Number(kib) * 1024]))
          : undefined;
      };
      // What it freed after its start is counted too.
      await until(() => newest?.readFromGuest === true && newest.availableBytes === said()?.MemTotal);
      const [memory, meminfo] = [newest!, said()!];
      expect(memory.availableBytes).toBe(meminfo.MemTotal);
      // A moment apart, and counters of CPUs are not summed up.
      for (const [ours, its] of [[memory.usableBytes, meminfo.MemAvailable], [memory.unusedBytes, meminfo.MemFree]]) // biome-ignore format: pairs
        expect(Math.abs(ours! - its!)).toBeLessThan(3 * 2 ** 20);
    } finally {
      top.kill();
      qemu.kill('SIGKILL');
    }
  }, 400_000);
});
