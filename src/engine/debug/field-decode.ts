import { exitReasonName } from '../../spec/vmx/exit-reasons.js';
import type { VmcsField } from '../../spec/vmx/vmcs-fields.js';
import type { Vcpu } from '../vmm/vcpu.js';

const SEGMENT_TYPES = ['data', 'data', 'code', 'code conforming'];
const ACTIVITY = ['active', 'HLT', 'shutdown', 'wait-for-SIPI'];
const INTERRUPTIBILITY = [
  'blocking by STI',
  'blocking by MOV SS',
  'blocking by SMI',
  'blocking by NMI',
  'enclave interruption',
];
const EVENT_TYPES = [
  'external interrupt',
  'reserved',
  'NMI',
  'hardware exception',
  'software interrupt',
  'privileged software exception',
  'software exception',
  'other event',
];
const EXCEPTIONS = '#DE #DB NMI #BP #OF #BR #UD #NM #DF #9 #TS #NP #SS #GP #PF #15 #MF #AC #MC #XM #VE #CP'.split(' ');

const BITS: Partial<Record<NonNullable<VmcsField['decoder']>, Record<number, string>>> = {
  cr0: { 0: 'PE', 1: 'MP', 2: 'EM', 3: 'TS', 4: 'ET', 5: 'NE', 16: 'WP', 18: 'AM', 29: 'NW', 30: 'CD', 31: 'PG' },
  cr4: {
    0: 'VME', 1: 'PVI', 2: 'TSD', 3: 'DE', 4: 'PSE', 5: 'PAE', 6: 'MCE', 7: 'PGE', 8: 'PCE', 9: 'OSFXSR', 10: 'OSXMMEXCPT',
    11: 'UMIP', 12: 'LA57', 13: 'VMXE', 14: 'SMXE', 16: 'FSGSBASE', 17: 'PCIDE', 18: 'OSXSAVE', 20: 'SMEP', 21: 'SMAP', 22: 'PKE',
  },
  efer: { 0: 'SCE', 8: 'LME', 10: 'LMA', 11: 'NXE' },
  rflags: {
    0: 'CF', 2: 'PF', 4: 'AF', 6: 'ZF', 7: 'SF', 8: 'TF', 9: 'IF', 10: 'DF', 11: 'OF', 14: 'NT', 16: 'RF', 17: 'VM', 18: 'AC',
    19: 'VIF', 20: 'VIP', 21: 'ID',
  },
  'exception-bitmap': Object.fromEntries(EXCEPTIONS.map((name, i) => [i, name])),
  interruptibility: Object.fromEntries(INTERRUPTIBILITY.map((name, i) => [i, name])),
  'page-fault-error': { 0: 'P', 1: 'W/R', 2: 'U/S', 3: 'RSVD', 4: 'I/D', 5: 'PK' },
  'pending-debug': { 0: 'B0', 1: 'B1', 2: 'B2', 3: 'B3', 12: 'enabled breakpoint', 14: 'BS', 16: 'RTM' },
  dr7: { 0: 'L0', 1: 'G0', 2: 'L1', 3: 'G1', 4: 'L2', 5: 'G2', 6: 'L3', 7: 'G3', 8: 'LE', 9: 'GE', 13: 'GD' },
  debugctl: { 0: 'LBR', 1: 'BTF' },
}; // biome-ignore format: bit tables

/** Meaning of a field's value, one string per item; empty for plain numbers and addresses. */
export function decodeField(field: VmcsField, value: bigint, _vcpu: Vcpu): string[] {
  const bits = field.decoder && BITS[field.decoder];
  if (bits) {
    return Object.entries(bits)
      .filter(([bit]) => ((value >> BigInt(bit)) & 1n) === 1n)
      .map(([, name]) => name);
  }
  switch (field.decoder) {
    case 'exit-reason':
      return [exitReasonName(Number(value))];
    case 'activity':
      return [ACTIVITY[Number(value)] ?? 'reserved'];
    case 'access-rights':
      return accessRights(Number(value));
    case 'selector':
      return [`index ${value >> 3n}`, (value & 4n) !== 0n ? 'LDT' : 'GDT', `RPL ${value & 3n}`];
    case 'interruption-info':
      return interruption(Number(value));
    case 'eptp':
      return [
        `PML4 at 0x${(value & ~0xfffn).toString(16)}`,
        `walk length ${((value >> 3n) & 7n) + 1n}`,
        (value & 7n) === 6n ? 'WB' : 'UC',
        ...((value & 0x40n) !== 0n ? ['A/D flags'] : []),
      ];
    default:
      return [];
  }
}

function accessRights(value: number): string[] {
  if ((value & 0x10000) !== 0) return ['unusable'];
  const system = (value & 0x10) === 0;
  const parts = system
    ? [`system type ${value & 15}`]
    : [
        SEGMENT_TYPES[(value >> 2) & 3],
        (value & 8) !== 0
          ? (value & 2) !== 0
            ? 'readable'
            : 'execute-only'
          : (value & 2) !== 0
            ? 'writable'
            : 'read-only',
      ];
  if (!system && (value & 12) === 4) parts.push('expand-down');
  parts.push(`DPL ${(value >> 5) & 3}`);
  if ((value & 0x80) === 0) parts.push('not present');
  if ((value & 0x2000) !== 0) parts.push('L');
  if ((value & 0x4000) !== 0) parts.push('D/B');
  if ((value & 0x8000) !== 0) parts.push('G');
  return parts;
}

function interruption(value: number): string[] {
  if (value >>> 31 === 0) return ['not valid'];
  const type = (value >> 8) & 7;
  const vector = value & 0xff;
  const name = type === 0 || type === 4 ? `vector ${vector}` : (EXCEPTIONS[vector] ?? `vector ${vector}`);
  return [EVENT_TYPES[type], name, ...((value & 0x800) !== 0 ? ['error code'] : [])];
}
