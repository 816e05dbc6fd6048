/** The kernel's view of a Linux in QEMU whose process cannot be read: by the monitor, and by a GDB stub alone. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { perform } from '../../../src/commands/script.js';
import { openSession } from '../../../src/commands/session.js';
import type { Debugger } from '../../../src/engine/debugger.js';
import { FetchedMemory } from '../../../src/targets/fetched-memory.js';
import { GdbTarget } from '../../../src/targets/gdb/target.js';
import { QmpClient } from '../../../src/targets/qemu/qmp.js';
import { QemuTarget } from '../../../src/targets/qemu/target.js';
import { SlowKernel } from '../../../src/targets/slow-kernel.js';
import { named, requireScript, requireTool } from '../../tools.js';

describe('memory that is fetched', () => {
  const slow = (log: string[]) => ({
    read: async (gpa: bigint, length: number) => {
      log.push(`${gpa.toString(16)}+${length.toString(16)}`);
      return Buffer.alloc(Math.max(0, Math.min(length, 0x10000 - Number(gpa))), Number(gpa >> 12n));
    },
  });

  it('lets a reader read again until it has all pages, each fetched once, those that lie together at once', async () => {
    const log: string[] = [];
    const memory = new FetchedMemory(slow(log), 0x10000);
    const work = async () => [0x1ffe, 0x5000].flatMap((at) => [...memory.view(at, 4)]);
    expect(await memory.run(work, true)).toEqual([1, 1, 1, 1, 5, 5, 5, 5]);
    expect(log).toEqual(['1000+2000', '5000+1000']);
    // One that swallows what a missing page throws is run again too.
    const swallows = async () => {
      try {
        return memory.view(0x7000, 1)[0];
      } catch {
        return 'half';
      }
    };
    expect(await memory.run(swallows, false)).toBe(7);
    // Kept is what does not change; the rest is read anew.
    memory.keep(0x1000, 0x2000);
    log.length = 0;
    expect(await memory.run(work, true)).toHaveLength(8);
    expect(log).toEqual(['2000+1000', '5000+1000']);
  });

  it('reads zeroes in a search and beyond its end, gives a reader its own error, and ends one that never does', async () => {
    const log: string[] = [];
    const memory = new FetchedMemory(slow(log), 0x10000);
    expect((await memory.run(async () => memory.view(0, 0x20000), true)).every((byte) => byte === 0)).toBe(true);
    expect(log).toEqual([]);
    expect([...(await memory.run(async () => memory.view(0x20000, 2), true))]).toEqual([0, 0]);
    await expect(memory.run(async () => Promise.reject(new Error('its own')), true)).rejects.toThrow('its own');
    let at = 0;
    const endless = async (): Promise<void> => {
      for (let n = 0; n <= at; n++) memory.view(n * 0x1000, 1);
      at++;
      throw new Error('reads on');
    };
    await expect(memory.run(endless, true)).rejects.toThrow(/reads on|pages of guest memory/);
  });
});

describe('a guest without Linux', () => {
  it('is not searched: its interrupt handlers lie where no kernel has its image', async () => {
    // Long mode with all memory mapped one to one by a page of a gigabyte, and an IDT of one handler.
    const ram = Buffer.alloc(1 << 20);
    ram.writeBigUInt64LE(0x2003n, 0x1000);
    ram.writeBigUInt64LE(0x83n, 0x2000);
    ram.writeUInt16LE(0x4000, 0x3000 + 14 * 16);
    let bytes = 0;
    const slow = {
      read: async (gpa: bigint, length: number) => {
        bytes += length;
        return ram.subarray(Number(gpa), Number(gpa) + length);
      },
    };
    const registers = { cr0: 0x8000_0001n, cr3: 0x1000n, cr4: 0x20n, efer: 0x500n, idtr_base: 0x3000n };
    const kernel = new SlowKernel(
      slow,
      2 ** 40,
      async () => registers,
      () => {},
      1,
    );
    expect(await kernel.find()).toBe(false);
    expect([await kernel.code.symbols(), await kernel.os.info()]).toEqual([[], undefined]);
    expect(bytes).toBeLessThan(4096);
  });
});

const root = fileURLToPath(new URL('../../..', import.meta.url));
const tools = ['qemu-system-x86_64', 'apt-get'].map(requireTool);
const usable = tools.every(({ available }) => available);
const guest = usable ? requireScript(`${root}samples/linux/fetch`) : tools.find(({ available }) => !available)!;

describe.skipIf(!guest.available)(named('Linux in QEMU', guest), () => {
  const folder = mkdtempSync(join(tmpdir(), 'slow-'));
  let qemu: ChildProcess;
  beforeAll(async () => {
    const images = `${root}build/guests/linux`;
    const serial = join(folder, 'serial');
    const machine = ['-accel', 'tcg', '-m', '192', '-nodefaults', '-display', 'none', '-serial', `file:${serial}`];
    const kernel = ['-kernel', `${images}/vmlinuz`, '-initrd', `${images}/initrd.gz`, '-append', 'console=ttyS0'];
    const doors = ['-qmp', `unix:${folder}/qmp,server=on,wait=off`, '-gdb', `unix:${folder}/gdb,server=on,wait=off`];
    qemu = spawn('qemu-system-x86_64', [...machine, ...kernel, ...doors], { stdio: 'ignore' });
    const up = (): boolean => existsSync(serial) && /GUEST-UP/.test(readFileSync(serial, 'latin1'));
    for (let n = 0; n < 2000 && !up(); n++) await new Promise((resolve) => setTimeout(resolve, 100));
  }, 240_000);
  afterAll(async () => {
    const ended = new Promise((resolve) => qemu.once('exit', resolve));
    qemu.kill('SIGKILL');
    await ended;
  });

  const isLinux = async (target: Debugger): Promise<void> => {
    expect(await target.os!.info()).toMatchObject({
      kind: 'linux',
      bits: 64,
      release: expect.stringMatching(/^\d+\.\d+/),
    });
    const symbols = await target.symbols();
    expect(symbols.length).toBeGreaterThan(50_000);
    const names = new Set(symbols.map(({ name }) => name));
    expect(['do_syscall_64', 'virtqueue_kick [virtio_ring]'].filter((name) => !names.has(name))).toEqual([]);
    const tasks = await target.os!.processes();
    expect(tasks.find(({ pid }) => pid === 1)?.name).toBeTruthy();
    expect(tasks.find(({ pid }) => pid === 2)?.name).toBe('kthreadd');
    expect((await target.os!.log())[0]!.text).toMatch(/^Linux version /);
    expect((await target.os!.modules()).map(({ name }) => name)).toContain('virtio_ring');
    // by the kernel's own types, without a file
    const said = saidBy(target);
    expect(await said('print ((struct task_struct *)&init_task)->comm')).toMatch(/^"swapper\/0\\000/);
    expect(await said('ptype struct list_head')).toBe(
      'type = struct list_head {\n    struct list_head *next;\n    struct list_head *prev;\n}',
    );
    expect(await said('whatis vfs_read')).toMatch(/^type = ssize_t \(struct file \*, char \*, size_t, loff_t \*\)$/);
    // and by its modules'
    expect(await said('whatis virtqueue_kick')).toBe('type = bool (struct virtqueue *)');
    expect(await said('ptype struct vring_virtqueue')).toMatch(
      /^type = struct vring_virtqueue \{\n {4}struct virtqueue vq;\n/,
    );
  };
  const saidBy = (target: Debugger) => {
    const session = openSession(target, { waits: true });
    return async (line: string): Promise<string> => await (await perform(session, line)).text();
  };

  it('shows its processes, log, modules and symbols by the monitor, while it runs on', async () => {
    const monitor = await QmpClient.connect(join(folder, 'qmp'), { answerMs: 30_000 });
    const target = await QemuTarget.open({ monitor, target: 'qmp:x', engine: 'qemu', folder });
    expect((await target.info()).unavailable.os).toBeUndefined();
    await isLinux(target);
    expect((await target.state()).running).toBe(true);
    await target.detach();
  }, 240_000);

  it('shows the same by a GDB stub alone, and says that it must stand for it', async () => {
    const where = join(folder, 'gdb');
    const target = await GdbTarget.open({ target: `gdb:${where}`, where, folder });
    await isLinux(target);
    const said = saidBy(target);
    expect(await said('print current->pid')).toBe(String((await target.os!.current(0))!.pid));
    const bt = await said('bt');
    expect(bt).toMatch(/#1 /);
    expect(bt.split('\n').filter((line) => /found by a search/.test(line))).toEqual([]);
    await target.resume();
    await expect(target.os!.processes()).rejects.toThrow(/only while it is stopped/);
    await target.detach();
  }, 240_000);
});
