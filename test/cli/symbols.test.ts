import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SAMPLES, vmscope } from './vmscope.js';

let folder: string;
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmscope-symbols-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ['no such file', () => join(folder, 'absent')],
  ['line 1 is not a symbol', () => file('notes', 'hello\n')],
  ['has no symbols', () => file('empty', '\n')],
  ['is a folder', () => folder],
])('--symbols: %s', async (cause, path) => {
  const { status, stderr } = await vmscope(['run', `${SAMPLES}/crc32`, '--headless', '--symbols', path()]);
  expect(status).toBe(2);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).toContain(cause);
});

test('a list of symbols and an ELF file are taken', async () => {
  const list = file('System.map', '0000000000100020 T first_function\n0000000000100081 T checksum\n');
  for (const symbols of [list, `${SAMPLES}/memory/memory.elf`]) {
    const { status, stdout } = await vmscope(['run', `${SAMPLES}/crc32`, '--headless', '--symbols', symbols]);
    expect(status).toBe(0);
    expect(stdout).toBe('crc32 c0f68319\n');
  }
});
