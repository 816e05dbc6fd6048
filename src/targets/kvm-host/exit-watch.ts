/** Traces the exits of KVM guests of this host while somebody looks: by perf events, else by tracefs. */
import { readdirSync, readFileSync } from 'node:fs';
import type { ExitTime, ExitTrace, ExitWatcher } from '../../engine/fleet.js';
import { type ExitEvent, ExitEvents } from './events.js';
import { ExitTimes } from './exit-times.js';
import { PerfSession, type TraceSession } from './perf-session.js';
import { findTracing } from './place.js';
import { TracefsSession } from './tracefs-session.js';

/** The rings are emptied so often. */
const POLL_MS = 100;
/** Threads that are traced at most. */
const MAX_THREADS = 1024;

export interface WatchedGuest {
  key: string;
  pid: number;
}

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

/**
 * vCPU threads of a process: by their names, as QEMU (`CPU 0/KVM`), crosvm (`crosvm_vcpu0`), Firecracker (`fc_vcpu 0`)
 * and cloud-hypervisor (`vcpu0`) give them; all threads where none has such a name.
 */
export function vcpuThreads(pid: number): { tid: number; vcpu: number | undefined }[] {
  let tids: number[];
  try {
    tids = readdirSync(`/proc/${pid}/task`).map(Number);
  } catch {
    return [];
  }
  const all = tids.map((tid) => {
    const number = /^(?:CPU |(?:crosvm_|fc_)?vcpu ?)(\d+)/.exec(read(`/proc/${pid}/task/${tid}/comm`))?.[1];
    return { tid, vcpu: number === undefined ? undefined : Number(number) };
  });
  const named = all.filter(({ vcpu }) => vcpu !== undefined);
  return named.length ? named : all;
}

export class ExitWatch implements ExitWatcher {
  readonly #events: ExitEvents;
  readonly #tracing: string;
  #session: TraceSession | undefined;
  #threads = new Map<number, { key: string; vcpu: number | undefined }>();
  readonly #times = new Map<string, Map<number, ExitTimes>>();
  #timer: NodeJS.Timeout | undefined;
  #lost = 0;
  #failure: string | undefined;

  /** @throws Error in one line that says what is missing and how to get it */
  constructor(guests: readonly WatchedGuest[]) {
    const place = findTracing();
    if ('why' in place) throw new Error(place.why);
    this.#tracing = place.path;
    this.#events = ExitEvents.of(place.path);
    this.follow(guests);
    this.#timer = setInterval(() => this.#poll(), POLL_MS);
    this.#timer.unref();
  }

  /** Guests come and go, and their vCPUs. */
  follow(guests: readonly WatchedGuest[]): void {
    const threads = new Map<number, { key: string; vcpu: number | undefined }>();
    for (const { key, pid } of guests)
      for (const { tid, vcpu } of vcpuThreads(pid)) if (threads.size < MAX_THREADS) threads.set(tid, { key, vcpu });
    const same = threads.size === this.#threads.size && [...threads.keys()].every((tid) => this.#threads.has(tid));
    if (same && (this.#session || threads.size === 0)) return;
    this.#poll();
    this.#end();
    this.#threads = threads;
    const keys = new Set(guests.map(({ key }) => key));
    for (const key of this.#times.keys()) if (!keys.has(key)) this.#times.delete(key);
    if (threads.size) this.#session = this.#start([...threads.keys()]);
  }

  #start(tids: number[]): TraceSession {
    try {
      return new PerfSession(this.#events, tids);
    } catch (error) {
      try {
        return new TracefsSession(this.#tracing, this.#events, tids);
      } catch {
        throw error;
      }
    }
  }

  #poll(): void {
    try {
      this.#session?.poll(
        (event) => this.#take(event),
        () => this.#gap(),
      );
    } catch (error) {
      this.#failure = (error as Error).message;
      this.#end();
    }
  }

  #take(event: ExitEvent): void {
    const { tid, vcpu } = event;
    const thread = this.#threads.get(tid);
    if (!thread) return;
    let guest = this.#times.get(thread.key);
    if (!guest) this.#times.set(thread.key, (guest = new Map()));
    // A thread without a name is the next vCPU, unless its events have the number.
    thread.vcpu ??= vcpu ?? guest.size;
    let times = guest.get(thread.vcpu);
    if (!times) guest.set(thread.vcpu, (times = new ExitTimes()));
    times.take(event, this.#events.note !== undefined);
  }

  #gap(): void {
    for (const guest of this.#times.values()) for (const times of guest.values()) times.gap();
  }

  look(): ExitTrace {
    this.#poll();
    const guests = new Map<string, ExitTime[]>();
    for (const [key, vcpus] of this.#times)
      guests.set(
        key,
        [...vcpus].flatMap(([vcpu, times]) => times.rows(vcpu)),
      );
    const note = this.#failure ?? this.#events.note;
    return {
      guests,
      lost: this.#lost + (this.#session?.lost ?? 0),
      ...(this.#session ? { by: this.#session.by } : {}),
      ...(note === undefined ? {} : { note }),
    };
  }

  #end(): void {
    this.#lost += this.#session?.lost ?? 0;
    this.#session?.close();
    this.#session = undefined;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#end();
  }
}
