/** Media that are changed in the monitor: `change`, `eject`, and what a run that is repeated makes of them. */
import { expect, test } from 'vitest';
import type { Drive, MediumShelf } from '../../src/engine/devices/block.js';
import { Guest } from '../../src/engine/host/guest.js';
import { InputLog } from '../../src/engine/time/input-keeper.js';
import { TestDisk } from '../devices/ide-rig.js';
import { build } from '../state/machine-run.js';

const image = (file: string) => ({ file, format: 'raw', snapshots: [] });
const discs: Readonly<Record<string, TestDisk>> = { 'a.iso': new TestDisk(400, true), 'b.img': new TestDisk(2880) };
const shelf: MediumShelf = {
  get: (file) => {
    if (!discs[file]) throw new Error(`${file}: no such file`);
    return { store: discs[file], image: image(file) };
  },
};
const drives: Drive[] = [
  { name: 'disk0', serial: 'D', bus: 'ide', kind: 'disk', store: new TestDisk(300), image: image('hd.img') },
  { name: 'cdrom0', serial: 'C', bus: 'ide', kind: 'cdrom', store: undefined, shelf },
  {
    name: 'floppy0',
    serial: 'F',
    bus: 'floppy',
    kind: 'floppy',
    store: new TestDisk(1440),
    image: image('fd.img'),
    shelf,
  },
];
const sample = new URL('../../samples/exit-zoo/exit-zoo.elf', import.meta.url).pathname;

test('change and eject, in words that say what is wrong', async () => {
  const { machine } = build({ file: sample, memoryMib: 8, drives });
  const guest = new Guest(machine, { paced: false, waitForInput: true });
  const ask = (line: string) => guest.monitor(line);
  expect(await ask('info block')).toMatch(/^cdrom0: \[not inserted\]$/m);
  expect(await ask('change cdrom0 a.iso')).toBe('');
  expect(await ask('info block')).toMatch(
    /^cdrom0: a\.iso \(raw\)\n {4}Attached to: ide, cdrom, 400 sectors, read-only$/m,
  );
  expect(await ask('change floppy0 "b.img"')).toBe('');
  expect(await ask('info block')).toMatch(/^floppy0: b\.img \(raw\)/m);
  const [cd, floppy] = machine.pc.mediumDrives;
  expect(floppy).toMatchObject({ changed: true, format: { cylinders: 80, sectors: 18 } });
  expect(await ask('change cdrom0 c.iso')).toBe('change cdrom0 c.iso: c.iso: no such file');
  expect(await ask('info block')).toMatch(/^cdrom0: a\.iso/m);
  expect(await ask('change disk0 a.iso')).toBe('change disk0 a.iso: disk0: the disk of this drive cannot be changed');
  expect(await ask('eject ide1-cd0')).toBe('');
  expect(await ask('info block')).toMatch(/^cdrom0: \[not inserted\]$/m);
  expect(await ask('eject dvd')).toMatch(/there is no drive dvd; there is cdrom0, floppy0, floppy1/);
  expect(await ask('change cdrom0 a.iso')).toBe('');
  Object.assign(cd!, { locked: true });
  expect(await ask('eject cdrom0')).toMatch(
    /cdrom0 is locked by the guest, which has been asked; eject -f cdrom0 does it/,
  );
  expect(await ask('change cdrom0 a.iso')).toMatch(/locked/);
  expect(await ask('eject -f cdrom0')).toBe('');
  await guest.reset();
  expect(await ask('info block')).toMatch(/^cdrom0: \[not inserted\]$[\s\S]*^floppy0: b\.img/m);
  expect(await ask('change')).toMatch(/^change: usage: change DEV FILE/);
  expect(await ask('eject')).toMatch(/^eject: usage: eject \[-f\] DEV/);
  await guest.quit();
});

test('a run that is repeated has the same medium at the same instants', async () => {
  const inputs = new InputLog();
  const { machine } = build({ file: sample, memoryMib: 8, drives, inputs });
  const guest = new Guest(machine, {
    ...{ paced: false, waitForInput: true },
    history: { inputs, budgetBytes: 1 << 26, disks: [] },
  });
  const inside = () => machine.pc.mediumDrives.map(({ bay }) => bay.medium?.image?.file);
  await guest.runUntil({ icount: 2000n });
  await guest.monitor('change cdrom0 a.iso');
  await guest.runUntil({ icount: 4000n });
  await guest.monitor('eject floppy0');
  await guest.runUntil({ icount: 6000n });
  expect(inside()).toEqual(['a.iso', undefined, undefined]);
  await guest.history!.goTo({ icount: 1000n });
  expect(inside()).toEqual([undefined, 'fd.img', undefined]);
  expect(await guest.monitor('change cdrom0 a.iso')).toMatch(/is in its past/);
  await guest.history!.goTo({ icount: 3000n });
  expect(inside()).toEqual(['a.iso', 'fd.img', undefined]);
  await guest.history!.goTo({ icount: 5000n });
  expect(inside()).toEqual(['a.iso', undefined, undefined]);
  await guest.quit();
});
