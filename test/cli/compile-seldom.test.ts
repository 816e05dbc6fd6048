/** V8 prints an error at a flag that it does not know: users of a newer Node would see it at each start. */
import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { flagsToCompileSeldom } from '../../src/cli/compile-seldom.js';

it.each([
  ['Node 20', '11.3.244.8-node.38', ['--interrupt-budget=675840']],
  ['Node 22', '12.4.254.21-node.57', []],
  ['Node 24', '13.6.233.17-node.63', []],
  ['a Node to come', '15.0.1.2-node.1', []],
])('%s is given flags that its V8 has', (_, v8, flags) => {
  expect(flagsToCompileSeldom(v8, 5)).toEqual(flags);
});

it('this Node has those that it is given', () => {
  const { stdout } = spawnSync(process.execPath, ['--v8-options'], { encoding: 'utf8' });
  for (const flag of flagsToCompileSeldom(process.versions.v8, 5)) expect(stdout).toContain(`  ${flag.split('=')[0]} `);
});
