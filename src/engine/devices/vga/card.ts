/**
 * QEMU's standard VGA as a card: PCI function 1234:1111 with its frame buffer and registers in memory, the window below
 * 1 MiB, and which of both the guest reaches without an exit.
 * @qemu docs/specs/standard-vga
 */
import type { Picture, VgaText } from '../../debugger.js';
import type { StateFormat } from '../../state/saved.js';
import type { Clock, GuestMemory, MmioDevice } from '../device.js';
import { PciFunction } from '../pci/function.js';
import { VIDEO_SLOT } from '../platform.js';
import { edid } from './edid.js';
import { picture, type Shown } from './picture.js';
import { PictureWatch } from './picture-watch.js';
import { isLinear, isText, legacyMap, peekByte, readByte, writeByte } from './planes.js';
import { isGraphics, type VgaRegisters } from './registers.js';
import { type TextCells, textScreen } from './text-screen.js';
import { VBE_STATE, Vbe, type VbeMode, type VbeState } from './vbe.js';
import {
  LEGACY_BASE,
  LEGACY_BYTES,
  planesIntoText,
  TEXT_BASE,
  TEXT_BYTES,
  textIntoPlanes,
  VIDEO_BYTES,
  type VideoMemory,
  type VideoWindow,
} from './video-memory.js';

const REGISTER_BYTES = 0x1000;
/** What the monitor says of itself, and zeros behind it; further on nothing answers. */
const EDID_BYTES = 384;
const VGA_PORTS = 0x400;
const VGA_PORTS_BYTES = 0x20;
const FIRST_VGA_PORT = 0x3c0;
const VBE_REGISTERS = 0x500;
const VBE_REGISTERS_BYTES = 0x16;
/** Bytes of the registers that say how large they are, and the order of bytes in a pixel: little-endian. */
const QEMU_REGISTERS = 0x600;
const QEMU_REGISTERS_BYTES = 8;
const LITTLE_ENDIAN = 0x1e1e1e1e;

const IO = 0x001;

export interface VgaCardOptions {
  registers: VgaRegisters;
  clock: Clock;
  /** Guest RAM, in which the text buffer lies. */
  memory: GuestMemory;
  video: VideoMemory;
  /** Where the linear frame buffer may be mapped: where there is neither RAM nor a device that never moves. */
  hole: { first: number; end: number };
  /** Glyphs of 16 lines, shown where the guest has loaded none: no video BIOS has run. */
  font?: Uint8Array | undefined;
}

const monitor = new Uint8Array(EDID_BYTES);
monitor.set(edid());

export class VgaCard extends PciFunction<VbeState> {
  readonly vbe: Vbe;
  /** The window below 1 MiB, as far as the guest does not reach memory there by itself. */
  readonly legacy: MmioDevice;
  #legacy: VideoWindow | undefined;
  #linear: VideoWindow | undefined;
  /** Characters and attributes are in the text buffer and not in the planes. */
  #text = false;

  constructor(private readonly options: VgaCardOptions) {
    super(
      'std-vga',
      { device: VIDEO_SLOT, function: 0 },
      { vendor: 0x1234, device: 0x1111, classCode: 0x030000, revision: 2 },
    );
    const { registers, video } = options;
    this.vbe = new Vbe({
      begins: (mode, clear) => this.begins(mode, clear),
      changed: () => this.follow(),
    });
    registers.mapChanged = () => this.follow();
    registers.wideDac = () => this.vbe.wideDac;
    // firmware gives places in this order: the large one follows the small one
    this.bar(2, 'memory', REGISTER_BYTES, {
      read: (offset, bytes) => this.readRegister(offset, bytes),
      peek: (offset, bytes) => (inVga(offset) ? 0xffffffff : this.readRegister(offset, bytes)),
      write: (offset, bytes, value) => this.writeRegister(offset, bytes, value),
    });
    const read = (offset: number, bytes: number): number => littleEndian(video.bytes, offset, bytes);
    this.bar(
      0,
      'memory',
      VIDEO_BYTES,
      {
        read,
        peek: read,
        write: (offset, bytes, value) => {
          video.changing(offset, bytes);
          for (let i = 0; i < bytes; i++) video.bytes[offset + i] = value >>> (8 * i);
        },
      },
      true,
    );
    this.writable[4] |= IO;
    this.legacy = {
      name: 'vga-lowmem',
      mmio: { gpa: LEGACY_BASE, bytes: LEGACY_BYTES },
      mmioRead: (offset, bytes) => wide(bytes, (i) => this.readLegacy(offset + i)),
      mmioPeek: (offset, bytes) => wide(bytes, (i) => this.peekLegacy(offset + i)),
      mmioWrite: (offset, bytes, value) => {
        for (let i = 0; i < bytes; i++) this.writeLegacy(offset + i, Number((value >> BigInt(8 * i)) & 0xffn));
      },
    };
    this.#text = isText(this.s);
    this.follow();
  }

  /** Where the guest reaches memory without an exit. */
  get windows(): VideoWindow[] {
    return [this.#legacy, this.#linear].filter((window) => window !== undefined);
  }

  private get s() {
    return this.options.registers.s;
  }

  private begins(mode: VbeMode, clear: boolean): void {
    const { registers, video } = this.options;
    registers.enterVbe(mode);
    if (!clear) return;
    this.follow();
    const bytes = mode.height * mode.pitch;
    video.changing(0, bytes);
    video.bytes.fill(0, 0, bytes);
  }

  // --- how the guest reaches video memory --------------------------------------------------------------------

  /** The registers say otherwise than before which memory the guest reaches by itself. */
  private follow(): void {
    const { memory, video } = this.options;
    const text = isText(this.s);
    if (text !== this.#text) {
      if (text) planesIntoText(memory, video);
      else textIntoPlanes(memory, video);
    }
    this.#text = text;
    this.#legacy = this.replace(this.#legacy, this.legacyWindow());
    this.#linear = this.replace(this.#linear, this.linearWindow());
  }

  private replace(before: VideoWindow | undefined, after: VideoWindow | undefined): VideoWindow | undefined {
    if (before?.gpa === after?.gpa && before?.bytes === after?.bytes && before?.from === after?.from) return before;
    const { video } = this.options;
    if (before) video.unmap?.(before);
    if (after) video.map?.(after);
    return after;
  }

  private legacyWindow(): VideoWindow | undefined {
    if (isText(this.s)) return { gpa: TEXT_BASE, bytes: TEXT_BYTES, from: 'text' };
    if (!isLinear(this.s)) return undefined;
    const { map, first, bytes } = legacyMap(this.s);
    return { gpa: LEGACY_BASE + first, bytes, from: map === 1 ? this.vbe.bank : 0 };
  }

  private linearWindow(): VideoWindow | undefined {
    const bar = this.bars.find(({ index }) => index === 0);
    const gpa = bar && this.barBase(bar);
    const { hole } = this.options;
    if (gpa === undefined || gpa < hole.first || gpa + VIDEO_BYTES > hole.end) return undefined;
    return { gpa, bytes: VIDEO_BYTES, from: 0 };
  }

  protected override configWritten(): void {
    this.follow();
  }

  private textByte(offset: number): number | undefined {
    const at = offset - (TEXT_BASE - LEGACY_BASE);
    return this.#text && at >= 0 && at < TEXT_BYTES ? TEXT_BASE + at : undefined;
  }

  private readLegacy(offset: number): number {
    const text = this.textByte(offset);
    if (text !== undefined) return this.options.memory.read(text, 1)[0];
    return readByte(this.s, this.options.video, offset, this.vbe.bank);
  }

  private peekLegacy(offset: number): number {
    const text = this.textByte(offset);
    if (text !== undefined) return this.options.memory.read(text, 1)[0];
    return peekByte(this.s, this.options.video, offset, this.vbe.bank);
  }

  private writeLegacy(offset: number, value: number): void {
    const text = this.textByte(offset);
    if (text !== undefined) this.options.memory.write(text, Uint8Array.of(value));
    else writeByte(this.s, this.options.video, offset, value, this.vbe.bank);
  }

  // --- registers in memory -----------------------------------------------------------------------------------

  private readRegister(offset: number, bytes: number): number {
    const { registers } = this.options;
    if (offset < EDID_BYTES) return littleEndian(monitor, offset, bytes);
    if (inVga(offset)) {
      let value = 0;
      for (let i = 0; i < Math.min(bytes, 2); i++)
        value |= registers.portRead(FIRST_VGA_PORT + offset - VGA_PORTS + i) << (8 * i);
      return value;
    }
    const vbe = offset - VBE_REGISTERS;
    if (vbe >= 0 && vbe < VBE_REGISTERS_BYTES) {
      const low = this.vbe.read(vbe >> 1);
      return bytes === 4 ? (low | (this.vbe.read((vbe >> 1) + 1) << 16)) >>> 0 : low >>> (8 * (vbe & 1));
    }
    if (offset === QEMU_REGISTERS) return QEMU_REGISTERS_BYTES;
    return offset === QEMU_REGISTERS + 4 ? LITTLE_ENDIAN : 0xffffffff;
  }

  private writeRegister(offset: number, bytes: number, value: number): void {
    const { registers } = this.options;
    if (inVga(offset)) {
      for (let i = 0; i < Math.min(bytes, 2); i++)
        registers.portWrite(FIRST_VGA_PORT + offset - VGA_PORTS + i, 1, (value >>> (8 * i)) & 0xff);
      return;
    }
    const vbe = offset - VBE_REGISTERS;
    if (vbe < 0 || vbe >= VBE_REGISTERS_BYTES || bytes === 1) return;
    this.vbe.write(vbe >> 1, value & 0xffff);
    if (bytes === 4) this.vbe.write((vbe >> 1) + 1, value >>> 16);
  }

  // --- what is shown -----------------------------------------------------------------------------------------

  private get cells(): TextCells {
    const { memory, video } = this.options;
    if (this.#text) return { bytes: memory.read(TEXT_BASE, TEXT_BYTES), step: 2 };
    return { bytes: video.bytes.subarray(0, 4 << 16), step: 4 };
  }

  /** The screen as characters, or undefined in a graphics mode. */
  screen(): VgaText | undefined {
    return this.vbe.isOn ? undefined : textScreen(this.s, () => this.cells);
  }

  /** The screen as pixels, made smaller to fit into `most` where that is given. */
  picture(most?: { width: number; height: number }): Picture {
    return picture(this.shown, most);
  }

  /** Somebody looks again and again. */
  watch(): PictureWatch {
    return new PictureWatch(() => this.shown);
  }

  private get shown(): Shown {
    const { video, font, clock } = this.options;
    const planes = this.#text && isGraphics(this.s) ? this.withText() : video.bytes;
    return {
      ...{ registers: this.s, mode: this.vbe.mode, wideDac: this.vbe.wideDac },
      ...{ planes, cells: () => this.cells, font, now: clock.now() },
    };
  }

  /** The planes, and over them the text buffer. */
  private withText(): Uint8Array {
    const { memory, video } = this.options;
    const planes = { bytes: video.bytes.slice(0, 4 << 16), changing: () => {} };
    textIntoPlanes(memory, planes);
    return planes.bytes;
  }

  // --- Device ------------------------------------------------------------------------------------------------

  protected override resetDevice(): void {
    this.vbe.reset();
    this.follow();
  }

  protected override get deviceFormat(): StateFormat<VbeState> {
    return { kind: 'std-vga', version: 1, shape: VBE_STATE };
  }

  protected override saveDevice(): VbeState {
    return this.vbe.s;
  }

  /** The registers are loaded already, and so is where the guest reaches memory by itself. */
  protected override loadDevice(state: VbeState): void {
    this.vbe.s = state;
    this.#text = isText(this.s);
    this.#legacy = this.legacyWindow();
    this.#linear = this.linearWindow();
    this.options.video.show?.(this.windows);
  }

  override describe(): [string, string][] {
    const { mode } = this.vbe;
    return [
      ...super.describe(),
      ['mode', this.picture({ width: 1, height: 1 }).mode],
      ['bank', String(this.vbe.bank >> 16)],
      ...(mode ? [['pitch', `${mode.pitch} bytes`] as [string, string]] : []),
    ];
  }
}

function inVga(offset: number): boolean {
  return offset >= VGA_PORTS && offset < VGA_PORTS + VGA_PORTS_BYTES;
}

function littleEndian(from: Uint8Array, offset: number, bytes: number): number {
  let value = 0;
  for (let i = 0; i < bytes; i++) value |= from[offset + i] << (8 * i);
  return value >>> 0;
}

function wide(bytes: number, byte: (i: number) => number): bigint {
  let value = 0n;
  for (let i = 0; i < bytes; i++) value |= BigInt(byte(i)) << BigInt(8 * i);
  return value;
}
