import { describe, expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import { featureOf, OPCODE_FEATURES, wideFeatureOf } from '../../../src/spec/opcodes/features.js';
import { OPCODES } from '../../../src/spec/opcodes/index.js';
import { CODE, Rig } from '../events/rig.js';

/** A rig whose CPU lacks these features, with AVX turned on. */
function without(...features: string[]): Rig {
  const m = new Rig('long');
  m.set(L.CR4, 0x40620n);
  m.set(L.XCR0, 7);
  m.core.updateMode();
  const mask = features.reduce((bits, name) => bits | (1n << BigInt(OPCODE_FEATURES.indexOf(name) + 1)), 0n);
  m.set(L.ABSENT_FEATURES, mask);
  m.core.dropBlocks();
  return m;
}

describe('instructions of features that the CPU lacks', () => {
  for (const [feature, name, code] of [
    ['bmi1', 'ANDN eax,ebx,ecx', 'c4e260f2c1'],
    ['bmi2', 'RORX eax,ecx,5', 'c4e37bf0c105'],
    ['movbe', 'MOVBE eax,[rbx]', '0f38f003'],
    ['adx', 'ADCX eax,ecx', '660f38f6c1'],
    ['popcnt', 'POPCNT eax,ecx', 'f30fb8c1'],
    ['sse4_2', 'CRC32 eax,ecx', 'f20f38f1c1'],
    ['ssse3', 'PSHUFB xmm0,xmm1', '660f3800c1'],
    ['sse4_1', 'PMULLD xmm0,xmm1', '660f3840c1'],
    ['sse3', 'FISTTP dword [rbx]', 'db0b'],
    ['aes', 'AESENC xmm0,xmm1', '660f38dcc1'],
    ['pclmulqdq', 'PCLMULQDQ xmm0,xmm1,0', '660f3a44c100'],
    ['aes', 'VAESENC xmm0,xmm0,xmm1', 'c4e279dcc1'],
    ['fma', 'VFMADD231SD xmm0,xmm0,xmm1', 'c4e2f9b9c1'],
    ['f16c', 'VCVTPH2PS xmm0,xmm1', 'c4e27913c1'],
    ['avx2', 'VPADDD ymm0,ymm0,ymm1', 'c5fdfec1'],
    ['avx2', 'VPBROADCASTD xmm0,xmm1', 'c4e27958c1'],
    ['avx', 'VADDPS ymm0,ymm0,ymm1', 'c5fc58c1'],
    ['rdrand', 'RDRAND eax', '0fc7f0'],
    ['rdseed', 'RDSEED eax', '0fc7f8'],
    ['smap', 'CLAC', '0f01ca'],
    ['clflushopt', 'CLFLUSHOPT [rbx]', '660fae3b'],
    ['clwb', 'CLWB [rbx]', '660fae33'],
  ]) {
    it(`${name} is undefined without ${feature}`, () => {
      for (const [lacking, runs] of [
        [[], true],
        [[feature], false],
      ] as const) {
        const m = without(...lacking);
        m.setReg('rbx', 0x100000);
        m.exec(code, 1);
        expect(m.rip === BigInt(CODE + code.length / 2), lacking.join()).toBe(runs);
        if (!runs) expect(m.handled).toBe(6);
      }
    });
  }

  it('LZCNT and TZCNT are BSR and BSF', () => {
    for (const [feature, code, with_, without_] of [
      ['abm', 'f30fbdc1', 31 - 4, 4], // lzcnt eax,ecx
      ['bmi1', 'f30fbcc1', 32, 7], // tzcnt eax,ecx of 0: BSF leaves eax
    ] as const) {
      for (const [lacking, result] of [
        [[], with_],
        [[feature], without_],
      ] as const) {
        const m = without(...lacking);
        m.setReg('rax', 7);
        m.setReg('rcx', feature === 'abm' ? 0x10 : 0);
        m.exec(code, 1);
        expect(Number(m.reg('rax')), `${feature} ${lacking}`).toBe(result);
      }
    }
  });

  it('leave 128-bit integer AVX to a CPU without AVX2', () => {
    const m = without('avx2');
    m.exec('c5f9fec1', 1); // vpaddd xmm0,xmm0,xmm1
    expect(m.rip).toBe(BigInt(CODE + 4));
  });
});

describe('the features of the opcode table', () => {
  it('name rows that exist, each feature some', () => {
    const named = new Set(OPCODES.flatMap((row) => [featureOf(row), wideFeatureOf(row)]));
    named.delete(undefined);
    expect([...named].sort()).toEqual([...OPCODE_FEATURES].sort());
  });

  it('cover every vector instruction with a VEX prefix', () => {
    const uncovered = OPCODES.filter((row) => row.bytes.startsWith('VEX') && featureOf(row) === undefined);
    expect(uncovered.map((row) => row.mnemonic)).toEqual([]);
  });
});
