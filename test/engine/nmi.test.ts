import { expect, it } from 'vitest';
import { flatGuest } from './flat-guest.js';

it('injects an NMI behind the instruction that STI shields', () => {
  // vector 2 at 7c20h, where zeros are ADD [BX+SI], AL; sti; nop; nop; hlt. The NMI comes when STI has run.
  const guest = flatGuest('c7060800207c c7060a000000 fb 90 90 f4');
  const [vcpu] = guest.vm.vcpus;
  guest.vm.runSlice(vcpu, 3);
  guest.vm.synchronize();
  expect([vcpu.vmcs.rip, vcpu.vmcs.interruptibility & 1]).toEqual([0x7c0dn, 1]);
  vcpu.nmiPending = true;
  vcpu.woken = true;
  guest.vm.runSlice(vcpu, 1);
  guest.vm.runSlice(vcpu, 1);
  guest.vm.synchronize();
  expect(vcpu.vmcs.rip).toBe(0x7c22n);
  const stack = Number(vcpu.vmcs.get('GUEST_RSP'));
  const [returnIp] = new Uint16Array(guest.vm.memory.read(stack, 2).slice().buffer);
  expect(returnIp).toBe(0x7c0e);
});

it('keeps one NMI while the guest handles another, however many come', () => {
  // vector 2 at 7c20h: inc byte [500h]; three times out 80h, al; iret. Before it: jmp $
  const start = 'c7060800207c c7060a000000 ebfe'.replaceAll(' ', '');
  const guest = flatGuest(`${start.padEnd(0x20 * 2, '90')} fe060005 e680 e680 e680 cf`);
  const [vcpu] = guest.vm.vcpus;
  const NMI = 4;
  guest.vm.runSlice(vcpu, 10);
  for (let n = 0; n < 4; n++) {
    guest.vm.board.sendInterrupt([0], NMI, 0);
    guest.vm.runSlice(vcpu, 1);
  }
  guest.vm.runSlice(vcpu, 100);
  expect(guest.vm.memory.read(0x500, 1)[0]).toBe(2);
});

it('tells of NMIs that IRET unblocked in that vCPU’s exit alone', () => {
  // iret from a stack in device memory; the other vCPU reads device memory
  const guest = flatGuest('cf 90 90 90 a10000', { vcpus: 2 });
  const { vm } = guest;
  const [first, second] = vm.vcpus;
  const DEVICES = 0xfee00000n;
  first.vmcs.set('GUEST_SS_BASE', DEVICES);
  first.vmcs.set('GUEST_INTERRUPTIBILITY_INFO', 8);
  vm.setCr2(second, 0n);
  for (const [field, value] of [
    ['GUEST_CS_BASE', 0x7c00n],
    ['GUEST_RIP', 4n],
    ['GUEST_DS_BASE', DEVICES],
  ] as const)
    second.vmcs.set(field, value);
  second.vmcs.activity = 0;
  second.waitsForSipi = false;
  second.halted = false;
  vm.exitFilter = () => true;
  const qualification = (vcpu: typeof first) => {
    expect(vm.runSlice(vcpu, 10)).toEqual({ kind: 'exit' });
    return vcpu.vmcs.get('EXIT_QUALIFICATION');
  };
  expect(qualification(first).toString(16)).toBe('1181');
  expect(qualification(second).toString(16)).toBe('181');
});
