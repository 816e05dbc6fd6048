/**
 * How a PC hears of x87 errors where CR0.NE is 0: the processor's FERR# raises IRQ 13, and a write to port F0h takes the
 * request back and asserts IGNNE#, under which the handler may use the FPU with the error still there.
 * @sdm 1 D.2.1 "MS-DOS* Compatibility Sub-mode"
 */
import { flag, record, type StateOf } from '../state/schema.js';
import type { Device, IrqLine, PortDevice, PortRange } from './device.js';

export interface FpuErrorOptions {
  /** IRQ 13. */
  irq: IrqLine;
  /** The handler of IRQ 13 has not ended the interrupt yet. */
  inService(): boolean;
}

const STATE = record({ requested: flag, ignored: flag });
type FpuErrorState = StateOf<typeof STATE>;

export class FpuError implements Device<FpuErrorState>, PortDevice {
  readonly name = 'fpu-error';
  readonly format = { kind: 'fpu-error', version: 1, shape: STATE };
  /** F0h clears the request; F1h reset the 80287 and does nothing since. */
  readonly ports: readonly PortRange[] = [{ first: 0xf0, count: 2 }];
  readonly portWidth = 1;
  private requested = false;
  private ignored = false;

  constructor(private readonly options: FpuErrorOptions) {}

  reset(): void {
    this.requested = false;
    this.ignored = false;
    this.options.irq.set(false);
  }

  /** An instruction met an error: true where it is to go on regardless, otherwise IRQ 13 is requested and it waits. */
  report(): boolean {
    // what ends IGNNE# is FNCLEX, which nobody sees: it counts for the handler that asked for it
    if (this.ignored && this.options.inService()) return true;
    this.ignored = false;
    this.requested = true;
    this.options.irq.set(true);
    return false;
  }

  portRead(): number {
    return 0xff;
  }

  portWrite(port: number): void {
    if (port !== 0xf0 || !this.requested) return;
    this.requested = false;
    this.ignored = true;
    this.options.irq.set(false);
  }

  save(): FpuErrorState {
    return { requested: this.requested, ignored: this.ignored };
  }

  load({ requested, ignored }: FpuErrorState): void {
    this.requested = requested;
    this.ignored = ignored;
  }

  describe(): [string, string][] {
    return [['x87 error', this.requested ? 'IRQ 13 requested' : this.ignored ? 'ignored (IGNNE#)' : '-']];
  }
}
