import { describe, expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import { CODE, CODE32, CODE64, DATA, Rig, USER_CODE32, USER_CODE64, USER_DATA } from '../events/rig.js';

const SYSCALL = '0f05';
const SYSRET = '0f07';
const SYSENTER = '0f34';
const ENTRY64 = 0x30000;
const ENTRY32 = 0x31000;
const LEGACY_ENTRY = 0x32000;
const STAR = (BigInt(USER_CODE32 | 3) << 48n) | (BigInt(CODE64) << 32n) | BigInt(LEGACY_ENTRY);

/** A rig with SYSCALL enabled, in compatibility mode where `compatible`. */
function rig(mode: 'long' | 'protected32', level: 0 | 3, modes: number, compatible = false): Rig {
  const m = new Rig(mode, level);
  m.set32(L.SYSCALL_MODES, modes);
  m.set(L.EFER, m.get(L.EFER) | 1n);
  m.set(L.STAR, STAR);
  m.set(L.LSTAR, ENTRY64);
  m.set(L.FMASK, 0x4700);
  if (compatible) {
    const [selector, access] = level === 3 ? [USER_CODE32 | 3, 0xc0fb] : [CODE32, 0xc09b];
    m.segment(L.SEG_CS, selector, 0, 0xffffffff, access);
  }
  m.load(ENTRY64, '9090');
  m.load(ENTRY32, '9090');
  m.load(LEGACY_ENTRY, '9090');
  m.core.updateMode();
  return m;
}

describe('SYSCALL and SYSRET outside 64-bit mode', () => {
  it('are undefined in compatibility mode on a CPU of Intel', () => {
    const m = rig('long', 3, L.SYSCALL_LONG, true);
    m.set(L.CSTAR, ENTRY32);
    m.exec(SYSCALL, 1);
    expect(m.handled).toBe(6);
  });

  it('work in compatibility mode through CSTAR on a CPU of AMD', () => {
    const m = rig('long', 3, L.SYSCALL_PROTECTED, true);
    m.set(L.CSTAR, ENTRY32);
    m.setFlags(0x602);
    m.exec(SYSCALL, 1);
    expect([m.rip, m.reg('rcx'), m.reg('r11')]).toEqual([BigInt(ENTRY32), BigInt(CODE + 2), 0x602n]);
    expect([m.cpl, m.selector(L.SEG_CS), m.selector(L.SEG_SS), m.flags]).toEqual([0, CODE64, DATA, 2]);
    expect(m.get32(L.MODE) & L.MODE_CODE64).toBe(L.MODE_CODE64);
    // and back: SYSRET without REX.W returns to compatibility mode
    m.load(ENTRY32, SYSRET);
    m.run(1);
    expect([m.rip, m.cpl, m.flags]).toEqual([BigInt(CODE + 2), 3, 0x602]);
    expect([m.selector(L.SEG_CS), m.selector(L.SEG_SS)]).toEqual([USER_CODE32 | 3, USER_DATA | 3]);
    expect(m.get32(L.MODE) & (L.MODE_CODE64 | L.MODE_CODE32)).toBe(L.MODE_CODE32);
  });

  it('work in compatibility mode on a CPU of no maker once IA32_CSTAR is set', () => {
    const m = rig('long', 3, L.SYSCALL_WITH_CSTAR, true);
    m.exec(SYSCALL, 1);
    expect(m.handled).toBe(6);
    const set = rig('long', 3, L.SYSCALL_WITH_CSTAR, true);
    set.set(L.CSTAR, ENTRY32);
    set.exec(SYSCALL, 1);
    expect(set.rip).toBe(BigInt(ENTRY32));
  });

  it('take the target from STAR in legacy mode, on a CPU of AMD only', () => {
    const m = rig('protected32', 3, L.SYSCALL_PROTECTED);
    m.setFlags(0x202);
    m.exec(SYSCALL, 1);
    expect([m.rip, m.reg('rcx'), m.cpl, m.flags]).toEqual([BigInt(LEGACY_ENTRY), BigInt(CODE + 2), 0, 2]);
    m.load(LEGACY_ENTRY, SYSRET);
    m.run(1);
    expect([m.rip, m.cpl, m.flags, m.selector(L.SEG_CS)]).toEqual([BigInt(CODE + 2), 3, 0x202, USER_CODE32 | 3]);
    for (const modes of [L.SYSCALL_LONG, L.SYSCALL_WITH_CSTAR]) {
      const other = rig('protected32', 3, modes);
      other.set(L.CSTAR, ENTRY32);
      other.exec(SYSCALL, 1);
      expect(other.handled).toBe(6);
    }
  });

  it('leave SYSENTER undefined in IA-32e mode on a CPU of AMD', () => {
    for (const [modes, vector] of [
      [L.SYSCALL_PROTECTED, 6],
      [L.SYSCALL_LONG, 13], // SYSENTER_CS is null
    ]) {
      const m = rig('long', 3, modes);
      m.exec(SYSENTER, 1);
      expect(m.handled === -1 ? 13 : m.handled).toBe(vector);
    }
  });
});

describe('single-step over SYSCALL and SYSRET', () => {
  it('does not trap after a SYSCALL that clears TF', () => {
    const m = rig('long', 3, L.SYSCALL_LONG);
    m.setFlags(0x102);
    m.exec(SYSCALL, 2);
    expect([m.rip, m.flags]).toEqual([BigInt(ENTRY64 + 1), 2]);
  });

  it('traps after a SYSCALL that keeps TF', () => {
    const m = rig('long', 3, L.SYSCALL_LONG);
    m.set(L.FMASK, 0);
    m.setFlags(0x102);
    m.exec(SYSCALL, 2);
    expect([m.handled, m.slots(1)[0]]).toEqual([1, ENTRY64]);
  });

  it('traps after the SYSRET that sets TF, before the next instruction', () => {
    const m = rig('long', 0, L.SYSCALL_LONG);
    m.setReg('rcx', ENTRY64);
    m.setReg('r11', 0x102);
    m.exec(`48${SYSRET}`, 2);
    expect([m.handled, m.slots(2)]).toEqual([1, [ENTRY64, USER_CODE64 | 3]]);
  });
});

describe('what follows from the privilege level', () => {
  /** All that updateMode() keeps. */
  const DERIVED = [L.MODE, L.CPL, L.CTX, L.CTX_PLAIN, L.CTX_SYSTEM, L.CTX_GEN, L.ATTENTION, L.VECTORS_OFF];
  const derived = (m: Rig): number[] => DERIVED.map((field) => m.get32(field));

  // none, IF, AC, TF, RF (which SYSCALL does not keep), AC and TF
  it.each([0x2, 0x202, 0x40002, 0x102, 0x10002, 0x40102])(
    'is the same after fast system calls with flags %x',
    (flags) => {
      for (const [dr7, cr0] of [
        [0x400n, 0n],
        [0x401n, 0n],
        [0x400n, 0x40008n], // AM and TS
      ]) {
        for (const mask of [0, 0x50300]) {
          const m = rig('long', 3, L.SYSCALL_LONG);
          m.set(L.DR7, dr7);
          m.set(L.CR0, m.get(L.CR0) | cr0);
          m.set(L.CR4, m.get(L.CR4) | 0x200600n); // SMAP, OSFXSR
          m.set(L.FMASK, mask);
          m.setFlags(flags);
          m.load(ENTRY64, `48${SYSRET}`);
          m.core.updateMode();
          for (const [code, level] of [
            [SYSCALL, 0],
            ['', 3],
          ] as const) {
            const end = code ? m.exec(code, 1) : m.run(1);
            // a trap comes first: its handler's stack is a user's page, which SMAP forbids
            if (end === L.RUN_VMEXIT) break;
            expect(m.cpl).toBe(level);
            const found = derived(m);
            m.core.updateMode();
            expect(derived(m)).toEqual(found);
          }
        }
      }
    },
  );
});
