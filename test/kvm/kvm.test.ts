import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { build } from 'vite';
import { afterEach, describe, expect, it } from 'vitest';
import {
  DirtyLog,
  EXIT_REASONS,
  GuestMemory,
  INTERRUPTED,
  type Kvm,
  KvmError,
  KvmStruct,
  type KvmVm,
  kick,
  MP_STATES,
  structs,
} from '../../src/engine/host/kvm/index.js';
import { CODE, realModeGuest, restart } from './guest.js';
import { kvmSkipReason } from './tools.js';

const why = kvmSkipReason();

describe.skipIf(why !== '')(`a real /dev/kvm${why === '' ? '' : ` (${why})`}`, () => {
  const open: { vm: KvmVm; kvm: Kvm }[] = [];
  const guest = (code: number[]) => {
    const made = realModeGuest(code);
    open.push(made);
    return made;
  };
  afterEach(() => {
    for (const { vm, kvm } of open.splice(0)) {
      vm.close();
      kvm.close();
    }
  });

  it('port output and input, registers and memory', () => {
    // mov al,'A'; out 0x10,al; in al,0x11; mov [0x2000],al; hlt
    const { vcpu, memory } = guest([0xb0, 0x41, 0xe6, 0x10, 0xe4, 0x11, 0xa2, 0x00, 0x20, 0xf4]);
    expect(vcpu.run()).toBe(EXIT_REASONS.KVM_EXIT_IO);
    expect([vcpu.page.get('exit.io.direction'), vcpu.page.get('exit.io.port')]).toEqual([1, 0x10]);
    expect([...vcpu.ioData()]).toEqual([0x41]);
    expect(vcpu.run()).toBe(EXIT_REASONS.KVM_EXIT_IO);
    expect([vcpu.page.get('exit.io.direction'), vcpu.page.get('exit.io.port')]).toEqual([0, 0x11]);
    vcpu.ioData()[0] = 0x5a;
    expect(vcpu.run()).toBe(EXIT_REASONS.KVM_EXIT_HLT);
    expect(memory.bytes[0x2000]).toBe(0x5a);
    expect(vcpu.regs().getBig('rip')).toBe(BigInt(CODE + 10));
  });

  it('memory-mapped access, and the dirty log', () => {
    // mov ax,0x2000 ; mov ds,ax ; mov byte [0x10],0x77 ; mov word [0x3000 of segment 0],.. ; hlt
    const { vm, vcpu } = guest([
      0xb8, 0x00, 0x20, 0x8e, 0xd8, 0xc6, 0x06, 0x10, 0x00, 0x77, 0x31, 0xc0, 0x8e, 0xd8, 0xc6, 0x06, 0x00, 0x30, 0x01,
      0xf4,
    ]);
    const log = new DirtyLog(vm, 0);
    expect(vcpu.run()).toBe(EXIT_REASONS.KVM_EXIT_MMIO);
    expect(vcpu.page.getBig('exit.mmio.phys_addr')).toBe(0x20010n);
    expect([vcpu.page.get('exit.mmio.len'), vcpu.page.get('exit.mmio.is_write')]).toEqual([1, 1]);
    expect(vcpu.page.slice('exit.mmio.data')[0]).toBe(0x77);
    expect(vcpu.run()).toBe(EXIT_REASONS.KVM_EXIT_HLT);
    expect(log.take()).toEqual([0x3000]);
    expect(log.take()).toEqual([]);
  });

  it('the dirty log has each page written since the last look, and only those', () => {
    // mov ax,ds:[5000h] ; mov ds:[6ffeh],ax ; mov ds:[0dffeh],eax ; hlt ; mov ds:[8000h],al ; hlt ; mov ds:[9000h],al ; hlt
    const { vm, vcpu, memory } = guest([
      0xa1, 0x00, 0x50, 0xa3, 0xfe, 0x6f, 0x66, 0xa3, 0xfe, 0xdf, 0xf4, 0xa2, 0x00, 0x80, 0xf4, 0xa2, 0x00, 0x90, 0xf4,
    ]);
    const log = new DirtyLog(vm, 0);
    expect(vcpu.run()).toBe(EXIT_REASONS.KVM_EXIT_HLT);
    expect(log.take()).toEqual([0x6000, 0xd000, 0xe000]);
    memory.bytes[0x7000] = 1; // this process's own writes do not show
    expect(vcpu.run()).toBe(EXIT_REASONS.KVM_EXIT_HLT);
    expect(log.take()).toEqual([0x8000]);
    log.close();
    expect(vcpu.run()).toBe(EXIT_REASONS.KVM_EXIT_HLT);
    expect(() => log.take()).toThrow('KVM_GET_DIRTY_LOG: ENOENT');
    expect(memory.bytes[0x9000]).toBe(memory.bytes[0x8000]);
    expect(() => new DirtyLog(vm, 7)).toThrow('no memory slot 7');
  });

  it('state of every kind goes in and comes out', () => {
    const { vcpu, kvm } = guest([0xf4]);
    const xsave = vcpu.xsave();
    xsave.view.setUint16(0, 0x27f, true);
    xsave.view.setUint32(24, 0x1fa0, true);
    xsave.bytes[160 + 17] = 0xab;
    xsave.view.setBigUint64(512, 3n, true); // XSTATE_BV: x87 and SSE are in the area
    vcpu.setXsave(xsave);
    expect([vcpu.fpu().slice('xmm')[17], vcpu.fpu().get('fcw')]).toEqual([0xab, 0x27f]);
    expect(vcpu.xsave().view.getUint32(24, true)).toBe(0x1fa0);
    vcpu.setFpu(vcpu.fpu().set('fcw', 0x37f));
    expect(vcpu.fpu().get('fcw')).toBe(0x37f);

    const debug = vcpu.debugRegs();
    debug.setBig('db', 0x1234n, 2);
    vcpu.setDebugRegs(debug);
    expect(vcpu.debugRegs().getBig('db', 2)).toBe(0x1234n);

    expect(
      vcpu.setMsrs([
        [0x174, 0x10n],
        [0x175, 0x7700n],
      ]),
    ).toBeUndefined();
    expect(vcpu.msrs([0x174, 0x175])).toEqual([0x10n, 0x7700n]);
    expect(kvm.msrIndices()).toContain(0x174);
    expect(vcpu.msrs([0x4fff_ffff, 0x175])).toEqual([undefined, 0x7700n]);

    const events = vcpu.events();
    events.set('nmi.masked', 1);
    vcpu.setEvents(events);
    expect(vcpu.events().get('nmi.masked')).toBe(1);
    expect(vcpu.mpState()).toBe(MP_STATES.KVM_MP_STATE_RUNNABLE);
    vcpu.setCpuid(kvm.supportedCpuid());
    expect(vcpu.xcr0() & 1n).toBe(1n);
    expect(vcpu.translate(0x1000n)).toBe(0x1000n);
  });

  it('single steps and hardware breakpoints of the debugger', () => {
    const { vcpu } = guest([0x40, 0x40, 0x40, 0x40, 0xf4]);
    vcpu.setGuestDebug({ singleStep: true });
    for (const rip of [1n, 2n]) {
      expect(vcpu.run()).toBe(EXIT_REASONS.KVM_EXIT_DEBUG);
      expect(vcpu.page.getBig('exit.debug.arch.pc')).toBe(BigInt(CODE) + rip);
    }
    vcpu.setGuestDebug({});
    expect(vcpu.run()).toBe(EXIT_REASONS.KVM_EXIT_HLT);
    expect(vcpu.regs().getBig('rax')).toBe(4n);
  });

  it('refusals carry errno, the request and advice', () => {
    const { vcpu, vm } = guest([0xf4]);
    const sregs = vcpu.sregs().set('cr0', 0x8000_0000n); // PG without PE
    let error: unknown;
    try {
      vcpu.setSregs(sregs);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(KvmError);
    expect(error).toMatchObject({ kind: 'ioctl', call: 'KVM_SET_SREGS', errnoName: 'EINVAL' });
    expect(() => vm.createVcpu(0)).toThrow('KVM refused KVM_CREATE_VCPU: EEXIST');
    expect(() => new GuestMemory(100)).toThrow('multiple of 4096');
    vm.close();
    expect(() => vcpu.run()).toThrow('vCPU 0 is closed');
  });

  it('counts its exits in the statistics file', () => {
    const { vcpu } = guest([0xe6, 0x10, 0xeb, 0xfc]);
    const before = vcpu.stats().read().get('exits') ?? 0n;
    for (let i = 0; i < 10; i++) expect(vcpu.run()).toBe(EXIT_REASONS.KVM_EXIT_IO);
    const after = vcpu.stats().read();
    expect(after.size).toBeGreaterThan(20);
    expect(after.get('exits')! - before).toBeGreaterThanOrEqual(10n);
  });

  it('immediate_exit comes back before the guest runs', () => {
    const { vcpu } = guest([0x40, 0xf4]);
    vcpu.setImmediateExit(true);
    expect(vcpu.run()).toBe(INTERRUPTED);
    expect(vcpu.regs().getBig('rax')).toBe(0n);
    vcpu.setImmediateExit(false);
    expect(vcpu.run()).toBe(EXIT_REASONS.KVM_EXIT_HLT);
  });

  it('a guest in an endless loop is kicked from another thread, before and during the run', async () => {
    const built = await build({
      configFile: false,
      logLevel: 'silent',
      build: {
        write: false,
        ssr: fileURLToPath(new URL('./spinner.ts', import.meta.url)),
        rollupOptions: { external: ['koffi'] },
      },
    });
    const { output } = built as { output: { code: string }[] };
    const folder = mkdtempSync(fileURLToPath(new URL('../../node_modules/.spinner-', import.meta.url)));
    writeFileSync(join(folder, 'spinner.mjs'), output[0].code);
    const worker = new Worker(join(folder, 'spinner.mjs'));
    try {
      type Message = { event: string; target: { pid: number; tid: number } };
      const next = async (): Promise<Message> => (await once(worker, 'message'))[0] as Message;
      const ready = await next();
      for (let round = 0; round < 20; round++) {
        const returned = next();
        worker.postMessage('run');
        if (round % 2 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
        expect(kick(ready.target)).toBe(true);
        expect((await returned).event).toBe('interrupted');
      }
      const ended = next();
      worker.postMessage('end');
      expect((await ended).event).toBe('ended');
    } finally {
      await worker.terminate();
      rmSync(folder, { recursive: true });
    }
    expect(kick({ pid: process.pid, tid: process.pid })).toBe(true); // ignored by a thread that runs no vCPU
  });

  it('100 machines leave no descriptor, mapping or thread behind', () => {
    const count = () => ({
      descriptors: readdirSync('/proc/self/fd').length,
      kvmMappings: readFileSync('/proc/self/maps', 'latin1').match(/kvm-vcpu/g)?.length ?? 0,
      threads: readdirSync('/proc/self/task').length,
    });
    const before = count();
    for (let i = 0; i < 100; i++) {
      const { vm, kvm, vcpu } = realModeGuest([0xf4]);
      expect(vcpu.run()).toBe(EXIT_REASONS.KVM_EXIT_HLT);
      vm.close();
      kvm.close();
    }
    expect(count()).toEqual(before);
  });

  it('keeps the registers in the shared page with KVM_CAP_SYNC_REGS', () => {
    const { vcpu, kvm } = guest([0x40, 0xf4]);
    if ((kvm.capability('KVM_CAP_SYNC_REGS') & 1) === 0) return;
    restart(vcpu);
    vcpu.page.set('kvm_valid_regs', 1n);
    expect(vcpu.run()).toBe(EXIT_REASONS.KVM_EXIT_HLT);
    expect(vcpu.page.getBig('s.regs.regs.rax')).toBe(1n);
    expect(new KvmStruct(structs.KVM_REGS, vcpu.page.slice('s.regs.regs')).getBig('rip')).toBe(BigInt(CODE + 2));
  });
});
