// Interrupt controllers in the kernel, --kernel-irqchip.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { probeKvm } from '../../src/engine/host/kvm/probe.js';
import type { KvmVm } from '../../src/engine/host/kvm/vm.js';
import { KernelIrqchip, type KernelIrqchipMode } from '../../src/engine/host/kvm-engine/kernel-irqchip.js';
import { run, SAMPLES, VMSCOPE } from '../samples/catalogue.js';
import { requireTool } from '../tools.js';
import { buildGuest, buildSmp, smpOutput } from '../vmm/smp-image.js';
import { builtKvm } from './built.js';
import { runGuest } from './flat-kvm.js';
import { kvmSkipReason } from './tools.js';

const [assembler, linker] = ['as', 'ld'].map(requireTool);
const why = kvmSkipReason() || assembler.reason || linker.reason;
/**
 * A paravirtual KVM keeps no vector in service in its local APIC: it is over when it is delivered, so that a level comes
 * once more than it should, or in split mode not again. QEMU's kernel-irqchip=on and split do the same there.
 */
const paravirtual = why === '' && probeKvm().paravirtual;
const ways = ['8259: 5', 'edge: 3', 'timer: 3', 'self: 1000', ''].join('\n');
const byLevel = 'level: 3\nentry: 00008052\n';

let folder: string;
let irqs: string;
let smp: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kvm-irqchip-'));
  if (why !== '') return;
  irqs = buildGuest(new URL('./irqchip.S', import.meta.url).pathname, folder, assembler, linker);
  smp = buildSmp(folder, assembler, linker);
});
afterAll(() => rmSync(folder, { recursive: true }));

describe.skipIf(why !== '')(`--kernel-irqchip${why === '' ? '' : ` (${why})`}`, () => {
  it.each(['vtx', 'off', 'on', 'split'])(
    '%s: interrupts come each way, as often as they should',
    async (mode) => {
      const engine = mode === 'vtx' ? ['--engine', 'vtx'] : ['--engine', 'kvm', '--kernel-irqchip', mode];
      const kernels = mode === 'on' || mode === 'split';
      const level = !(paravirtual && kernels);
      const args = ['run', irqs, '--headless', '--isa-debug-exit', '--timeout', '20', '--stats', 'json', ...engine];
      const ended = await run(VMSCOPE, [...args, '--append', level ? '!' : '-'], '', 30_000);
      expect(ended.stdout).toBe(ways + (level ? byLevel : ''));
      expect(ended.status).toBe(0);
      const { exits } = JSON.parse(ended.stderr.split('\n').findLast((line) => line.startsWith('{'))!);
      // the local APIC's page is the only memory of a device that it touches much
      if (kernels) expect(exits.EPT_VIOLATION ?? 0).toBeLessThan(20);
      else expect(exits.EPT_VIOLATION).toBeGreaterThan(2000);
    },
    40_000,
  );

  it.each(['on', 'split'] as const)(
    '%s: the kernel starts the other vCPUs, again after a reset',
    async (irqchip) => {
      const { guest, output } = builtKvm({ image: smp, append: 'cpus=3' }, { vcpus: 3, irqchip });
      try {
        expect(await runGuest(guest, 20_000)).toBe('ended');
        expect(output()).toBe(smpOutput(3));
        await guest.reset();
        expect(await runGuest(guest, 20_000)).toBe('ended');
        expect(output()).toBe(smpOutput(3) + smpOutput(3));
      } finally {
        await guest.quit();
      }
    },
    60_000,
  );

  it('the devices view shows what the kernel’s controllers hold', async () => {
    const show = async (irqchip: KernelIrqchipMode): Promise<Record<string, string>> => {
      const { guest } = builtKvm({ image: irqs, append: '-' }, { vcpus: 1, irqchip });
      try {
        expect(await runGuest(guest, 20_000)).toBe('ended');
        const devices = await guest.devices();
        const rows = devices.flatMap(({ name, rows: own }) => own.map(([key, value]) => [`${name} ${key}`, value]));
        // the counter goes on to request after the guest has masked it
        const picked = rows.filter(([key]) => /^(ioapic|lapic0) (?!IRR)/.test(key));
        const pic = rows
          .filter(([key]) => /^pic /.test(key))
          .map(([key, value]) => [key, value.replace(/IRR \S+ /, '')]);
        expect(await guest.monitor('info lapic')).toContain('APIC enabled');
        return Object.fromEntries([...picked, ...pic]) as Record<string, string>;
      } finally {
        await guest.quit();
      }
    };
    const own = await show('off');
    expect(own['ioapic pin 5']).toMatch(/51 fixed edge physical/);
    expect(await show('on')).toEqual(own);
    expect(await show('split')).toEqual(own);
  }, 60_000);

  it.each(['on', 'split'] as const)(
    '%s: a debugger steps, breaks and stops a guest that the kernel has halted',
    async (irqchip) => {
      // mov al,0ffh ; out 21h,al (no interrupts from the 8259) ; sti ; mov bx,5 ; inc bx ; hlt ; inc bx ; jmp $
      const { guest, vm } = builtKvm({ code: 'b0 ff e6 21 fb bb 05 00 43 f4 43 eb fe' }, { vcpus: 1, irqchip });
      try {
        await guest.addBreakpoint({ kind: 'execute', gva: 0x7c08n });
        expect(await runGuest(guest)).toBe('breakpoint');
        expect((await guest.step(0)).stop).toEqual({ kind: 'step' });
        expect(await guest.readRegisters(0)).toMatchObject({ rbx: 6n, rip: 0x7c09n });
        // stepped over, HLT does not halt where KVM's emulator runs it: it is run here
        for (const action of ['run', 'step', 'step', 'run']) {
          if (action === 'step')
            expect((await guest.step(0)).stop).toMatchObject({ kind: 'step', note: expect.stringMatching(/halted/) });
          else expect(await runGuest(guest, 50)).toBe('paused');
          expect(await guest.readRegisters(0)).toMatchObject({ rbx: 6n, rip: 0x7c0an });
        }
        // an NMI by message wakes it; its vector leads to the loop
        await guest.writeMemory('gpa', 8n, Uint8Array.of(0x0b, 0x7c, 0, 0));
        vm.irqchip?.message(0xfee0_0000, 0x400);
        expect(await runGuest(guest, 50)).toBe('paused');
        expect((await guest.readRegisters(0)).rip).toBe(0x7c0bn);
      } finally {
        await guest.quit();
      }
    },
  );

  it('is refused on engine vtx, and where KVM lacks it by the name of the capability', async () => {
    const { stderr, status } = await run(VMSCOPE, ['run', SAMPLES[0].folder, '--kernel-irqchip', 'on'], '', 20_000);
    expect(stderr).toContain('--kernel-irqchip on: the interrupt controllers of engine vtx are vmscope');
    expect(status).toBe(2);
    const lacking = (name: string) => ({ capability: (asked: string) => (asked === name ? 0 : 1) }) as unknown as KvmVm;
    expect(() => KernelIrqchip.create(lacking('KVM_CAP_IRQCHIP'), 'on')).toThrow('this KVM lacks KVM_CAP_IRQCHIP');
    expect(() => KernelIrqchip.create(lacking('KVM_CAP_SPLIT_IRQCHIP'), 'split')).toThrow('KVM_CAP_SPLIT_IRQCHIP');
    expect(KernelIrqchip.create(lacking('KVM_CAP_IRQCHIP'), 'off')).toBeUndefined();
  });
});
