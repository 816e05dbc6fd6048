import { describe, expect, it } from 'vitest';
import { debugExitStatus, flatGuest, runToEnd } from './flat-guest.js';

/*
 * 32-bit code with a GDT and an IDT of its own, the 8259 pair at vectors 20h and 28h with IRQ 13 open, BL = 0; then what
 * is tried. Handlers: of IRQ 13, which counts in BL, writes port F0h, calls what [3000h] names, FNCLEX, EOI twice; of #MF,
 * which adds 40h to BL, FNCLEX. Both leave the EIP that they return to at 4000h. NOTHING: ret; SAVES: fsave, frstor, ret.
 */
const FRAME = `
  0f0115c4001000ea0e0010000800b8100000008ed88ec08ed0bc00000200c7056821000075000800c7056c210000008e1000c70580200000
  8f000800c70584200000008e10000f011dca001000b011e620e6a0b020e621b028e6a1b004e621b002e6a1b001e621e6a1b0fbe621b0dfe6
  a131dbeb7b438b0424a300400000e6f0ff1500300000dbe2b020e6a0e620cf83c3408b0424a300400000dbe2cfc39bdd3500500000dd2500
  500000c30000000000000000ffff0000009bcf00ffff00000093cf001700ac0010006f010020000000000000000000000000000000000000
  00000000000000000000000000000000`;
const NOTHING = '9d001000';
const SAVES = '9e001000';
/** mov dword [3000h], handler's part; fninit; mov word [5100h], 37bh; fldcw [5100h]; fldz; fld1; fdiv st, st1: 1 / 0 */
const divide = (part: string): string => `c70500300000${part} dbe3 66c705005100007b03 d92d00510000 d9ee d9e8 d8f1`;
const STI = 'fb';
const FWAIT = '9b';
/** mov eax, cr0; or al, 20h; mov cr0, eax */
const SET_NE = '0f20c0 0c20 0f22c0';
/** mov al, bl; out 0f4h, al */
const END = '88d8 e6f4';

const run = (code: string) => {
  const guest = flatGuest(`${FRAME}${code}`, { at: 0x100000 });
  return { guest, end: runToEnd(guest, 20_000) };
};

describe('an x87 error', () => {
  it.each([
    ['FWAIT', FWAIT],
    ['FLD1', 'd9e8'],
    ['an MMX instruction', '0f6fc1'],
  ])('comes as IRQ 13 before the next waiting instruction where CR0.NE is clear: %s', (_, code) => {
    const { guest, end } = run(`${divide(NOTHING)}${STI}${code}${END}`);
    expect(end).toMatchObject({ status: debugExitStatus(1) });
    expect(Buffer.from(guest.vm.memory.read(0x4000, 4)).readUInt32LE()).toBe(0x100112);
  });

  it('comes again when it happens again', () => {
    // fwait; fld1; fdiv st, st2; fwait
    expect(run(`${divide(NOTHING)}${STI}9b d9e8 d8f2 9b${END}`).end).toMatchObject({ status: debugExitStatus(2) });
  });

  it('is ignored in the handler once port F0h is written', () => {
    expect(run(`${divide(SAVES)}${STI}${FWAIT}${END}`).end).toMatchObject({ status: debugExitStatus(1) });
  });

  it('is #MF where CR0.NE is set', () => {
    expect(run(`${SET_NE}${divide(NOTHING)}${STI}${FWAIT}${END}`).end).toMatchObject({ status: debugExitStatus(0x40) });
  });

  it('is #MF again after CR0.NE was set, and IRQ 13 again after it was cleared', () => {
    // and al, 0dfh instead of or al, 20h
    const clear = '0f20c0 24df 0f22c0';
    const code = `${divide(NOTHING)}${STI}${FWAIT}${SET_NE}d9e8 d8f2${FWAIT}${clear}d9e8 d8f3${FWAIT}${END}`;
    expect(run(code).end).toMatchObject({ status: debugExitStatus(0x42) });
  });

  it('stops the processor for as long as no interrupt gets through', () => {
    const { guest, end } = run(`${divide(NOTHING)}fa${FWAIT}${END}`);
    expect(end).toBeUndefined();
    const [vcpu] = guest.vm.vcpus;
    expect([vcpu.halted, vcpu.vmcs.rip]).toEqual([true, 0x100112n]);
  });
});
