import { describe, expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import { CODE, DATA, handler, Rig } from './rig.js';

const DR6_INIT = 0xffff0ff0n;

describe('debug exceptions', () => {
  it('single-steps with TF: a trap after each instruction, TF clear in the handler', () => {
    const m = new Rig('long');
    m.setFlags(0x102);
    m.exec('ffc0 ffc0', 2); // inc eax
    expect([m.handled, m.slots(3)[0], m.slots(3)[2], m.flags & 0x100]).toEqual([1, CODE + 2, 0x102, 0]);
    expect(m.get(L.DR6)).toBe(DR6_INIT | 0x4000n);
    expect(m.reg('rax')).toBe(1n);
  });

  it('lets the instruction after POPF that sets TF run before the trap', () => {
    const m = new Rig('long');
    m.exec('6802010000 9d ffc0 ffc0', 4); // push 102h; popf; inc eax
    expect([m.handled, m.slots(1)[0], m.reg('rax')]).toEqual([1, CODE + 8, 1n]);
  });

  it('stops before an instruction breakpoint and passes it with RF', () => {
    const m = new Rig('long');
    m.set(L.DR0, CODE + 2);
    m.set(L.DR7, 0x401);
    m.core.updateMode();
    m.load(handler(1), '90 48814c241000000100 48cf'); // nop; or qword [rsp+16], RF; iretq
    m.exec('ffc0 ffc0 ffc0', 2);
    expect([m.handled, m.slots(1)[0], m.reg('rax'), m.get(L.DR6)]).toEqual([1, CODE + 2, 1n, DR6_INIT | 1n]);
    m.run(3);
    expect([m.rip, m.reg('rax'), m.flags & 0x10000]).toEqual([BigInt(CODE + 4), 2n, 0]);
  });

  it('traps after a write that meets a data breakpoint, not after a read', () => {
    const m = new Rig('long');
    m.set(L.DR0 + 8, 0x30004);
    m.set(L.DR7, 0x404 | (1 << 20) | (3 << 22)); // DR1: write, 4 bytes
    m.core.updateMode();
    m.setReg('rbx', 0x30000);
    m.exec('8b4304 894302 90', 3); // mov eax,[rbx+4]; mov [rbx+2],eax
    expect([m.handled, m.slots(1)[0], m.get(L.DR6)]).toEqual([1, CODE + 6, DR6_INIT | 2n]);
  });

  it('catches accesses to debug registers with GD', () => {
    const m = new Rig('long');
    m.set(L.DR7, 0x2400);
    m.exec('0f21c0', 1); // mov rax,dr0
    expect([m.handled, m.slots(1)[0], m.get(L.DR6), m.get(L.DR7)]).toEqual([1, CODE, DR6_INIT | 0x2000n, 0x400n]);
  });

  it('forgets the single step that MOV SS held back when ICEBP or a general detect follows', () => {
    const m = new Rig('long');
    m.setFlags(0x102);
    m.setReg('rax', DATA);
    m.exec('8ed0 f1 ffc1', 3); // mov ss,eax; icebp
    expect([m.rip, m.slots(1)[0], m.get(L.DR6)]).toEqual([BigInt(handler(1) + 1), CODE + 3, DR6_INIT]);
    const g = new Rig('long');
    g.setFlags(0x102);
    g.setReg('rax', DATA);
    g.set(L.DR7, 0x2400);
    g.exec('8ed0 0f23f1', 2); // mov ss,eax; mov dr6,rcx
    expect([g.handled, g.slots(1)[0], g.get(L.DR6)]).toEqual([1, CODE + 2, DR6_INIT | 0x2000n]);
  });

  it('delivers the data breakpoint that MOV SS held back on entry to the handler of INT 3', () => {
    const m = new Rig('long');
    m.set(L.DR0, 0x30000);
    m.set(L.DR7, 0x403 | (3 << 16));
    m.core.updateMode();
    m.set(L.RAM_BASE + 0x30000, DATA);
    m.setReg('rbx', 0x30000);
    m.exec('8e13 cc', 2); // mov ss,[rbx]; int3
    m.run(1);
    expect([m.handled, m.slots(1)[0], m.get(L.DR6) & 0x400fn]).toEqual([1, handler(3), 1n]);
  });

  it('does not stop at a breakpoint on the instruction after MOV SS', () => {
    const m = new Rig('long');
    m.setReg('rax', DATA);
    m.set(L.DR0, CODE + 2);
    m.set(L.DR7, 0x403);
    m.core.updateMode();
    m.exec('8ed0 ffc1 ffc1', 3); // mov ss,eax; inc ecx
    expect([m.rip, m.reg('rcx'), m.get(L.DR6)]).toEqual([BigInt(CODE + 6), 2n, DR6_INIT]);
  });
});
