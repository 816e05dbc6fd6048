import { describe, expect, it } from 'vitest';
import { named, requireTool } from '../../tools.js';
import { Random } from '../exec/random-code.js';
import { Machine } from '../harness.js';
import { makeX87Case, STATE, TRANSCENDENTAL, type X87Instruction } from './x87-cases.js';
import { fields, inCore, onHost } from './x87-runner.js';

const gcc = requireTool('gcc');
const TOTAL = Number(process.env.VMSCOPE_X87_TOTAL ?? 0);
const CASES = TOTAL > 0 ? Math.ceil(TOTAL / TRANSCENDENTAL.length) : 900;
const ONLY = new RegExp(process.env.VMSCOPE_X87_ONLY ?? '');
const SEED = Number(process.env.VMSCOPE_X87_SEED ?? 0x87);

/** A register as one integer that grows by 1 from a number to the next. */
function ordinal(record: Buffer, n: number): bigint {
  const at = STATE + 28 + n * 10;
  const upper = BigInt(record.readUInt16LE(at + 8));
  const magnitude = ((upper & 0x7fffn) << 63n) + (record.readBigUInt64LE(at) & ~(1n << 63n));
  return upper & 0x8000n ? -magnitude : magnitude;
}

const ONE = 0x3fffn << 63n;
/** 1 minus half of the root of 2. */
const LOG1_LIMIT = (0x3ffdn << 63n) + (0x95f619980c4336f7n & ~(1n << 63n));

/** Is the argument where the SDM defines the result? */
function defined(instruction: X87Instruction, record: Buffer): boolean {
  const argument = ordinal(record, 0);
  const magnitude = argument < 0n ? -argument : argument;
  if (magnitude >= 0x7fffn << 63n) return true;
  if (instruction.argument === 'power') return magnitude <= ONE;
  return instruction.argument !== 'log1' || magnitude <= LOG1_LIMIT;
}

describe('transcendental x87 instructions against the host CPU', () => {
  for (const instruction of TRANSCENDENTAL.filter(({ name }) => ONLY.test(name))) {
    it.skipIf(!gcc.available || process.arch !== 'x64')(
      named(`${instruction.name}: within 1 unit in the last place`, gcc),
      () => {
        const random = new Random(SEED);
        const records = Array.from({ length: CASES }, () => makeX87Case(random, instruction)).filter((record) =>
          defined(instruction, record),
        );
        const host = onHost(gcc.path, records);
        const machine = new Machine();
        machine.mode('long');
        const found: string[] = [];
        records.forEach((record, n) => {
          const expected = host[n] as Buffer;
          const got = inCore(machine, record);
          // C1 is the direction of the last rounding, which an error below one unit may turn
          const a = fields(expected, 0xfdff);
          const b = fields(got, 0xfdff);
          const other: string[] = [];
          for (const [name, value] of a) {
            if (b.get(name) === value) continue;
            const register = /^st(\d)$/.exec(name);
            const distance = register
              ? ordinal(expected, Number(register[1])) - ordinal(got, Number(register[1]))
              : 1000n;
            const units = distance < 0n ? -distance : distance;
            if (units > 1n) other.push(`${name} ${value} host, ${b.get(name)} core`);
          }
          if (other.length > 0 && found.length < 12) {
            const before = [...fields(record)].map(([name, value]) => `${name}=${value}`).join(' ');
            found.push(`${other.join('; ')}\n  of ${before}`);
          }
        });
        expect(found.join('\n')).toBe('');
      },
      Math.max(600_000, CASES * 10),
    );
  }
});
