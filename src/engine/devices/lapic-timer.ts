/** The local APIC's timer. Its bus clock is 1 GHz, one tick each nanosecond. @sdm 3A 10.5.4 "APIC Timer" */
import { flag, int, optional, record, type StateOf, time, u32, u64 } from '../state/schema.js';
import type { Clock, Nanoseconds, Timer } from './device.js';
import { restoreTimer } from './device-state.js';

const ONE_SHOT = 0;
const PERIODIC = 1;
const TSC_DEADLINE = 2;

/** How a processor's time stamp counter relates to virtual time. */
export interface TscView {
  /** Value of the counter now. */
  now(): bigint;
  /** Counter increments in a second. */
  readonly hz: number;
}

export const LAPIC_TIMER_STATE = record({
  mode: int(0, 3),
  divide: int(0, 0xb),
  initial: u32,
  /** Virtual time at which the count began. */
  start: time,
  /** The count had come to its end when the mode changed; only a new initial count starts it again. */
  stopped: flag,
  deadline: u64,
  armed: optional(time),
  /** This only shows a timer that runs elsewhere. */
  runsOutside: flag,
});
export type LapicTimerState = StateOf<typeof LAPIC_TIMER_STATE>;

export class LapicTimer {
  readonly timer: Timer;
  private s = powerOn();

  constructor(
    name: string,
    private readonly clock: Clock,
    private readonly tsc: TscView,
    private readonly fire: () => void,
  ) {
    this.timer = clock.timer(name, () => this.expire());
  }

  reset(): void {
    this.s = powerOn();
    this.timer.cancel();
  }

  get initialCount(): number {
    return this.s.initial;
  }

  get divide(): number {
    return this.s.divide;
  }

  get deadline(): bigint {
    return this.s.deadline;
  }

  /** Bits 17 and 18 of the LVT entry. Going to or from TSC-deadline mode disarms the timer. */
  setMode(mode: number): void {
    const { s } = this;
    if (mode === s.mode) return;
    const disarm = mode === TSC_DEADLINE || s.mode === TSC_DEADLINE;
    const left = this.currentCount();
    s.mode = mode;
    if (disarm) {
      s.initial = 0;
      s.deadline = 0n;
      this.timer.cancel();
    } else {
      // the count goes on from where it is, and one that has come to its end stays there
      s.stopped = left === 0;
      const now = this.clock.now();
      s.start = now - (s.initial - left) * this.divisor();
      this.arm(now);
    }
  }

  /** ns of a tick of the count; 0 where the count does not start it. */
  get countNs(): number {
    return this.s.mode <= PERIODIC ? this.divisor() : 0;
  }

  get takesDeadline(): boolean {
    return this.s.mode === TSC_DEADLINE;
  }

  // one look at the clock: on real time a short count may be over at the next one
  writeInitialCount(value: number, now = this.clock.now()): void {
    if (this.s.mode === TSC_DEADLINE) return;
    this.s.initial = value >>> 0;
    this.s.stopped = false;
    this.s.start = now;
    this.arm(now);
  }

  /** The running count goes on from its present value at the new rate. */
  writeDivide(value: number): void {
    const left = this.currentCount();
    this.s.divide = value & 0x0b;
    if (this.s.initial === 0 || this.s.mode === TSC_DEADLINE) return;
    const now = this.clock.now();
    this.s.start = now - (this.s.initial - left) * this.divisor();
    this.arm(now);
  }

  writeDeadline(value: bigint): void {
    const ticks = value - this.tsc.now();
    const wait = ticks <= 0n ? 0 : Math.ceil((Number(ticks) * 1e9) / this.tsc.hz);
    this.setDeadline(value, this.clock.now() + wait);
  }

  /** @param due when the counter has come to it */
  setDeadline(value: bigint, due: Nanoseconds): void {
    if (this.s.mode !== TSC_DEADLINE) return;
    this.s.deadline = value;
    if (value === 0n) this.timer.cancel();
    else this.timer.arm(due);
  }

  currentCount(): number {
    const { initial, mode, start } = this.s;
    if (initial === 0 || mode === TSC_DEADLINE || this.s.stopped) return 0;
    const elapsed = Math.floor((this.clock.now() - start) / this.divisor());
    if (mode === PERIODIC) return initial - (elapsed % initial);
    return Math.max(initial - elapsed, 0);
  }

  /** 000 is 2, then powers of two; 111 is 1. Bit 2 of the register does not exist. */
  private divisor(): number {
    const code = (this.s.divide & 3) | ((this.s.divide & 8) >> 1);
    return code === 7 ? 1 : 2 << code;
  }

  private arm(now: number): void {
    const { initial, mode, start } = this.s;
    const period = initial * this.divisor();
    if (initial === 0 || mode === TSC_DEADLINE || this.s.stopped) {
      this.timer.cancel();
    } else if (mode === PERIODIC) {
      this.timer.arm(start + (Math.floor((now - start) / period) + 1) * period);
    } else if (mode === ONE_SHOT && start + period > now) {
      this.timer.arm(start + period);
    } else {
      this.timer.cancel();
    }
  }

  private expire(): void {
    if (this.s.mode === TSC_DEADLINE) this.s.deadline = 0n;
    if (this.s.mode === PERIODIC) this.arm(this.clock.now());
    this.fire();
  }

  save(): LapicTimerState {
    return { ...this.s, armed: this.timer.deadline };
  }

  load({ armed, ...registers }: LapicTimerState): void {
    this.s = registers;
    restoreTimer(this.timer, armed);
  }

  describe(): string {
    const mode = ['one-shot', 'periodic', 'TSC-deadline', 'reserved'][this.s.mode];
    if (this.timer.deadline === undefined && !this.s.runsOutside) return `${mode}, stopped`;
    return this.s.mode === TSC_DEADLINE
      ? `${mode} ${this.s.deadline}`
      : `${mode} ${this.s.initial} / ${this.divisor()}`;
  }
}

function powerOn(): Omit<LapicTimerState, 'armed'> {
  return { mode: ONE_SHOT, divide: 0, initial: 0, start: 0, stopped: false, deadline: 0n, runsOutside: false };
}
