// What the SDM defines the core takes from generated/, by name: a file that states it by number restates a row of src/spec.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const CORE = fileURLToPath(new URL('../../src/engine/core', import.meta.url));
const STATED =
  /^\s*(?:export )?(?:const|let) ((?:CR[034]|EFER|RFLAGS|XCR0|DR[67]|IA32|MSR_IA32|VEC|EXIT_REASON)_\w+)[^=\n]*=([^;]*);/gm;
const NUMBER = /\b(?:0x[\da-f_]+|\d+)\b/i;

/** Constants of these names that an expression with a number in it defines. */
const statedByNumber = (text: string): string[] =>
  [...text.matchAll(STATED)].filter(([, , value]) => NUMBER.test(value)).map(([, name]) => name);

it('tells a number from names', () => {
  const text = `const CR0_PG: u64 = 0x80000000;
export const EFER_LMA: u64 = 1 << 10;
const CR4_SHOWN: u32 = <u32>(CR4_OSXSAVE | CR4_PKE);
const CR0_PAGING: u64 = CR0_PG |
  1;`;
  expect(statedByNumber(text)).toEqual(['CR0_PG', 'EFER_LMA', 'CR0_PAGING']);
});

it('no file of the core states by number what src/spec names', () => {
  const files = readdirSync(CORE, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !file.startsWith('generated/'),
  );
  expect(files.length).toBeGreaterThan(100);
  const wrong = files.flatMap((file) =>
    statedByNumber(readFileSync(`${CORE}/${file}`, 'utf8')).map((name) => `${file}: ${name}`),
  );
  expect(wrong).toEqual([]);
});
