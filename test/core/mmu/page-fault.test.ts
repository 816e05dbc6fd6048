import { describe, expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import { CODE, Rig } from '../events/rig.js';

const P = 1n;
const W = 2n;
const U = 4n;
const A = 0x20n;
const D = 0x40n;
const NX = 1n << 63n;
const CR0_WP = 0x10000n;
const SMEP = 1n << 20n;
const SMAP = 1n << 21n;

const PT = 0x73000;
/** Linear address of 4-KByte page n of the region that PT maps (at 4 MiB). */
const at = (n: number): number => 0x400000 + n * 0x1000;

/** Identity-mapped machine in which PT maps 4 MiB.. with entries that a test chooses; frames start at 3 MiB. */
function paged(level: 0 | 3, entries: Record<number, bigint>, cr4 = 0n, cr0 = 0n): Rig {
  const m = new Rig('long', level);
  m.set(L.RAM_BASE + 0x72000 + 2 * 8, BigInt(PT) | P | W | U);
  // the code and stacks of ring 0 are supervisor's unless the test runs in ring 3
  if (level === 0) m.set(L.RAM_BASE + 0x72000, 0x83);
  for (let n = 0; n < 16; n++) m.set(L.RAM_BASE + PT + n * 8, BigInt(0x300000 + n * 0x1000) | P | W | U);
  for (const [n, entry] of Object.entries(entries)) m.set(L.RAM_BASE + PT + Number(n) * 8, entry);
  m.set(L.EFER, 0xd00);
  m.set(L.CR4, 0x20n | cr4);
  m.set(L.CR0, m.get(L.CR0) | cr0);
  m.core.updateMode();
  m.core.flushAllVcpus();
  return m;
}

const READ = '8b03'; // mov eax,[rbx]
const WRITE = '8903'; // mov [rbx],eax
const JUMP = 'ffe3'; // jmp rbx
const frame = 0x303000n;

interface Case {
  name: string;
  level?: 0 | 3;
  entry: bigint;
  code: string;
  error: number;
  cr4?: bigint;
  cr0?: bigint;
  ac?: boolean;
}

const FAULTS: Case[] = [
  { name: 'read of an absent page', entry: 0n, code: READ, error: 0 },
  { name: 'write to an absent page', entry: 0n, code: WRITE, error: 2 },
  { name: 'user read of an absent page', level: 3, entry: 0n, code: READ, error: 4 },
  { name: 'user write to an absent page', level: 3, entry: 0n, code: WRITE, error: 6 },
  { name: 'user read of a supervisor page', level: 3, entry: frame | P | W, code: READ, error: 5 },
  { name: 'user write to a read-only page', level: 3, entry: frame | P | U, code: WRITE, error: 7 },
  { name: 'supervisor write to a read-only page with WP', entry: frame | P | U, code: WRITE, error: 3, cr0: CR0_WP },
  { name: 'reserved bit', entry: frame | P | W | U | (1n << 45n), code: READ, error: 9 },
  { name: 'reserved bit, user write', level: 3, entry: frame | P | W | U | (1n << 45n), code: WRITE, error: 15 },
  { name: 'fetch from a no-execute page', entry: frame | P | W | NX, code: JUMP, error: 0x11 },
  { name: 'fetch from an absent page', entry: 0n, code: JUMP, error: 0x10 },
  { name: 'user fetch from a supervisor page', level: 3, entry: frame | P | W, code: JUMP, error: 0x15 },
  { name: 'SMEP', entry: frame | P | W | U, code: JUMP, error: 0x11, cr4: SMEP },
  { name: 'SMAP read', entry: frame | P | W | U, code: READ, error: 1, cr4: SMAP },
  { name: 'SMAP write', entry: frame | P | W | U, code: WRITE, error: 3, cr4: SMAP },
];

describe('page faults', () => {
  for (const { name, level = 0, entry, code, error, cr4, cr0 } of FAULTS) {
    it(`${name}: error code ${error}, CR2, no A or D`, () => {
      const m = paged(level, { 3: entry }, cr4, cr0);
      m.setReg('rbx', at(3) + 8);
      m.exec(code, code === JUMP ? 2 : 1);
      expect(m.handled).toBe(14);
      expect(m.get(L.CR2)).toBe(BigInt(at(3) + 8));
      expect(m.slots(2)).toEqual([error, code === JUMP ? at(3) + 8 : CODE]);
      expect(m.ram64(PT + 3 * 8)).toBe(entry);
    });
  }

  it('passes SMAP with AC, and WP=0 lets the supervisor write', () => {
    const m = paged(0, { 3: frame | P | U }, SMAP);
    m.setReg('rbx', at(3));
    m.setReg('rax', 0x1234);
    m.setFlags(0x40002);
    m.exec(`${WRITE} 90`, 2);
    expect(m.get32(Number(frame) + L.RAM_BASE)).toBe(0x1234);
    expect(m.ram64(PT + 3 * 8)).toBe(frame | P | U | A | D);
  });

  it('sets A on reads and D on writes only', () => {
    const m = paged(0, {});
    m.setReg('rbx', at(3));
    m.exec(`${READ} 90`, 2);
    expect(m.ram64(PT + 24)).toBe(frame | P | W | U | A);
    m.exec(`${WRITE} 90`, 2);
    expect(m.ram64(PT + 24)).toBe(frame | P | W | U | A | D);
    expect(m.ram64(0x70000) & (A | D)).toBe(A);
  });

  it('names the second page of an access that crosses into it, and writes nothing', () => {
    const m = paged(0, { 4: 0n });
    m.setReg('rbx', at(4) - 2);
    m.setReg('rax', 0xffffffffn);
    m.exec(WRITE, 1);
    expect([m.handled, m.get(L.CR2), m.slots(1)[0]]).toEqual([14, BigInt(at(4)), 2]);
    expect(m.get32(L.RAM_BASE + Number(frame) + 0xffc)).toBe(0);
  });

  it('writes across pages that are not neighbours in memory', () => {
    const m = paged(0, { 4: 0x30a000n | P | W });
    m.setReg('rbx', at(4) - 2);
    m.setReg('rax', 0x44332211n);
    m.exec(`${WRITE} 8b0b`, 2); // and read back into ecx
    expect([...m.ram(0x303ffe, 2), ...m.ram(0x30a000, 2)]).toEqual([0x11, 0x22, 0x33, 0x44]);
    expect(m.reg('rcx')).toBe(0x44332211n);
  });

  it('keeps a translation until INVLPG', () => {
    const m = paged(0, {});
    m.setReg('rbx', at(3));
    m.load(0x303000, '01000000');
    m.load(0x305000, '02000000');
    m.exec(`${READ} 90`, 2);
    m.set(L.RAM_BASE + PT + 24, 0x305000n | P | W);
    m.exec(`${READ} 90`, 2);
    expect(m.reg('rax')).toBe(1n);
    m.exec(`0f013b ${READ} 90`, 3); // invlpg [rbx]
    expect(m.reg('rax')).toBe(2n);
  });

  it('runs code of the new frame after INVLPG', () => {
    const m = paged(0, {});
    m.setReg('rbx', at(3));
    m.setReg('rcx', CODE + 0x40);
    m.load(CODE + 0x40, 'ebfe'); // jmp to itself: blocks run whole
    m.load(0x303000, 'b801000000 ffe1'); // mov eax,1; jmp rcx
    m.load(0x305000, 'b802000000 ffe1');
    m.exec(JUMP, 40);
    m.set(L.RAM_BASE + PT + 24, 0x305000n | P | W);
    m.exec(JUMP, 40);
    expect(m.reg('rax')).toBe(1n);
    m.exec(`0f013b ${JUMP}`, 40); // invlpg [rbx]
    expect(m.reg('rax')).toBe(2n);
  });

  it('keeps the ways between blocks over INVLPG of data, not over that of code', () => {
    const m = paged(0, {});
    const invalidate = (address: number): boolean => {
      const before = m.get(L.CTX_GEN);
      m.setReg('rbx', address);
      m.exec('0f013b', 1);
      return m.get(L.CTX_GEN) === before;
    };
    m.load(0x303000, '90 90');
    m.setReg('rbx', at(3));
    m.exec(JUMP, 2);
    expect(invalidate(at(5))).toBe(true);
    expect(invalidate(at(3))).toBe(false);
    // another place in the large page that the code lies in
    expect(invalidate(0x1ff000)).toBe(false);
  });

  it('runs code that crosses into another frame', () => {
    const m = paged(0, { 3: 0x303000n | P | W, 4: 0x30a000n | P | W });
    m.load(0x303ffe, 'b8 11');
    m.load(0x30a000, '22 33 44 90');
    m.setReg('rbx', at(4) - 2);
    m.exec(JUMP, 3);
    expect([m.reg('rax'), m.rip]).toEqual([0x44332211n, BigInt(at(4) + 4)]);
  });

  it('checks alignment at CPL 3 with AM and AC', () => {
    const m = paged(3, {}, 0n, 0x40000n);
    m.setFlags(0x40002);
    m.setReg('rbx', at(3) + 4);
    m.exec(`${READ} 90`, 2);
    expect(m.rip).toBe(BigInt(CODE + 3));
    m.setReg('rbx', at(3) + 2);
    m.exec(READ, 1);
    expect([m.handled, m.slots(2)]).toEqual([17, [0, CODE]]);
  });
});

describe('a 16-byte operand', () => {
  it('faults at its first byte', () => {
    const m = paged(3, { 3: 0n });
    m.setReg('rbx', at(3) + 0x100);
    m.exec('480fc70b', 1); // cmpxchg16b [rbx]
    expect([m.handled, m.get(L.CR2)]).toEqual([14, BigInt(at(3) + 0x100)]);
  });
});
