/** What an ELF file tells of a guest's code. */
import { CallFrames } from '../disasm/dwarf/call-frames.js';
import { Dwarf } from '../disasm/dwarf/index.js';
import { LineTable } from '../disasm/dwarf-line.js';
import { parseSymbolFile } from '../engine/debug/symbol-file.js';
import type { CodeFile } from '../engine/debug/types/code-file.js';
import { sourceReader } from './source-files.js';

/** Line numbers, types, variables and call frames: read when somebody asks for them, which most never do. */
export function codeFile(path: string, bytes: Uint8Array): CodeFile {
  let lines: { table: LineTable | undefined } | undefined;
  let dwarf: { of: Dwarf | undefined } | undefined;
  let frames: CallFrames | undefined;
  return {
    ...(LineTable.isIn(bytes)
      ? { lines: () => (lines ??= { table: LineTable.read(bytes) }).table, readSource: sourceReader(path) }
      : {}),
    ...(Dwarf.isIn(bytes) ? { dwarf: () => (dwarf ??= { of: Dwarf.read(bytes) }).of } : {}),
    ...(CallFrames.isIn(bytes) ? { frames: () => (frames ??= new CallFrames(bytes)) } : {}),
  };
}

/** The same with the file's symbols: what `--symbols` names. @throws ImageError when it has none */
export const symbolFile = (path: string, bytes: Uint8Array): CodeFile => ({
  symbols: parseSymbolFile(path, bytes),
  ...codeFile(path, bytes),
});
