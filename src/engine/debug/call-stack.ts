/** The call stack of a target's vCPU. */
import type { Disassembler, SymbolTable } from '../../disasm/index.js';
import type { Debugger, OsFrameRow, RegisterFile } from '../debugger.js';
import { blockReader } from './block-reader.js';
import { backtrace, type Frame, returnFrame } from './unwind.js';

/** The system's own way from a frame to its caller's, where it has one. */
function frameRows({ os }: Debugger): { frameRow?: (address: bigint) => Promise<OsFrameRow | undefined> } {
  // a guest of an older release does not know the question
  return os ? { frameRow: (address) => os.frameRow(address).catch(() => undefined) } : {};
}

/** Who called whom, innermost first; of use only while the guest stands. */
export function callStack(
  debug: Debugger,
  vcpu: number,
  registers: RegisterFile,
  disassembler: Disassembler,
  symbols: SymbolTable,
): Promise<Frame[]> {
  return backtrace({ registers, read: blockReader(debug, vcpu), disassembler, symbols, ...frameRows(debug) });
}

/** The frame that the innermost function returns to; undefined where its code does not tell. */
export function callerOf(
  debug: Debugger,
  vcpu: number,
  registers: RegisterFile,
  disassembler: Disassembler,
  symbols: SymbolTable | undefined,
): ReturnType<typeof returnFrame> {
  const read = (gva: bigint, length: number) => debug.readMemory('gva', gva, length, vcpu);
  return returnFrame({ disassembler, registers, read, symbols, ...frameRows(debug) });
}
