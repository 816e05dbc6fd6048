/** All vCPUs at a glance: where each is, what it does, its last exit; Enter looks at one. */

import { exitSubject } from '../../engine/debug/explain-exit.js';
import { codeBits, linearPc, modeText } from '../../engine/debug/guest-mode.js';
import type { ExitRecord, RegisterFile } from '../../engine/debugger.js';
import { exitReasonName } from '../facts.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { fitPlace, hex } from '../screen/text.js';
import { Pane, type PaneKey } from './pane.js';

const WIDE = 90;
const MODE_CELLS = 27;

export class VcpusPane extends Pane {
  readonly id = 'vcpus';
  override readonly keys = [['Enter', 'enter', 'look at this vCPU']] as const;
  private count = 1;

  override title(): Segment[] {
    return [[' vCPUs '], [' Enter looks at one; also 0 to 9 ', this.theme.dim]];
  }

  override draw(cells: CellPane, focused: boolean): void {
    const { model, theme } = this;
    this.count = model.info?.vcpus ?? 1;
    model.trace();
    const last = this.lastExits();
    const current = model.debug.os ? model.system().value?.current : undefined;
    // The last exit says more than the mode, which the header has of the vCPU that is shown.
    const wide = cells.width >= WIDE;
    const placeCells = wide ? 30 : 22;
    cells.put(
      0,
      0,
      `    ${'PLACE'.padEnd(placeCells + 1)}${wide ? 'MODE'.padEnd(MODE_CELLS) : ''}LAST EXIT`,
      theme.label,
    );
    this.list(
      cells,
      this.count,
      focused,
      (vcpu) => this.row(vcpu, last.get(vcpu), current?.[vcpu]?.name, wide, placeCells),
      (vcpu) => String(vcpu),
      1,
    );
  }

  private lastExits(): Map<number, ExitRecord> {
    const last = new Map<number, ExitRecord>();
    const { records } = this.model;
    for (let at = records.length - 1; at >= 0 && last.size < this.count; at--) {
      const record = records[at]!;
      if (!last.has(record.vcpu)) last.set(record.vcpu, record);
    }
    return last;
  }

  private row(
    vcpu: number,
    exit: ExitRecord | undefined,
    task: string | undefined,
    wide: boolean,
    placeCells: number,
  ): Segment[] {
    const { model, theme } = this;
    const source = model.registers(vcpu);
    const registers = source.value;
    const here = vcpu === model.vcpu;
    const stopped = !model.state.running && model.state.vcpu === vcpu;
    return [
      [here ? '►' : ' ', theme.warn],
      [String(vcpu).padEnd(3), theme.number],
      [(registers ? this.place(registers, placeCells) : (source.error ?? '…')).padEnd(placeCells + 1), theme.symbol],
      [wide ? (registers ? modeText(registers) : '').padEnd(MODE_CELLS) : ''],
      [exit ? `#${exit.sequence} ${exitReasonName(exit.reason)} ${exitSubject(exit)}` : '-', theme.mnemonic],
      [task === undefined ? '' : `  ${task}`, theme.label],
      [stopped ? '  stopped here' : '', theme.warn],
    ];
  }

  private place(registers: RegisterFile, width = 60): string {
    const pc = linearPc(registers);
    const label = this.model.symbols.label(pc);
    return label ? fitPlace(label, width) : hex(pc, codeBits(registers) === 64 ? 16 : 8);
  }

  override key({ name }: PaneKey): boolean {
    if (this.move(name)) return true;
    if (name !== 'enter') return false;
    this.ui.command(`vcpu ${this.cursor}`);
    return true;
  }

  override click(row: number): void {
    if (row < 1 || this.top + row - 1 >= this.count) return;
    this.cursor = this.top + row - 1;
    this.ui.command(`vcpu ${this.cursor}`);
  }

  override copy(): string | undefined {
    const registers = this.model.registers(this.cursor).value;
    return registers && `vcpu ${this.cursor} ${this.place(registers)} ${modeText(registers)}`;
  }
}
