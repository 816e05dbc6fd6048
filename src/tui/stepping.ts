/** Steps that take more than one request: over a call, out of a function. */
import type { Disassembler, Instruction } from '../disasm/index.js';
import type { Debugger, RegisterFile, RunState } from '../engine/debugger.js';
import { codeBase, codeBits, linearPc } from './guest-mode.js';

/** A function that has not returned after this many steps is left running where it stands. */
const MAX_OUT_STEPS = 20_000;

const CALL = /^(?:l?call|int\d?|into|syscall|rep|repe|repne|loop)/;
const RETURN = /^(?:ret|lret|retf|iret|sysret|sysexit)/;

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
  const gva = pc + BigInt(instruction.bytes.length);
  for (;;) {
    const state = await debug.runUntil({ gva });
    if (state.running || state.stop?.kind !== 'until') return state;
    const now = await debug.readRegisters(vcpu);
    // A deeper recursion returns to the same address with a lower stack.
    if ((now.rsp ?? 0n) >= (registers.rsp ?? 0n) || linearPc(now) !== gva) return state;
  }
}

/**
 * Runs until the function returns. It steps over calls rather than trust a frame pointer or a stack slot, so it is
 * right without symbols, in a prologue and in code without frames.
 */
export async function stepOut(debug: Debugger, disassembler: Disassembler, vcpu: number): Promise<RunState> {
  for (let count = 0; count < MAX_OUT_STEPS; count++) {
    const { registers, pc, instruction } = await current(debug, disassembler, vcpu);
    if (!instruction) break;
    if (RETURN.test(instruction.mnemonic.replace(/^(?:bnd|rep[a-z]*) /, ''))) return debug.step(vcpu);
    const state = CALL.test(instruction.mnemonic)
      ? await runPast(debug, vcpu, registers, pc, instruction)
      : await debug.step(vcpu);
    if (state.running || (state.stop?.kind !== 'step' && state.stop?.kind !== 'until')) return state;
  }
  return debug.state();
}
