/** Modules that the guest's kernel has loaded, newest first. */
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { hex } from '../screen/text.js';
import { TextPane } from './text-pane.js';

export class ModulesPane extends TextPane {
  readonly id = 'modules';

  override title(): Segment[] {
    return [[' Modules ']];
  }

  protected override lines(cells: CellPane): Segment[][] | undefined {
    const source = this.model.system();
    if (!this.have(cells, source)) return undefined;
    const { theme } = this;
    const modules = source.value?.modules ?? [];
    if (modules.length === 0) return [[[' none', theme.dim]]];
    return modules.map(({ name, bytes, address }): Segment[] => [
      [` ${name.padEnd(20)} `, theme.symbol],
      [String(bytes).padStart(8), theme.number],
      [`  ${hex(address)}`],
    ]);
  }
}
