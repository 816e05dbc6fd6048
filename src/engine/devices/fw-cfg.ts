/**
 * QEMU's firmware configuration: a selector at port 510h and a data port at 511h that reads the chosen item byte by
 * byte, and a descriptor address at port 514h that has whole items copied to memory. Firmware and test kernels find
 * the size of memory and the number of processors here. @qemu docs/specs/fw_cfg
 */
import { count, record, type StateOf, u16, u32 } from '../state/schema.js';
import type { Device, GuestMemory, PortDevice, PortRange } from './device.js';
import { hex } from './device-state.js';

export const FW_CFG_SELECTOR = 0x510;
const FW_CFG_DATA = 0x511;
/** Address of a DMA descriptor, high half first, both big-endian: writing the low half starts it. */
const FW_CFG_DMA_HIGH = 0x514;
const FW_CFG_DMA_LOW = 0x518;

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
/** Interfaces that exist. */
const TRADITIONAL = 1;
const WITH_DMA = 2;
/** {control u32, length u32, address u64}, big-endian; the device leaves the control word 0, or `error`. */
const DMA_DESCRIPTOR_BYTES = 16;
const DMA = { error: 0x01, read: 0x02, skip: 0x04, select: 0x08, write: 0x10 } as const;
/** Bytes that are copied at a time. */
const DMA_PIECE = 2 ** 20;
/** What the DMA register reads as. */
const DMA_SIGNATURE = 'QEMU CFG';

export interface FwCfgOptions {
  memoryBytes: number;
  vcpus: number;
  /** Named items, which firmware finds by the directory. */
  files?: readonly FirmwareFile[];
  /** Where DMA goes; without it there is no DMA. */
  memory?: GuestMemory;
}

export interface FirmwareFile {
  name: string;
  /** Number of an item that is asked for by it, and is in no directory. */
  key?: number;
  bytes: Uint8Array;
}

const STATE = record({ key: u16, offset: count, dmaHigh: u32 });
type FwCfgState = StateOf<typeof STATE>;

export class FwCfg implements Device<FwCfgState>, PortDevice {
  readonly name = 'fw-cfg';
  readonly format = { kind: 'fw-cfg', version: 1, shape: STATE };
  readonly ports: readonly PortRange[] = [
    { first: FW_CFG_SELECTOR, count: 2 },
    { first: FW_CFG_DMA_HIGH, count: 8 },
  ];
  private readonly memory: GuestMemory | undefined;
  private readonly items = new Map<number, Uint8Array>();
  private key = 0;
  private offset = 0;
  private dmaHigh = 0;

  constructor({ memoryBytes, vcpus, files = [], memory }: FwCfgOptions) {
    this.memory = memory;
    this.items.set(SIGNATURE, new TextEncoder().encode('QEMU'));
    this.items.set(ID, integer(TRADITIONAL | (memory ? WITH_DMA : 0), 4));
    this.items.set(RAM_SIZE, integer(memoryBytes, 8));
    this.items.set(NO_GRAPHIC, integer(0, 2));
    this.items.set(CPUS, integer(vcpus, 2));
    this.items.set(BOOT_MENU, integer(0, 2));
    this.items.set(MAX_CPUS, integer(vcpus, 2));
    const named = files.filter(({ key }) => key === undefined);
    this.items.set(FILE_DIRECTORY, directory(named));
    for (const [n, { bytes }] of named.entries()) this.items.set(FILE_FIRST + n, bytes);
    for (const { key, bytes } of files) if (key !== undefined) this.items.set(key, bytes);
  }

  reset(): void {
    this.key = 0;
    this.offset = 0;
    this.dmaHigh = 0;
  }

  /** The selector cannot be read back; behind an item's end, and for unknown items, the data are zeros. */
  portRead(port: number, bytes: number): number {
    if (port >= FW_CFG_DMA_HIGH && this.memory) return signature(port - FW_CFG_DMA_HIGH, bytes);
    if (port !== FW_CFG_DATA || bytes !== 1) return 0;
    return this.items.get(this.key)?.[this.offset++] ?? 0;
  }

  portWrite(port: number, bytes: number, value: number): void {
    if (port === FW_CFG_SELECTOR && bytes === 2) this.select(value);
    else if (port === FW_CFG_DMA_HIGH && bytes === 4) this.dmaHigh = swapped(value);
    else if (port === FW_CFG_DMA_LOW && bytes === 4 && this.memory) {
      const gpa = this.dmaHigh * 2 ** 32 + swapped(value);
      this.dmaHigh = 0;
      this.dma(gpa, this.memory);
    }
  }

  private select(key: number): void {
    this.key = key & KEY_MASK;
    this.offset = 0;
  }

  /** Items cannot be written. A descriptor outside memory has nowhere to say so. */
  private dma(gpa: number, memory: GuestMemory): void {
    if (gpa + DMA_DESCRIPTOR_BYTES > memory.bytes) return;
    const descriptor = new DataView(memory.read(gpa, DMA_DESCRIPTOR_BYTES).slice().buffer);
    const control = descriptor.getUint32(0);
    const length = descriptor.getUint32(4);
    const target = Number(descriptor.getBigUint64(8));
    if ((control & DMA.select) !== 0) this.select(control >>> 16);
    let failed = false;
    if ((control & DMA.read) !== 0) {
      failed = target + length > memory.bytes;
      for (let done = 0; !failed && done < length; done += DMA_PIECE)
        memory.write(target + done, this.take(Math.min(DMA_PIECE, length - done)));
    } else if ((control & DMA.write) !== 0) failed = true;
    else if ((control & DMA.skip) !== 0) this.offset += length;
    memory.write(gpa, Uint8Array.of(0, 0, 0, failed ? DMA.error : 0));
  }

  /** The next bytes of the item, with zeros behind its end. */
  private take(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    const item = this.items.get(this.key) ?? bytes;
    bytes.set(item.subarray(Math.min(this.offset, item.length), this.offset + length));
    this.offset += length;
    return bytes;
  }

  save(): FwCfgState {
    return { key: this.key, offset: this.offset, dmaHigh: this.dmaHigh };
  }

  load({ key, offset, dmaHigh }: FwCfgState): void {
    this.key = key;
    this.offset = offset;
    this.dmaHigh = dmaHigh;
  }

  describe(): [string, string][] {
    return [
      ['item', hex(this.key, 4)],
      ['offset', String(this.offset)],
    ];
  }
}

function signature(from: number, bytes: number): number {
  let value = 0;
  for (let i = 0; i < bytes; i++) value |= DMA_SIGNATURE.charCodeAt(from + i) << (8 * i);
  return value >>> 0;
}

function swapped(value: number): number {
  return (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
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
