import { describe, expect, it } from 'vitest';
import * as L from '../../src/engine/core/layout.js';
import type { Machine, Mode } from '../core/harness.js';
import { Pair } from './pair.js';

const byte = (value: number): string => value.toString(16).padStart(2, '0');

interface Loop {
  name: string;
  code: string;
  mode?: Mode;
  prepare?: (machine: Machine) => void;
  /** At least so many of the instructions run compiled. */
  compiled?: number;
}

const LOOPS: Loop[] = [
  {
    name: 'crc32, bit by bit',
    code: '0fb616 31d0 b908000000 89c2 d1e8 f6c201 7405 352083b8ed ffc9 75ee 48ffc6 4881e6ffff0000 4881ce00000100 ebd1',
    prepare: (m) => m.setReg('rsi', 0x10000),
  },
  {
    name: 'a copy',
    code: '488b04ce 488904cf 48ffc1 4881f900100000 72ec 31c9 ebe8',
    prepare: (m) => {
      m.setReg('rcx', 0);
      m.setReg('rsi', 0x100000);
      m.setReg('rdi', 0x200000);
    },
  },
  {
    name: 'recursive calls',
    code: 'bf18000000 e802000000 ebf4 83ff02 7217 57 ffcf e8f3ffffff 5f 50 83ef02 e8e9ffffff 5a 4801d0 c3 89f8 c3',
    prepare: (m) => m.setReg('rsp', 0x80000),
  },
  {
    name: 'a jump table',
    code: `69c06d4ec641 0539300000 89c2 c1ea1c ff24d3 ${Array.from({ length: 16 }, (_, n) => `4983c0${byte(n)} eb${byte(0xe7 - n * 6)}`).join(' ')}`,
    prepare: (m) => {
      m.setReg('rbx', 0x20000);
      for (let n = 0; n < 16; n++) m.set(L.RAM_BASE + 0x20000 + n * 8, 0x1013 + n * 6);
    },
  },
  {
    // L: inc eax; adc rbx,rax; dec ecx; sbb edx,ecx; rol ebx,5; ror rdx,9; setc r8b; cmovs rsi,rdi; shl edi,cl; jnz L; jmp L
    name: 'flags that go from one to another',
    code: 'ffc0 4811c3 ffc9 19ca c1c305 48c1ca09 410f92c0 480f48f7 d3e7 75e4 ebe2',
  },
  {
    // L: add al,ah; sub bh,al; xor cx,ax; inc dl; and ah,0x7f; cmp bx,cx; jl L; not eax; neg rbx; jmp L
    name: 'bytes and words',
    code: '00e0 28c7 6631c1 fec2 80e47f 6639cb 7cef f7d0 48f7db ebe8',
  },
  {
    // the same in 32-bit mode, with a stack: L: push eax; add [esp],ecx; pop eax; imul ecx,eax,3; sar eax,3; jo L; bswap eax; jmp L
    name: 'a stack of 32 bits',
    mode: 'protected32',
    code: '50 010c24 58 6bc803 c1f803 70f3 0fc8 ebef',
    prepare: (m) => m.setReg('rsp', 0x80000),
  },
  {
    // 40 branches to the instruction behind: L: cmp eax,ecx; jb +0; ...; inc eax; jmp L
    name: 'branches over nothing',
    code: `${'39c8 7200 '.repeat(40)} ffc0 e959ffffff`,
  },
  {
    // stores into its own page: L: add [rip+0x100],eax; inc eax; cmp eax,[rip+0x100]; jne L; jmp L
    name: 'data in its own page',
    code: '010500010000 ffc0 3b05f8000000 75f0 ebee',
    compiled: 100,
  },
];

describe('compiled code gives what the interpreter gives', () => {
  it.each(LOOPS)('$name', ({ code, mode, prepare, compiled }) => {
    const pair = new Pair(mode ?? 'long', (m) => {
      for (const [n, name] of ['rax', 'rbx', 'rcx', 'rdx', 'rdi', 'r8'].entries())
        m.setReg(name, 0x123456789abn * BigInt(n + 1));
      prepare?.(m);
      m.load(0x1000, code);
      m.set(L.RIP, 0x1000);
    });
    let seed = 1;
    for (let n = 0; n < 300; n++) {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      pair.run(1 + ((seed >>> 16) % (n < 100 ? 50 : 5000)));
    }
    expect(pair.inRegions).toBeGreaterThan(compiled ?? 100_000);
  });
});
