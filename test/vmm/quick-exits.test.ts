/** Exits that the core completes by itself: nobody can tell them from those that the VMM handles. */
import { describe, expect, it } from 'vitest';
import * as L from '../../src/engine/core/layout.js';
import { flatGuest } from '../engine/flat-guest.js';
import { compiledGuest, DEVICES, EXITS, FOLLOWED, POLLS, ring, SYSTEM, slice, state } from './exiting-guests.js';

const EXIT_REASON_CR_ACCESS = 28;

describe('exits that the core completes', () => {
  it.each([
    ['that repeat', EXITS],
    ['to devices', DEVICES],
    ['of registers that are read again', POLLS],
    ['of registers that are read after each write', FOLLOWED],
    ['amid arithmetic', SYSTEM],
  ])('leave state, clock and trace of those that the VMM handles: %s', (_, code) => {
    const [quick, compiled, slow] = [flatGuest(code), compiledGuest(flatGuest(code)), flatGuest(code)];
    slow.vm.quick.on = false;
    let seed = 7;
    let completed = 0;
    const { take } = quick.vm.quick;
    quick.vm.quick.take = (...args) => {
      const count = take.apply(quick.vm.quick, args);
      completed += count;
      return count;
    };
    for (let n = 0; n < 200; n++) {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      const instructions = 1 + ((seed >>> 16) % (n < 100 ? 40 : 3000));
      const end = slice(slow, instructions);
      expect(slice(quick, instructions)).toBe(end);
      expect(slice(compiled, instructions)).toBe(end);
      const expected = state(slow);
      expect(state(quick)).toEqual(expected);
      expect(state(compiled)).toEqual(expected);
    }
    expect(ring(quick).equals(ring(slow))).toBe(true);
    expect(ring(compiled).equals(ring(slow))).toBe(true);
    expect(compiled.vm.compilerCounters!().entered).toBeGreaterThan(100);
    expect(slow.vm.exits).toBeGreaterThan(10_000);
    expect(completed).toBeGreaterThan(slow.vm.exits * 0.4);
  });

  it.each([
    // mov edx, 608h; 1: in eax, dx; jmp 1b
    ['a register that is read again and again', '66ba08060000 66ed ebfc', 0x7c00],
    // mov al, 0ffh; out 21h, al; mov ebx, 0fee000b0h; 1: mov dword [ebx], 0; jmp 1b
    ['the end of an interrupt while none is in service', 'b0ffe621 bbb000e0fe c70300000000 ebf8', 0x100000],
  ])('ask a device no more for %s', (_, code, at) => {
    const guest = flatGuest(code, { at });
    const { host } = guest.vm;
    const ask = host.deviceAccess;
    let asked = 0;
    host.deviceAccess = (...access) => {
      asked++;
      return ask(...access);
    };
    const before = guest.vm.exits;
    for (let n = 0; n < 20; n++) slice(guest, 500);
    expect(guest.vm.exits - before).toBeGreaterThan(4000);
    expect(asked).toBeLessThan(200);
  });

  it.each([
    // mov al, 0ffh; out 21h, al; mov dx, 3f8h; 1: out dx, al; add dl, 5; in al, dx; sub dl, 5; jmp 1b
    ['a line status after each byte', 'b0ffe621 baf803 ee 80c205 ec 80ea05 ebf6', 0x7c00],
    // mov al, 0ffh; out 21h, al; mov ebx, 0fed000f0h; 1: mov eax, [ebx]; mov [ebx+58h], eax; jmp 1b
    ["the HPET's counter after each write to a comparator", 'b0ffe621 bbf000d0fe 8b03 894358 ebf9', 0x100000],
  ])('ask a device for the write alone by who reads %s', (_, code, at) => {
    const guest = flatGuest(code, { at });
    const { host } = guest.vm;
    const ask = host.deviceAccess;
    const asked = [0, 0];
    host.deviceAccess = (kind, address, bytes, write, ...data) => {
      asked[write]++;
      return ask(kind, address, bytes, write, ...data);
    };
    for (let n = 0; n < 20; n++) slice(guest, 500);
    expect(asked[1]).toBeGreaterThan(1000);
    expect(asked[0]).toBeLessThan(100);
  });

  it.each([
    // 1: add ebx, eax; mov eax, 0; mov ecx, 0; cpuid; adc ebp, ebx; jmp 1b
    ['CPUID', '6601c3 66b800000000 66b900000000 0fa2 6611dd ebea'],
    // 1: inc esi; mov eax, 1; mov ecx, esi; cpuid; jmp 1b
    ['CPUID of a leaf without subleaves', '6646 66b801000000 6689f1 0fa2 ebf1'],
    // 1: inc esi; add eax, esi; out 80h, al; out 80h, ax; mov dx, 80h; out dx, eax; jmp 1b
    ['OUT', '6646 6601f0 e680 e780 ba8000 66ef ebf0'],
    // mov dx, 608h; 1: in eax, dx; add ebx, eax; in al, dx; jmp 1b
    ['IN of a register that goes on by itself', 'ba0806 66ed 6601c3 ec ebf8'],
    // mov ecx, 0c0000102h; 1: rdmsr; add eax, ebx; wrmsr; adc ebp, eax; jmp 1b
    ['RDMSR and WRMSR', '66b9020100c0 0f32 6601d8 0f30 6611c5 ebf4'],
    // mov ecx, 1bh; 1: rdmsr; add ebp, eax; jmp 1b
    ['RDMSR that exits', '66b91b000000 0f32 6601c5 ebf9'],
  ])('do not leave compiled code: %s', (_, code) => {
    const guest = compiledGuest(flatGuest(code));
    for (let n = 0; n < 10; n++) slice(guest, 20_000);
    const { left, share } = guest.vm.compilerCounters!();
    expect(share).toBeGreaterThan(0.8);
    // each slice begins and ends by the interpreter
    expect(left.handled + left.missed).toBeLessThan(1000);
  });

  it('take the elements of a REP OUTS to a port that nobody minds to be late in one go', () => {
    // mov al, 0ffh; out 21h, al; mov dx, 80h; 1: mov si, 1000h; mov cx, 100h; rep outsb; jmp 1b
    const guest = flatGuest('b0ffe621 ba8000 be0010 b90001 f36e ebf6');
    const { host } = guest.vm;
    const ask = host.deviceAccess;
    let asked = 0;
    host.deviceAccess = (...access) => {
      asked++;
      return ask(...access);
    };
    const before = guest.vm.exits;
    for (let n = 0; n < 20; n++) slice(guest, 1000);
    expect(guest.vm.exits - before).toBeGreaterThan(4000);
    expect(asked).toBeLessThan(50);
  });

  it('read and write the task priority without its device while no interrupt is requested', () => {
    const guest = flatGuest(POLLS);
    const { host } = guest.vm;
    const ask = host.deviceAccess;
    let asked = 0;
    host.deviceAccess = (...access) => {
      if (access[0] === L.ASK_CR8) asked++;
      return ask(...access);
    };
    for (let n = 0; n < 40; n++) slice(guest, 3000);
    const accesses = guest.vm.exitCount(EXIT_REASON_CR_ACCESS);
    expect(accesses).toBeGreaterThan(1000);
    expect(asked).toBeLessThan(accesses / 10);
  });

  it('are seen by who asks for each exit', () => {
    const guest = flatGuest(EXITS);
    slice(guest, 5000);
    let seen = 0;
    guest.vm.exitFilter = () => {
      seen++;
      return false;
    };
    const before = guest.vm.exits;
    slice(guest, 5000);
    expect(seen).toBe(guest.vm.exits - before);
    expect(seen).toBeGreaterThan(1000);
  });

  it('do not fill the ring of the trace in one slice', () => {
    // 1: cpuid; out 80h, al; jmp 1b
    const guest = flatGuest('0fa2 e680 ebfa');
    for (let n = 0; n < 5; n++) {
      const before = guest.vm.host.getNumber(L.TRACE_SEQUENCE);
      expect(slice(guest, 100_000)).toBe('limit');
      expect(guest.vm.host.getNumber(L.TRACE_SEQUENCE) - before).toBeLessThanOrEqual(L.TRACE_RECORDS);
    }
  });

  it('tell the new answer after CR4, XCR0 or the APIC base have changed', () => {
    // mov eax,1; cpuid; push ecx; cpuid again; mov eax,cr4; xor eax,40000h (OSXSAVE); mov cr4,eax; mov eax,1; cpuid
    const guest = flatGuest(
      '66b801000000 0fa2 66b801000000 0fa2 6689ce 0f20e0 6635 00000400 0f22e0 66b801000000 0fa2 ebfe',
    );
    slice(guest, 12);
    guest.vm.synchronize();
    const [vcpu] = guest.vm.vcpus;
    expect(vcpu.gpr(1) ^ vcpu.gpr(6)).toBe(1n << 27n);
  });
});
