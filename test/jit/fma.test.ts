/** Fused multiply-add in every form, on ordinary numbers and the edges: in blocks and compiled. */
import { describe, expect, it } from 'vitest';
import * as L from '../../src/engine/core/layout.js';
import { randomOf } from '../random.js';
import { Pair } from './pair.js';

const FROM = 0x20000;
const TO = 0x60000;
/** Three vectors of 32 bytes, MXCSR. */
const RECORD = 128;
const RECORDS = 120;
const MODES = [0x1fa0, 0x1fa0, 0x1f80, 0x1f80, 0x9fe0, 0x5fa0];
const EDGES = [0, -0, 1, -1, 0.1, -0.7, 3, 1e-300, 5e-324, 1e300, 2 ** 30, 2 ** -30, Infinity, Number.NaN];

function records(seed: number, double: boolean): Buffer {
  const next = randomOf(seed);
  const data = Buffer.alloc(RECORDS * RECORD);
  const number = (): number => {
    if (next() % 12 === 0) return EDGES[next() % EDGES.length];
    const whole = next() % 4 === 0 ? next() % 16 : next() / 2 ** 31 + next() / 2 ** 62;
    return (next() % 2 ? whole : -whole) * 2 ** ((next() % 9) - 4);
  };
  for (let n = 0; n < RECORDS; n++) {
    const at = n * RECORD;
    for (let lane = 0; lane < (double ? 4 : 8); lane++) {
      const [a, b] = [number(), number()];
      // sometimes nothing, or little, is left of a difference
      const c = next() % 5 === 0 ? -a * b : next() % 5 === 0 ? a * b * (1 + 2 ** -50) : number();
      // a product in the middle between two numbers, and an addend that decides
      const tie = double ? [1 + 2 ** -26, 1 + 2 ** -27, 2 ** -150] : [1 + 2 ** -12, 1 + 2 ** -12, 2 ** -58];
      const given = next() % 3 === 0 ? tie.map((one) => (next() % 2 ? one : -one)) : [a, b, c];
      given.forEach((value, which) => {
        const to = at + which * 32 + lane * (double ? 8 : 4);
        if (double) data.writeDoubleLE(value, to);
        else data.writeFloatLE(value, to);
      });
    }
    data.writeUInt32LE(MODES[next() % MODES.length], at + 96);
  }
  return data;
}

const int32 = (value: number): number[] => [...Buffer.from(Int32Array.of(value).buffer)];

/** RSI goes over the records, RDI over the answers. */
function loop(instruction: number[]): number[] {
  const body = [
    ...[0x0f, 0xae, 0x56, 96], // ldmxcsr [rsi+96]
    ...[0xc5, 0xfc, 0x10, 0x06], // vmovups ymm0, [rsi]
    ...[0xc5, 0xfc, 0x10, 0x4e, 32], // vmovups ymm1, [rsi+32]
    ...[0xc5, 0xfc, 0x10, 0x56, 64], // vmovups ymm2, [rsi+64]
    ...instruction,
    ...[0xc5, 0xfc, 0x11, 0x07], // vmovups [rdi], ymm0
    ...[0x0f, 0xae, 0x5f, 32], // stmxcsr [rdi+32]
    ...[0x48, 0x83, 0xee, 0x80], // sub rsi, -RECORD
    ...[0x48, 0x83, 0xc7, 64], // add rdi, 64
    ...[0x41, 0xff, 0xcf], // dec r15d
  ];
  const whole = [
    ...[0x41, 0xbf, ...int32(RECORDS)], // mov r15d, RECORDS
    ...[0x48, 0x89, 0xde], // mov rsi, rbx
    ...[0x48, 0x89, 0xef], // mov rdi, rbp
    ...body,
    ...[0x0f, 0x85, ...int32(-(body.length + 6))], // jnz
  ];
  return [...whole, 0xe9, ...int32(-(whole.length + 5))];
}

describe('fused multiply-add, compiled and not', () => {
  it.each([
    ['doubles', true],
    ['singles', false],
  ])('%s', { timeout: 120_000 }, (_name, double) => {
    const pair = new Pair('long', (m) => {
      m.set(L.CR0, m.get(L.CR0) & ~4n);
      m.set(L.CR4, m.get(L.CR4) | 0x40600n);
      m.set(L.XCR0, 7n);
      m.core.updateMode();
    });
    const wrong: string[] = [];
    let at = 0x1400;
    for (const order of [0x90, 0xa0, 0xb0]) {
      for (let low = 6; low < 16; low++) {
        for (const whole of low > 8 && low & 1 ? [0] : [0, 4]) {
          // xmm0, xmm1, and xmm2 or [rsi+64]
          for (const operand of [[0xc2], [0x46, 64]]) {
            const code = loop([0xc4, 0xe2, (double ? 0x80 : 0) | 0x71 | whole, order + low, ...operand]);
            const data = records(order * 64 + low * 4 + whole, double);
            for (const m of [pair.plain, pair.compiled]) {
              m.load(FROM, [...data]);
              m.load(at, code);
              m.setReg('rbx', FROM);
              m.setReg('rbp', TO);
              m.set(L.RIP, at);
            }
            at += (code.length + 63) & ~63;
            const before = pair.inRegions;
            try {
              for (let k = 0; k < 4; k++) pair.run(700 + k);
            } catch (error) {
              wrong.push(`${(order + low).toString(16)} ${whole}: ${(error as Error).message.slice(0, 300)}`);
            }
            if (pair.inRegions - before < 1000) wrong.push(`${(order + low).toString(16)}: not compiled`);
          }
        }
      }
    }
    expect(wrong).toEqual([]);
  });
});
