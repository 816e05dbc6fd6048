/** Snapshots inside qcow2 images, made, applied and deleted while the image is in use; qemu-img looks at each step. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type OpenDisk, openDisk } from '../../src/engine/host/disk/open-disk.js';
import { named, requireTool } from '../tools.js';

const qemuImg = requireTool('qemu-img');
const folder = mkdtempSync(join(tmpdir(), 'vmscope-snapshots-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const qemu = (...args: string[]): string => execFileSync(qemuImg.path, args, { encoding: 'utf8' });
const SECTORS = 16384;
const WHEN = { dateSeconds: 1_700_000_000, clockNs: 3_723_004_000_000, icount: 77n };
const SLOW = 120_000;

function random(seed: number): (below: number) => number {
  let x = seed;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

function contents({ store }: OpenDisk): Buffer {
  const all = Buffer.alloc(store.sectors * 512);
  store.read(0, all);
  return all;
}

const same = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0;

const KINDS: [string, string[]][] = [
  ['64 KiB clusters', []],
  ['512-byte clusters', ['-o', 'cluster_size=512']],
  ['version 2', ['-o', 'compat=0.10']],
  ['2 MiB clusters', ['-o', 'cluster_size=2M']],
];

describe.skipIf(!qemuImg.available)(named('snapshots in a qcow2 image', qemuImg), () => {
  test.each(KINDS)(
    '%s: what was written is what comes back, and qemu-img finds no fault',
    (kind, options) => {
      const path = join(folder, `${kind}.qcow2`);
      qemu('create', '-q', '-f', 'qcow2', ...options, path, String(SECTORS * 512));
      const next = random(0x1234 + kind.length);
      let disk = openDisk({ path });
      let now = contents(disk);
      const kept = new Map<string, { disk: Buffer; vmState: Buffer }>();
      for (let step = 0; step < 40; step++) {
        for (let n = next(6); n > 0; n--) {
          const at = next(SECTORS - 300);
          const bytes = Buffer.alloc(512 * (1 + next(300)), 1 + next(255));
          disk.store.write(at, bytes);
          now.set(bytes, at * 512);
        }
        const store = disk.snapshotStore!;
        const ids = [...kept.keys()];
        const id = ids[next(Math.max(1, ids.length))];
        const choice = next(10);
        if (choice < 4 && kept.size < 5) {
          const vmState = Buffer.alloc(next(3) === 0 ? 0 : next(400_000), next(256));
          const pieces = [vmState.subarray(0, vmState.length / 3), vmState.subarray(vmState.length / 3)];
          store.create({ ...WHEN, name: `s${step}` }, pieces);
          kept.set(disk.snapshots.at(-1)!.id, { disk: Buffer.from(now), vmState });
        } else if (choice < 7 && id !== undefined) {
          store.apply(id);
          now = Buffer.from(kept.get(id)!.disk);
        } else if (choice < 9 && id !== undefined) {
          store.delete(id);
          kept.delete(id);
        } else {
          disk.close();
          qemu('check', '-q', path);
          disk = openDisk({ path });
        }
        expect(same(contents(disk), now), `${step}`).toBe(true);
        for (const [id, { vmState }] of kept) {
          expect(same(disk.snapshotStore!.vmState(id) ?? Buffer.alloc(0), vmState), `${step}: state of ${id}`).toBe(
            true,
          );
        }
        disk.store.flush();
        qemu('check', '-q', '-U', path);
      }
      disk.close();
      qemu('check', '-q', path);
      for (const { id } of openAndClose(path)) {
        qemu('snapshot', '-a', id, path);
        qemu('check', '-q', path);
        const raw = openDisk({ path });
        expect(same(contents(raw), kept.get(id)!.disk)).toBe(true);
        raw.close();
      }
    },
    SLOW,
  );

  test(
    'an image with a backing file and compressed clusters keeps them',
    () => {
      const base = join(folder, 'base.raw');
      const path = join(folder, 'over.qcow2');
      const seed = random(99);
      writeFileSync(base, Buffer.from(Array.from({ length: SECTORS * 512 }, () => seed(4))));
      qemu('convert', '-q', '-c', '-O', 'qcow2', base, path);
      const top = join(folder, 'top.qcow2');
      qemu('create', '-q', '-f', 'qcow2', '-b', path, '-F', 'qcow2', top);
      for (const image of [path, top]) {
        const disk = openDisk({ path: image });
        const before = contents(disk);
        disk.snapshotStore!.create({ ...WHEN, name: 'a' }, []);
        disk.store.write(1000, Buffer.alloc(512 * 700, 7));
        disk.store.writeZeroes(9000, 1000);
        disk.snapshotStore!.create({ ...WHEN, name: 'b' }, [Buffer.from('state')]);
        disk.store.write(0, Buffer.alloc(512 * 5000, 9));
        disk.snapshotStore!.apply('1');
        expect(same(contents(disk), before)).toBe(true);
        disk.snapshotStore!.delete('1');
        expect(same(contents(disk), before)).toBe(true);
        expect(Buffer.from(disk.snapshotStore!.vmState('2')!).toString()).toBe('state');
        disk.close();
        qemu('check', '-q', image);
      }
    },
    SLOW,
  );

  test('what qemu-img lists is what was saved, and its own snapshots are taken', () => {
    const path = join(folder, 'listed.qcow2');
    qemu('create', '-q', '-f', 'qcow2', path, String(SECTORS * 512));
    qemu('snapshot', '-c', 'by qemu', path);
    const disk = openDisk({ path });
    disk.store.write(5, Buffer.alloc(512, 5));
    disk.snapshotStore!.create({ ...WHEN, name: 'ours' }, [Buffer.alloc(3 << 20, 1)]);
    disk.snapshotStore!.apply('1');
    expect(contents(disk).some((byte) => byte !== 0)).toBe(false);
    disk.close();
    expect(qemu('snapshot', '-l', path)).toMatch(/^1 +by qemu .*\n2 +ours +3 MiB .* 01:02:03\.004 +77\n$/m);
    qemu('check', '-q', path);
  });

  test('too narrow reference counts are refused, and nothing has changed', () => {
    const path = join(folder, 'narrow.qcow2');
    qemu('create', '-q', '-f', 'qcow2', '-o', 'refcount_bits=1', path, String(SECTORS * 512));
    const disk = openDisk({ path });
    disk.store.write(5, Buffer.alloc(512, 5));
    expect(() => disk.snapshotStore!.create({ ...WHEN, name: 'no' }, [])).toThrow(
      `${path}: its reference counts of 1 bits are too narrow for snapshots`,
    );
    expect(() => disk.snapshotStore!.apply('1')).toThrow(`${path}: has no snapshot 1`);
    disk.close();
    qemu('check', '-q', path);
  });
});

function openAndClose(path: string): { id: string }[] {
  const disk = openDisk({ path });
  const list = [...disk.snapshots];
  disk.close();
  return list;
}
