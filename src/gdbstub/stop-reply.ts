/**
 * Stop replies: why the guest stands, with the registers that a client reads first.
 * @gdb "Stop Reply Packets"
 */
import type { ClientBreakpoints } from './breakpoints.js';
import type { StopCause } from './target.js';

/** GDB words it as `stopped`. */
export const SIGNAL_NONE = 0;
export const SIGNAL_INT = 2;
export const SIGNAL_TRAP = 5;

export interface StopSummary {
  signal: number;
  /** `swbreak:`, `hwbreak:`, `watch:ADDR` and so on; empty when no announced reason fits. */
  reason: string;
  /** Told to the user before the stop, where GDB has no packet for it. */
  message?: string;
}

/**
 * GDB resumes for ever on a swbreak or hwbreak that it cannot match, so these are given only for its own
 * breakpoints; a stop at somebody else's is a plain SIGTRAP.
 * @param announced what the client said in qSupported.
 * @param processes the one that is told, and those whose breakpoints stop it too.
 */
export function summarizeStop(
  cause: Exclude<StopCause, { kind: 'exited' }>,
  breakpoints: ClientBreakpoints,
  announced: { swbreak: boolean; hwbreak: boolean; syscalls: boolean },
  { resumed, attached }: { resumed: number; attached: readonly number[] },
): StopSummary {
  switch (cause.kind) {
    case 'paused':
      return { signal: SIGNAL_INT, reason: '' };
    case 'step':
      return { signal: SIGNAL_TRAP, reason: '', ...(cause.note === undefined ? {} : { message: cause.note }) };
    case 'breakpoint': {
      const types = breakpoints.at(cause.address, [resumed]).map((entry) => entry.type);
      const [other] = types.length > 0 ? [] : breakpoints.at(cause.address, attached);
      const text = cause.note ?? (other && `A breakpoint of process ${other.process}, which is the same guest.`);
      const note = text === undefined ? {} : { message: text };
      if (types.includes(0) && announced.swbreak) return { signal: SIGNAL_TRAP, reason: 'swbreak:;', ...note };
      if (types.includes(1) && announced.hwbreak) return { signal: SIGNAL_TRAP, reason: 'hwbreak:;', ...note };
      return { signal: SIGNAL_TRAP, reason: '', ...note };
    }
    case 'watchpoint': {
      const hit = breakpoints.watching(cause, [resumed]);
      const other = hit === undefined ? breakpoints.watching(cause, attached)?.entry : undefined;
      const text = cause.note ?? (other && `A watchpoint of process ${other.process}, which is the same guest.`);
      const note = text === undefined ? {} : { message: text };
      if (hit === undefined) return { signal: SIGNAL_TRAP, reason: '', ...note };
      const name = { 2: 'watch', 3: 'rwatch', 4: 'awatch' }[hit.entry.type as 2 | 3 | 4];
      return { signal: SIGNAL_TRAP, reason: `${name}:${hit.address.toString(16)};`, ...note };
    }
    case 'syscall': {
      const note = cause.note === undefined ? {} : { message: cause.note };
      if (announced.syscalls)
        return { signal: SIGNAL_TRAP, reason: `syscall_${cause.phase}:${cause.number.toString(16)};`, ...note };
      const what = cause.phase === 'entry' ? 'is called' : 'has returned';
      return {
        signal: SIGNAL_TRAP,
        reason: '',
        message: `System call ${cause.number} ${what}; another view catches it.`,
      };
    }
    case 'history':
      return { signal: SIGNAL_TRAP, reason: `replaylog:${cause.at};` };
    case 'fault':
      return { signal: cause.signal, reason: '', message: cause.message };
    case 'event':
      return { signal: SIGNAL_TRAP, reason: '', message: cause.message };
  }
}
