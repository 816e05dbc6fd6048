import { describe, expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import { CODE, Rig } from '../events/rig.js';

const P = 1n;
const W = 2n;
const U = 4n;
const PKE = 0x400000n;
const PKS = 0x1000000n;
const WP = 0x10000n;
const KEY = 3;
const PT = 0x73000;
const PAGE = 0x400000;
const ACCESS_DISABLE = 1 << (2 * KEY);
const WRITE_DISABLE = 2 << (2 * KEY);

const READ = '8b03'; // mov eax,[rbx]
const WRITE = '8903'; // mov [rbx],eax
const RDPKRU = '0f01ee';
const WRPKRU = '0f01ef';

/** A page with key 3 at 4 MiB, of user or supervisor mode. */
function keyed(level: 0 | 3, user: boolean, cr4 = PKE | PKS, wp = true): Rig {
  const m = new Rig('long', level);
  m.set(L.RAM_BASE + 0x72000 + 2 * 8, BigInt(PT) | P | W | U);
  m.set(L.RAM_BASE + PT, 0x300000n | P | W | (user ? U : 0n) | (BigInt(KEY) << 59n));
  m.set(L.EFER, 0xd00);
  m.set(L.CR4, 0x20n | cr4);
  if (wp) m.set(L.CR0, m.get(L.CR0) | WP);
  m.setReg('rbx', PAGE);
  m.core.updateMode();
  m.core.flushAllVcpus();
  return m;
}

/** Error code of the #PF that an access brings, or undefined. */
function faultOf(m: Rig, code: string): number | undefined {
  m.exec(code, 1);
  if (m.rip === BigInt(CODE + code.length / 2)) return undefined;
  expect([m.handled, m.get(L.CR2)]).toEqual([14, BigInt(PAGE)]);
  return m.slots(1)[0];
}

describe('protection keys', () => {
  for (const [name, level, user, rights, expected] of [
    ['user access to a user page, access disabled', 3, true, ACCESS_DISABLE, { read: 0x25, write: 0x27 }],
    ['user access to a user page, write disabled', 3, true, WRITE_DISABLE, { write: 0x27 }],
    ['supervisor access to a user page, access disabled', 0, true, ACCESS_DISABLE, { read: 0x21, write: 0x23 }],
    ['supervisor access to a user page, write disabled', 0, true, WRITE_DISABLE, { write: 0x23 }],
    ['another key', 3, true, 0xffffffff & ~(3 << (2 * KEY)), {}],
  ] as const) {
    it(`PKRU: ${name}`, () => {
      for (const [kind, code] of [
        ['read', READ],
        ['write', WRITE],
      ] as const) {
        const m = keyed(level, user);
        m.set32(L.PKRU, rights);
        expect(faultOf(m, code), kind).toBe((expected as Record<string, number>)[kind]);
      }
    });
  }

  it('IA32_PKRS rules supervisor pages, PKRU does not', () => {
    const m = keyed(0, false);
    m.set32(L.PKRU, 0xffffffff);
    expect(faultOf(m, WRITE)).toBeUndefined();
    const keys = keyed(0, false);
    keys.set32(L.PKRS, WRITE_DISABLE);
    expect(faultOf(keys, READ)).toBeUndefined();
    expect(faultOf(keys, WRITE)).toBe(0x23);
  });

  it('lets the supervisor write with CR0.WP clear what write-disable forbids', () => {
    const m = keyed(0, true, PKE, false);
    m.set32(L.PKRU, WRITE_DISABLE);
    expect(faultOf(m, WRITE)).toBeUndefined();
  });

  it('is off without CR4.PKE', () => {
    const m = keyed(3, true, 0n);
    m.set32(L.PKRU, 0xffffffff);
    expect(faultOf(m, WRITE)).toBeUndefined();
    m.exec(RDPKRU, 1);
    expect(m.handled).toBe(6);
  });

  it('changes with WRPKRU at once, though the page is in the TLB', () => {
    const m = keyed(3, true);
    m.setReg('rcx', 0);
    m.setReg('rdx', 0);
    m.setReg('rax', WRITE_DISABLE);
    m.exec(`${WRITE}${READ}`, 2);
    m.setReg('rax', WRITE_DISABLE);
    m.exec(`${WRPKRU}${READ}${WRITE}`, 3);
    expect([m.handled, m.slots(2)]).toEqual([14, [0x27, CODE + 5]]);
    expect(m.get32(L.PKRU)).toBe(WRITE_DISABLE);
  });

  it('refuses ECX, and EDX of WRPKRU', () => {
    for (const [code, register] of [
      [RDPKRU, 'rcx'],
      [WRPKRU, 'rcx'],
      [WRPKRU, 'rdx'],
    ]) {
      const m = keyed(0, true);
      m.setReg(register, 1);
      m.exec(code, 1);
      expect([m.handled, m.slots(2)]).toEqual([13, [0, CODE]]);
    }
  });
});

describe('PKRU in XSAVE areas', () => {
  const AREA = 0x100000;
  const XCR0 = 0x207;

  /** Saves x87, AVX and PKRU state with an instruction, changes PKRU and restores it. */
  function saved(code: string): Rig {
    const m = new Rig('long');
    m.set(L.CR4, 0x440620n);
    m.set(L.XCR0, XCR0);
    m.core.updateMode();
    m.setReg('rax', 0x205);
    m.setReg('rdx', 0);
    m.setReg('rdi', AREA);
    m.set32(L.PKRU, 0x55555554);
    m.set(L.YMM + 16, 0x1234n);
    m.exec(code, 1);
    m.set32(L.PKRU, 0);
    m.exec('0fae2f', 1); // xrstor [rdi]
    return m;
  }

  it('stands at 2688 in the standard format', () => {
    const m = saved('0fae27'); // xsave [rdi]
    expect([m.ram64(AREA + 2688), m.ram64(AREA + 512) & 0x200n, m.get32(L.PKRU)]).toEqual([
      0x55555554n,
      0x200n,
      0x55555554,
    ]);
  });

  it('follows AVX state in the compacted format', () => {
    const m = saved('0fc727'); // xsavec [rdi]
    expect([m.ram64(AREA + 832), m.ram64(AREA + 520), m.get32(L.PKRU)]).toEqual([
      0x55555554n,
      (1n << 63n) | 0x205n,
      0x55555554,
    ]);
  });
});
