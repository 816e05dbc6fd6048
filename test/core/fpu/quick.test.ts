import { expect, it } from 'vitest';
import { Random } from '../exec/random-code.js';
import { Machine } from '../harness.js';
import { ARITHMETIC, COMPARES, MOVES, makeX87Case, STATE } from './x87-cases.js';
import { fields, inCore } from './x87-runner.js';

const CASES = 12_000;
const DE = 2;

it('ordinary numbers give the same whether the quick way of an instruction may be taken or not', () => {
  const random = new Random(0x9c1c4);
  const machine = new Machine();
  machine.mode('long');
  // what shows the control word is not the same
  const all = [...ARITHMETIC, ...COMPARES, ...MOVES].filter(({ name }) => !/cw|env|save|rstor|init/.test(name));
  const wrong: string[] = [];
  let compared = 0;
  for (let n = 0; n < CASES; n++) {
    const instruction = all[n % all.length];
    const record = makeX87Case(random, instruction);
    // all exceptions masked, none met so far; rounding to nearest, or as casts to integers have it
    const control = (record.readUInt16LE(STATE) & 0xf300) | 0x7f | (n % 5 === 0 ? 0xc00 : 0);
    record.writeUInt16LE(control, STATE);
    record.writeUInt16LE(record.readUInt16LE(STATE + 4) & 0xff00 & ~0x8000, STATE + 4);
    const quick = fields(inCore(machine, record));
    // no ordinary number raises it: the whole way is taken
    record.writeUInt16LE(control & ~DE, STATE);
    const whole = fields(inCore(machine, record));
    if (Number.parseInt(quick.get('fsw') ?? '0', 16) & DE) continue;
    compared++;
    quick.delete('fcw');
    whole.delete('fcw');
    const [a, b] = [quick, whole].map((each) => [...each].map(([name, value]) => `${name}=${value}`).join(' '));
    if (a !== b && wrong.length < 5) wrong.push(`${instruction.name}: ${a}\n  whole ${b}`);
  }
  expect(wrong.join('\n')).toBe('');
  expect(compared).toBeGreaterThan(CASES / 2);
});
