import { describe, expect, it } from 'vitest';
import { flatGuest, runToEnd } from './flat-guest.js';

const TEST_DEVICE = 0xff000000;
const RBP = 5;

/** Runs 32-bit code and ends it with the debug exit; answers its registers and reader of device memory. */
function run(code: string) {
  const guest = flatGuest(`${code} b001 e6f4`, { at: 0x100000 });
  expect(runToEnd(guest, 20_000)).toMatchObject({ kind: 'debug-exit', status: 3 });
  const [vcpu] = guest.vm.vcpus;
  return {
    rsp: Number(vcpu.vmcs.get('GUEST_RSP')),
    rbp: Number(vcpu.gpr(RBP)),
    device: (offset: number) => Number(guest.vm.board.mmioRead(0, TEST_DEVICE + offset, 4)),
  };
}

describe('a stack in device memory, where each access exits', () => {
  it('takes ENTER with its nested frames', () => {
    // mov esp, 0ff000100h; mov ebp, 0ff000200h; mov dword [ebp-4], 77h; enter 16, 2
    const m = run('bc000100ff bd000200ff c745fc77000000 c8100002');
    expect([m.rsp, m.rbp]).toEqual([TEST_DEVICE + 0x100 - 12 - 16, TEST_DEVICE + 0xfc]);
    expect([m.device(0xfc), m.device(0xf8), m.device(0xf4)]).toEqual([TEST_DEVICE + 0x200, 0x77, TEST_DEVICE + 0xfc]);
  });

  it('takes LEAVE, and POP to a place that ESP names after it has moved', () => {
    // mov ebp, 0ff000100h; mov dword [ebp], 1234h; leave; mov esp, 0ff000200h; push 55h; pop dword [esp+8]
    const m = run('bd000100ff c7450034120000 c9 bc000200ff 6a55 8f442408');
    expect([m.rbp, m.rsp, m.device(0x208)]).toEqual([0x1234, TEST_DEVICE + 0x200, 0x55]);
  });
});
