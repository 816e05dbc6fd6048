/** GDT, IDT and TSS, a row an entry; SSE, AVX and x87 registers as numbers. */
import { readTable, type TableName, type TableRow } from '../../engine/debug/descriptor-tables.js';
import { describeFpu, LANES, lanesOf, x87Text } from '../../engine/debug/vector-registers.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { hex } from '../screen/text.js';
import type { SubjectHelp } from '../subject-help.js';
import { matches, Pane, type PaneKey, type PaneKeyHelp, type Ui } from './pane.js';
import { TextPane } from './text-pane.js';

const TITLES: Readonly<Record<TableName, string>> = {
  gdt: 'Global descriptor table',
  idt: 'Interrupt descriptor table',
  tss: 'Task-state segment',
};
const SECTIONS: Readonly<Record<TableName, string>> = {
  gdt: 'SDM 3A 3.4.5 "Segment Descriptors"',
  idt: 'SDM 3A 6.11 "IDT Descriptors"',
  tss: 'SDM 3A 7.7 "Task Management in 64-bit Mode"',
};

export class DescriptorPane extends Pane {
  override readonly keys = [
    ['Enter', 'enter', 'follow it: code, stack, table'],
    ['m', 'm', 'the entry itself in memory'],
    ['/', '/', 'filter'],
  ] as const;
  override readonly clickEnters = true;
  override readonly filterable = true;
  private rows: readonly TableRow[] = [];

  constructor(
    ui: Ui,
    readonly id: TableName,
  ) {
    super(ui);
  }

  override title(): Segment[] {
    const filter = this.filterText ? `  / ${this.filterText}` : '';
    return [[` ${TITLES[this.id]} `], [` Enter follows  m memory${filter} `, this.theme.dim]];
  }

  override get rowsWanted(): number {
    return this.rows.length;
  }

  override explain(): SubjectHelp | undefined {
    const row = this.rows[this.cursor];
    if (!row) return undefined;
    const label = row.target === undefined ? undefined : this.model.symbols.label(row.target);
    return {
      title: `${this.id.toUpperCase()} ${row.name}`,
      lines: [
        ['says', row.text],
        ['entry', `${hex(row.value, 16)} at ${hex(row.at)}`],
        ...(row.target === undefined ? [] : [['leads to', `${hex(row.target)} ${label ?? ''}`] as const]),
        [SECTIONS[this.id]],
      ],
    };
  }

  override draw(cells: CellPane, focused: boolean): void {
    const { debug, vcpu, symbols } = this.model;
    const source = this.model.ask(`${this.id} ${vcpu}`, () => readTable(debug, vcpu, this.id));
    if (!this.have(cells, source)) return;
    const { theme } = this;
    const label = ({ target, code }: TableRow) => (code && target !== undefined ? (symbols.label(target) ?? '') : '');
    this.rows = source.value.filter((row) => matches(this.filterText, `${row.name} ${row.text} ${label(row)}`));
    if (this.rows.length === 0) cells.put(1, 0, this.filterText ? 'no entry matches' : 'no entry', theme.dim);
    const width = Math.max(4, ...this.rows.map(({ name }) => name.length));
    this.list(
      cells,
      this.rows.length,
      focused,
      (index) => {
        const row = this.rows[index]!;
        return [
          [` ${row.name.padEnd(width)} `, theme.label],
          [row.text, /not present|^null/.test(row.text) ? theme.dim : theme.normal],
          [`  ${label(row)}`, theme.symbol],
        ];
      },
      (index) => this.rows[index]!.name,
    );
  }

  override key({ name }: PaneKey): boolean {
    if (this.move(name)) return true;
    const row = this.rows[this.cursor];
    if (!row) return false;
    if (name === 'm') this.ui.gotoMemory(row.at);
    else if (name === 'enter') {
      if (row.target === undefined) this.ui.gotoMemory(row.at);
      else if (row.code) this.ui.gotoCode(row.target);
      else this.ui.gotoMemory(row.target);
    } else return false;
    return true;
  }

  override click(row: number): void {
    this.cursor = this.top + row;
  }

  override copy(): string | undefined {
    const row = this.rows[this.cursor];
    return row && `${row.name} ${row.text}`;
  }
}

/** XMM and YMM by the lanes that are chosen. */
export class VectorsPane extends TextPane {
  readonly id = 'vectors';
  override readonly keys: readonly PaneKeyHelp[] = [
    ['o', 'o', 'as hexadecimal, floating-point or whole numbers'],
    ['/', '/', 'find'],
  ];
  private lanes: (typeof LANES)[number] = 'hex';

  override title(): Segment[] {
    return [[' SSE and AVX '], [` ${this.lanes}, highest first  o other `, this.theme.dim]];
  }

  protected override lines(cells: CellPane): Segment[][] | undefined {
    const source = this.model.registers();
    if (!this.have(cells, source)) return undefined;
    const registers = source.value;
    if (registers.xmm0 === undefined) return [[[' this target does not give them', this.theme.warn]]];
    const lines: Segment[][] = [];
    for (let n = 0; n < 16; n++) {
      const [low, high] = [registers[`xmm${n}`], registers[`ymm${n}h`]];
      if (low === undefined) continue;
      lines.push(this.row(`xmm${n}`, low, `xmm${n}`));
      if (high !== undefined && high !== 0n) lines.push(this.row(`ymm${n}`, high, `ymm${n}h`));
    }
    if (registers.mxcsr !== undefined)
      lines.push([
        [' mxcsr  ', this.theme.label],
        [hex(registers.mxcsr, 4), this.theme.number],
        [`  ${describeFpu('mxcsr', registers)}`],
      ]);
    return lines;
  }

  private row(shown: string, value: bigint, name: string): Segment[] {
    const changed = this.model.registerChange(name) === 2;
    return [
      [changed ? '*' : ' ', this.theme.changed],
      [shown.padEnd(7), changed ? this.theme.changed : this.theme.label],
      [lanesOf(value, this.lanes).join('  '), value === 0n ? this.theme.dim : this.theme.number],
    ];
  }

  override key(key: PaneKey): boolean {
    if (key.name !== 'o') return super.key(key);
    this.lanes = LANES[(LANES.indexOf(this.lanes) + 1) % LANES.length]!;
    return true;
  }
}

const X87 = ['fctrl', 'fstat', 'ftag', 'fop', 'fiseg', 'fioff', 'foseg', 'fooff'] as const;

export class X87Pane extends TextPane {
  readonly id = 'x87';
  override readonly keys: readonly PaneKeyHelp[] = [['/', '/', 'find']];

  override title(): Segment[] {
    return [[' x87 ']];
  }

  protected override lines(cells: CellPane): Segment[][] | undefined {
    const source = this.model.registers();
    if (!this.have(cells, source)) return undefined;
    const registers = source.value;
    if (registers.st0 === undefined) return [[[' this target does not give them', this.theme.warn]]];
    const { theme } = this;
    const lines = Array.from({ length: 8 }, (_, n): Segment[] => {
      const value = registers[`st${n}`] ?? 0n;
      const changed = this.model.registerChange(`st${n}`) === 2;
      return [
        [changed ? '*' : ' ', theme.changed],
        [`st${n}    `, changed ? theme.changed : theme.label],
        [hex(value >> 64n, 4), theme.number],
        [`:${hex(BigInt.asUintN(64, value), 16)}  `, theme.number],
        [x87Text(value)],
      ];
    });
    for (const name of X87) {
      if (registers[name] === undefined) continue;
      const said = describeFpu(name, registers);
      lines.push([
        [` ${name.padEnd(7)}`, theme.label],
        [hex(registers[name], 4), theme.number],
        [said ? `  ${said}` : ''],
      ]);
    }
    return lines;
  }
}
