import { describe, expect, it } from 'vitest';
import { TableWriter } from '../../src/engine/boot/binary.js';
import { loadImage } from '../../src/engine/boot/detect.js';
import { ImageError, type LoadedImage, type LoadOptions } from '../../src/engine/boot/image.js';
import {
  bzImage,
  chunkNamed,
  elf,
  type HeaderTag,
  memoryOf,
  multiboot2Header,
  multibootHeader,
  textAt,
} from './images.js';

const MIB = 1 << 20;
const options = (more: Partial<LoadOptions> = {}): LoadOptions => ({ memoryBytes: 64 * MIB, vcpus: 1, ...more });
const code = new Uint8Array(64).fill(0x90);
const load = (bytes: Uint8Array, more: Partial<LoadOptions> = {}) => loadImage('dir/guest', bytes, options(more));
const cs = (image: LoadedImage) => image.initial.segments!.cs!;

/** What the loader added must lie in RAM, outside the image and apart from each other. */
function expectDisjoint(image: LoadedImage, memoryBytes: number): void {
  const ranges = [
    ...image.chunks.map((c) => ({ from: c.gpa, to: c.gpa + c.bytes.length, label: c.label })),
    ...image.zero.map((z) => ({ from: z.gpa, to: z.gpa + z.bytes, label: 'zero' })),
  ].sort((a, b) => a.from - b.from);
  for (const [i, range] of ranges.entries()) {
    expect(range.to, range.label).toBeLessThanOrEqual(memoryBytes);
    if (i > 0) expect(ranges[i - 1].to, `${ranges[i - 1].label} / ${range.label}`).toBeLessThanOrEqual(range.from);
  }
}

describe('plain ELF', () => {
  it('ELF64 starts in long mode on tables that map 4 GiB onto themselves', () => {
    const image = load(
      elf(64, 0x200010, [{ paddr: 0x200000, bytes: code, memoryBytes: 0x3000 }], [['_start', 0x200010]]),
    );
    expect(image.kind).toBe('elf64');
    expect(image.initial).toMatchObject({ rip: 0x200010n, cr0: 0x80000011n, cr4: 0x20n, efer: 0x500n, rflags: 2n });
    expect(cs(image).accessRights).toBe(0xa09b);
    expect(image.symbols).toEqual([{ name: '_start', address: 0x200010n, size: 16n, kind: 'function' }]);
    expectDisjoint(image, 64 * MIB);
    const memory = memoryOf(image);
    expect(memory.getUint8(0x200040)).toBe(0);
    const entry = (table: number, index: number) => Number(memory.getBigUint64(table + 8 * index, true));
    for (const address of [0, 0x200000, 0xb8000, 0xfee00000, 0xffffffff]) {
      const pdpt = entry(Number(image.initial.cr3), 0) & ~0xfff;
      const directory = entry(pdpt, address >>> 30) & ~0xfff;
      const page = entry(directory, (address >>> 21) & 511);
      expect(page & 0x83).toBe(0x83);
      expect(Math.floor(page / 0x200000)).toBe(address >>> 21);
    }
    // The GDT holds what the segment registers say.
    const descriptor = memory.getBigUint64(Number(image.initial.gdtr!.base) + cs(image).selector, true);
    expect(descriptor).toBe(0x00af9b000000ffffn);
  });

  it('ELF32 starts in flat protected mode', () => {
    const image = load(elf(32, 0x100000, [{ paddr: 0x100000, bytes: code }], [['main', 0x100000]]));
    expect(image.kind).toBe('elf32');
    expect(image.initial).toMatchObject({ rip: 0x100000n, cr0: 0x11n, cr4: 0n, efer: 0n });
    expect(cs(image)).toEqual({ selector: 0x10, base: 0n, limit: 0xffffffff, accessRights: 0xc09b });
    expect(image.symbols[0].name).toBe('main');
    expect(Number(image.initial.rsp) % 16).toBe(0);
  });

  it('turns a high virtual entry into a physical one', () => {
    const vaddr = 0xffffffff81000000n;
    const image = load(elf(64, vaddr + 0x10n, [{ paddr: 0x1000000, vaddr, bytes: code }]));
    expect(image.initial.rip).toBe(0x1000010n);
  });

  it('finds room around an image that fills low memory', () => {
    const big = new Uint8Array(0x9f000 - 0x1000);
    const image = load(elf(64, 0x1000, [{ paddr: 0x1000, bytes: big }]));
    expect(image.initial.cr3).toBeGreaterThanOrEqual(0x100000n);
    expectDisjoint(image, 64 * MIB);
  });
});

describe('multiboot', () => {
  const withHeader = (header: Uint8Array) => {
    const bytes = new Uint8Array(0x100);
    bytes.set(header, 0x20);
    return bytes;
  };

  it('hands over the machine as the specification lays it out', () => {
    const kernel = elf(32, 0x100080, [{ paddr: 0x100000, bytes: withHeader(multibootHeader(7)), memoryBytes: 0x2000 }]);
    const initrd = { name: 'dir/module.img', bytes: new Uint8Array(5000).fill(7) };
    const image = load(kernel, { append: 'a=1 b', initrd });
    expect(image.kind).toBe('multiboot');
    expect(image.initial).toMatchObject({ rip: 0x100080n, cr0: 0x11n, registers: { rax: 0x2badb002n } });
    expectDisjoint(image, 64 * MIB);
    const memory = memoryOf(image);
    const info = Number(image.initial.registers!.rbx);
    const field = (offset: number) => memory.getUint32(info + offset, true);
    expect(field(0)).toBe(0x124d);
    expect([field(4), field(8)]).toEqual([639, 63 * 1024]);
    expect(textAt(memory, field(16))).toBe('guest a=1 b');
    expect(textAt(memory, field(64))).toBe('vmscope');
    expect(field(20)).toBe(1);
    const module = memory.getUint32(field(24), true);
    expect(module % 4096).toBe(0);
    expect(module).toBeGreaterThanOrEqual(0x102000);
    expect(memory.getUint32(field(24) + 4, true) - module).toBe(5000);
    expect(memory.getUint8(module + 4999)).toBe(7);
    expect(textAt(memory, memory.getUint32(field(24) + 8, true))).toBe('dir/module.img');
    // EGA text framebuffer, because the header asked for video.
    expect([memory.getUint32(info + 88, true), field(96), field(100), field(104)]).toEqual([0xb8000, 160, 80, 25]);
    const map: [number, number, number][] = [];
    for (let at = field(48); at < field(48) + field(44); at += memory.getUint32(at, true) + 4) {
      const u64 = (offset: number) => Number(memory.getBigUint64(at + offset, true));
      map.push([u64(4), u64(12), memory.getUint32(at + 20, true)]);
    }
    expect(map[0]).toEqual([0, 0x9fc00, 1]);
    expect(map).toContainEqual([0x100000, 63 * MIB, 1]);
  });

  it('hands over modules with what belongs to them, where no two share a byte', () => {
    const kernel = elf(32, 0x100080, [{ paddr: 0x100000, bytes: withHeader(multibootHeader(3)), memoryBytes: 0x2000 }]);
    const module = (n: number, args?: string) => ({
      ...{ name: `dir/m${n}`, bytes: new Uint8Array(5000 * n).fill(n) },
      ...(args === undefined ? {} : { args }),
    });
    const image = load(kernel, { initrd: module(1, 'a=1 b'), modules: [module(2), module(3, 'c')] });
    expectDisjoint(image, 64 * MIB);
    const memory = memoryOf(image);
    const info = Number(image.initial.registers!.rbx);
    expect(memory.getUint32(info + 20, true)).toBe(3);
    const list = memory.getUint32(info + 24, true);
    for (const n of [1, 2, 3]) {
      const at = list + 16 * (n - 1);
      const [start, end, text] = [0, 4, 8].map((offset) => memory.getUint32(at + offset, true));
      expect([start % 4096, end - start]).toEqual([0, 5000 * n]);
      expect([memory.getUint8(start), memory.getUint8(end - 1)]).toEqual([n, n]);
      expect(textAt(memory, text)).toBe(['dir/m1 a=1 b', 'dir/m2', 'dir/m3 c'][n - 1]);
    }
  });

  it('loads by the addresses of the header, also from a file that is not ELF', () => {
    const file = new Uint8Array(0x1100).fill(0x90);
    file.set(multibootHeader(0x10003, [0x200100, 0x200000, 0x201000, 0x203000, 0x200200]), 0x200);
    const image = load(file);
    expect(image.initial.rip).toBe(0x200200n);
    const chunk = chunkNamed(image, 'multiboot image');
    expect([chunk.gpa, chunk.bytes.length, chunk.bytes.byteOffset - file.byteOffset]).toEqual([
      0x200000, 0x1000, 0x100,
    ]);
    expect(image.zero).toEqual([{ gpa: 0x201000, bytes: 0x2000 }]);
  });
});

describe('multiboot 2', () => {
  const withHeader = (header: Uint8Array, at = 0x20, length = 0x200) => {
    const bytes = new Uint8Array(length);
    bytes.set(header, at);
    return bytes;
  };
  /** ELF32 whose file has the header at a multiple of 8. */
  const kernel = (header: Uint8Array) => elf(32, 0x100080, [{ paddr: 0x100000, bytes: withHeader(header, 0x24) }]);
  /** Tags of the boot information by type. */
  const tagsOf = (image: ReturnType<typeof load>) => {
    const memory = memoryOf(image);
    const info = Number(image.initial.registers!.rbx);
    const total = memory.getUint32(info, true);
    const tags = new Map<number, DataView>();
    let at = info + 8;
    for (;;) {
      const [type, size] = [memory.getUint32(at, true), memory.getUint32(at + 4, true)];
      tags.set(type, new DataView(memory.buffer, at + 8, size - 8));
      at = (at + size + 7) & ~7;
      if (type === 0) break;
    }
    expect(at).toBe(info + total);
    return tags;
  };
  const text = (view: DataView, at = 0) => textAt(view, at);

  it('hands over the machine and its tags as the specification lays them out', () => {
    const symbols: [string, number][] = [['start', 0x100080]];
    const file = elf(
      64,
      0x100080,
      [{ paddr: 0x100000, bytes: withHeader(multiboot2Header([[1, 0, 1, 6, 9, 15]]), 8), memoryBytes: 0x2000 }],
      symbols,
    );
    const initrd = { name: 'dir/module.img', bytes: new Uint8Array(5000).fill(7) };
    const image = load(file, { append: 'a=1 b', initrd });
    expect(image.kind).toBe('multiboot2');
    expect(image.initial).toMatchObject({ rip: 0x100080n, cr0: 0x11n, registers: { rax: 0x36d76289n } });
    expect(Number(image.initial.registers!.rbx) % 8).toBe(0);
    expectDisjoint(image, 64 * MIB);
    const tags = tagsOf(image);
    expect(text(tags.get(1)!)).toBe('guest a=1 b');
    expect(text(tags.get(2)!)).toBe('vmscope');
    const module = tags.get(3)!;
    const start = module.getUint32(0, true);
    expect(start % 4096).toBe(0);
    expect(module.getUint32(4, true) - start).toBe(5000);
    expect(text(module, 8)).toBe('dir/module.img');
    expect(memoryOf(image).getUint8(start + 4999)).toBe(7);
    expect([tags.get(4)!.getUint32(0, true), tags.get(4)!.getUint32(4, true)]).toEqual([639, 63 * 1024]);
    const map = tags.get(6)!;
    expect([map.getUint32(0, true), map.getUint32(4, true)]).toEqual([24, 0]);
    const areas: number[][] = [];
    for (let at = 8; at < map.byteLength; at += 24)
      areas.push([
        Number(map.getBigUint64(at, true)),
        Number(map.getBigUint64(at + 8, true)),
        map.getUint32(at + 16, true),
      ]);
    expect(areas[0]).toEqual([0, 0x9fc00, 1]);
    expect(areas).toContainEqual([0x100000, 63 * MIB, 1]);
    const screen = tags.get(8)!;
    expect([screen.getBigUint64(0, true), screen.getUint32(8, true), screen.getUint8(21)]).toEqual([0xb8000n, 160, 2]);
    expect(text(tags.get(14)!).slice(0, 8)).toBe('RSD PTR ');
    expect(tags.get(14)!.byteLength).toBe(20);
    expect(tags.get(15)!.byteLength).toBe(36);
    expect(tags.get(21)!.getUint32(0, true)).toBe(0x100000);
    // sections: none, symbols, their names, which are loaded
    const sections = tags.get(9)!;
    expect([sections.getUint32(0, true), sections.getUint32(4, true)]).toEqual([3, 64]);
    const names = Number(sections.getBigUint64(12 + 2 * 64 + 16, true));
    expect(textAt(memoryOf(image), names + 1)).toBe('start');
  });

  it('begins where the header says, and loads by its addresses', () => {
    expect(load(kernel(multiboot2Header([[3, 0, 0x100090]]))).initial.rip).toBe(0x100090n);
    const file = new Uint8Array(0x1100).fill(0x90);
    file.set(
      multiboot2Header([
        [2, 0, 0x200100, 0x200000, 0x201000, 0x203000],
        [3, 0, 0x200200],
      ]),
      0x200,
    );
    const image = load(file);
    expect(image.initial.rip).toBe(0x200200n);
    expect(chunkNamed(image, 'multiboot image').gpa).toBe(0x200000);
    expect(image.zero).toEqual([{ gpa: 0x201000, bytes: 0x2000 }]);
    expect(() => load(file, { at: 0x7c00 })).toThrow('names its own addresses');
  });

  it('takes what a machine without EFI may ignore, and what is optional', () => {
    const tags: HeaderTag[] = [
      [4, 0, 3],
      [5, 0, 1024, 768, 32],
      [6, 0],
      [7, 0],
      [9, 0, 0x100000],
      [10, 0, 0x100000, 0x1000000, 4096, 0],
      [77, 1],
      [1, 1, 500],
    ];
    expect(load(kernel(multiboot2Header(tags))).kind).toBe('multiboot2');
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['a tag that is not known', multiboot2Header([[77, 0]]), /needs something of type 77/],
    ['information that is not known', multiboot2Header([[1, 0, 500]]), /needs boot information of type 500/],
    ['another architecture', multiboot2Header([], 4), /architecture 4 \(MIPS\)/],
    ['another place', multiboot2Header([[10, 0, 0x4000000, 0x5000000, 4096, 0]]), /moved to 0x4000000 to 0x5000000/],
    ['addresses without an entry', multiboot2Header([[2, 0, 0x100024, 0x100000, 0, 0]]), /no entry address/],
    ['a tag that leaves it', multiboot2Header([[5, 0, 1, 2, 3]]).fill(0xff, 20, 24), /leaves it/],
    [
      'a tag cut short',
      multiboot2Header([
        [5, 0],
        [2, 0, 1],
      ]),
      /type 2 with 12 bytes, too few/,
    ],
  ])('that wants %s is refused with the cause', (_title, header, message) => {
    expect(() => load(kernel(header))).toThrow(message);
    expect(() => load(kernel(header))).toThrow(ImageError);
  });
});

describe('a multiboot header that does not count', () => {
  const at = (header: Uint8Array, offset: number) => {
    const bytes = new Uint8Array(offset + 0x100);
    bytes.set(header, offset);
    return bytes;
  };
  /** Segment contents begin at 54h in the file. */
  const file = (header: Uint8Array, offset: number) =>
    elf(32, 0x100080, [{ paddr: 0x100000, bytes: at(header, offset - 0x54) }]);
  const broken = (header: Uint8Array, word: number) => {
    const copy = header.slice();
    copy[word] ^= 1;
    return copy;
  };

  it.each<[string, Uint8Array, number, RegExp]>([
    [
      'with a wrong checksum',
      broken(multibootHeader(3), 8),
      0x60,
      /multiboot header at offset 0x60 has the checksum 0x[0-9a-f]{8} and needs 0xe4524ffb/,
    ],
    [
      'with a wrong checksum, version 2',
      broken(multiboot2Header(), 12),
      0x60,
      /multiboot 2 header at offset 0x60 has the checksum/,
    ],
    [
      'behind the first 8192 bytes',
      multibootHeader(3),
      0x2000,
      /multiboot header at offset 0x2000 is past the first 8192 bytes/,
    ],
    [
      'behind the first 32768 bytes',
      multiboot2Header(),
      0x8000,
      /multiboot 2 header at offset 0x8000 is past the first 32768 bytes/,
    ],
    ['between two words', multibootHeader(3), 0x62, /multiboot header at offset 0x62 is not at a multiple of 4/],
    [
      'between two double words',
      multiboot2Header(),
      0x64,
      /multiboot 2 header at offset 0x64 is not at a multiple of 8/,
    ],
  ])('%s is named instead of started without it', (_title, header, offset, message) => {
    expect(() => load(file(header, offset))).toThrow(message);
  });

  it('is none where only the magic number stands', () => {
    const code = new TableWriter(16).u32(0, 0x1badb002).u32(4, 0x90909090).u32(8, 0xe85250d6).bytes;
    expect(load(file(code, 0x60)).kind).toBe('elf32');
  });
});

describe('PVH', () => {
  const note = (entry: number) =>
    new TableWriter(20).u32(0, 4).u32(4, 4).u32(8, 18).text(12, 'Xen\0').u32(16, entry).bytes;

  it('enters at the address of the note with the start information in ebx', () => {
    const kernel = elf(64, 0xffffffff81000000n, [
      { paddr: 0x200000, bytes: code },
      { paddr: 0, bytes: note(0x200020), type: 4 },
    ]);
    const image = load(kernel, { append: 'quiet', initrd: { name: 'i', bytes: new Uint8Array(100) } });
    expect(image.kind).toBe('pvh');
    expect(image.initial).toMatchObject({ rip: 0x200020n, cr0: 0x11n });
    const memory = memoryOf(image, 64 * MIB);
    const info = Number(image.initial.registers!.rbx);
    expect(memory.getUint32(info, true)).toBe(0x336ec578);
    expect(textAt(memory, Number(memory.getBigUint64(info + 24, true)))).toBe('quiet');
    expect(textAt(memory, Number(memory.getBigUint64(info + 32, true)))).toMatch(/^RSD PTR /);
    const modules = Number(memory.getBigUint64(info + 16, true));
    expect([memory.getUint32(info + 12, true), Number(memory.getBigUint64(modules + 8, true))]).toEqual([1, 100]);
    expect(memory.getUint32(info + 48, true)).toBeGreaterThan(3);
  });
});

describe('Linux', () => {
  it('enters at the 64-bit entry with boot_params in rsi', () => {
    const image = load(bzImage(), {
      append: 'console=ttyS0',
      initrd: { name: 'i', bytes: new Uint8Array(5000).fill(3) },
    });
    expect(image.kind).toBe('linux');
    expect(image.initial).toMatchObject({ rip: 0x100200n, efer: 0x500n });
    expect(cs(image).selector).toBe(0x10);
    expect(image.initial.segments!.ds!.selector).toBe(0x18);
    expectDisjoint(image, 64 * MIB);
    const memory = memoryOf(image, 64 * MIB);
    const params = Number(image.initial.registers!.rsi);
    const u32 = (offset: number) => memory.getUint32(params + offset, true);
    expect(u32(0x202)).toBe(0x53726448);
    expect(memory.getUint8(params + 0x210)).toBe(0xff);
    expect(textAt(memory, u32(0x228))).toBe('console=ttyS0');
    expect([u32(0x218), u32(0x21c)]).toEqual([64 * MIB - 0x2000, 5000]);
    expect(memory.getUint8(u32(0x218) + 4999)).toBe(3);
    expect(textAt(memory, u32(0x070))).toMatch(/^RSD PTR /);
    expect(memory.getUint8(params + 0x00f)).toBe(1);
    const entries = memory.getUint8(params + 0x1e8);
    const last = params + 0x2d0;
    expect(entries).toBeGreaterThan(3);
    expect([memory.getUint32(last + 8, true), memory.getUint32(last + 16, true)]).toEqual([0x9fc00, 1]);
    // Nothing of the boot sector code before the setup header may leak into boot_params.
    expect(u32(0x1ec)).toBe(0);
  });

  it('enters at the 32-bit entry when the kernel has no other', () => {
    const image = load(bzImage({ is64: false }));
    expect(image.initial).toMatchObject({ rip: 0x100000n, cr0: 0x11n, efer: 0n });
    expect(image.initial.registers).toMatchObject({ rbp: 0n, rdi: 0n, rbx: 0n });
  });

  it('puts a relocatable kernel where it wants to be, or where it fits', () => {
    const kernel = bzImage({ relocatable: true, preferred: 16 * MIB, initBytes: 8 * MIB });
    expect(load(kernel).initial.rip).toBe(BigInt(16 * MIB + 0x200));
    expect(load(kernel, { memoryBytes: 16 * MIB }).initial.rip).toBe(BigInt(2 * MIB + 0x200));
  });

  it('keeps the initrd under the limit of the kernel', () => {
    const image = load(bzImage({ initrdMax: 32 * MIB - 1 }), { initrd: { name: 'i', bytes: new Uint8Array(100) } });
    expect(chunkNamed(image, 'initrd').gpa).toBe(32 * MIB - 0x1000);
  });
});

describe('flat binaries', () => {
  const sector = () => {
    const bytes = new Uint8Array(512).fill(0x90);
    bytes.set([0x55, 0xaa], 510);
    return bytes;
  };

  it('a boot sector starts at 0000:7c00 in real mode with the drive in dl', () => {
    const image = load(sector());
    expect(image.initial).toMatchObject({ rip: 0x7c00n, cr0: 0x10n, registers: { rdx: 0x80n } });
    expect(cs(image)).toEqual({ selector: 0, base: 0n, limit: 0xffff, accessRights: 0x9b });
    expect(chunkNamed(image, 'flat binary').gpa).toBe(0x7c00);
  });

  it('goes to an address: real mode below 1 MiB, protected mode above', () => {
    expect(load(code, { at: 0x500 }).initial.rip).toBe(0x500n);
    const high = load(code, { at: 0x12345 });
    expect([cs(high).selector, cs(high).base, high.initial.rip]).toEqual([0x1234, 0x12340n, 5n]);
    expect(load(code, { at: 2 * MIB }).initial).toMatchObject({ rip: BigInt(2 * MIB), cr0: 0x11n });
  });
});

describe('low memory', () => {
  it('has the values that real-mode code reads', () => {
    const memory = memoryOf(load(code, { at: 0x7c00 }));
    expect(memory.getUint16(0x400, true)).toBe(0x3f8);
    expect(memory.getUint16(0x40e, true) << 4).toBe(0x9fc00);
    expect(memory.getUint16(0x413, true)).toBe(639);
    expect(memory.getUint8(0x449)).toBe(3);
    expect(memory.getUint8(0x9fc00)).toBe(1);
    // int 10h goes to push ax; mov al, 10h; jmp to what tells of it and returns, the timer's own call to an iret
    const handler = (vector: number): number =>
      (memory.getUint16(vector * 4 + 2, true) << 4) + memory.getUint16(vector * 4, true);
    expect([0, 1, 2, 3].map((n) => memory.getUint8(handler(0x10) + n))).toEqual([0x50, 0xb0, 0x10, 0xe9]);
    const common = handler(0x10) + 6 + memory.getUint16(handler(0x10) + 4, true);
    expect([memory.getUint8(common), memory.getUint8(common + 7)]).toEqual([0x52, 0xcf]);
    expect(memory.getUint8(handler(0x1c))).toBe(0xcf);
    // a jump to ffff:0 goes to a reset through the keyboard controller
    expect(memory.getUint8(0xffff0)).toBe(0xea);
    const reset = (memory.getUint16(0xffff3, true) << 4) + memory.getUint16(0xffff1, true);
    expect([memory.getUint16(reset, true), memory.getUint16(reset + 2, true)]).toEqual([0xfeb0, 0x64e6]);
  });
});
