/** The log of the guest's kernel, as dmesg prints it; the newest lines stand below. */
import { formatLog } from '../../engine/debug/linux/log.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { TextPane } from './text-pane.js';

export class LogPane extends TextPane {
  readonly id = 'log';
  /** The end is shown until the user scrolls. */
  private following = true;

  override title(): Segment[] {
    return [[' Kernel log ']];
  }

  override key(key: Parameters<TextPane['key']>[0]): boolean {
    const taken = super.key(key);
    if (taken) this.following = key.name === 'end';
    return taken;
  }

  protected override lines(cells: CellPane): Segment[][] | undefined {
    const source = this.model.system();
    if (!this.have(cells, source)) return undefined;
    const log = source.value?.log ?? [];
    if (this.following) this.top = Number.MAX_SAFE_INTEGER;
    return formatLog(log)
      .split('\n')
      .map((line): Segment[] => {
        const stamp = /^\[ *\d+\.\d+\] /.exec(line)?.[0] ?? '';
        return [
          [` ${stamp}`, this.theme.dim],
          [line.slice(stamp.length), this.theme.normal],
        ];
      });
  }
}
