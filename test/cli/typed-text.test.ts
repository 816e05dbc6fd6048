import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parseTyped, readTyped } from '../../src/cli/typed-text.js';
import { vmscope } from './vmscope.js';

const folder = mkdtempSync(join(tmpdir(), 'vmscope-typed-'));
afterAll(() => rmSync(folder, { recursive: true }));

const words = (text: string): string[] =>
  parseTyped('--type', text).map((step) => (step.kind === 'key' ? step.keys : `<${step.text}>`));

test('escapes are keys, keys held together, and waits', () => {
  expect(words('a\\n\\t\\\\\\e')).toEqual(['a', 'enter', 'tab', '\\', 'esc']);
  expect(words('\\{wait login: }R\\{ctrl-alt-delete}\\{f1}')).toEqual(['<login: >', 'R', 'ctrl-alt-delete', 'f1']);
  const file = join(folder, 'keys');
  writeFileSync(file, 'ab\r\nc\n');
  expect(readTyped(file).map((step) => step.kind === 'key' && step.keys)).toEqual(['a', 'b', '\n', 'c']);
});

test.each([
  ['\\q', /--type: \\q is not one of \\n/],
  ['\\', /--type: \\ is not one of/],
  ['\\{nokey}', /--type: \\\{nokey\} is on no key/],
  ['€', /--type: € is on no key/],
  ['😀', /--type: 😀 is on no key/],
])('%s is refused', (text, cause) => {
  expect(() => parseTyped('--type', text)).toThrow(cause);
});

test('a guest reads what is typed, after what was waited for', async () => {
  const typed = '\\{wait q ends}h7q';
  const run = ['run', 'keyboard', '--headless', '--timeout', '60', '--type', typed];
  const { stdout, stderr, status } = await vmscope(run, { timeoutMs: 90_000 });
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/h\r?\n.*7\r?\n.*q\r?\n$/);
}, 100_000);

test('what the guest does not wait for is told', async () => {
  const run = ['run', 'exit-zoo', '--headless', '--timeout', '60', '--type', '\\{wait never to be seen}ab'];
  const { stderr } = await vmscope(run, { timeoutMs: 90_000 });
  expect(stderr).toContain('--type: 2 keys were not typed: the guest has not shown "never to be seen"');
}, 100_000);
