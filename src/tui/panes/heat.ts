/** Guest-physical memory as a map: how often pieces of it are written, and where exits fall. */
import { counted } from '../../engine/counted.js';
import type { EptRange, MemoryHeatCells } from '../../engine/debugger.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { grouped, hex, size } from '../screen/text.js';
import { onBackground } from '../screen/theme.js';
import type { SubjectHelp } from '../subject-help.js';
import { permissions } from './ept.js';
import { Pane, type PaneKey } from './pane.js';

const PAGE = 4096n;
/** Address and a space before the cells of a row, and the lines below them. */
const MARGIN = 11;
const FOOT = 2;
const SHADES = ' ░▒▓█';
const MAX_CELLS = 20_000;
const FOUR_GIB = 1n << 32n;

interface Range {
  readonly first: bigint;
  readonly bytes: bigint;
}

export class HeatPane extends Pane {
  readonly id = 'heat';
  override readonly keys = [
    ['Enter', 'enter', 'memory and walk of the piece'],
    ['o', 'o', 'only this row, larger'],
    ['O', 'O', 'all memory'],
    ['r', 'r', 'start counting writes again'],
  ] as const;
  override readonly clickEnters = true;
  /** The map as it was drawn. */
  private map: { range: Range; piece: bigint; columns: number; rows: number } | undefined;
  private range: Range | undefined;
  private heat: MemoryHeatCells | undefined;
  /** Counts up where writes are counted anew. */
  private round = 0;

  override title(): Segment[] {
    const looks = this.heat === undefined ? '…' : counted(grouped(this.heat.looks), 'sample');
    const piece = this.map ? ` ${size(this.map.piece)} a cell, ${looks} ` : ' ';
    return [[' Memory by writes and exits '], [`${piece} o closer  O all  r again `, this.theme.dim]];
  }

  override explain(): SubjectHelp | undefined {
    const at = this.address;
    if (at === undefined || !this.map) return undefined;
    return {
      title: `guest-physical ${hex(at)}`,
      lines: [
        ['piece', `${size(this.map.piece)} from there on`],
        [
          'written',
          `${counted(this.heat?.writes[this.cursor] ?? 0, 'page')} in ${counted(this.heat?.looks ?? 0, 'sample')}`,
        ],
        ['exits', `${this.heat?.exits[this.cursor] ?? 0} in the trace: EPT violations and misconfigurations`],
        ['mapped', this.mappedText(at)],
        ['SDM 3C 29.3.2 "EPT Translation Mechanism"'],
      ],
    };
  }

  /** Where the piece under the cursor begins. */
  get address(): bigint | undefined {
    return this.map && this.map.range.first + BigInt(this.cursor) * this.map.piece;
  }

  override get cursorAt(): unknown {
    return this.address;
  }

  override draw(cells: CellPane, focused: boolean): void {
    const columns = columnsOf(cells.width - MARGIN);
    const rows = Math.max(1, cells.height - FOOT);
    const ranges = this.model.eptRanges();
    if (!this.have(cells, ranges)) return;
    const range = this.range ?? wholeOf(ranges.value);
    const most = BigInt(Math.min(MAX_CELLS, columns * rows));
    let piece = PAGE;
    while (piece * most < range.bytes) piece *= 2n;
    const count = Number((range.bytes + piece - 1n) / piece);
    const source = this.model.analysis.heat(range.first, BigInt(count) * piece, count, this.round);
    if (source.error !== undefined && source.value === undefined) {
      this.reason(cells, source.error);
      return;
    }
    const stays = this.address;
    this.map = { range, piece, columns, rows: Math.ceil(count / columns) };
    if (stays !== undefined) this.moveTo(stays, count);
    this.heat = source.value ?? this.heat;
    this.cursor = Math.max(0, Math.min(count - 1, this.cursor));
    const row = Math.floor(this.cursor / columns);
    this.top = Math.max(row - rows + 1, Math.min(this.top, row));
    for (let y = 0; y < rows && this.top + y < this.map.rows; y++) this.drawRow(cells, y, count, focused, ranges.value);
    this.drawFoot(cells, rows, source.value);
  }

  private moveTo(address: bigint, count: number): void {
    const { range, piece } = this.map!;
    if (address >= range.first) this.cursor = Math.min(count - 1, Number((address - range.first) / piece));
  }

  private drawRow(cells: CellPane, y: number, count: number, focused: boolean, ranges: readonly EptRange[]): void {
    const { theme, heat } = this;
    const { range, piece, columns } = this.map!;
    const from = (this.top + y) * columns;
    cells.put(1, y, hex(range.first + BigInt(from) * piece, 9), theme.number);
    const hottest = Math.max(1, ...(heat?.writes ?? []));
    for (let x = 0; x < columns && from + x < count; x++) {
      const at = from + x;
      const exits = heat?.exits[at] ?? 0;
      const shade = shadeOf(heat?.writes[at] ?? 0, hottest);
      const mapped = rangeAt(ranges, range.first + BigInt(at) * piece);
      const character = exits > 0 ? '!' : shade > 0 ? SHADES[shade]! : mapped ? '·' : ' ';
      cells.put(
        MARGIN + x,
        y,
        character,
        exits > 0 ? theme.crit : shade > 2 ? theme.warn : shade > 0 ? theme.ok : theme.dim,
      );
      if (at === this.cursor)
        cells.shade(MARGIN + x, y, 1, (attr) => onBackground(attr, focused ? theme.sel : theme.pc));
    }
  }

  private drawFoot(cells: CellPane, y: number, heat: MemoryHeatCells | undefined): void {
    const at = this.address;
    if (at === undefined) return;
    const { theme } = this;
    const [written, exits] = [heat?.writes[this.cursor] ?? 0, heat?.exits[this.cursor] ?? 0];
    cells.line(y, [
      [` ${hex(at, 9)} `, theme.number],
      [this.mappedText(at), theme.label],
    ]);
    const told =
      heat?.unknown === undefined ? `${counted(grouped(written), 'page')} written` : `writes: ${heat.unknown}`;
    cells.line(y + 1, [
      [` ${told}, `, heat?.unknown === undefined ? theme.normal : theme.warn],
      [counted(grouped(exits), 'exit'), exits ? theme.crit : theme.normal],
      [`   ░▒▓█ written  ! exits  · mapped`, theme.dim],
    ]);
  }

  private mappedText(at: bigint): string {
    const range = rangeAt(this.model.eptRanges().value ?? [], at);
    if (range)
      return `${range.label || 'RAM'}, EPT ${permissions(range)} ${range.memoryType}, ${size(BigInt(range.pageBytes))} pages`;
    return 'the EPT maps nothing here: an access exits';
  }

  override key({ name }: PaneKey): boolean {
    const { map } = this;
    if (!map) return false;
    const steps: Record<string, number> = {
      ...{ left: -1, right: 1, up: -map.columns, k: -map.columns, down: map.columns, j: map.columns },
      ...{ pageup: -map.columns * 10, pagedown: map.columns * 10, home: -Infinity, end: Infinity },
    };
    const step = steps[name];
    const last = Number((map.range.bytes + map.piece - 1n) / map.piece) - 1;
    if (step !== undefined) this.cursor = Math.max(0, Math.min(last, this.cursor + step));
    else if (name === 'enter') this.ui.gotoMemory(this.address!, 'gpa');
    else if (name === 'o') this.closer(map);
    else if (name === 'O') this.range = undefined;
    else if (name === 'r') this.round++;
    else return false;
    return true;
  }

  private closer({ range, piece, columns }: NonNullable<HeatPane['map']>): void {
    if (piece === PAGE) throw new Error('a cell is a page already');
    const row = BigInt(Math.floor(this.cursor / columns) * columns);
    const first = range.first + row * piece;
    const bytes = BigInt(columns) * piece;
    const end = range.first + range.bytes;
    this.range = { first, bytes: first + bytes > end ? end - first : bytes };
  }

  override click(row: number, column: number): void {
    if (!this.map || column < MARGIN) return;
    const at = (this.top + row) * this.map.columns + column - MARGIN;
    if (column - MARGIN < this.map.columns) this.cursor = at;
  }

  override copy(): string | undefined {
    return this.address === undefined ? undefined : `0x${hex(this.address)}`;
  }
}

/** A power of two, so that rows begin at round addresses. */
function columnsOf(width: number): number {
  let columns = 8;
  while (columns * 2 <= width) columns *= 2;
  return columns;
}

/** All RAM below 4 GiB, and above it where there is some: devices and ROM at the end of the 4 GiB stand in the list of EPT ranges. */
function wholeOf(ranges: readonly EptRange[]): Range {
  const ram = ranges.filter(
    ({ gpa, write, bytes }) => write && (gpa < 0xc000_0000n || gpa >= FOUR_GIB) && bytes >= PAGE,
  );
  const [end = 0x10_0000n] = ram.map(({ gpa, bytes }) => gpa + bytes).sort((a, b) => (a > b ? -1 : 1));
  return { first: 0n, bytes: end };
}

const rangeAt = (ranges: readonly EptRange[], gpa: bigint): EptRange | undefined =>
  ranges.find((range) => gpa >= range.gpa && gpa < range.gpa + range.bytes);

/** 0 for none, 1 to 4 by the logarithm. */
const shadeOf = (value: number, most: number): number =>
  value === 0 ? 0 : Math.max(1, Math.ceil((4 * Math.log1p(value)) / Math.log1p(most)));
