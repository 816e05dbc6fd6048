import { describe, expect, it } from 'vitest';
import { StateError } from '../../src/engine/state/schema.js';
import type { Frame } from '../../src/engine/vmm/core-image.js';
import { loadMachine, type MachineState, saveMachine } from '../../src/engine/vmm/machine-state.js';
import { SAMPLES } from '../samples/catalogue.js';
import { type BuildOptions, build, digest, random, run, type TestMachine } from './machine-run.js';

/** A state that can be kept while its machine runs on. */
function kept({ machine, next }: TestMachine): { state: MachineState; frames: Frame[]; next: number } {
  const { state, frames } = saveMachine(machine);
  return { state, frames: [...frames].map(({ hpa, bytes }) => ({ hpa, bytes: bytes.slice() })), next };
}

function restored(options: BuildOptions, { state, frames, next }: ReturnType<typeof kept>): TestMachine {
  const fresh = build(options);
  // a machine that has run before must not leave traces of that
  run(fresh, 5000);
  fresh.output = '';
  loadMachine(fresh.machine, state, frames);
  fresh.next = next;
  return fresh;
}

const POSITIONS = 6;
/** Where a sample computes for long: what comes later is more of the same. */
const MOST_INSTRUCTIONS = 2_000_000;

describe.each(SAMPLES)('$name', ({ name, image, flat, input }) => {
  const options: BuildOptions = {
    file: image,
    memoryMib: name === 'memory' ? 128 : 16,
    ...(flat ? { at: 0x7c00 } : {}),
  };
  const start = (): TestMachine => {
    const built = build(options);
    if (input !== '') {
      run(built, 2000);
      built.machine.serialInput(Buffer.from(input));
    }
    return built;
  };
  const whole = (() => {
    const built = start();
    run(built, MOST_INSTRUCTIONS);
    return { icount: built.vm.icount, output: built.output };
  })();

  it.each(Array.from({ length: POSITIONS }, (_, n) => n))(
    'goes on from a saved state as it would have, position %i',
    (n) => {
      const next = random(0x9e3779b9 + n);
      for (let i = 0; i < 4; i++) next();
      const original = start();
      run(original, Math.floor(next() * (whole.icount - original.vm.icount)));
      const before = original.output;
      const copy = restored(options, kept(original));
      expect(digest(copy)).toBe(digest(original));
      for (const share of [next() * 0.3, 1]) {
        const instructions = Math.ceil(share * whole.icount);
        expect(run(copy, instructions)).toBe(run(original, instructions));
        expect(digest(copy)).toBe(digest(original));
      }
      expect(before + copy.output).toBe(original.output);
      expect(original.output.startsWith(whole.output)).toBe(true);
    },
  );
});

describe('a state that does not fit', () => {
  const zoo = { file: SAMPLES.find(({ name }) => name === 'exit-zoo')!.image };
  const machine = build(zoo);
  run(machine, 10_000);
  const good = kept(machine);

  it.each<[string, BuildOptions, (state: ReturnType<typeof kept>) => unknown, string]>([
    [
      'memory of another size',
      { ...zoo, memoryMib: 8 },
      () => {},
      'the state is of a machine with memoryBytes 16777216; this one has 8388608',
    ],
    ['more vCPUs', { ...zoo, vcpus: 2 }, () => {}, 'the state is of a machine with vcpus 1; this one has 2'],
    [
      'a device missing',
      zoo,
      ({ state }) => delete (state.parts as Record<string, unknown>).rtc,
      'the state has no rtc, which this machine has',
    ],
    [
      'a frame elsewhere',
      zoo,
      ({ frames }) => frames.push({ hpa: 0x1000, bytes: new Uint8Array(4096) }),
      'this machine has no frame of 4096 bytes at 0x1000',
    ],
    [
      'a frame cut short',
      zoo,
      ({ frames }) => frames.push({ hpa: 0x5800000, bytes: new Uint8Array(5) }),
      'this machine has no frame of 5 bytes at 0x5800000',
    ],
  ])('%s is refused, and nothing changes', (_, options, spoil, message) => {
    const { state, frames } = good;
    const bad = { state: structuredClone(state), frames: [...frames], next: 0 };
    spoil(bad);
    const other = build(options);
    const before = digest(other);
    expect(() => loadMachine(other.machine, bad.state, bad.frames)).toThrow(new StateError(message));
    expect(digest(other)).toBe(before);
  });
});
