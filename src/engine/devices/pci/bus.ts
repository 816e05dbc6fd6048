/**
 * PCI bus 0: configuration mechanism 1, the windows of base address registers, and INTx; and the reset control
 * register that lies among its ports.
 */
import { int, list, record, type StateOf, u8, u32 } from '../../state/schema.js';
import type { Bus } from '../bus.js';
import type { Device, PortDevice, PortRange } from '../device.js';
import { hex } from '../device-state.js';
import { LAST_SLOT, RESET_CONTROL } from '../platform.js';
import {
  type Bar,
  COMMAND,
  COMMAND_IO,
  COMMAND_MASTER,
  COMMAND_MEMORY,
  INTERRUPT_LINE,
  type PciFunction,
  type PciHost,
} from './function.js';

const ADDRESS = 0xcf8;
const DATA = 0xcfc;
const ENABLE = 0x80000000;
const RESET_CPU = 0x04;

/** Where firmware puts base address registers. */
const FIRMWARE_IO = 0xc000;
/** The video card is first: a page of registers, then 16 MiB. */
const FIRMWARE_MEMORY = 0xfcfff000;

/** The interrupt wires PIRQA to PIRQD end here. */
export interface PirqSink {
  setPirq(pirq: number, high: boolean): void;
  /** ISA interrupt that a PIRQ is routed to; undefined: none. */
  isaIrq(pirq: number): number | undefined;
}

export interface PciBusOptions {
  bus: Bus;
  pirq: PirqSink;
  resetRequest(): void;
  message(address: number, data: number): void;
}

/** The PIRQ wire of a pin: devices are wired in rotation, as on every PC board. */
export function pirqOf(device: number, pin: number): number {
  return (device + pin - 2) & 3;
}

const SLOTS = 256;
const STATE = record({
  address: u32,
  resetControl: u8,
  /** Slots with a high pin, by PIRQ. */
  asserting: list(list(int(0, SLOTS - 1), { atMost: SLOTS }), 4),
});
type PciBusState = StateOf<typeof STATE>;

const DEVICES = LAST_SLOT + 1;

/** A guest was given more cards than a bus has places: one line for who asked for them. */
export class PciBusFullError extends Error {
  constructor(places: number) {
    super(`the PCI bus has room for ${places} virtio disks and other cards; if=ide puts up to four disks elsewhere`);
    this.name = 'PciBusFullError';
  }
}

export class PciBus implements Device<PciBusState>, PortDevice, PciHost {
  readonly name = 'pci';
  /** Version 3: the network card's slot is before the disks'. */
  readonly format = { kind: 'pci-bus', version: 3, shape: STATE };
  readonly ports: readonly PortRange[] = [{ first: ADDRESS, count: 8 }];
  private readonly functions = new Map<number, PciFunction>();
  /** Slots with a high pin, by PIRQ. */
  private readonly asserting: Set<number>[] = [new Set(), new Set(), new Set(), new Set()];
  private address = 0;
  private resetControl = 0;
  private nextIo = FIRMWARE_IO;
  private nextMemory = FIRMWARE_MEMORY;

  constructor(private readonly options: PciBusOptions) {}

  /** @throws Error when the place is taken. */
  add(pciFunction: PciFunction): void {
    const slot = slotOf(pciFunction);
    const taken = this.functions.get(slot);
    const { device, function: fn } = pciFunction.place;
    if (taken) throw new Error(`PCI ${device}.${fn}: ${taken.name} is there already`);
    this.functions.set(slot, pciFunction);
    pciFunction.attach(this);
  }

  /** All functions, by their place. */
  get all(): PciFunction[] {
    return [...this.functions.entries()].sort(([a], [b]) => a - b).map(([, pciFunction]) => pciFunction);
  }

  /** First device number from `from` on that has no function. @throws PciBusFullError */
  freeDevice(from: number): number {
    for (let device = from; device < DEVICES; device++) {
      if (![...this.functions.values()].some((f) => f.place.device === device)) return device;
    }
    throw new PciBusFullError(DEVICES - from);
  }

  // --- what functions use ------------------------------------------------------------------------------------

  setIntx(from: PciFunction, pin: number, high: boolean): void {
    const pirq = pirqOf(from.place.device, pin);
    const sources = this.asserting[pirq];
    const slot = slotOf(from);
    if (sources.has(slot) === high) return;
    if (high) sources.add(slot);
    else sources.delete(slot);
    this.options.pirq.setPirq(pirq, sources.size > 0);
  }

  message(address: number, data: number): void {
    this.options.message(address, data);
  }

  remap(): void {
    const ports: { name: string; first: number; bar: Bar }[] = [];
    const memory: { name: string; gpa: number; bar: Bar }[] = [];
    for (const pciFunction of this.functions.values()) {
      for (const bar of pciFunction.bars) {
        const base = pciFunction.barBase(bar);
        if (base === undefined) continue;
        const name = `${pciFunction.name}-bar${bar.index}`;
        if (bar.kind === 'io') ports.push({ name, first: base, bar });
        else memory.push({ name, gpa: base, bar });
      }
    }
    this.options.bus.setMovablePorts(
      ports.map(({ name, first, bar }) => ({
        name,
        ports: [{ first, count: bar.bytes }],
        portRead: (port, bytes) => bar.read(port - first, bytes),
        portWrite: (port, bytes, value) => bar.write(port - first, bytes, value),
      })),
    );
    this.options.bus.setMovableMmio(
      memory.map(({ name, gpa, bar }) => ({
        name,
        mmio: { gpa, bytes: bar.bytes },
        mmioRead: (offset, bytes) => readWide((at, width) => bar.read(at, width), offset, bytes),
        ...(bar.peek
          ? { mmioPeek: (offset, bytes) => readWide((at, width) => bar.peek!(at, width), offset, bytes) }
          : {}),
        mmioWrite: (offset, bytes, value) => writeWide(bar, offset, bytes, value),
      })),
    );
  }

  /** What firmware does for a function: base addresses, decoding on, the interrupt line register. */
  configure(pciFunction: PciFunction): void {
    let command = 0;
    for (const bar of pciFunction.bars) {
      const io = bar.kind === 'io';
      const next = io ? this.nextIo : this.nextMemory;
      const base = Math.ceil(next / bar.bytes) * bar.bytes;
      if (io) this.nextIo = base + bar.bytes;
      else this.nextMemory = base + bar.bytes;
      pciFunction.placeBar(bar, base);
      command |= io ? COMMAND_IO : COMMAND_MEMORY;
    }
    if (command !== 0) pciFunction.configWrite(COMMAND, 2, pciFunction.command | command | COMMAND_MASTER);
    const pin = pciFunction.configRead(INTERRUPT_LINE + 1, 1);
    const routed = pin === 0 ? undefined : this.options.pirq.isaIrq(pirqOf(pciFunction.place.device, pin));
    const irq = pciFunction.wiredIrq ?? routed;
    if (irq !== undefined) pciFunction.configWrite(INTERRUPT_LINE, 1, irq);
  }

  /** Configures all functions anew, as after power-on. */
  configureAll(): void {
    this.nextIo = FIRMWARE_IO;
    this.nextMemory = FIRMWARE_MEMORY;
    for (const pciFunction of this.functions.values()) this.configure(pciFunction);
  }

  // --- ports -------------------------------------------------------------------------------------------------

  portRead(port: number, bytes: number): number {
    if (port === RESET_CONTROL && bytes === 1) return this.resetControl;
    // The address register exists for 32-bit accesses only.
    if (port < DATA) return port === ADDRESS && bytes === 4 ? this.address : 0xffffffff;
    return this.target()?.configRead(this.register(port), bytes) ?? 0xffffffff;
  }

  portWrite(port: number, bytes: number, value: number): void {
    if (port === RESET_CONTROL && bytes === 1) {
      this.resetControl = value & 0x02;
      if (value & RESET_CPU) this.options.resetRequest();
    } else if (port < DATA) {
      if (port === ADDRESS && bytes === 4) this.address = (value & 0x80fffffc) >>> 0;
    } else {
      this.target()?.configWrite(this.register(port), bytes, value);
    }
  }

  private register(port: number): number {
    return (this.address & 0xfc) | (port & 3);
  }

  private target(): PciFunction | undefined {
    const bus = (this.address >>> 16) & 0xff;
    if ((this.address & ENABLE) === 0 || bus !== 0) return undefined;
    return this.functions.get((this.address >>> 8) & 0xff);
  }

  // --- Device ------------------------------------------------------------------------------------------------

  reset(): void {
    this.address = 0;
    this.resetControl = 0;
  }

  /** The functions are devices of their own. */
  save(): PciBusState {
    const { address, resetControl } = this;
    return { address, resetControl, asserting: this.asserting.map((sources) => [...sources].sort((a, b) => a - b)) };
  }

  load({ address, resetControl, asserting }: PciBusState): void {
    for (const [pirq, slots] of asserting.entries()) this.asserting[pirq] = new Set(slots);
    this.address = address;
    this.resetControl = resetControl;
  }

  describe(): [string, string][] {
    const rows: [string, string][] = [...this.functions.values()].map((f) => {
      const id = (at: number) => f.configRead(at, 2).toString(16).padStart(4, '0');
      return [`00:${f.place.device.toString(16).padStart(2, '0')}.${f.place.function}`, `${id(0)}:${id(2)} ${f.name}`];
    });
    const high = this.asserting.flatMap((sources, pirq) => (sources.size > 0 ? [`PIRQ${'ABCD'[pirq]}`] : []));
    return [...rows, ['address', hex(this.address, 8)], ['asserted', high.join(' ') || '-']];
  }
}

function slotOf({ place }: PciFunction): number {
  return (place.device << 3) | place.function;
}

/** Device registers are at most 32 bits wide: longer accesses are two. */
function readWide(read: (offset: number, bytes: number) => number, offset: number, bytes: number): bigint {
  if (bytes <= 4 && bytes !== 3) return BigInt(read(offset, bytes) >>> 0);
  const low = bytes > 4 ? 4 : 2;
  return readWide(read, offset, low) | (readWide(read, offset + low, bytes - low) << BigInt(8 * low));
}

function writeWide(bar: Bar, offset: number, bytes: number, value: bigint): void {
  if (bytes <= 4 && bytes !== 3) {
    bar.write(offset, bytes, Number(value));
    return;
  }
  const low = bytes > 4 ? 4 : 2;
  writeWide(bar, offset, low, BigInt.asUintN(8 * low, value));
  writeWide(bar, offset + low, bytes - low, value >> BigInt(8 * low));
}
