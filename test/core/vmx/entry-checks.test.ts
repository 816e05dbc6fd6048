import { describe, expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import { ENTRY_CHECKS } from '../../../src/spec/vmx/entry-checks.js';
import { VmxGuest } from './guest.js';

type Base = 'long' | 'restricted' | 'v86' | 'pae' | 'real';
type Row = [constant: string, base: Base, spoil: (g: VmxGuest) => unknown];

const UNUSABLE = 0x10000;
const FAR = 1n << 39n;
/** With 57 bits. */
const NON_CANONICAL = 0x100000000000000n;
const NON_CANONICAL_48 = 0x800000000000n;
const inject = (g: VmxGuest, info: number) => g.field('VM_ENTRY_INTR_INFO', (0x80000000 | info) >>> 0);
const or = (g: VmxGuest, name: string, bits: number | bigint) => g.field(name, g.value(name) | BigInt(bits));
const and = (g: VmxGuest, name: string, bits: number | bigint) =>
  g.field(name, g.value(name) & BigInt.asUintN(64, BigInt(bits)));

/** A valid VMCS of each kind that the rows start from. */
function guest(base: Base): VmxGuest {
  const mode = base === 'real' ? 'real' : base === 'long' ? 'long' : 'protected32';
  const g = new VmxGuest(mode);
  if (base === 'restricted' || base === 'v86' || base === 'pae') {
    g.also('secondary', ['Unrestricted guest'], false);
    or(g, 'GUEST_CR0', 0x80000000);
    for (const name of ['SS', 'DS', 'ES', 'FS', 'GS']) g.field(`GUEST_${name}_SELECTOR`, 0x10);
  }
  if (base === 'pae') or(g, 'GUEST_CR4', 0x20);
  if (base === 'v86') {
    or(g, 'GUEST_RFLAGS', 0x20000);
    for (const name of ['CS', 'SS', 'DS', 'ES', 'FS', 'GS']) {
      g.field(`GUEST_${name}_SELECTOR`, 0x100).field(`GUEST_${name}_BASE`, 0x1000);
      g.field(`GUEST_${name}_LIMIT`, 0xffff).field(`GUEST_${name}_AR_BYTES`, 0xf3);
    }
  }
  return g;
}

const SEGMENTS = ['CS', 'SS', 'DS', 'ES', 'FS', 'GS'];
const rows = (names: string[], row: (name: string) => Row): Row[] => names.map(row);

const ROWS: Row[] = [
  ['PIN_RESERVED', 'long', (g) => or(g, 'PIN_BASED_VM_EXEC_CONTROL', 0x80)],
  ['CPU_RESERVED', 'long', (g) => and(g, 'CPU_BASED_VM_EXEC_CONTROL', ~2)],
  ['CPU2_RESERVED', 'long', (g) => or(g, 'SECONDARY_VM_EXEC_CONTROL', 1 << 9)],
  ['CR3_TARGET_COUNT', 'long', (g) => g.field('CR3_TARGET_COUNT', 5)],
  ['IO_BITMAP_A', 'long', (g) => g.also('primary', ['Use I/O bitmaps']).field('IO_BITMAP_A', 0x1800)],
  ['IO_BITMAP_B', 'long', (g) => g.also('primary', ['Use I/O bitmaps']).field('IO_BITMAP_B', FAR)],
  ['MSR_BITMAP', 'long', (g) => g.also('primary', ['Use MSR bitmaps']).field('MSR_BITMAP', 1)],
  ['VIRTUAL_APIC', 'long', (g) => g.also('primary', ['Use TPR shadow']).field('VIRTUAL_APIC_PAGE_ADDR', 8)],
  ['TPR_THRESHOLD_BITS', 'long', (g) => g.also('primary', ['Use TPR shadow']).field('TPR_THRESHOLD', 0x10)],
  ['TPR_THRESHOLD_VTPR', 'long', (g) => g.also('primary', ['Use TPR shadow']).field('TPR_THRESHOLD', 1)],
  ['VIRTUAL_NMIS', 'long', (g) => g.also('pin', ['Virtual NMIs'])],
  ['NMI_WINDOW', 'long', (g) => g.also('primary', ['NMI-window exiting'])],
  ['APIC_ACCESS', 'long', (g) => g.also('secondary', ['Virtualize APIC accesses']).field('APIC_ACCESS_ADDR', 0x10)],
  ['VPID', 'long', (g) => g.field('VIRTUAL_PROCESSOR_ID', 0)],
  ['EPTP_TYPE', 'long', (g) => g.field('EPT_POINTER', L.EPT_POOL | 0x1d)],
  ['EPTP_WALK', 'long', (g) => g.field('EPT_POINTER', L.EPT_POOL | 0x16)],
  ['EPTP_RESERVED', 'long', (g) => or(g, 'EPT_POINTER', 0x100)],
  ['UNRESTRICTED', 'long', (g) => g.also('secondary', ['Enable EPT'], false)],
  ['VM_FUNCTION_RESERVED', 'long', (g) => g.also('secondary', ['Enable VM functions']).field('VM_FUNCTION_CONTROL', 2)],
  [
    'EPTP_SWITCHING',
    'restricted',
    (g) =>
      g
        .also('secondary', ['Enable EPT'], false)
        .also('secondary', ['Enable VM functions'])
        .field('VM_FUNCTION_CONTROL', 1),
  ],
  [
    'EPTP_LIST',
    'long',
    (g) => g.also('secondary', ['Enable VM functions']).field('VM_FUNCTION_CONTROL', 1).field('EPTP_LIST_ADDRESS', 8),
  ],
  ['EXIT_RESERVED', 'long', (g) => or(g, 'VM_EXIT_CONTROLS', 0x80000000)],
  ['SAVE_TIMER', 'long', (g) => g.also('exit', ['Save VMX-preemption timer value'])],
  ['EXIT_MSR_STORE', 'long', (g) => g.field('VM_EXIT_MSR_STORE_COUNT', 1).field('VM_EXIT_MSR_STORE_ADDR', 8)],
  ['EXIT_MSR_LOAD', 'long', (g) => g.field('VM_EXIT_MSR_LOAD_COUNT', 2).field('VM_EXIT_MSR_LOAD_ADDR', FAR - 16n)],
  ['ENTRY_RESERVED', 'long', (g) => or(g, 'VM_ENTRY_CONTROLS', 0x400)],
  ['INJECT_TYPE', 'long', (g) => inject(g, 0x100)],
  ['INJECT_VECTOR', 'long', (g) => inject(g, 0x203)],
  ['INJECT_ERROR_BIT', 'long', (g) => inject(g, 0x30d)],
  ['INJECT_RESERVED', 'long', (g) => inject(g, 0x1306)],
  [
    'INJECT_ERROR_CODE',
    'long',
    (g) => {
      inject(g, 0xb0d);
      g.field('VM_ENTRY_EXCEPTION_ERROR_CODE', 0x10000);
    },
  ],
  [
    'INJECT_LENGTH',
    'long',
    (g) => {
      inject(g, 0x403);
      g.field('VM_ENTRY_INSTRUCTION_LEN', 16);
    },
  ],
  ['ENTRY_MSR_LOAD', 'long', (g) => g.field('VM_ENTRY_MSR_LOAD_COUNT', 1).field('VM_ENTRY_MSR_LOAD_ADDR', 4)],

  ['HOST_CR0', 'long', (g) => and(g, 'HOST_CR0', ~0x20)],
  ['HOST_CR4', 'long', (g) => and(g, 'HOST_CR4', ~0x2000)],
  ['HOST_CR3', 'long', (g) => g.field('HOST_CR3', FAR)],
  ['HOST_SYSENTER_ESP', 'long', (g) => g.field('HOST_IA32_SYSENTER_ESP', NON_CANONICAL)],
  ['HOST_SYSENTER_EIP', 'long', (g) => g.field('HOST_IA32_SYSENTER_EIP', NON_CANONICAL)],
  ['HOST_PAT', 'long', (g) => g.also('exit', ['Load IA32_PAT']).field('HOST_IA32_PAT', 0x0200)],
  ['HOST_EFER', 'long', (g) => g.also('exit', ['Load IA32_EFER']).field('HOST_IA32_EFER', 0x100)],
  ...rows(['CS', 'SS', 'DS', 'ES', 'FS', 'GS', 'TR'], (n) => [
    `HOST_${n}_RPL`,
    'long',
    (g) => g.field(`HOST_${n}_SELECTOR`, 0x4b),
  ]),
  ['HOST_CS_NULL', 'long', (g) => g.field('HOST_CS_SELECTOR', 0)],
  ['HOST_TR_NULL', 'long', (g) => g.field('HOST_TR_SELECTOR', 0)],
  ...rows(['FS', 'GS', 'GDTR', 'IDTR', 'TR'], (n) => [
    `HOST_${n}_BASE`,
    'long',
    (g) => g.field(`HOST_${n}_BASE`, NON_CANONICAL),
  ]),
  ['HOST_SPACE', 'long', (g) => g.also('exit', ['Host address-space size'], false)],
  ['HOST_PAE', 'long', (g) => and(g, 'HOST_CR4', ~0x20)],
  ['HOST_RIP', 'long', (g) => g.field('HOST_RIP', NON_CANONICAL)],

  ['GUEST_CR0', 'long', (g) => and(g, 'GUEST_CR0', ~0x20)],
  ['GUEST_PG_PE', 'real', (g) => or(g, 'GUEST_CR0', 0x80000000)],
  ['GUEST_CR4', 'long', (g) => or(g, 'GUEST_CR4', 0x800000)],
  ['GUEST_DEBUGCTL', 'long', (g) => g.field('GUEST_IA32_DEBUGCTL', 1 << 20)],
  ['GUEST_IA32E_PG', 'long', (g) => and(g, 'GUEST_CR0', ~0x80000000)],
  ['GUEST_IA32E_PAE', 'long', (g) => and(g, 'GUEST_CR4', ~0x20)],
  ['GUEST_PCIDE', 'real', (g) => or(g, 'GUEST_CR4', 0x20000)],
  ['GUEST_CR3', 'long', (g) => or(g, 'GUEST_CR3', FAR)],
  ['GUEST_DR7', 'long', (g) => or(g, 'GUEST_DR7', 1n << 32n)],
  ['GUEST_SYSENTER_ESP', 'long', (g) => g.field('GUEST_SYSENTER_ESP', NON_CANONICAL)],
  ['GUEST_SYSENTER_EIP', 'long', (g) => g.field('GUEST_SYSENTER_EIP', NON_CANONICAL)],
  ['GUEST_PAT', 'long', (g) => g.also('entry', ['Load IA32_PAT']).field('GUEST_IA32_PAT', 3)],
  ['GUEST_EFER_RESERVED', 'long', (g) => g.also('entry', ['Load IA32_EFER']).field('GUEST_IA32_EFER', 0x502)],
  ['GUEST_EFER_LMA', 'real', (g) => g.also('entry', ['Load IA32_EFER']).field('GUEST_IA32_EFER', 0x400)],
  ['GUEST_EFER_LME', 'long', (g) => g.also('entry', ['Load IA32_EFER']).field('GUEST_IA32_EFER', 0x400)],

  ['TR_TI', 'long', (g) => or(g, 'GUEST_TR_SELECTOR', 4)],
  ['LDTR_TI', 'long', (g) => g.field('GUEST_LDTR_AR_BYTES', 0x82).field('GUEST_LDTR_SELECTOR', 0x34)],
  ['SS_RPL', 'restricted', (g) => g.field('GUEST_CS_SELECTOR', 0xb)],
  ...rows(SEGMENTS, (n) => [`V86_${n}_BASE`, 'v86', (g) => g.field(`GUEST_${n}_BASE`, 0x1010)]),
  ...rows(['TR', 'FS', 'GS'], (n) => [`${n}_BASE`, 'long', (g) => g.field(`GUEST_${n}_BASE`, NON_CANONICAL)]),
  ['LDTR_BASE', 'long', (g) => g.field('GUEST_LDTR_AR_BYTES', 0x82).field('GUEST_LDTR_BASE', NON_CANONICAL)],
  ...rows(['CS', 'SS', 'DS', 'ES'], (n) => [`${n}_BASE`, 'long', (g) => g.field(`GUEST_${n}_BASE`, 1n << 32n)]),
  ...rows(SEGMENTS, (n) => [`V86_${n}_LIMIT`, 'v86', (g) => g.field(`GUEST_${n}_LIMIT`, 0xfffe)]),
  ...rows(SEGMENTS, (n) => [`V86_${n}_AR`, 'v86', (g) => g.field(`GUEST_${n}_AR_BYTES`, 0x93)]),
  ['CS_TYPE', 'long', (g) => g.field('GUEST_CS_AR_BYTES', 0xa098)],
  ['SS_TYPE', 'long', (g) => g.field('GUEST_SS_AR_BYTES', 0xc091)],
  ...rows(['DS', 'ES', 'FS', 'GS'], (n) => [`${n}_TYPE`, 'long', (g) => g.field(`GUEST_${n}_AR_BYTES`, 0xc099)]),
  ...rows(SEGMENTS, (n) => [`${n}_S`, 'long', (g) => and(g, `GUEST_${n}_AR_BYTES`, ~0x10)]),
  ['CS_DPL_DATA', 'long', (g) => g.field('GUEST_CS_AR_BYTES', 0xc0b3)],
  ['CS_DPL', 'long', (g) => or(g, 'GUEST_CS_AR_BYTES', 0x20)],
  ['CS_DPL_CONFORMING', 'long', (g) => g.field('GUEST_CS_AR_BYTES', 0xa0bf)],
  [
    'SS_DPL_RPL',
    'restricted',
    (g) => {
      or(g, 'GUEST_SS_AR_BYTES', 0x60);
      or(g, 'GUEST_CS_AR_BYTES', 0x60);
    },
  ],
  [
    'SS_DPL_REAL',
    'real',
    (g) => {
      or(g, 'GUEST_SS_AR_BYTES', 0x60);
      or(g, 'GUEST_CS_AR_BYTES', 0x60);
    },
  ],
  ...rows(['DS', 'ES', 'FS', 'GS'], (n) => [`${n}_DPL`, 'restricted', (g) => or(g, `GUEST_${n}_SELECTOR`, 3)]),
  ...rows(SEGMENTS, (n) => [`${n}_P`, 'long', (g) => and(g, `GUEST_${n}_AR_BYTES`, ~0x80)]),
  ...rows(SEGMENTS, (n) => [`${n}_AR_RESERVED`, 'long', (g) => or(g, `GUEST_${n}_AR_BYTES`, 0x200)]),
  ['CS_DB', 'long', (g) => or(g, 'GUEST_CS_AR_BYTES', 0x4000)],
  ...rows(SEGMENTS, (n) => [`${n}_G`, 'long', (g) => and(g, `GUEST_${n}_LIMIT`, ~1)]),
  ['TR_TYPE', 'long', (g) => g.field('GUEST_TR_AR_BYTES', 0x83)],
  ['TR_S', 'long', (g) => or(g, 'GUEST_TR_AR_BYTES', 0x10)],
  ['TR_P', 'long', (g) => and(g, 'GUEST_TR_AR_BYTES', ~0x80)],
  ['TR_AR_RESERVED', 'long', (g) => or(g, 'GUEST_TR_AR_BYTES', 0x20000)],
  ['TR_G', 'long', (g) => or(g, 'GUEST_TR_AR_BYTES', 0x8000)],
  ['TR_UNUSABLE', 'long', (g) => or(g, 'GUEST_TR_AR_BYTES', UNUSABLE)],
  ['LDTR_TYPE', 'long', (g) => g.field('GUEST_LDTR_AR_BYTES', 0x83)],
  ['LDTR_S', 'long', (g) => g.field('GUEST_LDTR_AR_BYTES', 0x92)],
  ['LDTR_P', 'long', (g) => g.field('GUEST_LDTR_AR_BYTES', 0x02)],
  ['LDTR_AR_RESERVED', 'long', (g) => g.field('GUEST_LDTR_AR_BYTES', 0x182)],
  ['LDTR_G', 'long', (g) => g.field('GUEST_LDTR_AR_BYTES', 0x8082)],

  ['GDTR_BASE', 'long', (g) => g.field('GUEST_GDTR_BASE', NON_CANONICAL)],
  ['IDTR_BASE', 'long', (g) => g.field('GUEST_IDTR_BASE', NON_CANONICAL)],
  ['GDTR_LIMIT', 'long', (g) => g.field('GUEST_GDTR_LIMIT', 0x10000)],
  ['IDTR_LIMIT', 'long', (g) => g.field('GUEST_IDTR_LIMIT', 0x10000)],
  ['RIP', 'long', (g) => g.field('GUEST_RIP', 1n << 57n)],
  ['RIP', 'real', (g) => g.field('GUEST_RIP', 1n << 32n)],
  ['RFLAGS', 'long', (g) => g.field('GUEST_RFLAGS', 0)],
  ['RFLAGS', 'real', (g) => g.field('GUEST_RFLAGS', 0x8002)],
  ['RFLAGS_IF', 'long', (g) => inject(g, 0x20)],
  ['ACTIVITY', 'long', (g) => g.field('GUEST_ACTIVITY_STATE', 4)],
  ['ACTIVITY_DPL', 'restricted', (g) => g.user().field('GUEST_ACTIVITY_STATE', 1)],
  ['ACTIVITY_BLOCKING', 'long', (g) => g.field('GUEST_ACTIVITY_STATE', 2).field('GUEST_INTERRUPTIBILITY_INFO', 2)],
  [
    'ACTIVITY_EVENT',
    'long',
    (g) => {
      inject(g, 0x306);
      g.field('GUEST_ACTIVITY_STATE', 1);
    },
  ],
  [
    'ACTIVITY_EVENT',
    'long',
    (g) => {
      inject(g, 0x202);
      g.field('GUEST_ACTIVITY_STATE', 3);
    },
  ],
  ['INTERRUPTIBILITY_RESERVED', 'long', (g) => g.field('GUEST_INTERRUPTIBILITY_INFO', 0x10)],
  ['INTERRUPTIBILITY_BOTH', 'long', (g) => g.field('GUEST_INTERRUPTIBILITY_INFO', 3).field('GUEST_RFLAGS', 0x202)],
  ['INTERRUPTIBILITY_IF', 'long', (g) => g.field('GUEST_INTERRUPTIBILITY_INFO', 1)],
  [
    'INTERRUPTIBILITY_INTERRUPT',
    'long',
    (g) => {
      inject(g, 0x20);
      g.field('GUEST_INTERRUPTIBILITY_INFO', 1).field('GUEST_RFLAGS', 0x202);
    },
  ],
  [
    'INTERRUPTIBILITY_NMI',
    'long',
    (g) => {
      inject(g, 0x202);
      g.field('GUEST_INTERRUPTIBILITY_INFO', 2);
    },
  ],
  ['INTERRUPTIBILITY_SMI', 'long', (g) => g.field('GUEST_INTERRUPTIBILITY_INFO', 4)],
  [
    'INTERRUPTIBILITY_VIRTUAL_NMI',
    'long',
    (g) => {
      inject(g, 0x202);
      g.also('pin', ['NMI exiting', 'Virtual NMIs']).field('GUEST_INTERRUPTIBILITY_INFO', 8);
    },
  ],
  ['PENDING_DEBUG_RESERVED', 'long', (g) => g.field('GUEST_PENDING_DBG_EXCEPTIONS', 0x10)],
  ['PENDING_DEBUG_BS', 'long', (g) => g.field('GUEST_INTERRUPTIBILITY_INFO', 2).field('GUEST_RFLAGS', 0x102)],
  ['PENDING_DEBUG_BS', 'real', (g) => g.field('GUEST_ACTIVITY_STATE', 1).field('GUEST_PENDING_DBG_EXCEPTIONS', 0x4000)],
  ['LINK_POINTER_ADDRESS', 'long', (g) => g.field('VMCS_LINK_POINTER', 0x10)],
  ['LINK_POINTER_REVISION', 'long', (g) => g.field('VMCS_LINK_POINTER', 0x1000)],
  ...rows(['0', '1', '2', '3'], (n) => [`PDPTE${n}`, 'pae', (g) => g.field(`GUEST_PDPTR${n}`, 0x1003)]),
];

/** Rows that no VMCS can fail alone: the state that spoils them spoils another as well. */
const TOGETHER: [constant: string, others: string[], base: Base, spoil: (g: VmxGuest) => unknown][] = [
  // VM = 1 outside protected mode also puts the segments under the rules of virtual-8086 mode
  ['RFLAGS_VM', SEGMENTS.map((n) => `V86_${n}_AR`), 'real', (g) => or(g, 'GUEST_RFLAGS', 0x20000)],
];

const index = new Map(ENTRY_CHECKS.map((check) => [check.constant, check]));
const names = (constants: string[]) => constants.map((name) => index.get(`CHECK_${name}`)?.id ?? `no row ${name}`);

describe('VM-entry checks', () => {
  for (const base of ['long', 'restricted', 'v86', 'pae', 'real'] as const) {
    it(`accepts the valid ${base} guest`, () => {
      const g = guest(base);
      expect([g.entry(), g.failures().map((row) => row.id)]).toEqual([L.ENTER_OK, []]);
    });
  }

  for (const [constant, base, spoil] of ROWS) {
    it(`${constant} fails alone (${base})`, () => {
      const g = guest(base);
      spoil(g);
      const result = g.entry();
      expect(g.failures().map((row) => row.id)).toEqual(names([constant]));
      const row = index.get(`CHECK_${constant}`);
      if (row?.area === 'guest state') {
        expect(result).toBe(L.ENTER_FAILED);
        expect(g.number('VM_EXIT_REASON')).toBe(0x80000021);
        const qualification = constant.startsWith('PDPTE') ? 2 : constant.startsWith('LINK_POINTER') ? 4 : 0;
        expect(g.number('EXIT_QUALIFICATION')).toBe(qualification);
      } else {
        expect(result).toBe(L.ENTER_VMFAIL);
        expect(g.number('VM_INSTRUCTION_ERROR')).toBe(row?.area === 'host state' ? 8 : 7);
      }
    });
  }

  for (const [constant, others, base, spoil] of TOGETHER) {
    it(`${constant} fails with what it brings (${base})`, () => {
      const g = guest(base);
      spoil(g);
      g.entry();
      expect(
        g
          .failures()
          .map((row) => row.id)
          .sort(),
      ).toEqual(names([constant, ...others]).sort());
    });
  }

  it('has a test for each row', () => {
    const tested = new Set([...ROWS.map((row) => `CHECK_${row[0]}`), ...TOGETHER.map((row) => `CHECK_${row[0]}`)]);
    expect(ENTRY_CHECKS.map((row) => row.constant).filter((name) => !tested.has(name))).toEqual([]);
  });

  it('reports all failures, and controls before host and guest state', () => {
    const g = guest('long');
    g.field('CR3_TARGET_COUNT', 9).field('HOST_RIP', NON_CANONICAL).field('GUEST_RFLAGS', 0);
    expect(g.entry()).toBe(L.ENTER_VMFAIL);
    expect(g.number('VM_INSTRUCTION_ERROR')).toBe(7);
    expect(g.failures().map((row) => row.constant)).toEqual([
      'CHECK_CR3_TARGET_COUNT',
      'CHECK_HOST_RIP',
      'CHECK_RFLAGS',
    ]);
  });

  it('checks again what software changed since the last entry', () => {
    const g = guest('long');
    expect(g.exit('0fa2').reason).toBe('CPUID');
    g.field('GUEST_TR_AR_BYTES', 0x9b);
    expect(g.entry()).toBe(L.ENTER_FAILED);
    expect(g.failures().map((row) => row.constant)).toEqual(['CHECK_TR_S']);
    g.field('GUEST_TR_AR_BYTES', 0x8b);
    expect(g.entry()).toBe(L.ENTER_OK);
  });

  it('enters with RIP behind the last canonical address, which the fetch then refuses', () => {
    const g = guest('long');
    g.field('EXCEPTION_BITMAP', 1 << 13).field('GUEST_RIP', NON_CANONICAL_48);
    expect(g.entry()).toBe(L.ENTER_OK);
    expect(g.run(1)).toBe(L.RUN_VMEXIT);
    expect([g.number('VM_EXIT_REASON'), g.value('VM_EXIT_INTR_INFO'), g.value('GUEST_RIP')]).toEqual([
      0,
      0x80000b0dn,
      NON_CANONICAL_48,
    ]);
  });

  it('keeps the launch state: VMRESUME before VMLAUNCH is error 5, a second VMLAUNCH error 4', () => {
    const g = guest('long');
    expect(g.vmx.vmResume()).toBe(L.ENTER_VMFAIL);
    expect(g.number('VM_INSTRUCTION_ERROR')).toBe(5);
    expect(g.exit('0fa2').reason).toBe('CPUID');
    expect(g.vmx.vmLaunch()).toBe(L.ENTER_VMFAIL);
    expect(g.number('VM_INSTRUCTION_ERROR')).toBe(4);
    expect(g.vmx.vmResume()).toBe(L.ENTER_OK);
  });
});
