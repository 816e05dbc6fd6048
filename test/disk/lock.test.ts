import { execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openDisk } from '../../src/engine/host/disk/open-disk.js';
import { named } from '../tools.js';
import { img, qemuIo, scratchFolder } from './images.js';

const path = join(scratchFolder(), 'locked.raw');
writeFileSync(path, new Uint8Array(1024 * 1024));

it('keeps two users from one image unless both only read', () => {
  const first = openDisk({ path });
  expect(first.warnings).toEqual([]);
  expect(() => openDisk({ path })).toThrow(`${path}: is in use by another program`);
  expect(() => openDisk({ path, readonly: true })).toThrow('is in use by another program that writes to it');
  first.close();
  const reader = openDisk({ path, readonly: true });
  const other = openDisk({ path, snapshot: true });
  expect(() => openDisk({ path })).toThrow('is in use');
  reader.close();
  other.close();
  openDisk({ path }).close();
});

it.skipIf(!qemuIo.available)(named('keeps QEMU from an image in use', qemuIo), () => {
  const image = `${path}.qcow2`;
  img('create', '-q', '-f', 'qcow2', image, '1M');
  const qemu = (...args: string[]) => execFileSync(qemuIo.path, [...args, image], { stdio: 'pipe' });
  const disk = openDisk({ path: image });
  expect(() => qemu('-r', '-c', 'read 0 512')).toThrow('Failed to get shared "write" lock');
  disk.close();
  const reader = openDisk({ path: image, readonly: true });
  expect(qemu('-r', '-c', 'read 0 512').toString()).toContain('512');
  expect(() => qemu('-c', 'write 0 512')).toThrow('Failed to get "write" lock');
  reader.close();
});

it.skipIf(!qemuIo.available)(named('respects the lock of QEMU', qemuIo), async () => {
  const qemu = spawn(qemuIo.path, ['-f', 'raw', '-c', 'sleep 60000', path], { stdio: 'ignore' });
  try {
    // no attempt of ours may stand in its way
    await expect.poll(() => locksOf(qemu.pid!), { timeout: 10_000 }).toBeGreaterThan(0);
    await expect
      .poll(() => attempt({ path }), { timeout: 10_000 })
      .toContain('is in use by another program that writes');
    expect(attempt({ path, readonly: true })).toContain('is in use');
  } finally {
    const ended = qemu.exitCode === null ? new Promise((resolve) => qemu.once('exit', resolve)) : undefined;
    qemu.kill();
    await ended;
  }
  expect(attempt({ path })).toBe('opened');
});

/** Locks of files that a process holds. */
function locksOf(pid: number): number {
  const folder = `/proc/${pid}/fdinfo`;
  const files = readdirSync(folder).map((fd) => readFileSync(join(folder, fd), 'utf8'));
  return files.join('').match(/^lock:/gm)?.length ?? 0;
}

function attempt(options: Parameters<typeof openDisk>[0]): string {
  try {
    openDisk(options).close();
    return 'opened';
  } catch (error) {
    return (error as Error).message;
  }
}
