/** Interrupts that the core delivers by itself: nobody can tell them from those of the VMM. */
import { describe, expect, it } from 'vitest';
import { compiledGuest, ring, slice, state } from './exiting-guests.js';
import { type Access, interruptingGuest, loopingGuest } from './interrupting-guest.js';

const WAYS: Access[] = ['window', 'msrs', 'word'];

describe('interrupts of the local APIC that the core delivers', () => {
  it.each(WAYS.flatMap((access) => [5, 7, 10, 105, 108].map((seed) => ({ access, seed }))))(
    'leave state, clock and trace of those that the VMM delivers: by $access, $seed',
    ({ access, seed }) => {
      const [quick, slow] = [interruptingGuest(seed, access), interruptingGuest(seed, access)];
      const compiled = compiledGuest(interruptingGuest(seed, access));
      slow.vm.quick.on = false;
      let next = seed;
      for (let n = 0; n < 120; n++) {
        next = (Math.imul(next, 1103515245) + 12345) >>> 0;
        const instructions = 1 + ((next >>> 16) % (n % 3 ? 40 : 2000));
        const end = slice(slow, instructions);
        const expected = state(slow);
        for (const guest of [quick, compiled]) {
          expect(slice(guest, instructions)).toBe(end);
          expect(state(guest)).toEqual(expected);
        }
      }
      for (const guest of [quick, compiled]) expect(ring(guest).equals(ring(slow))).toBe(true);
      expect(compiled.vm.compilerCounters!().entered).toBeGreaterThan(20);
      expect(slow.vm.exits).toBeGreaterThan(100);
    },
  );

  it.each([
    // sti; mov dword [ebx + 300h], 44040h; nop
    ['an interrupt for itself', 'fb c7830003000040400400 90'],
    // cli; mov dword [ebx + 300h], 44040h; sti; hlt
    ['an interrupt that ends HLT', 'fa c7830003000040400400 fb f4'],
    // mov dword [ebx + 80h], 20h
    ['the task priority', 'c7838000000020000000'],
    // mov dword [ebx + 380h], 40000000h
    ['the start of the timer', 'c7838003000000000040'],
    // mov dword [ebx + 320h], 40041h; rdtsc; add eax, 10000000h; adc edx, 0; mov ecx, 6e0h; wrmsr x 8
    ['a deadline', `c7832003000041000400${'0f31 0500000010 83d200 b9e0060000 0f30'.repeat(8)}`, 0.12],
  ])('ask no device for %s', (_, body, most = 0.01) => {
    const guest = loopingGuest(body.replaceAll(' ', ''));
    const { host } = guest.vm;
    const ask = host.deviceAccess;
    let asked = 0;
    host.deviceAccess = (...access) => {
      asked++;
      return ask(...access);
    };
    const before = guest.vm.exits;
    for (let n = 0; n < 10; n++) expect(slice(guest, 3000)).toBe('limit');
    const exits = guest.vm.exits - before;
    expect(exits).toBeGreaterThan(4000);
    expect(asked).toBeLessThan(exits * most);
  });
});
