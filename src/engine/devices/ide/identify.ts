/** The 256 words by which a drive tells what it is. @ata 7.12.7 "IDENTIFY DEVICE data" */

import type { Geometry } from '../geometry.js';

/** Largest disk that 28-bit addresses reach. */
const LBA28_SECTORS = 0x0fff_ffff;
/** Names of QEMU's drives: an image set up there finds its disks by them, in /dev/disk/by-id. */
const DISK_MODEL = 'QEMU HARDDISK';
export const CDROM_MODEL = 'QEMU DVD-ROM';
export const FIRMWARE_REVISION = '2.5+';

class Words {
  readonly bytes = new Uint8Array(512);
  private readonly view = new DataView(this.bytes.buffer);

  set(word: number, value: number): this {
    this.view.setUint16(word * 2, value, true);
    return this;
  }

  set32(word: number, value: number): this {
    return this.set(word, value & 0xffff).set(word + 1, Math.floor(value / 65536) & 0xffff);
  }

  /** Text with the bytes of each word swapped, padded with spaces. */
  text(word: number, words: number, text: string): this {
    const padded = text.padEnd(words * 2).slice(0, words * 2);
    for (let i = 0; i < words; i++) {
      this.set(word + i, ((padded.charCodeAt(2 * i) & 0xff) << 8) | (padded.charCodeAt(2 * i + 1) & 0xff));
    }
    return this;
  }
}

/** Ultra DMA modes 0 to 5, and the one in use. */
function ultraDma(mode: number): number {
  return 0x3f | (mode >= 0x40 ? 1 << (8 + (mode & 7)) : 0);
}

/** Multiword DMA modes 0 to 2, and the one in use. */
function multiwordDma(mode: number): number {
  return 7 | (mode >= 0x20 && mode < 0x40 ? 1 << (8 + (mode & 7)) : 0);
}

export interface DiskIdentity {
  serial: string;
  sectors: number;
  physical: Geometry;
  current: Geometry;
  /** Sectors of a multiple transfer now, and at most. */
  multiple: number;
  maxMultiple: number;
  /** Transfer mode as SET FEATURES gave it. */
  mode: number;
  writeCache: boolean;
  sata: boolean;
}

export function identifyDisk(disk: DiskIdentity): Uint8Array {
  const { physical, current, sectors } = disk;
  const w = new Words();
  // fixed drive
  w.set(0, 0x0040);
  w.set(1, physical.cylinders).set(3, physical.heads).set(6, physical.sectors);
  w.text(10, 10, disk.serial).text(23, 4, FIRMWARE_REVISION).text(27, 20, DISK_MODEL);
  w.set(47, 0x8000 | disk.maxMultiple);
  // 32-bit data port; LBA and DMA
  w.set(48, 1).set(49, 0x0300);
  w.set(51, 0x0200).set(52, 0x0200);
  // words 54-58, 64-70 and 88 are valid
  w.set(53, 7);
  w.set(54, current.cylinders).set(55, current.heads).set(56, current.sectors);
  w.set32(57, Math.min(current.cylinders * current.heads * current.sectors, 0xffff_ffff));
  w.set(59, disk.multiple === 0 ? 0 : 0x0100 | disk.multiple);
  w.set32(60, Math.min(sectors, LBA28_SECTORS));
  w.set(63, multiwordDma(disk.mode)).set(64, 3);
  for (const word of [65, 66, 67, 68]) w.set(word, 120);
  // ATA-4 to ATA-6
  w.set(80, 0x0070).set(81, 0);
  // supported and enabled: power management, write cache, look-ahead; 48-bit addresses, FLUSH CACHE (EXT)
  w.set(82, 0x4068).set(83, 0x7400).set(84, 0x4000);
  w.set(85, 0x4048 | (disk.writeCache ? 0x20 : 0))
    .set(86, 0x3400)
    .set(87, 0x4000);
  w.set(88, ultraDma(disk.mode)).set(93, 0x6001);
  if (disk.sata) {
    // 32 commands queued; generation 1 with queuing; ATA-8; no cable that could be measured
    w.set(75, 31).set(76, 0x0102).set(80, 0x01f0).set(93, 0);
    // general purpose logging
    w.set(84, 0x4020).set(87, 0x4020);
  }
  w.set32(100, sectors % 2 ** 32).set32(102, Math.floor(sectors / 2 ** 32));
  return w.bytes;
}

export function identifyCdrom(serial: string, mode: number, sata: boolean): Uint8Array {
  const w = new Words();
  // packet device, CD-ROM, removable, 12-byte packets
  w.set(0, 0x8580);
  w.text(10, 10, serial).text(23, 4, FIRMWARE_REVISION).text(27, 20, CDROM_MODEL);
  w.set(48, 1).set(49, 0x0300).set(53, 7);
  w.set(63, multiwordDma(mode)).set(64, 3);
  for (const word of [65, 66, 67, 68]) w.set(word, 120);
  w.set(71, 30).set(72, 30);
  w.set(80, 0x001e).set(82, 0x4010).set(83, 0x4000).set(85, 0x4010).set(87, 0x4000);
  w.set(88, ultraDma(mode)).set(93, sata ? 0 : 0x6001);
  // generation 1
  if (sata) w.set(76, 0x0002).set(80, 0x01f0);
  return w.bytes;
}
