import { brokenByTurns } from './engine.js';
import { type Measurement, median } from './measurement.js';

/** In loops.elf: the page of crc32's code, and where it has none of what that loop runs. */
const ELSEWHERE = 0x1001bbn;
const MANY = 100;

/** What breakpoints that are not hit cost a loop on their page: its time as a ratio to that without them, by turns. */
export const breakpointCosts = (['on', 'off'] as const).map((jit) => (): Measurement[] => {
  const one = [ELSEWHERE];
  const many = Array.from({ length: MANY }, (_, n) => ELSEWHERE + BigInt(n));
  const [none, single, hundred] = brokenByTurns('crc32 4000', jit === 'on', [[], one, many]).map(median);
  const note = 'on the page of the hot loop, none hit';
  return [
    { name: `breakpoints.one, jit ${jit}`, value: single / none, unit: 'ratio', note },
    { name: `breakpoints.hundred, jit ${jit}`, value: hundred / none, unit: 'ratio', note },
  ];
});
