/** Interrupt messages between I/O APIC, local APICs and, later, message-signalled devices. */
import type { Lapic } from './lapic.js';

export const DELIVERY_FIXED = 0;
export const DELIVERY_LOWEST = 1;
export const DELIVERY_SMI = 2;
export const DELIVERY_NMI = 4;
export const DELIVERY_INIT = 5;
export const DELIVERY_STARTUP = 6;
export const DELIVERY_EXTINT = 7;

export interface ApicMessage {
  vector: number;
  /** One of the DELIVERY_* values. */
  mode: number;
  level: boolean;
  logical: boolean;
  destination: number;
}

export class ApicBus {
  readonly lapics: Lapic[] = [];

  /** Delivers to all local APICs that the destination names. @returns how many that were. */
  send(message: ApicMessage): number {
    return this.deliver(
      message,
      this.lapics.filter((lapic) => lapic.matches(message.destination, message.logical)),
    );
  }

  /** @sdm 3A 10.6.2.4 "Lowest Priority Delivery Mode": one of the targets, here the one that does the least. */
  deliver(message: ApicMessage, targets: readonly Lapic[]): number {
    if (message.mode !== DELIVERY_LOWEST) {
      for (const lapic of targets) lapic.accept(message);
      return targets.length;
    }
    let best: Lapic | undefined;
    for (const lapic of targets) {
      if (lapic.enabled && (best === undefined || lapic.processorPriority() < best.processorPriority())) best = lapic;
    }
    best?.accept({ ...message, mode: DELIVERY_FIXED });
    return best === undefined ? 0 : 1;
  }

  /** A message-signalled interrupt: a write of `data` to FEExxxxxh. @sdm 3A 10.11 "Message Signalled Interrupts" */
  messageSignalled(gpa: number, data: number): void {
    this.send({
      vector: data & 0xff,
      mode: (data >> 8) & 7,
      level: (data & 0x8000) !== 0,
      logical: (gpa & 4) !== 0,
      destination: (gpa >> 12) & 0xff,
    });
  }
}
