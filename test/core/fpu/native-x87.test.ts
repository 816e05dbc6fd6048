import { describe, expect, it } from 'vitest';
import { named, requireTool } from '../../tools.js';
import { Random } from '../exec/random-code.js';
import { Machine } from '../harness.js';
import { ARITHMETIC, COMPARES, MOVES, makeX87Case, UNARY, type X87Instruction } from './x87-cases.js';
import { defined, unspecified } from './x87-defined.js';
import { difference, fields, inCore, onHost } from './x87-runner.js';

const gcc = requireTool('gcc');
/** Rounds over all instructions; VMSCOPE_X87_ROUNDS makes it a longer search. */
const ROUNDS = Number(process.env.VMSCOPE_X87_ROUNDS ?? 60);
const SEED = Number(process.env.VMSCOPE_X87_SEED ?? 0x87);

/** Cases on both CPUs; answers what differs, at most ten. */
function differences(instructions: readonly X87Instruction[], rounds: number): string[] {
  const random = new Random(SEED);
  const cases = Array.from({ length: rounds }, () => instructions)
    .flat()
    .map((instruction) => ({ instruction, record: makeX87Case(random, instruction) }));
  const host = onHost(
    gcc.path,
    cases.map(({ record }) => record),
  );
  const machine = new Machine();
  machine.mode('long');
  const found: string[] = [];
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
  return found;
}

describe('x87 instructions against the host CPU', () => {
  const supported = gcc.available && process.arch === 'x64';
  for (const [family, instructions] of Object.entries({ ARITHMETIC, COMPARES, MOVES, UNARY })) {
    it.skipIf(!supported)(
      named(`${family.toLowerCase()}: random and edge operands in all modes give the same state`, gcc),
      () => {
        const rounds = Math.ceil((ROUNDS * 100) / instructions.length);
        expect(differences(instructions, rounds).join('\n')).toBe('');
      },
      Math.max(600_000, ROUNDS * 1000),
    );
  }
});
