/**
 * 16550A UART. The wire is instant: a byte written leaves at once, input waits in a host queue until the receive
 * FIFO has room, so nothing is ever lost. Only the receive time-out keeps real time, from the programmed divisor.
 * @datasheet National PC16550D
 */
import { flag, list, optional, record, type StateOf, time, u8, u16 } from '../state/schema.js';
import type { Clock, Device, IrqLine, PortDevice, PortRange, SteadyAnswer, Timer } from './device.js';
import { bitNames, hex, restoreTimer } from './device-state.js';

const IER_RECEIVE = 0x01;
const IER_TRANSMIT = 0x02;
const IER_LINE = 0x04;
const IER_MODEM = 0x08;

const IIR_NONE = 0x01;
const IIR_MODEM = 0x00;
const IIR_TRANSMIT = 0x02;
const IIR_RECEIVE = 0x04;
const IIR_LINE = 0x06;
const IIR_TIMEOUT = 0x0c;
const IIR_FIFO = 0xc0;

const FCR_ENABLE = 0x01;
const FCR_CLEAR_RECEIVE = 0x02;
const FCR_TRIGGER = [1, 4, 8, 14];

const LCR_DLAB = 0x80;
const LCR_BREAK = 0x40;

const MCR_DTR = 0x01;
const MCR_RTS = 0x02;
const MCR_OUT1 = 0x04;
const MCR_OUT2 = 0x08;
const MCR_LOOP = 0x10;

const LSR_DATA = 0x01;
const LSR_OVERRUN = 0x02;
const LSR_BREAK = 0x10;
const LSR_THR_EMPTY = 0x20;
const LSR_IDLE = 0x40;
const LSR_ERRORS = 0x1e;

const MSR_CTS = 0x10;
const MSR_DSR = 0x20;
const MSR_RI = 0x40;
const MSR_DCD = 0x80;
/** What the host end of the wire shows: ready, and a carrier. */
const MSR_CONNECTED = MSR_CTS | MSR_DSR | MSR_DCD;

const FIFO_BYTES = 16;
/** More than this a state cannot hold of what the host has typed ahead. */
const MAX_QUEUE_BYTES = 1 << 24;
const OSCILLATOR_HZ = 1_843_200;

const STATE = record({
  ier: u8,
  fcr: u8,
  lcr: u8,
  mcr: u8,
  lsr: u8,
  msr: u8,
  scr: u8,
  divisor: u16,
  thrPending: flag,
  timeoutPending: flag,
  fifo: list(u8, { atMost: FIFO_BYTES }),
  /** Bytes of the host that the FIFO has no room for yet. */
  queue: list(u8, { atMost: MAX_QUEUE_BYTES }),
  timeoutAt: optional(time),
});
type SerialState = StateOf<typeof STATE>;

export interface SerialOptions {
  name: string;
  base: number;
  irq: IrqLine;
  clock: Clock;
  /** A byte that the guest sent. */
  output(byte: number): void;
}

export class Serial16550 implements Device<SerialState>, PortDevice {
  readonly name: string;
  readonly format = { kind: 'serial-16550', version: 1, shape: STATE };
  readonly ports: readonly PortRange[];
  readonly portWidth = 1;
  private readonly base: number;
  private readonly irq: IrqLine;
  private readonly clock: Clock;
  private readonly output: (byte: number) => void;
  private readonly timeout: Timer;
  private s = powerOn();
  /** The last read of the line status has cleared errors. */
  private errorsWereRead = false;

  constructor(options: SerialOptions) {
    this.name = options.name;
    this.base = options.base;
    this.ports = [{ first: options.base, count: 8 }];
    this.irq = options.irq;
    this.clock = options.clock;
    this.output = options.output;
    this.timeout = options.clock.timer(`${options.name} receive time-out`, () => {
      this.s.timeoutPending = true;
      this.updateIrq();
    });
  }

  reset(): void {
    const { queue } = this.s;
    this.s = { ...powerOn(), queue };
    this.timeout.cancel();
    this.updateIrq();
  }

  beginAgain(powerOn: SerialState): SerialState {
    return { ...powerOn, queue: this.s.queue };
  }

  /** Bytes of the host that the guest has not taken into its FIFO yet. */
  get waiting(): number {
    return this.s.queue.length;
  }

  /** Bytes from the host; the guest sees them as fast as it reads. */
  receive(bytes: Uint8Array): void {
    for (const byte of bytes) this.s.queue.push(byte);
    this.pump();
  }

  /** A break condition from the host: a zero byte with BI set. */
  receiveBreak(): void {
    this.s.lsr |= LSR_BREAK;
    this.accept(0);
  }

  portRead(port: number): number {
    const s = this.s;
    switch (port - this.base) {
      case 0:
        return s.lcr & LCR_DLAB ? s.divisor & 0xff : this.readData();
      case 1:
        return s.lcr & LCR_DLAB ? s.divisor >> 8 : s.ier;
      case 2:
        return this.readIdentification();
      case 3:
        return s.lcr;
      case 4:
        return s.mcr;
      case 5:
        return this.readLineStatus();
      case 6: {
        const value = s.msr;
        s.msr &= 0xf0;
        this.updateIrq();
        return value;
      }
      default:
        return s.scr;
    }
  }

  portWrite(port: number, _bytes: number, value: number): void {
    const s = this.s;
    switch (port - this.base) {
      case 0:
        if (s.lcr & LCR_DLAB) s.divisor = (s.divisor & 0xff00) | value;
        else this.send(value);
        break;
      case 1:
        if (s.lcr & LCR_DLAB) {
          s.divisor = (s.divisor & 0xff) | (value << 8);
          break;
        }
        // Enabling THRE while the register is empty raises it: drivers start a transmission that way.
        if (~s.ier & value & IER_TRANSMIT) s.thrPending = true;
        if (!(value & IER_TRANSMIT)) s.thrPending = false;
        s.ier = value & 0x0f;
        this.updateIrq();
        break;
      case 2:
        this.writeFifoControl(value);
        break;
      case 3:
        s.lcr = value;
        if (s.mcr & MCR_LOOP && value & LCR_BREAK) this.receiveBreak();
        break;
      case 4:
        s.mcr = value & 0x1f;
        this.updateModem();
        break;
      case 7:
        s.scr = value;
        break;
    }
  }

  private get fifoOn(): boolean {
    return (this.s.fcr & FCR_ENABLE) !== 0;
  }

  private send(byte: number): void {
    if (this.s.mcr & MCR_LOOP) this.accept(byte);
    else this.output(byte);
    this.s.thrPending = (this.s.ier & IER_TRANSMIT) !== 0;
    // Low first: the byte was taken and the register is empty again, which is a new edge.
    this.irq.set(false);
    this.updateIrq();
  }

  private readData(): number {
    const s = this.s;
    const byte = s.fifo.shift() ?? 0;
    s.timeoutPending = false;
    if (s.fifo.length === 0) s.lsr &= ~(LSR_DATA | LSR_BREAK);
    this.restartTimeout();
    this.updateIrq();
    this.pump();
    return byte;
  }

  private readIdentification(): number {
    const reason = this.pendingReason();
    if (reason === IIR_TRANSMIT) {
      this.s.thrPending = false;
      this.updateIrq();
    }
    return reason | (this.fifoOn ? IIR_FIFO : 0);
  }

  /** Reads of these have no effects; that of the line status clears its errors. */
  steadyPort(port: number): SteadyAnswer | undefined {
    const register = port - this.base;
    if (register === 5) return this.errorsWereRead || this.s.lsr & LSR_ERRORS ? undefined : 'same';
    return register === 3 || register === 4 || register === 7 ? 'same' : undefined;
  }

  private readLineStatus(): number {
    const value = this.s.lsr;
    this.errorsWereRead = (value & LSR_ERRORS) !== 0;
    this.s.lsr &= ~LSR_ERRORS;
    this.updateIrq();
    return value;
  }

  private writeFifoControl(value: number): void {
    const s = this.s;
    const toggled = (s.fcr ^ value) & FCR_ENABLE;
    if (toggled || value & FCR_CLEAR_RECEIVE) {
      s.fifo.length = 0;
      s.lsr &= ~(LSR_DATA | LSR_BREAK);
      s.timeoutPending = false;
      this.timeout.cancel();
    }
    // Bits other than the enable bit are only programmed when it is set.
    s.fcr = value & FCR_ENABLE ? value & 0xc9 : 0;
    this.updateIrq();
    this.pump();
  }

  private updateModem(): void {
    const s = this.s;
    let lines = MSR_CONNECTED;
    if (s.mcr & MCR_LOOP) {
      lines =
        (s.mcr & MCR_RTS ? MSR_CTS : 0) |
        (s.mcr & MCR_DTR ? MSR_DSR : 0) |
        (s.mcr & MCR_OUT1 ? MSR_RI : 0) |
        (s.mcr & MCR_OUT2 ? MSR_DCD : 0);
    }
    const changed = (s.msr ^ lines) & 0xf0;
    let delta = (changed & ~MSR_RI) >> 4;
    // TERI reports the trailing edge of RI only.
    if (changed & MSR_RI && !(lines & MSR_RI)) delta |= 0x04;
    s.msr = lines | (s.msr & 0x0f) | delta;
    this.updateIrq();
    this.pump();
  }

  /** Moves waiting input into the receiver while it has room. In loopback the wire is cut. */
  private pump(): void {
    const s = this.s;
    const room = this.fifoOn ? FIFO_BYTES : 1;
    while (s.queue.length > 0 && s.fifo.length < room && !(s.mcr & MCR_LOOP)) this.accept(s.queue.shift()!);
  }

  private accept(byte: number): void {
    const s = this.s;
    if (this.fifoOn) {
      if (s.fifo.length < FIFO_BYTES) s.fifo.push(byte);
      else s.lsr |= LSR_OVERRUN;
    } else {
      if (s.fifo.length > 0) s.lsr |= LSR_OVERRUN;
      s.fifo = [byte];
    }
    s.lsr |= LSR_DATA;
    this.restartTimeout();
    this.updateIrq();
  }

  /** Four character times without a read or a new byte, while data waits below the trigger level. */
  private restartTimeout(): void {
    if (this.fifoOn && this.s.fifo.length > 0) this.timeout.arm(this.clock.now() + 4 * this.characterNs());
    else this.timeout.cancel();
  }

  private characterNs(): number {
    const bits = 1 + 5 + (this.s.lcr & 3) + (this.s.lcr & 0x08 ? 1 : 0) + (this.s.lcr & 0x04 ? 2 : 1);
    return Math.ceil((bits * 16 * (this.s.divisor || 0x10000) * 1_000_000_000) / OSCILLATOR_HZ);
  }

  private pendingReason(): number {
    const s = this.s;
    if (s.ier & IER_LINE && s.lsr & LSR_ERRORS) return IIR_LINE;
    if (s.ier & IER_RECEIVE) {
      const trigger = this.fifoOn ? FCR_TRIGGER[s.fcr >> 6] : 1;
      if (s.fifo.length >= trigger) return IIR_RECEIVE;
      if (s.timeoutPending) return IIR_TIMEOUT;
    }
    if (s.ier & IER_TRANSMIT && s.thrPending) return IIR_TRANSMIT;
    if (s.ier & IER_MODEM && s.msr & 0x0f) return IIR_MODEM;
    return IIR_NONE;
  }

  /** OUT2 does not gate the line: guests that were only ever run under QEMU leave it clear. */
  private updateIrq(): void {
    this.irq.set(this.pendingReason() !== IIR_NONE);
  }

  save(): SerialState {
    return { ...this.s, timeoutAt: this.timeout.deadline };
  }

  load({ timeoutAt, ...registers }: SerialState): void {
    this.s = registers;
    restoreTimer(this.timeout, timeoutAt);
  }

  describe(): [string, string][] {
    const s = this.s;
    const parity = s.lcr & 0x08 ? (s.lcr & 0x10 ? 'E' : 'O') : 'N';
    const baud = Math.round(OSCILLATOR_HZ / 16 / (s.divisor || 0x10000));
    return [
      ['ports', `${hex(this.base, 3)}-${hex(this.base + 7, 3)}`],
      ['line', `${baud} ${5 + (s.lcr & 3)}${parity}${s.lcr & 0x04 ? 2 : 1}`],
      ['IER', `${hex(s.ier)} ${bitNames(s.ier, ['receive', 'transmit', 'line', 'modem'])}`],
      ['IIR', hex(this.pendingReason() | (this.fifoOn ? IIR_FIFO : 0))],
      ['LCR', hex(s.lcr)],
      ['MCR', `${hex(s.mcr)} ${bitNames(s.mcr, ['DTR', 'RTS', 'OUT1', 'OUT2', 'loop'])}`],
      ['LSR', `${hex(s.lsr)} ${bitNames(s.lsr, ['DR', 'OE', 'PE', 'FE', 'BI', 'THRE', 'TEMT'])}`],
      ['MSR', `${hex(s.msr)} ${bitNames(s.msr >> 4, ['CTS', 'DSR', 'RI', 'DCD'])}`],
      ['waiting', `${s.fifo.length} in FIFO, ${s.queue.length} queued`],
    ];
  }
}

function powerOn(): Omit<SerialState, 'timeoutAt'> {
  return {
    ier: 0,
    fcr: 0,
    lcr: 0,
    mcr: MCR_OUT2,
    lsr: LSR_THR_EMPTY | LSR_IDLE,
    msr: MSR_CONNECTED,
    scr: 0,
    divisor: 0x0c,
    thrPending: false,
    timeoutPending: false,
    fifo: [],
    queue: [],
  };
}
