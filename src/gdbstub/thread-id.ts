/** Thread ids: `TID`, or `pPID.TID` once both sides announced multiprocess. The guest is process 1. */

export const PROCESS_ID = 1;

/** -1: all threads; 0: any thread; otherwise GDB's number, from 1. */
export type ThreadSelector = number;

function parsePart(text: string): number | undefined {
  if (text === '-1') return -1;
  // LLDB pads ids to 16 digits.
  return /^0{0,8}[0-9a-fA-F]{1,8}$/.test(text) ? Number.parseInt(text, 16) : undefined;
}

/** Undefined when it is malformed or names another process. */
export function parseThreadId(text: string): ThreadSelector | undefined {
  if (!text.startsWith('p')) return parsePart(text);
  const dot = text.indexOf('.');
  const process = parsePart(dot < 0 ? text.slice(1) : text.slice(1, dot));
  if (process === undefined || (process !== -1 && process !== 0 && process !== PROCESS_ID)) return undefined;
  if (dot < 0 || process === -1) return -1;
  return parsePart(text.slice(dot + 1));
}

/** Whether a packet is about the guest: `;PID` of process 1 as hexadecimal, or nothing. */
export const isGuest = (args: string): boolean =>
  args === '' || (args[0] === ';' && parsePart(args.slice(1)) === PROCESS_ID);

export const NO_SUCH_PROCESS =
  'no such process: to gdb the guest is process 1, its vCPUs are the threads; info os processes lists what runs in it';

/** @param thread the target's number, from 0. */
export function formatThreadId(thread: number, multiprocess: boolean): string {
  const id = (thread + 1).toString(16).padStart(2, '0');
  return multiprocess ? `p${PROCESS_ID.toString(16).padStart(2, '0')}.${id}` : id;
}
