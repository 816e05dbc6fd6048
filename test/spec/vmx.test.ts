import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CPUID_FEATURES, cpuidFeature, cpuidFeatures } from '../../src/spec/cpuid.js';
import { MSRS, msr, msrByName, msrName } from '../../src/spec/msrs.js';
import { CAPABILITIES } from '../../src/spec/vmx/capabilities.js';
import {
  CONTROL_FIELD,
  CONTROLS,
  controlNames,
  DEFAULT1,
  findControl,
  mayBeOne,
  mustBeOne,
} from '../../src/spec/vmx/controls.js';
import { ENTRY_CHECKS, failedChecks } from '../../src/spec/vmx/entry-checks.js';
import { type ExitFacts, exitCause } from '../../src/spec/vmx/exit-cause.js';
import { decodeQualification } from '../../src/spec/vmx/exit-qualifications.js';
import {
  definesField,
  EXIT_REASONS,
  exitReason,
  exitReasonByName,
  exitReasonName,
} from '../../src/spec/vmx/exit-reasons.js';
import { INSTRUCTION_ERRORS, instructionError } from '../../src/spec/vmx/instruction-errors.js';
import { decodeInstructionInfo } from '../../src/spec/vmx/instruction-info.js';
import { decodeInterruption, encodeInterruption } from '../../src/spec/vmx/interruption-info.js';
import {
  VMCS_AREAS,
  VMCS_FIELDS,
  vmcsField,
  vmcsFieldBits,
  vmcsFieldByEncoding,
} from '../../src/spec/vmx/vmcs-fields.js';

/** Where Linux does not use the SDM's name. */
const LINUX_SPELLING: Record<string, string> = { VMOFF: 'VMXOFF', VMON: 'VMXON' };
const HEADERS = ['/usr/include/x86_64-linux-gnu/asm/vmx.h', '/usr/include/asm/vmx.h'];
const header = HEADERS.find((path) => existsSync(path));
if (!header && process.env.VMSCOPE_REQUIRE_TOOLS === '1')
  throw new Error('the Linux headers (linux-libc-dev) are not installed');

describe('VMCS fields', () => {
  it('are in encoding order, each once, with slots that do not overlap', () => {
    const encodings = VMCS_FIELDS.map((field) => field.encoding);
    expect(encodings).toEqual([...new Set(encodings)].sort((a, b) => a - b));
    expect(new Set(VMCS_FIELDS.map((field) => field.name)).size).toBe(VMCS_FIELDS.length);
    VMCS_FIELDS.forEach((field, n) => {
      expect(field.encoding & 1).toBe(0);
      expect(field.offset).toBe(VMCS_FIELDS[0].offset + 8 * n);
    });
    expect(VMCS_FIELDS[VMCS_FIELDS.length - 1].offset + 8).toBeLessThanOrEqual(4096);
  });

  it('have the type that their name and area say', () => {
    for (const field of VMCS_FIELDS) {
      expect([field.name, field.name.startsWith('HOST_')]).toEqual([field.name, field.type === 'host']);
      expect([field.name, field.area === 'exit information']).toEqual([field.name, field.type === 'read-only']);
      expect([field.name, field.area.startsWith('guest')]).toEqual([field.name, field.type === 'guest']);
      expect(VMCS_AREAS).toContain(field.area);
    }
  });

  it.each([
    ['VIRTUAL_PROCESSOR_ID', 0x0000, 16],
    ['GUEST_TR_SELECTOR', 0x080e, 16],
    ['HOST_TR_SELECTOR', 0x0c0c, 16],
    ['EPT_POINTER', 0x201a, 64],
    ['GUEST_PHYSICAL_ADDRESS', 0x2400, 64],
    ['VMCS_LINK_POINTER', 0x2800, 64],
    ['HOST_IA32_EFER', 0x2c02, 64],
    ['SECONDARY_VM_EXEC_CONTROL', 0x401e, 32],
    ['VMX_INSTRUCTION_INFO', 0x440e, 32],
    ['VMX_PREEMPTION_TIMER_VALUE', 0x482e, 32],
    ['HOST_IA32_SYSENTER_CS', 0x4c00, 32],
    ['CR3_TARGET_VALUE3', 0x600e, 64],
    ['GUEST_LINEAR_ADDRESS', 0x640a, 64],
    ['GUEST_RIP', 0x681e, 64],
    ['HOST_RIP', 0x6c16, 64],
  ] as const)('%s is %i, %i bits', (name, encoding, bits) => {
    const field = vmcsField(name);
    expect([field?.encoding, field && vmcsFieldBits(field)]).toEqual([encoding, bits]);
    expect(vmcsFieldByEncoding(encoding)).toBe(field);
  });

  it('are found by the names of the SDM and in any case', () => {
    expect(vmcsField('guest_rip')?.name).toBe('GUEST_RIP');
    expect(vmcsField('PRIMARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS')?.name).toBe('CPU_BASED_VM_EXEC_CONTROL');
    expect(vmcsField('Exit_Reason')?.name).toBe('VM_EXIT_REASON');
    expect(vmcsField('NO_SUCH_FIELD')).toBeUndefined();
  });
});

describe('controls', () => {
  it('are ordinary bits, outside the default1 class but for those that the TRUE MSRs free', () => {
    for (const [word, rows] of Object.entries(CONTROLS)) {
      expect(new Set(rows.map((row) => row.bit)).size).toBe(rows.length);
      const known = rows.reduce((sum, row) => sum | (1 << row.bit), 0);
      expect(known & mustBeOne(word as keyof typeof CONTROLS)).toBe(0);
      expect(vmcsField(CONTROL_FIELD[word as keyof typeof CONTROLS])).toBeDefined();
    }
    expect(new Set(Object.values(CONTROLS).flatMap((rows) => rows.map((row) => row.constant))).size).toBe(
      Object.values(CONTROLS).reduce((sum, rows) => sum + rows.length, 0),
    );
  });

  it('give the default1 values of appendix A', () => {
    expect(DEFAULT1).toMatchObject({ pin: 0x16, primary: 0x0401e172, exit: 0x36dff, entry: 0x11ff });
    expect(CAPABILITIES.IA32_VMX_TRUE_PROCBASED_CTLS & 0xffffffffn).toBe(0x04006172n);
    expect(CAPABILITIES.IA32_VMX_PROCBASED_CTLS >> 32n).toBe(BigInt(mayBeOne('primary')));
  });

  it('decode to names', () => {
    expect(controlNames('pin', 0x09)).toEqual(['External-interrupt exiting', 'NMI exiting']);
    expect(findControl('hlt exiting')?.bit).toBe(7);
    expect(findControl('CPU2_ENABLE_EPT')?.bit).toBe(1);
    // what came with FRED and with MSR lists, which this CPU does not have
    expect(controlNames('entry', 1 << 23)).toEqual(['Load FRED']);
    expect(controlNames('exit2', 3)).toEqual(['Save FRED', 'Load FRED']);
    expect(controlNames('tertiary', 1 << 6)).toEqual(['Enable MSR-list instructions']);
  });
});

describe('exit reasons', () => {
  it.skipIf(!header)(
    header ? 'have the numbers and names of the Linux header' : 'agree with Linux [skipped: no asm/vmx.h]',
    () => {
      const text = readFileSync(header ?? '', 'utf8');
      const printed = [...text.matchAll(/\{\s*EXIT_REASON_(\w+),\s*"(\w+)"\s*\}/g)].map((match) => [
        match[1],
        match[2],
      ]);
      expect(printed.length).toBeGreaterThan(50);
      const numbers = new Map(
        [...text.matchAll(/#define\s+EXIT_REASON_(\w+)\s+(\d+)/g)].map((match) => [match[1], Number(match[2])]),
      );
      const wrong = printed
        .map(([constant, name]) => [numbers.get(constant), name] as const)
        .filter(([number, name]) => number === undefined || exitReasonName(number) !== (LINUX_SPELLING[name] ?? name))
        .map(([number, name]) => `${number}: ${name}, here ${exitReasonName(number ?? -1)}`);
      expect(wrong).toEqual([]);
    },
  );

  it('name controls that exist', () => {
    for (const row of EXIT_REASONS)
      for (const name of row.controls) expect([row.name, findControl(name)?.name]).toEqual([row.name, name]);
  });

  it('are produced only where a control that this CPU has causes them', () => {
    for (const row of EXIT_REASONS.filter((reason) => reason.produced && reason.controls.length > 0)) {
      expect([row.name, row.controls.some((name) => findControl(name)?.supported)]).toEqual([row.name, true]);
    }
  });

  it('are found by number and name', () => {
    expect(exitReason(0x80000021)?.name).toBe('INVALID_STATE');
    expect(exitReasonByName('hlt')?.number).toBe(12);
    expect(exitReasonName(99)).toBe('REASON_99');
    expect([definesField(48, 'gpa'), definesField(12, 'gpa')]).toEqual([true, false]);
  });
});

const texts = (reason: number, qualification: bigint, interruption = 0) =>
  Object.fromEntries(decodeQualification(reason, qualification, interruption).map((row) => [row.name, row.text]));

describe('decoding', () => {
  it('exit qualifications', () => {
    expect(texts(30, 0x3f80049n)).toEqual({
      size: '2 bytes',
      direction: 'IN',
      string: 'no',
      REP: 'no',
      'port encoding': 'immediate',
      port: '0x3f8',
    });
    expect(texts(28, 0x403n)).toEqual({ register: 'cr3', access: 'MOV to CR', 'general register': 'rsp' });
    expect(texts(28, 0x12340070n)).toEqual({
      register: 'cr0',
      access: 'LMSW',
      'LMSW operand': 'memory',
      'LMSW source': '0x1234',
    });
    expect(texts(29, 0x917n)).toEqual({ register: 'dr7', direction: 'MOV from DR', 'general register': 'r9' });
    expect(texts(9, 0xc0000040n)).toEqual({ selector: '0x40', source: 'task gate in the IDT' });
    expect(texts(48, 0x18an)).toMatchObject({
      write: 'yes',
      readable: 'yes',
      writable: 'no',
      'access to': 'translated address',
    });
    expect(texts(0, 0x4001n, 0x80000301)).toMatchObject({ B0: 'yes', B1: 'no', BS: 'single step' });
    expect(texts(0, 0x1234n, 0x80000b0e)).toEqual({ address: '0x1234' });
    expect(texts(0, 0x1234n, 0x80000306)).toEqual({});
    expect(texts(12, 5n)).toEqual({});
    expect(texts(46, 0xfffffffffffffff8n)).toEqual({ displacement: '-8' });
  });

  it('give every reason with a qualification a meaning, but what needs the event', () => {
    const without = EXIT_REASONS.filter((row) => row.produced && row.fields.includes('qualification'))
      .filter((row) => decodeQualification(row.number, 0n).length === 0)
      .map((row) => row.name);
    expect(without).toEqual(['EXCEPTION_NMI']);
  });

  it('instruction information', () => {
    const info = (reason: number, value: number, qualification = 0n) =>
      Object.fromEntries(decodeInstructionInfo(reason, value, qualification).map((row) => [row.name, row.text]));
    const sib = (2 | (2 << 7) | (3 << 15) | (1 << 18) | (3 << 23)) >>> 0;
    expect(info(21, sib, 16n)).toEqual({ operand: 'ds:[rbx+rcx*4+0x10]' });
    expect(info(25, (sib | (2 << 28)) >>> 0, 0xfffffffffffffff0n)).toEqual({
      operand: 'ds:[rbx+rcx*4-0x10]',
      register: 'rdx',
    });
    expect(info(23, (9 << 28) | 0x400 | (6 << 3))).toEqual({ operand: 'rsi', register: 'r9' });
    expect(info(46, ((3 << 28) | sib | 0x800) >>> 0, 0n)).toEqual({
      instruction: 'LIDT',
      'operand size': '64 bits (10 bytes)',
      operand: 'ds:[rbx+rcx*4]',
    });
    // the bit is undefined in 64-bit mode: an address of 64 bits is only there, one of 32 may be by its prefix
    const operandSize = (addressSize: number, bit: number) =>
      info(46, ((addressSize << 7) | (bit << 11) | (3 << 15) | (1 << 22)) >>> 0, 0n)['operand size'];
    expect([0, 1, 2].map((size) => [operandSize(size, 0), operandSize(size, 1)])).toEqual([
      ['16 bits', '32 bits'],
      ['16 bits (undefined in 64-bit mode)', '32 bits (undefined in 64-bit mode)'],
      ['64 bits (10 bytes)', '64 bits (10 bytes)'],
    ]);
    expect(info(57, (10 << 3) | (1 << 11))).toEqual({ destination: 'r10', 'operand size': '32 bits' });
    expect(info(30, (1 << 7) | (4 << 15), 0x10n)).toEqual({ 'address size': '32 bits', segment: 'fs' });
    expect(info(30, 0, 0n)).toEqual({});
    expect(info(10, 0)).toEqual({});
  });

  it('interruption information', () => {
    expect(decodeInterruption(0x80000b0e)).toMatchObject({
      valid: true,
      name: '#PF',
      typeName: 'hardware exception',
      hasErrorCode: true,
    });
    expect(decodeInterruption(0x80000031)).toMatchObject({ name: 'vector 0x31', typeName: 'external interrupt' });
    expect(encodeInterruption(13, 3, true)).toBe(0x80000b0d);
  });

  it('instruction errors', () => {
    expect(instructionError(7)).toContain('control field');
    expect([...INSTRUCTION_ERRORS.keys()].every((n) => n >= 1 && n <= 28)).toBe(true);
  });

  it('entry failures', () => {
    const bitmap = new Uint8Array(32);
    bitmap[1] = 2;
    expect(failedChecks(bitmap)).toEqual([ENTRY_CHECKS[9]]);
    expect(ENTRY_CHECKS.length).toBeLessThanOrEqual(256);
    for (const row of ENTRY_CHECKS)
      for (const name of row.fields) expect([row.id, vmcsField(name)?.name]).toEqual([row.id, name]);
    expect(new Set(ENTRY_CHECKS.map((row) => row.id)).size).toBe(ENTRY_CHECKS.length);
  });
});

describe('causes', () => {
  const fields = (values: Record<string, bigint>) => (name: string) => values[name];
  const exit = (reason: number, rest: Partial<ExitFacts> = {}): ExitFacts => ({
    reason,
    qualification: 0n,
    interruption: 0,
    interruptionError: 0,
    rcx: 0n,
    ...rest,
  });

  it('name the control, bitmap or mask', () => {
    expect(exitCause(exit(12), fields({}))).toMatchObject({ field: 'CPU_BASED_VM_EXEC_CONTROL', bit: 7 });
    expect(exitCause(exit(10), fields({})).text).toContain('unconditional');
    expect(exitCause(exit(0, { interruption: 0x80000306 }), fields({}))).toMatchObject({
      field: 'EXCEPTION_BITMAP',
      bit: 6,
    });
    expect(exitCause(exit(0, { interruption: 0x80000202 }), fields({})).control?.name).toBe('NMI exiting');
    expect(exitCause(exit(28, { qualification: 0x3n }), fields({})).control?.name).toBe('CR3-load exiting');
    expect(exitCause(exit(28, { qualification: 0x4n }), fields({})).field).toBe('CR4_GUEST_HOST_MASK');
    expect(
      exitCause(exit(30, { qualification: 0x80600000n }), fields({ CPU_BASED_VM_EXEC_CONTROL: 1n << 25n })),
    ).toMatchObject({ field: 'IO_BITMAP_B', bit: 0x60 });
    expect(exitCause(exit(30), fields({ CPU_BASED_VM_EXEC_CONTROL: 0n })).control?.name).toBe(
      'Unconditional I/O exiting',
    );
    expect(exitCause(exit(31, { rcx: 0xc0000080n }), fields({ CPU_BASED_VM_EXEC_CONTROL: 1n << 28n }))).toMatchObject({
      field: 'MSR_BITMAP',
      bit: 0x80,
    });
    expect(exitCause(exit(40), fields({ CPU_BASED_VM_EXEC_CONTROL: 0n })).control?.name).toBe('PAUSE-loop exiting');
    expect(exitCause(exit(0x80000021), fields({})).text).toContain('VM entry');
  });

  it('exist for every reason that this CPU produces', () => {
    for (const row of EXIT_REASONS.filter((reason) => reason.produced))
      expect(exitCause(exit(row.number), fields({})).text).not.toBe('');
  });
});

describe('MSRs and CPUID', () => {
  it('MSRs: unique, by number and name', () => {
    expect(new Set(MSRS.map((row) => row.number)).size).toBe(MSRS.length);
    expect(msr(0xc0000080)?.name).toBe('IA32_EFER');
    expect(msrByName('lstar')?.number).toBe(0xc0000082);
    expect([msrName(0x808), msrName(0x1234)]).toEqual(['IA32_X2APIC_08', '0x1234']);
    for (const name of Object.keys(CAPABILITIES)) expect(msrByName(name)).toBeDefined();
    expect(msrByName('IA32_VMX_EPT_VPID_CAP')?.number).toBe(0x48c);
  });

  it('CPUID: well-known bits', () => {
    const bits = Object.fromEntries(
      [
        'fpu',
        'cx8',
        'sse2',
        'ht',
        'sse3',
        'vmx',
        'x2apic',
        'osxsave',
        'hypervisor',
        'fsgsbase',
        'smep',
        'smap',
        'invpcid',
        'umip',
        'rdpid',
        'syscall',
        'nx',
        'lm',
        'lahf_lm',
      ].map((name) => [name, cpuidFeature(name)?.bit]),
    );
    expect(bits).toEqual({
      fpu: 0,
      cx8: 8,
      sse2: 26,
      ht: 28,
      sse3: 0,
      vmx: 5,
      x2apic: 21,
      osxsave: 27,
      hypervisor: 31,
      fsgsbase: 0,
      smep: 7,
      smap: 20,
      invpcid: 10,
      umip: 2,
      rdpid: 22,
      syscall: 11,
      nx: 20,
      lm: 29,
      lahf_lm: 0,
    });
    expect(cpuidFeatures(1, 0, 'ecx', 0x80000001)).toEqual(['sse3', 'hypervisor']);
    expect(CPUID_FEATURES.every((row) => row.bit < 32)).toBe(true);
  });
});
