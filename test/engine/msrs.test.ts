import { describe, expect, it } from 'vitest';
import { readMsr, writeMsr } from '../../src/engine/vmm/msrs.js';
import { flatGuest } from './flat-guest.js';

describe('MTRRs', () => {
  const { vm } = flatGuest('f4');
  const [vcpu] = vm.vcpus;
  const write = (msr: number, value: bigint) => writeMsr(vcpu, vm, msr, value);

  it.each([
    ['default type', 0x2ff, 0xc06n, [0xc02n, 0x1006n, 0xc07n]],
    ['fixed range', 0x250, 0x0605040100060606n, [0x0606060606060602n, 0x0300000000000000n]],
    ['base', 0x200, 0x7f80000006n, [0x7f80000106n, 1n << 39n, 3n]],
    ['mask', 0x201, 0x7f80000800n, [0x7f80000400n, (1n << 39n) | 0x800n]],
  ])('%s takes memory types and physical addresses only', (_, msr, right, wrong) => {
    expect(write(msr, right)).toBe(true);
    for (const value of wrong) expect(write(msr, value), value.toString(16)).toBe(false);
    expect(readMsr(vcpu, vm, msr)).toBe(right);
  });

  it('have capabilities that cannot be written', () => {
    expect(write(0xfe, 0x508n)).toBe(false);
  });
});

describe('what the machine says of itself', () => {
  const { vm } = flatGuest('f4');
  const [vcpu] = vm.vcpus;

  it('has the rate of the time-stamp counter in MSR_PLATFORM_INFO, in units of 100 MHz', () => {
    const info = readMsr(vcpu, vm, 0xce) ?? 0n;
    expect([(info >> 8n) & 0xffn, (info >> 40n) & 0xffn]).toEqual([10n, 10n]);
    expect(writeMsr(vcpu, vm, 0xce, info)).toBe(false);
  });

  it('has an LVT entry for corrected machine checks where IA32_MCG_CAP says so', () => {
    expect(readMsr(vcpu, vm, 0x179)).toBe(1n << 10n);
    expect((vm.board.mmioRead(0, 0xfee00030, 4) >> 16n) & 0xffn).toBe(6n);
  });
});
