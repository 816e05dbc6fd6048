import { describe, expect, it } from 'vitest';
import * as L from '../../src/engine/core/layout.js';
import type { DecodedUop } from '../../src/engine/jit/decoded.js';
import type { Node } from '../../src/engine/jit/discovery.js';
import { repeatedOf } from '../../src/engine/jit/repeated-turns.js';
import { Pair } from './pair.js';
import { RandomProgram } from './random-program.js';

const LOOPS = Number(process.env.VMSCOPE_JIT_LOOPS ?? 60);
const [RSI, RDI] = [6, 7];

const int32 = (value: number): number[] => [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255];

/** A loop of instructions on rax, rcx, rdx, rbx and rdi alone, of esi turns, with ways over and out; then it begins anew. */
function randomLoop(seed: number, long: boolean): { code: number[]; below: (n: number) => number } {
  const random = new RandomProgram(seed);
  const below = (n: number): number => random.below(n);
  const register = (): number => random.pick([0, 1, 2, 3, RDI]);
  // of bytes al to bh; REX makes others of them
  const byte = (): number => below(8);
  const two = (): number => 0xc0 | (register() << 3) | register();
  const wide = (): number[] => random.pick(long ? [[], [0x48], [0x66]] : [[], [0x66]]);
  const instruction = (): number[] => {
    switch (below(9)) {
      case 0:
        // of parts, behind what clears the upper half
        return [0x89, two(), random.pick([0x00, 0x28, 0x30, 0x20, 0x08, 0x88]), 0xc0 | (byte() << 3) | byte()];
      case 1:
        return [0x66, 0x81, 0xc0 | (random.pick([0, 1, 4, 5, 6]) << 3) | register(), below(256), below(256)];
      case 2:
        return [...wide(), 0xc1, 0xc0 | (random.pick([0, 1, 4, 5, 7]) << 3) | register(), below(32)];
      case 3:
        return [0x0f, 0x90 + below(16), 0xc0 | byte()];
      case 4:
        return [...wide(), 0x0f, 0x40 + below(16), two()];
      case 5:
        return [...wide(), 0x0f, random.pick([0xb6, 0xbe, 0xaf]), two()];
      case 6:
        // shifts by cl leave the flags where it is 0
        return [...wide(), 0xd3, 0xc0 | (random.pick([4, 5, 7]) << 3) | register()];
      default:
        return [...wide(), random.pick([0x01, 0x11, 0x19, 0x21, 0x29, 0x31, 0x39, 0x85, 0x89, 0x8b]), two()];
    }
  };
  const body: number[] = [];
  for (let n = 1 + below(5); n > 0; n--) {
    const one = instruction();
    if (below(5) === 0) body.push(0x70 + below(16), one.length);
    body.push(...one);
  }
  // out in the middle: test al,imm8; jz
  if (below(3) === 0) body.push(0xa8, 1 << below(8), 0x74, 5);
  // sub esi,1; jnz
  body.push(0x83, 0xe8 | RSI, 1, 0x75, -(body.length + 5));
  const code = [0xb8 + RSI, ...int32(random.pick([1, 2, 3, 4, 5, 7, 9, 30, 200])), ...body];
  return { code: [...code, 0xff, 0xc2, 0xeb, -(code.length + 4)].map((one) => one & 255), below };
}

function loops(long: boolean): void {
  let inRegions = 0;
  for (let seed = 1; seed <= LOOPS; seed++) {
    const { code, below } = randomLoop(seed * 104729 + (long ? 0 : 1), long);
    const pair = new Pair(long ? 'long' : 'protected32', (m) => {
      for (const [n, name] of ['rax', 'rcx', 'rdx', 'rbx', 'rdi'].entries())
        m.setReg(name, (0x8123_4567_89ab_cdefn * BigInt(n + seed)) & (long ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn));
      m.load(0x1400, code);
      m.set(L.RIP, 0x1400);
      m.core.updateMode();
    });
    for (let n = 0; n < 60; n++) {
      // first slices end inside of the turns that follow each other, then there is room for many
      if (n === 40) pair.compiled.set32(L.JIT_SLICE, 5000);
      try {
        pair.run(1 + below(n < 40 ? 100 : 2000), n < 10);
      } catch (error) {
        const text = code.map((one) => one.toString(16).padStart(2, '0')).join('');
        throw new Error(`loop ${seed}, run ${n}: ${(error as Error).message}\n${text}`);
      }
    }
    inRegions += pair.inRegions;
  }
  expect(inRegions).toBeGreaterThan(LOOPS * 5000);
}

describe('turns that follow each other with one look', () => {
  it('are those of random loops of 64-bit code', { timeout: 600_000 }, () => {
    loops(true);
  });

  it('are those of random loops of 32-bit code', { timeout: 600_000 }, () => {
    loops(false);
  });

  const computes = { row: { row: {}, body: [] } } as unknown as DecodedUop;
  const leaves = { row: { row: {}, body: [{ step: 'leaveIf', test: { op: 'carry' } }] } } as unknown as DecodedUop;
  const handled = { handler: {} } as unknown as DecodedUop;
  const node = (uops: DecodedUop[]): Node =>
    ({ block: { uops, instructions: uops.length }, ending: 'branch', broken: false }) as unknown as Node;
  /** Turns of a loop of node 0 and those that follow, of so many; other nodes stand before number 10. */
  const turns = (...own: Node[]): number[][] => {
    const nodes = new Map(own.map((_, n) => [n, n === 0 ? [] : [n - 1]]));
    const found = repeatedOf([{ head: 0, latches: new Set([own.length - 1]), nodes }], own, 10);
    return found?.copies.map((turn) => [...turn.values()]) ?? [];
  };

  it('are four, two or none, by the size of the loop', () => {
    expect(turns(node([computes]), node([computes]))).toEqual([
      [0, 1],
      [10, 11],
      [12, 13],
      [14, 15],
    ]);
    expect(turns(node(new Array<DecodedUop>(12).fill(computes)))).toHaveLength(4);
    expect(turns(node(new Array<DecodedUop>(13).fill(computes)))).toHaveLength(2);
    expect(turns(node(new Array<DecodedUop>(25).fill(computes)))).toHaveLength(0);
  });

  it('are not those of a loop that may be left in its midst', () => {
    expect(turns(node([computes, leaves]))).toEqual([]);
    expect(turns(node([computes]), node([handled]))).toEqual([]);
    expect(turns({ ...node([computes]), broken: true })).toEqual([]);
  });
});
