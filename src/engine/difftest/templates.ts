// What the generators can build, derived from the opcode table: the bytes of an encoding and what
// follows them. A template says how to write an instruction, not what it does.
import { OPCODES, type OpcodeRow } from '../../spec/opcodes/index.js';

export type Immediate =
  | 'b' // 8 bits
  | 'w' // 16 bits
  | 'z' // 16 or 32 bits by operand size
  | 'v' // 16, 32 or 64 bits (MOV r, imm)
  | 'moffs' // offset of the address size
  | 'far' // offset and selector
  | 'wb'; // ENTER: 16 and 8 bits

export interface Template {
  /** Mnemonic and operands, as the opcode table has them. */
  name: string;
  mnemonic: string;
  /** Mandatory 66, F2 or F3. */
  prefix: number;
  /** Opcode with its map's escape bytes; with `vex` the last byte only. */
  opcode: readonly number[];
  /** VEX map (1 0F, 2 0F38, 3 0F3A); `pp` is in `prefix`. */
  vex: number;
  /** A ModRM byte follows; a number fixes its reg field. */
  modrm: boolean | number;
  immediate: Immediate | '';
  /** Relative branch with a displacement of this size. */
  branch: 'b' | 'z' | '';
  /** The ModRM operand is memory only. */
  memory: boolean;
  /** The ModRM operand is a register only. */
  register: boolean;
  lock: boolean;
  /** A string instruction. */
  rep: boolean;
  /** Uses the stack, so RSP has to point there. */
  stack: boolean;
  privileged: boolean;
}

/** Instructions that have no cases, and why. Samples, kvm-unit-tests and tests of their own run them. */
const LEAVES: Readonly<Record<string, string>> = {
  'leaves the CPU for a device or halts': 'IN OUT INS OUTS HLT MONITOR MWAIT',
  'answers what two machines do not share: model, time, random numbers':
    'CPUID RDTSC RDTSCP RDRAND RDSEED RDPID RDPMC RDMSR XGETBV',
  'changes the system state that the test bed is made of':
    'WRMSR LGDT LIDT LLDT LTR LMSW INVLPG INVD WBINVD XSETBV INVPCID SWAPGS CLAC STAC',
  'VMX and system management':
    'VMCALL VMMCALL VMLAUNCH VMRESUME VMXOFF VMFUNC VMREAD VMWRITE VMPTRLD VMCLEAR VMXON VMPTRST INVEPT INVVPID GETSEC RSM',
  'ends in a handler that MSRs name': 'SYSENTER SYSEXIT SYSCALL SYSRET',
  'its trap is the one by which cases end': 'INT1',
};
const REASONS = new Map(
  Object.entries(LEAVES).flatMap(([reason, names]) => names.split(' ').map((name): [string, string] => [name, reason])),
);
const FLOAT = 'x87, MMX, SSE and AVX: testers of their own';

/** Why a row of the opcode table has no cases; undefined when it has. */
export const excludedRow = (row: OpcodeRow): string | undefined => (isFloat(row) ? FLOAT : REASONS.get(row.mnemonic));

/** x87 (D8-DF, 9B), MMX and SSE have state that the bed does not carry. */
const isFloat = (row: OpcodeRow): boolean =>
  row.group !== undefined ||
  /^(NP |66 |F2 |F3 )?(D[89A-F]|9B)\b/.test(row.bytes) ||
  /(^|,)[NPQUVW][a-z]*(,|$)/.test(row.operands) ||
  /Simd|Sse|X87|Mmx|mxcsr|Fpu|Fx(save|rstor)|Xsave|Xrstor|Emms/i.test(row.handler);
const STACK = new Set('PUSH POP PUSHA POPA PUSHF POPF CALL RET RETF IRET ENTER LEAVE'.split(' '));

const IMMEDIATES: Record<string, Immediate> = {
  Ib: 'b',
  Ibs: 'b',
  Iw: 'w',
  Iz: 'z',
  Iv: 'v',
  Ob: 'moffs',
  Ov: 'moffs',
  Ap: 'far',
};

function fromRow(row: OpcodeRow): Template[] {
  const operands = row.operands === '' ? [] : row.operands.split(',');
  const words = row.bytes.split(' ');
  let prefix = 0;
  let vex = 0;
  let modrm: boolean | number = false;
  let plus = false;
  const opcode: number[] = [];
  for (const word of words) {
    const reg = /^\/([0-7])$/.exec(word);
    if (word === 'NP' || word === 'NFx') continue;
    if (word.startsWith('VEX.')) {
      vex = 1;
      prefix = { NP: 0, '66': 0x66, F3: 0xf3, F2: 0xf2 }[word.slice(4)] ?? 0;
    } else if (word === '/r') {
      modrm = true;
    } else if (reg) {
      modrm = Number(reg[1]);
    } else if (opcode.length === 0 && vex === 0 && /^(66|F2|F3)$/.test(word) && words.length > 1) {
      prefix = Number.parseInt(word, 16);
    } else {
      plus = word.endsWith('+r');
      opcode.push(Number.parseInt(word, 16));
    }
  }
  if (vex !== 0) {
    vex = opcode[1] === 0x38 ? 2 : opcode[1] === 0x3a ? 3 : 1;
    opcode.splice(0, vex === 1 ? 1 : 2);
  }
  const immediates = operands.flatMap((operand) => IMMEDIATES[operand] ?? []);
  const jump = operands.find((operand) => operand === 'Jb' || operand === 'Jz');
  const rm = operands.find((operand) => /^[EMRW]/.test(operand)) ?? '';
  const template: Template = {
    name: `${row.mnemonic}${row.operands === '' ? '' : ` ${row.operands}`}`,
    mnemonic: row.mnemonic,
    prefix,
    opcode,
    vex,
    modrm,
    immediate: immediates.length === 2 ? 'wb' : (immediates[0] ?? ''),
    branch: jump === 'Jb' ? 'b' : jump === 'Jz' ? 'z' : '',
    memory: rm.startsWith('M'),
    register: rm.startsWith('R'),
    lock: row.attributes.includes('lock'),
    rep: row.attributes.includes('rep'),
    stack: STACK.has(row.mnemonic),
    privileged: row.attributes.includes('cpl0'),
  };
  if (!plus) return [template];
  const head = opcode.slice(0, -1);
  const last = opcode[opcode.length - 1];
  return Array.from({ length: 8 }, (_, r) => ({ ...template, opcode: [...head, last + r] }));
}

/** General-purpose encodings that stay inside the CPU. */
export const TEMPLATES: readonly Template[] = OPCODES.filter((row) => excludedRow(row) === undefined).flatMap(fromRow);
