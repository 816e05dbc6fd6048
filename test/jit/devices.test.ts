/** Accesses to devices and exits in compiled code. */
import { describe, expect, it } from 'vitest';
import { Jit, type JitMode } from '../../src/engine/jit/jit.js';
import { type FlatGuest, flatGuest } from '../engine/flat-guest.js';
import { DEVICES, EXITS, POLLS, ring, slice, state } from '../vmm/exiting-guests.js';

function guestWith(mode: JitMode, code: string, at?: number): FlatGuest {
  const guest = flatGuest(code, at === undefined ? {} : { at });
  const { vm } = guest;
  vm.jit = mode === 'off' ? undefined : new Jit(vm.core, vm.host.memory, mode);
  return guest;
}

describe('devices in compiled code', () => {
  it.each([
    ['exits that repeat', EXITS],
    ['loads and stores', DEVICES],
    ['registers that are read again', POLLS],
  ])('hear and answer as in interpreted code, at the same instants: %s', (_, code) => {
    const [compiled, interpreted] = [guestWith('always', code), guestWith('off', code)];
    let seed = 11;
    for (let n = 0; n < 150; n++) {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      const instructions = 1 + ((seed >>> 16) % (n < 50 ? 40 : 3000));
      expect(slice(compiled, instructions)).toBe(slice(interpreted, instructions));
      expect(state(compiled)).toEqual(state(interpreted));
    }
    expect(ring(compiled).equals(ring(interpreted))).toBe(true);
    expect(compiled.vm.jit!.counters(1).entered).toBeGreaterThan(1000);
  });

  // mov ebx, REGISTER; 1: ACCESS; add ecx, eax; jmp 1b
  it.each([
    ['read', 'bb f000d0fe', '8b03'],
    ['written', 'bb b000e0fe', 'c70300000000'],
    ['read and changed', 'bb 8000e0fe', '8303 00'],
  ])('are %s without leaving a region, in a loop that exits before a sample is due', (_, base, access) => {
    const backwards = (256 - access.replace(' ', '').length / 2 - 4).toString(16);
    const guest = guestWith('on', `${base} ${access} 01c1 eb${backwards}`, 0x100000);
    for (let n = 0; n < 400; n++) slice(guest, 1000);
    const { regions, left, entered, share } = guest.vm.jit!.counters(guest.vm.icount);
    expect(regions).toBeGreaterThan(0);
    expect(share).toBeGreaterThan(0.3);
    expect(left.missed).toBeLessThan(entered / 2);
  });
});
