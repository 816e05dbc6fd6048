/**
 * QEMU's firmware configuration: a selector at port 510h and a data port at 511h that reads the chosen item byte by
 * byte. Firmware and test kernels find the size of memory and the number of processors here.
 */
import type { Device, DeviceState, PortDevice, PortRange } from './device.js';
import { expectState, hex } from './device-state.js';

export const FW_CFG_SELECTOR = 0x510;
const FW_CFG_DATA = 0x511;

const SIGNATURE = 0x00;
const ID = 0x01;
const RAM_SIZE = 0x03;
const NO_GRAPHIC = 0x04;
const CPUS = 0x05;
const BOOT_MENU = 0x0e;
const MAX_CPUS = 0x0f;
const FILE_DIRECTORY = 0x19;
const FILE_FIRST = 0x20;
const FILE_NAME_BYTES = 56;
const FILE_ENTRY_BYTES = 64;
/** Bit 14 chose a channel for writing in old machines; it has no effect. */
const KEY_MASK = 0xbfff;
/** Of the interface: the traditional one, without DMA. */
const TRADITIONAL = 1;

export interface FwCfgOptions {
  memoryBytes: number;
  vcpus: number;
  /** Named items, which firmware finds by the directory. */
  files?: readonly { name: string; bytes: Uint8Array }[];
}

interface State extends Record<string, unknown> {
  version: 1;
  key: number;
  offset: number;
}

export class FwCfg implements Device, PortDevice {
  readonly name = 'fw-cfg';
  readonly ports: readonly PortRange[] = [{ first: FW_CFG_SELECTOR, count: 2 }];
  private readonly items = new Map<number, Uint8Array>();
  private key = 0;
  private offset = 0;

  constructor({ memoryBytes, vcpus, files = [] }: FwCfgOptions) {
    this.items.set(SIGNATURE, new TextEncoder().encode('QEMU'));
    this.items.set(ID, integer(TRADITIONAL, 4));
    this.items.set(RAM_SIZE, integer(memoryBytes, 8));
    this.items.set(NO_GRAPHIC, integer(0, 2));
    this.items.set(CPUS, integer(vcpus, 2));
    this.items.set(BOOT_MENU, integer(0, 2));
    this.items.set(MAX_CPUS, integer(vcpus, 2));
    this.items.set(FILE_DIRECTORY, directory(files));
    for (const [n, { bytes }] of files.entries()) this.items.set(FILE_FIRST + n, bytes);
  }

  reset(): void {
    this.key = 0;
    this.offset = 0;
  }

  /** The selector cannot be read back; behind an item's end, and for unknown items, the data are zeros. */
  portRead(port: number, bytes: number): number {
    if (port !== FW_CFG_DATA || bytes !== 1) return 0;
    return this.items.get(this.key)?.[this.offset++] ?? 0;
  }

  portWrite(port: number, bytes: number, value: number): void {
    if (port !== FW_CFG_SELECTOR || bytes !== 2) return;
    this.key = value & KEY_MASK;
    this.offset = 0;
  }

  save(): DeviceState {
    return { version: 1, key: this.key, offset: this.offset } satisfies State;
  }

  load(state: DeviceState): void {
    const { key, offset } = expectState<State>(this.name, 1, state);
    this.key = key;
    this.offset = offset;
  }

  describe(): [string, string][] {
    return [
      ['item', hex(this.key, 4)],
      ['offset', String(this.offset)],
    ];
  }
}

/** Little-endian, as all items but the directory are. */
function integer(value: number, bytes: number): Uint8Array {
  const item = new DataView(new ArrayBuffer(8));
  item.setBigUint64(0, BigInt(value), true);
  return new Uint8Array(item.buffer, 0, bytes);
}

/** Big-endian: {count u32}, then {bytes u32, key u16, 0 u16, name} for each file. */
function directory(files: readonly { name: string; bytes: Uint8Array }[]): Uint8Array {
  const item = new DataView(new ArrayBuffer(4 + files.length * FILE_ENTRY_BYTES));
  item.setUint32(0, files.length);
  for (const [n, { name, bytes }] of files.entries()) {
    const at = 4 + n * FILE_ENTRY_BYTES;
    const text = new TextEncoder().encode(name);
    if (text.length >= FILE_NAME_BYTES) throw new RangeError(`name of firmware file is too long: ${name}`);
    item.setUint32(at, bytes.length);
    item.setUint16(at + 4, FILE_FIRST + n);
    new Uint8Array(item.buffer).set(text, at + 8);
  }
  return new Uint8Array(item.buffer);
}
