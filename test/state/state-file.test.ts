import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { readState, writeState } from '../../src/engine/host/state-file.js';
import { StateError } from '../../src/engine/state/schema.js';
import { loadMachine, saveMachine } from '../../src/engine/vmm/machine-state.js';
import { SAMPLES } from '../samples/catalogue.js';
import { build, digest, run } from './machine-run.js';

const folder = mkdtempSync(join(tmpdir(), 'vmscope-state-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const zoo = { file: SAMPLES.find(({ name }) => name === 'exit-zoo')!.image, memoryMib: 8 };
const original = build(zoo);
run(original, 30_000);
const file = join(folder, 'zoo.state');
for (const _ of writeState(file, saveMachine(original.machine), original.vm.host.bytes));
const whole = readFileSync(file);

const damaged = (bytes: Uint8Array): string => {
  const path = join(folder, 'damaged.state');
  writeFileSync(path, bytes);
  return path;
};

it('holds all there is', () => {
  const copy = build(zoo);
  const { state, frames } = readState(file);
  loadMachine(copy.machine, state, frames);
  expect(digest(copy)).toBe(digest(original));
  run(copy, 10_000);
  run(original, 10_000);
  expect(digest(copy)).toBe(digest(original));
});

it.each<[string, () => Uint8Array, string]>([
  ['another file', () => readFileSync(zoo.file), 'is not a saved state of vmscope'],
  ['an empty file', () => new Uint8Array(0), 'is not a saved state of vmscope'],
  [
    'another version',
    () => Uint8Array.from(whole).fill(9, 15, 16),
    'has version 9 of the format, this program reads version 3',
  ],
  ['a cut file', () => whole.subarray(0, whole.length - 1), 'is cut short'],
  ['bytes behind the end', () => Buffer.concat([whole, Buffer.of(0)]), 'is damaged: its digest does not match'],
])('refuses %s in one line', (_, bytes, message) => {
  const path = damaged(bytes());
  expect(() => readState(path)).toThrow(new StateError(`${path}: ${message}`));
});

it('refuses every flipped byte and every cut, and nothing changes', () => {
  const machine = build(zoo);
  const before = digest(machine);
  let x = 0x2545f491;
  const random = (below: number) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
  for (let n = 0; n < 300; n++) {
    const bytes = Buffer.from(n % 3 === 0 ? whole.subarray(0, random(whole.length)) : whole);
    if (n % 3 !== 0) bytes[random(n % 3 === 1 ? 64 : whole.length)] ^= 1 << random(8);
    const path = damaged(bytes);
    const load = () => {
      const { state, frames } = readState(path);
      loadMachine(machine.machine, state, frames);
    };
    expect(load, `damage ${n}`).toThrow(StateError);
  }
  expect(digest(machine)).toBe(before);
});

it('leaves the file that was there, and no other, when it cannot be written', () => {
  const inner = join(folder, 'inner');
  mkdirSync(inner);
  const path = join(inner, 'x.state');
  writeFileSync(path, 'precious');
  const { state } = saveMachine(original.machine);
  const frames = (function* () {
    yield { hpa: 0x5800000, bytes: new Uint8Array(4096) };
    throw new Error('the disk is gone');
  })();
  expect(() => [...writeState(path, { state, frames }, 1)]).toThrow(`${path}: the disk is gone`);
  expect(() => [...writeState(inner, { state, frames: [] }, 1)]).toThrow(`${inner}: is a folder`);
  expect(() => [...writeState(join(inner, 'no', 'x'), { state, frames: [] }, 1)]).toThrow('no such folder');
  expect(readdirSync(inner)).toEqual(['x.state']);
  expect(readFileSync(path, 'utf8')).toBe('precious');
});
