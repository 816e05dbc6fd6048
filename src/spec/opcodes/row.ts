// The opcode table's row and the small notation that the tables are written in.

/** One encoding of one instruction. */
export interface OpcodeRow {
  /**
   * Encoding in the SDM's notation: optional prefix rule (NP none of 66 F3 F2, 66, F3, F2, NFx neither F3 nor F2, VEX.pp),
   * opcode bytes, `/r`, `/0`-`/7` (ModRM.reg) or a whole ModRM byte, `+r` (register in the opcode's low bits).
   */
  readonly bytes: string;
  readonly mnemonic: string;
  /** Operands in the SDM's appendix A notation: Eb, Gv, Ib, Iz, Jz, M, Sw, Zv (register in the opcode), ... */
  readonly operands: string;
  /** Function of src/engine/core/exec that carries it out. */
  readonly handler: string;
  /** Status flags read and written, of `oszapc`; `d` direction, `i` interrupt flag. */
  readonly reads: string;
  readonly writes: string;
  readonly attributes: readonly Attribute[];
  /** Volume and title of the instruction's page: `2 "ADD"`. */
  readonly sdm: string;
}

/**
 * lock: LOCK is allowed with a memory destination. i64: invalid in 64-bit mode. o64: 64-bit mode only.
 * d64: operand size 64 by default in 64-bit mode. f64: always 64 there. cpl0: privileged.
 * end: ends its block. rep: F2/F3 repeats it (and then it ends its block). w0, w1: VEX.W.
 */
export type Attribute = 'lock' | 'i64' | 'o64' | 'd64' | 'f64' | 'cpl0' | 'end' | 'rep' | 'w0' | 'w1';

const ATTRIBUTES = new Set<string>(['lock', 'i64', 'o64', 'd64', 'f64', 'cpl0', 'end', 'rep', 'w0', 'w1']);

export interface Family {
  handler: string;
  /** Title of the SDM page; without it the row's mnemonic. */
  title?: string;
  reads?: string;
  writes?: string;
  /** Attributes of every row. */
  all?: string;
}

/**
 * Rows of a family, one a line: `bytes : MNEMONIC operands : attributes`.
 * Throws on a line that does not parse: the tables are part of the program.
 */
export function rows(family: Family, lines: string): OpcodeRow[] {
  return lines
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => {
      const [bytes = '', text = '', attributes = ''] = line.split(':').map((part) => part.trim());
      const [mnemonic = '', operands = ''] = text.split(/\s+/);
      if (!bytes || !mnemonic) throw new Error(`opcode table: ${line}`);
      const marks = `${family.all ?? ''} ${attributes}`.split(/\s+/).filter((mark) => mark !== '');
      for (const mark of marks) if (!ATTRIBUTES.has(mark)) throw new Error(`opcode table: ${mark} in ${line}`);
      return {
        bytes,
        mnemonic,
        operands,
        handler: family.handler,
        reads: family.reads ?? '',
        writes: family.writes ?? '',
        attributes: marks as Attribute[],
        sdm: `2 "${family.title ?? mnemonic}"`,
      };
    });
}

/** Sixteen condition codes in encoding order. */
export const CONDITIONS = [
  'O',
  'NO',
  'B',
  'AE',
  'Z',
  'NZ',
  'BE',
  'A',
  'S',
  'NS',
  'P',
  'NP',
  'L',
  'GE',
  'LE',
  'G',
] as const;

export const hex = (value: number): string => value.toString(16).toUpperCase().padStart(2, '0');
