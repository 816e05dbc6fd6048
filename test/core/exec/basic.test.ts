import { describe, expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import { Machine } from '../harness.js';

describe('execution', () => {
  it('runs 64-bit arithmetic, stack and branches', () => {
    const m = new Machine();
    m.mode('long');
    m.setReg('rsp', 0x8000);
    // mov eax,5; mov ecx,3; L: add rax,rcx; push rax; pop rdx; dec ecx; jnz L; lea rbx,[rip+1]; nop
    const status = m.exec('b805000000 b903000000 4801c8 50 5a ffc9 75f7 488d1d01000000 90', 2 + 3 * 5 + 2);
    expect(status).toBe(L.RUN_LIMIT);
    expect(m.reg('rax')).toBe(11n);
    expect(m.reg('rdx')).toBe(11n);
    expect(m.reg('rcx')).toBe(0n);
    expect(m.reg('rbx')).toBe(0x101bn);
    expect(m.reg('rsp')).toBe(0x8000n);
    expect(m.icount).toBe(19n);
    expect(m.rip).toBe(0x101bn);
    expect(m.get(L.RFLAGS)).toBe(0x46n);
  });

  it('runs 16-bit code with 16-bit addresses and wrap', () => {
    const m = new Machine();
    m.mode('real');
    m.setReg('rsp', 0x8000);
    m.setReg('rbx', 0xfff0);
    m.setReg('rsi', 0x20);
    m.load(0x10, '34 12');
    // mov ax,[bx+si]; push ax; pop cx; call +1; hlt; ret -> ...
    m.exec('8b00 50 59 e80100 f4 5a', 5);
    expect(m.reg('rax')).toBe(0x1234n);
    expect(m.reg('rcx')).toBe(0x1234n);
    expect(m.reg('rdx')).toBe(0x1007n);
  });

  it('counts each iteration of a repeated string instruction and stops between them', () => {
    const m = new Machine();
    m.mode('long');
    m.setReg('rcx', 5000);
    m.setReg('rdi', 0x20000);
    m.setReg('rsi', 0x10000);
    const source = Uint8Array.from({ length: 5000 }, (_, n) => n * 7);
    m.load(0x10000, source);
    expect(m.exec('f3a4 90', 1234)).toBe(L.RUN_LIMIT);
    expect(m.reg('rcx')).toBe(5000n - 1234n);
    expect(m.rip).toBe(0x1000n);
    m.run(5000 - 1234);
    expect(m.reg('rcx')).toBe(0n);
    expect(m.rip).toBe(0x1002n);
    expect(m.ram(0x20000, 5000)).toEqual(source);
  });

  it('stops at a breakpoint and steps over it', () => {
    const m = new Machine();
    m.mode('long');
    m.load(0x1000, 'ffc0 ffc0 ebfa');
    m.set(L.RIP, 0x1000);
    m.core.addBreakpoint(0x1002n);
    expect(m.run(100)).toBe(L.RUN_BREAKPOINT);
    expect(m.rip).toBe(0x1002n);
    expect(m.reg('rax')).toBe(1n);
    expect(m.run(100, 1)).toBe(L.RUN_BREAKPOINT);
    expect(m.reg('rax')).toBe(3n);
    m.core.clearBreakpoints();
    expect(m.run(9)).toBe(L.RUN_LIMIT);
    expect(m.reg('rax')).toBe(9n);
  });

  it('sees code that the guest rewrites, in the same block and page', () => {
    const m = new Machine();
    m.mode('long');
    m.setReg('rbx', 0x1000);
    // mov byte [rbx+8],0x42 (patches the immediate of the next mov); mov ecx,imm32 ...
    m.exec('c6430542 b911000000 ebf5', 2);
    expect(m.reg('rcx')).toBe(0x42n);
    m.set(L.RAM_BASE + 0x1000 + 3, m.get(L.RAM_BASE + 0x1003) ^ 0x1n);
    m.core.invalidatePageCode(L.RAM_BASE + 0x1000);
    m.run(3);
    expect(m.reg('rcx')).toBe(0x43n);
  });

  it('keeps decoded code when data beside it in the same 128 bytes changes, not when a byte of it does', () => {
    const m = new Machine();
    m.mode('long');
    m.setReg('rbx', 0x1000);
    m.setReg('rcx', 1000);
    const dropped = () => m.get(L.COUNTERS + L.COUNTER_CODE_INVALIDATED * 8);
    // L: mov [rbx+0x40],ecx; dec ecx; jnz L; mov byte [rbx+0x1e],0x42; jmp to 0x101d
    m.load(0x101d, 'b911000000');
    m.exec('894b40 ffc9 75f9 c6431e42 eb10', 3 * 1000);
    expect([m.reg('rcx'), dropped()]).toEqual([0n, 0n]);
    // decoded before it is rewritten
    m.set(L.RIP, 0x101d);
    m.run(1);
    m.set(L.RIP, 0x1007);
    m.run(3);
    expect([m.reg('rcx'), dropped()]).toEqual([0x42n, 1n]);
  });

  it('sees a write that begins in 128 bytes without code and ends in decoded code', () => {
    const m = new Machine();
    m.mode('long');
    m.setReg('rbx', 0x1000);
    m.setReg('rdx', 0x42b80000);
    m.load(0x1100, 'b811000000'); // mov eax,0x11
    m.set(L.RIP, 0x1100);
    m.run(1);
    // twice mov [rbx+0xc0],ecx, beside all code; mov [rbx+0xfe],edx; jmp to 0x1100
    m.exec('898bc0000000 898bc0000000 8993fe000000 e9e9000000', 5);
    expect(m.reg('rax')).toBe(0x42n);
  });

  it('sees a write to the end of an instruction that spills into the next page', () => {
    const m = new Machine();
    m.mode('long');
    m.setReg('rbx', 0x2000);
    // mov ecx,0x11 over the page boundary at 0x2000; mov byte [rbx+2],0; jmp back
    m.load(0x1ffd, 'b911000000 c6430180 ebf5');
    m.set(L.RIP, 0x1ffd);
    m.run(4);
    expect(m.reg('rcx')).toBe(0x80000011n);
  });
});
