/**
 * Line numbers of code: the line table of DWARF 2 to 5 (.debug_line with its strings). npm has no kept library for
 * it; the rest of DWARF is in `dwarf/`.
 * @dwarf 5, 6.2 "Line Number Information"
 */
import { Reader } from './dwarf/reader.js';
import { elfSections, hasElfSection } from './elf-sections.js';

export interface SourcePosition {
  /** As the compiler wrote it: absolute, or relative to where it ran. */
  file: string;
  line: number;
}

/** Addresses in [start, end) with their rows [first, last) in the tables. */
interface Sequence {
  start: bigint;
  end: bigint;
  first: number;
  last: number;
}

const SECTIONS = ['.debug_line', '.debug_line_str', '.debug_str'];
/** Standard opcodes. */
const OP = { copy: 1, advancePc: 2, advanceLine: 3, setFile: 4, negate: 6, constAddPc: 8, fixedAdvancePc: 9 };
const EXTENDED = { endSequence: 1, setAddress: 2, setDiscriminator: 4 };
const CONTENT = { path: 1, directory: 2 };
const FORM = {
  ...{ data2: 0x05, data4: 0x06, data8: 0x07, string: 0x08, block: 0x09, data1: 0x0b, strp: 0x0e, udata: 0x0f },
  ...{ data16: 0x1e, lineStrp: 0x1f },
};

/** A table of numbers that grows. */
class Column {
  values = new Float64Array(1024);
  length = 0;

  push(value: number): void {
    if (this.length === this.values.length) {
      const wider = new Float64Array(this.length * 2);
      wider.set(this.values);
      this.values = wider;
    }
    this.values[this.length++] = value;
  }
}

export class LineTable {
  readonly #sequences: Sequence[] = [];
  /** Bytes from the start of the sequence; line, negative where no statement begins; file. */
  readonly #offsets = new Column();
  readonly #lines = new Column();
  readonly #files = new Column();
  readonly #names: string[] = [];
  readonly #numbers = new Map<string, number>();

  private constructor(private readonly sections: ReadonlyMap<string, Uint8Array>) {
    const lines = sections.get('.debug_line') as Uint8Array;
    for (let at = 0; at + 4 <= lines.length; ) {
      const unit = new Reader(lines, at);
      try {
        const length = unit.initialLength();
        at = unit.at + length;
        this.#readUnit(unit, Math.min(at, lines.length));
      } catch (error) {
        // the rest of a damaged unit is left out
        if (!(error instanceof RangeError)) throw error;
        if (at <= unit.at - 4 || unit.at > lines.length) break;
      }
    }
    this.#sequences.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  }

  /** Whether a file has such a table; it is not read yet. */
  static isIn(elf: Uint8Array): boolean {
    return hasElfSection(elf, '.debug_line');
  }

  /** The line table of an ELF file; undefined when it has none. */
  static read(elf: Uint8Array): LineTable | undefined {
    const sections = elfSections(elf, SECTIONS);
    if (!sections.has('.debug_line')) return undefined;
    const table = new LineTable(sections);
    return table.#sequences.length === 0 ? undefined : table;
  }

  /** Where the instruction at an address comes from. */
  lookup(address: bigint): SourcePosition | undefined {
    let low = 0;
    let high = this.#sequences.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#sequences[middle].start <= address) low = middle + 1;
      else high = middle;
    }
    const sequence = this.#sequences[low - 1];
    if (sequence === undefined || address >= sequence.end) return undefined;
    const offset = Number(address - sequence.start);
    low = sequence.first;
    high = sequence.last;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#offsets.values[middle] <= offset) low = middle + 1;
      else high = middle;
    }
    const line = Math.abs(this.#lines.values[low - 1]);
    if (low === sequence.first || line === 0) return undefined;
    return { file: this.#names[this.#files.values[low - 1]], line };
  }

  /** Files by their numbers in the unit whose header stands at an offset of .debug_line; none where it is damaged. */
  filesAt(offset: number): string[] {
    const lines = this.sections.get('.debug_line') as Uint8Array;
    try {
      const unit = new Reader(lines, offset);
      unit.initialLength();
      const version = unit.u16();
      if (version < 2 || version > 5) return [];
      if (version === 5) unit.at += 2;
      unit.offset();
      unit.at += version >= 4 ? 5 : 4;
      const opcodeBase = unit.u8();
      unit.at += Math.max(0, opcodeBase - 1);
      return (version === 5 ? this.#files5(unit) : this.#files2(unit)).map((file) => this.#names[file]!);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return [];
    }
  }

  /**
   * The piece of code of one line that an address lies in: [start, end); `begins`: a statement begins there. Pieces of one
   * line may follow one another.
   */
  piece(address: bigint): (SourcePosition & { start: bigint; end: bigint; begins: boolean }) | undefined {
    const at = this.#rowOf(address);
    const place = this.lookup(address);
    if (at === undefined || place === undefined) return undefined;
    const { sequence, row } = at;
    let first = row;
    // of rows at one address the last one counts
    let next = row + 1;
    while (
      first > sequence.first &&
      this.#lines.values[first]! < 0 &&
      this.#offsets.values[first - 1] === this.#offsets.values[first]
    )
      first--;
    while (next < sequence.last && this.#offsets.values[next] === this.#offsets.values[row]) next++;
    const end = next < sequence.last ? sequence.start + BigInt(this.#offsets.values[next]!) : sequence.end;
    return {
      ...place,
      start: sequence.start + BigInt(this.#offsets.values[row]!),
      end,
      begins: this.#lines.values[first]! > 0,
    };
  }

  /** The last row at or below an address. */
  #rowOf(address: bigint): { sequence: Sequence; row: number } | undefined {
    let [low, high] = [0, this.#sequences.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#sequences[middle]!.start <= address) low = middle + 1;
      else high = middle;
    }
    const sequence = this.#sequences[low - 1];
    if (sequence === undefined || address >= sequence.end) return undefined;
    const offset = Number(address - sequence.start);
    [low, high] = [sequence.first, sequence.last];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#offsets.values[middle]! <= offset) low = middle + 1;
      else high = middle;
    }
    return low === sequence.first ? undefined : { sequence, row: low - 1 };
  }

  /**
   * Where the code of a line begins, or of the first line after it that has code; undefined when the file, found by the
   * end of its path, has none from there on. Only where statements begin, as gdb: code that the compiler moved between
   * others' is no place to stop at.
   */
  codeFrom(file: string, line: number): (SourcePosition & { address: bigint }) | undefined {
    const ours = this.#names.map((name) => name === file || name.endsWith(`/${file}`));
    let found: (SourcePosition & { address: bigint }) | undefined;
    for (const { start, first, last } of this.#sequences) {
      for (let row = first; row < last; row++) {
        const at = this.#lines.values[row];
        if (at < line || !ours[this.#files.values[row]]) continue;
        const address = start + BigInt(this.#offsets.values[row]);
        if (found === undefined || at < found.line || (at === found.line && address < found.address))
          found = { file: this.#names[this.#files.values[row]], line: at, address };
      }
    }
    return found;
  }

  #readUnit(unit: Reader, end: number): void {
    const version = unit.u16();
    if (version < 2 || version > 5) return;
    if (version === 5) unit.at += 2; // sizes of addresses and selectors
    const headerLength = unit.offset();
    const program = unit.at + headerLength;
    const minimum = unit.u8();
    if (version >= 4) unit.u8(); // operations of an instruction: 1 on x86
    const statement = unit.u8() !== 0;
    const lineBase = unit.i8();
    const lineRange = unit.u8();
    const opcodeBase = unit.u8();
    const operands = [0];
    for (let opcode = 1; opcode < opcodeBase; opcode++) operands.push(unit.u8());
    const files = version === 5 ? this.#files5(unit) : this.#files2(unit);
    if (lineRange === 0) return;
    unit.at = program;
    while (unit.at < end)
      this.#readSequence(unit, end, { minimum, statement, lineBase, lineRange, opcodeBase, operands, files });
  }

  /** One sequence: addresses only go up in it. */
  #readSequence(
    unit: Reader,
    end: number,
    header: {
      minimum: number;
      statement: boolean;
      lineBase: number;
      lineRange: number;
      opcodeBase: number;
      operands: number[];
      files: number[];
    },
  ): void {
    const { minimum, lineBase, lineRange, opcodeBase, operands, files } = header;
    const first = this.#offsets.length;
    let start = 0n;
    let offset = 0;
    let file = 1;
    let line = 1;
    let statement = header.statement;
    let discriminator = 0;
    /** One of several blocks of its line: its rows are one piece, as for gdb, and not each a place to stop at. */
    let isBlock = false;
    let before = { line: 0, file: 0 };
    const row = (): void => {
      discriminator = 0;
      if (isBlock && line === before.line && file === before.file) return;
      before = { line, file };
      this.#offsets.push(offset);
      this.#lines.push(statement ? line : -line);
      this.#files.push(files[file] ?? this.#number('?'));
    };
    const advanceLine = (delta: number): void => {
      line += delta;
      if (delta !== 0) isBlock = discriminator !== 0;
    };
    while (unit.at < end) {
      const opcode = unit.u8();
      if (opcode >= opcodeBase) {
        const adjusted = opcode - opcodeBase;
        offset += Math.floor(adjusted / lineRange) * minimum;
        advanceLine(lineBase + (adjusted % lineRange));
        row();
      } else if (opcode === 0) {
        const length = unit.uleb();
        const next = unit.at + length;
        const extended = unit.u8();
        if (extended === EXTENDED.setAddress) {
          const address = length === 9 ? unit.u64() : BigInt(unit.u32());
          if (this.#offsets.length === first) start = address;
          else offset = Number(address - start);
        } else if (extended === EXTENDED.endSequence) {
          unit.at = next;
          // Code that the linker dropped is left at address 0.
          const last = this.#offsets.length;
          if (start !== 0n && offset > 0) this.#sequences.push({ start, end: start + BigInt(offset), first, last });
          return;
        } else if (extended === EXTENDED.setDiscriminator) {
          discriminator = unit.uleb();
          isBlock ||= discriminator !== 0;
        }
        unit.at = next;
      } else if (opcode === OP.copy) row();
      else if (opcode === OP.advancePc) offset += unit.uleb() * minimum;
      else if (opcode === OP.advanceLine) advanceLine(unit.sleb());
      else if (opcode === OP.setFile) file = unit.uleb();
      else if (opcode === OP.negate) statement = !statement;
      else if (opcode === OP.constAddPc) offset += Math.floor((255 - opcodeBase) / lineRange) * minimum;
      else if (opcode === OP.fixedAdvancePc) offset += unit.u16();
      else for (let operand = 0; operand < operands[opcode]; operand++) unit.uleb();
    }
  }

  #number(name: string): number {
    let number = this.#numbers.get(name);
    if (number === undefined) {
      number = this.#names.push(name) - 1;
      this.#numbers.set(name, number);
    }
    return number;
  }

  #path(directory: string | undefined, name: string): number {
    return this.#number(directory === undefined || name.startsWith('/') ? name : `${directory}/${name}`);
  }

  /** Versions 2 to 4: files count from 1, directory 0 is where the compiler ran and not named here. */
  #files2(unit: Reader): number[] {
    const directories: (string | undefined)[] = [undefined];
    for (let name = unit.string(); name !== ''; name = unit.string()) directories.push(name);
    const files = [this.#number('?')];
    for (let name = unit.string(); name !== ''; name = unit.string()) {
      files.push(this.#path(directories[unit.uleb()], name));
      unit.uleb(); // time
      unit.uleb(); // size
    }
    return files;
  }

  /** Version 5: both tables count from 0 and describe themselves. */
  #files5(unit: Reader): number[] {
    const directories = this.#entries(unit).map(({ path }) => path);
    const [base] = directories;
    const absolute = directories.map((path) => (path.startsWith('/') || path === base ? path : `${base}/${path}`));
    return this.#entries(unit).map(({ path, directory }) => this.#path(absolute[directory], path));
  }

  #entries(unit: Reader): { path: string; directory: number }[] {
    const format = Array.from({ length: unit.u8() }, () => ({ content: unit.uleb(), form: unit.uleb() }));
    const count = unit.uleb();
    const entries: { path: string; directory: number }[] = [];
    if (format.length === 0) return entries;
    for (let index = 0; index < count; index++) {
      const entry = { path: '', directory: 0 };
      for (const { content, form } of format) {
        const value = this.#value(unit, form);
        if (content === CONTENT.path && typeof value === 'string') entry.path = value;
        if (content === CONTENT.directory && typeof value === 'number') entry.directory = value;
      }
      entries.push(entry);
    }
    return entries;
  }

  #value(unit: Reader, form: number): string | number {
    switch (form) {
      case FORM.string:
        return unit.string();
      case FORM.lineStrp:
        return this.#string('.debug_line_str', unit.offset());
      case FORM.strp:
        return this.#string('.debug_str', unit.offset());
      case FORM.udata:
        return unit.uleb();
      case FORM.data1:
        return unit.u8();
      case FORM.data2:
        return unit.u16();
      case FORM.data4:
        return unit.u32();
      case FORM.data8:
        return Number(unit.u64());
      case FORM.data16:
        unit.at += 16;
        return 0;
      case FORM.block: {
        const length = unit.uleb();
        unit.at += length;
        return 0;
      }
      default:
        throw new RangeError(`form 0x${form.toString(16)} is not one of a line table`);
    }
  }

  #string(section: string, offset: number): string {
    const bytes = this.sections.get(section);
    if (bytes === undefined || offset >= bytes.length) return '?';
    return new Reader(bytes, offset).string();
  }
}
