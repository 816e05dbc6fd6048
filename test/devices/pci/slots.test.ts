/** Where cards are on the bus, beside QEMU's pc with the same ones. */
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { Drive, DriveBus } from '../../../src/engine/devices/block.js';
import { driveSlots } from '../../../src/engine/devices/drive-cards.js';
import type { NetBackend } from '../../../src/engine/devices/net-backend.js';
import { ChaChaSource } from '../../../src/engine/devices/virtio/chacha.js';
import { virtioCard } from '../../../src/engine/devices/virtio/pci.js';
import { VirtioRng } from '../../../src/engine/devices/virtio/rng.js';
import { record } from '../../../src/engine/state/schema.js';
import { NET_MODELS } from '../../../src/engine/vmm/cards.js';
import { netCard } from '../../../src/engine/vmm/net-models.js';
import { named, requireTool } from '../../tools.js';
import { type PcRig, pcRig } from '../rig.js';
import { MemoryDisk } from '../virtio/memory-disk.js';

const qemu = requireTool('qemu-system-x86_64');

const nowhere = (): NetBackend => ({
  ...{ fromGuest: () => {}, toGuest: () => {}, shape: record({}), save: () => ({}), load: () => {} },
  describe: () => [],
});

const drives = (...buses: DriveBus[]): Drive[] =>
  buses.map((bus, i) => ({
    name: `disk${i}`,
    serial: `D${i}`,
    bus,
    kind: 'disk',
    store: new MemoryDisk(new Uint8Array(4096)),
  }));

/** Class codes of the functions by their slots, from the first free one on. */
function classes({ pc }: PcRig): [slot: number, code: string][] {
  return pc.pci.all
    .filter(({ place }) => place.device > 2)
    .map((card) => [card.place.device, card.configRead(0x0a, 2).toString(16).padStart(4, '0')]);
}

const NAMES: Readonly<Record<string, string>> = {
  'Ethernet controller': '0200',
  'SCSI controller': '0100',
  'SATA controller': '0106',
  'Class 0264': '0108',
  'Class 0255': '00ff',
};

/** The same of QEMU's monitor. */
function classesInQemu(...words: string[]): [slot: number, code: string][] {
  const run = spawnSync(
    qemu.path,
    ['-M', 'pc', '-S', '-m', '16', '-display', 'none', '-serial', 'none', '-monitor', 'stdio', ...words],
    { input: 'info pci\nquit\n', encoding: 'utf8', timeout: 60_000 },
  );
  const found = run.stdout.matchAll(/device +(\d+), function 0:\r?\n +(.*): PCI device/g);
  return [...found].map((match): [number, string] => [Number(match[1]), NAMES[match[2]] ?? match[2]]).slice(3);
}

describe('slots of cards', () => {
  it.each(NET_MODELS)('the network card %s has slot 3, whatever disks there are', (model) => {
    const network = netCard(model, { name: 'net0', mac: Uint8Array.of(82, 84, 0, 18, 52, 86), backend: nowhere() });
    const cards = [virtioCard(new VirtioRng('rng0', new ChaChaSource(new Uint8Array(32))))];
    const list = drives('virtio', 'sata', 'nvme', 'sata', 'virtio');
    const rig = pcRig({ network, cards, drives: list });
    expect(classes(rig)).toEqual([
      [3, '0200'],
      [4, '0100'],
      [5, '0106'],
      [6, '0108'],
      [7, '0100'],
      [8, '00ff'],
    ]);
    const slots = [...driveSlots(list, true).values()].map(({ device, place }) => [device, place]);
    expect(slots).toEqual([
      [4, 0],
      [5, 0],
      [5, 1],
      [6, 0],
      [7, 0],
    ]);
  });

  it('without a network card the disks begin at slot 3', () => {
    const list = drives('virtio', 'nvme');
    expect(classes(pcRig({ drives: list }))).toEqual([
      [3, '0100'],
      [4, '0108'],
    ]);
    expect([...driveSlots(list, false).values()].map(({ device }) => device)).toEqual([3, 4]);
  });

  it('a state of a machine with other slots is refused', () => {
    const { pc } = pcRig();
    const before = pc.save();
    expect(() => pc.load({ ...before, pci: { ...before.pci, version: 2 } })).toThrow(
      'pci: state has version 2, this program reads version 3',
    );
  });

  it.skipIf(!qemu.available)(named('are those of QEMU', qemu), () => {
    const network = netCard('e1000', { name: 'net0', mac: Uint8Array.of(82, 84, 0, 18, 52, 86), backend: nowhere() });
    const blank = (id: string) => ['-blockdev', `null-co,node-name=${id},size=1048576`];
    const drive = (id: string) => ['-drive', `if=virtio,file.driver=null-co,file.size=1048576,id=${id}`];
    expect(classes(pcRig({ network, drives: drives('virtio', 'virtio') }))).toEqual(
      classesInQemu(...drive('a'), ...drive('b'), '-nic', 'user,model=e1000'),
    );
    const nvme = [...blank('a'), '-device', 'nvme,serial=a,drive=a'];
    expect(classes(pcRig({ network, drives: drives('sata', 'nvme') }))).toEqual(
      classesInQemu('-nic', 'user,model=e1000', '-device', 'ich9-ahci', ...nvme),
    );
  });
});
