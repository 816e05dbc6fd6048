/** Images made by qemu-img, random numbers with a seed, and a disk beside a plain array that says what is on it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlockStore } from '../../src/engine/devices/block.js';
import { requireTool } from '../tools.js';

export const qemuImg = requireTool('qemu-img');
export const qemuIo = requireTool('qemu-io');

/** A folder that is gone at the end of the process. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'vmscope-disk-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs qemu-img; answers its output. @throws Error with that output when it fails. */
export function img(...args: string[]): string {
  try {
    return execFileSync(qemuImg.path, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`qemu-img ${args.join(' ')}: ${stdout}${stderr}`);
  }
}

export function io(path: string, ...commands: string[]): string {
  return execFileSync(qemuIo.path, [...commands.flatMap((command) => ['-c', command]), path], { encoding: 'utf8' });
}

/** xorshift32. */
export function random(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
}

/** Writes, zeroes and flushes at random; answers the contents that the disk must have. `start` are those before. */
export function scribble(store: BlockStore, start: Uint8Array, seed: number, count: number): Uint8Array {
  const next = random(seed);
  const expected = start.slice();
  for (let i = 0; i < count; i++) {
    const length = 1 + next(i % 7 === 0 ? 600 : 12);
    const sector = next(store.sectors - length + 1);
    const kind = next(10);
    if (kind === 0) {
      store.writeZeroes(sector, length);
      expected.fill(0, sector * 512, (sector + length) * 512);
    } else if (kind === 1) store.flush();
    else {
      const bytes = new Uint8Array(length * 512);
      for (let j = 0; j < bytes.length; j += 61) bytes[j] = next(256);
      bytes[0] = i + 1;
      store.write(sector, bytes);
      expected.set(bytes, sector * 512);
    }
  }
  return expected;
}

export function contents(store: BlockStore): Uint8Array {
  const bytes = new Uint8Array(store.sectors * 512);
  const step = 1024 * 1024;
  for (let at = 0; at < bytes.length; at += step) store.read(at / 512, bytes.subarray(at, at + step));
  return bytes;
}
