/** The names under which the debugger API shows registers, in the order that views print them. */

export const GENERAL_REGISTERS = [
  'rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi',
  'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15',
] as const; // biome-ignore format: hardware order in two rows

export const SEGMENT_REGISTERS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'] as const;

/** Each segment S has S (selector), S_base, S_limit, S_ar (access rights in the VMCS format). */
export const SEGMENT_PARTS = ['', '_base', '_limit', '_ar'] as const;

export const CONTROL_REGISTERS = ['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer', 'xcr0'] as const;
export const DEBUG_REGISTERS = ['dr0', 'dr1', 'dr2', 'dr3', 'dr6', 'dr7'] as const;
export const TABLE_REGISTERS = ['gdtr_base', 'gdtr_limit', 'idtr_base', 'idtr_limit'] as const;
/** MSRs that live in the vCPU. */
export const MSR_REGISTERS = [
  'sysenter_cs', 'sysenter_esp', 'sysenter_eip', 'star', 'lstar', 'cstar', 'fmask', 'kernel_gs_base', 'tsc',
  'tsc_aux', 'pat', 'debugctl',
] as const; // biome-ignore format: grouped
/** st0-st7 are 80-bit values in stack order, xmm0-15 128-bit, ymm0h-15h the upper halves. */
export const FPU_REGISTERS = [
  ...Array.from({ length: 8 }, (_, i) => `st${i}`),
  'fctrl', 'fstat', 'ftag', 'fiseg', 'fioff', 'foseg', 'fooff', 'fop',
  ...Array.from({ length: 16 }, (_, i) => `xmm${i}`),
  'mxcsr',
  ...Array.from({ length: 16 }, (_, i) => `ymm${i}h`),
]; // biome-ignore format: grouped

/** Every register name. */
export const REGISTER_NAMES: readonly string[] = [
  ...GENERAL_REGISTERS,
  'rip',
  'rflags',
  ...SEGMENT_REGISTERS.flatMap((segment) => SEGMENT_PARTS.map((part) => segment + part)),
  ...CONTROL_REGISTERS,
  ...DEBUG_REGISTERS,
  ...TABLE_REGISTERS,
  ...MSR_REGISTERS,
  'interruptibility',
  'activity',
  ...FPU_REGISTERS,
];
