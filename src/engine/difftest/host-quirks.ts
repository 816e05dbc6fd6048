// The host's CPU where it is right in its own way: an AMD CPU, with more features than the core models.

import type { Case } from './case.js';
import { fields, has66, is, isFault, type Quirk } from './quirk.js';

const rexR = (c: Case): boolean => c.code.subarray(0, 6).some((byte) => (byte & 0xf4) === 0x44);

export const HOST_QUIRKS: readonly Quirk[] = [
  {
    id: 'amd-near-branch-66',
    parties: ['kvm', 'native'],
    evidence:
      'in 64-bit mode AMD lets 66 make near branches 16-bit (RIP cut to 16 bits, 66 c3 pops 2 bytes); Intel ignores it. ' +
      '@sdm 2A 2.2.1.7 "Default 64-Bit Operand Size", 2A "JMP"',
    applies: (c) => c.mode === 'long' && is(c, /^(J|CALL J|CALL Ev|RET\b|LOOP)/) && has66(c),
  },
  {
    id: 'amd-cmps-order',
    parties: ['kvm', 'native'],
    evidence: 'when both operands of CMPS fault, the host reports the one at ES:rDI and the core the one at DS:rSI',
    applies: (c, expected, actual) => is(c, /^CMPS/) && isFault(expected) && isFault(actual),
  },
  {
    id: 'amd-movsxd-16',
    parties: ['native', 'kvm'],
    evidence: '66 63 /r reads 32 bits of its source on the host, 16 on Intel. @sdm 2 "MOVSX/MOVSXD"',
    applies: (c, expected) => c.mode === 'long' && is(c, /^(MOVSXD|ARPL)/) && has66(c) && isFault(expected),
  },
  {
    id: 'host-features',
    parties: ['native', 'kvm'],
    evidence:
      'the host has XSAVE, XRSTOR, XSAVEOPT and CLWB enabled (0f ae /4-/7 with memory), the core has none of them',
    applies: (c, _expected, actual) => is(c, /^([LMS]FENCE|CLFLUSH)/) && actual.vector === 6,
  },
  {
    id: 'host-vex',
    parties: ['native', 'kvm'],
    evidence:
      'in 64-bit mode 62, C4 and C5 are the EVEX and VEX prefixes of AVX instructions, which the host has and the core has not',
    applies: (c) => c.mode === 'long' && is(c, /^(BOUND|L[DE]S )/),
  },
  {
    id: 'control-register-priority',
    parties: ['kvm', 'native'],
    evidence:
      'MOV of a control or debug register that does not exist, outside ring 0: AMD and KVM raise #GP, the core #UD',
    applies: (c, expected, actual) =>
      /,[CDR][dy]$|^MOV [CD]d/.test(c.name) && expected.vector === 13 && actual.vector === 6,
  },
  {
    id: 'push-segment-width',
    parties: ['kvm', 'native'],
    evidence: 'a 32- or 64-bit push of a segment register may write 16 bits only. @sdm 2 "PUSH"',
    applies: (c, _expected, _actual, differences) => is(c, /^PUSH [C-G]S|^PUSH SS/) && fields(differences) === 'memory',
  },
  {
    id: 'intel-sreg-rex',
    parties: ['kvm', 'native'],
    evidence: 'REX.R with MOV Sreg is ignored. @sdm 2A 2.2.1.2 "More on REX Prefix Fields"',
    applies: (c, expected, actual) =>
      c.mode === 'long' && is(c, /Sw/) && expected.vector === 6 && actual.vector !== 6 && rexR(c),
  },
  {
    id: 'np-prefix',
    parties: ['kvm', 'native'],
    evidence: 'the host CPU takes 66 with MOVNTI, where the SDM has NP, so #UD. @sdm 2A 3.1.1.1 "Opcode Column"',
    applies: (c, _expected, actual) => is(c, /^MOVNTI/) && actual.vector === 6,
  },
];
