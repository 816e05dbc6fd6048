/** Exits that the core completes by itself: nobody can tell them from those that the VMM handles. */
import { describe, expect, it } from 'vitest';
import * as L from '../../src/engine/core/layout.js';
import { flatGuest } from '../engine/flat-guest.js';
import { DEVICES, EXITS, POLLS, ring, slice, state } from './exiting-guests.js';

describe('exits that the core completes', () => {
  it.each([
    ['that repeat', EXITS],
    ['to devices', DEVICES],
    ['of registers that are read again', POLLS],
  ])('leave state, clock and trace of those that the VMM handles: %s', (_, code) => {
    const [quick, slow] = [flatGuest(code), flatGuest(code)];
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
      expect(slice(quick, instructions)).toBe(slice(slow, instructions));
      expect(state(quick)).toEqual(state(slow));
    }
    expect(ring(quick).equals(ring(slow))).toBe(true);
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
