/** Conditions on VM exits as people type them. */

import { exitReason, exitReasonByName } from '../../spec/vmx/exit-reasons.js';
import type { ExitCondition, ExitRecord } from '../debugger.js';
import { EXIT_FACT_NAMES } from './exit-facts.js';

/** Fields of an exit that a condition can name, and that an export writes. */
export const EXIT_FIELDS: readonly (keyof ExitRecord)[] = [
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
];

/** `EPT_VIOLATION|CPUID if gpa >= 0xfee00000 and rcx == 1`; `any` for every reason. */
export function parseExitCondition(text: string, evaluateTerm: (text: string) => bigint): ExitCondition {
  const [, names = '', rest] = /^(.*?)(?:\bif\b(.*))?$/is.exec(text.trim()) ?? [];
  const reasons = names
    .split(/[|,\s]+/)
    .filter((name) => name && name.toLowerCase() !== 'any')
    .map((name) => {
      const row = exitReasonByName(name) ?? (/^\d{1,4}$/.test(name) ? exitReason(Number(name)) : undefined);
      if (row) return row.number;
      throw new Error(`no exit reason "${name}"; names are as in the Exits view`);
    });
  const condition: ExitCondition = reasons.length ? { reasons } : {};
  if (rest === undefined) return condition;
  condition.where = rest.split(/\band\b|&&/i).map((term) => {
    const match = /^\s*(\w+)\s*(==|!=|<=|>=|<|>|=|&)\s*(.+?)\s*$/.exec(term);
    if (!match) throw new Error(`"${term.trim()}" is not FIELD OP VALUE`);
    const named = [...EXIT_FACT_NAMES, ...EXIT_FIELDS];
    const field = named.find((name) => name.toLowerCase() === match[1]!.toLowerCase());
    if (!field) throw new Error(`an exit has no field "${match[1]}"; it has ${named.join(', ')}`);
    const op = (match[2] === '=' ? '==' : match[2]) as NonNullable<ExitCondition['where']>[number]['op'];
    return { field, op, value: evaluateTerm(match[3]!) };
  });
  return condition;
}
