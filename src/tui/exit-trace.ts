/** The newest VM exits, kept up to date with few and small requests. */
import type { Debugger, ExitRecord } from '../engine/debugger.js';
import { reason, type Source } from './sources.js';

const MAX_RECORDS = 5000;
const RECORDS_WHILE_RUNNING = 256;

export class ExitTrace {
  readonly records: ExitRecord[] = [];
  private pending = false;
  /** Of the guest's state that the records belong to. */
  private generation = -1;
  private partial = false;
  /** Newest sequence number that a fetch has given; `note` runs ahead of it. */
  private fetched = 0;
  private error: string | undefined;
  /** Counts up with each reset: what was asked for before is of no use. */
  private run = 0;

  constructor(private readonly changed: () => void) {}

  get source(): Source<ExitRecord[]> {
    return { value: this.records, error: this.error, pending: this.pending };
  }

  /** Of another run, or of a part of this one that lies ahead again: all is asked for anew. */
  reset(): void {
    this.records.length = 0;
    this.fetched = 0;
    this.generation = -1;
    this.partial = true;
    this.run++;
  }

  /** Asks for what is new, unless that was done for this generation of the guest's state. */
  update(exits: NonNullable<Debugger['exits']>, generation: number, running: boolean): void {
    if (this.pending || this.generation === generation) return;
    this.pending = true;
    // A running guest may exit 100,000 times between two looks: take few then, and all when it stands.
    const complete = !running && this.partial;
    // The newest record is asked for again: at a stop before its handler ran it does not say what was done yet.
    const after = complete ? -1 : this.fetched - 1;
    const { run } = this;
    exits
      .records(after, running ? RECORDS_WHILE_RUNNING : MAX_RECORDS)
      .then(
        (list) => {
          if (run !== this.run) return;
          this.error = undefined;
          this.partial = running;
          this.take(list);
        },
        (error: unknown) => {
          this.error = reason(error);
        },
      )
      .finally(() => {
        this.pending = false;
        if (run === this.run) this.generation = generation;
        this.changed();
      });
  }

  private take(list: ExitRecord[]): void {
    const { records } = this;
    const first = list[0]?.sequence;
    if (first === undefined) return;
    this.fetched = list.at(-1)!.sequence;
    while (records.length && records.at(-1)!.sequence >= first) records.pop();
    if (records.length && records.at(-1)!.sequence < first - 1) records.length = 0;
    records.push(...list);
    if (records.length > MAX_RECORDS) records.splice(0, records.length - MAX_RECORDS);
  }

  /** The exit at which the guest stands may not be in the trace yet; nobody must wait a round trip for it. */
  note(record: ExitRecord): void {
    const last = this.records.at(-1);
    if (last && last.sequence === record.sequence - 1) this.records.push(record);
  }
}
