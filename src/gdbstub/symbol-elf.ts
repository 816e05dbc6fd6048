/** An ELF file that holds nothing but symbols, for debuggers to read where the guest has no file of its own. */

export interface ElfSymbol {
  name: string;
  address: bigint;
  size: bigint;
  code: boolean;
}

const HEADER_BYTES = 64;
const SECTION_BYTES = 64;
const SYMBOL_BYTES = 24;
const ET_EXEC = 2;
const EM_X86_64 = 62;
const SHT = { progbits: 1, symtab: 2, strtab: 3, nobits: 8 };
const SHF = { write: 1, alloc: 2, exec: 4 };
const STT = { object: 1, func: 2 };
const GLOBAL = 0x10;
/** Section names by offset: '' 0, .text 1, .data 7, .symtab 13, .strtab 21, .shstrtab 29, .debug_frame 39. */
const SECTION_NAMES = '\0.text\0.data\0.symtab\0.strtab\0.shstrtab\0.debug_frame\0';
const NAME = { text: 1, data: 7, symtab: 13, strtab: 21, shstrtab: 29, debugFrame: 39 };
/** Section numbers from here on are reserved. */
const MAX_SECTIONS = 0xfe00;

interface Run {
  start: bigint;
  end: bigint;
  code: boolean;
}

/**
 * An ELF64 executable without contents. GDB tells functions from data by their section, so each run of symbols of
 * one kind gets a section of its own. `symbols` are sorted by address.
 * @param debugFrame contents of .debug_frame
 * @param from where the first section begins; not above the first symbol
 */
export function buildSymbolElf(
  symbols: readonly ElfSymbol[],
  debugFrame: Uint8Array = new Uint8Array(),
  from = symbols[0]?.address,
): Uint8Array {
  const runs: Run[] = [];
  const indices = symbols.map(({ address, size, code }) => {
    const end = address + (size === 0n ? 1n : size);
    const last = runs.at(-1);
    if (last === undefined || (last.code !== code && runs.length < MAX_SECTIONS))
      runs.push({ start: last === undefined ? from : address, end, code });
    else if (end > last.end) last.end = end;
    return runs.length;
  });
  // a symbol may reach into the next run
  runs.forEach((run, at) => {
    const next = runs[at + 1];
    if (next !== undefined && next.start < run.end) run.end = next.start;
  });
  const strings: string[] = [''];
  let stringBytes = 1;
  const table = Buffer.alloc((symbols.length + 1) * SYMBOL_BYTES);
  symbols.forEach(({ name, address, size, code }, index) => {
    const at = (index + 1) * SYMBOL_BYTES;
    table.writeUInt32LE(stringBytes, at);
    table[at + 4] = GLOBAL | (code ? STT.func : STT.object);
    table.writeUInt16LE(indices[index], at + 6);
    table.writeBigUInt64LE(address, at + 8);
    table.writeBigUInt64LE(size, at + 16);
    strings.push(name);
    stringBytes += Buffer.byteLength(name) + 1;
  });
  const stringTable = Buffer.from(`${strings.join('\0')}\0`);
  const sectionNames = Buffer.from(SECTION_NAMES);
  const headers: Buffer[] = [Buffer.alloc(SECTION_BYTES)];
  const section = (name: number, type: number, flags: number, rest: bigint[], link = 0, info = 0): void => {
    const header = Buffer.alloc(SECTION_BYTES);
    const [address, offset, size, align, entry] = rest;
    header.writeUInt32LE(name, 0);
    header.writeUInt32LE(type, 4);
    header.writeBigUInt64LE(BigInt(flags), 8);
    header.writeBigUInt64LE(address, 16);
    header.writeBigUInt64LE(offset, 24);
    header.writeBigUInt64LE(size, 32);
    header.writeUInt32LE(link, 40);
    header.writeUInt32LE(info, 44);
    header.writeBigUInt64LE(align, 48);
    header.writeBigUInt64LE(entry, 56);
    headers.push(header);
  };
  for (const { start, end, code } of runs) {
    const flags = SHF.alloc | (code ? SHF.exec : SHF.write);
    section(code ? NAME.text : NAME.data, SHT.nobits, flags, [start, BigInt(HEADER_BYTES), end - start, 1n, 0n]);
  }
  const at = { symtab: HEADER_BYTES, strtab: HEADER_BYTES + table.length, names: 0, frame: 0 };
  at.names = at.strtab + stringTable.length;
  at.frame = at.names + sectionNames.length;
  const first = runs.length + 1;
  section(NAME.symtab, SHT.symtab, 0, [0n, BigInt(at.symtab), BigInt(table.length), 8n, 24n], first + 1, 1);
  section(NAME.strtab, SHT.strtab, 0, [0n, BigInt(at.strtab), BigInt(stringTable.length), 1n, 0n]);
  section(NAME.shstrtab, SHT.strtab, 0, [0n, BigInt(at.names), BigInt(sectionNames.length), 1n, 0n]);
  section(NAME.debugFrame, SHT.progbits, 0, [0n, BigInt(at.frame), BigInt(debugFrame.length), 1n, 0n]);
  const padding = Buffer.alloc(-(at.frame + debugFrame.length) & 7);
  const header = Buffer.alloc(HEADER_BYTES);
  header.write('\x7fELF\x02\x01\x01', 'latin1');
  header.writeUInt16LE(ET_EXEC, 16);
  header.writeUInt16LE(EM_X86_64, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(at.frame + debugFrame.length + padding.length), 40);
  header.writeUInt16LE(HEADER_BYTES, 52);
  header.writeUInt16LE(SECTION_BYTES, 58);
  header.writeUInt16LE(headers.length, 60);
  header.writeUInt16LE(first + 2, 62);
  return Buffer.concat([header, table, stringTable, sectionNames, debugFrame, padding, ...headers]);
}
