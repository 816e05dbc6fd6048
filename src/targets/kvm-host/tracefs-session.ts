/**
 * Trace events of chosen threads through an instance of tracefs, where perf events cannot be had. It is named after this
 * process, which a helper outlives just long enough to remove it; should that die too, the next that traces does.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { ExitEvent, ExitEvents } from './events.js';
import type { TraceSession } from './perf-session.js';
import { abandonedInstances } from './place.js';
import { type PageHeader, parsePageHeader, readPage } from './ring-page.js';

const PAGE = 4096;
const BUFFER_KB = 1024;
/** Pages of one CPU that are read in one turn. */
const MAX_PAGES = 1024;
/** Removes the instance when our end of the pipe is closed, by whatever end. */
const WATCHMAN = 'cat >/dev/null; echo 0 > "$1/events/enable"; rmdir "$1" 2>/dev/null';

export class TracefsSession implements TraceSession {
  readonly by = 'tracefs';
  lost = 0;
  readonly #folder: string;
  readonly #header: PageHeader;
  readonly #pipes: number[] = [];
  readonly #page = Buffer.alloc(PAGE);
  #watchman: ChildProcess | undefined;

  /** @throws Error in one line */
  constructor(
    tracing: string,
    private readonly events: ExitEvents,
    threads: readonly number[],
  ) {
    removeAbandoned(tracing);
    this.#folder = join(tracing, 'instances', `vmscope-${process.pid}`);
    this.#header = parsePageHeader(readFileSync(join(tracing, 'events', 'header_page'), 'utf8'));
    try {
      mkdirSync(this.#folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    try {
      this.#watchman = spawn('sh', ['-c', WATCHMAN, 'sh', this.#folder], {
        detached: true,
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      this.#watchman.on('error', () => {});
      this.#watchman.unref();
      (this.#watchman.stdin as unknown as { unref?(): void }).unref?.();
      this.#set('trace_clock', 'mono');
      this.#set('buffer_size_kb', String(BUFFER_KB));
      this.#set('set_event_pid', threads.join(' '));
      for (const { name } of events.formats) this.#set(`events/kvm/${name}/enable`, '1');
      for (const cpu of readdirSync(join(this.#folder, 'per_cpu')))
        this.#pipes.push(
          openSync(join(this.#folder, 'per_cpu', cpu, 'trace_pipe_raw'), constants.O_RDONLY | constants.O_NONBLOCK),
        );
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #set(file: string, value: string): void {
    writeFileSync(join(this.#folder, file), value);
  }

  poll(take: (event: ExitEvent) => void, gap: () => void): void {
    const events: ExitEvent[] = [];
    for (const pipe of this.#pipes) {
      for (let n = 0; n < MAX_PAGES && this.#read(pipe) > 0; n++) {
        const lost = readPage(this.#page, this.#header, (ns, record, at, length) => {
          if (length < 8) return;
          const event = this.events.decode(record.getInt32(at + 4, true), ns, record, at, length);
          if (event) events.push(event);
        });
        this.lost += lost;
        if (lost > 0) gap();
      }
    }
    // A thread goes from CPU to CPU, each of which has a buffer of its own.
    events.sort((a, b) => (a.ns < b.ns ? -1 : a.ns > b.ns ? 1 : 0));
    for (const event of events) take(event);
  }

  /** @returns bytes of the next page; 0 while there is none */
  #read(pipe: number): number {
    try {
      this.#page.fill(0, 0, this.#header.dataOffset);
      return readSync(pipe, this.#page, 0, PAGE, null);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
      throw error;
    }
  }

  close(): void {
    for (const pipe of this.#pipes.splice(0)) closeSync(pipe);
    remove(this.#folder);
    this.#watchman?.stdin?.end();
  }
}

function remove(folder: string): void {
  try {
    writeFileSync(join(folder, 'events', 'enable'), '0');
    rmdirSync(folder);
  } catch {
    // It has gone already.
  }
}

/** What a vmscope that was killed together with its helper left. */
export function removeAbandoned(tracing: string): void {
  for (const name of abandonedInstances(tracing)) remove(join(tracing, 'instances', name));
}
