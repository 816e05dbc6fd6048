/** Where the guest spends its instructions, or what its exits come from: the samples of `profile`, as they come. */
import { counted } from '../../engine/counted.js';
import {
  PROFILE_KEYS,
  type ProfileKey,
  type ProfileRow,
  ProfileTally,
  samplesText,
} from '../../engine/debug/profile-report.js';
import type { Profiler } from '../../engine/debug/profiler.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { grouped } from '../screen/text.js';
import { matches, Pane, type PaneKey } from './pane.js';

const HEADS: Record<ProfileKey, string> = {
  function: '   SELF  TOTAL  SAMPLES  FUNCTION',
  task: '  SHARE         SAMPLES  TASK',
  exit: '  SHARE         SAMPLES  VM EXIT',
};

export class ProfilePane extends Pane {
  readonly id = 'profile';
  override readonly keys = [
    ['a', 'a', 'more samples: profile'],
    ['o', 'o', 'by function, task or exit'],
    ['Enter', 'enter', 'the code of the function'],
    ['/', '/', 'filter'],
  ] as const;
  override readonly clickEnters = true;
  override readonly filterable = true;
  private profiler: Profiler | undefined;
  private tally = new ProfileTally('function');
  /** The profiler's count of renames that the tally is of. */
  private renamed = 0;
  private rows: readonly ProfileRow[] = [];

  /** Samples that somebody has asked for. */
  watch(profiler: Profiler, by: ProfileKey): void {
    this.profiler = profiler;
    this.tally = new ProfileTally(by);
    this.cursor = 0;
  }

  get empty(): boolean {
    return this.profiler === undefined;
  }

  override title(): Segment[] {
    const filter = this.filterText ? `  / ${this.filterText}` : '';
    if (!this.profiler) return [[' Profile ']];
    return [
      [` Profile by ${this.tally.by} `],
      [` ${samplesText(this.profiler.count, this.profiler)}  o regroups${filter} `, this.theme.dim],
    ];
  }

  override draw(cells: CellPane, focused: boolean): void {
    const { profiler, theme } = this;
    if (!profiler) {
      this.reason(cells, 'no samples: a, or :profile, lets the guest run and takes them');
      return;
    }
    this.take(profiler);
    cells.put(0, 0, HEADS[this.tally.by], theme.label);
    const { rows } = this;
    if (rows.length === 0) cells.put(1, 1, profiler.count === 0 ? 'no sample yet' : 'no row matches', theme.dim);
    const row = (index: number) => this.row(rows[index]!, profiler.count);
    this.list(cells, rows.length, focused, row, (index) => rows[index]!.name, 1);
  }

  /** The samples that have come since the last look; all again where they have got names. */
  private take(profiler: Profiler): void {
    if (profiler.renamed !== this.renamed) this.tally = new ProfileTally(this.tally.by);
    this.renamed = profiler.renamed;
    while (this.tally.count < profiler.count) this.tally.add(profiler.sample(this.tally.count));
    this.rows = this.tally.rows.filter(({ name }) => matches(this.filterText, name));
  }

  private row({ name, self, total }: ProfileRow, all: number): Segment[] {
    const { theme } = this;
    const share = (count: number) => `${((100 * count) / all).toFixed(1)}%`.padStart(7);
    return [
      [share(self), theme.number],
      [this.tally.by === 'function' ? share(total) : ''.padStart(7), theme.number],
      [grouped(self).padStart(9)],
      [`  ${name}`, name.startsWith('[') ? theme.dim : theme.symbol],
    ];
  }

  private get chosen(): ProfileRow | undefined {
    return this.rows[this.cursor];
  }

  override key({ name }: PaneKey): boolean {
    if (this.move(name)) return true;
    if (name === 'a') this.ui.prompt('profile ');
    else if (name === 'o') this.regroup();
    else if (name === 'enter' && this.tally.by === 'function' && this.chosen) this.goto(this.chosen.name);
    else return false;
    return true;
  }

  /** By exit only where the samples were taken at some. */
  private regroup(): void {
    const keys = PROFILE_KEYS.filter((key) => key !== 'exit' || this.profiler?.unit === 'exit');
    this.tally = new ProfileTally(keys[(keys.indexOf(this.tally.by) + 1) % keys.length]!);
    this.cursor = 0;
  }

  /** @throws Error where it has no code */
  private goto(name: string): void {
    const symbol = this.model.symbols.byName(name);
    if (!symbol) throw new Error(`${name} is not a symbol`);
    this.ui.gotoCode(symbol.address);
  }

  override click(row: number): void {
    if (row > 0) this.cursor = this.top + row - 1;
  }

  override copy(): string | undefined {
    return this.chosen && `${counted(this.chosen.self, 'sample')} ${this.chosen.name}`;
  }
}
