// Speed of the interpreter on integer loops: `node bench/core-loops.ts` after a build, through bench/run or tsc.
// Each loop is 64-bit code at 0x1000, run for a fixed number of instructions; the best of several runs counts.
import { pathToFileURL } from 'node:url';
import * as L from '../src/engine/core/layout.js';
import { Machine } from '../test/core/harness.js';

interface Loop {
  readonly name: string;
  readonly code: string;
  readonly prepare?: (machine: Machine) => void;
}

const byte = (value: number): string => value.toString(16).padStart(2, '0');

export const LOOPS: readonly Loop[] = [
  {
    // L: movzx edx,byte [rsi]; xor eax,edx; mov ecx,8; B: mov edx,eax; shr eax,1; test dl,1; je N; xor eax,0xedb88320;
    // N: dec ecx; jne B; inc rsi; and rsi,0xffff; or rsi,0x10000; jmp L
    name: 'crc32 bitwise',
    code: '0fb616 31d0 b908000000 89c2 d1e8 f6c201 7405 352083b8ed ffc9 75ee 48ffc6 4881e6ffff0000 4881ce00000100 ebd1',
    prepare: (m) => m.setReg('rsi', 0x10000),
  },
  {
    // L: mov rax,[rsi+rcx*8]; mov [rdi+rcx*8],rax; inc rcx; cmp rcx,0x1000; jb L; xor ecx,ecx; jmp L
    name: 'copy',
    code: '488b04ce 488904cf 48ffc1 4881f900100000 72ec 31c9 ebe8',
    prepare: (m) => {
      m.setReg('rsi', 0x100000);
      m.setReg('rdi', 0x200000);
    },
  },
  {
    // S: mov edi,24; call F; jmp S; F: cmp edi,2; jb R; push rdi; dec edi; call F; pop rdi; push rax; sub edi,2; call F;
    // pop rdx; add rax,rdx; ret; R: mov eax,edi; ret
    name: 'fib',
    code: 'bf18000000 e802000000 ebf4 83ff02 7217 57 ffcf e8f3ffffff 5f 50 83ef02 e8e9ffffff 5a 4801d0 c3 89f8 c3',
  },
  {
    // L: imul eax,eax,1103515245; add eax,12345; mov edx,eax; shr edx,28; jmp [rbx+rdx*8]; 16 targets: add r8,n; jmp L
    name: 'jump table',
    code: `69c06d4ec641 0539300000 89c2 c1ea1c ff24d3 ${Array.from({ length: 16 }, (_, n) => `4983c0${byte(n)} eb${byte(0xe7 - n * 6)}`).join(' ')}`,
    prepare: (m) => {
      m.setReg('rbx', 0x20000);
      for (let n = 0; n < 16; n++) m.set(L.RAM_BASE + 0x20000 + n * 8, 0x1013 + n * 6);
    },
  },
];

/** Guest instructions per microsecond (MIPS) of a loop. */
export function mips(loop: Loop, instructions = 20_000_000, runs = 5): number {
  const machine = new Machine(8 << 20);
  machine.mode('long');
  machine.setReg('rsp', 0x80000);
  loop.prepare?.(machine);
  machine.exec(loop.code, 2_000_000);
  let best = 0;
  for (let n = 0; n < runs; n++) {
    // Processor time: other programs on the host do not count.
    const start = process.cpuUsage();
    if (machine.run(instructions) !== L.RUN_LIMIT)
      throw new Error(`${loop.name} left at rip 0x${machine.rip.toString(16)}`);
    const { user, system } = process.cpuUsage(start);
    best = Math.max(best, instructions / (user + system));
  }
  return best;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const loop of LOOPS) console.log(`${loop.name.padEnd(14)} ${mips(loop).toFixed(0).padStart(6)} MIPS`);
}
