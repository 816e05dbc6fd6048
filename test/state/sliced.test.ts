/**
 * How a run is cut into slices, and who looks at it on the way, is no part of the run: the turns of the host's event loop, a
 * dashboard and a debugger's stops leave no trace in the machine's state.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { RAM_BASE, TRACE_RECORD_BYTES, TRACE_RECORDS, TRACE_RING } from '../../src/engine/core/layout.js';
import { Turns } from '../../src/engine/host/turns.js';
import { Jit } from '../../src/engine/jit/jit.js';
import { saveAll } from '../../src/engine/state/saved.js';
import { linearRip } from '../../src/engine/vmm/code-address.js';
import { partsInPlace } from '../../src/engine/vmm/machine-state.js';
import { SAMPLES } from '../samples/catalogue.js';
import { named, requireScript, requireTool } from '../tools.js';
import { type BuildOptions, build, random } from './machine-run.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Where the run stops each time that it comes by, set by whoever looks. */
const MAX_BREAKPOINTS = 3;

interface Cut {
  /** Instructions of the next slice. */
  slice: () => number;
  /** Whether somebody looks after it. */
  looks: () => boolean;
  /** Whether somebody is asked for each exit. */
  asks?: boolean;
}

const WHOLE: Cut = { slice: () => 100_000, looks: () => false };

function cut(seed: number, most: number): Cut {
  const next = random(seed);
  return { slice: () => 1 + Math.floor(next() ** 3 * most), looks: () => next() < 0.5 };
}

/** One part of a state: what it is, by where it stands. Bytes are told by the 4 at each place that are not 0. */
function flatten(value: unknown, path: string, into: Map<string, string>): void {
  if (value instanceof Uint8Array) {
    const words = new DataView(value.buffer, value.byteOffset, value.byteLength);
    for (let at = 0; at + 4 <= value.length; at += 4) {
      const word = words.getUint32(at, true);
      if (word !== 0) into.set(`${path}+${at.toString(16)}`, word.toString(16));
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, part] of Object.entries(value)) flatten(part, `${path}.${name}`, into);
  } else into.set(path, String(value));
}

type Flat = Map<string, string>;

/** The states of a run at these instruction counts; shorter where the guest ends. */
function states(
  options: BuildOptions,
  at: readonly number[],
  { slice, looks, asks }: Cut,
  jit?: 'on' | 'always',
): Flat[] {
  const { machine, vm } = build(options);
  if (jit) vm.jit = new Jit(vm.core, vm.host.memory, jit, () => 0);
  if (asks) vm.exitFilter = () => false;
  const turns = new Turns(vm, () => {});
  const found: Flat[] = [];
  let broken = 0;
  for (const goal of at) {
    while (machine.work.icount < goal) {
      if (vm.end?.kind === 'resumed') machine.resume();
      const turn = turns.take(Math.min(slice(), goal - machine.work.icount));
      if (turn === undefined) {
        const deadline = vm.board.nextDeadline();
        if (deadline === undefined) return found;
        vm.warpTo(deadline);
      } else if (turn.end.kind === 'entry-failed') return found;
      else if (turn.end.kind === 'ended' && !machine.outlives()) return found;
      if (!looks()) continue;
      vm.synchronize();
      // where it stands now it is stopped once more, before an instruction
      if (broken++ < MAX_BREAKPOINTS) vm.core.addBreakpoint(linearRip(vm.vcpus[0]));
    }
    vm.synchronize();
    const flat: Flat = new Map();
    flatten(saveAll(partsInPlace(machine, [turns])), '', flat);
    flat.set(
      'memory',
      createHash('sha256')
        .update(vm.host.u8.subarray(TRACE_RING, TRACE_RING + TRACE_RECORDS * TRACE_RECORD_BYTES))
        .update(vm.host.u8.subarray(RAM_BASE, RAM_BASE + vm.memoryBytes))
        .digest('hex'),
    );
    found.push(flat);
  }
  return found;
}

/** Where two states differ. */
function differences(a: readonly Flat[], b: readonly Flat[]): string[] {
  const told: string[] = [];
  if (a.length !== b.length) told.push(`${a.length} and ${b.length} states`);
  for (const [n, one] of a.entries()) {
    const other = b[n] ?? new Map();
    for (const place of new Set([...one.keys(), ...other.keys()]))
      if (one.get(place) !== other.get(place)) told.push(`${n} ${place}: ${one.get(place)} ${other.get(place)}`);
  }
  return told.slice(0, 40);
}

const long = process.env.VMSCOPE_LONG_TESTS === '1';
const POSITIONS = [1_001, 23_457, 64_011, ...(long ? [9_876, 60_000, 250_000, 1_000_003] : [])].sort((a, b) => a - b);

const samples = SAMPLES.filter(
  ({ input, name }) => input === '' && (long || ['exit-zoo', 'interrupts', 'real-mode'].includes(name)),
);

describe.each(samples)('$name', ({ name, image, flat }) => {
  const options: BuildOptions = {
    file: image,
    memoryMib: name === 'memory' ? 128 : 16,
    ...(flat ? { at: 0x7c00 } : {}),
  };
  let whole: Flat[] = [];
  beforeAll(() => {
    whole = states(options, POSITIONS, WHOLE);
  });

  test('has the same states however it is cut into slices, and whoever looks', () => {
    expect(whole.length).toBeGreaterThan(0);
    for (const seed of long ? [1, 2, 3] : [2])
      expect(differences(whole, states(options, POSITIONS, cut(seed, 10 ** (seed + 1))))).toEqual([]);
  });

  test('has the same states where somebody is asked for each exit', () => {
    expect(differences(whole, states(options, POSITIONS, { ...cut(6, 1000), asks: true }))).toEqual([]);
  });

  test('has the same states where its code is compiled', () => {
    expect(differences(whole, states(options, POSITIONS, cut(4, 100_000), 'always'))).toEqual([]);
    if (long) expect(differences(whole, states(options, POSITIONS, cut(5, 20_000), 'on'))).toEqual([]);
  });
});

test('a PAUSE loop exits at the same instants, whoever looks at it', () => {
  // PAUSE-loop exiting is on where there are several vCPUs
  const folder = mkdtempSync(join(tmpdir(), 'vmscope-sliced-'));
  try {
    const file = join(folder, 'pause.bin');
    writeFileSync(file, Buffer.from([0xfa, 0xf3, 0x90, 0xeb, 0xfc])); // cli; pause; jmp to pause
    const options = { file, at: 0x7c00, vcpus: 2 };
    const at = [100, 2_000, 20_011];
    const whole = states(options, at, WHOLE);
    expect(Number(whole[2].get('.vtx.state.exits'))).toBeGreaterThan(10);
    expect(differences(whole, states(options, at, { slice: () => 7, looks: () => true }))).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

const apt = requireTool('apt-get');
const linux = apt.available && long ? requireScript(`${root}samples/linux/fetch`) : apt;

test.skipIf(!linux.available || !long).each([1, 2, 4])(
  named('Linux has the same states however it is cut, whoever looks, and compiled or not, %d vCPUs', linux),
  (vcpus) => {
    const folder = `${root}build/guests/linux`;
    const options: BuildOptions = {
      file: `${folder}/vmlinuz`,
      initrd: { name: 'initrd.gz', bytes: readFileSync(`${folder}/initrd.gz`) },
      append: 'console=ttyS0',
      memoryMib: 128,
      vcpus,
    };
    const at = [20_000_001, 300_000_003, 700_000_001, 1_000_000_001];
    const whole = states(options, at, WHOLE, 'on');
    expect(whole.length).toBe(at.length);
    expect(differences(whole, states(options, at, cut(7, 200_000), 'on'))).toEqual([]);
    expect(differences(whole, states(options, at, cut(8, 2_000_000)))).toEqual([]);
  },
  3_600_000,
);
