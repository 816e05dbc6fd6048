// Differences that are not the core's: the host's CPU is another maker's than the one that the core models,
// and the host's KVM emulates some instructions itself. Each row has the evidence.
import type { Case, Outcome } from './case.js';
import type { Difference } from './compare.js';
import { HOST_QUIRKS } from './host-quirks.js';
import { KVM_QUIRKS, lostInRealDelivery, REAL_ESP } from './kvm-quirks.js';
import { PVM_QUIRKS } from './pvm-quirks.js';
import type { Party, Quirk } from './quirk.js';

export const QUIRKS: readonly Quirk[] = [...HOST_QUIRKS, ...KVM_QUIRKS, ...PVM_QUIRKS];

/** Id of the row that explains a difference, '' when none does. */
export function quirkOf(c: Case, party: Party, expected: Outcome, actual: Outcome, differences: Difference[]): string {
  // what comes on top of every outcome in real mode hides no other difference, nor is another row's business
  const rest = differences.filter((d) => party !== 'kvm' || !lostInRealDelivery(c, expected, actual, d));
  if (rest.length === 0) return REAL_ESP.id;
  return QUIRKS.find((q) => q.parties.includes(party) && q.applies(c, expected, actual, rest))?.id ?? '';
}
