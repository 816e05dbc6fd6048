/** The video card: planes, windows, VBE's registers, what it shows, and guests that mean no good. */
import { beforeEach, describe, expect, it } from 'vitest';
import { RAM_BASE } from '../../src/engine/core/layout.js';
import { VIDEO_BYTES } from '../../src/engine/devices/vga/video-memory.js';
import { Rng } from '../../src/engine/difftest/rng.js';
import { type FlatGuest, flatGuest } from '../engine/flat-guest.js';
import { type PcRig, pcRig } from './rig.js';

const A = 0xa0000;
const TEXT = 0xb8000;
const LFB = 0xfd000000;

let rig: PcRig;
beforeEach(() => {
  rig = pcRig();
});

const sequencer = (index: number, value: number): void => rig.out(0x3c4, index | (value << 8), 2);
const graphics = (index: number, value: number): void => rig.out(0x3ce, index | (value << 8), 2);
const peek = (gpa: number, bytes = 1): number => Number(rig.pc.bus.mmioRead(gpa, bytes));
const poke = (gpa: number, value: number, bytes = 1): void => rig.pc.bus.mmioWrite(gpa, bytes, BigInt(value));
const vbe = (index: number, value: number): void => {
  rig.out(0x1ce, index, 2);
  rig.out(0x1cf, value, 2);
};
const vbeRead = (index: number): number => {
  rig.out(0x1ce, index, 2);
  return rig.in(0x1d0, 2);
};
/** Planes at A0000h, all written. */
function planar(): void {
  sequencer(4, 0x06);
  sequencer(2, 0x0f);
  graphics(5, 0);
  graphics(6, 0x05);
  graphics(8, 0xff);
}

describe('planes', () => {
  it('are written by the four write modes, through mask, rotation and operation', () => {
    planar();
    const planes = (gpa: number): number[] =>
      [0, 1, 2, 3].map((plane) => {
        graphics(4, plane);
        return peek(gpa);
      });
    sequencer(2, 0x05);
    poke(A, 0xa5);
    expect(planes(A)).toEqual([0xa5, 0, 0xa5, 0]);
    sequencer(2, 0x0f);
    // mode 0: plane 1 by set/reset, the rest rotated and by the mask
    graphics(0, 0x02);
    graphics(1, 0x02);
    graphics(3, 0x01);
    graphics(8, 0x0f);
    peek(A);
    poke(A, 0x0e);
    expect(planes(A)).toEqual([0xa7, 0x0f, 0xa7, 0x07]);
    // mode 1 copies what was read
    graphics(5, 0x01);
    peek(A);
    poke(A + 7, 0x00);
    expect(planes(A + 7)).toEqual([0xa7, 0x0f, 0xa7, 0x07]);
    // mode 2: the value's bits are colours; XOR
    graphics(5, 0x02);
    graphics(3, 0x18);
    graphics(8, 0xf0);
    peek(A);
    poke(A, 0x09);
    expect(planes(A)).toEqual([0x57, 0x0f, 0xa7, 0xf7]);
    // mode 3: the value is a mask, set/reset the colour
    graphics(5, 0x03);
    graphics(3, 0x00);
    graphics(8, 0xff);
    graphics(0, 0x04);
    peek(A);
    poke(A, 0x81);
    expect(planes(A)).toEqual([0x56, 0x0e, 0xa7, 0x76]);
    // read mode 1: which pixels have this colour, of the planes that count
    graphics(5, 0x08);
    graphics(2, 0x04);
    graphics(7, 0x0f);
    expect(peek(A)).toBe(0xa7 & ~(0x56 | 0x0e | 0x76) & 0xff);
    graphics(7, 0x00);
    expect(peek(A)).toBe(0xff);
  });

  it('share their bytes with mode 13h, the frame buffer and the text buffer', () => {
    poke(TEXT, 0x1f41, 2);
    expect(rig.memory[TEXT]).toBe(0x41);
    planar();
    graphics(4, 1);
    expect(peek(A)).toBe(0x1f);
    sequencer(2, 0x04);
    poke(A + 1, 0x99);
    sequencer(2, 0x0f);
    sequencer(4, 0x0e);
    expect([peek(A, 4), peek(A + 6), peek(LFB, 4)]).toEqual([0x1f41, 0x99, 0x1f41]);
    poke(A + 5, 0x77);
    expect(peek(A + 0x10000)).toBe(0xff);
    // back to text: what is in planes 0 and 1 is the screen
    sequencer(4, 0x02);
    sequencer(2, 0x03);
    graphics(5, 0x10);
    graphics(6, 0x0e);
    expect([...rig.memory.subarray(TEXT, TEXT + 4)]).toEqual([0x41, 0x1f, 0x00, 0x77]);
    expect(rig.pc.screen()?.cells[0]).toBe(0x1f41);
  });

  it('a debugger sees them without changing the latches', () => {
    planar();
    poke(A, 0xff);
    peek(A + 9);
    const before = rig.pc.save().vga;
    expect(rig.pc.bus.mmioPeek(A, 4)).toBe(0xffn);
    expect(rig.pc.save().vga).toEqual(before);
  });
});

describe('VBE', () => {
  it('names itself, its memory and what it can do', () => {
    expect([vbeRead(0), vbeRead(10), vbeRead(4), vbeRead(11)]).toEqual([0xb0c5, 256, 0, 0]);
    vbe(0, 0xb0c2);
    vbe(0, 0x1234);
    expect(vbeRead(0)).toBe(0xb0c2);
    vbe(4, 0x02);
    expect([vbeRead(1), vbeRead(2), vbeRead(3)]).toEqual([16000, 12000, 32]);
  });

  it('sets modes, clears them, makes what cannot be the nearest that can, and shows banks', () => {
    const at = 40 * 3200 + 4 * 7;
    poke(LFB + at, 0xabcdef, 4);
    vbe(1, 803);
    vbe(2, 600);
    vbe(3, 32);
    vbe(4, 0xc1);
    expect([vbeRead(1), vbeRead(6), vbeRead(7)]).toEqual([800, 800, Math.floor(VIDEO_BYTES / 3200)]);
    expect(peek(LFB + at, 4)).toBe(0xabcdef);
    const shown = rig.pc.vga.picture();
    expect([shown.mode, shown.width, shown.height]).toEqual(['800x600x32', 800, 600]);
    const pixel = 3 * (40 * 800 + 7);
    expect([...shown.rgb.subarray(pixel, pixel + 3)]).toEqual([0xab, 0xcd, 0xef]);
    expect(rig.pc.screen()).toBeUndefined();
    vbe(5, 3);
    poke(A, 0x55);
    expect(peek(LFB + 0x30000)).toBe(0x55);
    vbe(9, 0xffff);
    expect(vbeRead(9)).toBe(0);
    vbe(4, 0);
    vbe(3, 17);
    vbe(2, 0xffff);
    vbe(4, 0x41);
    expect([vbeRead(3), vbeRead(2), peek(LFB + at, 4)]).toEqual([8, 12000, 0]);
  });

  it('answers in the memory of BAR 2, with the VGA beside it', () => {
    const base = 0xfcfff000;
    expect([peek(base + 0x500, 2), peek(base + 0x514, 2), peek(base + 0x600, 4)]).toEqual([0xb0c5, 256, 8]);
    poke(base + 0x502, 640, 2);
    poke(base + 0x504, 480, 2);
    poke(base + 0x506, 32, 2);
    poke(base + 0x508, 0x41, 2);
    expect(rig.pc.vga.picture({ width: 8, height: 6 })).toMatchObject({ mode: '640x480x32', width: 8, height: 6 });
    poke(base + 0x40e, 0x0508, 2);
    rig.out(0x3ce, 8);
    expect([peek(base + 0x40f), rig.in(0x3cf)]).toEqual([5, 5]);
    expect(peek(base + 0x700, 4)).toBe(0xffffffff);
  });

  it('tells beside them what the monitor is: firmware and drivers take their first mode from there', () => {
    const base = 0xfcfff000;
    const blob = Array.from({ length: 384 }, (_, i) => peek(base + i));
    expect(blob.slice(0, 12)).toEqual([0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0x49, 0x14, 0x34, 0x12]);
    for (const first of [0, 128])
      expect(blob.slice(first, first + 128).reduce((sum, byte) => sum + byte, 0) & 0xff).toBe(0);
    const [width, height] = [56, 59].map((at) => blob[at] | ((blob[at + 2] >> 4) << 8));
    expect([width, height]).toEqual([1280, 800]);
    // one extension, and nothing behind it
    expect([blob[126], blob[128], blob.slice(256).some((byte) => byte !== 0)]).toEqual([1, 2, false]);
    expect([peek(base + 4, 4), peek(base + 380, 4), peek(base + 384, 4)]).toEqual([0x00ffffff, 0, 0xffffffff]);
    poke(base + 8, 0, 4);
    expect(peek(base + 8, 2)).toBe(0x1449);
  });

  it('and the palette of 8 bits', () => {
    rig.out(0x3c8, 1);
    for (const value of [0xff, 0x80, 0x01]) rig.out(0x3c9, value);
    rig.out(0x3c7, 1);
    expect([rig.in(0x3c9), rig.in(0x3c9), rig.in(0x3c9)]).toEqual([0x3f, 0, 1]);
    for (const [index, value] of [
      [1, 8],
      [2, 1],
      [3, 8],
      [4, 0x61],
    ])
      vbe(index, value);
    rig.out(0x3c8, 1);
    for (const value of [0xff, 0x80, 0x01]) rig.out(0x3c9, value);
    poke(LFB, 1);
    expect([...rig.pc.vga.picture().rgb.subarray(0, 3)]).toEqual([0xff, 0x80, 0x01]);
  });
});

describe('text as pixels', () => {
  it('has the font that was loaded, or the one that a video BIOS would have loaded, and blinks', () => {
    const font = new Uint8Array(4096);
    font.fill(0xf0, 0x41 * 16, 0x42 * 16);
    rig = pcRig({ font });
    rig.memory[TEXT] = 0x41;
    rig.memory[TEXT + 1] = 0x1f;
    rig.memory[TEXT + 2] = 0xc4;
    rig.memory[TEXT + 3] = 0x97;
    rig.out(0x3d4, 0x200a, 2);
    const row = (): number[] => {
      const { rgb, width } = rig.pc.vga.picture();
      expect(width).toBe(720);
      return Array.from({ length: 18 }, (_, x) => (rgb[3 * x] << 16) | (rgb[3 * x + 1] << 8) | rgb[3 * x + 2]);
    };
    const [white, blue, grey] = [0xffffff, 0x0000a8, 0xa8a8a8];
    expect(row()).toEqual([...Array(4).fill(white), ...Array(5).fill(blue), ...Array(9).fill(blue)]);
    // a font in plane 2: C4h goes on into the ninth column
    const load = (character: number, byte: number): void => {
      planar();
      sequencer(2, 0x04);
      poke(A + character * 32, byte);
      sequencer(4, 0x02);
      sequencer(2, 0x03);
      graphics(5, 0x10);
      graphics(6, 0x0e);
    };
    load(0xc4, 0x81);
    expect(row().slice(9)).toEqual([grey, ...Array(6).fill(blue), grey, grey]);
    expect(row().slice(0, 9)).toEqual(Array(9).fill(blue));
    rig.clock.advance(600_000_000);
    expect(row().slice(9)).toEqual(Array(9).fill(blue));
    // without blinking, bit 7 is of the background
    rig.in(0x3da);
    rig.out(0x3c0, 0x30);
    rig.out(0x3c0, 0x04);
    expect(row()[10]).toBe(0x5757ff);
    // the screen goes dark, and keeps its size
    rig.out(0x3c0, 0x00);
    const dark = rig.pc.vga.picture();
    expect([dark.mode, dark.width, dark.rgb.every((byte) => byte === 0)]).toEqual(['text 80x25, dark', 720, true]);
  });
});

describe('windows of the engine', () => {
  const text = (guest: FlatGuest, gpa: number): number | undefined => guest.vm.frameOf(BigInt(gpa));
  const ports = (guest: FlatGuest, port: number, value: number): void => guest.machine.pc.portWrite(0, port, 2, value);

  it('follow the registers, and a state that is loaded has its own', () => {
    const guest = flatGuest('f4');
    const frames = text(guest, LFB)!;
    expect(frames).toBeGreaterThanOrEqual(RAM_BASE + guest.vm.memoryBytes);
    expect([text(guest, A), text(guest, TEXT)]).toEqual([undefined, RAM_BASE + TEXT]);
    const chained = (value: number): void => {
      ports(guest, 0x3ce, 0x0506);
      ports(guest, 0x3c4, 0x0f02);
      ports(guest, 0x3c4, 0x04 | (value << 8));
    };
    chained(0x0e);
    expect([text(guest, A), text(guest, A + 0xffff), text(guest, TEXT)]).toEqual([frames, frames + 0xffff, undefined]);
    guest.vm.memory.write(0x1000, Uint8Array.of(1));
    const saved = guest.machine.pc.pc.save();
    chained(0x06);
    expect(text(guest, A)).toBeUndefined();
    // a bank of the frame buffer, then the frame buffer somewhere else, over RAM, and nowhere
    const { vga } = guest.machine.pc.pc;
    vga.configWrite(0x10, 4, 0xe0000000);
    expect([text(guest, LFB), text(guest, 0xe0000000)]).toEqual([undefined, frames]);
    vga.configWrite(0x10, 4, 0x01000000);
    expect(vga.windows).toEqual([{ gpa: 0x01000000, bytes: VIDEO_BYTES, from: 0 }]);
    vga.configWrite(0x10, 4, 0xfe000000);
    expect(vga.windows).toEqual([]);
    expect(Number(guest.machine.pc.mmioRead(0, 0xfe000000, 4))).toBe(0);
    vga.configWrite(4, 2, 0);
    expect(vga.windows).toEqual([]);
    guest.machine.pc.pc.load(saved);
    expect(vga.windows).toEqual([
      { gpa: A, bytes: 0x10000, from: 0 },
      { gpa: LFB, bytes: VIDEO_BYTES, from: 0 },
    ]);
  });

  it('a guest writes pixels without exits, and a reset takes them away', () => {
    // mode 13h by its three registers, 64 KiB of 5Ah at A0000h, halt
    const guest = flatGuest(
      'ba ce 03 b8 06 05 ef ba c4 03 b8 02 0f ef b8 04 0e ef b8 00 a0 8e c0 31 ff b9 ff ff b0 5a fc f3 aa fa f4',
    );
    for (let slice = 0; slice < 100 && guest.vm.runSlice(guest.vm.vcpus[0], 10_000).kind !== 'idle'; slice++);
    // three words to ports, and the halt
    expect(guest.vm.exits).toBeLessThan(8);
    expect(Number(guest.machine.pc.mmioRead(0, LFB + 0xfff0, 4))).toBe(0x5a5a5a5a);
    guest.machine.reset();
    expect(Number(guest.machine.pc.mmioRead(0, LFB + 0xfff0, 4))).toBe(0);
    expect(guest.machine.screen()?.columns).toBe(80);
  });

  it('survive random registers, places and accesses, and leave the rest of memory alone', () => {
    const guest = flatGuest('f4');
    const { vm, machine } = guest;
    const rng = new Rng(7);
    const mark = Uint8Array.from({ length: 4096 }, (_, i) => i * 7);
    vm.memory.write(0x200000, mark);
    vm.memory.write(0x9f000, mark);
    vm.memory.write(0xc0000, mark);
    const bases = [LFB, 0xe0000000, 0x01000000, 0, 0x200000, 0xa0000, 0xff000000, 0xfec00000, 0xffffffff];
    for (let step = 0; step < 3000; step++) {
      const kind = rng.below(8);
      if (kind < 2) ports(guest, rng.pick([0x3c4, 0x3ce, 0x3d4]), rng.below(0x10000) & 0xff1f);
      else if (kind === 2) machine.pc.portWrite(0, 0x3c0 + rng.below(0x20), 1, rng.below(256));
      else if (kind === 3) {
        ports(guest, 0x1ce, rng.below(12));
        ports(guest, 0x1cf, rng.pick([0, 1, 0x41, 0x81, 4, 8, 15, 16, 24, 32, 640, 0xffff, rng.below(0x10000)]));
      } else if (kind === 4) {
        const { vga } = machine.pc.pc;
        if (rng.oneIn(20)) vga.configWrite(0x10, 4, rng.pick(bases));
        else if (rng.oneIn(19)) vga.configWrite(4, 1, rng.below(8));
      } else if (kind === 5) machine.pc.mmioWrite(0, A + rng.below(0x1fff8), 8, BigInt(rng.u32()));
      else if (kind === 6) machine.pc.mmioRead(0, rng.pick([A, LFB, 0xfcfff400]) + rng.below(0x400), 4);
      else if (rng.oneIn(10)) machine.picture({ width: rng.below(200), height: rng.below(100) });
    }
    const { rgb, width, height } = machine.picture({ width: 100, height: 60 });
    expect(rgb.length).toBe(width * height * 3);
    machine.pc.pc.load(machine.pc.pc.save());
    for (const gpa of [0x200000, 0x9f000, 0xc0000]) expect(vm.memory.read(gpa, 4096)).toEqual(mark);
    expect(vm.ept.bytes).toBeLessThan(8 << 20);
    machine.reset();
    expect(machine.picture().mode).toBe('text 80x25');
  });
});
