import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import * as L from '../../src/engine/core/layout.js';
import { compileRegion } from '../../src/engine/jit/region.js';
import { Machine, type Mode } from '../core/harness.js';
import { wasmText } from './wasm-text.js';

/** Loops of one instruction and a jump back, a few of each family. */
const SNIPPETS: Record<string, { code: string; mode?: Mode }> = {
  'add rax,rcx': { code: '4801c8' },
  'add eax,ecx': { code: '01c8' },
  'add al,ah': { code: '00e0' },
  'adc rax,rcx': { code: '4811c8' },
  'mov rax,[rsi]': { code: '488b06' },
  'mov [rsi+8],ax': { code: '66894608' },
  'inc dword [rsi]': { code: 'ff06' },
  'mov rax,gs:[8]': { code: '65488b042508000000' },
  'shl eax,cl': { code: 'd3e0' },
  'imul rax,rcx': { code: '480fafc1' },
  'mul rcx': { code: '48f7e1' },
  'push rax': { code: '50' },
  'setc al': { code: '0f92c0' },
  'mov eax,ecx; xor al,dl': { code: '89c830d0' },
  'cmovs rax,rcx': { code: '480f48c1' },
  'bsf eax,ecx': { code: '0fbcc1' },
  'paddd xmm0,xmm1': { code: '660ffec1' },
  'pshufd xmm0,[rsi],1bh': { code: '660f70061b' },
  'movdqu xmm0,[rsi]': { code: 'f30f6f06' },
  'movsd [rsi],xmm0': { code: 'f20f1106' },
  'addsd xmm0,xmm1': { code: 'f20f58c1' },
  'mulps xmm0,[rsi]': { code: '0f5906' },
  'ucomisd xmm0,xmm1': { code: '660f2ec1' },
  'cvttsd2si eax,xmm0': { code: 'f20f2cc0' },
  'pshufb xmm0,xmm1': { code: '660f3800c1' },
  'lock xadd [rsi],eax': { code: 'f00fc106' },
  'rep movsb': { code: 'f3a4' },
  pushfq: { code: '9c' },
  rdtsc: { code: '0f31' },
  'cmpxchg16b [rsi]': { code: '480fc70e' },
  fld1: { code: 'd9e8' },
  fsqrt: { code: 'd9fa' },
  'out 80h,al': { code: 'e680' },
  'fadd qword [rsi]; fxch': { code: 'dc06d9c9' },
  'mov ax,[si] in real mode': { code: '8b04', mode: 'real' },
};
const FILE = new URL('./golden/emitted.json', import.meta.url);

/** The region's WebAssembly as text; addresses of micro-ops are left out. */
function emitted(code: string, mode: Mode): string {
  const machine = new Machine();
  machine.mode(mode);
  machine.set(L.CR4, machine.get(L.CR4) | 0x600n);
  machine.core.updateMode();
  machine.setReg('rsi', 0x40000);
  machine.setReg('rsp', 0x80000);
  const bytes = code.length / 2;
  machine.load(0x1000, `${code} eb${(256 - bytes - 2).toString(16)}`);
  machine.set(L.RIP, 0x1000);
  machine.run(3);
  let block = L.UOP_POOL;
  const view = new DataView(machine.memory.buffer);
  // the first block of the page that was run as a block
  while (view.getUint32(block, true) !== L.RAM_BASE + 0x1000 || view.getUint16(block + 12, true) < 1) block += 8;
  const region = compileRegion(view, block, {
    findPage: () => 0,
    breaksAt: () => false,
    findTable: () => [],
    seenFrom: () => [],
    writesBesideCode: false,
    usualAddend: undefined,
  });
  if (!region) throw new Error('nothing compiled');
  const isPool = (value: number): boolean => value >= L.UOP_POOL && value < L.UOP_POOL + L.UOP_POOL_BYTES;
  return wasmText([...region.code.finish((place) => place).pieces[1]], isPool);
}

it('compiles each family to the code that was reviewed; VMSCOPE_GOLDEN=write writes it anew', () => {
  const found = Object.fromEntries(
    Object.entries(SNIPPETS).map(([name, { code, mode }]) => [name, emitted(code, mode ?? 'long')]),
  );
  if (process.env.VMSCOPE_GOLDEN === 'write') writeFileSync(FILE, `${JSON.stringify(found, undefined, 2)}\n`);
  expect(found).toEqual(JSON.parse(readFileSync(FILE, 'utf8')));
});
