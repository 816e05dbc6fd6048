// The VM-exit instruction-information field: one layout for each group of instructions.
// @sdm 3C 27.2.5 "Information for VM Exits Due to Instruction Execution", tables 27-8 to 27-14
import type { DecodedBits } from './exit-qualifications.js';

const REGISTERS = [
  'rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15',
]; // biome-ignore format: one row
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', '?', '?'];
const ADDRESS_SIZES = [16, 32, 64];

export type InstructionInfoLayout =
  | 'string I/O'
  | 'descriptor table'
  | 'LDTR or TR'
  | 'memory'
  | 'memory and register'
  | 'operand and register'
  | 'random';

/** Layout by basic exit reason; a reason that is not here has no instruction information. */
export const INSTRUCTION_INFO_LAYOUTS: ReadonlyMap<number, InstructionInfoLayout> = new Map([
  [30, 'string I/O'],
  [46, 'descriptor table'],
  [47, 'LDTR or TR'],
  [19, 'memory'],
  [21, 'memory'],
  [22, 'memory'],
  [27, 'memory'],
  [63, 'memory'],
  [64, 'memory'],
  [50, 'memory and register'],
  [53, 'memory and register'],
  [58, 'memory and register'],
  [23, 'operand and register'],
  [25, 'operand and register'],
  [57, 'random'],
  [61, 'random'],
]);

const IDENTITIES: Partial<Record<InstructionInfoLayout, readonly string[]>> = {
  'descriptor table': ['SGDT', 'SIDT', 'LGDT', 'LIDT'],
  'LDTR or TR': ['SLDT', 'STR', 'LLDT', 'LTR'],
};

const field = (value: number, high: number, low: number): number => (value >>> low) & ((1 << (high - low + 1)) - 1);

/** The parts of a memory operand: segment, base, index, scaling, address size. The displacement is the exit qualification. */
export interface MemoryOperand {
  readonly segment: string;
  readonly base?: string;
  readonly index?: string;
  readonly scale: number;
  readonly addressBits: number;
}

/** The memory operand that an instruction-information value describes, or undefined for a register operand. */
export function memoryOperand(layout: InstructionInfoLayout, info: number): MemoryOperand | undefined {
  if (layout === 'string I/O' || layout === 'random') return undefined;
  if ((layout === 'LDTR or TR' || layout === 'operand and register') && field(info, 10, 10) === 1) return undefined;
  return {
    segment: SEGMENTS[field(info, 17, 15)],
    base: field(info, 27, 27) ? undefined : REGISTERS[field(info, 26, 23)],
    index: field(info, 22, 22) ? undefined : REGISTERS[field(info, 21, 18)],
    scale: 1 << field(info, 1, 0),
    addressBits: ADDRESS_SIZES[field(info, 9, 7)] ?? 0,
  };
}

/** A memory operand as an assembler writes it. */
export function formatOperand(operand: MemoryOperand, displacement: bigint): string {
  const parts: string[] = [];
  if (operand.base) parts.push(operand.base);
  if (operand.index) parts.push(operand.scale === 1 ? operand.index : `${operand.index}*${operand.scale}`);
  const signed = BigInt.asIntN(operand.addressBits || 64, displacement);
  if (signed !== 0n || parts.length === 0)
    parts.push(signed < 0n ? `-0x${(-signed).toString(16)}` : `0x${signed.toString(16)}`);
  return `${operand.segment}:[${parts.join('+').replace('+-', '-')}]`;
}

/**
 * What SGDT, SIDT, LGDT and LIDT read or write. The bit is undefined in 64-bit mode, where they take 10 bytes: an
 * address of 64 bits is proof of it, one of 32 bits may come from a prefix.
 * @sdm 3C 27.2.5 "Information for VM Exits Due to Instruction Execution", table 27-10
 */
function tableOperand(bit: number, operand: MemoryOperand | undefined): string {
  if (operand?.addressBits === 64) return '64 bits (10 bytes)';
  const size = bit ? '32 bits' : '16 bits';
  return operand?.addressBits === 32 ? `${size} (undefined in 64-bit mode)` : size;
}

/** Takes the instruction information of an exit apart; empty where the reason defines none. */
export function decodeInstructionInfo(reason: number, info: number, qualification: bigint): DecodedBits[] {
  const layout = INSTRUCTION_INFO_LAYOUTS.get(reason & 0xffff);
  if (!layout) return [];
  const out: DecodedBits[] = [];
  const add = (name: string, high: number, low: number, text?: string): void => {
    const value = field(info, high, low);
    out.push({ name, high, low, value: BigInt(value), text: text ?? String(value) });
  };
  const register = (name: string, high: number, low: number): void =>
    add(name, high, low, REGISTERS[field(info, high, low)]);
  if (layout === 'string I/O') {
    if ((qualification & 0x10n) === 0n) return [];
    add('address size', 9, 7, `${ADDRESS_SIZES[field(info, 9, 7)]} bits`);
    if ((qualification & 8n) === 0n) add('segment', 17, 15, SEGMENTS[field(info, 17, 15)]);
    return out;
  }
  if (layout === 'random') {
    register('destination', 6, 3);
    add('operand size', 12, 11, `${[16, 32, 64][field(info, 12, 11)]} bits`);
    return out;
  }
  const identity = IDENTITIES[layout];
  if (identity) add('instruction', 29, 28, identity[field(info, 29, 28)]);
  const operand = memoryOperand(layout, info);
  if (layout === 'descriptor table') add('operand size', 11, 11, tableOperand(field(info, 11, 11), operand));
  if (operand)
    out.push({
      name: 'operand',
      high: 27,
      low: 0,
      value: BigInt(info & 0xfffffff),
      text: formatOperand(operand, qualification),
    });
  else register('operand', 6, 3);
  if (layout === 'memory and register' || layout === 'operand and register') register('register', 31, 28);
  return out;
}
