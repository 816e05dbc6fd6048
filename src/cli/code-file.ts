/** What an ELF file tells of a guest's code, and the file beside it that has a part of that. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { CallFrames } from '../disasm/dwarf/call-frames.js';
import { buildId, type NamedFile, sharedWith, strippedTo } from '../disasm/dwarf/elsewhere.js';
import { Dwarf } from '../disasm/dwarf/index.js';
import { LineTable } from '../disasm/dwarf-line.js';
import { isPackedElfSection } from '../disasm/elf-sections.js';
import { parseSymbolFile } from '../engine/debug/symbol-file.js';
import type { CodeFile } from '../engine/debug/types/code-file.js';
import { sourceReader } from './source-files.js';

/** Where Debian's packages of debug information have their files. */
const DEBUG_FOLDER = '/usr/lib/debug/.build-id';

const byId = ({ id }: NamedFile): string[] =>
  /^[0-9a-f]{6,}$/.test(id) ? [`${DEBUG_FOLDER}/${id.slice(0, 2)}/${id.slice(2)}.debug`] : [];

/** What several files share, by dwz; undefined where it is not there, or is another build's. */
function readShared(path: string, link: NamedFile): Uint8Array | undefined {
  for (const place of [resolve(dirname(path), link.name), ...byId(link)]) {
    try {
      const bytes = readFileSync(place);
      if (link.id === '' || buildId(bytes) === link.id) return bytes;
    } catch {
      // not there, or not to be read
    }
  }
  return undefined;
}

/** One line about what the file has not, where another one has it. */
function lackOf(path: string, bytes: Uint8Array): string | undefined {
  const stripped = strippedTo(bytes);
  if (stripped !== undefined) {
    const [place = stripped.name] = byId(stripped);
    return `${path} was stripped, its types and lines are in ${stripped.name}: --symbols ${place}, where a package NAME-dbgsym of Debian's puts it`;
  }
  const shared = sharedWith(bytes);
  if (shared !== undefined && readShared(path, shared) === undefined)
    return `${path} shares types with other files (dwz), in ${resolve(dirname(path), shared.name)}, which is not there or of another build: the package that has one has the other`;
  // what is packed is not unpacked for this
  const split = Dwarf.isIn(bytes) && !isPackedElfSection(bytes, '.debug_info') ? Dwarf.splitOf(bytes) : undefined;
  return split === undefined
    ? undefined
    : `${path} has its types and variables in ${split} and others (-gsplit-dwarf), which are not read: build it without -gsplit-dwarf`;
}

/** Line numbers, types, variables and call frames: read when somebody asks for them, which most never do. */
export function codeFile(path: string, bytes: Uint8Array): CodeFile {
  let lines: { table: LineTable | undefined } | undefined;
  let dwarf: { of: Dwarf | undefined } | undefined;
  let frames: CallFrames | undefined;
  const readDwarf = (): Dwarf | undefined => {
    if (dwarf === undefined) {
      const shared = sharedWith(bytes);
      dwarf = { of: Dwarf.read(bytes, shared && readShared(path, shared)) };
    }
    return dwarf.of;
  };
  return {
    ...(LineTable.isIn(bytes)
      ? { lines: () => (lines ??= { table: LineTable.read(bytes) }).table, readSource: sourceReader(path) }
      : {}),
    ...(Dwarf.isIn(bytes) ? { dwarf: readDwarf } : {}),
    ...(CallFrames.isIn(bytes) ? { frames: () => (frames ??= new CallFrames(bytes)) } : {}),
    lack: () => lackOf(path, bytes),
  };
}

/** The same with the file's symbols: what `--symbols` names. @throws ImageError when it has none */
export const symbolFile = (path: string, bytes: Uint8Array): CodeFile => ({
  symbols: parseSymbolFile(path, bytes),
  ...codeFile(path, bytes),
});
