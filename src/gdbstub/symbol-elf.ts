/** An ELF file that holds nothing but symbols, for debuggers to read where the guest has no file of its own. */

export interface ElfSymbol {
  name: string;
  address: bigint;
  size: bigint;
  code: boolean;
}

/** What a file of each class has: EI_CLASS, e_machine, bytes of the header, of a section's header and of a symbol. */
const CLASSES = {
  32: { code: 1, machine: 3, header: 52, section: 40, symbol: 16 },
  64: { code: 2, machine: 62, header: 64, section: 64, symbol: 24 },
} as const;
const ET_EXEC = 2;
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

/** Fields that follow one another, each of 1, 2, 4 or 8 bytes. */
function fields(bytes: number, ...values: [width: number, value: number | bigint][]): Buffer {
  const buffer = Buffer.alloc(bytes);
  let at = 0;
  for (const [width, value] of values) {
    if (width === 8) buffer.writeBigUInt64LE(BigInt(value), at);
    else buffer.writeUIntLE(Number(value), at, width);
    at += width;
  }
  return buffer;
}

/**
 * An ELF executable without contents. GDB tells functions from data by their section, so each run of symbols of
 * one kind gets a section of its own. `symbols` are sorted by address.
 * @param debugFrame contents of .debug_frame
 * @param from where the first section begins; not above the first symbol
 * @param bits of its class; addresses of 32 bits are below 4 GiB
 */
export function buildSymbolElf(
  symbols: readonly ElfSymbol[],
  debugFrame: Uint8Array = new Uint8Array(),
  from = symbols[0]?.address,
  bits: 32 | 64 = 64,
): Uint8Array {
  const sizes = CLASSES[bits];
  const word = bits / 8;
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
  const table = Buffer.alloc((symbols.length + 1) * sizes.symbol);
  symbols.forEach(({ name, address, size, code }, index) => {
    const at = (index + 1) * sizes.symbol;
    const info = GLOBAL | (code ? STT.func : STT.object);
    table.writeUInt32LE(stringBytes, at);
    table[at + (bits === 64 ? 4 : 12)] = info;
    table.writeUInt16LE(indices[index], at + (bits === 64 ? 6 : 14));
    if (bits === 64) {
      table.writeBigUInt64LE(address, at + 8);
      table.writeBigUInt64LE(size, at + 16);
    } else {
      table.writeUInt32LE(Number(address), at + 4);
      table.writeUInt32LE(Number(BigInt.asUintN(32, size)), at + 8);
    }
    strings.push(name);
    stringBytes += Buffer.byteLength(name) + 1;
  });
  const stringTable = Buffer.from(`${strings.join('\0')}\0`);
  const sectionNames = Buffer.from(SECTION_NAMES);
  const headers: Buffer[] = [Buffer.alloc(sizes.section)];
  const section = (name: number, type: number, flags: number, rest: bigint[], link = 0, info = 0): void => {
    const [address, offset, size, align, entry] = rest;
    const place: [number, bigint][] = [address, offset, size].map((value) => [word, value]);
    const links: [number, number][] = [link, info].map((value) => [4, value]);
    headers.push(
      fields(sizes.section, [4, name], [4, type], [word, flags], ...place, ...links, [word, align], [word, entry]),
    );
  };
  for (const { start, end, code } of runs) {
    const flags = SHF.alloc | (code ? SHF.exec : SHF.write);
    section(code ? NAME.text : NAME.data, SHT.nobits, flags, [start, BigInt(sizes.header), end - start, 1n, 0n]);
  }
  const at = { symtab: sizes.header, strtab: sizes.header + table.length, names: 0, frame: 0 };
  at.names = at.strtab + stringTable.length;
  at.frame = at.names + sectionNames.length;
  const first = runs.length + 1;
  section(
    NAME.symtab,
    SHT.symtab,
    0,
    [0n, BigInt(at.symtab), BigInt(table.length), BigInt(word), BigInt(sizes.symbol)],
    first + 1,
    1,
  );
  section(NAME.strtab, SHT.strtab, 0, [0n, BigInt(at.strtab), BigInt(stringTable.length), 1n, 0n]);
  section(NAME.shstrtab, SHT.strtab, 0, [0n, BigInt(at.names), BigInt(sectionNames.length), 1n, 0n]);
  section(NAME.debugFrame, SHT.progbits, 0, [0n, BigInt(at.frame), BigInt(debugFrame.length), 1n, 0n]);
  const padding = Buffer.alloc(-(at.frame + debugFrame.length) & 7);
  const tables: [number, number][] = [0, 0, at.frame + debugFrame.length + padding.length].map((value) => [
    word,
    value,
  ]);
  const header = fields(
    sizes.header,
    ...[0x464c457f, sizes.code | 0x10100, 0, 0].map((value): [number, number] => [4, value]),
    [2, ET_EXEC],
    [2, sizes.machine],
    [4, 1],
    ...tables,
    [4, 0],
    ...[sizes.header, 0, 0, sizes.section, headers.length, first + 2].map((value): [number, number] => [2, value]),
  );
  return Buffer.concat([header, table, stringTable, sectionNames, debugFrame, padding, ...headers]);
}
