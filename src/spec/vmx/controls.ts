// The VM-execution, VM-exit and VM-entry control bits. `supported` says whether this CPU lets
// software set the bit; the IA32_VMX_* capability MSRs are computed from these rows.

export type ControlWord = 'pin' | 'primary' | 'secondary' | 'tertiary' | 'exit' | 'exit2' | 'entry';

export interface ControlBit {
  readonly word: ControlWord;
  readonly bit: number;
  /** Constant of the core: word prefix and name in capitals. */
  readonly constant: string;
  /** Name as the SDM prints it. */
  readonly name: string;
  readonly description: string;
  readonly sdm: string;
  readonly supported: boolean;
}

/** Name of the VMCS field that holds a control word. */
export const CONTROL_FIELD: Readonly<Record<ControlWord, string>> = {
  pin: 'PIN_BASED_VM_EXEC_CONTROL',
  primary: 'CPU_BASED_VM_EXEC_CONTROL',
  secondary: 'SECONDARY_VM_EXEC_CONTROL',
  tertiary: 'TERTIARY_VM_EXEC_CONTROL',
  exit: 'VM_EXIT_CONTROLS',
  exit2: 'SECONDARY_VM_EXIT_CONTROLS',
  entry: 'VM_ENTRY_CONTROLS',
};

/**
 * The default1 class: bits that software which does not know them sets to 1. The plain capability
 * MSRs report them all as must-be-1, the TRUE ones only those that are not in DEFAULT1_FREE.
 * @sdm 3D A.2 "Reserved Controls and Default Settings"
 */
export const DEFAULT1: Readonly<Record<ControlWord, number>> = {
  pin: 0x16,
  primary: 0x0401e172,
  secondary: 0,
  tertiary: 0,
  exit: 0x00036dff,
  exit2: 0,
  entry: 0x000011ff,
};
/** Those of the default1 bits which are ordinary controls and may be 0 on this CPU. */
export const DEFAULT1_FREE: Readonly<Record<ControlWord, number>> = {
  pin: 0,
  primary: (1 << 15) | (1 << 16),
  secondary: 0,
  tertiary: 0,
  exit: 1 << 2,
  exit2: 0,
  entry: 1 << 2,
};

/** Prefix of the core constants of a word. */
export const CONTROL_PREFIX: Readonly<Record<ControlWord, string>> = {
  pin: 'PIN',
  primary: 'CPU',
  secondary: 'CPU2',
  tertiary: 'CPU3',
  exit: 'EXIT',
  exit2: 'EXIT2',
  entry: 'ENTRY',
};

type Row = readonly [bit: number, name: string, description: string, supported?: boolean];

const NO = false;

const PIN: readonly Row[] = [
  [0, 'External-interrupt exiting', 'External interrupts cause VM exits; otherwise the guest IDT delivers them.'],
  [3, 'NMI exiting', 'Non-maskable interrupts cause VM exits; otherwise vector 2 of the guest IDT delivers them.'],
  [5, 'Virtual NMIs', 'NMIs are never blocked; the blocking-by-NMI bit shows virtual-NMI blocking instead.'],
  [6, 'Activate VMX-preemption timer', 'The VMX-preemption timer counts down in VMX non-root operation.'],
  [7, 'Process posted interrupts', 'Interrupts with the notification vector update the virtual-APIC page.', NO],
];

const PRIMARY: readonly Row[] = [
  [
    2,
    'Interrupt-window exiting',
    'VM exit at the beginning of any instruction if RFLAGS.IF = 1 and nothing blocks interrupts.',
  ],
  [
    3,
    'Use TSC offsetting',
    'RDTSC, RDTSCP and RDMSR of IA32_TIME_STAMP_COUNTER give a value changed by the TSC offset field.',
  ],
  [7, 'HLT exiting', 'HLT causes VM exits.'],
  [9, 'INVLPG exiting', 'INVLPG and INVPCID cause VM exits.'],
  [10, 'MWAIT exiting', 'MWAIT causes VM exits.'],
  [11, 'RDPMC exiting', 'RDPMC causes VM exits.'],
  [12, 'RDTSC exiting', 'RDTSC and RDTSCP cause VM exits.'],
  [15, 'CR3-load exiting', 'MOV to CR3 causes VM exits unless the value is one of the CR3-target values.'],
  [16, 'CR3-store exiting', 'MOV from CR3 causes VM exits.'],
  [17, 'Activate tertiary controls', 'The tertiary processor-based VM-execution controls are used.', NO],
  [19, 'CR8-load exiting', 'MOV to CR8 causes VM exits.'],
  [20, 'CR8-store exiting', 'MOV from CR8 causes VM exits.'],
  [21, 'Use TPR shadow', 'MOV CR8 uses the TPR of the virtual-APIC page.'],
  [22, 'NMI-window exiting', 'VM exit at the beginning of any instruction if there is no virtual-NMI blocking.'],
  [23, 'MOV-DR exiting', 'MOV to and from debug registers causes VM exits.'],
  [24, 'Unconditional I/O exiting', 'I/O instructions cause VM exits, unless I/O bitmaps are used.'],
  [25, 'Use I/O bitmaps', 'The I/O bitmaps restrict I/O instructions.'],
  [27, 'Monitor trap flag', 'A VM exit follows each instruction or delivered event.'],
  [28, 'Use MSR bitmaps', 'The MSR bitmaps control RDMSR and WRMSR; otherwise all of them cause VM exits.'],
  [29, 'MONITOR exiting', 'MONITOR causes VM exits.'],
  [30, 'PAUSE exiting', 'PAUSE causes VM exits.'],
  [31, 'Activate secondary controls', 'The secondary processor-based VM-execution controls are used.'],
];

const SECONDARY: readonly Row[] = [
  [0, 'Virtualize APIC accesses', 'Accesses to the page at the APIC-access address cause VM exits or are virtualized.'],
  [1, 'Enable EPT', 'Guest-physical addresses are translated by the extended page tables.'],
  [2, 'Descriptor-table exiting', 'LGDT, LIDT, LLDT, LTR, SGDT, SIDT, SLDT and STR cause VM exits.'],
  [3, 'Enable RDTSCP', 'RDTSCP and RDPID are allowed; otherwise they cause #UD.'],
  [4, 'Virtualize x2APIC mode', 'RDMSR and WRMSR of MSRs 800H-8FFH are treated specially.', NO],
  [5, 'Enable VPID', 'Cached translations carry a virtual-processor identifier.'],
  [6, 'WBINVD exiting', 'WBINVD and WBNOINVD cause VM exits.'],
  [7, 'Unrestricted guest', 'Guest software may run in unpaged protected mode or in real-address mode.'],
  [8, 'APIC-register virtualization', 'Certain APIC accesses are virtualized.', NO],
  [9, 'Virtual-interrupt delivery', 'Pending virtual interrupts are evaluated and delivered.', NO],
  [10, 'PAUSE-loop exiting', 'A series of PAUSE executions at CPL 0 causes VM exits.'],
  [11, 'RDRAND exiting', 'RDRAND causes VM exits.'],
  [12, 'Enable INVPCID', 'INVPCID is allowed; otherwise it causes #UD.'],
  [13, 'Enable VM functions', 'VMFUNC is allowed in VMX non-root operation.'],
  [14, 'VMCS shadowing', 'VMREAD and VMWRITE may access a shadow VMCS instead of causing VM exits.', NO],
  [15, 'Enable ENCLS exiting', 'ENCLS consults the ENCLS-exiting bitmap.', NO],
  [16, 'RDSEED exiting', 'RDSEED causes VM exits.'],
  [17, 'Enable PML', 'An access that sets an EPT dirty flag logs the guest-physical address.', NO],
  [18, 'EPT-violation #VE', 'EPT violations may cause virtualization exceptions instead of VM exits.', NO],
  [19, 'Conceal VMX from PT', 'Intel PT suppresses data that show VMX non-root operation.', NO],
  [20, 'Enable XSAVES/XRSTORS', 'XSAVES and XRSTORS are allowed; otherwise they cause #UD.', NO],
  [21, 'PASID translation', 'ENQCMD and ENQCMDS translate PASIDs.', NO],
  [
    22,
    'Mode-based execute control for EPT',
    'EPT execute permission depends on supervisor or user-mode linear addresses.',
    NO,
  ],
  [23, 'Sub-page write permissions for EPT', 'EPT write permissions may be given for 128-byte sub-pages.', NO],
  [24, 'Intel PT uses guest physical addresses', 'Addresses used by Intel PT are guest-physical.', NO],
  [25, 'Use TSC scaling', 'RDTSC, RDTSCP and RDMSR of the TSC give a value multiplied by the TSC multiplier.'],
  [26, 'Enable user wait and pause', 'TPAUSE, UMONITOR and UMWAIT are allowed.', NO],
  [27, 'Enable PCONFIG', 'PCONFIG is allowed.', NO],
  [28, 'Enable ENCLV exiting', 'ENCLV consults the ENCLV-exiting bitmap.', NO],
  [30, 'VMM bus-lock detection', 'Assertion of a bus lock causes VM exits.', NO],
  [31, 'Instruction timeout', 'A VM exit happens when no instruction boundary is met for long.', NO],
];

const TERTIARY: readonly Row[] = [
  [0, 'LOADIWKEY exiting', 'LOADIWKEY causes VM exits.', NO],
  [1, 'Enable HLAT', 'Hypervisor-managed linear-address translation is used.', NO],
  [2, 'EPT paging-write control', 'EPT permissions can be given for paging-structure writes only.', NO],
  [3, 'Guest-paging verification', 'EPT can require that linear addresses were translated by HLAT structures.', NO],
  [4, 'IPI virtualization', 'Virtualization of interprocessor interrupts is used.', NO],
  [6, 'Enable MSR-list instructions', 'RDMSRLIST and WRMSRLIST are allowed; otherwise they cause #UD.', NO],
  [7, 'Virtualize IA32_SPEC_CTRL', 'RDMSR and WRMSR of IA32_SPEC_CTRL use mask and shadow.', NO],
];

const EXIT: readonly Row[] = [
  [2, 'Save debug controls', 'DR7 and IA32_DEBUGCTL are saved on VM exit.'],
  [9, 'Host address-space size', 'The logical processor is in 64-bit mode after the next VM exit.'],
  [12, 'Load IA32_PERF_GLOBAL_CTRL', 'IA32_PERF_GLOBAL_CTRL is loaded on VM exit.', NO],
  [
    15,
    'Acknowledge interrupt on exit',
    'A VM exit by an external interrupt acknowledges the interrupt controller and records the vector.',
  ],
  [18, 'Save IA32_PAT', 'IA32_PAT is saved on VM exit.'],
  [19, 'Load IA32_PAT', 'IA32_PAT is loaded on VM exit.'],
  [20, 'Save IA32_EFER', 'IA32_EFER is saved on VM exit.'],
  [21, 'Load IA32_EFER', 'IA32_EFER is loaded on VM exit.'],
  [22, 'Save VMX-preemption timer value', 'The value of the VMX-preemption timer is saved on VM exit.'],
  [23, 'Clear IA32_BNDCFGS', 'IA32_BNDCFGS is cleared on VM exit.', NO],
  [24, 'Conceal VMX from PT', 'Intel PT does not produce a paging information packet on VM exit.', NO],
  [25, 'Clear IA32_RTIT_CTL', 'IA32_RTIT_CTL is cleared on VM exit.', NO],
  [26, 'Clear IA32_LBR_CTL', 'IA32_LBR_CTL is cleared on VM exit.', NO],
  [27, 'Clear UINV', 'UINV is cleared on VM exit.', NO],
  [28, 'Load CET state', 'CET-related MSRs and SPP are loaded on VM exit.', NO],
  [29, 'Load PKRS', 'IA32_PKRS is loaded on VM exit.', NO],
  [30, 'Save IA32_PERF_GLOBAL_CTRL', 'IA32_PERF_GLOBAL_CTRL is saved on VM exit.', NO],
  [31, 'Activate secondary controls', 'The secondary VM-exit controls are used.', NO],
];

const EXIT2: readonly Row[] = [
  [0, 'Save FRED', 'The FRED MSRs are saved on VM exit.', NO],
  [1, 'Load FRED', 'The FRED MSRs are loaded on VM exit.', NO],
  [3, 'Prematurely busy shadow stack', 'A VM exit says whether the supervisor shadow stack became busy early.', NO],
];

const ENTRY: readonly Row[] = [
  [2, 'Load debug controls', 'DR7 and IA32_DEBUGCTL are loaded on VM entry.'],
  [9, 'IA-32e mode guest', 'The logical processor is in IA-32e mode after VM entry.'],
  [10, 'Entry to SMM', 'The logical processor is in system-management mode after VM entry.', NO],
  [11, 'Deactivate dual-monitor treatment', 'The default treatment of SMIs and SMM is in effect after VM entry.', NO],
  [13, 'Load IA32_PERF_GLOBAL_CTRL', 'IA32_PERF_GLOBAL_CTRL is loaded on VM entry.', NO],
  [14, 'Load IA32_PAT', 'IA32_PAT is loaded on VM entry.'],
  [15, 'Load IA32_EFER', 'IA32_EFER is loaded on VM entry.'],
  [16, 'Load IA32_BNDCFGS', 'IA32_BNDCFGS is loaded on VM entry.', NO],
  [17, 'Conceal VMX from PT', 'Intel PT does not produce a paging information packet on VM entry.', NO],
  [18, 'Load IA32_RTIT_CTL', 'IA32_RTIT_CTL is loaded on VM entry.', NO],
  [19, 'Load UINV', 'UINV is loaded on VM entry.', NO],
  [20, 'Load CET state', 'CET-related MSRs and SPP are loaded on VM entry.', NO],
  [21, 'Load guest IA32_LBR_CTL', 'IA32_LBR_CTL is loaded on VM entry.', NO],
  [22, 'Load PKRS', 'IA32_PKRS is loaded on VM entry.', NO],
  [23, 'Load FRED', 'The FRED MSRs are loaded on VM entry.', NO],
];

const SDM: Readonly<Record<ControlWord, string>> = {
  pin: '3C 24.6.1 "Pin-Based VM-Execution Controls"',
  primary: '3C 24.6.2 "Processor-Based VM-Execution Controls"',
  secondary: '3C 24.6.2 "Processor-Based VM-Execution Controls"',
  tertiary: '3C 24.6.2 "Processor-Based VM-Execution Controls"',
  exit: '3C 24.7.1 "VM-Exit Controls"',
  exit2: '3C 24.7.1 "VM-Exit Controls"',
  entry: '3C 24.8.1 "VM-Entry Controls"',
};

function rows(word: ControlWord, list: readonly Row[]): ControlBit[] {
  return list.map(([bit, name, description, supported = true]) => ({
    word,
    bit,
    constant: `${CONTROL_PREFIX[word]}_${name.toUpperCase().replace(/[^A-Z0-9]+/g, '_')}`,
    name,
    description,
    sdm: SDM[word],
    supported,
  }));
}

/** All control bits by word, in bit order. */
export const CONTROLS: Readonly<Record<ControlWord, readonly ControlBit[]>> = {
  pin: rows('pin', PIN),
  primary: rows('primary', PRIMARY),
  secondary: rows('secondary', SECONDARY),
  tertiary: rows('tertiary', TERTIARY),
  exit: rows('exit', EXIT),
  exit2: rows('exit2', EXIT2),
  entry: rows('entry', ENTRY),
};

/** Bits of a word that this CPU knows as controls. */
export function supportedBits(word: ControlWord): number {
  return CONTROLS[word].filter((row) => row.supported).reduce((sum, row) => sum | (1 << row.bit), 0) >>> 0;
}

/** Bits that must be 1 (allowed 0-settings). */
export function mustBeOne(word: ControlWord): number {
  return (DEFAULT1[word] & ~DEFAULT1_FREE[word]) >>> 0;
}

/** Bits that may be 1 (allowed 1-settings). */
export function mayBeOne(word: ControlWord): number {
  return (supportedBits(word) | DEFAULT1[word]) >>> 0;
}

/** A row and whether its bit is set. */
export interface DecodedControl {
  readonly control: ControlBit;
  readonly set: boolean;
}

/** Every known bit of a control word with its state in `value`. */
export function decodeControls(word: ControlWord, value: bigint | number): DecodedControl[] {
  const bits = BigInt(value);
  return CONTROLS[word].map((control) => ({ control, set: ((bits >> BigInt(control.bit)) & 1n) === 1n }));
}

/** Names of the bits that are set in `value`. */
export function controlNames(word: ControlWord, value: bigint | number): string[] {
  return decodeControls(word, value)
    .filter((row) => row.set)
    .map((row) => row.control.name);
}

/** The row of a word and bit number, or undefined for a reserved bit. */
export function controlBit(word: ControlWord, bit: number): ControlBit | undefined {
  return CONTROLS[word].find((row) => row.bit === bit);
}

/** The row of a name as the SDM prints it (any case), or of its constant. */
export function findControl(name: string): ControlBit | undefined {
  const key = name.toLowerCase();
  for (const list of Object.values(CONTROLS)) {
    for (const row of list) if (row.name.toLowerCase() === key || row.constant.toLowerCase() === key) return row;
  }
  return undefined;
}
