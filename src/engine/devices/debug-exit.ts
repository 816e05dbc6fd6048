/** QEMU's isa-debug-exit: a write to port f4h ends the guest with status (value << 1) | 1. */
import type { Device, DeviceState, PortDevice, PortRange } from './device.js';
import { expectState } from './device-state.js';

export const DEBUG_EXIT_PORT = 0xf4;

export class DebugExit implements Device, PortDevice {
  readonly name = 'debug-exit';
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

  save(): DeviceState {
    return { version: 1 };
  }

  load(state: DeviceState): void {
    expectState(this.name, 1, state);
  }
}
