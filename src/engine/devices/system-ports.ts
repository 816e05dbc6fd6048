/** The loose ends of a PC's board: ports 61h (timer 2, speaker, refresh), 80h (POST), 92h (fast A20 and reset). */
import { flag, record, type StateOf, u8 } from '../state/schema.js';
import { ticksOf } from '../time/clock.js';
import type { Clock, Device, PortDevice, PortRange } from './device.js';
import { hex } from './device-state.js';
import type { Pit8254 } from './pit-8254.js';

const TIMER_2_GATE = 0x01;
const SPEAKER = 0x02;
const REFRESH = 0x10;
const TIMER_2_OUT = 0x20;
const FAST_RESET = 0x01;
const FAST_A20 = 0x02;
/** The refresh bit changes with every DRAM refresh, every 15 us. */
const REFRESH_TOGGLE_HZ = 66_287;

/** The A20 line, which the keyboard controller and port 92h both drive. Open means that bit 20 passes. */
export class A20Gate {
  /** PCs start with the line open since their firmware opens it. */
  open = true;

  /** `changed` tells the VMM; x86-64 guests never need the line closed, so a VMM may ignore it. */
  constructor(private readonly changed: (open: boolean) => void = () => {}) {}

  set(open: boolean): void {
    if (this.open === open) return;
    this.open = open;
    this.changed(open);
  }
}

export interface SystemPortsOptions {
  clock: Clock;
  pit: Pit8254;
  a20: A20Gate;
  /** A guest reset through port 92h. */
  resetRequest(): void;
}

const STATE = record({ speaker: flag, post: u8, a20: flag });
type SystemPortsState = StateOf<typeof STATE>;

export class SystemPorts implements Device<SystemPortsState>, PortDevice {
  readonly name = 'board';
  readonly format = { kind: 'system-ports', version: 1, shape: STATE };
  readonly ports: readonly PortRange[] = [
    { first: 0x61, count: 1 },
    { first: 0x80, count: 1 },
    { first: 0x92, count: 1 },
    // The extra delay port that Linux and old BIOSes write to.
    { first: 0xed, count: 1 },
  ];
  readonly portWidth = 1;
  readonly latches = [0x80, 0xed];
  private speaker = false;
  private post = 0;

  constructor(private readonly options: SystemPortsOptions) {}

  reset(): void {
    this.speaker = false;
    this.post = 0;
    this.options.pit.setGate(2, false);
    this.options.a20.set(true);
  }

  portRead(port: number): number {
    const { pit, clock, a20 } = this.options;
    switch (port) {
      case 0x61: {
        const refresh = ticksOf(clock.now(), REFRESH_TOGGLE_HZ) & 1 ? REFRESH : 0;
        const gate = pit.gate(2) ? TIMER_2_GATE : 0;
        return gate | (this.speaker ? SPEAKER : 0) | refresh | (pit.output(2) ? TIMER_2_OUT : 0);
      }
      case 0x80:
        return this.post;
      case 0x92:
        return a20.open ? FAST_A20 : 0;
      default:
        return 0xff;
    }
  }

  portWrite(port: number, _bytes: number, value: number): void {
    const { pit, a20, resetRequest } = this.options;
    if (port === 0x61) {
      this.speaker = (value & SPEAKER) !== 0;
      pit.setGate(2, (value & TIMER_2_GATE) !== 0);
    } else if (port === 0x80) {
      this.post = value;
    } else if (port === 0x92) {
      a20.set((value & FAST_A20) !== 0);
      if (value & FAST_RESET) resetRequest();
    }
  }

  save(): SystemPortsState {
    return { speaker: this.speaker, post: this.post, a20: this.options.a20.open };
  }

  load({ speaker, post, a20 }: SystemPortsState): void {
    this.speaker = speaker;
    this.post = post;
    this.options.a20.set(a20);
  }

  describe(): [string, string][] {
    return [
      ['POST code', hex(this.post)],
      ['speaker', this.speaker ? 'on' : 'off'],
      ['A20', this.options.a20.open ? 'open' : 'closed'],
    ];
  }
}
