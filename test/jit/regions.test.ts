import { describe, expect, it } from 'vitest';
import * as L from '../../src/engine/core/layout.js';
import { Turns } from '../../src/engine/host/turns.js';
import { Jit } from '../../src/engine/jit/jit.js';
import { flatGuest } from '../engine/flat-guest.js';
import { Pair } from './pair.js';

/** Runs a loop at 1000h compiled and interpreted; both must agree at each stop. */
function ran(code: string, runs: number, count: number): Pair {
  const pair = new Pair(
    'long',
    (m) => {
      m.set(L.CR4, m.get(L.CR4) | 0x600n); // OSFXSR, OSXMMEXCPT
      m.core.updateMode();
      m.setReg('rbx', 0x40000);
      m.setReg('rsp', 0x80000);
      m.load(0x1000, code);
      m.set(L.RIP, 0x1000);
    },
    'on',
  );
  for (let n = 0; n < runs; n++) pair.run(count + n);
  return pair;
}

const regionsOf = ({ jit }: Pair): number => jit.counters(1).regions;
const counterOf = ({ compiled }: Pair, counter: number): number => Number(compiled.get(L.COUNTERS + counter * 8));

describe('regions', () => {
  it.each([
    // L: inc rax; mov ecx,3; M: dec ecx; jnz M; jmp L
    ['late', '48ffc0 b903000000 ffc9 75fc ebf2'],
    // L: 14 times inc rax; lea rax,[L]; push rax; ret
    ['anywhere', `${'48ffc0'.repeat(14)} 488d05cfffffff 50 c3`],
    // L: inc rax; test eax,255; jnz L; lea rax,[L]; push rax; ret
    ['out', '48ffc0 a9ff000000 75f6 488d05efffffff 50 c3'],
  ] as const)('tell by what they were left: %s', (cause, code) => {
    const pair = ran(code, 40, 50_000);
    const { entered, left } = pair.jit.counters(1);
    expect(entered).toBeGreaterThan(0);
    expect(left[cause]).toBeGreaterThan(0);
    expect(Object.values(left).reduce((sum, one) => sum + one)).toBe(entered);
  });

  it('are entered where a loop begins, not where slices happened to end in it', () => {
    // 90 times inc rax, then jmp back: three blocks, and others from wherever a run ended
    const pair = ran(`${'48ffc0'.repeat(90)} e9edfeffff`, 40, 100_000);
    expect(regionsOf(pair)).toBeGreaterThan(0);
    expect(regionsOf(pair)).toBeLessThan(4);
    expect(pair.inRegions).toBeGreaterThan(3_000_000);
  });

  it('are not made of a few instructions that no way leads around in: to enter them costs more than they do', () => {
    // L: n times inc rax; lea rax,[L]; push rax; ret: where it returns to is not known
    const around = (n: number): string =>
      `${'48ffc0'.repeat(n)} 488d05${(0xfffffff9 - n * 3).toString(16).match(/../g)!.reverse().join('')} 50 c3`;
    const short = ran(around(12), 40, 50_000).jit.counters(1);
    expect([short.regions, short.entered]).toEqual([0, 0]);
    expect(short.declined).toBeGreaterThan(0);
    expect(regionsOf(ran(around(13), 40, 50_000))).toBe(1);
    // a way back is worth it, however short: L: inc rax; jmp L
    expect(regionsOf(ran('48ffc0 ebfb', 40, 50_000))).toBe(1);
  });

  it.each([
    ['LOCKed', '31c9 f0480fc10b f0ff4308 ebf5'],
    ['repeated', 'b910000000 488d7b40 f3aa b910000000 488d7340 488d7b80 f3a4 ebe4'],
    ['of the x87', 'd9e8 d84310 d95b10 ebf6'],
    ['of flags', '9c 58 f5 fa 9c 59 ebf8'],
    // L: paddd xmm0,xmm1; pshufb xmm0,xmm2; movd eax,xmm0; mulsd xmm3,xmm4; jmp L
    ['of vectors', '660ffec1 660f3800c2 660f7ec0 f20f59dc ebed'],
  ])('go on behind instructions %s', (_, code) => {
    const pair = ran(code, 20, 100_000);
    expect(pair.inRegions).toBeGreaterThan(1_000_000);
    const left = counterOf(pair, L.COUNTER_REGION_MISSES) + counterOf(pair, L.COUNTER_REGION_HANDLED);
    expect(left).toBeLessThan(2_000);
  });

  it('go on through calls by pointer and a table of jumps, whatever else is decoded in the page', () => {
    // 60 blocks before the loop, as other code of the page: jmp +0
    const before = 'eb00'.repeat(60);
    // L: mov eax,ecx; and eax,3; call [rbx+rax*8]; inc ecx; jmp L; then 4 times: add rdx,n; xor rdx,rcx; ret
    const functions = [1, 2, 3, 4].map((n) => `4883c20${n} 4831ca c3`).join('');
    const pair = new Pair(
      'long',
      (m) => {
        m.setReg('rbx', 0x40000);
        m.setReg('rsp', 0x80000);
        for (let n = 0; n < 4; n++) m.set(L.RAM_BASE + 0x40000 + n * 8, 0x1000 + 120 + 12 + n * 8);
        m.load(0x1000, `${before} 89c8 83e003 ff14c3 ffc1 ebf4 ${functions}`);
        m.set(L.RIP, 0x1000);
      },
      'on',
    );
    for (let n = 0; n < 20; n++) pair.run(100_000 + n);
    expect(pair.inRegions).toBeGreaterThan(1_000_000);
    expect(counterOf(pair, L.COUNTER_REGION_ENTRIES)).toBeLessThan(5_000);
    // the loop's 5 and 3 of each function, each once
    const { regions, instructions } = pair.jit.counters(1);
    expect(instructions / regions).toBeLessThan(20);
  });

  it('go on through calls by a register, to where they were seen to go, and back to each place that calls', () => {
    // L: mov eax,ecx; and eax,3; mov rdx,[rbx+rax*8]; call rdx; inc ecx; call rdx; jmp L
    const loop = '89c8 83e003 488b14c3 ffd2 ffc1 ffd2 ebef';
    const functions = [1, 2, 3, 4].map((n) => `4983c00${n} 4931c8 c3`).join('');
    const pair = new Pair(
      'long',
      (m) => {
        m.setReg('rbx', 0x40000);
        m.setReg('rsp', 0x80000);
        for (let n = 0; n < 4; n++) m.set(L.RAM_BASE + 0x40000 + n * 8, 0x1000 + 17 + n * 8);
        m.load(0x1000, `${loop} ${functions}`);
        m.set(L.RIP, 0x1000);
      },
      'on',
    );
    for (let n = 0; n < 20; n++) pair.run(100_000 + n);
    expect(pair.inRegions).toBeGreaterThan(1_000_000);
    expect(counterOf(pair, L.COUNTER_REGION_ENTRIES)).toBeLessThan(5_000);
  });

  it('stay in a loop with two entries', () => {
    // L: inc ecx; test cl,1; jz B; A: add eax,ecx; B: xor eax,edx; inc edx; test dl,6; jnz A; jmp L
    const pair = ran('ffc1 f6c101 7402 01c8 31d0 ffc2 f6c206 75f5 ebec', 40, 50_000);
    expect(pair.inRegions).toBeGreaterThan(1_000_000);
    expect(counterOf(pair, L.COUNTER_REGION_OUT)).toBeLessThan(2_000);
  });

  it('write variables beside their code, and end where they write into it', () => {
    // L: inc dword [1800h]; inc ecx; mov [1900h],cl; test ecx,3ffffh; jnz M; inc byte [1020h]; M: mov al,(changed); add edx,eax; jmp L
    const code = 'ff042500180000 ffc1 880c2500190000 f7c1ffff0300 7507 fe042520100000 b000 01c2 ebdb';
    const pair = ran(code, 100, 50_000);
    expect(pair.compiled.reg('rdx')).not.toBe(0n);
    expect(pair.inRegions).toBeGreaterThan(2_000_000);
    expect(counterOf(pair, L.COUNTER_REGION_MISSES)).toBeLessThan(500);
  });

  it('write variables beside their code of each size, over a line and a page', () => {
    // L: mov [rsi],eax; mov [rsi+3dh],rax; inc word [rsi+7]; mov [rsi+7fdh],eax; add rsi,1; and esi,1fffh; or esi,1800h; inc eax; jmp L
    const code = '8906 4889463d 66ff4607 8986fd070000 4883c601 81e6ff1f0000 81ce00180000 ffc0 ebdc';
    expect(ran(code, 60, 50_000).inRegions).toBeGreaterThan(1_000_000);
  });

  it('are compiled anew where they lead to what had not run before', () => {
    // L: inc ecx; test ecx,200000h; jnz B; jmp L; B: add eax,ecx; jmp L
    const pair = ran('ffc1 f7c100002000 7502 ebf4 01c8 ebf0', 100, 100_000);
    expect(pair.inRegions).toBeGreaterThan(9_000_000);
    expect(counterOf(pair, L.COUNTER_REGION_OUT)).toBeLessThan(100_000);
    expect(regionsOf(pair)).toBeGreaterThan(1);
  });

  it('are small at first, and hold all of a long loop once they are left often', () => {
    // L: 6 times (30 times inc rax; xor ecx,eax; jmp to the next one); the last jmp leads to L
    const part = `${'48ffc0'.repeat(30)} 31c1`;
    const code = `${`${part} eb00`.repeat(5)} ${part} e9c9fdffff`;
    const entries = (pair: Pair): number => counterOf(pair, L.COUNTER_REGION_ENTRIES);
    const pair = ran(code, 20, 50_000);
    const made = (): number => pair.jit.counters(1).instructions;
    const { regions } = pair.jit.counters(1);
    expect(regions).toBeGreaterThan(0);
    expect(made() / regions).toBeLessThan(170);
    for (let n = 0, before = made(); n < 200 && made() - before < 170; n++) {
      before = made();
      pair.run(500_000 + n);
    }
    const before = entries(pair);
    for (let n = 0; n < 4; n++) pair.run(500_000 + n);
    // by the ends of slices alone, not once in each turn
    expect(entries(pair) - before).toBeLessThan(1_000);
  });

  it('hold what a table of jumps leads to, and nothing else of the page', () => {
    // 60 blocks of other code, each with a branch to its own place: cmp eax,ecx; jb +0
    const other = '39c8 7200'.repeat(60);
    // L: mov eax,ecx; and eax,7; inc ecx; jmp [rax*8+40000h]; then 8 times: add rdx,n; jmp L
    const places = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => `4883c20${n} eb${(0x100 - 14 - n * 6).toString(16)}`);
    const pair = new Pair(
      'long',
      (m) => {
        for (let n = 0; n < 8; n++) m.set(L.RAM_BASE + 0x40000 + n * 8, 0x1000 + 240 + 14 + n * 6);
        m.load(0x1000, `${other} 89c8 83e007 ffc1 ff24c500000400 ${places.join(' ')}`);
        m.set(L.RIP, 0x1000);
      },
      'on',
    );
    for (let n = 0; n < 20; n++) pair.run(100_000 + n);
    const { regions, instructions } = pair.jit.counters(1);
    expect(pair.inRegions).toBeGreaterThan(1_000_000);
    expect(instructions / regions).toBeLessThan(24);
    expect(counterOf(pair, L.COUNTER_REGION_ENTRIES)).toBeLessThan(5_000);
  });

  it('end where a handler writes into their code', () => {
    // L: mov rdi,1020h; mov al,[rbx]; stosb by REP; the byte is the immediate of mov edx,imm8 at 1020h
    // L: lea rdi,[rip+x]; mov ecx,1; mov al,r8b; rep stosb; inc r8b; mov dl,0 (changed); add r9,rdx; jmp L
    const pair = ran('488d3d10000000 b901000000 4488c0 f3aa 41fec0 9090 b200 4901d1 ebe3', 12, 20_000);
    expect(pair.compiled.reg('r9')).toBe(pair.plain.reg('r9'));
    expect(pair.compiled.reg('rdx')).not.toBe(0n);
  });
});

it('guests with several vCPUs are compiled: a turn is no shorter than the time between two looks', () => {
  // L: inc ax; jmp L
  const { vm } = flatGuest('40 ebfd', { vcpus: 2 });
  const jit = new Jit(vm.core, vm.host.memory, 'on', () => 0);
  vm.jit = jit;
  const turns = new Turns(vm, () => {});
  while (vm.icount < 3_000_000) turns.take(() => 1_000_000);
  const { regions, share } = jit.counters(vm.icount);
  expect(regions).toBeGreaterThan(0);
  expect(share).toBeGreaterThan(0.5);
});
