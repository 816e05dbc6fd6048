// The checks of VM entry, in SDM order. The id is the text of the error; the predicates stand in
// src/engine/core/vmx/entry-checks-*.ts under the constant of the row. Checks that only concern
// controls which this CPU does not have are covered by the rows on reserved control bits.

export type EntryCheckArea = 'control fields' | 'host state' | 'guest state';

export interface EntryCheck {
  /** The rule, as the error says it. */
  readonly id: string;
  readonly area: EntryCheckArea;
  readonly sdm: string;
  /** VMCS fields to look at. */
  readonly fields: readonly string[];
  /** Name of the row's number in the core. */
  readonly constant: string;
}

type Row = readonly [constant: string, id: string, fields: string];

const SEGMENTS = ['CS', 'SS', 'DS', 'ES', 'FS', 'GS'] as const;
const DATA = ['SS', 'DS', 'ES', 'FS', 'GS'] as const;

function each(names: readonly string[], row: (name: string) => Row): Row[] {
  return names.map(row);
}

const EXECUTION: readonly Row[] = [
  [
    'PIN_RESERVED',
    'reserved bits of the pin-based controls are set as IA32_VMX_PINBASED_CTLS allows',
    'PIN_BASED_VM_EXEC_CONTROL',
  ],
  [
    'CPU_RESERVED',
    'reserved bits of the primary processor-based controls are set as IA32_VMX_PROCBASED_CTLS allows',
    'CPU_BASED_VM_EXEC_CONTROL',
  ],
  ['CPU2_RESERVED', 'reserved bits of the secondary processor-based controls are 0', 'SECONDARY_VM_EXEC_CONTROL'],
  ['CR3_TARGET_COUNT', 'CR3-target count is not above 4', 'CR3_TARGET_COUNT'],
  ['IO_BITMAP_A', 'address of I/O bitmap A is page-aligned and within the physical-address width', 'IO_BITMAP_A'],
  ['IO_BITMAP_B', 'address of I/O bitmap B is page-aligned and within the physical-address width', 'IO_BITMAP_B'],
  ['MSR_BITMAP', 'address of the MSR bitmaps is page-aligned and within the physical-address width', 'MSR_BITMAP'],
  [
    'VIRTUAL_APIC',
    'virtual-APIC address is page-aligned and within the physical-address width',
    'VIRTUAL_APIC_PAGE_ADDR',
  ],
  ['TPR_THRESHOLD_BITS', 'bits 31:4 of the TPR threshold are 0', 'TPR_THRESHOLD'],
  ['TPR_THRESHOLD_VTPR', 'TPR threshold is not above bits 7:4 of VTPR', 'TPR_THRESHOLD VIRTUAL_APIC_PAGE_ADDR'],
  ['VIRTUAL_NMIS', '"virtual NMIs" is 0 if "NMI exiting" is 0', 'PIN_BASED_VM_EXEC_CONTROL'],
  [
    'NMI_WINDOW',
    '"NMI-window exiting" is 0 if "virtual NMIs" is 0',
    'PIN_BASED_VM_EXEC_CONTROL CPU_BASED_VM_EXEC_CONTROL',
  ],
  ['APIC_ACCESS', 'APIC-access address is page-aligned and within the physical-address width', 'APIC_ACCESS_ADDR'],
  ['VPID', 'VPID is not 0 if "enable VPID" is 1', 'VIRTUAL_PROCESSOR_ID'],
  ['EPTP_TYPE', 'EPT memory type is 0 (UC) or 6 (WB)', 'EPT_POINTER'],
  ['EPTP_WALK', 'EPT page-walk length is 4 (bits 5:3 of the EPTP are 3)', 'EPT_POINTER'],
  ['EPTP_RESERVED', 'reserved bits of the EPTP are 0', 'EPT_POINTER'],
  ['UNRESTRICTED', '"enable EPT" is 1 if "unrestricted guest" is 1', 'SECONDARY_VM_EXEC_CONTROL'],
  ['VM_FUNCTION_RESERVED', 'reserved bits of the VM-function controls are 0', 'VM_FUNCTION_CONTROL'],
  ['EPTP_SWITCHING', '"enable EPT" is 1 if "EPTP switching" is 1', 'VM_FUNCTION_CONTROL SECONDARY_VM_EXEC_CONTROL'],
  ['EPTP_LIST', 'EPTP-list address is page-aligned and within the physical-address width', 'EPTP_LIST_ADDRESS'],
];

const EXIT: readonly Row[] = [
  ['EXIT_RESERVED', 'reserved bits of the VM-exit controls are set as IA32_VMX_EXIT_CTLS allows', 'VM_EXIT_CONTROLS'],
  [
    'SAVE_TIMER',
    '"save VMX-preemption timer value" is 0 if "activate VMX-preemption timer" is 0',
    'VM_EXIT_CONTROLS PIN_BASED_VM_EXEC_CONTROL',
  ],
  [
    'EXIT_MSR_STORE',
    'VM-exit MSR-store area is 16-byte aligned and within the physical-address width',
    'VM_EXIT_MSR_STORE_ADDR VM_EXIT_MSR_STORE_COUNT',
  ],
  [
    'EXIT_MSR_LOAD',
    'VM-exit MSR-load area is 16-byte aligned and within the physical-address width',
    'VM_EXIT_MSR_LOAD_ADDR VM_EXIT_MSR_LOAD_COUNT',
  ],
];

const ENTRY: readonly Row[] = [
  [
    'ENTRY_RESERVED',
    'reserved bits of the VM-entry controls are set as IA32_VMX_ENTRY_CTLS allows',
    'VM_ENTRY_CONTROLS',
  ],
  ['INJECT_TYPE', 'interruption type of the injected event is not 1 (reserved)', 'VM_ENTRY_INTR_INFO'],
  [
    'INJECT_VECTOR',
    'vector of the injected event fits its type (NMI: 2, hardware exception: at most 31, other event: 0)',
    'VM_ENTRY_INTR_INFO',
  ],
  [
    'INJECT_ERROR_BIT',
    '"deliver error code" is 1 exactly for hardware exceptions that have one, in protected mode',
    'VM_ENTRY_INTR_INFO GUEST_CR0',
  ],
  ['INJECT_RESERVED', 'bits 30:12 of the VM-entry interruption information are 0', 'VM_ENTRY_INTR_INFO'],
  ['INJECT_ERROR_CODE', 'bits 31:16 of the VM-entry exception error code are 0', 'VM_ENTRY_EXCEPTION_ERROR_CODE'],
  ['INJECT_LENGTH', 'VM-entry instruction length of a software event is not above 15', 'VM_ENTRY_INSTRUCTION_LEN'],
  [
    'ENTRY_MSR_LOAD',
    'VM-entry MSR-load area is 16-byte aligned and within the physical-address width',
    'VM_ENTRY_MSR_LOAD_ADDR VM_ENTRY_MSR_LOAD_COUNT',
  ],
];

const HOST_REGISTERS: readonly Row[] = [
  ['HOST_CR0', 'host CR0 has the bits that VMX operation fixes', 'HOST_CR0'],
  ['HOST_CR4', 'host CR4 has the bits that VMX operation fixes', 'HOST_CR4'],
  ['HOST_CR3', 'host CR3 is within the physical-address width', 'HOST_CR3'],
  ['HOST_SYSENTER_ESP', 'host IA32_SYSENTER_ESP is canonical', 'HOST_IA32_SYSENTER_ESP'],
  ['HOST_SYSENTER_EIP', 'host IA32_SYSENTER_EIP is canonical', 'HOST_IA32_SYSENTER_EIP'],
  ['HOST_PAT', 'each byte of host IA32_PAT is a memory type (0, 1, 4, 5, 6 or 7)', 'HOST_IA32_PAT'],
  [
    'HOST_EFER',
    'reserved bits of host IA32_EFER are 0, LMA and LME equal "host address-space size"',
    'HOST_IA32_EFER VM_EXIT_CONTROLS',
  ],
];

const HOST_SEGMENTS: readonly Row[] = [
  ...each(['CS', 'SS', 'DS', 'ES', 'FS', 'GS', 'TR'], (name) => [
    `HOST_${name}_RPL`,
    `RPL and TI of the host ${name} selector are 0`,
    `HOST_${name}_SELECTOR`,
  ]),
  ['HOST_CS_NULL', 'host CS selector is not 0', 'HOST_CS_SELECTOR'],
  ['HOST_TR_NULL', 'host TR selector is not 0', 'HOST_TR_SELECTOR'],
  ...each(['FS', 'GS', 'GDTR', 'IDTR', 'TR'], (name) => [
    `HOST_${name}_BASE`,
    `host ${name} base is canonical`,
    `HOST_${name}_BASE`,
  ]),
];

const HOST_SPACE: readonly Row[] = [
  ['HOST_SPACE', '"host address-space size" is 1, as the host is in IA-32e mode', 'VM_EXIT_CONTROLS'],
  ['HOST_PAE', 'host CR4.PAE is 1 if "host address-space size" is 1', 'HOST_CR4 VM_EXIT_CONTROLS'],
  ['HOST_RIP', 'host RIP is canonical', 'HOST_RIP'],
];

const GUEST_REGISTERS: readonly Row[] = [
  ['GUEST_CR0', 'guest CR0 has the bits that VMX operation fixes', 'GUEST_CR0'],
  ['GUEST_PG_PE', 'guest CR0.PE is 1 if CR0.PG is 1', 'GUEST_CR0'],
  ['GUEST_CR4', 'guest CR4 has the bits that VMX operation fixes', 'GUEST_CR4'],
  ['GUEST_DEBUGCTL', 'reserved bits of guest IA32_DEBUGCTL are 0', 'GUEST_IA32_DEBUGCTL'],
  ['GUEST_IA32E_PG', 'guest CR0.PG is 1 if "IA-32e mode guest" is 1', 'GUEST_CR0 VM_ENTRY_CONTROLS'],
  ['GUEST_IA32E_PAE', 'guest CR4.PAE is 1 if "IA-32e mode guest" is 1', 'GUEST_CR4 VM_ENTRY_CONTROLS'],
  ['GUEST_PCIDE', 'guest CR4.PCIDE is 0 if "IA-32e mode guest" is 0', 'GUEST_CR4 VM_ENTRY_CONTROLS'],
  ['GUEST_CR3', 'guest CR3 is within the physical-address width', 'GUEST_CR3'],
  ['GUEST_DR7', 'bits 63:32 of guest DR7 are 0', 'GUEST_DR7'],
  ['GUEST_SYSENTER_ESP', 'guest IA32_SYSENTER_ESP is canonical', 'GUEST_SYSENTER_ESP'],
  ['GUEST_SYSENTER_EIP', 'guest IA32_SYSENTER_EIP is canonical', 'GUEST_SYSENTER_EIP'],
  ['GUEST_PAT', 'each byte of guest IA32_PAT is a memory type (0, 1, 4, 5, 6 or 7)', 'GUEST_IA32_PAT'],
  ['GUEST_EFER_RESERVED', 'reserved bits of guest IA32_EFER are 0', 'GUEST_IA32_EFER'],
  ['GUEST_EFER_LMA', 'guest IA32_EFER.LMA equals "IA-32e mode guest"', 'GUEST_IA32_EFER VM_ENTRY_CONTROLS'],
  ['GUEST_EFER_LME', 'guest IA32_EFER.LME equals LMA if CR0.PG is 1', 'GUEST_IA32_EFER GUEST_CR0'],
];

const GUEST_SEGMENTS: readonly Row[] = [
  ['TR_TI', 'TI of the guest TR selector is 0', 'GUEST_TR_SELECTOR'],
  ['LDTR_TI', 'TI of the guest LDTR selector is 0 if LDTR is usable', 'GUEST_LDTR_SELECTOR'],
  ['SS_RPL', 'RPL of the guest SS selector equals that of CS', 'GUEST_SS_SELECTOR GUEST_CS_SELECTOR'],
  ...each(SEGMENTS, (name) => [
    `V86_${name}_BASE`,
    `guest ${name} base is its selector shifted left by 4 in virtual-8086 mode`,
    `GUEST_${name}_BASE GUEST_${name}_SELECTOR`,
  ]),
  ...each(['TR', 'FS', 'GS'], (name) => [`${name}_BASE`, `guest ${name} base is canonical`, `GUEST_${name}_BASE`]),
  ['LDTR_BASE', 'guest LDTR base is canonical if LDTR is usable', 'GUEST_LDTR_BASE'],
  ['CS_BASE', 'bits 63:32 of the guest CS base are 0', 'GUEST_CS_BASE'],
  ...each(['SS', 'DS', 'ES'], (name) => [
    `${name}_BASE`,
    `bits 63:32 of the guest ${name} base are 0 if ${name} is usable`,
    `GUEST_${name}_BASE`,
  ]),
  ...each(SEGMENTS, (name) => [
    `V86_${name}_LIMIT`,
    `guest ${name} limit is 0000FFFFH in virtual-8086 mode`,
    `GUEST_${name}_LIMIT`,
  ]),
  ...each(SEGMENTS, (name) => [
    `V86_${name}_AR`,
    `guest ${name} access rights are 000000F3H in virtual-8086 mode`,
    `GUEST_${name}_AR_BYTES`,
  ]),
  ['CS_TYPE', 'guest CS type is 9, 11, 13 or 15 (or 3 with "unrestricted guest")', 'GUEST_CS_AR_BYTES'],
  ['SS_TYPE', 'guest SS type is 3 or 7 if SS is usable', 'GUEST_SS_AR_BYTES'],
  ...each(['DS', 'ES', 'FS', 'GS'], (name) => [
    `${name}_TYPE`,
    `guest ${name} is accessed, and readable if it is a code segment, if ${name} is usable`,
    `GUEST_${name}_AR_BYTES`,
  ]),
  ['CS_S', 'guest CS is a code or data segment (S = 1)', 'GUEST_CS_AR_BYTES'],
  ...each(DATA, (name) => [
    `${name}_S`,
    `guest ${name} is a code or data segment (S = 1) if usable`,
    `GUEST_${name}_AR_BYTES`,
  ]),
  ['CS_DPL_DATA', 'guest CS DPL is 0 if its type is 3', 'GUEST_CS_AR_BYTES'],
  ['CS_DPL', 'guest CS DPL equals that of SS if CS is non-conforming', 'GUEST_CS_AR_BYTES GUEST_SS_AR_BYTES'],
  [
    'CS_DPL_CONFORMING',
    'guest CS DPL is not above that of SS if CS is conforming',
    'GUEST_CS_AR_BYTES GUEST_SS_AR_BYTES',
  ],
  ['SS_DPL_RPL', 'guest SS DPL equals its RPL', 'GUEST_SS_AR_BYTES GUEST_SS_SELECTOR'],
  ['SS_DPL_REAL', 'guest SS DPL is 0 if the type of CS is 3 or CR0.PE is 0', 'GUEST_SS_AR_BYTES GUEST_CR0'],
  ...each(['DS', 'ES', 'FS', 'GS'], (name) => [
    `${name}_DPL`,
    `guest ${name} DPL is not below its RPL if ${name} is usable data or non-conforming code`,
    `GUEST_${name}_AR_BYTES GUEST_${name}_SELECTOR`,
  ]),
  ['CS_P', 'guest CS is present', 'GUEST_CS_AR_BYTES'],
  ...each(DATA, (name) => [`${name}_P`, `guest ${name} is present if usable`, `GUEST_${name}_AR_BYTES`]),
  ['CS_AR_RESERVED', 'bits 11:8 and 31:17 of the guest CS access rights are 0', 'GUEST_CS_AR_BYTES'],
  ...each(DATA, (name) => [
    `${name}_AR_RESERVED`,
    `bits 11:8 and 31:17 of the guest ${name} access rights are 0 if usable`,
    `GUEST_${name}_AR_BYTES`,
  ]),
  ['CS_DB', 'guest CS.D is 0 if CS.L is 1 in IA-32e mode', 'GUEST_CS_AR_BYTES'],
  ['CS_G', 'granularity of guest CS fits its limit', 'GUEST_CS_AR_BYTES GUEST_CS_LIMIT'],
  ...each(DATA, (name) => [
    `${name}_G`,
    `granularity of guest ${name} fits its limit if usable`,
    `GUEST_${name}_AR_BYTES GUEST_${name}_LIMIT`,
  ]),
  ['TR_TYPE', 'guest TR type is 11 (or 3 outside IA-32e mode)', 'GUEST_TR_AR_BYTES'],
  ['TR_S', 'guest TR is a system segment (S = 0)', 'GUEST_TR_AR_BYTES'],
  ['TR_P', 'guest TR is present', 'GUEST_TR_AR_BYTES'],
  ['TR_AR_RESERVED', 'bits 11:8 and 31:17 of the guest TR access rights are 0', 'GUEST_TR_AR_BYTES'],
  ['TR_G', 'granularity of guest TR fits its limit', 'GUEST_TR_AR_BYTES GUEST_TR_LIMIT'],
  ['TR_UNUSABLE', 'guest TR is usable', 'GUEST_TR_AR_BYTES'],
  ['LDTR_TYPE', 'guest LDTR type is 2 if usable', 'GUEST_LDTR_AR_BYTES'],
  ['LDTR_S', 'guest LDTR is a system segment (S = 0) if usable', 'GUEST_LDTR_AR_BYTES'],
  ['LDTR_P', 'guest LDTR is present if usable', 'GUEST_LDTR_AR_BYTES'],
  ['LDTR_AR_RESERVED', 'bits 11:8 and 31:17 of the guest LDTR access rights are 0 if usable', 'GUEST_LDTR_AR_BYTES'],
  ['LDTR_G', 'granularity of guest LDTR fits its limit if usable', 'GUEST_LDTR_AR_BYTES GUEST_LDTR_LIMIT'],
];

const GUEST_TABLES: readonly Row[] = [
  ['GDTR_BASE', 'guest GDTR base is canonical', 'GUEST_GDTR_BASE'],
  ['IDTR_BASE', 'guest IDTR base is canonical', 'GUEST_IDTR_BASE'],
  ['GDTR_LIMIT', 'bits 31:16 of the guest GDTR limit are 0', 'GUEST_GDTR_LIMIT'],
  ['IDTR_LIMIT', 'bits 31:16 of the guest IDTR limit are 0', 'GUEST_IDTR_LIMIT'],
];

const GUEST_RIP: readonly Row[] = [
  [
    'RIP',
    'bits 63:57 of guest RIP are the same in 64-bit mode, and bits 63:32 are 0 outside it',
    'GUEST_RIP GUEST_CS_AR_BYTES VM_ENTRY_CONTROLS',
  ],
  ['RFLAGS', 'reserved bits of guest RFLAGS are 0 and bit 1 is 1', 'GUEST_RFLAGS'],
  ['RFLAGS_VM', 'guest RFLAGS.VM is 0 in IA-32e mode and if CR0.PE is 0', 'GUEST_RFLAGS GUEST_CR0 VM_ENTRY_CONTROLS'],
  ['RFLAGS_IF', 'guest RFLAGS.IF is 1 if an external interrupt is injected', 'GUEST_RFLAGS VM_ENTRY_INTR_INFO'],
];

const GUEST_STATE: readonly Row[] = [
  ['ACTIVITY', 'guest activity state is 0 to 3', 'GUEST_ACTIVITY_STATE'],
  ['ACTIVITY_DPL', 'guest activity state is not HLT if SS DPL is not 0', 'GUEST_ACTIVITY_STATE GUEST_SS_AR_BYTES'],
  [
    'ACTIVITY_BLOCKING',
    'guest activity state is active if STI or MOV SS blocks',
    'GUEST_ACTIVITY_STATE GUEST_INTERRUPTIBILITY_INFO',
  ],
  ['ACTIVITY_EVENT', 'guest activity state admits the injected event', 'GUEST_ACTIVITY_STATE VM_ENTRY_INTR_INFO'],
  ['INTERRUPTIBILITY_RESERVED', 'bits 31:4 of the guest interruptibility state are 0', 'GUEST_INTERRUPTIBILITY_INFO'],
  ['INTERRUPTIBILITY_BOTH', 'STI and MOV SS do not both block', 'GUEST_INTERRUPTIBILITY_INFO'],
  ['INTERRUPTIBILITY_IF', 'STI does not block if RFLAGS.IF is 0', 'GUEST_INTERRUPTIBILITY_INFO GUEST_RFLAGS'],
  [
    'INTERRUPTIBILITY_INTERRUPT',
    'neither STI nor MOV SS blocks if an external interrupt is injected',
    'GUEST_INTERRUPTIBILITY_INFO VM_ENTRY_INTR_INFO',
  ],
  [
    'INTERRUPTIBILITY_NMI',
    'MOV SS does not block if an NMI is injected',
    'GUEST_INTERRUPTIBILITY_INFO VM_ENTRY_INTR_INFO',
  ],
  ['INTERRUPTIBILITY_SMI', 'blocking by SMI is 0 outside SMM', 'GUEST_INTERRUPTIBILITY_INFO'],
  [
    'INTERRUPTIBILITY_VIRTUAL_NMI',
    'blocking by NMI is 0 if "virtual NMIs" is 1 and an NMI is injected',
    'GUEST_INTERRUPTIBILITY_INFO VM_ENTRY_INTR_INFO',
  ],
  ['PENDING_DEBUG_RESERVED', 'reserved bits of the pending debug exceptions are 0', 'GUEST_PENDING_DBG_EXCEPTIONS'],
  [
    'PENDING_DEBUG_BS',
    'pending debug exception BS agrees with RFLAGS.TF and IA32_DEBUGCTL.BTF if blocked or halted',
    'GUEST_PENDING_DBG_EXCEPTIONS GUEST_RFLAGS GUEST_IA32_DEBUGCTL',
  ],
  [
    'LINK_POINTER_ADDRESS',
    'VMCS link pointer is all ones, or page-aligned and within the physical-address width',
    'VMCS_LINK_POINTER',
  ],
  ['LINK_POINTER_REVISION', 'VMCS link pointer leads to another VMCS of this revision', 'VMCS_LINK_POINTER'],
];

const GUEST_PDPTES: readonly Row[] = each(['0', '1', '2', '3'], (n) => [
  `PDPTE${n}`,
  `reserved bits of guest PDPTE${n} are 0 if it is present, with PAE paging`,
  `GUEST_PDPTR${n} GUEST_CR3`,
]);

function section(area: EntryCheckArea, sdm: string, rows: readonly Row[]): EntryCheck[] {
  return rows.map(([constant, id, fields]) => ({
    id,
    area,
    sdm,
    fields: fields.split(' '),
    constant: `CHECK_${constant}`,
  }));
}

/** All checks; the index of a row is its bit in the core's ENTRY_FAILURES. */
export const ENTRY_CHECKS: readonly EntryCheck[] = [
  ...section('control fields', '3C 26.2.1.1 "VM-Execution Control Fields"', EXECUTION),
  ...section('control fields', '3C 26.2.1.2 "VM-Exit Control Fields"', EXIT),
  ...section('control fields', '3C 26.2.1.3 "VM-Entry Control Fields"', ENTRY),
  ...section('host state', '3C 26.2.2 "Checks on Host Control Registers, MSRs, and SSP"', HOST_REGISTERS),
  ...section('host state', '3C 26.2.3 "Checks on Host Segment and Descriptor-Table Registers"', HOST_SEGMENTS),
  ...section('host state', '3C 26.2.4 "Checks Related to Address-Space Size"', HOST_SPACE),
  ...section(
    'guest state',
    '3C 26.3.1.1 "Checks on Guest Control Registers, Debug Registers, and MSRs"',
    GUEST_REGISTERS,
  ),
  ...section('guest state', '3C 26.3.1.2 "Checks on Guest Segment Registers"', GUEST_SEGMENTS),
  ...section('guest state', '3C 26.3.1.3 "Checks on Guest Descriptor-Table Registers"', GUEST_TABLES),
  ...section('guest state', '3C 26.3.1.4 "Checks on Guest RIP, RFLAGS, and SSP"', GUEST_RIP),
  ...section('guest state', '3C 26.3.1.5 "Checks on Guest Non-Register State"', GUEST_STATE),
  ...section('guest state', '3C 26.3.1.6 "Checks on Guest Page-Directory-Pointer-Table Entries"', GUEST_PDPTES),
];

/** The rows whose bits are set in the 32 bytes of ENTRY_FAILURES. */
export function failedChecks(bitmap: Uint8Array): EntryCheck[] {
  return ENTRY_CHECKS.filter((_, i) => ((bitmap[i >> 3] >> (i & 7)) & 1) === 1);
}
