import { describe, expect, it } from 'vitest';
import { cd, disk, ideRig, TestDisk } from './ide-rig.js';

const READY = 0x50;
const DATA = 0x58;
const CHECK = 0x51;

/** Sense key and code of the last packet that failed. */
function sense(rig: ReturnType<typeof ideRig>): [key: number, code: number] {
  rig.packet([0x03, 0, 0, 0, 18]);
  const [data] = rig.packetData();
  return [data[2], data[12]];
}

describe('a CD-ROM drive', () => {
  const disc = new TestDisk(80 * 4, true);
  const make = () => ideRig(disk(new TestDisk(300)), cd(disc));

  it('is told from a disk by its signature and identifies itself', () => {
    const rig = make();
    expect([rig.in(0x172), rig.in(0x174), rig.in(0x175)]).toEqual([1, 0x14, 0xeb]);
    rig.out(0x177, 0xec);
    expect(rig.in(0x177)).toBe(CHECK);
    expect([rig.in(0x171), rig.in(0x174), rig.in(0x175)]).toEqual([4, 0x14, 0xeb]);
    rig.out(0x177, 0xa1);
    expect(rig.wait(0x170)).toBe(DATA);
    const words = new DataView(rig.data(512, 0x170).buffer);
    expect(words.getUint16(0, true)).toBe(0x8580);
    expect(rig.irq15.edges).toBe(2);
  });

  it('asks for the packet, offers data, ends with an interrupt reason each', () => {
    const rig = make();
    rig.out(0x176, 0xa0);
    rig.out(0x174, 0xff, 0xff);
    rig.out(0x177, 0xa0);
    expect(rig.in(0x177)).toBe(DATA);
    expect(rig.in(0x172)).toBe(1);
    rig.feed(Uint8Array.of(0x12, 0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0), 0x170);
    expect(rig.wait(0x170)).toBe(DATA);
    expect(rig.in(0x172)).toBe(2);
    const [inquiry] = rig.packetData();
    expect([...inquiry.slice(0, 4)]).toEqual([5, 0x80, 0, 0x21]);
    expect(String.fromCharCode(...inquiry.slice(8))).toBe('QEMU    QEMU DVD-ROM    2.5+');
    expect(rig.in(0x172)).toBe(3);
    expect(rig.in(0x177)).toBe(READY);
    expect(rig.irq15.edges).toBe(2);
  });

  it.each([2048, 4096, 1000, 0xfffe])('reads blocks in pieces of at most %i bytes', (limit) => {
    const rig = make();
    expect(rig.packet([0x28, 0, 0, 0, 0, 70, 0, 0, 5], limit)).toBe(DATA);
    const pieces = rig.packetData();
    for (const piece of pieces) expect(piece.length).toBeLessThanOrEqual(limit);
    expect(Buffer.concat(pieces)).toEqual(Buffer.from(disc.sector(280, 20)));
    expect(rig.in(0x177)).toBe(READY);
  });

  it('reads by DMA', () => {
    const rig = make();
    const view = new DataView(rig.memory.buffer, 0x1000);
    view.setUint32(0, 0x4000, true);
    view.setUint32(4, 0x8000_0000 | 4096, true);
    rig.pci.bars[0].write(12, 4, 0x1000);
    rig.packet([0xa8, 0, 0, 0, 0, 3, 0, 0, 0, 2], 0, 1);
    rig.pci.bars[0].write(8, 1, 0x09);
    expect(rig.wait(0x170)).toBe(READY);
    expect(rig.memory.slice(0x4000, 0x5000)).toEqual(disc.sector(12, 8).slice());
    expect(rig.pci.bars[0].read(10, 1)).toBe(0x04);
  });

  it('tells capacity, contents, modes and events', () => {
    const rig = make();
    rig.packet([0x25]);
    expect([...rig.packetData()[0]]).toEqual([0, 0, 0, 79, 0, 0, 8, 0]);
    rig.packet([0x43, 2, 0, 0, 0, 0, 0, 0, 255]);
    expect([...rig.packetData()[0]]).toEqual([0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 2, 0, 0, 0x14, 0xaa, 0, 0, 0, 3, 5]);
    rig.packet([0x43, 0, 0, 0, 0, 0, 0xaa, 0, 255]);
    expect([...rig.packetData()[0]]).toEqual([0, 10, 1, 1, 0, 0x14, 0xaa, 0, 0, 0, 0, 80]);
    rig.packet([0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 255]);
    const [modes] = rig.packetData();
    expect([modes[1], modes[8], modes[9]]).toEqual([modes.length - 2, 0x2a, 18]);
    rig.packet([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8]);
    expect([...rig.packetData()[0]]).toEqual([0, 6, 4, 0x10, 0, 2, 0, 0]);
    expect(rig.packet([0x00])).toBe(READY);
    expect(sense(rig)).toEqual([0, 0]);
  });

  it('says why it refuses', () => {
    const rig = make();
    expect(rig.packet([0xfe])).toBe(CHECK);
    expect(rig.in(0x171)).toBe(0x54);
    expect(sense(rig)).toEqual([5, 0x20]);
    expect(rig.packet([0x28, 0, 0, 0, 0, 79, 0, 0, 2])).toBe(CHECK);
    expect(sense(rig)).toEqual([5, 0x21]);
    expect(rig.packet([0x5a, 0, 0x11, 0, 0, 0, 0, 0, 255])).toBe(CHECK);
    expect(sense(rig)).toEqual([5, 0x24]);
    const empty = ideRig(disk(new TestDisk(300)), cd(undefined));
    expect(empty.packet([0x00])).toBe(CHECK);
    expect(sense(empty)).toEqual([2, 0x3a]);
    const broken = new TestDisk(80, true);
    broken.broken = true;
    const scratched = ideRig(cd(broken));
    expect(scratched.packet([0x28, 0, 0, 0, 0, 1, 0, 0, 1])).toBe(CHECK);
    expect(sense(scratched)).toEqual([3, 0x11]);
  });

  it('goes on in the middle of a block after a snapshot', () => {
    const rig = make();
    rig.packet([0x28, 0, 0, 0, 0, 4, 0, 0, 2], 2048);
    const first = rig.data(1000, 0x170);
    const twin = make();
    twin.cables[1].load(structuredClone(rig.cables[1].save()));
    const rest = [twin.data(1048, 0x170), ...twin.packetData()];
    expect(Buffer.concat([first, ...rest])).toEqual(Buffer.from(disc.sector(16, 8)));
  });
});

describe('a CD-ROM drive whose disc is changed', () => {
  const first = new TestDisk(80 * 4, true);
  const second = new TestDisk(40 * 4, true);
  const shelf = { get: () => ({ store: second }) };
  const make = () => ideRig(disk(new TestDisk(300)), { ...cd(first), shelf });
  const drive = (rig: ReturnType<typeof ideRig>) => rig.cables[1].mediumDrives[0];
  const event = (rig: ReturnType<typeof ideRig>): number[] => {
    rig.packet([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8]);
    return [...rig.packetData()[0].slice(4, 6)];
  };

  it('tells that there was none, then that there is another, once each', () => {
    const rig = make();
    drive(rig).change('second.iso');
    expect(rig.packet([0x00])).toBe(CHECK);
    expect(sense(rig)).toEqual([2, 0x3a]);
    expect(rig.packet([0x00])).toBe(CHECK);
    expect(sense(rig)).toEqual([6, 0x28]);
    expect(rig.packet([0x00])).toBe(READY);
    expect(event(rig)).toEqual([2, 2]);
    expect(event(rig)).toEqual([0, 2]);
    rig.packet([0x25]);
    expect([...rig.packetData()[0]]).toEqual([0, 0, 0, 39, 0, 0, 8, 0]);
    rig.packet([0x28, 0, 0, 0, 0, 7, 0, 0, 1]);
    expect(Buffer.concat(rig.packetData())).toEqual(Buffer.from(second.sector(28, 4)));
  });

  it('stands open and empty once the disc is out, also in the middle of a read', () => {
    const rig = make();
    rig.packet([0x28, 0, 0, 0, 0, 4, 0, 0, 2], 2048);
    drive(rig).change(undefined);
    rig.data(2048, 0x170);
    rig.wait(0x170);
    expect(rig.in(0x177)).toBe(CHECK);
    expect(sense(rig)).toEqual([2, 0x3a]);
    expect(event(rig)).toEqual([3, 1]);
    expect(rig.packet([0x00])).toBe(CHECK);
    expect(sense(rig)).toEqual([2, 0x3a]);
  });

  it('moves its tray for the guest, and holds the disc while the guest says so', () => {
    const rig = make();
    rig.packet([0x1e, 0, 0, 0, 1]);
    expect(drive(rig).locked).toBe(true);
    expect(rig.packet([0x1b, 0, 0, 0, 2])).toBe(CHECK);
    expect(sense(rig)).toEqual([5, 0x53]);
    drive(rig).askForEjection();
    expect(event(rig)).toEqual([1, 2]);
    rig.packet([0x1e, 0, 0, 0, 0]);
    expect(rig.packet([0x1b, 0, 0, 0, 2])).toBe(READY);
    expect(event(rig)).toEqual([3, 3]);
    expect(rig.packet([0x00])).toBe(CHECK);
    expect(sense(rig)).toEqual([2, 0x3a]);
    expect(rig.packet([0x1b, 0, 0, 0, 3])).toBe(READY);
    expect(rig.packet([0x00])).toBe(CHECK);
    expect(sense(rig)).toEqual([6, 0x28]);
    expect(rig.packet([0x00])).toBe(READY);
  });

  it('has the disc of its state, and at another start the one that is in it', () => {
    const rig = make();
    const begun = structuredClone(rig.cables[1].save());
    drive(rig).change('second.iso');
    const twin = make();
    twin.cables[1].load(structuredClone(rig.cables[1].save()));
    for (let i = 0; i < 2; i++) twin.packet([0x00]);
    twin.packet([0x25]);
    expect(twin.packetData()[0][3]).toBe(39);
    twin.cables[1].load(structuredClone(begun));
    twin.packet([0x25]);
    expect(twin.packetData()[0][3]).toBe(79);
    rig.cables[1].load(rig.cables[1].beginAgain(structuredClone(begun)));
    rig.packet([0x25]);
    expect(rig.packetData()[0][3]).toBe(39);
  });
});
