import { expect, it } from 'vitest';
import * as L from '../../src/engine/core/layout.js';
import { findDecoded } from '../../src/engine/jit/decoded.js';
import { blockAt, Discovery, type Surroundings } from '../../src/engine/jit/discovery.js';
import { Machine } from '../core/harness.js';
import { Pair } from './pair.js';

/** What lies around the block at an offset of code at 1000h that has run. */
function around(code: string, offset: number, isFirst = false): Discovery {
  const machine = new Machine();
  machine.mode('long');
  machine.setReg('rsp', 0x80000);
  machine.load(0x1000, code);
  machine.set(L.RIP, 0x1000);
  machine.run(2000);
  const view = new DataView(machine.memory.buffer);
  const surroundings: Surroundings = {
    findPage: () => 0,
    breaksAt: () => false,
    findTable: () => [],
    seenFrom: () => [],
    writesBesideCode: false,
    usualAddend: undefined,
    isFirst,
  };
  const mode = machine.get32(L.MODE);
  const address = findDecoded(view, L.RAM_BASE + 0x1000 + offset, mode);
  return Discovery.of(view, blockAt(view, address, surroundings), surroundings);
}

// L: mov edi,5; call F; jmp L
// F: cmp edi,2; jb M; push rdi; dec edi; call G; call F; call G; pop rdi; sub edi,2; jmp F; M: mov eax,edi; ret
// G: inc eax; ret
const RECURSIVE =
  'bf05000000 e802000000 ebf4 83ff02 7218 57 ffcf e813000000 e8eeffffff e809000000 5f 83ef02 ebe3 89f8 c3 ffc0 c3';

it('copies what a function calls that calls itself, for each call, but not that function', () => {
  // from inside of it and from its entry: each block once, G twice
  for (const offset of [0x11, 0x0c]) {
    const { nodes } = around(RECURSIVE, offset);
    const times = (at: number): number => nodes.filter(({ delta }) => delta === at - offset).length;
    expect([0x0c, 0x11, 0x19, 0x1e, 0x23, 0x2c].map(times)).toEqual([1, 1, 1, 1, 1, 2]);
  }
});

it('goes on behind the calls of a function that calls itself as the interpreter does', () => {
  const pair = new Pair('long', (m) => {
    m.setReg('rsp', 0x80000);
    m.load(0x1000, RECURSIVE);
    m.set(L.RIP, 0x1000);
  });
  for (let n = 0; n < 100; n++) pair.run(1 + ((n * 7919) % 500));
  expect(pair.inRegions).toBeGreaterThan(15_000);
});

it('lets a first region be larger by its copies of functions, up to a bound', () => {
  const instructionsOf = (count: number, isFirst: boolean): number => {
    // L: call G three times; jmp L. G: inc rax so many times; ret
    const code = `e80c000000 e807000000 e802000000 ebef ${'48ffc0'.repeat(count)} c3`;
    return around(code, 0, isFirst).instructions;
  };
  expect(instructionsOf(60, true)).toBe(4 + 3 * 61);
  expect(instructionsOf(110, true)).toBe(4 + 111);
  expect(instructionsOf(110, false)).toBe(4 + 3 * 111);
});
