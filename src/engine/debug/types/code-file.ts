/** What a file tells of a guest's code, its image's or that of `--symbols`: each part is read when it is asked for. */
import type { CallFrames } from '../../../disasm/dwarf/call-frames.js';
import type { Dwarf } from '../../../disasm/dwarf/index.js';
import type { LineTable } from '../../../disasm/dwarf-line.js';
import type * as D from '../../debugger.js';

export interface CodeFile {
  /** Symbols of the file, instead of the image's. */
  symbols?: D.TargetSymbol[];
  /** Line numbers, and a reader of the files that they name. */
  lines?(): LineTable | undefined;
  /** Types and variables. */
  dwarf?(): Dwarf | undefined;
  /** Call frame information. */
  frames?(): CallFrames | undefined;
  /** One line about what the file has not, where another one has it. */
  lack?(): string | undefined;
  readSource?(file: string): string[] | undefined;
}
