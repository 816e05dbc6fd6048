import { describe, expect, it } from 'vitest';
import * as L from '../../src/engine/core/layout.js';
import type { Machine } from '../core/harness.js';
import { Pair } from './pair.js';
import { RandomLoop } from './random-loop.js';

const LOOPS = Number(process.env.VMSCOPE_JIT_LOOPS ?? 60);
const TABLE = 0x73000;

/** Pages of 4 KiB for the first 2 MiB; those of the data lie in another order, so that no frame follows the one before. */
function smallPages(m: Machine): void {
  const long = (m.get(L.EFER) & 0x400n) !== 0n;
  for (let n = 0; n < 512; n++) {
    const frame = n >= 0x40 && n < 0x50 ? 0x40 + ((n * 5) & 15) : n;
    if (long) m.set(L.RAM_BASE + TABLE + n * 8, frame * 0x1000 + 0x07);
    else m.set32(L.RAM_BASE + TABLE + n * 4, frame * 0x1000 + 0x07);
  }
  m.set(L.RAM_BASE + (long ? 0x72000 : 0x70000), TABLE + 0x67);
  m.set(L.CR0, m.get(L.CR0) | 0x8000_0000n);
}

/** Page faults set the page's present bit: push rax; mov rax,cr2; shr rax,12; or byte [rax*8+TABLE],1; pop rax; add rsp,8; iretq */
function mapOnFault(m: Machine): void {
  m.load(0x9000, '50 0f20d0 48c1e80c 800cc50030070001 58 4883c408 48cf');
  const gate = L.RAM_BASE + 0x8000 + 14 * 16;
  m.set(gate, 0x0000_8e00_0008_9000n);
  m.set(gate + 8, 0);
  // GDT with the code segment
  m.set(L.RAM_BASE + 0x8800 + 8, 0x00af_9b00_0000_ffffn);
  m.set(L.RAM_BASE + 0x8800 + 16, 0x00cf_9300_0000_ffffn);
  m.set(L.IDTR_BASE, 0x8000);
  m.set32(L.IDTR_LIMIT, 0xfff);
  m.set(L.GDTR_BASE, 0x8800);
  m.set32(L.GDTR_LIMIT, 0xff);
}

function loops(long: boolean, count: number, between: (loop: RandomLoop) => number[], prepare: (m: Machine) => void) {
  let inRegions = 0;
  for (let seed = 1; seed <= count; seed++) {
    const loop = new RandomLoop(seed * 104729 + (long ? 0 : 1), long);
    const code = loop.code(between(loop));
    const stack = 0x4d000 + loop.below(20);
    const pair = new Pair(long ? 'long' : 'protected32', (m) => {
      for (const [n, name] of ['rax', 'r8', 'r9', 'r12', 'r13'].entries()) {
        if (n === 0 || long) m.setReg(name, (0x0123_4567_89ab_cdefn * BigInt(n + seed)) & (long ? -1n : 0xffff_ffffn));
      }
      m.setReg('rsp', stack);
      for (let at = 0x3f000; at < 0x50000; at += 8) m.set(L.RAM_BASE + at, BigInt(at) * 0x9e37_79b9_7f4a_7c15n);
      m.load(0x1400, code);
      m.set(L.RIP, 0x1400);
      m.set(L.CR4, m.get(L.CR4) | 0x600n); // OSFXSR, OSXMMEXCPT
      prepare(m);
      m.core.updateMode();
    });
    for (let n = 0; n < 40; n++) {
      // first the compiler looks often, then there is room for strips of any length
      if (n === 15) pair.compiled.set32(L.JIT_SLICE, 20_000);
      try {
        pair.run(1 + loop.below(n < 15 ? 150 : 4000));
      } catch (error) {
        const text = code.map((byte) => byte.toString(16).padStart(2, '0')).join('');
        throw new Error(`loop ${seed}, run ${n}: ${(error as Error).message}\n${text}`);
      }
    }
    inRegions += pair.inRegions;
  }
  expect(inRegions).toBeGreaterThan(count * 5_000);
}

describe('turns of a loop that stay in their pages', () => {
  it('are those of random loops of 64-bit code', { timeout: 600_000 }, () => {
    loops(true, LOOPS, () => [], smallPages);
  });

  it('are those of random loops of 32-bit code', { timeout: 600_000 }, () => {
    loops(false, LOOPS, () => [], smallPages);
  });

  it('set the bits of page tables, and find pages that are not present in their midst', { timeout: 600_000 }, () => {
    loops(
      true,
      LOOPS,
      // and dword [TABLE+page*8],~61h, or ~60h: not accessed, not written, perhaps not present; mov rax,cr3; mov cr3,rax
      (loop) => [
        ...[0x41, 0x42, 0x44, 0x45, 0x47, 0x48].flatMap((page) => {
          const at = TABLE + page * 8;
          const mask = loop.below(2) ? 0x9e : 0x9f;
          return [0x80, 0x24, 0x25, at & 255, (at >> 8) & 255, at >> 16, 0, mask];
        }),
        0x50,
        ...[0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8],
        0x58,
      ],
      (m) => {
        smallPages(m);
        mapOnFault(m);
      },
    );
  });

  /** Runs code at 2010h to many moments. */
  function same(code: string, prepare: (m: Machine) => void, least = 20_000): Pair {
    const pair = new Pair('long', (m) => {
      for (let at = 0x3f000; at < 0x50000; at += 8) m.set(L.RAM_BASE + at, BigInt(at) * 0x9e37_79b9_7f4a_7c15n);
      m.load(0x2010, code);
      m.set(L.RIP, 0x2010);
      prepare(m);
      m.core.updateMode();
    });
    pair.compiled.set32(L.JIT_SLICE, 2000);
    for (let n = 0; n < 60; n++) pair.run(300 + n * 41);
    expect(pair.inRegions).toBeGreaterThan(least);
    return pair;
  }

  it('end before a page that holds code, which they change', () => {
    // L: mov [rdi],al; add eax,3 (the byte at 2014h); add rdi,16; cmp rdi,rcx; jne L; mov edi,1f04h; jmp L
    const prepare = (m: Machine): void => {
      m.setReg('rdi', 0x1f04);
      m.setReg('rcx', 0x2024);
    };
    same('8807 83c003 4883c710 4839cf 75f2 bf041f0000 ebeb', prepare, 1000);
  });

  it('set the dirty bit of a page that they have only read before', () => {
    // L: add eax,[rsi]; cmp ecx,30; jne M; mov [rsi],eax; M: add rsi,4; dec ecx; jnz L
    const loop = '0306 83f91e 7502 8906 4883c604 ffc9 75ef';
    // mov esi,41100h; mov ecx,60; and byte [TABLE+41h*8],9fh; mov rdx,cr3; mov cr3,rdx before; jmp back
    const pair = same(`be00110400 b93c000000 802425083207009f 0f20da 0f22da ${loop} ebd5`, smallPages);
    expect(pair.plain.get(L.RAM_BASE + TABLE + 0x41 * 8) & 0x20n).toBe(0x20n);
  });

  it('leave arithmetic to its handler while MXCSR rounds otherwise', () => {
    // xor dword [4b000h],2000h; ldmxcsr [4b000h]; mov esi,41000h; mov ecx,60; L: addsd xmm0,[rsi]; movsd [rsi+2000h],xmm0; add rsi,8;
    // dec ecx; jnz L; pxor xmm0,xmm0; jmp back
    const start = '81342500b0040000200000 0fae142500b00400 be00100400 b93c000000';
    same(`${start} f20f5806 f20f118600200000 4883c608 ffc9 75ec 660fefc0 ebc9`, (m) => {
      m.set(L.CR4, m.get(L.CR4) | 0x600n);
      for (let n = 0; n < 60; n++)
        m.set(L.RAM_BASE + 0x41000 + n * 8, 0x3ff0_0000_0000_0001n + BigInt(n * n) * 0x1_2345_6789n);
      m.set(L.RAM_BASE + 0x4b000, 0x1f80);
    });
  });

  /** The last 4 GiB but one, and those below, begin with other pages than the first. */
  const around = (m: Machine): void => {
    smallPages(m);
    const tables = 0x100000;
    m.set(L.RAM_BASE + 0x70000 + 511 * 8, tables + 0x1007);
    for (const entry of [507, 508]) m.set(L.RAM_BASE + tables + 0x1000 + entry * 8, tables + 0x2007);
    m.set(L.RAM_BASE + tables + 0x2000, 0x200087);
    m.set(L.RAM_BASE + 0x71000 + 4 * 8, tables + 0x3007);
    m.set(L.RAM_BASE + tables + 0x3000, 0x87);
    for (let at = 0x240000; at < 0x250000; at += 8) m.set(L.RAM_BASE + at, BigInt(at) * 0x9e37_79b9_7f4a_7c15n);
  };

  it.each([
    // by an index of 32 bits that wraps: mov ecx,-40; mov ebp,80; L: add al,[rsi+rcx]; xor [rsi+rcx],al; inc ecx; dec ebp; jnz L; jmp back
    ['b9d8ffffff bd50000000 02040e 30040e ffc1 ffcd 75f4 ebe8', 0x41800n - 0xffff_ffffn],
    // the same downwards: mov ecx,40; dec ecx
    ['b928000000 bd50000000 02040e 30040e ffc9 ffcd 75f4 ebe8', 0x41800n],
    // by its sign: mov ecx,7fffffd8h; movsxd rdx,ecx; [rsi+rdx]
    ['b9d8ffff7f bd50000000 4863d1 020416 300416 ffc1 ffcd 75f1 ebe5', 0x41800n - 0x7fff_ffffn],
  ])('end where an index wraps: %s', (code, rsi) => {
    same(code, (m) => {
      around(m);
      m.setReg('rsi', rsi);
    });
  });
});
