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
  /** Vector instructions: what is done, by the name that the legacy, VEX and MMX forms share, and the family it belongs to. */
  readonly operation?: string;
  readonly group?: VectorGroup;
  /** Volume and title of the instruction's page: `2 "ADD"`. */
  readonly sdm: string;
}

/**
 * lock: LOCK is allowed with a memory destination. i64: invalid in 64-bit mode. o64: 64-bit mode only.
 * d64: operand size 64 by default in 64-bit mode. f64: always 64 there. cpl0: privileged.
 * end: ends its block. rep: F2/F3 repeats it (and then it ends its block). w0, w1: VEX.W.
 * VEX.L must be 0, unless l1: must be 1, lv: selects 128 or 256 bits, lig: ignored. vsib: the index is a vector register.
 */
const ATTRIBUTE_NAMES = [
  'lock',
  'i64',
  'o64',
  'd64',
  'f64',
  'cpl0',
  'end',
  'rep',
  'w0',
  'w1',
  'l1',
  'lv',
  'lig',
  'vsib',
] as const;
export type Attribute = (typeof ATTRIBUTE_NAMES)[number];

const ATTRIBUTES = new Set<string>(ATTRIBUTE_NAMES);

/** Families of vector operations; each is numbered from a multiple of 64. */
export const VECTOR_GROUPS = [
  'none',
  'arithmetic',
  'compare',
  'multiply',
  'arrange',
  'crypto',
  'unary',
  'shift',
  'move',
  'float',
  'convert',
  'fma',
  'permute',
] as const;
export type VectorGroup = (typeof VECTOR_GROUPS)[number];

export interface Family {
  handler: string;
  /** Title of the SDM page; without it the row's mnemonic. */
  title?: string;
  reads?: string;
  writes?: string;
  /** Attributes of every row. */
  all?: string;
  /** Vector instructions: the group, and the operation where it is not the mnemonic without the V of VEX. */
  group?: VectorGroup;
  operation?: string;
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
        ...(family.group === undefined
          ? {}
          : {
              group: family.group,
              operation: family.operation ?? mnemonic.replace(bytes.startsWith('VEX') ? /^V/ : /^$/, ''),
            }),
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
