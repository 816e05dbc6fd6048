/** Values of the guest as panes ask for them: at once, from a cache that fetches what it lacks or has out of date. */

/** A value that may not be here yet, may be out of date while the next one is on its way, or may never come. */
export interface Source<T> {
  value?: T;
  error?: string;
  /** A newer value has been asked for. */
  pending: boolean;
}

interface Entry extends Source<unknown> {
  generation: number;
  used: number;
}

const MAX_ENTRIES = 512;

export class Sources {
  /** Counts up when what is cached may no longer hold. */
  generation = 1;
  /** A frozen screen shows what it has; what it never had may still come. */
  frozen = false;
  private useClock = 0;
  private readonly entries = new Map<string, Entry>();

  /** @param changed called when a value has come, or will not come */
  constructor(private readonly changed: () => void) {}

  query<T>(key: string, fetch: () => Promise<T>): Source<T> {
    let entry = this.entries.get(key);
    if (!entry) {
      entry = { pending: false, generation: -1, used: 0 };
      this.entries.set(key, entry);
      if (this.entries.size > MAX_ENTRIES) this.prune();
    }
    entry.used = ++this.useClock;
    const fresh = entry.generation === this.generation;
    if (!fresh && !entry.pending && !(this.frozen && entry.generation >= 0)) this.fetch(entry, fetch);
    return entry as Source<T>;
  }

  /** What is known, without asking for more. */
  known(key: string): unknown {
    return this.entries.get(key)?.value;
  }

  /** What is known and of the guest's state as it is. */
  current(key: string): unknown {
    const entry = this.entries.get(key);
    return entry?.generation === this.generation ? entry.value : undefined;
  }

  private fetch(entry: Entry, fetch: () => Promise<unknown>): void {
    entry.pending = true;
    const { generation } = this;
    let promise: Promise<unknown>;
    try {
      promise = fetch();
    } catch (error) {
      promise = Promise.reject(error);
    }
    promise
      .then(
        (value) => {
          entry.value = value;
          entry.error = undefined;
        },
        (error: unknown) => {
          entry.value = undefined;
          entry.error = reason(error);
        },
      )
      .finally(() => {
        entry.pending = false;
        entry.generation = generation;
        this.changed();
      });
  }

  private prune(): void {
    const old = [...this.entries].filter(([, entry]) => !entry.pending).sort((a, b) => a[1].used - b[1].used);
    for (const [key] of old.slice(0, MAX_ENTRIES / 2)) this.entries.delete(key);
  }
}

export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
