/** Counts by exit reason, as debuggers get them. On engine kvm the kernel's own counters stand among them. */

/** What the names of the kernel's counters begin with: they count the same exits again, and other things. */
export const KERNEL_COUNTER = 'kvm ';

/** The counts of exit reasons alone. */
export function exitsByReason(counts: Record<string, number>): [reason: string, count: number][] {
  return Object.entries(counts).filter(([name]) => !name.startsWith(KERNEL_COUNTER));
}

/** How many exits there were. */
export function totalExits(counts: Record<string, number>): number {
  return exitsByReason(counts).reduce((sum, [, count]) => sum + count, 0);
}
