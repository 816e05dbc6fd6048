import { describe, expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import type { ControlWord } from '../../../src/spec/vmx/controls.js';
import { CODE, type ExitRecord, expected, VmxGuest } from './guest.js';

interface Case {
  name: string;
  code: string;
  reason: string;
  /** Control that must be on for the exit; without it the instruction exits unconditionally. */
  control?: [ControlWord, string];
  setup?: (guest: VmxGuest) => void;
  fields: Partial<ExitRecord>;
  /** What run() answers for the instruction without the control: it runs on to the HLT behind it. */
  without?: 'runs' | 'faults';
}

/** Base-plus-index memory operand [rbx + rcx*4 + 0x10] in the layout of the instruction information. */
const SIB = (2 | (2 << 7) | (3 << 15) | (1 << 18) | (3 << 23)) >>> 0;

const CASES: Case[] = [
  { name: 'CPUID', code: '0fa2', reason: 'CPUID', fields: { length: 2 } },
  { name: 'INVD', code: '0f08', reason: 'INVD', fields: { length: 2 } },
  {
    name: 'XSETBV',
    code: '0f01d1',
    reason: 'XSETBV',
    fields: { length: 3 },
    setup: (g) => g.field('GUEST_CR4', 0x42020),
  },
  { name: 'VMCALL', code: '0f01c1', reason: 'VMCALL', fields: { length: 3 } },
  { name: 'VMLAUNCH', code: '0f01c2', reason: 'VMLAUNCH', fields: { length: 3 } },
  { name: 'VMRESUME', code: '0f01c3', reason: 'VMRESUME', fields: { length: 3 } },
  { name: 'VMXOFF', code: '0f01c4', reason: 'VMXOFF', fields: { length: 3 } },
  { name: 'GETSEC', code: '0f37', reason: 'GETSEC', fields: { length: 2 }, setup: (g) => g.field('GUEST_CR4', 0x6020) },
  {
    name: 'VMPTRLD [rbx+rcx*4+16]',
    code: '0fc7748b10',
    reason: 'VMPTRLD',
    fields: { length: 5, qualification: 16, info: SIB },
  },
  { name: 'VMCLEAR', code: '660fc7748b10', reason: 'VMCLEAR', fields: { length: 6, qualification: 16, info: SIB } },
  { name: 'VMXON', code: 'f30fc7748b10', reason: 'VMXON', fields: { length: 6, qualification: 16, info: SIB } },
  { name: 'VMPTRST', code: '0fc77c8b10', reason: 'VMPTRST', fields: { length: 5, qualification: 16, info: SIB } },
  // reg2 (31:28) is rdx, the operand register 6:3 rsi
  {
    name: 'VMREAD rsi,rdx',
    code: '0f78d6',
    reason: 'VMREAD',
    fields: { length: 3, info: ((2 << 28) | 0x400 | (6 << 3)) >>> 0 },
  },
  {
    name: 'VMWRITE rdx,[rbx+rcx*4+16]',
    code: '0f79548b10',
    reason: 'VMWRITE',
    fields: { length: 5, qualification: 16, info: (SIB | (2 << 28)) >>> 0 },
  },
  {
    name: 'INVEPT',
    code: '660f3880548b10',
    reason: 'INVEPT',
    fields: { length: 7, qualification: 16, info: (SIB | (2 << 28)) >>> 0 },
  },
  {
    name: 'INVVPID',
    code: '660f3881548b10',
    reason: 'INVVPID',
    fields: { length: 7, qualification: 16, info: (SIB | (2 << 28)) >>> 0 },
  },
  { name: 'HLT', code: 'f4', reason: 'HLT', control: ['primary', 'HLT exiting'], fields: { length: 1 } },
  {
    name: 'INVLPG [rbx+rcx*4+16]',
    code: '0f017c8b10',
    reason: 'INVLPG',
    control: ['primary', 'INVLPG exiting'],
    setup: (g) => {
      g.setReg('rbx', 0x400000);
      g.setReg('rcx', 4);
    },
    fields: { length: 5, qualification: 0x400020 },
    without: 'runs',
  },
  {
    name: 'INVPCID',
    code: '660f3882548b10',
    reason: 'INVPCID',
    control: ['primary', 'INVLPG exiting'],
    setup: (g) => {
      g.setReg('rbx', 0x3000);
      g.setReg('rdx', 2);
    },
    fields: { length: 7, qualification: 16, info: (SIB | (2 << 28)) >>> 0 },
    without: 'runs',
  },
  {
    name: 'MONITOR',
    code: '0f01c8',
    reason: 'MONITOR_INSTRUCTION',
    control: ['primary', 'MONITOR exiting'],
    fields: { length: 3 },
    without: 'runs',
  },
  {
    name: 'MWAIT',
    code: '0f01c9',
    reason: 'MWAIT_INSTRUCTION',
    control: ['primary', 'MWAIT exiting'],
    fields: { length: 3 },
    without: 'runs',
  },
  {
    name: 'MWAIT after MONITOR',
    code: '0f01c80f01c9',
    reason: 'MWAIT_INSTRUCTION',
    control: ['primary', 'MWAIT exiting'],
    fields: { length: 3, qualification: 1, rip: CODE + 3 },
    without: 'runs',
  },
  {
    name: 'RDPMC',
    code: '0f33',
    reason: 'RDPMC',
    control: ['primary', 'RDPMC exiting'],
    fields: { length: 2 },
    without: 'faults',
  },
  {
    name: 'RDTSC',
    code: '0f31',
    reason: 'RDTSC',
    control: ['primary', 'RDTSC exiting'],
    fields: { length: 2 },
    without: 'runs',
  },
  {
    name: 'RDTSCP',
    code: '0f01f9',
    reason: 'RDTSCP',
    control: ['primary', 'RDTSC exiting'],
    fields: { length: 3 },
    without: 'runs',
  },
  {
    name: 'PAUSE',
    code: 'f390',
    reason: 'PAUSE_INSTRUCTION',
    control: ['primary', 'PAUSE exiting'],
    fields: { length: 2 },
    without: 'runs',
  },
  {
    name: 'WBINVD',
    code: '0f09',
    reason: 'WBINVD',
    control: ['secondary', 'WBINVD exiting'],
    fields: { length: 2 },
    without: 'runs',
  },
  {
    name: 'RDRAND r10d',
    code: '410fc7f2',
    reason: 'RDRAND',
    control: ['secondary', 'RDRAND exiting'],
    fields: { length: 4, info: (10 << 3) | (1 << 11) },
    without: 'runs',
  },
  {
    name: 'RDSEED rax',
    code: '480fc7f8',
    reason: 'RDSEED',
    control: ['secondary', 'RDSEED exiting'],
    fields: { length: 4, info: 2 << 11 },
    without: 'runs',
  },
  {
    name: 'MOV rdx,DR2',
    code: '0f21d2',
    reason: 'DR_ACCESS',
    control: ['primary', 'MOV-DR exiting'],
    fields: { length: 3, qualification: 0x212 },
    without: 'runs',
  },
  {
    name: 'MOV DR7,rdi',
    code: '0f23ff',
    reason: 'DR_ACCESS',
    control: ['primary', 'MOV-DR exiting'],
    fields: { length: 3, qualification: 0x707 },
    without: 'runs',
  },
  {
    name: 'MOV CR3,rdx',
    code: '0f22da',
    reason: 'CR_ACCESS',
    control: ['primary', 'CR3-load exiting'],
    setup: (g) => g.setReg('rdx', 0x70000),
    fields: { length: 3, qualification: 0x203 },
    without: 'runs',
  },
  {
    name: 'MOV rsi,CR3',
    code: '0f20de',
    reason: 'CR_ACCESS',
    control: ['primary', 'CR3-store exiting'],
    fields: { length: 3, qualification: 0x613 },
    without: 'runs',
  },
  {
    name: 'MOV CR8,r9',
    code: '450f22c1',
    reason: 'CR_ACCESS',
    control: ['primary', 'CR8-load exiting'],
    fields: { length: 4, qualification: 0x908 },
    without: 'runs',
  },
  {
    name: 'MOV rax,CR8',
    code: '440f20c0',
    reason: 'CR_ACCESS',
    control: ['primary', 'CR8-store exiting'],
    fields: { length: 4, qualification: 0x018 },
    without: 'runs',
  },
  {
    name: 'IN al,0x71',
    code: 'e471',
    reason: 'IO_INSTRUCTION',
    control: ['primary', 'Unconditional I/O exiting'],
    fields: { length: 2, qualification: 0x710048 },
    without: 'runs',
  },
  {
    name: 'OUT dx,eax',
    code: 'ef',
    reason: 'IO_INSTRUCTION',
    control: ['primary', 'Unconditional I/O exiting'],
    setup: (g) => g.setReg('rdx', 0xcf8),
    fields: { length: 1, qualification: 0x0cf80003 },
    without: 'runs',
  },
  {
    name: 'REP INSB',
    code: 'f36c',
    reason: 'IO_INSTRUCTION',
    control: ['primary', 'Unconditional I/O exiting'],
    setup: (g) => {
      g.setReg('rdx', 0x1f0);
      g.setReg('rcx', 3);
      g.setReg('rdi', 0x5000);
    },
    fields: { length: 2, qualification: 0x01f00038, gla: 0x5000, info: 2 << 7 },
    without: 'runs',
  },
  {
    name: 'OUTSW fs:[rsi]',
    code: '64666f',
    reason: 'IO_INSTRUCTION',
    control: ['primary', 'Unconditional I/O exiting'],
    setup: (g) => {
      g.setReg('rdx', 0x1f0);
      g.setReg('rsi', 0x5000);
    },
    fields: { length: 3, qualification: 0x01f00011, gla: 0x5000, info: (2 << 7) | (4 << 15) },
    without: 'runs',
  },
  {
    name: 'SGDT [rbx+rcx*4+16]',
    code: '0f01448b10',
    reason: 'GDTR_IDTR',
    control: ['secondary', 'Descriptor-table exiting'],
    setup: (g) => g.setReg('rbx', 0x3000),
    fields: { length: 5, qualification: 16, info: SIB },
    without: 'runs',
  },
  {
    name: 'LIDT [rbx+rcx*4+16]',
    code: '0f015c8b10',
    reason: 'GDTR_IDTR',
    control: ['secondary', 'Descriptor-table exiting'],
    setup: (g) => g.setReg('rbx', 0x3000),
    fields: { length: 5, qualification: 16, info: (SIB | (3 << 28)) >>> 0 },
    without: 'runs',
  },
  {
    name: 'STR edx',
    code: '0f00ca',
    reason: 'LDTR_TR',
    control: ['secondary', 'Descriptor-table exiting'],
    fields: { length: 3, info: ((1 << 28) | 0x400 | (2 << 3)) >>> 0 },
    without: 'runs',
  },
  {
    name: 'LLDT ax',
    code: '0f00d0',
    reason: 'LDTR_TR',
    control: ['secondary', 'Descriptor-table exiting'],
    fields: { length: 3, info: ((2 << 28) | 0x400) >>> 0 },
    without: 'runs',
  },
];

describe('instructions that exit', () => {
  for (const row of CASES) {
    it(`${row.name}: ${row.reason}, with its full record`, () => {
      const guest = new VmxGuest();
      guest.also('primary', ['Use MSR bitmaps']);
      row.setup?.(guest);
      if (row.control) guest.also(row.control[0], [row.control[1]]);
      expect(guest.exit(row.code)).toEqual(expected(row.reason, row.fields));
      expect(guest.number('GUEST_RFLAGS')).toBe(2);
    });
    if (row.without !== undefined) {
      it(`${row.name}: ${row.without} without "${row.control?.[1]}"`, () => {
        const guest = new VmxGuest();
        row.setup?.(guest);
        guest.also('primary', ['HLT exiting']);
        guest.field('EXCEPTION_BITMAP', 0xffffffff);
        const record = guest.exit(`${row.code}f4`);
        expect(record.reason).toBe(row.without === 'runs' ? 'HLT' : 'EXCEPTION_NMI');
      });
    }
  }

  it('HLT without the control halts the vCPU behind the instruction', () => {
    const guest = new VmxGuest();
    guest.load(CODE, 'f4');
    expect(guest.go()).toBe(L.RUN_HALTED);
    expect(guest.rip).toBe(0x1001n);
    expect(guest.icount).toBe(1n);
  });

  it('traces each exit with its record', () => {
    const guest = new VmxGuest();
    guest.set32(L.TRACE_ENABLED, 1);
    guest.setReg('rax', 0x77);
    guest.exit('900fa2');
    expect(guest.get(L.TRACE_SEQUENCE)).toBe(1n);
    expect(guest.get32(L.TRACE_RING + L.TR_REASON)).toBe(10);
    expect(guest.get(L.TRACE_RING + L.TR_RIP)).toBe(0x1001n);
    expect(guest.get(L.TRACE_RING + L.TR_ICOUNT)).toBe(1n);
    // two bytes of 64-bit code
    expect(guest.get32(L.TRACE_RING + L.TR_LENGTH)).toBe(0x8001_0002);
    expect(guest.get(L.TRACE_RING + L.TR_RAX)).toBe(0x77n);
    expect(guest.get(L.EXIT_COUNTS + 80)).toBe(1n);
  });
});
