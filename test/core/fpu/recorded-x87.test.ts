import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { requireTool } from '../../tools.js';
import { Random } from '../exec/random-code.js';
import { Machine } from '../harness.js';
import { ARITHMETIC, COMPARES, MOVES, makeX87Case, UNARY, type X87Instruction } from './x87-cases.js';
import { defined, unspecified } from './x87-defined.js';
import { fields, inCore, onHost } from './x87-runner.js';

const DIGESTS = fileURLToPath(new URL('x87-digests.txt', import.meta.url));
const CASES = 5000;
const SEED = 0xd16e57;
const PER_LINE = 12;

/** FNV-1a over what the SDM defines of an outcome, as 8 hexadecimal digits. */
function digest(instruction: X87Instruction, before: Buffer, after: Buffer): string {
  let hash = 0x811c9dc5;
  const { status, flags } = defined(instruction, after);
  const text = unspecified(instruction, before, after) ? '' : [...fields(after, status, flags)].join(' ');
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

function makeCases(): { instruction: X87Instruction; record: Buffer }[] {
  const random = new Random(SEED);
  const all = [...ARITHMETIC, ...COMPARES, ...MOVES, ...UNARY];
  return Array.from({ length: CASES }, (_, n) => {
    const instruction = all[n % all.length] as X87Instruction;
    return { instruction, record: makeX87Case(random, instruction) };
  });
}

/** VMSCOPE_RECORD=1 writes the digests of the host CPU's outcomes anew. */
function record(): void {
  const cases = makeCases();
  const host = onHost(
    requireTool('gcc').path,
    cases.map((each) => each.record),
  );
  const digests = cases.map((each, n) => digest(each.instruction, each.record, host[n] as Buffer));
  const lines: string[] = [];
  for (let at = 0; at < digests.length; at += PER_LINE) lines.push(digests.slice(at, at + PER_LINE).join(' '));
  writeFileSync(DIGESTS, `${lines.join('\n')}\n`);
}

describe('x87 instructions against recorded outcomes of a host CPU', () => {
  if (process.env.VMSCOPE_RECORD === '1') record();
  it.skipIf(!existsSync(DIGESTS))('random and edge operands give the recorded state', () => {
    const expected = readFileSync(DIGESTS, 'utf8').trim().split(/\s+/);
    expect(expected.length).toBe(CASES);
    const machine = new Machine();
    machine.mode('long');
    const wrong: string[] = [];
    makeCases().forEach((each, n) => {
      const got = digest(each.instruction, each.record, inCore(machine, each.record));
      if (got !== expected[n] && wrong.length < 20) wrong.push(`case ${n}: ${each.instruction.name}`);
    });
    expect(wrong).toEqual([]);
  });
});
