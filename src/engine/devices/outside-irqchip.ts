/** Interrupt controllers that are not this program's: those of the host's kernel. */
import type { ApicMessage } from './apic-bus.js';
import type { Ioapic } from './ioapic.js';
import type { Lapic } from './lapic.js';
import type { Pic8259 } from './pic-8259.js';

/** The program's own controllers, which show what the outside ones hold and give them their state at power-on. */
export interface IrqchipModels {
  pic: Pic8259;
  ioapic: Ioapic;
  lapics: readonly Lapic[];
}

export interface OutsideIrqchip {
  /** `all`: every controller; `lapics`: the local APICs, while the 8259 pair and the I/O APIC are the program's own. */
  readonly extent: 'all' | 'lapics';
  attach(models: IrqchipModels): void;
  /** A wire to global system interrupt `gsi`; IRQ 0 is wired to pin 2 of the I/O APIC. */
  setLine(gsi: number, high: boolean): void;
  /** An interrupt message as devices and I/O APICs write it to FEExxxxxh. */
  message(address: number, data: number): void;
  /** The I/O APIC's redirection entries have changed. */
  routesChanged(): void;
  /** Brings the models up to date. */
  refresh(): void;
}

/** The write to memory that an interrupt message is. @sdm 3A 10.11 "Message Signalled Interrupts" */
export function asWrite({ vector, mode, level, logical, destination }: ApicMessage): { address: number; data: number } {
  return {
    address: (0xfee0_0000 | ((destination & 0xff) << 12) | (logical ? 4 : 0)) >>> 0,
    data: vector | (mode << 8) | 0x4000 | (level ? 0x8000 : 0),
  };
}
