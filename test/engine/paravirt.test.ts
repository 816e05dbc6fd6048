import { describe, expect, it } from 'vitest';
import { KVM_SIGNATURE } from '../../src/spec/kvm-paravirt.js';
import { debugExitStatus, type FlatGuest, flatGuest, runToEnd } from './flat-guest.js';

const CLOCK = 0x3000;
const WALL = 0x3100;

/** mov ecx, number; mov eax, value; xor edx, edx; wrmsr: in 16-bit code. */
const wrmsr = (number: number, value: number): string => `66b9${dword(number)}66b8${dword(value)}6631d20f30`;

/** mov eax, number; vmcall. */
const vmcall = (number: number): string => `66b8${dword(number)}0f01c1`;

function dword(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes.toString('hex');
}

const END = 'b007e6f4'; // mov al, 7; out 0f4h, al
const DONE = { kind: 'debug-exit', status: debugExitStatus(7) };

function view({ vm }: FlatGuest, gpa: number, length: number): DataView {
  const bytes = vm.memory.read(gpa, length).slice();
  return new DataView(bytes.buffer);
}

/** System time that a guest computes from its structure at a TSC. */
function systemTime(info: DataView, tsc: bigint): bigint {
  const shift = BigInt(info.getInt8(28));
  const delta = (tsc - info.getBigUint64(8, true)) << shift;
  return info.getBigUint64(16, true) + ((delta * BigInt(info.getUint32(24, true))) >> 32n);
}

describe("KVM's paravirtual interface", () => {
  it('shows its signature and features in CPUID', () => {
    // mov eax, 40000000h; cpuid; mov [3000h], ebx; mov [3004h], ecx; mov [3008h], edx; mov eax, 40000001h; cpuid; mov [300ch], eax
    const guest = flatGuest(
      `66b8${dword(0x40000000)}0fa2 66891e0030 66890e0430 6689160830 66b8${dword(0x40000001)}0fa2 66a30c30 ${END}`,
    );
    expect(runToEnd(guest)).toMatchObject(DONE);
    const bytes = guest.vm.memory.read(CLOCK, 16);
    expect(Buffer.from(bytes.subarray(0, 12)).toString('latin1')).toBe(KVM_SIGNATURE);
    expect(view(guest, CLOCK, 16).getUint32(12, true)).toBe(0x010028eb);
  });

  it('keeps a clock from which the guest computes virtual time, also after its TSC was set', () => {
    for (const more of ['', wrmsr(0x10, 0x1234), wrmsr(0x3b, 0x777)]) {
      const guest = flatGuest(`${wrmsr(0x4b564d01, CLOCK | 1)} ${more} 0f31 ${END}`);
      expect(runToEnd(guest)).toMatchObject(DONE);
      const info = view(guest, CLOCK, 32);
      expect(info.getUint32(0, true) & 1).toBe(0);
      expect(info.getUint32(0, true)).toBeGreaterThan(0);
      expect(info.getUint8(29)).toBe(1);
      const [vcpu] = guest.vm.vcpus;
      expect(systemTime(info, guest.vm.tsc(vcpu.index))).toBe(BigInt(vcpu.clock));
    }
  });

  it('writes the wall clock of the start', () => {
    const guest = flatGuest(`${wrmsr(0x4b564d00, WALL)} ${END}`);
    expect(runToEnd(guest)).toMatchObject(DONE);
    const clock = view(guest, WALL, 12);
    expect([clock.getUint32(0, true) & 1, clock.getUint32(4, true), clock.getUint32(8, true)]).toEqual([0, 0, 0]);
  });

  it('answers SEND_IPI with the number of its targets, and delivers', () => {
    // interrupt 30h at 0:7d00h ends the guest; SVR on; sti; ebx = 1 (vCPU 0), ecx = 0, edx = 0, esi = 30h; vmcall; hlt
    const handler = `${END}`;
    const setUp = `c706c000007d c706c2000000 ${wrmsr(0x1b, 0xfee00d00)} ${wrmsr(0x80f, 0x1ff)}`;
    const code = `${setUp} fb 66bb01000000 6631c9 6631d2 66be30000000 ${vmcall(10)} f4`.replace(/\s+/g, '');
    const guest = flatGuest(code.padEnd(0x200, '90') + handler);
    expect(runToEnd(guest)).toMatchObject(DONE);
    expect(guest.vm.vcpus[0].gprLow(0) & 0xff).toBe(7);
  });

  it('takes VMMCALL for VMCALL, and leaves other undefined instructions to the guest', () => {
    // interrupt 6 (#UD) at 0:7d00h ends the guest; mov eax, 1 (VAPIC_POLL_IRQ); vmmcall; test eax, eax; jnz $; ud2
    const setUp = 'c7061800007d c7061a000000';
    const code = `${setUp} 66b801000000 0f01d9 6685c0 75fe 0f0b`.replace(/\s+/g, '');
    const guest = flatGuest(code.padEnd(0x200, '90') + END);
    expect(runToEnd(guest)).toMatchObject(DONE);
  });

  it('takes a kick before HLT for the wake-up', () => {
    // cli; KICK_CPU of vCPU 0; hlt; and on it goes
    const guest = flatGuest(`fa 6631c9 ${vmcall(5)} f4 ${END}`);
    expect(runToEnd(guest)).toMatchObject(DONE);
  });

  it('is not there when it is hidden', () => {
    // interrupt 13 (#GP) at 0:7d00h ends the guest with 9
    const setUp = 'c7063400007d c70636000000';
    const code = `${setUp} ${wrmsr(0x4b564d01, CLOCK | 1)} ${END}`.replace(/\s+/g, '');
    const guest = flatGuest(`${code.padEnd(0x200, '90')}b009e6f4`);
    guest.vm.paravirtual = false;
    expect(runToEnd(guest)).toMatchObject({ status: debugExitStatus(9) });
  });
});

describe("without KVM's paravirtual interface", () => {
  /** #UD leads to mov al, 7; out 0f4h, al: mov word [6 * 4], handler; mov word [6 * 4 + 2], 0 */
  const handler = 0x7c00 + 0x40;
  const guarded = (code: string): string =>
    `c7061800${dword(handler).slice(0, 4)} c7061a000000 ${code} b009e6f4`.replace(/\s+/g, '').padEnd(0x80, '0') + END;

  it('raises #UD for VMCALL and VMMCALL, but for hypercalls of its own', () => {
    for (const code of [vmcall(5), '66b8050000000f01d9']) {
      const guest = flatGuest(guarded(code));
      guest.vm.paravirtual = false;
      expect(runToEnd(guest)).toMatchObject(DONE);
    }
    // mov eax, 'VMSC'; xor ebx, ebx; vmcall; cmp edx, 1; mov al, 7; je +2; mov al, 9; out 0f4h, al
    const own = flatGuest(`${guarded(`66b8${dword(0x564d5343)} 6631db 0f01c1 6683fa01 b007 7402 b009 e6f4`)}`);
    own.vm.paravirtual = false;
    expect(runToEnd(own)).toMatchObject(DONE);
  });
});
