// Results that an instruction leaves undefined, so that two right CPUs may differ in them. Each row cites
// the instruction's page in volume 2 of the SDM ("Flags Affected").
import type { Case } from './case.js';
import { type Decoded, decode, VEX } from './decode.js';
import { AF, CF, OF, PF, SF, STATUS, ZF } from './flags.js';

/** What must not be compared after an instruction that completed. */
export interface Mask {
  flags: number;
  /** The destination register is undefined too: ModRM.reg and ModRM.rm are not compared at all. */
  result: boolean;
}

interface Row {
  /** As decode() answers them. */
  opcodes: readonly number[];
  /** ModRM.reg values that the row is for; all when absent. */
  reg?: readonly number[];
  /** Only with (or without) an F3 prefix. */
  f3?: boolean;
  sdm: string;
  /** Undefined flags, or how they follow from the operands. */
  undefined: number | ((d: Decoded, c: Instruction) => Mask);
}

type Instruction = Pick<Case, 'code' | 'mode' | 'gpr'>;

const NONE: Mask = { flags: 0, result: false };
const range = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i);
/** The six encodings of an ALU operation that are not in group 1. */
const alu = (operation: number): number[] => range(operation * 8, operation * 8 + 5);

/** The immediate byte that ends the instruction. */
const immediate = (c: Instruction): number => c.code[c.code.length - 1];
const cl = (c: Instruction): number => Number(c.gpr[1] & 0xffn);
const masked = (d: Decoded, count: number): number => count & (d.operandBytes === 8 ? 63 : 31);

const rotate =
  (count: (c: Instruction) => number) =>
  (d: Decoded, c: Instruction): Mask =>
    masked(d, count(c)) > 1 ? { flags: OF, result: false } : NONE;

const shift =
  (count: (c: Instruction) => number) =>
  (d: Decoded, c: Instruction): Mask => {
    const n = masked(d, count(c));
    if (n === 0) return NONE;
    const arithmeticRight = ((d.modrm >> 3) & 7) === 7;
    const beyond = !arithmeticRight && n >= d.operandBytes * 8 ? CF : 0;
    return { flags: AF | (n === 1 ? 0 : OF) | beyond, result: false };
  };

const doubleShift =
  (count: (c: Instruction) => number) =>
  (d: Decoded, c: Instruction): Mask => {
    const n = masked(d, count(c));
    if (n === 0) return NONE;
    if (n > d.operandBytes * 8) return { flags: STATUS, result: true };
    return { flags: n === 1 ? AF : AF | OF, result: false };
  };

const ROTATE_SDM = '@sdm 2 "RCL/RCR/ROL/ROR": OF undefined for counts other than 1';
const SHIFT_SDM = '@sdm 2 "SAL/SAR/SHL/SHR": AF; OF for counts other than 1; CF for counts of the size or more';
const DOUBLE_SDM = '@sdm 2 "SHLD", "SHRD": AF; OF for counts other than 1; all for counts beyond the size';
const ROTATES = range(0, 3);
const SHIFTS = range(4, 7);

export const UNDEFINED: readonly Row[] = [
  { opcodes: alu(1), sdm: '@sdm 2 "OR": AF undefined', undefined: AF },
  { opcodes: alu(4), sdm: '@sdm 2 "AND": AF undefined', undefined: AF },
  { opcodes: alu(6), sdm: '@sdm 2 "XOR": AF undefined', undefined: AF },
  { opcodes: range(0x80, 0x83), reg: [1, 4, 6], sdm: '@sdm 2 "AND", "OR", "XOR": AF undefined', undefined: AF },
  { opcodes: [0x84, 0x85, 0xa8, 0xa9], sdm: '@sdm 2 "TEST": AF undefined', undefined: AF },
  { opcodes: [0xf6, 0xf7], reg: [0, 1], sdm: '@sdm 2 "TEST": AF undefined', undefined: AF },
  { opcodes: [0xc0, 0xc1], reg: ROTATES, sdm: ROTATE_SDM, undefined: rotate(immediate) },
  { opcodes: [0xd2, 0xd3], reg: ROTATES, sdm: ROTATE_SDM, undefined: rotate(cl) },
  { opcodes: [0xc0, 0xc1], reg: SHIFTS, sdm: SHIFT_SDM, undefined: shift(immediate) },
  { opcodes: [0xd0, 0xd1], reg: SHIFTS, sdm: SHIFT_SDM, undefined: shift(() => 1) },
  { opcodes: [0xd2, 0xd3], reg: SHIFTS, sdm: SHIFT_SDM, undefined: shift(cl) },
  { opcodes: [0x0fa4, 0x0fac], sdm: DOUBLE_SDM, undefined: doubleShift(immediate) },
  { opcodes: [0x0fa5, 0x0fad], sdm: DOUBLE_SDM, undefined: doubleShift(cl) },
  { opcodes: [0x27, 0x2f], sdm: '@sdm 2 "DAA", "DAS": OF undefined', undefined: OF },
  { opcodes: [0x37, 0x3f], sdm: '@sdm 2 "AAA", "AAS": OF, SF, ZF, PF undefined', undefined: OF | SF | ZF | PF },
  { opcodes: [0xd4, 0xd5], sdm: '@sdm 2 "AAM", "AAD": OF, AF, CF undefined', undefined: OF | AF | CF },
  { opcodes: [0x69, 0x6b, 0x0faf], sdm: '@sdm 2 "IMUL": SF, ZF, AF, PF undefined', undefined: SF | ZF | AF | PF },
  {
    opcodes: [0xf6, 0xf7],
    reg: [4, 5],
    sdm: '@sdm 2 "MUL", "IMUL": SF, ZF, AF, PF undefined',
    undefined: SF | ZF | AF | PF,
  },
  { opcodes: [0xf6, 0xf7], reg: [6, 7], sdm: '@sdm 2 "DIV", "IDIV": all status flags undefined', undefined: STATUS },
  {
    opcodes: [0x0fa3, 0x0fab, 0x0fb3, 0x0fbb, 0x0fba],
    sdm: '@sdm 2 "BT", "BTS", "BTR", "BTC": OF, SF, AF, PF undefined',
    undefined: OF | SF | AF | PF,
  },
  {
    opcodes: [0x0fbc, 0x0fbd],
    f3: true,
    sdm: '@sdm 2 "LZCNT", "TZCNT": OF, SF, PF, AF undefined',
    undefined: OF | SF | AF | PF,
  },
  {
    opcodes: [0x0fbc, 0x0fbd],
    f3: false,
    sdm: '@sdm 2 "BSF", "BSR": CF, OF, SF, AF, PF undefined',
    undefined: CF | OF | SF | AF | PF,
  },
  {
    opcodes: range(0x0fc8, 0x0fcf),
    sdm: '@sdm 2 "BSWAP": the result of a 16-bit operand is undefined',
    undefined: (d) => ({ flags: 0, result: d.operandBytes === 2 }),
  },
  { opcodes: [VEX | 0x0f38f2], sdm: '@sdm 2 "ANDN": AF, PF undefined', undefined: AF | PF },
  { opcodes: [VEX | 0x0f38f3], sdm: '@sdm 2 "BLSI", "BLSMSK", "BLSR": AF, PF undefined', undefined: AF | PF },
  { opcodes: [VEX | 0x0f38f5], sdm: '@sdm 2 "BZHI": AF, PF undefined', undefined: AF | PF },
  { opcodes: [VEX | 0x0f38f7], sdm: '@sdm 2 "BEXTR": AF, SF, PF undefined', undefined: AF | SF | PF },
];

const BY_OPCODE = new Map<number, Row[]>();
for (const row of UNDEFINED) {
  for (const opcode of row.opcodes) BY_OPCODE.set(opcode, [...(BY_OPCODE.get(opcode) ?? []), row]);
}

/** Undefined results of a case's instruction. */
export function maskOf(c: Instruction): Mask {
  const d = decode(c.code, c.mode);
  const reg = (d.modrm >> 3) & 7;
  const row = BY_OPCODE.get(d.opcode)?.find(
    (r) => (r.reg === undefined || r.reg.includes(reg)) && (r.f3 === undefined || r.f3 === d.prefixF3),
  );
  if (!row) return NONE;
  return typeof row.undefined === 'number' ? { flags: row.undefined, result: false } : row.undefined(d, c);
}
