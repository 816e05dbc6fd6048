/** The pane of the profile: it shows the samples that `:profile` takes, as they come. */
import { expect, it } from 'vitest';
import { Guest } from '../../src/engine/host/guest.js';
import { flatGuest } from '../engine/flat-guest.js';
import { Cells } from './cells.js';

/** CPUID three hundred times, then a loop, then HLT. */
const PROGRAM = 'be2c01 6631c0 0fa2 4e 75f8 31c9 e2fe f4';

const open = (columns = 120, rows = 40) =>
  Cells.open(new Guest(flatGuest(PROGRAM).machine, { paced: false, waitForInput: true }), { columns, rows });

it.each([
  [80, 24],
  [200, 60],
])('comes up with the samples, by function, task and exit (%sx%s)', async (columns, rows) => {
  const cells = await open(columns, rows);
  await cells.key('g', 'p');
  expect(cells.text()).toContain('no samples: a, or :profile');
  await cells.key('a', ...'20 at CPUID', 'enter');
  await cells.until(/Profile by exit {2}20 samples, one at each exit/);
  expect(cells.text()).toMatch(/SHARE +SAMPLES +VM EXIT/);
  expect(cells.text()).toMatch(/100\.0% +20 +CPUID/);
  await cells.key('o');
  expect(cells.text()).toMatch(/Profile by function[\s\S]*100\.0% 100\.0% +20 +\[0x7000\]/);
  await cells.key('o');
  expect(cells.text()).toMatch(/Profile by task[\s\S]*100\.0% +20 +\[no task\]/);
  await cells.key('o');
  expect(cells.text()).toContain('Profile by exit');
  // away and back; of instructions there is no exit
  await cells.key('g', 'x', ':', ...'profile 7 every 1000', 'enter');
  await cells.until(/Profile by function {2}7 samples, one every 1000 instructions/);
  await cells.key('o', 'o');
  expect(cells.text()).toContain('Profile by function');
  await cells.key('enter');
  expect(cells.text()).toContain('[0x7000] is not a symbol');
});
