/** 8254 programmable interval timer: three counters at 1.193182 MHz. @datasheet Intel 8254 */

import { flag, int, list, optional, record, type StateOf, time, u8 } from '../state/schema.js';
import { ticksOf, timeOfTick } from '../time/clock.js';
import type { Clock, Device, IrqLine, PortDevice, PortRange, Timer } from './device.js';
import { restoreTimer } from './device-state.js';

export const PIT_HZ = 1_193_182;

const ACCESS_LATCH = 0;
const ACCESS_LOW = 1;
const ACCESS_HIGH = 2;
const READ_BACK = 3;
const READ_BACK_NO_COUNT = 0x20;
const READ_BACK_NO_STATUS = 0x10;
const STATUS_OUT = 0x80;
const STATUS_NULL = 0x40;

const CHANNEL = record({
  mode: int(0, 7),
  bcd: flag,
  /** 1 low byte, 2 high byte, 3 low then high. */
  access: int(0, 3),
  gate: flag,
  /** Count that runs: 1 to 0x10000 (or 10000); 0 before the first one. */
  count: int(0, 0x10000),
  /** Tick at which `count` was loaded, moved on while the gate stops the counter. */
  start: time,
  /** Tick at which the gate stopped the counter; -1 while it runs. */
  stopped: time,
  /** Periodic modes: a count that replaces `count` at the end of the period. 0: none. */
  next: int(0, 0x10000),
  /** Tick at which `next` was written. */
  nextSince: time,
  /** Modes 1 and 5 count only after the gate's rising edge. */
  triggered: flag,
  writeLow: u8,
  writeHigh: flag,
  readHigh: flag,
  latch: list(u8, { atMost: 2 }),
  statusLatch: int(-1, 0xff),
});
type Channel = StateOf<typeof CHANNEL>;

const STATE = record({ channels: list(CHANNEL, 3), deadline: optional(time) });
type PitState = StateOf<typeof STATE>;

function channelReset(gate: boolean): Channel {
  return {
    mode: 3,
    bcd: false,
    access: 3,
    gate,
    count: 0,
    start: 0,
    stopped: -1,
    next: 0,
    nextSince: 0,
    triggered: false,
    writeLow: 0,
    writeHigh: false,
    readHigh: false,
    latch: [],
    statusLatch: -1,
  };
}

export class Pit8254 implements Device<PitState>, PortDevice {
  readonly name = 'pit';
  readonly format = { kind: 'pit-8254', version: 1, shape: STATE };
  readonly ports: readonly PortRange[] = [{ first: 0x40, count: 4 }];
  readonly portWidth = 1;
  private channels: Channel[] = [channelReset(true), channelReset(true), channelReset(false)];
  private readonly timer: Timer;

  /** `irq` is the output of counter 0. */
  constructor(
    private readonly clock: Clock,
    private readonly irq: IrqLine,
  ) {
    this.timer = clock.timer('pit counter 0', () => this.expire());
  }

  reset(): void {
    this.channels = [channelReset(true), channelReset(true), channelReset(false)];
    this.timer.cancel();
    this.irq.set(false);
  }

  /** Gate input; only counter 2's is wired (to bit 0 of port 61h). */
  setGate(index: number, high: boolean): void {
    const channel = this.channels[index];
    if (channel.gate === high) return;
    const now = this.ticks();
    this.settle(channel, now);
    channel.gate = high;
    if (channel.count === 0) return;
    const rising = high;
    switch (channel.mode) {
      case 1:
      case 5:
        if (!rising) break;
        this.takeNext(channel);
        channel.start = now;
        channel.triggered = true;
        break;
      case 2:
      case 3:
        if (rising) {
          this.takeNext(channel);
          channel.start = now;
          channel.stopped = -1;
        } else {
          channel.stopped = now;
        }
        break;
      default:
        if (rising && channel.stopped >= 0) {
          channel.start += now - channel.stopped;
          channel.stopped = -1;
        } else if (!rising) {
          channel.stopped = now;
        }
    }
    if (index === 0) this.rearm();
  }

  gate(index: number): boolean {
    return this.channels[index].gate;
  }

  /** Level of a counter's OUT pin now. */
  output(index: number): boolean {
    const channel = this.channels[index];
    const now = this.ticks();
    this.settle(channel, now);
    if (channel.count === 0) return channel.mode !== 0;
    const elapsed = this.elapsed(channel, now);
    switch (channel.mode) {
      case 0:
        return elapsed >= channel.count;
      case 1:
        return !channel.triggered || elapsed >= channel.count;
      case 2:
        return !channel.gate || elapsed % channel.count !== channel.count - 1;
      case 3:
        return !channel.gate || elapsed % channel.count < (channel.count + 1) >> 1;
      case 4:
        return elapsed !== channel.count;
      default:
        return !channel.triggered || elapsed !== channel.count;
    }
  }

  portRead(port: number): number {
    const channel = this.channels[port & 3];
    if (channel === undefined) return 0xff;
    if (channel.statusLatch >= 0) {
      const status = channel.statusLatch;
      channel.statusLatch = -1;
      return status;
    }
    if (channel.latch.length > 0) return channel.latch.shift()!;
    const value = this.readCount(channel);
    if (channel.access === ACCESS_LOW) return value & 0xff;
    if (channel.access === ACCESS_HIGH) return value >> 8;
    channel.readHigh = !channel.readHigh;
    return channel.readHigh ? value & 0xff : value >> 8;
  }

  portWrite(port: number, _bytes: number, value: number): void {
    const index = port & 3;
    if (index === 3) this.control(value);
    else this.writeCount(index, value);
  }

  private control(value: number): void {
    const select = value >> 6;
    if (select === READ_BACK) {
      for (const [i, channel] of this.channels.entries()) {
        if (!(value & (2 << i))) continue;
        if (!(value & READ_BACK_NO_STATUS)) this.latchStatus(i);
        if (!(value & READ_BACK_NO_COUNT)) this.latchCount(channel);
      }
      return;
    }
    const channel = this.channels[select];
    const access = (value >> 4) & 3;
    if (access === ACCESS_LATCH) {
      this.latchCount(channel);
      return;
    }
    const mode = (value >> 1) & 7;
    // The counter stops until a count is written; OUT goes to the mode's first level.
    Object.assign(channel, channelReset(channel.gate), {
      access,
      mode: mode > 5 ? mode - 4 : mode,
      bcd: (value & 1) !== 0,
    });
    if (select === 0) {
      this.timer.cancel();
      this.irq.set(channel.mode !== 0);
    }
  }

  private writeCount(index: number, value: number): void {
    const channel = this.channels[index];
    let raw: number;
    if (channel.access === ACCESS_LOW) raw = value;
    else if (channel.access === ACCESS_HIGH) raw = value << 8;
    else if (!channel.writeHigh) {
      channel.writeLow = value;
      channel.writeHigh = true;
      // In mode 0 the first byte of two stops the count.
      if (channel.mode === 0) {
        channel.count = 0;
        if (index === 0) {
          this.timer.cancel();
          this.irq.set(false);
        }
      }
      return;
    } else {
      raw = channel.writeLow | (value << 8);
      channel.writeHigh = false;
    }
    this.loadCount(index, channel.bcd ? fromBcd(raw) || 10000 : raw || 0x10000);
  }

  private loadCount(index: number, count: number): void {
    const channel = this.channels[index];
    const now = this.ticks();
    this.settle(channel, now);
    const periodic = channel.mode === 2 || channel.mode === 3;
    const waitsForTrigger = channel.mode === 1 || channel.mode === 5;
    if (channel.count !== 0 && ((periodic && channel.gate) || (waitsForTrigger && channel.triggered))) {
      channel.next = count;
      channel.nextSince = now;
    } else {
      channel.count = count;
      channel.start = now;
      channel.next = 0;
      channel.stopped = channel.gate || waitsForTrigger ? -1 : now;
      if (index === 0 && channel.mode === 0) this.irq.set(false);
    }
    // with the same time: on real time a short count may be over at the next look at the clock
    if (index === 0) this.rearm(now);
  }

  private takeNext(channel: Channel): void {
    if (channel.next === 0) return;
    channel.count = channel.next;
    channel.next = 0;
  }

  /** Takes over a new count whose period has begun since it was written. */
  private settle(channel: Channel, now: number): void {
    if (channel.next === 0 || channel.stopped >= 0 || (channel.mode !== 2 && channel.mode !== 3)) return;
    const periods = Math.floor((channel.nextSince - channel.start) / channel.count) + 1;
    const boundary = channel.start + periods * channel.count;
    if (now < boundary) return;
    channel.start = boundary;
    this.takeNext(channel);
  }

  private ticks(): number {
    return ticksOf(this.clock.now(), PIT_HZ);
  }

  private elapsed(channel: Channel, now: number): number {
    return (channel.stopped >= 0 ? channel.stopped : now) - channel.start;
  }

  /** The counting element as the guest reads it, in BCD when so programmed. */
  private readCount(channel: Channel): number {
    const now = this.ticks();
    this.settle(channel, now);
    const modulus = channel.bcd ? 10000 : 0x10000;
    const elapsed = this.elapsed(channel, now);
    let value: number;
    if (channel.count === 0) {
      value = 0;
    } else if (channel.mode === 2) {
      value = channel.count - (elapsed % channel.count);
    } else if (channel.mode === 3) {
      // Counts down by two, twice a period.
      const even = channel.count & ~1 || 2;
      value = even - ((2 * (elapsed % channel.count)) % even);
    } else if ((channel.mode === 1 || channel.mode === 5) && !channel.triggered) {
      value = channel.count;
    } else {
      value = (((channel.count - elapsed) % modulus) + modulus) % modulus;
    }
    value %= modulus;
    return channel.bcd ? toBcd(value) : value;
  }

  private latchCount(channel: Channel): void {
    if (channel.latch.length > 0) return;
    const value = this.readCount(channel);
    if (channel.access !== ACCESS_HIGH) channel.latch.push(value & 0xff);
    if (channel.access !== ACCESS_LOW) channel.latch.push(value >> 8);
  }

  private latchStatus(index: number): void {
    const channel = this.channels[index];
    if (channel.statusLatch >= 0) return;
    const out = this.output(index) ? STATUS_OUT : 0;
    const nullCount = channel.count === 0 || channel.next !== 0 ? STATUS_NULL : 0;
    channel.statusLatch = out | nullCount | (channel.access << 4) | (channel.mode << 1) | (channel.bcd ? 1 : 0);
  }

  /** Arms the timer for the next rising edge of counter 0's output: the only one that an interrupt needs. */
  private rearm(now = this.ticks()): void {
    const channel = this.channels[0];
    this.settle(channel, now);
    if (channel.count === 0 || !channel.gate) {
      this.timer.cancel();
      return;
    }
    const elapsed = now - channel.start;
    let edge: number;
    switch (channel.mode) {
      case 0:
        edge = channel.count;
        break;
      case 2:
      case 3:
        edge = (Math.floor(elapsed / channel.count) + 1) * channel.count;
        break;
      case 4:
        edge = channel.count + 1;
        break;
      default:
        // Modes 1 and 5 need a rising gate, and counter 0's gate is tied high.
        this.timer.cancel();
        return;
    }
    if (edge <= elapsed) this.timer.cancel();
    else this.timer.arm(timeOfTick(channel.start + edge, PIT_HZ));
  }

  private expire(): void {
    // Periods that passed unseen while nobody ran the timers melt into one edge, as on a masked wire.
    this.irq.set(false);
    this.irq.set(true);
    if (this.channels[0].mode === 0 || this.channels[0].mode === 4) return;
    // As firmware leaves it to a system that has another clock: an idle guest is not woken for what nobody takes.
    if (this.irq.ignoresPulse?.() !== true) this.rearm();
  }

  /** It runs, and nobody would notice its next edge. */
  get rests(): boolean {
    const { mode, count, gate } = this.channels[0];
    return (mode === 2 || mode === 3) && count !== 0 && gate && this.timer.deadline === undefined;
  }

  /** An edge of counter 0's output, which may have rested, would be noticed again. */
  heard(): void {
    if (this.timer.deadline === undefined) this.rearm();
  }

  save(): PitState {
    return { channels: this.channels, deadline: this.timer.deadline };
  }

  load({ channels, deadline }: PitState): void {
    this.channels = channels;
    restoreTimer(this.timer, deadline);
  }

  describe(): [string, string][] {
    return this.channels.map((channel, i) => {
      if (channel.count === 0) return [`counter ${i}`, `mode ${channel.mode}, no count`];
      const rate = (PIT_HZ / channel.count).toFixed(2);
      const gate = channel.gate ? '' : ', gate low';
      return [`counter ${i}`, `mode ${channel.mode}, count ${channel.count} (${rate} Hz)${gate}`];
    });
  }
}

function fromBcd(value: number): number {
  return (value & 15) + ((value >> 4) & 15) * 10 + ((value >> 8) & 15) * 100 + (value >> 12) * 1000;
}

function toBcd(value: number): number {
  return (
    (value % 10) |
    ((Math.floor(value / 10) % 10) << 4) |
    ((Math.floor(value / 100) % 10) << 8) |
    ((Math.floor(value / 1000) % 10) << 12)
  );
}
