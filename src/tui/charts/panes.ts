/** The charts of exits: how many a second, how much of the time they take, and how long those of a reason take. */
import { durationText } from '../../engine/debug/exit-report.js';
import { exitReasonName } from '../facts.js';
import type { PaneKeyHelp } from '../panes/pane.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { grouped, rate } from '../screen/text.js';
import { reasonHelp, type SubjectHelp } from '../subject-help.js';
import { barPicture, ChartPane, linePicture, type Series, type Shown } from './chart-pane.js';
import type { ChartCell, ChartMakers } from './widget.js';

/** Reasons that a chart has a line for. */
const MOST_LINES = 6;
/** A halted vCPU is idle: that is no cost of the exit. */
const IDLE = new Set(['HLT', 'MWAIT_INSTRUCTION']);

abstract class ReasonChart extends ChartPane {
  override explain(): SubjectHelp | undefined {
    const chosen = this.series[this.cursor];
    return chosen && reasonHelp(chosen.name);
  }
}

/** Exits a second by reason over the last minute. */
export class RateChart extends ReasonChart {
  readonly id = 'rates';

  override title(): Segment[] {
    return [
      [' Exits a second '],
      [` last ${Math.max(0, this.model.samples.length - 1)} s  Enter zooms `, this.theme.dim],
    ];
  }

  protected override collect(cells: CellPane): readonly Series[] | undefined {
    const counts = this.model.counts();
    if (!this.have(cells, counts)) return undefined;
    const { samples } = this.model;
    const all = Object.keys(samples.at(-1)?.counts ?? {}).map((name) => {
      const values = samples.slice(1).map((sample, n) => {
        const before = samples[n]!;
        return Math.round(
          (((sample.counts[name] ?? 0) - (before.counts[name] ?? 0)) * 1000) / Math.max(1, sample.ms - before.ms),
        );
      });
      return { name, note: `${rate(values.at(-1) ?? 0)}/s`, values, sum: values.reduce((sum, one) => sum + one, 0) };
    });
    return all.sort((a, b) => b.sum - a.sum || (a.name < b.name ? -1 : 1)).slice(0, MOST_LINES);
  }

  protected override picture(
    makers: ChartMakers,
    shown: readonly Shown[],
    width: number,
    height: number,
  ): ChartCell[][] {
    const { length } = shown[0]!.series.values;
    const labels = Array.from({ length }, (_, n) => `-${length - 1 - n}s`);
    return linePicture(makers, shown, labels, width, height, 1);
  }
}

const COLUMNS = 60;

/** Share of the guest's time that exits take, over the time of the trace. */
export class SpentChart extends ReasonChart {
  readonly id = 'spent';
  private labels: readonly string[] = [];
  private span = '';

  override title(): Segment[] {
    return [
      [' Time in exits, % '],
      [`${this.span ? ` ${this.span} of virtual time ` : ' '} Enter zooms `, this.theme.dim],
    ];
  }

  protected override collect(cells: CellPane): readonly Series[] | undefined {
    const course = this.model.analysis.course(COLUMNS);
    if (!this.have(cells, course)) return undefined;
    const { first, last, reasons } = course.value;
    const step = Math.max(1, Number(last - first) / COLUMNS);
    this.span = reasons.length > 0 ? durationText(Number(last - first)) : '';
    this.labels = Array.from({ length: COLUMNS }, (_, n) => durationText(Math.round((n + 0.5) * step)));
    return reasons
      .map(({ reason, ns }) => {
        const name = exitReasonName(reason);
        const sum = ns.reduce((all, one) => all + one, 0);
        const values = ns.map((one) => Math.round((1000 * one) / step) / 10);
        return { name, note: durationText(sum), values, sum: IDLE.has(name) ? 0 : sum };
      })
      .sort((a, b) => b.sum - a.sum || (a.name < b.name ? -1 : 1))
      .slice(0, MOST_LINES);
  }

  protected override picture(
    makers: ChartMakers,
    shown: readonly Shown[],
    width: number,
    height: number,
  ): ChartCell[][] {
    const busy = shown.filter(({ series }) => !IDLE.has(series.name) || shown.length === 1);
    return linePicture(makers, busy.length ? busy : shown, this.labels, width, height, 1);
  }
}

/** How long the exits of a reason take: a bar an octave, or some of them where there is no room. */
export class TimesChart extends ReasonChart {
  readonly id = 'times';
  protected override readonly single = true;
  override readonly keys: readonly PaneKeyHelp[] = [];

  override title(): Segment[] {
    const chosen = this.series[this.cursor];
    return [[' How long exits take '], [chosen ? ` ${chosen.name} ` : ' ', this.theme.dim]];
  }

  protected override collect(cells: CellPane): readonly Series[] | undefined {
    const report = this.model.analysis.report('reason');
    if (!this.have(cells, report)) return undefined;
    return report.value.rows
      .filter(({ timed }) => timed > 0)
      .map(({ reason = 0, ns, timed, octaves }) => ({
        ...{ name: exitReasonName(reason), note: `~${durationText(ns / timed)} x${grouped(timed)}`, values: octaves },
      }));
  }

  protected override picture(
    makers: ChartMakers,
    shown: readonly Shown[],
    width: number,
    height: number,
  ): ChartCell[][] {
    const [{ series, colour }] = shown as [Shown];
    const first = Math.max(
      0,
      series.values.findIndex((count) => count > 0),
    );
    const octaves = series.values.slice(first);
    const fits = Math.max(1, Math.floor((width - 1) / 9));
    const together = Math.ceil(octaves.length / fits);
    const bars = Array.from({ length: Math.ceil(octaves.length / together) }, (_, n) => n * together);
    const values = bars.map((at) => octaves.slice(at, at + together).reduce((sum, count) => sum + count, 0));
    const titles = bars.map((at) => (first + at === 0 ? '0ns' : durationText(2 ** (first + at))));
    return barPicture(makers, values, titles, colour, width, height);
  }

  override key({ name }: { name: string }): boolean {
    return name !== 'enter' && super.key({ name });
  }
}
