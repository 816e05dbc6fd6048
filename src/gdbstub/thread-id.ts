/**
 * Thread ids: `TID`, or `pPID.TID` once both sides announced multiprocess. The guest is process 1; others are views of it,
 * see Views.
 */

export const PROCESS_ID = 1;

/** For both: -1 is all, 0 any, otherwise GDB's number, from 1. */
export interface ThreadSelector {
  process: number;
  thread: number;
}

function parsePart(text: string): number | undefined {
  if (text === '-1') return -1;
  // LLDB pads ids to 16 digits.
  return /^0{0,8}[0-9a-fA-F]{1,8}$/.test(text) ? Number.parseInt(text, 16) : undefined;
}

/** Undefined when it is malformed. Without a process it is about any. */
export function parseThreadId(text: string): ThreadSelector | undefined {
  if (!text.startsWith('p')) {
    const thread = parsePart(text);
    return thread === undefined ? undefined : { process: 0, thread };
  }
  const dot = text.indexOf('.');
  const process = parsePart(dot < 0 ? text.slice(1) : text.slice(1, dot));
  if (process === undefined) return undefined;
  if (dot < 0 || process === -1) return { process, thread: -1 };
  const thread = parsePart(text.slice(dot + 1));
  return thread === undefined ? undefined : { process, thread };
}

/** The process of `;PID` in hexadecimal; undefined when it is malformed. */
export const parseProcess = (args: string): number | undefined =>
  args[0] === ';' ? parsePart(args.slice(1)) : undefined;

export const NO_SUCH_PROCESS =
  'no such process: to gdb the guest is process 1, its vCPUs are the threads, and 2 and 3 are the same in 32-bit and 16-bit registers; info os processes lists what runs in it';

/** @param thread the target's number, from 0. @param process absent: the client does not tell processes apart */
export function formatThreadId(thread: number, process?: number): string {
  const id = (thread + 1).toString(16).padStart(2, '0');
  return process === undefined ? id : `p${process.toString(16).padStart(2, '0')}.${id}`;
}
