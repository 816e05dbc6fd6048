// Several vCPUs on /dev/kvm, each in a thread of its own.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run, VMSCOPE } from '../samples/catalogue.js';
import { named, requireTool } from '../tools.js';
import { buildSmp, smpOutput } from '../vmm/smp-image.js';
import { builtKvm } from './built.js';
import { runGuest } from './flat-kvm.js';
import { kvmSkipReason } from './tools.js';

const assembler = requireTool('as');
const linker = requireTool('ld');
const noTools = !assembler.available || !linker.available;
const why = kvmSkipReason();
let folder: string;
let image: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kvm-smp-'));
  if (why === '' && !noTools) image = buildSmp(folder, assembler, linker);
});
afterAll(() => rmSync(folder, { recursive: true }));

describe.skipIf(why !== '')(`several vCPUs on /dev/kvm${why === '' ? '' : ` (${why})`}`, () => {
  it.skipIf(noTools).each([1, 2, 5])(
    named('%d of them print what they print on engine vtx', assembler, linker),
    async (cpus) => {
      const args = `run ${image} --headless --vcpus ${cpus} --append cpus=${cpus} --stats json --engine`.split(' ');
      const [vtx, kvm] = [
        await run(VMSCOPE, [...args, 'vtx'], '', 30_000),
        await run(VMSCOPE, [...args, 'kvm'], '', 40_000),
      ];
      expect(kvm.stdout).toBe(vtx.stdout);
      expect(kvm.stdout).toBe(smpOutput(cpus));
      expect(kvm.status).toBe(0);
      const { exits } = JSON.parse(kvm.stderr.split('\n').findLast((line) => line.startsWith('{'))!);
      expect(exits.EPT_VIOLATION).toBeGreaterThan(cpus);
      expect(exits['kvm exits']).toBeGreaterThan(exits.EPT_VIOLATION);
    },
    80_000,
  );

  it('one vCPU in a thread of its own exits, halts, steps and stops as in the devices’ thread', async () => {
    // out 80h,al ; inc bx ; cmp bx,1000 ; jne back ; mov al,15h ; out 0f4h,al
    const code = 'e6 80 43 81 fb e8 03 75 f7 b0 15 e6 f4 f4';
    for (const threads of [false, true]) {
      const { guest, vm } = builtKvm({ code }, { vcpus: 1, threads });
      expect((await guest.step(0, 3)).stop).toEqual({ kind: 'step' });
      expect(await guest.readRegisters(0)).toMatchObject({ rbx: 1n, rip: 0x7c07n });
      await guest.addBreakpoint({ kind: 'execute', gva: 0x7c09n });
      expect(await runGuest(guest)).toBe('breakpoint');
      expect((await guest.readRegisters(0)).rbx).toBe(1000n);
      expect(await runGuest(guest)).toBe('ended');
      expect((await guest.state()).stop).toMatchObject({ end: { kind: 'debug-exit', status: 0x2b } });
      expect(vm.exits).toBe(1001);
      await guest.quit();
    }
  });

  it.skipIf(noTools)(
    'stops at exits of either vCPU before they are handled, and none gets lost',
    async () => {
      const { guest, output } = builtKvm({ image, append: 'cpus=2' }, { vcpus: 2 });
      try {
        const seen = new Map<number, number>();
        let last = 0;
        for (;;) {
          const { stop, vcpu } = await guest.stepToExit({ reasons: [48] });
          if (stop?.kind === 'ended') break;
          if (stop?.kind !== 'exit') throw new Error(`stopped by ${stop?.kind}`);
          expect(stop.exit).toMatchObject({ reason: 48, vcpu, action: 'none' });
          expect(stop.exit.sequence).toBeGreaterThan(last);
          last = stop.exit.sequence;
          seen.set(vcpu, (seen.get(vcpu) ?? 0) + 1);
        }
        expect(output()).toBe(smpOutput(2));
        // each sets its local APIC up, sends or ends IPIs
        expect(seen.get(0)).toBeGreaterThan(15);
        expect(seen.get(1)).toBeGreaterThan(5);
        expect((await guest.exits.counts()).EPT_VIOLATION).toBe((seen.get(0) ?? 0) + (seen.get(1) ?? 0));
      } finally {
        await guest.quit();
      }
    },
    40_000,
  );

  it.each([
    { vcpus: 1 },
    { vcpus: 2 },
    { vcpus: 1, irqchip: 'on' },
    { vcpus: 2, irqchip: 'on' },
    { vcpus: 2, irqchip: 'split' },
  ] as const)('a guest that halts with interrupts off ends: %o', async (options) => {
    const { guest } = builtKvm({ code: 'fa f4 eb fd' }, options);
    try {
      expect(await runGuest(guest, 12_000)).toBe('ended');
      expect((await guest.state()).stop).toMatchObject({ end: { kind: 'halted-forever', status: 1 } });
    } finally {
      await guest.quit();
    }
  });

  it('each vCPU has its own statistics', async () => {
    const { guest, vm } = builtKvm({ code: 'b0 15 e6 f4 f4' }, { vcpus: 2 });
    expect(await runGuest(guest)).toBe('ended');
    const exits = vm.vcpus.map(({ vcpu }) => Number(vcpu.stats().read().get('exits')));
    // the second one was never started: it has been in KVM_RUN for requests only
    expect(exits[0]).toBeGreaterThan(exits[1]);
    expect((await guest.exits.counts())['kvm exits']).toBe(exits[0] + exits[1]);
    await guest.quit();
  });

  it('40 machines of two vCPUs leave no descriptor, thread, timer or mapping behind', async () => {
    const count = () => ({
      descriptors: readdirSync('/proc/self/fd').length,
      timers: readFileSync('/proc/self/timers', 'latin1').match(/^ID:/gm)?.length ?? 0,
      kvmMappings: readFileSync('/proc/self/maps', 'latin1').match(/kvm-vcpu/g)?.length ?? 0,
      threads: readdirSync('/proc/self/task').length,
    });
    const once = async (): Promise<void> => {
      const { guest } = builtKvm({ code: 'b0 15 e6 f4 f4' }, { vcpus: 2 });
      expect(await runGuest(guest)).toBe('ended');
      await guest.quit();
    };
    /** On a host that others share a thread takes its time to go, those of tests before too. */
    const settled = async (enough: (now: ReturnType<typeof count>) => boolean) => {
      for (let n = 0; n < 100 && !enough(count()); n++) await new Promise((resolve) => setTimeout(resolve, 200));
      return count();
    };
    await once();
    let last = '';
    const before = await settled((now) => last === (last = JSON.stringify(now)));
    for (let i = 0; i < 40; i++) await once();
    const isBack = (now: typeof before) =>
      Object.entries(before).every(([name, n]) => now[name as keyof typeof now] <= n);
    const after = await settled(isBack);
    expect(isBack(after), `${JSON.stringify(before)}, then ${JSON.stringify(after)}`).toBe(true);
  }, 90_000);

  it.skipIf(noTools).each(['SIGKILL', 'SIGTERM'] as const)(
    named('two that run go with their process: %s', assembler, linker),
    async (signal) => {
      // three are waited for, which two never are
      const child = spawn(VMSCOPE, [
        'run',
        image,
        '--engine',
        'kvm',
        '--vcpus',
        '2',
        '--headless',
        '--append',
        'cpus=3',
      ]);
      try {
        const running = () => readFileSync(`/proc/${child.pid}/maps`, 'latin1').match(/kvm-vcpu:[01]/g);
        await expect.poll(running, { timeout: 30_000 }).toHaveLength(2);
      } catch (error) {
        child.kill('SIGKILL');
        throw error;
      }
      child.kill(signal);
      await new Promise((resolve) => child.once('close', resolve));
      expect(readdirSync('/proc').includes(String(child.pid))).toBe(false);
    },
    40_000,
  );
});
