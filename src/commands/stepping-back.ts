/** Steps back over a call, and out of a function to its call. */
import type { Disassembler, SymbolTable } from '../disasm/index.js';
import { callerOf } from '../engine/debug/call-stack.js';
import { codeBase, codeBits, linearPc, stackBits } from '../engine/debug/guest-mode.js';
import type { Debugger, RunState } from '../engine/debugger.js';
import { isReturn } from './stepping.js';

type History = NonNullable<Debugger['history']>;

/** Deeper recursion comes by the same place; so often it is passed. */
const MAX_TRIES = 1000;

/** One instruction back; where that was a return, back to the call that it returned from. */
export async function backOver(
  debug: Debugger,
  history: History,
  disassembler: Disassembler,
  vcpu: number,
): Promise<RunState> {
  const here = await debug.readRegisters(vcpu);
  const state = await history.stepBack(vcpu);
  const before = await debug.readRegisters(vcpu);
  const pc = linearPc(before);
  const [instruction] = disassembler.disassemble(await debug.readMemory('gva', pc, 15, vcpu), pc, {
    ...{ bits: codeBits(before), segmentBase: codeBase(before), count: 1 },
  });
  if (!instruction || !isReturn(instruction)) return state;
  return backToCall(debug, history, vcpu, linearPc(here), here.rsp ?? 0n, stackBits(here));
}

/** Back to the call of the function that runs: to the last instruction before it with the caller's stack. */
export async function backOut(
  debug: Debugger,
  history: History,
  disassembler: Disassembler,
  vcpu: number,
  symbols?: SymbolTable,
): Promise<RunState> {
  const registers = await debug.readRegisters(vcpu);
  const caller = await callerOf(debug, vcpu, registers, disassembler, symbols);
  if (!caller) throw new Error('the caller is not known: its return address is not found on the stack');
  return backToCall(debug, history, vcpu, caller.pc, caller.sp, stackBits(registers));
}

/**
 * The return address was written onto the stack by the call: back to the write of the word below the stack pointer that
 * the caller has after the return.
 */
async function backToCall(
  debug: Debugger,
  history: History,
  vcpu: number,
  returnsTo: bigint,
  sp: bigint,
  bits: 16 | 32 | 64,
): Promise<RunState> {
  const bytes = bits / 8;
  for (let n = 0; n < MAX_TRIES; n++) {
    const state = await history.wrote(
      { kind: 'memory', space: 'gva', address: BigInt.asUintN(64, sp - BigInt(bytes)), length: bytes },
      vcpu,
    );
    if (state.stop?.kind !== 'watchpoint') return state;
    const now = await debug.readRegisters(vcpu);
    const distance = returnsTo - linearPc(now);
    // a call is at most 16 bytes long, and the return address is what follows it
    if (BigInt.asUintN(bits, now.rsp ?? 0n) === BigInt.asUintN(bits, sp) && distance > 0n && distance < 16n)
      return state;
  }
  return debug.state();
}
