/** A Linux in a libvirt domain under the debugger: kernel's symbols, a breakpoint by name, a step, and it goes on. */
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StopReason } from '../../../src/engine/debugger.js';
import { openMonitor } from '../../../src/targets/qemu/open.js';
import { QemuTarget } from '../../../src/targets/qemu/target.js';
import { named, requireScript, requireTool } from '../../tools.js';
import { Libvirtd } from './libvirtd.js';

const long = process.env.VMSCOPE_LONG_TESTS === '1' && process.getuid?.() === 0;
const tools = long ? ['libvirtd', 'virsh', 'qemu-system-x86_64', 'unshare'].map(requireTool) : [];
if (long) tools.push(requireScript('samples/linux/fetch'));

describe.skipIf(!long || tools.some(({ available }) => !available))(
  named('a libvirt domain with Linux', ...tools),
  () => {
    let daemon: Libvirtd;
    const log = join(mkdtempSync(join(tmpdir(), 'lx-')), 'serial');
    const linux = fileURLToPath(new URL('../../../build/guests/linux/', import.meta.url));
    const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
    const until = async (what: () => boolean): Promise<void> => {
      for (let n = 0; n < 600 && !what(); n++) await sleep(500);
      expect(what()).toBe(true);
    };
    const beats = (): number => (existsSync(log) ? readFileSync(log, 'latin1') : '').split('BEAT').length - 1;

    beforeAll(async () => {
      daemon = await Libvirtd.start();
      const run = "while :; do echo BEA'T'; sleep 1; done";
      daemon.createFrom(`<domain type='qemu'><name>linux</name><memory unit='MiB'>192</memory><vcpu>2</vcpu>
      <os><type arch='x86_64' machine='pc'>hvm</type><kernel>${linux}vmlinuz</kernel><initrd>${linux}initrd.gz</initrd>
      <cmdline>console=ttyS0 RUN="${run}"</cmdline></os>
      <devices><emulator>/usr/bin/qemu-system-x86_64</emulator><serial type='file'><source path='${log}'/></serial>
      <memballoon model='none'/></devices></domain>`);
      await until(() => beats() > 2);
    }, 400_000);
    afterAll(() => daemon.stop(), 60_000);

    it("stops at a kernel's function by its name, has QEMU's registers, steps, and beats on when it is left", async () => {
      const name = `libvirt:qemu+unix:///system?socket=${daemon.socket}#linux`;
      const guest = await QemuTarget.open({ ...(await openMonitor(name)), folder: join(daemon.folder, 'control') });
      try {
        const symbol = (await guest.symbols()).find((one) => one.name === 'process_one_work')!;
        expect(symbol.kind).toBe('function');
        const stopped = new Promise<StopReason>((resolve) => {
          guest.onEvent((event) => event.type === 'stopped' && event.stop.kind === 'breakpoint' && resolve(event.stop));
        });
        await guest.addBreakpoint({ kind: 'execute', gva: symbol.address });
        if (!(await guest.state()).running) await guest.resume();
        await stopped;
        const { vcpu } = await guest.state();
        const registers = await guest.readRegisters(vcpu);
        expect(registers.rip).toBe(symbol.address);
        const text = daemon.virsh('qemu-monitor-command', 'linux', '--hmp', `info registers -a`).split(/^CPU#/m)[
          vcpu + 1
        ]!;
        for (const register of ['rip', 'rsp', 'rax', 'cr3'] as const)
          expect(BigInt(`0x${new RegExp(`\\b${register}=([0-9a-f]+)`, 'i').exec(text)![1]}`), register).toBe(
            registers[register],
          );
        await guest.step(vcpu);
        expect((await guest.readRegisters(vcpu)).rip).toBeGreaterThan(symbol.address);
      } finally {
        await guest.detach();
      }
      const before = beats();
      await until(() => beats() > before + 1);
      expect(daemon.virsh('domstate', 'linux').trim()).toBe('running');
    }, 200_000);
  },
);
