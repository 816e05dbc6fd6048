import { beforeEach, describe, expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import { Machine, type Mode } from '../harness.js';

const UD = 6;
const NM = 7;
const GP = 13;
const MF = 16;
const NONE = 0xff;
const MP = 2;
const EM = 4;
const TS = 8;

let machine: Machine;

beforeEach(() => {
  machine = new Machine();
});

/** Runs one instruction; answers the vector of its fault, or NONE. */
function fault(code: string): number {
  const logged = machine.get32(L.FAULT_LOG);
  machine.exec(code, 1);
  if (machine.get32(L.FAULT_LOG) === logged) return NONE;
  return machine.get32(L.FAULT_LOG + 16 + (logged % L.FAULT_LOG_ENTRIES) * L.FAULT_LOG_BYTES);
}

function start(mode: Mode, cr0 = 0): void {
  machine.mode(mode);
  machine.set(L.CR0, machine.get(L.CR0) | BigInt(cr0));
  machine.setReg('rdi', 0x20000);
  machine.core.updateMode();
}

describe('CR0.EM, TS and MP', () => {
  // FLD1, FNINIT, FNSTCW [rdi], MOVQ mm0, mm0, WAIT
  const codes = ['d9e8', 'dbe3', 'd93f', '0f6fc0', '9b'];
  const cases: [cr0: number, vectors: number[]][] = [
    [0, [NONE, NONE, NONE, NONE, NONE]],
    [MP, [NONE, NONE, NONE, NONE, NONE]],
    [TS, [NM, NM, NM, NM, NONE]],
    [TS | MP, [NM, NM, NM, NM, NM]],
    [EM, [NM, NM, NM, UD, NONE]],
    [EM | MP, [NM, NM, NM, UD, NONE]],
    [EM | TS, [NM, NM, NM, UD, NONE]],
    [EM | TS | MP, [NM, NM, NM, UD, NM]],
  ];
  it.each(cases)('CR0 bits %i: FLD1, FNINIT, FNSTCW, MOVQ, WAIT fault with %j', (cr0, vectors) => {
    start('long', cr0);
    expect(codes.map(fault)).toEqual(vectors);
  });
});

describe('a pending exception', () => {
  /** 1 / 0 with ZE not masked. */
  function divideByZero(): void {
    start('long');
    machine.load(0x20000, [0x7b, 0x03]);
    // fninit; fldcw [rdi]; fld1; fldz; fdivp st(1), st
    machine.exec('dbe3 d92f d9e8 d9ee def9', 5);
  }

  it('is reported by the next waiting instruction, and FNCLEX ends it', () => {
    divideByZero();
    expect(machine.view.getUint16(L.X87_FSW, true) & 0x80ff).toBe(0x8084);
    expect(fault('9b')).toBe(MF);
    expect(fault('d9e8')).toBe(MF);
    expect(fault('d92f')).toBe(MF); // FLDCW
    expect(fault('0f6fc0')).toBe(MF); // MMX
    expect(fault('dfe0')).toBe(NONE); // FNSTSW AX
    expect(Number(machine.reg('rax')) & 0xff).toBe(0x84);
    expect(fault('dbe2')).toBe(NONE);
    expect(fault('9b')).toBe(NONE);
  });

  it('leaves operands and stack as they were', () => {
    divideByZero();
    expect((machine.view.getUint16(L.X87_FSW, true) >> 11) & 7).toBe(6);
    expect(machine.get(L.X87 + 7 * 16)).toBe(1n << 63n);
    expect(machine.get(L.X87 + 6 * 16)).toBe(0n);
  });

  it('keeps the opcode of the instruction that raised it', () => {
    divideByZero();
    // DE F9: low three bits of DE, then the ModRM byte
    expect(machine.view.getUint16(L.X87_FOP, true)).toBe(0x6f9);
    expect(machine.get(L.X87_FIP)).toBe(0x1008n);
  });
});

describe('environments', () => {
  const WORDS = (address: number, count: number): number[] =>
    Array.from({ length: count }, (_, n) => machine.view.getUint16(L.RAM_BASE + address + n * 2, true));

  /** FLD1 at 12345h, with FOP, FIP and FDP set as if it had faulted. */
  function prepare(mode: Mode): void {
    start(mode);
    machine.exec('dbe3 d9e8', 2);
    machine.set(L.X87_FIP, 0xabcd1234n);
    machine.set(L.X87_FDP, 0x98765432n);
    machine.view.setUint16(L.X87_FOP, 0x5a5, true);
    machine.setReg('rdi', 0x2000);
    machine.load(0x2000, new Uint8Array(128));
  }

  it('of 16 bits in real mode hold linear addresses and the opcode', () => {
    prepare('real');
    machine.exec('d935', 1); // fnstenv [di]
    expect(WORDS(0x2000, 7)).toEqual([0x37f, 0x3800, 0x3fff, 0x1234, 0xd5a5, 0x5432, 0x6000]);
  });

  it('of 32 bits in real mode', () => {
    prepare('real');
    machine.exec('66d935', 1);
    expect(WORDS(0x2000, 14)).toEqual([
      ...[0x37f, 0xffff, 0x3800, 0xffff, 0x3fff, 0xffff],
      ...[0x1234, 0xffff, 0xd5a5, 0x0abc, 0x5432, 0xffff, 0x6000, 0x0987],
    ]);
  });

  it('of 16 bits in protected mode hold offsets, and deprecated selectors as 0', () => {
    prepare('protected32');
    machine.exec('66d937', 1);
    expect(WORDS(0x2000, 7)).toEqual([0x37f, 0x3800, 0x3fff, 0x1234, 0, 0x5432, 0]);
  });

  it('of 32 bits in protected mode', () => {
    prepare('protected32');
    machine.exec('d937', 1);
    expect(WORDS(0x2000, 14)).toEqual([
      ...[0x37f, 0xffff, 0x3800, 0xffff, 0x3fff, 0xffff],
      ...[0x1234, 0xabcd, 0, 0x05a5, 0x5432, 0x9876, 0, 0xffff],
    ]);
  });

  it.each(['real', 'protected32'] as const)('come back by FRSTOR in %s mode, in both sizes', (mode) => {
    for (const prefix of ['', '66']) {
      prepare(mode);
      const [save, restore] = mode === 'real' ? ['dd35', 'dd25'] : ['dd37', 'dd27'];
      machine.exec(`${prefix}${save}`, 1);
      expect(machine.view.getUint8(L.X87_FTW)).toBe(0);
      machine.exec(`${prefix}${restore}`, 1);
      expect(machine.view.getUint8(L.X87_FTW)).toBe(0x80);
      expect(machine.view.getUint16(L.X87_FSW, true)).toBe(0x3800);
      expect(machine.get(L.X87 + 7 * 16)).toBe(1n << 63n);
    }
  });
});

describe('save areas', () => {
  it('must be aligned', () => {
    start('long');
    machine.set(L.CR4, 0x40220);
    machine.setReg('rdi', 0x20008);
    expect(fault('0fae07')).toBe(GP); // FXSAVE
    expect(fault('0fae0f')).toBe(GP); // FXRSTOR
    machine.setReg('rdi', 0x20010);
    expect(fault('0fae07')).toBe(NONE);
    expect(fault('0fae27')).toBe(GP); // XSAVE
    machine.setReg('rdi', 0x20040);
    expect(fault('0fae27')).toBe(NONE);
  });

  it('of XSAVE need CR4.OSXSAVE, and CR0.TS clear', () => {
    start('long', TS);
    for (const code of ['0fae27', '0fae2f', '0fae37', '0fc727', '0f01d0']) expect(fault(code)).toBe(UD);
    machine.set(L.CR4, 0x40220);
    for (const code of ['0fae27', '0fae2f', '0fae37', '0fc727']) expect(fault(code)).toBe(NM);
  });

  it('of FXSAVE hold XMM8 to XMM15 in 64-bit mode only', () => {
    for (const [mode, bytes] of [
      ['long', 416],
      ['protected32', 288],
    ] as const) {
      start(mode);
      machine.set(L.CR4, machine.get(L.CR4) | 0x200n);
      machine.load(0x20000, new Uint8Array(512).fill(0xee));
      machine.exec('0fae07', 1);
      const area = machine.ram(0x20000, 512);
      expect(area.findLastIndex((byte) => byte !== 0xee) + 1).toBe(bytes);
    }
  });
});
