/** The RTL8139C as hobby drivers use it. */
import { describe, expect, it, test } from 'vitest';
import { Rtl8139 } from '../../src/engine/devices/rtl8139/nic.js';
import { named, requireTool } from '../tools.js';
import { CardRig, random } from './pci/card-rig.js';
import { NetEnd } from './pci/net-end.js';
import { type Access, onQemu } from './pci/qemu-card.js';

const MAC = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);
const [TSD, TSAD, RBSTART, CR, CAPR, CBR, IMR, ISR, RCR] = [0x10, 0x20, 0x30, 0x37, 0x38, 0x3a, 0x3c, 0x3e, 0x44];
const [RING, BUFFER] = [0x100000, 0x200000];
const EVERYONE = new Uint8Array(6).fill(0xff);

function frameTo(mac: Uint8Array, bytes: number): Uint8Array {
  const frame = new Uint8Array(bytes).map((_, i) => (i * 5) & 0xff);
  frame.set(mac);
  return frame;
}

function started(config = 0x8f) {
  const net = new NetEnd();
  const rig = new CardRig((slot) => new Rtl8139(slot, { name: 'net0', mac: MAC, backend: net }));
  const read = (at: number, bytes: 1 | 2 | 4) => rig.read(at, { bytes });
  const write = (at: number, bytes: 1 | 2 | 4, value: number) => rig.write(at, value, { bytes });
  // as the OSDev wiki has it
  write(0x52, 1, 0);
  write(CR, 1, 0x10);
  expect(read(CR, 1) & 0x10).toBe(0);
  write(RBSTART, 4, RING);
  write(IMR, 2, 0x5);
  write(RCR, 4, config);
  write(CR, 1, 0x0c);
  return { rig, net, read, write };
}

describe('RTL8139', () => {
  it('is found by its identity and tells its address by registers and EEPROM', () => {
    const { rig, read, write } = started();
    expect([rig.config(0), rig.base(0) > 0, rig.base(1) > 0]).toEqual([0x813910ec, true, true]);
    expect([0, 1, 2, 3, 4, 5].map((at) => read(at, 1))).toEqual([...MAC]);
    expect([rig.read(0, { bar: 1 }), rig.read(4, { bar: 1 }) & 0xffff]).toEqual([0x12005452, 0x5634]);
    const wires = (bits: number) => write(0x50, 1, 0x80 | bits);
    const clock = (bit: number) => {
      wires(8 | (bit << 1));
      wires(12 | (bit << 1));
      return read(0x50, 1) & 1;
    };
    const word = (at: number) => {
      wires(0);
      for (const bit of [1, 1, 0, ...[5, 4, 3, 2, 1, 0].map((n) => (at >> n) & 1)]) clock(bit);
      return Array.from({ length: 16 }, () => clock(0)).reduce((value, bit) => value * 2 + bit, 0);
    };
    expect([0, 7, 8, 9].map(word)).toEqual([0x8129, 0x5452, 0x1200, 0x5634]);
  });

  it('sends by its four descriptors and interrupts', () => {
    const { rig, net, read, write } = started();
    for (let round = 0; round < 2; round++)
      for (let i = 0; i < 4; i++) {
        const frame = frameTo(EVERYONE, 60 + i);
        rig.ram.set(frame, BUFFER + 2048 * i);
        write(TSAD + 4 * i, 4, BUFFER + 2048 * i);
        expect(read(TSD + 4 * i, 4) & 0x2000).toBe(0x2000);
        write(TSD + 4 * i, 4, frame.length);
        expect(read(TSD + 4 * i, 4) & 0xa000).toBe(0xa000);
        expect(net.frames.at(-1)).toEqual(frame);
      }
    expect([read(0x60, 2), rig.interrupt, read(ISR, 2)]).toEqual([0xf00f, true, 4]);
    write(ISR, 2, 4);
    expect([rig.interrupt, read(ISR, 2)]).toEqual([false, 0]);
    write(TSD, 4, 0x1fff);
    expect(read(ISR, 2)).toBe(8);
  });

  it('writes frames behind one another into the ring, and round its end', () => {
    const { rig, net, read, write } = started(0x0f);
    let at = 0;
    const take = (wanted: Uint8Array, status: number) => {
      expect(read(CR, 1) & 1).toBe(0);
      const byte = (offset: number) => rig.ram[RING + ((at + offset) % 8192)];
      expect(byte(0) | (byte(1) << 8)).toBe(status);
      const length = byte(2) | (byte(3) << 8);
      expect(length).toBe(wanted.length + 4);
      expect(Uint8Array.from(wanted, (_, i) => byte(4 + i))).toEqual(wanted);
      at = (at + length + 4 + 3) & ~3;
      write(CAPR, 2, (at - 16) & 0xffff);
      at %= 8192;
    };
    expect(read(CR, 1) & 1).toBe(1);
    for (let i = 0; i < 40; i++) {
      net.toGuest(frameTo(MAC, 600 + i));
      net.toGuest(frameTo(EVERYONE, 700 + i));
      expect(read(CBR, 2)).toBeLessThan(8192);
      take(frameTo(MAC, 600 + i), 0x4001);
      take(frameTo(EVERYONE, 700 + i), 0x2001);
    }
    expect([read(CR, 1) & 1, read(ISR, 2) & 1]).toEqual([1, 1]);
    write(RCR, 4, 0x0a);
    net.toGuest(frameTo(Uint8Array.of(2, 1, 1, 1, 1, 1), 100));
    net.toGuest(frameTo(Uint8Array.of(1, 0, 0x5e, 0, 0, 1), 100));
    expect(read(CR, 1) & 1).toBe(1);
    // nobody empties the ring: what has no room waits, then is lost
    for (let i = 0; i < 300; i++) net.toGuest(frameTo(MAC, 1000));
    expect([read(ISR, 2) & 0x10, read(0x4c, 4) > 0]).toEqual([0x10, true]);
  });

  it('counts, and interrupts when the count is reached', () => {
    const { rig, read, write } = started();
    write(IMR, 2, 0x4000);
    write(0x54, 4, 1000);
    write(0x48, 4, 0);
    rig.pc.clock.advance(29_000);
    expect([Math.round(read(0x48, 4) / 10), rig.interrupt]).toEqual([97, false]);
    rig.pc.clock.advance(2000);
    expect([rig.interrupt, read(ISR, 2)]).toEqual([true, 0x4000]);
  });

  it('goes on the same after save and load', () => {
    const [one, two] = [started(), started()];
    one.net.toGuest(frameTo(MAC, 200));
    two.rig.ram.set(one.rig.ram);
    two.rig.card.load(structuredClone(one.rig.card.save()));
    for (const { net, write } of [one, two]) {
      net.toGuest(frameTo(EVERYONE, 100));
      write(TSAD, 4, BUFFER);
      write(TSD, 4, 64);
    }
    expect(two.rig.ram.subarray(RING, RING + 400)).toEqual(one.rig.ram.subarray(RING, RING + 400));
    expect(structuredClone(two.rig.card.save())).toEqual(structuredClone(one.rig.card.save()));
  });

  it('never throws, whatever a driver does', () => {
    const next = random(0x8139);
    let outside = 0;
    let sent = 0;
    for (let run = 0; run < 12; run++) {
      const { rig, net, write } = started(next(0x10000));
      for (let step = 0; step < 60; step++) {
        const size = ([1, 2, 4] as const)[next(3)];
        write(next(0x100 - size), size, next(0xffffffff));
        if (next(3) === 0) write(TSAD + 4 * next(4), 4, next(4) === 0 ? next(0xffffffff) : BUFFER);
        if (next(3) === 0) write(TSD + 4 * next(4), 4, next(4) === 0 ? next(0xffffffff) : next(1800));
        if (next(4) === 0) write(CR, 1, 0x0c);
        if (next(4) === 0) write(RCR, 4, next(0x10000) | 0xf);
        net.toGuest(frameTo(next(2) ? MAC : EVERYONE, 6 + next(1600)));
        rig.read(next(0xfc), { bytes: size, bar: next(2) });
        rig.pc.clock.advance(next(1_000_000));
      }
      outside += rig.outside;
      sent += net.frames.length;
      structuredClone(rig.card.save());
    }
    expect([outside > 20, sent > 20]).toEqual([true, true]);
  });

  const qemu = requireTool('qemu-system-x86_64');
  test.skipIf(!qemu.available)(
    named("keeps the same in its registers as QEMU's", qemu),
    { timeout: 60_000 },
    async () => {
      // registers of 32 bits: QEMU answers none of the others to such an access
      const accesses: Access[] = [
        ['config', 0],
        ['read', 0],
        ['read', 8],
        ['read', 0xc],
        ['read', TSD],
        ['read', TSAD],
      ];
      accesses.push(['read', RBSTART], ['write', RBSTART, 0x12345678], ['read', RBSTART], ['write', 8, 0x12345678]);
      accesses.push(['read', 8], ['write', 0x34, 0x0c000000], ['read', 0x34], ['write', RCR, 0xf], ['read', RCR]);
      accesses.push(['write', TSAD, 0x8000], ['write', TSD, 64], ['read', TSD], ['write', TSAD + 4, 0x8000]);
      accesses.push(['write', TSD + 4, 0x2040], ['read', TSD + 4], ['write', TSD + 8, 100], ['read', TSD + 8]);
      const net = new NetEnd();
      const rig = new CardRig((slot) => new Rtl8139(slot, { name: 'net0', mac: MAC, backend: net }));
      const ours = accesses.map(([what, where, value]) => {
        if (what === 'read') return rig.read(where, { bar: 1 });
        if (what === 'config') return rig.config(where);
        rig.write(where, value ?? 0, { bar: 1 });
        return 0;
      });
      const theirs = await onQemu(qemu.path, 'rtl8139,mac=52:54:00:12:34:56', 1, accesses);
      const told = (values: readonly number[]) =>
        accesses.map(
          (access, i) =>
            `${access.map((x) => (typeof x === 'number' ? x.toString(16) : x)).join(' ')}: ${values[i].toString(16)}`,
        );
      expect(told(ours)).toEqual(told(theirs));
    },
  );
});
