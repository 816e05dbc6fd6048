import { describe, expect, it } from 'vitest';
import { exitSubject, explainWithoutControls } from '../../src/engine/debug/explain-exit.js';

import { type FlatKvm, flatGuests } from './flat-kvm.js';
import { kvmSkipReason } from './tools.js';

const why = kvmSkipReason();
const EMULATED = 127;

describe.skipIf(why !== '')(`instructions that KVM leaves to the core${why === '' ? '' : ` (${why})`}`, () => {
  const flat = flatGuests();

  /** Runs the instruction at RIP by the core, whether or not this host's KVM could. */
  const byCore = ({ vm }: FlatKvm): void => {
    expect(vm.repairs.emulateOne(vm.vcpus[0])).toBeUndefined();
  };

  it('changes what the instruction changes, and nothing else', async () => {
    const made = flat('b8 34 12 89 c3 0f 01 d0 eb fe'); // mov ax,1234h ; mov bx,ax
    byCore(made);
    byCore(made);
    const registers = await made.guest.readRegisters(0);
    expect(registers).toMatchObject({ rax: 0x1234n, rbx: 0x1234n, rip: 0x7c05n, rflags: 2n, mxcsr: 0x1f80n });
    const [first, second] = await made.guest.exits.records(0, 10);
    expect(first).toMatchObject({ reason: EMULATED, rip: 0x7c00n, instructionInfo: 16, action: 'resume' });
    expect([first, second].map(exitSubject)).toEqual(['mov', 'mov']);
    expect(explainWithoutControls(first)).toBe('emulated by vmscope: mov (KVM could not)');
    expect(await made.guest.exits.counts()).toMatchObject({ EMULATED: 2 });
  });

  it('delivers faults and software interrupts through the guest', async () => {
    const made = flat('0f 0b cd 21'); // ud2 ; int 21h
    const { guest } = made;
    await guest.writeRegister(0, 'rsp', 0x7000n);
    await guest.writeMemory('gpa', BigInt(6 * 4), Uint8Array.of(0x02, 0x7c, 0, 0)); // #UD -> the INT
    await guest.writeMemory('gpa', BigInt(0x21 * 4), Uint8Array.of(0x34, 0x12, 0x78, 0x56));
    byCore(made);
    expect(await guest.readRegisters(0)).toMatchObject({ rip: 0x7c02n, rsp: 0x6ffan });
    byCore(made);
    expect(await guest.readRegisters(0)).toMatchObject({ rip: 0x1234n, cs: 0x5678n, cs_base: 0x56780n, rsp: 0x6ff4n });
    expect([...(await guest.readMemory('gpa', 0x6ff4n, 2))]).toEqual([0x04, 0x7c]);
  });

  it('reaches devices, MSRs and vector registers', async () => {
    // mov al,15h ; mov cx,277h ; rdmsr ; movaps xmm1,xmm0 ; mov al,15h ; out 0f4h,al
    const made = flat('b0 15 b9 77 02 0f 32 0f 28 c8 b0 15 e6 f4');
    const { guest } = made;
    await guest.writeRegister(0, 'cr4', 0x200n);
    await guest.writeRegister(0, 'xmm0', 0x1122334455667788n);
    for (let i = 0; i < 4; i++) byCore(made);
    expect(await guest.readRegisters(0)).toMatchObject({ rax: 0x70406n, xmm1: 0x1122334455667788n });
    for (let i = 0; i < 2; i++) byCore(made);
    expect(made.vm.end).toMatchObject({ kind: 'debug-exit', status: 0x2b });
  });

  it('sees what KVM wrote to code and page tables since', async () => {
    const made = flat('c6 06 05 7c 43 40 eb f8'); // mov byte [7c05h],43h (inc bx) ; inc ax ; jmp
    const { guest, vm } = made;
    await guest.step(0, 1);
    byCore(made);
    expect(await guest.readRegisters(0)).toMatchObject({ rax: 0n, rbx: 1n });
    vm.ram[0x7c05] = 0x41; // inc cx
    await guest.writeRegister(0, 'rip', 0x7c05n);
    byCore(made);
    expect(await guest.readRegisters(0)).toMatchObject({ rbx: 1n, rcx: 1n });
  });

  it('has no VMX for the guest', async () => {
    const made = flat('0f 01 c2'); // vmlaunch
    await made.guest.writeRegister(0, 'rsp', 0x7000n);
    await made.guest.writeMemory('gpa', BigInt(6 * 4), Uint8Array.of(0x99, 0x12, 0, 0));
    byCore(made);
    expect(await made.guest.readRegisters(0)).toMatchObject({ rip: 0x1299n });
  });
});
