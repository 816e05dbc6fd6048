import { expect, it } from 'vitest';
import * as L from '../../src/engine/core/layout.js';
import { Pair } from './pair.js';
import { RandomProgram } from './random-program.js';

const PROGRAMS = Number(process.env.VMSCOPE_JIT_PROGRAMS ?? 60);

it('random programs: registers, flags, memory and icount at random moments', {
  timeout: Math.max(600_000, PROGRAMS * 10_000),
}, () => {
  let compiled = 0;
  for (let seed = 1; seed <= PROGRAMS; seed++) {
    const program = new RandomProgram(seed * 7919);
    const code = program.loop(5 + program.below(60));
    // half of them run over the end of a page
    const start = seed % 2 ? 0x1400 : 0x2000 - program.below(code.length);
    const pair = new Pair('long', (m) => {
      const values = new RandomProgram(seed);
      for (const name of ['rax', 'rcx', 'rdx', 'rdi', 'r8', 'r10', 'r11', 'r12']) {
        m.setReg(name, (BigInt(values.below(2 ** 32)) << 32n) | BigInt(values.below(2 ** 32)));
      }
      m.setReg('rbx', 0x40100);
      m.setReg('rsi', 0x41800);
      m.setReg('rsp', 0x80000);
      m.setReg('rbp', 0x81000);
      m.set(L.CR4, m.get(L.CR4) | 0x600n); // OSFXSR, OSXMMEXCPT
      m.core.updateMode();
      m.load(start, code);
      m.set(L.RIP, start);
    });
    for (let n = 0; n < 60; n++) {
      try {
        pair.run(1 + program.below(n < 30 ? 100 : 2000), n < 30);
      } catch (error) {
        const text = code.map((byte) => byte.toString(16).padStart(2, '0')).join('');
        throw new Error(`program ${seed}, run ${n}: ${(error as Error).message}\n${text}`);
      }
    }
    // a program that loses the base of its data soon does nothing but fault
    const bases = ['rbx', 'rbp'].map((name) => pair.plain.reg(name));
    expect(bases, `program ${seed}`).toEqual([0x40100n, 0x81000n]);
    compiled += pair.inRegions;
  }
  expect(compiled).toBeGreaterThan(PROGRAMS * 5_000);
});
