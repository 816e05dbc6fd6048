import { expect, it } from 'vitest';
import { parseModules } from '../../src/cli/initrd-option.js';

it.each([
  ['/a/b', [{ file: '/a/b' }]],
  ['/a/b x=1  y ,/c', [{ file: '/a/b', args: 'x=1  y ' }, { file: '/c' }]],
  ['/with,,comma z,,w', [{ file: '/with,comma', args: 'z,w' }]],
  // a file of that name is that file
  [import.meta.filename, [{ file: import.meta.filename }]],
])('--initrd %s', (text, modules) => {
  expect(parseModules(text)).toEqual(modules);
});

it.each(['/a,', ',/a', '/a, ,/b'])('--initrd %s names no file', (text) => {
  expect(() => parseModules(text)).toThrow(`--initrd ${text}: a module has no file; ,, stands for a comma in a name`);
});
