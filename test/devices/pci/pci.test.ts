import { beforeEach, describe, expect, it } from 'vitest';
import type { ShadowArea } from '../../../src/engine/devices/pci/chipset.js';
import { PciFunction } from '../../../src/engine/devices/pci/function.js';
import {
  CAPABILITY_MSI,
  CAPABILITY_MSIX,
  Msi,
  MsixTable,
  msixCapability,
} from '../../../src/engine/devices/pci/msix.js';
import { type PcRig, pcRig } from '../rig.js';

/** An I/O BAR, a 64-bit one with MSI-X and a 32-bit one. */
class TestCard extends PciFunction {
  readonly log: string[] = [];
  readonly msix = new MsixTable(3, 0x800, (address, data) => this.message(address, data));

  constructor(device: number) {
    super('test card', { device, function: 0 }, { vendor: 0x1234, device: 0x5678, classCode: 0x020000, pin: 1 });
    const region = (name: string) => ({
      read: (offset: number, bytes: number) => {
        this.log.push(`${name} read ${offset.toString(16)}/${bytes}`);
        return 0xa0 + offset;
      },
      write: (offset: number, bytes: number, value: number) => {
        this.log.push(`${name} write ${offset.toString(16)}/${bytes}=${value.toString(16)}`);
      },
    });
    this.bar(0, 'io', 0x20, region('io'));
    this.bar(1, 'memory', 0x1000, region('memory'));
    this.bar(2, 'memory64', 0x1000, this.msix, true);
    const at = this.capability(CAPABILITY_MSIX, msixCapability(3, 2, 0x800));
    this.open(at + 2, 2, 0xc000);
  }

  protected override configWritten(): void {
    this.msix.setControl(this.get(0x42, 2));
  }
}

let rig: PcRig;
let card: TestCard;
const config = (device: number, register: number) => {
  rig.out(0xcf8, (0x80000000 | (device << 11) | register) >>> 0, 4);
  return rig.in(0xcfc, 4);
};
const setConfig = (device: number, register: number, value: number, bytes = 4) => {
  rig.out(0xcf8, (0x80000000 | (device << 11) | (register & 0xfc)) >>> 0, 4);
  rig.out(0xcfc + (register & 3), value, bytes);
};

beforeEach(() => {
  rig = pcRig({ bios: false });
  card = new TestCard(5);
  rig.pc.addPci(card);
});

describe('expansion ROM', () => {
  const image = Uint8Array.from({ length: 5000 }, (_, i) => i & 0xff);

  it('is found by its size, and read where it is placed and both enables are on', () => {
    const withRom = new TestCard(6);
    withRom.putRom(image);
    rig.pc.addPci(withRom);
    setConfig(6, 0x30, 0xffffffff);
    expect(config(6, 0x30)).toBe(0xffffe001);
    setConfig(6, 0x30, 0xfe100000);
    const read = () => rig.pc.bus.mmioRead(0xfe100010, 4);
    expect(read()).toBe(0xffffffffn);
    setConfig(6, 0x30, 0xfe100001);
    expect(read()).toBe(0x13121110n);
    expect(rig.pc.bus.mmioRead(0xfe100000 + 4998, 4)).toBe(0xffff8786n);
    rig.pc.bus.mmioWrite(0xfe100010, 4, 0n);
    expect(read()).toBe(0x13121110n);
    setConfig(6, 0x04, 0, 2);
    expect(read()).toBe(0xffffffffn);
    expect(config(5, 0x30)).toBe(0);
    setConfig(5, 0x30, 0xffffffff);
    expect(config(5, 0x30)).toBe(0);
  });

  it('the window of a saved machine stays where the ROM is another one, or none', () => {
    const machine = (rom?: Uint8Array) => {
      const made = pcRig({
        bios: true,
        cards: [
          () => {
            const made = new TestCard(7);
            if (rom) made.putRom(rom);
            return made;
          },
        ],
      });
      rig = made;
      return made;
    };
    const first = machine(image);
    setConfig(7, 0x04, 2, 2);
    setConfig(7, 0x30, 0xfe200001);
    const saved = first.pc.save();
    const bare = machine();
    bare.pc.load(structuredClone(saved));
    expect([config(7, 0x30), bare.pc.bus.mmioRead(0xfe200000, 2)]).toEqual([0xfe200001, 0xffffn]);
    setConfig(7, 0x30, 0xffffffff);
    expect(config(7, 0x30)).toBe(0xffffe001);
    const larger = machine(new Uint8Array(20_000).fill(0x5a));
    larger.pc.load(structuredClone(saved));
    expect(larger.pc.bus.mmioRead(0xfe200000, 2)).toBe(0x5a5an);
    setConfig(7, 0x30, 0xffffffff);
    expect(config(7, 0x30)).toBe(0xffffe001);
  });
});

describe('PCI function', () => {
  it('is placed by firmware and answers at its addresses', () => {
    expect(config(5, 0x10)).toBe(0xc001);
    expect(config(5, 0x14)).toBe(0xfe000000);
    expect(config(5, 0x18)).toBe(0xfe00100c);
    expect(config(5, 0x3c) & 0xffff).toBe(0x0100 | 10);
    expect(rig.in(0xc004, 2)).toBe(0xa4);
    expect(rig.pc.bus.mmioRead(0xfe000010, 8)).toBe(0x000000b4_000000b0n);
    rig.pc.bus.mmioWrite(0xfe000020, 8, 0x1122334455667788n);
    expect(card.log).toEqual([
      'io read 4/2',
      'memory read 10/4',
      'memory read 14/4',
      'memory write 20/4=55667788',
      'memory write 24/4=11223344',
    ]);
  });

  it('tells BAR sizes, moves while mapped and vanishes when decoding is off', () => {
    setConfig(5, 0x10, 0xffffffff);
    expect(config(5, 0x10)).toBe(0xffffffe1);
    setConfig(5, 0x18, 0xffffffff);
    setConfig(5, 0x1c, 0xffffffff);
    expect([config(5, 0x18), config(5, 0x1c)]).toEqual([0xfffff00c, 0xffffffff]);
    setConfig(5, 0x10, 0xd000);
    expect(rig.in(0xc004)).toBe(0xff);
    expect(rig.in(0xd004)).toBe(0xa4);
    setConfig(5, 0x18, 0x10000000);
    setConfig(5, 0x1c, 0x12);
    rig.pc.bus.mmioWrite(0x12_1000_0008, 4, 0x55n);
    expect(rig.pc.bus.mmioRead(0x12_1000_0008, 4)).toBe(0x55n);
    setConfig(5, 4, 0, 2);
    expect(rig.in(0xd004)).toBe(0xff);
    expect(rig.pc.bus.hasMmio(0x12_1000_0008)).toBe(false);
  });

  it('leaves the board its own addresses', () => {
    setConfig(5, 0x14, 0xfee00000);
    expect(rig.apicRead(0x30) & 0xff).toBe(0x14);
    setConfig(5, 0x10, 0x40);
    rig.in(0x43);
    expect(card.log).toEqual([]);
  });

  it('interrupts by INTx through the PIRQ wires to the 8259 and to the I/O APIC', () => {
    // Device 5 pin A is PIRQA: ISA 10 by firmware, input 16 of the I/O APIC.
    rig.out(0x21, 0xfb);
    rig.out(0xa1, 0xfb);
    card.setIntx(true);
    expect(config(5, 4) & 0x00080000).toBe(0x00080000);
    expect(rig.pc.acknowledgeInterrupt(0)).toBe(0x72);
    rig.out(0xa0, 0x20);
    rig.out(0x20, 0x20);
    // Level-triggered: it stays until the card lets go.
    expect(rig.pc.interruptPending(0)).toBe(true);
    setConfig(5, 4, 0x407, 2);
    expect(rig.pc.interruptPending(0)).toBe(false);
    setConfig(5, 4, 0x007, 2);
    expect(rig.pc.interruptPending(0)).toBe(true);
    setConfig(1, 0x60, 0x80, 1);
    expect(rig.pc.interruptPending(0)).toBe(false);
    rig.apicWrite(0xf0, 0x1ff);
    rig.ioapicWrite(0x10 + 2 * 16, 0x8000 | 0x55);
    expect(rig.pc.acknowledgeInterrupt(0)).toBe(0x55);
    card.setIntx(false);
  });

  it('shares a wire: it stays high until the last one lets go', () => {
    const other = new TestCard(9);
    rig.pc.addPci(other);
    rig.ioapicWrite(0x10 + 2 * 16, 0x8000 | 0x55);
    card.setIntx(true);
    other.setIntx(true);
    card.setIntx(false);
    expect(rig.pc.acknowledgeInterrupt(0)).toBe(0x55);
    rig.apicWrite(0xb0, 0);
    expect(rig.pc.acknowledgeInterrupt(0)).toBe(0x55);
    other.setIntx(false);
    rig.apicWrite(0xb0, 0);
    expect(rig.pc.interruptPending(0)).toBe(false);
  });

  it('interrupts by MSI-X, keeps masked vectors pending and needs the bus master bit', () => {
    const entry = (vector: number, word: number, value: number) =>
      rig.pc.bus.mmioWrite(0xfe001000 + 16 * vector + 4 * word, 4, BigInt(value));
    entry(1, 0, 0xfee00000);
    entry(1, 2, 0x61);
    card.msix.signal(1);
    expect(rig.pc.interruptPending(0)).toBe(false);
    setConfig(5, 0x42, 0x8000, 2);
    card.msix.signal(1);
    expect(rig.pc.interruptPending(0)).toBe(false);
    expect(rig.pc.bus.mmioRead(0xfe001800, 8)).toBe(2n);
    entry(1, 3, 0);
    expect(rig.pc.acknowledgeInterrupt(0)).toBe(0x61);
    expect(rig.pc.bus.mmioRead(0xfe001800, 8)).toBe(0n);
    rig.apicWrite(0xb0, 0);
    setConfig(5, 4, 0x3, 2);
    card.msix.signal(1);
    expect(rig.pc.interruptPending(0)).toBe(false);
  });

  it('comes back from a snapshot with its addresses, its wire and its vectors', () => {
    setConfig(5, 0x10, 0xd000);
    rig.ioapicWrite(0x10 + 2 * 16, 0x8000 | 0x55);
    card.setIntx(true);
    const saved = structuredClone(rig.pc.save());
    const twin = pcRig({ bios: false });
    const twinCard = new TestCard(5);
    twin.pc.addPci(twinCard);
    twin.pc.load(saved);
    expect(twin.in(0xd004)).toBe(0xa4);
    expect(twin.pc.acknowledgeInterrupt(0)).toBe(0x55);
    twinCard.setIntx(false);
    twin.apicWrite(0xb0, 0);
    expect(twin.pc.interruptPending(0)).toBe(false);
  });
});

class MsiCard extends PciFunction {
  readonly msi: Msi;

  constructor() {
    super('MSI card', { device: 6, function: 0 }, { vendor: 0x1234, device: 0x5679, classCode: 0x020000 });
    const at = this.capability(CAPABILITY_MSI, Msi.BODY);
    for (const [i, mask] of Msi.WRITABLE.entries()) this.open(at + i, 1, mask);
    this.msi = new Msi(this.config, at, (address, data) => this.message(address, data));
  }
}

it('MSI writes the data that the guest put into configuration space', () => {
  const msiCard = new MsiCard();
  rig.pc.addPci(msiCard);
  setConfig(6, 4, 0x4, 2);
  setConfig(6, 0x44, 0xfee00003);
  setConfig(6, 0x4c, 0x62, 2);
  expect([config(6, 0x34) & 0xff, config(6, 0x40) & 0xff, config(6, 0x44)]).toEqual([0x40, 5, 0xfee00000]);
  msiCard.msi.signal();
  expect(rig.pc.interruptPending(0)).toBe(false);
  setConfig(6, 0x42, 0xffff, 2);
  expect(config(6, 0x40) >>> 16).toBe(0x0081);
  rig.apicWrite(0xf0, 0x1ff);
  msiCard.msi.signal();
  expect(rig.pc.acknowledgeInterrupt(0)).toBe(0x62);
});

describe('440FX', () => {
  it('tells where the firmware area goes, piece by piece', () => {
    const areas: ShadowArea[] = [];
    rig = pcRig({ bios: true, shadowChanged: (area) => areas.push(area) });
    setConfig(0, 0x59, 0x10, 1);
    setConfig(0, 0x5b, 0x23, 1);
    expect(areas).toEqual([
      { gpa: 0xf0000, bytes: 0x10000, readRam: true, writeRam: false },
      { gpa: 0xc8000, bytes: 0x4000, readRam: true, writeRam: true },
      { gpa: 0xcc000, bytes: 0x4000, readRam: false, writeRam: true },
    ]);
  });

  it('locks SMRAM until the next reset', () => {
    setConfig(0, 0x72, 0x4a, 1);
    expect((config(0, 0x70) >>> 16) & 0xff).toBe(0x4a);
    setConfig(0, 0x72, 0x1a, 1);
    setConfig(0, 0x72, 0x4a, 1);
    expect((config(0, 0x70) >>> 16) & 0xff).toBe(0x1a);
    rig.pc.reset();
    expect((config(0, 0x70) >>> 16) & 0xff).toBe(0x02);
  });
});
