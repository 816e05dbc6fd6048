import { describe, expect, it } from 'vitest';
import { cpuModel } from '../../src/engine/vmm/cpu-models.js';
import { parseCpu } from '../../src/engine/vmm/cpu-option.js';
import { type CpuidRegisters, cpuid } from '../../src/engine/vmm/cpuid-model.js';
import { readMsr, writeMsr } from '../../src/engine/vmm/msrs.js';
import { cpuidFeatures } from '../../src/spec/cpuid.js';
import { flatGuest, runToEnd } from '../engine/flat-guest.js';

const ask = (text: string, leaf: number, subleaf = 0): CpuidRegisters =>
  cpuid(leaf, subleaf, {
    model: parseCpu(text),
    vcpu: 1,
    osxsave: false,
    paravirtual: true,
    xcr0: 3n,
    apicEnabled: true,
  });

const vendor = ({ ebx, edx, ecx }: CpuidRegisters): string => {
  const bytes = new DataView(new ArrayBuffer(12));
  [ebx, edx, ecx].forEach((word, n) => {
    bytes.setUint32(n * 4, word, true);
  });
  return Buffer.from(bytes.buffer).toString();
};

describe('--cpu', () => {
  it('takes a model, a maker and features', () => {
    expect(parseCpu('x86-64-v2')).toEqual(cpuModel('x86-64-v2'));
    expect(parseCpu('host')).toEqual(cpuModel('max'));
    expect(parseCpu('max,vendor=AuthenticAMD').vendor).toBe('AuthenticAMD');
    const features = (text: string) => cpuidFeatures(1, 0, 'ecx', ask(text, 1).ecx);
    expect(features('x86-64-v3,-x2apic,tsc-deadline=off')).not.toContain('x2apic');
    expect(features('x86-64-v3,-x2apic,tsc-deadline=off')).not.toContain('tsc_deadline');
    expect(features('x86-64-v2,+movbe,sse4.1=off')).toContain('movbe');
    expect(features('x86-64-v2,+movbe,sse4.1=off')).not.toContain('sse4_1');
  });

  it('says what it does not know', () => {
    for (const [text, message] of [
      ['qemu64', 'qemu64: no such model; there are x86-64-v2, x86-64-v3, max'],
      ['max,vendor=Acme', 'vendor=Acme: the makers are GenuineIntel and AuthenticAMD'],
      ['max,+sparkle', 'sparkle: no such feature'],
      ['max,+avx512f', 'avx512f: the engine does not have it'],
      ['max,pcid', 'pcid: not vendor=MAKER, +FEATURE or -FEATURE'],
    ])
      expect(() => parseCpu(text)).toThrow(message);
  });

  it('gives the makers their leaves', () => {
    for (const leaf of [0, 0x80000000]) expect(vendor(ask('max,vendor=AuthenticAMD', leaf))).toBe('AuthenticAMD');
    expect(vendor(ask('max', 0))).toBe('GenuineIntel');
    expect(vendor(ask('max,vendor=GenuineIntel', 0))).toBe('GenuineIntel');
    // caches: leaf 4 of Intel, 8000001DH of AMD
    expect(ask('max,vendor=AuthenticAMD', 4).eax).toBe(0);
    expect(ask('max,vendor=AuthenticAMD', 0x8000001d, 2)).toEqual(ask('max', 4, 2));
    // one processor a package: leaf 0BH, and 80000008H of AMD
    expect([0, 1].map((level) => [ask('max', 0xb, level).eax, ask('max', 0xb, level).edx])).toEqual([
      [0, 1],
      [0, 1],
    ]);
    expect([ask('max', 1).ebx >>> 16, ask('max', 1).edx & (1 << 28)]).toEqual([0x0101, 0]);
    expect(ask('max,vendor=AuthenticAMD', 0x80000008).ecx).toBe(0);
    expect(ask('max,vendor=AuthenticAMD', 0x8000001e).eax).toBe(1);
    expect(ask('max,vendor=AuthenticAMD', 0x80000001).edx & 0x0183f3ff).toBe(ask('max', 1).edx & 0x0183f3ff);
    expect(ask('max,vendor=AuthenticAMD', 0x8000001f)).toEqual({ eax: 0, ebx: 0, ecx: 0, edx: 0 });
    expect(ask('max', 0x8000001d)).toEqual(ask('max', 0x16));
  });
});

describe('a feature that is taken away', () => {
  // mov eax, cr4; or eax, BIT; mov cr4, eax; mov al, 1; out 0f4h, al
  const setCr4 = (bit: number): string => {
    const operand = Buffer.alloc(4);
    operand.writeUInt32LE(bit);
    return `0f20e0 660d${operand.toString('hex')} 0f22e0 b001 e6f4`;
  };

  it('takes its bit in CR4 with it', () => {
    for (const [feature, bit] of [
      ['smep', 1 << 20],
      ['fsgsbase', 1 << 16],
      ['umip', 1 << 11],
    ] as const) {
      for (const [text, status] of [
        ['x86-64-v3', 3],
        [`x86-64-v3,-${feature}`, undefined],
      ] as const) {
        const guest = flatGuest(setCr4(bit));
        guest.vm.cpu = parseCpu(text);
        // #GP leads to the real-mode vector table, which is empty here, and on to a triple fault or garbage
        const end = runToEnd(guest, 100_000);
        expect(end?.status === 3, `${text} ${feature}`).toBe(status === 3);
      }
    }
  });

  it('takes its MSR with it', () => {
    for (const [text, has] of [
      ['x86-64-v3', true],
      ['x86-64-v3,-tsc_adjust', false],
    ] as const) {
      const { vm } = flatGuest('f4');
      vm.cpu = parseCpu(text);
      expect(readMsr(vm.vcpus[0], vm, 0x3b) !== undefined, text).toBe(has);
      expect(writeMsr(vm.vcpus[0], vm, 0x3b, 0n), text).toBe(has);
    }
  });
});
