/** DWARF that was damaged: nothing throws, hangs, or takes all memory, whatever is asked. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CallFrames } from '../../src/disasm/dwarf/call-frames.js';
import { Dwarf, type Pieces } from '../../src/disasm/dwarf/index.js';
import { LineTable } from '../../src/disasm/dwarf-line.js';
import { DebugInfo } from '../../src/engine/debug/types/debug-info.js';
import { named, requireTool } from '../tools.js';

const gcc = requireTool('gcc');
const source = fileURLToPath(new URL('../debug/c-kernel/kernel.c', import.meta.url));
const FLAGS = ['-g', '-O2', '-ffreestanding', '-fno-pic', '-no-pie', '-nostdlib', '-static', '-mno-sse', '-mno-80387'];
/** Pieces of work that a small file may take. */
const MAX_PIECES = 10_000;

function done<T>(work: Pieces<T>): T {
  for (let count = 0; ; count++) {
    const step = work.next();
    if (step.done) return step.value;
    if (count > MAX_PIECES) throw new Error('it does not end');
  }
}

/** A generator of numbers that always gives the same ones. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe.skipIf(!gcc.available)(named('damaged DWARF', gcc), () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmscope-hostile-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Asks all that a debugger asks. */
  async function interrogate(elf: Uint8Array): Promise<number> {
    const dwarf = Dwarf.read(elf);
    if (dwarf === undefined) return 0;
    const lines = LineTable.read(elf);
    const frames = new CallFrames(elf);
    const info = new DebugInfo(
      {
        dwarf: () => dwarf,
        frames: () => frames,
        find: async () => false,
        place: async () => {},
        btf: async () => undefined,
        typedModules: async () => [],
        moduleBtf: async () => undefined,
        distance: () => 0n,
        frameRow: () => undefined,
        files: (offset) => lines?.filesAt(offset) ?? [],
        currentTask: async () => undefined,
        symbol: async () => undefined,
      },
      async () => {},
      () => 0,
    );
    let answers = 0;
    for (const name of ['struct node', 'struct point', 'enum color']) {
      const [word, own] = name.split(' ') as ['struct', string];
      const id = await info.named(word, own);
      if (id !== undefined) answers += (await info.nodes([id])).length;
    }
    for (const name of ['head', 'first', 'table', 'ticks', 'walk', 'nothing']) if (await info.variable(name)) answers++;
    for (let pc = 0x200000n; pc < 0x200200n; pc += 23n) {
      const scope = await info.scope(pc);
      answers += scope?.length ?? 0;
      for (const { type, variables } of scope ?? [])
        answers += (await info.nodes([...variables.map((variable) => variable.type), ...(type ? [type] : [])])).length;
      if (await info.caller(pc)) answers++;
      if (await info.atCall(pc, 'rdi')) answers++;
      done(dwarf.enumerator('GREEN', pc));
      lines?.piece(pc);
    }
    return answers;
  }

  test.each(['4', '5'])(
    'version %s',
    async (version) => {
      const file = join(folder, `kernel-${version}`);
      execFileSync(gcc.path, [...FLAGS, `-gdwarf-${version}`, '-Wl,-Ttext=0x200000', '-o', file, source]);
      const whole = readFileSync(file);
      // a sound file answers much
      expect(await interrogate(whole)).toBeGreaterThan(100);
      const from = whole.indexOf('GNU C');
      const start = Math.min(from < 0 ? 0x7000 : from, whole.length >> 1);
      const random = numbers(Number(version));
      for (let round = 0; round < 20; round++) {
        const broken = Uint8Array.from(whole);
        for (let count = 1 + random(20); count > 0; count--)
          broken[start - 2500 + random(whole.length - start + 2500)] = random(3) === 0 ? 0xff : random(256);
        expect(await interrogate(broken)).toBeGreaterThanOrEqual(0);
      }
      for (let cut = 200; cut < whole.length; cut += 4999) await interrogate(whole.subarray(0, cut));
    },
    60_000,
  );
});
