/** What a port tells its host: FISes in memory, bytes moved, causes of interrupts. @ahci 4.2.1 "Received FIS Structure" */
import type { TaskFile } from '../ide/drive.js';
import type { BusMaster } from '../pci/bus-master.js';
import { RECEIVED, registersFis } from './fis.js';
import type { OwnState } from './port-state.js';
import { CAUSE, CMD } from './registers.js';

export const HEADER_BYTES = 32;

export interface ReportOptions {
  bus: BusMaster;
  /** PxIS or PxIE changed. */
  interruptChanged(): void;
  /** The function may read and write memory. */
  mayMaster(): boolean;
}

export class Reports {
  constructor(
    private readonly options: ReportOptions,
    private readonly registers: () => OwnState['registers'],
  ) {}

  /** The drive's registers, which PxTFD shows from now on. */
  sendRegisters(file: TaskFile, interrupt: boolean): void {
    this.registers().tfd = file.status | (file.error << 8);
    this.post(RECEIVED.registers, registersFis(file, interrupt));
    if (interrupt) this.raise(CAUSE.registers);
  }

  post(place: number, fis: Uint8Array): void {
    const { fb, fbu, cmd } = this.registers();
    if (cmd & CMD.receive && this.options.mayMaster()) this.options.bus.write(fb + fbu * 2 ** 32 + place, fis);
  }

  /** PRDBC of a slot. */
  moved(slot: number, bytes: number): void {
    const count = new Uint8Array(4);
    new DataView(count.buffer).setUint32(0, bytes % 2 ** 32, true);
    const { clb, clbu } = this.registers();
    this.options.bus.write(clb + clbu * 2 ** 32 + slot * HEADER_BYTES + 4, count);
  }

  raise(causes: number): void {
    const r = this.registers();
    r.is = (r.is | causes) >>> 0;
    this.options.interruptChanged();
  }
}
