import { describe, expect, it } from 'vitest';
import * as L from '../../src/engine/core/layout.js';
import type { Machine } from '../core/harness.js';
import { Pair } from './pair.js';

/** Runs a loop with the compiler and without it, to different moments. */
function same(code: string, prepare: (machine: Machine) => void): Pair {
  const pair = new Pair('long', (m) => {
    m.setReg('rsp', 0x98000);
    prepare(m);
    m.load(0x1000, code);
    m.set(L.RIP, 0x1000);
  });
  for (let n = 0; n < 60; n++) pair.run(500 + n * 37);
  expect(pair.inRegions).toBeGreaterThan(20_000);
  return pair;
}

/** Distinct bytes in the pages from 40000h on. */
function fill(m: Machine): void {
  for (let n = 0; n < 0x4000; n += 8) m.set(L.RAM_BASE + 0x40000 + n, 0x0101010101010101n * BigInt(n % 251));
}

describe('accesses that are likely to hit the page of the one before', () => {
  it('go over the end of a page by an address from a register', () => {
    // L: mov rax,[rsi]; add r8,[rsi+8]; xor r9,[rsi+1]; mov [rdi],r8; mov [rdi+5],r9; add rsi,13; add rdi,13; and esi,41fffh;
    // and edi,43fffh; jmp L
    same('488b06 4c034608 4c334e01 4c8907 4c894f05 4883c60d 4883c70d 81e6ff1f0400 81e7ff3f0400 ebd8', (m) => {
      fill(m);
      m.setReg('rsi', 0x40000);
      m.setReg('rdi', 0x42000);
    });
  });

  it('go over the end of a page by a fixed address and an index', () => {
    // L: mov rax,[rcx+40ff0h]; add r8,rax; mov [rcx+42ff0h],r8; inc ecx; and ecx,31; jmp L
    same('488b040df00f0400 4901c0 4c89040df02f0400 ffc1 83e11f ebe6', (m) => {
      fill(m);
      m.setReg('rcx', 0);
    });
  });

  it('follow a stack that goes from page to page, aligned and not', () => {
    // L: push rax; push rcx; mov rdx,[rsp+8]; add rsp,-123; add rax,rdx; pop r8; inc rcx; and esp,9ffffh; or esp,90000h; jmp L
    same('50 51 488b542408 4883c485 4801d0 4158 48ffc1 81e4ffff0900 81cc00000900 ebdf', (m) => m.setReg('rax', 3));
  });

  // L: add r8,[40010h] (in the TLB since the turn before); and byte [r10],0dfh (page 40000h was not accessed); the instruction
  // at 840000h; jmp to the next; add r8,[40010h] (a walk tells that it is); mov r11b,[r10]; add r9,r11; jmp L
  const again = (instruction: string): string => {
    const body = `4c03042510000400 418022df ${instruction} eb00 4c03042510000400 458a1a 4d01d9`;
    const bytes = body.replaceAll(' ', '').length / 2 + 2;
    return `${body} eb${(256 - bytes).toString(16)}`;
  };
  const evicting = (m: Machine): void => {
    fill(m);
    m.set(L.CR4, m.get(L.CR4) | 0x600n);
    m.core.updateMode();
    // pages of 4 KiB for the first 2 MiB
    const table = 0x73000;
    for (let n = 0; n < 512; n++) m.set(L.RAM_BASE + table + n * 8, n * 0x1000 + 0x67);
    m.set(L.RAM_BASE + 0x72000, table + 0x67);
    // 840000h has the same place in the TLB
    m.set(L.RAM_BASE + 0x72020, 0x74067);
    m.set(L.RAM_BASE + 0x74200, 0x52067);
    m.setReg('r10', table + 0x40 * 8);
    m.setReg('r11', 0);
  };

  it('look again behind a handler, which may have put another page into its place in the TLB', () => {
    // mov esi,840000h; mov edi,50000h; mov ecx,1; rep movsb
    same(again('be00008400 bf00000500 b901000000 f3a4'), evicting);
  });

  it('look again behind an instruction of vectors that its handler carries out', () => {
    // aesenc xmm0,[840000h]
    same(again('660f38dc042500008400'), evicting);
  });

  it('look again in a short loop behind a handler', () => {
    // L: and byte [r10],0dfh; mov esi,840000h; mov edi,50000h; mov ecx,1; rep movsb; mov esi,40010h; mov ecx,4; I: add r8,[rsi];
    // add rsi,8; dec ecx; jnz I; mov r11b,[r10]; add r9,r11; jmp L
    const copy = 'be00008400 bf00000500 b901000000 f3a4';
    same(`418022df ${copy} be10000400 b904000000 4c0306 4883c608 ffc9 75f5 458a1a 4d01d9 ebce`, evicting);
  });
});
