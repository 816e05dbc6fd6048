/** What this user may do to trace KVM's exits on this host, before it is tried. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { ExitEvents } from './events.js';
import { PerfSession } from './perf-session.js';
import { findTracing } from './place.js';

export type TraceRight = { by: 'perf' | 'tracefs'; path: string; note?: string } | { why: string };

export function traceRight(): TraceRight {
  const place = findTracing();
  if ('why' in place) return place;
  const { path } = place;
  try {
    const events = ExitEvents.of(path);
    const note = events.note === undefined ? {} : { note: events.note };
    try {
      // This process's own thread: the right is the same as for another one's.
      new PerfSession(events, [process.pid]).close();
      return { by: 'perf', path, ...note };
    } catch (error) {
      try {
        accessSync(join(path, 'instances'), constants.W_OK);
        return { by: 'tracefs', path, ...note };
      } catch {
        return { why: (error as Error).message };
      }
    }
  } catch (error) {
    return { why: (error as Error).message };
  }
}
