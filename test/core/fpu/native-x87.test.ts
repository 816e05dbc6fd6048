import { describe, expect, it } from 'vitest';
import { named, requireTool } from '../../tools.js';
import { Random } from '../exec/random-code.js';
import { Machine } from '../harness.js';
import { ARITHMETIC, COMPARES, MOVES, makeX87Case, UNARY, type X87Instruction } from './x87-cases.js';
import { defined, unspecified } from './x87-defined.js';
import { difference, fields, inCore, onHost } from './x87-runner.js';

const gcc = requireTool('gcc');
/** Cases of a family; `npm run fuzz -- x87` asks for a longer search, of all families or of some instructions. */
const TOTAL = Number(process.env.VMSCOPE_X87_TOTAL ?? 0);
const CASES = TOTAL > 0 ? TOTAL : 6000;
const SEED = Number(process.env.VMSCOPE_X87_SEED ?? 0x87);
const ONLY = new RegExp(process.env.VMSCOPE_X87_ONLY ?? '');
/** Cases that go to the host in one go. */
const BATCH = 50_000;

/** Cases on both CPUs; answers what differs, the first twelve. */
function differences(instructions: readonly X87Instruction[], count: number): string[] {
  const random = new Random(SEED);
  const machine = new Machine();
  machine.mode('long');
  const found: string[] = [];
  for (let from = 0; from < count; from += BATCH) {
    const cases = Array.from({ length: Math.min(BATCH, count - from) }, (_, n) => {
      const instruction = instructions[(from + n) % instructions.length] as X87Instruction;
      return { instruction, record: makeX87Case(random, instruction) };
    });
    const host = onHost(
      gcc.path,
      cases.map(({ record }) => record),
    );
    cases.forEach(({ instruction, record }, n) => {
      const expected = host[n] as Buffer;
      const { status, flags } = defined(instruction, expected);
      const text = unspecified(instruction, record, expected)
        ? ''
        : difference(expected, inCore(machine, record), status, flags);
      if (text !== '' && found.length < 12) {
        const before = [...fields(record)].map(([name, value]) => `${name}=${value}`).join(' ');
        found.push(`${instruction.name}: ${text}\n  of ${before}`);
      }
    });
  }
  return found;
}

describe('x87 instructions against the host CPU', () => {
  const supported = gcc.available && process.arch === 'x64';
  for (const [family, all] of Object.entries({ ARITHMETIC, COMPARES, MOVES, UNARY })) {
    const instructions = all.filter(({ name }) => ONLY.test(name));
    if (instructions.length === 0) continue;
    it.skipIf(!supported)(
      named(`${family.toLowerCase()}: random and edge operands in all modes give the same state`, gcc),
      () => {
        expect(differences(instructions, CASES).join('\n')).toBe('');
        if (TOTAL > 0) console.log(`seed ${SEED}: ${CASES} cases of ${instructions.length} instructions of ${family}`);
      },
      Math.max(600_000, CASES),
    );
  }
});
