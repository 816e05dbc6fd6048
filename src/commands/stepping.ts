/** Steps that take more than one request: over a call, out of a function. */
import type { Disassembler, Instruction, SymbolTable } from '../disasm/index.js';
import { callerOf } from '../engine/debug/call-stack.js';
import { codeBase, codeBits, linearPc, stackBits } from '../engine/debug/guest-mode.js';
import type { Debugger, RegisterFile, RunState } from '../engine/debugger.js';

/** A function whose return address is not known and that has not returned after this many steps is left there. */
const MAX_OUT_STEPS = 20_000;

const CALL = /^(?:l?call|int\d?|into|syscall|rep|repe|repne|loop)/;
const RETURN = /^(?:ret|lret|retf|iret|sysret|sysexit)/;

/** It leaves a function, an interrupt's handler or a system call. */
export function isReturn({ mnemonic }: Instruction): boolean {
  return RETURN.test(mnemonic.replace(/^(?:bnd|rep[a-z]*) /, ''));
}

async function current(debug: Debugger, disassembler: Disassembler, vcpu: number) {
  const registers = await debug.readRegisters(vcpu);
  const pc = linearPc(registers);
  const bytes = await debug.readMemory('gva', pc, 15, vcpu);
  const [instruction] = disassembler.disassemble(bytes, pc, {
    bits: codeBits(registers),
    segmentBase: codeBase(registers),
    count: 1,
  });
  return { registers, pc, instruction };
}

/** One instruction; a call, a software interrupt and a repeated instruction count as one. */
export async function stepOver(debug: Debugger, disassembler: Disassembler, vcpu: number): Promise<RunState> {
  const { registers, pc, instruction } = await current(debug, disassembler, vcpu);
  if (!instruction || !CALL.test(instruction.mnemonic)) return debug.step(vcpu);
  return runPast(debug, vcpu, registers, pc, instruction);
}

async function runPast(
  debug: Debugger,
  vcpu: number,
  registers: RegisterFile,
  pc: bigint,
  instruction: Instruction,
): Promise<RunState> {
  // A deeper recursion returns to the same address with a lower stack.
  return runTo(debug, vcpu, pc + BigInt(instruction.bytes.length), (now) => (now.rsp ?? 0n) >= (registers.rsp ?? 0n));
}

/** Runs until `gva` is reached in a state that `arrived` accepts, or something else stops the guest. */
export async function runTo(
  debug: Debugger,
  vcpu: number,
  gva: bigint,
  arrived: (registers: RegisterFile) => boolean,
): Promise<RunState> {
  for (;;) {
    const state = await debug.runUntil({ gva });
    if (state.running || state.stop?.kind !== 'until') return state;
    const now = await debug.readRegisters(vcpu);
    if (arrived(now) || linearPc(now) !== gva) return state;
  }
}

/**
 * Runs until the function returns: to its return address, where its code tells where that lies on the stack, by
 * steps otherwise. Either way nothing is guessed, with and without symbols and frame pointers.
 */
export async function stepOut(
  debug: Debugger,
  disassembler: Disassembler,
  vcpu: number,
  symbols?: SymbolTable,
): Promise<RunState> {
  const registers = await debug.readRegisters(vcpu);
  const caller = await callerOf(debug, vcpu, registers, disassembler, symbols);
  if (!caller) return stepOutBySteps(debug, disassembler, vcpu);
  const bits = stackBits(registers);
  return runTo(debug, vcpu, caller.pc, (now) => BigInt.asUintN(bits, now.rsp ?? 0n) >= caller.sp);
}

async function stepOutBySteps(debug: Debugger, disassembler: Disassembler, vcpu: number): Promise<RunState> {
  for (let count = 0; count < MAX_OUT_STEPS; count++) {
    const { registers, pc, instruction } = await current(debug, disassembler, vcpu);
    if (!instruction) break;
    if (isReturn(instruction)) return debug.step(vcpu);
    const state = CALL.test(instruction.mnemonic)
      ? await runPast(debug, vcpu, registers, pc, instruction)
      : await debug.step(vcpu);
    if (state.running || (state.stop?.kind !== 'step' && state.stop?.kind !== 'until')) return state;
  }
  return debug.state();
}
