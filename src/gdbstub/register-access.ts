/** Registers as the client numbers them, over the target's names. */

import { decodeLittleEndian, encodeHex, encodeLittleEndian, putLittleEndian } from '../rsp/hex.js';
import { EFER } from '../spec/masks.js';
import { buildLayout, type RegisterLayout, type RegisterSlot, slotBytes } from './register-layout.js';
import type { ClientFeatures } from './session.js';
import type { StubSettings } from './settings.js';
import type { Architecture, ExtraRegister, Target, ThreadRegisters } from './target.js';

/** Values of a register that moves which a client may put back. */
const TOLD_VALUES = 16;

/** Which of a client's processes the registers are shown to. */
export interface RegisterView {
  /** The one that it shows for good. */
  architecture?: Architecture;
  /** Whether views of other modes stand beside it: it need not follow the guest's mode then. */
  beside?: () => boolean;
}

export class RegisterAccess {
  /** By thread and name. */
  private readonly moving = new Map<string, bigint[]>();
  private current: RegisterLayout | undefined;
  /** The client has told that it holds symbols. */
  clientHasProgram = false;

  constructor(
    private readonly target: Target,
    private readonly settings: StubSettings,
    private readonly features: ClientFeatures,
    private readonly view: RegisterView = {},
  ) {}

  /** Whether GDB can be told that the guest's mode has changed. */
  private get followsModes(): boolean {
    return this.features.execEvents;
  }

  /** One for good, whatever the settings say. */
  private get fixed(): Architecture | undefined {
    const { architecture } = this.settings;
    if (this.view.architecture !== undefined) return this.view.architecture;
    return this.view.beside?.() && (architecture === undefined || architecture === 'auto') ? 'x86-64' : undefined;
  }

  /**
   * Registers that the client is not shown as such: GDB prints all that it knows of in `info registers`, whatever their
   * group, so those that have one are variables to it (see Tracepoints).
   */
  get hidden(): readonly ExtraRegister[] {
    // LLDB tells registers apart by group
    if (this.settings.registers === 'all' || this.features.threadsInStopReply) return [];
    return this.target.extraRegisters?.list.filter(({ group }) => group !== undefined) ?? [];
  }

  /** The layout that the client holds; chosen at its first use. */
  layout(thread = 0): RegisterLayout | Promise<RegisterLayout> {
    return this.current ?? this.target.readRegisters(thread).then((registers) => this.choose(registers));
  }

  /** How the architecture is chosen, for the user. */
  get setting(): string {
    const chosen = this.fixed ?? this.settings.architecture;
    if (chosen !== undefined) return chosen;
    return this.follows ? 'auto' : (this.current?.architecture ?? 'x86-64');
  }

  /**
   * Whether the view goes with the guest's mode. One that has no choice made keeps that of a 64-bit program which the
   * client holds: in another its pointers would not fit, and a change costs GDB its watchpoints.
   */
  get follows(): boolean {
    if (this.fixed !== undefined) return false;
    if (this.settings.architecture !== undefined) return this.settings.architecture === 'auto';
    const keeps = this.target.programBits === 64 && (this.clientHasProgram || this.current === undefined);
    return this.followsModes && !keeps;
  }

  /** The architecture that the settings want for a guest in this state. */
  async wanted(registers: ThreadRegisters): Promise<Architecture> {
    const architecture = this.fixed ?? this.settings.architecture;
    if (architecture === 'auto') return registers.architecture;
    if (architecture !== undefined) return architecture;
    if (this.follows) return (await this.inLongMode(registers)) ? 'x86-64' : registers.architecture;
    if (this.current !== undefined && !this.followsModes) return this.current.architecture;
    return this.target.programBits === 32 && registers.architecture === 'i386' ? 'i386' : 'x86-64';
  }

  /** Whether the client is to be given another layout than the one that it holds. */
  async outdated(thread: number): Promise<boolean> {
    if (this.current === undefined) return false;
    return this.current.architecture !== (await this.wanted(await this.target.readRegisters(thread, [])));
  }

  /** Any vCPU: the others are being started, or run a 16- or 32-bit piece of a 64-bit system. */
  private async inLongMode(registers: ThreadRegisters): Promise<boolean> {
    const active = ({ values }: ThreadRegisters): boolean => ((values.efer ?? 0n) & EFER.LMA) !== 0n;
    if (active(registers)) return true;
    for (let thread = 0; thread < this.target.threads; thread++) {
      if (active(await this.target.readRegisters(thread, ['efer']))) return true;
    }
    return false;
  }

  /** Switches to the wanted layout; the client must be told, or be about to ask. `registers` are all of them. */
  async choose(registers: ThreadRegisters): Promise<RegisterLayout> {
    const known = new Set(Object.keys(registers.values));
    const hidden = new Set(this.hidden);
    const shown = this.target.extraRegisters?.list.filter((register) => !hidden.has(register));
    this.current = buildLayout(await this.wanted(registers), known, shown, this.settings.linuxAbi);
    return this.current;
  }

  private linear(): boolean {
    const { linearPc } = this.settings;
    return linearPc === 'on' || (linearPc === 'auto' && !this.features.plugin);
  }

  /** What the client's register numbers are to the target, for the conditions of breakpoints. */
  async conditionNames(): Promise<string[]> {
    const { slots } = await this.layout();
    return slots.map(({ key }) => (key === 'rip' && this.linear() ? 'linear-pc' : key));
  }

  /** Linear address of the next instruction, whatever the client is shown. */
  linearPc(registers: ThreadRegisters): bigint {
    return BigInt.asUintN(64, (registers.values.rip ?? 0n) + registers.csBase);
  }

  /** What a linear address of code exceeds the program counter that the client is shown by. */
  shownOffset(registers: ThreadRegisters): bigint {
    return this.linear() ? 0n : registers.csBase;
  }

  /** Value of a standard slot; undefined when the target does not know it. */
  value(slot: RegisterSlot, registers: ThreadRegisters): bigint | undefined {
    if (slot.source === 'none') return -1n;
    if (slot.key === 'rip' && this.linear()) return this.linearPc(registers);
    return registers.values[slot.key];
  }

  /** Hex of a standard slot, `x` digits when the value is unknown. */
  hex(slot: RegisterSlot, registers: ThreadRegisters): string {
    const value = this.value(slot, registers);
    const bytes = slotBytes(slot);
    return value === undefined ? 'x'.repeat(bytes * 2) : encodeLittleEndian(value, bytes);
  }

  /** The `g` payload: the standard registers and no more. @param file those of a trace frame; null: it has none */
  async readAll(thread: number, file?: ThreadRegisters | null): Promise<string> {
    const registers = file ?? (await this.target.readRegisters(thread, this.current?.standardKeys));
    const layout = this.current ?? (await this.choose(registers));
    const view = new DataView(new ArrayBuffer(layout.standardBytes));
    const unknown: { at: number; bytes: number }[] = [];
    let at = 0;
    for (const slot of layout.standard) {
      const value = file === null ? undefined : this.value(slot, registers);
      const bytes = slotBytes(slot);
      if (value === undefined) unknown.push({ at, bytes });
      else putLittleEndian(view, at, value, bytes);
      at += bytes;
    }
    let hex = encodeHex(new Uint8Array(view.buffer));
    for (const { at, bytes } of unknown)
      hex = hex.slice(0, at * 2) + 'x'.repeat(bytes * 2) + hex.slice((at + bytes) * 2);
    return hex;
  }

  /** Undefined: no register of that number. @param file as readAll */
  async readOne(thread: number, number: number, file?: ThreadRegisters | null): Promise<string | undefined> {
    const slot = (await this.layout(thread)).slots[number];
    if (slot === undefined) return undefined;
    if (file === null) return 'x'.repeat(slotBytes(slot) * 2);
    if (file !== undefined) return this.hex(slot, file);
    if (slot.source === 'none') return 'f'.repeat(slotBytes(slot) * 2);
    if (slot.source === 'thread') return this.hex(slot, await this.target.readRegisters(thread, [slot.key]));
    const value = await this.target.extraRegisters?.read(thread, slot.key);
    if (value === undefined) return 'x'.repeat(slotBytes(slot) * 2);
    if (slot.moves) this.told(thread, slot).push(value);
    return encodeLittleEndian(value, slotBytes(slot));
  }

  /** The last values that the client has read of a register that moves. */
  private told(thread: number, { key }: RegisterSlot): bigint[] {
    const name = `${thread} ${key}`;
    const values = (this.moving.get(name) ?? []).slice(1 - TOLD_VALUES);
    this.moving.set(name, values);
    return values;
  }

  /** A value as it is, or an old one of a register that moves, which a client puts back after a call: nothing to do. */
  private async puttingBack(thread: number, slot: RegisterSlot, value: bigint): Promise<boolean> {
    if (slot.moves && this.told(thread, slot).includes(value)) return true;
    return (await this.target.extraRegisters?.read(thread, slot.key)) === value;
  }

  /** @throws Error when the number or the digits are wrong, or the target refuses the value. */
  async writeOne(thread: number, number: number, hex: string): Promise<void> {
    const slot = (await this.layout(thread)).slots[number];
    if (slot === undefined) throw new Error(`no register ${number}`);
    const value = hex.length === slotBytes(slot) * 2 ? decodeLittleEndian(hex) : undefined;
    if (value === undefined) throw new Error(`${slot.name} needs ${slotBytes(slot) * 2} hex digits`);
    if (slot.source === 'none') return;
    if (slot.source === 'extra') {
      if (!(await this.puttingBack(thread, slot, value)))
        await this.target.extraRegisters?.write(thread, slot.key, value);
    } else await this.writeSlot(thread, slot, value, await this.target.readRegisters(thread));
  }

  /**
   * The `G` payload. Only registers whose digits differ from what `g` answers are written, so bytes that
   * were just read change nothing; digits may stop at a register's end.
   * @throws Error as writeOne.
   */
  async writeAll(thread: number, hex: string): Promise<void> {
    const layout = await this.layout(thread);
    const registers = await this.target.readRegisters(thread);
    const changes: { slot: RegisterSlot; value: bigint }[] = [];
    let at = 0;
    for (const slot of layout.standard) {
      if (at >= hex.length) break;
      const digits = hex.slice(at, at + slotBytes(slot) * 2);
      at += slotBytes(slot) * 2;
      if (digits.length < slotBytes(slot) * 2) throw new Error(`G ends inside ${slot.name}`);
      if (/^x+$/.test(digits)) continue;
      const value = decodeLittleEndian(digits);
      if (value === undefined) throw new Error(`${slot.name} is not hex`);
      const now = this.value(slot, registers);
      if (now !== undefined && BigInt.asUintN(slot.bits, now) !== value) changes.push({ slot, value });
    }
    if (at < hex.length) throw new Error('G is longer than the registers');
    for (const { slot, value } of changes) await this.writeSlot(thread, slot, value, registers);
  }

  private async writeSlot(thread: number, slot: RegisterSlot, value: bigint, now: ThreadRegisters): Promise<void> {
    let stored = value;
    if (slot.key === 'rip' && this.linear()) {
      // A 16 or 32-bit IP wraps at 32 bits; in 64-bit mode the base is 0.
      stored = BigInt.asUintN(now.architecture === 'x86-64' ? 64 : 32, value - now.csBase);
    }
    // a view of fewer bits that puts back what it was shown leaves the others alone
    const before = this.value(slot, now);
    if (before !== undefined && slot.bits < 64 && BigInt.asUintN(slot.bits, before) === value) return;
    await this.target.writeRegister(thread, slot.key, stored);
  }

  /** `NN:hex;` of frame pointer, stack pointer and program counter, in number order. */
  expedited(layout: RegisterLayout, registers: ThreadRegisters): string {
    let out = '';
    for (const number of layout.expedited) {
      out += `${number.toString(16).padStart(2, '0')}:${this.hex(layout.slots[number], registers)};`;
    }
    return out;
  }

  /** Program counter as shown to the client, as plain hex for LLDB's thread lists. */
  shownPc(layout: RegisterLayout, registers: ThreadRegisters): string {
    return (this.value(layout.slots[layout.pc], registers) ?? 0n).toString(16);
  }
}
