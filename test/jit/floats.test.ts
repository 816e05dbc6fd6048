/** Floating-point arithmetic of SSE on the edges of its formats: by handlers one by one, in blocks, and compiled. */
import { describe, expect, it } from 'vitest';
import * as L from '../../src/engine/core/layout.js';
import { Pair } from './pair.js';

const DOUBLES = [
  0n,
  0x8000000000000000n,
  1n,
  0x800fffffffffffffn,
  0x0010000000000000n,
  0x8010000000000001n,
  0x0020000000000000n,
  0x1ff0000000000000n,
  0x9ff8000000000000n,
  0x3fe0000000000000n,
  0x3ff0000000000000n,
  0xbff0000000000000n,
  0x3ff0000000000001n,
  0x3fb999999999999an,
  0xc340000000000000n,
  0x7fefffffffffffffn,
  0xffefffffffffffffn,
  0x7ff0000000000000n,
  0xfff0000000000000n,
  0x7ff8000000000000n,
  0x7ff0000000000001n,
];
const SINGLES = [
  0, 0x80000000, 1, 0x807fffff, 0x00800000, 0x80800001, 0x01000000, 0x20000000, 0xa0400000, 0x3f000000, 0x3f800000,
  0xbf800000, 0x3f800001, 0x3dcccccd, 0xcb800000, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000,
  0x7f800001,
];
/** All masked with and without PE, DAZ and FTZ, upwards, division by zero unmasked would fault: not here. */
const MODES = [0x1fa0, 0x1f80, 0x9fe0, 0x5fa0];

const FROM = 0x20000;
const TO = 0x60000;
const OPERATIONS = { add: 0x58, mul: 0x59, sub: 0x5c, min: 0x5d, div: 0x5e, max: 0x5f, sqrt: 0x51 };
const FORMS: Record<string, number[]> = { ss: [0xf3], sd: [0xf2], ps: [], pd: [0x66] };

/** The instruction `xmm0, xmm1`, and in memory `xmm0, [rsi+16]` for scalars. */
const INSTRUCTIONS: [string, number[], boolean][] = [
  ...Object.entries(OPERATIONS).flatMap(([name, opcode]) =>
    Object.entries(FORMS).flatMap(([form, prefix]): [string, number[], boolean][] => [
      [`${name}${form}`, [...prefix, 0x0f, opcode, 0xc1], form.endsWith('d')],
      [`${name}${form} of memory`, [...prefix, 0x0f, opcode, 0x46, 16], form.endsWith('d')],
    ]),
  ),
  ['ucomiss', [0x0f, 0x2e, 0xc1], false],
  ['ucomisd', [0x66, 0x0f, 0x2e, 0xc1], true],
  ['comisd of memory', [0x66, 0x0f, 0x2f, 0x46, 16], true],
];

/** RSI goes over the pairs, RDI over the answers: 16 bytes, MXCSR, flags. */
function loop(instruction: number[], pairs: number): number[] {
  const body = [
    ...[0x0f, 0xae, 0x56, 32], // ldmxcsr [rsi+32]
    ...[0x0f, 0x10, 0x06], // movups xmm0, [rsi]
    ...[0x0f, 0x10, 0x4e, 16], // movups xmm1, [rsi+16]
    ...instruction,
    ...[0x0f, 0x11, 0x07], // movups [rdi], xmm0
    ...[0x0f, 0xae, 0x5f, 16], // stmxcsr [rdi+16]
    0x9f, // lahf
    ...[0x89, 0x47, 20], // mov [rdi+20], eax
    ...[0x48, 0x83, 0xc6, 48], // add rsi, 48
    ...[0x48, 0x83, 0xc7, 32], // add rdi, 32
    ...[0x41, 0xff, 0xcf], // dec r15d
  ];
  const whole = [
    ...[0x41, 0xbf, pairs & 255, pairs >> 8, 0, 0], // mov r15d, pairs
    ...[0x48, 0x89, 0xde], // mov rsi, rbx
    ...[0x48, 0x89, 0xef], // mov rdi, rbp
    ...body,
    ...[0x0f, 0x85, ...int32(-(body.length + 6))], // jnz
  ];
  return [...whole, 0xe9, ...int32(-(whole.length + 5))];
}

const int32 = (value: number): number[] => [...Buffer.from(Int32Array.of(value).buffer)];

function operands(double: boolean): Buffer {
  const count = double ? DOUBLES.length : SINGLES.length;
  const data = Buffer.alloc(MODES.length * count * count * 48);
  let at = 0;
  const put = (value: number, lane: number): void => {
    const index = value % count;
    if (double) data.writeBigUInt64LE(DOUBLES[index], at + lane * 8);
    else data.writeUInt32LE(SINGLES[index], at + lane * 4);
  };
  const lanes = double ? 2 : 4;
  for (const mode of MODES) {
    for (let a = 0; a < count; a++) {
      for (let b = 0; b < count; b++, at += 48) {
        for (let lane = 0; lane < lanes; lane++) {
          // the upper elements are now the same, now ordinary, now others of the edges
          const other = (a + b) % 3;
          put(lane === 0 || other === 0 ? a : other === 1 ? 10 + lane : a * 5 + b * 3 + lane * 7, lane);
          put(lane === 0 || other === 0 ? b : other === 1 ? 13 - lane : a * 11 + b * 2 + lane, lane + lanes);
        }
        data.writeUInt32LE(mode, at + 32);
      }
    }
  }
  return data;
}

describe('floating-point arithmetic on the edges, compiled and not', () => {
  it.each(INSTRUCTIONS)('%s', { timeout: 120_000 }, (_name, instruction, double) => {
    const data = operands(double);
    const pairs = data.length / 48;
    const pair = new Pair('long', (m) => {
      m.set(L.CR4, m.get(L.CR4) | 0x600n);
      m.core.updateMode();
      m.load(FROM, [...data]);
      m.load(0x1400, loop(instruction, pairs));
      m.setReg('rbx', FROM);
      m.setReg('rbp', TO);
      m.set(L.RIP, 0x1400);
    });
    // what one by one answers is in memory before it is run compiled
    pair.run(20 * 200, true);
    for (let n = 0; n < 20; n++) pair.run(3000 + n);
    expect(pair.inRegions).toBeGreaterThan(10_000);
  });
});
