import { describe, expect, it } from 'vitest';
import { parseBootOrder } from '../../src/cli/boot-order.js';
import { bootPaths } from '../../src/engine/boot/boot-order.js';
import type { Drive } from '../../src/engine/devices/block.js';
import { MemoryDisk } from '../devices/virtio/memory-disk.js';

const drive = (kind: Drive['kind'], bus: Drive['bus']): Drive => ({
  ...{ name: `${kind}-${bus}`, serial: '1', bus, kind },
  store: new MemoryDisk(new Uint8Array(4096)),
});
const FLOPPY = '/pci@i0cf8/isa@1/fdc@03f0/floppy@0';
const NETWORK = '/pci@i0cf8/ethernet@3/ethernet-phy@0';

describe('boot order', () => {
  const drives = [
    ...[drive('disk', 'virtio'), drive('cdrom', 'ide'), drive('floppy', 'floppy')],
    ...[drive('disk', 'sata'), drive('disk', 'nvme')],
  ];
  const paths = [
    ...['/pci@i0cf8/scsi@4/disk@0,0', '/pci@i0cf8/ide@1,1/drive@1/disk@0', FLOPPY],
    ...['/pci@i0cf8/pci8086,2922@5/drive@0/disk@0', '/pci@i0cf8/pci1b36,10@6/namespace@1,0'],
  ];

  it('is that of the command line, and the network last', () => {
    expect(bootPaths({ drives, network: true })).toEqual([...paths, NETWORK]);
    expect(bootPaths({ drives: [drives[0]], network: false })).toEqual(['/pci@i0cf8/scsi@3/disk@0,0']);
  });

  it("is that of QEMU's letters, and the rest behind them", () => {
    const of = (order: string) => bootPaths({ drives, network: true, order });
    expect(of('n')).toEqual([NETWORK, ...paths]);
    expect(of('dn')).toEqual([paths[1], NETWORK, paths[0], ...paths.slice(2)]);
    expect(of('ac')).toEqual([FLOPPY, paths[0], paths[3], paths[4], paths[1], NETWORK]);
  });

  it("is read in QEMU's words", () => {
    expect(['n', 'order=cdn', 'menu=off,order=a', 'order=nd,strict=on'].map(parseBootOrder)).toEqual([
      ...['n', 'cdn', 'a', 'nd'],
    ]);
  });

  it.each(['', 'x', 'nn', 'order=', 'menu=on', 'menu=off', 'once=d', 'order=c,n', 'c,splash=f'])(
    'refuses %j',
    (text) => {
      expect(() => parseBootOrder(text)).toThrow(`--boot ${text}: `);
    },
  );
});
