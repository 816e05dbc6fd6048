import { describe, expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import { CODE } from '../events/rig.js';
import { VmxRig } from './vmx-rig.js';

const MMIO = 0x100000;
const READ = '8b03'; // mov eax,[rbx]
const WRITE = '8903'; // mov [rbx],eax
// exit qualification of EPT violations
const DATA_READ = 1;
const DATA_WRITE = 2;
const FETCH = 4;
const PERMIT_R = 8;
const PERMIT_X = 0x20;
const GLA_VALID = 0x80;
const TRANSLATED = 0x100;

describe('EPT violations', () => {
  it('describes a read, and takes the latched data on the second run', () => {
    const m = new VmxRig();
    m.eptPage(MMIO, 0n);
    m.setReg('rbx', MMIO + 0x10);
    expect(m.exec(`90 ${READ} 90`, 3)).toBe(L.RUN_VMEXIT);
    expect(m.exit).toEqual([48, DATA_READ | GLA_VALID | TRANSLATED]);
    expect([m.read('GUEST_LINEAR_ADDRESS'), m.read('GUEST_PHYSICAL_ADDRESS')]).toEqual([0x100010n, 0x100010n]);
    expect([m.read('GUEST_RIP'), m.icount]).toEqual([BigInt(CODE + 1), 1n]);
    expect([m.get32(L.ASSIST_KIND), m.get32(L.ASSIST_WRITE), m.get32(L.ASSIST_BYTES)]).toEqual([1, 0, 4]);
    m.latch(0xcafe1234n);
    expect(m.run(2)).toBe(L.RUN_LIMIT);
    expect([m.reg('rax'), m.rip, m.icount]).toEqual([0xcafe1234n, BigInt(CODE + 4), 3n]);
    // the latch died with the instruction
    expect(m.exec(READ, 1)).toBe(L.RUN_VMEXIT);
  });

  it('hands out the data of a write', () => {
    const m = new VmxRig();
    m.eptPage(MMIO, 0n);
    m.setReg('rbx', MMIO);
    m.setReg('rax', 0x11223344n);
    m.exec(`${WRITE} 90`, 2);
    expect(m.exit).toEqual([48, DATA_WRITE | GLA_VALID | TRANSLATED]);
    expect([m.get32(L.ASSIST_WRITE), m.get(L.ASSIST_DATA)]).toEqual([1, 0x11223344n]);
    m.latch();
    expect(m.run(2)).toBe(L.RUN_LIMIT);
    expect(m.rip).toBe(BigInt(CODE + 3));
  });

  it('reads, then writes, for a read-modify-write', () => {
    const m = new VmxRig();
    m.eptPage(MMIO, 0n);
    m.setReg('rbx', MMIO);
    m.exec('8303 05 90', 2); // add dword [rbx],5
    expect(m.get32(L.ASSIST_WRITE)).toBe(0);
    m.latch(7n);
    expect(m.run(2)).toBe(L.RUN_VMEXIT);
    expect([m.get32(L.ASSIST_WRITE), m.get(L.ASSIST_DATA)]).toEqual([1, 12n]);
    m.latch();
    expect(m.run(2)).toBe(L.RUN_LIMIT);
    expect(m.rip).toBe(BigInt(CODE + 4));
  });

  it('moves a string from device to device, an access at a time', () => {
    const m = new VmxRig();
    m.eptPage(MMIO, 0n);
    m.setReg('rsi', MMIO);
    m.setReg('rdi', MMIO + 0x800);
    m.setReg('rcx', 3);
    m.load(CODE, 'f3a5 90'); // rep movsd
    m.set(L.RIP, CODE);
    const seen: string[] = [];
    for (let n = 0; n < 6; n++) {
      expect(m.run(4)).toBe(L.RUN_VMEXIT);
      const write = m.get32(L.ASSIST_WRITE);
      seen.push(`${write ? 'w' : 'r'}${(m.get(L.ASSIST_ADDRESS) - BigInt(MMIO)).toString(16)}=${m.get(L.ASSIST_DATA)}`);
      m.latch(write ? 0n : BigInt(n + 100));
    }
    expect(seen).toEqual(['r0=0', 'w800=100', 'r4=0', 'w804=102', 'r8=0', 'w808=104']);
    expect(m.run(2)).toBe(L.RUN_LIMIT);
    expect([m.reg('rcx'), m.icount]).toEqual([0n, 4n]);
  });

  it('splits an access between a frame and a device', () => {
    const m = new VmxRig();
    m.eptPage(MMIO, 0n);
    m.load(MMIO - 2, '1122');
    m.setReg('rbx', MMIO - 2);
    m.exec(`${READ} 90`, 2);
    expect([m.get(L.ASSIST_ADDRESS), m.get32(L.ASSIST_BYTES)]).toEqual([BigInt(MMIO), 2]);
    m.latch(0x4433n);
    m.run(2);
    expect(m.reg('rax')).toBe(0x44332211n);
  });

  it('tells what the mapping permits', () => {
    const m = new VmxRig();
    m.eptPage(MMIO, 5n); // R X
    m.core.flushAllVcpus();
    m.setReg('rbx', MMIO);
    m.exec(`${READ} ${WRITE}`, 2);
    expect([m.exit, m.read('GUEST_RIP')]).toEqual([
      [48, DATA_WRITE | PERMIT_R | PERMIT_X | GLA_VALID | TRANSLATED],
      BigInt(CODE + 2),
    ]);
  });

  it('stops a fetch', () => {
    const m = new VmxRig();
    m.eptPage(MMIO, 3n);
    m.core.flushAllVcpus();
    m.setReg('rbx', MMIO + 4);
    m.exec('ffe3', 2);
    expect(m.exit).toEqual([48, FETCH | PERMIT_R | 0x10 | GLA_VALID | TRANSLATED]);
    expect([m.read('GUEST_RIP'), m.icount]).toEqual([BigInt(MMIO + 4), 1n]);
  });

  it('names accesses to paging structures', () => {
    const m = new VmxRig();
    // PDPT entry 1 refers to a page directory that has no frame
    m.set(L.RAM_BASE + 0x71008, BigInt(MMIO) | 7n);
    m.eptPage(MMIO, 0n);
    m.core.flushAllVcpus();
    m.setReg('rbx', 0x40201000n);
    m.exec(READ, 1);
    expect(m.exit).toEqual([48, DATA_READ | GLA_VALID]);
    expect([m.read('GUEST_LINEAR_ADDRESS'), m.read('GUEST_PHYSICAL_ADDRESS')]).toEqual([0x40201000n, BigInt(MMIO + 8)]);
    expect(m.get32(L.ASSIST_KIND)).toBe(L.ASSIST_STRUCTURE);
    expect([m.get32(L.ASSIST_BYTES), m.get32(L.ASSIST_WRITE)]).toEqual([8, 0]);
  });

  it('treats paging-structure accesses as writes with accessed and dirty flags on', () => {
    const m = new VmxRig('long', 0, true);
    m.eptPage(0x70000, 5n);
    m.core.flushAllVcpus();
    m.exec('90', 1);
    expect(m.exit).toEqual([48, DATA_READ | DATA_WRITE | PERMIT_R | PERMIT_X | GLA_VALID]);
  });

  it('sets accessed and dirty flags in EPT', () => {
    const m = new VmxRig('long', 0, true);
    m.setReg('rbx', MMIO);
    m.exec(`${READ} 90`, 2);
    expect(m.eptEntry(MMIO) & 0x300n).toBe(0x100n);
    m.exec(`${WRITE} 90`, 2);
    expect(m.eptEntry(MMIO) & 0x300n).toBe(0x300n);
    expect(m.eptEntry(0x110000) & 0x300n).toBe(0n);
    // guest paging structures count as written
    expect(m.eptEntry(0x70000) & 0x300n).toBe(0x300n);
  });

  it('exits for misconfigurations', () => {
    for (const extra of [1n, 4n << 3n, 1n << 45n] as const) {
      const m = new VmxRig();
      m.eptPage(MMIO, 7n, extra); // write-only, type 2, reserved address bit
      m.core.flushAllVcpus();
      m.setReg('rbx', MMIO);
      m.exec(READ, 1);
      expect([m.exit[0], m.read('GUEST_PHYSICAL_ADDRESS')], `${extra}`).toEqual([49, BigInt(MMIO)]);
    }
  });
});

describe('the APIC-access page', () => {
  /** A rig whose page at 1 MiB is the APIC-access page. */
  function apicRig(tprShadow: boolean): VmxRig {
    const m = new VmxRig();
    m.write('SECONDARY_VM_EXEC_CONTROL', 3n);
    m.write('APIC_ACCESS_ADDR', BigInt(L.RAM_BASE + MMIO));
    m.write('VIRTUAL_APIC_PAGE_ADDR', BigInt(L.VIRTUAL_APIC_BASE));
    if (tprShadow) m.write('CPU_BASED_VM_EXEC_CONTROL', (1n << 31n) | (1n << 21n));
    m.core.flushAllVcpus();
    return m;
  }

  it('exits with offset and kind of access', () => {
    for (const [code, kind] of [
      [READ, 0],
      [WRITE, 1],
      ['8303 05', 1],
      ['ffe3', 2],
    ] as const) {
      const m = apicRig(false);
      m.setReg('rbx', MMIO + 0x80);
      expect(m.exec(code, 2), code).toBe(L.RUN_VMEXIT);
      expect(m.exit, code).toEqual([44, 0x80 | (kind << 12)]);
    }
  });

  it('answers the TPR from the virtual-APIC page while the shadow is in use', () => {
    const m = apicRig(true);
    m.set32(L.VIRTUAL_APIC_BASE + 0x80, 0x30);
    m.setReg('rbx', MMIO + 0x80);
    expect(m.exec(`${READ} 0410 ${WRITE} 90`, 4)).toBe(L.RUN_LIMIT);
    expect([m.reg('rax'), m.get32(L.VIRTUAL_APIC_BASE + 0x80)]).toEqual([0x40n, 0x40]);
    m.setReg('rbx', MMIO + 0x84);
    m.exec(READ, 1);
    expect(m.exit).toEqual([44, 0x84]);
  });
});
