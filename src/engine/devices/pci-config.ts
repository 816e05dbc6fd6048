/**
 * PCI configuration mechanism 1 with the chipset of QEMU's pc machine: 440FX host bridge, PIIX3 ISA bridge and
 * PIIX4 power management; and the reset control register that lies among its ports.
 */
import type { Device, DeviceState, PortDevice, PortRange } from './device.js';
import { expectState, hex } from './device-state.js';
import { PM_BASE, RESET_CONTROL, SCI_IRQ } from './platform.js';

const ADDRESS = 0xcf8;
const DATA = 0xcfc;
const ENABLE = 0x80000000;
const RESET_CPU = 0x04;

/** A function on bus 0. Registers are bytes of its 256-byte configuration space. */
export interface PciFunction {
  readonly device: number;
  readonly function: number;
  readonly name: string;
  read(register: number): number;
  write(register: number, value: number): void;
  reset(): void;
  save(): Uint8Array;
  load(config: Uint8Array): void;
}

/** A function that is only configuration space: first contents and which bits the guest may change. */
export class PciStaticFunction implements PciFunction {
  private config: Uint8Array;

  constructor(
    readonly name: string,
    readonly device: number,
    readonly fn: number,
    private readonly first: Uint8Array,
    private readonly writable: Uint8Array,
  ) {
    this.config = first.slice();
  }

  get function(): number {
    return this.fn;
  }

  read(register: number): number {
    return this.config[register];
  }

  write(register: number, value: number): void {
    const mask = this.writable[register];
    this.config[register] = (this.config[register] & ~mask) | (value & mask);
  }

  reset(): void {
    this.config = this.first.slice();
  }

  save(): Uint8Array {
    return this.config.slice();
  }

  load(config: Uint8Array): void {
    this.config = config.slice();
  }
}

interface Identity {
  vendor: number;
  device: number;
  /** Class, subclass and interface: 0x060000 is a host bridge. */
  classCode: number;
  revision: number;
  multifunction?: boolean;
}

/** Header type 0 with an identity; the registers in `extra` come on top, `open` ones take all writes. */
function chip(
  name: string,
  place: [device: number, fn: number],
  id: Identity,
  extra: [register: number, value: number][],
  open: [first: number, last: number][],
): PciStaticFunction {
  const config = new Uint8Array(256);
  const view = new DataView(config.buffer);
  view.setUint16(0, id.vendor, true);
  view.setUint16(2, id.device, true);
  view.setUint16(6, 0x0200, true);
  view.setUint32(8, (id.classCode << 8) | id.revision, true);
  config[14] = id.multifunction ? 0x80 : 0;
  // QEMU's subsystem identity, by which some guests know that they run under it.
  view.setUint16(44, 0x1af4, true);
  view.setUint16(46, 0x1100, true);
  for (const [register, value] of extra) config[register] = value;
  const writable = new Uint8Array(256);
  // Command register: I/O, memory, bus master, SERR; and the interrupt line, a scratch byte of the firmware.
  writable[4] = 0x07;
  writable[5] = 0x01;
  writable[60] = 0xff;
  for (const [from, to] of open) writable.fill(0xff, from, to + 1);
  return new PciStaticFunction(name, place[0], place[1], config, writable);
}

/** The chipset of the pc machine. */
export function chipset(): PciFunction[] {
  const intel = 0x8086;
  const host = chip(
    '440FX host bridge',
    [0, 0],
    { vendor: intel, device: 0x1237, classCode: 0x060000, revision: 2 },
    [
      [4, 0x06],
      // PAM: the firmware area is RAM, readable and writable.
      ...Array.from({ length: 7 }, (_, i): [number, number] => [0x59 + i, i === 0 ? 0x30 : 0x33]),
    ],
    [[0x50, 0x9f]],
  );
  const isa = chip(
    'PIIX3 ISA bridge',
    [1, 0],
    { vendor: intel, device: 0x7000, classCode: 0x060100, revision: 0, multifunction: true },
    [
      [4, 0x07],
      // PIRQ routing: 80h is not routed.
      ...Array.from({ length: 4 }, (_, i): [number, number] => [0x60 + i, 0x80]),
    ],
    [[0x4c, 0xef]],
  );
  const pm = chip(
    'PIIX4 power management',
    [1, 3],
    { vendor: intel, device: 0x7113, classCode: 0x068000, revision: 3 },
    [
      // Base address of the PM block (bit 0: I/O) and its enable bit; interrupt line and pin for the SCI.
      [0x40, (PM_BASE & 0xff) | 1],
      [0x41, PM_BASE >> 8],
      [0x80, 0x01],
      [0x3c, SCI_IRQ],
      [0x3d, 0x01],
    ],
    [],
  );
  return [host, isa, pm];
}

export class PciConfig implements Device, PortDevice {
  readonly name = 'pci';
  readonly ports: readonly PortRange[] = [{ first: ADDRESS, count: 8 }];
  private readonly functions = new Map<number, PciFunction>();
  private address = 0;
  private resetControl = 0;

  constructor(
    functions: readonly PciFunction[],
    private readonly resetRequest: () => void,
  ) {
    for (const pciFunction of functions) this.add(pciFunction);
  }

  /** @throws Error when the place is taken. */
  add(pciFunction: PciFunction): void {
    const slot = (pciFunction.device << 3) | pciFunction.function;
    const taken = this.functions.get(slot);
    if (taken) throw new Error(`PCI ${pciFunction.device}.${pciFunction.function}: ${taken.name} is there already`);
    this.functions.set(slot, pciFunction);
  }

  reset(): void {
    this.address = 0;
    this.resetControl = 0;
    for (const pciFunction of this.functions.values()) pciFunction.reset();
  }

  portRead(port: number, bytes: number): number {
    if (port === RESET_CONTROL && bytes === 1) return this.resetControl;
    // The address register exists for 32-bit accesses only.
    if (port < DATA) return port === ADDRESS && bytes === 4 ? this.address : 0xffffffff;
    const target = this.target();
    let value = 0;
    for (let i = 0; i < bytes; i++) {
      const byte = target === undefined ? 0xff : target.read(this.register(port) + i);
      value |= byte << (8 * i);
    }
    return value >>> 0;
  }

  portWrite(port: number, bytes: number, value: number): void {
    if (port === RESET_CONTROL && bytes === 1) {
      this.resetControl = value & 0x02;
      if (value & RESET_CPU) this.resetRequest();
      return;
    }
    if (port < DATA) {
      if (port === ADDRESS && bytes === 4) this.address = (value & 0x80fffffc) >>> 0;
      return;
    }
    const target = this.target();
    for (let i = 0; i < bytes; i++) target?.write(this.register(port) + i, (value >>> (8 * i)) & 0xff);
  }

  private register(port: number): number {
    return (this.address & 0xfc) | (port & 3);
  }

  private target(): PciFunction | undefined {
    const bus = (this.address >>> 16) & 0xff;
    if ((this.address & ENABLE) === 0 || bus !== 0) return undefined;
    return this.functions.get((this.address >>> 8) & 0xff);
  }

  save(): DeviceState {
    const functions = [...this.functions].map(([slot, pciFunction]) => [slot, pciFunction.save()] as const);
    return { version: 1, address: this.address, resetControl: this.resetControl, functions };
  }

  load(state: DeviceState): void {
    const saved = expectState<{ address: number; resetControl: number; functions: [number, Uint8Array][] }>(
      this.name,
      1,
      state,
    );
    this.address = saved.address;
    this.resetControl = saved.resetControl;
    for (const [slot, config] of saved.functions) {
      const pciFunction = this.functions.get(slot);
      if (pciFunction === undefined)
        throw new Error(`pci: state has a function at slot ${hex(slot)}, this machine none`);
      pciFunction.load(config);
    }
  }

  describe(): [string, string][] {
    return [...this.functions.values()].map((f) => {
      const id = (at: number) => (f.read(at) | (f.read(at + 1) << 8)).toString(16).padStart(4, '0');
      return [`0:${f.device}.${f.function}`, `${id(0)}:${id(2)} ${f.name}`];
    });
  }
}
