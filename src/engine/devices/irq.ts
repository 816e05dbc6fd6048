/** Interrupt request wires: from a device to every interrupt controller that listens. */
import type { IrqLine } from './device.js';

/** Where a wire ends: an input pin of a controller. */
export interface IrqSink {
  setLine(pin: number, high: boolean): void;
}

/**
 * The ISA interrupt wires of a PC. IRQ n goes to pin n of the 8259 pair and to pin n of the IOAPIC, but IRQ0 goes
 * to IOAPIC pin 2, as the MADT's source override says. Pins 16 to 23 exist on the IOAPIC only.
 */
export class IrqRouter {
  private readonly levels: boolean[] = new Array(24).fill(false);

  constructor(
    private readonly pic: IrqSink,
    private readonly ioapic: IrqSink,
  ) {}

  /** The wire of ISA interrupt (or global system interrupt, from 16 on) `irq`. */
  line(irq: number): IrqLine {
    if (irq < 0 || irq > 23 || irq === 2) throw new RangeError(`no interrupt wire ${irq}`);
    return { set: (high) => this.set(irq, high) };
  }

  private set(irq: number, high: boolean): void {
    if (this.levels[irq] === high) return;
    this.levels[irq] = high;
    if (irq < 16) this.pic.setLine(irq, high);
    this.ioapic.setLine(irq === 0 ? 2 : irq, high);
  }

  save(): boolean[] {
    return [...this.levels];
  }

  load(levels: readonly boolean[]): void {
    for (let irq = 0; irq < this.levels.length; irq++) this.levels[irq] = levels[irq];
  }
}
