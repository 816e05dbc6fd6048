/** Which process of a Linux guest runs, as a condition that the engine evaluates. */
import { lacking, type Session } from './command.js';

/** TASK_COMM_LEN. */
const NAME_BYTES = 16;
/** What a page table is known by in CR3: without the process-context identifier, and the half that programs run on. */
const TABLE = '0x000fffffffffe000';

/**
 * A name holds for all processes that have it, also those that will be started: it is read of the task that runs. A
 * number holds for that process, by its page table.
 * @throws Error where there is no such system, no process of that number, or the kernel does not tell what runs
 */
export async function processTest(session: Session, wanted: string): Promise<string> {
  const { os, types } = session.debug;
  if (os === undefined) throw await lacking(session, 'os');
  if (/^\d+$/.test(wanted)) {
    const task = (await os.processes()).find(({ pid }) => pid === Number(wanted));
    if (task === undefined) throw new Error(`there is no process ${wanted}`);
    if (task.cr3 === undefined)
      throw new Error(`${task.name} (${wanted}) is a thread of the kernel: it has no page table of its own`);
    return `(cr3 & ${TABLE}) == 0x${(task.cr3 & BigInt(TABLE)).toString(16)}`;
  }
  const bytes = new TextEncoder().encode(wanted);
  if (bytes.length === 0 || bytes.length >= NAME_BYTES)
    throw new Error(`"${wanted}" is not the name of a process: these have 1 to ${NAME_BYTES - 1} bytes`);
  if ((await types?.variable('current')) === undefined)
    throw new Error(
      `the running process is not known (${await os.absence().catch(() => 'no kernel with types')}); give the number of a process instead`,
    );
  const comm = Uint8Array.from({ length: NAME_BYTES }, (_, n) => bytes[n] ?? 0);
  const word = (from: number): bigint =>
    comm.subarray(from, from + 8).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  const text = (from: number): string => `[&current->comm+${from}]:u64 == 0x${word(from).toString(16)}`;
  // what stands behind the name's end may be left from another one
  const first = bytes.length + 1;
  const masked = (from: number): string => {
    const left = Math.min(8, first - from);
    if (left === 8) return text(from);
    const mask = (1n << BigInt(left * 8)) - 1n;
    return `([&current->comm+${from}]:u64 & 0x${mask.toString(16)}) == 0x${(word(from) & mask).toString(16)}`;
  };
  return first > 8 ? `${text(0)} and ${masked(8)}` : masked(0);
}
