import { describe, expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import { VmxRig } from '../mmu/vmx-rig.js';
import { CODE, STACK, TSS, TSS_BASE } from './rig.js';

describe('events that leave the guest', () => {
  it('exits for #PF by bitmap, with the address as qualification and CR2 untouched', () => {
    const m = new VmxRig();
    m.write('EXCEPTION_BITMAP', 1n << 14n);
    m.set(L.RAM_BASE + 0x71008, 0n);
    m.setReg('rbx', 0x40000123n);
    expect(m.exec('8903', 1)).toBe(L.RUN_VMEXIT);
    expect(m.exit).toEqual([0, 0x40000123]);
    expect([m.read('VM_EXIT_INTR_INFO'), m.read('VM_EXIT_INTR_ERROR_CODE')]).toEqual([0x80000b0en, 2n]);
    expect([m.get(L.CR2), m.read('GUEST_RIP'), m.icount]).toEqual([0n, BigInt(CODE), 0n]);
  });

  it('filters #PF by mask and match', () => {
    const m = new VmxRig();
    m.write('EXCEPTION_BITMAP', 1n << 14n);
    m.write('PAGE_FAULT_ERROR_CODE_MASK', 2n);
    m.write('PAGE_FAULT_ERROR_CODE_MATCH', 2n);
    m.set(L.RAM_BASE + 0x71008, 0n);
    m.setReg('rbx', 0x40000123n);
    m.exec('8b03', 1);
    expect(m.handled).toBe(14);
  });

  it('records software exceptions with their length', () => {
    const m = new VmxRig();
    m.write('EXCEPTION_BITMAP', 1n << 3n);
    m.exec('cc', 1);
    expect([m.exit[0], m.read('VM_EXIT_INTR_INFO'), m.read('VM_EXIT_INSTRUCTION_LEN')]).toEqual([0, 0x80000603n, 1n]);
    expect(m.read('GUEST_RIP')).toBe(BigInt(CODE));
  });

  it('gives the bits for DR6 as qualification of #DB', () => {
    const m = new VmxRig();
    m.write('EXCEPTION_BITMAP', 2n);
    m.setFlags(0x102);
    m.exec('90', 2);
    expect([m.exit, m.read('VM_EXIT_INTR_INFO'), m.get(L.DR6)]).toEqual([[0, 0x4000], 0x80000301n, 0xffff0ff0n]);
    expect(m.read('GUEST_RIP')).toBe(BigInt(CODE + 1));
  });

  it('records the event being delivered when a fault in its delivery exits', () => {
    const m = new VmxRig();
    m.write('EXCEPTION_BITMAP', 1n << 11n);
    m.gate(0x40, { present: false });
    m.exec('cd40', 1);
    expect([m.read('VM_EXIT_INTR_INFO'), m.read('VM_EXIT_INTR_ERROR_CODE')]).toEqual([0x80000b0bn, 0x202n]);
    expect([m.read('IDT_VECTORING_INFO_FIELD'), m.read('VM_EXIT_INSTRUCTION_LEN')]).toEqual([0x80000440n, 2n]);
  });

  it('records the event being delivered when EPT stops its stack', () => {
    const m = new VmxRig();
    m.eptPage(0x7000, 0n);
    m.core.flushAllVcpus();
    m.exec('0f0b', 1);
    expect(m.exit).toEqual([48, 0x182]);
    expect([m.read('IDT_VECTORING_INFO_FIELD'), m.read('GUEST_LINEAR_ADDRESS')]).toEqual([
      0x80000306n,
      BigInt(STACK - 8),
    ]);
    expect([m.read('GUEST_RIP'), m.reg('rsp')]).toEqual([BigInt(CODE), BigInt(STACK)]);
  });

  it('says nothing of vectoring when #DF itself exits', () => {
    const m = new VmxRig();
    m.write('EXCEPTION_BITMAP', 1n << 8n);
    m.gate(13, { present: false });
    m.exec('66b8 f000 8ed8', 2);
    expect([m.read('VM_EXIT_INTR_INFO'), m.read('IDT_VECTORING_INFO_FIELD')]).toEqual([0x80000b08n, 0n]);
  });

  it('ends in a triple fault without an IDT', () => {
    const m = new VmxRig();
    m.set32(L.IDTR_LIMIT, 0);
    expect(m.exec('90 0f0b', 2)).toBe(L.RUN_VMEXIT);
    expect([m.exit, m.read('IDT_VECTORING_INFO_FIELD'), m.read('GUEST_RIP')]).toEqual([[2, 0], 0n, BigInt(CODE + 1)]);
  });

  it('exits for task switches by JMP, CALL, IRET and task gate', () => {
    const available = 0x0000890060000067n;
    for (const [code, source] of [
      ['ea 00000000 6800', 2],
      ['9a 00000000 6800', 0],
      ['cd50', 3],
    ] as const) {
      const m = new VmxRig('protected32');
      m.descriptor(0x68, available);
      m.set(L.RAM_BASE + 0x4000 + 0x50 * 8, 0x0000850000680000n); // task gate
      m.exec(code, 1);
      expect(m.exit, code).toEqual([9, 0x68 + source * 2 ** 30]);
      expect(m.read('VM_EXIT_INSTRUCTION_LEN')).toBe(BigInt(code.replaceAll(' ', '').length / 2));
    }
    const m = new VmxRig('protected32');
    m.descriptor(TSS, available | (2n << 40n));
    m.set(L.RAM_BASE + TSS_BASE, BigInt(TSS));
    m.setFlags(0x4002);
    m.exec('cf', 1);
    expect(m.exit).toEqual([9, TSS + 2 ** 30]);
  });

  it('marks faults of an IRET that unblocked NMIs', () => {
    const m = new VmxRig();
    m.write('EXCEPTION_BITMAP', 1n << 13n);
    m.set32(L.INTERRUPTIBILITY, 8);
    m.exec('48cf', 1); // all-zero frame: null CS
    expect([m.exit[0], m.read('VM_EXIT_INTR_INFO')]).toEqual([0, 0x80001b0dn]);
    expect(m.read('GUEST_INTERRUPTIBILITY_INFO')).toBe(0n);
  });

  it('holds a debug trap until after the instruction that follows MOV SS', () => {
    const m = new VmxRig();
    m.set(L.DR0, 0x30000);
    m.set(L.DR7, 0x401 | (3 << 16) | (1 << 18));
    m.core.updateMode();
    m.load(0x30000, '1000');
    m.setReg('rbx', 0x30000);
    m.exec('8e13 ffc0 ffc0', 3); // mov ss,[rbx]; inc eax; inc eax
    expect([m.handled, m.slots(1)[0], m.reg('rax')]).toEqual([1, CODE + 4, 1n]);
  });
});
