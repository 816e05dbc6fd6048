// Bits of registers: a row per bit or field.

/** One bit (`hi` == `lo`) or field of a register. */
export interface BitField<Name extends string = string> {
  readonly name: Name;
  readonly hi: number;
  readonly lo: number;
  readonly title: string;
}

/** The rows of a register; their names are known to the compiler. */
const table = <N extends string>(...rows: BitField<N>[]): readonly BitField<N>[] => rows;
const bit = <N extends string>(at: number, name: N, title: string): BitField<N> => ({ name, hi: at, lo: at, title });
const field = <N extends string>(hi: number, lo: number, name: N, title: string): BitField<N> => ({
  name,
  hi,
  lo,
  title,
});
const FOUR = [0, 1, 2, 3] as const;

/** The rows of these names. @throws Error for a name that no row has */
function only<N extends string>(rows: readonly BitField<N>[], ...names: readonly NoInfer<N>[]): BitField<N>[] {
  return names.map((name) => {
    const row = rows.find((one) => one.name === name);
    if (!row) throw new Error(`no bit ${name}`);
    return row;
  });
}

/** @sdm 1 3.4.3 "EFLAGS Register" */
export const RFLAGS = table(
  bit(0, 'CF', 'carry'),
  bit(2, 'PF', 'parity'),
  bit(4, 'AF', 'auxiliary carry'),
  bit(6, 'ZF', 'zero'),
  bit(7, 'SF', 'sign'),
  bit(8, 'TF', 'trap: single-step'),
  bit(9, 'IF', 'interrupts enabled'),
  bit(10, 'DF', 'direction: strings go down'),
  bit(11, 'OF', 'overflow'),
  field(13, 12, 'IOPL', 'I/O privilege level'),
  bit(14, 'NT', 'nested task'),
  bit(16, 'RF', 'resume: no instruction breakpoint on the next instruction'),
  bit(17, 'VM', 'virtual-8086 mode'),
  bit(18, 'AC', 'alignment check; with SMAP: access to user pages'),
  bit(19, 'VIF', 'virtual interrupt flag'),
  bit(20, 'VIP', 'virtual interrupt pending'),
  bit(21, 'ID', 'CPUID can be used'),
);

/** The flags that arithmetic sets. @sdm 1 3.4.3.1 "Status Flags" */
export const STATUS_FLAGS = only(RFLAGS, 'CF', 'PF', 'AF', 'ZF', 'SF', 'OF');

/** @sdm 3A 2.5 "Control Registers" */
export const CR0 = table(
  bit(0, 'PE', 'protected mode'),
  bit(1, 'MP', 'monitor coprocessor: WAIT obeys TS'),
  bit(2, 'EM', 'no x87: its instructions raise #NM'),
  bit(3, 'TS', 'task switched: x87 and SSE raise #NM'),
  bit(4, 'ET', 'extension type, always 1'),
  bit(5, 'NE', 'x87 errors raise #MF'),
  bit(16, 'WP', 'supervisor obeys read-only pages'),
  bit(18, 'AM', 'alignment checks where RFLAGS.AC is set'),
  bit(29, 'NW', 'not write-through'),
  bit(30, 'CD', 'caches disabled'),
  bit(31, 'PG', 'paging'),
);

/** @sdm 3A 2.5 "Control Registers" */
export const CR3 = table(
  bit(3, 'PWT', 'page-level write-through'),
  bit(4, 'PCD', 'page-level cache disable'),
  field(51, 12, 'BASE', 'physical address of the top paging structure, bits 51:12'),
  bit(61, 'LAM_U57', 'linear-address masking of user pointers, 6 bits'),
  bit(62, 'LAM_U48', 'linear-address masking of user pointers, 15 bits'),
);

/** CR3 while CR4.PCIDE is set: bits 11:0 are the PCID. @sdm 3A 4.10.1 "Process-Context Identifiers (PCIDs)" */
export const CR3_WITH_PCID = table(
  field(11, 0, 'PCID', 'process-context identifier'),
  ...CR3.filter(({ lo }) => lo >= 12),
);

/** @sdm 3A 2.5 "Control Registers" */
export const CR4 = table(
  bit(0, 'VME', 'virtual-8086 mode extensions'),
  bit(1, 'PVI', 'protected-mode virtual interrupts'),
  bit(2, 'TSD', 'RDTSC at CPL 0 only'),
  bit(3, 'DE', 'debugging extensions: I/O breakpoints'),
  bit(4, 'PSE', '4-MByte pages'),
  bit(5, 'PAE', 'physical-address extension'),
  bit(6, 'MCE', 'machine checks'),
  bit(7, 'PGE', 'global pages'),
  bit(8, 'PCE', 'RDPMC at any CPL'),
  bit(9, 'OSFXSR', 'the system saves SSE state'),
  bit(10, 'OSXMMEXCPT', 'SSE errors raise #XM'),
  bit(11, 'UMIP', 'SGDT SIDT SLDT SMSW STR at CPL 0 only'),
  bit(12, 'LA57', '57-bit linear addresses'),
  bit(13, 'VMXE', 'VMX'),
  bit(14, 'SMXE', 'safer mode extensions'),
  bit(16, 'FSGSBASE', 'RDFSBASE and its like'),
  bit(17, 'PCIDE', 'process-context identifiers'),
  bit(18, 'OSXSAVE', 'the system uses XSAVE'),
  bit(19, 'KL', 'key locker'),
  bit(20, 'SMEP', 'supervisor may not execute user pages'),
  bit(21, 'SMAP', 'supervisor may not access user pages'),
  bit(22, 'PKE', 'protection keys for user pages'),
  bit(23, 'CET', 'control-flow enforcement'),
  bit(24, 'PKS', 'protection keys for supervisor pages'),
  bit(25, 'UINTR', 'user interrupts'),
  bit(28, 'LAM_SUP', 'linear-address masking of supervisor pointers'),
);

/** @sdm 3A 2.2.1 "Extended Feature Enable Register" */
export const EFER = table(
  bit(0, 'SCE', 'SYSCALL and SYSRET'),
  bit(8, 'LME', 'IA-32e mode enabled'),
  bit(10, 'LMA', 'IA-32e mode active'),
  bit(11, 'NXE', 'execute-disable pages'),
);

/** @sdm 3A 11.4.4 "Local APIC Status and Location" */
export const IA32_APIC_BASE = table(
  bit(8, 'BSP', 'boot processor'),
  bit(10, 'EXTD', 'x2APIC mode'),
  bit(11, 'EN', 'local APIC enabled'),
  field(38, 12, 'base', 'address of its registers'),
);

/** @sdm 3B 18.4.1 "IA32_DEBUGCTL MSR" */
export const IA32_DEBUGCTL = table(bit(0, 'LBR', 'last-branch records'), bit(1, 'BTF', 'single-step on branches'));

/** State components that XSAVE manages. @sdm 1 13.1 "XSAVE-Supported Features and State-Component Bitmaps" */
export const XCR0 = table(
  bit(0, 'X87', 'x87 state, always 1'),
  bit(1, 'SSE', 'XMM registers and MXCSR'),
  bit(2, 'AVX', 'upper halves of the YMM registers'),
  bit(9, 'PKRU', 'protection-key rights of user pages'),
);

/** Exceptions of floating-point numbers. @sdm 1 4.9.1 "Floating-Point Exception Conditions" */
const FLOAT_EXCEPTIONS = [
  ['I', 'invalid operation'],
  ['D', 'denormal operand'],
  ['Z', 'division by zero'],
  ['O', 'overflow'],
  ['U', 'underflow'],
  ['P', 'inexact result (precision)'],
] as const;
const exceptions = FLOAT_EXCEPTIONS.map(([letter, title], at) => bit(at, `${letter}E` as const, title));
const exceptionMasks = (first: number) =>
  FLOAT_EXCEPTIONS.map(([letter, title], at) => bit(first + at, `${letter}M` as const, `masked: ${title}`));

/** @sdm 1 8.1.3 "x87 FPU Status Register" */
export const FSW = table(
  ...exceptions,
  bit(6, 'SF', 'stack fault'),
  bit(7, 'ES', 'error summary: an exception that is not masked is pending'),
  bit(8, 'C0', 'condition code 0'),
  bit(9, 'C1', 'condition code 1: rounded up, or stack overflow'),
  bit(10, 'C2', 'condition code 2'),
  field(13, 11, 'TOP', 'which register is ST(0)'),
  bit(14, 'C3', 'condition code 3'),
  bit(15, 'B', 'busy: as ES'),
);

/** @sdm 1 8.1.5 "x87 FPU Control Word" */
export const FCW = table(
  ...exceptionMasks(0),
  field(9, 8, 'PC', 'precision: 0 single, 2 double, 3 extended'),
  field(11, 10, 'RC', 'rounding: 0 nearest, 1 down, 2 up, 3 towards zero'),
  bit(12, 'X', 'infinity control (no effect)'),
);

/** @sdm 1 10.2.3 "MXCSR Control and Status Register" */
export const MXCSR = table(
  ...exceptions,
  bit(6, 'DAZ', 'denormals are zeros'),
  ...exceptionMasks(7),
  field(14, 13, 'RC', 'rounding: 0 nearest, 1 down, 2 up, 3 towards zero'),
  bit(15, 'FZ', 'flush to zero'),
);

export const FSW_EXCEPTIONS = FSW.filter(({ name }) => /^.E$/.test(name) && name !== 'ES');
export const FSW_CONDITIONS = only(FSW, 'C0', 'C1', 'C2', 'C3');
export const FCW_MASKS = FCW.filter(({ name }) => /^.M$/.test(name));
export const MXCSR_MASKS = MXCSR.filter(({ name }) => /^.M$/.test(name));

/** After reset and FNINIT. @sdm 1 8.1.5 "x87 FPU Control Word" 10.2.3 "MXCSR Control and Status Register" */
export const INITIAL = { FCW: 0x37f, MXCSR: 0x1f80 } as const;

/** @sdm 3B 18.2.3 "Debug Status Register (DR6)" */
export const DR6 = table(
  ...FOUR.map((n) => bit(n, `B${n}`, `breakpoint ${n} matched`)),
  bit(11, 'BLD', '0: a bus lock was detected'),
  bit(13, 'BD', 'debug register accessed while DR7.GD was set'),
  bit(14, 'BS', 'single step'),
  bit(15, 'BT', 'task switch to a TSS with T set'),
  bit(16, 'RTM', '0: inside an RTM region'),
);

/** @sdm 3B 18.2.4 "Debug Control Register (DR7)" */
export const DR7 = table(
  ...FOUR.flatMap((n) => [
    bit(2 * n, `L${n}`, `breakpoint ${n} enabled for the task`),
    bit(2 * n + 1, `G${n}`, `breakpoint ${n} enabled`),
  ]),
  bit(8, 'LE', 'exact breakpoints for the task (no effect)'),
  bit(9, 'GE', 'exact breakpoints (no effect)'),
  bit(11, 'RTM', 'debugging of RTM regions'),
  bit(13, 'GD', 'accesses to debug registers raise #DB'),
  ...FOUR.flatMap((n) => [
    field(17 + 4 * n, 16 + 4 * n, `R/W${n}`, 'what matches: 0 execution, 1 write, 2 I/O, 3 read or write'),
    field(19 + 4 * n, 18 + 4 * n, `LEN${n}`, 'length: 0 one byte, 1 two, 2 eight, 3 four'),
  ]),
);

/** L and G of the four breakpoints: with none of them DR7 watches nothing. */
export const DR7_ENABLES = DR7.filter(({ name }) => /^[LG][0-3]$/.test(name));

/** Bits that read 1 whatever is written. @sdm 1 3.4.3 "EFLAGS Register" 3B 18.2 "Debug Registers" 1 8.1.5 "x87 FPU Control Word" */
export const ALWAYS_ONE = { RFLAGS: 0x2, DR6: 0xffff0ff0, DR7: 0x400, FCW: 0x40 } as const;

/** Access rights of a segment in the VMCS's format. @sdm 3C 25.4.1 "Guest Register State" */
export const ACCESS_RIGHTS = table(
  field(3, 0, 'type', 'segment type'),
  bit(4, 'S', '1 code or data, 0 system'),
  field(6, 5, 'DPL', 'descriptor privilege level'),
  bit(7, 'P', 'present'),
  bit(12, 'AVL', 'for the system'),
  bit(13, 'L', '64-bit code'),
  bit(14, 'D/B', '32-bit operands or stack'),
  bit(15, 'G', 'limit counts 4-KByte units'),
  bit(16, 'unusable', 'no segment is loaded'),
);

/** #PF error code. @sdm 3A 4.7 "Page-Fault Exceptions" */
export const PAGE_FAULT_ERROR = table(
  bit(0, 'P', 'the page was present: a protection violation'),
  bit(1, 'W/R', 'a write'),
  bit(2, 'U/S', 'a user-mode access'),
  bit(3, 'RSVD', 'a reserved bit was set in a paging-structure entry'),
  bit(4, 'I/D', 'an instruction fetch'),
  bit(5, 'PK', 'a protection key forbade it'),
  bit(6, 'SS', 'a shadow-stack access'),
  bit(15, 'SGX', 'an SGX access-control violation'),
);

/** Error code of the faults that name a segment. @sdm 3A 6.13 "Error Code" */
export const SELECTOR_ERROR = table(
  bit(0, 'EXT', 'an event outside the program was being delivered'),
  bit(1, 'IDT', 'the index is one of the IDT'),
  bit(2, 'TI', 'the index is one of the LDT'),
  field(15, 3, 'index', 'index of the descriptor or gate'),
);

/** The value of one field. */
export function fieldOf(value: bigint, { hi, lo }: BitField): bigint {
  return (value >> BigInt(lo)) & ((1n << BigInt(hi - lo + 1)) - 1n);
}

/** The bits of the fields of these names, or of all. @throws Error for a name that no row has */
export function maskOf<N extends string>(rows: readonly BitField<N>[], ...names: readonly NoInfer<N>[]): bigint {
  const fields: readonly BitField[] = names.length === 0 ? rows : only(rows, ...names);
  return fields.reduce((mask, { hi, lo }) => mask | (((1n << BigInt(hi - lo + 1)) - 1n) << BigInt(lo)), 0n);
}

/** As maskOf(), as 32 bits. */
export function bitsOf<N extends string>(rows: readonly BitField<N>[], ...names: readonly NoInfer<N>[]): number {
  return Number(BigInt.asIntN(32, maskOf(rows, ...names)));
}

/** Names of the bits that are set; wider fields as `name=value` when not zero. */
export function decodeBits(value: bigint, rows: readonly BitField[]): string[] {
  return rows.flatMap((row) => {
    const part = fieldOf(value, row);
    if (part === 0n) return [];
    return [row.hi === row.lo ? row.name : `${row.name}=${part}`];
  });
}
