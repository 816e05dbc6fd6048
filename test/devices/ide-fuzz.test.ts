import { expect, it } from 'vitest';
import { random } from '../disk/images.js';
import { cd, disk, ideRig, TestDisk } from './ide-rig.js';

const SEEDS = Number(process.env.VMSCOPE_FUZZ_COUNT ?? 60);
/** Commands and packets that lead on to data; the rest of the time any byte is written. */
const COMMANDS = [
  0x20, 0x24, 0x25, 0x29, 0x30, 0x34, 0x35, 0xa0, 0xa0, 0xc4, 0xc5, 0xc6, 0xc8, 0xca, 0xec, 0xa1, 0xef, 0x08,
];
const PACKETS = [0x00, 0x03, 0x12, 0x1a, 0x1b, 0x1e, 0x25, 0x28, 0x43, 0x46, 0x4a, 0x51, 0x5a, 0xa8, 0xbd, 0xbe];

it.each(Array.from({ length: SEEDS }, (_, i) => i + 1))('any order of accesses is harmless, seed %i', (seed) => {
  const next = random(seed * 7919);
  const store = new TestDisk(700);
  const shelf = { get: () => ({ store: new TestDisk(200, true) }) };
  const rig = ideRig(disk(store), disk(new TestDisk(100, true), 1), { ...cd(new TestDisk(400, true)), shelf });
  const [drive] = rig.cables[1].mediumDrives;
  const view = new DataView(rig.memory.buffer, 0x1000);
  for (let step = 0; step < 3000; step++) {
    const base = next(2) === 0 ? 0x1f0 : 0x170;
    // the user changes the disc, takes it out, or presses the button
    if (next(64) === 0) drive.change([undefined, '', 'other.iso'][next(3)]);
    if (next(64) === 0) drive.askForEjection();
    switch (next(12)) {
      case 0:
        rig.out(base + 7, next(3) === 0 ? next(256) : COMMANDS[next(COMMANDS.length)]);
        break;
      case 1:
      case 2:
      case 3:
        rig.out(base + 1 + next(6), next(4) === 0 ? next(256) : next(4));
        break;
      case 4:
        rig.out(base + 0x206, next(16) === 0 ? 4 : next(4) === 0 ? 0x80 : 0);
        break;
      case 5:
        rig.feed(
          Uint8Array.from({ length: 12 }, (_, i) => (i === 0 ? PACKETS[next(PACKETS.length)] : next(5))),
          base,
        );
        break;
      case 6:
        rig.feed(new Uint8Array(512).fill(step), base);
        break;
      case 7:
        rig.data(2 * next(300), base, [1, 2, 4][next(3)]);
        break;
      case 8: {
        view.setUint32(8 * next(4), next(8) === 0 ? 0xffff_f000 : next(1 << 19), true);
        view.setUint32(8 * next(4) + 4, next(2 ** 16) | (next(2) ? 0x8000_0000 : 0), true);
        const half = 8 * next(2);
        rig.pci.bars[0].write(half + 4, 4, next(16) === 0 ? 0xffff_fff0 : 0x1000);
        rig.pci.bars[0].write(half, 1, next(256));
        rig.pci.bars[0].write(half + 2, 1, next(256));
        break;
      }
      case 9:
        rig.in(base + next(8), [1, 2, 4][next(3)]);
        break;
      default:
        rig.clock.advance(next(100_000));
    }
  }
  // after a reset everything is as ever
  for (const base of [0x1f0, 0x170]) rig.out(base + 0x206, 4, 0);
  rig.clock.advance(1_000_000);
  rig.command(0x20, 5, 1);
  expect(rig.wait()).toBe(0x58);
  expect(rig.data(512)).toEqual(store.sector(5).slice());
  drive.change('');
  // it tells of the change first
  for (let i = 0; i < 2; i++) rig.packet([0x00]);
  rig.packet([0x25]);
  expect([...rig.packetData()[0]]).toEqual([0, 0, 0, 99, 0, 0, 8, 0]);
});
