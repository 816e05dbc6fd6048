import type { GuestMemory } from './guest-memory.js';

/** A range that a debugger watches. */
export interface DeviceWatch {
  id: number;
  access: 'read' | 'write' | 'access';
  /** Where its bytes are now, piece by piece; `offset` is from its first byte. */
  pieces(): Iterable<{ gpa: number; bytes: number; offset: number }>;
  /** Its first byte, as the debugger named it. */
  address: bigint;
}

export interface DeviceHit {
  id: number;
  access: 'read' | 'write';
  address: bigint;
  length: number;
  before: Uint8Array;
  after: Uint8Array;
  /** Name of the device. */
  device?: string;
}

/** Guest memory as devices reach it by DMA; tells of accesses to what a debugger watches. */
export class DeviceView implements GuestMemory {
  watches: readonly DeviceWatch[] = [];
  /** The guest runs: what happens is its devices' doing, not an observer's. */
  live = false;
  /** The first access that hit one, until it is taken. */
  hit: DeviceHit | undefined;
  readonly release: NonNullable<GuestMemory['release']> | undefined;
  /** The device whose access is under way. */
  device: string | undefined;
  /** Told of each access of a device, while somebody looks for it. */
  accesses: ((gpa: number, bytes: number, access: 'read' | 'write') => void) | undefined;

  constructor(
    private readonly memory: GuestMemory,
    /** Called at a hit: the run is to stop soon. */
    private readonly noticed: () => void,
  ) {
    if (memory.release) {
      this.release = (gpa, bytes) => {
        if (this.live && this.watches.length > 0) this.look(gpa, bytes, 'write', new Uint8Array(0));
        memory.release!(gpa, bytes);
      };
    }
  }

  get bytes(): number {
    return this.memory.bytes;
  }

  /** The same for the device of that name. */
  of(device: string): GuestMemory {
    return new OneDevice(this, device);
  }

  read(gpa: number, length: number): Uint8Array {
    this.accesses?.(gpa, length, 'read');
    const bytes = this.memory.read(gpa, length);
    if (this.live && this.watches.length > 0) this.look(gpa, length, 'read', bytes);
    return bytes;
  }

  write(gpa: number, bytes: Uint8Array): void {
    this.accesses?.(gpa, bytes.length, 'write');
    if (this.live && this.watches.length > 0) this.look(gpa, bytes.length, 'write', bytes);
    this.memory.write(gpa, bytes);
  }

  /** @param data what is there afterwards; zeros where it is shorter */
  private look(gpa: number, length: number, access: 'read' | 'write', data: Uint8Array): void {
    if (this.hit || gpa < 0 || gpa + length > this.bytes) return;
    for (const watch of this.watches) {
      if (watch.access !== 'access' && watch.access !== access) continue;
      for (const { gpa: first, bytes, offset } of watch.pieces()) {
        const from = Math.max(gpa, first);
        const to = Math.min(gpa + length, first + bytes);
        if (from >= to) continue;
        const before = this.memory.read(from, to - from).slice();
        const after = new Uint8Array(to - from);
        after.set(data.subarray(from - gpa, to - gpa));
        const address = watch.address + BigInt(offset + from - first);
        const { device } = this;
        this.hit = {
          ...{ id: watch.id, access, address, length: to - from, before, after },
          ...(device === undefined ? {} : { device }),
        };
        this.noticed();
        return;
      }
    }
  }
}

/** Guest memory as one device reaches it. */
class OneDevice implements GuestMemory {
  readonly release: GuestMemory['release'];

  constructor(
    private readonly view: DeviceView,
    private readonly name: string,
  ) {
    if (view.release) this.release = (gpa, bytes) => this.as(() => view.release!(gpa, bytes));
  }

  get bytes(): number {
    return this.view.bytes;
  }

  read(gpa: number, length: number): Uint8Array {
    return this.as(() => this.view.read(gpa, length));
  }

  write(gpa: number, bytes: Uint8Array): void {
    this.as(() => this.view.write(gpa, bytes));
  }

  private as<T>(access: () => T): T {
    this.view.device = this.name;
    try {
      return access();
    } finally {
      this.view.device = undefined;
    }
  }
}
