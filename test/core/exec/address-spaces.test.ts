// Code at one linear address in several address spaces: the way from the address to what is decoded is looked for anew after each
// switch of CR3, by what lay there before.
import { expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import { Pair } from '../../jit/pair.js';

const LINEAR = 6 << 20;
/** Page-directory entry of LINEAR, in tables of 512 entries. */
const ENTRY = 3 * 8;
const SPACES = [0x70000, 0x80000];
const FRAMES = [0x90000, 0x91000, 0x92000];
const ROUNDS = 100;
/** Instructions of a round: two switches and calls, twice ADD and RET, DEC, JNZ. */
const ROUND = 10;
/** L: mov cr3,rsi; call rbx; mov cr3,rdi; call rbx; dec ecx; jnz L; jmp $ */
const CODE = '0f22de ffd3 0f22df ffd3 ffc9 75f2 ebfe';
/** add rax,1; ret, and the same with 256 and 65536 */
const FUNCTIONS = ['4883c001c3', '480500010000c3', '480500000100c3'];

/** Maps LINEAR of an address space to a frame, by a table of its own. */
function map(pair: Pair, space: number, frame: number): void {
  for (const m of [pair.stepped, pair.plain, pair.compiled]) m.set(L.RAM_BASE + SPACES[space] + 0x3000, frame | 7);
}

function machines(frames: readonly number[]): Pair {
  const pair = new Pair('long', (m) => {
    for (const space of SPACES) {
      m.set(L.RAM_BASE + space, (space + 0x1000) | 7);
      m.set(L.RAM_BASE + space + 0x1000, (space + 0x2000) | 7);
      for (let n = 0; n < 512; n++) m.set(L.RAM_BASE + space + 0x2000 + n * 8, n * 0x200000 + 0x87);
      m.set(L.RAM_BASE + space + 0x2000 + ENTRY, (space + 0x3000) | 7);
    }
    FUNCTIONS.forEach((code, n) => m.load(FRAMES[n], code));
    m.load(0x1000, CODE);
    m.setReg('rbx', LINEAR);
    m.setReg('rsi', SPACES[0]);
    m.setReg('rdi', SPACES[1]);
    m.setReg('rcx', ROUNDS);
    m.setReg('rsp', 0xa0000);
    m.set(L.RIP, 0x1000);
  });
  frames.forEach((frame, space) => {
    map(pair, space, frame);
  });
  return pair;
}

it.each([
  ['other code in each', [0, 1], ROUNDS * (1 + 256)],
  ['the same frame in both', [1, 1], ROUNDS * (256 + 256)],
])('%s', (_what, frames, sum) => {
  const pair = machines(frames.map((n) => FRAMES[n]));
  for (let n = 0; n < ROUNDS; n += 4) pair.run(4 * ROUND, true);
  expect(pair.plain.reg('rax')).toBe(BigInt(sum));
});

it('another frame where one lay, from a switch of CR3 on', () => {
  const pair = machines([FRAMES[0], FRAMES[1]]);
  for (let n = 0; n < ROUNDS / 2; n++) pair.run(ROUND);
  map(pair, 1, FRAMES[2]);
  for (let n = 0; n < ROUNDS / 2; n++) pair.run(ROUND);
  expect(pair.plain.reg('rax')).toBe(BigInt((ROUNDS / 2) * (1 + 256) + (ROUNDS / 2) * (1 + 65536)));
});
