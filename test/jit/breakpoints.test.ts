/** Breakpoints and fast code on the same page: what is not hit costs nothing, what is hit is hit exactly. */
import { describe, expect, it } from 'vitest';
import * as L from '../../src/engine/core/layout.js';
import { findDecoded } from '../../src/engine/jit/decoded.js';
import { Machine } from '../core/harness.js';
import { Pair } from './pair.js';
import { RandomProgram } from './random-program.js';

const CODE = 0x1000;
/** L: inc eax; cmp eax,edx; je OUT; add rbx,rax; test bl,bl; jmp L; OUT: nop; jmp L */
const LOOP = 'ffc0 39d0 7407 4801c3 84db ebf3 90 ebf0';
const OUT = CODE + 13;

function prepare(m: Machine): void {
  m.load(CODE, LOOP);
  m.set(L.RIP, CODE);
  m.setReg('rax', 0);
  m.setReg('rdx', 0xffffffff);
}

describe('breakpoints that are not hit on the page of a hot loop', () => {
  it.each([
    ['beside the loop', [OUT + 0x20]],
    ['on its way out', [OUT]],
    ['a hundred of them', Array.from({ length: 100 }, (_, n) => OUT + n * 7)],
    ['inside an instruction', [CODE + 1, CODE + 7]],
  ])('%s: it runs compiled', (_name, places) => {
    const pair = new Pair('long', prepare, 'always');
    for (const m of [pair.plain, pair.compiled]) for (const at of places) m.core.addBreakpoint(BigInt(at));
    for (let n = 0; n < 50; n++) expect(pair.run(2000)).toBe(L.RUN_LIMIT);
    expect(pair.inRegions).toBeGreaterThan(90_000);
  });

  it('comes back to compiled code after they were set and taken away again', () => {
    const pair = new Pair('long', prepare, 'always');
    for (let n = 0; n < 10; n++) pair.run(2000);
    const both = (change: (m: Machine) => void): void => [pair.plain, pair.compiled].forEach(change);
    both((m) => m.core.addBreakpoint(BigInt(CODE + 6)));
    for (let n = 0; n < 6; n++) expect(pair.run(2000)).toBe(L.RUN_BREAKPOINT);
    both((m) => m.core.removeBreakpoint(BigInt(CODE + 6)));
    const before = pair.inRegions;
    for (let n = 0; n < 50; n++) expect(pair.run(2000)).toBe(L.RUN_LIMIT);
    expect(pair.inRegions - before).toBeGreaterThan(90_000);
    // the loop is one region again: it is not left at each turn
    expect(Number(pair.compiled.get(L.COUNTERS + L.COUNTER_REGION_ENTRIES * 8))).toBeLessThan(1000);
  });

  it('interpreted: no instruction of the loop runs alone', () => {
    const m = new Machine();
    m.mode('long');
    prepare(m);
    m.core.addBreakpoint(BigInt(OUT + 0x20));
    m.core.addBreakpoint(BigInt(OUT));
    expect(m.run(10_000)).toBe(L.RUN_LIMIT);
    const mode = m.get32(L.MODE) | L.MODE_SINGLE;
    const alone = [...Array(13).keys()].filter((n) => findDecoded(m.view, L.RAM_BASE + CODE + n, mode) !== 0);
    // the end of the run may have cut one block
    expect(alone.length).toBeLessThan(6);
    const decoded = Number(m.get(L.COUNTERS + L.COUNTER_BLOCKS_DECODED * 8));
    m.run(20_000);
    expect(Number(m.get(L.COUNTERS + L.COUNTER_BLOCKS_DECODED * 8)) - decoded).toBeLessThan(6);
  });
});

describe('breakpoints that are hit', () => {
  it('on the branch of a fused pair, on the first and the second instruction of a block, once each', () => {
    const pair = new Pair('long', prepare, 'always');
    const both = (change: (m: Machine) => void): void => [pair.plain, pair.compiled].forEach(change);
    for (let n = 0; n < 5; n++) pair.run(2000);
    for (const at of [CODE + 4, CODE, CODE + 2, CODE + 11]) {
      both((m) => m.core.addBreakpoint(BigInt(at)));
      for (let n = 0; n < 20; n++) {
        expect(pair.run(1000)).toBe(L.RUN_BREAKPOINT);
        expect(pair.plain.rip).toBe(BigInt(at));
      }
      both((m) => m.core.removeBreakpoint(BigInt(at)));
    }
  });

  it('stops before a page that is not there', () => {
    const m = new Machine();
    m.mode('long');
    m.core.addBreakpoint(0x8000_0000_0000n - 2n);
    m.core.addBreakpoint(0x4000_0000n);
    // jmp rax, to where nothing is mapped
    m.setReg('rax', 0x4000_0000);
    m.exec('ffe0', 1);
    expect(m.run(10)).toBe(L.RUN_BREAKPOINT);
    expect(m.rip).toBe(0x4000_0000n);
  });

  it('each of a repeated string instruction once, at its first iteration', () => {
    const pair = new Pair('long', (m) => {
      // L: mov ecx,5; lea rdi,[rbx]; rep stosb; jmp L
      m.load(CODE, 'b905000000 488d3b f3aa ebf4');
      m.set(L.RIP, CODE);
      m.setReg('rbx', 0x20000);
    });
    for (const m of [pair.plain, pair.compiled]) m.core.addBreakpoint(BigInt(CODE + 8));
    for (let n = 0; n < 100; n++) {
      expect(pair.run(1000)).toBe(L.RUN_BREAKPOINT);
      expect(pair.plain.reg('rcx')).toBe(5n);
    }
  });

  it('an instruction that crosses a page, in 64 and 32 bits', () => {
    for (const mode of ['long', 'protected32'] as const) {
      const pair = new Pair(mode, (m) => {
        // at the page's end: inc ecx; mov eax,imm32 over the boundary; jmp back
        m.load(0x1ffb, 'ffc1 b844332211 ebf7');
        m.set(L.RIP, 0x1ffb);
      });
      for (let n = 0; n < 20; n++) pair.run(500);
      for (const m of [pair.plain, pair.compiled]) m.core.addBreakpoint(0x1ffdn);
      for (let n = 0; n < 50; n++) {
        expect(pair.run(500)).toBe(L.RUN_BREAKPOINT);
        expect(pair.plain.rip).toBe(0x1ffdn);
      }
      for (const m of [pair.plain, pair.compiled]) {
        m.core.clearBreakpoints();
        m.core.addBreakpoint(0x2000n);
      }
      expect(pair.run(5000)).toBe(L.RUN_LIMIT);
    }
  });

  it('random ones in random programs, as single steps would meet them', { timeout: 600_000 }, () => {
    let hits = 0;
    for (let seed = 1; seed <= 12; seed++) {
      const program = new RandomProgram(seed * 104729, false);
      const code = program.loop(8 + program.below(40));
      const start = seed % 2 ? 0x1400 : 0x2000 - program.below(code.length);
      const pair = new Pair('long', (m) => {
        for (const [n, name] of ['rax', 'rcx', 'rdx', 'rdi', 'r8', 'r10', 'r11', 'r12'].entries())
          m.setReg(name, 0x9e3779b97f4a7n * BigInt(n + seed));
        m.setReg('rbx', 0x40100);
        m.setReg('rsi', 0x41800);
        m.setReg('rsp', 0x80000);
        m.setReg('rbp', 0x81000);
        m.set(L.CR4, m.get(L.CR4) | 0x600n); // OSFXSR, OSXMMEXCPT
        m.core.updateMode();
        m.load(start, code);
        m.set(L.RIP, start);
      });
      const set = new Set<number>();
      for (let round = 0; round < 40; round++) {
        // some come, some go, most of them inside instructions
        for (let n = 0; n < 3; n++) {
          const at = start + program.below(code.length);
          const add = !set.has(at) && set.size < 12;
          for (const m of [pair.plain, pair.compiled]) {
            if (add) m.core.addBreakpoint(BigInt(at));
            else m.core.removeBreakpoint(BigInt(at));
          }
          if (add) set.add(at);
          else set.delete(at);
        }
        const count = 1 + program.below(400);
        const { stepped } = pair;
        // a breakpoint where it stands is met unless it was told of it
        let left = count;
        const told =
          Number(pair.plain.get(L.TOLD_RIP)) - 1 === Number(stepped.rip) &&
          pair.plain.get(L.TOLD_ICOUNT) === stepped.icount;
        let met = set.has(Number(stepped.rip)) && !told;
        while (!met && left-- > 0) {
          stepped.run(1);
          met = left > 0 && set.has(Number(stepped.rip));
        }
        expect(pair.run(count)).toBe(met ? L.RUN_BREAKPOINT : L.RUN_LIMIT);
        expect(pair.plain.rip).toBe(stepped.rip);
        expect(pair.plain.icount).toBe(stepped.icount);
        if (met) hits++;
      }
    }
    expect(hits).toBeGreaterThan(100);
  });
});
