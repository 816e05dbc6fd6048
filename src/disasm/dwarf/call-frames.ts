/** Call frame information: .debug_frame, and .eh_frame. @dwarf 5, 6.4 "Call Frame Information" */
import { elfSectionAddress, hasElfSection } from '../elf-sections.js';
import { Reader } from './reader.js';
import { DwarfSections } from './sections.js';

/** How a register of the caller is had: where the frame keeps it, what it is, or as it is. */
export type FrameRule =
  | { kind: 'at'; offset: number }
  | { kind: 'is'; offset: number }
  | { kind: 'register'; register: number }
  | { kind: 'expression' | 'value-expression'; expression: Uint8Array }
  | { kind: 'lost' };

export interface FrameRules {
  /** The canonical frame address: a register (its DWARF number) and an offset, or an expression. */
  cfa: { register: number; offset: number } | { expression: Uint8Array };
  /** By DWARF number; a register without a rule is as it is, or is not known. */
  registers: Map<number, FrameRule>;
  returnRegister: number;
  /** It is an interrupt's: the caller has not called. */
  signal: boolean;
}

interface Common {
  codeAlign: number;
  dataAlign: number;
  returnRegister: number;
  encoding: number;
  signal: boolean;
  addressBytes: number;
  augmented: boolean;
  instructions: Reader;
  end: number;
}

interface Piece {
  low: bigint;
  high: bigint;
  common: Common;
  bytes: Uint8Array;
  at: number;
  end: number;
}

const MAX_PIECES = 1 << 20;
const MAX_INSTRUCTIONS = 1 << 16;
const MAX_REMEMBERED = 64;
/** Pointer encodings of .eh_frame. */
const PE = {
  absolute: 0,
  udata2: 2,
  udata4: 3,
  udata8: 4,
  signed: 8,
  sdata2: 10,
  sdata4: 11,
  sdata8: 12,
  pcrel: 0x10,
  omit: 0xff,
};

export class CallFrames {
  readonly addressBytes: 4 | 8;
  readonly #sections: DwarfSections;
  #pieces: Piece[] | undefined;

  /** Nothing is read before it is asked for. */
  constructor(private readonly elf: Uint8Array) {
    this.addressBytes = elf[4] === 2 ? 8 : 4;
    this.#sections = new DwarfSections(elf);
  }

  /** Files without types have some too. */
  static isIn(elf: Uint8Array): boolean {
    return hasElfSection(elf, '.eh_frame') || hasElfSection(elf, '.debug_frame');
  }

  /** At a linked address; undefined where nothing is told of it. */
  rules(pc: bigint): FrameRules | undefined {
    this.#pieces ??= this.#read();
    const pieces = this.#pieces;
    let [low, high] = [0, pieces.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (pieces[middle]!.low <= pc) low = middle + 1;
      else high = middle;
    }
    const piece = pieces[low - 1];
    if (piece === undefined || pc >= piece.high) return undefined;
    try {
      return run(piece, pc);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return undefined;
    }
  }

  #read(): Piece[] {
    const pieces: Piece[] = [];
    for (const name of ['frame', 'ehFrame'] as const) {
      const bytes = this.#sections.get(name);
      const isEh = name === 'ehFrame';
      const base = isEh ? elfSectionAddress(this.elf, '.eh_frame') : 0n;
      try {
        readSection(bytes, isEh, base, this.addressBytes, pieces);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    }
    return pieces.sort((a, b) => (a.low < b.low ? -1 : a.low > b.low ? 1 : 0));
  }
}

function readSection(bytes: Uint8Array, isEh: boolean, base: bigint, addressBytes: number, pieces: Piece[]): void {
  const commons = new Map<number, Common | undefined>();
  for (let at = 0; at + 4 <= bytes.length && pieces.length < MAX_PIECES; ) {
    const reader = new Reader(bytes, at);
    const length = reader.initialLength();
    const end = reader.at + length;
    if (length === 0) {
      // .eh_frame ends so
      if (isEh) return;
      at = end;
      continue;
    }
    if (!(end <= bytes.length)) return;
    const idAt = reader.at;
    const id = reader.offset();
    const none = isEh ? 0 : reader.offsetBytes === 8 ? 2 ** 64 : 0xffffffff;
    const start = at;
    at = end;
    if (id === none) continue;
    const commonAt = isEh ? idAt - id : id;
    if (!commons.has(commonAt)) commons.set(commonAt, readCommon(bytes, commonAt, isEh, addressBytes));
    const common = commons.get(commonAt);
    if (common === undefined || commonAt === start) continue;
    const low = pointer(reader, common, base);
    const bytesCovered = pointer(reader, { ...common, encoding: common.encoding & 0xf }, 0n);
    if (common.augmented) reader.skip(reader.uleb());
    if (low !== 0n && bytesCovered > 0n)
      pieces.push({ low, high: low + bytesCovered, common, bytes, at: reader.at, end });
  }
}

/** An address in the encoding of the augmentation. */
function pointer(
  reader: Reader,
  { encoding, addressBytes }: Pick<Common, 'encoding' | 'addressBytes'>,
  base: bigint,
): bigint {
  const here = base + BigInt(reader.at);
  let value: bigint;
  switch (encoding & 0xf) {
    case PE.absolute:
    case PE.signed:
      value = addressBytes === 8 ? reader.u64() : BigInt(reader.u32());
      break;
    case PE.udata2:
      value = BigInt(reader.u16());
      break;
    case PE.sdata2:
      value = BigInt.asIntN(16, BigInt(reader.u16()));
      break;
    case PE.udata4:
      value = BigInt(reader.u32());
      break;
    case PE.sdata4:
      value = BigInt.asIntN(32, BigInt(reader.u32()));
      break;
    default:
      value = reader.u64();
  }
  return BigInt.asUintN(addressBytes * 8, (encoding & 0x70) === PE.pcrel ? here + value : value);
}

function readCommon(bytes: Uint8Array, at: number, isEh: boolean, addressBytes: number): Common | undefined {
  if (!(at >= 0 && at + 8 <= bytes.length)) return undefined;
  const reader = new Reader(bytes, at);
  const length = reader.initialLength();
  const end = reader.at + length;
  if (!(end <= bytes.length)) return undefined;
  reader.offset();
  const version = reader.u8();
  const augmentation = reader.string();
  if (version >= 4) {
    const size = reader.u8();
    if (size !== addressBytes) return undefined;
    reader.u8();
  }
  const codeAlign = reader.uleb();
  const dataAlign = reader.sleb();
  const returnRegister = version === 1 ? reader.u8() : reader.uleb();
  let encoding = PE.absolute;
  let signal = false;
  const augmented = augmentation.startsWith('z');
  if (augmented) {
    const behind = reader.uleb() + reader.at;
    for (const letter of augmentation.slice(1)) {
      if (letter === 'R') encoding = reader.u8();
      else if (letter === 'S') signal = true;
      else if (letter === 'L') reader.u8();
      else if (letter === 'P') pointer(reader, { encoding: reader.u8(), addressBytes }, 0n);
      else break;
    }
    reader.at = behind;
  } else if (augmentation !== '') return undefined;
  if (isEh && encoding === PE.omit) return undefined;
  return { codeAlign, dataAlign, returnRegister, encoding, signal, addressBytes, augmented, instructions: reader, end };
}

interface Row {
  cfa: FrameRules['cfa'];
  registers: Map<number, FrameRule>;
}

const copy = ({ cfa, registers }: Row): Row => ({ cfa, registers: new Map(registers) });

function run(piece: Piece, pc: bigint): FrameRules {
  const { common } = piece;
  const first: Row = { cfa: { register: 7, offset: 8 }, registers: new Map() };
  const head = new Reader(common.instructions.bytes, common.instructions.at);
  execute(head, common.end, common, first, undefined, piece.low, pc);
  const row = copy(first);
  const body = new Reader(piece.bytes, piece.at);
  execute(body, piece.end, common, row, first, piece.low, pc);
  return { ...row, returnRegister: common.returnRegister, signal: common.signal };
}

/** Up to the row that holds at `pc`. */
function execute(
  reader: Reader,
  end: number,
  common: Common,
  row: Row,
  initial: Row | undefined,
  low: bigint,
  pc: bigint,
): void {
  const { dataAlign, codeAlign, addressBytes } = common;
  const remembered: Row[] = [];
  let at = low;
  const set = (register: number, rule: FrameRule): void => {
    row.registers.set(register, rule);
  };
  const restore = (register: number): void => {
    const rule = initial?.registers.get(register);
    if (rule) set(register, rule);
    else row.registers.delete(register);
  };
  const offsetOf = (offset: number): void => {
    if ('register' in row.cfa) row.cfa = { register: row.cfa.register, offset };
  };
  for (let count = 0; reader.at < end && count < MAX_INSTRUCTIONS; count++) {
    const opcode = reader.u8();
    const low6 = opcode & 0x3f;
    let advance = -1;
    if (opcode >> 6 === 1) advance = low6;
    else if (opcode >> 6 === 2) set(low6, { kind: 'at', offset: reader.uleb() * dataAlign });
    else if (opcode >> 6 === 3) restore(low6);
    else
      switch (opcode) {
        case 0x00:
          break;
        case 0x01:
          at = addressBytes === 8 ? reader.u64() : BigInt(reader.u32());
          if (at > pc) return;
          break;
        case 0x02:
          advance = reader.u8();
          break;
        case 0x03:
          advance = reader.u16();
          break;
        case 0x04:
          advance = reader.u32();
          break;
        case 0x05: {
          const register = reader.uleb();
          set(register, { kind: 'at', offset: reader.uleb() * dataAlign });
          break;
        }
        case 0x06:
          restore(reader.uleb());
          break;
        case 0x07:
          set(reader.uleb(), { kind: 'lost' });
          break;
        case 0x08:
          row.registers.delete(reader.uleb());
          break;
        case 0x09: {
          const register = reader.uleb();
          set(register, { kind: 'register', register: reader.uleb() });
          break;
        }
        case 0x0a:
          if (remembered.push(copy(row)) > MAX_REMEMBERED)
            throw new RangeError('call frames that remember too much state');
          break;
        case 0x0b: {
          const last = remembered.pop();
          if (last) Object.assign(row, last);
          break;
        }
        case 0x0c: {
          const register = reader.uleb();
          row.cfa = { register, offset: reader.uleb() };
          break;
        }
        case 0x0d: {
          const register = reader.uleb();
          row.cfa = { register, offset: 'offset' in row.cfa ? row.cfa.offset : 0 };
          break;
        }
        case 0x0e:
          offsetOf(reader.uleb());
          break;
        case 0x0f:
          row.cfa = { expression: reader.block(reader.uleb()) };
          break;
        case 0x10:
        case 0x16: {
          const register = reader.uleb();
          const kind = opcode === 0x10 ? 'expression' : 'value-expression';
          set(register, { kind, expression: reader.block(reader.uleb()) });
          break;
        }
        case 0x11: {
          const register = reader.uleb();
          set(register, { kind: 'at', offset: reader.sleb() * dataAlign });
          break;
        }
        case 0x12: {
          const register = reader.uleb();
          row.cfa = { register, offset: reader.sleb() * dataAlign };
          break;
        }
        case 0x13:
          offsetOf(reader.sleb() * dataAlign);
          break;
        case 0x14:
        case 0x15: {
          const register = reader.uleb();
          const offset = opcode === 0x14 ? reader.uleb() : reader.sleb();
          set(register, { kind: 'is', offset: offset * dataAlign });
          break;
        }
        case 0x2e:
          reader.uleb();
          break;
        case 0x2f: {
          const register = reader.uleb();
          set(register, { kind: 'at', offset: -reader.uleb() * dataAlign });
          break;
        }
        default:
          throw new RangeError(`call frame instruction 0x${opcode.toString(16)} is not known`);
      }
    if (advance >= 0) {
      at += BigInt(advance * codeAlign);
      if (at > pc) return;
    }
  }
}
