/** Exits that the core completes inside compiled code: on several processors, and around a debugger's breakpoints. */
import { describe, expect, it } from 'vitest';
import { type FlatGuest, flatGuest } from '../engine/flat-guest.js';
import { compiledGuest, ring, state } from './exiting-guests.js';

/** By the interpreter, compiled, and with each exit handled by the VMM. */
function alike(make: () => FlatGuest): FlatGuest[] {
  const guests = [make(), compiledGuest(make()), make()];
  guests[2].vm.quick.on = false;
  return guests;
}

function expectAlike(guests: readonly FlatGuest[]): void {
  const [first, ...others] = guests;
  for (let n = 0; n < first.vm.vcpus.length; n++) {
    const expected = state(first, n);
    for (const guest of others) expect(state(guest, n)).toEqual(expected);
  }
}

const numbers = (seed: number): ((below: number) => number) => {
  let next = seed;
  return (below) => {
    next = (Math.imul(next, 1103515245) + 12345) >>> 0;
    return (next >>> 12) % below;
  };
};

// mov ebx, 0fee00000h; mov dword [ebx+0f0h], 1ffh; INIT and start-up at 8000h for APIC 1
const START = 'bb0000e0fe c783f0000000ff010000 c7831003000000000001 c7830003000000450000 c7830003000008460000';
// 1: xor eax,eax; xor ecx,ecx; cpuid; add edi,ebx; mov ebx,0fee00000h; mov ecx,1bh; rdmsr; adc edi,eax; out 80h,al;
// mov dword [ebx+0b0h],0; inc dword [5000h]; rdtsc; add edi,eax; pause; mov ecx,0c0000102h; wrmsr; jmp 1b
const FIRST = `31c0 31c9 0fa2 01df bb0000e0fe b91b000000 0f32 11c7 e680 c783b000000000000000 ff0500500000 0f31 01c7 f390
  31d2 b9020100c0 0f30`;
// 1: mov eax,1; cpuid; add edi,ebx; out 80h,al; in al,80h; mov ecx,1bh; rdmsr; adc edi,eax; inc dword cs:[5000h-8000h]; out 0edh,al;
// pause; rdtsc; xor edi,eax
const SECOND = `66b801000000 0fa2 6601df e680 e480 66b91b000000 0f32 6611c7 66ff060050 e6ed f390 0f31 6631c7`;

const around = (code: string, wide: boolean): string => {
  const bytes = code.replace(/\s/g, '').length / 2;
  const back = Buffer.alloc(wide ? 4 : 2);
  if (wide) back.writeInt32LE(-(bytes + 5));
  else back.writeInt16LE(-(bytes + 3));
  return `${code} e9${back.toString('hex')}`;
};

describe('exits inside compiled code', () => {
  it('of two processors by turns', () => {
    const guests = alike(() => {
      const guest = flatGuest(`${START} ${around(FIRST, true)}`, { at: 0x100000, vcpus: 2 });
      // xor ax,ax; mov ds,ax
      const code = `31c0 8ed8 ${around(SECOND, false)}`;
      guest.vm.memory.write(0x8000, Buffer.from(code.replace(/\s/g, ''), 'hex'));
      return guest;
    });
    const below = numbers(11);
    for (let n = 0; n < 120; n++) {
      const turns = [0, 1].map(() => 1 + below(n % 3 ? 60 : 2500));
      const ends = guests.map(({ vm }) => vm.vcpus.map((vcpu, of) => vm.runSlice(vcpu, turns[of]).kind));
      expect(ends[1]).toEqual(ends[0]);
      expect(ends[2]).toEqual(ends[0]);
      expectAlike(guests);
    }
    for (const guest of guests.slice(1)) expect(ring(guest).equals(ring(guests[0]))).toBe(true);
    // both have run
    expect(guests[0].vm.vcpus[1].icount).toBeGreaterThan(10_000);
    expect(guests[1].vm.compilerCounters!().entered).toBeGreaterThan(100);
  });

  // 1: cpuid; out 80h,al; rdtsc; mov ecx,1bh; rdmsr; pause; inc si; jmp 1b
  const LOOP = '0fa2 e680 0f31 66b91b000000 0f32 f390 46';
  const PLACES = [0, 2, 4, 6, 12, 14, 16];

  it('with breakpoints at an instruction that exits, behind it, and at others', () => {
    const guests = alike(() => flatGuest(around(LOOP, false)));
    const below = numbers(5);
    let stops = 0;
    for (let n = 0; n < 200; n++) {
      const breaks = new Set(PLACES.filter(() => n % 4 !== 0 && below(4) === 0).map((at) => BigInt(0x7c00 + at)));
      const instructions = 1 + below(n % 4 ? 50 : 3000);
      const ends = guests.map(({ vm, machine }) => {
        machine.view.breakpoints.write(breaks, []);
        return vm.runSlice(vm.vcpus[0], instructions).kind;
      });
      if (ends[0] !== 'limit') stops++;
      expect(ends[1]).toBe(ends[0]);
      expect(ends[2]).toBe(ends[0]);
      expectAlike(guests);
    }
    expect(stops).toBeGreaterThan(50);
    expect(guests[1].vm.compilerCounters!().entered).toBeGreaterThan(50);
  });
});
