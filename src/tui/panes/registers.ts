/** Registers, changed ones marked, flags and control bits by name. */
import type { RegisterFile } from '../../engine/debugger.js';
import {
  CONTROL_REGISTERS,
  DEBUG_REGISTERS,
  GENERAL_REGISTERS,
  MSR_REGISTERS,
  SEGMENT_REGISTERS,
} from '../../engine/registers-view.js';
import { registerBits } from '../facts.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { hex } from '../screen/text.js';
import { TextPane } from './text-pane.js';

export class RegistersPane extends TextPane {
  readonly id = 'registers';

  override title(): Segment[] {
    return [[' Registers '], ['(* changed since last stop) ', this.theme.dim]];
  }

  protected override lines(cells: CellPane): Segment[][] | undefined {
    const source = this.model.registers();
    if (!this.have(cells, source)) return undefined;
    const registers = source.value;
    const lines: Segment[][] = [];
    const digits = this.model.bits() === 64 || GENERAL_REGISTERS.some((name) => registers[name]! >> 32n) ? 16 : 8;
    const columns = Math.max(1, Math.min(4, Math.floor(cells.width / (digits + 6))));
    const general = [...GENERAL_REGISTERS].filter((name) => digits === 16 || !/^r\d/.test(name));
    const rows = Math.ceil(general.length / columns);
    for (let row = 0; row < rows; row++) {
      const line: Segment[] = [];
      for (let column = 0; column < columns; column++) {
        const name = general[column * rows + row];
        if (!name) continue;
        line.push(...this.one(name, registers, digits), ['  ']);
      }
      // With room for one column there is room to say what the value points at.
      if (columns === 1) line.push([this.pointsAt(registers[general[row]!]!), this.theme.symbol]);
      lines.push(line);
    }
    const rip = this.model.pc();
    const label = rip === undefined ? '' : (this.model.symbols.label(rip) ?? '');
    lines.push([...this.one('rip', registers, digits), ['  '], [label, this.theme.symbol]]);
    lines.push(this.decoded('rflags', registers, 8));
    for (const name of CONTROL_REGISTERS)
      if (registers[name] !== undefined) lines.push(this.decoded(name, registers, 1));
    for (const name of SEGMENT_REGISTERS) if (registers[name] !== undefined) lines.push(this.segment(name, registers));
    for (const name of ['gdtr', 'idtr']) {
      if (registers[`${name}_base`] === undefined) continue;
      const limit = hex(registers[`${name}_limit`] ?? 0n, 4);
      lines.push([
        ...this.mark(`${name}_base`, name.padEnd(4)),
        [` ${hex(registers[`${name}_base`]!, 8)} limit ${limit}`],
      ]);
    }
    for (const name of DEBUG_REGISTERS) if (registers[name]) lines.push(this.decoded(name, registers, 1));
    for (const name of [...MSR_REGISTERS, 'interruptibility', 'activity']) {
      if (registers[name]) lines.push([...this.mark(name, name.padEnd(14)), [` ${hex(registers[name]!)}`]]);
    }
    return lines;
  }

  private one(name: string, registers: RegisterFile, digits: number): Segment[] {
    const value = registers[name];
    const text = value === undefined ? '?'.repeat(digits) : hex(value, digits);
    return [...this.mark(name, name.padEnd(3)), [' '], [text, this.valueAttr(name)]];
  }

  private decoded(name: string, registers: RegisterFile, digits: number): Segment[] {
    const value = registers[name] ?? 0n;
    const bits = registerBits(name, value).join(' ');
    return [
      ...this.mark(name, name.padEnd(4)),
      [' '],
      [hex(value, digits), this.valueAttr(name)],
      [` ${bits}`, this.theme.label],
    ];
  }

  private segment(name: string, registers: RegisterFile): Segment[] {
    const part = (suffix: string) => registers[name + suffix] ?? 0n;
    const ar = part('_ar');
    const unusable = (ar >> 16n) & 1n ? ' unusable' : '';
    return [
      ...this.mark(name, name.padEnd(4)),
      [' '],
      [hex(part(''), 4), this.valueAttr(name)],
      [` base ${hex(part('_base'))} limit ${hex(part('_limit'))} ar ${hex(ar)}`],
      [unusable, this.theme.dim],
    ];
  }

  private mark(name: string, label: string): Segment[] {
    const change = this.model.registerChange(name);
    return [
      [change === 2 ? '*' : ' ', this.theme.changed],
      [label, change === 2 ? this.theme.changed : this.theme.label],
    ];
  }

  private valueAttr(name: string): number {
    return [this.theme.normal, this.theme.faded, this.theme.changed][this.model.registerChange(name)]!;
  }

  private pointsAt(value: bigint): string {
    const label = value > 0xffn ? this.model.symbols.label(value) : undefined;
    return label ? `→ ${label}` : '';
  }

  override copy(): string | undefined {
    const registers = this.model.registers().value;
    return registers && [...GENERAL_REGISTERS, 'rip', 'rflags'].map((n) => `${n}=${hex(registers[n] ?? 0n)}`).join(' ');
  }
}
