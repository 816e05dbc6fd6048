import type { GuestMemory } from '../../devices/device.js';

/** Guest RAM from GPA 0. */
export class RamAccess implements GuestMemory {
  constructor(private readonly ram: Uint8Array) {}

  get bytes(): number {
    return this.ram.length;
  }

  read(gpa: number, length: number): Uint8Array {
    this.check(gpa, length);
    return this.ram.subarray(gpa, gpa + length);
  }

  write(gpa: number, bytes: Uint8Array): void {
    this.check(gpa, bytes.length);
    this.ram.set(bytes, gpa);
  }

  private check(gpa: number, length: number): void {
    if (gpa >= 0 && length >= 0 && gpa + length <= this.ram.length) return;
    throw new RangeError(`guest-physical 0x${gpa.toString(16)} + ${length} is outside RAM of ${this.ram.length} bytes`);
  }
}
