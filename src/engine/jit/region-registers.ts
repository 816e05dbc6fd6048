// The registers that a region's code names: locals are made for them alone.

import type { Size } from '../../spec/uops/expression.js';
import { eachExpression, type Step } from '../../spec/uops/row.js';
import type { DecodedBlock, DecodedUop } from './decoded.js';
import { vectorCode } from './in-place.js';
import { GENERAL_REGISTERS, operandOf, vexRegister } from './operand-code.js';
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

/** What the body of a row names, whatever the micro-op's operands are. */
interface Named {
  readonly operands: { readonly which: 'r' | 'rm'; readonly size: Size }[];
  readonly fixed: number[];
  readonly vectors: ('r' | 'rm')[];
  readonly sets: Extract<Step, { step: 'set' }>[];
  vex: boolean;
  setsVector: boolean;
}

const NAMED = new WeakMap<readonly Step[], Named>();

function namedIn(body: readonly Step[]): Named {
  const known = NAMED.get(body);
  if (known) return known;
  const named: Named = { operands: [], fixed: [], vectors: [], sets: [], vex: false, setsVector: false };
  eachExpression(body, (e) => {
    if (e.op === 'r' || e.op === 'rm') named.operands.push({ which: e.op, size: e.size });
    if (e.op === 'gpr') named.fixed.push(e.register);
    if (e.op === 'vex') named.vex = true;
    if (e.op === 'xmm' && !e.high) named.vectors.push(e.operand);
  });
  const steps = (of: readonly Step[]): void => {
    for (const step of of) {
      if (step.step === 'set') named.sets.push(step);
      if (step.step === 'setVector' && !step.high) named.setsVector = true;
      if (step.step === 'access' && step.at === 'top') named.fixed.push(RSP);
      if (step.step === 'access' && step.at === 'frame') named.fixed.push(RBP);
      if (step.step === 'access' && step.at === 'source') named.fixed.push(RSI);
      if (step.step === 'store' && step.at === 'destination') named.fixed.push(RDI);
      if (step.step === 'skipIf') steps(step.instead);
    }
  };
  steps(body);
  NAMED.set(body, named);
  return named;
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
      if (uop.base < GENERAL_REGISTERS) used.add(uop.base);
      if (uop.index < GENERAL_REGISTERS) used.add(uop.index);
      const named = namedIn(uop.row.body);
      for (const { which, size } of named.operands) used.add(operandOf(uop, which, size).register);
      for (const register of named.fixed) used.add(register);
      if (named.vex) used.add(vexRegister(uop));
      for (const which of named.vectors) vectors.add(uop[which]);
      for (const { to, size } of named.sets) {
        const { register } = registerOf(uop, to, size);
        used.add(register);
        written.add(register);
      }
      if (named.setsVector) {
        vectors.add(uop.r);
        vectorsWritten.add(uop.r);
      }
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
