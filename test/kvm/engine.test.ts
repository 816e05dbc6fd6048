import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { kvmFindings } from '../../src/cli/doctor.js';
import { chooseEngine } from '../../src/cli/engine.js';
import { EACCES, EBUSY, ENOENT } from '../../src/engine/host/kvm/errors.js';
import { probeKvm } from '../../src/engine/host/kvm/probe.js';
import { run, SAMPLES, VMSCOPE } from '../samples/catalogue.js';
import { flatGuests, flatKvm, runGuest } from './flat-kvm.js';
import { host } from './probe-host.js';
import { kvmSkipReason } from './tools.js';

const why = kvmSkipReason();
const paravirtual = why === '' && probeKvm().paravirtual;

/** A paravirtual KVM emulates ring 0 at about a million instructions a second: these take a minute there. */
const SLOW_ON_PARAVIRTUAL = ['crc32', 'memory'];
const slowToo = process.env.VMSCOPE_SLOW === '1';

const onKvm = SAMPLES.filter(({ name }) => !paravirtual || slowToo || !SLOW_ON_PARAVIRTUAL.includes(name));

describe.skipIf(why !== '')(`the machine on /dev/kvm${why === '' ? '' : ` (${why})`}`, () => {
  const flat = flatGuests();

  it.each(onKvm)(
    '$name prints the same and ends the same',
    async ({ folder, expectedKvm, status, input }) => {
      const args = ['run', folder, '--engine', 'kvm', '--headless', '--timeout', '290'];
      const ended = await run(VMSCOPE, [...args, ...(input === '' ? [] : ['--serial', 'stdio'])], input, 300_000);
      expect(ended.stdout).toBe(expectedKvm);
      expect(ended.status).toBe(status);
    },
    310_000,
  );

  it('ends by the debug-exit port, with its exits in the trace', async () => {
    const { guest } = flat('b0 15 e6 f4 f4'); // mov al,15h ; out 0f4h,al ; hlt
    expect(await runGuest(guest)).toBe('ended');
    expect((await guest.state()).stop).toMatchObject({ end: { kind: 'debug-exit', status: 0x2b } });
    const [exit] = await guest.exits.records(0, 1);
    expect(exit).toMatchObject({ reason: 30, qualification: 0xf4_0000n, action: 'stop', detail: 0x15 });
    expect(Object.keys(await guest.exits.counts())).toEqual(expect.arrayContaining(['IO_INSTRUCTION', 'kvm exits']));
  });

  it('hears of the guest’s write to IA32_APIC_BASE: a disabled APIC is gone, a moved one answers elsewhere', async () => {
    // mov ecx,1bh ; rdmsr ; and ah,0f7h ; wrmsr ; out 0f4h,al
    const off = flat('66b91b000000 0f32 80e4f7 0f30 e6f4 f4');
    const before = off.machine.pc.apicBase(0);
    expect(before).toBe(0xfee0_0900n);
    expect(await runGuest(off.guest)).toBe('ended');
    expect(off.machine.pc.apicBase(0)).toBe(before & ~0x800n);
    // mov ecx,1bh ; rdmsr ; add eax,10000h ; wrmsr ; out 0f4h,al
    const moved = flat('66b91b000000 0f32 660500000100 0f30 e6f4 f4');
    expect(await runGuest(moved.guest)).toBe('ended');
    expect(moved.machine.pc.apicBase(0)).toBe(0xfee1_0900n);
    // a reset puts it back, for KVM too: mov ecx,1bh ; rdmsr ; out 0f4h,al
    moved.machine.reset();
    expect(moved.machine.pc.apicBase(0)).toBe(before);
    expect(moved.vm.vcpus[0].sregs.getBig('apic_base')).toBe(before);
  });

  it('steps, breaks, watches a store, and shows registers and memory', async () => {
    // inc ax x3 ; mov [2000h],al ; inc bx ; jmp $
    const { guest } = flat('40 40 40 a2 00 20 43 eb fe');
    expect((await guest.step(0, 2)).stop).toEqual({ kind: 'step' });
    expect(await guest.readRegisters(0)).toMatchObject({ rax: 2n, rip: 0x7c02n, fctrl: 0x37fn });
    await guest.writeRegister(0, 'rbx', 0x1234n);
    await guest.addBreakpoint({ kind: 'execute', gva: 0x7c03n });
    expect(await runGuest(guest)).toBe('breakpoint');
    expect((await guest.readRegisters(0)).rip).toBe(0x7c03n);
    const watch = await guest.addBreakpoint({
      kind: 'watch',
      space: 'gva',
      address: 0x2000n,
      length: 1,
      access: 'write',
    });
    expect(await runGuest(guest)).toBe('watchpoint');
    expect((await guest.state()).stop).toMatchObject({ id: watch.id, access: 'write', address: 0x2000n });
    expect([...(await guest.readMemory('gva', 0x2000n, 1))]).toEqual([3]);
    await guest.removeBreakpoint(watch.id);
    expect(await runGuest(guest, 50)).toBe('paused');
    expect((await guest.readRegisters(0)).rbx).toBe(0x1235n);
    expect(guest.vmcs).toBeUndefined();
    expect((await guest.info()).unavailable.vmcs).toBe('KVM does not give the VMCS to user space');
  });

  it('delivers the timer to a halted guest', async () => {
    // IVT[8] -> 0:7c30h; PIT as the firmware set it; unmask IRQ 0; sti; hlt; handler: out 0f4h
    const { guest } = flat(`
      31 c0 8e d8 c7 06 20 00 30 7c c7 06 22 00 00 00 b0 fe e6 21 fb f4 eb fd
      90 90 90 90 90 90 90 90 90 90 90 90 90 90 90 90 90 90 90 90 90 90 90 90
      b0 07 e6 f4 f4`);
    expect(await runGuest(guest)).toBe('ended');
    expect((await guest.state()).stop).toMatchObject({ end: { kind: 'debug-exit', status: 0xf } });
  });

  it('says what KVM cannot do', async () => {
    const { guest } = flat('f4');
    const watch = { kind: 'watch', space: 'gva', address: 0n, length: 1, access: 'read' } as const;
    await expect(guest.addBreakpoint(watch)).rejects.toThrow('KVM cannot watch reads alone');
    await expect(guest.addBreakpoint({ ...watch, space: 'gpa' })).rejects.toThrow('linear addresses only');
  });

  it('100 machines leave no descriptor, thread, timer or mapping behind', async () => {
    const count = () => ({
      descriptors: readdirSync('/proc/self/fd').length,
      timers: readFileSync('/proc/self/timers', 'latin1').match(/^ID:/gm)?.length ?? 0,
      kvmMappings: readFileSync('/proc/self/maps', 'latin1').match(/kvm-vcpu/g)?.length ?? 0,
      threads: readdirSync('/proc/self/task').length,
    });
    const { guest: first } = flatKvm('b0 15 e6 f4 f4');
    await runGuest(first);
    await first.quit();
    const before = count();
    for (let i = 0; i < 100; i++) {
      const { guest } = flatKvm('b0 15 e6 f4 f4');
      expect(await runGuest(guest)).toBe('ended');
      await guest.quit();
    }
    expect(count()).toEqual(before);
  }, 60_000);

  it.each(['SIGKILL', 'SIGHUP', 'SIGTERM'] as const)(
    'a guest in an endless loop goes with its process: %s',
    async (signal) => {
      const child = spawn(VMSCOPE, [
        'run',
        SAMPLES.find(({ name }) => name === 'keyboard')!.folder,
        '--engine',
        'kvm',
        '--headless',
      ]);
      await new Promise((resolve) => child.stdout.once('data', resolve));
      const started = performance.now();
      child.kill(signal);
      await new Promise((resolve) => child.once('close', resolve));
      expect(performance.now() - started).toBeLessThan(15_000);
      expect(readdirSync('/proc').includes(String(child.pid))).toBe(false);
    },
    40_000,
  );
});

describe('--engine auto and doctor', () => {
  const probe = (h: Parameters<typeof host>[0]) => probeKvm(host(h));

  it('takes kvm where it works, and says why where it does not', () => {
    expect(chooseEngine(probe({}))).toMatchObject({
      engine: 'kvm',
      line: expect.stringContaining('/dev/kvm works'),
    });
    const lines = [{ open: -ENOENT }, { open: -EACCES }, { createVm: -EBUSY }, { flags: 'none' }].map((h) => {
      const { engine, line } = chooseEngine(probe(h));
      expect(engine).toBe('vtx');
      return line;
    });
    expect(lines[0]).toContain('engine vtx: there is no /dev/kvm');
    expect(lines[1]).toContain('no permission to open /dev/kvm');
    expect(lines[2]).toContain('KVM refused to create a machine');
    expect(lines[3]).toContain('paravirtual');
  });

  it.each([
    ['no device file', { open: -ENOENT, flags: 'none', modules: [] }, 'there is no /dev/kvm'],
    ['no permission', { open: -EACCES }, 'usermod -aG kvm'],
    ['module absent', { open: -ENOENT, modules: [] }, 'modprobe kvm_intel'],
    ['creation refused', { createVm: -EBUSY }, 'another hypervisor holds'],
  ])('doctor: %s', (_, h, text) => {
    const device = kvmFindings(probeKvm(host(h))).find(({ name }) => name === '/dev/kvm');
    expect(device?.state).toBe('no');
    expect(device?.text).toContain(text);
  });
});
