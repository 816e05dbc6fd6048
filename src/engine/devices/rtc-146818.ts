/** MC146818 real-time clock with 128 bytes of CMOS memory. @datasheet Motorola MC146818A */

import { lowRamEnd } from '../memory/memory-map.js';
import { bytes, flag, optional, record, type StateOf, time, u8 } from '../state/schema.js';
import { ticksOf, timeOfTick } from '../time/clock.js';
import { fromUnixSeconds, toUnixSeconds } from './calendar.js';
import type { Clock, Device, IrqLine, Nanoseconds, PortDevice, PortRange, Timer } from './device.js';
import { bitNames, hex, restoreTimer } from './device-state.js';
import { CMOS_CENTURY } from './platform.js';

const SECONDS = 0;
const SECONDS_ALARM = 1;
const MINUTES = 2;
const MINUTES_ALARM = 3;
const HOURS = 4;
const HOURS_ALARM = 5;
const WEEKDAY = 6;
const DAY = 7;
const MONTH = 8;
const YEAR = 9;
const REG_A = 10;
const REG_B = 11;
const REG_C = 12;
const REG_D = 13;

const A_UPDATE = 0x80;
/** Divider chain held in reset: 110 or 111 in bits 6 to 4. */
const A_RESET = 0x60;
const B_SET = 0x80;
const B_PERIODIC = 0x40;
const B_ALARM = 0x20;
const B_UPDATE = 0x10;
const B_BINARY = 0x04;
const B_24_HOURS = 0x02;
const C_REQUEST = 0x80;
const C_PERIODIC = 0x40;
const C_ALARM = 0x20;
const C_UPDATE = 0x10;
const D_VALID = 0x80;
/** Alarm bytes from here on match anything. */
const ANY = 0xc0;
const PM = 0x80;

const SECOND: Nanoseconds = 1_000_000_000;
/** Register A shows an update this long before the seconds change. */
const UPDATE_NOTICE: Nanoseconds = 244_000;
const OSCILLATOR_HZ = 32_768;
/** Letters in the order of their numbers, from 1 on, and what QEMU's pc has without --boot. */
const BOOT_NIBBLES = 'acdn';
const USUAL_BOOT_ORDER = 'cad';

export interface RtcOptions {
  clock: Clock;
  irq: IrqLine;
  memoryBytes: number;
  vcpus: number;
  /** Types of the floppy drives A and B. */
  floppies?: readonly number[];
  /** QEMU's letters for what a BIOS tries first among what no other list names: a floppy, c disk, d CD-ROM, n network. */
  bootOrder?: string | undefined;
  /** Wall-clock time at virtual time 0, seconds since 1970; comes from the journal. */
  startSeconds: number;
  /** An enabled alarm, whose interrupt goes by `irq`, may wake the machine too. */
  alarm?(): void;
}

const STATE = record({
  cmos: bytes(128),
  index: u8,
  nmiMasked: flag,
  /** Clock's time minus virtual time, in ns since 1970 split to stay exact. */
  baseSeconds: time,
  baseNs: time,
  /** The frozen time while B_SET or the divider reset holds the clock. */
  held: flag,
  /** Virtual times up to which the flags of register C have been worked out. */
  periodicSeen: time,
  updateSeen: time,
  periodicAt: optional(time),
  secondAt: optional(time),
});
type RtcState = StateOf<typeof STATE>;

export class Rtc146818 implements Device<RtcState>, PortDevice {
  readonly name = 'rtc';
  readonly format = { kind: 'rtc-146818', version: 1, shape: STATE };
  readonly ports: readonly PortRange[] = [{ first: 0x70, count: 2 }];
  readonly portWidth = 1;
  private readonly periodicTimer: Timer;
  private readonly secondTimer: Timer;
  private s: Omit<RtcState, 'periodicAt' | 'secondAt'>;

  constructor(private readonly options: RtcOptions) {
    this.periodicTimer = options.clock.timer('rtc periodic', () => this.expire());
    this.secondTimer = options.clock.timer('rtc second', () => this.expire());
    this.s = {
      cmos: this.firstContents(),
      index: 0,
      nmiMasked: false,
      baseSeconds: options.startSeconds,
      baseNs: 0,
      held: false,
      periodicSeen: 0,
      updateSeen: 0,
    };
  }

  /** Time and CMOS memory live on the battery: a reset clears the interrupt enables and flags only. */
  reset(): void {
    const { cmos } = this.s;
    cmos[REG_B] &= ~(B_PERIODIC | B_ALARM | B_UPDATE);
    cmos[REG_C] = 0;
    this.s.index = 0;
    this.s.nmiMasked = false;
    this.options.irq.set(false);
    this.rearm();
  }

  /** The battery holds time and memory. Virtual time begins anew, and the date with it. */
  beginAgain(powerOn: RtcState): RtcState {
    const { cmos, baseSeconds, baseNs, held } = this.s;
    const kept = cmos.slice();
    kept[REG_B] &= ~(B_PERIODIC | B_ALARM | B_UPDATE);
    kept[REG_C] = 0;
    return { ...powerOn, cmos: kept, baseSeconds, baseNs, held };
  }

  /** Bit 7 of port 70h keeps NMI from the processor. */
  get nmiMasked(): boolean {
    return this.s.nmiMasked;
  }

  /** The alarm interrupt is enabled. */
  get alarmOn(): boolean {
    return (this.s.cmos[REG_B] & B_ALARM) !== 0;
  }

  portRead(port: number): number {
    // The index port cannot be read back.
    if (port === 0x70) return 0xff;
    const { cmos, index } = this.s;
    switch (index) {
      case REG_A:
        return cmos[REG_A] | (this.updateInProgress() ? A_UPDATE : 0);
      case REG_C:
        return this.readFlags();
      case REG_D:
        return D_VALID;
      default:
        if (index <= YEAR || index === CMOS_CENTURY) this.showTime();
        return cmos[index];
    }
  }

  portWrite(port: number, _bytes: number, value: number): void {
    const s = this.s;
    if (port === 0x70) {
      s.index = value & 0x7f;
      s.nmiMasked = (value & 0x80) !== 0;
      return;
    }
    switch (s.index) {
      case REG_A:
        this.showTime();
        s.cmos[REG_A] = value & 0x7f;
        this.holdOrRun();
        break;
      case REG_B:
        this.writeB(value);
        break;
      case REG_C:
      case REG_D:
        return;
      case SECONDS_ALARM:
      case MINUTES_ALARM:
      case HOURS_ALARM:
        s.cmos[s.index] = value;
        break;
      default:
        if (s.index > YEAR && s.index !== CMOS_CENTURY) {
          s.cmos[s.index] = value;
          return;
        }
        this.showTime();
        s.cmos[s.index] = value;
        // A running clock takes a changed field at once; a held one when it is let go.
        if (!s.held) this.takeTime();
    }
    this.rearm();
  }

  private writeB(value: number): void {
    const { cmos } = this.s;
    this.collectFlags();
    this.showTime();
    // SET ends the update cycle and clears the update-ended enable.
    cmos[REG_B] = value & B_SET ? value & ~B_UPDATE : value;
    this.holdOrRun();
    this.updateIrq();
  }

  private holdOrRun(): void {
    const { cmos } = this.s;
    const held = (cmos[REG_B] & B_SET) !== 0 || (cmos[REG_A] & A_RESET) === A_RESET;
    if (this.s.held && !held) this.takeTime();
    this.s.held = held;
  }

  /** The clock's time in whole seconds and the nanoseconds into the second. */
  private time(at = this.options.clock.now()): { seconds: number; ns: number } {
    const total = this.s.baseNs + at;
    const whole = Math.floor(total / SECOND);
    return { seconds: this.s.baseSeconds + whole, ns: total - whole * SECOND };
  }

  private updateInProgress(): boolean {
    return !this.s.held && this.time().ns >= SECOND - UPDATE_NOTICE;
  }

  private encode(value: number): number {
    return this.s.cmos[REG_B] & B_BINARY ? value : (Math.floor(value / 10) << 4) | (value % 10);
  }

  private decode(value: number): number {
    return this.s.cmos[REG_B] & B_BINARY ? value : (value >> 4) * 10 + (value & 15);
  }

  private encodeHour(hour: number): number {
    if (this.s.cmos[REG_B] & B_24_HOURS) return this.encode(hour);
    return this.encode(hour % 12 || 12) | (hour >= 12 ? PM : 0);
  }

  private decodeHour(value: number): number {
    if (this.s.cmos[REG_B] & B_24_HOURS) return this.decode(value);
    return (this.decode(value & 0x7f) % 12) + (value & PM ? 12 : 0);
  }

  /** Writes the running time into the registers. */
  private showTime(): void {
    if (this.s.held) return;
    const { cmos } = this.s;
    const time = fromUnixSeconds(this.time().seconds);
    cmos[SECONDS] = this.encode(time.second);
    cmos[MINUTES] = this.encode(time.minute);
    cmos[HOURS] = this.encodeHour(time.hour);
    cmos[WEEKDAY] = this.encode(time.weekday);
    cmos[DAY] = this.encode(time.day);
    cmos[MONTH] = this.encode(time.month);
    cmos[YEAR] = this.encode(time.year % 100);
    cmos[CMOS_CENTURY] = this.encode(Math.floor(time.year / 100));
  }

  /** Runs on from the time in the registers, keeping the place within the second. */
  private takeTime(): void {
    const { cmos } = this.s;
    const seconds = toUnixSeconds({
      year: this.decode(cmos[CMOS_CENTURY]) * 100 + this.decode(cmos[YEAR]),
      month: Math.min(Math.max(this.decode(cmos[MONTH]), 1), 12),
      day: this.decode(cmos[DAY]),
      hour: this.decodeHour(cmos[HOURS]),
      minute: this.decode(cmos[MINUTES]),
      second: this.decode(cmos[SECONDS]),
    });
    this.s.baseSeconds += seconds - this.time().seconds;
  }

  private periodTicks(): number {
    const rate = this.s.cmos[REG_A] & 0x0f;
    if (rate === 0) return 0;
    // Rates 1 and 2 are those of 8 and 9 with the usual 32.768 kHz crystal.
    return 1 << ((rate <= 2 ? rate + 7 : rate) - 1);
  }

  /** Sets the flags of register C for all that happened up to now. */
  private collectFlags(): void {
    const s = this.s;
    const now = this.options.clock.now();
    const period = this.periodTicks();
    if (period > 0) {
      const count = Math.floor(ticksOf(now, OSCILLATOR_HZ) / period);
      if (count > Math.floor(ticksOf(s.periodicSeen, OSCILLATOR_HZ) / period)) s.cmos[REG_C] |= C_PERIODIC;
    }
    s.periodicSeen = now;
    const before = this.time(s.updateSeen).seconds;
    const after = this.time(now).seconds;
    s.updateSeen = now;
    if (s.held || after <= before) return;
    s.cmos[REG_C] |= C_UPDATE;
    if (this.nextAlarm(before + 1, Math.min(after, before + 86_400)) === undefined) return;
    s.cmos[REG_C] |= C_ALARM;
    if (s.cmos[REG_B] & B_ALARM) this.options.alarm?.();
  }

  /** First second in [from, to] that the alarm matches. */
  private nextAlarm(from: number, to: number): number | undefined {
    const { cmos } = this.s;
    const field = (index: number, value: number) => cmos[index] >= ANY || cmos[index] === value;
    for (let seconds = from; seconds <= to; ) {
      const time = fromUnixSeconds(seconds);
      if (!field(HOURS_ALARM, this.encodeHour(time.hour))) {
        seconds += 3600 - time.minute * 60 - time.second;
      } else if (!field(MINUTES_ALARM, this.encode(time.minute))) {
        seconds += 60 - time.second;
      } else if (!field(SECONDS_ALARM, this.encode(time.second))) {
        seconds += 1;
      } else {
        return seconds;
      }
    }
    return undefined;
  }

  private readFlags(): number {
    this.collectFlags();
    const { cmos } = this.s;
    const flags = cmos[REG_C] | (this.requested() ? C_REQUEST : 0);
    cmos[REG_C] = 0;
    this.options.irq.set(false);
    this.rearm();
    return flags;
  }

  private requested(): boolean {
    const { cmos } = this.s;
    return (cmos[REG_B] & cmos[REG_C] & (C_PERIODIC | C_ALARM | C_UPDATE)) !== 0;
  }

  private updateIrq(): void {
    this.options.irq.set(this.requested());
  }

  private expire(): void {
    this.collectFlags();
    this.updateIrq();
    this.rearm();
  }

  /** An interrupt that comes again and again waits to be read, so that it comes no more. */
  get rests(): boolean {
    return (this.s.cmos[REG_B] & this.s.cmos[REG_C] & (C_PERIODIC | C_UPDATE)) !== 0;
  }

  /** Timers run only for enabled interrupts; polled flags are worked out when they are read. */
  private rearm(): void {
    const s = this.s;
    const { clock } = this.options;
    const enabled = s.cmos[REG_B];
    const now = clock.now();
    const period = this.periodTicks();
    // A flag whose request waits already brings no further edge until register C is read, which comes here.
    const flagged = s.cmos[REG_C];
    if (enabled & B_PERIODIC && period > 0 && !(flagged & C_PERIODIC)) {
      const tick = (Math.floor(ticksOf(now, OSCILLATOR_HZ) / period) + 1) * period;
      this.periodicTimer.arm(timeOfTick(tick, OSCILLATOR_HZ));
    } else {
      this.periodicTimer.cancel();
    }
    const { seconds, ns } = this.time(now);
    let wait: number | undefined;
    if (!s.held && enabled & B_UPDATE && !(flagged & C_UPDATE)) {
      wait = 1;
    } else if (!s.held && enabled & B_ALARM) {
      const alarm = this.nextAlarm(seconds + 1, seconds + 86_400);
      if (alarm !== undefined) wait = alarm - seconds;
    }
    if (wait === undefined) this.secondTimer.cancel();
    else this.secondTimer.arm(now - ns + wait * SECOND);
  }

  /** CMOS bytes by which firmware and old guests learn the machine, at QEMU's places. */
  private firstContents(): Uint8Array {
    const { memoryBytes, vcpus, floppies = [], bootOrder = USUAL_BOOT_ORDER } = this.options;
    const cmos = new Uint8Array(128);
    const put16 = (index: number, value: number) => {
      cmos[index] = value & 0xff;
      cmos[index + 1] = value >> 8;
    };
    cmos[REG_A] = 0x26;
    cmos[REG_B] = B_24_HOURS;
    const [a = 0, b = 0] = floppies;
    cmos[0x10] = (a << 4) | b;
    // Equipment: FPU, 80x25 colour text, floppy drives and how many beyond the first.
    cmos[0x14] = 0x22 | (a ? 1 : 0) | (b ? 0x40 : 0);
    put16(0x15, 640);
    const low = lowRamEnd(memoryBytes);
    const extendedKib = Math.min((low - 0x100000) / 1024, 0xffff);
    put16(0x17, extendedKib);
    put16(0x30, extendedKib);
    put16(0x34, Math.min(Math.max((low - 0x1000000) / 0x10000, 0), 0xffff));
    const highUnits = (memoryBytes - low) / 0x10000;
    put16(0x5b, highUnits & 0xffff);
    cmos[0x5d] = highUnits >> 16;
    cmos[0x5f] = vcpus - 1;
    const [first = 0, second = 0, third = 0] = [...bootOrder].map((letter) => BOOT_NIBBLES.indexOf(letter) + 1);
    cmos[0x3d] = (second << 4) | first;
    // the low half: a floppy's boot sector is looked at before it is run
    cmos[0x38] = third << 4;
    return cmos;
  }

  save(): RtcState {
    return { ...this.s, periodicAt: this.periodicTimer.deadline, secondAt: this.secondTimer.deadline };
  }

  load({ periodicAt, secondAt, ...clock }: RtcState): void {
    this.s = clock;
    restoreTimer(this.periodicTimer, periodicAt);
    restoreTimer(this.secondTimer, secondAt);
  }

  describe(): [string, string][] {
    const { cmos, index } = this.s;
    const t = fromUnixSeconds(this.time().seconds);
    const two = (value: number) => String(value).padStart(2, '0');
    return [
      ['time', `${t.year}-${two(t.month)}-${two(t.day)} ${two(t.hour)}:${two(t.minute)}:${two(t.second)}`],
      ['index', hex(index)],
      ['A', hex(cmos[REG_A])],
      ['B', `${hex(cmos[REG_B])} ${bitNames(cmos[REG_B], ['DSE', '24h', 'binary', '', 'UIE', 'AIE', 'PIE', 'SET'])}`],
      ['C', hex(cmos[REG_C])],
    ];
  }
}
