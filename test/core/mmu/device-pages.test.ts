import { describe, expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import { VmxRig } from './vmx-rig.js';

const READ = '8b03'; // mov eax,[rbx]
const WRITE = '8903'; // mov [rbx],eax
const INVLPG = '0f013b'; // invlpg [rbx]
const MOV_CR3 = '0f20d8 0f22d8'; // mov rax,cr3; mov cr3,rax
const PT = 0x73000;
const LINEAR = 0x400000;
const [ONE, OTHER] = [0x100000, 0x101000];
const [PRESENT, WRITABLE, ACCESSED, DIRTY] = [1n, 2n, 0x20n, 0x40n];

/** A machine with one linear page that leads where a test wants, two guest-physical pages without a frame among it. */
function rig(): VmxRig {
  const m = new VmxRig();
  m.set(L.RAM_BASE + 0x72000 + 2 * 8, BigInt(PT) | 7n);
  for (const gpa of [ONE, OTHER]) m.eptPage(gpa, 0n);
  leadTo(m, ONE);
  m.core.flushAllVcpus();
  m.setReg('rbx', LINEAR);
  return m;
}

const leadTo = (m: VmxRig, gpa: number, rights = PRESENT | WRITABLE): void =>
  m.set(L.RAM_BASE + PT, BigInt(gpa) | rights);

/** Where the access at the end of the code exits. */
function exitsAt(m: VmxRig, code: string, count: number): bigint {
  expect(m.exec(`${code} 90`, count)).toBe(L.RUN_VMEXIT);
  expect(m.exit[0]).toBe(48);
  return m.read('GUEST_PHYSICAL_ADDRESS');
}

describe('linear pages of devices', () => {
  it.each([
    ['INVLPG', INVLPG, 1],
    ['MOV to CR3', MOV_CR3, 2],
  ])('lead elsewhere behind %s', (_, invalidate, count) => {
    const m = rig();
    for (const access of [READ, WRITE]) {
      leadTo(m, ONE);
      m.core.flushAllVcpus();
      expect(exitsAt(m, access, 1)).toBe(BigInt(ONE));
      leadTo(m, OTHER);
      expect(exitsAt(m, `${invalidate} ${access}`, count + 1)).toBe(BigInt(OTHER));
    }
  });

  it('are found absent, and not to be written, behind INVLPG', () => {
    for (const [rights, access, error] of [
      [0n, READ, 0],
      [PRESENT, WRITE, 3],
    ] as const) {
      const m = rig();
      m.set(L.CR0, m.get(L.CR0) | 0x10000n);
      m.core.updateMode();
      m.core.flushAllVcpus();
      expect(exitsAt(m, access, 1)).toBe(BigInt(ONE));
      leadTo(m, ONE, rights);
      m.exec(`${INVLPG} ${access} 90`, 2);
      expect([m.handled, m.slots(1)[0]]).toEqual([14, error]);
    }
  });

  it('are marked dirty by the first write, whatever was read before', () => {
    const m = rig();
    exitsAt(m, READ, 1);
    expect(m.get(L.RAM_BASE + PT) & (ACCESSED | DIRTY)).toBe(ACCESSED);
    exitsAt(m, WRITE, 1);
    expect(m.get(L.RAM_BASE + PT) & (ACCESSED | DIRTY)).toBe(ACCESSED | DIRTY);
  });

  it('are memory as soon as the EPT maps them, without an invalidation', () => {
    const m = rig();
    exitsAt(m, READ, 1);
    m.eptPage(ONE, 7n);
    m.set32(L.RAM_BASE + ONE, 0x12345678);
    expect(m.exec(`${READ} 90`, 2)).toBe(L.RUN_LIMIT);
    expect(m.reg('rax')).toBe(0x12345678n);
  });
});
