/** A machine on /dev/kvm is saved, loaded into another one, and moved to another process: it goes on where it was. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectGuest } from '../../src/cli/guest-socket.js';
import type { KernelIrqchipMode } from '../../src/engine/host/kvm-engine/kernel-irqchip.js';
import { readState } from '../../src/engine/host/state-file.js';
import { PROGRAM } from '../cli/vmscope.js';
import { run, SAMPLES, VMSCOPE } from '../samples/catalogue.js';
import { requireTool } from '../tools.js';
import { buildGuest, buildSmp, smpOutput } from '../vmm/smp-image.js';
import { type BuiltKvm, builtKvm } from './built.js';
import { runGuest } from './flat-kvm.js';
import { kvmSkipReason } from './tools.js';

const [assembler, linker] = ['as', 'ld'].map(requireTool);
const why = kvmSkipReason() || assembler.reason || linker.reason;
const folder = mkdtempSync(join(tmpdir(), 'kvm-state-'));
afterAll(() => rmSync(folder, { recursive: true }));
let irqs: string;
let smp: string;
beforeAll(() => {
  if (why !== '') return;
  irqs = buildGuest(new URL('./irqchip.S', import.meta.url).pathname, folder, assembler, linker);
  smp = buildSmp(folder, assembler, linker);
});

/** Prints 0 to 9 over and over: mov dx, 3f8h; mov al, '0'; out; inc; a delay; cmp al, ':'; jne out; jmp mov al. */
const DIGITS = 'baf803 b030 ee fec0 b90010 e2fe 3c3a 75f4 ebf0'.replaceAll(' ', '');
const TSC = 0x10;
/** A component in its first state may count as in use, or not. @sdm 1 13.6 "Processor Tracking of XSAVE-Managed State" */
const XSTATE_BV = 512;

/** All of a state file but what the host's time moves on. */
function withoutTime(file: string): unknown {
  const { state, frames } = readState(file);
  const parts = structuredClone(state.parts) as Record<
    string,
    { state: { vcpus: { msrs: [number, bigint][]; xsave: Uint8Array }[] } }
  >;
  for (const vcpu of parts.kvm.state.vcpus) {
    vcpu.msrs = vcpu.msrs.filter(([index]) => index !== TSC);
    vcpu.xsave.fill(0, XSTATE_BV, XSTATE_BV + 8);
  }
  return { parts, frames: [...frames].map(({ hpa, bytes }) => [hpa, Buffer.from(bytes).toString('base64')]) };
}

/** Runs for some milliseconds at a time, each time in another machine; answers what all have printed, and how many there were. */
async function byStages(make: () => BuiltKvm, stages: readonly number[]): Promise<{ text: string; machines: number }> {
  let now = make();
  let text = '';
  let machines = 1;
  try {
    for (const ms of stages) {
      if ((await runGuest(now.guest, ms)) === 'ended') break;
      const file = join(folder, `${machines}.state`);
      await now.guest.snapshots!.save(file);
      text += now.output();
      const next = make();
      await next.guest.snapshots!.load(file);
      const again = join(folder, `${machines}.again`);
      await next.guest.snapshots!.save(again);
      expect(withoutTime(again)).toEqual(withoutTime(file));
      await now.guest.quit();
      now = next;
      machines++;
    }
    await runGuest(now.guest, 20_000);
    text += now.output();
  } finally {
    await now.guest.quit();
  }
  return { text, machines };
}

const STAGES = [5, 20, 40];
const quiet = SAMPLES.filter(
  ({ input, flat, name }) => input === '' && !flat && name !== 'memory' && name !== 'triple-fault' && name !== 'crc32',
);

describe.skipIf(why !== '')(`the state of engine kvm${why === '' ? '' : ` (${why})`}`, () => {
  it.each(quiet)(
    '$name goes on in other machines to what it prints in one',
    async ({ image, expectedKvm }) => {
      const { text, machines } = await byStages(() => builtKvm({ image }, { vcpus: 1 }), STAGES);
      expect(text).toBe(expectedKvm);
      expect(machines).toBeGreaterThan(1);
    },
    120_000,
  );

  it.each<KernelIrqchipMode>(['off', 'on'])(
    'interrupts are lost by no controller, kernel-irqchip=%s',
    async (irqchip) => {
      const make = () => builtKvm({ image: irqs, append: '-' }, { vcpus: 1, irqchip });
      const { text, machines } = await byStages(make, [20, 20, 50]);
      expect(text).toBe(['8259: 5', 'edge: 3', 'timer: 3', 'self: 1000', ''].join('\n'));
      expect(machines).toBeGreaterThan(1);
    },
    120_000,
  );

  it.each<KernelIrqchipMode>(['off', 'on'])(
    'three vCPUs go on together, kernel-irqchip=%s',
    async (irqchip) => {
      const make = () => builtKvm({ image: smp, append: 'cpus=3' }, { vcpus: 3, irqchip });
      const { text, machines } = await byStages(make, [10, 30]);
      expect(text).toBe(smpOutput(3));
      expect(machines).toBeGreaterThan(1);
    },
    120_000,
  );

  it('is refused at an exit that is half done, and where KVM keeps a part of it', async () => {
    const one = builtKvm({ code: DIGITS }, { vcpus: 1, irqchip: 'on' });
    const split = builtKvm({ code: DIGITS }, { vcpus: 1, irqchip: 'split' });
    try {
      await one.guest.stepToExit();
      await expect(one.guest.snapshots!.save(join(folder, 'refused.state'))).rejects.toThrow(
        'vCPU 0 is stopped at an exit that KVM has half done: let the guest run first',
      );
      expect(split.guest.snapshots).toBeUndefined();
      const reason = /^with --kernel-irqchip split KVM does not give an interrupt .*: use on or off$/;
      expect((await split.guest.info()).unavailable.snapshots).toMatch(reason);
      expect(await split.guest.monitor('savevm one')).toContain('with --kernel-irqchip split KVM does not give');
      expect(await split.guest.monitor('migrate unix:/nowhere')).toContain('with --kernel-irqchip split');
    } finally {
      await one.guest.quit();
      await split.guest.quit();
    }
  });

  it('moves to another process while it prints, comes back by loadvm, and no other engine takes it', async () => {
    const image = join(folder, 'digits.bin');
    writeFileSync(image, Buffer.from(DIGITS, 'hex'));
    const options = ['run', image, '--at', '0x7c00', '--headless', '-m', '2'];
    const env = { ...process.env, XDG_STATE_HOME: folder };
    const start = (name: string, ...more: string[]) => {
      const child = spawn(process.execPath, [PROGRAM, ...options, '--engine', 'kvm', '--name', name, ...more], { env });
      const end = { child, out: '', err: '', ended: once(child, 'exit') };
      child.stdout.on('data', (bytes) => (end.out += bytes));
      child.stderr.on('data', (bytes) => (end.err += bytes));
      return end;
    };
    const until = async (holds: () => boolean): Promise<void> => {
      while (!holds()) await new Promise((resolve) => setTimeout(resolve, 20));
    };
    const [from, to] = [`kvm-from-${process.pid}`, `kvm-to-${process.pid}`];
    const file = join(folder, 'digits.state');
    const source = start(from);
    const target = start(to, '--incoming', `unix:${folder}/in`);
    try {
      await until(() => source.out.length > 100 && target.err.includes('waiting for a guest'));
      const guest = await connectGuest(from);
      await guest.target.snapshots!.save(file);
      expect(await guest.target.monitor('savevm one')).toBe('');
      expect(await guest.target.monitor('loadvm one')).toBe('');
      const before = source.out.length;
      await until(() => source.out.length > before + 50);
      expect(await guest.target.monitor(`migrate unix:${folder}/in`)).toBe('');
      guest.close();
      expect((await source.ended)[0]).toBe(0);
      await until(() => target.out.length > 200);
      const next = (Number(source.out.at(-1)) + 1) % 10;
      expect('0123456789'.repeat(100).slice(next)).toContain(target.out.slice(0, 200));
      expect(Number(target.out[0])).toBe(next);
      const refused = await run(VMSCOPE, [...options, '--engine', 'vtx', '--restore', file], '', 60_000);
      expect(refused.status).toBe(2);
      expect(refused.stderr).toContain('the state is of a machine with engine kvm; this one has vtx');
    } finally {
      source.child.kill('SIGKILL');
      target.child.kill('SIGKILL');
    }
  }, 120_000);
});
