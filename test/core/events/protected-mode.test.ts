import { describe, expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import { ABSENT, CODE, CODE32, CODE64, DATA, GATE, Rig, STACK, STACK0, USER_CODE32, USER_DATA } from './rig.js';

describe('delivery in protected mode', () => {
  it('pushes three words at the same level and adds the error code', () => {
    const m = new Rig('protected32');
    m.exec('66b8 5000 8ed8', 2);
    expect([m.handled, ...m.slots(4)]).toEqual([11, ABSENT, CODE + 4, CODE32, 0x10002]);
    expect(m.reg('rsp')).toBe(BigInt(STACK - 16));
  });

  it('changes stacks from ring 3 and returns with IRETD', () => {
    const m = new Rig('protected32', 3);
    m.gate(0x40, { dpl: 3 });
    m.load(0x20000 + 0x40 * 16, 'cf');
    m.exec('cd40 90', 1);
    expect(m.slots(5)).toEqual([CODE + 2, USER_CODE32 | 3, 2, STACK, USER_DATA | 3]);
    expect([m.reg('rsp'), m.cpl, m.selector(L.SEG_SS)]).toEqual([BigInt(STACK0 - 20), 0, DATA]);
    m.run(2);
    expect([m.rip, m.cpl, m.reg('rsp')]).toEqual([BigInt(CODE + 3), 3, BigInt(STACK)]);
  });

  it('drops inner data segments on a return to ring 3', () => {
    const m = new Rig('protected32');
    m.segment(L.SEG_FS, DATA, 0, 0xffffffff, 0xc093);
    m.setReg('rsp', STACK - 20);
    for (const [i, v] of [0x2000, USER_CODE32 | 3, 2, STACK, USER_DATA | 3].entries()) {
      m.set32(L.RAM_BASE + STACK - 20 + i * 4, v);
    }
    m.exec('cf', 1);
    expect([m.rip, m.cpl]).toEqual([0x2000n, 3]);
    expect(m.get32(L.SEGMENTS + L.SEG_FS * 32 + L.SEG_AR) & 0x10000).toBe(0x10000);
  });

  it('enters virtual-8086 mode, and leaves it through ring 0 with its segments on the stack', () => {
    const m = new Rig('protected32');
    const image = [0x10, 0x100, 0x23002, 0x800, 0x200, 0x300, 0x400, 0x500, 0x600];
    m.setReg('rsp', STACK - 36);
    for (const [i, v] of image.entries()) m.set32(L.RAM_BASE + STACK - 36 + i * 4, v);
    m.load(0x1010, '8cd8 f4'); // mov ax,ds; hlt (privileged)
    m.exec('cf', 2);
    expect(m.reg('rax') & 0xffffn).toBe(0x400n);
    expect([m.cpl, m.get(L.SEGMENTS + L.SEG_DS * 32 + L.SEG_BASE)]).toEqual([3, 0x4000n]);
    m.run(1);
    expect(m.handled).toBe(13);
    expect(m.slots(10)).toEqual([0, 0x12, 0x100, 0x33002, 0x800, 0x200, 0x300, 0x400, 0x500, 0x600]);
    expect([m.cpl, m.reg('rsp'), m.flags & 0x20000]).toEqual([0, BigInt(STACK0 - 40), 0]);
  });

  it('calls a gate with parameters on the inner stack', () => {
    const m = new Rig('protected32', 3);
    m.descriptor(GATE, 0x0000ec0200182000n); // 32-bit call gate, DPL 3, 2 parameters
    m.setReg('rsp', STACK - 8);
    m.set32(L.RAM_BASE + STACK - 8, 0x1111);
    m.set32(L.RAM_BASE + STACK - 4, 0x2222);
    m.load(0x2000, 'ca0800'); // retf 8
    m.exec('9a 00000000 6300', 1);
    expect(m.slots(6)).toEqual([CODE + 7, USER_CODE32 | 3, 0x1111, 0x2222, STACK - 8, USER_DATA | 3]);
    m.run(1);
    expect([m.rip, m.cpl, m.reg('rsp')]).toEqual([BigInt(CODE + 7), 3, BigInt(STACK)]);
  });

  it('checks limits and types of segments', () => {
    const m = new Rig('protected32');
    m.segment(L.SEG_FS, DATA, 0x10000, 0xfff, 0x4093);
    m.core.updateMode();
    m.load(0x10ffc, '78563412');
    m.exec('64a1 fc0f0000 64a1 fd0f0000', 2);
    expect([m.handled, m.slots(2), m.reg('rax')]).toEqual([13, [0, CODE + 6], 0x12345678n]);
    const c = new Rig('protected32');
    c.exec('2e c70500300000 01000000', 1); // write through CS
    expect(c.handled).toBe(13);
    const d = new Rig('protected32');
    d.segment(L.SEG_FS, DATA, 0, 0xfff, 0x4097); // expand-down
    d.exec('64a1 00100000 64a1 ff0f0000', 2);
    expect([d.handled, d.slots(2)]).toEqual([13, [0, CODE + 6]]);
    const n = new Rig('protected32');
    n.exec('31c0 8ee0 64a1 00000000', 3); // null FS
    expect([n.handled, n.slots(2)]).toEqual([13, [0, CODE + 4]]);
  });

  it('refuses 64-bit code segments nowhere but treats L as ignored outside IA-32e mode', () => {
    const m = new Rig('protected32');
    m.exec(`ea 00200000 ${CODE64.toString(16).padStart(2, '0')}00`, 1);
    expect([m.rip, m.get32(L.MODE) & L.MODE_CODE64]).toEqual([0x2000n, 0]);
  });
});

describe('what a refused transfer leaves alone', () => {
  it('does not push for a far call whose target is beyond the limit', () => {
    const m = new Rig('protected32');
    m.exec('9a 00000100 4800', 1); // call 48h:10000h, a 64-KByte segment
    expect([m.handled, m.slots(2)]).toEqual([13, [0, CODE]]);
    expect(m.reg('rsp')).toBe(BigInt(STACK - 16));
    // the frame of #GP is four words; the call's own pushes would have stood below and above CODE's
    expect([...m.ram(STACK - 4, 4)]).toEqual([2, 0, 1, 0]);
    const r = new Rig('real');
    r.segment(L.SEG_CS, 0, 0, 0xffff, 0x9b);
    r.setReg('rbx', 0x600);
    r.load(0x600, '0000 0100 0010');
    r.load(STACK - 8, '5555 5555');
    r.exec('66ff1f', 1); // call far dword [bx], EIP 10000h
    expect(r.selector(L.SEG_CS)).toBe(0x200d);
    expect([...r.ram(STACK - 8, 2)]).toEqual([0x55, 0x55]);
  });

  it('raises #UD for segment registers that are not there, and for loading CS', () => {
    for (const code of ['8ec8', '8ef0', '8ef8', '8cf0', '8cf8']) {
      const m = new Rig('protected32');
      m.exec(code, 1);
      expect(m.handled, code).toBe(6);
    }
  });
});

describe('real mode', () => {
  it('goes through the vector table and back', () => {
    const m = new Rig('real');
    m.setFlags(0x302 & ~0x100);
    m.load(0x20000 + 0x21 * 16, '90cf');
    m.segment(L.SEG_CS, 0, 0, 0xffff, 0x9b);
    m.exec('cd21 90', 2);
    expect([m.handled, m.selector(L.SEG_CS)].map(Number)).toEqual([-1, 0x2021]);
    expect(m.rip).toBe(1n);
    expect([...m.ram(STACK - 6, 6)]).toEqual([0x02, 0x10, 0, 0, 0x02, 0x02]);
    expect(m.flags & 0x200).toBe(0);
    m.run(2);
    expect([m.rip, m.selector(L.SEG_CS), m.flags & 0x200]).toEqual([BigInt(CODE + 3), 0, 0x200]);
  });

  it('calls and returns far', () => {
    const m = new Rig('real');
    m.segment(L.SEG_CS, 0, 0, 0xffff, 0x9b);
    m.load(0x12345, 'cb');
    m.exec('9a 4523 0010 90', 1);
    expect([m.rip, m.selector(L.SEG_CS), m.get(L.SEGMENTS + 32 + L.SEG_BASE)]).toEqual([0x2345n, 0x1000, 0x10000n]);
    m.run(2);
    expect([m.rip, m.selector(L.SEG_CS), m.reg('rsp')]).toEqual([BigInt(CODE + 6), 0, BigInt(STACK)]);
  });

  it('keeps the limit of a segment loaded in protected mode', () => {
    const m = new Rig('real');
    m.segment(L.SEG_DS, 0x10, 0, 0xffffffff, 0x8093);
    m.core.updateMode();
    m.load(0x120000, '2a');
    m.exec('31c0 8ed8 67a0 00001200', 3); // xor ax,ax; mov ds,ax; mov al,[120000h]
    expect(m.reg('rax')).toBe(0x2an);
  });
});
