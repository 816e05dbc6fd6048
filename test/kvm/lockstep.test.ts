import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { describeLockstep } from '../../src/cli/lockstep.js';
import type { LockstepReport } from '../../src/engine/difftest/lockstep-report.js';
import { createCore } from '../../src/engine/host/core-instance.js';
import { CoreJudge } from '../../src/engine/host/difftest/lockstep/core-judge.js';
import { KvmSide } from '../../src/engine/host/difftest/lockstep/kvm-side.js';
import { openKvm, openVtx } from '../../src/engine/host/difftest/lockstep/open.js';
import { type RunOptions, runLockstep } from '../../src/engine/host/difftest/lockstep/run.js';
import type { Judge, JudgeStop } from '../../src/engine/host/difftest/lockstep/side.js';
import type { VtxSide } from '../../src/engine/host/difftest/lockstep/vtx-side.js';
import { probeKvm } from '../../src/engine/host/kvm/probe.js';
import { SAMPLES as FOLDER, vmscope } from '../cli/vmscope.js';
import { run, SAMPLES, VMSCOPE } from '../samples/catalogue.js';
import { buildFaultyCore } from './faulty-core.js';
import { kvmSkipReason } from './tools.js';

const why = kvmSkipReason();
const MEMORY = 4 << 20;
/** mov cx,5 ; l: add ax,cx ; adc bx,ax ; mov [2000h],bx ; loop l ; rep stosb ; out 0f4h,al */
const PROGRAM = 'b90500 01c8 11c3 891e0020 e2f6 b90300 f3aa 8ec1 e6f4 f4';
const ADC = 0x7c05n;
const OPTIONS: RunOptions = {
  every: 1,
  singly: Number.POSITIVE_INFINITY,
  memoryEvery: 3,
  paravirtual: probeKvm().paravirtual,
};

function vtx(code = PROGRAM, module?: WebAssembly.Module): VtxSide {
  const image = { name: 'test', bytes: Uint8Array.from(Buffer.from(code.replace(/ /g, ''), 'hex')) };
  const cpu = why === '' ? { cpu: KvmSide.model() } : {};
  return openVtx({ image, memoryBytes: MEMORY, at: 0x7c00, ...cpu }, createCore(MEMORY, 0, module));
}

function compare(core: VtxSide, judge: Judge, options: Partial<RunOptions> = {}): LockstepReport {
  const report = runLockstep(core, judge, { ...OPTIONS, ...options });
  judge.close();
  return report;
}

describe('lock-step of two cores', () => {
  it('agrees with itself to the end, registers and memory', () => {
    const report = compare(vtx(), new CoreJudge(vtx()));
    expect(report).toMatchObject({ ended: 'guest ended', differences: [], notCompared: [], accesses: 1 });
    expect(report.compared).toBeGreaterThan(20);
    expect(report.memories).toBeGreaterThan(5);
  });

  it('traces memory that differs to the instruction that wrote it', () => {
    const faulty = (): { core: VtxSide; judge: Judge } => {
      const core = vtx();
      // what the last STOSB writes
      core.vm.memory.write(0x7c13, Uint8Array.of(0xab));
      return { core, judge: new CoreJudge(vtx(PROGRAM.replace('f3aa', 'f3ab'))) };
    };
    const { core, judge } = faulty();
    core.vm.memory.write(0x7c10, Uint8Array.of(0xf3, 0xaa));
    const report = compare(core, judge, { memoryEvery: 1000, restart: faulty });
    expect(report.ended).toBe('difference');
    expect(report.instruction?.address).toBeDefined();
  });
});

it('a judge that goes astray is not believed: both begin anew', () => {
  class Astray extends CoreJudge {
    #left = 5;
    override step(): JudgeStop {
      return this.#left-- === 0 ? { kind: 'astray', reason: 'it delivers twice' } : super.step();
    }
  }
  const restart = (): { core: VtxSide; judge: Judge } => ({ core: vtx(), judge: new CoreJudge(vtx()) });
  expect(compare(vtx(), new Astray(vtx()), { restart })).toMatchObject({ ended: 'guest ended', astray: 1 });
  const never = { restart: () => ({ core: vtx(), judge: new Astray(vtx()) }) };
  for (const options of [{}, never])
    expect(compare(vtx(), new Astray(vtx()), options)).toMatchObject({
      ended: 'cannot go on',
      message: expect.stringMatching(/: it delivers twice$/),
    });
});

describe('a core with a fault', () => {
  let module: WebAssembly.Module;
  beforeAll(() => {
    module = buildFaultyCore('exec/alu.ts', (source) =>
      source.replace('operation == 2 ? carryFlag() : 0', 'operation == 9 ? carryFlag() : 0'),
    );
  }, 60_000);

  // mov bx,0 ; mov ax,fff3h: the fourth sum is the first that carries
  const program = `bb0000 b8f3ff ${PROGRAM}`;

  const judges: [string, () => Judge][] = [['vtx', () => new CoreJudge(vtx(program))]];
  if (why === '') judges.push(['kvm', () => openKvm(vtx(program))]);
  it.each(judges)(
    'ADC forgets the carry: reported at the first wrong instruction, against %s',
    async (_name, judge) => {
      const report = compare(vtx(program, module), judge(), { memoryEvery: 0 });
      expect(report.ended).toBe('difference');
      expect(report.instruction?.address).toBe(ADC + 6n);
      expect(report.differences[0].what).toBe('rbx');
      const { before, after } = report;
      expect(before?.left.rcx).toBe(2n);
      expect(before?.left.rbx).toBe(before?.right.rbx);
      expect(before?.left.rflags).toBe((before?.left.rflags ?? 0n) | 1n);
      expect(after?.left.rbx).toBe((after?.right.rbx ?? 0n) - 1n);
      const text = (await describeLockstep(report)).join('\n');
      expect(text).toContain('adc bx, ax');
      expect(text).toMatch(/^rbx +0x[0-9a-f]+ +0x[0-9a-f]+ +0x[0-9a-f]+ +0x[0-9a-f]+$/m);
      expect(text).toContain('masked: tsc: time stamp counter');
    },
  );
});

/** The same loop in flat 32-bit protected mode, where blocks have code of their own for it. */
const FLAT =
  'fa0f0116607c0f20c00c010f22c066ea167c0000080066b810008ed88ec08ed0bc00900000bb00000000b8f3ff0000b90500' +
  '00006601c86611c366891d00200000e2f1e6f4f490900000000000000000ffff0000009bcf00ffff00000093cf001700487c' +
  '0000';

describe('a core whose blocks have a fault', () => {
  it('is told from a judge that is wrong: run freely, then one by one', () => {
    const module = buildFaultyCore('generated/rows.ts', (source) =>
      source.replace(/(\/\/ ADC RR 16\n.*?)<u16>\(<u16>\(a \+ b\) \+ c\)/s, '$1<u16>(a + b)'),
    );
    const open = (): { core: VtxSide; judge: Judge } => ({
      core: vtx(FLAT, module),
      judge: new CoreJudge(vtx(FLAT)),
    });
    const { core, judge } = open();
    // one by one the core runs ADC's handler, which is right
    expect(compare(open().core, open().judge).ended).toBe('guest ended');
    const report = compare(core, judge, { singly: 0, memoryEvery: 0, restart: open });
    expect(report.ended).toBe('difference');
    expect(report.differences[0].what).toBe('rbx (vtx one by one, vtx in blocks)');
  }, 60_000);
});

describe.skipIf(why !== '')(`vtx and kvm${why === '' ? '' : ` (${why})`}`, () => {
  it.each([
    ['every instruction', {}],
    ['every third', { every: 3 }],
    ['from exit to exit', { singly: 0 }],
  ])('agree: %s', (_name, options) => {
    const core = vtx();
    const report = compare(core, openKvm(core), options);
    expect(report).toMatchObject({ ended: 'guest ended', differences: [], notCompared: [], accesses: 1 });
  });

  it('is told as JSON, too', async () => {
    const guest = ['lockstep', join(FOLDER, 'exit-zoo'), '--limit', '50'];
    const { status, stdout } = await vmscope([...guest, '--json']);
    expect(status).toBe(0);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ ended: 'limit', compared: 50, differences: [], message: expect.any(String) });
    expect((await vmscope(guest)).stdout).toContain(`lockstep: ${report.message}\n`);
  });

  it('finds memory that differs soon after the guest has written its page, by the dirty log', () => {
    const code = PROGRAM.replace('b90500', 'b90001'); // 256 times
    const core = vtx(code);
    const judge = openKvm(core);
    // beside what the loop writes at 2000h, and where it never does
    judge.ram[0x2010] ^= 0xff;
    judge.ram[0x5000] ^= 0xff;
    const report = compare(core, judge, { memoryEvery: 1_000_000 });
    expect(report).toMatchObject({ ended: 'difference', memories: 0 });
    expect(report.compared).toBeLessThan(100);
    expect(report.differences.map(({ what }) => what)).toEqual(['memory 0x2010']);
  });

  const QUICK = SAMPLES.filter(({ name }) => !['crc32', 'memory'].includes(name)).map(({ name, folder }) => [
    name,
    folder,
  ]);
  it.each(QUICK)(
    '%s agrees from the first to the last instruction',
    async (name, folder) => {
      const input = name === 'keyboard' ? ['--input', join(folder, 'input.txt')] : [];
      const { stdout, status } = await run(
        VMSCOPE,
        ['lockstep', '-m', '16M', '--singly', '30000', ...input, folder],
        '',
        100_000,
      );
      expect(stdout).toMatch(/^lockstep: the guest ended: (guest powered off|triple fault)/);
      expect(status).toBe(0);
      const [, instructions, comparisons] = /(\d+) instructions, (\d+) comparisons/.exec(stdout) ?? [];
      expect(Number(comparisons)).toBeGreaterThan(Number(instructions) * 0.7);
    },
    110_000,
  );

  it.each(['crc32', 'memory'])(
    '%s agrees in its first instructions',
    async (name) => {
      const { folder } = SAMPLES.find((sample) => sample.name === name)!;
      const { stdout, status } = await run(VMSCOPE, ['lockstep', '--limit', '15000', folder], '', 100_000);
      expect(stdout).toMatch(/^lockstep: no difference in 15000 comparisons/);
      expect(status).toBe(0);
    },
    110_000,
  );
});

it.skipIf(why !== '' || !OPTIONS.paravirtual)(
  `gives up a stretch that KVM emulates for longer than --patience, and says where it stands${why && ` (${why})`}`,
  async () => {
    const crc32 = SAMPLES.find(({ name }) => name === 'crc32')!;
    const { stdout, stderr, status } = await run(VMSCOPE, ['lockstep', crc32.folder, '--patience', '2'], '', 60_000);
    expect(stdout).toMatch(
      /KVM_RUN came to no access to a device within 2 s and stands at RIP 0x100[0-9a-f]{3}, RFLAGS/,
    );
    expect(stderr).toContain('run --engine vtx');
    expect(status).toBe(3);
  },
  70_000,
);
