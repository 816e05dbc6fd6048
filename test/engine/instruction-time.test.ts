import { expect, it } from 'vitest';
import { flatGuest, runToEnd } from './flat-guest.js';

/** ns beyond one for each instruction. @param code what runs before `mov al, 1; out 0f4h, al` */
function extraTime(code: string): number {
  const guest = flatGuest(`${code} b001 e6f4`, { at: 0x100000 });
  runToEnd(guest);
  return guest.vm.now() - guest.vm.icount;
}

const PORT_ACCESS = 1000;

it('lets instructions take time that exit to the VMM or change how addresses are translated', () => {
  expect(extraTime('')).toBe(PORT_ACCESS);
  expect(extraTime('0fa2')).toBe(PORT_ACCESS + 500); // cpuid
  expect(extraTime('b91b000000 0f32')).toBe(PORT_ACCESS + 500); // mov ecx,1bh; rdmsr
  // mov eax,cr0; xor eax,10000h; mov cr0,eax: WP; and the same value again
  expect(extraTime('0f20c0 3500000100 0f22c0')).toBe(PORT_ACCESS + 199);
  expect(extraTime('0f20c0 0f22c0')).toBe(PORT_ACCESS);
});
