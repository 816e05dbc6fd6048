import { describe, expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import { Machine, type Mode } from '../harness.js';

function run(mode: Mode, code: string, registers: Record<string, bigint>, instructions = 1): Machine {
  const m = new Machine();
  m.mode(mode);
  for (const [name, value] of Object.entries(registers)) m.setReg(name, value);
  m.exec(code, instructions);
  return m;
}

const WIDE = 0x1111222233334444n;

describe('opcode 90', () => {
  it.each(['90', '6790', '6690', '4890', '4090', 'f390', '2e90'])('%s leaves all of RAX alone', (code) => {
    expect(run('long', code, { rax: WIDE }).reg('rax')).toBe(WIDE);
    expect(run('long', `${code}90`, { rax: WIDE }, 2).reg('rax')).toBe(WIDE);
  });

  it.each(['4190', 'f34190'])('%s exchanges with R8', (code) => {
    const m = run('long', code, { rax: WIDE, r8: 0x5555666677778888n });
    expect([m.reg('rax'), m.reg('r8')]).toEqual([0x77778888n, 0x33334444n]);
  });
});

describe('CMPXCHG with a register destination', () => {
  it('writes nothing to it when the values differ', () => {
    const m = run('long', '0fb1f7', { rax: 1n, rdi: WIDE, rsi: 7n });
    expect([m.reg('rdi'), m.reg('rax')]).toEqual([WIDE, 0x33334444n]);
  });
});

describe('CRC32', () => {
  // without the inversions that users of CRC-32C put around it
  const crc = (bytes: number[]): bigint =>
    BigInt(
      bytes.reduce((sum, byte) => {
        let r = (sum ^ byte) >>> 0;
        for (let bit = 0; bit < 8; bit++) r = (r >>> 1) ^ (r & 1 ? 0x82f63b78 : 0);
        return r >>> 0;
      }, 0),
    );
  it.each([
    ['real', 'f20f38f1c1', 2],
    ['real', '66f20f38f1c1', 4],
    ['protected32', 'f20f38f1c1', 4],
    ['protected32', '66f20f38f1c1', 2],
    ['long', 'f20f38f1c1', 4],
    ['long', '66f20f38f1c1', 2],
    ['long', 'f2480f38f1c1', 8],
  ] as const)('in %s mode, %s takes %d bytes', (mode, code, bytes) => {
    const m = run(mode, code, { rax: 0n, rcx: 0x0807060504030201n });
    expect(m.reg('rax')).toBe(crc([1, 2, 3, 4, 5, 6, 7, 8].slice(0, bytes)));
  });
});

describe('VEX.vvvv of an instruction that names no register there', () => {
  it.each([
    ['RORX', 'c4e3f3f04c7827', 'c4e3fbf0c827'],
    ['PSHUFD', 'c5f170c800', 'c5f970c800'],
    ['VMOVDQU', 'c5f26fc8', 'c5fa6fc8'],
  ])('%s is #UD unless it is 1111b', (_, wrong, right) => {
    for (const mode of ['long', 'protected32'] as const) {
      for (const [code, vector] of [
        [wrong, 6],
        [right, undefined],
      ] as const) {
        const m = new Machine();
        m.mode(mode);
        m.set(L.CR4, m.get(L.CR4) | 0x40600n); // OSXSAVE, OSFXSR, OSXMMEXCPT
        m.set(L.XCR0, 7);
        m.set(L.CR0, m.get(L.CR0) & ~0xcn); // neither EM nor TS
        m.core.updateMode();
        m.exec(code, 1);
        const first = m.get32(L.FAULT_LOG) === 0 ? undefined : m.get32(L.FAULT_LOG + 16);
        expect(first, `${mode} ${code}`).toBe(vector);
      }
    }
  });
});
