/**
 * A driver that breaks all cards of a machine at once: random rings and tables in memory, wild addresses, registers, bus mastering,
 * configuration space, floppy and DMA controller, keyboard and mouse, the video card's registers and memory, in random order. Nothing throws, each access comes back, and in the middle of it the machine's state
 * goes to another machine, which goes on just the same. More seeds with VMSCOPE_LONG_TESTS=1.
 */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Drive, DriveBus } from '../../src/engine/devices/block.js';
import type { NetBackend } from '../../src/engine/devices/net-backend.js';
import { UnmappedVideoMemory } from '../../src/engine/devices/vga/video-memory.js';
import { Rng } from '../../src/engine/difftest/rng.js';
import { record } from '../../src/engine/state/schema.js';
import { NET_MODELS, type NetModel } from '../../src/engine/vmm/cards.js';
import { netCard } from '../../src/engine/vmm/net-models.js';
import { TestDisk } from '../devices/ide-rig.js';
import { type PcRig, pcRig } from '../devices/rig.js';

const SEEDS = process.env.VMSCOPE_LONG_TESTS === '1' ? 200 : 2;
const STEPS = 300;
const RAM_BYTES = 4 << 20;
/** 360K. */
const FLOPPY_SECTORS = 720;
const LFB = 0xfd000000;
const MAC = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);
const IDE_PORTS = [0x1f0, 0x1f1, 0x1f2, 0x1f3, 0x1f4, 0x1f5, 0x1f6, 0x1f7, 0x3f6, 0x177];

/** A disk that counts what gets through to it. */
class BusyDisk extends TestDisk {
  requests = 0;

  override read(sector: number, into: Uint8Array): void {
    super.read(sector, into);
    this.requests++;
  }

  override write(sector: number, bytes: Uint8Array): void {
    super.write(sector, bytes);
    this.requests++;
  }
}

interface Broken {
  rig: PcRig;
  ram: Uint8Array;
  disks: BusyDisk[];
  video: UnmappedVideoMemory;
  net: NetBackend;
  /** What the guest has sent, by its length. */
  sent: number[];
}

function machine(model: NetModel): Broken {
  const ram = new Uint8Array(RAM_BYTES);
  const inside = (gpa: number, bytes: number): void => {
    if (!(gpa >= 0 && gpa + bytes <= RAM_BYTES)) throw new RangeError(`${gpa}+${bytes} is outside RAM`);
  };
  const memory = {
    bytes: RAM_BYTES,
    read: (gpa: number, bytes: number) => {
      inside(gpa, bytes);
      return ram.subarray(gpa, gpa + bytes);
    },
    write: (gpa: number, bytes: Uint8Array) => {
      inside(gpa, bytes.length);
      ram.set(bytes, gpa);
    },
  };
  const sent: number[] = [];
  const net: NetBackend = {
    ...{ toGuest: () => {}, shape: record({}), save: () => ({}), load: () => {}, describe: () => [] },
    fromGuest: (frame) => void sent.push(frame.length),
  };
  const buses: DriveBus[] = ['ide', 'sata', 'nvme', 'virtio', 'sata', 'floppy', 'floppy'];
  const disks = buses.map((bus) => new BusyDisk(bus === 'floppy' ? FLOPPY_SECTORS : 256));
  const drives = buses.map(
    (bus, i): Drive => ({
      ...{ name: `disk${i}`, serial: `D${i}`, bus, store: disks[i] },
      kind: bus === 'floppy' ? 'floppy' : 'disk',
    }),
  );
  const video = new UnmappedVideoMemory();
  const rig = pcRig({ memory, video, network: netCard(model, { name: 'net0', mac: MAC, backend: net }), drives });
  return { rig, ram, disks, video, net, sent };
}

/** A step: the same for each machine, whatever it answers. */
type Step = (broken: Broken) => unknown;

/** Where the driver has its rings and tables, a page each, and where most buffers are. */
const [RX, TX, RING, LIST, TABLE, PRD, SQ, CQ] = [1, 2, 3, 4, 5, 6, 7, 8].map((page) => page * 0x10000);
const PAGES = [RX, TX, RING, LIST, TABLE, PRD, SQ, CQ];
const ALL_ONES = 0xffffffff;

/** By a card's identity the BAR of its registers, and what starts it: registers and what they are set to. */
const STARTS: Readonly<
  Record<string, { bar: number; writes: readonly [offset: number, value: number][]; kicks: readonly number[] }>
> = {
  '8086:100e': {
    bar: 0,
    writes: [
      ...([
        [0, 0x40],
        [0xd0, ALL_ONES],
        [0x2800, RX],
        [0x2804, 0],
        [0x2808, 4096],
        [0x2810, 0],
        [0x2818, 200],
      ] as const),
      ...([
        [0x3800, TX],
        [0x3804, 0],
        [0x3808, 4096],
        [0x3810, 0],
        [0x3818, 0],
        [0x100, 0x801a],
        [0x400, 0x10a],
      ] as const),
    ].map(([at, value]): [number, number] => [at, value]),
    kicks: [0x2818, 0x3818, 0x3818, 0x3800, 0x2800, 0x100, 0x400, 0xc0, 0x20],
  },
  '10ec:8139': {
    bar: 1,
    writes: [
      [0x34, 0x0c000000],
      [0x30, RING],
      [0x44, 0xf],
      [0x3c, ALL_ONES],
    ],
    kicks: [0x10, 0x14, 0x18, 0x1c, 0x20, 0x24, 0x28, 0x2c, 0x38, 0x34, 0x44, 0x30],
  },
  '1b36:0010': {
    bar: 0,
    writes: [
      [0x14, 0],
      [0x24, 0x000f000f],
      [0x28, SQ],
      [0x2c, 0],
      [0x30, CQ],
      [0x34, 0],
      [0x14, 0x00460001],
    ],
    kicks: [0x1000, 0x1000, 0x1008, 0x1008, 0x1008, 0x1004, 0x100c, 0x28],
  },
  '8086:2922': {
    bar: 5,
    writes: [
      ...([
        [4, 0x80000002],
        [0x100, LIST],
        [0x104, 0],
        [0x108, RING],
        [0x10c, 0],
        [0x114, ALL_ONES],
        [0x118, 0x11],
      ] as const),
      ...([
        [0x180, LIST],
        [0x184, 0],
        [0x188, RING],
        [0x18c, 0],
        [0x194, ALL_ONES],
        [0x198, 0x11],
      ] as const),
    ].map(([at, value]): [number, number] => [at, value]),
    kicks: [0x138, 0x138, 0x1b8, 0x134, 0x110, 0x118, 0x198, 0x100, 0x12c, 8],
  },
};

/** Commands of the floppy controller, and how many parameters each takes. */
const FLOPPY: readonly (readonly [command: number, parameters: number])[] = [
  ...([
    [0xe6, 8],
    [0xe6, 8],
    [0xc5, 8],
    [0x4d, 5],
    [0x4a, 1],
    [0x0f, 2],
    [0x07, 1],
    [0x08, 0],
    [0x03, 2],
    [0x04, 1],
    [0x0e, 0],
    [0x10, 0],
  ] as const),
];

/** Disks of the machine that the guest means to read, write or format: 8237 channel 2, then a command with parameters. */
function floppyStep(rng: Rng): Step[] {
  const drive = rng.below(rng.oneIn(6) ? 4 : 2);
  const [command, parameters] = rng.oneIn(8) ? [rng.below(256), rng.below(10)] : rng.pick(FLOPPY);
  const cylinder = rng.oneIn(8) ? rng.below(256) : rng.below(40);
  const right = [drive | (rng.below(2) << 2), cylinder, rng.below(2), 1 + rng.below(9), 2, 9, 27, 255];
  const given = right.slice(0, parameters).map((value) => (rng.oneIn(10) ? rng.below(256) : value));
  const [gpa, bytes, mode] = [rng.below(0x1000000), rng.below(65536), rng.pick([0x46, 0x4a, 0x42, rng.below(256)])];
  const [select, ns] = [rng.oneIn(8) ? rng.below(256) : 0x3c | drive, rng.below(400_000_000)];
  return [
    ({ rig }) => rig.out(0x3f2, select),
    ({ rig }) => [0x0f, drive, cylinder].forEach((value) => void rig.out(0x3f5, value)),
    ({ rig }) => rig.clock.advance(ns),
    ({ rig }) => [rig.out(0x3f5, 8), rig.in(0x3f5), rig.in(0x3f5)],
    ({ rig }) => rig.out(0x0c, 0),
    ({ rig }) => rig.out(0x0b, mode),
    ({ rig }) => [gpa & 0xff, (gpa >> 8) & 0xff].forEach((value) => void rig.out(4, value)),
    ({ rig }) => [bytes & 0xff, bytes >> 8].forEach((value) => void rig.out(5, value)),
    ({ rig }) => [rig.out(0x81, gpa >> 16), rig.out(0x0a, 2)],
    ({ rig }) => [command, ...given].forEach((value) => void rig.out(0x3f5, value)),
    ({ rig }) => rig.clock.advance(ns),
    ({ rig }) => Array.from({ length: 1 + (ns & 7) }, () => [rig.in(0x3f4), rig.in(0x3f5)]),
  ];
}

/** Keyboard controller, keyboard and mouse: any command, and moves and keys of the host in between. */
function inputStep(rng: Rng): Step[] {
  const [command, data] = [
    rng.pick([0x20, 0x60, 0xa7, 0xa8, 0xaa, 0xad, 0xae, 0xd1, 0xd4, rng.below(256)]),
    rng.below(256),
  ];
  const mouse = rng.pick([0xff, 0xf4, 0xf5, 0xf3, 0xe8, 0xe6, 0xe9, 0xeb, 0xf2, 0xf6, rng.below(256)]);
  const move = {
    dx: rng.below(2000) - 1000,
    dy: rng.below(2000) - 1000,
    wheel: rng.below(9) - 4,
    buttons: rng.below(8),
  };
  const [down, key] = [rng.oneIn(2), rng.pick(['a', 'f1'])];
  return [
    ({ rig }) => rig.out(0x64, command),
    ({ rig }) => rig.out(0x60, data),
    ({ rig }) => [rig.out(0x64, 0xd4), rig.out(0x60, mouse)],
    ({ rig }) => rig.pc.keyboard.moveMouse(move),
    ({ rig }) => rig.pc.keyboard.key(key, down),
    ({ rig }) => Array.from({ length: 1 + (data & 7) }, () => [rig.in(0x64), rig.in(0x60)]),
  ];
}

/** The video card: registers, VBE, its memory by both windows, and somebody who looks. */
function videoStep(rng: Rng): Step[] {
  const [index, value] = [rng.pick([0x3c4, 0x3ce, 0x3d4]), rng.below(0x10000) & 0xff1f];
  const [port, byte] = [0x3c0 + rng.below(0x20), rng.below(256)];
  const vbe = rng.pick([0, 1, 0x41, 0x81, 4, 8, 15, 16, 24, 32, 320, 0xffff, rng.below(0x10000)]);
  const [register, at, word] = [rng.below(12), rng.below(0x1fff8), rng.u32()];
  const linear = rng.below(1 << 24) & ~7;
  const most = { width: 1 + rng.below(100), height: 1 + rng.below(60) };
  const steps: Step[] = [
    ({ rig }) => rig.out(index, value, 2),
    ({ rig }) => [rig.out(port, byte), rig.in(port)],
    ({ rig }) => [rig.out(0x1ce, register, 2), rig.out(0x1cf, vbe, 2), rig.in(0x1d0, 2)],
    ({ rig }) => rig.pc.bus.mmioWrite(0xa0000 + at, 4, BigInt(word)),
    ({ rig }) => rig.pc.bus.mmioRead(0xa0000 + at, 4),
    ({ rig }) => rig.pc.bus.mmioWrite(LFB + linear, 8, BigInt(word)),
    ({ rig }) => rig.pc.bus.mmioRead(LFB + linear, 4),
  ];
  if (rng.oneIn(6)) steps.push(({ rig }) => createHash('sha1').update(rig.pc.vga.picture(most).rgb).digest('hex'));
  return steps;
}

const ATA = [0x25, 0x35, 0xc8, 0xca, 0xec, 0x60, 0x61, 0xe7, 0x06, 0xa1];

/** What a page of rings holds: mostly what its device takes, with wild addresses and lengths among it. */
function page(rng: Rng, at: number): Uint8Array {
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  const gpa = (): number => (rng.oneIn(8) ? rng.u32() : 0x100000 + (rng.below(0x200000) & ~3));
  const put = (offset: number, ...words: number[]): void => {
    for (const [i, word] of words.entries()) view.setUint32(offset + 4 * i, word >>> 0, true);
  };
  const high = (): number => (rng.oneIn(16) ? rng.u32() : 0);
  for (let n = 0; n < 256; n++) {
    if (at === RX) put(16 * n, gpa(), high(), 0, 0);
    else if (at === TX) put(16 * n, gpa(), high(), rng.oneIn(4) ? rng.u32() : 0x0b000000 | rng.below(2000), 0);
    else if (at === SQ && n < 64) {
      const opcode = rng.oneIn(4) ? rng.below(256) : rng.pick([1, 2, 1, 2, 8, 9, 0]);
      const command = opcode | (n << 16);
      put(64 * n, command, rng.oneIn(12) ? rng.u32() : 1, 0, 0, 0, 0, gpa(), high(), gpa(), high());
      put(64 * n + 40, rng.oneIn(6) ? rng.u32() : rng.below(200), rng.oneIn(4) ? rng.below(4) : 0, rng.below(16));
      // a queue pair first, whose commands are these as well
      if (n === 0) put(0, 5, 1, 0, 0, 0, 0, CQ, 0, 0, 0, 0x000f0001, 1);
      else if (n === 1) put(64, 1, 1, 0, 0, 0, 0, SQ, 0, 0, 0, 0x000f0001, 0x00010001);
    } else if (at === LIST && n < 32) {
      put(32 * n, 5 | (rng.below(2) << 6) | ((rng.oneIn(6) ? rng.below(65536) : 4 + rng.below(4)) << 16), 0);
      put(32 * n + 8, rng.oneIn(8) ? rng.u32() : TABLE + 0x100 * rng.below(8), high());
    } else if (at === TABLE && n < 16) {
      put(
        0x100 * n,
        0x8027 | ((rng.oneIn(2) ? rng.pick(ATA) : 0x25) << 16),
        rng.below(256) | 0xe0000000,
        0,
        rng.oneIn(8) ? rng.u32() : 1 + rng.below(4),
      );
      for (let i = 0; i < 8; i++) put(0x100 * n + 0x80 + 16 * i, gpa(), high(), 0, rng.oneIn(4) ? rng.u32() : 511);
    } else if (at === PRD) put(8 * n, gpa(), rng.oneIn(4) ? rng.u32() : 0x80000000 | (512 * rng.below(16)));
    else if (rng.oneIn(8)) put(16 * n, rng.u32());
  }
  return bytes;
}

interface Registers {
  start: (typeof STARTS)[string];
  base: number;
  bytes: number;
}

function program(rng: Rng, cards: readonly Registers[], busMaster: number): Step[] {
  const value = (): number =>
    rng.pick([rng.below(64), rng.below(64), rng.u32(), 1 << rng.below(32), rng.pick(PAGES)]) >>> 0;
  const write =
    ({ base }: Registers, offset: number, data: number): Step =>
    ({ rig }) =>
      rig.pc.bus.mmioWrite(base + offset, 4, BigInt(data));
  const start = (card: Registers): Step[] => card.start.writes.map(([at, data]) => write(card, at, data));
  const fill = (): Step => {
    const at = rng.pick(PAGES);
    const bytes = page(rng, at);
    return ({ ram }) => ram.set(bytes, at);
  };
  const step = (): Step[] => {
    const card = rng.pick(cards);
    const [offset, small, data, ns] = [rng.below(card.bytes) & ~3, rng.below(16), value(), rng.below(20_000_000)];
    switch (rng.below(16)) {
      case 12:
        return floppyStep(rng);
      case 13:
        return inputStep(rng);
      case 14:
        return videoStep(rng);
      case 0:
        return start(card);
      case 1: {
        // IDE: a command by the bus master, or anything
        const [port, command] = [rng.pick(IDE_PORTS), rng.pick(ATA)];
        return [
          ({ rig }) => rig.out(busMaster + 4, PRD, 4),
          ({ rig }) => [4, 0].forEach((control) => void rig.out(0x3f6, control)),
          ({ rig }) => rig.clock.advance(10_000_000),
          ({ rig }) => rig.out(0x1f2, (small & 7) + 1),
          ({ rig }) => [small, 0, 0, 0xe0].forEach((byte, i) => void rig.out(0x1f3 + i, byte)),
          ({ rig }) => rig.out(port, data & 0xff),
          ({ rig }) => rig.out(0x1f7, command),
          ({ rig }) => rig.out(busMaster, (small & 8) | 1),
          ({ rig }) => rig.clock.advance(ns),
          ({ rig }) => [rig.in(0x1f7), rig.in(busMaster + 2), rig.out(busMaster, 0)],
        ];
      }
      case 2:
      case 3:
        return [fill()];
      case 4:
      case 5: {
        const frame = new Uint8Array(6 + rng.below(1600));
        frame.set(rng.oneIn(2) ? MAC : [255, 255, 255, 255, 255, 255]);
        return [({ net }) => net.toGuest(frame.slice())];
      }
      case 6:
        return [({ rig }) => rig.clock.advance(ns)];
      case 7:
        return [({ rig }) => rig.pc.bus.mmioRead(card.base + offset, 4)];
      case 8:
        return [write(card, offset, data)];
      default:
        return [write(card, rng.pick(card.start.kicks), rng.oneIn(2) ? small : data)];
    }
  };
  const first = [
    ...PAGES.map((at): Step => {
      const bytes = page(rng, at);
      return ({ ram }) => ram.set(bytes, at);
    }),
    ...cards.flatMap(start),
  ];
  return [...first, ...Array.from({ length: STEPS }, step).flat()];
}

/** All of a machine: its state is compared as it is, RAM and disks by a hash. */
const whole = ({ rig, ram, disks, video }: Broken) => ({
  state: rig.pc.save(),
  memory: [ram, video.bytes, ...disks.map(({ bytes }) => bytes)].map((bytes) =>
    createHash('sha1').update(bytes).digest('hex'),
  ),
});

function cardsOf({ rig }: Broken): Registers[] {
  return rig.pc.pci.all.flatMap((card) => {
    const identity = [0, 2].map((at) => card.configRead(at, 2).toString(16).padStart(4, '0')).join(':');
    const start = STARTS[identity];
    const bar = start && card.bars.find(({ index }) => index === start.bar);
    return bar ? [{ start, base: card.barBase(bar)!, bytes: bar.bytes }] : [];
  });
}

/** What got through in all seeds so far: frames each way, and requests of the IDE, SATA and NVMe disk. */
const through = { sent: 0, received: 0, ide: 0, sata: 0, nvme: 0, floppy: 0 };

function count({ rig, sent, disks }: Broken): void {
  const frames = rig.pc.devices.find(({ name }) => name === 'net0')?.describe?.() ?? [];
  through.sent += sent.length;
  through.received += Number(/(\d+) received/.exec(frames.map((row) => row.join(' ')).join('\n'))?.[1] ?? 0);
  for (const [i, name] of (['ide', 'sata', 'nvme'] as const).entries()) through[name] += disks[i].requests;
  through.floppy += disks[5].requests + disks[6].requests;
}

describe.each(NET_MODELS)('cards of a machine with %s', (model) => {
  it.each(Array.from({ length: SEEDS }, (_, i) => i + 1))(
    'seed %i: nothing throws, and another machine goes on with its state',
    (seed) => {
      const one = machine(model);
      const ide = one.rig.pc.pci.all.find(({ name }) => name === 'PIIX3 IDE')!;
      const steps = program(new Rng(seed * 977), cardsOf(one), ide.barBase(ide.bars[0])!);
      const half = steps.length >> 1;
      for (const step of steps.slice(0, half)) step(one);
      const other = machine(model);
      other.ram.set(one.ram);
      other.video.bytes.set(one.video.bytes);
      for (const [i, { bytes }] of one.disks.entries()) other.disks[i].bytes.set(bytes);
      other.rig.clock.advance(one.rig.clock.now());
      other.rig.pc.load(structuredClone(one.rig.pc.save()));
      other.sent.length = 0;
      one.sent.length = 0;
      const answers = (broken: Broken): unknown[] => steps.slice(half).map((step) => step(broken));
      expect(answers(other)).toEqual(answers(one));
      expect(other.sent).toEqual(one.sent);
      expect(whole(other)).toEqual(whole(one));
      count(one);
    },
    120_000,
  );
});

it('among all that is wrong, some gets through to each card', () => {
  for (const [what, times] of Object.entries(through)) expect(times, what).toBeGreaterThan(0);
});
