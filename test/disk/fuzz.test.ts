import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { BlockError } from '../../src/engine/devices/block.js';
import { DiskImageError } from '../../src/engine/disk/byte-file.js';
import { openDisk } from '../../src/engine/host/disk/open-disk.js';
import { vmscope } from '../cli/vmscope.js';
import { named, requireTool } from '../tools.js';
import { img, io, qemuImg, qemuIo, random, scratchFolder } from './images.js';

const nasm = requireTool('nasm');
const SEED = Number(process.env.VMSCOPE_FUZZ_SEED ?? 20260);
const LONG = process.env.VMSCOPE_LONG_TESTS === '1';
const COUNT = Number(process.env.VMSCOPE_FUZZ_COUNT ?? (LONG ? 5000 : 500));
/** So many of them are given to a guest that reads and writes them, through the program. */
const RUNS = LONG ? 150 : 8;
const MIB = 1024 * 1024;
const VALUES = [
  0n,
  1n,
  0x1ffn,
  0x200n,
  0xffffn,
  0x10000n,
  0xffff_ffffn,
  1n << 40n,
  1n << 53n,
  1n << 62n,
  1n << 63n,
  (1n << 64n) - 1n,
];

/** Images with everything that the format has, small. */
function seeds(folder: string): Buffer[] {
  const plain = join(folder, 'plain.qcow2');
  img('create', '-q', '-f', 'qcow2', '-o', 'cluster_size=4096', plain, '4M');
  io(plain, 'write -P 1 0 256k', 'write -z 512k 64k');
  const snapshots = join(folder, 'snapshots.qcow2');
  img('create', '-q', '-f', 'qcow2', '-o', 'cluster_size=512,refcount_bits=8', snapshots, '1M');
  io(snapshots, 'write -P 2 0 128k');
  img('snapshot', '-c', 'one', snapshots);
  io(snapshots, 'write -P 3 64k 128k');
  const compressed = join(folder, 'compressed.qcow2');
  img('convert', '-c', '-O', 'qcow2', '-o', 'cluster_size=4096', snapshots, compressed);
  const old = join(folder, 'old.qcow2');
  img('convert', '-O', 'qcow2', '-o', 'compat=0.10,cluster_size=1024', snapshots, old);
  const dirty = join(folder, 'dirty.qcow2');
  img('create', '-q', '-f', 'qcow2', '-o', 'lazy_refcounts=on,cluster_size=512', dirty, '1M');
  io(dirty, 'write -P 4 0 100k');
  const dirtyBytes = readFileSync(dirty);
  dirtyBytes[79] |= 1;
  return [...[plain, snapshots, compressed, old].map((path) => readFileSync(path)), dirtyBytes];
}

it.skipIf(!qemuImg.available || !qemuIo.available)(
  named(`opens or refuses ${COUNT} damaged images, and touches no other file`, qemuImg, qemuIo),
  { timeout: LONG ? 1_800_000 : 180_000 },
  () => {
    const folder = scratchFolder();
    const images = seeds(folder);
    const next = random(SEED);
    const here = join(folder, 'here');
    const beside = join(folder, 'beside.raw');
    const witness = Buffer.alloc(MIB, 0x77);
    writeFileSync(beside, witness);
    mkdirSync(here);
    const path = join(here, 'image.qcow2');
    let opened = 0;
    for (let i = 0; i < COUNT; i++) {
      const bytes = damaged(images[i % images.length], next);
      writeFileSync(path, bytes);
      try {
        const disk = openDisk({ path, format: 'qcow2', ...(i % 3 === 0 ? { snapshotName: 'one' } : {}) });
        opened++;
        try {
          use(disk.store, next);
        } finally {
          try {
            disk.close();
          } catch (error) {
            expect(error, `close of case ${i}`).toBeInstanceOf(BlockError);
          }
        }
      } catch (error) {
        const expected = error instanceof DiskImageError || error instanceof BlockError;
        if (!expected) throw new Error(`case ${i}: ${(error as Error).stack}`);
        expect((error as Error).message).not.toContain('\n');
        expect((error as Error).message).toContain(path);
        if (error instanceof DiskImageError) expect(readFileSync(path).equals(bytes)).toBe(true);
      }
      expect(readdirSync(here)).toEqual(['image.qcow2']);
    }
    expect(readFileSync(beside).equals(witness)).toBe(true);
    expect(opened).toBeGreaterThan(COUNT / 10);
    expect(opened).toBeLessThan(COUNT);
  },
);

/** Where the tables of an image are, as far as they are in the file. */
function tables(bytes: Buffer): [offset: number, length: number][] {
  const cluster = 2 ** bytes.readUInt32BE(20);
  const word = (at: number): number => Number(bytes.readBigUInt64BE(at) & 0x00ff_ffff_ffff_fe00n);
  const l1: [number, number] = [word(40), bytes.readUInt32BE(36) * 8];
  const counts: [number, number] = [word(48), bytes.readUInt32BE(56) * cluster];
  const found: [number, number][] = [[0, 112], [112, 256], l1, counts];
  for (const [table, length] of [l1, counts]) {
    for (let at = table; at < table + length; at += 8) if (word(at) !== 0) found.push([word(at), cluster]);
  }
  if (bytes.readUInt32BE(60) > 0) found.push([word(64), 128]);
  return found.filter(([offset, length]) => offset + length <= bytes.length);
}

/** Bits, bytes and words of the tables changed: to places of other tables too, and to what is next to what was there. */
function damaged(image: Buffer, next: (below: number) => number): Buffer {
  let bytes = Buffer.from(image);
  const places = tables(image);
  for (let changes = 1 + next(4); changes > 0; changes--) {
    const [start, length] = next(8) === 0 ? [0, bytes.length] : places[next(places.length)];
    // the first entries are those in use
    const offset = start + next(next(2) === 0 ? length : Math.min(length, 64));
    const aligned = offset & ~7;
    if (offset >= bytes.length || aligned + 8 > bytes.length) continue;
    switch (next(6)) {
      case 0:
        bytes[offset] ^= 1 << next(8);
        break;
      case 1:
        bytes[offset] = next(256);
        break;
      case 2:
        bytes.writeBigUInt64BE(VALUES[next(VALUES.length)], aligned);
        break;
      case 3:
        bytes.writeBigUInt64BE(BigInt(places[next(places.length)][0]) | (BigInt(next(2)) << 63n), aligned);
        break;
      case 4:
        bytes.writeBigUInt64BE(
          BigInt.asUintN(64, bytes.readBigUInt64BE(aligned) + BigInt(next(3) - 1) * 512n),
          aligned,
        );
        break;
      default:
        if (next(8) === 0) bytes = bytes.subarray(0, Math.max(offset, 8));
    }
  }
  return bytes;
}

/** A boot sector that reads and writes its disk by INT 13h here and there, and halts for ever. */
const READS_AND_WRITES = `
bits 16
org 0x7c00
  xor ax, ax
  mov ds, ax
  mov ss, ax
  mov sp, 0x7c00
  mov byte [drive], 0x81
next:
  mov ah, 0x42
  call disk
  mov ah, 0x43
  call disk
  add dword [sector], 77
  cmp dword [sector], 2000
  jb next
  cli
  hlt
disk:
  mov al, 0
  mov dl, [drive]
  mov si, packet
  int 0x13
  ret
drive: db 0
align 4
packet: db 16, 0
  dw 4, 0x8000, 0
sector: dd 0, 0
times 510-($-$$) db 0
  dw 0xaa55
`;

it.skipIf(!qemuImg.available || !qemuIo.available || !nasm.available)(
  named(`a guest on ${RUNS} damaged images ends as it would, and nothing else changes`, qemuImg, qemuIo, nasm),
  { timeout: LONG ? 1_800_000 : 180_000 },
  async () => {
    const folder = scratchFolder();
    const images = seeds(folder);
    const next = random(SEED + 1);
    const here = join(folder, 'here');
    mkdirSync(here);
    const [source, boot, beside, path] = ['boot.asm', 'boot.img', 'beside.raw', 'here/image.qcow2'].map((name) =>
      join(folder, name),
    );
    writeFileSync(source, READS_AND_WRITES);
    execFileSync(nasm.path, ['-f', 'bin', '-o', boot, source]);
    const loader = Buffer.concat([readFileSync(boot), Buffer.alloc(MIB)]);
    const witness = Buffer.alloc(MIB, 0x77);
    writeFileSync(beside, witness);
    const statuses = new Map<number | null, number>();
    for (let i = 0; i < RUNS; i++) {
      writeFileSync(path, damaged(images[i % images.length], next));
      writeFileSync(boot, loader);
      const disks = ['--disk', `${boot},format=raw,if=ide`, '--disk', `${path},format=qcow2,if=ide`];
      const result = await vmscope(['run', ...disks, '--headless', '--timeout', '30'], { timeoutMs: 170_000 });
      expect([0, 1, 2], `case ${i}: ${result.stderr}`).toContain(result.status);
      expect(result.stderr).not.toMatch(/\n\s+at /);
      expect(readdirSync(here)).toEqual(['image.qcow2']);
      statuses.set(result.status, (statuses.get(result.status) ?? 0) + 1);
    }
    expect(readFileSync(beside).equals(witness)).toBe(true);
    // some are refused, and some run
    expect(statuses.get(2)).toBeGreaterThan(0);
    expect(statuses.get(1)).toBeGreaterThan(0);
  },
);

/** Reads and writes as a guest would; errors of the storage are fine. */
function use(store: ReturnType<typeof openDisk>['store'], next: (below: number) => number): void {
  const piece = new Uint8Array(64 * 512);
  for (let i = 0; i < 40; i++) {
    const count = 1 + next(Math.min(64, store.sectors));
    const sector = next(Math.min(store.sectors - count, 8192) + 1);
    try {
      if (next(2) === 0 || store.readOnly) store.read(sector, piece.subarray(0, count * 512));
      else if (next(4) === 0) store.writeZeroes(sector, count);
      else store.write(sector, piece.subarray(0, count * 512));
      if (next(8) === 0) store.flush();
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
    }
  }
}
