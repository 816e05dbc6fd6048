/**
 * Where there is no BIOS, its interrupts do nothing: their routines (boot/bios-data.ts) write the vector to this port and return.
 * So who looks at a guest that prints nothing learns what it called.
 */
import { list, record, type StateOf, u8 } from '../state/schema.js';
import type { Device, PortDevice, PortRange } from './device.js';

/** Port of the panics of Bochs's BIOS: nothing else is there. */
export const UNSERVED_PORT = 0x400;

const STATE = record({ vectors: list(u8, { atMost: 256 }) });

export class UnservedInterrupts implements Device<StateOf<typeof STATE>>, PortDevice {
  readonly name = 'unserved-interrupts';
  readonly format = { kind: 'unserved-interrupts', version: 1, shape: STATE };
  readonly ports: readonly PortRange[] = [{ first: UNSERVED_PORT, count: 1 }];
  readonly portWidth = 1;
  #vectors = new Set<number>();

  /** Vectors that the guest has called, in the order of the first calls. */
  get vectors(): readonly number[] {
    return [...this.#vectors];
  }

  reset(): void {
    this.#vectors.clear();
  }

  /** As where no device is. */
  portRead(): number {
    return 0xff;
  }

  portWrite(_port: number, _bytes: number, value: number): void {
    this.#vectors.add(value);
  }

  save(): StateOf<typeof STATE> {
    return { vectors: [...this.#vectors] };
  }

  load({ vectors }: StateOf<typeof STATE>): void {
    this.#vectors = new Set(vectors);
  }

  describe(): [string, string][] {
    const names = this.vectors.map((vector) => `${vector.toString(16).padStart(2, '0')}h`);
    return [['called', names.length === 0 ? 'none' : names.join(' ')]];
  }
}
