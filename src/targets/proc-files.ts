/**
 * Files of /proc that are read again and again: kept open, so that a look costs one read each instead of an open, a
 * stat, two reads and a close. One whose process has ended reads as absent; a later process of that number is not
 * taken for it, since an open file is of the process that it was opened for.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

/** Open files at most; what does not fit is opened for each read. */
const MAX_OPEN = 1500;
/** Closed when it has not been read for so long. */
const KEPT_MS = 60_000;
const TIDY_MS = 10_000;
const BUFFER = Buffer.allocUnsafe(16_384);

interface Open {
  fd: number;
  readMs: number;
}

class ProcFiles {
  readonly #open = new Map<string, Open>();
  #tidiedMs = performance.now();

  /** Its text; undefined when it is not there, or not for this user. */
  read(path: string): string | undefined {
    const now = performance.now();
    if (now - this.#tidiedMs > TIDY_MS) this.#tidy(now);
    let file = this.#open.get(path);
    // Twice: a file that was kept may be of a process that has ended.
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        if (!file) {
          if (this.#open.size >= MAX_OPEN) return readFileSync(path, 'latin1');
          file = { fd: openSync(path, 'r'), readMs: now };
          this.#open.set(path, file);
        }
        file.readMs = now;
        const length = readSync(file.fd, BUFFER, 0, BUFFER.length, 0);
        return length < BUFFER.length ? BUFFER.toString('latin1', 0, length) : readFileSync(path, 'latin1');
      } catch {
        if (!file) return undefined;
        this.#close(path, file);
        file = undefined;
      }
    }
    return undefined;
  }

  #close(path: string, file: Open): void {
    this.#open.delete(path);
    closeSync(file.fd);
  }

  #tidy(now: number): void {
    this.#tidiedMs = now;
    for (const [path, file] of this.#open) if (now - file.readMs > KEPT_MS) this.#close(path, file);
  }
}

const files = new ProcFiles();
export const readProc = (path: string): string | undefined => files.read(path);
