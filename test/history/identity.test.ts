/** Every instant of a run can be had again: the same registers, devices and memory as when the run came by. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { named, requireScript, requireTool } from '../tools.js';
import { digest, goTo, type LiveRun, liveRun, runTo } from './live-run.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const apt = requireTool('apt-get');
const linux = apt.available ? requireScript(`${root}samples/linux/fetch`) : apt;
const SLOW = 3_600_000;

const SAMPLES = ['crc32', 'exit-zoo', 'interrupts', 'long-mode', 'memory', 'ring3', 'triple-fault'];

interface Mark {
  icount: bigint;
  digest: string;
}

/** Numbers that are the same in every run. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    yield state >>> 4;
  }
}

/** Goes to all marks in an order of its own, and back to the live end. */
function visit(run: LiveRun, marks: readonly Mark[]): void {
  const end = digest(run);
  const { icount: first } = run.history.first;
  const kept = marks.flatMap(({ icount }, i) => (icount >= first ? [i] : []));
  expect(kept.length).toBeGreaterThan(2);
  const order = kept.sort((a, b) => ((a * 7919) % 61) - ((b * 7919) % 61));
  for (const i of order) {
    goTo(run, { kind: 'icount', icount: marks[i].icount });
    expect(digest(run), `at instruction ${marks[i].icount}`).toBe(marks[i].digest);
  }
  run.history.rejoin();
  expect(digest(run), 'at the live end').toBe(end);
}

describe.each(['off', 'always'] as const)('samples, --jit %s', (jit) => {
  test.each(SAMPLES)(
    '%s is the same at every instant that is gone to',
    (sample) => {
      const run = liveRun({ file: `${root}samples/${sample}/${sample}.elf`, ...(jit === 'off' ? {} : { jit }) });
      const random = numbers(12345);
      const marks: Mark[] = [];
      for (let i = 0; i < 30; i++) {
        const ahead = (random.next().value % (i < 20 ? 40 : 30_000)) + 1;
        if (!runTo(run, run.machine.work.icount + ahead)) break;
        marks.push({ icount: BigInt(run.machine.work.icount), digest: digest(run) });
        if (i % 7 === 3) run.history.snapshot();
      }
      expect(marks.length).toBeGreaterThan(10);
      visit(run, marks);
    },
    SLOW,
  );
});

describe.runIf(linux.available)(named('Linux', linux), () => {
  test.each([1, 2])(
    'a boot with %i vCPUs is the same at every instant that is gone to, and goes on from the live end',
    (vcpus) => {
      const folder = `${root}build/guests/linux`;
      const options = {
        ...{ file: `${folder}/vmlinuz`, memoryMib: 256, vcpus, append: 'console=ttyS0 RUN="echo done"' },
        ...{ initrd: { name: 'initrd.gz', bytes: readFileSync(`${folder}/initrd.gz`) }, jit: 'on' as const },
      };
      const run = liveRun({ ...options, budget: 64 << 20 });
      const random = numbers(vcpus);
      const marks: Mark[] = [];
      for (let i = 0; i < 24; i++) {
        runTo(run, run.machine.work.icount + 20_000_000);
        run.history.snapshot();
        if (i % 4 !== 2) continue;
        runTo(run, run.machine.work.icount + (random.next().value % 8_000_000) + 1);
        marks.push({ icount: BigInt(run.machine.work.icount), digest: digest(run) });
      }
      visit(run, marks);
      expect(runTo(run, run.machine.work.icount + 5_000_000)).toBe(true);
    },
    SLOW,
  );
});
