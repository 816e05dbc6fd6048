import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseDisk } from '../../src/cli/drive-options.js';
import { openDrives } from '../../src/cli/drives.js';

describe('--disk', () => {
  it('takes a bus by its name, AHCI by both of its names, and CD-ROM drives where there are some', () => {
    expect(parseDisk('a.img,if=sata')).toMatchObject({ bus: 'sata', kind: 'disk', readonly: false });
    expect(parseDisk('a.img,if=ahci')).toMatchObject({ bus: 'sata' });
    expect(parseDisk('a.img,if=nvme')).toMatchObject({ bus: 'nvme', kind: 'disk' });
    expect(parseDisk('a.iso,if=sata,media=cdrom')).toMatchObject({ bus: 'sata', kind: 'cdrom', readonly: true });
    expect(parseDisk('a.iso,media=cdrom')).toMatchObject({ bus: 'ide', kind: 'cdrom', readonly: true });
    expect(parseDisk('a.img,if=floppy')).toMatchObject({ bus: 'floppy', kind: 'floppy' });
  });

  it('names what it does not know, and what there is', () => {
    expect(() => parseDisk('a,if=scsi')).toThrow(/if=scsi is not virtio, ide, sata.* or floppy; usage: FILE/);
    expect(() => parseDisk('a,media=tape')).toThrow(/media=tape is not cdrom or disk/);
    for (const serial of ['', 'a b', 'x'.repeat(21), 'ü'])
      expect(() => parseDisk(`a,serial=${serial}`)).toThrow(/serial=.* is not 1 to 20 characters of ASCII/);
    expect(() => parseDisk('a,if=virtio,media=cdrom')).toThrow(/media=cdrom needs if=ide or if=sata/);
  });
});

it("numbers IDE and SATA drives by their places, as QEMU's pc does: images set up there name their disks so", () => {
  const folder = mkdtempSync(join(tmpdir(), 'vmscope-drives-'));
  try {
    const image = (name: string): string => {
      const path = join(folder, name);
      writeFileSync(path, Buffer.alloc(65536));
      return path;
    };
    const words = ['if=ide', 'if=sata', 'if=ide', 'if=ide,media=cdrom', 'if=sata,serial=my-own', 'if=sata,media=cdrom'];
    const list = words.map((word, at) => parseDisk(`${image(`${at}.img`)},format=raw,${word}`));
    const drives = openDrives(list, 'ide');
    drives.close();
    expect(drives.drives.map(({ name, serial }) => `${name} ${serial}`)).toEqual([
      ...['disk0 QM00001', 'disk1 QM00005', 'disk2 QM00002', 'cdrom0 QM00003', 'disk3 my-own', 'cdrom1 QM00009'],
    ]);
    const alone = openDrives([parseDisk(`${image('alone.img')},format=raw,if=virtio`)], 'ide');
    alone.close();
    expect(alone.drives.map(({ name, serial }) => `${name} ${serial}`)).toEqual(['disk0 VMSD00000', 'cdrom0 QM00003']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
