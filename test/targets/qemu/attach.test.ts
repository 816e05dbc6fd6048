/** Attaching to guests of a real QEMU: what is seen is what QEMU says, the guest is stopped only when asked, and is given back. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { DebuggerEvent } from '../../../src/engine/debugger.js';
import { findStub, freeAbandoned } from '../../../src/targets/qemu/control.js';
import { openMonitor } from '../../../src/targets/qemu/open.js';
import { QmpClient } from '../../../src/targets/qemu/qmp.js';
import { ProcessSource } from '../../../src/targets/qemu/source.js';
import { QemuTarget } from '../../../src/targets/qemu/target.js';
import { Tui } from '../../pty.js';
import { named, requireTool } from '../../tools.js';
import { echoes } from '../guests/echo.js';
import { hasKvm, Qemu } from './qemu.js';

const tools = ['qemu-system-x86_64', 'as'].map(requireTool);
const root = process.getuid?.() === 0;
const usable = root && tools.every(({ available }) => available);
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

for (const accelerator of ['tcg', 'kvm'] as const) {
  describe.skipIf(!usable || (accelerator === 'kvm' && !hasKvm()))(
    named(`attach to QEMU, ${accelerator}`, ...tools),
    () => {
      let qemu: Qemu;
      let guest: QemuTarget | undefined;
      let events: DebuggerEvent[] = [];
      let folder: string;
      beforeAll(async () => {
        qemu = new Qemu(accelerator, ...(accelerator === 'tcg' ? ['-smp', '2'] : []));
        await qemu.ready();
      }, 60_000);
      afterAll(() => qemu.stop());
      afterEach(async () => {
        await guest?.detach();
        guest = undefined;
      });
      const open = async (): Promise<QemuTarget> => {
        folder = mkdtempSync(join(tmpdir(), 'ctl-'));
        guest = await QemuTarget.open({ ...(await openMonitor(`qmp:${qemu.qmp}`)), folder });
        events = [];
        guest.onEvent((event) => events.push(event));
        return guest;
      };
      const stopOf = (target: QemuTarget) =>
        new Promise<Extract<DebuggerEvent, { type: 'stopped' }>>((resolve) => {
          const off = target.onEvent((event) => {
            if (event.type !== 'stopped') return;
            off();
            resolve(event);
          });
        });
      const count = () => qemu.symbols.get('count')!;
      const counter = async (target: QemuTarget) =>
        Buffer.from(await target.readMemory('gpa', 0x500n, 8)).readBigUInt64LE();

      it('observes registers, memory, tables and devices of a guest that runs on, and starts no stub', async () => {
        const target = await open();
        expect(await target.info()).toMatchObject({
          name: 'tiny',
          engine: 'qemu',
          vcpus: accelerator === 'tcg' ? 2 : 1,
        });
        const first = await counter(target);
        await sleep(300);
        expect(await counter(target)).toBeGreaterThan(first);
        const { rip, cr3, cs_ar } = await target.readRegisters(0);
        expect(rip! >= 0x9000n && rip! < 0x9100n).toBe(true);
        expect([cr3, cs_ar! & 0x2000n]).toEqual([0x1000n, 0x2000n]);
        // By the page tables, and the ROM over RAM by the flat view.
        expect(await target.readMemory('gva', 0x9000n, 16)).toEqual(await target.readMemory('gpa', 0x9000n, 16));
        expect(Buffer.from(await target.readMemory('gpa', 0xffff0n, 1))[0]).toBe(0xea);
        expect((await target.walk(0x9000n)).levels.map(({ table }) => table)).toEqual(['PML4', 'PDPT', 'PD']);
        expect((await target.readMemory('gpa', 0x1000000n, 8)).length).toBe(0);
        expect((await target.devices()).map(({ name }) => name)).toContain('PCI bus 0');
        expect((await target.state()).running).toBe(true);
        expect(events).toEqual([]);
        expect(readdirSync(folder)).toEqual([]);
        await target.detach();
        expect(await qemu.countsOn()).toBe(true);
      }, 30_000);

      it("stops it; then every register is what QEMU's monitor and its stub say", async () => {
        const target = await open();
        expect((await target.pause()).running).toBe(false);
        expect(events.map(({ type }) => type)).toEqual(['message', 'stopped']);
        expect(await counter(target)).toBe(await counter(target));
        const text = (await target.monitor('info registers'))!;
        const registers = await target.readRegisters(0);
        for (const [, name, value] of text.matchAll(/\b(R[A-D]X|R[SD]I|R[SB]P|RIP|CR[0234]|EFER) ?=([0-9a-f]+)/g))
          expect(registers[name!.toLowerCase()], name).toBe(BigInt(`0x${value}`));
        for (const [n, value] of [0x1122334455667788n, registers.rbx!].entries()) {
          // A write before a read is lost on KVM, which is why it is read back.
          await target.writeRegister(0, 'rbx', value);
          expect((await target.readRegisters(0)).rbx, String(n)).toBe(value);
        }
        await expect(target.writeRegister(0, 'nothing', 1n)).rejects.toThrow(/no register nothing/);
        await target.detach();
        expect(await qemu.countsOn()).toBe(true);
      }, 30_000);

      it('breaks at an address again and again, although the vCPU stands on it, and steps exactly one instruction', async () => {
        const target = await open();
        const { id } = await target.addBreakpoint({ kind: 'execute', gva: count() });
        let last = 0n;
        for (let n = 0; n < 5; n++) {
          const stopped = stopOf(target);
          if (n > 0) await target.resume();
          const { stop, vcpu } = await stopped;
          expect(stop).toEqual({ kind: 'breakpoint', id, gva: count() });
          expect((await target.readRegisters(vcpu)).rip).toBe(count());
          const now = await counter(target);
          if (n > 0 && accelerator === 'kvm') expect(now - last).toBe(1n);
          last = now;
        }
        const { vcpu } = await target.state();
        const code = Buffer.from(await target.readMemory('gva', count(), 3));
        await target.step(vcpu);
        // movq 0x500, %rax: eight bytes, and no 0xcc in them.
        expect(code[0]).toBe(0x48);
        expect((await target.readRegisters(vcpu)).rip).toBe(count() + 8n);
        expect(await target.removeBreakpoint(id)).toBe(true);
        const reached = await target.runUntil({ gva: 0x9000n });
        expect(reached.stop).toEqual({ kind: 'until' });
        await target.detach();
        expect(await qemu.countsOn()).toBe(true);
      }, 60_000);

      it('leaves a guest standing that it found standing, breakpoints gone and the stub off', async () => {
        await qemu.human('stop');
        const target = await open();
        expect((await target.state()).running).toBe(false);
        await target.step(0, 2);
        await target.addBreakpoint({ kind: 'execute', gva: count() });
        const stopped = stopOf(target);
        await target.resume();
        await stopped;
        await target.detach();
        expect(await qemu.human('info status')).toMatch(/paused/);
        const monitor = await QmpClient.connect(qemu.qmp);
        expect(await findStub(monitor)).toBeUndefined();
        await monitor.execute('cont');
        monitor.close();
        expect(readdirSync(folder)).toEqual([]);
        expect(await qemu.countsOn()).toBe(true);
      }, 30_000);

      it('goes once through its end, however often it is told', async () => {
        const target = await open();
        await target.pause();
        await Promise.all([target.detach(), target.detach(), target.detach()]);
        expect(await qemu.countsOn()).toBe(true);
      }, 30_000);

      it('has QEMU write a memory dump, of which it tells the path', async () => {
        const target = await open();
        const { file, memoryBytes } = await target.dumpMemory(join(folder, 'core'));
        expect([file, memoryBytes]).toEqual([join(folder, 'core'), 16 << 20]);
        expect(readFileSync(file).subarray(0, 4).toString('latin1')).toBe('\x7fELF');
        await expect(target.dumpMemory('/no/such/folder/core')).rejects.toThrow(/no such|No such|Could not|failed/i);
        rmSync(file);
        expect((await target.state()).running).toBe(true);
      }, 30_000);

      it("follows what others do by the monitor: libvirt's or a user's stop and cont", async () => {
        const target = await open();
        await target.monitor('stop');
        await sleep(200);
        expect((await target.state()).running).toBe(false);
        await target.monitor('cont');
        await sleep(200);
        expect((await target.state()).running).toBe(true);
        await target.pause();
        await sleep(200);
        await target.monitor('cont');
        await sleep(200);
        expect((await target.state()).running).toBe(true);
        expect((await target.pause()).running).toBe(false);
      }, 30_000);

      it('refuses what a stub cannot do in one line', async () => {
        const target = await open();
        const watch = { kind: 'watch', space: 'gpa', address: 0x508n, length: 8, access: 'write' } as const;
        await expect(target.addBreakpoint(watch)).rejects.toThrow(/linear addresses only/);
        await expect(target.addBreakpoint({ kind: 'exit', condition: {} })).rejects.toThrow(/no VM exits|VM exits/);
        await expect(target.stepToExit()).rejects.toThrow(/does not report VM exits/);
        if (accelerator === 'kvm') {
          for (let n = 0n; n < 4n; n++) await target.addBreakpoint({ kind: 'execute', gva: 0xa000n + n });
          await expect(target.addBreakpoint({ kind: 'execute', gva: 0xb000n })).rejects.toThrow(/four in all/);
          expect(await target.breakpoints()).toHaveLength(4);
        }
      }, 30_000);

      it.skipIf(accelerator === 'kvm')(
        'stops at an access to memory',
        async () => {
          const target = await open();
          const { id } = await target.addBreakpoint({
            kind: 'watch',
            space: 'gva',
            address: 0x508n,
            length: 8,
            access: 'write',
          });
          expect((await stopOf(target)).stop).toMatchObject({
            kind: 'watchpoint',
            id,
            access: 'write',
            address: 0x508n,
          });
        },
        30_000,
      );

      it('takes no guest that another debugger has, and tells so', async () => {
        const first = await open();
        await first.pause();
        // The monitor serves one client; the second one is told within its time.
        await expect(openMonitor(`qmp:${qemu.qmp}`)).rejects.toThrow(/another client has the monitor/);
        await first.detach();
        const stub = join(folder, 'theirs');
        await qemu.human(`gdbserver unix:${stub},server=on,wait=off`);
        const other = createConnection(stub);
        await sleep(200);
        const target = await open();
        await expect(target.step(0)).rejects.toThrow(/another debugger has the guest/);
        await target.detach();
        other.destroy();
        await qemu.human('gdbserver none');
        await qemu.human('cont');
        expect(await qemu.countsOn()).toBe(true);
      }, 30_000);

      it('frees the guest of a vmscope that was killed at any of ten moments', async () => {
        const script = fileURLToPath(new URL('controller.mjs', import.meta.url));
        folder = mkdtempSync(join(tmpdir(), 'ctl-'));
        const args = [script, `qmp:${qemu.qmp}`, folder, String(count())];
        const { start, words } = JSON.parse(
          execFileSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 }),
        );
        expect(readdirSync(folder)).toEqual([]);
        expect(await qemu.countsOn()).toBe(true);
        for (let moment = 0; moment < 10; moment++) {
          const at = Math.round(start + 1 + ((words - start - 2) * moment) / 9);
          const child = spawn(process.execPath, [...args, String(at)], { stdio: 'ignore' });
          const signal = await new Promise((resolve) => child.once('exit', (_code, by) => resolve(by)));
          expect(signal, `word ${at} of ${words}`).toBe('SIGKILL');
          await freeAbandoned(folder, async (target) => (await openMonitor(target)).monitor);
          expect(
            readdirSync(folder).filter((name) => name.endsWith('.json')),
            `word ${at}`,
          ).toEqual([]);
          expect(await qemu.countsOn(), `after word ${at} of ${words}`).toBe(true);
        }
      }, 180_000);

      it('has the serial port both ways by the terminal that QEMU made for it', async () => {
        const own = new Qemu(accelerator, '-serial', 'pty');
        try {
          await own.ready();
          folder = mkdtempSync(join(tmpdir(), 'ctl-'));
          guest = await QemuTarget.open({ ...(await openMonitor(`qmp:${own.qmp}`)), folder });
          await echoes(guest);
          await guest.detach();
          expect(await own.countsOn()).toBe(true);
        } finally {
          await own.stop();
        }
      }, 60_000);

      it('shows a migration as a job, with its bytes, until it is cancelled', async () => {
        await qemu.human('migrate_set_parameter max-bandwidth 1000B');
        await qemu.human('migrate -d "exec:cat >/dev/null"');
        const source = new ProcessSource();
        const own = async () => (await source.look()).guests.find(({ name }) => name === 'tiny')!;
        let guest = await own();
        for (let n = 0; n < 100 && !guest.jobs?.[0]?.totalBytes; n++) {
          await sleep(50);
          guest = await own();
        }
        expect(guest.jobs).toMatchObject([{ kind: 'migration', totalBytes: expect.any(Number) }]);
        expect(guest.jobs![0]!.totalBytes!).toBeGreaterThanOrEqual(16 << 20);
        await qemu.human('migrate_cancel');
        for (let n = 0; n < 100 && guest.jobs; n++) {
          await sleep(50);
          guest = await own();
        }
        expect(guest.jobs).toBeUndefined();
        // One that was about to be handed over stands.
        await qemu.human('cont');
        expect(await qemu.countsOn()).toBe(true);
      }, 30_000);

      it('is a row of vmscope top with the figures that QEMU has', async () => {
        const source = new ProcessSource();
        await qemu.human('stop');
        const look = await source.look();
        const row = look.guests.find(({ process: one }) => one?.pid === qemu.process.pid)!;
        expect(row).toMatchObject({ name: 'tiny', state: 'paused', attach: `qmp:${qemu.qmp}` });
        expect(row.vcpu).toHaveLength(accelerator === 'tcg' ? 2 : 1);
        if (accelerator === 'kvm') expect(row.exits!.total).toBeGreaterThan(100);
        else expect(row.missing!.exits).toMatch(/TCG/);
        await source.act(row.key, 'resume');
        expect(await qemu.countsOn()).toBe(true);
        source.close();
      }, 30_000);
    },
  );
}

describe.skipIf(!usable)(named('vmscope attach', ...tools), () => {
  const vmscope = fileURLToPath(new URL('../../../bin/vmscope', import.meta.url));

  it('shows the dashboard of a QEMU guest: observes, steps, and gives it back', async () => {
    const qemu = new Qemu('tcg');
    await qemu.ready();
    const env = { XDG_RUNTIME_DIR: qemu.folder };
    const tui = new Tui(vmscope, ['attach', `qmp:${qemu.qmp}`], 120, 40, env);
    try {
      await tui.until(/tiny .*RUNNING/, 20_000);
      tui.send('s');
      await tui.until(/STOPPED/, 20_000);
      tui.send('q');
      expect(await tui.exit).toBe(0);
      expect(await qemu.countsOn()).toBe(true);
    } finally {
      tui.kill();
      await qemu.stop();
    }
  }, 60_000);

  it('tells in one line what it cannot open', () => {
    const run = (name: string): string => {
      try {
        execFileSync(vmscope, ['attach', name, '--gdb', '0'], { encoding: 'utf8', stdio: 'pipe' });
        return '';
      } catch (error) {
        const { status, stderr } = error as { status: number; stderr: string };
        expect(status).toBe(2);
        return stderr;
      }
    };
    expect(run('qmp:/no/such')).toBe('vmscope: attach qmp:/no/such: no socket /no/such\n');
    expect(run('pid:1')).toMatch(/^vmscope: attach pid:1: no virtual machine has this process number\n$/);
    expect(run('pid:x')).toMatch(/no virtual machine/);
    expect(run('libvirt:')).toMatch(/which domain/);
  });
});
