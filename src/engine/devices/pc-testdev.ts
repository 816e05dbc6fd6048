/**
 * QEMU's pc-testdev, which tests of processors and hypervisors drive: ports that keep what is written, a piece of
 * device memory, and the interrupt wires by number.
 */
import { bytes, record, type StateOf } from '../state/schema.js';
import type { Device, IrqLine, MmioDevice, PortDevice, PortRange } from './device.js';
import { hex } from './device-state.js';

/** A register of 4 bytes for accesses of any size; the same byte by byte; a write to the one between has no effect here. */
const PORT_DATA = 0xe0;
const PORT_FLUSH = 0xe4;
const PORT_BYTES = 0xe8;
/** A write to 2000h + n sets interrupt wire n high or, with 0, low. */
const PORT_IRQ = 0x2000;
const WIRES = 24;

const MEMORY_GPA = 0xff000000;
const MEMORY_BYTES = 0x10000;

const STATE = record({ data: bytes(4), memory: bytes(MEMORY_BYTES) });
type PcTestdevState = StateOf<typeof STATE>;

export class PcTestdev implements Device<PcTestdevState>, PortDevice, MmioDevice {
  readonly name = 'pc-testdev';
  readonly format = { kind: 'pc-testdev', version: 1, shape: STATE };
  /** The debug console owns e9h where there is one, so the byte-wise register shows its first byte only. */
  readonly ports: readonly PortRange[] = [
    { first: PORT_DATA, count: 4 },
    { first: PORT_FLUSH, count: 4 },
    { first: PORT_BYTES, count: 1 },
    { first: PORT_IRQ, count: WIRES },
  ];
  readonly mmio = { gpa: MEMORY_GPA, bytes: MEMORY_BYTES };
  private readonly data = new Uint8Array(4);
  private readonly memory = new Uint8Array(MEMORY_BYTES);

  /** `wires` by number; undefined where the machine has none. */
  constructor(private readonly wires: readonly (IrqLine | undefined)[]) {}

  reset(): void {
    this.data.fill(0);
    this.memory.fill(0);
    for (const wire of this.wires) wire?.set(false);
  }

  portRead(port: number, bytes: number): number {
    if (port === PORT_BYTES) return this.data[0];
    if (port < PORT_DATA || port + bytes > PORT_FLUSH) return 0;
    let value = 0;
    for (let n = 0; n < bytes; n++) value |= this.data[port - PORT_DATA + n] << (8 * n);
    return value >>> 0;
  }

  portWrite(port: number, bytes: number, value: number): void {
    if (port >= PORT_IRQ) this.wires[port - PORT_IRQ]?.set(value !== 0);
    else if (port === PORT_BYTES) this.data[0] = value;
    else if (port + bytes <= PORT_FLUSH) {
      for (let n = 0; n < bytes; n++) this.data[port - PORT_DATA + n] = value >>> (8 * n);
    }
  }

  mmioRead(offset: number, bytes: number): bigint {
    let value = 0n;
    for (let n = bytes - 1; n >= 0; n--) value = (value << 8n) | BigInt(this.memory[offset + n]);
    return value;
  }

  /** Reads have no effects. */
  mmioPeek(offset: number, bytes: number): bigint {
    return this.mmioRead(offset, bytes);
  }

  mmioWrite(offset: number, bytes: number, value: bigint): void {
    for (let n = 0; n < bytes; n++) this.memory[offset + n] = Number((value >> BigInt(8 * n)) & 0xffn);
  }

  save(): PcTestdevState {
    return { data: this.data, memory: this.memory };
  }

  load({ data, memory }: PcTestdevState): void {
    this.data.set(data);
    this.memory.set(memory);
  }

  describe(): [string, string][] {
    return [['data', hex(new DataView(this.data.buffer).getUint32(0, true), 8)]];
  }
}
