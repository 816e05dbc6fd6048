/** QEMU's isa-debug-exit: a write to port f4h ends the guest with status (value << 1) | 1. */
import { record } from '../state/schema.js';
import type { Device, PortDevice, PortRange } from './device.js';

export const DEBUG_EXIT_PORT = 0xf4;

export class DebugExit implements Device<object>, PortDevice {
  readonly name = 'debug-exit';
  readonly format = { kind: 'debug-exit', version: 1, shape: record({}) };
  readonly ports: readonly PortRange[] = [{ first: DEBUG_EXIT_PORT, count: 4 }];

  /** `end` gets the process status and the value that was written. */
  constructor(private readonly end: (status: number, value: number) => void) {}

  reset(): void {}

  portRead(): number {
    return 0;
  }

  portWrite(port: number, _bytes: number, value: number): void {
    // As in QEMU every port of the four counts, and the value is not moved to its byte.
    if (port >= DEBUG_EXIT_PORT) this.end(((value << 1) | 1) & 0xff, value);
  }

  save(): object {
    return {};
  }

  load(): void {}
}
