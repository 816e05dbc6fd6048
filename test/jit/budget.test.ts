import { describe, expect, it } from 'vitest';
import { budgetOf } from '../../src/engine/jit/budget.js';
import type { DecodedBlock, DecodedUop } from '../../src/engine/jit/decoded.js';
import { reducible } from '../../src/engine/jit/irreducible.js';

const ROW = { row: { row: {} } } as unknown as DecodedUop;
const HANDLER = { row: undefined } as unknown as DecodedUop;
const block = (instructions: number, uop = ROW): DecodedBlock =>
  ({ instructions, uops: [uop] }) as unknown as DecodedBlock;

/** Instructions that the entry is looked at for, and the ways with a look: from, to, for how many. */
function budget(blocks: DecodedBlock[], successors: number[][], labelled: number[] = []): [number, ...number[][]] {
  const graph = { successors, labelled: new Set(labelled) };
  const { ahead, looks } = budgetOf(blocks, graph, reducible(graph));
  const ways = successors.flatMap((all, from) =>
    all.filter((to) => looks(from, to)).map((to) => [from, to, ahead[to]]),
  );
  return [ahead[0], ...ways];
}

describe('where a region looks for what is left', () => {
  it('looks once in a loop, for its longest way', () => {
    // 0 -> 1 or 2 -> 3 -> 0
    const blocks = [block(3), block(5), block(2), block(4)];
    expect(budget(blocks, [[1, 2], [3], [3], [0]])).toEqual([12, [3, 0, 12]]);
  });

  it('looks on the way back of a loop inside another, and of that', () => {
    const blocks = [block(3), block(5), block(2)];
    expect(budget(blocks, [[1], [1, 2], [0]])).toEqual([10, [1, 1, 7], [2, 0, 10]]);
  });

  it('looks behind a handler, after which fewer may be left', () => {
    const blocks = [block(3), block(5, HANDLER), block(2)];
    expect(budget(blocks, [[1], [2], [0]])).toEqual([8, [1, 2, 2], [2, 0, 8]]);
  });

  it('looks on the ways back of a computed jump alone', () => {
    const blocks = [block(3), block(5), block(2)];
    expect(budget(blocks, [[1], [1, 2], [0]], [1, 2])).toEqual([10, [1, 1, 7], [2, 0, 10]]);
  });

  it('looks for no more than 64 at once', () => {
    const blocks = [block(30), block(30), block(30), block(30)];
    expect(budget(blocks, [[1], [2], [3], [0]])).toEqual([60, [1, 2, 60], [3, 0, 60]]);
  });

  it('looks on the ways into a loop with two entries, and back in it', () => {
    // 1 -> 2 and 2 -> 1, each entered from 0
    const blocks = [block(3), block(5), block(2)];
    expect(budget(blocks, [[1, 2], [2], [1]])).toEqual([3, [0, 1, 7], [0, 2, 2], [2, 1, 7]]);
  });
});
