import { describe, expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import { CODE64, Rig } from '../events/rig.js';

const LA57 = 0x1000n;
const PML5 = 0x74000;
/** Linear address 2^48, which PML5 entry 1 maps as entry 0 maps address 0. */
const SECOND = 1n << 48n;

function fiveLevel(): Rig {
  const m = new Rig('long');
  const table = m.get(L.CR3);
  m.set(L.RAM_BASE + PML5, table | 7n);
  m.set(L.RAM_BASE + PML5 + 8, table | 7n);
  m.set(L.CR3, PML5);
  m.set(L.CR4, m.get(L.CR4) | LA57);
  m.core.updateMode();
  m.core.flushAllVcpus();
  return m;
}

describe('5-level paging', () => {
  it('translates 57-bit addresses and sets the accessed flag of the fifth level', () => {
    const m = fiveLevel();
    m.set(L.RAM_BASE + 0x30010, 0x1234);
    m.setReg('rbx', SECOND + 0x30010n);
    m.exec('488b03', 1); // mov rax,[rbx]
    expect(m.reg('rax')).toBe(0x1234n);
    expect(m.ram64(PML5 + 8) & 0x20n).toBe(0x20n);
  });

  it.each([
    ['jmp rbx', 'ffe3 90'],
    ['call rbx', 'ffd3 90'],
    ['push rbx; ret', '53 c3'],
  ])('goes there by %s', (_, code) => {
    const m = fiveLevel();
    m.load(0x2000, '48ffc0 48ffc0'); // inc rax twice
    m.setReg('rbx', SECOND + 0x2000n);
    m.exec(code, code.startsWith('53') ? 4 : 3);
    expect([m.rip, m.reg('rax')]).toEqual([SECOND + 0x2006n, 2n]);
  });

  it('refuses what is not canonical with 57 bits, and with 48 bits under 4-level paging', () => {
    const five = fiveLevel();
    five.setReg('rbx', 1n << 56n);
    five.exec('ffe3', 1);
    expect(five.handled).toBe(13);
    const four = new Rig('long');
    four.setReg('rbx', SECOND);
    four.exec('ffe3', 1);
    expect(four.handled).toBe(13);
  });

  it('keeps CR4.LA57 in IA-32e mode', () => {
    const m = new Rig('long');
    m.setReg('rax', m.get(L.CR4) | LA57);
    m.exec('0f22e0', 1); // mov cr4,rax
    expect(m.handled).toBe(13);
  });

  it('takes a base of 57 bits for LGDT and for LTR whatever CR4 says, and none that is wider', () => {
    const m = new Rig('long');
    m.load(0x30000, 'ff00 0000000000 000100'); // base 2^48
    m.setReg('rbx', 0x30000);
    m.exec('0f0113', 1); // lgdt [rbx]
    expect(m.get(L.GDTR_BASE)).toBe(SECOND);
    m.set(L.GDTR_BASE, 0);
    m.set32(L.LINEAR_SHIFT, 16); // a model with 48-bit addresses
    m.exec('0f0113', 1);
    expect([m.get(L.GDTR_BASE), m.get32(L.FAULT_VECTOR)]).toEqual([0n, 13]);
    m.set32(L.LINEAR_SHIFT, 7);
    m.set(L.GDTR_BASE, 0x5000);
    m.setReg('rax', 0x38);
    m.set(L.RAM_BASE + 0x5000 + 0x38, 0x0000890060000067n);
    m.set(L.RAM_BASE + 0x5000 + 0x40, 0x01000000n); // base bit 56
    m.exec('0f00d8', 1); // ltr ax
    expect([m.handled, m.slots(1)[0], m.selector(L.SEG_CS)]).toEqual([13, 0x38, CODE64]);
  });
});
