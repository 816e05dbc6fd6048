/** Interrupt request wires: from a device to every interrupt controller that listens. */
import type { IrqLine } from './device.js';

/** Where a wire ends: an input pin of a controller. */
export interface IrqSink {
  setLine(pin: number, high: boolean): void;
  /** A pin that is high may fall and rise without any effect. */
  ignoresPulse?(pin: number): boolean;
}

/**
 * The ISA interrupt wires of a PC. IRQ n goes to pin n of the 8259 pair and to pin n of the IOAPIC, but IRQ0 goes
 * to IOAPIC pin 2, as the MADT's source override says. Pins 16 to 23 exist on the IOAPIC only.
 */
export class IrqRouter {
  /** How many wires hold each input high. */
  private readonly high: number[] = new Array(24).fill(0);
  private readonly wires: { irq: number; high: boolean }[] = [];
  /**
   * How often each input went high, for whoever debugs: no state of the machine, it begins anew where one is loaded.
   * Ticks of a timer while its request waits, which change nothing, count once.
   */
  readonly raised = new Float64Array(24);

  constructor(
    private readonly pic: IrqSink,
    private readonly ioapic: IrqSink,
  ) {}

  /** A wire to ISA interrupt (or global system interrupt, from 16 on) `irq`. Several wires to one input are OR-ed. */
  line(irq: number): IrqLine {
    if (irq < 0 || irq > 23 || irq === 2) throw new RangeError(`no interrupt wire ${irq}`);
    const wire = { irq, high: false };
    this.wires.push(wire);
    return { set: (high) => this.set(wire, high), ignoresPulse: () => wire.high && this.ignoresPulse(irq) };
  }

  /** Another wire holds the input high as well, or no controller would notice. */
  private ignoresPulse(irq: number): boolean {
    if (this.high[irq] > 1) return true;
    const pic = irq >= 16 || this.pic.ignoresPulse?.(irq) === true;
    return pic && this.ioapic.ignoresPulse?.(ioapicPin(irq)) === true;
  }

  private set(wire: { irq: number; high: boolean }, high: boolean): void {
    if (wire.high === high) return;
    const { irq } = wire;
    wire.high = high;
    this.high[irq] += high ? 1 : -1;
    if (this.high[irq] !== (high ? 1 : 0)) return;
    if (high) this.raised[irq]++;
    if (irq < 16) this.pic.setLine(irq, high);
    this.ioapic.setLine(ioapicPin(irq), high);
  }

  /** Level of each wire, in the order in which they were made. */
  save(): boolean[] {
    return this.wires.map((wire) => wire.high);
  }

  get count(): number {
    return this.wires.length;
  }

  load(levels: readonly boolean[]): void {
    this.high.fill(0);
    this.raised.fill(0);
    for (const [i, wire] of this.wires.entries()) {
      wire.high = levels[i];
      if (wire.high) this.high[wire.irq]++;
    }
  }
}

const ioapicPin = (irq: number): number => (irq === 0 ? 2 : irq);
