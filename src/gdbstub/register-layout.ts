/**
 * Register numbers and widths as GDB counts them, for the 64-bit and the 32-bit descriptions.
 *
 * `g` carries only the standard set (536 or 308 bytes): GDB refuses a `g` longer than the description it
 * holds, and fetches what a shorter one lacks by `p`. So every extra register has a number behind mxcsr.
 * @gdb "i386 Features", and the register order of "Packets": g
 */
import type { Architecture, EnumType, ExtraRegister, FlagsType } from './target.js';

export type RegisterType =
  | 'int32'
  | 'int64'
  | 'code_ptr'
  | 'data_ptr'
  | 'i386_eflags'
  | 'i387_ext'
  | 'vec128'
  | 'i386_mxcsr'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'uint128'
  | FlagsType
  | EnumType;

export interface RegisterSlot {
  /** GDB's name. */
  name: string;
  /** The target's name for it. */
  key: string;
  bits: number;
  type: RegisterType;
  group?: string;
  /** LLDB's generic role. */
  generic?: 'pc' | 'sp' | 'fp' | 'flags';
  /** Which target group holds the value; `none`: it is there for the client's sake, all ones. */
  source: 'thread' | 'extra' | 'none';
  /** See ExtraRegister. */
  moves?: boolean;
}

export interface RegisterLayout {
  architecture: Architecture;
  /** Bytes of an address. */
  wordBytes: 4 | 8;
  /** Indexed by register number. */
  slots: RegisterSlot[];
  /** Feature name -> first register number and count, in the order of the description. */
  features: { name: string; first: number; count: number }[];
  /** The first of them, which `g` and `G` carry; what the target calls those, and their bytes. */
  standard: readonly RegisterSlot[];
  standardKeys: readonly string[];
  standardBytes: number;
  pc: number;
  sp: number;
  fp: number;
  /** Those three in order, which a stop reply shows. */
  expedited: readonly number[];
}

const GENERAL_64 = [
  ...['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'rsp'],
  ...['r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'],
];
const GENERAL_32 = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'];
const SEGMENTS = ['cs', 'ss', 'ds', 'es', 'fs', 'gs'];
const X87_CONTROL = ['fctrl', 'fstat', 'ftag', 'fiseg', 'fioff', 'foseg', 'fooff', 'fop'];

function slot(name: string, bits: number, type: RegisterType, more: Partial<RegisterSlot> = {}): RegisterSlot {
  return { name, key: name, bits, type, source: 'thread', ...more };
}

function core64(): RegisterSlot[] {
  const generic: Record<string, RegisterSlot['generic']> = { rsp: 'sp', rbp: 'fp' };
  return [
    ...GENERAL_64.map((name) => slot(name, 64, generic[name] ? 'data_ptr' : 'int64', { generic: generic[name] })),
    slot('rip', 64, 'code_ptr', { generic: 'pc' }),
    slot('eflags', 32, 'i386_eflags', { key: 'rflags', generic: 'flags' }),
    ...SEGMENTS.map((name) => slot(name, 32, 'int32')),
    ...x87(),
  ];
}

function core32(): RegisterSlot[] {
  const generic: Record<string, RegisterSlot['generic']> = { esp: 'sp', ebp: 'fp' };
  return [
    ...GENERAL_32.map((name) =>
      slot(name, 32, generic[name] ? 'data_ptr' : 'int32', { key: `r${name.slice(1)}`, generic: generic[name] }),
    ),
    slot('eip', 32, 'code_ptr', { key: 'rip', generic: 'pc' }),
    slot('eflags', 32, 'i386_eflags', { key: 'rflags', generic: 'flags' }),
    ...SEGMENTS.map((name) => slot(name, 32, 'int32')),
    ...x87(),
  ];
}

function x87(): RegisterSlot[] {
  return [
    ...Array.from({ length: 8 }, (_, at) => slot(`st${at}`, 80, 'i387_ext')),
    ...X87_CONTROL.map((name) => slot(name, 32, 'int32', { group: 'float' })),
  ];
}

function sse(count: number): RegisterSlot[] {
  return [
    ...Array.from({ length: count }, (_, at) => slot(`xmm${at}`, 128, 'vec128')),
    slot('mxcsr', 32, 'i386_mxcsr', { group: 'vector' }),
  ];
}

function extraSlot(register: ExtraRegister): RegisterSlot {
  const type = register.type ?? (`uint${register.bits}` as const);
  const moves = register.moves ? { moves: true } : {};
  return slot(register.name, register.bits, type, { group: register.group, source: 'extra', ...moves });
}

/** Feature that holds the registers which no standard feature names. */
export const SYSTEM_FEATURE = 'org.vmscope.x86.system';

/**
 * @param available register names that the target knows; the AVX halves are described only when it has them.
 * @param extras the target's extra registers; those that a standard feature names are not repeated.
 * @param linuxAbi GDB is told that programs are Linux's.
 */
export function buildLayout(
  architecture: Architecture,
  available: ReadonlySet<string>,
  extras: readonly ExtraRegister[] = [],
  linuxAbi = false,
): RegisterLayout {
  const long = architecture === 'x86-64';
  const vectors = long ? 16 : 8;
  const slots: RegisterSlot[] = [];
  const features: RegisterLayout['features'] = [];
  const add = (name: string, members: RegisterSlot[]): void => {
    if (members.length === 0) return;
    features.push({ name, first: slots.length, count: members.length });
    slots.push(...members);
  };
  add('org.gnu.gdb.i386.core', long ? core64() : core32());
  add('org.gnu.gdb.i386.sse', sse(vectors));
  const standard = [...slots];
  // GDB knows the segments feature for 64-bit descriptions only; in 32-bit ones the bases join the system feature.
  const bases = ['fs_base', 'gs_base'].filter((name) => available.has(name));
  const baseSlots = bases.map((name) => slot(name, long ? 64 : 32, long ? 'int64' : 'uint32'));
  if (long) add('org.gnu.gdb.i386.segments', baseSlots);
  if (available.has('ymm0h')) {
    add(
      'org.gnu.gdb.i386.avx',
      Array.from({ length: vectors }, (_, at) => slot(`ymm${at}h`, 128, 'uint128')),
    );
  }
  // with it GDB takes the guest's programs for Linux's, and knows the names of their system calls
  if (linuxAbi && architecture !== 'i8086') {
    const name = long ? 'orig_rax' : 'orig_eax';
    const bits = long ? 64 : 32;
    add('org.gnu.gdb.i386.linux', [slot(name, bits, long ? 'int64' : 'int32', { source: 'none' })]);
  }
  const taken = new Set(slots.map((member) => member.name));
  const own = extras.filter((register) => !taken.has(register.name)).map(extraSlot);
  add(SYSTEM_FEATURE, long ? own : [...baseSlots, ...own]);
  const indexOf = (name: string): number => slots.findIndex((member) => member.generic === name);
  const [pc, sp, fp] = ['pc', 'sp', 'fp'].map(indexOf);
  return {
    architecture,
    wordBytes: long ? 8 : 4,
    slots,
    features,
    standard,
    standardKeys: standard.map(({ key }) => key),
    standardBytes: standard.reduce((sum, register) => sum + slotBytes(register), 0),
    pc,
    sp,
    fp,
    expedited: [pc, sp, fp].sort((a, b) => a - b),
  };
}

/** Bytes of a slot in g, G, p and P. */
export function slotBytes(register: RegisterSlot): number {
  return register.bits / 8;
}
