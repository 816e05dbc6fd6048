/** Realtek's RTL8139C, the network card that hobby systems drive first. @rtl8139 RTL8139C(L) datasheet */
import type { StateFormat } from '../../state/saved.js';
import { bytes, count, int, optional, record, type Schema, time } from '../../state/schema.js';
import type { Clock, Timer } from '../device.js';
import { bitNames, hex, restoreTimer } from '../device-state.js';
import type { NetCardOptions } from '../e1000/nic.js';
import { EEPROM_WORDS, MicrowireEeprom } from '../microwire.js';
import { BusMaster } from '../pci/bus-master.js';
import type { CardSlot } from '../pci/card.js';
import { type BarRegion, PciFunction } from '../pci/function.js';
import { ReceiveBuffer } from './receive.js';
import * as R from './registers.js';

const VENDOR = 0x10ec;
const DEVICE = 0x8139;
const LOOPBACK = 0x0006_0000;
const SIZE = 0x1fff;
const MAX_FRAME_BYTES = 1792;
const TX_SENT = 0x8000;
const TX_ABORTED = 0x4000_0000;
const EEPROM_PROGRAM = 0x80;
const EEPROM_MODE = 0xc0;
const [SELECT, CLOCK, DATA_IN, DATA_OUT] = [8, 4, 2, 1];
/** Of the count register: PCI's 33 MHz. */
const TICK_NS = 30;

interface Rtl8139State {
  registers: Uint8Array;
  eeprom: object;
  receive: object;
  nextDescriptor: number;
  countFrom: number;
  timeoutAt: number | undefined;
  sent: number;
  received: number;
  backend: object;
}

export class Rtl8139 extends PciFunction<Rtl8139State> {
  private readonly registers = new Uint8Array(R.REGISTER_BYTES);
  private readonly bus: BusMaster;
  private readonly eeprom: MicrowireEeprom;
  private readonly receive: ReceiveBuffer;
  private readonly clock: Clock;
  private readonly timeout: Timer;
  /** When the count register was zero. */
  private countFrom = 0;
  private nextDescriptor = 0;
  private sent = 0;
  private received = 0;

  constructor(
    { place, memory, clock }: CardSlot,
    private readonly options: NetCardOptions,
  ) {
    super(options.name, place, { vendor: VENDOR, device: DEVICE, classCode: 0x020000, revision: 0x10, pin: 1 });
    this.clock = clock;
    this.bus = new BusMaster(memory);
    this.eeprom = new MicrowireEeprom(eepromOf(options.mac));
    this.receive = new ReceiveBuffer(this.bus, () => ({
      config: this.word(R.RX_CONFIG, 4),
      buffer: this.word(R.RX_BUFFER, 4),
      mac: this.registers.subarray(R.MAC, R.MAC + 6),
      hash: this.registers.subarray(R.MULTICAST, R.MULTICAST + 8),
    }));
    this.timeout = clock.timer(`${options.name} timer`, () => this.raise(R.CAUSE.timeout));
    const region: BarRegion = {
      read: (offset, count) => this.word(offset, count),
      peek: (offset, count) => this.word(offset, count),
      write: (offset, count, value) => this.writeRegisters(offset, count, value),
    };
    this.bar(0, 'io', R.REGISTER_BYTES, region);
    this.bar(1, 'memory', R.REGISTER_BYTES, region);
    this.powerUp();
    options.backend.toGuest = (frame) => this.takeFrame(frame);
  }

  // --- registers ---------------------------------------------------------------------------------------------

  private word(at: number, count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) value |= this.byte(at + i) << (8 * i);
    return value >>> 0;
  }

  private byte(at: number): number {
    const part = (value: number, from: number) => (value >>> (8 * (at - from))) & 0xff;
    switch (at) {
      case R.COMMAND:
        return (this.registers[at] & ~R.CMD.empty) | (this.receive.empty ? R.CMD.empty : 0);
      case R.READ_POINTER:
      case R.READ_POINTER + 1:
        return part(this.receive.readPointer, R.READ_POINTER);
      case R.WRITE_POINTER:
      case R.WRITE_POINTER + 1:
        return part(this.receive.writePointer, R.WRITE_POINTER);
      case R.EEPROM_CONTROL:
        return this.registers[at] | (this.programsEeprom && this.eeprom.output ? DATA_OUT : 0);
      case R.TX_SUMMARY:
      case R.TX_SUMMARY + 1:
        return part(this.summary, R.TX_SUMMARY);
    }
    if (at >= R.TIMER_COUNT && at < R.TIMER_COUNT + 4) return part(this.ticks, R.TIMER_COUNT);
    return this.registers[at] ?? 0;
  }

  private store(at: number, count: number, value: number): void {
    for (let i = 0; i < count; i++) this.registers[at + i] = (value >>> (8 * i)) & 0xff;
  }

  /** A write may touch a part of a register, or several. */
  private writeRegisters(offset: number, count: number, value: number): void {
    for (const { at, bytes: width, mask = 0xffff_ffff } of R.ROWS) {
      if (at + width <= offset || at >= offset + count) continue;
      const before = this.word(at, width);
      let written = 0;
      let touched = 0;
      for (let i = 0; i < width; i++) {
        const from = at + i - offset;
        if (from < 0 || from >= count) continue;
        written |= ((value >>> (8 * from)) & 0xff) << (8 * i);
        touched |= 0xff << (8 * i);
      }
      const bits = touched & mask;
      this.written(at, width, ((before & ~bits) | (written & bits)) >>> 0, (written & touched) >>> 0);
    }
  }

  /** @param written what software wrote, without what it did not touch */
  private written(at: number, width: number, next: number, written: number): void {
    switch (at) {
      case R.ISR:
        this.store(at, width, (this.registers[at] + this.registers[at + 1] * 256) & ~written);
        this.update();
        return;
      case R.COMMAND:
        this.writeCommand(next, written);
        return;
      case R.READ_POINTER:
        this.receive.readPointer = next;
        this.deliver();
        return;
      case R.TIMER_COUNT:
        this.countFrom = this.clock.now();
        this.armTimeout();
        return;
      case R.MISSED:
        this.store(at, width, 0);
        return;
    }
    // the wire back is no bit that is kept
    this.store(at, width, at === R.EEPROM_CONTROL ? next & ~DATA_OUT : next);
    if (at >= R.TX_STATUS && at < R.TX_ADDRESS) this.transmit();
    else if (at === R.IMR) this.update();
    else if (at === R.RX_CONFIG) this.receive.rewind();
    else if (at === R.TIMER_INTERRUPT) this.armTimeout();
    else if (at === R.EEPROM_CONTROL) {
      const wire = (bit: number) => this.programsEeprom && (next & bit) !== 0;
      this.eeprom.set(wire(SELECT), wire(CLOCK), wire(DATA_IN));
    }
  }

  private get programsEeprom(): boolean {
    return (this.registers[R.EEPROM_CONTROL] & EEPROM_MODE) === EEPROM_PROGRAM;
  }

  private writeCommand(next: number, written: number): void {
    if (written & R.CMD.reset) {
      this.powerUp();
      return;
    }
    this.registers[R.COMMAND] = next & (R.CMD.transmit | R.CMD.receive);
    this.transmit();
    this.deliver();
  }

  private get ticks(): number {
    return Math.floor((this.clock.now() - this.countFrom) / TICK_NS) % 2 ** 32;
  }

  private armTimeout(): void {
    const after = this.word(R.TIMER_INTERRUPT, 4);
    if (after === 0) this.timeout.cancel();
    else this.timeout.arm(Math.max(this.countFrom + after * TICK_NS, this.clock.now()));
  }

  // --- interrupts --------------------------------------------------------------------------------------------

  private raise(causes: number): void {
    this.store(R.ISR, 2, this.word(R.ISR, 2) | causes);
    this.update();
  }

  private update(): void {
    this.setIntx((this.word(R.ISR, 2) & this.word(R.IMR, 2)) !== 0);
  }

  // --- frames ------------------------------------------------------------------------------------------------

  private get summary(): number {
    let bits = 0;
    for (let i = 0; i < R.DESCRIPTORS; i++) {
      const status = this.word(R.TX_STATUS + 4 * i, 4);
      if (status & R.TX_OWN) bits |= 1 << i;
      if (status & TX_SENT) bits |= 0x1000 << i;
      if (status & TX_ABORTED) bits |= 0x10 << i;
    }
    return bits;
  }

  /** Sends what the descriptors have, in their order, whose OWN software has cleared. */
  private transmit(): void {
    for (let i = 0; i < R.DESCRIPTORS && this.transmitNext(); i++) this.nextDescriptor = (this.nextDescriptor + 1) & 3;
  }

  private transmitNext(): boolean {
    const descriptor = this.nextDescriptor;
    const at = R.TX_STATUS + 4 * descriptor;
    const status = this.word(at, 4);
    const on = (this.registers[R.COMMAND] & R.CMD.transmit) !== 0 && this.isBusMaster;
    if (!on || status & R.TX_OWN) return false;
    const length = status & SIZE;
    if (length > MAX_FRAME_BYTES) {
      this.store(at, 4, (status | R.TX_OWN | TX_ABORTED) >>> 0);
      this.raise(R.CAUSE.transmitError);
      return true;
    }
    const frame = this.bus.read(this.word(R.TX_ADDRESS + 4 * descriptor, 4), length).slice();
    this.store(at, 4, status | R.TX_OWN | TX_SENT);
    this.sent++;
    if ((this.word(R.TX_CONFIG, 4) & LOOPBACK) === LOOPBACK) this.takeFrame(frame);
    else this.options.backend.fromGuest(frame);
    this.raise(R.CAUSE.transmitOk);
    return true;
  }

  private takeFrame(frame: Uint8Array): void {
    if ((this.registers[R.COMMAND] & R.CMD.receive) === 0 || !this.isBusMaster) return;
    if (this.receive.take(frame)) {
      this.store(R.MISSED, 4, Math.min(this.word(R.MISSED, 4) + 1, 0xff_ffff));
      this.raise(R.CAUSE.overflow);
    }
    this.deliver();
  }

  private deliver(): void {
    if ((this.registers[R.COMMAND] & R.CMD.receive) === 0 || !this.isBusMaster) return;
    const count = this.receive.deliver();
    this.received += count;
    if (count > 0) this.raise(R.CAUSE.receiveOk);
  }

  // --- state -------------------------------------------------------------------------------------------------

  private powerUp(): void {
    this.registers.fill(0);
    for (const { at, bytes: width, reset = 0 } of R.ROWS) this.store(at, width, reset);
    this.registers.set(this.options.mac, R.MAC);
    this.nextDescriptor = 0;
    this.receive.reset();
    this.eeprom.reset();
    this.timeout.cancel();
    this.countFrom = this.clock.now();
    this.update();
  }

  protected override resetDevice(): void {
    this.powerUp();
  }

  protected override get deviceFormat(): StateFormat<Rtl8139State> {
    const whole = record({
      ...{ registers: bytes(R.REGISTER_BYTES), eeprom: this.eeprom.shape, receive: this.receive.shape },
      ...{ nextDescriptor: int(0, 3), countFrom: time, timeoutAt: optional(time), sent: count, received: count },
      backend: this.options.backend.shape,
    });
    return { kind: 'rtl8139', version: 1, shape: whole as unknown as Schema<Rtl8139State> };
  }

  protected override saveDevice(): Rtl8139State {
    return {
      registers: this.registers,
      eeprom: this.eeprom.save(),
      receive: this.receive.save(),
      nextDescriptor: this.nextDescriptor,
      countFrom: this.countFrom,
      timeoutAt: this.timeout.deadline,
      sent: this.sent,
      received: this.received,
      backend: this.options.backend.save(),
    };
  }

  protected override loadDevice(state: Rtl8139State): void {
    this.registers.set(state.registers);
    this.eeprom.load(state.eeprom as never);
    this.receive.load(state.receive as never);
    this.nextDescriptor = state.nextDescriptor;
    this.countFrom = state.countFrom;
    restoreTimer(this.timeout, state.timeoutAt);
    this.sent = state.sent;
    this.received = state.received;
    this.options.backend.load(state.backend);
  }

  override describe(): [string, string][] {
    const mac = [...this.registers.subarray(R.MAC, R.MAC + 6)].map((byte) => byte.toString(16).padStart(2, '0'));
    const causes = (at: number) => bitNames(this.word(at, 2), R.CAUSE_NAMES);
    const { receive } = this;
    return [
      ...super.describe(),
      ['MAC', mac.join(':')],
      ['CR', hex(this.byte(R.COMMAND))],
      ['ISR', causes(R.ISR)],
      ['IMR', causes(R.IMR)],
      [
        'receive ring',
        `${hex(this.word(R.RX_BUFFER, 4), 8)} CAPR ${hex(receive.readPointer, 4)} CBR ${hex(receive.writePointer, 4)}`,
      ],
      ['descriptors', [0, 4, 8, 12].map((at) => hex(this.word(R.TX_STATUS + at, 4), 8)).join(' ')],
      ['frames', `${this.sent} sent ${this.received} received ${receive.dropped} dropped`],
      ...(this.bus.aborts > 0 ? [['DMA outside RAM', String(this.bus.aborts)] as [string, string]] : []),
      ...this.options.backend.describe(),
    ];
  }
}

/** The EEPROM begins with a signature by which drivers find how long its addresses are. */
function eepromOf(mac: Uint8Array): Uint16Array {
  const image = new Uint16Array(EEPROM_WORDS);
  image.set([0x8129, VENDOR, DEVICE, VENDOR, DEVICE]);
  for (let i = 0; i < 3; i++) image[7 + i] = mac[2 * i] | (mac[2 * i + 1] << 8);
  return image;
}
