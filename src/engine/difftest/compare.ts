// Whether two outcomes of one case are the same, and which of their fields differ.

import { bitsOf, RFLAGS } from '../../spec/flags.js';
import { type Case, GPR_NAMES, type Outcome, SELECTOR_NAMES } from './case.js';
import { decode } from './decode.js';
import { RF } from './flags.js';
import type { Party } from './quirk.js';
import { quirkOf } from './quirks.js';
import { maskOf } from './undefined.js';

/** One field that differs, as text. */
export interface Difference {
  field: string;
  expected: string;
  actual: string;
}

export interface Verdict {
  differences: Difference[];
  /** Why a difference is put down to a party other than the core, '' otherwise. */
  excused: string;
}

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;
/** Flags that are compared: all but the always-one bit. */
const COMPARED_FLAGS = bitsOf(RFLAGS);

const RSP_BIT = 1 << 4;

export function compareOutcomes(c: Case, expected: Outcome, actual: Outcome): Difference[] {
  const differences: Difference[] = [];
  const add = (field: string, a: bigint | number | string, b: bigint | number | string): void => {
    const text = (v: bigint | number | string): string => (typeof v === 'string' ? v : hex(v));
    differences.push({ field, expected: text(a), actual: text(b) });
  };
  const completed = expected.vector === 1 || actual.vector === 1;
  // An undefined stack pointer: where the handler's frame goes, and all that follows from it, is undefined too.
  if (completed && maskOf(c).result && undefinedRegisters(c) & RSP_BIT) return [];
  if (expected.ending !== actual.ending || expected.vector !== actual.vector) {
    add('ending', `${expected.ending} ${expected.vector}`, `${actual.ending} ${actual.vector}`);
  }
  if (expected.ending !== 'exception') return differences;
  const mask = completed ? maskOf(c) : { flags: RF, result: false };
  let flags = COMPARED_FLAGS & ~mask.flags;
  // RF in the frame of a #DB trap tells how the trap was raised, not what the instruction did.
  if (completed) flags &= ~RF;
  const skip = mask.result ? undefinedRegisters(c) : 0;
  for (let i = 0; i < 16; i++) {
    if (expected.gpr[i] !== actual.gpr[i] && (skip & (1 << i)) === 0) add(GPR_NAMES[i], expected.gpr[i], actual.gpr[i]);
  }
  if (expected.rip !== actual.rip) add('rip', expected.rip, actual.rip);
  if ((expected.rflags ^ actual.rflags) & flags) add('rflags', expected.rflags & flags, actual.rflags & flags);
  if (expected.errorCode !== actual.errorCode) add('error code', expected.errorCode, actual.errorCode);
  if (expected.cr2 !== actual.cr2) add('cr2', expected.cr2, actual.cr2);
  expected.selectors.forEach((value, i) => {
    if (value !== actual.selectors[i]) add(SELECTOR_NAMES[i], value, actual.selectors[i]);
  });
  if (!mask.result || decode(c.code, c.mode).modrm >> 6 === 3) {
    const text = (o: Outcome): string =>
      o.changes
        .map((x) => `${x.address.toString(16)}:${Array.from(x.bytes, (b) => b.toString(16).padStart(2, '0')).join('')}`)
        .join(' ');
    const [a, b] = [text(expected), text(actual)];
    if (a !== b) add('memory', a || 'unchanged', b || 'unchanged');
  }
  return differences;
}

/** Registers that an instruction with an undefined result may write: both of ModRM's. */
function undefinedRegisters(c: Case): number {
  const d = decode(c.code, c.mode);
  if (d.opcode >= 0x0fc8 && d.opcode <= 0x0fcf) return 0x0101 << (d.opcode & 7);
  return (0x0101 << (d.modrm & 7)) | (0x0101 << ((d.modrm >> 3) & 7));
}

/** Compares, and asks the table of known quirks about what differs. */
export function judge(c: Case, oracle: Party, expected: Outcome, actual: Outcome): Verdict {
  const differences = compareOutcomes(c, expected, actual);
  if (differences.length === 0) return { differences, excused: '' };
  return { differences, excused: quirkOf(c, oracle, expected, actual, differences) };
}
