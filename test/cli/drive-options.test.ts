import { describe, expect, it } from 'vitest';
import { parseDisk } from '../../src/cli/drive-options.js';

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
    expect(() => parseDisk('a,if=scsi')).toThrow(/if=scsi is not virtio, ide, sata.* or floppy; it is FILE/);
    expect(() => parseDisk('a,media=tape')).toThrow(/media=tape is not cdrom or disk/);
    expect(() => parseDisk('a,if=virtio,media=cdrom')).toThrow(/media=cdrom needs if=ide or if=sata/);
  });
});
