/** Routes I/O ports and guest-physical addresses to devices. */
import type { MmioDevice, PortDevice, SteadyAnswer } from './device.js';

const PORTS = 0x10000;
const ALL_ONES = [0, 0xff, 0xffff, 0xffffff, 0xffffffff];

/** The I/O port and MMIO map of a machine. Reads that no device claims answer all ones, such writes are dropped. */
export class Bus {
  /** 1 + index into `portDevices`; 0: nobody. */
  private readonly portOwner = new Uint16Array(PORTS);
  private readonly portDevices: PortDevice[] = [];
  /** Sorted by address. */
  private readonly mmioDevices: MmioDevice[] = [];
  /** Devices whose place the guest chooses. A fixed device that lies in the way goes first. */
  private movablePorts: readonly PortDevice[] = [];
  private movableMmio: readonly MmioDevice[] = [];
  /** A device inside the processor: it answers before all others, and its place may change. */
  private firstMmio: MmioDevice | undefined;

  /** Told when other devices answer at ports than before. */
  portsChanged: () => void = () => {};
  /** Told of each write to a device before it, while somebody looks for who asked it for something. */
  writes: ((device: string | undefined) => void) | undefined;

  /** @throws Error when a port of the device is taken or outside the 64 KiB port space. */
  addPorts(device: PortDevice): void {
    for (const { first, count } of device.ports) {
      if (first < 0 || count <= 0 || first + count > PORTS) {
        throw new Error(`ports 0x${first.toString(16)}+${count} are outside the port space`);
      }
      for (let port = first; port < first + count; port++) {
        if (this.portOwner[port] !== 0) throw new Error(`port 0x${port.toString(16)} is claimed twice`);
      }
    }
    this.portDevices.push(device);
    for (const { first, count } of device.ports) {
      this.portOwner.fill(this.portDevices.length, first, first + count);
    }
    this.portsChanged();
  }

  /** @throws Error when the range overlaps another device's. */
  addMmio(device: MmioDevice): void {
    const { gpa, bytes } = device.mmio;
    for (const other of this.mmioDevices) {
      if (gpa < other.mmio.gpa + other.mmio.bytes && other.mmio.gpa < gpa + bytes) {
        throw new Error(`MMIO at 0x${gpa.toString(16)}+0x${bytes.toString(16)} overlaps another device`);
      }
    }
    this.mmioDevices.push(device);
    this.mmioDevices.sort((a, b) => a.mmio.gpa - b.mmio.gpa);
  }

  /** All devices at ports that the guest chose; where two overlap the first one answers. */
  setMovablePorts(devices: readonly PortDevice[]): void {
    this.movablePorts = devices;
    this.portsChanged();
  }

  /** All devices at addresses that the guest chose. */
  setMovableMmio(devices: readonly MmioDevice[]): void {
    this.movableMmio = devices;
  }

  /** Value of an IN of 1, 2 or 4 bytes, unsigned. */
  portRead(port: number, bytes: number): number {
    const device = this.soleOwner(port, bytes);
    if (device !== undefined) return (device.portRead(port, bytes) & ALL_ONES[bytes]) >>> 0;
    if (bytes === 1) return 0xff;
    const half = bytes >> 1;
    const low = this.portRead(port, half);
    const high = this.portRead((port + half) & 0xffff, half);
    return (low | (high << (8 * half))) >>> 0;
  }

  portWrite(port: number, bytes: number, value: number): void {
    const device = this.soleOwner(port, bytes);
    if (device !== undefined) {
      this.writes?.(device.name);
      device.portWrite(port, bytes, (value & ALL_ONES[bytes]) >>> 0);
    } else if (bytes > 1) {
      const half = bytes >> 1;
      this.portWrite(port, half, value);
      this.portWrite((port + half) & 0xffff, half, value >>> (8 * half));
    }
  }

  /** Who minds when a byte's write comes late: a device that only keeps it, or nobody; undefined: the device. */
  lateWrites(port: number): 'latch' | 'nobody' | undefined {
    const device = this.soleOwner(port, 1);
    if (device === undefined) return 'nobody';
    return device.latches?.includes(port) ? 'latch' : undefined;
  }

  /** How a register goes on after a read; nobody's ports read as ones. */
  steadyPort(port: number, bytes: number): SteadyAnswer | undefined {
    return this.soleOwner(port, bytes)?.steadyPort?.(port, bytes);
  }

  steadyMmio(gpa: number, bytes: number): SteadyAnswer | undefined {
    const device = this.mmioAt(gpa);
    if (device?.steadyMmio === undefined || gpa + bytes > device.mmio.gpa + device.mmio.bytes) return undefined;
    return device.steadyMmio(gpa - device.mmio.gpa, bytes);
  }

  /** The device that takes this access whole; undefined when nobody does or when it must be cut in pieces. */
  private soleOwner(port: number, bytes: number): PortDevice | undefined {
    const owner = this.portOwner[port];
    if (owner === 0) return this.movablePorts.find(({ ports: [{ first, count }] }) => holds(first, count, port, bytes));
    const device = this.portDevices[owner - 1];
    if (bytes === 1) return device;
    if (bytes > (device.portWidth ?? 4)) return undefined;
    for (let next = port + 1; next < port + bytes; next++) {
      if (this.portOwner[next & 0xffff] !== owner) return undefined;
    }
    return device;
  }

  setFirstMmio(device: MmioDevice): void {
    this.firstMmio = device;
  }

  /** True when some device claims the byte at `gpa`. */
  hasMmio(gpa: number): boolean {
    return this.mmioAt(gpa) !== undefined;
  }

  /** Value of a load of 1 to 8 bytes. */
  mmioRead(gpa: number, bytes: number): bigint {
    const device = this.mmioAt(gpa);
    if (device !== undefined && gpa + bytes <= device.mmio.gpa + device.mmio.bytes) {
      return BigInt.asUintN(8 * bytes, device.mmioRead(gpa - device.mmio.gpa, bytes));
    }
    if (bytes === 1) return 0xffn;
    const low = bytes >> 1;
    return this.mmioRead(gpa, low) | (this.mmioRead(gpa + low, bytes - low) << BigInt(8 * low));
  }

  /** Value of a load of 1 to 4 bytes, unsigned. */
  mmioRead32(gpa: number, bytes: number): number {
    const device = this.mmioAt(gpa);
    if (device?.mmioRead32 === undefined) return Number(this.mmioRead(gpa, bytes));
    const { mmio } = device;
    if (gpa + bytes > mmio.gpa + mmio.bytes) return Number(this.mmioRead(gpa, bytes));
    return device.mmioRead32(gpa - mmio.gpa, bytes);
  }

  /** A store of 1 to 4 bytes. */
  mmioWrite32(gpa: number, bytes: number, value: number): void {
    const device = this.mmioAt(gpa);
    if (device?.mmioWrite32 === undefined) {
      this.mmioWrite(gpa, bytes, BigInt(value));
      return;
    }
    const { mmio } = device;
    if (gpa + bytes > mmio.gpa + mmio.bytes) this.mmioWrite(gpa, bytes, BigInt(value));
    else device.mmioWrite32(gpa - mmio.gpa, bytes, value);
  }

  /** What a load would answer, without its effects; undefined where no device answers or it cannot tell. */
  mmioPeek(gpa: number, bytes: number): bigint | undefined {
    const device = this.mmioAt(gpa);
    if (device?.mmioPeek === undefined || gpa + bytes > device.mmio.gpa + device.mmio.bytes) return undefined;
    return BigInt.asUintN(8 * bytes, device.mmioPeek(gpa - device.mmio.gpa, bytes));
  }

  mmioWrite(gpa: number, bytes: number, value: bigint): void {
    const device = this.mmioAt(gpa);
    if (device !== undefined && gpa + bytes <= device.mmio.gpa + device.mmio.bytes) {
      this.writes?.(device.name);
      device.mmioWrite(gpa - device.mmio.gpa, bytes, BigInt.asUintN(8 * bytes, value));
    } else if (bytes > 1) {
      const low = bytes >> 1;
      this.mmioWrite(gpa, low, value);
      this.mmioWrite(gpa + low, bytes - low, value >> BigInt(8 * low));
    }
  }

  private mmioAt(gpa: number): MmioDevice | undefined {
    const first = this.firstMmio?.mmio;
    if (first && holds(first.gpa, first.bytes, gpa, 1)) return this.firstMmio;
    for (const device of this.mmioDevices) {
      const { mmio } = device;
      if (gpa < mmio.gpa) break;
      if (gpa < mmio.gpa + mmio.bytes) return device;
    }
    return this.movableMmio.find(({ mmio }) => holds(mmio.gpa, mmio.bytes, gpa, 1));
  }

  /** All devices in guest-physical memory; where two overlap the first one of the list answers. */
  describeMmio(): MmioDevice[] {
    return [...(this.firstMmio ? [this.firstMmio] : []), ...this.mmioDevices, ...this.movableMmio];
  }

  /** Claimed port ranges, merged, in order. */
  describePorts(): { first: number; count: number; device: PortDevice }[] {
    const rows: { first: number; count: number; device: PortDevice }[] = [];
    for (const device of [...this.portDevices, ...this.movablePorts]) {
      for (const range of device.ports) rows.push({ ...range, device });
    }
    return rows.sort((a, b) => a.first - b.first);
  }
}

function holds(first: number, count: number, at: number, bytes: number): boolean {
  return at >= first && at + bytes <= first + count;
}
