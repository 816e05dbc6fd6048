// Every field of the VMCS, in the order of SDM appendix B. The encoding holds width, type and
// index of a field; the names are the short ones that hypervisor sources share.

export type VmcsWidth = 16 | 64 | 32 | 'natural';
export type VmcsType = 'control' | 'read-only' | 'guest' | 'host';

/** Group of fields in the VMCS view. */
export type VmcsArea =
  | 'guest registers'
  | 'guest segments'
  | 'guest MSRs'
  | 'guest non-register state'
  | 'host state'
  | 'execution controls'
  | 'exit controls'
  | 'entry controls'
  | 'exit information';

/** Name of the table that tells a field's bits (see decode.ts of the views): undefined = a plain number or address. */
export type VmcsDecoder =
  | 'pin-controls'
  | 'primary-controls'
  | 'secondary-controls'
  | 'tertiary-controls'
  | 'exit-controls'
  | 'secondary-exit-controls'
  | 'entry-controls'
  | 'exception-bitmap'
  | 'exit-reason'
  | 'exit-qualification'
  | 'interruption-info'
  | 'instruction-info'
  | 'instruction-error'
  | 'access-rights'
  | 'selector'
  | 'cr0'
  | 'cr3'
  | 'cr4'
  | 'dr7'
  | 'efer'
  | 'pat'
  | 'rflags'
  | 'debugctl'
  | 'interruptibility'
  | 'activity'
  | 'pending-debug'
  | 'eptp'
  | 'vm-functions'
  | 'page-fault-error';

export interface VmcsField {
  /** 32-bit encoding that VMREAD and VMWRITE take ("full" access). */
  readonly encoding: number;
  readonly name: string;
  /** Name as the SDM prints it. */
  readonly title: string;
  readonly width: VmcsWidth;
  readonly type: VmcsType;
  readonly area: VmcsArea;
  readonly decoder?: VmcsDecoder;
  /** Byte offset of the field's 8-byte slot in a VMCS region of this CPU. */
  readonly offset: number;
}

/** Bytes before the first field: revision identifier, abort indicator, launch state. */
export const VMCS_HEADER_BYTES = 16;
export const VMCS_REVISION_ID = 0x564d5301;

type Row = readonly [encoding: number, name: string, title: string, area: VmcsArea, decoder?: VmcsDecoder];

const X = 'execution controls';
const XC = 'exit controls';
const EC = 'entry controls';
const XI = 'exit information';
const GR = 'guest registers';
const GS = 'guest segments';
const GM = 'guest MSRs';
const GN = 'guest non-register state';
const H = 'host state';

const ROWS: readonly Row[] = [
  // B.1.1 16-bit control fields
  [0x0000, 'VIRTUAL_PROCESSOR_ID', 'Virtual-processor identifier (VPID)', X],
  [0x0002, 'POSTED_INTR_NV', 'Posted-interrupt notification vector', X],
  [0x0004, 'EPTP_INDEX', 'EPTP index', X],
  [0x0006, 'HLAT_PREFIX_SIZE', 'HLAT prefix size', X],
  [0x0008, 'LAST_PID_POINTER_INDEX', 'Last PID-pointer index', X],
  // B.1.2 16-bit guest-state fields
  [0x0800, 'GUEST_ES_SELECTOR', 'Guest ES selector', GS, 'selector'],
  [0x0802, 'GUEST_CS_SELECTOR', 'Guest CS selector', GS, 'selector'],
  [0x0804, 'GUEST_SS_SELECTOR', 'Guest SS selector', GS, 'selector'],
  [0x0806, 'GUEST_DS_SELECTOR', 'Guest DS selector', GS, 'selector'],
  [0x0808, 'GUEST_FS_SELECTOR', 'Guest FS selector', GS, 'selector'],
  [0x080a, 'GUEST_GS_SELECTOR', 'Guest GS selector', GS, 'selector'],
  [0x080c, 'GUEST_LDTR_SELECTOR', 'Guest LDTR selector', GS, 'selector'],
  [0x080e, 'GUEST_TR_SELECTOR', 'Guest TR selector', GS, 'selector'],
  [0x0810, 'GUEST_INTR_STATUS', 'Guest interrupt status', GN],
  [0x0812, 'GUEST_PML_INDEX', 'PML index', GN],
  [0x0814, 'GUEST_UINV', 'Guest UINV', GN],
  // B.1.3 16-bit host-state fields
  [0x0c00, 'HOST_ES_SELECTOR', 'Host ES selector', H, 'selector'],
  [0x0c02, 'HOST_CS_SELECTOR', 'Host CS selector', H, 'selector'],
  [0x0c04, 'HOST_SS_SELECTOR', 'Host SS selector', H, 'selector'],
  [0x0c06, 'HOST_DS_SELECTOR', 'Host DS selector', H, 'selector'],
  [0x0c08, 'HOST_FS_SELECTOR', 'Host FS selector', H, 'selector'],
  [0x0c0a, 'HOST_GS_SELECTOR', 'Host GS selector', H, 'selector'],
  [0x0c0c, 'HOST_TR_SELECTOR', 'Host TR selector', H, 'selector'],
  // B.2.1 64-bit control fields
  [0x2000, 'IO_BITMAP_A', 'Address of I/O bitmap A', X],
  [0x2002, 'IO_BITMAP_B', 'Address of I/O bitmap B', X],
  [0x2004, 'MSR_BITMAP', 'Address of MSR bitmaps', X],
  [0x2006, 'VM_EXIT_MSR_STORE_ADDR', 'VM-exit MSR-store address', XC],
  [0x2008, 'VM_EXIT_MSR_LOAD_ADDR', 'VM-exit MSR-load address', XC],
  [0x200a, 'VM_ENTRY_MSR_LOAD_ADDR', 'VM-entry MSR-load address', EC],
  [0x200c, 'EXECUTIVE_VMCS_POINTER', 'Executive-VMCS pointer', X],
  [0x200e, 'PML_ADDRESS', 'PML address', X],
  [0x2010, 'TSC_OFFSET', 'TSC offset', X],
  [0x2012, 'VIRTUAL_APIC_PAGE_ADDR', 'Virtual-APIC address', X],
  [0x2014, 'APIC_ACCESS_ADDR', 'APIC-access address', X],
  [0x2016, 'POSTED_INTR_DESC_ADDR', 'Posted-interrupt descriptor address', X],
  [0x2018, 'VM_FUNCTION_CONTROL', 'VM-function controls', X, 'vm-functions'],
  [0x201a, 'EPT_POINTER', 'EPT pointer (EPTP)', X, 'eptp'],
  [0x201c, 'EOI_EXIT_BITMAP0', 'EOI-exit bitmap 0 (EOI_EXIT0)', X],
  [0x201e, 'EOI_EXIT_BITMAP1', 'EOI-exit bitmap 1 (EOI_EXIT1)', X],
  [0x2020, 'EOI_EXIT_BITMAP2', 'EOI-exit bitmap 2 (EOI_EXIT2)', X],
  [0x2022, 'EOI_EXIT_BITMAP3', 'EOI-exit bitmap 3 (EOI_EXIT3)', X],
  [0x2024, 'EPTP_LIST_ADDRESS', 'EPTP-list address', X],
  [0x2026, 'VMREAD_BITMAP', 'VMREAD-bitmap address', X],
  [0x2028, 'VMWRITE_BITMAP', 'VMWRITE-bitmap address', X],
  [0x202a, 'VIRT_EXCEPTION_INFO_ADDR', 'Virtualization-exception information address', X],
  [0x202c, 'XSS_EXIT_BITMAP', 'XSS-exiting bitmap', X],
  [0x202e, 'ENCLS_EXITING_BITMAP', 'ENCLS-exiting bitmap', X],
  [0x2030, 'SUB_PAGE_PERMISSION_TABLE_POINTER', 'Sub-page-permission-table pointer', X],
  [0x2032, 'TSC_MULTIPLIER', 'TSC multiplier', X],
  [0x2034, 'TERTIARY_VM_EXEC_CONTROL', 'Tertiary processor-based VM-execution controls', X, 'tertiary-controls'],
  [0x2036, 'ENCLV_EXITING_BITMAP', 'ENCLV-exiting bitmap', X],
  [0x2038, 'LOW_PASID_DIRECTORY', 'Low PASID directory address', X],
  [0x203a, 'HIGH_PASID_DIRECTORY', 'High PASID directory address', X],
  [0x203c, 'SHARED_EPT_POINTER', 'Shared EPT pointer', X, 'eptp'],
  [0x203e, 'PCONFIG_EXITING_BITMAP', 'PCONFIG-exiting bitmap', X],
  [0x2040, 'HLAT_POINTER', 'Hypervisor-managed linear-address translation pointer', X],
  [0x2042, 'PID_POINTER_TABLE', 'PID-pointer table address', X],
  [0x2044, 'SECONDARY_VM_EXIT_CONTROLS', 'Secondary VM-exit controls', XC, 'secondary-exit-controls'],
  [0x204a, 'IA32_SPEC_CTRL_MASK', 'IA32_SPEC_CTRL mask', X],
  [0x204c, 'IA32_SPEC_CTRL_SHADOW', 'IA32_SPEC_CTRL shadow', X],
  [0x2052, 'INJECTED_EVENT_DATA', 'Injected-event data', EC],
  // B.2.2 64-bit read-only data fields
  [0x2400, 'GUEST_PHYSICAL_ADDRESS', 'Guest-physical address', XI],
  [0x2404, 'ORIGINAL_EVENT_DATA', 'Original-event data', XI],
  // B.2.3 64-bit guest-state fields
  [0x2800, 'VMCS_LINK_POINTER', 'VMCS link pointer', GN],
  [0x2802, 'GUEST_IA32_DEBUGCTL', 'Guest IA32_DEBUGCTL', GM, 'debugctl'],
  [0x2804, 'GUEST_IA32_PAT', 'Guest IA32_PAT', GM, 'pat'],
  [0x2806, 'GUEST_IA32_EFER', 'Guest IA32_EFER', GM, 'efer'],
  [0x2808, 'GUEST_IA32_PERF_GLOBAL_CTRL', 'Guest IA32_PERF_GLOBAL_CTRL', GM],
  [0x280a, 'GUEST_PDPTR0', 'Guest PDPTE0', GN],
  [0x280c, 'GUEST_PDPTR1', 'Guest PDPTE1', GN],
  [0x280e, 'GUEST_PDPTR2', 'Guest PDPTE2', GN],
  [0x2810, 'GUEST_PDPTR3', 'Guest PDPTE3', GN],
  [0x2812, 'GUEST_BNDCFGS', 'Guest IA32_BNDCFGS', GM],
  [0x2814, 'GUEST_IA32_RTIT_CTL', 'Guest IA32_RTIT_CTL', GM],
  [0x2816, 'GUEST_IA32_LBR_CTL', 'Guest IA32_LBR_CTL', GM],
  [0x2818, 'GUEST_IA32_PKRS', 'Guest IA32_PKRS', GM],
  [0x281a, 'GUEST_IA32_FRED_CONFIG', 'Guest IA32_FRED_CONFIG', GM],
  [0x281c, 'GUEST_IA32_FRED_RSP1', 'Guest IA32_FRED_RSP1', GM],
  [0x281e, 'GUEST_IA32_FRED_RSP2', 'Guest IA32_FRED_RSP2', GM],
  [0x2820, 'GUEST_IA32_FRED_RSP3', 'Guest IA32_FRED_RSP3', GM],
  [0x2822, 'GUEST_IA32_FRED_STKLVLS', 'Guest IA32_FRED_STKLVLS', GM],
  [0x2824, 'GUEST_IA32_FRED_SSP1', 'Guest IA32_FRED_SSP1', GM],
  [0x2826, 'GUEST_IA32_FRED_SSP2', 'Guest IA32_FRED_SSP2', GM],
  [0x2828, 'GUEST_IA32_FRED_SSP3', 'Guest IA32_FRED_SSP3', GM],
  // B.2.4 64-bit host-state fields
  [0x2c00, 'HOST_IA32_PAT', 'Host IA32_PAT', H, 'pat'],
  [0x2c02, 'HOST_IA32_EFER', 'Host IA32_EFER', H, 'efer'],
  [0x2c04, 'HOST_IA32_PERF_GLOBAL_CTRL', 'Host IA32_PERF_GLOBAL_CTRL', H],
  [0x2c06, 'HOST_IA32_PKRS', 'Host IA32_PKRS', H],
  [0x2c08, 'HOST_IA32_FRED_CONFIG', 'Host IA32_FRED_CONFIG', H],
  [0x2c0a, 'HOST_IA32_FRED_RSP1', 'Host IA32_FRED_RSP1', H],
  [0x2c0c, 'HOST_IA32_FRED_RSP2', 'Host IA32_FRED_RSP2', H],
  [0x2c0e, 'HOST_IA32_FRED_RSP3', 'Host IA32_FRED_RSP3', H],
  [0x2c10, 'HOST_IA32_FRED_STKLVLS', 'Host IA32_FRED_STKLVLS', H],
  [0x2c12, 'HOST_IA32_FRED_SSP1', 'Host IA32_FRED_SSP1', H],
  [0x2c14, 'HOST_IA32_FRED_SSP2', 'Host IA32_FRED_SSP2', H],
  [0x2c16, 'HOST_IA32_FRED_SSP3', 'Host IA32_FRED_SSP3', H],
  // B.3.1 32-bit control fields
  [0x4000, 'PIN_BASED_VM_EXEC_CONTROL', 'Pin-based VM-execution controls', X, 'pin-controls'],
  [0x4002, 'CPU_BASED_VM_EXEC_CONTROL', 'Primary processor-based VM-execution controls', X, 'primary-controls'],
  [0x4004, 'EXCEPTION_BITMAP', 'Exception bitmap', X, 'exception-bitmap'],
  [0x4006, 'PAGE_FAULT_ERROR_CODE_MASK', 'Page-fault error-code mask', X, 'page-fault-error'],
  [0x4008, 'PAGE_FAULT_ERROR_CODE_MATCH', 'Page-fault error-code match', X, 'page-fault-error'],
  [0x400a, 'CR3_TARGET_COUNT', 'CR3-target count', X],
  [0x400c, 'VM_EXIT_CONTROLS', 'Primary VM-exit controls', XC, 'exit-controls'],
  [0x400e, 'VM_EXIT_MSR_STORE_COUNT', 'VM-exit MSR-store count', XC],
  [0x4010, 'VM_EXIT_MSR_LOAD_COUNT', 'VM-exit MSR-load count', XC],
  [0x4012, 'VM_ENTRY_CONTROLS', 'VM-entry controls', EC, 'entry-controls'],
  [0x4014, 'VM_ENTRY_MSR_LOAD_COUNT', 'VM-entry MSR-load count', EC],
  [0x4016, 'VM_ENTRY_INTR_INFO', 'VM-entry interruption-information field', EC, 'interruption-info'],
  [0x4018, 'VM_ENTRY_EXCEPTION_ERROR_CODE', 'VM-entry exception error code', EC],
  [0x401a, 'VM_ENTRY_INSTRUCTION_LEN', 'VM-entry instruction length', EC],
  [0x401c, 'TPR_THRESHOLD', 'TPR threshold', X],
  [0x401e, 'SECONDARY_VM_EXEC_CONTROL', 'Secondary processor-based VM-execution controls', X, 'secondary-controls'],
  [0x4020, 'PLE_GAP', 'PLE_Gap', X],
  [0x4022, 'PLE_WINDOW', 'PLE_Window', X],
  [0x4024, 'NOTIFY_WINDOW', 'Instruction-timeout control', X],
  // B.3.2 32-bit read-only data fields
  [0x4400, 'VM_INSTRUCTION_ERROR', 'VM-instruction error', XI, 'instruction-error'],
  [0x4402, 'VM_EXIT_REASON', 'Exit reason', XI, 'exit-reason'],
  [0x4404, 'VM_EXIT_INTR_INFO', 'VM-exit interruption information', XI, 'interruption-info'],
  [0x4406, 'VM_EXIT_INTR_ERROR_CODE', 'VM-exit interruption error code', XI],
  [0x4408, 'IDT_VECTORING_INFO_FIELD', 'IDT-vectoring information field', XI, 'interruption-info'],
  [0x440a, 'IDT_VECTORING_ERROR_CODE', 'IDT-vectoring error code', XI],
  [0x440c, 'VM_EXIT_INSTRUCTION_LEN', 'VM-exit instruction length', XI],
  [0x440e, 'VMX_INSTRUCTION_INFO', 'VM-exit instruction information', XI, 'instruction-info'],
  // B.3.3 32-bit guest-state fields
  [0x4800, 'GUEST_ES_LIMIT', 'Guest ES limit', GS],
  [0x4802, 'GUEST_CS_LIMIT', 'Guest CS limit', GS],
  [0x4804, 'GUEST_SS_LIMIT', 'Guest SS limit', GS],
  [0x4806, 'GUEST_DS_LIMIT', 'Guest DS limit', GS],
  [0x4808, 'GUEST_FS_LIMIT', 'Guest FS limit', GS],
  [0x480a, 'GUEST_GS_LIMIT', 'Guest GS limit', GS],
  [0x480c, 'GUEST_LDTR_LIMIT', 'Guest LDTR limit', GS],
  [0x480e, 'GUEST_TR_LIMIT', 'Guest TR limit', GS],
  [0x4810, 'GUEST_GDTR_LIMIT', 'Guest GDTR limit', GS],
  [0x4812, 'GUEST_IDTR_LIMIT', 'Guest IDTR limit', GS],
  [0x4814, 'GUEST_ES_AR_BYTES', 'Guest ES access rights', GS, 'access-rights'],
  [0x4816, 'GUEST_CS_AR_BYTES', 'Guest CS access rights', GS, 'access-rights'],
  [0x4818, 'GUEST_SS_AR_BYTES', 'Guest SS access rights', GS, 'access-rights'],
  [0x481a, 'GUEST_DS_AR_BYTES', 'Guest DS access rights', GS, 'access-rights'],
  [0x481c, 'GUEST_FS_AR_BYTES', 'Guest FS access rights', GS, 'access-rights'],
  [0x481e, 'GUEST_GS_AR_BYTES', 'Guest GS access rights', GS, 'access-rights'],
  [0x4820, 'GUEST_LDTR_AR_BYTES', 'Guest LDTR access rights', GS, 'access-rights'],
  [0x4822, 'GUEST_TR_AR_BYTES', 'Guest TR access rights', GS, 'access-rights'],
  [0x4824, 'GUEST_INTERRUPTIBILITY_INFO', 'Guest interruptibility state', GN, 'interruptibility'],
  [0x4826, 'GUEST_ACTIVITY_STATE', 'Guest activity state', GN, 'activity'],
  [0x4828, 'GUEST_SMBASE', 'Guest SMBASE', GM],
  [0x482a, 'GUEST_SYSENTER_CS', 'Guest IA32_SYSENTER_CS', GM],
  [0x482e, 'VMX_PREEMPTION_TIMER_VALUE', 'VMX-preemption timer value', GN],
  // B.3.4 32-bit host-state field
  [0x4c00, 'HOST_IA32_SYSENTER_CS', 'Host IA32_SYSENTER_CS', H],
  // B.4.1 natural-width control fields
  [0x6000, 'CR0_GUEST_HOST_MASK', 'CR0 guest/host mask', X, 'cr0'],
  [0x6002, 'CR4_GUEST_HOST_MASK', 'CR4 guest/host mask', X, 'cr4'],
  [0x6004, 'CR0_READ_SHADOW', 'CR0 read shadow', X, 'cr0'],
  [0x6006, 'CR4_READ_SHADOW', 'CR4 read shadow', X, 'cr4'],
  [0x6008, 'CR3_TARGET_VALUE0', 'CR3-target value 0', X],
  [0x600a, 'CR3_TARGET_VALUE1', 'CR3-target value 1', X],
  [0x600c, 'CR3_TARGET_VALUE2', 'CR3-target value 2', X],
  [0x600e, 'CR3_TARGET_VALUE3', 'CR3-target value 3', X],
  // B.4.2 natural-width read-only data fields
  [0x6400, 'EXIT_QUALIFICATION', 'Exit qualification', XI, 'exit-qualification'],
  [0x6402, 'IO_RCX', 'I/O RCX', XI],
  [0x6404, 'IO_RSI', 'I/O RSI', XI],
  [0x6406, 'IO_RDI', 'I/O RDI', XI],
  [0x6408, 'IO_RIP', 'I/O RIP', XI],
  [0x640a, 'GUEST_LINEAR_ADDRESS', 'Guest-linear address', XI],
  // B.4.3 natural-width guest-state fields
  [0x6800, 'GUEST_CR0', 'Guest CR0', GR, 'cr0'],
  [0x6802, 'GUEST_CR3', 'Guest CR3', GR, 'cr3'],
  [0x6804, 'GUEST_CR4', 'Guest CR4', GR, 'cr4'],
  [0x6806, 'GUEST_ES_BASE', 'Guest ES base', GS],
  [0x6808, 'GUEST_CS_BASE', 'Guest CS base', GS],
  [0x680a, 'GUEST_SS_BASE', 'Guest SS base', GS],
  [0x680c, 'GUEST_DS_BASE', 'Guest DS base', GS],
  [0x680e, 'GUEST_FS_BASE', 'Guest FS base', GS],
  [0x6810, 'GUEST_GS_BASE', 'Guest GS base', GS],
  [0x6812, 'GUEST_LDTR_BASE', 'Guest LDTR base', GS],
  [0x6814, 'GUEST_TR_BASE', 'Guest TR base', GS],
  [0x6816, 'GUEST_GDTR_BASE', 'Guest GDTR base', GS],
  [0x6818, 'GUEST_IDTR_BASE', 'Guest IDTR base', GS],
  [0x681a, 'GUEST_DR7', 'Guest DR7', GR, 'dr7'],
  [0x681c, 'GUEST_RSP', 'Guest RSP', GR],
  [0x681e, 'GUEST_RIP', 'Guest RIP', GR],
  [0x6820, 'GUEST_RFLAGS', 'Guest RFLAGS', GR, 'rflags'],
  [0x6822, 'GUEST_PENDING_DBG_EXCEPTIONS', 'Guest pending debug exceptions', GN, 'pending-debug'],
  [0x6824, 'GUEST_SYSENTER_ESP', 'Guest IA32_SYSENTER_ESP', GM],
  [0x6826, 'GUEST_SYSENTER_EIP', 'Guest IA32_SYSENTER_EIP', GM],
  [0x6828, 'GUEST_S_CET', 'Guest IA32_S_CET', GM],
  [0x682a, 'GUEST_SSP', 'Guest SSP', GR],
  [0x682c, 'GUEST_INTR_SSP_TABLE', 'Guest IA32_INTERRUPT_SSP_TABLE_ADDR', GM],
  // B.4.4 natural-width host-state fields
  [0x6c00, 'HOST_CR0', 'Host CR0', H, 'cr0'],
  [0x6c02, 'HOST_CR3', 'Host CR3', H, 'cr3'],
  [0x6c04, 'HOST_CR4', 'Host CR4', H, 'cr4'],
  [0x6c06, 'HOST_FS_BASE', 'Host FS base', H],
  [0x6c08, 'HOST_GS_BASE', 'Host GS base', H],
  [0x6c0a, 'HOST_TR_BASE', 'Host TR base', H],
  [0x6c0c, 'HOST_GDTR_BASE', 'Host GDTR base', H],
  [0x6c0e, 'HOST_IDTR_BASE', 'Host IDTR base', H],
  [0x6c10, 'HOST_IA32_SYSENTER_ESP', 'Host IA32_SYSENTER_ESP', H],
  [0x6c12, 'HOST_IA32_SYSENTER_EIP', 'Host IA32_SYSENTER_EIP', H],
  [0x6c14, 'HOST_RSP', 'Host RSP', H],
  [0x6c16, 'HOST_RIP', 'Host RIP', H],
  [0x6c18, 'HOST_S_CET', 'Host IA32_S_CET', H],
  [0x6c1a, 'HOST_SSP', 'Host SSP', H],
  [0x6c1c, 'HOST_INTR_SSP_TABLE', 'Host IA32_INTERRUPT_SSP_TABLE_ADDR', H],
];

const TYPES: readonly VmcsType[] = ['control', 'read-only', 'guest', 'host'];
const WIDTHS: readonly VmcsWidth[] = [16, 64, 32, 'natural'];

/**
 * All VMCS fields in the order of their encodings.
 * @sdm 3D B "Field Encoding in VMCS"
 */
export const VMCS_FIELDS: readonly VmcsField[] = ROWS.map(([encoding, name, title, area, decoder], i) => ({
  encoding,
  name,
  title,
  width: WIDTHS[(encoding >> 13) & 3],
  type: TYPES[(encoding >> 10) & 3],
  area,
  decoder,
  offset: VMCS_HEADER_BYTES + 8 * i,
}));

/** Areas of the VMCS view, in the order in which it shows them. */
export const VMCS_AREAS: readonly VmcsArea[] = [XI, GR, GS, GM, GN, X, XC, EC, H];

const BY_NAME = new Map(VMCS_FIELDS.map((field) => [field.name, field]));
const BY_ENCODING = new Map(VMCS_FIELDS.map((field) => [field.encoding, field]));

/** Other spellings of field names: as the SDM prints them (letters, digits and _ only) and as other sources have them. */
const ALIASES = new Map<string, string>([
  ...VMCS_FIELDS.map((field): [string, string] => [shout(field.title), field.name]),
  ['EXIT_REASON', 'VM_EXIT_REASON'],
  ['PIN_CONTROLS', 'PIN_BASED_VM_EXEC_CONTROL'],
  ['PRIMARY_CONTROLS', 'CPU_BASED_VM_EXEC_CONTROL'],
  ['PRIMARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS', 'CPU_BASED_VM_EXEC_CONTROL'],
  ['SECONDARY_CONTROLS', 'SECONDARY_VM_EXEC_CONTROL'],
  ['GUEST_ACTIVITY', 'GUEST_ACTIVITY_STATE'],
  ['GUEST_INTERRUPTIBILITY', 'GUEST_INTERRUPTIBILITY_INFO'],
  ['IDT_VECTORING_INFO', 'IDT_VECTORING_INFO_FIELD'],
  ['VM_ENTRY_INTERRUPTION_INFO', 'VM_ENTRY_INTR_INFO'],
  ['VM_ENTRY_INTR_INFO_FIELD', 'VM_ENTRY_INTR_INFO'],
  ['VPID', 'VIRTUAL_PROCESSOR_ID'],
  ['EPTP', 'EPT_POINTER'],
]);

function shout(title: string): string {
  return title
    .replace(/\(.*\)/, '')
    .trim()
    .replace(/[^A-Za-z0-9]+/g, '_')
    .toUpperCase();
}

/** The field of a name (any case, aliases too), or undefined. */
export function vmcsField(name: string): VmcsField | undefined {
  const exact = BY_NAME.get(name);
  if (exact) return exact;
  const key = name.toUpperCase();
  return BY_NAME.get(key) ?? BY_NAME.get(ALIASES.get(key) ?? '');
}

/** The field of an encoding ("full" access), or undefined. */
export function vmcsFieldByEncoding(encoding: number): VmcsField | undefined {
  return BY_ENCODING.get(encoding);
}

/** The encoding of a field by its own name. @throws Error for a name that no row has */
export function vmcsEncoding(name: string): number {
  const field = BY_NAME.get(name);
  if (!field) throw new Error(`no VMCS field ${name}`);
  return field.encoding;
}

/** Bits that a field holds: natural-width fields have 64 on this CPU. */
export function vmcsFieldBits(field: VmcsField): 16 | 32 | 64 {
  return field.width === 'natural' ? 64 : field.width;
}
