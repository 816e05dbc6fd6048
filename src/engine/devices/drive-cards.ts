/** Which PCI cards carry the drives, and in what order they are plugged in. */
import { AhciController } from './ahci/controller.js';
import type { Drive } from './block.js';
import { NvmeController } from './nvme/controller.js';
import type { CardMaker } from './pci/card.js';
import { FIRST_FREE_SLOT } from './platform.js';
import { VirtioBlk } from './virtio/blk.js';
import { virtioCard } from './virtio/pci.js';

/** A card with its drives, which are numbered by their place on it. */
export interface DriveCard {
  drives: readonly Drive[];
  make: CardMaker;
}

/** Cards in the order of the first drive on each: virtio and NVMe disks have one of their own, SATA drives share one. */
export function driveCards(drives: readonly Drive[]): DriveCard[] {
  const cards: DriveCard[] = [];
  for (const drive of drives) {
    if (drive.bus === 'virtio') cards.push({ drives: [drive], make: virtioDisk(drive) });
    else if (drive.bus === 'nvme') cards.push({ drives: [drive], make: nvmeDisk(drive) });
    else if (drive.bus === 'sata' && !cards.some((card) => card.drives.includes(drive))) {
      const sata = drives.filter(({ bus }) => bus === 'sata');
      cards.push({ drives: sata, make: (slot) => new AhciController(slot, sata) });
    }
  }
  return cards;
}

/** PCI device number of each drive's card, and its place there; the network card, where there is one, has the first slot. */
export function driveSlots(drives: readonly Drive[], network: boolean): Map<Drive, { device: number; place: number }> {
  const first = FIRST_FREE_SLOT + (network ? 1 : 0);
  const slots = new Map<Drive, { device: number; place: number }>();
  for (const [i, card] of driveCards(drives).entries())
    for (const [place, drive] of card.drives.entries()) slots.set(drive, { device: first + i, place });
  return slots;
}

function virtioDisk({ name, store, serial }: Drive): CardMaker {
  if (!store) throw new Error(`${name}: a virtio drive has a disk`);
  return virtioCard(new VirtioBlk({ name, store, serial }));
}

function nvmeDisk({ name, store, serial }: Drive): CardMaker {
  if (!store) throw new Error(`${name}: an NVMe drive has a disk`);
  return (slot) => new NvmeController(slot, { name, store, serial });
}
