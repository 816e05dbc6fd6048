/**
 * The debug console of Bochs and QEMU: bytes written to port e9h go to the host, reading answers e9h. SeaBIOS
 * writes to port 402h.
 */
import { record } from '../state/schema.js';
import type { Device, PortDevice, PortRange } from './device.js';

export const DEBUGCON_PORT = 0xe9;
const SEABIOS_PORT = 0x402;

export class Debugcon implements Device<object>, PortDevice {
  readonly name = 'debugcon';
  readonly format = { kind: 'debugcon', version: 1, shape: record({}) };
  readonly ports: readonly PortRange[] = [
    { first: DEBUGCON_PORT, count: 1 },
    { first: SEABIOS_PORT, count: 1 },
  ];
  readonly portWidth = 1;

  constructor(private readonly output: (byte: number) => void) {}

  reset(): void {}

  portRead(): number {
    return DEBUGCON_PORT;
  }

  portWrite(_port: number, _bytes: number, value: number): void {
    this.output(value);
  }

  save(): object {
    return {};
  }

  load(): void {}
}
