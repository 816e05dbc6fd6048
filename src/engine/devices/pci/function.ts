/**
 * The base of every PCI function: configuration space, base address registers, capabilities and the INTx pin.
 * @pci 6 "Configuration Space"
 */

import type { StateFormat } from '../../state/saved.js';
import { bytes, flag, oneOf, record, type Schema } from '../../state/schema.js';
import type { Device } from '../device.js';
import { hex } from '../device-state.js';

export const COMMAND = 0x04;
export const STATUS = 0x06;
const HEADER_TYPE = 0x0e;
const FIRST_BAR = 0x10;
const BARS = 6;
/** The expansion ROM's base address register, and what QEMU calls it among the others. */
const ROM_REGISTER = 0x30;
const ROM_BAR = 6;
const ROM_ENABLE = 0x1;
/** The register has no bits below. */
const LEAST_ROM_BYTES = 2048;
const MOST_ROM_BYTES = 16 << 20;
const CAPABILITIES = 0x34;
export const INTERRUPT_LINE = 0x3c;
const INTERRUPT_PIN = 0x3d;
const FIRST_CAPABILITY = 0x40;

export const COMMAND_IO = 0x001;
export const COMMAND_MEMORY = 0x002;
export const COMMAND_MASTER = 0x004;
const COMMAND_INTX_DISABLE = 0x400;
const STATUS_INTERRUPT = 0x08;
const STATUS_CAPABILITIES = 0x10;

const BAR_IO = 0x1;
const BAR_64 = 0x4;
const BAR_PREFETCHABLE = 0x8;

/** Device and function number on bus 0. */
export interface PciPlace {
  device: number;
  function: number;
}

export interface PciIdentity {
  vendor: number;
  device: number;
  /** Class, subclass and interface: 0x060000 is a host bridge. */
  classCode: number;
  revision?: number;
  subsystemVendor?: number;
  subsystem?: number;
  /** Further functions exist at this device number. */
  multifunction?: boolean;
  /** INTx pin, 1 is INTA. Absent: the function does not interrupt by INTx. */
  pin?: 1 | 2 | 3 | 4;
}

/** What answers behind a base address register. `offset` counts from its start; `bytes` is 1, 2 or 4. */
export interface BarRegion {
  read(offset: number, bytes: number): number;
  /** What a read would answer, without its effects; absent: nobody can tell without them. */
  peek?(offset: number, bytes: number): number;
  write(offset: number, bytes: number, value: number): void;
}

export type BarKind = 'io' | 'memory' | 'memory64';

export interface Bar extends BarRegion {
  index: number;
  kind: BarKind;
  /** A power of two. */
  bytes: number;
}

/** What a function needs of the bus that it sits on. */
export interface PciHost {
  /** Level of the function's INTx pin. */
  setIntx(from: PciFunction, pin: number, high: boolean): void;
  /** A memory write of a message-signalled interrupt. */
  message(address: number, data: number): void;
  /** Base addresses or the decode bits changed. */
  remap(): void;
}

/** What a function saves: what every one has, and what its device has. */
export interface PciState<D> {
  config: Uint8Array;
  intx: boolean;
  /** Size of the expansion ROM's window; 0: there is none. */
  romBytes: number;
  device: D;
}

const CONFIG_BYTES = 256;
const ROM_WINDOW = oneOf(0, ...powersOfTwo(LEAST_ROM_BYTES, MOST_ROM_BYTES));
const NOTHING: StateFormat<object> = { kind: 'pci-function', version: 1, shape: record({}) };

/**
 * A function on bus 0. A device derives from it, declares BARs and capabilities in its constructor and overrides
 * `resetDevice`, `deviceFormat`, `saveDevice`, `loadDevice` and, where its own configuration registers act, `configWritten`.
 */
export abstract class PciFunction<D extends object = object> implements Device<PciState<D>> {
  /** Interrupt line of a function whose pin is not routed by the PIRQs; undefined where it is. */
  readonly wiredIrq: number | undefined = undefined;
  readonly config = new Uint8Array(CONFIG_BYTES);
  /** Which bits of each configuration byte the guest may change. */
  protected readonly writable = new Uint8Array(CONFIG_BYTES);
  readonly bars: Bar[] = [];
  private rom = new Uint8Array(0);
  private romBytes = 0;
  private powerOn = new Uint8Array(0);
  private host: PciHost | undefined;
  private nextCapability = FIRST_CAPABILITY;
  private lastLink = CAPABILITIES;
  private intx = false;

  constructor(
    readonly name: string,
    readonly place: PciPlace,
    identity: PciIdentity,
  ) {
    this.put(0x00, 2, identity.vendor);
    this.put(0x02, 2, identity.device);
    this.put(0x08, 4, ((identity.classCode << 8) | (identity.revision ?? 0)) >>> 0);
    this.config[HEADER_TYPE] = identity.multifunction ? 0x80 : 0;
    // QEMU's subsystem identity, by which some guests know that they run in a virtual machine.
    this.put(0x2c, 2, identity.subsystemVendor ?? 0x1af4);
    this.put(0x2e, 2, identity.subsystem ?? 0x1100);
    this.config[INTERRUPT_PIN] = identity.pin ?? 0;
    this.writable[COMMAND] = COMMAND_MASTER;
    // SERR; and INTx disable where there is a pin.
    this.writable[COMMAND + 1] = identity.pin ? 0x05 : 0x01;
    this.writable[INTERRUPT_LINE] = 0xff;
  }

  // --- what a device declares and uses -----------------------------------------------------------------------

  /** Stores a little-endian value in configuration space, past the write mask. */
  protected put(register: number, bytes: number, value: number): void {
    for (let i = 0; i < bytes; i++) this.config[register + i] = (value >>> (8 * i)) & 0xff;
  }

  protected get(register: number, bytes: number): number {
    let value = 0;
    for (let i = 0; i < bytes; i++) value |= this.config[register + i] << (8 * i);
    return value >>> 0;
  }

  /** Lets the guest change these bits. */
  protected open(register: number, bytes: number, mask = 0xffffffff): void {
    for (let i = 0; i < bytes; i++) this.writable[register + i] = (mask >>> (8 * i)) & 0xff;
  }

  /** Declares a base address register; `bytes` is a power of two. A 64-bit one takes two registers. */
  protected bar(index: number, kind: BarKind, bytes: number, region: BarRegion, prefetchable = false): void {
    const least = kind === 'io' ? 4 : 16;
    if (bytes < least || (bytes & (bytes - 1)) !== 0) throw new RangeError(`${this.name}: a BAR of ${bytes} bytes`);
    if (index + (kind === 'memory64' ? 2 : 1) > BARS) throw new RangeError(`${this.name}: no BAR ${index}`);
    const register = FIRST_BAR + 4 * index;
    const type = kind === 'io' ? BAR_IO : kind === 'memory64' ? BAR_64 : 0;
    this.put(register, 4, type | (prefetchable ? BAR_PREFETCHABLE : 0));
    this.open(register, 4, -bytes >>> 0);
    if (kind === 'memory64') this.open(register + 4, 4);
    this.writable[COMMAND] |= kind === 'io' ? COMMAND_IO : COMMAND_MEMORY;
    const peek = region.peek?.bind(region);
    const read = region.read.bind(region);
    const write = region.write.bind(region);
    this.bars.push({ index, kind, bytes, read, write, ...(peek ? { peek } : {}) });
  }

  /**
   * Puts an expansion ROM on the card, before it is plugged in.
   * @pci 6.2.5.2 "Expansion ROM Base Address Register"
   */
  putRom(image: Uint8Array): void {
    if (image.length > MOST_ROM_BYTES) throw new RangeError(`${this.name}: a ROM of ${image.length} bytes`);
    this.rom = image.slice();
    this.setRomWindow(2 ** Math.ceil(Math.log2(Math.max(image.length, LEAST_ROM_BYTES))));
  }

  /** A machine that was saved where the ROM was another one, or none, keeps the window that its guest has found. */
  private setRomWindow(bytes: number): void {
    this.romBytes = bytes;
    const at = this.bars.findIndex(({ index }) => index === ROM_BAR);
    if (at >= 0) this.bars.splice(at, 1);
    this.open(ROM_REGISTER, 4, bytes === 0 ? 0 : (-bytes | ROM_ENABLE) >>> 0);
    if (bytes === 0) return;
    this.writable[COMMAND] |= COMMAND_MEMORY;
    const read = (offset: number, width: number): number => {
      let value = 0;
      for (let i = 0; i < width; i++) value |= (this.rom[offset + i] ?? 0xff) << (8 * i);
      return value >>> 0;
    };
    this.bars.push({ index: ROM_BAR, kind: 'memory', bytes, read, peek: read, write: () => {} });
  }

  /**
   * Adds a capability: `body` follows the id and the link. @returns its place in configuration space.
   * @pci 6.7 "Capabilities List"
   */
  protected capability(id: number, body: readonly number[]): number {
    const at = this.nextCapability;
    const end = (at + 2 + body.length + 3) & ~3;
    if (end > 256) throw new RangeError(`${this.name}: no room for capability ${hex(id)}`);
    this.config[at] = id;
    this.config[this.lastLink] = at;
    this.config.set(body, at + 2);
    this.config[STATUS] |= STATUS_CAPABILITIES;
    this.lastLink = at + 1;
    this.nextCapability = end;
    return at;
  }

  /** Level of the INTx pin; what the pin does is the bus's business. */
  setIntx(high: boolean): void {
    this.intx = high;
    this.config[STATUS] = (this.config[STATUS] & ~STATUS_INTERRUPT) | (high ? STATUS_INTERRUPT : 0);
    this.driveIntx();
  }

  private driveIntx(): void {
    const pin = this.config[INTERRUPT_PIN];
    if (pin !== 0) this.host?.setIntx(this, pin, this.intx && (this.command & COMMAND_INTX_DISABLE) === 0);
  }

  /** Sends a message-signalled interrupt, which is a bus master's write. */
  protected message(address: number, data: number): void {
    if (this.isBusMaster) this.host?.message(address, data);
  }

  get command(): number {
    return this.config[COMMAND] | (this.config[COMMAND + 1] << 8);
  }

  /** The guest allows the function to read and write memory. */
  get isBusMaster(): boolean {
    return (this.command & COMMAND_MASTER) !== 0;
  }

  /** A configuration write went through; `register` and `bytes` tell where. */
  protected configWritten(_register: number, _bytes: number): void {}
  protected resetDevice(): void {}
  protected get deviceFormat(): StateFormat<D> {
    return NOTHING as StateFormat<D>;
  }
  protected saveDevice(): D {
    return {} as D;
  }
  protected loadDevice(_state: D): void {}

  // --- what the bus uses -------------------------------------------------------------------------------------

  /** The function is plugged in: what its constructor declared is its power-on state. */
  attach(host: PciHost): void {
    this.host = host;
    this.powerOn = this.config.slice();
  }

  configRead(register: number, bytes: number): number {
    return this.get(register, bytes);
  }

  configWrite(register: number, bytes: number, value: number): void {
    for (let i = 0; i < bytes; i++) {
      const mask = this.writable[register + i];
      this.config[register + i] = (this.config[register + i] & ~mask) | ((value >>> (8 * i)) & mask);
    }
    const touches = (first: number, count: number) => register < first + count && register + bytes > first;
    if (touches(COMMAND, 2)) this.driveIntx();
    if (touches(COMMAND, 2) || touches(FIRST_BAR, 4 * BARS) || touches(ROM_REGISTER, 4)) this.host?.remap();
    this.configWritten(register, bytes);
  }

  /** Where a BAR is now; undefined while the function does not decode it or it lies at 0 or past the end. */
  barBase(bar: Bar): number | undefined {
    const io = bar.kind === 'io';
    if ((this.command & (io ? COMMAND_IO : COMMAND_MEMORY)) === 0) return undefined;
    const register = registerOf(bar);
    if (bar.index === ROM_BAR && (this.config[register] & ROM_ENABLE) === 0) return undefined;
    const low = (this.get(register, 4) & (io ? ~3 : ~15)) >>> 0;
    const base = bar.kind === 'memory64' ? low + this.get(register + 4, 4) * 2 ** 32 : low;
    const end = io ? 0x10000 : bar.kind === 'memory64' ? 2 ** 52 : 2 ** 32;
    return base === 0 || base + bar.bytes > end ? undefined : base;
  }

  /** Firmware places a BAR. */
  placeBar(bar: Bar, base: number): void {
    const register = registerOf(bar);
    this.configWrite(register, 4, base % 2 ** 32);
    if (bar.kind === 'memory64') this.configWrite(register + 4, 4, Math.floor(base / 2 ** 32));
  }

  // --- Device ------------------------------------------------------------------------------------------------

  reset(): void {
    this.config.set(this.powerOn);
    this.resetDevice();
    this.setIntx(false);
    this.host?.remap();
  }

  get format(): StateFormat<PciState<D>> {
    const { kind, version, shape } = this.deviceFormat;
    const whole = record({
      ...{ config: bytes(CONFIG_BYTES), intx: flag },
      romBytes: ROM_WINDOW,
      device: shape,
    });
    return { kind, version, shape: whole as unknown as Schema<PciState<D>> };
  }

  save(): PciState<D> {
    return { config: this.config, intx: this.intx, romBytes: this.romBytes, device: this.saveDevice() };
  }

  load({ config, intx, romBytes, device }: PciState<D>): void {
    this.config.set(config);
    if (romBytes !== this.romBytes) this.setRomWindow(romBytes);
    // The wire's level is part of the bus's state: nothing is driven here.
    this.intx = intx;
    this.loadDevice(device);
    this.host?.remap();
  }

  describe(): [string, string][] {
    const { device, function: fn } = this.place;
    const id = (at: number) => this.get(at, 2).toString(16).padStart(4, '0');
    const rows: [string, string][] = [
      ['place', `00:${device.toString(16).padStart(2, '0')}.${fn}`],
      ['identity', `${id(0)}:${id(2)}`],
      ['command', hex(this.command, 4)],
    ];
    for (const bar of this.bars) {
      const base = this.barBase(bar);
      const text = base === undefined ? 'not mapped' : `0x${base.toString(16)}`;
      rows.push([`BAR ${bar.index}`, `${bar.kind} ${text} +0x${bar.bytes.toString(16)}`]);
    }
    return rows;
  }
}

function registerOf({ index }: Bar): number {
  return index === ROM_BAR ? ROM_REGISTER : FIRST_BAR + 4 * index;
}

function powersOfTwo(least: number, most: number): number[] {
  return least > most ? [] : [least, ...powersOfTwo(2 * least, most)];
}
