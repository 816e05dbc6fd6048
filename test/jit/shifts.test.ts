/** Shifts and rotations of registers and memory, compiled: results, flags, and what a count of 0 leaves. */
import { describe, expect, it } from 'vitest';
import * as L from '../../src/engine/core/layout.js';
import { Pair } from './pair.js';

const DATA = 0x20000;

function run(code: string, inRegions: number, prepare: (pair: Pair) => void = () => {}): Pair {
  const bytes = code.replace(/ /g, '').length / 2;
  const back = Buffer.from(Int32Array.of(-(bytes + 5)).buffer).toString('hex');
  const pair = new Pair('long', (m) => {
    m.load(
      DATA - 0x100,
      Array.from({ length: 0x200 }, (_, n) => (n * 37 + (n >> 3)) & 255),
    );
    m.load(0x1400, `${code} e9${back}`);
    m.set(L.RIP, 0x1400);
    m.setReg('rbx', DATA);
    m.setReg('rsp', DATA + 0x4000);
    m.setReg('rdx', 0x1234567);
  });
  prepare(pair);
  for (let n = 0; n < 40; n++) expect(pair.run(n < 15 ? 23 : 1201, n < 15)).toBe(L.RUN_LIMIT);
  expect(pair.inRegions).toBeGreaterThan(inRegions);
  return pair;
}

// rdx = rdx * 69069 + 1; the count is often 0: mov ecx,edx; shr ecx,13; test dl,1; cmovz ecx,zero of r15
const NEXT = '4869d2cd0d0100 48ffc2 89d1 c1e90d f6c201 410f44cf';
const OPERATIONS = { rol: 0, ror: 1, shl: 4, shr: 5, sar: 7 };
const hex = (n: number): string => n.toString(16).padStart(2, '0');

/** Prefixes, opcode by an immediate and by CL, bits. */
const SIZES = [
  ['', 'c0', 'd2', 8],
  ['66', 'c1', 'd3', 16],
  ['', 'c1', 'd3', 32],
  ['48', 'c1', 'd3', 64],
] as const;

describe.each(Object.entries(OPERATIONS))('%s', (_name, operation) => {
  // cmp edx,7 before each; pushfq, pop rsi, add rdi,rsi behind it
  const seen = (code: string): string => `83fa07 ${code} 9c 5e 4801f7`;

  it('by an immediate, of registers and memory', () => {
    const cases = SIZES.flatMap(([prefix, opcode, , bits]) =>
      [1, 3, bits - 1].flatMap((count) =>
        [0xc2 | (operation << 3), 0x03 | (operation << 3)].map((modrm) =>
          seen(`${prefix}${opcode}${hex(modrm)}${hex(count)}`),
        ),
      ),
    );
    run(`${NEXT} ${cases.join(' ')}`, 15_000);
  });

  it('by CL, of registers and memory', () => {
    const cases = SIZES.flatMap(([prefix, , opcode]) =>
      [0xc2 | (operation << 3), 0x43 | (operation << 3)].map((modrm) =>
        seen(`${prefix}${opcode}${hex(modrm)}${modrm < 0xc0 ? '08' : ''}`),
      ),
    );
    run(`${NEXT} ${cases.join(' ')}`, 15_000);
  });

  it('of memory over the end of a page', () => {
    const modrm = hex(0x83 | (operation << 3));
    // [rbx+0xffc], 64 bits, by 5 and by CL
    run(`${NEXT} ${seen(`48c1${modrm}fc0f000005`)} ${seen(`48d3${modrm}fc0f0000`)}`, 0);
  });
});

describe('a block that keeps flags where it counts or shifts by CL', () => {
  it('is reached inside the region by a computed jump', () => {
    const table = 0x24000;
    // mov eax,edx; shr eax,20; and eax,1; jmp [rax*8+table]; A: shr dword [rbx],cl; jmp on; B: inc dword [rbx]; jmp on
    const code = `${NEXT} 89d0 c1e814 83e001 ff24c500400200 d32b eb04 ff03 eb00 90`;
    const at = 0x1400 + `${NEXT}89d0c1e81483e001ff24c500400200`.replace(/ /g, '').length / 2;
    const pair = run(code, 15_000, ({ stepped, plain, compiled }) => {
      for (const m of [stepped, plain, compiled]) m.load(table, wordsOf([at, at + 4]));
    });
    const left = (): number => Number(pair.compiled.get(L.COUNTERS + L.COUNTER_REGION_ANYWHERE * 8));
    // as often as it is left before it is compiled with what it then leads to
    for (let n = 0; n < 60; n++) pair.run(40_001);
    const before = left();
    for (let n = 0; n < 20; n++) pair.run(1201);
    // some at the end of a slice, hundreds where one of the two is not in the region
    expect(left() - before).toBeLessThan(25);
  });
});

const wordsOf = (values: readonly number[]): number[] => [
  ...Buffer.from(BigUint64Array.from(values.map(BigInt)).buffer),
];
