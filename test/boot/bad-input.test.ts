import { describe, expect, it } from 'vitest';
import { TableWriter } from '../../src/engine/boot/binary.js';
import { loadImage } from '../../src/engine/boot/detect.js';
import { ImageError, type LoadOptions } from '../../src/engine/boot/image.js';
import { bzImage, elf, multibootHeader } from './images.js';

const MIB = 1 << 20;
const code = new Uint8Array(64).fill(0x90);

function failure(bytes: Uint8Array, more: Partial<LoadOptions> = {}): string {
  try {
    loadImage('guest.img', bytes, { memoryBytes: 16 * MIB, vcpus: 1, ...more });
  } catch (error) {
    expect(error).toBeInstanceOf(ImageError);
    const { message } = error as ImageError;
    expect(message).not.toContain('\n');
    return message;
  }
  throw new Error('the image was accepted');
}

const patched = (bytes: Uint8Array, ...changes: [offset: number, value: number][]) => {
  const copy = bytes.slice();
  for (const [offset, value] of changes) copy[offset] = value;
  return copy;
};

const elf64 = elf(64, 0x100000, [{ paddr: 0x100000, bytes: code }]);
const elf32 = elf(32, 0x100000, [{ paddr: 0x100000, bytes: code }]);

describe('files that are no guests', () => {
  it.each<[string, Uint8Array, RegExp]>([
    ['empty', new Uint8Array(0), /^guest\.img: file is empty$/],
    ['text', new TextEncoder().encode('hello world\n'), /not an ELF, multiboot, Linux or boot sector image/],
    ['gzip', Uint8Array.of(0x1f, 0x8b, 8, 0), /gzip-compressed/],
    ['qcow2', Uint8Array.of(0x51, 0x46, 0x49, 0xfb), /qcow2/],
  ])('%s', (_, bytes, message) => {
    expect(failure(bytes)).toMatch(message);
  });
});

describe('broken ELF files', () => {
  it.each<[string, Uint8Array, RegExp]>([
    ['only the magic', elf64.subarray(0, 4), /truncated: ELF header/],
    ['half a header', elf64.subarray(0, 40), /truncated: ELF header/],
    ['header only', elf64.subarray(0, 64), /truncated: program header table/],
    ['cut in a segment', elf64.subarray(0, 150), /truncated: segment 0 needs bytes 0x78-0xb8, the file has 0x96/],
    ['AArch64', patched(elf64, [18, 183]), /for AArch64, not for x86/],
    ['RISC-V', patched(elf64, [18, 243]), /for RISC-V/],
    ['an unknown machine', patched(elf64, [18, 77]), /for machine 77/],
    ['big-endian', patched(elf64, [5, 2]), /big-endian/],
    ['no class', patched(elf64, [4, 7]), /class 7/],
    ['x32', patched(elf32, [18, 62]), /x32/],
    ['an object file', patched(elf64, [16, 1]), /relocatable object: link it first/],
    ['a core file', patched(elf64, [16, 4]), /type 4/],
    ['a dynamic program', elf(64, 0, [{ paddr: 0, bytes: code, type: 3 }]), /dynamically linked/],
    ['no segments', elf(64, 0, [{ paddr: 0, bytes: code, type: 2 }]), /no loadable segment/],
  ])('%s', (_, bytes, message) => {
    expect(failure(bytes)).toMatch(message);
  });

  it('names a segment outside memory, its range and the size of RAM', () => {
    const far = elf(64, 0x2000000, [{ paddr: 0x2000000, bytes: code, memoryBytes: 0x1000 }]);
    expect(failure(far)).toBe("guest.img: segment 0 at 0x2000000-0x2001000 is outside the guest's 16 MiB of memory");
    const last = elf(32, 0x100000, [{ paddr: 0xfffff0, bytes: code }]);
    expect(failure(last)).toMatch(/segment 0 at 0xfffff0-0x1000030/);
    const huge = elf(64, 0x100000, [{ paddr: 0x100000, bytes: code, memoryBytes: 2 ** 51 }]);
    expect(failure(huge)).toMatch(/outside/);
  });

  it('names overlapping segments', () => {
    const overlap = elf(64, 0x100000, [
      { paddr: 0x100020, bytes: code },
      { paddr: 0x100000, bytes: code },
    ]);
    expect(failure(overlap)).toBe('guest.img: segment 1 at 0x100000-0x100040 overlaps segment 0 at 0x100020-0x100060');
  });

  it('names a bss that is smaller than its file contents', () => {
    expect(failure(elf(64, 0x100000, [{ paddr: 0x100000, bytes: code, memoryBytes: 16 }]))).toMatch(
      /larger in the file/,
    );
  });
});

describe('kernels that cannot be booted', () => {
  it('too old, too low, too large', () => {
    expect(failure(bzImage({ version: 0x205 }))).toMatch(/too old: boot protocol 2\.5/);
    expect(failure(patched(bzImage(), [0x211, 0]))).toMatch(/zImage/);
    expect(failure(bzImage({ initBytes: 64 * MIB }))).toMatch(/needs memory up to 0x4100000, the guest has 16 MiB/);
    expect(failure(bzImage().subarray(0, 0x300))).toMatch(/truncated/);
    expect(failure(bzImage(), { append: 'x'.repeat(256) })).toMatch(/at most 255 bytes, not 256/);
  });

  it('an initrd that does not fit, or that nobody takes', () => {
    const initrd = { name: 'root.cpio', bytes: new Uint8Array(20 * MIB) };
    expect(failure(bzImage(), { initrd })).toMatch(/^root\.cpio: initrd of 20971520 bytes does not fit in 16 MiB/);
    expect(failure(elf64, { initrd })).toMatch(/^root\.cpio: an initrd needs/);
  });

  it('multiboot headers that ask for the impossible', () => {
    const file = (flags: number, addresses: number[] = []) => {
      const bytes = new Uint8Array(0x200);
      bytes.set(multibootHeader(flags, addresses), 0);
      return bytes;
    };
    expect(failure(file(0x8))).toMatch(/unknown features 0x8/);
    expect(failure(file(0))).toMatch(/gives no addresses and the file is not ELF/);
    expect(failure(file(0x10000, [0x100000, 0x200000, 0, 0, 0x200000]))).toMatch(/before the load address/);
    expect(failure(file(0x10000, [0x100000, 0x100000, 0x200000, 0, 0x100000]))).toMatch(/truncated/);
    expect(failure(file(0x10000, [0x100000, 0x100000, 0, 0x50, 0x100000]))).toMatch(/end before its start/);
    expect(failure(file(0x10000, [0x100000, 0x100000, 0, 0xf0000000, 0x100000]))).toMatch(/outside the guest/);
    expect(failure(file(0x10000, [0x100000, 0x100000, 0, 0, 0x300000]))).toMatch(/entry 0x300000/);
  });

  it('flat binaries that do not fit, and too little memory for anything', () => {
    const disk = new Uint8Array(2 * MIB);
    disk.set([0x55, 0xaa], 510);
    expect(failure(disk)).toMatch(/does not fit/);
    expect(failure(code, { at: 15 * MIB + 0xffff0 })).toMatch(/flat binary at .* outside/);
    expect(failure(elf64, { memoryBytes: 512 << 10 })).toMatch(/at least 1 MiB/);
  });
});

describe('damage at random', () => {
  /** A small generator with a fixed seed: the same files on every run. */
  function generator(seed: number): () => number {
    let state = seed;
    return () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state >>> 8;
    };
  }

  /** Loads and checks that what comes out is bounded, or an ImageError with one line. */
  function tryLoad(bytes: Uint8Array, more: Partial<LoadOptions> = {}): boolean {
    const memoryBytes = 16 * MIB;
    try {
      const image = loadImage('guest.img', bytes, { memoryBytes, vcpus: 1, ...more });
      for (const part of image.chunks) expect(part.gpa + part.bytes.length).toBeLessThanOrEqual(memoryBytes);
      for (const part of image.zero) expect(part.gpa + part.bytes).toBeLessThanOrEqual(memoryBytes);
      const own = image.chunks.filter((part) => part.bytes.buffer !== bytes.buffer);
      expect(own.reduce((sum, part) => sum + part.bytes.length, 0)).toBeLessThan(MIB);
      expect(image.symbols.length).toBeLessThanOrEqual(bytes.length / 16);
      return true;
    } catch (error) {
      expect(error).toBeInstanceOf(ImageError);
      expect((error as ImageError).message).toMatch(/^guest\.img: [^\n]+$/);
      return false;
    }
  }

  it('100 random files', () => {
    const next = generator(1);
    for (let file = 0; file < 100; file++) {
      const bytes = Uint8Array.from({ length: (next() % 20_000) + 1 }, () => next() & 0xff);
      expect(tryLoad(bytes)).toBe(false);
      // The same noise behind each magic number.
      for (const magic of [
        [0x7f, 0x45, 0x4c, 0x46, 2, 1],
        [0x7f, 0x45, 0x4c, 0x46, 1, 1],
        [0x02, 0xb0, 0xad, 0x1b],
      ]) {
        tryLoad(Uint8Array.from([...magic, ...bytes.subarray(magic.length)]));
      }
    }
  });

  // a load builds all of ACPI's tables: 3,000 of them take 6 s of a processor of its own
  it('mutated headers of every kind', { timeout: 240_000 }, () => {
    const next = generator(2);
    const note = new TableWriter(20).u32(0, 4).u32(4, 4).u32(8, 18).text(12, 'Xen\0').u32(16, 0x100000).bytes;
    const header = new Uint8Array(0x100);
    header.set(multibootHeader(0x10003, [0x100040, 0x100000, 0, 0, 0x100010]), 0x40);
    const symbols: [string, number][] = [
      ['start', 0x100000],
      ['stop', 0x100010],
    ];
    const seeds = [
      elf(
        64,
        0x100000,
        [
          { paddr: 0x100000, bytes: code },
          { paddr: 0x200000, bytes: code },
        ],
        symbols,
      ),
      elf(32, 0x100000, [{ paddr: 0x100000, bytes: code, memoryBytes: 0x1000 }], symbols),
      elf(64, 0x100000, [
        { paddr: 0x100000, bytes: code },
        { paddr: 0, bytes: note, type: 4 },
      ]),
      elf(32, 0x100000, [{ paddr: 0x100000, bytes: header }]),
      bzImage(),
      bzImage({ relocatable: true, is64: false }),
    ];
    const edges = [0, 1, 0x7f, 0x80, 0xff];
    let accepted = 0;
    for (const seed of seeds) {
      expect(tryLoad(seed)).toBe(true);
      for (let round = 0; round < 500; round++) {
        const bytes = seed.slice();
        const changes = (next() % 4) + 1;
        const reach = Math.min(bytes.length, seed.length > 1000 ? 0x280 : bytes.length);
        for (let i = 0; i < changes; i++) {
          bytes[next() % reach] = next() & 1 ? edges[next() % edges.length] : next() & 0xff;
        }
        if (tryLoad(next() % 8 === 0 ? bytes.subarray(0, next() % bytes.length) : bytes)) accepted++;
      }
    }
    // Damage that changes nothing that matters must not be refused either.
    expect(accepted).toBeGreaterThan(300);
  });
});
