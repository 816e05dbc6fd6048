/** Code around an address: symbols, the current line, breakpoints, and what exits. */

import { NothingThere } from '../../commands/command.js';
import {
  BACKWARD_BYTES_PER_INSTRUCTION,
  type CodeBits,
  type Disassembler,
  disassembleBackward,
  formatBytes,
  formatInstruction,
  formatPlace,
  type Instruction,
  isData,
} from '../../disasm/index.js';
import { exitedAt, exitRip } from '../../engine/debug/exit-place.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { hex } from '../screen/text.js';
import { onBackground } from '../screen/theme.js';
import { exitHelp, type SubjectHelp } from '../subject-help.js';
import { willExit } from '../will-exit.js';
import { matches, Pane, type PaneKey, type Ui } from './pane.js';

/** Lines kept above the current one when the view has to move. */
const LEAD = 3;
/** Less room than this shows nothing of a source line. */
const NOTE_ROOM = 16;
const MAX_FIND_BYTES = 0x10000n;

export class DisassemblyPane extends Pane {
  readonly id = 'disassembly';
  override readonly keys = [
    ['Enter', 'enter', 'follow the target of a jump, call or address'],
    ['b', 'b', 'breakpoint here, on or off'],
    ['u', 'u', 'run to here'],
    ['Home', 'home', 'back to the line that runs next'],
    ['/', '/', 'find an instruction'],
  ] as const;
  /** Linear address of the cursor's line; follows the program counter until it is moved. */
  selected: bigint | undefined;
  private first: bigint | undefined;
  private code: { bits: CodeBits; base: bigint } | undefined;
  private lastPc: bigint | undefined;
  private shown: Instruction[] = [];
  private rows = 10;

  constructor(
    ui: Ui,
    private readonly disassembler: Disassembler,
  ) {
    super(ui);
  }

  override explain(): SubjectHelp | undefined {
    const line = this.shown.find(({ address }) => address === this.address);
    if (!line) return undefined;
    const exit = this.ui.exit();
    const mark = this.mark(line, line.address === this.model.pc(), 60)?.[0];
    if (mark?.startsWith('! exit') && exit) return exitHelp(exit);
    return {
      title: line.text,
      lines: [
        ['at', `${hex(line.address)} ${this.model.symbols.label(line.address) ?? ''}`.trim()],
        ['bytes', formatBytes(line.bytes, 15)],
        ['exits', mark?.replace(/^[!?] /, '') ?? 'no control that is set makes it exit'],
        ['SDM 2 "Instruction Set Reference", 3C 25 "VMX Non-Root Operation"'],
      ],
    };
  }

  override title(): Segment[] {
    const { theme, ui } = this;
    const syntax = ui.syntax === 'intel' ? 'Intel' : 'AT&T';
    return [[' Disassembly '], [` ${syntax} ${this.bits()}-bit `, theme.dim]];
  }

  /** Address that commands such as "breakpoint here" mean. */
  get address(): bigint | undefined {
    return this.selected ?? this.model.pc();
  }

  /** @param code how the code there was read when it ran, where that may be another way than now */
  goto(address: bigint, code?: { bits: CodeBits; base: bigint }): void {
    this.selected = address;
    this.first = undefined;
    this.code = code;
  }

  private bits(): CodeBits {
    return this.model.forcedBits ?? this.code?.bits ?? this.model.bits();
  }

  private segmentBase(): bigint {
    return this.code?.base ?? this.model.segmentBase();
  }

  /** Back to the program counter. */
  follow(): void {
    this.selected = undefined;
    this.code = undefined;
    this.first = undefined;
  }

  override draw(cells: CellPane, focused: boolean): void {
    this.rows = cells.height;
    const registers = this.model.registers();
    if (!this.have(cells, registers)) return;
    const pc = this.model.pc()!;
    if (pc !== this.lastPc) {
      this.lastPc = pc;
      this.selected = undefined;
      this.code = undefined;
      if (!this.visible(pc)) this.first = undefined;
    }
    const target = this.selected ?? pc;
    // While the bytes above are on their way the choice of the first line stays open.
    let first = this.first ?? this.above(target, Math.min(LEAD, cells.height >> 2));
    if (first === undefined) first = target;
    else this.first = first;
    let list = this.read(first, cells.height);
    if (!list.some((line) => line.address === target)) {
      // The stream from `first` missed the target: the code there changed, or a boundary was guessed wrong.
      if (list.length > 0) this.first = target;
      list = this.read(target, cells.height);
    }
    this.shown = list;
    if (list.length === 0) {
      const view = this.model.memory('gva', target, 1);
      this.reason(cells, view.pending && !view.error ? undefined : `${hex(target)}: ${view.error ?? 'not mapped'}`);
      return;
    }
    const digits = list.some((line) => line.address >> 32n) ? 16 : 8;
    const notes = this.model.sourceNotes(list.map(({ address }) => address));
    for (const [y, line] of list.slice(0, cells.height).entries()) {
      const end = this.line(cells, y, line, pc, focused, digits);
      const note = notes.get(line.address);
      if (note !== undefined && cells.width - end > NOTE_ROOM) cells.put(end + 2, y, `; ${note}`, this.theme.dim);
    }
  }

  /** Answers the column behind the instruction; the pane's width when something stands at its end. */
  private line(cells: CellPane, y: number, line: Instruction, pc: bigint, focused: boolean, digits: number): number {
    const { model, theme } = this;
    const current = line.address === pc;
    const breakpoint = model.breakpoints().value?.find((b) => b.kind === 'execute' && b.gva === line.address);
    const wide = cells.width >= 58 + digits;
    const byteCount = cells.width >= 78 + digits ? 8 : 5;
    cells.put(0, y, breakpoint ? (breakpoint.enabled ? '●' : '○') : ' ', theme.bp);
    cells.put(1, y, current ? '►' : ' ', theme.warn);
    let x = cells.put(2, y, hex(line.address, digits), theme.dim) + 1;
    const match = model.symbols.lookup(line.address);
    const symbolWidth = wide ? 14 : 8;
    if (match) {
      const name = match.offset ? formatPlace('', match.offset) : `<${match.symbol.name}>`;
      cells.put(x, y, name, match.offset ? theme.dim : theme.symbol, x + symbolWidth - 1);
    }
    if (model.symbols.size) x += symbolWidth;
    if (wide) {
      cells.put(x, y, formatBytes(line.bytes, byteCount), theme.dim);
      x += 2 * byteCount + 2;
    }
    const text = formatInstruction(line, model.symbols);
    const mark = this.mark(line, current, cells.width - x - text.length - 1);
    const end = mark ? cells.width - mark[0].length - 1 : cells.width;
    const space = text.indexOf(' ');
    const mnemonic = space < 0 ? text : text.slice(0, space);
    x = cells.put(x, y, mnemonic, isData(line) ? theme.dim : theme.mnemonic, end);
    if (space >= 0) x = cells.put(x, y, text.slice(space), theme.normal, end);
    if (mark) cells.put(cells.width - mark[0].length, y, mark[0], mark[1]);
    if (current) cells.shade(2, y, cells.width - 2, (attr) => onBackground(attr, theme.pc));
    if (current && theme.depth !== 0) cells.shade(2, y, cells.width - 2, () => theme.pc);
    if (line.address === this.address && (focused || !current)) {
      cells.shade(0, y, current ? 2 : cells.width, (attr) => onBackground(attr, focused ? theme.sel : theme.header));
    }
    return mark ? cells.width : x;
  }

  /** `! exit 48` (its reason) where the current exit happened, `! will exit: HLT`, `? may exit: CR_ACCESS`. */
  private mark(line: Instruction, current: boolean, room: number): [string, number] | undefined {
    const { model, theme } = this;
    const exit = this.ui.exit();
    if (exit) {
      const rip = exitRip(exit, this.bits());
      if (exitedAt(exit, rip, this.shown, model.info?.engine === 'kvm') === line.address)
        return [`! exit ${exit.reason & 0xffff}`, theme.crit];
    }
    if (isData(line)) return undefined;
    const registers = model.registers().value;
    const mark = willExit(this.inIntelSyntax(line), {
      field: (encoding) => model.vmcsField(encoding),
      byte: (hpa) => model.memory('hpa', hpa, 1).bytes[0],
      registers: current ? registers : undefined,
      current: registers,
      // A running guest is elsewhere before the walks are here.
      ...(model.state.running
        ? {}
        : { walk: (gva: bigint) => model.walkPage(gva), eptWalk: (gpa: bigint) => model.eptWalkPage(gpa) }),
    });
    if (!mark) return undefined;
    const text = mark.certain ? '! will exit' : '? may exit';
    const full = `${text}: ${mark.reason}`;
    return [full.length <= room ? full : text, mark.certain ? theme.warn : theme.dim];
  }

  private inIntelSyntax(line: Instruction): Instruction {
    if (this.ui.syntax === 'intel') return line;
    const options = { bits: this.bits(), segmentBase: this.segmentBase(), count: 1 };
    return this.disassembler.disassemble(line.bytes, line.address, options)[0] ?? line;
  }

  private visible(address: bigint): boolean {
    const index = this.shown.findIndex((line) => line.address === address);
    return index >= 0 && index < this.rows - 1;
  }

  private read(address: bigint, count: number): Instruction[] {
    const view = this.model.memory('gva', address, count * BACKWARD_BYTES_PER_INSTRUCTION);
    return this.disassembler.disassemble(view.bytes, address, {
      bits: this.bits(),
      syntax: this.ui.syntax,
      segmentBase: this.segmentBase(),
      count,
    });
  }

  /** Address of the instruction `count` lines above; undefined while the bytes there are not here. */
  private above(address: bigint, count: number): bigint | undefined {
    if (count === 0) return address;
    const length = BigInt(Math.min(512, count * BACKWARD_BYTES_PER_INSTRUCTION + 32));
    const match = this.model.symbols.lookup(address);
    // Nothing above a function's first line is worth a guess while its end is unknown.
    let start = address > length ? address - length : 0n;
    if (match && match.symbol.address > start && match.offset > 0n) start = match.symbol.address;
    const view = this.model.memory('gva', start, Number(address - start));
    if (view.bytes.length < Number(address - start)) return view.pending ? undefined : address;
    const options = {
      bits: this.bits(),
      syntax: this.ui.syntax,
      segmentBase: this.segmentBase(),
    };
    const known = match && match.offset > 0n ? match.symbol.address : undefined;
    const back = disassembleBackward(this.disassembler, view.bytes, address, count, options, known);
    return back[0]?.address ?? address;
  }

  /** The next instruction whose text matches, in the 64 KiB behind the cursor. */
  override async find(text: string): Promise<string> {
    const start = this.address;
    if (start === undefined) throw new Error('no code here');
    let at = start;
    const options = { bits: this.bits(), syntax: this.ui.syntax, segmentBase: this.segmentBase() };
    while (at - start < MAX_FIND_BYTES) {
      const bytes = await this.model.debug.readMemory('gva', at, 4096, this.model.vcpu);
      const list = this.disassembler.disassemble(bytes, at, options);
      // The last instruction of a block may be cut; the next block begins with it.
      const whole = bytes.length < 4096 ? list : list.slice(0, -1);
      const hit = whole.find(
        (line) => line.address > start && matches(text, formatInstruction(line, this.model.symbols)),
      );
      if (hit) {
        this.goto(hit.address);
        return `found at ${hex(hit.address)}`;
      }
      const next = list.at(-1);
      if (!next || bytes.length < 4096) break;
      at = next.address;
    }
    throw new NothingThere(`"${text}" is not in the code after ${hex(start)}`);
  }

  override key({ name }: PaneKey): boolean {
    const index = this.shown.findIndex((line) => line.address === this.address);
    switch (name) {
      case 'up':
      case 'k':
        this.step(index, -1);
        return true;
      case 'down':
      case 'j':
        this.step(index, 1);
        return true;
      case 'pageup':
        this.scroll(-(this.rows - 1));
        return true;
      case 'pagedown':
        this.scroll(this.rows - 1);
        return true;
      case 'home':
        this.follow();
        return true;
      case 'enter': {
        const line = this.shown[index];
        if (line?.target !== undefined) this.ui.gotoCode(line.target);
        else if (line?.ripRelative !== undefined) this.ui.gotoMemory(line.ripRelative);
        return true;
      }
      default:
        return false;
    }
  }

  private step(index: number, delta: number): void {
    const next = this.shown[index + delta];
    if (index >= 0 && next && index + delta < this.rows) {
      this.selected = next.address;
      return;
    }
    this.scroll(delta);
    if (this.first === undefined) return;
    const list = this.read(this.first, this.rows);
    this.selected = (delta < 0 ? list[0] : list.at(-1))?.address ?? this.selected;
  }

  private scroll(lines: number): void {
    if (this.first === undefined || this.shown.length === 0) return;
    if (lines < 0) this.first = this.above(this.first, -lines) ?? this.first;
    else this.first = this.read(this.first, lines + 1).at(-1)?.address ?? this.first;
    const list = this.read(this.first, this.rows);
    this.shown = list;
    if (!list.some((line) => line.address === this.address))
      this.selected = (lines < 0 ? list.at(-1) : list[0])?.address;
  }

  override wheel(delta: number): void {
    this.scroll(delta);
  }

  override click(row: number, column: number): void {
    const line = this.shown[row];
    if (!line) return;
    this.selected = line.address;
    if (column < 2) this.ui.command(`break 0x${hex(line.address)}`);
  }

  override copy(): string | undefined {
    const line = this.shown.find((entry) => entry.address === this.address);
    return line && `${hex(line.address)} ${line.text}`;
  }
}
