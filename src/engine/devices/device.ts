/**
 * What a device knows: its places on the bus, its interrupt line and a clock; nothing else.
 * Everything here is deterministic: time is virtual and host input arrives through the journal.
 */
import type { Stateful } from '../state/saved.js';
import type { Nanoseconds } from '../time/virtual-time.js';
import type { MediumDrive } from './medium-bay.js';

/** An interrupt request line into the PIC or IOAPIC. Level-held; an edge is a low-to-high change. */
export interface IrqLine {
  set(high: boolean): void;
  /**
   * The wire is high, and were it to fall and rise at once, nothing would change: its request waits already, or nobody
   * listens. Absent: nobody can tell. Who pulses it may rest until `Pc` says that somebody listens again.
   */
  ignoresPulse?(): boolean;
}

export interface PortRange {
  first: number;
  count: number;
}

/**
 * How a register goes on whose last read had no effects and whose next has none, while nobody else touches its device and none of
 * its timers fires: it has the same value; or (`value` + what has been counted) >> `shift` & `mask`, of ticks of `rate` ns since
 * `since`, or of the cycles of a clock of `rate` Hz since power-on.
 */
export type SteadyAnswer =
  | 'same'
  | {
      readonly count: 'ticks' | 'cycles';
      readonly value?: bigint;
      readonly since?: Nanoseconds;
      readonly rate: number;
      readonly shift: number;
      readonly mask: bigint;
    };

/** A device on the I/O port bus. Values are unsigned; `bytes` is 1, 2 or 4. */
export interface PortDevice {
  readonly name?: string;
  readonly ports: readonly PortRange[];
  /** Widest access the device decodes (default 4): the bus cuts wider ones into pieces of this size. */
  readonly portWidth?: 1 | 2 | 4;
  /** Ports whose writes are seen by reads of them and by observers alone: they may come late. */
  readonly latches?: readonly number[];
  portRead(port: number, bytes: number): number;
  portWrite(port: number, bytes: number, value: number): void;
  /** Of a register that was read, before it is read again. */
  steadyPort?(port: number, bytes: number): SteadyAnswer | undefined;
}

/** A device in guest-physical memory. `offset` counts from the start of its range; `bytes` is 1 to 8. */
export interface MmioDevice {
  readonly name?: string;
  readonly mmio: { readonly gpa: number; readonly bytes: number };
  mmioRead(offset: number, bytes: number): bigint;
  mmioWrite(offset: number, bytes: number, value: bigint): void;
  /** The same for at most 4 bytes, without the cost of a bigint: for registers that guests touch all the time. */
  mmioRead32?(offset: number, bytes: number): number;
  mmioWrite32?(offset: number, bytes: number, value: number): void;
  /** What a read would answer, without its effects; absent: nobody can tell without them. */
  mmioPeek?(offset: number, bytes: number): bigint;
  /** Of a register that was read, before it is read again. */
  steadyMmio?(offset: number, bytes: number): SteadyAnswer | undefined;
}

/** A chip or card, with state of its own; its name is for example `serial0`. */
export interface Device<S = unknown> extends Stateful<S> {
  /** RESET# at whatever time: where the machine begins anew, its state at power-on is loaded instead. */
  reset(): void;
  /**
   * What the machine's beginning anew leaves, of the state at power-on, which may be changed in place: what a battery
   * keeps, and what waits at the host. Absent: that state itself.
   */
  beginAgain?(powerOn: S): S;
  /** Of those, its drives whose medium can be changed. */
  readonly mediumDrives?: readonly MediumDrive[];
  /** Rows for the devices view: register or field, value. */
  describe?(): [string, string][];
}

export type { GuestMemory } from '../memory/guest-memory.js';
export type { GuestEnd } from '../state/guest-end.js';
export type { Clock, Nanoseconds, Timer } from '../time/virtual-time.js';
