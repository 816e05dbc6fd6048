/** What one disassembled instruction is. */

/** Default operand and address size of the code segment: CS.D and CS.L. */
export type CodeBits = 16 | 32 | 64;
export type Syntax = 'intel' | 'att';

export interface Instruction {
  /** Linear address of the first byte. */
  address: bigint;
  bytes: Uint8Array;
  /** `.byte` for a byte that is no instruction. */
  mnemonic: string;
  operands: string;
  /** Mnemonic and operands. */
  text: string;
  /** Linear address that a direct near branch or call goes to. */
  target?: bigint;
  /** Linear address of a RIP-relative memory operand. */
  ripRelative?: bigint;
}

export interface DisassembleOptions {
  bits: CodeBits;
  syntax?: Syntax;
  /** At most this many instructions; 0 or absent: all of the input. */
  count?: number;
  /** Base of the code segment: branch targets wrap in the segment, not in linear space. */
  segmentBase?: bigint;
}

/** True for a line that is data, not an instruction. */
export function isData(instruction: Instruction): boolean {
  return instruction.mnemonic === '.byte';
}
