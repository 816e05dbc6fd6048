export { BACKWARD_BYTES_PER_INSTRUCTION, disassembleBackward } from './backward.js';
export { Disassembler } from './disassembler.js';
export { LineTable, type SourcePosition } from './dwarf-line.js';
export { formatBytes, formatInstruction } from './format.js';
export { type CodeBits, type DisassembleOptions, type Instruction, isData, type Syntax } from './instruction.js';
export { bareName, formatPlace, type Symbol, type SymbolMatch, SymbolTable } from './symbols.js';
