/** All VMCS fields by area, with their bits by name; Enter edits one. */

import { bitsOf, type FieldBit } from '../../commands/vmcs-bits.js';
import type { VmcsFieldValue } from '../../engine/debugger.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { hex } from '../screen/text.js';
import { type SubjectHelp, vmcsHelp } from '../subject-help.js';
import { matches, Pane, type PaneKey, wrap } from './pane.js';

const AREAS = ['read-only', 'control', 'guest', 'host'] as const;
const HEADINGS: Record<VmcsFieldValue['area'], string> = {
  'read-only': 'VM-exit information (read-only)',
  control: 'Controls',
  guest: 'Guest state',
  host: 'Host state',
};

type Row = { heading: string } | { field: VmcsFieldValue; bit?: FieldBit };

export class VmcsPane extends Pane {
  readonly id = 'vmcs';
  override readonly keys = [
    ['Enter', 'enter', 'edit the field, or set or clear the bit'],
    ['o', 'o', 'open or close the bits'],
    ['/', '/', 'filter'],
  ] as const;
  override readonly clickEnters = true;
  override readonly filterable = true;
  private rows: Row[] = [];
  private readonly opened = new Set<number>();
  /** By vCPU: the fields as they were last shown, and those that were other before. */
  private readonly looks = new Map<
    number,
    { seen: readonly VmcsFieldValue[]; values: Map<number, bigint>; changed: Set<number> }
  >();
  private changed: ReadonlySet<number> = new Set();

  override explain(): SubjectHelp | undefined {
    const row = this.rows[this.cursor];
    return row && 'field' in row ? vmcsHelp(row.field, row.bit?.bit) : undefined;
  }

  override title(): Segment[] {
    return [
      [' VMCS '],
      [` Enter edits  o opens bits  / filter${this.filterText ? `: ${this.filterText}` : ''} `, this.theme.dim],
    ];
  }

  override draw(cells: CellPane, focused: boolean): void {
    const source = this.model.vmcs();
    if (!this.have(cells, source)) return;
    this.compare(source.value);
    this.rows = [];
    for (const area of AREAS) {
      const fields = source.value.filter(
        (field) => field.area === area && matches(this.filterText, `${field.name} ${field.decoded.join(' ')}`),
      );
      if (!fields.length) continue;
      this.rows.push({ heading: HEADINGS[area] });
      for (const field of fields) {
        this.rows.push({ field });
        if (this.opened.has(field.encoding)) for (const bit of bitsOf(field)) this.rows.push({ field, bit });
      }
    }
    const nameWidth = Math.min(36, Math.max(20, cells.width >> 1) - 2);
    // Bits of the field under the cursor that the row has no room for stand at the foot.
    const foot = this.footer(cells.width);
    const height = Math.max(1, cells.height - foot.length);
    this.clamp(this.rows.length, height);
    for (let y = 0; y < height && this.top + y < this.rows.length; y++) {
      const row = this.rows[this.top + y]!;
      cells.line(y, this.row(row, nameWidth));
      if (this.top + y === this.cursor) this.highlight(cells, y, focused);
    }
    for (const [n, line] of foot.entries()) cells.line(height + n, line);
  }

  private row(row: Row, nameWidth: number): Segment[] {
    const { theme } = this;
    if ('heading' in row) return [[`── ${row.heading} `, theme.title]];
    const { field, bit } = row;
    if (bit) return this.bitRow(field, bit);
    const mark = this.changed.has(field.encoding);
    return [
      [mark ? '*' : ' ', theme.changed],
      [hex(field.encoding, 4), theme.dim],
      [' '],
      [field.name.slice(0, nameWidth).padEnd(nameWidth), theme.label],
      [' '],
      [hex(field.value, Math.min(16, field.widthBits / 4)).padEnd(16), mark ? theme.changed : theme.number],
      [' '],
      [field.decoded.join(', ')],
    ];
  }

  private bitRow(field: VmcsFieldValue, { bit, name, description, supported }: FieldBit): Segment[] {
    const { theme } = this;
    const set = isSet(field, bit);
    return [
      [`      ${set ? '[x]' : '[ ]'} ${String(bit).padStart(2)} `, set ? theme.number : theme.dim],
      [name, supported ? theme.label : theme.dim],
      [`  ${description}${supported ? '' : ' Not on this CPU.'}`, theme.dim],
    ];
  }

  private footer(width: number): Segment[][] {
    const row = this.rows[this.cursor];
    if (!row || 'heading' in row || (!row.bit && row.field.decoded.length === 0)) return [];
    const text = row.bit
      ? `bit ${row.bit.bit} ${row.bit.name}: ${row.bit.description} Enter flips it.`
      : `${row.field.name}: ${row.field.decoded.join(', ')}`;
    const lines = wrap(text, width - 2);
    return lines.slice(0, 4).map((line) => [[` ${line}`, this.theme.ok]]);
  }

  private compare(fields: readonly VmcsFieldValue[]): void {
    const { vcpu } = this.model;
    const last = this.looks.get(vcpu);
    if (fields !== last?.seen) {
      const values = new Map(fields.map((field) => [field.encoding, field.value]));
      const other = [...values].filter(([key, value]) => last && last.values.get(key) !== value);
      this.looks.set(vcpu, { seen: fields, values, changed: new Set(other.map(([key]) => key)) });
    }
    this.changed = this.looks.get(vcpu)!.changed;
  }

  override key({ name }: PaneKey): boolean {
    if (this.move(name)) return true;
    const row = this.rows[this.cursor];
    if (!row || !('field' in row)) return false;
    if (name === 'o' && bitsOf(row.field).length) {
      const { encoding } = row.field;
      if (!this.opened.delete(encoding)) this.opened.add(encoding);
      else this.cursor = this.rows.findIndex((r) => 'field' in r && r.field.encoding === encoding);
      return true;
    }
    if (name === 'enter' && row.bit) {
      this.ui.command(`vmcs ${row.field.name} ${isSet(row.field, row.bit.bit) ? '-' : '+'}${row.bit.name}`);
      return true;
    }
    if (name === 'enter') {
      this.ui.prompt(`vmcs ${row.field.name} 0x${hex(row.field.value)}`);
      return true;
    }
    return false;
  }

  override click(row: number): void {
    this.cursor = this.top + row;
  }

  override copy(): string | undefined {
    const row = this.rows[this.cursor];
    return row && 'field' in row ? `${row.field.name}=0x${hex(row.field.value)}` : undefined;
  }
}

function isSet(field: VmcsFieldValue, bit: number): boolean {
  return ((field.value >> BigInt(bit)) & 1n) === 1n;
}
