/** What firmware tries to boot, in which order, by the names of Open Firmware: SeaBIOS and OVMF read them from a file. */
import type { Drive } from '../devices/block.js';
import { driveSlots } from '../devices/drive-cards.js';
import { idePlaces } from '../devices/ide/controller.js';
import { FIRST_FREE_SLOT } from '../devices/platform.js';

/** QEMU's letters for kinds of what is booted. */
const LETTERS: Readonly<Record<string, Drive['kind'] | 'network'>> = {
  ...{ a: 'floppy', c: 'disk', d: 'cdrom', n: 'network' },
};
export const BOOT_LETTERS = Object.keys(LETTERS);

export interface BootSources {
  /** In the order of the command line. */
  drives: readonly Drive[];
  /** There is a network card. */
  network: boolean;
  /** Letters of the kinds that come before all others. */
  order?: string | undefined;
}

/** Places of the drives and of the network card, in the order in which they are tried: the network last, unless it is named. */
export function bootPaths({ drives, network, order = '' }: BootSources): string[] {
  const paths = drivePaths(drives, network);
  // an empty drive is not named: it is tried after what is, as in QEMU's pc
  const sources: { kind: Drive['kind'] | 'network'; path: string }[] = drives
    .map(({ kind, store }, i) => ({ kind, store, path: paths[i] }))
    .filter(({ store }) => store !== undefined);
  if (network)
    sources.push({ kind: 'network', path: `/pci@i0cf8/ethernet@${FIRST_FREE_SLOT.toString(16)}/ethernet-phy@0` });
  const named = [...order].map((letter) => LETTERS[letter]);
  const rank = (kind: Drive['kind'] | 'network'): number => {
    const at = named.indexOf(kind);
    return at < 0 ? named.length : at;
  };
  return sources.toSorted((one, other) => rank(one.kind) - rank(other.kind)).map(({ path }) => path);
}

function drivePaths(drives: readonly Drive[], network: boolean): string[] {
  const ide = drives.filter(({ bus }) => bus === 'ide');
  const places = new Map([...idePlaces(ide)].map(([place, drive]) => [drive, place]));
  const floppies = drives.filter(({ bus }) => bus === 'floppy');
  const slots = driveSlots(drives, network);
  return drives.map((drive) => {
    if (drive.bus === 'floppy') return `/pci@i0cf8/isa@1/fdc@03f0/floppy@${floppies.indexOf(drive)}`;
    const place = places.get(drive);
    if (place !== undefined) return `/pci@i0cf8/ide@1,1/drive@${place >> 1}/disk@${place & 1}`;
    const slot = slots.get(drive)!;
    const card = slot.device.toString(16);
    if (drive.bus === 'sata') return `/pci@i0cf8/pci8086,2922@${card}/drive@${slot.place}/disk@0`;
    if (drive.bus === 'nvme') return `/pci@i0cf8/pci1b36,10@${card}/namespace@1,0`;
    return `/pci@i0cf8/scsi@${card}/disk@0,0`;
  });
}
