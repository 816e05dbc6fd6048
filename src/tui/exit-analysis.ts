/** What is made of many exits, as panes ask for it: summed where the guest runs, at most once a second while it does. */
import type { Debugger, ExitCourse, ExitGroupKey, ExitReportData, MemoryHeatCells } from '../engine/debugger.js';
import type { Source } from './sources.js';

const AGAIN_MS = 1000;
const MAX_KEPT = 64;

export interface AnalysisHost {
  readonly debug: Debugger;
  readonly running: () => boolean;
  readonly now: () => number;
  readonly unavailable: () => string;
  readonly noEpt: () => string;
  readonly query: <T>(key: string, fetch: () => Promise<T>) => Source<T>;
}

export class ExitAnalysis {
  private readonly asked = new Map<string, { at: number; answer: Promise<unknown> }>();

  private round = 0;

  constructor(private readonly host: AnalysisHost) {}

  report(by: ExitGroupKey): Source<ExitReportData> {
    const { exits } = this.host.debug;
    return exits?.report ? this.paced(`exits by ${by}`, () => exits.report!(by)) : this.absent();
  }

  /** @param columns pieces of the trace's time */
  course(columns: number): Source<ExitCourse> {
    const { exits } = this.host.debug;
    return exits?.course ? this.paced(`course of exits ${columns}`, () => exits.course!(columns)) : this.absent();
  }

  /** @param round another one than before: writes are counted anew */
  heat(first: bigint, bytes: bigint, cells: number, round: number): Source<MemoryHeatCells> {
    const { ept } = this.host.debug;
    if (!ept?.heat)
      return { error: ept ? 'this target does not report writes to memory' : this.host.noEpt(), pending: false };
    const key = `heat ${first} ${bytes} ${cells} ${round}`;
    return this.paced(key, () => {
      const anew = round !== this.round;
      this.round = round;
      return ept.heat!(first, bytes, cells, anew);
    });
  }

  private absent<T>(): Source<T> {
    const { debug, unavailable } = this.host;
    return { error: debug.exits ? 'this target gives single exits only' : unavailable(), pending: false };
  }

  private paced<T>(key: string, fetch: () => Promise<T>): Source<T> {
    const { query, now, running } = this.host;
    return query(key, () => {
      const last = this.asked.get(key);
      if (last && running() && now() - last.at < AGAIN_MS) return last.answer as Promise<T>;
      const answer = fetch();
      if (this.asked.size >= MAX_KEPT) this.asked.clear();
      this.asked.set(key, { at: now(), answer });
      return answer;
    });
  }
}
