import { expect, it } from 'vitest';
import { innerLatches } from '../../src/engine/jit/shared-heads.js';
import { structureOf } from '../../src/engine/jit/structure.js';

const found = (successors: number[][], copies: number[] = []): Record<number, number[]> => {
  const graph = { successors, labelled: new Set<number>() };
  const inner = innerLatches(graph, structureOf(graph), (node) => copies.includes(node));
  return Object.fromEntries([...inner].map(([head, latches]) => [head, [...latches].sort((a, b) => a - b)]));
};

it('parts the loops of a head that other ways lead around too', () => {
  // 0: the inner loop; 1, 2: the outer one
  expect(found([[0, 1], [2, 3], [0], []])).toEqual({ 0: [0] });
  // an inner loop of two nodes, each of which may go back
  expect(found([[1, 0], [0, 2], [0]])).toEqual({ 0: [0] });
  expect(found([[1], [0, 2], [0]])).toEqual({ 0: [1] });
});

it('leaves alone loops with one way around, or with ways beside each other', () => {
  expect(found([[0, 1], []])).toEqual({});
  expect(found([[1, 2], [0], [0]])).toEqual({});
});

it('takes the ways back from copies of the inner loop as its own', () => {
  // 3: the copy of 0
  expect(found([[0, 1, 3], [2], [0], [3, 0, 1]], [3])).toEqual({ 0: [0, 3] });
});
