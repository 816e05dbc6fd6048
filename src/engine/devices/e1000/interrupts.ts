/** Causes, mask and throttling of the 82540EM's one interrupt. @8254x 13.4.17 to 13.4.21 */
import { flag, optional, record, type StateOf, time } from '../../state/schema.js';
import type { Clock, Timer } from '../device.js';
import { restoreTimer } from '../device-state.js';
import { ICR, IMS, ITR, type Registers } from './registers.js';

/** Before power-on, further than ITR reaches. */
const LONG_AGO = -1e9;
/** Unit of ITR. */
const INTERVAL_NS = 256;

const STATE = record({ high: flag, lastRise: time, risesAt: optional(time) });
type InterruptState = StateOf<typeof STATE>;

export class Interrupts {
  readonly shape = STATE;
  private high = false;
  /** When the line rose last. */
  private lastRise = LONG_AGO;
  private readonly timer: Timer;

  constructor(
    name: string,
    private readonly registers: Registers,
    private readonly clock: Clock,
    private readonly setLine: (high: boolean) => void,
  ) {
    this.timer = clock.timer(`${name} interrupt`, () => this.update());
    this.lastRise = LONG_AGO;
  }

  reset(): void {
    this.timer.cancel();
    this.lastRise = LONG_AGO;
    this.lower();
  }

  raise(causes: number): void {
    this.registers.set(ICR, this.registers.get(ICR) | causes);
    this.update();
  }

  /** Clears causes, or bits of the mask, or sets those. */
  clear(causes: number): void {
    this.registers.set(ICR, this.registers.get(ICR) & ~causes);
    this.update();
  }

  changeMask(set: number, clear: number): void {
    this.registers.set(IMS, (this.registers.get(IMS) | set) & ~clear);
    this.update();
  }

  private update(): void {
    const pending = (this.registers.get(ICR) & this.registers.get(IMS)) !== 0;
    if (!pending) {
      this.timer.cancel();
      this.lower();
      return;
    }
    if (this.high) return;
    const earliest = this.lastRise + this.registers.get(ITR) * INTERVAL_NS;
    const now = this.clock.now();
    if (now < earliest) {
      if (this.timer.deadline === undefined) this.timer.arm(earliest);
      return;
    }
    this.timer.cancel();
    this.lastRise = now;
    this.high = true;
    this.setLine(true);
  }

  private lower(): void {
    if (!this.high) return;
    this.high = false;
    this.setLine(false);
  }

  save(): InterruptState {
    return { high: this.high, lastRise: this.lastRise, risesAt: this.timer.deadline };
  }

  load({ high, lastRise, risesAt }: InterruptState): void {
    this.high = high;
    this.lastRise = lastRise;
    restoreTimer(this.timer, risesAt);
  }
}
