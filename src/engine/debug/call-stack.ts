/** The call stack of a target's vCPU. */
import type { Disassembler, SymbolTable } from '../../disasm/index.js';
import type { Debugger, OsFrameRow, RegisterFile } from '../debugger.js';
import { blockReader } from './block-reader.js';
import { type CodeFrame, codeFrames } from './types/frames.js';
import { backtrace, type Frame, returnFrame } from './unwind.js';

/** The system's own way from a frame to its caller's, where it has one. */
function frameRows({ os }: Debugger): { frameRow?: (address: bigint) => Promise<OsFrameRow | undefined> } {
  // a guest of an older release does not know the question
  return os ? { frameRow: (address) => os.frameRow(address).catch(() => undefined) } : {};
}

/** Who called whom, innermost first, without what was inlined; of use only while the guest stands. */
export async function callStack(
  debug: Debugger,
  vcpu: number,
  registers: RegisterFile,
  disassembler: Disassembler,
  symbols: SymbolTable,
): Promise<Frame[]> {
  const byCode = await backtrace({
    ...{ registers, read: blockReader(debug, vcpu), disassembler, symbols },
    ...frameRows(debug),
  });
  // an innermost function in assembly may have no row in the image's table, where its callers have some
  for (const { pc, found } of byCode.slice(0, 2)) {
    const at = found === 'rip' || found === 'iret' ? pc : pc - 1n;
    if (await debug.types?.caller(at))
      return framesByDwarf(codeFrames({ debug, vcpu, disassembler, symbols }, registers));
  }
  return byCode;
}

/** By the image's own tables of call frames, where it has some. */
async function framesByDwarf(all: AsyncIterable<CodeFrame>): Promise<Frame[]> {
  const frames: Frame[] = [];
  for await (const { inlined, pc, found, slot, registers } of all) {
    const place = slot === undefined ? {} : { slot };
    if (!inlined) frames.push({ pc, found, ...place, sp: registers.rsp ?? 0n, bp: registers.rbp });
  }
  return frames;
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
