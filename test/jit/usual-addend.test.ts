import { describe, expect, it } from 'vitest';
import * as L from '../../src/engine/core/layout.js';
import { usualAddend } from '../../src/engine/jit/guest-memory.js';
import type { Machine } from '../core/harness.js';
import { Pair } from './pair.js';

const TABLE = 0x73000;

/** Pages of 4 KiB for the first 2 MiB: those from 44000h on lie elsewhere, in the order backwards. */
function scatter(m: Machine, odd: number): void {
  for (let n = 0; n < 512; n++) m.set(L.RAM_BASE + TABLE + n * 8, BigInt(n * 0x1000 + 0x67));
  for (let n = 0; n < odd; n++) m.set(L.RAM_BASE + TABLE + (0x44 + n) * 8, BigInt(0x5f000 - n * 0x1000 + 0x67));
  m.set(L.RAM_BASE + 0x72000, BigInt(TABLE + 0x67));
  for (let n = 0; n < 0x20000; n += 8) m.set(L.RAM_BASE + 0x40000 + n, 0x0101010101010101n * BigInt(n % 251));
}

/** A loop over the pages from 40000h to 47fffh. */
function walk(odd: number, start: number): Pair {
  const pair = new Pair('long', (m) => {
    scatter(m, odd);
    m.setReg('rsi', BigInt(start));
    m.setReg('rdi', 0x48000n);
    m.setReg('rsp', 0x98000n);
    // L: mov rax,[rsi]; add r8,[rsi+8]; xor r9,[rsi+1]; mov [rdi],r8; mov [rdi+rsi],r9b; add rsi,205; or esi,40000h;
    // and esi,47fffh; mov edi,esi; xor edi,4000h; jmp L
    m.load(
      0x1000,
      '488b06 4c034608 4c334e01 4c8907 44880c37 4881c6cd000000 81ce00000400 81e6ff7f0400 89f7 81f700400000 ebd1',
    );
    m.set(L.RIP, 0x1000n);
  });
  for (let n = 0; n < 60; n++) pair.run(500 + n * 37);
  expect(pair.inRegions).toBeGreaterThan(20_000);
  return pair;
}

describe('what is usually added to a linear address', () => {
  it('is not taken where the TLB has something else', () => {
    walk(4, 0x40000);
  });

  it('may be that of few pages', () => {
    walk(4, 0x44000);
  });

  it('is that of nearly all pages in the TLB, or nothing', () => {
    const { memory } = walk(4, 0x40000).compiled;
    const view = new DataView(memory.buffer);
    const context = 0x7f8;
    const fill = (entries: number, addend: (n: number) => number): void => {
      for (let n = 0; n < L.TLB_ENTRIES; n++) {
        view.setBigUint64(L.TLB_READ + n * 16, n < entries ? BigInt(0x400000 + n * 4096 + context) : 0n, true);
        view.setInt32(L.TLB_READ + n * 16 + 8, addend(n), true);
      }
    };
    fill(64, (n) => (n % 32 === 5 ? 8 : -4096));
    expect(usualAddend(view, context)).toBe(-4096);
    fill(64, (n) => (n % 8 === 5 ? 8 : -4096));
    expect(usualAddend(view, context)).toBeUndefined();
    fill(0, () => 0);
    expect(usualAddend(view, context)).toBeUndefined();
  });
});
