import { expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import { randomOf } from '../../random.js';
import { Machine } from '../harness.js';

const FROM = 0x20000;
const TO = 0x100000;
const RECORD = 32;
const COUNT = 3000;
/** All masked, with PE and without; the same with DE unmasked, which no number here raises: the whole way is taken. */
const PLAIN = [0x1fa0, 0x1f80];
const WHOLE = [0x1ea0, 0x1e80];

const INSTRUCTIONS: Record<string, string> = {
  addsd: 'f20f58c1',
  subsd: 'f20f5cc1',
  mulsd: 'f20f59c1',
  divsd: 'f20f5ec1',
  sqrtsd: 'f20f51c1',
  addps: '0f58c1',
  mulps: '0f59c1',
  divps: '0f5ec1',
  sqrtps: '0f51c1',
  addpd: '660f58c1',
  mulpd: '660f59c1',
  divpd: '660f5ec1',
  addsubps: 'f20fd0c1',
  addsubpd: '660fd0c1',
  cvtsd2ss: 'f20f5ac1',
  vfmadd231sd: 'c4e2f1b9c2',
  vfnmadd231sd: 'c4e2f1bdc2',
  vfmsub231pd: 'c4e2f1bac2',
  vfmaddsub231pd: 'c4e2f1b6c2',
};

/** Three vectors' first 16, 8 and 8 bytes: numbers that meet exactly, nearly, half way, or not at all. */
function records(singles: boolean): Buffer {
  const next = randomOf(0x9e3779b9);
  const sign = (): number => (next() % 2 ? 1 : -1);
  const number = (): number => {
    const bits = [1, 4, 12, 26, 27, 53][next() % 6];
    const whole =
      bits === 53 ? 2 ** 52 + (next() % 2 ** 20) * 2 ** 32 + next() : 2 ** (bits - 1) + (next() % 2 ** (bits - 1));
    return sign() * whole * 2 ** ((next() % 40) - 60);
  };
  const data = Buffer.alloc(COUNT * RECORD);
  for (let n = 0; n < COUNT; n++) {
    const at = n * RECORD;
    const [a, b] = [number(), number()];
    const c = [number(), -(a * b), a * b, a * b * 2 ** 53, a * b * 2 ** -53, a * b * (1 + 2 ** -52) * 2 ** -54][
      next() % 6
    ];
    if (singles) {
      for (let lane = 0; lane < 8; lane++) {
        const whole = sign() * ((next() % [3, 5000, 2 ** 24][next() % 3]) + 1) * 2 ** ((next() % 20) - 30);
        // of powers of four roots and quotients are exact, in all lanes
        data.writeFloatLE(n % 4 === 0 ? 4 ** ((next() % 10) - 5) : whole, at + lane * 4);
      }
    } else for (const [lane, value] of [c, a, b, number()].entries()) data.writeDoubleLE(value, at + lane * 8);
  }
  return data;
}

function answers(instruction: string, mxcsr: number, data: Buffer): Buffer {
  const machine = new Machine();
  machine.mode('long');
  machine.set(L.CR4, machine.get(L.CR4) | 0x40600n | 0x400n);
  machine.set(L.XCR0, 7n);
  machine.core.updateMode();
  machine.load(FROM, [...data]);
  machine.load(0x1f000, [mxcsr & 255, mxcsr >> 8, 0, 0]);
  // L: ldmxcsr [rbx]; movups xmm0,[rsi]; movups xmm1,[rsi+8]; movups xmm2,[rsi+16]; it; movups [rdi],xmm0; stmxcsr [rdi+16]
  const body = `0fae13 0f1006 0f104e08 0f105610 ${instruction} 0f1107 0fae5f10 4883c620 4883c720`;
  const bytes = body.replace(/ /g, '').length / 2;
  machine.load(0x1400, `${body} e9${Buffer.from(Int32Array.of(-(bytes + 5)).buffer).toString('hex')}`);
  machine.setReg('rbx', 0x1f000);
  machine.setReg('rsi', FROM);
  machine.setReg('rdi', TO);
  machine.set(L.RIP, 0x1400);
  expect(machine.run(COUNT * 10)).toBe(L.RUN_LIMIT);
  const from = L.RAM_BASE + TO;
  return Buffer.from(machine.bytes.slice(from, from + COUNT * RECORD));
}

it.each(Object.entries(INSTRUCTIONS))(
  '%s answers the same by plain arithmetic as by whole numbers',
  (name, instruction) => {
    const data = records(name.endsWith('ps'));
    let plainWithoutPe = 0;
    PLAIN.forEach((mxcsr, n) => {
      const plain = answers(instruction, mxcsr, data);
      const whole = answers(instruction, WHOLE[n], data);
      const wrong: string[] = [];
      for (let k = 0; k < COUNT; k++) {
        const part = (of: Buffer): Buffer => of.subarray(k * RECORD, k * RECORD + 16);
        const flags = (of: Buffer): number => of.readUInt32LE(k * RECORD + 16) & 0x3f;
        // a denormal is for the exception that is not masked
        if (flags(whole) & 2) continue;
        if (n === 1 && flags(plain) === 0) plainWithoutPe++;
        if (Buffer.compare(part(plain), part(whole)) !== 0 || flags(plain) !== flags(whole)) {
          wrong.push(
            `${k}: ${data.subarray(k * RECORD, k * RECORD + RECORD).toString('hex')}: ${part(plain).toString('hex')} ${flags(plain)}, whole ${part(whole).toString('hex')} ${flags(whole)}`,
          );
        }
      }
      expect(wrong.slice(0, 3)).toEqual([]);
    });
    expect(plainWithoutPe).toBeGreaterThan(20);
  },
);
