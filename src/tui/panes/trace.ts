/** The exit trace: newest at the foot, filtered; Enter looks at one. */

import { exitSubject } from '../../engine/debug/explain-exit.js';
import type { ExitRecord } from '../../engine/debugger.js';
import { exitReasonName } from '../facts.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { fitPlace, grouped, hex } from '../screen/text.js';
import { exitHelp, type SubjectHelp } from '../subject-help.js';
import { matches, Pane, type PaneKey } from './pane.js';

/** A narrower pane shows addresses that have no name only. */
const NARROW = 88;
/** The mark, the reason, its subject, the action, and the space before the place's name. */
const HEAD_CELLS = 1 + 19 + 19 + 7 + 1;

export class TracePane extends Pane {
  readonly id = 'trace';
  override readonly keys = [
    ['Enter', 'enter', 'look at this exit'],
    ['e', 'e', 'run to the next exit'],
    [',', ',', 'one back'],
    ['m', 'm', 'mark this exit, or unmark it'],
    ['d', 'd', 'how the marked exit and this one differ'],
    ['/', '/', 'filter'],
  ] as const;
  override readonly filterable = true;
  private rows: readonly ExitRecord[] = [];
  /** Follows the newest until the cursor is moved off the end. */
  private following = true;
  private digits = 8;
  /** Its number: to be compared with another one. */
  private marked: number | undefined;

  override explain(): SubjectHelp | undefined {
    const record = this.rows[this.cursor];
    return record && exitHelp(record);
  }

  override title(): Segment[] {
    const shown = this.filterText ? ` ${grouped(this.rows.length)} match / ${this.filterText} ` : ` / filter `;
    return [[' Exit trace '], [`(e next exit, , one back, m mark, d diff)${shown}`, this.theme.dim]];
  }

  override draw(cells: CellPane, focused: boolean): void {
    const source = this.model.trace();
    if (source.error && this.model.records.length === 0) {
      this.reason(cells, source.error);
      return;
    }
    this.rows = this.filterText
      ? this.model.records.filter((record) => matches(this.filterText, this.text(record)))
      : this.model.records;
    const chosen = this.ui.exit();
    this.digits = Math.max(8, String(this.rows.at(-1)?.sequence ?? 0).length + 2);
    if (this.following) this.cursor = Math.max(0, this.rows.length - 1);
    if (this.rows.length === 0)
      cells.put(1, 0, this.filterText ? 'no VM exit matches' : 'no VM exit so far', this.theme.dim);
    this.list(
      cells,
      this.rows.length,
      focused,
      (index) => this.row(this.rows[index]!, chosen, cells.width),
      (index) => String(this.rows[index]!.sequence),
    );
  }

  private row(record: ExitRecord, chosen: ExitRecord | undefined, width: number): Segment[] {
    const { theme } = this;
    const here = chosen?.sequence === record.sequence;
    const label = this.label(record);
    const place = width < NARROW && label ? '' : ` ${hex(record.csBase + record.rip)}`;
    // Of a guest with several vCPUs each row says whose it is.
    const vcpus = this.model.info?.vcpus ?? 1;
    const cpu = vcpus > 1 ? `${record.vcpu}`.padStart(String(vcpus - 1).length + 1) : '';
    const room = width - HEAD_CELLS - this.digits - place.length - (cpu ? cpu.length + 1 : 0);
    return [
      [here ? '►' : record.sequence === this.marked ? '●' : ' ', theme.warn],
      [`#${record.sequence}`.padEnd(this.digits), theme.dim],
      [cpu ? `v${cpu.trim().padEnd(cpu.length)}` : '', record.vcpu === this.model.vcpu ? theme.label : theme.dim],
      [exitReasonName(record.reason).padEnd(19).slice(0, 19), record.reason >>> 31 ? theme.crit : theme.mnemonic],
      [` ${exitSubject(record).padEnd(18).slice(0, 18)}`, theme.number],
      [` ${record.action.padEnd(6)}`, record.action === 'stop' ? theme.crit : theme.dim],
      [place],
      [label ? ` ${fitPlace(label, room)}` : '', theme.symbol],
    ];
  }

  private label(record: ExitRecord): string | undefined {
    return this.model.symbols.label(record.csBase + record.rip) ?? this.model.symbols.label(record.rip);
  }

  private text(record: ExitRecord): string {
    return `#${record.sequence} ${exitReasonName(record.reason)} ${exitSubject(record)} ${record.action} ${hex(record.rip)} ${this.label(record) ?? ''}`;
  }

  override key({ name }: PaneKey): boolean {
    if (this.move(name)) {
      this.cursor = Math.min(this.cursor, this.rows.length - 1);
      this.following = this.cursor >= this.rows.length - 1;
      return true;
    }
    const record = this.rows[this.cursor];
    if (!record) return false;
    if (name === 'enter') this.ui.selectExit(record);
    else if (name === 'm') this.marked = this.marked === record.sequence ? undefined : record.sequence;
    else if (name === 'd') this.compare(record);
    else return false;
    return true;
  }

  /** With the marked one, else with the one before. */
  private compare({ sequence }: ExitRecord): void {
    const other = this.marked !== undefined && this.marked !== sequence ? this.marked : sequence - 1;
    this.ui.command(`diff #${other} #${sequence}`);
  }

  override click(row: number): void {
    this.cursor = Math.min(this.top + row, this.rows.length - 1);
    this.following = false;
    const record = this.rows[this.cursor];
    if (record) this.ui.selectExit(record);
  }

  override copy(): string | undefined {
    const record = this.rows[this.cursor];
    return record && this.text(record);
  }
}
