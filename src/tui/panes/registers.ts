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
import { onBackground } from '../screen/theme.js';
import { registerHelp, type SubjectHelp } from '../subject-help.js';
import { telescope } from '../telescope.js';
import type { PaneKey } from './pane.js';
import { TextPane } from './text-pane.js';

interface Place {
  name: string;
  line: number;
  x: number;
  width: number;
}

export class RegistersPane extends TextPane {
  readonly id = 'registers';
  override readonly keys = [
    ['Enter', 'enter', 'edit the register'],
    ['← →', 'right', 'choose another'],
  ] as const;
  override readonly clickEnters = true;
  /** Registers in the order of the lines, and where each stands. */
  private places: Place[] = [];
  private chosen = 'rax';

  override get cursorAt(): string {
    return this.chosen;
  }

  override explain(): SubjectHelp | undefined {
    const registers = this.model.registers().value;
    if (!registers) return undefined;
    const value = registers[this.chosen] ?? 0n;
    const linear = this.chosen === 'rip' ? this.model.pc() : value;
    return registerHelp(this.chosen, registers, linear ? this.model.symbols.label(linear) : undefined);
  }

  override title(): Segment[] {
    return [[' Registers '], ['(* changed)  Enter edits ', this.theme.dim]];
  }

  override draw(cells: CellPane, focused: boolean): void {
    this.places = [];
    super.draw(cells, focused);
    const place = this.places.find(({ name }) => name === this.chosen);
    if (focused && place)
      cells.shade(place.x, place.line - this.top, place.width, (attr) => onBackground(attr, this.theme.sel));
  }

  /** Adds a line, and remembers where the registers in it stand. */
  private add(lines: Segment[][], items: readonly (readonly [name: string, segments: Segment[]])[]): void {
    const line: Segment[] = [];
    let x = 0;
    for (const [name, segments] of items) {
      const width = segments.reduce((sum, [text]) => sum + text.length, 0);
      if (name) this.places.push({ name, line: lines.length, x, width });
      line.push(...segments);
      x += width;
    }
    lines.push(line);
  }

  protected override lines(cells: CellPane): Segment[][] | undefined {
    const source = this.model.registers();
    if (!this.have(cells, source)) return undefined;
    const registers = source.value;
    const lines: Segment[][] = [];
    const digits =
      this.model.bits() === 64 || GENERAL_REGISTERS.some((name) => (registers[name] ?? 0n) >> 32n) ? 16 : 8;
    const columns = Math.max(1, Math.min(4, Math.floor((cells.width + 2) / (digits + 7))));
    const general = [...GENERAL_REGISTERS].filter((name) => digits === 16 || !/^r\d/.test(name));
    const rows = Math.ceil(general.length / columns);
    for (let row = 0; row < rows; row++) {
      const line: [string, Segment[]][] = [];
      for (let column = 0; column < columns; column++) {
        const name = general[column * rows + row];
        if (name) line.push([name, this.one(name, registers, digits)], ['', [['  ']]]);
      }
      // With room for one column there is room to say what the value points at.
      if (columns === 1) line.push(['', [[this.pointsAt(registers[general[row]!]), this.theme.symbol]]]);
      this.add(lines, line);
    }
    const rip = this.model.pc();
    const label = rip === undefined ? '' : (this.model.symbols.label(rip) ?? '');
    this.add(lines, [
      ['rip', this.one('rip', registers, digits)],
      ['', [['  '], [label, this.theme.symbol]]],
    ]);
    this.add(lines, [['rflags', this.decoded('rflags', registers, 8)]]);
    for (const name of CONTROL_REGISTERS)
      if (registers[name] !== undefined) this.add(lines, [[name, this.decoded(name, registers, 1)]]);
    for (const name of SEGMENT_REGISTERS)
      if (registers[name] !== undefined) this.add(lines, [[name, this.segment(name, registers)]]);
    for (const name of ['gdtr', 'idtr']) {
      if (registers[`${name}_base`] === undefined) continue;
      const limit = hex(registers[`${name}_limit`] ?? 0n, 4);
      this.add(lines, [
        [`${name}_base`, [...this.mark(`${name}_base`, name.padEnd(4)), [` ${hex(registers[`${name}_base`]!, 8)}`]]],
        [`${name}_limit`, [[` limit ${limit}`]]],
      ]);
    }
    for (const name of DEBUG_REGISTERS)
      if (registers[name] !== undefined) this.add(lines, [[name, this.decoded(name, registers, 1)]]);
    for (const name of [...MSR_REGISTERS, 'interruptibility', 'activity']) {
      if (registers[name] === undefined) continue;
      const mark = this.mark(name, name.padEnd(16));
      this.add(lines, [[name, [...mark, [` ${hex(registers[name])}`, this.valueAttr(name)]]]]);
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

  private pointsAt(value: bigint | undefined): string {
    if (value === undefined) return '';
    const label = value > 0xffn ? this.model.symbols.label(value) : undefined;
    return label ? `→ ${label}` : telescope(this.model, value);
  }

  override key(key: PaneKey): boolean {
    const at = this.places.findIndex(({ name }) => name === this.chosen);
    const here = this.places[at] ?? this.places[0];
    if (!here) return super.key(key);
    switch (key.name) {
      case 'left':
      case 'right':
        this.choose(this.places[at + (key.name === 'left' ? -1 : 1)]);
        return true;
      case 'up':
      case 'k':
        this.choose(this.nearest(here, -1));
        return true;
      case 'down':
      case 'j':
        this.choose(this.nearest(here, 1));
        return true;
      case 'enter': {
        const value = this.model.registers().value?.[here.name];
        this.ui.prompt(`set ${here.name} 0x${hex(value ?? 0n)}`);
        return true;
      }
      default:
        return super.key(key);
    }
  }

  private nearest(from: Place, step: number): Place | undefined {
    return this.places
      .filter(({ line }) => line === from.line + step)
      .sort((a, b) => Math.abs(a.x - from.x) - Math.abs(b.x - from.x))[0];
  }

  private choose(place: Place | undefined): void {
    if (!place) return;
    this.chosen = place.name;
    this.reveal(place.line);
  }

  override click(row: number, column: number): void {
    const line = row + this.top;
    this.choose(this.places.find((p) => p.line === line && column >= p.x && column < p.x + p.width));
  }

  override wheel(delta: number): void {
    super.key({ name: delta < 0 ? 'up' : 'down' });
  }

  override copy(): string | undefined {
    const registers = this.model.registers().value;
    return registers && [...GENERAL_REGISTERS, 'rip', 'rflags'].map((n) => `${n}=${hex(registers[n] ?? 0n)}`).join(' ');
  }
}
