/** Which memory an instruction touches, from its text in Intel syntax and the registers. */
import type { Instruction } from '../disasm/index.js';
import { codeBits, linearStack, stackBits } from '../engine/debug/guest-mode.js';
import type { RegisterFile } from '../engine/debugger.js';

export interface MemoryAccess {
  /** Linear address. */
  gva: bigint;
  write: boolean;
}

const NO_ACCESS = /^(?:lea|nop|prefetch\w*|clflush\w*|invlpg|bound)$/;
/** Reads its first operand and changes nothing. */
const READS_FIRST =
  /^(?:cmp|test|push|call|jmp|bt|scas[bwdq]|cmps[bwdq]|outs[bwd]|lods[bwdq]|f(?:ld|i?add|i?mul|i?com|i?sub|i?div)\w*|v?u?comis[sd]|i?div|i?mul|l[gi]dt|lldt|ltr|lmsw|fxrstor|ldmxcsr|ver[rw])$/;
const OPERAND = /(?:(\w)s:)?\[([^\]]+)\]/;
const TERM = /^(?:(\w+)\*(\d)|(0x[0-9a-f]+|\d+)|(\w+))$/;
const SUB_REGISTERS: Record<string, readonly [RegExp, number]> = {
  dword: [/^e(\w\w)$|^(r\d+)d$/, 32],
  word: [/^([abcd]x|[sd]i|[sb]p)$|^(r\d+)w$/, 16],
};

/**
 * The accesses to operands and stack; those whose address is not known without `registers` are left out.
 * @param current registers, when the instruction is the one that runs next
 */
export function memoryAccesses(line: Instruction, mode: RegisterFile, current?: RegisterFile): MemoryAccess[] {
  const mnemonic = line.mnemonic.split(' ').at(-1)!.toLowerCase();
  const result: MemoryAccess[] = [];
  if (line.mnemonic === '.byte') return result;
  const operands = line.operands.split(', ');
  if (!NO_ACCESS.test(mnemonic)) {
    for (const [n, operand] of operands.entries()) {
      const gva =
        line.ripRelative !== undefined && /\[[re]ip/.test(operand) ? line.ripRelative : linear(operand, mode, current);
      if (gva !== undefined)
        result.push({ gva, write: n === 0 && operands.length <= 3 && !READS_FIRST.test(mnemonic) });
    }
  }
  if (current) {
    const word = BigInt(codeBits(current) / 8);
    const top = linearStack(current);
    if (/^(?:push\w*|l?call)$/.test(mnemonic)) result.push({ gva: below(top, word, current), write: true });
    else if (/^(?:pop\w*|[il]?ret\w*)$/.test(mnemonic)) result.push({ gva: top, write: false });
    else if (mnemonic === 'leave')
      result.push({ gva: linearStack({ ...current, rsp: current.rbp ?? 0n }), write: false });
  }
  return result;
}

function below(top: bigint, bytes: bigint, registers: RegisterFile): bigint {
  return BigInt.asUintN(stackBits(registers) === 64 ? 64 : 32, top - bytes);
}

/** Linear address of `dword ptr fs:[rax + rcx*4 - 0x10]`; undefined where a register is needed and not given. */
function linear(operand: string, mode: RegisterFile, current: RegisterFile | undefined): bigint | undefined {
  const match = OPERAND.exec(operand);
  if (!match) return undefined;
  const bits = codeBits(mode);
  const terms = match[2]!.split(/ (?=[+-] )/);
  let sum = 0n;
  let stack = false;
  let wide = bits === 16 ? 16 : bits;
  for (const [n, text] of terms.entries()) {
    const sign = n > 0 && text.startsWith('-') ? -1n : 1n;
    const part = TERM.exec(n > 0 ? text.slice(2) : text);
    if (!part) return undefined;
    const [, index, scale, number, base] = part;
    if (number !== undefined) {
      sum += sign * BigInt(number);
      continue;
    }
    const register = current && readRegister(current, index ?? base!);
    if (!register) return undefined;
    wide = register.bits;
    if (n === 0 && /^[re]?[sb]p$/.test(base ?? '')) stack = true;
    sum += sign * register.value * BigInt(scale ?? 1);
  }
  const segment = match[1] ? `${match[1]}s` : stack ? 'ss' : 'ds';
  const offset = BigInt.asUintN(wide, sum);
  if (bits === 64) {
    const based = segment === 'fs' || segment === 'gs' ? (mode[`${segment}_base`] ?? 0n) : 0n;
    return BigInt.asUintN(64, based + offset);
  }
  return BigInt.asUintN(32, (mode[`${segment}_base`] ?? 0n) + offset);
}

/** A general register by any of its names. */
export function readRegister(registers: RegisterFile, name: string): { value: bigint; bits: number } | undefined {
  const whole = registers[name];
  if (whole !== undefined && /^r/.test(name)) return { value: whole, bits: 64 };
  for (const [pattern, bits] of Object.values(SUB_REGISTERS)) {
    const match = pattern.exec(name);
    const full = match && (match[2] ?? `r${match[1]}`);
    const value = full ? registers[full] : undefined;
    if (value !== undefined) return { value: BigInt.asUintN(bits, value), bits };
  }
  const low = /^([abcd])l$|^(sil|dil|bpl|spl)$|^(r\d+)b$/.exec(name);
  const full = low && (low[3] ?? (low[2] ? `r${low[2].slice(0, 2)}` : `r${low[1]}x`));
  const value = full ? registers[full] : undefined;
  return value === undefined ? undefined : { value: value & 0xffn, bits: 8 };
}
