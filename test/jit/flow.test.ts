import { describe, expect, it } from 'vitest';
import * as L from '../../src/engine/core/layout.js';
import { reducible } from '../../src/engine/jit/irreducible.js';
import { type Graph, structureOf } from '../../src/engine/jit/structure.js';
import { Pair } from './pair.js';

/** Numbers from a seed. */
function numbers(seed: number): (below: number) => number {
  let state = (seed * 2654435761 + 1) >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function randomGraph(seed: number, nodes: number): Graph {
  const below = numbers(seed);
  const successors = Array.from({ length: nodes }, () => [
    ...new Set(Array.from({ length: below(3) + (below(12) === 0 ? 4 : 0) }, () => below(nodes))),
  ]);
  return { successors, labelled: new Set(successors.filter((all) => all.length > 2).flat()) };
}

describe('loops with several entries', () => {
  it('are entered and gone around in by a node that decides, so that no way leaves them', () => {
    let mended = 0;
    for (let seed = 0; seed < 600; seed++) {
      const graph = randomGraph(seed, 3 + (seed % 38));
      const count = graph.successors.length;
      const structure = reducible(graph);
      const { decisions } = structure;
      const { successors } = structure.graph;
      mended += decisions.length;
      for (const from of structure.order) {
        for (const to of successors[from]) expect(structureOf(structure.graph).breaks(from, to), `${seed}`).toBe(false);
      }
      // each way leads where it led, by whoever decides
      for (const from of structureOf(graph).order) {
        for (const to of graph.successors[from]) {
          let at = from;
          for (let by = structure.decided(at, to); by; by = structure.decided(at, to)) {
            expect(successors[at]).toContain(by.by);
            expect(decisions[by.by - count][by.number]).toBe(to);
            at = by.by;
          }
          expect(successors[at], `${seed}: ${from} to ${to}`).toContain(to);
        }
      }
    }
    expect(mended).toBeGreaterThan(50);
  });

  it('that have one entry stay as they are', () => {
    const graph: Graph = { successors: [[1], [2, 3], [1], [0]], labelled: new Set() };
    expect(reducible(graph).decisions).toEqual([]);
  });
});

const TABLES = 0x20000;
const CODE = 0x1000;
const FUNCTIONS = 4;
const BLOCKS = 7;

/**
 * Functions that call one another, directly and by tables, to a depth of 6; inside each the blocks lead to one another at random. RAX
 * makes the numbers that decide. Answers the code and the tables behind each other.
 */
function randomFlow(seed: number): { code: number[]; tables: bigint[] } {
  const below = numbers(seed);
  const code: number[] = [];
  const starts: number[][] = [];
  const fixups: { at: number; fn: number; block: number }[] = [];
  const int32 = (value: number): number[] => [...new Uint8Array(Int32Array.of(value).buffer)];
  const to = (opcode: number[], fn: number, block: number): void => {
    code.push(...opcode, 0, 0, 0, 0);
    fixups.push({ at: code.length - 4, fn, block });
  };
  // mov ecx,eax; shr ecx,28; and ecx,3
  const index = [0x89, 0xc1, 0xc1, 0xe9, 0x1c, 0x83, 0xe1, 3];
  /** FF /2 or /4 by the table, in memory or by RDX. */
  const computed = (extension: number, table: number): void => {
    const place = int32(TABLES + table * 32);
    code.push(...index);
    if (below(2)) code.push(0xff, 0x04 | (extension << 3), 0xcd, ...place);
    else code.push(0x48, 0x8b, 0x14, 0xcd, ...place, 0xff, 0xc2 | (extension << 3));
  };
  for (let fn = 0; fn < FUNCTIONS; fn++) {
    starts.push([]);
    for (let block = 0; block < BLOCKS; block++) {
      starts[fn].push(code.length);
      code.push(0x69, 0xc0, ...int32(1103515245), 0x05, ...int32(below(1 << 30)), 0x01, 0x03);
      if (block === BLOCKS - 1 && fn > 0) {
        code.push(0xc3);
        continue;
      }
      const kind = below(8);
      if (kind < 4) {
        code.push(0xa9, ...int32(1 << (12 + below(18))));
        to([0x0f, 0x84 + below(2)], fn, below(BLOCKS));
      } else if (kind < 7) {
        // cmp r14d,6; jae over; inc r14d; call; dec r14d
        code.push(0x41, 0x83, 0xfe, 6, 0x73, 0);
        const over = code.length;
        code.push(0x41, 0xff, 0xc6);
        if (kind === 4) computed(2, 0);
        else to([0xe8], 1 + below(FUNCTIONS - 1), 0);
        code.push(0x41, 0xff, 0xce);
        code[over - 1] = code.length - over;
      } else {
        computed(4, 1 + fn);
        continue;
      }
      to([0xe9], fn, below(BLOCKS));
    }
  }
  for (const { at, fn, block } of fixups) code.splice(at, 4, ...int32(starts[fn][block] - at - 4));
  const place = (fn: number, block: number): bigint => BigInt(CODE + starts[fn][block]);
  const tables = Array.from({ length: 4 }, () => place(1 + below(FUNCTIONS - 1), 0));
  for (let fn = 0; fn < FUNCTIONS; fn++) tables.push(...Array.from({ length: 4 }, () => place(fn, below(BLOCKS))));
  return { code, tables };
}

describe('calls, computed jumps and loops with several entries', () => {
  it.each(Array.from({ length: 24 }, (_, n) => [n]))('run as the interpreter runs them: %i', (seed) => {
    const { code, tables } = randomFlow(seed);
    const pair = new Pair(
      'long',
      (m) => {
        m.setReg('rax', BigInt(seed));
        m.setReg('rbx', 0x40000);
        m.setReg('rsp', 0x80000);
        m.setReg('r14', 0);
        m.load(CODE, Buffer.from(code).toString('hex'));
        tables.forEach((value, n) => {
          new DataView(m.bytes.buffer, m.bytes.byteOffset).setBigUint64(L.RAM_BASE + TABLES + n * 8, value, true);
        });
        m.set(L.RIP, CODE);
      },
      seed % 2 === 0 ? 'always' : 'on',
    );
    const [runs, count] = seed % 2 === 0 ? [60, 1_000] : [200, 12_000];
    for (let n = 0; n < runs; n++) pair.run(count + n * 7);
    expect(pair.inRegions).toBeGreaterThan(10_000);
  });
});
