/**
 * Intel's PRO/1000 MT Desktop, the 82540EM, as QEMU's e1000: what distributions and hobby systems have a driver for.
 * @8254x PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual
 */
import type { StateFormat } from '../../state/saved.js';
import { count, optional, record, type Schema, time, u32 } from '../../state/schema.js';
import type { Clock, Timer } from '../device.js';
import { bitNames, hex, restoreTimer } from '../device-state.js';
import type { NetBackend } from '../net-backend.js';
import { BusMaster } from '../pci/bus-master.js';
import { type CardSlot, narrowed } from '../pci/card.js';
import { PciFunction } from '../pci/function.js';
import { DEVICE_ID, Eeprom, eepromOf } from './eeprom.js';
import { Interrupts } from './interrupts.js';
import { Phy } from './phy.js';
import { ReceiveRing } from './receive.js';
import * as R from './registers.js';
import { Statistics } from './statistics.js';
import { TransmitRing } from './transmit.js';

const REGISTER_BYTES = 0x20000;
const PORT_BYTES = 64;
const PORT_ADDRESS = 0;
const PORT_DATA = 4;
const QEMU_VENDOR = 0x1af4;
const QEMU_CARD = 0x1100;
const LOOPBACK = 0xc0;
/** Bits of CTRL that clear themselves. */
const SELF_CLEARING = R.CTRL_RST | R.CTRL_PHY_RST;
/** A card that has worked for a while goes on so much later: the guest has its turn. */
const REST_NS = 10_000_000;

export interface NetCardOptions {
  name: string;
  mac: Uint8Array;
  backend: NetBackend;
}

interface E1000State {
  registers: Uint32Array;
  eeprom: object;
  phy: object;
  interrupts: object;
  transmit: object;
  receive: object;
  portAddress: number;
  resumesAt: number | undefined;
  sent: number;
  received: number;
  backend: object;
}

export class E1000 extends PciFunction<E1000State> {
  private readonly registers = new R.Registers();
  private readonly statistics = new Statistics(this.registers);
  private readonly bus: BusMaster;
  private readonly eeprom: Eeprom;
  private readonly phy: Phy;
  private readonly interrupts: Interrupts;
  private readonly transmit: TransmitRing;
  private readonly receive: ReceiveRing;
  private readonly clock: Clock;
  private readonly rest: Timer;
  private portAddress = 0;
  private sent = 0;
  private received = 0;

  constructor(
    { place, memory, clock }: CardSlot,
    private readonly options: NetCardOptions,
  ) {
    super(options.name, place, {
      ...{ vendor: 0x8086, device: DEVICE_ID, classCode: 0x020000, revision: 3, pin: 1 },
      ...{ subsystemVendor: QEMU_VENDOR, subsystem: QEMU_CARD },
    });
    const { registers, statistics } = this;
    this.clock = clock;
    this.bus = new BusMaster(memory.of?.(options.name) ?? memory);
    this.eeprom = new Eeprom(eepromOf(options.mac, QEMU_VENDOR, QEMU_CARD));
    this.interrupts = new Interrupts(options.name, registers, clock, (high) => this.setIntx(high));
    this.phy = new Phy(options.name, clock, (up) => this.linkChanged(up));
    this.transmit = new TransmitRing({
      ...{ registers, bus: this.bus },
      send: (frame) => this.send(frame),
      segmented: () => statistics.segmented(),
    });
    this.receive = new ReceiveRing({ registers, bus: this.bus, statistics });
    this.rest = clock.timer(`${options.name} goes on`, () => this.transmitAll());
    const words = narrowed({
      read: (offset) => this.readRegister(offset),
      peek: (offset) => this.peekRegister(offset),
      write: (offset, value) => this.writeRegister(offset, value),
    });
    this.bar(0, 'memory', REGISTER_BYTES, words);
    this.bar(1, 'io', PORT_BYTES, narrowed(this.ports()));
    this.resetRegisters();
    options.backend.toGuest = (frame) => this.takeFrame(frame);
  }

  /** Registers by an index and a data port. @8254x 13.2.2 "I/O-Mapped Internal Register" */
  private ports() {
    return {
      read: (offset: number) => {
        if (offset === PORT_ADDRESS) return this.portAddress;
        return offset === PORT_DATA ? this.readRegister(this.portAddress & 0x1fffc) : 0;
      },
      peek: (offset: number) => {
        if (offset === PORT_ADDRESS) return this.portAddress;
        return offset === PORT_DATA ? this.peekRegister(this.portAddress & 0x1fffc) : 0;
      },
      write: (offset: number, value: number) => {
        if (offset === PORT_ADDRESS) this.portAddress = value & 0x1ffff;
        else if (offset === PORT_DATA) this.writeRegister(this.portAddress & 0x1fffc, value);
      },
    };
  }

  // --- registers ---------------------------------------------------------------------------------------------

  private peekRegister(offset: number): number {
    switch (offset) {
      case R.EECD:
        return this.eeprom.control;
      case R.ICS:
        return this.registers.get(R.ICR);
      default:
        return this.registers.get(offset);
    }
  }

  private readRegister(offset: number): number {
    const value = this.peekRegister(offset);
    if (offset === R.ICR) this.interrupts.clear(0xffff_ffff);
    else if (offset >= R.STATISTICS && offset < R.STATISTICS_END) return this.statistics.take(offset);
    return value;
  }

  private writeRegister(offset: number, value: number): void {
    const { registers } = this;
    switch (offset) {
      case R.CTRL:
        this.writeControl(value);
        return;
      case R.EECD:
        this.eeprom.control = value;
        return;
      case R.EERD:
        registers.set(R.EERD, this.eeprom.read(value));
        return;
      case R.MDIC: {
        const { mdic, interrupt } = this.phy.command(value);
        registers.set(R.MDIC, mdic);
        if (interrupt) this.interrupts.raise(R.CAUSE.mdac);
        return;
      }
      case R.ICR:
        this.interrupts.clear(value);
        return;
      case R.ICS:
        this.interrupts.raise(value);
        return;
      case R.IMS:
        this.interrupts.changeMask(value, 0);
        return;
      case R.IMC:
        this.interrupts.changeMask(0, value);
        return;
    }
    registers.write(offset, value);
    if (offset === R.TDT || offset === R.TCTL) this.transmitAll();
    else if (offset === R.RDT || offset === R.RCTL) this.deliver();
  }

  private writeControl(value: number): void {
    this.registers.write(R.CTRL, value & ~SELF_CLEARING);
    if (value & R.CTRL_PHY_RST) this.phy.reset();
    if (value & R.CTRL_RST) this.resetRegisters();
    // the link is up as soon as software asks for it: the other end is always there
    this.showLink();
  }

  private showLink(): void {
    const up = this.phy.link && (this.registers.get(R.CTRL) & R.CTRL_SLU) !== 0;
    const status = this.registers.get(R.STATUS);
    this.registers.set(R.STATUS, up ? status | R.STATUS_LU : status & ~R.STATUS_LU);
  }

  private linkChanged(_up: boolean): void {
    this.showLink();
    this.interrupts.raise(R.CAUSE.lsc);
  }

  // --- frames ------------------------------------------------------------------------------------------------

  private transmitAll(): void {
    if (!this.isBusMaster || !this.transmit.waits) return;
    this.bus.beginTurn();
    const causes = this.transmit.run();
    if (causes !== 0) this.interrupts.raise(causes);
    if (this.transmit.waits && this.rest.deadline === undefined) this.rest.arm(this.clock.now() + REST_NS);
  }

  private send(frame: Uint8Array): void {
    this.sent++;
    this.statistics.sent(frame);
    const loops = this.phy.loopback || (this.registers.get(R.RCTL) & LOOPBACK) !== 0;
    if (loops) this.takeFrame(frame);
    else if (this.phy.link) this.options.backend.fromGuest(frame);
  }

  private takeFrame(frame: Uint8Array): void {
    if (!this.isBusMaster) return;
    this.received++;
    const causes = this.receive.take(frame);
    if (causes !== 0) this.interrupts.raise(causes);
  }

  private deliver(): void {
    const causes = this.isBusMaster ? this.receive.deliver() : 0;
    if (causes !== 0) this.interrupts.raise(causes);
  }

  // --- state -------------------------------------------------------------------------------------------------

  /** What CTRL.RST does: all but the PHY, and addresses come from the EEPROM anew. */
  private resetRegisters(): void {
    const { registers, eeprom } = this;
    registers.reset();
    this.rest.cancel();
    this.interrupts.reset();
    this.transmit.reset();
    this.receive.reset();
    eeprom.reset();
    registers.set(R.RAL, (eeprom.image[0] | (eeprom.image[1] << 16)) >>> 0);
    registers.set(R.RAH, (eeprom.image[2] | 0x8000_0000) >>> 0);
    this.showLink();
  }

  protected override resetDevice(): void {
    this.phy.reset();
    this.portAddress = 0;
    this.resetRegisters();
  }

  protected override get deviceFormat(): StateFormat<E1000State> {
    const { registers, eeprom, phy, interrupts, transmit, receive } = this;
    const whole = record({
      ...{ registers: registers.shape, eeprom: eeprom.shape, phy: phy.shape, interrupts: interrupts.shape },
      ...{ transmit: transmit.shape, receive: receive.shape, portAddress: u32, resumesAt: optional(time) },
      ...{ sent: count, received: count, backend: this.options.backend.shape },
    });
    return { kind: 'e1000', version: 1, shape: whole as unknown as Schema<E1000State> };
  }

  protected override saveDevice(): E1000State {
    return {
      registers: this.registers.save(),
      eeprom: this.eeprom.save(),
      phy: this.phy.save(),
      interrupts: this.interrupts.save(),
      transmit: this.transmit.save(),
      receive: this.receive.save(),
      portAddress: this.portAddress,
      resumesAt: this.rest.deadline,
      sent: this.sent,
      received: this.received,
      backend: this.options.backend.save(),
    };
  }

  protected override loadDevice(state: E1000State): void {
    this.registers.load(state.registers);
    this.eeprom.load(state.eeprom as never);
    this.phy.load(state.phy as never);
    this.interrupts.load(state.interrupts as never);
    this.transmit.load(state.transmit as never);
    this.receive.load(state.receive as never);
    this.portAddress = state.portAddress;
    restoreTimer(this.rest, state.resumesAt);
    this.sent = state.sent;
    this.received = state.received;
    this.options.backend.load(state.backend);
  }

  override describe(): [string, string][] {
    const { registers } = this;
    const mac = [...this.options.mac].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
    const ring = (base: number) =>
      `${hex(registers.base(base), 8)} +${hex(registers.get(base + 8), 4)} head ${registers.get(base + 16)} tail ${registers.get(base + 24)}`;
    const causes = (offset: number) => bitNames(registers.get(offset), R.CAUSE_NAMES);
    return [
      ...super.describe(),
      ['MAC', mac],
      ['CTRL', hex(registers.get(R.CTRL), 8)],
      ['STATUS', `${hex(registers.get(R.STATUS), 8)} link ${registers.get(R.STATUS) & R.STATUS_LU ? 'up' : 'down'}`],
      ['RCTL', hex(registers.get(R.RCTL), 8)],
      ['TCTL', hex(registers.get(R.TCTL), 8)],
      ['ICR', causes(R.ICR)],
      ['IMS', causes(R.IMS)],
      ['receive ring', ring(R.RDBAL)],
      ['transmit ring', ring(R.TDBAL)],
      ['frames', `${this.sent} sent ${this.received} received ${this.receive.dropped} dropped`],
      ...(this.bus.aborts > 0 ? [['DMA outside RAM', String(this.bus.aborts)] as [string, string]] : []),
      ...this.options.backend.describe(),
    ];
  }
}
