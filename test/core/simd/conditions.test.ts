import { beforeEach, describe, expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import type { Machine } from '../harness.js';
import { vectorMachine } from './core-runner.js';

const UD = 6;
const NM = 7;
const GP = 13;
const MF = 16;
const XM = 19;
const HANDLERS = 0x5000;
const NONE = -1;
/** By the handlers, and by the dispatcher's own cases. */
const WAYS: readonly (readonly [string, boolean])[] = [
  ['alone', true],
  ['in a block', false],
];

const ADDPS = '0f58c1'; // addps xmm0, xmm1
const VADDPS = 'c5f458c1'; // vaddps ymm0, ymm1, ymm1
const PADDB = '0ffcc1'; // paddb mm0, mm1
const DIVPS = '0f5ec1'; // divps xmm0, xmm1
const MOVAPS_LOAD = '0f2806'; // movaps xmm0, [rsi]
const MOVUPS_LOAD = '0f1006';
const MOVUPS_STORE = '0f1106';

let machine: Machine;
beforeEach(() => {
  machine = vectorMachine();
  machine.setReg('rsp', 0x30000);
});

const clear = (address: number, bits: bigint): void => machine.set(address, machine.get(address) & ~bits);
const set = (address: number, bits: bigint): void => machine.set(address, machine.get(address) | bits);

/** Runs one instruction, alone or in a block with what follows; the vector of the exception that it caused, or NONE. */
function vectorOf(code: string, alone: boolean): number {
  machine.core.updateMode();
  machine.exec(`${code}${'90'.repeat(16)}ebfe`, alone ? 1 : 100);
  const handler = Number(machine.rip) - HANDLERS;
  return handler >= 0 ? handler >> 4 : NONE;
}

describe.each(WAYS)('when vector instructions may not run, %s', (_, alone) => {
  it('CR0.EM makes #UD of SSE and MMX, not of VEX', () => {
    set(L.CR0, 4n);
    expect(vectorOf(ADDPS, alone)).toBe(UD);
    expect(vectorOf(PADDB, alone)).toBe(UD);
    expect(vectorOf(VADDPS, alone)).toBe(NONE);
  });

  it('CR0.TS makes #NM of all', () => {
    set(L.CR0, 8n);
    for (const code of [ADDPS, PADDB, VADDPS]) expect(vectorOf(code, alone), code).toBe(NM);
  });

  it('CR4.OSFXSR is for SSE only', () => {
    clear(L.CR4, 0x200n);
    expect(vectorOf(ADDPS, alone)).toBe(UD);
    expect(vectorOf(PADDB, alone)).toBe(NONE);
    expect(vectorOf(VADDPS, alone)).toBe(NONE);
  });

  it('CR4.OSXSAVE and XCR0 are for VEX only', () => {
    machine.set(L.XCR0, 3);
    expect(vectorOf(VADDPS, alone)).toBe(UD);
    expect(vectorOf(ADDPS, alone)).toBe(NONE);
    machine.set(L.XCR0, 7);
    clear(L.CR4, 0x40000n);
    expect(vectorOf(VADDPS, alone)).toBe(UD);
    expect(vectorOf(ADDPS, alone)).toBe(NONE);
  });

  it('a pending x87 exception stops MMX with #MF', () => {
    machine.view.setUint16(L.X87_FSW, 0x8081, true);
    expect(vectorOf(PADDB, alone)).toBe(MF);
    expect(vectorOf(ADDPS, alone)).toBe(NONE);
  });

  it('LOCK and VEX after 66, F2, F3 or REX are #UD', () => {
    for (const code of [`f0${ADDPS}`, `66${VADDPS}`, `f2${VADDPS}`, `f3${VADDPS}`, `48${VADDPS}`]) {
      expect(vectorOf(code, alone), code).toBe(UD);
    }
  });

  it('VEX.vvvv must be 1111b where there is no such operand, VEX.L and VEX.W what the instruction wants', () => {
    for (const code of [
      'c4e3f3f04c7827', // rorx
      'c5f0ae16', // vldmxcsr
      'c5f1d7c1', // vpmovmskb
      'c5fc6ec0', // vmovd with L = 1
      'c4e2fd18c1', // vbroadcastss with W = 1
      'c4e27919c1', // vbroadcastsd with L = 0
      'c4e279904000', // vpgatherdd without a vector index
    ]) {
      expect(vectorOf(code, alone), code).toBe(UD);
    }
  });

  it('MXCSR bits 31:16 are #GP', () => {
    machine.setReg('rsi', 0x20000);
    machine.load(0x20000, '00000100');
    expect(vectorOf('0fae16', alone)).toBe(GP);
    expect(vectorOf('c5f8ae16', alone)).toBe(GP);
  });
});

describe.each(WAYS)('SIMD floating-point exceptions, %s', (_, alone) => {
  beforeEach(() => {
    for (let n = 0; n < 4; n++) machine.set32(L.YMM + n * 4, 0x3f800000);
    machine.bytes.fill(0, L.YMM + 32, L.YMM + 48);
  });

  it('masked: the result is written and the flag stays', () => {
    expect(vectorOf(DIVPS, alone)).toBe(NONE);
    expect(machine.get32(L.YMM)).toBe(0x7f800000);
    expect(machine.get32(L.MXCSR)).toBe(0x1f84);
  });

  it('unmasked: #XM, or #UD without CR4.OSXMMEXCPT, and nothing is written but the flag', () => {
    machine.set32(L.MXCSR, 0x1d80);
    expect(vectorOf(DIVPS, alone)).toBe(XM);
    expect(machine.get32(L.YMM)).toBe(0x3f800000);
    expect(machine.get32(L.MXCSR)).toBe(0x1d84);
    clear(L.CR4, 0x400n);
    machine.set32(L.MXCSR, 0x1d80);
    expect(vectorOf(DIVPS, alone)).toBe(UD);
  });
});

describe.each(WAYS)('memory operands, %s', (_, alone) => {
  const bytes = Array.from({ length: 64 }, (_, n) => n + 1);

  it('across a page boundary are read and written whole', () => {
    machine.load(0x20fe0, bytes);
    machine.setReg('rsi', 0x20ff8);
    expect(vectorOf(MOVUPS_LOAD, alone)).toBe(NONE);
    expect([...machine.bytes.subarray(L.YMM, L.YMM + 16)]).toEqual(bytes.slice(24, 40));
    machine.setReg('rsi', 0x21ff4);
    expect(vectorOf(MOVUPS_STORE, alone)).toBe(NONE);
    expect([...machine.ram(0x21ff4, 16)]).toEqual(bytes.slice(24, 40));
    // vmovdqu [rsi], ymm0
    machine.setReg('rsi', 0x22ff1);
    expect(vectorOf('c5fe7f06', alone)).toBe(NONE);
    expect([...machine.ram(0x22ff1, 16)]).toEqual(bytes.slice(24, 40));
  });

  it('of 16 bytes must be aligned in the legacy forms', () => {
    machine.setReg('rsi', 0x20008);
    expect(vectorOf(MOVAPS_LOAD, alone)).toBe(GP);
    expect(vectorOf('0f5806', alone)).toBe(GP); // addps xmm0, [rsi]
    expect(vectorOf('c5f85806', alone)).toBe(NONE); // vaddps xmm0, xmm0, [rsi]
    expect(vectorOf(MOVUPS_LOAD, alone)).toBe(NONE);
  });

  it('beyond the canonical range are #GP, through SS #SS', () => {
    machine.setReg('rsi', 0x8000_0000_0000_0000n);
    expect(vectorOf(MOVUPS_LOAD, alone)).toBe(GP);
    machine.setReg('rbp', 0x8000_0000_0000_0000n);
    expect(vectorOf('0f104500', alone)).toBe(12);
  });

  it('that the mask leaves out are not touched', () => {
    // vmaskmovps xmm0, xmm1, [rsi] at the end of what is mapped, only the first element chosen
    machine.bytes.fill(0, L.YMM + 32, L.YMM + 64);
    machine.set32(L.YMM + 32, 0x80000000);
    machine.set(L.RAM_BASE + 0x72000 + 8, 0); // 2-MiB page at 200000h: not present
    machine.core.flushAllVcpus();
    machine.setReg('rsi', 0x1ffffc);
    machine.load(0x1ffffc, '78563412');
    expect(vectorOf('c4e2712c06', alone)).toBe(NONE);
    expect(machine.get(L.YMM)).toBe(0x12345678n);
    machine.set32(L.YMM + 36, 0x80000000);
    expect(vectorOf('c4e2712c06', alone)).toBe(14);
    // vpmaskmovd [rsi], xmm1, xmm0: the second element faults
    expect(vectorOf('c4e2718e06', alone)).toBe(14);
  });

  it('of a gather that faults leave the elements already read, and their mask cleared', () => {
    machine.set(L.RAM_BASE + 0x72000 + 8, 0);
    machine.core.flushAllVcpus();
    machine.load(0x20000, 'efbeadde');
    machine.bytes.fill(0, L.YMM, L.YMM + 96);
    machine.bytes.fill(0xff, L.YMM + 64, L.YMM + 80); // xmm2: mask
    machine.set32(L.YMM + 36, 0x1f0000); // xmm1: index of the second element
    machine.setReg('rsi', 0x20000);
    // vpgatherdd xmm0, [rsi + xmm1], xmm2
    expect(vectorOf('c4e269900 40e'.replace(' ', ''), alone)).toBe(14);
    expect(machine.get32(L.YMM)).toBe(0xdeadbeef);
    expect([0, 1, 2, 3].map((n) => machine.get32(L.YMM + 64 + n * 4))).toEqual([0, 0xffffffff, 0xffffffff, 0xffffffff]);
  });
});

describe('outside 64-bit mode', () => {
  it('VEX is #UD in real-address mode, and C4 stays LES', () => {
    machine.mode('real');
    set(L.CR4, 0x40600n);
    machine.set(L.IDTR_BASE, 0x60000);
    machine.set32(L.IDTR_LIMIT, 0x3ff);
    for (let n = 0; n < 32; n++) machine.load(0x60000 + n * 4, [0, n, 0, 0]);
    machine.load(0x600, Array(16).fill(0x90));
    machine.setReg('rsp', 0x3000);
    machine.core.updateMode();
    machine.exec('c5f058c1', 1);
    expect(Number(machine.rip) >> 8).toBe(UD);
  });

  it('SSE runs in real-address mode with 16-bit addresses and segment limits', () => {
    machine.mode('real');
    set(L.CR4, 0x600n);
    machine.core.updateMode();
    machine.segment(L.SEG_DS, 0x2000, 0x20000, 0xffff, 0x93);
    machine.load(0x28000, [1, 2, 3, 4]);
    machine.setReg('rbx', 0x8000);
    machine.setReg('rsi', 0x10000);
    machine.exec('0f2800', 1); // movaps xmm0, [bx+si]: SI is 0
    expect(machine.get32(L.YMM)).toBe(0x04030201);
    machine.set(L.IDTR_BASE, 0x60000);
    machine.set32(L.IDTR_LIMIT, 0x3ff);
    for (let n = 0; n < 32; n++) machine.load(0x60000 + n * 4, [0, n, 0, 0]);
    machine.load(GP << 8, Array(16).fill(0x90));
    machine.setReg('rsp', 0x3000);
    machine.setReg('rsi', 0x7ff8);
    machine.exec('0f1000', 1); // movups xmm0, [bx+si] passes the limit
    expect(Number(machine.rip) >> 8).toBe(GP);
  });

  it('the base of FS is added in 64-bit mode', () => {
    machine.segment(L.SEG_FS, 0, 0x20000, 0xffffffff, 0xc093);
    machine.load(0x20040, [9, 8, 7, 6]);
    machine.setReg('rsi', 0x40);
    for (const alone of [true, false]) {
      machine.bytes.fill(0, L.YMM, L.YMM + 32);
      expect(vectorOf('640f1006', alone)).toBe(NONE); // movups xmm0, fs:[rsi]
      expect(machine.get32(L.YMM)).toBe(0x06070809);
    }
  });

  it('there are eight registers and VEX.W does not widen general ones', () => {
    machine.mode('protected32');
    set(L.CR4, 0x40600n);
    machine.core.updateMode();
    machine.set(L.YMM + 32, 0x1122334455667788n);
    // vmovd eax, xmm1 with W = 1 (VMOVQ in 64-bit mode)
    machine.exec('c4e1f97ec8', 1);
    expect(machine.reg('rax')).toBe(0x55667788n);
    // vzeroall leaves registers 8-15
    machine.set(L.YMM + 8 * 32, 5n);
    machine.exec('c5fc77', 1);
    expect(machine.get(L.YMM + 32)).toBe(0n);
    expect(machine.get(L.YMM + 8 * 32)).toBe(5n);
  });
});

describe('estimates', () => {
  it('are within 1.5 * 2^-12 of the true value', () => {
    const view = machine.view;
    for (let n = 0; n < 2000; n++) {
      const value = Math.fround(1.0001 ** (n - 1000) * 2 ** ((n % 60) - 30));
      view.setFloat32(L.YMM + 32, value, true);
      machine.exec('f30f53c1', 1); // rcpss xmm0, xmm1
      expect(Math.abs(view.getFloat32(L.YMM, true) * value - 1)).toBeLessThanOrEqual(1.5 * 2 ** -12);
      machine.exec('f30f52c1', 1); // rsqrtss xmm0, xmm1
      expect(Math.abs(view.getFloat32(L.YMM, true) * Math.sqrt(value) - 1)).toBeLessThanOrEqual(1.5 * 2 ** -12);
    }
    expect(machine.get32(L.MXCSR)).toBe(0x1f80);
  });

  it('treat zeros, denormals, infinities and negative numbers as the SDM says', () => {
    const of = (code: string, x: number): number => {
      machine.set32(L.YMM + 32, x);
      machine.exec(code, 1);
      return machine.get32(L.YMM);
    };
    for (const [x, reciprocal, root] of [
      [0, 0x7f800000, 0x7f800000],
      [0x80000000, 0xff800000, 0xff800000],
      [0x00000001, 0x7f800000, 0x7f800000],
      [0x7f800000, 0, 0],
      [0xff800000, 0x80000000, 0xffc00000],
      [0xbf800000, 0xbf800000, 0xffc00000],
      [0x7f800001, 0x7fc00001, 0x7fc00001],
    ]) {
      expect(of('f30f53c1', x as number)).toBe(reciprocal);
      expect(of('f30f52c1', x as number)).toBe(root);
    }
  });
});

describe('VPINSRQ and VPEXTRQ', () => {
  it.each(WAYS)('are undefined outside 64-bit mode, where REX.W is not; %s', (_, alone) => {
    const [vpinsrq, vpinsrd, vpextrq, vpextrd] = ['c4e3f922d010', 'c4e37922d010', 'c4e3f916d201', 'c4e37916d201'];
    const codes = [vpinsrq, vpinsrd, vpextrq, vpextrd];
    expect(codes.map((code) => vectorOf(code, alone))).toEqual([NONE, NONE, NONE, NONE]);
    machine = vectorMachine('protected32');
    machine.setReg('rsp', 0x30000);
    const vectors = codes.map((code) => {
      const vector = vectorOf(code, alone);
      machine.setReg('rsp', 0x30000);
      return vector;
    });
    expect(vectors).toEqual([UD, NONE, UD, NONE]);
  });
});
