// Instructions that compiled code calls the core's handler for (core/exec/regions.ts callLean and callWhole).
import { FIRST_HANDLER, FIRST_LEAN_HANDLER, HANDLERS, LEAN_HANDLERS } from '../../spec/opcodes/handlers.js';
import { OPCODES } from '../../spec/opcodes/index.js';
import type { Import } from './wasm-writer.js';

export interface Called {
  readonly name: string;
  /** A vector instruction. */
  readonly vector: boolean;
  /** Micro-op number by which the core knows the handler. */
  readonly number: number;
  /** Touches neither flags nor RIP, and no general register but its operands. */
  readonly lean: boolean;
  /** Tells where it is by where its block is. */
  readonly placed: boolean;
  /** Operands may be general registers, beside those of an address. */
  readonly registers: boolean;
  /** Ends its block. */
  readonly ends: boolean;
  /** Leaves the status flags as they are. */
  readonly keepsFlags: boolean;
  /** Mostly done at once, with these registers in memory alone. */
  readonly atOnce?: AtOnce;
}

/** A function of the core's that does an instruction at once, or not at all (core/exec/regions.ts callCpuid and its like). */
export interface AtOnce {
  readonly callee: Import;
  /** General registers, with those that a VM exit records. */
  readonly reads: readonly number[];
  /** It takes the micro-op, not the instruction's length. */
  readonly byUop?: true;
  /** It takes those as parameters, in this order: they are not in memory. */
  readonly takes?: true;
  readonly writes: readonly number[];
}

const [RAX, RCX, RDX, RBX] = [0, 1, 2, 3];
const AT_ONCE: Readonly<Partial<Record<string, AtOnce>>> = {
  execCpuid: { callee: 'callCpuid', reads: [RAX, RCX], takes: true, writes: [RAX, RCX, RDX, RBX] },
  execIn: { callee: 'callPort', reads: [RAX, RCX, RDX], byUop: true, writes: [RAX] },
  execOut: { callee: 'callPort', reads: [RAX, RCX, RDX], byUop: true, writes: [] },
  execRdmsr: { callee: 'callRdmsr', reads: [RAX, RCX], writes: [RAX, RDX] },
  execWrmsr: { callee: 'callWrmsr', reads: [RAX, RCX, RDX], writes: [] },
};

/** What they change of RFLAGS, if anything, is no status flag. */
const KEEPS_FLAGS = new Set(
  (
    'Clac Cli Clts Cpuid Enter FsGsBase In Invlpg LoadFar Lods MovFromCr MovFromDr MovRegSeg MovSegReg Movs MovToCr MovToDr Out ' +
    'Pause PopSeg Pushf PushSeg Rdmsr Rdpid Rdtsc Rdtscp Stac Sti Stos Swapgs Wrmsr Xgetbv'
  )
    .split(' ')
    .map((name) => `exec${name}`),
);

/** They go elsewhere, or out of the guest: nothing of a region follows them. */
const ELSEWHERE = new Set(
  (
    'CallFar CallFarMem GeneralProtection Getsec Hlt Icebp Int Int3 Into Iret JmpFar JmpFarMem Monitor Mwait RetFar Rsm ' +
    'Syscall Sysenter Sysexit Sysret Ud Vmcall Vmmcall VmxInstruction'
  )
    .split(' ')
    .map((name) => `exec${name}`),
);

/** Operands that are, or may be, general registers: the kinds of the SDM's appendix A. @sdm 2D A.2.1 "Codes for Addressing Method" */
const GENERAL = /^[EGRB]/;
/** These have an operand that no row names. */
const IMPLICIT = new Set(['execMaskmovdqu', 'execMaskmovq']);

const WITH_REGISTERS = new Set(
  OPCODES.filter(({ operands }) => operands.split(',').some((operand) => GENERAL.test(operand))).map(
    (row) => row.handler,
  ),
);

const VECTOR = new Set(OPCODES.filter(({ group }) => group !== undefined).map((row) => row.handler));

const LEAN: readonly (Called | undefined)[] = LEAN_HANDLERS.map((name, n) =>
  IMPLICIT.has(name)
    ? undefined
    : {
        name,
        vector: VECTOR.has(name),
        number: FIRST_LEAN_HANDLER + n * 2,
        lean: true,
        placed: !VECTOR.has(name),
        registers: VECTOR.has(name) && WITH_REGISTERS.has(name),
        ends: false,
        keepsFlags: true,
      },
);

const WHOLE: readonly (readonly (Called | undefined)[])[] = HANDLERS.map((name, n) =>
  [false, true].map((ends) =>
    ELSEWHERE.has(name)
      ? undefined
      : {
          name,
          vector: VECTOR.has(name),
          number: FIRST_HANDLER + n * 2,
          lean: false,
          placed: false,
          registers: true,
          ends,
          keepsFlags: KEEPS_FLAGS.has(name),
          atOnce: ends ? AT_ONCE[name] : undefined,
        },
  ),
);

/** The handler of the nth micro-op that the dispatcher calls directly. */
export const leanHandler = (n: number): Called | undefined => LEAN[n];

/** The handler of a micro-op by its number; undefined: it is left to the interpreter. */
export const numberedHandler = (op: number): Called | undefined => WHOLE[(op - FIRST_HANDLER) >> 1]?.[op & 1];

/** The lean handler of that name. */
export function leanHandlerOf(name: string): Called {
  const found = LEAN[LEAN_HANDLERS.indexOf(name)];
  if (!found) throw new Error(`${name} cannot be called alone`);
  return found;
}
