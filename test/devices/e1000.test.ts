/** The 82540EM as drivers use it; its registers beside those of QEMU's, whose qtest protocol reads them. */
import { describe, expect, it, test } from 'vitest';
import { E1000 } from '../../src/engine/devices/e1000/nic.js';
import { sum16 } from '../../src/engine/devices/e1000/offload.js';
import { named, requireTool } from '../tools.js';
import { CardRig, random } from './pci/card-rig.js';
import { NetEnd } from './pci/net-end.js';
import { type Access, onQemu } from './pci/qemu-card.js';

const MAC = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);
const [CTRL, STATUS, EECD, EERD, MDIC] = [0x0, 0x8, 0x10, 0x14, 0x20];
const [ICR, ITR, ICS, IMS, IMC] = [0xc0, 0xc4, 0xc8, 0xd0, 0xd8];
const [RCTL, TCTL] = [0x100, 0x400];
const [RDBAL, RDLEN, RDH, RDT] = [0x2800, 0x2808, 0x2810, 0x2818];
const [TDBAL, TDLEN, TDH, TDT] = [0x3800, 0x3808, 0x3810, 0x3818];
const [RAL, RAH] = [0x5400, 0x5404];
const [TX, RX, BUFFERS] = [0x10000, 0x20000, 0x100000];
const ENTRIES = 32;

function make() {
  const net = new NetEnd();
  const rig = new CardRig((slot) => new E1000(slot, { name: 'net0', mac: MAC, backend: net }));
  return { rig, net };
}

/** Rings as a hobby driver sets them up: 32 receive buffers of 2 KiB, the link forced up. */
function started() {
  const { rig, net } = make();
  for (let i = 0; i < ENTRIES; i++) rig.u64(RX + 16 * i, BUFFERS + 2048 * i);
  rig.write(CTRL, rig.read(CTRL) | 0x40);
  for (const [base, gpa] of [
    [RDBAL, RX],
    [TDBAL, TX],
  ]) {
    rig.write(base, gpa);
    rig.write(base + 4, 0);
    rig.write(base + 8, 16 * ENTRIES);
    rig.write(base + 16, 0);
    rig.write(base + 24, base === RDBAL ? ENTRIES - 1 : 0);
  }
  rig.write(IMS, 0x1f6df);
  rig.read(ICR);
  rig.write(RCTL, 0x0400801e);
  rig.write(TCTL, 0x0103f0fa);
  return { rig, net };
}

type Rig = ReturnType<typeof make>['rig'];

/** Puts a descriptor at the tail without ringing. */
function descriptor(rig: Rig, index: number, low: number, dword2: number, dword3: number): void {
  rig.u64(TX + 16 * index, low);
  rig.view.setUint32(TX + 16 * index + 8, dword2 >>> 0, true);
  rig.view.setUint32(TX + 16 * index + 12, dword3 >>> 0, true);
}

const EOP_RS = 0x0b00_0000;

function frameTo(mac: Uint8Array, bytes: number): Uint8Array {
  const frame = new Uint8Array(bytes).map((_, i) => (i * 7) & 0xff);
  frame.set(mac);
  return frame;
}

describe('82540EM', () => {
  it('is found by its identity, and tells its address by EERD, by the EEPROM wires and by RAL', () => {
    const { rig } = make();
    expect(rig.config(0)).toBe(0x100e8086);
    const words = Array.from({ length: 64 }, (_, word) => {
      rig.write(EERD, (word << 8) | 1);
      expect(rig.read(EERD) & 0x10).toBe(0x10);
      return rig.read(EERD) >>> 16;
    });
    expect(words.reduce((sum, word) => sum + word, 0) & 0xffff).toBe(0xbaba);
    expect(words.slice(0, 3)).toEqual([0x5452, 0x1200, 0x5634]);
    expect([rig.read(RAL), rig.read(RAH)]).toEqual([0x12005452, 0x80005634]);

    // microwire: chip select, then READ and an address, MSB first
    rig.write(EECD, 0x40);
    expect(rig.read(EECD) & 0x1c0).toBe(0x1c0);
    const clock = (bit: number) => {
      rig.write(EECD, 0x42 | (bit << 2));
      rig.write(EECD, 0x43 | (bit << 2));
      return (rig.read(EECD) >> 3) & 1;
    };
    for (const wanted of [0, 1, 2, 63]) {
      rig.write(EECD, 0x42);
      for (const bit of [1, 1, 0]) clock(bit);
      for (let i = 5; i >= 0; i--) clock((wanted >> i) & 1);
      let word = 0;
      for (let i = 0; i < 16; i++) word = (word << 1) | clock(0);
      expect(word).toBe(words[wanted]);
      rig.write(EECD, 0x40);
    }
  });

  it('answers as a Marvell PHY at address 1, and negotiates anew on request', () => {
    const { rig } = started();
    const phy = (at: number, value?: number, address = 1) => {
      rig.write(MDIC, (at << 16) | (address << 21) | (value === undefined ? 2 << 26 : (1 << 26) | value));
      return rig.read(MDIC);
    };
    expect([phy(2) & 0xffff, phy(3) & 0xffff]).toEqual([0x0141, 0x0c20]);
    expect(phy(1) & 0x24).toBe(0x24);
    expect((phy(1, undefined, 5) >>> 28) & 5).toBe(5);
    expect(rig.read(STATUS) & 0x83).toBe(0x83);
    phy(0, 0x1340);
    expect([phy(1) & 0x24, rig.read(STATUS) & 2, rig.read(ICR) & 4]).toEqual([0, 0, 4]);
    rig.pc.clock.advance(600_000_000);
    expect([phy(1) & 0x24, rig.read(STATUS) & 2, rig.read(ICR) & 4]).toEqual([0x24, 2, 4]);
  });

  it('sends legacy descriptors, with a checksum where asked, and interrupts', () => {
    const { rig, net } = started();
    const frame = frameTo(MAC, 100);
    rig.ram.set(frame, BUFFERS);
    descriptor(rig, 0, BUFFERS, EOP_RS | 100, 0);
    // two pieces, a checksum from 34 on at 50
    descriptor(rig, 1, BUFFERS, 60, 0);
    descriptor(rig, 2, BUFFERS + 60, EOP_RS | 0x0400_0000 | (50 << 16) | 40, 34 << 8);
    rig.write(TDT, 3);
    expect(net.frames[0]).toEqual(frame);
    expect(net.frames.length).toBe(2);
    // the old value counts, as a pseudo header's sum would
    const old = ((frame[50] << 8) | frame[51]) ^ 0xffff;
    const sum = sum16(net.frames[1], 34, 100);
    expect((sum + (0xffff - old)) % 0xffff).toBe(0);
    expect(rig.read(TDH)).toBe(3);
    expect([0, 1, 2].map((i) => rig.ram[TX + 16 * i + 12] & 1)).toEqual([1, 0, 1]);
    expect(rig.interrupt).toBe(true);
    expect(rig.read(ICR)).toBe(3);
    expect(rig.interrupt).toBe(false);
    expect([rig.read(0x4080), rig.read(0x4090), rig.read(0x4080)]).toEqual([2, 208, 0]);
  });

  it('cuts a long TCP packet into segments that each are right', () => {
    const { rig, net } = started();
    const payload = 3000;
    const packet = new Uint8Array(54 + payload).map((_, i) => (i * 13) & 0xff);
    packet.set([
      ...MAC,
      ...MAC,
      0x08,
      0x00,
      0x45,
      0,
      0,
      0,
      0x12,
      0x34,
      0x40,
      0,
      64,
      6,
      0,
      0,
      10,
      0,
      2,
      15,
      10,
      0,
      2,
      2,
    ]);
    // ports, sequence FFFFFF00h, data offset 5, FIN, PSH and ACK
    packet.set([0x80, 0, 0, 80, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1, 0x50, 0x19, 1, 0, 0, 0, 0, 0], 34);
    const pseudo = sum16(packet, 26, 34) + 6;
    packet.set([pseudo >> 8, pseudo & 0xff], 50);
    rig.ram.set(packet, BUFFERS);
    const context = new DataView(rig.ram.buffer, TX, 16);
    for (const [at, value] of [14, 24, 33, 0, 34, 50].entries()) context.setUint8(at, value);
    context.setUint32(8, (0x27 << 24) | payload, true);
    context.setUint32(12, (1460 << 16) | (54 << 8), true);
    descriptor(rig, 1, BUFFERS, 0x2610_0000 | 1000, 0x0300);
    descriptor(rig, 2, BUFFERS + 1000, 0x2f10_0000 | (packet.length - 1000), 0x0300);
    rig.write(TDT, 3);
    expect(net.frames.map(({ length }) => length)).toEqual([1514, 1514, 54 + 80]);
    const whole: number[] = [];
    for (const [i, frame] of net.frames.entries()) {
      const view = new DataView(frame.buffer);
      expect(view.getUint16(16)).toBe(frame.length - 14);
      expect(view.getUint16(18)).toBe(0x1234 + i);
      expect(sum16(frame, 14, 34)).toBe(0xffff);
      expect(view.getUint32(38)).toBe((0xffffff00 + 1460 * i) >>> 0);
      expect(frame[47]).toBe(i === 2 ? 0x19 : 0x10);
      expect(sum16(frame, 34, frame.length, sum16(frame, 26, 34) + 6 + frame.length - 34)).toBe(0xffff);
      whole.push(...frame.subarray(54));
    }
    expect(whole).toEqual([...packet.subarray(54)]);
  });

  it('takes frames that its filter passes, keeps what finds no descriptor, and says so', () => {
    const { rig, net } = started();
    const other = Uint8Array.of(2, 0, 0, 0, 0, 9);
    const group = Uint8Array.of(1, 0, 0x5e, 0, 0, 0xfb);
    rig.write(RCTL, 0x04008002);
    net.toGuest(frameTo(other, 80));
    net.toGuest(frameTo(group, 80));
    expect(rig.read(RDH)).toBe(0);
    // its own, a broadcast, a group of the table by bits 47:36
    net.toGuest(frameTo(MAC, 40));
    net.toGuest(frameTo(new Uint8Array(6).fill(0xff), 80));
    const hash = ((0xfb << 8) >> 4) & 0xfff;
    rig.write(0x5200 + 4 * (hash >> 5), 1 << (hash & 31));
    net.toGuest(frameTo(group, 80));
    rig.write(RCTL, 0x0400800a);
    net.toGuest(frameTo(other, 80));
    expect(rig.read(RDH)).toBe(4);
    expect(rig.ram.subarray(BUFFERS, BUFFERS + 40)).toEqual(frameTo(MAC, 40));
    const status = (i: number) => [rig.view.getUint16(RX + 16 * i + 8, true), rig.ram[RX + 16 * i + 12]];
    expect([0, 1].map(status)).toEqual([
      [60, 7],
      [80, 7],
    ]);
    expect(rig.read(ICR) & 0x80).toBe(0x80);
    for (let i = 4; i < ENTRIES + 3; i++) net.toGuest(frameTo(MAC, 80));
    expect(rig.read(RDH)).toBe(ENTRIES - 1);
    expect(rig.read(ICR) & 0x10).toBe(0x10);
    rig.write(RDT, 8);
    expect(rig.read(RDH)).toBe(3);
    // 48 KiB fit the card
    for (let i = 0; i < 60; i++) net.toGuest(frameTo(MAC, 1514));
    expect(rig.read(ICR) & 0x40).toBe(0x40);
    expect(rig.read(0x4010)).toBeGreaterThan(0);
  });

  it('has no more interrupts than ITR allows', () => {
    const { rig } = started();
    rig.write(ITR, 1000);
    rig.write(ICS, 4);
    expect(rig.interrupt).toBe(true);
    rig.read(ICR);
    rig.write(ICS, 4);
    expect(rig.interrupt).toBe(false);
    rig.pc.clock.advance(255_000);
    expect(rig.interrupt).toBe(false);
    rig.pc.clock.advance(2000);
    expect(rig.interrupt).toBe(true);
    rig.write(IMC, 4);
    expect(rig.interrupt).toBe(false);
  });

  it('goes on the same after save and load, in the middle of a packet', () => {
    const { rig, net } = started();
    rig.ram.set(frameTo(MAC, 200), BUFFERS);
    descriptor(rig, 0, BUFFERS, 60, 0);
    rig.write(TDT, 1);
    rig.write(EECD, 0x42);
    const saved = structuredClone(rig.card.save());
    const again = make();
    again.rig.ram.set(rig.ram);
    again.rig.card.load(saved);
    for (const { rig: at, net: end } of [{ rig, net }, again]) {
      descriptor(at, 1, BUFFERS + 60, EOP_RS | 140, 0);
      at.write(TDT, 2);
      expect(end.frames).toEqual([frameTo(MAC, 200)]);
      end.toGuest(frameTo(MAC, 90));
    }
    expect(again.rig.card.describe()).toEqual(rig.card.describe());
    expect(structuredClone(again.rig.card.save())).toEqual(structuredClone(rig.card.save()));
  });

  it('never throws and always comes back, whatever a driver does', () => {
    const next = random(0xe1000);
    let aborts = 0;
    let frames = 0;
    for (let run = 0; run < 12; run++) {
      const { rig, net } = started();
      const registers = [CTRL, EECD, EERD, MDIC, ICS, IMS, ITR, RCTL, TCTL, RDBAL, RDBAL + 4, RDLEN, RDH, RDT, TDBAL];
      registers.push(TDBAL + 4, TDLEN, TDH, TDT, RAL, RAH, 0x38, 0x1000, 0x5000);
      for (let step = 0; step < 25; step++) {
        for (let i = 0; i < ENTRIES; i++) {
          const wild = next(8) === 0;
          const gpa = wild ? next(0xffffffff) * 2 ** next(32) : BUFFERS + next(1 << 20);
          descriptor(
            rig,
            i,
            gpa,
            next(12) === 0 ? next(0xffffffff) : EOP_RS | (next(2) << 29) | next(2000),
            next(0xffffffff),
          );
          rig.u64(RX + 16 * i, wild ? next(0xffffffff) * 2 ** next(32) : BUFFERS);
        }
        if (next(3) === 0) rig.write(registers[next(registers.length)], next(2) === 0 ? next(64) : next(0xffffffff));
        if (next(6) === 0) rig.write(next(0x20000), next(0xffffffff), { bytes: 1 << next(3) });
        if (next(6) === 0) rig.read(next(0x20000), { bytes: 1 << next(3) });
        rig.write(next(2) === 0 ? TDT : RDT, next(20) === 0 ? next(0xffffffff) : next(ENTRIES));
        net.toGuest(frameTo(next(2) === 0 ? MAC : new Uint8Array(6).fill(255), 6 + next(1600)));
        rig.pc.clock.advance(next(20_000_000));
      }
      aborts += rig.outside;
      frames += net.frames.length;
      structuredClone(rig.card.save());
    }
    expect(aborts).toBeGreaterThan(100);
    expect(frames).toBeGreaterThan(100);
  });

  it('drops a packet that would be cut into thousands of frames', () => {
    const { rig, net } = started();
    const context = new DataView(rig.ram.buffer, TX, 16);
    context.setUint32(8, 0x2700_0000, true);
    context.setUint32(12, (1 << 16) | (54 << 8), true);
    descriptor(rig, 1, BUFFERS, 0x2f10_0000 | 0x30000, 0x0300);
    descriptor(rig, 2, BUFFERS, EOP_RS | 100, 0);
    rig.write(TDT, 3);
    expect(net.frames.map(({ length }) => length)).toEqual([100]);
  });

  it('gives the guest its turn while a ring of the largest packets is sent', () => {
    const { rig, net } = started();
    const entries = 65528;
    rig.write(TDLEN, entries * 16);
    // each descriptor is a packet of 256 KiB; past RAM they read as ones
    rig.write(TDBAL, 0x200000);
    for (let i = 0; i < 0x20000; i++) {
      rig.u64(0x200000 + 16 * i, 0);
      rig.view.setUint32(0x200000 + 16 * i + 8, 0x2b10_0000 | 0x3ffff, true);
    }
    rig.write(TDT, entries - 1);
    expect(rig.read(TDH)).toBeLessThan(200);
    const before = rig.read(TDH);
    rig.pc.clock.advance(10_000_000);
    expect(rig.read(TDH)).toBeGreaterThan(before);
    expect(net.frames.length).toBe(0);
  });
});

describe("beside QEMU's e1000", () => {
  const qemu = requireTool('qemu-system-x86_64');
  test.skipIf(!qemu.available)(
    named('reads the same registers after the same writes', qemu),
    { timeout: 60_000 },
    async () => {
      const known = [CTRL, STATUS, EERD, 0x18, MDIC, 0x28, 0x2c, 0x30, 0x38, ICR, ICS, IMS, RCTL, 0x170, TCTL, 0x410];
      known.push(0xe00, 0x1000, RDBAL, RDBAL + 4, RDLEN, RDH, RDT, 0x2820, TDBAL, TDBAL + 4, TDLEN, TDH, TDT, 0x3820);
      known.push(0x4000, 0x4074, 0x40d0, 0x5000, 0x5200, 0x53fc, RAL, RAH, 0x5408, 0x540c, 0x5600, 0x57fc);
      const accesses: Access[] = [
        ['config', 0],
        ['config', 8],
        ['config', 0x2c],
      ];
      for (const register of known) accesses.push(['read', register]);
      for (const word of [0, 1, 2]) accesses.push(['write', EERD, (word << 8) | 1], ['read', EERD]);
      for (const at of [0, 2, 3, 4, 5]) accesses.push(['write', MDIC, 0x0820_0000 | (at << 16)], ['read', MDIC]);
      for (const ring of [RDBAL, RDLEN, TDBAL, TDLEN]) accesses.push(['write', ring, 0xfffffff0], ['read', ring]);
      for (const index of [RDH, TDH]) accesses.push(['write', index, 0x12345678], ['read', index], ['write', index, 0]);
      accesses.push(['write', IMS, 0x84], ['read', IMS], ['write', ICS, 4], ['read', ICR], ['read', ICR]);
      accesses.push(
        ['write', ICS, 0x85],
        ['write', ICR, 1],
        ['read', ICS],
        ['write', IMC, 4],
        ['read', IMS],
        ['read', ICR],
      );
      accesses.push(['write', RAL, 0x11223344], ['write', RAH, 0x80005566], ['read', RAL], ['read', RAH]);
      // a frame of two pieces by legacy descriptors, and what the ring and counters say then
      accesses.push(['poke', 0x10000, 0x20000], ['poke', 0x10004, 0], ['poke', 0x10008, 60], ['poke', 0x1000c, 0]);
      accesses.push(
        ['poke', 0x10010, 0x20000],
        ['poke', 0x10014, 0],
        ['poke', 0x10018, 0x0b000028],
        ['poke', 0x1001c, 0],
      );
      accesses.push(['write', TDBAL, 0x10000], ['write', TDBAL + 4, 0], ['write', TDLEN, 128], ['write', TDH, 0]);
      accesses.push(['write', TDT, 0], ['write', IMS, 3], ['write', TCTL, 0x0103f0fa], ['write', TDT, 2]);
      accesses.push(
        ['read', TDH],
        ['peek', 0x1000c],
        ['peek', 0x1001c],
        ['read', ICR],
        ['read', 0x4080],
        ['read', 0x40d4],
      );
      const { rig } = make();
      rig.write(CTRL, rig.read(CTRL));
      const ours = accesses.map(([what, where, value]) => {
        if (what === 'read') return rig.read(where);
        if (what === 'config') return rig.config(where);
        if (what === 'peek') return rig.view.getUint32(where, true);
        if (what === 'poke') rig.view.setUint32(where, value ?? 0, true);
        else rig.write(where, value ?? 0);
        return 0;
      });
      const theirs = await onQemu(qemu.path, 'e1000,mac=52:54:00:12:34:56', 0, accesses);
      const told = (values: readonly number[]) =>
        accesses.map(
          (access, i) =>
            `${access.map((x) => (typeof x === 'number' ? x.toString(16) : x)).join(' ')}: ${values[i].toString(16)}`,
        );
      expect(told(ours)).toEqual(told(theirs));
    },
  );
});
