import { describe, expect, it } from 'vitest';
import { CPU_MODELS, cpuModel } from '../../src/engine/vmm/cpu-models.js';
import { type CpuidContext, cpuid } from '../../src/engine/vmm/cpuid-model.js';
import { validXcr0 } from '../../src/engine/vmm/xstate.js';
import { cpuidFeatures, subleafOf } from '../../src/spec/cpuid.js';

const context = (name: (typeof CPU_MODELS)[number], osxsave = false): CpuidContext => ({
  model: cpuModel(name),
  vcpu: 0,
  osxsave,
  paravirtual: true,
  xcr0: 3n,
  apicEnabled: true,
});

/** Names of all features that CPUID shows. */
function shown(name: (typeof CPU_MODELS)[number], osxsave = false): Set<string> {
  const one = cpuid(1, 0, context(name, osxsave));
  const seven = cpuid(7, 0, context(name));
  const extended = cpuid(0x80000001, 0, context(name));
  return new Set([
    ...cpuidFeatures(1, 0, 'ecx', one.ecx),
    ...cpuidFeatures(1, 0, 'edx', one.edx),
    ...cpuidFeatures(7, 0, 'ebx', seven.ebx),
    ...cpuidFeatures(0x80000001, 0, 'ecx', extended.ecx),
    ...cpuidFeatures(0x80000001, 0, 'edx', extended.edx),
  ]);
}

// x86-64 psABI, table 3.1 "Micro-Architecture Levels"
const BASELINE = ['cmov', 'cx8', 'fpu', 'fxsr', 'mmx', 'syscall', 'sse', 'sse2'];
const V2 = [...BASELINE, 'cx16', 'lahf_lm', 'popcnt', 'sse3', 'sse4_1', 'sse4_2', 'ssse3'];
const V3 = [...V2, 'avx', 'avx2', 'bmi1', 'bmi2', 'f16c', 'fma', 'abm', 'movbe', 'xsave'];

describe('CPU models', () => {
  it('show the features of their level', () => {
    for (const feature of V2) expect(shown('x86-64-v2'), feature).toContain(feature);
    for (const feature of V3) expect(shown('x86-64-v3'), feature).toContain(feature);
    for (const feature of ['avx', 'avx2', 'fma', 'bmi1']) expect(shown('x86-64-v2')).not.toContain(feature);
  });

  it('show OSXSAVE as CR4 has it', () => {
    for (const name of CPU_MODELS) {
      expect(shown(name, false)).not.toContain('osxsave');
      expect(shown(name, true)).toContain('osxsave');
    }
  });

  it('look at the subleaf in no other leaves than are known to', () => {
    const leaves = [0, 0x40000000, 0x80000000].flatMap((first) => Array.from({ length: 0x28 }, (_, n) => first + n));
    const differ = new Set<number>();
    for (const name of CPU_MODELS) {
      for (const vendor of ['GenuineIntel', 'AuthenticAMD']) {
        const of = { ...context(name), model: { ...cpuModel(name), vendor } } as CpuidContext;
        for (const leaf of leaves) {
          const first = cpuid(leaf, 0, of);
          for (const ecx of [1, 2, 3, 9, 0xffffffff]) {
            if (subleafOf(leaf, ecx) === 0) expect(cpuid(leaf, ecx, of), leaf.toString(16)).toEqual(first);
            else if (cpuid(leaf, ecx, of).eax !== first.eax) differ.add(leaf);
          }
        }
      }
    }
    expect([...differ].sort((a, b) => a - b)).toEqual([4, 7, 0xd, 0x8000001d].filter((leaf) => differ.has(leaf)));
    expect(differ).toContain(4);
  });

  it('agree with XCR0 and leaf 0DH', () => {
    for (const name of CPU_MODELS) {
      const { xcr0 } = cpuModel(name);
      const avx = name !== 'x86-64-v2';
      expect(validXcr0(7n, xcr0)).toBe(avx);
      expect(validXcr0(3n, xcr0)).toBe(true);
      expect(validXcr0(5n, xcr0)).toBe(false);
      expect(validXcr0(2n, xcr0)).toBe(false);
      const [supported, bytes] = name === 'max' ? [0x207, 2696] : avx ? [7, 832] : [3, 576];
      expect(cpuid(0xd, 0, context(name))).toEqual({ eax: supported, ebx: 576, ecx: bytes, edx: 0 });
      expect(cpuid(0xd, 9, context(name))).toEqual({
        ...{ eax: name === 'max' ? 8 : 0, ebx: name === 'max' ? 2688 : 0 },
        ...{ ecx: 0, edx: 0 },
      });
      expect(cpuid(0xd, 2, context(name)).eax).toBe(avx ? 256 : 0);
    }
  });

  it('offer 5-level paging as max only', () => {
    const la57 = (name: (typeof CPU_MODELS)[number]) =>
      cpuidFeatures(7, 0, 'ecx', cpuid(7, 0, context(name)).ecx).includes('la57');
    expect(CPU_MODELS.filter(la57)).toEqual(['max']);
    expect(CPU_MODELS.map((name) => cpuid(0x80000008, 0, context(name)).eax >> 8)).toEqual([48, 48, 57]);
  });
});
