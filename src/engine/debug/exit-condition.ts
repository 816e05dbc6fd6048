/** Conditions on VM exits as people type them. */

import { exitReason, exitReasonByName } from '../../spec/vmx/exit-reasons.js';
import type { ExitCondition, ExitFact, ExitRecord } from '../debugger.js';
import { EXIT_FACT_NAMES, exitValue } from './exit-facts.js';
import { compileExpression } from './expression/compile.js';
import { constantOf } from './expression/evaluate.js';
import { type Later, meaningOf, type Names, UnknownName } from './expression/names.js';
import { type Expression, ExpressionError, isComparison, parseExpression, partsOf } from './expression/syntax.js';

type Field = keyof ExitRecord | ExitFact;
type Term = NonNullable<ExitCondition['where']>[number];

/** Fields of an exit that a condition can name, and that an export writes. */
export const EXIT_FIELDS = [
  'sequence',
  'icount',
  'clock',
  'vcpu',
  'reason',
  'qualification',
  'rip',
  'csBase',
  'gla',
  'gpa',
  'instructionLength',
  'instructionInfo',
  'interruptionInfo',
  'interruptionError',
  'vectoringInfo',
  'vectoringError',
  'cr3',
  'rax',
  'rcx',
  'detail',
] as const satisfies readonly (keyof ExitRecord)[];
const NAMED: readonly Field[] = [...EXIT_FACT_NAMES, ...EXIT_FIELDS];

const fieldNamed = (name: string): Field | undefined =>
  NAMED.find((field) => field.toLowerCase() === name.toLowerCase());

export function exitFieldNamed(name: string): Later | undefined {
  const field = fieldNamed(name);
  if (field === undefined) return undefined;
  const fact = (EXIT_FACT_NAMES as readonly string[]).includes(field);
  return { live: `exit:${field}`, ...(fact ? { has: `exit?${field}` } : {}) };
}

/** What an exit was about, under the names that conditions have for it; those only that it has. */
export function exitNames(exit: ExitRecord): Record<string, bigint> {
  const named: Record<string, bigint> = { exit: BigInt(exit.sequence) };
  for (const field of NAMED) {
    const value = exitValue(exit, field);
    if (value !== undefined) named[field] = value;
  }
  return named;
}

/** What stands behind the `if` of an exit condition; undefined where there is none. @throws ExpressionError */
export function exitTest(text: string): Expression | undefined {
  const rest = /^.*?\bif\b(.*)$/is.exec(text.trim())?.[1]?.trim();
  return rest ? parseExpression(rest, true) : undefined;
}

/**
 * `EPT_VIOLATION|CPUID if gpa >= 0xfee00000 and rcx == 1`; `any` for every reason. An exit's own fields and facts win
 * over other names. One that an exit has not meets no comparison.
 * @param names what else an expression may name, as of now: registers stand for their values at the exit
 * @param resolved what stands behind `if`, where somebody has read it
 * @throws Error in one line
 */
export function parseExitCondition(text: string, names: Names, resolved?: Expression): ExitCondition {
  const [, reasonNames = '', rest] = /^(.*?)(?:\bif\b(.*))?$/is.exec(text.trim()) ?? [];
  const reasons = reasonNames
    .split(/[|,\s]+/)
    .filter((name) => name && name.toLowerCase() !== 'any')
    .map((name) => {
      const row = exitReasonByName(name) ?? (/^\d{1,4}$/.test(name) ? exitReason(Number(name)) : undefined);
      if (row) return row.number;
      throw new Error(`no exit reason "${name}"; names are as in the Exits view`);
    });
  const condition: ExitCondition = reasons.length ? { reasons } : {};
  if (rest === undefined) return condition;
  if (rest.trim() === '') throw new ExpressionError('a condition is missing after "if"');
  const expression = resolved ?? exitTest(text)!;
  const atExit: Names = {
    ...names,
    facts: {},
    later: exitFieldNamed,
    unknown: (name) => new UnknownName(`an exit has no field "${name}"; it has ${NAMED.join(', ')}`),
  };
  for (const part of partsOf(expression)) if (part.kind === 'name') meaningOf(part, atExit);
  const where = termsOf(expression, atExit);
  if (where !== undefined) condition.where = where;
  else condition.test = { ...compileExpression(expression, atExit), text: rest.trim() };
  return condition;
}

/** `FIELD OP NUMBER and ...`, which needs no machine; undefined for more than that. */
function termsOf(node: Expression, names: Names): Term[] | undefined {
  if (node.kind !== 'binary') return undefined;
  const { op, a, b } = node;
  if (op === 'and') {
    const [first, second] = [termsOf(a, names), termsOf(b, names)];
    return first && second && [...first, ...second];
  }
  if (!(isComparison(op) || op === '&') || a.kind !== 'name' || !isConstant(b, names)) return undefined;
  const field = fieldNamed(a.name);
  return field && [{ field, op, value: constantOf(b, names) }];
}

function isConstant(node: Expression, names: Names): boolean {
  for (const part of partsOf(node)) {
    if (part.kind === 'memory') return false;
    if (part.kind === 'name' && meaningOf(part, names).kind !== 'constant') return false;
  }
  return true;
}
