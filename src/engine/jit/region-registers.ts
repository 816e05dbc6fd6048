// The registers that a region's code names: locals are made for them alone.

import type { Size } from '../../spec/uops/expression.js';
import { eachExpression, type Step } from '../../spec/uops/row.js';
import type { DecodedBlock, DecodedUop } from './decoded.js';
import { GENERAL_REGISTERS, operandOf, vexRegister } from './expression-code.js';
import { vectorCode } from './in-place.js';
import { inMemory } from './vector-code.js';

const RSP = 4;
const RBP = 5;
const RSI = 6;
const RDI = 7;

/** The general register that a step writes, and whether its bits 15:8. */
export function registerOf(
  uop: DecodedUop,
  to: 'r' | 'rm' | 'vex' | number,
  size: Size,
): { register: number; high: boolean } {
  if (typeof to === 'number') return { register: to, high: false };
  return to === 'vex' ? { register: vexRegister(uop), high: false } : operandOf(uop, to, size);
}

export interface RegionRegisters {
  /** General registers that are named, and those that are written, by other code than handlers. */
  readonly used: readonly number[];
  readonly written: readonly number[];
  readonly vectors: readonly number[];
  readonly vectorsWritten: readonly number[];
  /** A vector instruction is carried out in place. */
  readonly asksMode: boolean;
}

export function registersOf(blocks: readonly DecodedBlock[]): RegionRegisters {
  const vectors = new Set<number>();
  const vectorsWritten = new Set<number>();
  let asksMode = false;
  const used = new Set<number>();
  const written = new Set<number>();
  for (const { uops } of blocks) {
    for (const uop of uops) {
      if (!uop.row) {
        const of = vectorCode(uop);
        if (!of) continue;
        if (of.asksMode) asksMode = true;
        for (const register of [...of.reads, ...of.writes]) vectors.add(register);
        for (const register of of.writes) vectorsWritten.add(register);
        for (const register of [...of.readsGeneral, ...of.writesGeneral]) used.add(register);
        for (const register of of.writesGeneral) written.add(register);
        if (inMemory(uop)) for (const index of [uop.base, uop.index]) used.add(index);
        continue;
      }
      for (const index of [uop.base, uop.index]) if (index < 16) used.add(index);
      const operand = (which: 'r' | 'rm', size: Size): void => {
        used.add(operandOf(uop, which, size).register);
      };
      eachExpression(uop.row.body, (e) => {
        if (e.op === 'r' || e.op === 'rm') operand(e.op, e.size);
        if (e.op === 'gpr') used.add(e.register);
        if (e.op === 'vex') used.add(vexRegister(uop));
        if (e.op === 'xmm' && !e.high) vectors.add(e.operand === 'r' ? uop.r : uop.rm);
      });
      const steps = (body: readonly Step[]): void => {
        for (const step of body) {
          if (step.step === 'set') {
            const { register } = registerOf(uop, step.to, step.size);
            used.add(register);
            written.add(register);
          }
          if (step.step === 'setVector' && !step.high) {
            vectors.add(uop.r);
            vectorsWritten.add(uop.r);
          }
          if (step.step === 'access' && step.at === 'top') used.add(RSP);
          if (step.step === 'access' && step.at === 'frame') used.add(RBP);
          if (step.step === 'access' && step.at === 'source') used.add(RSI);
          if (step.step === 'store' && step.at === 'destination') used.add(RDI);
          if (step.step === 'skipIf') steps(step.instead);
        }
      };
      steps(uop.row.body);
    }
  }
  const general = (registers: Iterable<number>): number[] =>
    [...registers].filter((register) => register < GENERAL_REGISTERS).sort((a, b) => a - b);
  return {
    used: general(used),
    written: general(written),
    vectors: [...vectors],
    vectorsWritten: [...vectorsWritten],
    asksMode,
  };
}
