/** Memory in hexadecimal and as text, by linear, guest-physical or host-physical address. */

import { NothingThere } from '../../commands/command.js';
import { linearStack } from '../../engine/debug/guest-mode.js';
import type { AddressSpace } from '../../engine/debugger.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { hex } from '../screen/text.js';
import { onBackground } from '../screen/theme.js';
import { Pane, type PaneKey } from './pane.js';

const SPACES: AddressSpace[] = ['gva', 'gpa', 'hpa'];
const U64 = (1n << 64n) - 1n;
const FIND_BYTES = 16n << 20n;
const FIND_BLOCK = 0x10000;

export class MemoryPane extends Pane {
  readonly id = 'memory';
  space: AddressSpace = 'gva';
  private fixed: bigint | undefined;
  private width = 16;
  private rows = 4;
  private before: { key: string; bytes: Uint8Array } | undefined;
  /** Byte under the cursor while bytes are typed over, and its first digit once that is typed. */
  private edit: { at: bigint; digit: string } | undefined;
  private now: { key: string; bytes: Uint8Array; halts: number } | undefined;

  /** The stack until an address is chosen. */
  get address(): bigint {
    if (this.fixed !== undefined) return this.fixed;
    const registers = this.model.registers().value;
    return registers ? linearStack(registers) : 0n;
  }

  /** Whether it shows a place that was chosen, not just the stack. */
  get chosen(): boolean {
    return this.fixed !== undefined;
  }

  goto(address: bigint, space: AddressSpace = 'gva'): void {
    this.fixed = address;
    this.space = space;
  }

  override get modal(): boolean {
    return this.edit !== undefined;
  }

  override title(): Segment[] {
    if (this.edit)
      return [
        [' Memory '],
        [` ${this.space} ${hex(this.edit.at)}: type hex digits, arrows move, Esc ends `, this.theme.crit],
      ];
    const label = this.space === 'gva' ? this.model.symbols.label(this.address) : undefined;
    const what = this.fixed === undefined ? ' [rsp]' : label ? ` ${label}` : '';
    const segments: Segment[] = [[' Memory '], [` ${this.space}${what} `, this.theme.dim]];
    if (this.space === 'gva') {
      const walk = this.model.walk(this.address).value;
      if (walk)
        segments.push([`→ gpa ${walk.output === undefined ? 'not mapped' : hex(walk.output)} `, this.theme.dim]);
      if (walk?.output !== undefined && this.model.debug.ept) {
        const ept = this.model.eptWalk(walk.output).value;
        if (ept) segments.push([`→ hpa ${ept.output === undefined ? 'not mapped' : hex(ept.output)} `, this.theme.dim]);
      }
    }
    return segments;
  }

  override draw(cells: CellPane, focused: boolean): void {
    const { theme } = this;
    const digits = this.address >> 32n ? 16 : 8;
    // Margin, address, two groups of 8 bytes at 3 cells each with a gap before, gap, 16 characters.
    this.width = cells.width >= digits + 69 ? 16 : 8;
    this.rows = cells.height;
    const start = this.address;
    const view = this.model.memory(this.space, start, this.width * cells.height);
    this.remember(`${this.space} ${start}`, view.bytes);
    for (let y = 0; y < cells.height; y++) {
      const offset = y * this.width;
      let x = cells.put(1, y, hex((start + BigInt(offset)) & U64, digits), theme.dim) + 1;
      if (offset >= view.bytes.length) {
        const text = view.pending && !view.error ? '…' : `${'?? '.repeat(this.width)} ${view.error ?? 'not mapped'}`;
        cells.put(x + 1, y, text, theme.dim);
        continue;
      }
      const text: string[] = [];
      for (let n = 0; n < this.width; n++) {
        if (n % 8 === 0) x++;
        const byte = view.bytes[offset + n];
        const old = this.before?.key === `${this.space} ${start}` ? this.before.bytes[offset + n] : undefined;
        const changed = byte !== undefined && old !== undefined && old !== byte;
        x = cells.put(
          x,
          y,
          byte === undefined ? '??' : hex(byte, 2),
          changed ? theme.changed : byte ? theme.normal : theme.dim,
        );
        x = cells.put(x, y, ' ');
        text.push(byte === undefined ? ' ' : byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '·');
      }
      cells.put(x + 1, y, text.join(''), theme.number);
    }
    if (this.edit) this.drawEdit(cells, digits, start);
    else if (focused) cells.shade(0, 0, 1 + digits, (attr) => onBackground(attr, theme.sel));
  }

  private drawEdit(cells: CellPane, digits: number, start: bigint): void {
    const { at, digit } = this.edit!;
    const offset = Number(at - start);
    const column = offset % this.width;
    const x = 3 + digits + 3 * column + (column >> 3);
    const y = Math.floor(offset / this.width);
    if (digit) cells.put(x, y, digit, this.theme.changed);
    cells.shade(x, y, 2, (attr) => onBackground(attr, this.theme.sel));
  }

  /** Keeps the bytes of the last stop at the same place, to mark what changed. */
  private remember(key: string, bytes: Uint8Array): void {
    const { halts } = this.model;
    if (this.model.state.running || bytes.length === 0) return;
    if (this.now?.key === key && this.now.halts === halts) {
      this.now.bytes = bytes;
      return;
    }
    this.before = this.now?.key === key ? this.now : undefined;
    this.now = { key, bytes, halts };
  }

  override key({ name }: PaneKey): boolean {
    if (this.edit) {
      this.editKey(name, this.edit);
      return true;
    }
    const step = this.steps()[name];
    if (step !== undefined) this.fixed = (this.address + step) & U64;
    else if (name === 'home') this.fixed = undefined;
    else if (name === 't') this.space = SPACES[(SPACES.indexOf(this.space) + 1) % 3]!;
    else if (name === 'enter') {
      this.fixed = this.address;
      this.edit = { at: this.address, digit: '' };
    } else return false;
    return true;
  }

  private steps(): Record<string, bigint> {
    const row = BigInt(this.width);
    const page = row * BigInt(Math.max(1, this.rows - 1));
    return { up: -row, k: -row, down: row, j: row, pageup: -page, pagedown: page, left: -1n, right: 1n };
  }

  private editKey(name: string, edit: { at: bigint; digit: string }): void {
    const step = name === 'j' || name === 'k' ? undefined : this.steps()[name];
    if (name === 'escape' || name === 'enter') this.edit = undefined;
    else if (name === 'backspace') edit.digit = '';
    else if (step !== undefined) this.moveEdit(edit, step);
    else if (/^[0-9a-fA-F]$/.test(name)) {
      if (!edit.digit) {
        edit.digit = name;
        return;
      }
      this.ui.command(`write ${this.space} 0x${hex(edit.at)} ${edit.digit}${name}`);
      this.moveEdit(edit, 1n);
    }
  }

  /** Moves the byte cursor, and the rows with it where it leaves them. */
  private moveEdit(edit: { at: bigint; digit: string }, step: bigint): void {
    edit.at = (edit.at + step) & U64;
    edit.digit = '';
    const row = BigInt(this.width);
    let start = this.address;
    while (edit.at < start) start -= row;
    while (edit.at >= start + row * BigInt(Math.max(1, this.rows))) start += row;
    this.fixed = start & U64;
  }

  /** Bytes such as `48 89 e5`, or text, in the 16 MiB behind the start of the view. */
  override async find(text: string): Promise<string> {
    const wanted = await this.ui.memoryPattern(text);
    const first = this.address + 1n;
    const { space } = this;
    for (let at = first; at - first < FIND_BYTES && at <= U64; ) {
      const bytes = await this.model.debug.readMemory(space, at, FIND_BLOCK, this.model.vcpu);
      for (const index of wanted.find(Buffer.from(bytes), at)) {
        this.ui.gotoMemory(at + BigInt(index), space);
        return `found at ${space} ${hex(at + BigInt(index))}`;
      }
      // A block that is short ends at memory that is not mapped: on with the next page.
      const whole = bytes.length === FIND_BLOCK;
      at = whole ? at + BigInt(FIND_BLOCK - wanted.bytes + 1) : ((at + BigInt(bytes.length)) | 0xfffn) + 1n;
    }
    throw new NothingThere(`not in the ${FIND_BYTES >> 20n} MiB after ${space} ${hex(this.address)}`);
  }

  override copy(): string | undefined {
    const { bytes } = this.model.memory(this.space, this.address, this.width);
    return `${hex(this.address)}: ${Array.from(bytes, (byte) => hex(byte, 2)).join(' ')}`;
  }
}
