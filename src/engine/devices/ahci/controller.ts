/** The ICH9's SATA controller in AHCI mode, with six ports. @ahci Serial ATA Advanced Host Controller Interface 1.3.1 */
import type { StateFormat } from '../../state/saved.js';
import { record, type Schema, u32 } from '../../state/schema.js';
import type { Drive } from '../block.js';
import { hex } from '../device-state.js';
import { CdromDrive } from '../ide/cdrom.js';
import { AtaDisk } from '../ide/disk.js';
import { MediumBay, type MediumDrive } from '../medium-bay.js';
import { BusMaster } from '../pci/bus-master.js';
import { type CardSlot, narrowed } from '../pci/card.js';
import { PciFunction, type PciState } from '../pci/function.js';
import { CAPABILITY_MSI, Msi } from '../pci/msix.js';
import { AhciPort } from './port.js';
import type { PortState } from './port-state.js';
import { QueuedCommands } from './queued.js';
import * as R from './registers.js';

const INTEL = 0x8086;
const ICH9 = 0x2922;
const REGISTERS_BAR = 5;
const REGISTER_BYTES = 0x1000;

interface AhciState {
  control: number;
  status: number;
  /** `port0` to `port5`. */
  ports: Readonly<Record<string, PortState>>;
}

export class AhciController extends PciFunction<AhciState> {
  private readonly bus: BusMaster;
  private readonly ports: AhciPort[];
  private readonly msi: Msi;
  private control = R.GHC_AHCI;
  private status = 0;

  /** At most as many drives as there are ports. */
  constructor({ place, memory, clock }: CardSlot, drives: readonly Drive[]) {
    const identity = { vendor: INTEL, device: ICH9, classCode: 0x010601, revision: 2, pin: 1 as const };
    super('sata0', place, identity);
    this.bus = new BusMaster(memory);
    this.ports = Array.from(
      { length: R.PORTS },
      (_, n) =>
        new AhciPort({
          name: `sata0 port ${n}`,
          ...{ clock, bus: this.bus },
          interruptChanged: () => this.interruptChanged(),
          mayMaster: () => this.isBusMaster,
        }),
    );
    for (const [n, { kind, name, serial, store }] of drives.entries()) {
      const port = this.ports[n];
      const common = { name, serial, cable: port, sata: true };
      if (kind === 'cdrom' || store === undefined)
        port.drive = new CdromDrive({ ...common, bay: new MediumBay(drives[n]) });
      else {
        port.drive = new AtaDisk({ ...common, store });
        port.queued = new QueuedCommands(store);
      }
    }
    const at = this.capability(CAPABILITY_MSI, Msi.BODY);
    for (const [i, mask] of Msi.WRITABLE.entries()) this.open(at + i, 1, mask);
    this.msi = new Msi(this.config, at, (address, data) => this.message(address, data));
    const words = narrowed({
      read: (offset) => this.readRegister(offset),
      peek: (offset) => this.readRegister(offset),
      write: (offset, value) => this.writeRegister(offset, value),
    });
    this.bar(REGISTERS_BAR, 'memory', REGISTER_BYTES, words);
  }

  private portAt(offset: number): AhciPort | undefined {
    return offset < R.PORT_BASE ? undefined : this.ports[Math.floor((offset - R.PORT_BASE) / R.PORT_BYTES)];
  }

  private readRegister(offset: number): number {
    switch (offset) {
      case R.CAP:
        return R.CAPABILITIES >>> 0;
      case R.GHC:
        return this.control;
      case R.IS:
        return this.status;
      case R.PI:
        return 2 ** R.PORTS - 1;
      case R.VS:
        return R.VERSION;
      default:
        return this.portAt(offset)?.read(offset & (R.PORT_BYTES - 1)) ?? 0;
    }
  }

  private writeRegister(offset: number, value: number): void {
    if (offset === R.GHC) {
      if (value & R.GHC_RESET) this.resetDevice();
      else this.control = ((value & R.GHC_INTERRUPTS) | R.GHC_AHCI) >>> 0;
      this.interruptChanged();
    } else if (offset === R.IS) {
      this.status = (this.status & ~value) >>> 0;
      this.interruptChanged();
    } else this.portAt(offset)?.write(offset & (R.PORT_BYTES - 1), value);
  }

  /** Ports that have causes show in IS until software clears them there too. */
  private interruptChanged(): void {
    const before = this.status;
    for (const [n, port] of this.ports.entries()) if (port.pending !== 0) this.status |= 1 << n;
    this.status >>>= 0;
    const high = (this.control & R.GHC_INTERRUPTS) !== 0 && this.status !== 0;
    if (!this.msi.enabled) this.setIntx(high);
    else {
      this.setIntx(false);
      // a message for each port that began to have a cause
      if (high && (this.status & ~before) !== 0) this.msi.signal();
    }
  }

  protected override resetDevice(): void {
    this.control = R.GHC_AHCI;
    this.status = 0;
    for (const port of this.ports) port.reset();
    this.setIntx(false);
  }

  protected override get deviceFormat(): StateFormat<AhciState> {
    // each port has the shape of its own drive: they are told apart by their place
    const shape = record({
      ...{ control: u32, status: u32 },
      ports: record(Object.fromEntries(this.ports.map((it, n) => [`port${n}`, it.shape]))),
    });
    return { kind: 'ahci', version: 2, shape: shape as unknown as Schema<AhciState> };
  }

  /** Drives whose medium can be changed. */
  get mediumDrives(): MediumDrive[] {
    return this.ports.map(({ drive }) => drive).filter((drive) => drive instanceof CdromDrive);
  }

  /** Another start finds in the drives what is in them. */
  beginAgain(powerOn: PciState<AhciState>): PciState<AhciState> {
    const ports = this.ports.map((port, n): [string, PortState] => {
      const state = powerOn.device.ports[`port${n}`];
      return [`port${n}`, { ...state, drive: port.drive?.keepMedium(state.drive as never) ?? state.drive }];
    });
    return { ...powerOn, device: { ...powerOn.device, ports: Object.fromEntries(ports) } };
  }

  protected override saveDevice(): AhciState {
    const { control, status } = this;
    const ports = Object.fromEntries(this.ports.map((port, n) => [`port${n}`, port.save()]));
    return { control, status, ports };
  }

  protected override loadDevice({ control, status, ports }: AhciState): void {
    this.control = control;
    this.status = status;
    for (const [n, port] of this.ports.entries()) port.load(ports[`port${n}`]);
  }

  override describe(): [string, string][] {
    const rows = this.ports.map((port, n): [string, string] => [`port ${n}`, port.describe()]);
    return [
      ...super.describe(),
      ['GHC', hex(this.control, 8)],
      ['IS', hex(this.status, 8)],
      ...rows,
      ...(this.bus.aborts > 0 ? [['DMA outside RAM', String(this.bus.aborts)] as [string, string]] : []),
    ];
  }
}
