import { describe, expect, it } from 'vitest';
import { TableWriter } from '../../src/engine/boot/binary.js';
import { loadImage } from '../../src/engine/boot/detect.js';
import type { LoadedImage, LoadOptions } from '../../src/engine/boot/image.js';
import { bzImage, chunkNamed, elf, memoryOf, multibootHeader, textAt } from './images.js';

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
    expect(textAt(memory, memory.getUint32(field(24) + 8, true))).toBe('module.img');
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
    // int 10h goes to an iret, a jump to ffff:0 to a reset through the keyboard controller.
    const handler = (memory.getUint16(0x42, true) << 4) + memory.getUint16(0x40, true);
    expect(memory.getUint8(handler)).toBe(0xcf);
    expect(memory.getUint8(0xffff0)).toBe(0xea);
    const reset = (memory.getUint16(0xffff3, true) << 4) + memory.getUint16(0xffff1, true);
    expect([memory.getUint16(reset, true), memory.getUint16(reset + 2, true)]).toEqual([0xfeb0, 0x64e6]);
  });
});
