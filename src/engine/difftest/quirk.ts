// What a row of the tables of quirks is, and the words in which their conditions are written.
import type { Case, Outcome } from './case.js';
import type { Difference } from './compare.js';

/** Whose outcome is the expected one. */
export type Party = 'kvm' | 'native' | 'recorded' | 'handlers';

export interface Quirk {
  id: string;
  parties: readonly Party[];
  /** What was observed and why it is wrong, or AMD's. */
  evidence: string;
  applies(c: Case, expected: Outcome, actual: Outcome, differences: Difference[]): boolean;
}

export const is = (c: Case, name: RegExp): boolean => name.test(c.name);
/** Paravirtual KVM runs only ring 3 of long mode on the CPU; its emulator runs the rest. */
export const emulated = (c: Case): boolean => c.mode !== 'long' || c.cpl !== 3;
export const has66 = (c: Case): boolean => c.code.subarray(0, 5).includes(0x66);
export const isFault = (o: Outcome): boolean => o.ending === 'exception' && o.vector >= 12 && o.vector <= 14;
export const fields = (differences: Difference[]): string => differences.map((d) => d.field).join();
