/** Devices with their registers. */
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { TextPane } from './text-pane.js';

export class DevicesPane extends TextPane {
  readonly id = 'devices';

  override title(): Segment[] {
    return [[' Devices ']];
  }

  protected override lines(cells: CellPane): Segment[][] | undefined {
    const source = this.model.devices();
    if (!this.have(cells, source)) return undefined;
    const { theme } = this;
    const lines: Segment[][] = [];
    for (const device of source.value) {
      lines.push([[` ${device.name}`, theme.title]]);
      for (const [name, value] of device.rows) lines.push([[`   ${name.padEnd(16)} `, theme.label], [value]]);
    }
    return lines.length ? lines : [[[' no devices', theme.dim]]];
  }
}
