/**
 * ACPI power management as on QEMU's PIIX4: PM1a event and control blocks, the PM timer and the SMI command port.
 * @acpi 4.8 "ACPI Hardware Specification"
 */
import { count, flag, optional, record, type StateOf, time, u8, u16 } from '../state/schema.js';
import { ticksOf, timeOfTick } from '../time/clock.js';
import type { Clock, Device, IrqLine, PortDevice, PortRange, SteadyAnswer, Timer } from './device.js';
import { bitNames, hex, restoreTimer } from './device-state.js';
import {
  ACPI_DISABLE,
  ACPI_ENABLE,
  PM_BASE,
  PM_TIMER,
  PM_TIMER_HZ,
  PM1_CONTROL,
  PM1_EVENT,
  SLEEP_TYPE_S3,
  SLEEP_TYPE_S4,
  SLEEP_TYPE_S5,
  SMI_COMMAND,
} from './platform.js';

const TIMER_STATUS = 0x0001;
const POWER_BUTTON = 0x0100;
const RTC_ALARM = 0x0400;
const WAKE = 0x8000;
const STATUS_BITS = 0xcd31;
const ENABLE_BITS = 0x4721;
const SCI_ENABLED = 0x0001;
const SLEEP_ENABLE = 0x2000;
/** The 24-bit timer reports each change of its top bit. */
const TIMER_BITS = 24;
const HALF_TURN = 1 << (TIMER_BITS - 1);

export interface AcpiPmOptions {
  clock: Clock;
  sci: IrqLine;
  /** The guest entered S5, or S4: its memory is on its disk, from which it goes on when the machine is started anew. */
  powerOff(hibernated: boolean): void;
  /** The guest entered S3: memory keeps its contents, all else stands still until `resume`. */
  suspend(): void;
  /** An event that may do so wakes the machine. */
  resume(): void;
}

const STATE = record({
  status: u16,
  enable: u16,
  control: u16,
  apmControl: u8,
  apmStatus: u8,
  /** Half turns of the timer already reported in `status`. */
  halfTurns: count,
  /** In S3. */
  asleep: flag,
  timerAt: optional(time),
});
type PmState = StateOf<typeof STATE>;

export class AcpiPm implements Device<PmState>, PortDevice {
  readonly name = 'acpi-pm';
  readonly format = { kind: 'acpi-pm', version: 2, shape: STATE };
  readonly ports: readonly PortRange[] = [
    { first: PM_BASE, count: 0x40 },
    { first: SMI_COMMAND, count: 2 },
  ];
  private s = powerOn();
  private readonly timer: Timer;

  constructor(private readonly options: AcpiPmOptions) {
    this.timer = options.clock.timer('acpi pm timer', () => this.update());
  }

  /** After S3 the status tells what woke the machine; nothing else outlasts it. */
  reset(): void {
    const woken = this.s.asleep ? (this.s.status & (POWER_BUTTON | RTC_ALARM)) | WAKE : 0;
    this.s = { ...powerOn(), status: woken, halfTurns: this.halfTurns() };
    this.update();
  }

  /** The host asks for a clean shutdown: PWRBTN_STS and an SCI. */
  pressPowerButton(): void {
    this.happened(POWER_BUTTON);
  }

  /** The RTC's alarm, whose own interrupt line is apart. */
  alarm(): void {
    this.happened(RTC_ALARM);
  }

  get wakesByAlarm(): boolean {
    return (this.s.enable & RTC_ALARM) !== 0;
  }

  private happened(event: number): void {
    this.s.status |= event;
    if (this.s.asleep && this.s.enable & event) this.options.resume();
    this.update();
  }

  portRead(port: number): number {
    if (port >= SMI_COMMAND && port < SMI_COMMAND + 2) {
      return this.shifted(this.s.apmControl | (this.s.apmStatus << 8), port - SMI_COMMAND);
    }
    if (port >= PM_TIMER && port < PM_TIMER + 4) {
      const ticks = ticksOf(this.options.clock.now(), PM_TIMER_HZ) % (1 << TIMER_BITS);
      return this.shifted(ticks, port - PM_TIMER);
    }
    this.countTurns();
    const { status, enable, control } = this.s;
    if (port < PM1_EVENT + 4) return this.shifted(status | (enable << 16), port - PM1_EVENT);
    if (port < PM1_CONTROL + 4) return this.shifted(control, port - PM1_CONTROL);
    return 0;
  }

  steadyPort(port: number, bytes: number): SteadyAnswer | undefined {
    if (port < PM_TIMER || port + bytes > PM_TIMER + 4) return undefined;
    const shift = 8 * (port - PM_TIMER);
    return { count: 'cycles', rate: PM_TIMER_HZ, shift, mask: BigInt((2 ** TIMER_BITS - 1) >>> shift) };
  }

  private shifted(value: number, byte: number): number {
    return value >>> (8 * byte);
  }

  portWrite(port: number, bytes: number, value: number): void {
    const s = this.s;
    if (port === SMI_COMMAND) {
      s.apmControl = value & 0xff;
      if (s.apmControl === ACPI_ENABLE) s.control |= SCI_ENABLED;
      if (s.apmControl === ACPI_DISABLE) s.control &= ~SCI_ENABLED;
      this.update();
      return;
    }
    if (port === SMI_COMMAND + 1) {
      s.apmStatus = value & 0xff;
      return;
    }
    for (let i = 0; i < bytes; i++) this.writeByte(port + i, (value >>> (8 * i)) & 0xff);
    // The sleep enable bit is in the control register's second byte and acts once the whole write is in.
    const reached = port + bytes > PM1_CONTROL + 1 && port <= PM1_CONTROL + 1;
    if (reached && (value >>> (8 * (PM1_CONTROL + 1 - port))) & (SLEEP_ENABLE >> 8)) this.sleep();
    this.update();
  }

  private writeByte(port: number, value: number): void {
    const s = this.s;
    const shift = 8 * (port & 1);
    switch (port & ~1) {
      case PM1_EVENT:
        this.countTurns();
        // Status bits are cleared by writing ones.
        s.status &= ~((value << shift) & STATUS_BITS);
        break;
      case PM1_EVENT + 2:
        s.enable = ((s.enable & ~(0xff << shift)) | (value << shift)) & ENABLE_BITS;
        break;
      case PM1_CONTROL: {
        const control = (s.control & ~(0xff << shift)) | (value << shift);
        // SCI_EN belongs to the firmware: only the SMI command changes it. SLP_EN reads as 0.
        s.control = (control & 0x1c06) | (s.control & SCI_ENABLED);
        break;
      }
    }
  }

  private sleep(): void {
    const type = (this.s.control >> 10) & 7;
    if (type === SLEEP_TYPE_S5 || type === SLEEP_TYPE_S4) this.options.powerOff(type === SLEEP_TYPE_S4);
    if (type !== SLEEP_TYPE_S3) return;
    this.s.asleep = true;
    this.options.suspend();
  }

  private halfTurns(): number {
    return Math.floor(ticksOf(this.options.clock.now(), PM_TIMER_HZ) / HALF_TURN);
  }

  private countTurns(): void {
    const turns = this.halfTurns();
    if (turns !== this.s.halfTurns) this.s.status |= TIMER_STATUS;
    this.s.halfTurns = turns;
  }

  private update(): void {
    this.countTurns();
    const { status, enable, control } = this.s;
    this.options.sci.set((control & SCI_ENABLED) !== 0 && (status & enable) !== 0);
    // The timer's own event is only worth waking up for when it may interrupt.
    if (enable & TIMER_STATUS && !(status & TIMER_STATUS)) {
      this.timer.arm(timeOfTick((this.s.halfTurns + 1) * HALF_TURN, PM_TIMER_HZ));
    } else {
      this.timer.cancel();
    }
  }

  save(): PmState {
    return { ...this.s, timerAt: this.timer.deadline };
  }

  load({ timerAt, ...registers }: PmState): void {
    this.s = registers;
    restoreTimer(this.timer, timerAt);
  }

  describe(): [string, string][] {
    const { status, enable, control } = this.s;
    const events = ['timer', '', '', '', 'bus master', 'global', '', '', 'power button', 'sleep button', 'RTC'];
    return [
      ['PM1 status', `${hex(status, 4)} ${bitNames(status, events)}`],
      ['PM1 enable', `${hex(enable, 4)} ${bitNames(enable, events)}`],
      ['PM1 control', `${hex(control, 4)} ${control & SCI_ENABLED ? 'ACPI mode' : 'legacy mode'}`],
      ['PM timer', hex(this.portRead(PM_TIMER), 6)],
    ];
  }
}

function powerOn(): Omit<PmState, 'timerAt'> {
  return { status: 0, enable: 0, control: 0, apmControl: 0, apmStatus: 0, halfTurns: 0, asleep: false };
}
