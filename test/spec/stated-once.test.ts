// Bits of registers, MSR numbers, vectors and exit reasons have their values in src/spec: the core takes them from generated/, others
// from the tables. A constant of such a name that a number defines restates a row.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { EXCEPTIONS, VECTOR } from '../../src/spec/exceptions.js';
import { bitsOf, FCW, FCW_MASKS, FSW_CONDITIONS, MXCSR, MXCSR_MASKS } from '../../src/spec/flags.js';
import { ALWAYS_ONE, CR0, CR4, DR7, EFER, RFLAGS } from '../../src/spec/masks.js';
import { MSR, MSRS, msrName } from '../../src/spec/msrs.js';

const SOURCES = fileURLToPath(new URL('../../src', import.meta.url));
const STATED =
  /^\s*(?:export )?(?:const|let) ((?:CR[034]|EFER|RFLAGS|XCR0|DR[67]|FSW|FCW|MXCSR|IA32|MSR_IA32|VEC|EXIT_REASON)_\w+)[^=\n]*=([^;]*);/gm;
const NUMBER = /\b(?:0x[\da-f_]+|\d+)n?\b/i;

/** Constants of these names that an expression with a number in it defines. */
const statedByNumber = (text: string): string[] =>
  [...text.matchAll(STATED)].filter(([, , value]) => NUMBER.test(value)).map(([, name]) => name);

describe('what src/spec names', () => {
  it('is told from a number', () => {
    const text = `const CR0_PG: u64 = 0x80000000;
export const EFER_LMA: u64 = 1 << 10;
const RFLAGS_IF = 0x200n;
const CR4_SHOWN: u32 = <u32>(CR4_OSXSAVE | CR4_PKE);
const CR0_CACHE_BITS = CR0.NW | CR0.CD;
const CR0_PAGING: u64 = CR0_PG |
  1;`;
    expect(statedByNumber(text)).toEqual(['CR0_PG', 'EFER_LMA', 'RFLAGS_IF', 'CR0_PAGING']);
  });

  it('is stated by number nowhere else', () => {
    const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter(
      (file) => file.endsWith('.ts') && !file.startsWith('spec/') && !file.includes('/generated/'),
    );
    expect(files.length).toBeGreaterThan(500);
    expect(files).toContain('engine/core/exec/msr.ts');
    const wrong = files.flatMap((file) =>
      statedByNumber(readFileSync(`${SOURCES}/${file}`, 'utf8')).map((name) => `${file}: ${name}`),
    );
    expect(wrong).toEqual([]);
  });
});

it('masks, vectors and numbers are those of the SDM', () => {
  expect([CR0.PE, CR0.WP, CR0.PG]).toEqual([1n, 0x10000n, 0x80000000n]);
  expect([CR4.PAE, CR4.LA57, CR4.PKS]).toEqual([0x20n, 0x1000n, 0x1000000n]);
  expect([EFER.SCE, EFER.LME, EFER.LMA, EFER.NXE]).toEqual([1n, 0x100n, 0x400n, 0x800n]);
  expect([RFLAGS.TF, RFLAGS.IOPL, RFLAGS.VM]).toEqual([0x100n, 0x3000n, 0x20000n]);
  expect([DR7.G0, DR7['R/W0'], DR7.LEN3]).toEqual([2n, 0x30000n, 0xc0000000n]);
  expect(ALWAYS_ONE).toEqual({ RFLAGS: 2n, DR6: 0xffff0ff0n, DR7: 0x400n });
  expect([bitsOf(FCW), bitsOf(FCW_MASKS), bitsOf(FSW_CONDITIONS), bitsOf(MXCSR)]).toEqual([
    0x1f3f, 0x3f, 0x4700, 0xffff,
  ]);
  expect(MXCSR_MASKS.map(({ lo }) => lo)).toEqual([7, 8, 9, 10, 11, 12]);
  expect([VECTOR.DE, VECTOR.NMI, VECTOR.GP, VECTOR.XM]).toEqual([0, 2, 13, 19]);
  expect(Object.keys(VECTOR)).toHaveLength(EXCEPTIONS.length);
  expect([MSR.IA32_TIME_STAMP_COUNTER, MSR.IA32_EFER, MSR.IA32_VMX_VMFUNC]).toEqual([0x10, 0xc0000080, 0x491]);
  expect(MSRS.map(({ number }) => number)).toEqual(
    [...new Set(MSRS.map(({ number }) => number))].sort((a, b) => a - b),
  );
  expect([msrName(0x80b), msrName(0x900)]).toEqual(['IA32_X2APIC_0B', '0x900']);
});
