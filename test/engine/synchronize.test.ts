import { expect, it } from 'vitest';
import { flatGuest } from './flat-guest.js';

it('lets a vCPU go on with its own turn when an observer looks while a device works in it', () => {
  // jmp $ for the first vCPU; inc bx; jmp for the second
  const { vm } = flatGuest('ebfe 90 90 43 ebfd', { vcpus: 2 });
  const [first, second] = vm.vcpus;
  second.vmcs.set('GUEST_CS_BASE', 0x7c00n);
  second.vmcs.set('GUEST_RIP', 4n);
  second.vmcs.activity = 0;
  second.waitsForSipi = false;
  second.halted = false;
  vm.runSlice(first, 100);
  const { board } = vm;
  const acknowledged = board.interruptPending.bind(board);
  let looks = 0;
  board.interruptPending = (vcpu) => {
    if (vcpu === 1 && first.inGuest) {
      looks++;
      vm.synchronize();
    }
    return acknowledged(vcpu);
  };
  vm.runSlice(second, 100);
  expect(looks).toBe(1);
  expect([first.icount, second.icount]).toEqual([100, 100]);
  expect(second.gpr(3)).toBe(50n);
});
