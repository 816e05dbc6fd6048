/** A run that is recorded can be repeated elsewhere; a recording that is damaged is refused, or repeats up to there. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { Recording } from '../../src/engine/host/recording/recording.js';
import { StateError } from '../../src/engine/state/schema.js';
import { digest, goTo, runTo } from './live-run.js';
import { differences, type RecordedRun, recordedRun, repeatAll, repeated } from './recorded-run.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'vmscope-recording-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const sample = (name: string) => ({ file: `${root}samples/${name}/${name}.elf`, memoryMib: 8 });

/** Numbers that are the same in every run of the test. */
function random(seed: number): (below: number) => number {
  let x = seed;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

interface Mark {
  icount: bigint;
  digest: string;
}

/** Runs on with inputs, changes of a debugger and steps in between. */
function live(run: RecordedRun): void {
  const { machine, vm, notes, turns } = run;
  const below = random(99);
  for (let n = 0; n < 40; n++) {
    if (!runTo(run, machine.work.icount + 1 + below(n < 10 ? 30 : 3000))) break;
    if (n % 5 === 1) machine.serialInput(Buffer.from(`input ${n}`));
    if (n % 7 === 2) machine.key('a');
    if (n % 11 === 3) {
      notes.change({ byte: n });
      machine.view.writeMemory(0, 'gpa', 0x5000n, Uint8Array.of(n));
    }
    if (n % 9 === 4) {
      vm.armStep(vm.vcpus[0], 3);
      turns.step(vm.vcpus[0], [], true);
      notes.control();
      for (let slices = 0; slices < 10 && turns.take(1000)?.end.kind !== 'step'; slices++);
      vm.disarmStep(vm.vcpus[0]);
      turns.stop();
      notes.control();
    }
    if (n % 4 === 3) {
      notes.flush();
      vm.forgetTranslations();
    }
  }
}

test.each(['exit-zoo', 'interrupts', 'crc32', 'ring3'])('%s repeats to the same end', (name) => {
  const file = join(folder, `${name}.rec`);
  const run = recordedRun(file, sample(name));
  live(run);
  run.recording.finish();
  const again = repeated(file, sample(name));
  again.machine.pc.journal.take('debugger', (data) => {
    const { byte } = JSON.parse(data as string);
    again.machine.view.writeMemory(0, 'gpa', 0x5000n, Uint8Array.of(byte));
  });
  repeatAll(again);
  expect(differences(file, again)).toEqual([]);
  expect(again.output).toBe(run.output);
  again.close();
});

test('each place of a recorded run can be gone to before and after its end was seen, and says nothing twice', () => {
  const file = join(folder, 'places.rec');
  const run = recordedRun(file, sample('exit-zoo'));
  const below = random(5);
  const marks: Mark[] = [];
  for (let n = 0; n < 30 && runTo(run, run.machine.work.icount + 1 + below(2500)); n++) {
    // a place is that of before what comes there
    marks.push({ icount: BigInt(run.machine.work.icount), digest: digest(run) });
    if (n % 3 === 1) run.machine.serialInput(Buffer.from('x'));
    if (n % 4 === 3) {
      run.notes.flush();
      run.vm.forgetTranslations();
    }
  }
  run.recording.finish();
  const again = repeated(file, sample('exit-zoo'));
  const visit = (order: Mark[]): void => {
    for (const { icount, digest: wanted } of order) {
      goTo(again, { kind: 'icount', icount });
      expect(digest(again), `at instruction ${icount}`).toBe(wanted);
    }
  };
  const shuffled = [...marks].sort((a, b) => Number((a.icount * 7919n) % 61n) - Number((b.icount * 7919n) % 61n));
  visit(shuffled);
  repeatAll(again);
  expect(differences(file, again)).toEqual([]);
  visit(shuffled);
  repeatAll(again);
  expect(differences(file, again)).toEqual([]);
  expect(again.output).toBe(run.output);
  expect(again.history.timeline.length).toBeGreaterThan(3);
  again.close();
});

test('a recording that is cut, flipped or truncated is refused in one line, or repeats up to there', () => {
  const file = join(folder, 'whole.rec');
  const run = recordedRun(file, sample('exit-zoo'));
  // enough parts that damage meets
  for (let n = 0; n < 24; n++) {
    runTo(run, run.machine.work.icount + 900);
    run.machine.serialInput(Buffer.alloc(3000, n));
    run.notes.flush();
    run.vm.forgetTranslations();
  }
  run.recording.finish();
  const whole = readFileSync(file);
  const below = random(7);
  const damagedFile = join(folder, 'damaged.rec');
  let refused = 0;
  let repeats = 0;
  for (let n = 0; n < 300; n++) {
    let bytes = Buffer.from(whole);
    if (n % 3 === 0) bytes = bytes.subarray(0, below(whole.length));
    else if (n % 3 === 1) bytes[below(whole.length)] ^= 1 << below(8);
    else {
      const at = below(whole.length);
      bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + below(200))]);
    }
    writeFileSync(damagedFile, bytes);
    let recording: Recording;
    try {
      recording = Recording.open(damagedFile);
    } catch (error) {
      expect(error, `damage ${n}`).toBeInstanceOf(StateError);
      expect((error as Error).message).toMatch(/^.*damaged\.rec: (is|has) [^\n]+$/);
      refused++;
      continue;
    }
    expect(recording.recordedEnd, `damage ${n}`).toBeUndefined();
    recording.close();
    repeats++;
    if (repeats > 12) continue;
    const again = repeated(damagedFile, sample('exit-zoo'));
    repeatAll(again);
    again.close();
  }
  expect(refused).toBeGreaterThan(150);
  expect(repeats).toBeGreaterThan(10);
}, 300_000);

test.each<[string, (whole: Buffer) => Buffer, string]>([
  ['another file', () => readFileSync(sample('crc32').file), 'is not a recording of vmscope'],
  ['an empty file', () => Buffer.alloc(0), 'is not a recording of vmscope'],
  [
    'another version',
    (whole) => Buffer.from(whole).fill(9, 19, 20),
    'has version 9 of the format, this program reads version 3',
  ],
  ['bytes behind the end', (whole) => Buffer.concat([whole, Buffer.of(0)]), 'is damaged: it goes on behind its end'],
])('refuses %s', (_, change, message) => {
  const file = join(folder, 'small.rec');
  const run = recordedRun(file, sample('crc32'));
  runTo(run, 100);
  run.recording.finish();
  writeFileSync(file, change(readFileSync(file)));
  expect(() => Recording.open(file)).toThrow(new StateError(`${file}: ${message}`));
});

test('a recording whose run takes another way is told from one that repeats', () => {
  const file = join(folder, 'other.rec');
  const run = recordedRun(file, sample('exit-zoo'));
  runTo(run, 20_000);
  run.recording.finish();
  const again = repeated(file, sample('crc32'));
  expect(() => repeatAll(again)).toThrow(/the run did not repeat itself|goes nowhere/);
  again.close();
});
