/** Who called whom, or the words of the stack with what they point at. */
import { formatPlace, type SymbolTable } from '../../disasm/index.js';
import { linearStack, stackBits } from '../../engine/debug/guest-mode.js';
import { type Frame, littleEndian } from '../../engine/debug/unwind.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { hex, rate } from '../screen/text.js';
import { telescope } from '../telescope.js';
import { matches, Pane, type PaneKey } from './pane.js';

interface Word {
  address: bigint;
  value: bigint;
  note: string;
}

const WORDS = 256;
/** A value this far above the stack pointer is called a place on the stack. */
const STACK_REACH = 0x10000n;

export class StackPane extends Pane {
  readonly id = 'stack';
  override readonly keys = [
    ['Enter', 'enter', 'go to the code of the frame, or the word'],
    ['v', 'v', 'frames or words'],
  ] as const;
  override readonly clickEnters = true;
  override readonly filterable = true;
  private words = false;
  private frames: Frame[] = [];
  private rows: Word[] = [];

  override title(): Segment[] {
    if (this.model.state.running)
      return [[' Exits a second '], [' the stack is shown while the guest is stopped ', this.theme.dim]];
    const filter = this.filterText ? `  / ${this.filterText}` : '';
    const what = this.words ? 'words  v frames' : 'frames  v words';
    return [[' Stack '], [` ${what}  Enter goes there${filter} `, this.theme.dim]];
  }

  override draw(cells: CellPane, focused: boolean): void {
    const { model, theme } = this;
    if (model.state.running) {
      this.drawRates(cells);
      return;
    }
    const source = model.frames();
    if (!this.have(cells, source)) return;
    if (this.words) {
      this.rows = this.readWords(source.value).filter((row) =>
        matches(this.filterText, `${hex(row.value)} ${row.note}`),
      );
      this.list(cells, this.rows.length, focused, (index) => this.wordRow(this.rows[index]!));
      return;
    }
    this.frames = source.value.filter((frame) => matches(this.filterText, `${hex(frame.pc)} ${this.name(frame)}`));
    this.list(cells, this.frames.length, focused, (index) => {
      const frame = this.frames[index]!;
      const name = this.name(frame);
      const how =
        frame.slot === undefined
          ? ''
          : `  @${hex(frame.slot)}${frame.found === 'ret' || frame.found === 'table' ? '' : ` ${frame.found}`}`;
      return [
        [` ${source.value.indexOf(frame)}`.padEnd(4), theme.dim],
        [hex(frame.pc, frame.pc >> 32n ? 16 : 8), theme.number],
        [name && ` ${name}`, theme.symbol],
        [how, frame.found === 'scan' ? theme.warn : theme.dim],
      ];
    });
  }

  /** A running guest has no stack that stands still: the room shows what it exits for. */
  private drawRates(cells: CellPane): void {
    const { theme } = this;
    const rates = this.model.exitRates().slice(0, cells.height);
    if (rates.length === 0) cells.put(1, 0, '…', theme.dim);
    for (const [y, { name, perSecond }] of rates.entries()) {
      cells.line(y, [
        [` ${name.padEnd(20)}`, theme.mnemonic],
        [`${rate(perSecond)}/s`.padStart(9), theme.number],
      ]);
    }
  }

  private name(frame: Frame): string {
    return nameOf(this.model.symbols, frame);
  }

  private readWords(frames: readonly Frame[]): Word[] {
    const { model } = this;
    const registers = model.registers().value;
    if (!registers) return [];
    const top = linearStack(registers);
    const bytes = model.bits() === 64 ? 8 : stackBits(registers) / 8;
    const { bytes: data } = model.memory('gva', top, WORDS * bytes);
    const rows: Word[] = [];
    for (let at = 0; at + bytes <= data.length; at += bytes) {
      const address = top + BigInt(at);
      const value = littleEndian(data.subarray(at, at + bytes));
      rows.push({ address, value, note: this.note(address, value, top, frames) });
    }
    return rows;
  }

  private note(address: bigint, value: bigint, top: bigint, frames: readonly Frame[]): string {
    const index = frames.findIndex((frame) => frame.slot === address);
    if (index > 0) return `return to ${this.name(frames[index]!) || 'caller'} (frame ${index})`;
    const label = value > 0xffn ? this.model.symbols.label(value) : undefined;
    if (label) return `→ ${label}`;
    const inStack = value >= top && value < top + STACK_REACH ? `→ stack +${hex(value - top)}` : '';
    return [inStack, telescope(this.model, value)].filter(Boolean).join(' ');
  }

  private wordRow(row: Word): Segment[] {
    const { theme } = this;
    const digits = this.model.bits() === 64 ? 16 : 8;
    return [
      [` ${hex(row.address, row.address >> 32n ? 16 : 8)} `, theme.dim],
      [hex(row.value, digits), row.value ? theme.number : theme.dim],
      [` ${row.note}`, row.note.startsWith('return') ? theme.warn : theme.symbol],
    ];
  }

  override key({ name }: PaneKey): boolean {
    if (this.move(name)) return true;
    if (name === 'v') {
      this.words = !this.words;
      this.cursor = this.top = 0;
      return true;
    }
    if (name !== 'enter') return false;
    const frame = this.frames[this.cursor];
    const row = this.rows[this.cursor];
    if (!this.words && frame) this.ui.gotoCode(frame.pc);
    else if (this.words && row) this.ui.gotoMemory(row.address);
    return true;
  }

  override click(row: number): void {
    this.cursor = this.top + row;
  }

  override copy(): string | undefined {
    if (!this.words)
      return this.frames.map((frame, n) => `#${n} ${hex(frame.pc)} ${this.name(frame)} (${frame.found})`).join('\n');
    return this.rows.map((row) => `${hex(row.address)} ${hex(row.value)} ${row.note}`.trimEnd()).join('\n');
  }
}

/** A return address may lie behind its function's end, after a call that never returns: it belongs to the call. */
function nameOf(symbols: SymbolTable, frame: Frame): string {
  if (frame.slot === undefined || frame.found === 'iret') return symbols.label(frame.pc) ?? '';
  const match = symbols.lookup(frame.pc - 1n);
  return match ? formatPlace(match.symbol.name, match.offset + 1n) : '';
}
