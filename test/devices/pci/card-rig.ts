/** A PC with one PCI card at slot 4 of a machine of 4 MiB, driven as a guest drives it. */
import type { CardMaker } from '../../../src/engine/devices/pci/card.js';
import type { PciFunction } from '../../../src/engine/devices/pci/function.js';
import { type PcRig, pcRig } from '../rig.js';

export const RAM_BYTES = 4 << 20;
export const SLOT = 4;

export class CardRig {
  readonly ram = new Uint8Array(RAM_BYTES);
  readonly view = new DataView(this.ram.buffer);
  readonly pc: PcRig;
  readonly card: PciFunction;
  /** Accesses outside RAM. */
  outside = 0;

  constructor(make: CardMaker) {
    const check = (gpa: number, length: number) => {
      if (gpa >= 0 && length >= 0 && gpa + length <= RAM_BYTES) return;
      this.outside++;
      throw new RangeError(`0x${gpa.toString(16)}+${length}`);
    };
    const memory = {
      bytes: RAM_BYTES,
      read: (gpa: number, length: number) => {
        check(gpa, length);
        return this.ram.subarray(gpa, gpa + length);
      },
      write: (gpa: number, bytes: Uint8Array) => {
        check(gpa, bytes.length);
        this.ram.set(bytes, gpa);
      },
    };
    this.pc = pcRig({ memory });
    this.card = make({ place: { device: SLOT, function: 0 }, memory, clock: this.pc.clock });
    this.pc.pc.addPci(this.card);
  }

  config(register: number, bytes = 4): number {
    this.pc.out(0xcf8, (0x80000000 | (SLOT << 11) | (register & 0xfc)) >>> 0, 4);
    return this.pc.in(0xcfc + (register & 3), bytes);
  }

  setConfig(register: number, value: number, bytes = 4): void {
    this.pc.out(0xcf8, (0x80000000 | (SLOT << 11) | (register & 0xfc)) >>> 0, 4);
    this.pc.out(0xcfc + (register & 3), value, bytes);
  }

  base(bar: number): number {
    return this.card.barBase(this.card.bars.find(({ index }) => index === bar)!)!;
  }

  read(offset: number, { bar = 0, bytes = 4 } = {}): number {
    const base = this.base(bar);
    if (this.card.bars.find(({ index }) => index === bar)!.kind === 'io') return this.pc.in(base + offset, bytes);
    return Number(this.pc.pc.bus.mmioRead(base + offset, bytes));
  }

  write(offset: number, value: number, { bar = 0, bytes = 4 } = {}): void {
    const base = this.base(bar);
    if (this.card.bars.find(({ index }) => index === bar)!.kind === 'io') this.pc.out(base + offset, value, bytes);
    else this.pc.pc.bus.mmioWrite(base + offset, bytes, BigInt(value >>> 0));
  }

  /** Level of the card's INTx pin, by PCI's status register. */
  get interrupt(): boolean {
    return (this.config(6, 2) & 8) !== 0;
  }

  u64(gpa: number, value: number): void {
    this.view.setBigUint64(gpa, BigInt(value), true);
  }
}

/** Small random numbers, the same for a seed. */
export function random(seed: number) {
  let x = seed;
  return (below: number) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}
