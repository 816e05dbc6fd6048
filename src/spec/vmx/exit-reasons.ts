// Basic exit reasons: what they mean, which control causes them and which information fields are
// defined for them. A field that is not listed is undefined in the SDM and 0 on this CPU.

export type ExitTiming = 'fault' | 'trap' | 'boundary' | 'event' | 'entry';

/** Information field that a reason defines. */
export type ExitInfoField = 'qualification' | 'gla' | 'gpa' | 'length' | 'instruction-info' | 'interruption-info';

export interface ExitReason {
  readonly number: number;
  /** Short name, as perf and KVM print it. */
  readonly name: string;
  /** Title of the reason in SDM appendix C. */
  readonly title: string;
  /**
   * fault: instead of the instruction; trap: after it; boundary: before an instruction, because of a control;
   * event: an exception, interrupt or signal; entry: VM entry failed.
   */
  readonly timing: ExitTiming;
  /** Names of controls (as in controls.ts) that cause it, in the order to look at; empty: unconditional. */
  readonly controls: readonly string[];
  readonly fields: readonly ExitInfoField[];
  /** Whether this CPU produces it. */
  readonly produced: boolean;
}

type Row = readonly [
  number: number,
  name: string,
  title: string,
  timing: ExitTiming,
  controls: string,
  fields: string,
  produced?: boolean,
];
const NO = false;

/** Fields by letter: q qualification, l length, a guest-linear, p guest-physical, i instruction information, e interruption information. */
const LETTERS: Readonly<Record<string, ExitInfoField>> = {
  q: 'qualification',
  l: 'length',
  a: 'gla',
  p: 'gpa',
  i: 'instruction-info',
  e: 'interruption-info',
};

const ROWS: readonly Row[] = [
  [0, 'EXCEPTION_NMI', 'Exception or non-maskable interrupt (NMI)', 'event', 'NMI exiting', 'qe'],
  [1, 'EXTERNAL_INTERRUPT', 'External interrupt', 'event', 'External-interrupt exiting', 'e'],
  [2, 'TRIPLE_FAULT', 'Triple fault', 'event', '', ''],
  [3, 'INIT_SIGNAL', 'INIT signal', 'event', '', ''],
  [4, 'SIPI_SIGNAL', 'Start-up IPI (SIPI)', 'event', '', 'q'],
  [5, 'IO_SMI', 'I/O system-management interrupt (SMI)', 'event', '', '', NO],
  [6, 'OTHER_SMI', 'Other SMI', 'event', '', '', NO],
  [7, 'INTERRUPT_WINDOW', 'Interrupt window', 'boundary', 'Interrupt-window exiting', ''],
  [8, 'NMI_WINDOW', 'NMI window', 'boundary', 'NMI-window exiting', ''],
  [9, 'TASK_SWITCH', 'Task switch', 'fault', '', 'ql'],
  [10, 'CPUID', 'CPUID', 'fault', '', 'l'],
  [11, 'GETSEC', 'GETSEC', 'fault', '', 'l'],
  [12, 'HLT', 'HLT', 'fault', 'HLT exiting', 'l'],
  [13, 'INVD', 'INVD', 'fault', '', 'l'],
  [14, 'INVLPG', 'INVLPG', 'fault', 'INVLPG exiting', 'ql'],
  [15, 'RDPMC', 'RDPMC', 'fault', 'RDPMC exiting', 'l'],
  [16, 'RDTSC', 'RDTSC', 'fault', 'RDTSC exiting', 'l'],
  [17, 'RSM', 'RSM', 'fault', '', '', NO],
  [18, 'VMCALL', 'VMCALL', 'fault', '', 'l'],
  [19, 'VMCLEAR', 'VMCLEAR', 'fault', '', 'qli'],
  [20, 'VMLAUNCH', 'VMLAUNCH', 'fault', '', 'l'],
  [21, 'VMPTRLD', 'VMPTRLD', 'fault', '', 'qli'],
  [22, 'VMPTRST', 'VMPTRST', 'fault', '', 'qli'],
  [23, 'VMREAD', 'VMREAD', 'fault', '', 'qli'],
  [24, 'VMRESUME', 'VMRESUME', 'fault', '', 'l'],
  [25, 'VMWRITE', 'VMWRITE', 'fault', '', 'qli'],
  [26, 'VMXOFF', 'VMXOFF', 'fault', '', 'l'],
  [27, 'VMXON', 'VMXON', 'fault', '', 'qli'],
  [
    28,
    'CR_ACCESS',
    'Control-register accesses',
    'fault',
    'CR3-load exiting,CR3-store exiting,CR8-load exiting,CR8-store exiting',
    'qla',
  ],
  [29, 'DR_ACCESS', 'MOV DR', 'fault', 'MOV-DR exiting', 'ql'],
  [30, 'IO_INSTRUCTION', 'I/O instruction', 'fault', 'Use I/O bitmaps,Unconditional I/O exiting', 'qlai'],
  [31, 'MSR_READ', 'RDMSR', 'fault', 'Use MSR bitmaps', 'l'],
  [32, 'MSR_WRITE', 'WRMSR', 'fault', 'Use MSR bitmaps', 'l'],
  [33, 'INVALID_STATE', 'VM-entry failure due to invalid guest state', 'entry', '', 'q'],
  [34, 'MSR_LOAD_FAIL', 'VM-entry failure due to MSR loading', 'entry', '', 'q'],
  [36, 'MWAIT_INSTRUCTION', 'MWAIT', 'fault', 'MWAIT exiting', 'ql'],
  [37, 'MONITOR_TRAP_FLAG', 'Monitor trap flag', 'boundary', 'Monitor trap flag', ''],
  [39, 'MONITOR_INSTRUCTION', 'MONITOR', 'fault', 'MONITOR exiting', 'l'],
  [40, 'PAUSE_INSTRUCTION', 'PAUSE', 'fault', 'PAUSE exiting,PAUSE-loop exiting', 'l'],
  [41, 'MCE_DURING_VMENTRY', 'VM-entry failure due to machine-check event', 'entry', '', '', NO],
  [43, 'TPR_BELOW_THRESHOLD', 'TPR below threshold', 'trap', 'Use TPR shadow', ''],
  [44, 'APIC_ACCESS', 'APIC access', 'fault', 'Virtualize APIC accesses', 'qap'],
  [45, 'EOI_INDUCED', 'Virtualized EOI', 'trap', 'Virtual-interrupt delivery', 'q', NO],
  [46, 'GDTR_IDTR', 'Access to GDTR or IDTR', 'fault', 'Descriptor-table exiting', 'qli'],
  [47, 'LDTR_TR', 'Access to LDTR or TR', 'fault', 'Descriptor-table exiting', 'qli'],
  [48, 'EPT_VIOLATION', 'EPT violation', 'fault', 'Enable EPT', 'qap'],
  [49, 'EPT_MISCONFIG', 'EPT misconfiguration', 'fault', 'Enable EPT', 'p'],
  [50, 'INVEPT', 'INVEPT', 'fault', '', 'qli'],
  [51, 'RDTSCP', 'RDTSCP', 'fault', 'RDTSC exiting', 'l'],
  [52, 'PREEMPTION_TIMER', 'VMX-preemption timer expired', 'boundary', 'Activate VMX-preemption timer', ''],
  [53, 'INVVPID', 'INVVPID', 'fault', '', 'qli'],
  [54, 'WBINVD', 'WBINVD or WBNOINVD', 'fault', 'WBINVD exiting', 'l'],
  [55, 'XSETBV', 'XSETBV', 'fault', '', 'l'],
  [56, 'APIC_WRITE', 'APIC write', 'trap', 'APIC-register virtualization', 'q', NO],
  [57, 'RDRAND', 'RDRAND', 'fault', 'RDRAND exiting', 'li'],
  [58, 'INVPCID', 'INVPCID', 'fault', 'INVLPG exiting', 'qli'],
  [59, 'VMFUNC', 'VMFUNC', 'fault', 'Enable VM functions', 'l'],
  [60, 'ENCLS', 'ENCLS', 'fault', 'Enable ENCLS exiting', 'l', NO],
  [61, 'RDSEED', 'RDSEED', 'fault', 'RDSEED exiting', 'li'],
  [62, 'PML_FULL', 'Page-modification log full', 'fault', 'Enable PML', 'q', NO],
  [63, 'XSAVES', 'XSAVES', 'fault', 'Enable XSAVES/XRSTORS', 'qli', NO],
  [64, 'XRSTORS', 'XRSTORS', 'fault', 'Enable XSAVES/XRSTORS', 'qli', NO],
  [65, 'PCONFIG', 'PCONFIG', 'fault', 'Enable PCONFIG', 'l', NO],
  [66, 'SPP_EVENT', 'SPP-related event', 'fault', 'Sub-page write permissions for EPT', 'qap', NO],
  [67, 'UMWAIT', 'UMWAIT', 'fault', 'Enable user wait and pause', 'li', NO],
  [68, 'TPAUSE', 'TPAUSE', 'fault', 'Enable user wait and pause', 'li', NO],
  [69, 'LOADIWKEY', 'LOADIWKEY', 'fault', 'LOADIWKEY exiting', 'li', NO],
  [70, 'ENCLV', 'ENCLV', 'fault', 'Enable ENCLV exiting', 'l', NO],
  [72, 'ENQCMD_PASID', 'ENQCMD PASID translation failure', 'fault', 'PASID translation', 'qli', NO],
  [73, 'ENQCMDS_PASID', 'ENQCMDS PASID translation failure', 'fault', 'PASID translation', 'qli', NO],
  [74, 'BUS_LOCK', 'Bus lock', 'trap', 'VMM bus-lock detection', '', NO],
  [75, 'NOTIFY', 'Instruction timeout', 'event', 'Instruction timeout', 'q', NO],
  [76, 'SEAMCALL', 'SEAMCALL', 'fault', '', 'l', NO],
  [77, 'TDCALL', 'TDCALL', 'fault', '', 'l', NO],
];

/**
 * All basic exit reasons in numerical order.
 * @sdm 3D C "VMX Basic Exit Reasons"
 */
export const EXIT_REASONS: readonly ExitReason[] = ROWS.map(
  ([number, name, title, timing, controls, fields, produced = true]) => ({
    number,
    name,
    title,
    timing,
    controls: controls === '' ? [] : controls.split(','),
    fields: [...fields].map((letter) => LETTERS[letter]),
    produced,
  }),
);

/**
 * Not of the SDM: engine kvm's record of an instruction that the host's KVM left undone and the embedded core ran. Its
 * qualification has the first 8 bytes of the instruction, the instruction information the width of the code (16, 32, 64).
 */
export const EMULATED_BY_VMSCOPE: ExitReason = {
  number: 127,
  name: 'EMULATED',
  title: 'Instruction that KVM could not run: the embedded core did',
  timing: 'event',
  controls: [],
  fields: [],
  produced: false,
};

const BY_NUMBER = new Map([...EXIT_REASONS, EMULATED_BY_VMSCOPE].map((reason) => [reason.number, reason]));
const BY_NAME = new Map([...EXIT_REASONS, EMULATED_BY_VMSCOPE].map((reason) => [reason.name, reason]));

/** Bit 31 of the exit-reason field: the VM exit is a failed VM entry. */
export const ENTRY_FAILURE = 0x80000000;

/** The row of a basic reason (or of a whole exit-reason field), or undefined. */
export function exitReason(value: number): ExitReason | undefined {
  return BY_NUMBER.get(value & 0xffff);
}

/** The row of a reason's short name (any case). */
export function exitReasonByName(name: string): ExitReason | undefined {
  return BY_NAME.get(name.toUpperCase());
}

/** Short name of an exit-reason field, or `REASON_n`. */
export function exitReasonName(value: number): string {
  return exitReason(value)?.name ?? `REASON_${value & 0xffff}`;
}

/** Whether a field is defined for a reason. */
export function definesField(value: number, field: ExitInfoField): boolean {
  return exitReason(value)?.fields.includes(field) ?? false;
}
