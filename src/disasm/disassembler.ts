/** x86 disassembly by Capstone, with its measured faults kept away from callers. */
import { Capstone, Const, loadCapstone } from 'capstone-wasm';
import type { CodeBits, DisassembleOptions, Instruction, Syntax } from './instruction.js';

/** One call of more than about 6000 instructions exhausts Capstone's fixed heap and kills the module. */
const MAX_INPUT_BYTES = 4096;
/** CS_OPT_SKIPDATA: absent from the wrapper's constants. Without it an undecodable first byte throws. */
const CS_OPT_SKIPDATA = 5;

const U64 = (1n << 64n) - 1n;
const DIRECT_BRANCH = /^(?:j[a-z]+|call[a-z]?|loop[a-z]*|xbegin)$/;
const NUMBER = /^\$?(0x[0-9a-f]+|\d+)$/;
/** `[rip + 0x10]`, `[eip - 8]`, `0x10(%rip)`, `-8(%eip)`. */
const INTEL_RIP = /\[([re])ip(?: ([+-]) (0x[0-9a-f]+|\d+))?\]/;
const ATT_RIP = /(-?)(0x[0-9a-f]+|\d+)?\(%([re])ip\)/;

interface Handle {
  capstone: Capstone;
  syntax: Syntax;
}

/** Three Capstone handles, one a mode, kept for life: every open and close leaks in the wrapper. */
export class Disassembler {
  private static loaded: Promise<Disassembler> | undefined;
  private readonly handles: Record<CodeBits, Handle>;

  private constructor() {
    this.handles = { 16: open(Const.CS_MODE_16), 32: open(Const.CS_MODE_32), 64: open(Const.CS_MODE_64) };
  }

  /** The one disassembler of this process. */
  static load(): Promise<Disassembler> {
    Disassembler.loaded ??= loadCapstone().then(() => new Disassembler());
    return Disassembler.loaded;
  }

  /**
   * Instructions of `bytes` (at most 4 KiB are looked at), the first one at the linear `address`.
   * A byte that starts no instruction becomes one `.byte` line; empty input gives an empty list.
   */
  disassemble(bytes: Uint8Array, address: bigint, options: DisassembleOptions): Instruction[] {
    const { bits, syntax = 'intel', count = 0, segmentBase = 0n } = options;
    if (bytes.length === 0) return [];
    const handle = this.handles[bits];
    if (handle.syntax !== syntax) {
      const value = syntax === 'intel' ? Const.CS_OPT_SYNTAX_INTEL : Const.CS_OPT_SYNTAX_ATT;
      handle.capstone.setOption(Const.CS_OPT_SYNTAX, value);
      handle.syntax = syntax;
    }
    const input = bytes.length > MAX_INPUT_BYTES ? bytes.subarray(0, MAX_INPUT_BYTES) : bytes;
    // Offsets in the segment, so that Capstone's targets are offsets as well.
    let offset = bits === 64 ? address & U64 : BigInt.asUintN(32, address - segmentBase);
    const base = bits === 64 ? 0n : segmentBase;
    const result: Instruction[] = [];
    for (const raw of handle.capstone.disasm(input, { address: offset, count })) {
      const next = offset + BigInt(raw.size);
      result.push(build(raw, offset, next, base, bits));
      offset = next;
    }
    return result;
  }
}

function open(mode: number): Handle {
  const capstone = new Capstone(Const.CS_ARCH_X86, mode);
  capstone.setOption(CS_OPT_SKIPDATA, Const.CS_OPT_ON);
  return { capstone, syntax: 'intel' };
}

interface Raw {
  bytes: Uint8Array;
  mnemonic: string;
  opStr: string;
}

function build(raw: Raw, offset: bigint, next: bigint, base: bigint, bits: CodeBits): Instruction {
  const linear = (value: bigint) => (bits === 64 ? value & U64 : BigInt.asUintN(32, base + value));
  let operands = raw.opStr;
  const instruction: Instruction = {
    address: linear(offset),
    bytes: Uint8Array.from(raw.bytes),
    mnemonic: raw.mnemonic,
    operands,
    text: '',
  };
  const plain = raw.mnemonic.replace(/^(?:bnd|notrack|lock|rep[a-z]*) /, '');
  const direct = DIRECT_BRANCH.test(plain) ? NUMBER.exec(operands) : null;
  if (direct) {
    let target = BigInt(direct[1]!);
    if (bits === 32) target = BigInt.asUintN(32, target);
    // A branch of 16-bit operand size wraps at 64 KiB, which Capstone does not do.
    const wide = raw.bytes.length > 1 && hasOperandSizePrefix(raw.bytes);
    if ((bits === 16 && !wide) || (bits === 32 && wide)) target &= 0xffffn;
    else if (bits === 16) target = BigInt.asUintN(32, target);
    operands = `0x${target.toString(16)}`;
    instruction.operands = operands;
    instruction.target = linear(target);
  }
  const relative = ripRelative(operands, next);
  if (relative !== undefined) instruction.ripRelative = relative;
  instruction.text = operands ? `${raw.mnemonic} ${operands}` : raw.mnemonic;
  return instruction;
}

function hasOperandSizePrefix(bytes: Uint8Array): boolean {
  for (const byte of bytes) {
    if (byte === 0x66) return true;
    const prefix = [0xf0, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65, 0x67].includes(byte);
    if (!prefix) return false;
  }
  return false;
}

function ripRelative(operands: string, next: bigint): bigint | undefined {
  const intel = INTEL_RIP.exec(operands);
  if (intel) return displace(next, intel[2] === '-', intel[3], intel[1] === 'e');
  const att = ATT_RIP.exec(operands);
  if (att) return displace(next, att[1] === '-', att[2], att[3] === 'e');
  return undefined;
}

function displace(next: bigint, negative: boolean, text: string | undefined, narrow: boolean): bigint {
  const displacement = BigInt(text ?? 0);
  return BigInt.asUintN(narrow ? 32 : 64, negative ? next - displacement : next + displacement);
}
