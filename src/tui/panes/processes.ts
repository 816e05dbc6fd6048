/** Processes of the guest's operating system, and which of them runs on each vCPU. */
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { hex } from '../screen/text.js';
import { TextPane } from './text-pane.js';

const HEAD = '     PID    PPID S  THR CR3              NAME';

export class ProcessesPane extends TextPane {
  readonly id = 'processes';

  override title(): Segment[] {
    const system = this.model.system().value;
    if (!system) return [[' Processes ']];
    const current = system.current.map((task, vcpu) => `vcpu${vcpu} ${task ? `${task.name} (${task.pid})` : '?'}`);
    return [[` Processes of ${system.info.kind} ${system.info.release} `], [` ${current.join('  ')} `, this.theme.dim]];
  }

  protected override lines(cells: CellPane): Segment[][] | undefined {
    const source = this.model.system();
    if (!this.have(cells, source)) return undefined;
    const { theme } = this;
    if (source.value === null)
      return [[[' no operating system is found; :info os says what was looked for', theme.dim]]];
    const { processes, current, problem } = source.value;
    const lines: Segment[][] = [[[HEAD, theme.label]]];
    if (problem !== undefined) lines.push([[` ${problem}`, theme.warn]]);
    for (const { pid, ppid, state, threads, cr3, name } of processes) {
      const vcpu = current.findIndex((task) => task?.pid === pid);
      const numbers = `${String(pid).padStart(7)} ${String(ppid).padStart(7)} ${state} ${String(threads ?? '-').padStart(4)} `;
      lines.push([
        [vcpu < 0 ? ' ' : '►', theme.warn],
        [numbers],
        [(cr3 === undefined ? '-' : hex(cr3)).padEnd(17), theme.number],
        [cr3 === undefined ? `[${name}]` : name, cr3 === undefined ? theme.dim : theme.symbol],
        [vcpu < 0 ? '' : `  on vcpu ${vcpu}`, theme.warn],
      ]);
    }
    return lines;
  }
}
