import { describe, expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import {
  ABSENT,
  CODE,
  CODE32,
  CODE64,
  CONFORMING,
  DATA,
  DATA16,
  GATE,
  handler,
  IST1,
  Rig,
  STACK,
  STACK0,
  USER_CODE32,
  USER_CODE64,
  USER_DATA,
} from './rig.js';

describe('delivery in 64-bit mode', () => {
  it('pushes five words on an aligned stack for #DE, with RF set in the image', () => {
    const m = new Rig('long');
    m.setReg('rsp', STACK - 3);
    m.setFlags(0x202);
    m.exec('31c9 f7f1', 2); // xor ecx,ecx; div ecx
    expect(m.handled).toBe(0);
    expect(m.reg('rsp')).toBe(BigInt(STACK - 16 - 40));
    expect(m.slots(5)).toEqual([CODE + 2, CODE64, 0x10246, STACK - 3, DATA]);
    expect(m.flags & 0x10200).toBe(0);
  });

  it('keeps IF through a trap gate', () => {
    const m = new Rig('long');
    m.gate(0, { type: 15 });
    m.setFlags(0x202);
    m.exec('31c9 f7f1', 2);
    expect(m.flags & 0x200).toBe(0x200);
  });

  it('switches to the stack of the TSS from ring 3 and to null SS', () => {
    const m = new Rig('long', 3);
    m.exec('0f0b', 1); // ud2
    expect(m.handled).toBe(6);
    expect(m.cpl).toBe(0);
    expect(m.reg('rsp')).toBe(BigInt(STACK0 - 40));
    expect(m.slots(5)).toEqual([CODE, USER_CODE64 | 3, 0x10002, STACK, USER_DATA | 3]);
    expect(m.selector(L.SEG_SS)).toBe(0);
    // iretq goes back
    m.load(handler(6) + 1, '48cf');
    m.load(CODE, '9090');
    m.run(2);
    expect(m.cpl).toBe(3);
    expect(m.rip).toBe(BigInt(CODE + 1));
    expect(m.reg('rsp')).toBe(BigInt(STACK));
    expect(m.selector(L.SEG_SS)).toBe(USER_DATA | 3);
  });

  it('uses the interrupt stack table', () => {
    const m = new Rig('long');
    m.gate(6, { ist: 1 });
    m.exec('0f0b', 1);
    expect(m.reg('rsp')).toBe(BigInt(IST1 - 40));
    expect(m.slots(5)[3]).toBe(STACK);
  });

  it('gives selector error codes', () => {
    for (const [code, vector, error] of [
      ['66b8 5000 8ed8', 11, ABSENT], // mov ax,50h; mov ds,ax
      ['66b8 5000 8ed0', 12, ABSENT], // mov ss,ax
      ['66b8 f000 8ed8', 13, 0xf0], // outside the GDT
      ['66b8 0c00 8ed8', 13, 0x0c], // LDT, which is unusable
      ['66b8 3800 8ed8', 13, 0x38], // a TSS
      ['66b8 2800 8ed0', 13, 0x28], // DPL 3 into SS
    ] as const) {
      const m = new Rig('long');
      m.exec(code, 2);
      expect([m.handled, m.slots(2)], code).toEqual([vector, [error, CODE + 4]]);
    }
  });

  it('sets the accessed bit of a loaded descriptor', () => {
    const m = new Rig('long');
    m.descriptor(DATA, 0x00cf92000000ffffn);
    m.exec('66b8 1000 8ee0 90', 3); // mov fs,ax
    expect(m.ram64(0x5000 + DATA)).toBe(0x00cf93000000ffffn);
    expect(m.selector(L.SEG_FS)).toBe(DATA);
  });

  it('reports #GP with IDT bit when INT n meets a gate of a lower DPL', () => {
    const m = new Rig('long', 3);
    m.exec('cd40', 1);
    expect([m.handled, ...m.slots(2)]).toEqual([13, 0x40 * 8 + 2, CODE]);
  });

  it('takes INT n through a DPL 3 gate with the following RIP', () => {
    const m = new Rig('long', 3);
    m.gate(0x40, { dpl: 3 });
    m.exec('cd40', 2);
    expect([m.handled, m.slots(1)[0]]).toEqual([0x40, CODE + 2]);
    expect(m.icount).toBe(2n);
  });

  it('turns a contributory fault in delivery into #DF with error code 0', () => {
    const m = new Rig('long');
    m.gate(13, { present: false });
    m.exec('66b8 f000 8ed8', 2);
    expect([m.handled, ...m.slots(2)]).toEqual([8, 0, CODE + 4]);
  });

  it('delivers a fault in the delivery of a benign exception one after the other', () => {
    const m = new Rig('long');
    m.gate(6, { present: false });
    m.exec('0f0b', 1);
    expect([m.handled, ...m.slots(2)]).toEqual([11, 6 * 8 + 2 + 1, CODE]);
  });

  it('carries SYSCALL and SYSRET', () => {
    const m = new Rig('long', 3);
    m.set(L.EFER, 0x501);
    m.set(L.STAR, (0x23n << 48n) | (0x08n << 32n));
    m.set(L.LSTAR, 0x2000);
    m.set(L.FMASK, 0x200);
    m.setFlags(0x203);
    m.load(0x2000, '480f07');
    m.exec('0f05', 1);
    expect([m.rip, m.reg('rcx'), m.reg('r11'), m.cpl]).toEqual([0x2000n, BigInt(CODE + 2), 0x203n, 0]);
    expect([m.selector(L.SEG_CS), m.selector(L.SEG_SS), m.flags]).toEqual([8, 0x10, 3]);
    m.run(1);
    expect([m.rip, m.flags, m.cpl]).toEqual([BigInt(CODE + 2), 0x203, 3]);
    expect([m.selector(L.SEG_CS), m.selector(L.SEG_SS)]).toEqual([0x33, 0x2b]);
  });

  it('carries SYSENTER and SYSEXIT', () => {
    const m = new Rig('long', 3);
    m.set(L.SYSENTER_CS, 8);
    m.set(L.SYSENTER_ESP, 0x7000);
    m.set(L.SYSENTER_EIP, 0x2000);
    m.setFlags(0x202);
    m.setReg('rdx', 0x1100);
    m.setReg('rcx', 0x7700);
    m.load(0x2000, '480f35');
    m.exec('0f34', 1);
    expect([m.rip, m.reg('rsp'), m.cpl, m.flags]).toEqual([0x2000n, 0x7000n, 0, 2]);
    m.run(1);
    expect([m.rip, m.reg('rsp'), m.cpl]).toEqual([0x1100n, 0x7700n, 3]);
    expect([m.selector(L.SEG_CS), m.selector(L.SEG_SS)]).toEqual([8 + 32 + 3, 8 + 40 + 3]);
  });

  it('calls through a 64-bit gate to ring 0 and returns', () => {
    const m = new Rig('long', 3);
    m.descriptor(GATE, 0x0000ec0000082000n);
    m.descriptor(GATE + 8, 0n);
    m.load(0x3000, [...[0, 0, 0, 0], GATE | 3, 0]);
    m.load(0x2000, '48cb'); // retfq
    m.exec('ff1c2500300000', 1); // call far [3000h]
    expect([m.rip, m.cpl]).toEqual([0x2000n, 0]);
    expect(m.slots(4)).toEqual([CODE + 7, USER_CODE64 | 3, STACK, USER_DATA | 3]);
    m.run(1);
    expect([m.rip, m.cpl, m.reg('rsp')]).toEqual([BigInt(CODE + 7), 3, BigInt(STACK)]);
  });

  it('jumps far into compatibility mode and into conforming code', () => {
    const m = new Rig('long');
    m.load(0x3000, [0x00, 0x20, 0, 0, CODE32, 0]);
    m.load(0x2000, '6690'); // 16-bit nop
    m.exec('ff2c2500300000', 2);
    expect(m.get32(L.MODE) & (L.MODE_CODE64 | L.MODE_CODE32)).toBe(L.MODE_CODE32);
    expect(m.rip).toBe(0x2002n);
    const c = new Rig('long');
    c.load(0x3000, [0x00, 0x20, 0, 0, CONFORMING, 0]);
    c.exec('ff2c2500300000', 1);
    expect(c.selector(L.SEG_CS)).toBe(CONFORMING);
  });

  it('faults on a non-canonical stack with #SS and elsewhere with #GP', () => {
    const m = new Rig('long');
    m.gate(12, { ist: 1 });
    m.setReg('rsp', 1n << 48n);
    m.exec('50', 1);
    expect([m.handled, m.slots(2)]).toEqual([12, [0, CODE]]);
    const g = new Rig('long');
    g.setReg('rbx', 1n << 48n);
    g.exec('8b03', 1);
    expect([g.handled, g.slots(2)]).toEqual([13, [0, CODE]]);
    const b = new Rig('long');
    b.setReg('rbp', 1n << 48n);
    b.exec('8b4500', 1);
    expect([b.handled, b.slots(2)]).toEqual([12, [0, CODE]]);
  });

  it('loads TR and LDTR, and marks the TSS busy', () => {
    const m = new Rig('long');
    m.exec('66b8 3800 0f00d8 0f00c9', 3); // mov ax,38h; ltr ax; str ecx
    expect([m.reg('rcx'), m.ram64(0x5038)]).toEqual([0x38n, 0x00008b0060000067n]);
    // a second LTR finds it busy
    m.exec('0f00d8', 1);
    expect([m.handled, m.slots(1)[0]]).toEqual([13, 0x38]);
  });

  it('answers LAR, LSL, VERR and VERW', () => {
    const m = new Rig('long');
    // mov eax,10h; lar ecx,ax; lsl edx,ax; verr ax
    m.exec('b810000000 0f02c8 0f03d0 0f00e0', 4);
    expect([m.reg('rcx'), m.reg('rdx'), m.flags & 0x40]).toEqual([0xcf9300n & 0xf0ff00n, 0xffffffffn, 0x40]);
    m.exec('b808000000 0f00e8', 2); // verw of code
    expect(m.flags & 0x40).toBe(0);
    m.exec('b8f0000000 0f02c8', 2); // outside the table
    expect(m.flags & 0x40).toBe(0);
  });

  it('keeps the bases of FS and GS when IRET to ring 3 makes their selectors null', () => {
    const m = new Rig('long');
    m.segment(L.SEG_GS, DATA, 0x123456789000, 0xffffffff, 0xc093);
    m.core.updateMode();
    for (const [n, value] of [0x20000, USER_CODE64 | 3, 2, STACK, USER_DATA | 3].entries()) {
      m.set(L.RAM_BASE + STACK - 40 + 8 * n, value);
    }
    m.setReg('rsp', STACK - 40);
    m.exec('48cf', 1);
    expect([m.cpl, m.selector(L.SEG_GS)]).toEqual([3, 0]);
    expect(m.get(L.SEGMENTS + L.SEG_GS * L.SEGMENT_BYTES + L.SEG_BASE)).toBe(0x123456789000n);
  });

  it('makes null selectors that are not 0 to 0 on a return to ring 3, by IRET and RETF, and leaves them otherwise', () => {
    const segments = [L.SEG_ES, L.SEG_DS, L.SEG_FS, L.SEG_GS];
    const returned = (code: string, level: number, frame: number[]): number[] => {
      const m = new Rig('long');
      for (const [n, seg] of segments.entries()) m.segment(seg, n === 0 ? 1 : n, 0, 0, 0x10000);
      for (const [n, value] of frame.entries()) m.set(L.RAM_BASE + STACK - 40 + 8 * n, value);
      m.setReg('rsp', STACK - 40);
      m.exec(code, 1);
      expect(m.cpl).toBe(level);
      return segments.map((seg) => m.selector(seg));
    };
    expect(returned('48cf', 3, [0x20000, USER_CODE64 | 3, 2, STACK, USER_DATA | 3])).toEqual([0, 0, 0, 0]);
    expect(returned('48cb', 3, [0x20000, USER_CODE64 | 3, STACK, USER_DATA | 3])).toEqual([0, 0, 0, 0]);
    expect(returned('48cf', 0, [0x20000, CODE64, 2, STACK, DATA])).toEqual([1, 1, 2, 3]);
  });

  it.each([
    ['Intel', 'IRET', L.SYSCALL_LONG, 0x77660800n],
    ['AMD', 'IRET', L.SYSCALL_PROTECTED, 0xffffc90077660800n],
    ['Intel', 'RETF', L.SYSCALL_LONG, 0x77660800n],
    ['AMD', 'RETF', L.SYSCALL_PROTECTED, 0xffffc90077660800n],
  ])(
    'takes SP alone on a return to a 16-bit stack; the upper half of RSP on a CPU of %s by %s',
    (_, by, maker, rsp) => {
      const m = new Rig('long');
      m.set32(L.SYSCALL_MODES, maker);
      m.descriptor(DATA16, 0x0000f3000000ffffn);
      // a stack of the kernel whose linear address is canonical and mapped: the upper half shows where it was
      m.set(L.RAM_BASE + 0x70000 + 0x1ff * 8, 0x71007);
      m.set(L.RAM_BASE + 0x70000 + 0x192 * 8, 0x71007);
      const top = 0xffffc90077660000n | BigInt(STACK - 40);
      m.set(L.RAM_BASE + 0x71000 + 1 * 8, 0x72007);
      m.set(L.RAM_BASE + 0x72000 + Number((top >> 21n) & 0x1ffn) * 8, 0x87);
      m.core.flushAllVcpus();
      const selectors = [USER_CODE32 | 3, 0x800, DATA16 | 3];
      const frame = by === 'IRET' ? [0x20000, selectors[0], 2, ...selectors.slice(1)] : [0x20000, ...selectors];
      for (const [n, value] of frame.entries()) m.set(L.RAM_BASE + STACK - 40 + 8 * n + 0x60000, value);
      m.setReg('rsp', top);
      m.exec(by === 'IRET' ? '48cf' : '48cb', 1);
      expect([m.cpl, m.selector(L.SEG_SS), m.reg('rsp')]).toEqual([3, DATA16 | 3, rsp]);
    },
  );
});
