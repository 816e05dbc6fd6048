/** High Precision Event Timer with three timers. @datasheet IA-PC HPET 1.0a */
import { flag, list, optional, record, type StateOf, time, u8, u64 } from '../state/schema.js';
import type { Clock, Device, IrqLine, MmioDevice, SteadyAnswer, Timer } from './device.js';
import { hex, restoreTimer } from './device-state.js';
import { HPET_BASE, HPET_PERIOD_FS } from './platform.js';

const TIMERS = 3;
const TICK_NS = HPET_PERIOD_FS / 1e6;
/** Revision 1, three timers, 64-bit counter, legacy replacement, vendor Intel. */
export const HPET_ID = 0x8086a201;

const CAPABILITIES = 0x000;
const CONFIG = 0x010;
const INTERRUPT_STATUS = 0x020;
const COUNTER = 0x0f0;
const FIRST_TIMER = 0x100;
const TIMER_STRIDE = 0x20;
const T_CONFIG = 0x00;
const T_COMPARATOR = 0x08;

const ENABLE = 1n;
const LEGACY = 2n;
const T_LEVEL = 1n << 1n;
const T_INTERRUPTS = 1n << 2n;
const T_PERIODIC = 1n << 3n;
const T_CAN_BE_PERIODIC = 1n << 4n;
const T_64_BIT = 1n << 5n;
const T_SET_VALUE = 1n << 6n;
const T_32_BIT_MODE = 1n << 8n;
const T_ROUTE_SHIFT = 9n;
const T_WRITABLE = T_LEVEL | T_INTERRUPTS | T_PERIODIC | T_SET_VALUE | T_32_BIT_MODE | (0x1fn << T_ROUTE_SHIFT);
/** Each timer may interrupt by inputs 20 to 23 of the I/O APIC. */
export const HPET_ROUTES: readonly number[] = [20, 21, 22, 23];
const T_ROUTES = HPET_ROUTES.reduce((mask, irq) => mask | (1n << BigInt(32 + irq)), 0n);

const TIMER = record({
  config: u64,
  comparator: u64,
  period: u64,
  /** What the counter was when the comparator was worked out, of a timer that has no alarm. */
  seen: u64,
  /** Level of the interrupt output. */
  high: flag,
  armed: optional(time),
});
type TimerState = StateOf<typeof TIMER>;

const STATE = record({
  config: u64,
  status: u8,
  /** The counter while it stands; while it runs, what it was at `since`. */
  counter: u64,
  since: time,
  timers: list(TIMER, TIMERS),
});
type HpetState = StateOf<typeof STATE>;

export interface HpetOptions {
  clock: Clock;
  /** A wire of its own to an interrupt input. */
  line(irq: number): IrqLine;
  /** Timers 0 and 1 take the places of the 8254 and of the clock chip, or give them back. */
  replaceLegacy(on: boolean): void;
}

export class Hpet implements Device<HpetState>, MmioDevice {
  readonly name = 'hpet';
  readonly format = { kind: 'hpet', version: 2, shape: STATE };
  readonly mmio = { gpa: HPET_BASE, bytes: 0x400 };
  private s = powerOn();
  private readonly alarms: Timer[];
  private readonly lines = new Map<string, IrqLine>();

  constructor(private readonly options: HpetOptions) {
    const { clock, line } = options;
    this.alarms = Array.from({ length: TIMERS }, (_, n) => clock.timer(`hpet ${n}`, () => this.expire(n)));
    for (let n = 0; n < TIMERS; n++) for (const irq of HPET_ROUTES) this.lines.set(`${n} ${irq}`, line(irq));
    this.lines.set('0 legacy', line(0));
    this.lines.set('1 legacy', line(8));
  }

  reset(): void {
    for (let n = 0; n < TIMERS; n++) this.drive(n, false);
    this.s = powerOn();
    for (const alarm of this.alarms) alarm.cancel();
    this.options.replaceLegacy(false);
  }

  private get running(): boolean {
    return (this.s.config & ENABLE) !== 0n;
  }

  private get legacy(): boolean {
    return (this.s.config & LEGACY) !== 0n;
  }

  /** Ticks of the running counter since it was written or started. */
  private ticks(): number {
    return this.running ? Math.floor((this.options.clock.now() - this.s.since) / TICK_NS) : 0;
  }

  private counter(): bigint {
    return BigInt.asUintN(64, this.s.counter + BigInt(this.ticks()));
  }

  // --- interrupts --------------------------------------------------------------------------------------------

  private lineOf(n: number): IrqLine | undefined {
    if (this.legacy && n < 2) return this.lines.get(`${n} legacy`);
    const irq = Number((this.s.timers[n].config >> T_ROUTE_SHIFT) & 0x1fn);
    return this.lines.get(`${n} ${irq}`);
  }

  private drive(n: number, high: boolean): void {
    this.s.timers[n].high = high;
    this.lineOf(n)?.set(high);
  }

  private expire(n: number): void {
    const timer = this.s.timers[n];
    if (timer.config & T_PERIODIC && timer.period > 0n) {
      timer.comparator = BigInt.asUintN(widthOf(timer), timer.comparator + timer.period);
    }
    this.arm(n);
    const level = (timer.config & T_LEVEL) !== 0n;
    if (level) this.s.status |= 1 << n;
    if (!(timer.config & T_INTERRUPTS)) return;
    this.drive(n, true);
    if (!level) this.drive(n, false);
  }

  private arm(n: number): void {
    const timer = this.s.timers[n];
    const counter = this.counter();
    if (!this.running || isUnheard(timer)) {
      timer.seen = counter;
      this.alarms[n].cancel();
      return;
    }
    const ticks = Number(wait(timer, counter));
    this.alarms[n].arm(this.s.since + Math.ceil((this.ticks() + ticks) * TICK_NS));
  }

  /** The comparator with what its matches have added: those of an unheard timer wake nobody, a guest that idles least of all. */
  private comparator(n: number): bigint {
    const timer = this.s.timers[n];
    if (!this.running || !isUnheard(timer) || !(timer.config & T_PERIODIC) || timer.period === 0n)
      return timer.comparator;
    const passed = BigInt.asUintN(64, this.counter() - timer.seen);
    const first = wait(timer, timer.seen);
    if (passed < first) return timer.comparator;
    const matches = 1n + (passed - first) / timer.period;
    return BigInt.asUintN(widthOf(timer), timer.comparator + matches * timer.period);
  }

  private catchUp(): void {
    for (let n = 0; n < TIMERS; n++) {
      this.s.timers[n].comparator = this.comparator(n);
      this.s.timers[n].seen = this.counter();
    }
  }

  // --- registers ---------------------------------------------------------------------------------------------

  mmioRead(offset: number, bytes: number): bigint {
    const value = this.readRegister(offset & ~7) >> BigInt(8 * (offset & 7));
    return BigInt.asUintN(8 * bytes, value);
  }

  private readRegister(offset: number): bigint {
    const { s } = this;
    switch (offset) {
      case CAPABILITIES:
        return (BigInt(HPET_PERIOD_FS) << 32n) | BigInt(HPET_ID);
      case CONFIG:
        return s.config;
      case INTERRUPT_STATUS:
        return BigInt(s.status);
      case COUNTER:
        return this.counter();
    }
    const n = Math.floor((offset - FIRST_TIMER) / TIMER_STRIDE);
    if (n < 0 || n >= TIMERS) return 0n;
    const timer = s.timers[n];
    const register = (offset - FIRST_TIMER) % TIMER_STRIDE;
    if (register === T_CONFIG) return timer.config | T_CAN_BE_PERIODIC | T_64_BIT | T_ROUTES;
    return register === T_COMPARATOR ? this.comparator(n) : 0n;
  }

  steadyMmio(offset: number, bytes: number): SteadyAnswer | undefined {
    const register = offset & ~7;
    if ((offset & 7) + bytes > 8) return undefined;
    if (register !== COUNTER) return register < FIRST_TIMER ? 'same' : undefined;
    if (!this.running) return 'same';
    const { counter, since } = this.s;
    return { count: 'ticks', value: counter, since, rate: TICK_NS, shift: 8 * (offset & 7), mask: 2n ** 64n - 1n };
  }

  /** Reads have no effects. */
  mmioPeek(offset: number, bytes: number): bigint {
    return this.mmioRead(offset, bytes);
  }

  mmioWrite(offset: number, bytes: number, value: bigint): void {
    if (bytes < 4) return;
    this.catchUp();
    const register = offset & ~7;
    const old = register === COUNTER ? this.counter() : this.readRegister(register);
    const shift = BigInt(8 * (offset & 7));
    const mask = ((1n << BigInt(8 * bytes)) - 1n) << shift;
    this.writeRegister(
      register,
      BigInt.asUintN(64, (old & ~mask) | ((value << shift) & mask)),
      (value << shift) & mask,
    );
  }

  /** `next` is the register with the write in it; `written` only what was written. */
  private writeRegister(offset: number, next: bigint, written: bigint): void {
    const { s } = this;
    switch (offset) {
      case CONFIG:
        this.writeConfig(next & 3n);
        return;
      case INTERRUPT_STATUS:
        for (let n = 0; n < TIMERS; n++) if ((written >> BigInt(n)) & 1n) this.acknowledge(n);
        return;
      case COUNTER:
        s.counter = next;
        s.since = this.options.clock.now();
        for (let n = 0; n < TIMERS; n++) this.arm(n);
        return;
    }
    const n = Math.floor((offset - FIRST_TIMER) / TIMER_STRIDE);
    if (n < 0 || n >= TIMERS) return;
    const register = (offset - FIRST_TIMER) % TIMER_STRIDE;
    if (register === T_CONFIG) this.writeTimerConfig(n, next & T_WRITABLE);
    else if (register === T_COMPARATOR) this.writeComparator(n, next);
  }

  private acknowledge(n: number): void {
    this.s.status &= ~(1 << n);
    if (this.s.timers[n].config & T_LEVEL) this.drive(n, false);
  }

  private writeConfig(config: bigint): void {
    const { s } = this;
    s.counter = this.counter();
    s.since = this.options.clock.now();
    for (let n = 0; n < TIMERS; n++) if (s.timers[n].high) this.drive(n, false);
    s.config = config;
    this.options.replaceLegacy(this.legacy);
    for (let n = 0; n < TIMERS; n++) this.arm(n);
  }

  private writeTimerConfig(n: number, config: bigint): void {
    const timer = this.s.timers[n];
    if (timer.high) this.drive(n, false);
    timer.config = config;
    if (config & T_32_BIT_MODE) {
      timer.comparator = BigInt.asUintN(32, timer.comparator);
      timer.period = BigInt.asUintN(32, timer.period);
    }
    this.arm(n);
  }

  /**
   * In periodic mode a write is the period; with T_SET_VALUE, which it uses up, it is the comparator as well.
   * Linux writes the first match with the bit set and then the period.
   */
  private writeComparator(n: number, written: bigint): void {
    const timer = this.s.timers[n];
    const value = timer.config & T_32_BIT_MODE ? BigInt.asUintN(32, written) : written;
    const periodic = (timer.config & T_PERIODIC) !== 0n;
    if (!periodic || timer.config & T_SET_VALUE) timer.comparator = value;
    if (periodic) timer.period = value;
    timer.config &= ~T_SET_VALUE;
    this.arm(n);
  }

  save(): HpetState {
    return { ...this.s, timers: this.s.timers.map((timer, n) => ({ ...timer, armed: this.alarms[n].deadline })) };
  }

  load(state: HpetState): void {
    this.s = state;
    for (const [n, alarm] of this.alarms.entries()) restoreTimer(alarm, state.timers[n].armed);
  }

  describe(): [string, string][] {
    const { s } = this;
    const timer = ({ config, period }: TimerState, n: number): [string, string] => [
      `timer ${n}`,
      `${config & T_INTERRUPTS ? 'interrupts' : 'silent'} at 0x${this.comparator(n).toString(16)}` +
        `${config & T_PERIODIC ? ` every ${period}` : ''}`,
    ];
    return [
      ['mode', `${this.running ? 'running' : 'stopped'}${this.legacy ? ', legacy replacement' : ''}`],
      ['counter', `0x${this.counter().toString(16)}`],
      ['status', hex(s.status)],
      ...s.timers.map(timer),
    ];
  }
}

/** No interrupt and no status bit comes of a match. */
function isUnheard({ config }: TimerState): boolean {
  return (config & (T_INTERRUPTS | T_LEVEL)) === 0n;
}

function widthOf({ config }: TimerState): number {
  return config & T_32_BIT_MODE ? 32 : 64;
}

/** Ticks from `counter` to the next match: equal has matched already, the next one is a whole turn away. */
function wait(timer: TimerState, counter: bigint): bigint {
  const width = widthOf(timer);
  return BigInt.asUintN(width, timer.comparator - counter) || 1n << BigInt(width);
}

function powerOn(): HpetState {
  const timer = (): TimerState => ({
    config: 0n,
    comparator: 0xffff_ffff_ffff_ffffn,
    period: 0n,
    seen: 0n,
    high: false,
    armed: undefined,
  });
  return { config: 0n, status: 0, counter: 0n, since: 0, timers: Array.from({ length: TIMERS }, timer) };
}
