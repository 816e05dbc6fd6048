/** What a branch has of the world outside the machine's memory: disks, recordings, several vCPUs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { SECTOR_BYTES } from '../../src/engine/devices/block.js';
import { RewindableStore } from '../../src/engine/disk/rewindable-store.js';
import { History } from '../../src/engine/history/history.js';
import { Guest } from '../../src/engine/host/guest.js';
import { Turns } from '../../src/engine/host/turns.js';
import { InputLog } from '../../src/engine/time/input-keeper.js';
import { flatGuest } from '../engine/flat-guest.js';
import { build } from '../state/machine-run.js';
import { digest, goTo, runTo } from './live-run.js';
import { differences, recordedRun, repeatAll, repeated } from './recorded-run.js';

const folder = mkdtempSync(join(tmpdir(), 'vmscope-branch-'));
afterAll(() => rmSync(folder, { recursive: true }));

const sample = (name: string) => ({
  file: fileURLToPath(new URL(`../../samples/${name}/${name}.elf`, import.meta.url)),
  memoryMib: 8,
});

test('disks: each line has its own, and the image is the trunk’s all the time', () => {
  const image = new Uint8Array(16 * SECTOR_BYTES);
  const at = (sector: number, length: number) => image.subarray(sector * SECTOR_BYTES, sector * SECTOR_BYTES + length);
  const store = new RewindableStore({
    ...{ sectors: 16, readOnly: false, flush: () => {} },
    read: (sector, into) => into.set(at(sector, into.length)),
    write: (sector, bytes) => at(sector, bytes.length).set(bytes),
    writeZeroes: (sector, count) => void at(sector, count * SECTOR_BYTES).fill(0),
  });
  const inputs = new InputLog();
  const built = build({ ...sample('crc32'), inputs });
  const turns = new Turns(built.vm, () => {});
  const history = new History(built.machine, built.vm, turns, inputs, 1 << 28, [store]);
  const run = { ...built, turns, history };
  const { lines } = history;
  // a digit a sector
  const shown = (): string => {
    const bytes = new Uint8Array(SECTOR_BYTES);
    return Array.from({ length: 6 }, (_, sector) => {
      store.read(sector, bytes);
      return bytes[0];
    }).join('');
  };
  const onImage = (): string => Array.from({ length: 6 }, (_, sector) => image[sector * SECTOR_BYTES]).join('');
  const write = (sector: number, value: number) => store.write(sector, new Uint8Array(SECTOR_BYTES).fill(value));
  const on = (instructions: number): void => {
    runTo(run, run.machine.work.icount + instructions);
    history.snapshot();
  };
  const to = (name: string): string => {
    history.enter(lines.get(name));
    history.rejoin();
    return shown();
  };

  write(1, 1);
  on(1000); // snapshot 1
  write(1, 2);
  write(2, 2);
  on(1000);
  write(3, 3);
  on(1000);
  expect(shown()).toBe('022300');
  history.moveTo(1);
  expect(shown()).toBe('010000');
  history.fork('x');
  write(2, 9);
  write(4, 4);
  on(500); // snapshot 2 of x
  write(1, 7);
  store.writeZeroes(4, 1);
  on(500);
  expect(shown()).toBe('079000');
  history.moveTo(2);
  expect(shown()).toBe('019040');
  history.fork('y');
  write(5, 5);
  on(500);
  expect(to('trunk')).toBe('022300');
  expect(onImage()).toBe('022300');
  expect(to('x')).toBe('079000');
  expect(to('y')).toBe('019045');
  expect(to('trunk')).toBe('022300');
  write(1, 8);
  write(5, 1);
  on(1000);
  expect(onImage()).toBe('082301');
  expect(to('y')).toBe('019045');
  write(0, 6);
  on(500);
  expect(to('x')).toBe('079000');
  history.moveTo(0);
  expect(shown()).toBe('000000');
  expect(to('y')).toBe('619045');
  expect(to('trunk')).toBe('082301');
  expect(onImage()).toBe('082301');
});

test('a recording is a trunk as well, before its end was seen and afterwards', () => {
  const file = join(folder, 'zoo.rec');
  const run = recordedRun(file, sample('exit-zoo'));
  for (let n = 0; n < 12 && runTo(run, run.machine.work.icount + 4001); n++) {
    run.machine.serialInput(Buffer.from('x'));
    run.notes.flush();
    run.vm.forgetTranslations();
  }
  run.recording.finish();
  const again = repeated(file, sample('exit-zoo'));
  const { history, machine } = again;
  const trunk = history.lines.trunk;
  const write = (): void => void machine.view.writeMemory(0, 'gpa', 0x5000n, Uint8Array.of(9));
  goTo(again, { kind: 'icount', icount: 10_000n });
  const before = digest(again);
  // in the interval that was repeated last, at its very end
  history.fork('early');
  write();
  runTo(again, 30_000);
  history.snapshot();
  const early = digest(again);
  history.enter(trunk);
  goTo(again, { kind: 'icount', icount: 10_000n });
  expect(digest(again)).toBe(before);
  repeatAll(again);
  expect(differences(file, again)).toEqual([]);
  // from the middle, and from the end of what is known whole
  goTo(again, { kind: 'icount', icount: 20_000n });
  history.fork('late');
  write();
  runTo(again, 25_000);
  const late = digest(again);
  history.enter(history.lines.get('early'));
  history.rejoin();
  expect(digest(again)).toBe(early);
  history.enter(trunk);
  repeatAll(again);
  expect(differences(file, again)).toEqual([]);
  history.enter(history.lines.get('late'));
  history.rejoin();
  expect(digest(again)).toBe(late);
  again.close();
});

/** The first vCPU starts the second one; both count EAX up at 70000h and go on for ever. */
const BOTH = `bf00000700 c70740ebfd90 bb0000e0fe c783f0000000ff010000 c7831003000000000001 c7830003000000450000
  c7831003000000000001 c7830003000070460000 ffe7`;

test('two vCPUs: a branch and the trunk are as in guests that know no other line', async () => {
  const guestOf = (): Guest => {
    const inputs = new InputLog();
    const { machine } = flatGuest(BOTH, { vcpus: 2, at: 0x100000, inputs });
    const history = { inputs, budgetBytes: 1 << 28, disks: [] };
    return new Guest(machine, { paced: false, waitForInput: true, history });
  };
  const PLACES = [130_000n, 230_000n, 401_000n];
  const FORK = 215_001n;
  const seen = async (guest: Guest): Promise<unknown> => [await guest.readRegisters(0), await guest.readRegisters(1)];
  const wanted: Record<string, unknown[]> = {};
  for (const name of ['trunk', 'branch-1']) {
    const guest = guestOf();
    wanted[name] = [];
    for (const icount of PLACES) {
      if (name !== 'trunk' && icount > FORK && (await guest.state()).icount < FORK) {
        await guest.runUntil({ icount: FORK });
        await guest.writeRegister(1, 'rax', 5n);
      }
      await guest.runUntil({ icount });
      wanted[name].push(await seen(guest));
    }
    await guest.quit();
  }
  expect(wanted.trunk).not.toEqual(wanted['branch-1']);
  const guest = guestOf();
  const history = guest.history!;
  await guest.runUntil({ icount: PLACES[2] });
  await history.goTo({ icount: FORK });
  await guest.writeRegister(1, 'rax', 5n);
  await guest.runUntil({ icount: PLACES[2] });
  for (const name of ['trunk', 'branch-1', 'trunk', 'branch-1']) {
    await history.switchTo(name);
    for (const n of [2, 0, 1]) {
      await history.goTo({ icount: PLACES[n] });
      expect(await seen(guest), `${name} at ${PLACES[n]}`).toEqual(wanted[name][n]);
    }
  }
  await guest.quit();
});
