/** What an exit was about, as numbers that a condition can name; each has those of some reasons only. */
import type { ExitFact, ExitRecord } from '../debugger.js';

const LOW = 0xffff_ffffn;
const reasonOf = (exit: ExitRecord): number => exit.reason & 0xffff;

/** Undefined where the exit has none: no condition on it holds then. @sdm 3C 27.2.1 "Basic VM-Exit Information" */
export const EXIT_FACTS: Readonly<Record<ExitFact, (exit: ExitRecord) => bigint | undefined>> = {
  port: (exit) => (reasonOf(exit) === 30 ? (exit.qualification >> 16n) & 0xffffn : undefined),
  size: (exit) => (reasonOf(exit) === 30 ? (exit.qualification & 7n) + 1n : undefined),
  count: ({ elements }) => (elements === undefined ? undefined : BigInt(elements)),
  msr: (exit) => (reasonOf(exit) === 31 || reasonOf(exit) === 32 ? exit.rcx & LOW : undefined),
  leaf: (exit) => (reasonOf(exit) === 10 ? exit.rax & LOW : undefined),
  subleaf: (exit) => (reasonOf(exit) === 10 ? exit.rcx & LOW : undefined),
  vector: ({ interruptionInfo }) => (interruptionInfo >>> 31 ? BigInt(interruptionInfo & 0xff) : undefined),
  // a guest of the guest would be at 2; this CPU shows its guests no VMX
  level: () => 1n,
  cr: (exit) => (reasonOf(exit) === 28 ? exit.qualification & 15n : undefined),
};

export const EXIT_FACT_NAMES = Object.keys(EXIT_FACTS) as ExitFact[];

/** A fact or numeric field of an exit by its name; undefined where it has none. */
export function exitValue(record: ExitRecord, name: string): bigint | undefined {
  // a field that a peer made up may be one that every object has
  const value = Object.hasOwn(EXIT_FACTS, name)
    ? EXIT_FACTS[name as ExitFact](record)
    : Object.hasOwn(record, name)
      ? record[name as keyof ExitRecord]
      : undefined;
  return typeof value === 'number' || typeof value === 'bigint' ? BigInt(value) : undefined;
}
