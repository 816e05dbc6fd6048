/** Processes of the guest's operating system, and which of them runs on each vCPU; Enter shows the kernel stack of one, m what it has mapped. */
import type { OsTask } from '../../engine/debugger.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { hex } from '../screen/text.js';
import { matches, Pane, type PaneKey } from './pane.js';

const HEAD = '     PID    PPID S  THR CR3              NAME';

export class ProcessesPane extends Pane {
  readonly id = 'processes';
  override readonly keys = [
    ['Enter', 'enter', 'its kernel stack, and registers'],
    ['m', 'm', 'its mappings'],
    ['/', '/', 'filter'],
  ] as const;
  override readonly clickEnters = true;
  override readonly filterable = true;
  private rows: OsTask[] = [];
  private head = 1;

  override title(): Segment[] {
    const system = this.model.system().value;
    if (!system) return [[' Processes ']];
    const current = system.current.map((task, vcpu) => `vcpu${vcpu} ${task ? `${task.name} (${task.pid})` : '?'}`);
    return [
      [` Processes of ${system.info.kind} ${system.info.release} `],
      [`${this.filterText ? ` / ${this.filterText} ` : ''} ${current.join('  ')} `, this.theme.dim],
    ];
  }

  override draw(cells: CellPane, focused: boolean): void {
    const source = this.model.system();
    if (!this.have(cells, source)) return;
    const { theme } = this;
    if (source.value === null) {
      cells.put(0, 0, ' no operating system is found; :info os says what was looked for', theme.dim);
      return;
    }
    const { processes, current, problem } = source.value;
    cells.put(0, 0, HEAD, theme.label);
    if (problem !== undefined) cells.put(1, 1, problem, theme.warn);
    this.head = problem === undefined ? 1 : 2;
    this.rows = processes.filter(({ pid, name }) => matches(this.filterText, `${pid} ${name}`));
    if (this.rows.length === 0 && this.filterText) cells.put(1, this.head, 'no process matches', theme.dim);
    this.list(
      cells,
      this.rows.length,
      focused,
      (index) => this.row(this.rows[index]!, current),
      (index) => String(this.rows[index]!.pid),
      this.head,
    );
    const below = this.rows.length - this.top - (cells.height - this.head);
    if (below > 0) cells.put(cells.width - 3 - String(below).length, cells.height - 1, ` ↓${below} `, theme.dim);
  }

  private row({ pid, ppid, state, threads, cr3, name }: OsTask, current: readonly (OsTask | undefined)[]): Segment[] {
    const { theme } = this;
    const vcpu = current.findIndex((task) => task?.pid === pid);
    return [
      [vcpu < 0 ? ' ' : '►', theme.warn],
      [`${String(pid).padStart(7)} ${String(ppid).padStart(7)} ${state} ${String(threads ?? '-').padStart(4)} `],
      [(cr3 === undefined ? '-' : hex(cr3)).padEnd(17), theme.number],
      [cr3 === undefined ? `[${name}]` : name, cr3 === undefined ? theme.dim : theme.symbol],
      [vcpu < 0 ? '' : `  on vcpu ${vcpu}`, theme.warn],
    ];
  }

  override key({ name }: PaneKey): boolean {
    if (this.move(name)) return true;
    const task = this.rows[this.cursor];
    if ((name !== 'enter' && name !== 'm') || !task) return false;
    this.ui.command(name === 'm' ? `vmmap pid ${task.pid}` : `info stack ${task.pid}`);
    return true;
  }

  override click(row: number): void {
    if (row >= this.head) this.cursor = this.top + row - this.head;
  }

  override copy(): string | undefined {
    const task = this.rows[this.cursor];
    return (
      task && `${task.pid} ${task.ppid} ${task.state} ${task.cr3 === undefined ? '-' : hex(task.cr3)} ${task.name}`
    );
  }
}
