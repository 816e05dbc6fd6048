/** A small virtio driver: finds the structures by the capabilities, makes rings in memory, reads what comes back. */
import type { PciFunction } from '../../../src/engine/devices/pci/function.js';
import type { VirtioDevice } from '../../../src/engine/devices/virtio/device.js';
import { VirtioPci } from '../../../src/engine/devices/virtio/pci.js';
import { type PcRig, pcRig } from '../rig.js';

export const RAM_BYTES = 4 << 20;
const SLOT = 4;

export interface Part {
  bytes?: Uint8Array;
  /** A buffer that the device writes, of this length. */
  room?: number;
}

export interface Rig extends PcRig {
  ram: Uint8Array;
  card: PciFunction;
  released: [gpa: number, bytes: number][];
}

export function virtioRig(device: VirtioDevice): Rig & { virtio: VirtioPci } {
  const ram = new Uint8Array(RAM_BYTES);
  const released: [number, number][] = [];
  const check = (gpa: number, length: number) => {
    if (!(gpa >= 0 && length >= 0 && gpa + length <= RAM_BYTES))
      throw new RangeError(`0x${gpa.toString(16)}+${length}`);
  };
  const memory = {
    bytes: RAM_BYTES,
    read: (gpa: number, length: number) => {
      check(gpa, length);
      return ram.subarray(gpa, gpa + length);
    },
    write: (gpa: number, bytes: Uint8Array) => {
      check(gpa, bytes.length);
      ram.set(bytes, gpa);
    },
    release: (gpa: number, bytes: number) => {
      check(gpa, bytes);
      ram.fill(0, gpa, gpa + bytes);
      released.push([gpa, bytes]);
    },
  };
  const rig = pcRig({ memory });
  const virtio = new VirtioPci({ device: SLOT, function: 0 }, device, memory, rig.clock);
  rig.pc.addPci(virtio);
  // The local APIC takes fixed interrupts.
  rig.apicWrite(0xf0, 0x1ff);
  return { ...rig, ram, card: virtio, released, virtio };
}

export class Driver {
  readonly places = new Map<number, { bar: number; offset: number; length: number; at: number }>();
  private nextFree = 0x10000;
  private readonly rings: { desc: number; avail: number; used: number; size: number; next: number; seen: number }[] =
    [];

  constructor(readonly rig: Rig) {
    for (let at = this.config(0x34, 1); at !== 0; at = this.config(at + 1, 1)) {
      if (this.config(at, 1) !== 9) continue;
      const place = {
        bar: this.config(at + 4, 1),
        offset: this.config(at + 8, 4),
        length: this.config(at + 12, 4),
        at,
      };
      this.places.set(this.config(at + 3, 1), place);
    }
  }

  config(register: number, bytes: number): number {
    this.rig.out(0xcf8, (0x80000000 | (SLOT << 11) | (register & 0xfc)) >>> 0, 4);
    return this.rig.in(0xcfc + (register & 3), bytes);
  }

  setConfig(register: number, bytes: number, value: number): void {
    this.rig.out(0xcf8, (0x80000000 | (SLOT << 11) | (register & 0xfc)) >>> 0, 4);
    this.rig.out(0xcfc + (register & 3), value, bytes);
  }

  private address(structure: number, offset: number): number {
    const place = this.places.get(structure)!;
    const base = (this.config(0x10 + 4 * place.bar, 4) & ~15) >>> 0;
    return base + place.offset + offset;
  }

  read(structure: number, offset: number, bytes: number): number {
    return Number(this.rig.pc.bus.mmioRead(this.address(structure, offset), bytes));
  }

  write(structure: number, offset: number, bytes: number, value: number): void {
    this.rig.pc.bus.mmioWrite(this.address(structure, offset), bytes, BigInt(value >>> 0));
  }

  get status(): number {
    return this.read(1, 0x14, 1);
  }

  set status(value: number) {
    this.write(1, 0x14, 1, value);
  }

  offered(): bigint {
    this.write(1, 0, 4, 0);
    const low = BigInt(this.read(1, 4, 4));
    this.write(1, 0, 4, 1);
    return low | (BigInt(this.read(1, 4, 4)) << 32n);
  }

  accept(features: bigint): void {
    for (const select of [0, 1]) {
      this.write(1, 8, 4, select);
      this.write(1, 12, 4, Number((features >> BigInt(32 * select)) & 0xffffffffn));
    }
  }

  alloc(bytes: number, align = 16): number {
    const at = Math.ceil(this.nextFree / align) * align;
    this.nextFree = at + bytes;
    return at;
  }

  /** Resets, negotiates, makes the rings and starts the device. */
  start(features: bigint, size = 16): void {
    this.status = 0;
    this.status = 1;
    this.status = 3;
    this.accept(features);
    this.status = 11;
    this.rings.length = 0;
    const count = this.read(1, 0x12, 2);
    for (let queue = 0; queue < count; queue++) this.addRing(queue, size);
    this.status = 15;
  }

  addRing(queue: number, size: number): void {
    const desc = this.alloc(16 * size);
    const avail = this.alloc(6 + 2 * size, 2);
    const used = this.alloc(6 + 8 * size, 4);
    this.rig.ram.fill(0, desc, used + 6 + 8 * size);
    this.write(1, 0x16, 2, queue);
    this.write(1, 0x18, 2, size);
    for (const [offset, gpa] of [
      [0x20, desc],
      [0x28, avail],
      [0x30, used],
    ]) {
      this.write(1, offset, 4, gpa);
      this.write(1, offset + 4, 4, 0);
    }
    this.write(1, 0x1c, 2, 1);
    this.rings[queue] = { desc, avail, used, size, next: 0, seen: 0 };
  }

  ring(queue: number) {
    return this.rings[queue];
  }

  u16(gpa: number): number {
    return this.rig.ram[gpa] | (this.rig.ram[gpa + 1] << 8);
  }

  put(gpa: number, bytes: number, value: number): void {
    for (let i = 0; i < bytes; i++) this.rig.ram[gpa + i] = Math.floor(value / 2 ** (8 * i)) & 0xff;
  }

  descriptor(at: number, gpa: number, length: number, flags: number, next: number): void {
    this.put(at, 4, gpa % 2 ** 32);
    this.put(at + 4, 4, Math.floor(gpa / 2 ** 32));
    this.put(at + 8, 4, length);
    this.put(at + 12, 2, flags);
    this.put(at + 14, 2, next);
  }

  /** Places the parts in memory. @returns address, length and flags of each. */
  buffers(parts: Part[]): { gpa: number; length: number; flags: number }[] {
    return parts.map(({ bytes, room }) => {
      const length = bytes?.length ?? room!;
      const gpa = this.alloc(length, 1);
      if (bytes) this.rig.ram.set(bytes, gpa);
      return { gpa, length, flags: bytes ? 0 : 2 };
    });
  }

  /** Makes one request available from descriptor `head` on, without a notification. @returns the parts' addresses. */
  offer(queue: number, parts: Part[], head = 0): number[] {
    const ring = this.rings[queue];
    const placed = this.buffers(parts);
    for (const [i, { gpa, length, flags }] of placed.entries()) {
      const last = i === placed.length - 1;
      this.descriptor(ring.desc + 16 * (head + i), gpa, length, flags | (last ? 0 : 1), last ? 0 : head + i + 1);
    }
    this.available(queue, head);
    return placed.map(({ gpa }) => gpa);
  }

  available(queue: number, head: number): void {
    const ring = this.rings[queue];
    this.put(ring.avail + 4 + 2 * (ring.next % ring.size), 2, head);
    ring.next = (ring.next + 1) & 0xffff;
    this.put(ring.avail + 2, 2, ring.next);
  }

  notify(queue: number): void {
    this.write(2, 4 * queue, 2, queue);
  }

  /** Requests that came back since the last call. */
  used(queue: number): { head: number; written: number }[] {
    const ring = this.rings[queue];
    const out: { head: number; written: number }[] = [];
    const end = this.u16(ring.used + 2);
    for (; ring.seen !== end; ring.seen = (ring.seen + 1) & 0xffff) {
      const at = ring.used + 4 + 8 * (ring.seen % ring.size);
      out.push({ head: this.u16(at), written: this.u16(at + 4) | (this.u16(at + 6) << 16) });
    }
    return out;
  }

  /** Sends one request and answers what the device wrote. */
  request(queue: number, parts: Part[]): { written: number; data: Uint8Array } {
    const places = this.offer(queue, parts);
    this.notify(queue);
    const [{ written }] = this.used(queue);
    const data = parts.flatMap(({ room }, i) =>
      room === undefined ? [] : [...this.rig.ram.subarray(places[i], places[i] + room)],
    );
    return { written, data: Uint8Array.from(data) };
  }

  /** Routes configuration changes to vector 0 and queue n to vector n + 1, as CPU vectors 0x40 on. */
  enableMsix(): void {
    const queues = this.read(1, 0x12, 2);
    const table = (this.config(0x14, 4) & ~15) >>> 0;
    for (let vector = 0; vector <= queues; vector++) {
      for (const [word, value] of [0xfee00000, 0, 0x40 + vector, 0].entries()) {
        this.rig.pc.bus.mmioWrite(table + 16 * vector + 4 * word, 4, BigInt(value));
      }
    }
    let at = this.config(0x34, 1);
    while (this.config(at, 1) !== 0x11) at = this.config(at + 1, 1);
    this.setConfig(at + 2, 2, 0x8000);
    this.write(1, 0x10, 2, 0);
    for (let queue = 0; queue < queues; queue++) {
      this.write(1, 0x16, 2, queue);
      this.write(1, 0x1a, 2, queue + 1);
    }
  }

  /** The vector that waits at CPU 0, taken and ended; undefined for none. */
  interrupt(): number | undefined {
    if (!this.rig.pc.interruptPending(0)) return undefined;
    const vector = this.rig.pc.acknowledgeInterrupt(0);
    this.rig.apicWrite(0xb0, 0);
    return vector;
  }
}

export const VERSION_1 = 1n << 32n;
export const INDIRECT = 1n << 28n;
export const EVENT_INDEX = 1n << 29n;
