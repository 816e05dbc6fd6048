/**
 * Trace events as Perfetto's trace processor takes them in: what its viewer has of a file. A statement of our own of the rules in its
 * source, src/trace_processor/importers/json/json_trace_tokenizer.cc and json_trace_parser.cc (of 2026-08), for the events that we write.
 */

export interface Slice {
  readonly name: string;
  readonly ts: number;
  readonly dur: number;
  /** Slices that it lies in. */
  readonly depth: number;
  readonly args: Readonly<Record<string, unknown>>;
}

export interface Thread {
  name?: string;
  readonly slices: Slice[];
}

export interface Imported {
  /** By number. */
  readonly processes: ReadonlyMap<number, { name?: string }>;
  /** By `PID/TID`. */
  readonly threads: ReadonlyMap<string, Thread>;
  /** What the trace processor counts as errors, and shows people as such. */
  readonly errors: readonly string[];
}

interface Event {
  readonly ph?: unknown;
  readonly name?: unknown;
  readonly ts?: unknown;
  readonly dur?: unknown;
  readonly pid?: unknown;
  readonly tid?: unknown;
  readonly args?: unknown;
}

/** Microseconds, with fractions, to whole ns. */
function nanoseconds(us: unknown): number | undefined {
  return typeof us === 'number' && Number.isFinite(us) ? Math.round(us * 1000) : undefined;
}

/** A number that 32 bits hold; everything else is 0. */
function number32(value: unknown): number {
  return typeof value === 'number' && value >= 0 && value < 2 ** 32 ? Math.trunc(value) : 0;
}

/** An object that is not empty. */
function argsOf(value: unknown): Record<string, unknown> | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Record<string, unknown>) : undefined;
}

/** @throws Error where the trace processor reads nothing of the file */
export function importTrace(text: string): Imported {
  if (!/^\s*(?:\{\s*"|\[\s*\{\s*")/.test(text)) throw new Error('not known as JSON');
  const file = JSON.parse(text) as { traceEvents?: Event[] } | Event[];
  const events = Array.isArray(file) ? file : file.traceEvents;
  if (!Array.isArray(events)) throw new Error('traceEvents is not an array');

  const processes = new Map<number, { name?: string }>();
  const threads = new Map<string, Thread>();
  const ends = new Map<string, number[]>();
  const errors: string[] = [];
  for (const { event, ts, index } of inOrder(events, errors)) {
    const pid = number32(event.pid);
    // thread 0 is one that is not told: the process's main thread
    const tid = number32(event.tid) || pid;
    const key = `${pid}/${tid}`;
    const thread: Thread = threads.get(key) ?? { slices: [] };
    threads.set(key, thread);
    const process = processes.get(pid) ?? {};
    processes.set(pid, process);
    const args = argsOf(event.args) ?? {};
    if (event.ph === 'M') {
      if (event.name !== 'thread_name' && event.name !== 'process_name') continue;
      const named = event.name === 'thread_name' ? thread : process;
      if (typeof args.name !== 'string' || args.name === '') errors.push(`event ${index}: no name in args`);
      else if (named.name !== undefined && named.name !== args.name) errors.push(`event ${index}: ${key} named twice`);
      else named.name = args.name;
    } else if (event.ph === 'X') {
      const dur = nanoseconds(event.dur);
      if (dur === undefined) {
        errors.push(`event ${index}: dur`);
        continue;
      }
      const open = ends.get(key) ?? [];
      ends.set(key, open);
      while (open.length > 0 && open.at(-1)! <= ts) open.pop();
      if (open.length > 0 && ts + dur > open.at(-1)!) errors.push(`event ${index}: overlaps the one before`);
      const name = typeof event.name === 'string' && event.name !== '' ? event.name : '[No name]';
      thread.slices.push({ name, ts, dur, depth: open.length, args });
      open.push(ts + dur);
    } else {
      errors.push(`event ${index}: phase ${String(event.ph)}`);
    }
  }
  return { processes, threads, errors };
}

/** Events by time, those of the same time as in the file; metadata without a time stands at 0. */
function inOrder(events: readonly Event[], errors: string[]): { event: Event; ts: number; index: number }[] {
  const timed = events.flatMap((event, index) => {
    const ts = nanoseconds(event.ts) ?? (event.ph === 'M' ? 0 : undefined);
    if (ts !== undefined && typeof event.ph === 'string' && event.ph !== '') return [{ event, ts, index }];
    errors.push(`event ${index}: ${ts === undefined ? 'ts' : 'ph'}`);
    return [];
  });
  return timed.sort((a, b) => a.ts - b.ts);
}
