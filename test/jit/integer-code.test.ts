/** Integer instructions that compiled code carries out without a row: bits of a string in memory or of a mask, ENTER, CRC32, CMPXCHG16B. */
import { describe, expect, it } from 'vitest';
import * as L from '../../src/engine/core/layout.js';
import { Pair } from './pair.js';

const DATA = 0x20000;

/** Runs a loop for ever in turns; RBX points to memory, RDX is another number each time round. */
function run(mode: 'long' | 'protected32', code: string): Pair {
  const pair = new Pair(mode, (m) => {
    m.load(
      DATA - 0x800,
      Array.from({ length: 0x1000 }, (_, n) => (n * 37 + (n >> 3)) & 255),
    );
    m.load(0x1400, code);
    m.set(L.RIP, 0x1400);
    m.setReg('rbx', DATA);
    m.setReg('rsp', DATA + 0x400);
    m.setReg('rdx', 0x1234567);
  });
  for (let n = 0; n < 40; n++) expect(pair.run(n < 15 ? 23 : 1201, n < 15)).toBe(L.RUN_LIMIT);
  expect(pair.inRegions).toBeGreaterThan(15_000);
  return pair;
}

// rdx = rdx * 69069 + 1, sign-extended from 13 bits in eax: bits 4096 below to 4095 above
const NEXT = '4869d2cd0d0100 48ffc2 89d0 c1e013 c1f813 4898';
const NEXT_32 = '69d2cd0d0100 42 89d0 c1e013 c1f813';

/** What is written, and a jump back over it. */
function loop(code: string): string {
  const bytes = code.replace(/ /g, '').length / 2;
  return `${code} e9${Buffer.from(Int32Array.of(-(bytes + 5)).buffer).toString('hex')}`;
}

describe('integer instructions without a row', () => {
  it.each([
    ['bt', 'a3'],
    ['bts', 'ab'],
    ['btr', 'b3'],
    ['btc', 'bb'],
  ])('%s of a string of bits keeps all flags but CF', (_name, opcode) => {
    // cmp of other numbers first; then pushfq and the next: 64, 32 and 16 bits
    const body = ['480f', '0f', '660f'].map((prefix) => `83fa07 ${prefix}${opcode}03 9c 59 01c9`).join(' ');
    run('long', loop(`${NEXT} ${body}`));
    run('protected32', loop(`${NEXT_32} 83fa07 0f${opcode}03 9c 59 660f${opcode}03 9c 59`));
  });

  it('a string of bits that leaves the page, and one where nothing is', () => {
    // bts [rbx+0xff8],rax: rax goes over the end of the page
    run('long', loop(`${NEXT} 480fab83f80f0000 11c9`));
    const pair = new Pair('long', (m) => {
      // mov eax,64; L: bts [rbx],rax; shl rax,1; jmp L: until it faults
      m.load(0x1400, 'b840000000 480fab03 48d1e0 ebf7');
      m.set(L.RIP, 0x1400);
      m.setReg('rbx', DATA);
    });
    for (let n = 0; n < 4; n++) pair.run(50);
    expect(pair.plain.rip).toBe(pair.compiled.rip);
  });

  it('enter, with leave, and over the end of a page', () => {
    run('long', loop('c8100000 48890424 c9 480fb6c2 c8f00f00 c9 48ffc2'));
  });

  it('crc32 of every size', () => {
    const sources = [
      'f20f38f0c2',
      'f2480f38f0c2',
      'f20f38f0c6',
      '66f20f38f1c2',
      'f20f38f1c2',
      'f2480f38f1c2',
      'f20f38f003',
    ];
    const memory = ['66f20f38f103', 'f20f38f103', 'f2480f38f14308'];
    run('long', loop(`4869d2cd0d0100 48ffc2 ${[...sources, ...memory].join(' ')}`));
    run('protected32', loop(`69d2cd0d0100 42 ${['f20f38f0c2', '66f20f38f1c2', 'f20f38f1c2', 'f20f38f103'].join(' ')}`));
  });

  it('pext, pdep and bzhi of both sizes, by registers and memory, keep or set flags', () => {
    // pext rcx,rdx,rax; pdep esi,edx,[rbx]; pext r8d,eax,[rbx+4]; pdep r9,rcx,rdx; bzhi r10,rdx,rax; bzhi r11d,[rbx],edx; pext rax,rax,rax
    const bits = 'c4e2eaf5c8 c4e26bf533 c4627af54304 c462f3f5ca c462f8f5d2 c46268f51b c4e2faf5c0';
    run('long', loop(`${NEXT} 4801c2 480faf13 83fa07 ${bits} 9c 59`));
    run('protected32', loop(`${NEXT_32} 83fa07 c4e26bf533 c4e26af5f8 c4e278f5f2 9c 59`));
  });

  it('cmpxchg16b that finds what it expects and what it does not, and where it is not aligned', () => {
    // mov r8,rdx; mov rsi,[rbx+16]; cmp of others; half of the times as it is found: rax and rdx from memory
    const found = '488b4310 488b5318';
    const given = '4c89c1 48ffc1';
    const exchange = '83f907 f0480fc74b10 9c 5f 4801fe 4801c6 4801d6';
    // test r8b,4; jz over the loads
    run('long', loop(`${NEXT} 4989d0 41f6c004 7408 ${found} ${given} ${exchange} 4c89c2`));
    const pair = new Pair('long', (m) => {
      // L: cmpxchg16b [rbx+8]; jmp L
      m.load(0x1400, '480fc74b08 ebf9');
      m.set(L.RIP, 0x1400);
      m.setReg('rbx', DATA);
    });
    for (let n = 0; n < 4; n++) pair.run(50);
    expect(pair.plain.rip).toBe(pair.compiled.rip);
  });
});
