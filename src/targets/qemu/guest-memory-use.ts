/**
 * Memory that guests of this host really use, where no balloon driver tells: read from the counters of the Linux in
 * them. A thread finds the kernel, one guest at a time and with long pauses between, since that takes a CPU for a second;
 * then a look costs a few reads.
 */
import { Worker } from 'node:worker_threads';
import { type MemoryUse, memoryUse, type PageCounters } from '../../engine/debug/linux/memory-use.js';
import type { Found } from './kernel-finder.js';
import { ProcessRam } from './process-ram.js';
import type { VmProcess } from './processes.js';

/** Of the time, at most this part is spent in searches. */
const SEARCH_SHARE = 0.25;
/** A guest without Linux is searched again after this, then after twice that, and so on. */
const AGAIN_MS = 20_000;
const MOST_AGAIN_MS = 1_800_000;
/** A guest that starts has no kernel at first: the first search is not sooner. */
const YOUNG_MS = 3000;

interface Guest {
  counters?: PageCounters;
  ram?: ProcessRam;
  why: string;
  searching: boolean;
  againMs: number;
  failures: number;
}

const keyOf = ({ pid, startTicks }: VmProcess): string => `${pid} ${startTicks}`;

export class GuestMemoryUse {
  readonly #guests = new Map<string, Guest>();
  readonly #queue: VmProcess[] = [];
  #worker: Worker | undefined;
  #searched: { vm: VmProcess; startMs: number } | undefined;
  #pauseMs = 0;

  /** @param now ms, of a clock that does not go back */
  look(vm: VmProcess, now: number): MemoryUse | { why: string } {
    const key = keyOf(vm);
    let guest = this.#guests.get(key);
    if (!guest) {
      guest = {
        why: 'no balloon driver reports it, and its memory has not been read yet',
        searching: false,
        againMs: now + YOUNG_MS,
        failures: 0,
      };
      this.#guests.set(key, guest);
    }
    if (guest.counters && guest.ram) {
      try {
        const { ram } = guest;
        const use = memoryUse(guest.counters, (gpa, length) => ram.view(gpa, length));
        if (use) return use;
        guest.why = 'another system has started in it';
      } catch (error) {
        guest.why = (error as Error).message;
      }
      this.#drop(guest);
      guest.againMs = now + AGAIN_MS;
      guest.failures = 0;
    }
    if (!guest.searching && now >= guest.againMs) {
      guest.searching = true;
      this.#queue.push(vm);
    }
    this.#next(now);
    return { why: guest.why };
  }

  /** Forgets guests that have gone. */
  keep(machines: readonly VmProcess[]): void {
    const keys = new Set(machines.map(keyOf));
    for (const [key, guest] of this.#guests) {
      if (keys.has(key)) continue;
      this.#drop(guest);
      this.#guests.delete(key);
    }
  }

  close(): void {
    void this.#worker?.terminate();
    this.#worker = undefined;
    for (const guest of this.#guests.values()) this.#drop(guest);
    this.#guests.clear();
  }

  #drop(guest: Guest): void {
    guest.ram?.close();
    guest.ram = guest.counters = undefined;
  }

  #next(now: number): void {
    if (this.#searched || now < this.#pauseMs) return;
    const vm = this.#queue.shift();
    if (!vm) {
      // Its memory is worth more than the time to start another one.
      void this.#worker?.terminate();
      this.#worker = undefined;
      return;
    }
    this.#searched = { vm, startMs: now };
    const guest = this.#guests.get(keyOf(vm));
    if (guest) guest.why = 'its memory is being searched for Linux';
    if (!this.#worker) {
      const worker = new Worker(new URL('./kernel-finder.js', import.meta.url));
      this.#worker = worker;
      worker.unref();
      worker.on('message', (found: Found) => this.#take(found));
      worker.on('error', (error) => {
        if (this.#worker === worker) this.#worker = undefined;
        this.#take({ why: error.message });
      });
    }
    this.#worker.postMessage(vm);
  }

  #take(found: Found): void {
    if (!this.#searched) return;
    const { vm, startMs } = this.#searched;
    this.#searched = undefined;
    const now = performance.now();
    this.#pauseMs = now + (now - startMs) * (1 / SEARCH_SHARE - 1);
    const guest = this.#guests.get(keyOf(vm));
    if (!guest) return;
    guest.searching = false;
    try {
      if ('why' in found) throw new Error(found.why);
      guest.ram = ProcessRam.open(vm);
      guest.counters = found.counters;
    } catch (error) {
      guest.why = (error as Error).message;
      guest.againMs = now + Math.min(MOST_AGAIN_MS, AGAIN_MS * 2 ** Math.min(guest.failures++, 20));
    }
  }
}
