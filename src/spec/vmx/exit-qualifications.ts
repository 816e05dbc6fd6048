// What the exit qualification of each reason means, bit by bit.
// @sdm 3C 27.2.1 "Basic VM-Exit Information", tables 27-1 to 27-7

export interface DecodedBits {
  readonly name: string;
  readonly high: number;
  readonly low: number;
  readonly value: bigint;
  readonly text: string;
}

interface Field {
  readonly name: string;
  readonly high: number;
  readonly low: number;
  /** Meaning of the value; without it single bits read yes or no and others hexadecimal. */
  readonly text?: (value: bigint, qualification: bigint) => string;
  /** Only there when this holds. */
  readonly when?: (qualification: bigint) => boolean;
}

const GPR = [
  'rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15',
]; // biome-ignore format: one row
const hex = (value: bigint): string => `0x${value.toString(16)}`;
const one = (list: readonly string[]) => (value: bigint) => list[Number(value)] ?? hex(value);
const cut = (value: bigint, high: number, low: number): bigint =>
  (value >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n);

const ADDRESS: readonly Field[] = [{ name: 'address', high: 63, low: 0 }];
const DISPLACEMENT: readonly Field[] = [
  { name: 'displacement', high: 63, low: 0, text: (v) => BigInt.asIntN(64, v).toString() },
];

const DEBUG: readonly Field[] = [
  ...[0, 1, 2, 3].map((n) => ({ name: `B${n}`, high: n, low: n })),
  { name: 'BD', high: 13, low: 13, text: one(['no', 'debug register access']) },
  { name: 'BS', high: 14, low: 14, text: one(['no', 'single step']) },
];

const TASK_SWITCH: readonly Field[] = [
  { name: 'selector', high: 15, low: 0 },
  { name: 'source', high: 31, low: 30, text: one(['CALL', 'IRET', 'JMP', 'task gate in the IDT']) },
];

const accessType = (q: bigint): number => Number(cut(q, 5, 4));
const CR_ACCESS: readonly Field[] = [
  { name: 'register', high: 3, low: 0, text: (v) => `cr${v}` },
  { name: 'access', high: 5, low: 4, text: one(['MOV to CR', 'MOV from CR', 'CLTS', 'LMSW']) },
  { name: 'LMSW operand', high: 6, low: 6, text: one(['register', 'memory']), when: (q) => accessType(q) === 3 },
  { name: 'general register', high: 11, low: 8, text: one(GPR), when: (q) => accessType(q) < 2 },
  { name: 'LMSW source', high: 31, low: 16, when: (q) => accessType(q) === 3 },
];

const DR_ACCESS: readonly Field[] = [
  { name: 'register', high: 2, low: 0, text: (v) => `dr${v}` },
  { name: 'direction', high: 4, low: 4, text: one(['MOV to DR', 'MOV from DR']) },
  { name: 'general register', high: 11, low: 8, text: one(GPR) },
];

const IO: readonly Field[] = [
  { name: 'size', high: 2, low: 0, text: (v) => `${v + 1n} byte${v === 0n ? '' : 's'}` },
  { name: 'direction', high: 3, low: 3, text: one(['OUT', 'IN']) },
  { name: 'string', high: 4, low: 4 },
  { name: 'REP', high: 5, low: 5 },
  { name: 'port encoding', high: 6, low: 6, text: one(['DX', 'immediate']) },
  { name: 'port', high: 31, low: 16 },
];

const MWAIT: readonly Field[] = [{ name: 'monitor armed', high: 0, low: 0 }];

const APIC_ACCESS: readonly Field[] = [
  { name: 'offset', high: 11, low: 0, when: (q) => cut(q, 15, 12) < 4n },
  {
    name: 'access',
    high: 15,
    low: 12,
    text: one([
      'linear, data read',
      'linear, data write',
      'linear, fetch',
      'linear, event delivery',
      '', '', '', '', '', '',
      'physical, event delivery',
      '', '', '', '',
      'physical, instruction fetch or data',
    ]), // biome-ignore format: sparse
  },
];

const EPT_VIOLATION: readonly Field[] = [
  { name: 'read', high: 0, low: 0 },
  { name: 'write', high: 1, low: 1 },
  { name: 'fetch', high: 2, low: 2 },
  { name: 'readable', high: 3, low: 3 },
  { name: 'writable', high: 4, low: 4 },
  { name: 'executable', high: 5, low: 5 },
  { name: 'user-mode executable', high: 6, low: 6 },
  { name: 'linear address valid', high: 7, low: 7 },
  {
    name: 'access to',
    high: 8,
    low: 8,
    text: one(['paging-structure entry', 'translated address']),
    when: (q) => cut(q, 7, 7) === 1n,
  },
  { name: 'NMI unblocked by IRET', high: 12, low: 12 },
];

const SIPI: readonly Field[] = [{ name: 'vector', high: 7, low: 0 }];
const ENTRY: readonly Field[] = [
  {
    name: 'failure',
    high: 63,
    low: 0,
    text: (v) =>
      v === 0n
        ? 'guest state'
        : v === 2n
          ? 'PDPTE loading'
          : v === 3n
            ? 'NMI while blocked by STI'
            : v === 4n
              ? 'VMCS link pointer'
              : hex(v),
  },
];
const MSR_ENTRY: readonly Field[] = [{ name: 'entry of the MSR-load area', high: 63, low: 0, text: (v) => String(v) }];

const BY_REASON: ReadonlyMap<number, readonly Field[]> = new Map<number, readonly Field[]>([
  [4, SIPI],
  [9, TASK_SWITCH],
  [14, ADDRESS],
  [28, CR_ACCESS],
  [29, DR_ACCESS],
  [30, IO],
  [33, ENTRY],
  [34, MSR_ENTRY],
  [36, MWAIT],
  [44, APIC_ACCESS],
  [48, EPT_VIOLATION],
  ...[19, 21, 22, 23, 25, 27, 46, 47, 50, 53, 58].map((reason): [number, readonly Field[]] => [reason, DISPLACEMENT]),
]);

const PAGE_FAULT = 14;
const DEBUG_VECTOR = 1;

function fieldsOf(reason: number, interruption: number): readonly Field[] {
  const basic = reason & 0xffff;
  if (basic !== 0) return BY_REASON.get(basic) ?? [];
  const vector = interruption & 0xff;
  if (((interruption >> 8) & 7) !== 3) return [];
  return vector === PAGE_FAULT ? ADDRESS : vector === DEBUG_VECTOR ? DEBUG : [];
}

function defaultText(value: bigint, field: Field): string {
  return field.high === field.low ? (value === 1n ? 'yes' : 'no') : hex(value);
}

/**
 * The exit qualification of an exit, field by field; empty where the reason defines none. Exceptions
 * need the VM-exit interruption information.
 */
export function decodeQualification(reason: number, qualification: bigint, interruption = 0): DecodedBits[] {
  return fieldsOf(reason, interruption)
    .filter((field) => field.when?.(qualification) ?? true)
    .map((field) => {
      const value = cut(qualification, field.high, field.low);
      const text = field.text?.(value, qualification) ?? defaultText(value, field);
      return { name: field.name, high: field.high, low: field.low, value, text };
    });
}
